package op

import (
	"fmt"

	"pare/graph"
)

// contribRotary is RotaryEmbedding(x, positions, cos, sin), whose caches are
// looked up by position: [batch length] of them, or that of the first step.
func contribRotary(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	x, at, cos, sin := n.In(0), n.In(1), n.In(2), n.In(3)
	if x == nil || rank(at) < 1 || rank(cos) != 2 || !cos.Shape[1].Known() || n.Float("scale", 1) != 1 || n.Int("is_packed_batching", 0) != 0 {
		return nil, fmt.Errorf("its positions or its caches are not known, or samples are packed")
	}
	if rank(at) == 1 { // that of the first step
		if err := since(b, 11); err != nil {
			return nil, err
		}
		at = b.Op("Add", b.Unsqueeze(counted(b, sizeOf(b, x, len(x.Shape)-2)), 0), at)
	}
	freeze(cos, sin)
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

// freeze keeps constants that are looked up from being taken for tables of embeddings.
func freeze(vs ...*graph.Value) {
	for _, v := range vs {
		if v.IsConst() && v.Role == graph.Auto {
			v.Role = graph.Frozen
		}
	}
}
