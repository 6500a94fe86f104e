package tickets

import (
	"math"
	"strings"
	"testing"

	"pare/internal/modeltest"
	"pare/measure"
	"pare/model"
	"pare/prune"
)

func TestSAPCut(t *testing.T) {
	s := NewSAP()
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
	s = NewSAP()
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
		s := NewSAP()
		s.Scope, s.Gamma = scope, 2
		ws, err := s.Weights(modeltest.Job(t, 1).Graph)
		if err != nil {
			t.Fatal(err)
		}
		m := prune.Dense(ws)
		for range 3 {
			next, err := s.Pick(m)
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
		if k, err = s.Pick(k); err != nil {
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
	mk := func() (model.Method, *model.Job) {
		s := NewSAP()
		s.Rounds, s.Gamma = 2, 2
		return s, modeltest.Job(t, 1)
	}
	m, j := mk()
	initial, _ := j.Graph.Clone(true)
	whole := modeltest.Run(t, m, j)
	if len(whole.Epochs) != 3 || whole.Epochs[2].Epoch != 3 || whole.Masks.Sparsity() < .3 {
		t.Errorf("epochs %v, sparsity %v", whole.Epochs, whole.Masks.Sparsity())
	}
	if len(whole.Notes) == 0 || !strings.Contains(whole.Notes[0].String(), "100.0 % left") {
		t.Errorf("notes %q", whole.Notes)
	}
	f := whole.Facts.(*SAPTrace)
	if len(f.Left) != 3 || len(f.Index) != 3 || len(f.Gini) != 3 || len(f.Pruned) != 2 || f.Left[0] != 1 || f.Left[2] != 1-whole.Masks.Sparsity() || !(f.Left[1] < 1 && f.Left[2] < f.Left[1]) {
		t.Errorf("%+v", f)
	}
	if x := whole.Masks.Kept(); f.Index[2] != measure.PQ(x, .5, 1) || f.Gini[2] != measure.Gini(x) {
		t.Errorf("%+v: the last indices are not those of the result", f)
	}
	for l, w := range whole.Masks.Weights {
		for i, x := range w.Data() {
			if !whole.Masks.Mask[l].Kept(i) && x != 0 {
				t.Fatalf("%s[%d] is cut and %v", w.Name, i, x)
			}
		}
	}
	m, k := mk() // a rate of nearly nothing leaves the initial weights
	k.Recipe.LR, k.Recipe.Decay = 1e-30, 0
	r := modeltest.Run(t, m, k)
	for l, w := range r.Masks.Weights {
		for i, x := range w.Data() {
			if r.Masks.Mask[l].Kept(i) && x != initial.Value(w.Name).Const.F32()[i] {
				t.Fatalf("%s[%d] began at %v", w.Name, i, x)
			}
		}
	}

	modeltest.Resumes(t, "sap", mk, 60, 7, 33, 41)
}

func TestSAPRefuses(t *testing.T) {
	for want, f := range map[string]func(s *SAP, j *model.Job){
		"norms P 1 and Q 1: the PQ index needs p < q": func(s *SAP, _ *model.Job) { s.P = 1 },
		"P 0: a number above 0":                       func(s *SAP, _ *model.Job) { s.P = 0 },
		"P NaN: a number above 0":                     func(s *SAP, _ *model.Job) { s.P = math.NaN() },
		"Q +Inf: a number above 0":                    func(s *SAP, _ *model.Job) { s.Q = math.Inf(1) },
		"Eta -2: a number of at least -1":             func(s *SAP, _ *model.Job) { s.Eta = -2 },
		"Gamma -1: a number of at least 0":            func(s *SAP, _ *model.Job) { s.Gamma = -1 },
		"Beta 0: a number in (0,1]":                   func(s *SAP, _ *model.Job) { s.Beta = 0 },
		"Beta 1.5: a number in (0,1]":                 func(s *SAP, _ *model.Job) { s.Beta = 1.5 },
		"Rounds 0: a number of at least 1":            func(s *SAP, _ *model.Job) { s.Rounds = 0 },
		`Scope "row": neuron, layer or global`:        func(s *SAP, _ *model.Job) { s.Scope = "row" },
		"give Data and Recipe.Epochs":                 func(_ *SAP, j *model.Job) { j.Recipe.Epochs = 0 },
		"NaN or infinity":                             func(_ *SAP, j *model.Job) { j.Graph.Params()[0].Const.F32()[3] = float32(math.NaN()) },
	} {
		s := NewSAP()
		j := modeltest.Job(t, 1)
		f(s, j)
		modeltest.Refused(t, s, j, want)
	}
}
