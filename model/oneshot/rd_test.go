package oneshot

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
	"pare/tensor"
	"pare/train"
)

func rdJob(t *testing.T, epochs int, f func(s *RD)) *Job {
	s := rdDefaults()
	s.Sparsity, s.Points, s.Samples = .8, 20, 100
	if f != nil {
		f(s)
	}
	return job(t, s, epochs)
}

// The sparsity is exact in all variants, and no layer is emptied.
func TestRD(t *testing.T) {
	for name, f := range map[string]func(s *RD){
		"mean": nil, "worst": func(s *RD) { s.Worst = true }, "noise": func(s *RD) { s.Noise = true }, "high": func(s *RD) { s.Sparsity = .97 },
		"one batch": func(s *RD) { s.Samples = 3 }, "least": func(s *RD) { s.Least = .15 }, "none": func(s *RD) { s.Sparsity = 0 },
	} {
		j := rdJob(t, 0, f)
		s := j.Settings.(*RD)
		if s.Noise {
			j.Data = nil
		}
		r, err := runRD(context.Background(), j)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		n := prune.Total(r.Masks.Weights)
		if want := n - int(math.Round(s.Sparsity*float64(n))); r.Masks.Count() != want {
			t.Errorf("%s: %d weights stay, want %d", name, r.Masks.Count(), want)
		}
		for l, w := range r.Masks.Weights {
			if k := r.Masks.Mask[l].Count(); k < w.Const.Shape[w.Out] || float64(k) < s.Least*float64(w.Len()) {
				t.Errorf("%s: %s keeps %d of %d", name, w.Name, k, w.Len())
			}
			for i, x := range w.Data() {
				if !r.Masks.Mask[l].Kept(i) && x != 0 {
					t.Fatalf("%s: %s[%d] is cut and %v", name, w.Name, i, x)
				}
			}
		}
		if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "add up to") {
			t.Errorf("%s: notes %q", name, r.Notes)
		}
	}
}

// Magnitude takes the same shares; layers that do not matter to the output go
// first.
func TestAllocateRD(t *testing.T) {
	a := rdJob(t, 0, func(s *RD) { s.Curves = rdDefaults().Curves })
	r, err := runRD(context.Background(), a)
	if err != nil {
		t.Fatal(err)
	}
	b := job(t, &Magnitude{Sparsity: .8, Allocate: "rd", Rounds: 1}, 0)
	q, err := runMagnitude(context.Background(), b)
	if err != nil {
		t.Fatal(err)
	}
	if r.Masks.Hash() != q.Masks.Hash() {
		t.Error("magnitude --allocate rd chose other weights")
	}
	b = job(t, &Magnitude{Sparsity: .8, Allocate: "rd", Rounds: 1, Gradual: true}, 1)
	if _, err := runMagnitude(context.Background(), b); err == nil || !strings.Contains(err.Error(), "--rounds") {
		t.Errorf("gradual: %v", err)
	}
	a = rdJob(t, 0, func(s *RD) { s.Sparsity = .5 })
	ws, _ := prune.Weights(a.Graph, prune.Scope{})
	for i := range ws[0].Data() {
		if i%2 == 0 {
			ws[0].Data()[i] *= 1e-4
		}
	}
	if r, err = runRD(context.Background(), a); err != nil {
		t.Fatal(err)
	}
	if k := r.Masks.Mask[1].Count(); k < ws[1].Len()/2 {
		t.Errorf("the second layer keeps %d of %d, though half of the first does nothing", k, ws[1].Len())
	}
}

// Rounds are nested, and a killed run resumes to the same network.
func TestRDResume(t *testing.T) {
	mk := func() *Job { return rdJob(t, 1, func(s *RD) { s.Rounds = 2 }) }
	whole, err := runRD(context.Background(), mk())
	if err != nil {
		t.Fatal(err)
	}
	save := filepath.Join(t.TempDir(), "checkpoint")
	for _, stop := range []int{7, 33} {
		ctx, cancel := context.WithCancel(context.Background())
		j := mk()
		j.Save, j.Resume = save, stop > 7
		j.OnStep = func(step, _ int, _ float64) {
			if step == stop {
				cancel()
			}
		}
		if _, err := runRD(ctx, j); !errors.Is(err, train.ErrInterrupted) {
			t.Fatalf("stopped at %d: %v", stop, err)
		}
		cancel()
	}
	j := mk()
	j.Save, j.Resume = save, true
	r, err := runRD(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bits(whole.Graph), bits(r.Graph)) || !slices.Equal(whole.Epochs, r.Epochs) || !slices.Equal(whole.Notes, r.Notes) {
		t.Error("the resumed run differs")
	}
}

func TestRDRefuses(t *testing.T) {
	for want, f := range map[string]func(s *RD, j *Job){
		"or --method rd --noise":  func(_ *RD, j *Job) { j.Data = nil },
		"in place of --noise":     func(s *RD, j *Job) { s.Noise, j.Graph.Inputs[0].DType = true, tensor.Int64 },
		"one input":               func(_ *RD, j *Job) { j.Graph.Inputs = append(j.Graph.Inputs, j.Graph.Inputs[0]) },
		"1 points":                func(s *RD, _ *Job) { s.Points = 1 },
		"0 calibration samples":   func(s *RD, _ *Job) { s.Samples = 0 },
		"sparsity of at most":     func(s *RD, _ *Job) { s.Sparsity = .999 },
		"outside [0,1)":           func(s *RD, _ *Job) { s.Sparsity = 1 },
		"least share":             func(s *RD, _ *Job) { s.Least = -.1 },
		"0 rounds":                func(s *RD, _ *Job) { s.Rounds = 0 },
		"fine-tuning between the": func(s *RD, _ *Job) { s.Rounds = 3 },
		"is not finite":           func(_ *RD, j *Job) { j.Graph.Value("fc2.bias").Const.F32()[0] = float32(math.Inf(1)) },
	} {
		s := rdDefaults()
		s.Points, s.Samples = 5, 20
		j := job(t, s, 0)
		f(s, j)
		if _, err := runRD(context.Background(), j); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
}
