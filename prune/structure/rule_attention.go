package structure

import (
	"math"

	"pare/graph"
)

// Attention goes by heads: a head of keys and values with all the heads of queries
// that share it, or where all share one, heads of queries. Where heads are an axis
// of their own, positions within all of them may go as well.
var _ = register(Rule{Tie: tieAttention, Adapt: adaptAttention, Zeros: Zeros{Pass: AllZero, Of: []int{2}}}, "Attention")

func tieAttention(r *Relation, n *graph.Node) {
	q, k, v, y := n.In(0), n.In(1), n.In(2), n.Out(0)
	hq, hkv := heads(n, q, "q_num_heads"), heads(n, k, "kv_num_heads")
	if hq == 0 || hkv == 0 || hq%hkv != 0 || heads(n, v, "kv_num_heads") != hkv {
		r.Opaque("has heads of unknown number")
		return
	}
	packed := len(q.Shape) == 3
	length := 2
	if packed {
		length = 1
	}
	for _, x := range []*graph.Value{q, k, v, y} {
		r.Same(x, 0, y, 0)
		r.Keep(x, length, "compares all positions of this axis")
	}
	r.KeepFrom(n.In(6), 0, "reads lengths")
	at := Axis{y, 1}
	if packed {
		at.Dim = 2
	}
	if r.Size(at.Value, at.Dim) == 0 && hq > 1 {
		r.Opaque("has heads of unknown size")
		return
	}
	per := max(1, r.Size(at.Value, at.Dim)/hq) // positions of a head of y on that axis
	// by ties an axis that holds so many heads to those of y
	by := func(x *graph.Value, dim, of int) {
		if x == nil || of == 1 || dim < 0 || r.Size(x, dim) == 0 {
			return
		}
		size := r.Size(x, dim) / of
		share := hq / of
		r.TiePairs(x, dim, at.Value, at.Dim, func(yield func(i, j int) bool) {
			for i := range of * size {
				for h := range share {
					if !yield(i, (i/size*share+h)*per) {
						return
					}
				}
			}
		})
	}
	if hq > 1 { // the positions of a head, and the heads that share one, go together
		share := 1
		if hkv > 1 {
			share = hq / hkv
		}
		for i := range hq * per {
			r.Tie(y, at.Dim, i, y, at.Dim, i/(per*share)*(per*share), 1)
		}
	}
	if packed {
		by(q, 2, hq)
		by(k, 2, hkv)
		by(v, 2, hkv)
		if hq > 1 && hkv == 1 || hq == 1 {
			r.Keep(k, 2, "has one head of keys")
			r.Keep(v, 2, "has one head of values")
		}
		if hq == 1 {
			r.Keep(q, 2, "has one head")
			r.Keep(y, 2, "has one head")
		}
	} else {
		by(q, 1, hq)
		by(k, 1, hkv)
		by(v, 1, hkv)
		r.Contract(q, 3, k, 3)
		r.Same(v, 3, y, 3)
	}
	tieCaches(r, n, packed, func(x *graph.Value, dim int) { by(x, dim, hkv) })
	for _, m := range []*graph.Value{n.In(3), n.Out(3)} { // mask and scores
		if m == nil {
			continue
		}
		rank := len(m.Shape)
		if rank > 2 && r.Size(m, rank-3) == hq {
			by(m, rank-3, hq)
		} else {
			r.Keep(m, rank-3, "has this axis in every head")
		}
		r.Keep(m, rank-1, "compares all positions of this axis")
		r.Keep(m, rank-2, "compares all positions of this axis")
	}
}

// tieCaches ties keys and values of before and after, [batch heads length size].
func tieCaches(r *Relation, n *graph.Node, packed bool, heads func(x *graph.Value, dim int)) {
	for i, x := range []*graph.Value{n.In(4), n.Out(1), n.In(5), n.Out(2)} {
		if x == nil {
			continue
		}
		of := n.In(1 + i/2)
		r.Same(x, 0, of, 0)
		heads(x, 1)
		r.Keep(x, 2, "compares all positions of this axis")
		if packed {
			r.Keep(x, 3, "has this axis in every head")
		} else {
			r.Same(x, 3, of, 3)
		}
	}
}

