package prune

import (
	"math"
	"math/rand/v2"

	"pare/graph"
	"pare/graph/op"
)

// Init draws the weights of a network anew, as before training: matrices and
// kernels from N(0, 2/fan-in) (He et al. 2015), embeddings and other tables from
// N(0, 0.02^2), scales of normalisations 1, shifts, biases and means 0, variances
// 1. The draw of a weight depends on the seed and the weight's place alone.
type Init struct {
	Seed uint64
	// Fan gives the fan-in of a weight in place of the number of entries an
	// output; nil: that number. A sparse layer has a smaller one.
	Fan func(w *Weight) float64
}

// Apply writes the initial values. It returns the error of Weights where the
// network has none to draw.
func (in Init) Apply(g *graph.Graph) error {
	ws, err := Weights(g, Scope{Embeddings: true})
	if err != nil {
		return err
	}
	done := map[*graph.Value]bool{}
	for l, w := range ws {
		std := .02
		if w.Kind != Embedding {
			fan := w.FanIn()
			if in.Fan != nil {
				fan = in.Fan(w)
			}
			std = math.Sqrt(2 / math.Max(fan, 1))
		}
		in.normal(uint64(l), w.Data(), std)
		done[w.Value] = true
	}
	ones := scales(g)
	for l, v := range g.Consts() {
		if done[v] || v.Role != graph.Param && v.Role != graph.Stat || v.Const.F32() == nil {
			continue
		}
		x := v.Const.F32()
		switch {
		case ones[v]:
			fill(x, 1)
		case len(v.Const.Shape) > 1 && v.Role == graph.Param && len(x) > v.Const.Shape[len(v.Const.Shape)-1]:
			in.normal(uint64(len(ws)+l), x, .02)
		default:
			fill(x, 0)
		}
	}
	return nil
}

func (in Init) normal(stream uint64, x []float32, std float64) {
	r := rand.New(rand.NewPCG(in.Seed, 0x1417<<32|stream))
	for i := range x {
		x[i] = float32(r.NormFloat64() * std)
	}
}

// scales are the parameters that multiply a channel, and the variances: 1
// before training.
func scales(g *graph.Graph) map[*graph.Value]bool {
	out := map[*graph.Value]bool{}
	op.Each(g, func(n *graph.Node) {
		for _, p := range op.Params(n) {
			if p.Part == op.Scale || p.Part == op.Variance {
				out[n.In(p.In)] = true
			}
		}
	})
	return out
}

func fill(x []float32, v float32) {
	for i := range x {
		x[i] = v
	}
}
