package oneshot

import (
	"context"
	"math"
	"strings"
	"testing"

	"pare/internal/modeltest"
	"pare/model"
	"pare/prune"
	"pare/tensor"
)

func small(f func(s *RD)) *RD {
	s := NewRD()
	s.Sparsity, s.Points, s.Samples = .8, 20, 100
	if f != nil {
		f(s)
	}
	return s
}

// The sparsity is exact in all variants, and no layer is emptied.
func TestRD(t *testing.T) {
	for name, f := range map[string]func(s *RD){
		"mean": nil, "worst": func(s *RD) { s.Worst = true }, "noise": func(s *RD) { s.Noise = true }, "high": func(s *RD) { s.Sparsity = .97 },
		"one batch": func(s *RD) { s.Samples = 3 }, "least": func(s *RD) { s.Least = .15 }, "none": func(s *RD) { s.Sparsity = 0 },
	} {
		s, j := small(f), modeltest.Job(t, 0)
		if s.Noise {
			j.Data = nil
		}
		r, err := model.Run(context.Background(), s, j)
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
		if len(r.Notes) != 1 || !strings.Contains(modeltest.Said(r), "add up to") {
			t.Errorf("%s: notes %q", name, r.Notes)
		}
		if f := r.Facts.(*RDFacts); (f.Distortion > 0) != (s.Sparsity > 0) || (f.Sum > 0) != (s.Sparsity > 0) {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// Magnitude takes the same shares; layers that do not matter to the output go
// first.
func TestAllocateRD(t *testing.T) {
	r := modeltest.Run(t, small(func(s *RD) { s.Curves = NewRD().Curves }), modeltest.Job(t, 0))
	q := modeltest.Run(t, &Magnitude{Sparsity: .8, Allocate: "rd", Rounds: 1}, modeltest.Job(t, 0))
	if r.Masks.Hash() != q.Masks.Hash() {
		t.Error("magnitude with allocation rd chose other weights")
	}
	modeltest.Refused(t, &Magnitude{Sparsity: .8, Allocate: "rd", Rounds: 1, Gradual: true}, modeltest.Job(t, 1), "use Rounds instead of Gradual")
	a := modeltest.Job(t, 0)
	ws, _ := prune.Weights(a.Graph, prune.Scope{})
	for i := range ws[0].Data() {
		if i%2 == 0 {
			ws[0].Data()[i] *= 1e-4
		}
	}
	r = modeltest.Run(t, small(func(s *RD) { s.Sparsity = .5 }), a)
	if k := r.Masks.Mask[1].Count(); k < ws[1].Len()/2 {
		t.Errorf("the second layer keeps %d of %d, though half of the first does nothing", k, ws[1].Len())
	}
}

// Rounds are nested, and a killed run resumes to the same network.
func TestRDResume(t *testing.T) {
	mk := func() (model.Method, *model.Job) { return small(func(s *RD) { s.Rounds = 2 }), modeltest.Job(t, 1) }
	modeltest.Resumes(t, "rd", mk, 40, 7, 33)
}

func TestRDRefuses(t *testing.T) {
	for want, f := range map[string]func(s *RD, j *model.Job){
		"give Data, or Noise with":    func(_ *RD, j *model.Job) { j.Data = nil },
		"give Data in place of Noise": func(s *RD, j *model.Job) { s.Noise, j.Graph.Inputs[0].DType = true, tensor.Int64 },
		"fits several inputs":         func(_ *RD, j *model.Job) { j.Graph.Inputs = append(j.Graph.Inputs, j.Graph.Inputs[0]) },
		"Points 1: a number of":       func(s *RD, _ *model.Job) { s.Points = 1 },
		"Samples 0: a number of":      func(s *RD, _ *model.Job) { s.Samples = 0 },
		"sparsity of at most":         func(s *RD, _ *model.Job) { s.Sparsity = .999 },
		"Sparsity 1: a number in":     func(s *RD, _ *model.Job) { s.Sparsity = 1 },
		"Least -0.1: a number in":     func(s *RD, _ *model.Job) { s.Least = -.1 },
		"Rounds 0: a number of":       func(s *RD, _ *model.Job) { s.Rounds = 0 },
		"fine-tuning between the":     func(s *RD, _ *model.Job) { s.Rounds = 3 },
		"is not finite":               func(_ *RD, j *model.Job) { j.Graph.Value("fc2.bias").Const.F32()[0] = float32(math.Inf(1)) },
	} {
		s := NewRD()
		s.Points, s.Samples = 5, 20
		j := modeltest.Job(t, 0)
		f(s, j)
		modeltest.Refused(t, s, j, want)
	}
}
