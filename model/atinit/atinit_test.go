package atinit

import (
	"bytes"
	"context"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"pare/dataset"
	"pare/graph"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
	"pare/train"
)

// atInit are the methods that prune before training, with settings.
func atInit() map[string]struct {
	m   *Method
	set func() any
} {
	type arm = struct {
		m   *Method
		set func() any
	}
	ratios := func(allocate string) arm {
		return arm{random, func() any {
			s := randomDefaults()
			s.Sparsity, s.Allocate, s.Scale, s.PerClass = .8, allocate, "layer", 5
			return s
		}}
	}
	return map[string]arm{
		"snip":      {snip, func() any { return &SNIP{Sparsity: .8, Sampled: Sampled{5}} }},
		"grasp":     {grasp, func() any { return &GraSP{Sparsity: .8, Temperature: 200, Sampled: Sampled{5}, Fresh: Fresh{true}} }},
		"synflow":   {synflow, func() any { return &SynFlow{Sparsity: .8, Iterations: 20} }},
		"lamp":      {lamp, func() any { return &LAMP{Sparsity: .8} }},
		"uniform":   ratios("uniform"),
		"uniform+":  ratios("uniform+"),
		"er":        ratios("er"),
		"erk":       ratios("erk"),
		"erk+":      ratios("erk+"),
		"igq":       ratios("igq"),
		"ratio":     ratios("snip"),
		"ratio2":    ratios("grasp"),
		"magnitude": ratios("magnitude"),
	}
}

// The number of weights is exact, what is cut is zero after training, the same seed
// gives the same bytes, and a run that was stopped and resumed too.
func TestAtInit(t *testing.T) {
	for name, arm := range atInit() {
		whole := job(t, arm.set(), 1)
		r, err := arm.m.Run(context.Background(), whole)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		n := prune.Total(r.Masks.Weights)
		if want := n - int(math.Round(.8*float64(n))); r.Masks.Count() != want {
			t.Errorf("%s keeps %d of %d, want %d", name, r.Masks.Count(), n, want)
		}
		for l, w := range r.Masks.Weights {
			for i, x := range w.Data() {
				if !r.Masks.Mask[l].Kept(i) && x != 0 {
					t.Fatalf("%s: entry %d of %q is cut, and %v", name, i, w.Name, x)
				}
			}
		}
		save := filepath.Join(t.TempDir(), "checkpoint")
		j := job(t, arm.set(), 1)
		j.Save, j.Resume = save, true
		ctx, cancel := context.WithCancel(context.Background())
		j.OnStep = func(step, _ int, _ float64) {
			if step == 7 {
				cancel()
			}
		}
		if _, err := arm.m.Run(ctx, j); !errors.Is(err, train.ErrInterrupted) {
			t.Fatalf("%s: %v", name, err)
		}
		cancel()
		j = job(t, arm.set(), 1)
		j.Save, j.Resume, j.Engine.Threads = save, true, 2
		again, err := arm.m.Run(context.Background(), j)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if again.Masks.Hash() != r.Masks.Hash() || !bytes.Equal(bits(whole.Graph), bits(j.Graph)) {
			t.Errorf("%s: the resumed run differs", name)
		}
	}
}

// Weights that share out what a layer keeps by SNIP lie at other places than SNIP's.
func TestRatio(t *testing.T) {
	s := randomDefaults()
	s.Sparsity, s.Allocate = .8, "snip"
	a, err := runRandom(context.Background(), job(t, s, 0))
	if err != nil {
		t.Fatal(err)
	}
	b, err := runSNIP(context.Background(), job(t, &SNIP{Sparsity: .8, Sampled: s.Sampled}, 0))
	if err != nil {
		t.Fatal(err)
	}
	for l := range a.Masks.Mask {
		n, m := a.Masks.Mask[l].Count(), b.Masks.Mask[l].Count()
		if o := a.Masks.Mask[l].Overlap(b.Masks.Mask[l]); n != m || o == n {
			t.Errorf("layer %d: %d weights, SNIP keeps %d, both %d", l, n, m, o)
		}
	}
}

