package op

import (
	"fmt"

	"pare/graph"
)

// parts splits a value evenly along an axis.
func parts(b *Builder, x *graph.Value, axis, n int) []*graph.Value {
	if n == 1 {
		return []*graph.Value{x}
	}
	as := []graph.Attr{graph.MakeAttr("axis", axis)}
	if b.G.Version("") >= 18 {
		as = append(as, graph.MakeAttr("num_outputs", n))
	}
	return b.Node("", "Split", n, []*graph.Value{x}, as...).Outputs
}

// activate writes an activation out.
func (a activation) activate(b *Builder, x *graph.Value) *graph.Value {
	alpha := []graph.Attr{graph.MakeAttr("alpha", a.alpha)}
	switch a.name {
	case "affine":
		return b.Op("Add", b.Op("Mul", x, b.Scalar(a.alpha, x)), b.Scalar(a.beta, x))
	case "scaledtanh":
		return b.Op("Mul", b.Op("Tanh", b.Op("Mul", x, b.Scalar(a.beta, x))), b.Scalar(a.alpha, x))
	case "hardsigmoid":
		return b.Attr("HardSigmoid", append(alpha, graph.MakeAttr("beta", a.beta)), x)
	case "leakyrelu":
		return b.Attr("LeakyRelu", alpha, x)
	case "elu":
		return b.Attr("Elu", alpha, x)
	case "thresholdedrelu":
		return b.Attr("ThresholdedRelu", alpha, x)
	}
	return b.Op(map[string]string{"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "softsign": "Softsign", "softplus": "Softplus"}[a.name], x)
}

// gate is activation k behind the clipping.
func (c *cell) gate(b *Builder, k int, x *graph.Value) *graph.Value {
	if c.clip > 0 {
		x = b.Op("Max", b.Op("Min", x, b.Scalar(c.clip, x)), b.Scalar(-c.clip, x))
	}
	return c.acts[k].activate(b, x)
}

// expandRNN writes a recurrent node out, step by step.
func expandRNN(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	x, w, r := n.In(0), n.In(1), n.In(2)
	xs, ok := x.Shape.Ints()
	rs, known := r.Shape.Ints()
	if !ok || !known || len(xs) != 3 || len(rs) != 3 {
		return nil, fmt.Errorf("the shapes %v and %v are not known", x.Shape, r.Shape)
	}
	h := rs[2]
	cells, err := cellsOf(n, h)
	if err != nil {
		return nil, err
	}
	first := n.Int("layout", 0) != 0 // the batch
	if first {
		x = b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{1, 0, 2})}, x)
		xs = []int{xs[1], xs[0], xs[2]}
	}
	steps, batch := xs[0], xs[1]
	states := func(i int) []*graph.Value {
		v := n.In(i)
		if v == nil {
			return nil
		}
		axis := 0
		if first {
			axis = 1
		}
		var out []*graph.Value
		for _, s := range parts(b, v, axis, len(cells)) {
			out = append(out, b.Op("Reshape", s, b.Ints(batch, h)))
		}
		return out
	}
	h0, s0 := states(5), states(6)
	ws, rws := parts(b, w, 0, len(cells)), parts(b, r, 0, len(cells))
	var bias, peep []*graph.Value
	if v := n.In(3); v != nil {
		bias = parts(b, v, 0, len(cells))
	}
	if v := n.In(7); v != nil {
		peep = parts(b, v, 0, len(cells))
	}
	ys, lastH, lastS := make([]*graph.Value, len(cells)), make([]*graph.Value, len(cells)), make([]*graph.Value, len(cells))
	for d := range cells {
		e := &rnnExpansion{b: b, cell: &cells[d]}
		g := e.gates * h
		xw := b.Op("MatMul", x, transpose2(b, b.Op("Reshape", ws[d], b.Ints(g, xs[2])))) // [T B g]
		e.r = transpose2(b, b.Op("Reshape", rws[d], b.Ints(g, h)))
		if bias != nil {
			two := parts(b, b.Op("Reshape", bias[d], b.Ints(2*g)), 0, 2)
			xw = b.Op("Add", xw, two[0])
			e.rb = two[1]
		}
		if peep != nil {
			e.peep = parts(b, b.Op("Reshape", peep[d], b.Ints(3*h)), 0, 3)
		}
		zero := b.Pare("ZerosLike", nil, parts(b, b.Op("Gather", xw, b.Const(scalarInt(0))), 1, e.gates)[0])
		hs, ss := zero, zero
		if h0 != nil {
			hs = h0[d]
		}
		if s0 != nil {
			ss = s0[d]
		}
		all := make([]*graph.Value, steps)
		for k := range steps {
			t := k
			if e.back {
				t = steps - 1 - k
			}
			h, s := e.next(b.Op("Gather", xw, b.Const(scalarInt(t))), hs, ss)
			y := h
			if lens := n.In(4); lens != nil { // a sample that has ended gives zeros and keeps its state
				going := b.Unsqueeze(b.Op("Less", b.Scalar(float64(t), lens), lens), 1)
				y = b.Op("Where", going, h, b.Scalar(0, h))
				h, s = b.Op("Where", going, h, hs), b.Op("Where", going, s, ss)
			}
			hs, ss = h, s
			all[t] = b.Unsqueeze(y, 0)
		}
		y := b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", 0)}, all...) // [T B H]
		ys[d] = b.Unsqueeze(y, 1)
		lastH[d], lastS[d] = b.Unsqueeze(hs, 0), b.Unsqueeze(ss, 0)
	}
	join := func(vs []*graph.Value, axis int) *graph.Value {
		if len(vs) == 1 {
			return vs[0]
		}
		return b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", axis)}, vs...)
	}
	out := []*graph.Value{join(ys, 1), join(lastH, 0), join(lastS, 0)}
	if first {
		out[0] = b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{2, 0, 1, 3})}, out[0])
		for i := 1; i < 3; i++ {
			out[i] = b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{1, 0, 2})}, out[i])
		}
	}
	return out, nil
}

