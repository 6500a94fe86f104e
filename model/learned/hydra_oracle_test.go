package learned

import (
	"math"
	"slices"
	"testing"

	"pare/internal/oracle"
	"pare/model"
	"pare/prune/allocate"
)

// hydraByHand is HYDRA in plain loops: scores in proportion to the weights learn along
// sign(s) g w while all else is frozen, then what stays is trained.
func hydraByHand(t *testing.T, j *model.Job, s *Hydra) *oracle.Training {
	b := latentByHand(t, j, s.Scored)
	b.rate = along(s.ScoreLR, b.Steps)
	for l, w := range b.theta {
		largest := slices.Max(oracle.Sizes(w))
		for i, x := range w {
			b.score[l][i] = math.Sqrt(6/float64(b.Net.Layers[l].In)) * x / largest
		}
	}
	project := func() {
		n := 0
		for l, score := range b.score {
			size := len(score)
			n += size
			if s.Allocate == "uniform" {
				b.mask[l] = oracle.Best(t, oracle.Sizes(score), max(1, int(math.Floor(float64(size)*(1-s.Sparsity)+.5+1e-9))), oracle.CutFirst)
			}
		}
		if s.Allocate == "global" {
			b.largest(n - int(math.Round(float64(n)*s.Sparsity)))
		}
	}
	project()
	b.Graded = func(step int) {
		for l, theta := range b.theta {
			d := make([]float64, len(theta))
			for i, g := range b.Net.Weights()[l].G {
				if d[i] = g * theta[i]; b.score[l][i] < 0 {
					d[i] = -d[i]
				}
			}
			b.descend(l, step, d)
		}
	}
	b.After = func(int) {
		project()
		b.show()
	}
	b.freeze()
	b.show()
	b.Run()
	b.Stream.Recalibrate(b.Net, 50)
	if s.Tune == 0 {
		return b.Training
	}
	return tuned(t, j, b.Training, s.Tuned, j.Recipe.Decay)
}

// Run is HYDRA by hand after every step of the search and of the tuning, with normalisation
// and without.
func TestHydraOracle(t *testing.T) {
	for _, a := range []allocate.Name{"uniform", "global"} {
		for _, tune := range []int{0, 2} {
			s := NewHydra()
			s.Allocate, s.Sparsity, s.Tune, s.TuneLR, s.ScoreLR = a, .6, tune, .03, .5
			j := oracle.Job(t, "mlp:6-8-5-4", 32, 8, 3, 4)
			j.Recipe.Decay = .01
			if a == "global" {
				oracle.Normalise(t, j)
			}
			hydraByHand(t, j, s).Follow(t, s, j)
		}
	}
}

// Where the scores stand still, the mask is that of the magnitudes in each layer.
func TestHydraStill(t *testing.T) {
	s := NewHydra()
	s.Sparsity, s.Tune, s.ScoreLR = .6, 0, 1e-30
	j := oracle.Job(t, "mlp:6-8-5-4", 32, 8, 1, 4)
	n := oracle.Read(t, j.Graph)
	for _, w := range n.Weights() {
		w.Mask = oracle.Best(t, oracle.Sizes(w.X), int(math.Round(.4*float64(len(w.X)))), oracle.CutFirst)
	}
	n.Apply()
	r, err := model.Run(t.Context(), s, j)
	if err != nil {
		t.Fatal(err)
	}
	n.Compare(t, "HYDRA without a search", r)
}
