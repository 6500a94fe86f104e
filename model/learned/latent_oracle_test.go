package learned

import (
	"math"
	"testing"

	"pare/internal/oracle"
	"pare/model"
)

// byHand trains scores beside the weights of an oracle: the network computes with what
// masks leave of the latent values theta.
type byHand struct {
	*oracle.Training
	t               testing.TB
	theta, score    [][]float64
	velocity        [][]float64
	mask            [][]bool
	momentum, decay float64
	rate            func(step int) float64
}

func latentByHand(t testing.TB, j *model.Job, s Scored) *byHand {
	b := &byHand{Training: oracle.NewTraining(t, j), t: t, momentum: s.ScoreMomentum, decay: s.ScoreDecay}
	for _, w := range b.Net.Weights() {
		b.theta = append(b.theta, append([]float64{}, w.X...))
		b.score = append(b.score, make([]float64, len(w.X)))
		b.velocity = append(b.velocity, make([]float64, len(w.X)))
		keep := make([]bool, len(w.X))
		for i := range keep {
			keep[i] = true
		}
		b.mask = append(b.mask, keep)
	}
	return b
}

// show lets the network compute with what stays.
func (b *byHand) show() {
	for l := range b.mask {
		w := b.Net.Weights()[l]
		w.Mask = b.mask[l]
		for i, x := range b.theta[l] {
			if w.X[i] = x; !b.mask[l][i] {
				w.X[i] = 0
			}
		}
	}
}

// latent gives the optimiser the latent values, and their gradient: none where they are
// cut.
func (b *byHand) latent() {
	for l := range b.mask {
		w := b.Net.Weights()[l]
		w.Mask = nil
		for i, x := range b.theta[l] {
			if w.X[i] = x; !b.mask[l][i] {
				w.G[i] = 0
			}
		}
	}
}

// moved takes the latent values back from the optimiser.
func (b *byHand) moved() {
	for l := range b.mask {
		copy(b.theta[l], b.Net.Weights()[l].X)
	}
}

// descend moves the scores of layer l against a gradient.
func (b *byHand) descend(l, step int, d []float64) {
	for i := range d {
		b.velocity[l][i] = b.momentum*b.velocity[l][i] + d[i] + b.decay*b.score[l][i]
		b.score[l][i] -= b.rate(step) * b.velocity[l][i]
	}
}

// largest keeps the scores of the largest absolute value, of all layers together.
func (b *byHand) largest(stay int) {
	var sizes [][]float64
	for _, s := range b.score {
		sizes = append(sizes, oracle.Sizes(s))
	}
	b.mask = oracle.BestOfAll(b.t, sizes, stay)
}

// dropped divides a rate by 10 at each of some steps.
func dropped(rate float64, at ...int) func(int) float64 {
	return func(step int) float64 {
		r := rate
		for _, a := range at {
			if step >= a {
				r /= 10
			}
		}
		return r
	}
}

// along falls from a rate to 0 along a cosine.
func along(rate float64, steps int) func(int) float64 {
	return func(step int) float64 { return rate * (1 + math.Cos(math.Pi*float64(step)/float64(steps))) / 2 }
}

// freeze lets no parameter move: the network is trained by its scores alone.
func (b *byHand) freeze() {
	was := b.Net.Clone()
	moved := b.After
	b.After = func(step int) {
		for i, p := range b.Net.Tensors() {
			copy(p.X, was.Tensors()[i].X)
		}
		moved(step)
	}
}

// tuned is the training of what stays that follows a search: by a number of epochs at a
// rate of its own, with another decay.
func tuned(t testing.TB, j *model.Job, search *oracle.Training, s model.Tuned, decay float64) *oracle.Training {
	k := *j
	k.Recipe.Epochs, k.Recipe.LR, k.Recipe.Decay = s.Tune, s.TuneLR, decay
	tune := oracle.NewTraining(t, &k)
	tune.Net = search.Net
	for _, p := range tune.Net.Tensors() {
		clear(p.M)
		clear(p.V)
	}
	tune.Run()
	tune.Frames = append(append([]*oracle.Frame{}, search.Frames...), tune.Frames...)
	return tune
}
