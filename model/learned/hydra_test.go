package learned

import (
	"math"
	"testing"

	"pare/internal/modeltest"
	"pare/model"
)

// First scores are in proportion to the weights; the fan-in is the inputs of an output.
func TestHydraScores(t *testing.T) {
	ws := four(t, 2, -1, .5, 0)
	f := math.Sqrt(6. / 4)
	closeTo(t, "scores", scaled(ws)[0], f, -f/2, f/4, 0)
	clear(ws[0].Data())
	closeTo(t, "scores of zeros", scaled(ws)[0], 0, 0, 0, 0)
}

// Each layer keeps its share; without tuning the weights that stay are those
// of the file, with tuning they move.
func TestHydra(t *testing.T) {
	for _, tune := range []int{0, 1} {
		s := NewHydra()
		s.Sparsity, s.Tune = .75, tune
		j := modeltest.Job(t, 1)
		before, _ := j.Graph.Clone(true)
		r := modeltest.Run(t, s, j)
		moved := 0
		for l, w := range r.Masks.Weights {
			if got := r.Masks.Mask[l].Count(); got != w.Len()/4 {
				t.Errorf("%s keeps %d of %d", w.Name, got, w.Len())
			}
			for i, x := range w.Data() {
				if r.Masks.Mask[l].Kept(i) && x != before.Value(w.Name).Const.F32()[i] {
					moved++
				}
			}
		}
		if (moved > 0) != (tune > 0) || len(r.Epochs) != 1+tune || r.Epochs[tune].Epoch != 1+tune {
			t.Errorf("tuned %d epochs: %d weights moved, epochs %v", tune, moved, r.Epochs)
		}
	}
}

func TestHydraResume(t *testing.T) {
	modeltest.Resumes(t, "hydra", func() (model.Method, *model.Job) {
		s := NewHydra()
		s.Tune, s.Allocate = 2, "global"
		return s, modeltest.Job(t, 2)
	}, 80, 9, 33, 50)
}

func TestHydraBadInput(t *testing.T) {
	for want, f := range map[string]func(s *Hydra, j *model.Job){
		"Sparsity 1: a number in [0,1)":            func(s *Hydra, j *model.Job) { s.Sparsity = 1 },
		"Tune -1: a number of at least 0":          func(s *Hydra, j *model.Job) { s.Tune = -1 },
		`Allocate "nosuch": uniform or global`:     func(s *Hydra, j *model.Job) { s.Allocate = "nosuch" },
		"learnt by training: give Data and Recipe": func(s *Hydra, j *model.Job) { j.Recipe.Epochs = 0 },
		"the scores":                 func(s *Hydra, j *model.Job) { s.ScoreDecay = -1 },
		"TuneLR 0: a number above 0": func(s *Hydra, j *model.Job) { s.TuneLR = 0 },
	} {
		s := NewHydra()
		j := modeltest.Job(t, 1)
		f(s, j)
		modeltest.Refused(t, s, j, want)
	}
}