// Sparsity 0 trains the dense network, bit for bit.
func TestRandomDense(t *testing.T) {
	for _, allocate := range []string{"uniform", "erk"} {
		s := randomDefaults()
		s.Sparsity, s.Allocate = 0, allocate
		a, b := job(t, s, 1), job(t, nil, 1)
		r, err := runRandom(context.Background(), a)
		if err != nil {
			t.Fatal(err)
		}
		if r.Masks.Sparsity() != 0 {
			t.Errorf("%s: sparsity %v", allocate, r.Masks.Sparsity())
		}
		if _, err := b.Fit(context.Background(), b.Graph); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(bits(a.Graph), bits(b.Graph)) {
			t.Errorf("%s: weights differ from dense training", allocate)
		}
	}
}

// Another seed keeps a weight of a layer of density d that the first keeps with
// probability d. The fan-in of an ER layer is eps*(outputs+inputs)/outputs.
func TestRandomPlaces(t *testing.T) {
	ws, err := prune.Weights(job(t, nil, 0).Graph, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	keep, err := allocate.ErdosRenyi(ws, .8, false)
	if err != nil {
		t.Fatal(err)
	}
	mask := func(seed uint64) *prune.Masks {
		return allocate.Select(ws, score.Random(ws, seed), keep, prune.CutFirst)
	}
	a, b := mask(1), mask(2)
	if a.Hash() != mask(1).Hash() || a.Hash() == b.Hash() {
		t.Error("places do not follow the seed")
	}
	eps := .2 * (1280 + 200) / (84 + 30)
	for l, w := range ws {
		n, d := float64(w.Len()), float64(keep[l])/float64(w.Len())
		if o := float64(a.Mask[l].Overlap(b.Mask[l])); math.Abs(o-n*d*d) > 4*math.Sqrt(n*d*d*(1-d)) {
			t.Errorf("layer %d of density %.2f: %v of %v in both", l, d, o, n)
		}
		outs, ins := float64(w.Const.Shape[0]), float64(w.Const.Shape[1])
		if fan, want := float64(keep[l])/outs, eps*(outs+ins)/outs; math.Abs(fan-want) > 1/outs {
			t.Errorf("layer %d: a fan-in of %v, want %v", l, fan, want)
		}
	}
}

// After every step cut weights and Adam's moments of them are exactly zero.
func TestRandomHeld(t *testing.T) {
	j := job(t, nil, 1)
	j.Recipe.Optimizer, j.Recipe.LR = "adam", 1e-3
	ws, err := prune.Weights(j.Graph, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	keep, _ := allocate.ErdosRenyi(ws, .8, true)
	m := allocate.Select(ws, score.Random(ws, 1), keep, prune.CutFirst)
	steps := 0
	_, err = j.Fit(context.Background(), j.Graph, &prune.Hold{Masks: m}, &watcher{f: func(r *train.Run) {
		steps++
		for l, w := range ws {
			p := r.Param(w.Name)
			for i := range w.Len() {
				if !m.Mask[l].Kept(i) && (p.W[i] != 0 || p.State[0][i] != 0 || p.State[1][i] != 0) {
					t.Fatalf("step %d: entry %d of %q is cut, and %v, %v, %v", steps, i, w.Name, p.W[i], p.State[0][i], p.State[1][i])
				}
			}
		}
	}})
	if err != nil || steps != 20 {
		t.Error(steps, err)
	}
}

// Scaled initial weights have the variance for the inputs that stay.
func TestRandomScale(t *testing.T) {
	for _, scale := range []string{"none", "overall", "layer"} {
		s := randomDefaults()
		s.Sparsity, s.Scale = .8, scale
		j := job(t, s, 0)
		was, _ := j.Graph.Clone(true)
		r, err := runRandom(context.Background(), j)
		if err != nil {
			t.Fatal(err)
		}
		for l, w := range r.Masks.Weights {
			d := map[string]float64{"none": 1, "overall": .2, "layer": float64(r.Masks.Mask[l].Count()) / float64(w.Len())}[scale]
			old := was.Value(w.Name).Const.F32()
			for i, x := range w.Data() {
				if r.Masks.Mask[l].Kept(i) && math.Abs(float64(x)-float64(old[i])/math.Sqrt(d)) > 1e-6 {
					t.Fatalf("%s: entry %d of %q is %v, was %v", scale, i, w.Name, x, old[i])
				}
			}
		}
	}
}

// A layer whose outputs have nothing left is named.
func TestRandomNotes(t *testing.T) {
	s := randomDefaults()
	s.Sparsity, s.Allocate = .999, "uniform"
	r, err := runRandom(context.Background(), job(t, s, 0))
	if err != nil {
		t.Fatal(err)
	}
	if said := strings.Join(r.Notes, "\n"); !strings.Contains(said, "nothing is left of") || !strings.Contains(said, "outputs of") {
		t.Errorf("notes: %s", said)
	}
}

func TestAtInitBadInput(t *testing.T) {
	random := func(f func(*Random)) any {
		s := randomDefaults()
		f(s)
		return s
	}
	none := func(j *Job) {}
	for _, c := range []struct {
		want string
		run  func(context.Context, *Job) (*Result, error)
		set  any
		job  func(j *Job)
	}{
		{"outside [0,1)", runRandom, random(func(s *Random) { s.Sparsity = 1 }), none},
		{"outside [0,1)", runRandom, random(func(s *Random) { s.Sparsity = -.1 }), none},
		{"outside [0,1)", runRandom, random(func(s *Random) { s.Sparsity = math.NaN() }), none},
		{"outside (0,1]", runRandom, random(func(s *Random) { s.Allocate, s.FCDensity = "erk+", 0 }), none},
		{"the last layer", runRandom, random(func(s *Random) { s.Allocate, s.Sparsity = "erk+", .9 }), none},
		{"no allocation", runRandom, random(func(s *Random) { s.Allocate = "nosuch" }), none},
		{"no --scale", runRandom, random(func(s *Random) { s.Scale = "nosuch" }), none},
		{"no prunable weight", runRandom, random(func(s *Random) { s.Exclude = []string{"*"} }), none},
		{"give --data", runRandom, random(func(s *Random) { s.Allocate = "snip" }), func(j *Job) { j.Data = nil }},
		{"at least 1", runRandom, random(func(s *Random) { s.Allocate, s.PerClass = "grasp", 0 }), none},
		{"fewer than the 100", runRandom, random(func(s *Random) { s.Allocate, s.PerClass = "snip", 100 }), none},
		{"fewer than the 1 ", runSNIP, &SNIP{Sparsity: .5, Sampled: Sampled{1}}, func(j *Job) {
			s := *j.Data.Train
			s.Index = []int32{0, 1, 2} // no sample of seven classes
			j.Data = &dataset.Data{Train: &s, Norm: dataset.Raw}
		}},
		{"outside [0,1)", runSNIP, &SNIP{Sparsity: 1, Sampled: Sampled{1}}, none},
		{"not a positive", runGraSP, &GraSP{Sparsity: .5, Sampled: Sampled{1}}, none},
		{"at least 1", runSynFlow, &SynFlow{Sparsity: .5}, none},
		{"outside [0,1)", runSynFlow, &SynFlow{Sparsity: 1.5, Iterations: 1}, none},
		{"outside [0,1)", runLAMP, &LAMP{Sparsity: 1}, none},
		{"raise --per-class", runSNIP, &SNIP{Sparsity: .5, Sampled: Sampled{1}}, func(j *Job) { j.Graph.Inputs[0].Shape[0] = graph.N(64) }},
		{"does not fit", func(_ context.Context, j *Job) (*Result, error) {
			ws, _ := prune.Weights(j.Graph, prune.Scope{})
			b, _ := prune.Dense(ws[:1]).MarshalBinary()
			return nil, prune.Dense(ws[1:]).UnmarshalBinary(b)
		}, nil, none},
	} {
		j := job(t, c.set, 0)
		c.job(j)
		if _, err := c.run(context.Background(), j); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want something with %q", err, c.want)
		}
	}
}
