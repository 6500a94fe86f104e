package atinit

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"

	"pare/graph"
	"pare/internal/modeltest"
	"pare/model"
	"pare/model/oneshot"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/hook"
	"pare/prune/score"
	"pare/train"
)

// atInit are the methods that prune before training, with settings; LAMP prunes a
// trained network, but goes the same way.
func atInit() map[string]func() model.Method {
	ratios := func(allocate string) func() model.Method {
		return func() model.Method {
			s := NewRandom()
			s.Sparsity, s.Allocate, s.Scale, s.PerClass = .8, allocate, "layer", 5
			return s
		}
	}
	return map[string]func() model.Method{
		"snip": func() model.Method { return &SNIP{Sparsity: .8, Sampled: model.Sampled{PerClass: 5}} },
		"grasp": func() model.Method {
			return &GraSP{Sparsity: .8, Temperature: 200, Sampled: model.Sampled{PerClass: 5}, Fresh: model.Fresh{Fresh: true}}
		},
		"synflow":   func() model.Method { return &SynFlow{Sparsity: .8, Iterations: 20} },
		"lamp":      func() model.Method { return &oneshot.LAMP{Sparsity: .8} },
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

// The number of weights is exact, what is cut is zero after training, and a run that
// was stopped and resumed ends with the same bytes.
func TestAtInit(t *testing.T) {
	for name, mk := range atInit() {
		r := modeltest.Resumes(t, name, func() (model.Method, *model.Job) { return mk(), modeltest.Job(t, 1) }, 20, 7)
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
	}
}

// Weights that share out what a layer keeps by SNIP lie at other places than SNIP's.
func TestRatio(t *testing.T) {
	s := NewRandom()
	s.Sparsity, s.Allocate = .8, "snip"
	a := modeltest.Run(t, s, modeltest.Job(t, 0))
	b := modeltest.Run(t, &SNIP{Sparsity: .8, Sampled: s.Sampled}, modeltest.Job(t, 0))
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
		s := NewRandom()
		s.Sparsity, s.Allocate = 0, allocate
		a, b := modeltest.Job(t, 1), modeltest.Job(t, 1)
		r := modeltest.Run(t, s, a)
		if r.Masks.Sparsity() != 0 {
			t.Errorf("%s: sparsity %v", allocate, r.Masks.Sparsity())
		}
		if _, err := b.Fit(context.Background(), b.Graph); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(modeltest.Bits(a.Graph), modeltest.Bits(b.Graph)) {
			t.Errorf("%s: weights differ from dense training", allocate)
		}
	}
}

// Another seed keeps a weight of a layer of density d that the first keeps with
// probability d. The fan-in of an ER layer is eps*(outputs+inputs)/outputs.
func TestRandomPlaces(t *testing.T) {
	ws, err := prune.Weights(modeltest.Job(t, 0).Graph, prune.Scope{})
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
	j := modeltest.Job(t, 1)
	j.Recipe.Optimizer, j.Recipe.LR = "adam", 1e-3
	ws, err := prune.Weights(j.Graph, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	keep, _ := allocate.ErdosRenyi(ws, .8, true)
	m := allocate.Select(ws, score.Random(ws, 1), keep, prune.CutFirst)
	steps := 0
	_, err = j.Fit(context.Background(), j.Graph, &hook.Hold{Masks: m}, &modeltest.Watcher{F: func(r *train.Run) {
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
		s := NewRandom()
		s.Sparsity, s.Scale = .8, scale
		j := modeltest.Job(t, 0)
		was, _ := j.Graph.Clone(true)
		r := modeltest.Run(t, s, j)
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
	s := NewRandom()
	s.Sparsity, s.Allocate = .999, "uniform"
	r := modeltest.Run(t, s, modeltest.Job(t, 0))
	if said := modeltest.Said(r); !strings.Contains(said, "nothing is left of") || !strings.Contains(said, "outputs of") {
		t.Errorf("notes: %s", said)
	}
}

func TestAtInitBadInput(t *testing.T) {
	random := func(f func(*Random)) model.Method {
		s := NewRandom()
		f(s)
		return s
	}
	none := func(j *model.Job) {}
	for _, c := range []struct {
		want string
		m    model.Method
		job  func(j *model.Job)
	}{
		{"Sparsity 1: a number in [0,1)", random(func(s *Random) { s.Sparsity = 1 }), none},
		{"Sparsity -0.1: a number in [0,1)", random(func(s *Random) { s.Sparsity = -.1 }), none},
		{"Sparsity NaN: a number in [0,1)", random(func(s *Random) { s.Sparsity = math.NaN() }), none},
		{"FCDensity 0: a number in (0,1]", random(func(s *Random) { s.Allocate, s.FCDensity = "erk+", 0 }), none},
		{"the last layer", random(func(s *Random) { s.Allocate, s.Sparsity = "erk+", .9 }), none},
		{`Allocate "nosuch": uniform, uniform+, er,`, random(func(s *Random) { s.Allocate = "nosuch" }), none},
		{`Scale "nosuch": none, overall or layer`, random(func(s *Random) { s.Scale = "nosuch" }), none},
		{"no prunable weight", random(func(s *Random) { s.Exclude = []string{"*"} }), none},
		{"labelled samples: give Data", random(func(s *Random) { s.Allocate = "snip" }), func(j *model.Job) { j.Data = nil }},
		{"PerClass 0: a number of at least 1", random(func(s *Random) { s.Allocate, s.PerClass = "grasp", 0 }), none},
		{"fewer than the 100", random(func(s *Random) { s.Allocate, s.PerClass = "snip", 100 }), none},
		{"Sparsity 1: a number in [0,1)", &SNIP{Sparsity: 1, Sampled: model.Sampled{PerClass: 1}}, none},
		{"Temperature 0: a number above 0", &GraSP{Sparsity: .5, Sampled: model.Sampled{PerClass: 1}}, none},
		{"Iterations 0: a number of at least 1", &SynFlow{Sparsity: .5}, none},
		{"Sparsity 1.5: a number in [0,1)", &SynFlow{Sparsity: 1.5, Iterations: 1}, none},
		{"Sparsity 1: a number in [0,1)", &oneshot.LAMP{Sparsity: 1}, none},
		{"raise PerClass", &SNIP{Sparsity: .5, Sampled: model.Sampled{PerClass: 1}}, func(j *model.Job) { j.Graph.Inputs[0].Shape[0] = graph.N(64) }},
	} {
		j := modeltest.Job(t, 0)
		c.job(j)
		modeltest.Refused(t, c.m, j, c.want)
	}
	ws, _ := prune.Weights(modeltest.Job(t, 0).Graph, prune.Scope{})
	b, _ := prune.Dense(ws[:1]).MarshalBinary()
	if err := prune.Dense(ws[1:]).UnmarshalBinary(b); err == nil || !strings.Contains(err.Error(), "does not fit") {
		t.Errorf("masks of another layer: %v", err)
	}
}
