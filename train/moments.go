package train

import (
	"context"
	"math"

	"pare/engine"
	"pare/graph"
	"pare/train/objective"
)

// Moments are what goes into a batch normalisation: its mean and its biased variance, by
// channel.
type Moments struct {
	Mean, Var []float32
}

// Statistics are the running statistics of the batch normalisations of a network, in the
// order of its nodes. They share the network's memory.
func Statistics(g *graph.Graph) []Moments {
	var out []Moments
	for _, n := range g.Nodes {
		if n.Is("BatchNormalization") && n.In(3).IsConst() && n.In(4).IsConst() && n.Out(0) != nil {
			out = append(out, Moments{n.In(3).Const.F32(), n.In(4).Const.F32()})
		}
	}
	return out
}

// BatchMoments gives what goes into each batch normalisation of a network, in the order
// of Statistics, over at most a number of batches of a source's first epoch, which are
// normalised by their own statistics as in training. The variances of batches are pooled
// with the spread of their means, so that those of a first layer are the moments of all
// values together. The network stays as it is.
func BatchMoments(ctx context.Context, g *graph.Graph, d Source, batches int, opt engine.Options) ([]Moments, error) {
	defer d.Close()
	s, err := newStep(g, samplesOf(d), d.Batch(), Loss{any: true, forward: true, Objective: objective.Objective{}}, opt, nil)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	mean, square := make([][]float64, len(s.norms)), make([][]float64, len(s.norms))
	for i := range s.norms {
		mean[i], square[i] = make([]float64, len(s.bm[i])), make([]float64, len(s.bm[i]))
	}
	n := min(batches, d.Steps())
	for k := range n {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := d.Fill(0, k, s); err != nil {
			return nil, err
		}
		if _, err := s.RunContext(ctx); err != nil {
			return nil, err
		}
		for i := range s.norms {
			for c, m := range s.bm[i] {
				mean[i][c] += float64(m)
				square[i][c] += float64(s.bv[i][c]) + float64(m)*float64(m)
			}
		}
	}
	out := make([]Moments, len(s.norms))
	for i := range out {
		out[i] = Moments{make([]float32, len(mean[i])), make([]float32, len(mean[i]))}
		for c := range mean[i] {
			m := mean[i][c] / float64(n)
			out[i].Mean[c], out[i].Var[c] = float32(m), float32(math.Max(0, square[i][c]/float64(n)-m*m))
		}
	}
	return out, nil
}
