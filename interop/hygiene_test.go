package interop

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"pare/data/hygiene"
	"pare/neighbours"
	"pare/tensor"
)

// hygieneJob is work for hygiene.py.
type hygieneJob struct {
	Kind    string  `json:"kind"`
	File    string  `json:"file"`
	Labels  []int32 `json:"labels,omitempty"`
	Classes int     `json:"classes,omitempty"`
	Dim     int     `json:"dim,omitempty"`
	K       int     `json:"k,omitempty"`
	Metric  string  `json:"metric,omitempty"`
}

// hygieneAnswer is what it says.
type hygieneAnswer struct {
	IDs       []int     `json:"ids"`
	Distances []float64 `json:"distances"`
}

// Labels in doubt are those of cleanlab's find_label_issues, for probabilities of many
// kinds: sure and unsure ones, few and many classes, classes that no label has, labels exchanged at
// random and from one class to another.
func TestLabelIssuesAreCleanlabs(t *testing.T) {
	py := python(t, "cleanlab")
	dir := t.TempDir()
	var jobs []hygieneJob
	var want [][]int
	for n, c := range []struct {
		samples, classes int
		noise, sharp     float64
		unused           bool
		asymmetric       bool
	}{{300, 2, .1, 2, false, false}, {1000, 10, .1, 3, false, false}, {1000, 10, .3, 1, false, true}, {500, 5, 0, 4, false, false}, {400, 7, .2, .3, true, false}, {60, 12, .2, 1, true, false}, {2000, 3, .45, 1.5, false, true}} {
		r := rand.New(rand.NewPCG(uint64(n), 77))
		p, labels := make([]float64, c.samples*c.classes), make([]int32, c.samples)
		for i := range labels {
			used := c.classes
			if c.unused {
				used--
			}
			truth := r.IntN(used)
			labels[i] = int32(truth)
			if r.Float64() < c.noise {
				labels[i] = int32(r.IntN(used))
				if c.asymmetric {
					labels[i] = int32((truth + 1) % used)
				}
			}
			sum := 0.
			row := p[i*c.classes : (i+1)*c.classes]
			for k := range row {
				z := r.NormFloat64()
				if k == truth {
					z += c.sharp
				}
				row[k] = math.Exp(c.sharp * z)
				sum += row[k]
			}
			for k := range row {
				row[k] /= sum
			}
		}
		file := filepath.Join(dir, fmt.Sprint(n))
		raw(t, file, &tensor.Tensor{DType: tensor.Float64, Shape: []int{c.samples, c.classes}, Data: p})
		jobs = append(jobs, hygieneJob{Kind: "labels", File: file, Labels: labels, Classes: c.classes})
		got, err := hygiene.LabelIssues(p, labels, c.classes)
		if err != nil {
			t.Fatal(err)
		}
		var ids []int
		for _, l := range got {
			ids = append(ids, l.Sample)
		}
		slices.Sort(ids)
		want = append(want, ids)
	}
	for n, a := range ask[hygieneJob, hygieneAnswer](t, py, "hygiene.py", dir, jobs) {
		t.Logf("%d samples of %d classes: %d labels in doubt", len(jobs[n].Labels), jobs[n].Classes, len(a.IDs))
		if !slices.Equal(want[n], a.IDs) {
			t.Errorf("job %d: %d labels are in doubt, cleanlab has %d:\n%v\n%v", n, len(want[n]), len(a.IDs), want[n], a.IDs)
		}
	}
}

// Neighbours are those of faiss, by both distances; equally near ones may come in another order.
func TestNeighboursAreFaiss(t *testing.T) {
	py := python(t, "faiss")
	dir := t.TempDir()
	var jobs []hygieneJob
	var ours []*neighbours.Result
	for n, c := range []struct{ rows, dim, k int }{{2000, 32, 10}, {700, 3, 5}, {1500, 200, 20}} {
		r := rand.New(rand.NewPCG(uint64(n), 78))
		x := make([]float32, c.rows*c.dim)
		for i := range x {
			x[i] = float32(r.NormFloat64()) + .5
		}
		file := filepath.Join(dir, fmt.Sprint(n))
		raw(t, file, &tensor.Tensor{DType: tensor.Float32, Shape: []int{c.rows, c.dim}, Data: x})
		for _, m := range []neighbours.Metric{neighbours.L2, neighbours.Cosine} {
			jobs = append(jobs, hygieneJob{Kind: "neighbours", File: file, Dim: c.dim, K: c.k, Metric: string(m)})
			got, err := neighbours.Exact(context.Background(), neighbours.Matrix{X: x, Width: c.dim}, nil, neighbours.Options{K: c.k, Metric: m})
			if err != nil {
				t.Fatal(err)
			}
			ours = append(ours, got)
		}
	}
	for n, a := range ask[hygieneJob, hygieneAnswer](t, py, "hygiene.py", dir, jobs) {
		differ := 0
		for i, id := range ours[n].Index {
			if d := math.Abs(float64(ours[n].Distance[i]) - a.Distances[i]); d > 1e-5*max(1, a.Distances[i]) {
				t.Fatalf("job %d: neighbour %d of row %d is at %v, faiss says %v", n, i%jobs[n].K, i/jobs[n].K, ours[n].Distance[i], a.Distances[i])
			}
			if int(id) != a.IDs[i] {
				differ++
			}
		}
		if differ > len(a.IDs)/1000 { // faiss rounds products: those almost equally near change places
			t.Errorf("job %d: %d of %d neighbours differ", n, differ, len(a.IDs))
		}
	}
}
