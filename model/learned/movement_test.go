package learned

import (
	"context"
	"math"
	"strings"
	"testing"
)

// Scores sum the movement away from zero: a small weight that grows stays, a
// large one that shrinks goes.
func TestMovementScore(t *testing.T) {
	ws := four(t, 1, -1, .1, -.1)
	m := movementDefaults()
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
	k, err := topScores(ws, sc.Score, .5, "uniform")
	if err != nil || k.Mask[0].Kept(0) || k.Mask[0].Kept(1) || !k.Mask[0].Kept(2) || !k.Mask[0].Kept(3) {
		t.Errorf("kept by movement: %v, %v", k, err)
	}
}

// The final sparsity is exact in every layer, or over all.
func TestMovement(t *testing.T) {
	for _, a := range []string{"uniform", "global"} {
		s := movementDefaults()
		s.Sparsity, s.Allocate, s.Every = .8, a, 3
		r, err := runMovement(context.Background(), job(t, s, 2))
		if err != nil {
			t.Fatal(err)
		}
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
	resumes(t, "movement", runMovement, func() *Job { return job(t, movementDefaults(), 2) }, 0, 9, 33)
}

func TestMovementBadInput(t *testing.T) {
	for want, f := range map[string]func(s *Movement, j *Job){
		"outside [0,1)":  func(s *Movement, j *Job) { s.Sparsity = 1 },
		"window":         func(s *Movement, j *Job) { s.End = 2 },
		"allocation":     func(s *Movement, j *Job) { s.Allocate = "nosuch" },
		"not after":      func(s *Movement, j *Job) { s.End = 0 },
		"at least 1":     func(s *Movement, j *Job) { s.Every = 0 },
		"below":          func(s *Movement, j *Job) { s.Initial = .95 },
		"give --data":    func(s *Movement, j *Job) { j.Recipe.Epochs = 0 },
		"no prunable":    func(s *Movement, j *Job) { s.Exclude = []string{"*"} },
		"the scores: le": func(s *Movement, j *Job) { s.ScoreLR = math.NaN() },
	} {
		s := movementDefaults()
		j := job(t, s, 1)
		f(s, j)
		if _, err := runMovement(context.Background(), j); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
}
