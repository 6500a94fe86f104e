package gradual

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"

	"pare/graph"
	"pare/prune"
	"pare/prune/allocate"
	"pare/zoo"
)

// moving are the methods whose masks move, with settings for 60 steps of the
// tests' job.
func moving() map[string]func() (*Method, any) {
	return map[string]func() (*Method, any){
		"granet": func() (*Method, any) {
			s := granetDefaults()
			s.Every = 6
			return granet, s
		},
		"granet uniform": func() (*Method, any) {
			s := granetDefaults()
			s.Every, s.Rank, s.Initial, s.Grow = 6, "uniform", 0, "random"
			return granet, s
		},
		"granet constant": func() (*Method, any) {
			s := granetDefaults()
			s.Every, s.Initial = 6, s.Sparsity
			return granet, s
		},
		"rigl": func() (*Method, any) {
			s := riglDefaults()
			s.Every, s.Batches = 6, 3
			return rigl, s
		},
		"set": func() (*Method, any) { return set, setDefaults() },
	}
}

// Each reaches its sparsity exactly, with nothing in what is cut, and every layer
// keeps something.
func TestMoving(t *testing.T) {
	for name, f := range moving() {
		for _, opt := range []string{"sgd", "adam"} {
			m, s := f()
			j := job(t, s, 3)
			j.Recipe.Optimizer, j.Recipe.LR = opt, .01
			r, err := m.Run(context.Background(), j)
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
		m, _ := f()
		mk := func() *Job { _, s := f(); return job(t, s, 3) }
		whole := resumes(t, name, m.Run, mk, 0, 6, 27, 50)
		other := mk()
		other.Seed++
		if _, err := m.Run(context.Background(), other); err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(bits(whole.Graph), bits(other.Graph)) {
			t.Errorf("%s: the seed has no effect", name)
		}
	}
}

// Without exchange GraNet is gradual magnitude pruning, bit for bit.
func TestGraNetWithoutExchange(t *testing.T) {
	s := granetDefaults()
	s.Initial, s.Exchange, s.Every = 0, 0, 5
	a, b := job(t, s, 3), job(t, nil, 3)
	if _, err := runGraNet(context.Background(), a); err != nil {
		t.Fatal(err)
	}
	ws, err := prune.Weights(b.Graph, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	sch, _, err := s.schedules(b.Steps())
	if err != nil {
		t.Fatal(err)
	}
	h := &prune.Gradual{Hold: prune.Hold{Masks: prune.Dense(ws)}, Schedule: sch}
	if h.Pick, err = s.pick(ws, h.Masks); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Fit(context.Background(), b.Graph, h); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bits(a.Graph), bits(b.Graph)) {
		t.Error("weights differ from gradual pruning")
	}
}

// The check values of the paper's schedule, and of a half sparse start of the
// MLP 64-100-50-10: 5,950 weights, the last layer dense.
func TestGraNetStart(t *testing.T) {
	s := granetDefaults()
	s.Initial, s.Every, s.End = 0, 25, 1
	sch, rate, err := s.schedules(100)
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
	m, err := sparse(ws, .5, "erk", 1)
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
	ctx := context.Background()
	gn := func(want string, f func(s *GraNet)) func() (string, error) {
		return func() (string, error) {
			s := granetDefaults()
			s.Every = 6
			f(s)
			_, err := runGraNet(ctx, job(t, s, 3))
			return want, err
		}
	}
	rg := func(want string, f func(s *RigL)) func() (string, error) {
		return func() (string, error) {
			s := riglDefaults()
			s.Every = 6
			f(s)
			_, err := runRigL(ctx, job(t, s, 3))
			return want, err
		}
	}
	st := func(want string, f func(s *SET)) func() (string, error) {
		return func() (string, error) {
			s := setDefaults()
			f(s)
			_, err := runSET(ctx, job(t, s, 3))
			return want, err
		}
	}
	for name, f := range map[string]func() (string, error){
		"final below initial": gn("below the initial", func(s *GraNet) { s.Initial = .95 }),
		"final 1":             gn("outside [0,1)", func(s *GraNet) { s.Sparsity = 1 }),
		"initial -1":          gn("outside [0,1)", func(s *GraNet) { s.Initial = -1 }),
		"NaN":                 gn("outside [0,1)", func(s *GraNet) { s.Initial = math.NaN() }),
		"empty window":        gn("not after its begin", func(s *GraNet) { s.Begin = .5 }),
		"window":              gn("not within [0,1]", func(s *GraNet) { s.End = 1.5 }),
		"every 0":             gn("at least 1", func(s *GraNet) { s.Every = 0 }),
		"every too long":      gn("more than the window", func(s *GraNet) { s.Every = 31 }),
		"exchange 1":          gn("outside [0,1)", func(s *GraNet) { s.Exchange = 1 }),
		"exchange -.1":        gn("outside [0,1)", func(s *GraNet) { s.Exchange = -.1 }),
		"growth":              gn("no growth", func(s *GraNet) { s.Grow = "nosuch" }),
		"rank":                gn("no rank", func(s *GraNet) { s.Rank = "nosuch" }),
		"allocation":          gn("no allocation", func(s *GraNet) { s.Allocate = "nosuch" }),
		"batches":             gn("at least 1", func(s *GraNet) { s.Batches = 0 }),
		"nothing left":        gn("nothing would stay", func(s *GraNet) { s.Initial, s.Sparsity = .9999, .9999 }),
		"rigl sparsity":       rg("outside [0,1)", func(s *RigL) { s.Sparsity = 1 }),
		"rigl drop":           rg("outside [0,1)", func(s *RigL) { s.Drop = 1 }),
		"rigl until":          rg("a share in (0,1]", func(s *RigL) { s.Until = 0 }),
		"rigl every":          rg("there would be none", func(s *RigL) { s.Every = 60 }),
		"rigl allocation":     rg("no allocation", func(s *RigL) { s.Allocate = "global" }),
		"set zeta":            st("outside [0,1)", func(s *SET) { s.Zeta = 1 }),
		"set epsilon":         st("not a positive", func(s *SET) { s.Epsilon = -1 }),
		"set every":           st("at least 1", func(s *SET) { s.Every = -1 }),
		"frozen": func() (string, error) {
			s := riglDefaults()
			s.Every = 6
			j := job(t, s, 3)
			j.Graph.Params()[0].Role = graph.Frozen
			_, err := runRigL(ctx, j)
			return "not trained", err
		},
		"no training": func() (string, error) {
			_, err := runRigL(ctx, job(t, riglDefaults(), 0))
			return "give --data", err
		},
		"granet, no training": func() (string, error) {
			_, err := runGraNet(ctx, job(t, granetDefaults(), 0))
			return "give --data", err
		},
	} {
		if want, err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something with %q", name, err, want)
		}
	}
}

// Few changes are warned of; a uniform RigL leaves the first convolution whole.
func TestMovingNotes(t *testing.T) {
	s := granetDefaults()
	s.Every = 10
	r, err := runGraNet(context.Background(), job(t, s, 3))
	if err != nil || len(r.Notes) < 2 || !strings.Contains(r.Notes[0], "18.9 %") || !strings.Contains(r.Notes[1], "3 steps only") {
		t.Errorf("notes %v, %v", r.Notes, err)
	}
	g, err := zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Seed: 1, Width: .5})
	if err != nil {
		t.Fatal(err)
	}
	l := riglDefaults()
	l.Every, l.Allocate, l.Fresh.Fresh = 5, "uniform", true
	j := job(t, l, 1)
	j.Graph = g
	q, err := runRigL(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range q.Masks.Weights {
		if w.Kind == prune.Conv && w.Const.Shape[1] == 1 && w.Const.Shape[2] == 3 {
			t.Error("the first convolution is pruned")
		}
		if want := max(1, math.Floor(.1*float64(w.Len())+.5)); float64(q.Masks.Mask[i].Count()) != want {
			t.Errorf("%s keeps %d, want %v", w.Name, q.Masks.Mask[i].Count(), want)
		}
	}
}
