package structure

import (
	"strings"

	"pare/graph"
)

// Gemm: y = A*B + C, either side transposed or not.
var _ = register(Rule{Tie: tieGemm, Zeros: zeroAsParams, Separate: true, Flow: FlowWeighs}, "Gemm")

func tieGemm(r *Relation, n *graph.Node) {
	a, b, c, y := n.In(0), n.In(1), n.In(2), n.Out(0)
	ta, tb := n.Int("transA", 0), n.Int("transB", 0)
	r.Same(a, ta, y, 0)
	r.Same(b, 1-tb, y, 1)
	r.Contract(a, 1-ta, b, tb)
	if c != nil {
		for d := range c.Shape {
			r.Same(c, d, y, d+2-len(c.Shape))
		}
	}
}

// MatMul: the last axis of A meets the last but one of B; leading axes are
// batches and broadcast.
var _ = register(Rule{Tie: tieMatMul, Zeros: zeroAsAny, Separate: true, Flow: FlowWeighs}, "MatMul")

func tieMatMul(r *Relation, n *graph.Node) {
	a, b, y := n.In(0), n.In(1), n.Out(0)
	ra, rb, ry := len(a.Shape), len(b.Shape), len(y.Shape)
	if ra == 0 || rb == 0 {
		r.Opaque("multiplies a scalar")
		return
	}
	if rb == 1 {
		r.Contract(a, ra-1, b, 0)
		for d := range ra - 1 {
			r.Same(a, d, y, d)
		}
		return
	}
	r.Contract(a, ra-1, b, rb-2)
	r.Same(b, rb-1, y, ry-1)
	if ra > 1 {
		r.Same(a, ra-2, y, ry-2)
	}
	skip := 2 // trailing axes of y that are not batches
	if ra == 1 {
		skip = 1
	}
	for k := 0; k < ry-skip; k++ {
		d := ry - skip - 1 - k
		if e := ra - 3 - k; e >= 0 {
			r.SameOr(a, e, y, d, "broadcasts this axis")
		}
		if e := rb - 3 - k; e >= 0 {
			r.SameOr(b, e, y, d, "broadcasts this axis")
		}
	}
}

// Einsum: axes of one letter go together; a letter that the result lacks is
// summed over. Any axis of an operand may make channels.
var _ = register(Rule{
	Tie: tieEinsum,
	Makes: func(n *graph.Node) []Operand {
		var out []Operand
		for i, v := range n.Inputs {
			for d := range v.Shape {
				out = append(out, Operand{i, d})
			}
		}
		return out
	},
	Zeros: zeroAsAny,
}, "Einsum")

func tieEinsum(r *Relation, n *graph.Node) {
	left, right, ok := strings.Cut(strings.ReplaceAll(n.Str("equation", ""), " ", ""), "->")
	terms := strings.Split(left, ",")
	if !ok || strings.Contains(left, ".") || len(terms) != len(n.Inputs) {
		r.Opaque("has an equation that cannot be followed")
		return
	}
	at := map[rune][]Axis{}
	for i, t := range terms {
		for d, c := range t {
			if strings.Count(t, string(c)) > 1 {
				r.Opaque("takes a diagonal")
				return
			}
			at[c] = append(at[c], Axis{n.In(i), d})
		}
	}
	for d, c := range right {
		for _, p := range at[c] {
			r.Same(p.Value, p.Dim, n.Out(0), d)
		}
	}
	for c, ps := range at {
		if strings.ContainsRune(right, c) {
			continue
		}
		zero := false
		for _, p := range ps {
			r.Same(ps[0].Value, ps[0].Dim, p.Value, p.Dim)
			zero = zero || r.Dead(p.Value, p.Dim)
		}
		if !zero {
			for _, p := range ps {
				r.Keep(p.Value, p.Dim, notZero)
			}
		}
	}
}
