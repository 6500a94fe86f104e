package gradual

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"

	"pare/graph"
	"pare/internal/modeltest"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/train"
	"pare/zoo"
)

// moving are the methods whose masks move, with settings for 60 steps of the
// tests' job.
func moving() map[string]func() model.Method {
	granet := func(f func(s *GraNet)) func() model.Method {
		return func() model.Method {
			s := NewGraNet()
			s.Every = 6
			f(s)
			return s
		}
	}
	return map[string]func() model.Method{
		"granet":          granet(func(*GraNet) {}),
		"granet uniform":  granet(func(s *GraNet) { s.Rank, s.Initial, s.Grow = "uniform", 0, "random" }),
		"granet constant": granet(func(s *GraNet) { s.Initial = s.Sparsity }),
		"rigl": func() model.Method {
			s := NewRigL()
			s.Every, s.Batches = 6, 3
			return s
		},
		"set": func() model.Method { return NewSET() },
	}
}

// Each reaches its sparsity exactly, with nothing in what is cut, and every layer
// keeps something.
func TestMoving(t *testing.T) {
	for name, f := range moving() {
		for _, opt := range []string{"sgd", "adam"} {
			j := modeltest.Job(t, 3)
			j.Recipe.Optimizer, j.Recipe.LR = opt, .01
			r, err := model.Run(context.Background(), f(), j)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			n := prune.Total(r.Masks.Weights)
			if want := int(math.Round(.1 * float64(n))); r.Masks.Count() != want && !(name == "granet uniform" && r.Masks.Count()-want <= 1) {
				t.Errorf("%s: %d of %d weights are left, want %d", name, r.Masks.Count(), n, want)
			}
			if e := r.Masks.Empty(); e != nil {
				t.Errorf("%s: nothing is left of %v", name, e)
			}
			for i, w := range r.Masks.Weights {
				for k, x := range w.Data() {
					if x != 0 && !r.Masks.Mask[i].Kept(k) {
						t.Fatalf("%s: %s[%d] is cut and %v", name, w.Name, k, x)
					}
				}
			}
		}
	}
}

// A run that is stopped and resumed, at an event or between, ends with the same
// bytes; another seed does not.
func TestMovingResumes(t *testing.T) {
	for name, f := range moving() {
		mk := func() (model.Method, *model.Job) { return f(), modeltest.Job(t, 3) }
		whole := modeltest.Resumes(t, name, mk, 60, 6, 27, 50)
		m, other := mk()
		other.Seed++
		modeltest.Run(t, m, other)
		if bytes.Equal(modeltest.Bits(whole.Graph), modeltest.Bits(other.Graph)) {
			t.Errorf("%s: the seed has no effect", name)
		}
	}
}

