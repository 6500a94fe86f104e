package hygiene_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pare/data"
	"pare/data/hygiene"
	"pare/data/score"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/model"
	"pare/train"
	"pare/zoo"
)

// average precision of a ranking, the first the most doubtful: the mean over the wrong
// ones of how many of those before are wrong.
func averagePrecision(score []float64, wrong []bool) float64 {
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case score[a] < score[b]:
			return -1
		case score[a] > score[b]:
			return 1
		}
		return 0
	})
	found, sum := 0, 0.
	for n, i := range order {
		if wrong[i] {
			found++
			sum += float64(found) / float64(n+1)
		}
	}
	return sum / float64(found)
}

// mnist is 10,000 images, a tenth of whose labels are another class, drawn at random.
func mnist(t *testing.T) (*dataset.Data, []bool) {
	t.Helper()
	dir := os.Getenv("PARE_DATA")
	if dir == "" {
		t.Skip("PARE_DATA is not set: it names a folder with mnist/train-first10000-images-idx3-ubyte.gz and the labels")
	}
	if testing.Short() {
		t.Skip("it trains networks")
	}
	at := filepath.Join(dir, "mnist", "train-first10000-")
	d, err := dataset.Open(fmt.Sprintf("idx:%simages-idx3-ubyte.gz,%[1]slabels-idx1-ubyte.gz", at))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 10))
	y := d.Train.Class()
	wrong := make([]bool, d.Train.Len())
	for _, i := range r.Perm(len(wrong))[:len(wrong)/10] {
		wrong[i] = true
		y.Ints[i] = (y.Ints[i] + 1 + r.Int32N(9)) % 10
	}
	return d, wrong
}

// fit trains a small network on samples for some epochs.
func fit(t *testing.T, d *dataset.Data, g *graph.Graph, train []int32, epochs int, schedule string, seed uint64) {
	t.Helper()
	s := *d.Train
	s.Index = train
	r := model.Defaults()
	r.Epochs, r.Batch, r.LR, r.Schedule, r.Keep = epochs, 64, .05, schedule, "last"
	j := &model.Job{Graph: g, Data: &dataset.Data{Train: &s, Norm: d.Norm}, Recipe: r, Seed: seed, Engine: engine.Options{}}
	if _, err := j.Fit(context.Background(), g); err != nil {
		t.Fatal(err)
	}
}

// outputs are those of a network on samples.
func outputs(t *testing.T, d *dataset.Data, g *graph.Graph, at []int32) (out []float32) {
	t.Helper()
	s := *d.Train
	s.Index = at
	err := train.NewEval(&s, d.Norm, 100, engine.Options{}).Outputs(context.Background(), g, func(x []float32, width int) error {
		out = append(out, x...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func network(t *testing.T, seed uint64) *graph.Graph {
	t.Helper()
	g, err := zoo.New("mlp:784-64-10", zoo.Options{Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Of MNIST's labels, a tenth of which are wrong, the wrong ones are found: by the
// probabilities of networks that have not seen them, in five parts, and by the area under the
// margin of a training on all of them.
func TestWrongLabelsOfMNIST(t *testing.T) {
	d, wrong := mnist(t)
	n, y := d.Train.Len(), d.Train.Class()
	p, own := make([]float64, n*10), make([]float64, n)
	const parts = 5
	for k := range parts {
		var in, out []int32
		for i := range int32(n) {
			if int(i)%parts == k {
				out = append(out, i)
			} else {
				in = append(in, i)
			}
		}
		g := network(t, uint64(k))
		fit(t, d, g, in, 5, "cosine", uint64(k))
		z := outputs(t, d, g, out)
		for m, i := range out {
			sum := 0.
			for c, v := range z[m*10 : m*10+10] {
				p[int(i)*10+c] = math.Exp(float64(v))
				sum += p[int(i)*10+c]
			}
			for c := range 10 {
				p[int(i)*10+c] /= sum
			}
			own[i] = p[int(i)*10+int(y.Ints[i])]
		}
	}
	ap := averagePrecision(own, wrong)
	issues, err := hygiene.LabelIssues(p, y.Ints, 10)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for _, l := range issues {
		if wrong[l.Sample] {
			right++
		}
	}
	t.Logf("held out: average precision %.4f; confident learning: %d labels in doubt, %d of them wrong, of 1000", ap, len(issues), right)
	if ap < .95 || right < 900 || float64(right) < .8*float64(len(issues)) {
		t.Errorf("held out: average precision %.4f; %d of %d labels in doubt are wrong", ap, right, len(issues))
	}
	all := make([]int32, n)
	for i := range all {
		all[i] = int32(i)
	}
	g, aum := network(t, 1), hygiene.NewAUM(n)
	for e := range 5 {
		fit(t, d, g, all, 1, "constant", uint64(100+e))
		if err := aum.Add(outputs(t, d, g, all), y.Ints, 10); err != nil {
			t.Fatal(err)
		}
	}
	ap = averagePrecision(aum.Values(), wrong)
	t.Logf("area under the margin: average precision %.4f", ap)
	if ap < .95 {
		t.Errorf("area under the margin: average precision %.4f", ap)
	}
}

// The areas of samples that were given a class which there is not say how low those of wrong labels are.
func TestMarginsOfMNIST(t *testing.T) {
	d, wrong := mnist(t)
	g, err := zoo.New("mlp:784-64-11", zoo.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	m := score.NewAUMThreshold()
	m.LR = .05
	res, err := data.Run(context.Background(), m, &data.Job{Set: d.Train, Norm: d.Norm, Networks: []*graph.Graph{g}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	flagged := res.Facts.(*score.AUMThresholdFacts).Flagged
	for _, i := range flagged {
		if wrong[i] {
			right++
		}
	}
	ap := averagePrecision(res.Score.Values, wrong)
	t.Logf("%d labels are flagged, %d of them wrong, of 1000; average precision %.4f", len(flagged), right, ap)
	if ap < .95 || right < 900 || float64(right) < .6*float64(len(flagged)) {
		t.Errorf("%d of %d labels that are flagged are wrong, average precision %.4f", right, len(flagged), ap)
	}
}
