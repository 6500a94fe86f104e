package learned

import (
	"math"
	"testing"

	"pare/internal/modeltest"
	"pare/model"
	"pare/prune/allocate"
	"pare/train"
)

// Scores sum the movement away from zero: a small weight that grows stays, a
// large one that shrinks goes.
func TestMovementScore(t *testing.T) {
	ws := four(t, 1, -1, .1, -.1)
	m := NewMovement()
	sc, err := m.scores([][]float32{make([]float32, 4)}, 1)
	if err != nil {
		t.Fatal(err)
	}
	d := make([]float32, 4)
	for range 2 { // descent on these makes the first two smaller, the others larger
		straightThrough(ws[0].Data(), []float32{.5, -.5, -1, 1}, d)
		sc.Step(0, d, 0)
	}
	closeTo(t, "scores", sc.Score[0], -1, -1, .2, .2)
	k, err := m.Allocate.Masks(ws, sc.Score, .5, nil)
	if err != nil || k.Mask[0].Kept(0) || k.Mask[0].Kept(1) || !k.Mask[0].Kept(2) || !k.Mask[0].Kept(3) {
		t.Errorf("kept by movement: %v, %v", k, err)
	}
}

// The final sparsity is exact in every layer, or over all.
func TestMovement(t *testing.T) {
	for _, a := range []allocate.Name{"uniform", "global"} {
		s := NewMovement()
		s.Sparsity, s.Allocate, s.Every = .8, a, 3
		r := modeltest.Run(t, s, modeltest.Job(t, 2))
		if x := r.Masks.Sparsity(); math.Abs(x-.8) > 1e-3 {
			t.Errorf("%s: sparsity %v", a, x)
		}
		for l, w := range r.Masks.Weights {
			for i, x := range w.Data() {
				if !r.Masks.Mask[l].Kept(i) && x != 0 {
					t.Fatalf("%s[%d] is cut and %v", w.Name, i, x)
				}
			}
		}
	}
}

func TestMovementResume(t *testing.T) {
	modeltest.Resumes(t, "movement", func() (model.Method, *model.Job) { return NewMovement(), modeltest.Job(t, 2) }, 40, 9, 33)
}

func TestMovementBadInput(t *testing.T) {
	for want, f := range map[string]func(s *Movement, j *model.Job){
		"Sparsity 1: a number in [0,1)":            func(s *Movement, j *model.Job) { s.Sparsity = 1 },
		"End 200% is step 40 of a training of 20":  func(s *Movement, j *model.Job) { s.End = train.Share(2) },
		`Allocate "nosuch": uniform or global`:     func(s *Movement, j *model.Job) { s.Allocate = "nosuch" },
		"not after":                                func(s *Movement, j *model.Job) { s.End = train.At{} },
		"Every 0: a number of at least 1":          func(s *Movement, j *model.Job) { s.Every = 0 },
		"below":                                    func(s *Movement, j *model.Job) { s.Initial = .95 },
		"learnt by training: give Data and Recipe": func(s *Movement, j *model.Job) { j.Recipe.Epochs = 0 },
		"no prunable":                              func(s *Movement, j *model.Job) { s.Exclude = []string{"*"} },
		"ScoreLR NaN: a finite number":             func(s *Movement, j *model.Job) { s.ScoreLR = math.NaN() },
		"the scores: le":                           func(s *Movement, j *model.Job) { s.ScoreLR = -1 },
	} {
		s := NewMovement()
		j := modeltest.Job(t, 1)
		f(s, j)
		modeltest.Refused(t, s, j, want)
	}
}
