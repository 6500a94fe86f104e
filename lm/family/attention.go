package family

import (
	"pare/graph"
	"pare/tensor"
)

// attention is that of layer i, written out: heads of keys and values are repeated for the
// heads of queries that share them, so that the two go together when heads are cut.
func (b *builder) attention(i int, a *Attention, x *graph.Value) *graph.Value {
	q, k, v := b.project(a, x)
	if a.QNorm != nil {
		q, k = b.norm(a.QNorm, q), b.norm(a.KNorm, k)
	}
	if b.Rotary != nil {
		q, k = b.turn(b.Rotary[i], q), b.turn(b.Rotary[i], k)
	}
	k, v = b.repeat(a, k), b.repeat(a, v)
	s := b.Op("MatMul", q, b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 1, 3, 2})}, k))
	s = b.Op("Mul", s, b.Scalar(b.Scale, s))
	if b.ScoreSoftcap > 0 {
		s = b.softcap(s, b.ScoreSoftcap)
	}
	s = b.Op("Add", s, b.hide(b.Window[i]))
	y := b.Op("MatMul", b.Attr("Softmax", []graph.Attr{graph.MakeAttr("axis", -1)}, s), v)
	return b.linear(a.O, b.Op("Reshape", b.swap(y), b.Ints(0, 0, -1)))
}

// swap exchanges the axes of heads and positions.
func (b *builder) swap(x *graph.Value) *graph.Value {
	return b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 2, 1, 3})}, x)
}

// project gives queries, keys and values by heads, [batch heads sequence size].
func (b *builder) project(a *Attention, x *graph.Value) (q, k, v *graph.Value) {
	d := b.HeadDim
	byHeads := func(y *graph.Value, heads int) *graph.Value {
		return b.swap(b.Op("Reshape", y, b.Ints(0, 0, heads, d)))
	}
	switch a.Fused {
	case Apart:
		q, k, v = b.linear(a.Q, x), b.linear(a.K, x), b.linear(a.V, x)
	case Rows:
		p := b.split(b.linear(a.QKV, x), a.Heads*d, a.KVHeads*d, a.KVHeads*d)
		q, k, v = p[0], p[1], p[2]
	case Heads:
		y := b.Op("Reshape", b.linear(a.QKV, x), b.Ints(0, 0, a.Heads, 3*d))
		p := b.split(b.swap(y), d, d, d)
		return p[0], p[1], p[2]
	}
	return byHeads(q, a.Heads), byHeads(k, a.KVHeads), byHeads(v, a.KVHeads)
}

// repeat gives each head of queries its head of keys or values.
func (b *builder) repeat(a *Attention, x *graph.Value) *graph.Value {
	switch a.KVHeads {
	case a.Heads:
		return x
	case 1:
		return b.Op("Expand", x, b.Ints(1, a.Heads, 1, 1))
	}
	x = b.Op("Expand", b.Unsqueeze(x, 2), b.Ints(1, 1, a.Heads/a.KVHeads, 1, 1))
	return b.Op("Reshape", x, b.Ints(0, a.Heads, -1, b.HeadDim))
}

// turn applies the rotary embedding to x [batch heads sequence size].
func (b *builder) turn(r *Rotary, x *graph.Value) *graph.Value {
	cs := b.angles(r)
	d, half := b.HeadDim, r.Dim/2
	part := func(from, to int) *graph.Value {
		return b.Op("Slice", x, b.Ints(from), b.Ints(to), b.Ints(3))
	}
	last := []graph.Attr{graph.MakeAttr("axis", 3)}
	turning := x
	if r.Dim < d {
		turning = part(0, r.Dim)
	}
	swapped := b.Attr("Concat", last, b.Op("Neg", part(half, r.Dim)), part(0, half))
	y := b.Op("Add", b.Op("Mul", turning, cs[0]), b.Op("Mul", swapped, cs[1]))
	if r.Dim < d {
		y = b.Attr("Concat", last, y, part(r.Dim, d))
	}
	return y
}

// angles are cosine and sine of all positions, [sequence Dim], the second half like the
// first.
func (b *builder) angles(r *Rotary) [2]*graph.Value {
	if cs, ok := b.turns[r]; ok {
		return cs
	}
	stem := b.Stem
	b.Stem = "rotary"
	at := b.at
	if r.Limit > 0 { // there is no other position: a longer text is an error, not another function
		all := tensor.New(tensor.Int64, r.Limit)
		for i := range r.Limit {
			tensor.Of[int64](all)[i] = int64(i)
		}
		at = b.Op("Gather", b.Const(all), at)
	}
	freq := b.Const(tensor.From(r.Freq, 1, len(r.Freq)))
	a := b.Op("Mul", b.Unsqueeze(b.float(at), 1), freq)
	a = b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", 1)}, a, a)
	var cs [2]*graph.Value
	for i, f := range []string{"Cos", "Sin"} {
		cs[i] = b.Op(f, a)
		if r.Factor != 1 {
			cs[i] = b.Op("Mul", cs[i], b.Scalar(r.Factor, cs[i]))
		}
	}
	b.turns[r], b.Stem = cs, stem
	return cs
}

// unseen is what the scores of keys that a query does not see are lowered by.
const unseen = -1e9

// hide is what is added to scores [batch heads sequence sequence]: unseen where the key
// comes later than the query or lies beyond its window, or is padding of an encoder.
func (b *builder) hide(window int) *graph.Value {
	if v := b.hidden[window]; v != nil {
		return v
	}
	stem := b.Stem
	b.Stem = "mask"
	var away *graph.Value // bool
	if b.Encoder {
		away = b.Op("Equal", b.Unsqueeze(b.mask, 1, 2), b.Const(tensor.Scalar(int64(0))))
	} else {
		query, key := b.Unsqueeze(b.at, 1), b.Unsqueeze(b.at, 0)
		away = b.Op("Greater", key, query)
		if window > 0 {
			far := b.Op("GreaterOrEqual", b.Op("Sub", query, key), b.Const(tensor.Scalar(int64(window))))
			away = b.Op("Or", away, far)
		}
	}
	v := b.Op("Where", away, b.Const(tensor.Scalar(float32(unseen))), b.Const(tensor.Scalar(float32(0))))
	b.hidden[window], b.Stem = v, stem
	return v
}
