package learned

import (
	"math"
	"testing"

	"pare/internal/oracle"
	"pare/model"
)

// bipByHand is BiP in plain loops: weights by the batch of the step, then scores along
// sign(s) (theta - m g/gamma) g by another batch, then the largest scores of all layers.
// Of the epochs the first of the best validation accuracy is taken.
func bipByHand(t *testing.T, j *model.Job, s *BiP) *oracle.Training {
	b := latentByHand(t, j, s.Scored)
	b.rate = dropped(s.ScoreLR, int(math.Round(.75*float64(b.Steps))), int(math.Round(.9*float64(b.Steps))))
	n := 0
	for l := range b.theta {
		copy(b.score[l], b.theta[l])
		n += len(b.theta[l])
	}
	stay := n - int(s.Sparsity*float64(n)+1e-9)
	b.largest(stay)
	b.show()
	b.Graded = func(int) { b.latent() }
	best, bestNet := -1.0, (*oracle.Net)(nil)
	b.After = func(step int) {
		b.moved()
		b.show()
		each := b.Stream.Steps()
		b.Net.Gradient(b.Stream.Batch(j.Recipe.Epochs+step/each, step%each))
		for l, theta := range b.theta {
			d := make([]float64, len(theta))
			for i, g := range b.Net.Weights()[l].G {
				switch {
				case s.Implicit == "none" || s.Implicit == "theorem" && !b.mask[l][i]:
					d[i] = theta[i] * g
				case s.Implicit == "theorem":
					d[i] = (theta[i] - g/s.Gamma) * g
				case s.Implicit == "reference-ig":
					d[i] = theta[i] * g
				}
				if b.score[l][i] < 0 {
					d[i] = -d[i]
				}
				if s.Implicit == "reference-ig" {
					d[i] -= theta[i] * g * theta[i] * g / s.Gamma
				}
			}
			b.descend(l, step, d)
		}
		b.largest(stay)
		b.show()
		if j.Data.Val != nil && (step+1)%each == 0 {
			if a := b.Net.Right(oracle.Whole(t, j.Data.Val, j.Data.Norm)); a > best {
				best, bestNet = a, b.Net.Clone()
			}
		}
	}
	b.End = func() {
		if bestNet != nil {
			*b.Net = *bestNet
		}
	}
	return b.Run()
}

// Run is BiP by hand after every step, with each implicit gradient.
func TestBiPOracle(t *testing.T) {
	for _, implicit := range []string{"theorem", "reference-ig", "none"} {
		s := NewBiP()
		s.Sparsity, s.Gamma, s.Implicit, s.ScoreLR = .6, .5, implicit, .3
		j := oracle.Job(t, "mlp:6-8-5-4", 32, 8, 4, 5)
		bipByHand(t, j, s).Follow(t, s, j)
	}
}

// The implicit gradient fades as gamma grows: without it BiP is the alternation of weights
// and masks.
func TestBiPAlternates(t *testing.T) {
	without, with := NewBiP(), NewBiP()
	without.Implicit, with.Gamma = "none", 1e30
	for _, s := range []*BiP{without, with} {
		s.Sparsity = .5
		hand := NewBiP()
		hand.Sparsity, hand.Implicit = .5, "none"
		j := oracle.Job(t, "mlp:6-8-4", 32, 8, 3, 5)
		bipByHand(t, j, hand).Follow(t, s, j)
	}
}

// With a validation set the first of the best epochs is taken.
func TestBiPOracleBest(t *testing.T) {
	for seed := uint64(1); seed < 4; seed++ {
		s := NewBiP()
		s.Sparsity, s.ScoreLR = .7, .3
		j := oracle.Job(t, "mlp:6-8-4", 40, 8, 4, seed)
		j.Recipe.LR, j.Recipe.Schedule = .3, "constant"
		var err error
		if j.Data.Train, j.Data.Val, err = j.Data.Train.Split(.2, 1); err != nil {
			t.Fatal(err)
		}
		bipByHand(t, j, s).Follow(t, s, j)
	}
}
