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
	a := attended{r: r, y: Axis{y, 1}, queries: heads(n, q, "q_num_heads"), keys: heads(n, k, "kv_num_heads")}
	packed, length := len(q.Shape) == 3, 2
	if packed {
		a.y.Dim, length = 2, 1
	}
	if a.queries == 0 || a.keys == 0 || a.queries%a.keys != 0 || heads(n, v, "kv_num_heads") != a.keys || a.queries > 1 && r.Size(y, a.y.Dim) == 0 {
		r.Opaque("has heads of unknown number or size")
		return
	}
	a.per = max(1, r.Size(y, a.y.Dim)/a.queries)
	for _, x := range []*graph.Value{q, k, v, y} {
		r.Same(x, 0, y, 0)
		r.Keep(x, length, "compares all positions of this axis")
	}
	r.KeepFrom(n.In(6), 0, "reads lengths")
	a.tieHeads()
	a.tie(q, a.y.Dim, a.queries)
	a.tie(k, a.y.Dim, a.keys)
	a.tie(v, a.y.Dim, a.keys)
	switch {
	case !packed:
		r.Contract(q, 3, k, 3)
		r.Same(v, 3, y, 3)
	case a.keys == 1:
		r.Keep(k, 2, "has one head of keys")
		r.Keep(v, 2, "has one head of values")
		if a.queries == 1 {
			r.Keep(q, 2, "has one head")
			r.Keep(y, 2, "has one head")
		}
	}
	a.tieCaches(n, packed)
	for _, m := range []*graph.Value{n.In(3), n.Out(3)} { // mask and scores
		if m == nil {
			continue
		}
		rank := len(m.Shape)
		if rank > 2 && r.Size(m, rank-3) == a.queries {
			a.tie(m, rank-3, a.queries)
		} else {
			r.Keep(m, rank-3, "has this axis in every head")
		}
		r.Keep(m, rank-1, "compares all positions of this axis")
		r.Keep(m, rank-2, "compares all positions of this axis")
	}
}

// attended is an attention whose heads are tied along an axis of its output.
type attended struct {
	r             *Relation
	y             Axis
	per           int // positions of a head on that axis
	queries, keys int // heads
}

// tieHeads ties the positions of a head of the output, and the heads that share one
// of keys.
func (a *attended) tieHeads() {
	if a.queries == 1 {
		return
	}
	together := a.per
	if a.keys > 1 {
		together *= a.queries / a.keys
	}
	for i := range a.queries * a.per {
		a.r.Tie(a.y.Value, a.y.Dim, i, a.y.Value, a.y.Dim, i/together*together, 1)
	}
}

// tie ties an axis that holds so many heads to the output's.
func (a *attended) tie(x *graph.Value, dim, heads int) {
	size := a.r.Size(x, dim) / heads
	if heads == 1 || size == 0 {
		return
	}
	share := a.queries / heads
	a.r.TiePairs(x, dim, a.y.Value, a.y.Dim, func(yield func(i, j int) bool) {
		for i := range heads * size {
			for h := range share {
				if !yield(i, (i/size*share+h)*a.per) {
					return
				}
			}
		}
	})
}

// tieCaches ties keys and values of before and after, [batch heads length size].
func (a *attended) tieCaches(n *graph.Node, packed bool) {
	r := a.r
	for i, x := range []*graph.Value{n.In(4), n.Out(1), n.In(5), n.Out(2)} {
		if x == nil {
			continue
		}
		of := n.In(1 + i/2)
		r.Same(x, 0, of, 0)
		a.tie(x, 1, a.keys)
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
