package op

import (
	"fmt"
	"math"
	"slices"

	"pare/graph"
	"pare/tensor"
)

// headed is an attention by heads: queries [batch heads length size], keys and values
// [batch heads keys size].
type headed struct {
	n             *graph.Node
	heads, shared int // query heads; of them, those that share a head of keys and values
	q, k, v       *graph.Value

	mask    *graph.Value // 1 where a key counts, lengths, or both ends; nil: all count
	added   *graph.Value // to the scores, [batch|1 heads|1 length keys]; nil: nothing
	hidden  *graph.Value // bool, of scores that do not count; nil: none
	sink    *graph.Value // [heads], a score that every row has besides; nil: none
	softcap float64
}

var headsFirst = []graph.Attr{graph.MakeAttr("perm", []int{0, 2, 1, 3})}

// byHeads is [batch length heads*size] as [batch heads length size].
func byHeads(b *Builder, x *graph.Value, heads int) *graph.Value {
	return b.Attr("Transpose", headsFirst, b.Op("Reshape", x, b.Ints(0, 0, heads, -1)))
}

// pick is one position of an axis, which goes.
func pick(b *Builder, x *graph.Value, axis, at int) *graph.Value {
	return b.Attr("Gather", []graph.Attr{graph.MakeAttr("axis", axis)}, x, b.Const(scalarInt(at)))
}

func concat(b *Builder, axis int, x ...*graph.Value) *graph.Value {
	return concatenated(b, x, axis)
}

// rank is the number of axes, -1 where there is no value or it is not known.
func rank(v *graph.Value) int {
	if v == nil || v.Shape == nil {
		return -1
	}
	return len(v.Shape)
}

// absent returns an error where one of these inputs is given.
func absent(n *graph.Node, why string, in ...int) error {
	for _, i := range in {
		if n.In(i) != nil {
			return fmt.Errorf("%s (input %d)", why, i)
		}
	}
	return nil
}

// multiHead is MultiHeadAttention(query, key, value, bias, mask, added, past key, past
// value, …): query may hold all three, [batch length heads 3 size], or key the values
// too, [batch length heads 2 size]; keys and values may be by heads.
func multiHead(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	if err := absent(n, "its past is a buffer that it writes to", 8, 9); err != nil {
		return nil, err
	}
	h := headed{n: n, heads: n.Int("num_heads", 0), mask: n.In(4), added: n.In(5)}
	if h.heads < 1 || n.Out(3) != nil || (n.In(6) == nil) != (n.In(7) == nil) {
		return nil, fmt.Errorf("it shows its scores, or has no heads, or half a past")
	}
	if err := h.parts(b, n.In(0), n.In(1), n.In(2), n.In(3)); err != nil {
		return nil, err
	}
	if past := n.In(6); past != nil {
		h.k, h.v = concat(b, 2, past, h.k), concat(b, 2, n.In(7), h.v)
	}
	y, err := h.write(b)
	return []*graph.Value{y, h.own(b, h.k, 1), h.own(b, h.v, 2)}, err
}

// own is a value that may take over the name of an output: one that is no input.
func (h *headed) own(b *Builder, v *graph.Value, output int) *graph.Value {
	if h.n.Out(output) != nil && slices.Contains(h.n.Inputs, v) {
		return b.Op("Identity", v)
	}
	return v
}

// parts finds queries, keys and values in the inputs of a MultiHeadAttention.
func (h *headed) parts(b *Builder, q, k, v, bias *graph.Value) error {
	packed := func(x *graph.Value, at int) *graph.Value { return b.Attr("Transpose", headsFirst, pick(b, x, 3, at)) }
	if rank(q) == 5 {
		if k != nil || v != nil || bias != nil {
			return fmt.Errorf("queries that are packed with keys and values have a bias, or others besides")
		}
		h.q, h.k, h.v = packed(q, 0), packed(q, 1), packed(q, 2)
		return nil
	}
	if rank(q) != 3 {
		return fmt.Errorf("queries are not [batch length heads*size]")
	}
	x := []*graph.Value{q, k, v}
	if bias != nil {
		at := 0
		for i, v := range x {
			if i == 0 || rank(v) == 3 {
				size := v.Shape[2]
				if !size.Known() {
					return fmt.Errorf("the size of %v is not known", v.Shape)
				}
				x[i] = b.Op("Add", v, cutOut(b, bias, at, at+size.Mul))
				at += size.Mul
			}
		}
	}
	h.q = byHeads(b, x[0], h.heads)
	switch {
	case rank(k) == 5 && v == nil:
		if bias != nil {
			return fmt.Errorf("keys that are packed with values have a bias")
		}
		h.k, h.v = packed(k, 0), packed(k, 1)
	case rank(k) == 4 && rank(v) == 4:
		h.k, h.v = k, v
	case rank(k) == 3 && rank(v) == 3:
		h.k, h.v = byHeads(b, x[1], h.heads), byHeads(b, x[2], h.heads)
	default:
		return fmt.Errorf("keys and values are of ranks %d and %d", rank(k), rank(v))
	}
	return nil
}

// cutOut is a range of the first axis.
func cutOut(b *Builder, v *graph.Value, from, to int) *graph.Value {
	return cutAlong(b, v, 0, from, to)
}

// cutAlong is a range of an axis.
func cutAlong(b *Builder, v *graph.Value, axis, from, to int) *graph.Value {
	if b.G.Version("") < 10 {
		return b.Attr("Slice", []graph.Attr{graph.MakeAttr("starts", []int{from}), graph.MakeAttr("ends", []int{to}), graph.MakeAttr("axes", []int{axis})}, v)
	}
	return b.Op("Slice", v, b.Ints(from), b.Ints(to), b.Ints(axis))
}

