package op

import (
	"fmt"
	"math"

	"pare/graph"
)

// headed is an attention whose queries, keys and values are [batch length
// heads*size].
type headed struct {
	n            *graph.Node
	heads        int
	q, k, v      *graph.Value
	padding, add *graph.Value // [batch length], 1 where a key counts; added to the scores
}

// multiHead is MultiHeadAttention(query, key, value, bias, padding, added, ...) in
// its simple forms.
func multiHead(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	for i := 6; i < len(n.Inputs); i++ {
		if n.In(i) != nil {
			return nil, fmt.Errorf("it has keys and values of before")
		}
	}
	h := headed{n: n, heads: n.Int("num_heads", 0), q: n.In(0), k: n.In(1), v: n.In(2), padding: n.In(4), add: n.In(5)}
	for i := range 3 {
		if v := n.In(i); v == nil || len(v.Shape) != 3 {
			return nil, fmt.Errorf("input %d is not [batch length heads*size]", i)
		}
	}
	if bias := n.In(3); bias != nil {
		at := 0
		for _, x := range []**graph.Value{&h.q, &h.k, &h.v} {
			size := (*x).Shape[2]
			if !size.Known() {
				return nil, fmt.Errorf("the size of %v is not known", (*x).Shape)
			}
			*x = b.Op("Add", *x, cutOut(b, bias, at, at+size.Mul))
			at += size.Mul
		}
	}
	return h.write(b)
}

// cutOut is a range of the first axis.
func cutOut(b *Builder, v *graph.Value, from, to int) *graph.Value {
	if b.G.Version("") < 10 {
		return b.Attr("Slice", []graph.Attr{graph.MakeAttr("starts", []int{from}), graph.MakeAttr("ends", []int{to}), graph.MakeAttr("axes", []int{0})}, v)
	}
	return b.Op("Slice", v, b.Ints(from), b.Ints(to), b.Ints(0))
}

// packedAttention is Attention(input, weights, bias, mask, past, added): one matrix
// makes queries, keys and values.
func packedAttention(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	x, w := n.In(0), n.In(1)
	if x == nil || w == nil || len(x.Shape) != 3 || len(w.Shape) != 2 || !w.Shape[1].Known() || n.In(4) != nil || n.In(6) != nil || n.Int("do_rotary", 0) != 0 {
		return nil, fmt.Errorf("it has keys and values of before, or shapes that are not known")
	}
	sizes := n.Ints("qkv_hidden_sizes")
	if sizes == nil {
		k := w.Shape[1].Mul / 3
		sizes = []int{k, k, k}
	}
	if len(sizes) != 3 || sizes[0]+sizes[1]+sizes[2] != w.Shape[1].Mul {
		return nil, fmt.Errorf("sizes %v do not fit weights %v", sizes, w.Shape)
	}
	y := added(b, b.Op("MatMul", x, w), n.In(2))
	axis := graph.MakeAttr("axis", 2)
	var parts *graph.Node
	if b.G.Version("") < 13 {
		parts = b.Node("", "Split", 3, []*graph.Value{y}, axis, graph.MakeAttr("split", sizes))
	} else {
		parts = b.Node("", "Split", 3, []*graph.Value{y, b.Ints(sizes...)}, axis)
	}
	h := headed{n: n, heads: n.Int("num_heads", 0), q: parts.Outputs[0], k: parts.Outputs[1], v: parts.Outputs[2], padding: n.In(3), add: n.In(5)}
	return h.write(b)
}

// write gives softmax(scale*Q*K' + masks)*V by heads.
func (h *headed) write(b *Builder) ([]*graph.Value, error) {
	n := h.n
	if h.heads < 1 || n.Int("unidirectional", 0) != 0 || n.Out(1) != nil || n.Out(2) != nil || n.Out(3) != nil {
		return nil, fmt.Errorf("it is causal, or gives its keys and values")
	}
	if h.padding != nil && len(h.padding.Shape) != 2 {
		return nil, fmt.Errorf("its mask is not [batch length]")
	}
	size, ok := h.q.Shape[2].Over(graph.N(h.heads))
	if !ok || !size.Known() {
		return nil, fmt.Errorf("%v does not divide into %d heads", h.q.Shape, h.heads)
	}
	scale := float64(n.Float("scale", 0))
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(size.Mul))
	}
	split := func(x *graph.Value, perm ...int) *graph.Value {
		return b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", perm)}, b.Op("Reshape", x, b.Ints(0, 0, h.heads, -1)))
	}
	s := b.Op("MatMul", split(h.q, 0, 2, 1, 3), split(h.k, 0, 2, 3, 1))
	s = b.Op("Mul", s, b.Scalar(scale, s))
	if h.padding != nil {
		m := cast(b, h.padding, s.DType)
		m = b.Op("Mul", b.Op("Sub", b.Scalar(1, s), m), b.Scalar(float64(n.Float("mask_filter_value", -10000)), s))
		s = b.Op("Add", s, b.Unsqueeze(m, 1, 2))
	}
	s = added(b, s, h.add)
	p := b.Attr("Softmax", []graph.Attr{graph.MakeAttr("axis", 3)}, s)
	y := b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 2, 1, 3})}, b.Op("MatMul", p, split(h.v, 0, 2, 1, 3)))
	return one(b.Op("Reshape", y, b.Ints(0, 0, -1)))
}

// contribRotary is RotaryEmbedding(x, positions, cos, sin), whose caches are
// looked up by position.
func contribRotary(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	x, at, cos, sin := n.In(0), n.In(1), n.In(2), n.In(3)
	if x == nil || at == nil || len(at.Shape) != 2 || cos == nil || len(cos.Shape) != 2 || !cos.Shape[1].Known() || n.Float("scale", 1) != 1 {
		return nil, fmt.Errorf("its positions are not [batch length], or its caches not known")
	}
	half, heads := cos.Shape[1].Mul, n.Int("num_heads", 0)
	packed := len(x.Shape) == 3
	switch {
	case packed && heads == 0: // the caches say how large a head is
		h, ok := x.Shape[2].Over(graph.N(2 * half))
		if !ok || !h.Known() || n.Int("rotary_embedding_dim", 0) != 0 {
			return nil, fmt.Errorf("the number of heads is not known")
		}
		heads = h.Mul
	case !packed && len(x.Shape) != 4:
		return nil, fmt.Errorf("shape %v is of rank 3 or 4", x.Shape)
	}
	last := len(x.Shape) - 1
	size := x.Shape[last]
	if packed {
		var ok bool
		if size, ok = size.Over(graph.N(heads)); !ok {
			return nil, fmt.Errorf("%v does not divide into %d heads", x.Shape, heads)
		}
		x = b.Op("Reshape", x, b.Ints(0, 0, heads, -1))
	} else {
		x = b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 2, 1, 3})}, x)
	}
	if !size.Known() || 2*half > size.Mul {
		return nil, fmt.Errorf("%d pairs are to turn in heads of %v", half, size)
	}
	r := rotaryCase{turned: 2 * half, d: size.Mul, near: n.Int("interleaved", 0) != 0}
	y := r.write(b, x, b.Unsqueeze(b.Op("Gather", cos, at), 2), b.Unsqueeze(b.Op("Gather", sin, at), 2))
	if packed {
		return one(b.Op("Reshape", y, b.Ints(0, 0, -1)))
	}
	return one(b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 2, 1, 3})}, y))
}
