package diagnose

import (
	"bytes"
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"pare/internal/modeltest"
	"pare/model"
	"pare/train"
)

func small(f func(s *Regimes)) *Regimes {
	s := NewRegimes()
	s.Sparsity, s.Densities, s.Points, s.Samples, s.Grid = .9, []string{"0.5"}, 3, 100, []string{"2", "1"}
	if f != nil {
		f(s)
	}
	return s
}

func TestRegime(t *testing.T) {
	for _, c := range []struct {
		lmc, cka float64
		want     string
	}{{-.03, .9, "I"}, {-.005, .5, "II-A"}, {0, .8, "II-B"}, {.05, .8, "II-B"}, {0, math.NaN(), "II-A"}} {
		if got := regime(c.lmc, c.cka, .01, .7); got != c.want {
			t.Errorf("LMC %v, CKA %v: %s, want %s", c.lmc, c.cka, got, c.want)
		}
	}
	like := func(x float64) *float64 { return &x }
	cells := []*Cell{{Value: 1, Density: .1, LMC: -.2, CKA: like(.99)}, {Value: 2, Density: .1, CKA: like(.6)}, {Value: 3, Density: .1, CKA: like(.8)},
		{Value: 4, Density: .5, CKA: like(.9)}, {Value: 5, Density: .1}}
	m := &Map{Barrier: NewRegimes().Barrier, Cells: cells}
	if m.label(0); m.Similar != .8 || cells[0].Regime != "I" || cells[1].Regime != "II-A" || cells[2].Regime != "II-B" {
		t.Errorf("alike from %v", m.Similar)
	}
	if cells[4].Regime != "II-A" || cells[4].similarity() != "undefined (outputs are constant)" {
		t.Errorf("a cell without similarity: regime %s, %s", cells[4].Regime, cells[4].similarity())
	}
	if m.label(.95); m.Similar != .95 || cells[2].Regime != "II-A" {
		t.Errorf("alike from %v: regime %s", m.Similar, cells[2].Regime)
	}
	cells[1].Error = -1
	if b := m.choose(.1, "rule"); b.Value != 3 {
		t.Errorf("%v is taken by the rule", b.Value)
	}
	if b := m.choose(.1, "error"); b.Value != 2 {
		t.Errorf("%v is taken by error", b.Value)
	}
	// 1,000 weights at a sparsity of 0.95 keep 50: tested with the job's first layer
	r := modeltest.Run(t, small(func(s *Regimes) { s.Sparsity, s.Densities = .95, nil }), modeltest.Job(t, 2))
	for l, k := range []int{64, 10} { // of 1280 and 200
		if n := r.Masks.Mask[l].Count(); n != k {
			t.Errorf("layer %d keeps %d, want %d", l, n, k)
		}
	}
}

// All knobs run; the map has every cell, the result the wanted sparsity.
func TestRegimes(t *testing.T) {
	for knob, grid := range map[string][]string{"epochs": {"1", "2"}, "batch": {"10", "20"}, "lr": nil, "rho": {"0", "0.1"}} {
		j := modeltest.Job(t, 2)
		last := 0
		j.OnStep = func(step, total int, _ float64) {
			if step <= last || step > total {
				t.Fatalf("%s: step %d of %d follows on %d", knob, step, total, last)
			}
			last = step
			if step == total {
				last = total - 1
			}
		}
		r, err := model.Run(context.Background(), small(func(s *Regimes) { s.Knob, s.Grid, s.Epochs = knob, grid, 1 }), j)
		if err != nil {
			t.Fatalf("%s: %v", knob, err)
		}
		if math.Abs(r.Masks.Sparsity()-.9) > .001 {
			t.Errorf("%s: sparsity %v", knob, r.Masks.Sparsity())
		}
		for l, w := range r.Masks.Weights {
			if r.Graph.Value(w.Name) != w.Value {
				t.Fatalf("%s: the masks are of another network", knob)
			}
			for i, x := range w.Data() {
				if !r.Masks.Mask[l].Kept(i) && x != 0 {
					t.Fatalf("%s: %s[%d] is cut and %v", knob, w.Name, i, x)
				}
			}
		}
		if len(r.Notes) != 5 || !strings.HasPrefix(r.Notes[1].String(), "density 0.1: ") || !strings.HasPrefix(r.Notes[2].String(), "density 0.5: ") ||
			!strings.Contains(r.Notes[3].String(), "train ") || !strings.Contains(r.Notes[4].String(), "taken: ") {
			t.Errorf("%s: notes %q", knob, r.Notes)
		}
		m := r.Facts.(*Map)
		values := len(grid)
		if grid == nil {
			values = 4
		}
		if m.Knob != knob || len(m.Cells) != 2*values || math.Abs(m.Advice.Density-.1) > 1e-12 {
			t.Errorf("%s: %+v", knob, m)
		}
		taken := false
		for i, c := range m.Cells {
			if i > 1 && c.Value < m.Cells[i-1].Value || c.Density != []float64{m.Advice.Density, .5}[i%2] || c.Regime == "" || c.Net == nil || c.Masks == nil {
				t.Errorf("%s: cell %d is %+v", knob, i, c)
			}
			taken = taken || c.Value == m.Advice.Taken && c.Net == r.Graph && c.Masks == r.Masks
		}
		if !taken {
			t.Errorf("%s: the result is none of the map that the advice names", knob)
		}
	}
}

