package score

import (
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/data"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/train"
	"pare/train/dynamics"
	"pare/zoo"
)

func one() engine.Options { return engine.Options{Threads: 1} }

func set(n int) *dataset.Set {
	s, _ := dataset.Glyph(2, .4, n, 10, 1)
	return s
}

func network(t *testing.T, seed uint64) *graph.Graph {
	t.Helper()
	g, err := zoo.New("mlp:64-12-10", zoo.Options{In: []int{1, 8, 8}, Seed: seed})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func run(t *testing.T, m data.Method, j *data.Job) (*data.Result, []float64) {
	t.Helper()
	res, err := data.Run(context.Background(), m, j)
	if err != nil {
		t.Fatal(err)
	}
	if res.Score.Name != m.Card().Name || res.Score.Data != j.Set.Stored().Digest() {
		t.Errorf("%+v", res.Score)
	}
	return res, res.Score.Values
}

// logged trains a network and gives the log.
func logged(t *testing.T, s *dataset.Set, seed uint64, epochs int) *dynamics.Log {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	opt, err := train.ParseOptimizer("sgd", .9, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = train.Fit(context.Background(), &train.Config{Graph: network(t, seed), Epochs: epochs, Optimizer: opt, Rate: train.Constant(.05), Engine: one(),
		Train: train.NewData(&dataset.Loader{Set: s, Size: 10, Norm: dataset.Raw, Shuffle: true, Seed: seed}), Hooks: []train.Hook{dynamics.NewRecorder(path, dynamics.About{Recipe: map[string]string{"lr": "0.05"}})}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := dynamics.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func near(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, not %d", what, len(got), len(want))
	}
	for i := range got {
		if !(math.Abs(got[i]-want[i]) <= tol*max(1, math.Abs(want[i]))) && got[i] != want[i] {
			t.Fatalf("%s: sample %d has %v, not %v", what, i, got[i], want[i])
		}
	}
}

// Scores of a training are those of its log, in their direction; of two the mean.
func TestOverLogs(t *testing.T) {
	s := set(53)
	a, b := logged(t, s, 1, 12), logged(t, s, 2, 12)
	j := &data.Job{Set: s, Dynamics: []*dynamics.Log{a, b}}
	x, _ := a.AUM()
	y, _ := b.AUM()
	e, _ := a.EL2N(5)
	f, _ := b.EL2N(5)
	for i := range x {
		x[i] = (x[i] + y[i]) / 2
		e[i] = (e[i] + f[i]) / 2
	}
	res, got := run(t, NewAUM(), j)
	near(t, "AUM", got, x, 1e-12)
	if res.Score.Hard != data.Low || res.Score.Made["recipe.lr"] != "0.05" {
		t.Errorf("%+v", res.Score)
	}
	res, got = run(t, &EL2N{Window: 5}, j)
	near(t, "EL2N", got, e, 1e-12)
	if res.Score.Hard != data.High {
		t.Errorf("%+v", res.Score)
	}
	if _, err := data.Run(context.Background(), &EL2N{Window: 13}, j); err == nil || !strings.Contains(err.Error(), "Window") {
		t.Errorf("a window longer than the log: %v", err)
	}
	if _, err := data.Run(context.Background(), NewAUM(), &data.Job{Set: set(52), Dynamics: j.Dynamics}); err == nil || !strings.Contains(err.Error(), "other data") {
		t.Errorf("a log of other data: %v", err)
	}
	if _, err := data.Run(context.Background(), NewForgetting(), &data.Job{Set: s}); err == nil || !strings.Contains(err.Error(), "Dynamics") {
		t.Errorf("no log: %v", err)
	}
}

// A sample whose label is wrong is hard, whichever score says so; one never learnt is
// flagged.
func TestWrongLabels(t *testing.T) {
	s, _ := dataset.Glyph(1, .2, 600, 10, 1)
	y := *s.Class()
	y.Ints = slices.Clone(y.Ints)
	wrong := map[int]bool{}
	for i := 0; i < 600; i += 60 {
		y.Ints[i] = (y.Ints[i] + 3) % 10
		wrong[i] = true
	}
	s = dataset.New("training", s.X(), &y)
	l := logged(t, s, 1, 12)
	for _, m := range []data.Method{NewAUM(), NewForgetting(), NewEL2N()} {
		if e, ok := m.(*EL2N); ok {
			e.Window = 12
		}
		res, _ := run(t, m, &data.Job{Set: s, Dynamics: []*dynamics.Log{l}})
		hard, err := res.Score.Hardness(s)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, i := range data.Order(hard)[:20] {
			if wrong[i] {
				found++
			}
		}
		if found < 5 {
			t.Errorf("%s: %d of 10 wrong labels are among the 20 hardest", m.Card().Name, found)
		}
		if m.Card().Name == "forgetting" && !slices.Contains(res.Score.Never, true) {
			t.Error("no sample was never learnt")
		}
	}
}

// What a network gives, in plain loops.
func TestByOutput(t *testing.T) {
	s := set(37)
	a, b := network(t, 1), network(t, 2)
	n := map[string][]float64{}
	for _, g := range []*graph.Graph{a, b} {
		at := 0
		err := train.NewEval(s, dataset.Raw, 5, one()).Outputs(context.Background(), g, func(out []float32, w int) error {
			for ; len(out) > 0; out = out[w:] {
				sum := 0.0
				for _, v := range out[:w] {
					sum += math.Exp(float64(v))
				}
				var p []float64
				entropy := 0.0
				for _, v := range out[:w] {
					p = append(p, math.Exp(float64(v))/sum)
					entropy -= p[len(p)-1] * math.Log(p[len(p)-1])
				}
				label := p[s.Label(at)]
				slices.Sort(p)
				for name, v := range map[string]float64{"entropy": entropy, "margin": p[w-1] - p[w-2], "least-confidence": 1 - p[w-1], "loss": -math.Log(label)} {
					if len(n[name]) <= at {
						n[name] = append(n[name], 0)
					}
					n[name][at] += v / 2
				}
				at++
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range []data.Method{NewEntropy(), NewMargin(), NewLeastConfidence(), NewLoss()} {
		res, got := run(t, m, &data.Job{Set: s, Norm: dataset.Raw, Networks: []*graph.Graph{a, b}, Engine: one()})
		near(t, m.Card().Name, got, n[m.Card().Name], 1e-5)
		if (res.Score.Hard == data.Low) != (m.Card().Name == "margin") {
			t.Errorf("%s: %s is hard", m.Card().Name, res.Score.Hard)
		}
	}
	if _, err := data.Run(context.Background(), NewLoss(), &data.Job{Set: s}); err == nil || !strings.Contains(err.Error(), "Network") {
		t.Errorf("no network: %v", err)
	}
}

// GraNd by hand: of an MLP with ReLU and cross-entropy, in float64.
func TestGraNd(t *testing.T) {
	s := set(9)
	g := network(t, 4)
	var w [][]float32
	for _, p := range g.Params() {
		w = append(w, p.Const.F32())
	}
	if len(w) != 4 || len(w[0]) != 64*12 || len(w[1]) != 12 || len(w[2]) != 120 {
		t.Fatalf("parameters of another shape")
	}
	rows := g.Params()[0].Shape[0].Mul == 12 // [out in], or [in out]
	weight := func(w []float32, in, out, i, o int) float64 {
		if rows {
			return float64(w[o*in+i])
		}
		return float64(w[i*out+o])
	}
	var want []float64
	for n := range s.Len() {
		x := s.X()
		var in [64]float64
		for k := range in {
			if x.Bytes != nil {
				in[k] = float64(x.Bytes[n*64+k])
			} else {
				in[k] = float64(x.Floats[n*64+k])
			}
		}
		var h [12]float64
		for o := range h {
			h[o] = float64(w[1][o])
			for i, v := range in {
				h[o] += v * weight(w[0], 64, 12, i, o)
			}
			h[o] = max(0, h[o])
		}
		var p [10]float64
		sum := 0.0
		for o := range p {
			p[o] = float64(w[3][o])
			for i, v := range h {
				p[o] += v * weight(w[2], 12, 10, i, o)
			}
			p[o] = math.Exp(p[o])
			sum += p[o]
		}
		square := 0.0
		var back [12]float64
		for o := range p {
			d := p[o] / sum
			if o == int(s.Label(n)) {
				d--
			}
			square += d * d
			for i, v := range h {
				square += d * v * d * v
				if v > 0 {
					back[i] += d * weight(w[2], 12, 10, i, o)
				}
			}
		}
		for _, d := range back {
			square += d * d
			for _, v := range in {
				square += d * v * d * v
			}
		}
		want = append(want, math.Sqrt(square))
	}
	_, got := run(t, NewGraNd(), &data.Job{Set: s, Norm: dataset.Raw, Networks: []*graph.Graph{g}, Engine: one()})
	near(t, "GraNd", got, want, 1e-4)
}

func embeddings(n, d int, seed uint64) *data.Embeddings {
	r := rand.New(rand.NewPCG(seed, 2))
	e := &data.Embeddings{N: n, D: d, X: make([]float32, n*d)}
	for i := range e.X {
		e.X[i] = float32(r.NormFloat64())
		if (i/d)%3 == i%d {
			e.X[i] += 5
		}
	}
	return e
}

// rotated turns vectors by an orthogonal matrix.
func rotated(e *data.Embeddings, seed uint64) *data.Embeddings {
	r := rand.New(rand.NewPCG(seed, 3))
	q := make([][]float64, e.D)
	for a := range q {
		for range e.D {
			q[a] = append(q[a], r.NormFloat64())
		}
		for b := range a {
			dot := 0.0
			for k := range e.D {
				dot += q[a][k] * q[b][k]
			}
			for k := range e.D {
				q[a][k] -= dot * q[b][k]
			}
		}
		l := 0.0
		for _, v := range q[a] {
			l += v * v
		}
		for k := range q[a] {
			q[a][k] /= math.Sqrt(l)
		}
	}
	out := &data.Embeddings{N: e.N, D: e.D, X: make([]float32, len(e.X))}
	for i := range e.N {
		for a := range e.D {
			s := 0.0
			for k, v := range e.At(i) {
				s += q[a][k] * float64(v)
			}
			out.X[i*e.D+a] = float32(s)
		}
	}
	return out
}

// Scores do not change when all vectors turn, nor, with cosine, when one is scaled.
func TestPrototypesAreInvariant(t *testing.T) {
	s := set(90)
	e := embeddings(90, 5, 1)
	for _, distance := range []string{"cosine", "euclidean"} {
		m := NewPrototypes()
		m.Clusters, m.Distance = 3, distance
		_, want := run(t, m, &data.Job{Set: s, Embeddings: e, Seed: 1})
		_, got := run(t, m, &data.Job{Set: s, Embeddings: rotated(e, 7), Seed: 1})
		near(t, distance+", rotated", got, want, 1e-4)
		scaled := &data.Embeddings{N: e.N, D: e.D, X: slices.Clone(e.X)}
		for i := range scaled.N {
			for k := range scaled.At(i) {
				scaled.At(i)[k] *= float32(1 + i%7)
			}
		}
		_, got = run(t, m, &data.Job{Set: s, Embeddings: scaled, Seed: 1})
		if distance == "cosine" {
			near(t, "scaled", got, want, 1e-5)
		} else if slices.Equal(got, want) {
			t.Error("Euclidean distances do not see the scale")
		}
	}
}

// The means of the classes, in plain loops.
func TestSupervisedPrototypes(t *testing.T) {
	s := set(60)
	e := embeddings(60, 4, 3)
	for _, distance := range []string{"cosine", "euclidean"} {
		var mean [10][4]float64
		var count [10]float64
		unit := func(i, k int) float64 {
			l := 1.0
			if distance == "cosine" {
				l = 0
				for _, v := range e.At(i) {
					l += float64(v) * float64(v)
				}
			}
			return float64(e.At(i)[k]) / math.Sqrt(l)
		}
		for i := range 60 {
			c := s.Label(i)
			count[c]++
			for k := range 4 {
				mean[c][k] += unit(i, k)
			}
		}
		want := make([]float64, 60)
		for i := range want {
			c := s.Label(i)
			dot, l, square := 0.0, 0.0, 0.0
			for k := range 4 {
				m := mean[c][k] / count[c]
				dot += m * unit(i, k)
				l += m * m
				square += (unit(i, k) - m) * (unit(i, k) - m)
			}
			if want[i] = math.Sqrt(square); distance == "cosine" {
				want[i] = 1 - dot/math.Sqrt(l)
			}
		}
		m := NewPrototypes()
		m.By, m.Distance = "class", distance
		res, got := run(t, m, &data.Job{Set: s, Embeddings: e})
		near(t, distance, got, want, 1e-5)
		if res.Score.Hard != data.High {
			t.Error("near is hard")
		}
	}
}

func TestPrototypes(t *testing.T) {
	s := set(60)
	e := embeddings(60, 4, 3)
	m := NewPrototypes()
	res, _ := run(t, m, &data.Job{Set: s, Embeddings: e, Seed: 1}) // as many as classes
	if f := res.Facts.(*PrototypeFacts); f.Clusters != 10 || f.Smallest < 1 || f.Largest > 60 || len(res.Score.Cluster) != 60 {
		t.Errorf("%+v", f)
	}
	m.Clusters = 30
	res, _ = run(t, m, &data.Job{Set: s, Embeddings: e, Seed: 1})
	if !strings.Contains(string(res.Notes[0]), "own prototypes") {
		t.Errorf("%v", res.Notes)
	}
	zero := embeddings(60, 4, 3)
	clear(zero.At(17))
	m.Clusters = 61
	for name, c := range map[string]struct {
		j    *data.Job
		says string
	}{
		"more than samples": {&data.Job{Set: s, Embeddings: e}, "61"}, "no embeddings": {&data.Job{Set: s}, "Embeddings"}, "no direction": {&data.Job{Set: s, Embeddings: zero}, "[17]"},
		"other number": {&data.Job{Set: set(61), Embeddings: e}, "61 samples"},
	} {
		if _, err := data.Run(context.Background(), m, c.j); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m.Clusters = 0
	if _, err := data.Run(context.Background(), m, &data.Job{Set: dataset.New("", s.X()), Embeddings: e}); err == nil || !strings.Contains(err.Error(), "Clusters") {
		t.Errorf("no classes: %v", err)
	}
}
