package learned

import (
	"math"
	"testing"

	"pare/internal/oracle"
	"pare/model"
	"pare/prune/allocate"
	"pare/train"
)

// movementByHand is movement pruning in plain loops. Scores descend along g theta of the
// batch of the step before the weights move; the sparsity rises along a polynomial.
func movementByHand(t *testing.T, j *model.Job, s *Movement, begin, end int) *oracle.Training {
	b := latentByHand(t, j, s.Scored)
	b.rate = func(int) float64 { return s.ScoreLR }
	b.Graded = func(step int) {
		for l, theta := range b.theta {
			d := make([]float64, len(theta))
			for i, g := range b.Net.Weights()[l].G {
				d[i] = g * theta[i]
			}
			b.descend(l, step, d)
		}
		b.latent()
	}
	b.After = func(step int) {
		b.moved()
		if done := step + 1; done >= begin && ((done-begin)%s.Every == 0 || done == end) {
			sparsity := s.Sparsity
			if done < end {
				sparsity += (s.Initial - s.Sparsity) * math.Pow(1-float64(done-begin)/float64(end-begin), s.Power)
			}
			n := 0
			for l := range b.theta {
				size := len(b.theta[l])
				n += size
				if s.Allocate == "uniform" {
					b.mask[l] = oracle.Best(t, b.score[l], max(1, int(math.Floor(float64(size)*(1-sparsity)+.5+1e-9))), oracle.CutFirst)
				}
			}
			if s.Allocate == "global" {
				b.mask = oracle.BestOfAll(t, b.score, n-int(math.Round(float64(n)*sparsity)))
			}
		}
		b.show()
	}
	b.show()
	return b.Run()
}

// Run is movement pruning by hand after every step: masks of every step and of every
// third, uniform and global, from a first sparsity or none.
func TestMovementOracle(t *testing.T) {
	for _, a := range []allocate.Name{"uniform", "global"} {
		for _, every := range []int{1, 3} {
			s := NewMovement()
			s.Allocate, s.Every, s.Sparsity, s.Begin, s.End = a, every, .8, train.At{X: 3}, train.At{X: 14}
			s.ScoreMomentum, s.ScoreDecay = .5, .01
			if every == 3 {
				s.Initial, s.Power = .3, 2
			}
			j := oracle.Job(t, "mlp:6-8-5-4", 32, 8, 5, 2)
			movementByHand(t, j, s, 3, 14).Follow(t, s, j)
		}
	}
}

// Where weights stand still, the score is the sum of -g W over the steps: what is kept at
// the end are the weights that the gradient would have moved away from zero.
func TestMovementStill(t *testing.T) {
	s := NewMovement()
	s.Sparsity, s.Begin, s.End = .5, train.At{X: 19}, train.At{X: 20}
	j := oracle.Job(t, "mlp:6-8-4", 32, 8, 5, 2)
	j.Recipe.LR, j.Recipe.Decay = 1e-30, 0
	n := oracle.Read(t, j.Graph)
	stream := oracle.Trained(t, j)
	var sum [][]float64
	for _, w := range n.Weights() {
		sum = append(sum, make([]float64, len(w.X)))
	}
	for step := range 19 { // the first cut, at step 19, is of nothing
		n.Gradient(stream.Batch(step/4, step%4))
		for l, w := range n.Weights() {
			for i := range w.X {
				sum[l][i] -= w.G[i] * w.X[i]
			}
		}
	}
	n.Gradient(stream.Batch(4, 3))
	for l, w := range n.Weights() {
		for i := range w.X {
			sum[l][i] -= w.G[i] * w.X[i]
		}
		w.Mask = oracle.Best(t, sum[l], len(w.X)/2, oracle.CutFirst)
	}
	r, err := model.Run(t.Context(), s, j)
	if err != nil {
		t.Fatal(err)
	}
	n.Apply()
	n.Compare(t, "movement of weights that stand still", r)
}
