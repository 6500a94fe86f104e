package score

import (
	"pare/graph"
	"pare/graph/op"
	"pare/prune"
)

// Tempered gives a copy of a network whose first output is divided by a
// temperature, and what the values are called in it. The weights are shared.
func Tempered(g *graph.Graph, temperature float64) (*graph.Graph, map[*graph.Value]*graph.Value, error) {
	c, in := g.Clone(false)
	b := op.NewBuilder(c, "tempered")
	c.Outputs[0] = b.Op("Mul", c.Outputs[0], b.Scalar(1/temperature, c.Outputs[0]))
	return c, in, b.Err()
}

// GraSP is w*(H g), given the products of the Hessian of the loss with its gradient
// g by the weights, in their order. Wang, Zhang and Grosse 2020, equation 8, score
// -w*(H g) and cut the highest: the sign here makes the highest stay. It returns an
// error where a score is not finite.
func GraSP(ws []*prune.Weight, hg [][]float64) ([][]float32, error) {
	out := make([][]float32, len(ws))
	for l, w := range ws {
		out[l] = make([]float32, w.Len())
		for i, x := range w.Data() {
			out[l][i] = float32(float64(x) * hg[l][i])
		}
		if err := Finite(w.Name, out[l]); err != nil {
			return nil, err
		}
	}
	return out, nil
}
