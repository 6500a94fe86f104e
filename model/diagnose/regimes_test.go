package diagnose

import (
	"bytes"
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/prune"
	"pare/train"
)

func regimesJob(t *testing.T, f func(s *Regimes)) *Job {
	s := regimesDefaults()
	s.Sparsity, s.Densities, s.Points, s.Samples, s.Grid = .9, []string{"0.5"}, 3, 100, []string{"2", "1"}
	if f != nil {
		f(s)
	}
	return job(t, s, 2)
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
	cells := []*cell{{value: 1, density: .1, lmc: -.2, cka: .99}, {value: 2, density: .1, cka: .6}, {value: 3, density: .1, cka: .8}, {value: 4, density: .5, cka: .9}, {value: 5, density: .1, cka: math.NaN()}}
	if s := regimesDefaults().label(cells); s != .8 || cells[0].regime != "I" || cells[1].regime != "II-A" || cells[2].regime != "II-B" {
		t.Errorf("alike from %v", s)
	}
	cells[1].error = -1
	if b := choose(cells, .1, "rule"); b.value != 3 {
		t.Errorf("%v is taken by the rule", b.value)
	}
	if b := choose(cells, .1, "error"); b.value != 2 {
		t.Errorf("%v is taken by error", b.value)
	}
	// 1,000 weights at a sparsity of 0.95 keep 50: tested with the job's first layer
	j := regimesJob(t, func(s *Regimes) { s.Sparsity, s.Densities = .95, nil })
	r, err := runRegimes(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	for l, k := range []int{64, 10} { // of 1280 and 200
		if n := r.Masks.Mask[l].Count(); n != k {
			t.Errorf("layer %d keeps %d, want %d", l, n, k)
		}
	}
}

// All knobs run; the map has every cell, the result the wanted sparsity.
func TestRegimes(t *testing.T) {
	for knob, grid := range map[string][]string{"epochs": {"1", "2"}, "batch": {"10", "20"}, "lr": nil, "rho": {"0", "0.1"}} {
		j := regimesJob(t, func(s *Regimes) { s.Knob, s.Grid, s.Epochs = knob, grid, 1 })
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
		r, err := runRegimes(context.Background(), j)
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
		if len(r.Notes) != 5 || !strings.HasPrefix(r.Notes[1], "density 0.1: ") || !strings.HasPrefix(r.Notes[2], "density 0.5: ") || !strings.Contains(r.Notes[3], "train ") || !strings.Contains(r.Notes[4], "taken: ") {
			t.Errorf("%s: notes %q", knob, r.Notes)
		}
	}
}

// Snapshots survive a kill, in any of the trainings.
func TestRegimesResume(t *testing.T) {
	whole, err := runRegimes(context.Background(), regimesJob(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	save := filepath.Join(t.TempDir(), "checkpoint")
	for i, stop := range []int{33, 70, 200} {
		ctx, cancel := context.WithCancel(context.Background())
		j := regimesJob(t, nil)
		j.Save, j.Resume = save, i > 0
		j.OnStep = func(step, _ int, _ float64) {
			if step == stop {
				cancel()
			}
		}
		if _, err := runRegimes(ctx, j); !errors.Is(err, train.ErrInterrupted) {
			t.Fatalf("stopped at %d: %v", stop, err)
		}
		cancel()
	}
	j := regimesJob(t, nil)
	j.Save, j.Resume = save, true
	r, err := runRegimes(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bits(whole.Graph), bits(r.Graph)) || !slices.Equal(whole.Notes, r.Notes) {
		t.Errorf("the resumed run differs: %q, want %q", r.Notes, whole.Notes)
	}
	j.Clean()
	if left, _ := filepath.Glob(save + "*"); left != nil {
		t.Errorf("left behind: %v", left)
	}
}

func TestRegimesRefuses(t *testing.T) {
	for want, f := range map[string]func(s *Regimes, j *Job){
		"two are compared":   func(s *Regimes, _ *Job) { s.Seeds = 1 },
		"at least 3":         func(s *Regimes, _ *Job) { s.Points = 2 },
		"at least 4":         func(s *Regimes, _ *Job) { s.Samples = 3 },
		"density \"0\"":      func(s *Regimes, _ *Job) { s.Densities = []string{"0"} },
		"density \"1.5\"":    func(s *Regimes, _ *Job) { s.Densities = []string{"1.5"} },
		"sparsity 1 is":      func(s *Regimes, _ *Job) { s.Sparsity = 1 },
		"no knob":            func(s *Regimes, _ *Job) { s.Knob = "momentum" },
		"has 2 epochs":       func(s *Regimes, _ *Job) { s.Grid = []string{"1", "3"} },
		"no value of epochs": func(s *Regimes, _ *Job) { s.Grid = []string{"1.5", "2"} },
		"says nothing":       func(s *Regimes, _ *Job) { s.Grid = []string{"2"} },
		"tau-cka 2":          func(s *Regimes, _ *Job) { s.Similar = 2 },
		"--data and --epoch": func(_ *Regimes, j *Job) { j.Data = nil },
		"fewer than one":     func(s *Regimes, _ *Job) { s.Knob, s.Grid = "batch", []string{"20", "500"} },
		"no way \"best\"":    func(s *Regimes, _ *Job) { s.Take = "best" },
		"rho":                func(s *Regimes, _ *Job) { s.Rho = -1 },
	} {
		s := regimesDefaults()
		s.Grid = []string{"1", "2"}
		j := job(t, s, 2)
		f(s, j)
		if _, err := runRegimes(context.Background(), j); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
}

// Weights of several steps come from one training.
func TestPoints(t *testing.T) {
	j := job(t, nil, 2)
	ps := prune.Points{prune.NewPoint(j.Graph, 0), prune.NewPoint(j.Graph, 20), prune.NewPoint(j.Graph, 40)}
	first, _ := j.Graph.Clone(true)
	if _, err := j.Fit(context.Background(), j.Graph, ps); err != nil {
		t.Fatal(err)
	}
	for i, want := range []func() bool{
		func() bool { return bytes.Equal(bits(j.Graph), bits(first)) },
		func() bool { return !bytes.Equal(bits(j.Graph), bits(first)) },
	} {
		if err := ps[i].Restore(j.Graph); err != nil || !want() {
			t.Errorf("point %d, %v", i, err)
		}
	}
	b, err := ps.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if err := ps.UnmarshalBinary(b); err != nil {
		t.Error(err)
	}
	for _, bad := range [][]byte{b[:7], b[:len(b)-1], append(b, 0)} {
		if err := ps.UnmarshalBinary(bad); err == nil {
			t.Errorf("%d bytes were accepted", len(bad))
		}
	}
}
