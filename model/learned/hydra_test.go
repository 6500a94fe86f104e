package learned

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
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
		s := hydraDefaults()
		s.Sparsity, s.Tune = .75, tune
		j := job(t, s, 1)
		before, _ := j.Graph.Clone(true)
		r, err := runHydra(context.Background(), j)
		if err != nil {
			t.Fatal(err)
		}
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
	resumes(t, "hydra", runHydra, func() *Job {
		s := hydraDefaults()
		s.Tune, s.Allocate = 2, "global"
		return job(t, s, 2)
	}, 0, 9, 33, 50)
}

func TestHydraBadInput(t *testing.T) {
	for want, f := range map[string]func(s *Hydra, j *Job){
		"outside [0,1)": func(s *Hydra, j *Job) { s.Sparsity = 1 },
		"negative":      func(s *Hydra, j *Job) { s.Tune = -1 },
		"allocation":    func(s *Hydra, j *Job) { s.Allocate = "nosuch" },
		"give --data":   func(s *Hydra, j *Job) { j.Recipe.Epochs = 0 },
		"the scores":    func(s *Hydra, j *Job) { s.ScoreDecay = -1 },
		"learning rate": func(s *Hydra, j *Job) { s.TuneLR = 0 },
	} {
		s := hydraDefaults()
		j := job(t, s, 1)
		f(s, j)
		if r, err := runHydra(context.Background(), j); err == nil || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v, %v, want something with %q", r, err, want)
		}
	}
}
