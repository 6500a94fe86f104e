package structured

import (
	"math"
	"testing"

	"pare/internal/oracle"
	"pare/prune/score"
	"pare/prune/structure"
)

// byScore sets the score of the method.
func byScore(name string) func(*Channels) { return func(s *Channels) { s.Score = name } }

// filters are the norms of the rows that make a channel, over their mean.
func filters(n *oracle.Net, p float64) (out [][]float64) {
	for _, l := range n.Layers[:2] {
		norm := make([]float64, l.Out)
		for i, w := range l.W.X {
			norm[i/l.In] += math.Pow(math.Abs(w), p)
		}
		for o := range norm {
			norm[o] = math.Pow(norm[o], 1/p)
		}
		out = append(out, relative(norm))
	}
	return out
}

// farFromOthers are the sums of the distances between a row and the others, over their mean.
func farFromOthers(n *oracle.Net) (out [][]float64) {
	for _, l := range n.Layers[:2] {
		sum := make([]float64, l.Out)
		for a := range l.Out {
			for b := range l.Out {
				d := 0.0
				for k := range l.In {
					d += math.Pow(l.W.X[a*l.In+k]-l.W.X[b*l.In+k], 2)
				}
				sum[a] += math.Sqrt(d)
			}
		}
		out = append(out, relative(sum))
	}
	return out
}

// heard are the shares of the samples on which a channel is not zero, over their mean: its
// maps are of one place.
func heard(n *oracle.Net, x [][]float64) (out [][]float64) {
	in, _ := n.Forward(x)
	for l := 1; l < 3; l++ {
		on := make([]float64, n.Layers[l].In)
		for _, v := range in[l] {
			for k := range v {
				if v[k] != 0 {
					on[k]++
				}
			}
		}
		out = append(out, relative(on))
	}
	return out
}

// drawn are the random scores of the job's seed.
func drawn(t *testing.T) [][]float64 {
	groups, _ := structure.Groups(oracle.Job(t, sizes, 20, 20, 0, 4).Graph)
	return score.RandomChannels(groups, 4)
}

// squares are the means of the squared gradients of the loss of eight samples each, by
// the weights and biases in their order.
func squares(t *testing.T, n *oracle.Net, samples int) [][]float64 {
	j := oracle.Job(t, sizes, 200, 20, 2, 4)
	s := oracle.NewStream(t, j.Data.Train.Draw(samples, j.Seed), j.Data.Norm, 8, true, j.Seed)
	c := n.Clone()
	var out [][]float64
	for i := range s.Steps() {
		c.Gradient(s.Batch(0, i))
		for k, p := range c.Tensors() {
			if i == 0 {
				out = append(out, make([]float64, len(p.X)))
			}
			for e, g := range p.G {
				out[k][e] += g * g / float64(s.Steps())
			}
		}
	}
	return out
}

// curved are the sums of w² F / 2 over the weights that read a channel, over their mean.
func curved(t *testing.T, n *oracle.Net) (out [][]float64) {
	f := squares(t, n, 100)
	for l := 1; l < 3; l++ {
		layer := n.Layers[l]
		sum := make([]float64, layer.In)
		for i, w := range layer.W.X {
			sum[i%layer.In] += w * w * f[2*l][i] / 2
		}
		out = append(out, relative(sum))
	}
	return out
}
