package oracle

import (
	"math"
	"math/rand/v2"
	"testing"

	"pare/dataset"
	"pare/model"
)

// Series are trainings that a method makes one after the other.
type Series struct {
	Frames []*Frame // of all steps

	done int
}

// Fit is the next training: of a network with its masks, by a job's recipe, order and
// beginning, with a new optimiser. Parameters are looked at where the network is the
// job's own, else the loss alone.
func (s *Series) Fit(t testing.TB, j *model.Job, n *Net, own bool, more func(r *Training)) {
	t.Helper()
	r := &Training{Net: n, Stream: Trained(t, j), Recipe: j.Recipe, From: j.From}
	r.Steps = j.Recipe.Epochs * r.Stream.Steps()
	for _, p := range n.Tensors() {
		clear(p.M)
		clear(p.V)
	}
	if more != nil {
		more(r)
	}
	r.Run()
	for i, f := range r.Frames {
		if f.Step = s.done + r.From + i + 1; !own {
			f.Values = nil
		}
	}
	s.Frames = append(s.Frames, r.Frames...)
	s.done += r.Steps
}

// Ended is the series as a training that has left a network.
func (s *Series) Ended(n *Net) *Training { return &Training{Net: n, Frames: s.Frames} }

// Whole are all samples of a set, in its order.
func Whole(t testing.TB, set *dataset.Set, norm dataset.Norm) Batch {
	t.Helper()
	return NewStream(t, set, norm, set.Len(), false, 0).Batch(0, 0)
}

// Right is the share of samples whose highest score, the first of equals, is their class.
func (n *Net) Right(b Batch) float64 {
	_, y := n.Forward(b.X)
	right := 0
	for s, out := range y {
		best := 0
		for c, v := range out {
			if v > out[best] {
				best = c
			}
		}
		if best == b.Y[s] {
			right++
		}
	}
	return float64(right) / float64(len(y))
}

// Loss is the mean cross-entropy of samples, by the running statistics.
func (n *Net) Loss(b Batch) (loss float64) {
	for s, p := range n.Probabilities(b) {
		loss -= math.Log(p[b.Y[s]]) / float64(len(b.Y))
	}
	return loss
}

// Probabilities are those of the classes, for each sample.
func (n *Net) Probabilities(b Batch) [][]float64 {
	_, y := n.Forward(b.X)
	for _, out := range y {
		sum := 0.0
		for c, v := range out {
			out[c] = math.Exp(v)
			sum += out[c]
		}
		for c := range out {
			out[c] /= sum
		}
	}
	return y
}

// Draw gives the network initial weights of N(0, 2/fan) by seed, where fan is of each
// layer, and biases of 0.
func (n *Net) Draw(seed uint64, fan func(l int) float64) {
	for l, layer := range n.Layers {
		r := rand.New(rand.NewPCG(seed, 0x1417<<32|uint64(l)))
		for i := range layer.W.X {
			layer.W.X[i] = r.NormFloat64() * math.Sqrt(2/fan(l))
		}
		clear(layer.B.X)
	}
}
