package score

import (
	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/prune"
	"pare/train"
)

// GraSP is w*(H g), by the weights: g the mean gradient of the loss over the
// batches of a source's first epoch, H the sum of their Hessians, with the network's
// outputs divided by temp (200 in the authors' code). Wang, Zhang and Grosse 2020,
// equation 8, score -w*(H g) and cut the highest: the sign here makes the highest
// stay. The product is a second derivative, not a difference.
func GraSP(g *graph.Graph, ws []*prune.Weight, d train.Source, temp float64, opt engine.Options) ([][]float32, error) {
	defer d.Close()
	c, m := g.Clone(false)
	b := op.NewBuilder(c, "tempered")
	c.Outputs[0] = b.Op("Mul", c.Outputs[0], b.Scalar(1/temp, c.Outputs[0]))
	if err := b.Err(); err != nil {
		return nil, err
	}
	of := make([]*graph.Value, len(ws))
	same := make([]*prune.Weight, len(ws))
	for l, w := range ws {
		of[l] = m[w.Value]
		same[l] = &prune.Weight{Value: of[l], Kind: w.Kind, Node: w.Node, Out: w.Out}
	}
	grad, err := Gradients(c, same, d, train.Loss{}, opt)
	if err != nil {
		return nil, err
	}
	h, err := train.NewHessian(c, d.Batch(), train.Loss{}, of, opt)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	sum := make([][]float64, len(ws))
	for l, w := range ws {
		copy(h.Vector[l], grad[l])
		sum[l] = make([]float64, w.Len())
	}
	for i := range d.Steps() {
		if err := d.Fill(0, i, h.Step); err != nil {
			return nil, err
		}
		if _, err := h.Run(); err != nil {
			return nil, err
		}
		for l, w := range ws {
			for k, x := range w.Data() {
				sum[l][k] += float64(x) * float64(h.Product[l][k])
			}
		}
	}
	return rounded(ws, sum, 1)
}
