package continual

import (
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// ofScores follows products of queries and keys to the values that they weigh.
func (c *converter) ofScores(n *graph.Node, in []value) ([]value, error) {
	masks := func() error {
		return never(n, "changes the products of queries and keys: attention masks have no form on a stream")
	}
	i := 0
	if in[0].kind != scores {
		i = 1
	}
	p := *in[i].of
	switch {
	case n.Is("Identity", "Dropout"):
	case n.Is("Mul", "Div") && !p.done:
		s := n.In(1 - i)
		if s == nil || s.Const == nil || s.Const.Len() != 1 || s.DType != tensor.Float32 || n.Is("Div") && i == 1 {
			return nil, masks()
		}
		if x := float64(s.Const.F32()[0]); n.Is("Mul") {
			p.scale *= x
		} else {
			p.scale /= x
		}
	case n.Is("Softmax") && !p.done:
		if rank := len(n.In(0).Shape); axisOf(n.Int("axis", -1), rank) != rank-1 || c.g.Version("") < 13 && n.Attr("axis") == nil {
			return nil, never(n, "runs over queries")
		}
		p.done = true
	case n.Is("MatMul") && i == 0 && p.done:
		v := in[1]
		if v.kind != timed || v.axis != len(n.In(1).Shape)-2 || v.frames != p.k.frames {
			return nil, no(n, "weighs what are not the frames of the keys")
		}
		return c.attend(n, p, v)
	default:
		return nil, masks()
	}
	return []value{{kind: scores, of: &p}}, nil
}

// attend is attention of the frames of a clip to each other: the outputs of all of them are
// renewed at every step, by what the newest frame brings and the oldest takes away.
func (c *converter) attend(n *graph.Node, p pairs, v value) ([]value, error) {
	qkv, like, err := c.align(n, []value{p.q, p.k, v})
	if err != nil {
		return nil, err
	}
	if c.per(like) > 1 || like.frames < 2 || len(n.Out(0).Shape) != len(n.In(1).Shape) {
		return c.attendWhole(n, p, qkv)
	}
	if like.folded {
		return nil, never(n, "attends where samples and frames lie on one axis")
	}
	out := like.slides(like.frames, 1, 0, 0)
	out.kind, out.tokens, out.frames = window, true, 1
	// The first output is of the window that ends with the newest frame: it lags as much as
	// the window is long.
	q := c.b.Op("Mul", qkv[0].Value, c.b.Scalar(p.scale, qkv[0].Value))
	k := c.last2(qkv[1].Value)
	r := &retroactive{converter: c, n: like.frames, axis: len(q.Shape) - 2, at: out, stem: n.Name}
	out.Value = r.build(q, k, qkv[2].Value)
	return []value{out}, nil
}

// last2 swaps the last two axes.
func (c *converter) last2(x *graph.Value) *graph.Value {
	perm := make([]int, len(x.Shape))
	for i := range perm {
		perm[i] = i
	}
	r := len(perm)
	perm[r-1], perm[r-2] = perm[r-2], perm[r-1]
	return c.b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", perm)}, x)
}

// attendWhole computes attention anew on windows of queries, keys and values.
func (c *converter) attendWhole(n *graph.Node, p pairs, qkv []value) ([]value, error) {
	w, err := c.windows(qkv)
	if err != nil {
		return nil, err
	}
	s := c.b.Op("MatMul", w[0].Value, w[1].Value)
	s = c.b.Op("Mul", s, c.b.Scalar(p.scale, s))
	out := w[0]
	out.tokens = true
	out.Value = c.b.Op("MatMul", c.b.Attr("Softmax", []graph.Attr{graph.MakeAttr("axis", len(s.Shape)-1)}, s), w[2].Value)
	return []value{out}, nil
}

// attention is the operator of that name over frames.
func attention(c *converter, n *graph.Node, in []value) ([]value, error) {
	if n.Int("is_causal", 0) != 0 || len(in) > 3 {
		return nil, never(n, "is causal, masked or has a past: attention masks have no form on a stream")
	}
	w, err := c.windows(in)
	if err != nil {
		return nil, err
	}
	out, err := c.onWindows(n, w)
	if err == nil {
		out[0].tokens = true
	}
	return out, err
}

// retroactive is continual retroactive attention (Hedegaard, Bakhtiarnia, Iosifidis 2022,
// arXiv 2201.06268, section 3.1). It keeps for every query of the window but the newest the
// sum of its weights d and of its weighted values AV, both over exp(top), where top is the
// largest product that the query has met: exp(top) would overflow. The sums are computed
// anew where the largest product has left the window, so that what is left of them is
// mostly rounding, and every few steps.
type retroactive struct {
	*converter
	n    int // frames of the window
	axis int // of the frames in queries, keys and values
	at   value
	stem string
}

// rows gives a state of the window's rows but the newest or oldest.
func (r *retroactive) rows(what string, x *graph.Value, width graph.Dim, rows int, next func(in *graph.Value) *graph.Value) *graph.Value {
	shape := append(graph.Shape{}, x.Shape...)
	shape[r.axis], shape[r.axis+1] = graph.N(rows), width
	return r.state(r.stem+" "+what, shape, tensor.Float32, next)
}

func (r *retroactive) join(a, b *graph.Value) *graph.Value {
	return r.b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", r.axis)}, a, b)
}

// younger is all rows but the oldest.
func (r *retroactive) younger(x *graph.Value) *graph.Value {
	return r.slice(x, r.axis, 1, x.Shape[r.axis].Mul)
}

func (r *retroactive) exp(a, b *graph.Value) *graph.Value { return r.b.Op("Exp", r.b.Op("Sub", a, b)) }

// dot multiplies every row of a by every row of b.
func (r *retroactive) dot(a, b *graph.Value) *graph.Value { return r.b.Op("MatMul", a, r.last2(b)) }

// build takes the newest query, key and value, [..., 1, E], and gives what all queries of
// the window attend to, [..., n, E].
func (r *retroactive) build(q, k, v *graph.Value) *graph.Value {
	b, one, wide := r.b, graph.N(1), q.Shape[r.axis+1]
	r.clock()
	var oldK, oldV, oldQ, keys, values, queries *graph.Value
	r.rows("keys", k, wide, r.n, func(in *graph.Value) *graph.Value {
		oldK, keys = r.slice(in, r.axis, 0, 1), r.join(r.younger(in), k)
		return keys
	})
	r.rows("values", v, v.Shape[r.axis+1], r.n, func(in *graph.Value) *graph.Value {
		oldV, values = r.slice(in, r.axis, 0, 1), r.join(r.younger(in), v)
		return values
	})
	r.rows("queries", q, wide, r.n-1, func(in *graph.Value) *graph.Value {
		oldQ, queries = in, r.join(in, q)
		return r.younger(queries)
	})
	// what the newest query attends to is computed in full
	s := r.dot(q, keys)
	topNew := b.Reduce("ReduceMax", s, true, r.axis+1)
	e := r.exp(s, topNew)
	dNew, avNew := b.Sum(e, true, r.axis+1), b.Op("MatMul", e, values)

	var d, av, top *graph.Value
	dIn := r.rows("sums of weights", q, one, r.n-1, func(in *graph.Value) *graph.Value { return in })
	avIn := r.rows("sums of weighted values", v, v.Shape[r.axis+1], r.n-1, func(in *graph.Value) *graph.Value { return in })
	topIn := r.rows("largest products", q, one, r.n-1, func(in *graph.Value) *graph.Value { return in })
	right := r.dot(oldQ, k)
	top = b.Op("Max", topIn, right)
	scale, left := r.exp(topIn, top), r.exp(r.dot(oldQ, oldK), top)
	right = r.exp(right, top)
	d = b.Op("Add", b.Op("Sub", b.Op("Mul", dIn, scale), left), right)
	av = b.Op("Add", b.Op("Sub", b.Op("Mul", avIn, scale), b.Op("Mul", left, oldV)), b.Op("Mul", right, v))
	d, av, top = r.anewWhere(d, r.join(d, dNew), r.join(av, avNew), r.join(top, topNew), queries, keys, values)
	for i, x := range []*graph.Value{top, av, d} {
		r.states[len(r.states)-1-i].out = r.younger(x)
	}
	return b.Op("Div", av, d)
}

// anewWhere computes the sums anew where one of them has lost its largest part, when the
// first window is full, and every few steps.
func (r *retroactive) anewWhere(old, d, av, top, q, k, v *graph.Value) (*graph.Value, *graph.Value, *graph.Value) {
	b := r.b
	least := b.Op("Sub", old, b.Scalar(.5, old))
	for a := len(old.Shape) - 1; a >= 0; a-- { // of all samples and heads
		least = b.Reduce("ReduceMin", least, false, a)
	}
	half := b.Scalar(.5, old)
	since := b.Op("Sub", r.turn, half)
	first := b.Op("Sub", b.Op("Abs", b.Op("Sub", r.now, b.Scalar(float64(r.at.lag), old))), half)
	when := b.Op("Less", b.Op("Min", least, b.Squeeze(since, 0), b.Squeeze(first, 0)), b.Scalar(0, old))

	body := func(name string) *graph.Graph {
		g := graph.New(name, r.g.Version(""))
		g.Fresh("x")
		return g
	}
	keep, anew := body("keep"), body("anew")
	for _, x := range []*graph.Value{d, av, top} {
		o := keep.Add("Identity", "", []*graph.Value{x}, []string{r.g.Fresh(r.stem + "/kept")})
		o.Out(0).DType, o.Out(0).Shape = x.DType, x.Shape
		keep.Outputs = append(keep.Outputs, o.Out(0))
	}
	inner := &converter{g: anew, b: op.NewBuilder(anew, r.g.Fresh(r.stem+"/anew"))}
	in := &retroactive{converter: inner, n: r.n, axis: r.axis}
	s := in.dot(q, k)
	t := inner.b.Reduce("ReduceMax", s, true, r.axis+1)
	e := in.exp(s, t)
	anew.Outputs = []*graph.Value{inner.b.Sum(e, true, r.axis+1), inner.b.Op("MatMul", e, v), t}
	n := b.Node("", "If", 3, []*graph.Value{when}, graph.MakeAttr("then_branch", anew), graph.MakeAttr("else_branch", keep))
	return n.Outputs[0], n.Outputs[1], n.Outputs[2]
}
