package gradual

import (
	"bytes"
	"context"
	"math"
	"testing"

	"pare/internal/modeltest"
	"pare/model"
	"pare/prune"
	"pare/train"
)

// The final sparsity of every layer is exact in both variants, with nothing in what is
// cut.
func TestGMP(t *testing.T) {
	for _, variant := range []string{"hard", "keep"} {
		s := NewGMP()
		s.Sparsity, s.Every, s.Variant = .9, 3, variant
		r := modeltest.Run(t, s, modeltest.Job(t, 3))
		for i, w := range r.Masks.Weights {
			want := max(1, int(math.Floor(float64(w.Len())*.1+.5)))
			if got := r.Masks.Mask[i].Count(); got != want {
				t.Errorf("%s %s keeps %d, want %d", variant, w.Name, got, want)
			}
			for k, x := range w.Data() {
				if !r.Masks.Mask[i].Kept(k) && x != 0 {
					t.Fatalf("%s: %s[%d] is cut and %v", variant, w.Name, k, x)
				}
			}
		}
	}
}

// A final sparsity of 0 is dense training, bit for bit.
func TestNoSparsity(t *testing.T) {
	s := NewGMP()
	s.Sparsity, s.Every = 0, 3
	a, b := modeltest.Job(t, 2), modeltest.Job(t, 2)
	modeltest.Run(t, s, a)
	if _, err := b.Fit(context.Background(), b.Graph); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(modeltest.Bits(a.Graph), modeltest.Bits(b.Graph)) {
		t.Error("weights differ from dense training")
	}
}

// A run that is stopped and resumed ends with the same bytes.
func TestResume(t *testing.T) {
	for _, variant := range []string{"hard", "keep"} {
		mk := func() (model.Method, *model.Job) {
			s := NewGMP()
			s.Every, s.Variant = 3, variant
			return s, modeltest.Job(t, 3)
		}
		modeltest.Resumes(t, variant, mk, 60, 7, 31)
	}
}

// The first convolution and depthwise ones stay whole where that is asked for.
func TestSkipFirst(t *testing.T) {
	s := NewGMP()
	s.SkipFirst, s.Every = true, 1
	r := modeltest.Run(t, s, modeltest.ConvJob(t, "mobilenetv2"))
	all, err := prune.Weights(r.Graph, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	masked := map[string]bool{}
	for _, w := range r.Masks.Weights {
		masked[w.Name] = true
	}
	first := true
	for _, w := range all {
		whole := w.Kind == prune.Depthwise || w.Kind == prune.Conv && first
		if w.Kind == prune.Conv {
			first = false
		}
		if masked[w.Name] == whole {
			t.Errorf("%s, a %v: cut %v", w.Name, w.Kind, masked[w.Name])
		}
	}
}

func TestGMPBadInput(t *testing.T) {
	for want, f := range map[string]func(s *GMP){
		"not after its begin":              func(s *GMP) { s.End = train.At{} },
		"below the initial 0.95":           func(s *GMP) { s.Initial = .95 },
		`Variant "soft": hard or keep`:     func(s *GMP) { s.Variant = "soft" },
		"Power 0: a number above 0":        func(s *GMP) { s.Power = 0 },
		"End 21it is step 21":              func(s *GMP) { s.End = train.At{X: 21, Unit: train.Steps} },
		"Begin 2ep is step 40":             func(s *GMP) { s.Begin = train.At{X: 2, Unit: train.Epochs} },
		"Sparsity 1: a number in [0,1)":    func(s *GMP) { s.Sparsity = 1 },
		"Every -1: a number of at least 1": func(s *GMP) { s.Every = -1 },
		"no prunable weight":               func(s *GMP) { s.Exclude = []string{"*"} },
	} {
		s := NewGMP()
		f(s)
		modeltest.Refused(t, s, modeltest.Job(t, 1), want)
	}
	modeltest.Refused(t, NewGMP(), modeltest.Job(t, 0), "give Data and Recipe.Epochs")
}