// packedAttention is Attention(input, weights, bias, mask, past, added): one matrix
// makes queries, keys and values.
func packedAttention(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	x, w := n.In(0), n.In(1)
	if rank(x) != 3 || rank(w) != 2 || !w.Shape[1].Known() || n.In(6) != nil || n.Int("do_rotary", 0) != 0 {
		return nil, fmt.Errorf("its past is a buffer that it writes to, it turns its queries, or shapes are not known")
	}
	h := headed{n: n, heads: n.Int("num_heads", 0), mask: n.In(3), added: n.In(5)}
	return h.packed(b, added(b, b.Op("MatMul", x, w), n.In(2)), w.Shape[1].Mul, n.Ints("qkv_hidden_sizes"), n.In(4))
}

// packed writes an attention whose queries, keys and values lie in y side by side, with a
// past [2 batch heads keys size].
func (h *headed) packed(b *Builder, y *graph.Value, wide int, sizes []int, past *graph.Value) ([]*graph.Value, error) {
	if sizes == nil {
		sizes = []int{wide / 3, wide / 3, wide / 3}
	}
	if len(sizes) != 3 || sizes[0]+sizes[1]+sizes[2] != wide || h.heads < 1 {
		return nil, fmt.Errorf("sizes %v do not fit %d columns and %d heads", sizes, wide, h.heads)
	}
	parts := splitLast(b, y, sizes...)
	h.q, h.k, h.v = byHeads(b, parts[0], h.heads), byHeads(b, parts[1], h.heads), byHeads(b, parts[2], h.heads)
	if past != nil {
		h.k, h.v = concat(b, 2, pick(b, past, 0, 0), h.k), concat(b, 2, pick(b, past, 0, 1), h.v)
	}
	var present *graph.Value
	if h.n.Out(1) != nil {
		present = concat(b, 0, b.Unsqueeze(h.k, 0), b.Unsqueeze(h.v, 0))
	}
	out, err := h.write(b)
	return []*graph.Value{out, present}, err
}

// splitLast cuts the last axis into parts of these sizes.
func splitLast(b *Builder, y *graph.Value, sizes ...int) []*graph.Value {
	axis := graph.MakeAttr("axis", len(y.Shape)-1)
	if b.G.Version("") < 13 {
		return b.Node("", "Split", len(sizes), []*graph.Value{y}, axis, graph.MakeAttr("split", sizes)).Outputs
	}
	return b.Node("", "Split", len(sizes), []*graph.Value{y, b.Ints(sizes...)}, axis).Outputs
}

// lowest is the smallest number of a type, which stands for minus infinity where a whole
// row may be hidden.
func lowest(d tensor.DType) float64 {
	switch d {
	case tensor.Float16:
		return -65504
	case tensor.BFloat16:
		return -3.3895313892515355e38
	}
	return -math.MaxFloat32
}

// write gives softmax(scale*Q*K' + masks)*V, [batch length heads*size].
func (h *headed) write(b *Builder) (*graph.Value, error) {
	n := h.n
	if rank(h.q) != 4 || !h.q.Shape[3].Known() {
		return nil, fmt.Errorf("the size of a head is not known (%v)", h.q.Shape)
	}
	scale := float64(n.Float("scale", 0))
	if scale == 0 {
		scale = 1 / math.Sqrt(float64(h.q.Shape[3].Mul))
	}
	k, v := h.repeated(b, h.k), h.repeated(b, h.v)
	s := b.Op("MatMul", h.q, b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 1, 3, 2})}, k))
	s = b.Op("Mul", s, b.Scalar(scale, s))
	if h.softcap > 0 {
		most := b.Scalar(h.softcap, s)
		s = b.Op("Mul", b.Op("Tanh", b.Op("Div", s, most)), most)
	}
	if h.mask != nil {
		m, err := h.masked(b, s)
		if err != nil {
			return nil, err
		}
		s = b.Op("Add", s, m)
	}
	s = added(b, s, h.added)
	if n.Int("unidirectional", 0) != 0 {
		later, err := laterKeys(b, h.q, h.k, nil, 0)
		if err != nil {
			return nil, err
		}
		h.hidden = later
	}
	if h.hidden != nil {
		s = b.Op("Where", h.hidden, b.Scalar(lowest(s.DType), s), s)
	}
	last := []graph.Attr{graph.MakeAttr("axis", 3)}
	var p *graph.Value
	if h.sink == nil {
		p = b.Attr("Softmax", last, s)
	} else { // a column of its own, that is left out afterwards
		rows := concat(b, 0, cutOut(b, b.Op("Shape", s), 0, 3), b.Ints(1))
		p = b.Attr("Softmax", last, concat(b, 3, s, b.Op("Expand", b.Op("Reshape", h.sink, b.Ints(1, -1, 1, 1)), rows)))
		p = cutAlong(b, p, 3, 0, -1)
	}
	y := b.Attr("Transpose", headsFirst, b.Op("MatMul", p, v))
	return b.Op("Reshape", y, b.Ints(0, 0, -1)), nil
}

// repeated gives keys or values once for every query head.
func (h *headed) repeated(b *Builder, x *graph.Value) *graph.Value {
	if h.shared <= 1 {
		return x
	}
	x = b.Op("Expand", b.Unsqueeze(x, 2), b.Ints(1, 1, h.shared, 1, 1))
	return b.Op("Reshape", x, b.Ints(0, h.heads, -1, x.Shape[4].Mul))
}
