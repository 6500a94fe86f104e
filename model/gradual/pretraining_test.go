package gradual

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"pare/internal/modeltest"
	"pare/model"
)

// The average that was counted is the formula's; windows in compute are later than in steps.
func TestPretrainingAverage(t *testing.T) {
	for _, unit := range []string{"tokens", "compute"} {
		j := modeltest.Job(t, 10) // 200 steps
		s := NewSparsePretraining()
		s.Unit, s.Every = unit, 2
		f := modeltest.Run(t, s, j).Facts.(*PretrainingFacts)
		want := .6875
		if unit == "compute" {
			want = 1 / 1.55
		}
		if math.Abs(f.Formula/float64(f.N0)-want) > 1e-9 || math.Abs(f.Average/f.Formula-1) > .015 {
			t.Errorf("%s: average %v of %d, the formula says %v", unit, f.Average, f.N0, f.Formula)
		}
		if f.Final != f.N0/2 {
			t.Errorf("%d of %d are left", f.Final, f.N0)
		}
	}
}

// Sparsity 0 is the dense training, bit for bit.
func TestPretrainingDense(t *testing.T) {
	j, k := modeltest.Job(t, 2), modeltest.Job(t, 2)
	s := NewSparsePretraining()
	s.Sparsity = 0
	res := modeltest.Run(t, s, j)
	if _, err := k.Fit(t.Context(), k.Graph); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(modeltest.Bits(res.Graph), modeltest.Bits(k.Graph)) {
		t.Error("it is another network than the dense training's")
	}
	if f := res.Facts.(*PretrainingFacts); f.Average != float64(f.N0) || f.Final != f.N0 {
		t.Errorf("%+v", f)
	}
}

// A network from a file is taken for trained, which the law is not of: that is said.
func TestPretrainingTrained(t *testing.T) {
	for _, c := range []struct{ drawn, fresh, said bool }{{true, false, false}, {false, true, false}, {false, false, true}} {
		j := modeltest.Job(t, 1)
		j.Graph.Usage.Drawn = c.drawn
		s := NewSparsePretraining()
		s.Every, s.Fresh.Fresh = 2, c.fresh
		if said := modeltest.Said(modeltest.Run(t, s, j)); strings.Contains(said, "taken for trained") != c.said {
			t.Errorf("%+v: %s", c, said)
		}
	}
}

func TestPretrainingResume(t *testing.T) {
	modeltest.Resumes(t, "pretrain", func() (model.Method, *model.Job) {
		s := NewSparsePretraining()
		s.Every = 3
		return s, modeltest.Job(t, 3)
	}, 60, 7, 33)
}

func TestPretrainingBad(t *testing.T) {
	for want, f := range map[string]func(*model.Job, *SparsePretraining){
		"window is to end":     func(_ *model.Job, s *SparsePretraining) { s.Begin, s.End = .5, .5 },
		"Sparsity 1":           func(_ *model.Job, s *SparsePretraining) { s.Sparsity = 1 },
		"End 1.5":              func(_ *model.Job, s *SparsePretraining) { s.End = 1.5 },
		"while the network is": func(j *model.Job, _ *SparsePretraining) { j.Recipe.Epochs = 0 },
		`Unit "days"`:          func(_ *model.Job, s *SparsePretraining) { s.Unit = "days" },
	} {
		s := NewSparsePretraining()
		j := modeltest.Job(t, 1)
		f(j, s)
		modeltest.Refused(t, s, j, want)
	}
}