// Snapshots survive a kill, in any of the trainings.
func TestRegimesResume(t *testing.T) {
	// one training of 40 steps, and two again of each of four networks
	modeltest.Resumes(t, "regimes", func() (model.Method, *model.Job) { return small(nil), modeltest.Job(t, 2) }, 40+4*2*40, 33, 70, 200)
}

// Dense networks of several epochs are those that one training passes through.
func TestDense(t *testing.T) {
	j, plain := modeltest.Job(t, 2), modeltest.Job(t, 2)
	v, err := NewSurvey(j, small(nil))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(v.Values, []float64{1, 2}) || len(v.Densities) != 2 || math.Abs(v.Densities[0]-.1) > 1e-12 || v.Densities[1] != .5 {
		t.Errorf("values %v, densities %v", v.Values, v.Densities)
	}
	nets, err := v.Dense(context.Background())
	if err != nil || len(nets) != 2 {
		t.Fatalf("%d networks, %v", len(nets), err)
	}
	if _, err := plain.Fit(context.Background(), plain.Graph, &modeltest.Watcher{F: func(r *train.Run) {
		if at := slices.Index([]int{20, 40}, r.Step); at >= 0 && !bytes.Equal(modeltest.Bits(nets[at]), modeltest.Bits(plain.Graph)) {
			t.Errorf("network %d is not that of step %d", at, r.Step)
		}
	}}); err != nil {
		t.Fatal(err)
	}
}

func TestRegimesRefuses(t *testing.T) {
	for want, f := range map[string]func(s *Regimes, j *model.Job){
		"Seeds 1: a number of at least 2":    func(s *Regimes, _ *model.Job) { s.Seeds = 1 },
		"Points 2: a number of at least 3":   func(s *Regimes, _ *model.Job) { s.Points = 2 },
		"Samples 3: a number of at least 4":  func(s *Regimes, _ *model.Job) { s.Samples = 3 },
		"Densities 0: a number in (0,1]":     func(s *Regimes, _ *model.Job) { s.Densities = []string{"0"} },
		"Densities 1.5: a number in (0,1]":   func(s *Regimes, _ *model.Job) { s.Densities = []string{"1.5"} },
		"Sparsity 1: a number in [0,1)":      func(s *Regimes, _ *model.Job) { s.Sparsity = 1 },
		`Knob "momentum": epochs, batch, lr`: func(s *Regimes, _ *model.Job) { s.Knob = "momentum" },
		"has 2 epochs":                       func(s *Regimes, _ *model.Job) { s.Grid = []string{"1", "3"} },
		"no value of epochs":                 func(s *Regimes, _ *model.Job) { s.Grid = []string{"1.5", "2"} },
		"says nothing":                       func(s *Regimes, _ *model.Job) { s.Grid = []string{"2"} },
		"Similar 2: a number in [0,1]":       func(s *Regimes, _ *model.Job) { s.Similar = 2 },
		"no training set: give Data":         func(_ *Regimes, j *model.Job) { j.Data = nil },
		"networks: give Data and Recipe.Ep":  func(_ *Regimes, j *model.Job) { j.Recipe.Epochs = 0 },
		"fewer than one":                     func(s *Regimes, _ *model.Job) { s.Knob, s.Grid = "batch", []string{"20", "500"} },
		`Take "best": rule or error`:         func(s *Regimes, _ *model.Job) { s.Take = "best" },
		"Rho -1: a number of at least 0":     func(s *Regimes, _ *model.Job) { s.Rho = -1 },
	} {
		s := NewRegimes()
		s.Grid = []string{"1", "2"}
		j := modeltest.Job(t, 2)
		f(s, j)
		modeltest.Refused(t, s, j, want)
	}
}
