package expert

import (
	"fmt"
	"math"
	"slices"

	"pare/graph"
	"pare/graph/op"
	"pare/prune/structure"
)

// kind says what a value holds, along the axis of the experts, for one whose logit is
// negative infinity.
type kind uint8

const (
	carried kind = iota // anything: it does not know
	logits              // negative infinity
	ranked              // a number by which it is only chosen or not, as if it were that
	zero                // zero, or false
)

// judge says, node by node, what is known of an expert that is never chosen, and whether
// what every sum over the experts adds up is zero for it: an error where it is not.
func (w *walk) judge(start *graph.Value) error {
	for _, n := range w.g.Nodes {
		if n == start.From {
			continue
		}
		var err error
		switch owned := w.owned(n); {
		case len(owned) > 0 && !w.joins0(n):
			err = w.alone(n, owned)
		case w.nodes[n]:
			err = w.kindOf(n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// joins0 says whether a node puts what single experts make side by side.
func (w *walk) joins0(n *graph.Node) bool {
	d, ok := w.dims[n.Out(0)]
	return ok && n.Is("Concat") && d == normal(n.Int("axis", 0), len(n.Out(0).Shape))
}

// is says whether a value is of a kind.
func (w *walk) is(v *graph.Value, k kind) bool {
	if v == nil {
		return false
	}
	if k == zero && zeros(v) {
		return true
	}
	_, ok := w.dims[v]
	return ok && w.kinds[v] == k
}

// zeros says whether a constant is zero everywhere.
func zeros(v *graph.Value) bool {
	if !v.IsConst() {
		return false
	}
	f, err := v.Const.Float64s()
	return err == nil && !slices.ContainsFunc(f, func(x float64) bool { return x != 0 })
}

// lowest says whether a constant is negative infinity, or as good as that.
func lowest(v *graph.Value) bool {
	if !v.IsConst() {
		return false
	}
	f, err := v.Const.Float64s()
	return err == nil && !slices.ContainsFunc(f, func(x float64) bool { return !(math.IsInf(x, -1) || x <= -1e9) })
}

// here says whether the axis of the experts of a node's inputs is one of its output's.
func (w *walk) here(n *graph.Node) bool { _, ok := w.dims[n.Out(0)]; return ok }

// some says whether an input that has the axis of the experts is of one of the kinds.
func (w *walk) some(n *graph.Node, ks ...kind) bool {
	return slices.ContainsFunc(n.Inputs, func(v *graph.Value) bool {
		_, ok := w.dims[v]
		return ok && v != nil && slices.Contains(ks, w.kinds[v])
	})
}

// wrong is the error of a node that mixes experts.
func wrong(n *graph.Node, does string) error {
	return fmt.Errorf("%s %s over the experts, where one that is missing is not known to be zero", told(n), does)
}

// kindOf finds the kind of what a node makes of values that have the axis.
func (w *walk) kindOf(n *graph.Node) error {
	switch {
	case op.IsMoE(n):
		if !w.is(n.In(op.MoERouter), logits) {
			return wrong(n, "chooses by other numbers than the router's")
		}
		return nil
	case n.Is("Equal"):
		if e, ok := w.single(n); ok {
			w.owner[n.Out(0)] = part{of: []int{e}, zero: true}
		} else if _, ok := w.counted(n); ok {
			w.kinds[n.Out(0)] = zero
		}
		return nil
	case elementwise[n.Op], alone[n.Op]:
		if w.here(n) {
			w.kinds[n.Out(0)] = w.computed(n)
		}
		return nil
	}
	return w.moved(n)
}

// towardsZero are functions that are zero at negative infinity.
var towardsZero = names("Exp HardSigmoid Relu Sigmoid Softplus")

// computed is the kind of what an elementwise node makes.
func (w *walk) computed(n *graph.Node) kind {
	if zeroOf(n, func(v *graph.Value) bool { return w.is(v, zero) }) {
		return zero
	}
	x, y := n.In(0), n.In(1)
	switch {
	case towardsZero[n.Op] && w.is(x, logits):
		return zero
	case n.Is("Greater", "GreaterOrEqual") && (w.is(x, logits) || w.is(x, zero) && !zeros(x)) && w.unmarked(y):
		return zero // no threshold lies below
	case n.Is("Less", "LessOrEqual") && (w.is(y, logits) || w.is(y, zero) && !zeros(y)) && w.unmarked(x):
		return zero
	case n.Is("Where") && w.is(x, zero) && w.is(n.In(2), zero):
		return zero
	case n.Is("Where") && w.is(x, zero) && lowest(n.In(2)):
		return logits
	case n.Is("Where") && (w.is(y, logits) || lowest(y)) && (w.is(n.In(2), logits) || lowest(n.In(2))):
		return logits
	case n.Is("Where"):
		if !w.some(n, logits, ranked, zero) {
			return carried
		}
		return ranked
	case n.Is("Cast", "Identity", "Clip", "Dropout", "Tanh", "Log", "Mul", "Div", "Add", "Sub") && w.some(n, logits) && !w.some(n, zero, ranked):
		return logits // by numbers that every expert has, or all share
	case n.Is("Mul", "Div", "Add", "Sub", "Cast", "Identity") && w.some(n, logits, ranked, zero):
		return ranked
	}
	return carried
}

func (w *walk) unmarked(v *graph.Value) bool { _, ok := w.dims[v]; return !ok }

// zeroOf says whether the output of a node is zero where those of its inputs are that
// isZero says.
func zeroOf(n *graph.Node, isZero func(v *graph.Value) bool) bool {
	z := structure.RuleOf(n).Zeros
	if z.Pass == structure.NoZeros || z.If != nil && !z.If(n) {
		return false
	}
	for _, i := range z.Unless {
		if v := n.In(i); v != nil && isZero(v) {
			return false
		}
	}
	all, some := true, false
	for i, v := range n.Inputs {
		if v != nil && (z.Of == nil || slices.Contains(z.Of, i)) {
			all, some = all && isZero(v), some || isZero(v)
		}
	}
	return some && (all || z.Pass == structure.AnyZero)
}

// moved is kindOf for nodes that move, choose or sum.
func (w *walk) moved(n *graph.Node) error {
	x, y := n.In(0), n.Out(0)
	d, marked := w.dims[x]
	switch n.Op {
	case "MatMul", "Gemm", "Einsum":
		if !w.here(n) {
			if !w.some(n, zero) {
				return wrong(n, "sums")
			}
			return nil
		}
		if w.kinds[y] = carried; zeroOf(n, func(v *graph.Value) bool { return w.is(v, zero) }) || n.Op != "Gemm" && w.some(n, zero) {
			w.kinds[y] = zero
		}
	case "Softmax", "LogSoftmax", "LayerNormalization", "RMSNormalization":
		return w.normalised(n, d)
	case "TopK", "ArgMax":
		if w.index[y] || w.index[n.Out(1)] {
			if !w.some(n, logits, ranked, zero) {
				return wrong(n, "chooses")
			}
			return nil
		}
		return fmt.Errorf("%s chooses along another axis than the experts'", told(n))
	case "ReduceSum", "ReduceMean", "ReduceMax":
		switch {
		case w.here(n):
			if w.kinds[y] = carried; w.is(x, zero) {
				w.kinds[y] = zero
			}
		case n.Op == "ReduceSum" && w.is(x, zero), n.Op == "ReduceMax" && w.is(x, logits):
		default:
			return wrong(n, "reduces")
		}
	case "Concat":
		return w.joined(n)
	case "Slice", "Split", "Gather":
		if marked && !w.index[n.In(1)] && w.unmarked(y) {
			return w.picked(n, d)
		}
		w.pass(n)
	case "GatherElements", "GatherND":
		w.pass(n)
	case "ScatterElements":
		if w.here(n) {
			if w.kinds[y] = zero; !w.is(x, zero) || !w.index[n.In(1)] {
				w.kinds[y] = carried
			}
		}
	case "OneHot":
		if depth, ok := n.In(1).Ints(); !w.here(n) || !ok || len(depth) != 1 || !startsAtZero(n.In(2)) {
			return fmt.Errorf("%s marks what is not chosen by another number than zero, or by numbers that are not constant", told(n))
		}
		w.kinds[y] = zero
	case "Shape":
		if marked {
			for _, u := range w.uses[y] {
				if !u.Node.Is("Reshape", "Expand", "ConstantOfShape") {
					return fmt.Errorf("%s computes with the number of experts", told(u.Node))
				}
			}
		}
	case "ConstantOfShape":
		if a := n.Attr("value"); w.here(n) && (a == nil || a.T == nil || zeros(&graph.Value{Const: a.T})) {
			w.kinds[y] = zero
		}
	default: // Transpose, Reshape …
		w.pass(n)
	}
	return nil
}

// startsAtZero says whether the first of two constants is zero.
func startsAtZero(v *graph.Value) bool {
	if !v.IsConst() {
		return false
	}
	f, err := v.Const.Float64s()
	return err == nil && len(f) == 2 && f[0] == 0
}

// pass hands the kind of the first input on.
func (w *walk) pass(n *graph.Node) {
	for _, o := range n.Outputs {
		if _, ok := w.dims[o]; !ok || o == nil {
			continue
		}
		if w.kinds[o] = w.kinds[n.In(0)]; zeros(n.In(0)) {
			w.kinds[o] = zero
		}
	}
}

// normalised is moved for a softmax or a normalisation.
func (w *walk) normalised(n *graph.Node, d int) error {
	rank := len(n.In(0).Shape)
	a := normal(n.Int("axis", -1), rank)
	over := d == a
	if n.Is("LayerNormalization", "RMSNormalization") {
		over = d >= a
	} else if w.g.Version("") < 13 {
		a = normal(n.Int("axis", 1), rank)
		over = d >= a
	}
	switch {
	case !over:
		w.kinds[n.Out(0)] = carried
	case n.Is("Softmax") && w.is(n.In(0), logits):
		w.kinds[n.Out(0)] = zero
	case n.Is("LogSoftmax") && w.is(n.In(0), logits):
		w.kinds[n.Out(0)] = logits
	default:
		return wrong(n, "normalises")
	}
	return nil
}