// heads is the number of heads of a tensor of an attention; 0 where it is not known.
func heads(n *graph.Node, x *graph.Value, attr string) int {
	switch {
	case x == nil || len(x.Shape) != 3 && len(x.Shape) != 4:
		return 0
	case len(x.Shape) == 4 && x.Shape[1].Known():
		return x.Shape[1].Mul
	case len(x.Shape) == 4:
		return 0
	}
	h := n.Int(attr, 0)
	if h < 1 || !x.Shape[2].Known() || x.Shape[2].Mul%h != 0 {
		return 0
	}
	return h
}

// adaptAttention changes the numbers of heads, and keeps the scale where a head
// becomes smaller.
func adaptAttention(c *Cutting) error {
	q, k := c.Old.In(0), c.Old.In(1)
	for _, e := range []struct {
		x    *graph.Value
		attr string
	}{{q, "q_num_heads"}, {k, "kv_num_heads"}} {
		if m := c.Kept(e.x, 2); m != nil && len(e.x.Shape) == 3 {
			h := heads(c.Old, e.x, e.attr)
			c.New.Set(e.attr, m.Count()/(m.Len/h))
		}
	}
	if len(q.Shape) == 4 && c.Kept(q, 3) != nil && c.Old.Attr("scale") == nil {
		c.New.Set("scale", 1/math.Sqrt(float64(q.Shape[3].Mul)))
	}
	return nil
}

// Rotary embeddings turn pairs of positions within every head.
var _ = register(Rule{Tie: tieRotary, Adapt: adaptRotary, Zeros: zeroAsFirst}, "RotaryEmbedding")

func tieRotary(r *Relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	for _, v := range n.Inputs[1:] {
		r.KeepFrom(v, 0, "turns by angles of this axis")
	}
	last := len(x.Shape) - 1
	for d := range last {
		if d == 1 && last == 3 { // heads
			r.Same(x, d, y, d)
			continue
		}
		r.Keep(x, d, "turns every position of this axis by an angle of its own")
		r.Keep(y, d, "turns every position of this axis by an angle of its own")
	}
	h := heads(n, x, "num_heads")
	if last != 2 || h < 2 || r.Size(x, last) == 0 {
		r.Keep(x, last, "turns pairs of this axis")
		r.Keep(y, last, "turns pairs of this axis")
		return
	}
	r.Same(x, last, y, last)
	size := r.Size(x, last) / h
	for i := range h * size {
		r.Tie(y, last, i, y, last, i/size*size, 1)
	}
}

func adaptRotary(c *Cutting) error {
	if m := c.Kept(c.Old.In(0), 2); m != nil && len(c.Old.In(0).Shape) == 3 {
		c.New.Set("num_heads", m.Count()/(m.Len/c.Old.Int("num_heads", 1)))
	}
	return nil
}

// A gate: a*sigmoid(alpha*a)*b.
var _ = register(Rule{Tie: tieBroadcast, Zeros: zeroAsAny}, "SwiGLU")

// A causal convolution treats every channel on its own. What it hands on is the end
// of its input.
var _ = register(Rule{Tie: tieCausalConv, Zeros: Zeros{Pass: AllZero, Of: []int{1, 2}}}, "CausalConvWithState")

func tieCausalConv(r *Relation, n *graph.Node) {
	x, w, y := n.In(0), n.In(1), n.Out(0)
	r.Same(x, 0, y, 0)
	r.Same(x, 1, y, 1)
	r.Same(w, 0, y, 1)
	r.KeepFrom(w, 1, "slides over this axis")
	r.Same(n.In(2), 0, y, 1)
	for _, v := range []*graph.Value{n.In(3), n.Out(1)} {
		r.Same(v, 0, x, 0)
		r.Same(v, 1, x, 1)
	}
	for _, v := range []*graph.Value{x, y, n.In(3), n.Out(1)} {
		r.Keep(v, 2, "slides over this axis")
	}
}
