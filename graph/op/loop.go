package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// Loop runs its body while the condition holds and the count M is not reached.
// The body takes the number of the round, the condition and what is carried,
// and gives the condition, what is carried, and values that are stacked.

// loopParts gives the body and the numbers of carried and stacked values.
func loopParts(n *graph.Node) (body *graph.Graph, carried, stacked int, err error) {
	if body, err = bodyOf(n, "body"); err != nil {
		return
	}
	carried = max(0, len(n.Inputs)-2)
	stacked = len(n.Outputs) - carried
	if stacked < 0 || len(body.Inputs) != carried+2 || len(body.Outputs) != 1+carried+stacked {
		err = fmt.Errorf("a body of %d inputs and %d outputs does not fit a loop of %d inputs and %d outputs",
			len(body.Inputs), len(body.Outputs), len(n.Inputs), len(n.Outputs))
	}
	return
}

func inferLoop(c *Infer) error {
	body, carried, stacked, err := loopParts(c.Node)
	if err != nil {
		return err
	}
	body.Inputs[0].DType, body.Inputs[0].Shape = tensor.Int64, graph.Shape{}
	body.Inputs[1].DType, body.Inputs[1].Shape = tensor.Bool, graph.Shape{}
	for i := range carried {
		v, err := c.In(i + 2)
		if err != nil {
			return err
		}
		body.Inputs[i+2].DType, body.Inputs[i+2].Shape = v.DType, v.Shape
	}
	if err := c.carry(body, 2, 1, carried); err != nil {
		return err
	}
	for i := range carried {
		v := body.Inputs[i+2]
		c.Out(i, v.DType, carriedOut(c, i, v))
	}
	rounds, forever := c.rounds(body)
	if forever {
		return fmt.Errorf("the loop never ends: it has no count, and its condition always holds")
	}
	for i := carried; i < carried+stacked; i++ {
		o := body.Outputs[i+1]
		if o.Shape == nil {
			c.Out(i, o.DType, nil)
			continue
		}
		first := unknownDim(c, i, len(o.Shape))
		if rounds >= 0 {
			first = graph.N(rounds)
		}
		c.Out(i, o.DType, append(graph.Shape{first}, free(c, i, o.Shape, body.Inputs...)...))
	}
	return nil
}

// rounds is the number of rounds of a loop, -1 where it is not known before
// running; forever is set where it will never end.
func (c *Infer) rounds(body *graph.Graph) (n int, forever bool) {
	if k, ok := c.Ints(1); ok && len(k) == 1 && k[0] == 0 {
		return 0, false
	}
	holds := c.alwaysHolds(body)
	if c.Node.In(1) != nil {
		k, ok := c.Ints(1)
		holds = holds && ok && len(k) == 1 && k[0] != 0
	}
	if c.Node.In(0) == nil {
		return -1, holds
	}
	if m, ok := c.Ints(0); ok && len(m) == 1 && holds {
		return max(0, m[0]), false
	}
	return -1, false
}

// alwaysHolds says whether the condition that the body gives is true, or the
// one that it takes.
func (c *Infer) alwaysHolds(body *graph.Graph) bool {
	v := body.Outputs[0]
	for v.From.Is("Identity") && v.From.In(0) != nil {
		v = v.From.In(0)
	}
	if v == body.Inputs[1] {
		return true
	}
	if v.Const != nil {
		b := tensor.Of[bool](v.Const)
		return len(b) == 1 && b[0]
	}
	d, ok := c.dims[v]
	return ok && len(d) == 1 && d[0] == graph.N(1)
}

func runLoop(r *Runner, n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	body, carried, stacked, err := loopParts(n)
	if err != nil {
		return nil, err
	}
	count, err := intsOf(arg(in, 0))
	if err != nil || count != nil && len(count) != 1 {
		return nil, fmt.Errorf("the count is not one integer (%v)", err)
	}
	going := true
	if cond := arg(in, 1); cond != nil {
		b := tensor.Of[bool](cond)
		if len(b) != 1 {
			return nil, fmt.Errorf("the condition is %v, not one bool", cond)
		}
		going = b[0]
	}
	state := append([]*tensor.Tensor{}, in[min(2, len(in)):]...)
	parts, bytes := make([][]*tensor.Tensor, stacked), 0
	for i := 0; going && (count == nil || i < count[0]); i++ {
		if err := r.ctx.Err(); err != nil {
			return nil, err
		}
		out, err := r.body(body, append([]*tensor.Tensor{tensor.Scalar(int64(i)), tensor.Scalar(going)}, state...))
		if err != nil {
			return nil, fmt.Errorf("round %d: %w", i, err)
		}
		b := tensor.Of[bool](out[0])
		if len(b) != 1 {
			return nil, fmt.Errorf("round %d: the condition is %v, not one bool", i, out[0])
		}
		going = b[0]
		state = out[1 : 1+carried]
		for k, o := range out[1+carried:] {
			parts[k] = append(parts[k], o)
			if bytes += o.Bytes() + 64; bytes > maxBytes {
				return nil, fmt.Errorf("round %d: what is stacked takes more than %d bytes", i, maxBytes)
			}
		}
	}
	out := append([]*tensor.Tensor{}, state...)
	for k, p := range parts {
		t, err := stack(p, body.Outputs[1+carried+k])
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}
