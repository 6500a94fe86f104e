package train

import (
	"context"
	"fmt"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/train/objective"
)

// norm is a BatchNormalization of the user's network while it trains.
type norm struct {
	name       string
	mean, vari *graph.Value // running statistics, moved after each step
	bm, bv     *graph.Value // mean and biased variance of the batch, outputs of the training graph
	momentum   float32      // share of the old statistic that stays
}

// trainNorms replaces the inference form of batch normalisation by the form
// that takes the statistics of the batch. The running statistics are no longer
// read; update moves them.
func trainNorms(g *graph.Graph) ([]*norm, error) {
	var out []*norm
	for i, n := range g.Nodes {
		if !n.Is("BatchNormalization") {
			continue
		}
		scale, bias, mean, vari := n.In(1), n.In(2), n.In(3), n.In(4)
		if !mean.IsConst() || !vari.IsConst() {
			return nil, fmt.Errorf("node %q: its running statistics are computed; training needs them as initialisers", n.Name)
		}
		if n.Out(0) == nil {
			continue
		}
		t := &graph.Node{Op: "BatchNormTrain", Domain: graph.Pare, Name: n.Name, Inputs: []*graph.Value{n.In(0), scale, bias}}
		t.Set("epsilon", n.Float("epsilon", 1e-5))
		y := n.Out(0)
		t.Outputs = []*graph.Value{y}
		y.From = t
		for _, s := range []string{"mean", "istd", "var"} {
			t.Outputs = append(t.Outputs, &graph.Value{Name: g.Fresh(y.Name + "/" + s), From: t})
		}
		g.Nodes[i] = t
		// ONNX's momentum is the share that stays; PyTorch's 0.1 is ONNX's 0.9
		out = append(out, &norm{n.Name, mean, vari, t.Outputs[1], t.Outputs[3], n.Float("momentum", .9)})
	}
	if len(out) > 0 {
		g.Opset[graph.Pare] = 1
	}
	return out, op.InferAll(g)
}

// update moves the running statistics towards those of a batch of rows values
// a channel. The variance is made unbiased first, as PyTorch does.
func (n *norm) update(bm, bv []float32, rows int, momentum float32) {
	m, v := n.mean.Const.F32(), n.vari.Const.F32()
	fix := float32(1)
	if rows > 1 {
		fix = float32(rows) / float32(rows-1)
	}
	for i := range m {
		m[i] = momentum*m[i] + (1-momentum)*bm[i]
		v[i] = momentum*v[i] + (1-momentum)*bv[i]*fix
	}
}

// Recalibrate estimates the running statistics of batch normalisation anew, as
// the plain mean over some batches of training data: after channels or weights
// were cut without training, the old ones belong to another network. Weights
// stay as they are.
func Recalibrate(ctx context.Context, g *graph.Graph, d Source, batches int, opt engine.Options) error {
	defer d.Close()
	s, err := newStep(g, samplesOf(d), d.Batch(), Loss{any: true, forward: true, Objective: objective.Objective{}}, opt, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	for k := range min(batches, d.Steps()) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := d.Fill(0, k, s); err != nil {
			return err
		}
		if _, err := s.RunContext(ctx); err != nil {
			return err
		}
		for i, n := range s.norms {
			n.update(s.bm[i], s.bv[i], s.rows[i], float32(k)/float32(k+1))
		}
	}
	return nil
}
