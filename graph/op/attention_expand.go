package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

var _ = register(Def{Name: "Attention", Infer: inferAttention, Eval: evalAttention, Decompose: expandAttention,
	MACs: func(n *graph.Node) int64 {
		q, k, v := n.In(0).Shape, n.In(1).Shape, n.In(2).Shape
		keys := k[len(k)-2]
		if p := n.In(4); p != nil && len(p.Shape) == 4 {
			keys = keys.Plus(p.Shape[2])
		}
		perKey := q.Size(0, len(q)) // one product a query element and key
		out := n.Out(0).Shape
		if len(v) == 4 || len(q) == 3 {
			return int64(perKey.Times(keys).Mul) + int64(out.Size(0, len(out)).Times(keys).Mul)
		}
		return 0
	}})

// expandAttention writes an attention as products and a softmax.
func expandAttention(b *Builder, n *graph.Node) ([]*graph.Value, error) {
	if n.In(6) != nil {
		return nil, fmt.Errorf("an attention over keys of which some are padding is not written out")
	}
	if n.Out(3) != nil {
		return nil, fmt.Errorf("an attention that shows its scores is not written out")
	}
	var s [3][]int
	for i := range s {
		var ok bool
		if s[i], ok = n.In(i).Shape.Ints(); !ok {
			return nil, fmt.Errorf("the shape %v is not known", n.In(i).Shape)
		}
	}
	var past, mask []int
	for i, p := range map[int]*[]int{4: &past, 3: &mask} {
		if v := n.In(i); v != nil {
			var ok bool
			if *p, ok = v.Shape.Ints(); !ok {
				return nil, fmt.Errorf("the shape %v is not known", v.Shape)
			}
		}
	}
	c, err := attnOf(n, s[0], s[1], s[2], past, mask)
	if err != nil {
		return nil, err
	}
	heads := func(x *graph.Value, h, l, d int) *graph.Value {
		if !c.packed {
			return x
		}
		return b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 2, 1, 3})}, b.Op("Reshape", x, b.Ints(c.b, l, h, d)))
	}
	join := func(past, x *graph.Value) *graph.Value {
		if past == nil {
			return x
		}
		return b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", 2)}, past, x)
	}
	q := heads(n.In(0), c.hq, c.lq, c.d)
	k := join(n.In(4), heads(n.In(1), c.hkv, c.lkv, c.d))
	v := join(n.In(5), heads(n.In(2), c.hkv, c.lkv, c.dv))
	// query heads that share keys become rows of one product
	group := c.hq / c.hkv
	rows := group * c.lq
	q = b.Op("Reshape", q, b.Ints(c.b, c.hkv, rows, c.d))
	scores := b.Op("MatMul", b.Op("Mul", q, b.Scalar(c.scale, q)), transpose2(b, k))
	scores = b.Op("Reshape", scores, b.Ints(c.b, c.hq, c.lq, c.lk))
	if c.softcap > 0 {
		cap := b.Scalar(c.softcap, scores)
		scores = b.Op("Mul", b.Op("Tanh", b.Op("Div", scores, cap)), cap)
	}
	bias := c.biasOf(b, n.In(3), scores)
	var seen *graph.Value // 0 for a query that may see no key
	if bias != nil {
		if n.In(3) != nil || c.left >= 0 || c.right >= 0 {
			top := reduce(b, "ReduceMax", bias, []int{len(bias.Shape) - 1}, true)
			least := b.Scalar(math.Inf(-1), bias)
			hidden := b.Op("Equal", top, least)
			bias = b.Op("Where", hidden, b.Scalar(0, bias), bias)
			seen = cast(b, b.Op("Not", hidden), scores.DType)
		}
		scores = b.Op("Add", scores, bias)
	}
	p := b.Attr("Softmax", []graph.Attr{graph.MakeAttr("axis", 3)}, scores)
	if seen != nil {
		p = b.Op("Mul", p, seen)
	}
	p = b.Op("Reshape", p, b.Ints(c.b, c.hkv, rows, c.lk))
	y := b.Op("Reshape", b.Op("MatMul", p, v), b.Ints(c.b, c.hq, c.lq, c.dv))
	if c.packed {
		y = b.Op("Reshape", b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 2, 1, 3})}, y), b.Ints(c.b, c.lq, c.hq*c.dv))
	}
	return []*graph.Value{y, k, v, scores}, nil
}

// biasOf is the sum of the mask and what the causal limit and the window hide;
// nil where nothing is hidden.
func (c *attnCase) biasOf(b *Builder, mask, scores *graph.Value) *graph.Value {
	var bias *graph.Value
	if mask != nil {
		none := b.Scalar(math.Inf(-1), scores)
		if mask.DType == tensor.Bool {
			bias = b.Op("Where", mask, b.Scalar(0, scores), none)
		} else {
			bias = mask
		}
		if short := c.lk - c.maskShape[len(c.maskShape)-1]; short > 0 {
			pads := make([]int, 2*len(c.maskShape))
			pads[len(pads)-1] = short
			bias = b.Op("Pad", bias, b.Ints(pads...), none)
		}
	}
	if !c.causal && c.left < 0 && c.right < 0 {
		return bias
	}
	one := *c
	one.b, one.hq, one.maskShape = 1, 1, nil
	f, _ := one.bias(nil, nil)
	t, err := ofFloats(scores.DType, []int{c.lq, c.lk}, f)
	if err != nil {
		b.err = err
		return bias
	}
	limit := b.Const(t)
	if bias == nil {
		return limit
	}
	return b.Op("Add", bias, limit)
}
