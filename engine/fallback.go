package engine

import (
	"context"
	"fmt"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
	"pare/tensor"
)

// definition is a step that evaluates a node by its reference definition.
type definition struct {
	*Program
	n        *graph.Node
	opset    int
	outer    []*graph.Value // what its subgraphs read
	in       []*tensor.Tensor
	captured map[*graph.Value]*tensor.Tensor
	bodies   *bodies // of a node with subgraphs
}

// fallback plans a node that has no kernel; why says what is missing.
func (l *lowering) fallback(n *graph.Node, why string) {
	d := &definition{Program: l.Program, n: n, opset: l.g.Version(n.Domain), outer: n.Captures(),
		in: make([]*tensor.Tensor, len(n.Inputs)), captured: map[*graph.Value]*tensor.Tensor{}}
	var reads, writes []*buffer
	for i, v := range n.Inputs {
		if v != nil && v.Const != nil {
			d.in[i] = v.Const
		} else if v != nil && v.DType == tensor.Float32 {
			reads = append(reads, l.get(v, plain, n))
		} else if v != nil {
			l.asTensor(v, n)
		}
	}
	for _, v := range d.outer {
		if v.Const == nil && v.DType == tensor.Float32 {
			reads = append(reads, l.get(v, plain, n))
		} else {
			l.asTensor(v, n)
		}
	}
	for _, o := range n.Outputs {
		if o == nil {
			continue
		}
		if o.DType == tensor.Float32 {
			writes = append(writes, l.make(o, plain))
		} else {
			l.at[o] = &place{t: tensor.New(o.DType, dims(o)...)}
		}
	}
	s := l.add(&step{node: n, kernel: "reference", why: why, reads: reads, writes: writes, bind: d.bind, run: d.eval})
	if len(n.Subgraphs()) == 0 {
		return
	}
	s.within = func() []StepInfo { return stepsWithin(n, d.bodies) }
	l.setup = append(l.setup, func() error { // memory is there
		near := map[*graph.Value]*tensor.Tensor{}
		for _, v := range d.outer {
			if v.Const == nil && v.DType == tensor.Float32 {
				near[v] = d.header(v)
			}
		}
		if d.bodies = l.bodiesOf(n, near); d.bodies.whole {
			s.kernel, s.why = "planned bodies", ""
		}
		return nil
	})
}

// bind gives the definition the float32 values that it reads, whose memory stays.
func (d *definition) bind() {
	for i, v := range d.n.Inputs {
		if v != nil && v.Const == nil && v.DType == tensor.Float32 {
			d.in[i] = d.header(v)
		}
	}
	for _, v := range d.outer {
		if v.Const == nil && v.DType == tensor.Float32 {
			d.captured[v] = d.header(v)
		}
	}
}

func (d *definition) header(v *graph.Value) *tensor.Tensor {
	return &tensor.Tensor{DType: tensor.Float32, Shape: dims(v), Data: d.at[v].buf[plain].data}
}

// eval evaluates the node. Values of other types are tensors that move.
func (d *definition) eval(ctx context.Context, pool *kernel.Pool) error {
	for i, v := range d.n.Inputs {
		if v != nil && v.Const == nil && v.DType != tensor.Float32 {
			d.in[i] = d.at[v].t
		}
	}
	for _, v := range d.outer {
		if v.Const == nil && v.DType != tensor.Float32 {
			d.captured[v] = d.at[v].t
		}
	}
	out, err := op.EvalNode(ctx, d.most, d.n, d.opset, d.in, d.captured, d.bodies.way(pool))
	if err != nil {
		return err
	}
	for i, o := range d.n.Outputs {
		if o == nil {
			continue
		}
		if i >= len(out) || out[i] == nil || out[i].Len() != sizeOf(o) {
			return fmt.Errorf("output %d does not have the planned shape %v", i, o.Shape)
		}
		if o.DType == tensor.Float32 {
			copy(d.at[o].buf[plain].data, out[i].F32())
		} else {
			d.at[o].t = out[i]
		}
	}
	return nil
}
