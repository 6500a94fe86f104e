package structure

import "pare/graph"

// Shape reads sizes; a smaller axis shows in it by itself.
var _ = register(Rule{Tie: func(r *Relation, n *graph.Node) { r.KeepFrom(n.Out(0), 0, "") }, Sizes: true}, "Shape", "Size")

// Transpose moves axes.
var _ = register(Rule{Tie: tieTranspose, Zeros: zeroAsFirst, Flow: FlowScales}, "Transpose")

func tieTranspose(r *Relation, n *graph.Node) {
	for d := range n.Out(0).Shape {
		r.Same(n.In(0), transposed(n, d), n.Out(0), d)
	}
}

func transposed(n *graph.Node, dim int) int {
	rank := len(n.Out(0).Shape)
	if p := n.Ints("perm"); p != nil {
		return normal(p[dim], rank)
	}
	return rank - 1 - dim
}

// Squeeze and Unsqueeze drop or insert axes of one position: the others follow in
// order.
var _ = register(Rule{Tie: tieSqueeze, Zeros: zeroAsFirst, Separate: true, Flow: FlowScales}, "Squeeze", "Unsqueeze")

func tieSqueeze(r *Relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	i := 0
	for d := range y.Shape {
		if y.Shape[d] == graph.N(1) {
			continue
		}
		for i < len(x.Shape) && x.Shape[i] == graph.N(1) {
			i++
		}
		if i == len(x.Shape) {
			return
		}
		r.Same(x, i, y, d)
		i++
	}
}

// Expand repeats axes of one position.
var _ = register(Rule{Tie: tieExpand, Adapt: adaptShape(1), Zeros: zeroAsFirst, Flow: FlowScales}, "Expand")

func tieExpand(r *Relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	off := len(y.Shape) - len(x.Shape)
	for d := range x.Shape {
		r.SameOr(x, d, y, d+off, "repeats this axis")
	}
	r.repeatsZeros(x, y)
}

// Tile repeats the positions of an axis.
var _ = register(Rule{Tie: tieTile, Zeros: zeroAsFirst, Flow: FlowScales}, "Tile")

func tieTile(r *Relation, n *graph.Node) {
	x, y := n.In(0), n.Out(0)
	for d := range x.Shape {
		a, b := r.Size(x, d), r.Size(y, d)
		if a == 0 || b == 0 {
			r.Keep(x, d, "repeats this axis")
			r.Keep(y, d, "repeats this axis")
			continue
		}
		r.TiePairs(x, d, y, d, overlap(b, 1, 1, a, b))
	}
	r.repeatsZeros(x, y)
}

// repeatsZeros says that the output is zero where a constant input holds nothing
// else.
func (r *Relation) repeatsZeros(x, y *graph.Value) {
	if !x.IsConst() {
		return
	}
	f, err := x.Const.Float64s()
	for _, e := range f {
		if e != 0 {
			return
		}
	}
	for d := range y.Shape {
		if err == nil {
			r.Zero(y, d)
		}
	}
}

// ConstantOfShape makes positions that are free.
var _ = register(Rule{Tie: tieConstantOfShape, Adapt: adaptShape(0)}, "ConstantOfShape")

func tieConstantOfShape(r *Relation, n *graph.Node) {
	a := n.Attr("value")
	zero := a == nil
	if !zero && a.T != nil {
		x, err := a.T.Float64s()
		zero = err == nil && len(x) == 1 && x[0] == 0
	}
	for d := range n.Out(0).Shape {
		if zero {
			r.Zero(n.Out(0), d)
		}
	}
}
