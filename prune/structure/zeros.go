package structure

import (
	"slices"

	"pare/graph"
)

// A channel may be cut where all that reads it multiplies it by a weight that
// goes with it. Where an operator sums over an axis without such a weight, as
// the product of queries and keys does, what is cut must have been zero. So for
// every axis it is followed whether a position holds zeros once the weights of
// its class are zero: the output of a convolution does, and still behind a
// ReLU, but not behind a sigmoid.

// Zeros says where the outputs of an operator are zero: where all of some inputs
// are, or any of them. The zero value says that they need not be anywhere.
type Zeros struct {
	Pass   Pass
	Of     []int                    // inputs that count; nil: all
	Unless []int                    // inputs that must not be zero as well: a divisor
	If     func(n *graph.Node) bool // whether it holds for this node; nil: always
}

// Pass says how an operator treats zeros.
type Pass uint8

// How zeros pass.
const (
	NoZeros Pass = iota
	AllZero      // the output is zero where all of the inputs are
	AnyZero      // the output is zero where any of the inputs is
)

var (
	zeroAsFirst  = Zeros{Pass: AllZero, Of: []int{0}}    // with the first input; the others are settings
	zeroAsParams = Zeros{Pass: AllZero, Of: []int{1, 2}} // with what multiplies and what is added
	zeroAsAll    = Zeros{Pass: AllZero}
	zeroAsAny    = Zeros{Pass: AnyZero}
)

// Dead says whether the positions of an axis that are cut hold zeros.
func (r *Relation) Dead(v *graph.Value, dim int) bool {
	if v.IsConst() {
		return v.DType.IsFloat()
	}
	if r.choice.survey { // zeros do not pass choices yet
		return true
	}
	return r.zero[Axis{v, dim}]
}

// Zero says of an output of the node that the positions of an axis that are cut
// hold zeros, where that is more than the rule's Zeros says.
func (r *Relation) Zero(v *graph.Value, dim int) { r.zero[Axis{v, dim}] = true }

// follow tells where the outputs of a node are zero, from the links that its
// rule has made.
func (r *Relation) follow(n *graph.Node, z Zeros) {
	if z.Pass == NoZeros || z.If != nil && !z.If(n) {
		return
	}
	counts := func(i int) bool { return z.Of == nil || slices.Contains(z.Of, i) }
	for _, o := range n.Outputs {
		if o == nil {
			continue
		}
		for d := range o.Shape {
			to := Axis{o, d}
			if r.Size(o, d) == 0 {
				continue
			}
			linked := r.linked(to)
			all, any := true, false
			for i, v := range n.Inputs {
				if v != nil && counts(i) {
					all, any = all && linked[v], any || linked[v]
				}
			}
			zero := any && (all || z.Pass == AnyZero)
			for _, i := range z.Unless {
				zero = zero && !linked[n.In(i)]
			}
			r.zero[to] = r.zero[to] || zero
		}
	}
}

// linked lists the values that the node's rule has tied to an axis: are they zero?
func (r *Relation) linked(to Axis) map[*graph.Value]bool {
	out := map[*graph.Value]bool{}
	for _, l := range r.links {
		from := l.a
		if from == to {
			from = l.b
		} else if l.b != to {
			continue
		}
		was, ok := out[from.Value]
		out[from.Value] = r.Dead(from.Value, from.Dim) && (was || !ok)
	}
	return out
}

// scalar gives the number of a constant with one entry.
func scalar(v *graph.Value) (float64, bool) {
	if !v.IsConst() || v.Const.Len() != 1 {
		return 0, false
	}
	if f, err := v.Const.Float64s(); err == nil {
		return f[0], true
	}
	if s, err := v.Const.Int64s(); err == nil {
		return float64(s[0]), true
	}
	return 0, false
}

// normal counts an axis from the front.
func normal(axis, rank int) int {
	if axis < 0 {
		return axis + rank
	}
	return axis
}
