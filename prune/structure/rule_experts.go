package structure

import (
	"iter"

	"pare/graph"
	"pare/graph/op"
)

// MoE: a mixture of experts of ONNX Runtime. The width of its tokens goes along with what
// makes and reads them, and the width within its experts with nothing else: the same
// positions of all experts go, for these are one axis of a stack of matrices. Which experts
// there are is no channel: what is missing is not zero, but never chosen (see package
// expert).
var _ = func() bool {
	Register(Rule{Domain: op.ContribDomain, Op: "MoE", Tie: tieMoE, Zeros: Zeros{Pass: AllZero, Of: []int{op.MoESecond, op.MoESecondBias}},
		Makes: func(n *graph.Node) []Operand {
			return []Operand{{op.MoEFirst, 1}, {op.MoESecond, 1}, {op.MoEThird, 1}}
		}})
	return true
}()

func tieMoE(r *Relation, n *graph.Node) {
	m, err := op.MixtureOf(n)
	if err != nil {
		r.Opaque("is a mixture of experts of a form that is not known: " + err.Error())
		return
	}
	x, router, y := n.In(op.MoEInput), n.In(op.MoERouter), n.Out(0)
	w1, b1, w2, b2, w3, b3 := n.In(op.MoEFirst), n.In(op.MoEFirstBias), n.In(op.MoESecond), n.In(op.MoESecondBias), n.In(op.MoEThird), n.In(op.MoEThirdBias)
	const chooses = "chooses among its experts: method experts cuts these"
	for _, v := range []*graph.Value{w1, b1, w2, b2, w3, b3} {
		r.Keep(v, 0, chooses)
	}
	r.Keep(router, 1, chooses)
	last := len(x.Shape) - 1
	for d := range last {
		r.Same(x, d, y, d)
	}
	if last == 1 {
		r.Same(router, 0, y, 0)
	} else { // tokens of several axes are rows of the logits
		r.KeepFrom(router, 0, "takes tokens for rows")
		for d := range last {
			r.Keep(y, d, "takes tokens for rows")
		}
	}
	r.Contract(x, last, w1, 2)
	r.Same(x, last, y, last) // experts give as many numbers as they read
	r.Same(y, last, w2, 1)
	r.Same(y, last, b2, 1)
	if w3 != nil {
		r.Contract(x, last, w3, 2)
		r.Same(w3, 1, w2, 2)
		r.Same(b3, 1, w2, 2)
	}
	for k := range m.Paired.Of(0, m.Inner) {
		r.TiePairs(w2, 2, w1, 1, rowsOf(m, k))
		r.TiePairs(w2, 2, b1, 1, rowsOf(m, k))
	}
}

// rowsOf pairs positions within experts with rows of their first weight that make them.
func rowsOf(m *op.Mixture, k int) iter.Seq2[int, int] {
	return func(yield func(i, j int) bool) {
		for i := range m.Inner {
			if !yield(i, m.Paired.Of(i, m.Inner)[k]) {
				return
			}
		}
	}
}
