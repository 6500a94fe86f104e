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

// gate is activation k after the clipping.
func (c *cell) gate(b *Builder, k int, x *graph.Value) *graph.Value {
	if c.clip > 0 {
		x = b.Op("Max", b.Op("Min", x, b.Scalar(c.clip, x)), b.Scalar(-c.clip, x))
	}
	return c.acts[k].activate(b, x)
}

// expandRNN writes a recurrent node out, step by step.
func expandRNN(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	x, r := n.In(0), n.In(2)
	xs, ok := x.Shape.Ints()
	rs, known := r.Shape.Ints()
	if !ok || !known || len(xs) != 3 || len(rs) != 3 {
		return nil, fmt.Errorf("the shapes %v and %v are not known", x.Shape, r.Shape)
	}
	cells, err := cellsOf(n, rs[2])
	if err != nil {
		return nil, err
	}
	e := &rnnExpansion{b: b, n: n, x: x, cells: cells, size: rs[2], batchFirst: n.Int("layout", 0) != 0}
	if e.batchFirst {
		e.x = permuted(b, x, 1, 0, 2)
		xs = []int{xs[1], xs[0], xs[2]}
	}
	e.steps, e.batch, e.features = xs[0], xs[1], xs[2]
	e.split()
	ys, lastH, lastS := make([]*graph.Value, len(cells)), make([]*graph.Value, len(cells)), make([]*graph.Value, len(cells))
	for d := range cells {
		ys[d], lastH[d], lastS[d] = e.direction(d)
	}
	out := []*graph.Value{concatenated(b, ys, 1), concatenated(b, lastH, 0), concatenated(b, lastS, 0)}
	if e.batchFirst {
		out[0] = permuted(b, out[0], 2, 0, 1, 3)
		for i := 1; i < 3; i++ {
			out[i] = permuted(b, out[i], 1, 0, 2)
		}
	}
	return out, nil
}

// permuted adds a Transpose.
func permuted(b *Builder, x *graph.Value, perm ...int) *graph.Value {
	return b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", perm)}, x)
}

// concatenated joins values along an axis; one stays as it is.
func concatenated(b *Builder, vs []*graph.Value, axis int) *graph.Value {
	if len(vs) == 1 {
		return vs[0]
	}
	return b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", axis)}, vs...)
}

// rnnExpansion writes a recurrent node out. Its inputs are split by direction;
// those that the node leaves out are nil.
type rnnExpansion struct {
	b                            *Builder
	n                            *graph.Node
	x                            *graph.Value // [T B I]
	cells                        []cell
	batchFirst                   bool
	steps, batch, features, size int
	w, r, bias, peep             []*graph.Value
	h0, s0                       []*graph.Value // [B H]
}

// split takes the inputs apart by direction.
func (e *rnnExpansion) split() {
	e.h0, e.s0 = e.states(5), e.states(6)
	e.w, e.r = parts(e.b, e.n.In(1), 0, len(e.cells)), parts(e.b, e.n.In(2), 0, len(e.cells))
	if v := e.n.In(3); v != nil {
		e.bias = parts(e.b, v, 0, len(e.cells))
	}
	if v := e.n.In(7); v != nil {
		e.peep = parts(e.b, v, 0, len(e.cells))
	}
}

// states are the initial states that input i gives.
func (e *rnnExpansion) states(i int) []*graph.Value {
	v := e.n.In(i)
	if v == nil {
		return nil
	}
	axis := 0
	if e.batchFirst {
		axis = 1
	}
	var out []*graph.Value
	for _, s := range parts(e.b, v, axis, len(e.cells)) {
		out = append(out, e.b.Op("Reshape", s, e.b.Ints(e.batch, e.size)))
	}
	return out
}

// direction writes one direction out: its results [T 1 B H] and last states
// [1 B H].
func (e *rnnExpansion) direction(d int) (y, lastH, lastS *graph.Value) {
	b := e.b
	c := &rnnSteps{b: b, cell: &e.cells[d]}
	g, h := c.gates*e.size, e.size
	xw := b.Op("MatMul", e.x, transpose2(b, b.Op("Reshape", e.w[d], b.Ints(g, e.features)))) // [T B g]
	c.r = transpose2(b, b.Op("Reshape", e.r[d], b.Ints(g, h)))
	if e.bias != nil {
		two := parts(b, b.Op("Reshape", e.bias[d], b.Ints(2*g)), 0, 2)
		xw = b.Op("Add", xw, two[0])
		c.rb = two[1]
	}
	if e.peep != nil {
		c.peep = parts(b, b.Op("Reshape", e.peep[d], b.Ints(3*h)), 0, 3)
	}
	zero := b.Pare("ZerosLike", nil, parts(b, b.Op("Gather", xw, b.Const(scalarInt(0))), 1, c.gates)[0])
	hs, ss := zero, zero
	if e.h0 != nil {
		hs = e.h0[d]
	}
	if e.s0 != nil {
		ss = e.s0[d]
	}
	all := make([]*graph.Value, e.steps)
	for k := range e.steps {
		t := k
		if c.back {
			t = e.steps - 1 - k
		}
		h, s := c.next(b.Op("Gather", xw, b.Const(scalarInt(t))), hs, ss)
		y := h
		if lens := e.n.In(4); lens != nil { // a sample that has ended gives zeros and keeps its state
			going := b.Unsqueeze(b.Op("Less", b.Scalar(float64(t), lens), lens), 1)
			y = b.Op("Where", going, h, b.Scalar(0, h))
			h, s = b.Op("Where", going, h, hs), b.Op("Where", going, s, ss)
		}
		hs, ss = h, s
		all[t] = b.Unsqueeze(y, 0)
	}
	y = b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", 0)}, all...) // [T B H]
	y = b.Unsqueeze(y, 1)
	return y, b.Unsqueeze(hs, 0), b.Unsqueeze(ss, 0)
}

// rnnSteps writes the steps of one direction out.
type rnnSteps struct {
	b *Builder
	*cell
	r, rb *graph.Value   // recurrent weights, transposed, and their bias
	peep  []*graph.Value // of the input, output and forget gates
}

// next is cell.step in nodes; xw is [B gates*H].
func (e *rnnSteps) next(xw, h, s *graph.Value) (newH, newS *graph.Value) {
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