// The check values of the paper's schedule, and of a half sparse start of the
// MLP 64-100-50-10: 5,950 weights, the last layer dense.
func TestGraNetStart(t *testing.T) {
	s := NewGraNet()
	s.Initial, s.Every, s.End = 0, 25, train.Share(1)
	sch, rate, err := s.schedules(modeltest.Job(t, 5)) // of 100 steps
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[int]float64{0: 0, 25: .5203, 50: .7875, 75: .8859, 100: .9} {
		if got := sch.At(at); math.Abs(got-want) > 5e-5 {
			t.Errorf("s_%d = %.4f, want %.4f", at, got, want)
		}
	}
	for at, want := range map[int]float64{0: .5, 50: .2525, 100: .005} {
		if got := rate.At(at); math.Abs(got-want) > 1e-9 {
			t.Errorf("r_%d = %v, want %v", at, got, want)
		}
	}
	g, err := zoo.New("mlp:64-100-50-10", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := Random(ws, .5, "erk", 1)
	if err != nil {
		t.Fatal(err)
	}
	if m.Count() != 5950 || m.Mask[2].Count() != 500 {
		t.Errorf("%d weights, %d of the last layer", m.Count(), m.Mask[2].Count())
	}
	// The uniform rank: a fifth of the last layer from 0.8 on, the total exact.
	for _, c := range []struct {
		s    float64
		want [3]int
	}{{.5, [3]int{3200, 2500, 250}}, {.9, [3]int{612, 478, 100}}} {
		keep, err := alike(ws, c.s)
		if err != nil || [3]int(keep) != c.want {
			t.Errorf("sparsity %v keeps %v, want %v (%v)", c.s, keep, c.want, err)
		}
	}
	if _, err := alike(ws, .995); err == nil {
		t.Error("a fifth of the last layer alone is more than may stay, and was accepted")
	}
	if k, err := allocate.Epsilon(ws, 5); err != nil || k[0] != 820 || k[1] != 750 || k[2] != 300 {
		t.Errorf("epsilon 5 keeps %v, %v", k, err)
	}
}

func TestMovingBadInput(t *testing.T) {
	gn := func(f func(s *GraNet)) model.Method {
		s := NewGraNet()
		s.Every = 6
		f(s)
		return s
	}
	rg := func(f func(s *RigL)) model.Method {
		s := NewRigL()
		s.Every = 6
		f(s)
		return s
	}
	st := func(f func(s *SET)) model.Method {
		s := NewSET()
		f(s)
		return s
	}
	for name, c := range map[string]struct {
		want string
		m    model.Method
	}{
		"final below initial": {"below the initial", gn(func(s *GraNet) { s.Initial = .95 })},
		"final 1":             {"Sparsity 1: a number in [0,1)", gn(func(s *GraNet) { s.Sparsity = 1 })},
		"initial -1":          {"Initial -1: a number in [0,1)", gn(func(s *GraNet) { s.Initial = -1 })},
		"NaN":                 {"Initial NaN: a number in [0,1)", gn(func(s *GraNet) { s.Initial = math.NaN() })},
		"empty window":        {"not after its begin", gn(func(s *GraNet) { s.Begin = train.Share(.5) })},
		"window":              {"End 150% is step 90 of a training of 60", gn(func(s *GraNet) { s.End = train.Share(1.5) })},
		"window before":       {"Begin -10% is step -6", gn(func(s *GraNet) { s.Begin = train.Share(-.1) })},
		"every 0":             {"Every 0: a number of at least 1", gn(func(s *GraNet) { s.Every = 0 })},
		"every too long":      {"Every 31: more steps between changes of the masks than the window", gn(func(s *GraNet) { s.Every = 31 })},
		"exchange 1":          {"Exchange 1: a number in [0,1)", gn(func(s *GraNet) { s.Exchange = 1 })},
		"exchange -.1":        {"Exchange -0.1: a number in [0,1)", gn(func(s *GraNet) { s.Exchange = -.1 })},
		"growth":              {`Grow "nosuch": gradient or random`, gn(func(s *GraNet) { s.Grow = "nosuch" })},
		"rank":                {`Rank "nosuch": global or uniform`, gn(func(s *GraNet) { s.Rank = "nosuch" })},
		"allocation":          {`Allocate "nosuch": erk, er or uniform`, gn(func(s *GraNet) { s.Allocate = "nosuch" })},
		"batches":             {"Batches 0: a number of at least 1", gn(func(s *GraNet) { s.Batches = 0 })},
		"nothing left":        {"nothing would stay", gn(func(s *GraNet) { s.Initial, s.Sparsity = .9999, .9999 })},
		"rigl sparsity":       {"Sparsity 1: a number in [0,1)", rg(func(s *RigL) { s.Sparsity = 1 })},
		"rigl drop":           {"Drop 1: a number in [0,1)", rg(func(s *RigL) { s.Drop = 1 })},
		"rigl until":          {"there would be none", rg(func(s *RigL) { s.Until = train.At{} })},
		"rigl until 2":        {"Until 200% is step 120", rg(func(s *RigL) { s.Until = train.Share(2) })},
		"rigl until NaN":      {"Until NaN% is step NaN", rg(func(s *RigL) { s.Until = train.Share(math.NaN()) })},
		"rigl every":          {"there would be none", rg(func(s *RigL) { s.Every = 60 })},
		"rigl allocation":     {`Allocate "global": erk, er or uniform`, rg(func(s *RigL) { s.Allocate = "global" })},
		"rigl batches":        {"Batches 0: a number of at least 1", rg(func(s *RigL) { s.Batches = 0 })},
		"set zeta":            {"Zeta 1: a number in [0,1)", st(func(s *SET) { s.Zeta = 1 })},
		"set epsilon":         {"Epsilon -1: a number of at least 0", st(func(s *SET) { s.Epsilon = -1 })},
		"set every":           {"Every -1: a number of at least 0", st(func(s *SET) { s.Every = -1 })},
	} {
		t.Run(name, func(t *testing.T) { modeltest.Refused(t, c.m, modeltest.Job(t, 3), c.want) })
	}
	none := func(*RigL) {}
	frozen := modeltest.Job(t, 3)
	frozen.Graph.Params()[0].Role = graph.Frozen
	modeltest.Refused(t, rg(none), frozen, "not trained")
	for _, m := range []model.Method{NewRigL(), NewGraNet(), NewSET()} {
		modeltest.Refused(t, m, modeltest.Job(t, 0), "give Data and Recipe.Epochs")
	}
}

// Few changes are warned of; a uniform RigL leaves the first convolution whole.
func TestMovingNotes(t *testing.T) {
	s := NewGraNet()
	s.Every = 10
	r := modeltest.Run(t, s, modeltest.Job(t, 3))
	if len(r.Notes) < 2 || !strings.Contains(r.Notes[0].String(), "18.9 %") || !strings.Contains(r.Notes[1].String(), "3 steps only") {
		t.Errorf("notes %v", r.Notes)
	}
	if f := r.Facts.(*GraNetFacts); math.Abs(f.Density-.189) > .0005 || f.Rises != 3 {
		t.Errorf("%+v", f)
	}
	g, err := zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Seed: 1, Width: .5})
	if err != nil {
		t.Fatal(err)
	}
	l := NewRigL()
	l.Every, l.Allocate, l.Fresh.Fresh = 5, "uniform", true
	j := modeltest.Job(t, 1)
	j.Graph = g
	q := modeltest.Run(t, l, j)
	for i, w := range q.Masks.Weights {
		if w.Kind == prune.Conv && w.Const.Shape[1] == 1 && w.Const.Shape[2] == 3 {
			t.Error("the first convolution is pruned")
		}
		if want := max(1, math.Floor(.1*float64(w.Len())+.5)); float64(q.Masks.Mask[i].Count()) != want {
			t.Errorf("%s keeps %d, want %v", w.Name, q.Masks.Mask[i].Count(), want)
		}
	}
}
