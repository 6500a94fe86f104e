package op

import (
	"fmt"
	"slices"

	"pare/graph"
	"pare/tensor"
)

// Scan runs its body once for every slice of its scanned inputs. The body
// takes what is carried and a slice of each, and gives what is carried and a
// slice of each scanned output. In opset 8 all tensors have a batch axis in
// front, each sample is scanned on its own, and may have a length of its own.

// scanCase is how a Scan node divides its inputs and outputs.
type scanCase struct {
	body            *graph.Graph
	skip            int // inputs before what is carried: 1 in opset 8
	carried, ins    int
	outs            int
	inAxes, outAxes []int
	inBack, outBack []bool // last slice first
	batched         bool
}

func scanOf(n *graph.Node, opset int) (*scanCase, error) {
	s := &scanCase{batched: opset < 9}
	if s.batched {
		s.skip = 1
	}
	var err error
	if s.body, err = bodyOf(n, "body"); err != nil {
		return nil, err
	}
	s.ins = n.Int("num_scan_inputs", 0)
	s.carried = len(n.Inputs) - s.skip - s.ins
	s.outs = len(n.Outputs) - s.carried
	if s.ins < 1 || s.carried < 0 || s.outs < 0 || len(s.body.Inputs) != s.carried+s.ins || len(s.body.Outputs) != s.carried+s.outs {
		return nil, fmt.Errorf("a body of %d inputs and %d outputs does not fit a scan of %d inputs (%d scanned) and %d outputs",
			len(s.body.Inputs), len(s.body.Outputs), len(n.Inputs), s.ins, len(n.Outputs))
	}
	list := func(name string, k int) ([]int, error) {
		v := n.Ints(name)
		if v == nil {
			v = make([]int, k)
		}
		if len(v) != k {
			return nil, fmt.Errorf("%s has %d numbers, %d are needed", name, len(v), k)
		}
		return v, nil
	}
	back := func(name string, k int) ([]bool, error) {
		v, err := list(name, k)
		b := make([]bool, k)
		for i := range v {
			b[i] = v[i] != 0
		}
		return b, err
	}
	if s.inAxes, err = list("scan_input_axes", s.ins); err != nil {
		return nil, err
	}
	if s.outAxes, err = list("scan_output_axes", s.outs); err != nil {
		return nil, err
	}
	if s.batched {
		s.outBack = make([]bool, s.outs)
		s.inBack, err = back("directions", s.ins)
		return s, err
	}
	if s.inBack, err = back("scan_input_directions", s.ins); err != nil {
		return nil, err
	}
	s.outBack, err = back("scan_output_directions", s.outs)
	return s, err
}

func inferScan(c *Infer) error {
	s, err := scanOf(c.Node, c.Opset)
	if err != nil {
		return err
	}
	lead := 0
	if s.batched {
		lead = 1
	}
	var batch graph.Shape
	length := graph.Dim{}
	known := false
	for i := range s.carried + s.ins {
		v, err := c.In(i + s.skip)
		if err != nil {
			return err
		}
		b := s.body.Inputs[i]
		if b.DType, b.Shape = v.DType, nil; v.Shape == nil {
			continue
		}
		if len(v.Shape) < lead {
			return fmt.Errorf("input %d of shape %v has no batch axis", i, v.Shape)
		}
		batch, b.Shape = v.Shape[:lead], v.Shape[lead:]
		if i < s.carried {
			continue
		}
		a, err := axis(s.inAxes[i-s.carried], len(b.Shape))
		if err != nil {
			return err
		}
		if d := b.Shape[a]; !known || d.Known() {
			length, known = d, true
		}
		b.Shape = slices.Delete(slices.Clone(b.Shape), a, a+1)
	}
	if err := c.carry(s.body, 0, 0, s.carried); err != nil {
		return err
	}
	for i := range s.carried + s.outs {
		o := s.body.Outputs[i]
		switch {
		case i < s.carried && s.body.Inputs[i].Shape != nil && (lead == 0 || batch != nil):
			c.Out(i, o.DType, append(slices.Clone(batch), carriedOut(c, i, s.body.Inputs[i])...))
		case i < s.carried || o.Shape == nil || !known:
			c.Out(i, o.DType, nil)
		default:
			a, err := axis(s.outAxes[i-s.carried], len(o.Shape)+1)
			if err != nil {
				return err
			}
			full := slices.Insert(free(c, i, o.Shape, s.body.Inputs...), a, length)
			c.Out(i, o.DType, append(slices.Clone(batch), full...))
		}
	}
	return nil
}