// rnnExpansion writes the steps of one direction out.
type rnnExpansion struct {
	b *Builder
	*cell
	r, rb *graph.Value   // recurrent weights, transposed, and their bias
	peep  []*graph.Value // of the input, output and forget gates
}

// next is cell.step in nodes; xw is [B gates*H].
func (e *rnnExpansion) next(xw, h, s *graph.Value) (newH, newS *graph.Value) {
	b := e.b
	x := parts(b, xw, 1, e.gates)
	product := b.Op("MatMul", h, e.r)
	if e.rb != nil {
		product = b.Op("Add", product, e.rb)
	}
	p := parts(b, product, 1, e.gates)
	sum := func(k int) *graph.Value { return b.Op("Add", x[k], p[k]) }
	switch e.gates {
	case 1:
		return e.gate(b, 0, sum(0)), s
	case 3:
		z, r := e.gate(b, 0, sum(0)), e.gate(b, 0, sum(1))
		var inner *graph.Value
		if e.linear {
			inner = b.Op("Mul", r, p[2])
		} else {
			inner = b.Op("MatMul", b.Op("Mul", r, h), parts(b, e.r, 1, 3)[2])
			if e.rb != nil {
				inner = b.Op("Add", inner, parts(b, e.rb, 0, 3)[2])
			}
		}
		hidden := e.gate(b, 1, b.Op("Add", x[2], inner))
		return b.Op("Add", b.Op("Mul", oneMinus(b, z), hidden), b.Op("Mul", z, h)), s
	}
	seen := func(v *graph.Value, k int, s *graph.Value) *graph.Value {
		if e.peep == nil {
			return v
		}
		return b.Op("Add", v, b.Op("Mul", e.peep[k], s))
	}
	i := e.gate(b, 0, seen(sum(0), 0, s))
	f := oneMinus(b, i)
	if !e.coupled {
		f = e.gate(b, 0, seen(sum(2), 2, s))
	}
	newS = b.Op("Add", b.Op("Mul", f, s), b.Op("Mul", i, e.gate(b, 1, sum(3))))
	o := e.gate(b, 0, seen(sum(1), 1, newS))
	return b.Op("Mul", o, e.acts[2].activate(b, newS)), newS
}
