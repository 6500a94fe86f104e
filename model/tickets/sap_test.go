package tickets

import (
	"context"
	"math"
	"strings"
	"testing"

	"pare/measure"
	"pare/prune"
)

func TestSAPCut(t *testing.T) {
	s := sapDefaults()
	s.Beta = 1
	hot := make([]float32, 50)
	hot[7] = 1
	for _, c := range []struct {
		w    []float32
		p, q float64
		want int
	}{
		{[]float32{3, 3, -3, 3}, .5, 1, 0}, {[]float32{3, 3, -3, 3}, 1, 2, 0}, // alike: all are needed
		{hot, .5, 1, 49}, {hot, 1, 2, 49}, {hot, .3, 1.7, 49}, // one is needed
		{[]float32{1, 4}, .5, 1, 0},    // r = 1.8: both stay
		{make([]float32, 3), .5, 1, 0}, // zeros have index 0
		{nil, .5, 1, 0},
	} {
		s.P, s.Q = c.p, c.q
		if got := s.cut(len(c.w), measure.PQ(c.w, c.p, c.q)); got != c.want {
			t.Errorf("%v, p %v, q %v: %d are cut, want %d", c.w, c.p, c.q, got, c.want)
		}
	}
	s = sapDefaults()
	for _, c := range []struct {
		eta, gamma, beta float64
		want             int
	}{{0, 1, .9, 15}, {0, 2, .9, 30}, {0, 1, .1, 10}, {1, 1, .9, 78}, {-.5, 1, .9, 0}, {-1, 1, .9, 0}, {0, 0, .9, 0}} { // of 100 with index 0.15
		s.Eta, s.Gamma, s.Beta = c.eta, c.gamma, c.beta
		if got := s.cut(100, .15); got != c.want {
			t.Errorf("eta %v, gamma %v, beta %v: %d are cut, want %d", c.eta, c.gamma, c.beta, got, c.want)
		}
	}
}

// Every scope cuts its own smallest weights, within the masks.
func TestSAPScopes(t *testing.T) {
	for _, scope := range []string{"neuron", "layer", "global"} {
		s := sapDefaults()
		s.Scope, s.Gamma = scope, 2
		j := job(t, s, 1)
		ws, err := s.weights(j.Graph)
		if err != nil {
			t.Fatal(err)
		}
		m := prune.Dense(ws)
		for range 3 {
			next, err := s.pick(m)
			if err != nil {
				t.Fatal(err)
			}
			if !next.Within(m) || next.Count() >= m.Count() {
				t.Fatalf("%s: masks of %d weights follow on %d", scope, next.Count(), m.Count())
			}
			m = next
		}
		if scope != "neuron" {
			continue
		}
		rows, cols, at := ws[0].Matrix()
		k := prune.Dense(ws)
		for r := range rows { // a row alike is whole, whatever the others are
			for c := range cols {
				if r == 2 {
					ws[0].Data()[at(r, c)] = 1e-9
				}
			}
		}
		if k, err = s.pick(k); err != nil {
			t.Fatal(err)
		}
		for r := range rows {
			n := 0
			for c := range cols {
				if k.Mask[0].Kept(at(r, c)) {
					n++
				}
			}
			if (n == cols) != (r == 2) {
				t.Errorf("row %d keeps %d of %d", r, n, cols)
			}
		}
	}
}

// In each round training begins from the initial weights; a killed run resumes.
func TestSAP(t *testing.T) {
	mk := func() *Job {
		s := sapDefaults()
		s.Rounds, s.Gamma = 2, 2
		return job(t, s, 1)
	}
	initial, _ := mk().Graph.Clone(true)
	j := mk()
	whole, err := runSAP(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	if len(whole.Epochs) != 3 || whole.Epochs[2].Epoch != 3 || whole.Masks.Sparsity() < .3 {
		t.Errorf("epochs %v, sparsity %v", whole.Epochs, whole.Masks.Sparsity())
	}
	if len(whole.Notes) == 0 || !strings.Contains(whole.Notes[0], "100.0 % left") {
		t.Errorf("notes %q", whole.Notes)
	}
	for l, w := range whole.Masks.Weights {
		for i, x := range w.Data() {
			if !whole.Masks.Mask[l].Kept(i) && x != 0 {
				t.Fatalf("%s[%d] is cut and %v", w.Name, i, x)
			}
		}
	}
	k := mk() // a rate of nearly nothing leaves the initial weights
	k.Recipe.LR, k.Recipe.Decay = 1e-30, 0
	r, err := runSAP(context.Background(), k)
	if err != nil {
		t.Fatal(err)
	}
	for l, w := range r.Masks.Weights {
		for i, x := range w.Data() {
			if r.Masks.Mask[l].Kept(i) && x != initial.Value(w.Name).Const.F32()[i] {
				t.Fatalf("%s[%d] began at %v", w.Name, i, x)
			}
		}
	}

	resumes(t, "sap", runSAP, mk, 60, 7, 33, 41)
}

func TestSAPRefuses(t *testing.T) {
	for want, f := range map[string]func(s *SAP, j *Job){
		"0 < p < q":          func(s *SAP, _ *Job) { s.P = 1 },
		"norms p 0":          func(s *SAP, _ *Job) { s.P = 0 },
		"norms p NaN":        func(s *SAP, _ *Job) { s.P = math.NaN() },
		"eta -2":             func(s *SAP, _ *Job) { s.Eta = -2 },
		"gamma -1":           func(s *SAP, _ *Job) { s.Gamma = -1 },
		"beta 0":             func(s *SAP, _ *Job) { s.Beta = 0 },
		"beta 1.5":           func(s *SAP, _ *Job) { s.Beta = 1.5 },
		"0 rounds":           func(s *SAP, _ *Job) { s.Rounds = 0 },
		"no scope \"row\"":   func(s *SAP, _ *Job) { s.Scope = "row" },
		"--data and --epoch": func(_ *SAP, j *Job) { j.Recipe.Epochs = 0 },
		"NaN or infinity":    func(_ *SAP, j *Job) { j.Graph.Params()[0].Const.F32()[3] = float32(math.NaN()) },
	} {
		s := sapDefaults()
		j := job(t, s, 1)
		f(s, j)
		if _, err := runSAP(context.Background(), j); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
}