func runScan(r *Runner, n *graph.Node, opset int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
	s, err := scanOf(n, opset)
	if err != nil {
		return nil, err
	}
	if !s.batched {
		return s.run(r, in, -1)
	}
	lens, err := intsOf(in[0])
	if err != nil {
		return nil, err
	}
	batch := in[1].Shape[0]
	if lens != nil && len(lens) != batch {
		return nil, fmt.Errorf("%d lengths do not fit a batch of %d", len(lens), batch)
	}
	all := make([][]*tensor.Tensor, s.carried+s.outs)
	for b := range batch {
		one := make([]*tensor.Tensor, len(in)-1)
		for i, x := range in[1:] {
			if x.Rank() == 0 || x.Shape[0] != batch {
				return nil, fmt.Errorf("input %v does not have a batch of %d", x, batch)
			}
			if one[i], err = sliceAt(x, 0, b); err != nil {
				return nil, err
			}
		}
		k := -1
		if lens != nil {
			k = lens[b]
		}
		out, err := s.run(r, one, k)
		if err != nil {
			return nil, err
		}
		for i, o := range out {
			all[i] = append(all[i], o)
		}
	}
	out := make([]*tensor.Tensor, len(all))
	for i, p := range all {
		if out[i], err = stack(p, s.body.Outputs[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// run scans; only the first `limit` slices where that is not negative: the
// rest of the outputs is zero.
func (s *scanCase) run(r *Runner, in []*tensor.Tensor, limit int) ([]*tensor.Tensor, error) {
	state := append([]*tensor.Tensor{}, in[:s.carried]...)
	scanned := in[s.carried:]
	length := -1
	as := make([]int, s.ins)
	for i, x := range scanned {
		var err error
		if as[i], err = axis(s.inAxes[i], x.Rank()); err != nil {
			return nil, err
		}
		if k := x.Shape[as[i]]; length >= 0 && k != length {
			return nil, fmt.Errorf("scanned inputs of %d and %d slices", length, k)
		} else {
			length = k
		}
	}
	rounds := length
	if limit >= 0 {
		rounds = min(limit, length)
	}
	parts := make([][]*tensor.Tensor, s.outs)
	for t := range rounds {
		args := append([]*tensor.Tensor{}, state...)
		for i, x := range scanned {
			k := t
			if s.inBack[i] {
				k = length - 1 - t
			}
			p, err := sliceAt(x, as[i], k)
			if err != nil {
				return nil, err
			}
			args = append(args, p)
		}
		out, err := r.body(s.body, args)
		if err != nil {
			return nil, fmt.Errorf("slice %d: %w", t, err)
		}
		state = out[:s.carried]
		for i, o := range out[s.carried:] {
			parts[i] = append(parts[i], o)
		}
	}
	out := append([]*tensor.Tensor{}, state...)
	for i, p := range parts {
		for len(p) > 0 && len(p) < length { // a sample that is shorter
			p = append(p, tensor.New(p[0].DType, p[0].Shape...))
		}
		if s.outBack[i] {
			slices.Reverse(p)
		}
		t, err := stack(p, s.body.Outputs[s.carried+i])
		if err != nil {
			return nil, err
		}
		if t, err = moveFirst(t, s.outAxes[i]); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// sliceAt is position k along an axis, which goes.
func sliceAt(x *tensor.Tensor, a, k int) (*tensor.Tensor, error) {
	inner := prod(x.Shape[a+1:])
	if a == 0 {
		y, err := alloc(x.DType, x.Shape[1:]...)
		if err == nil {
			y.CopyRange(0, x, k*inner, inner)
		}
		return y, err
	}
	return take(x, slices.Delete(slices.Clone(x.Shape), a, a+1), func(i int) int {
		return (i/inner*x.Shape[a]+k)*inner + i%inner
	})
}

// moveFirst moves the first axis to the place a.
func moveFirst(x *tensor.Tensor, a int) (*tensor.Tensor, error) {
	a, err := axis(a, x.Rank())
	if err != nil || a == 0 {
		return x, err
	}
	k := x.Shape[0]
	rest := x.Shape[1:]
	shape := slices.Insert(slices.Clone(rest), a, k)
	inner := prod(rest[a:])
	size := prod(rest)
	return take(x, shape, func(i int) int {
		return i/inner%k*size + i/inner/k*inner + i%inner
	})
}
