// Package structure finds the channels of a network that must be cut together,
// and cuts them.
//
// Every axis of every value is a list of positions. Operators tie positions of
// their inputs, weights and outputs to each other: removing one forces the
// removal of the other. The classes of this relation are the coupled channels
// (Fang et al. 2023, "DepGraph"; Wang et al. 2024, "Structurally Prune
// Anything"). An operator that mixes the positions of an axis, or that has no
// rule, protects that axis: what is coupled to it stays whole, and the reason
// is kept.
//
// What an operator does is its Rule, in the file of its family (rule_*.go); the
// rest of the package knows no operator by name.
package structure

import (
	"fmt"
	"iter"
	"strings"

	"pare/graph"
)

// Axis is one dimension of one value.
type Axis struct {
	Value *graph.Value
	Dim   int
}

// Relation says which positions of a network's axes are coupled. The rules of its
// operators make it: every node's Tie is called in order, with the relation as the
// nodes before have left it. Axes of one position and those of unknown size are not
// tracked; all methods pass over them, and over values that are nil.
type Relation struct {
	*positions
	g       *graph.Graph
	numbers *numbers

	node   *graph.Node   // whose rule runs
	who    string        // its name in reasons
	links  []link        // what its rule has tied
	zero   map[Axis]bool // see zeros.go
	choice *choices
	uses   map[*graph.Value][]graph.Use
}

// link says that a rule tied positions of two axes.
type link struct{ a, b Axis }

// relate builds the relation of the whole network. Its inputs and outputs are
// protected.
func relate(g *graph.Graph) *Relation {
	c := &choices{survey: true, failed: map[choice]map[int]bool{}}
	relateOnce(g, c).surveyed()
	for k := 1; ; k++ {
		r := relateOnce(g, c)
		if !r.revise() || k == rounds {
			return r
		}
	}
}

func relateOnce(g *graph.Graph, c *choices) *Relation {
	r := newRelation(g, c)
	for _, v := range g.Inputs {
		r.who = "input " + v.Name + " of the network"
		r.KeepFrom(v, 0, "")
	}
	for _, n := range g.Nodes {
		r.node, r.who, r.links = n, name(n), r.links[:0]
		switch rule := RuleOf(n); {
		case rule.Tie == nil:
			r.Opaque(ruleless(n))
		case unknownRank(n):
			r.Opaque("has a value of unknown rank")
		default:
			rule.Tie(r, n)
			r.follow(n, rule.Zeros)
		}
	}
	for _, v := range g.Outputs {
		r.who = "output " + v.Name + " of the network"
		r.KeepFrom(v, 0, "")
	}
	return r
}

// ruleless says why there is no rule for a node.
func ruleless(n *graph.Node) string {
	switch n.Op {
	case "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger":
		return "is of a quantised network: cut channels of the float32 network that it was made from, and quantise what is left"
	}
	return "has no rule for its channels"
}

func unknownRank(n *graph.Node) bool {
	for _, vs := range [][]*graph.Value{n.Inputs, n.Outputs} {
		for _, v := range vs {
			if v != nil && v.Shape == nil {
				return true
			}
		}
	}
	return false
}

func newRelation(g *graph.Graph, c *choices) *Relation {
	return &Relation{positions: newPositions(g), g: g, numbers: &numbers{g: g}, zero: map[Axis]bool{}, choice: c, uses: g.Uses()}
}

// Opset is the version of the operators of the node's domain.
func (r *Relation) Opset() int { return r.g.Version(r.node.Domain) }

// Size is the number of positions of an axis; 0 where it is not tracked.
func (r *Relation) Size(v *graph.Value, dim int) int {
	if v == nil || dim < 0 || dim >= len(v.Shape) {
		return 0
	}
	if _, ok := r.base[Axis{v, dim}]; !ok {
		return 0
	}
	return v.Shape[dim].Mul
}

// Same ties two axes position by position. Where their sizes differ both are
// protected, unless one has a single position (broadcasting).
func (r *Relation) Same(v *graph.Value, dv int, w *graph.Value, dw int) {
	r.SameOr(v, dv, w, dw, "")
}

// SameOr is Same with what the node does to axes of different sizes, as Keep says it.
func (r *Relation) SameOr(v *graph.Value, dv int, w *graph.Value, dw int, why string) {
	if v == nil || w == nil || dv < 0 || dw < 0 { // left out, or broadcast over an axis that it lacks
		return
	}
	n, m := r.Size(v, dv), r.Size(w, dw)
	switch {
	case n == m:
		r.Tie(v, dv, 0, w, dw, 0, n)
	case n == 0 && dv < len(v.Shape) && v.Shape[dv] == graph.N(1):
	case m == 0 && dw < len(w.Shape) && w.Shape[dw] == graph.N(1):
	default:
		r.Keep(v, dv, why)
		r.Keep(w, dw, why)
	}
}

// sameAxes is Same for every axis of two values of equal shapes.
func (r *Relation) sameAxes(x, y *graph.Value) {
	for d := range x.Shape {
		r.Same(x, d, y, d)
	}
}

// Tie ties n positions of one axis, from i on, to those of another, from j on.
func (r *Relation) Tie(v *graph.Value, dv, i int, w *graph.Value, dw, j, n int) {
	r.TiePairs(v, dv, w, dw, func(yield func(i, j int) bool) {
		for k := range n {
			if !yield(i+k, j+k) {
				return
			}
		}
	})
}

// TiePairs ties the positions of two axes that pairs lists.
func (r *Relation) TiePairs(v *graph.Value, dv int, w *graph.Value, dw int, pairs iter.Seq2[int, int]) {
	a, b := Axis{v, dv}, Axis{w, dw}
	if r.Size(v, dv) == 0 || r.Size(w, dw) == 0 {
		if r.long[a] {
			r.Keep(w, dw, tooLong(a))
		}
		if r.long[b] {
			r.Keep(v, dv, tooLong(b))
		}
		return
	}
	r.links = append(r.links, link{a, b})
	x, y := r.base[a], r.base[b]
	for i, j := range pairs {
		r.union(x+int32(i), y+int32(j))
	}
}

// indexed pairs the position that is listed at j with j.
func indexed(at []int) iter.Seq2[int, int] {
	return func(yield func(i, j int) bool) {
		for j, i := range at {
			if !yield(i, j) {
				return
			}
		}
	}
}

// Contract ties two axes over which the node sums products. Unless one of them is
// zero where it is cut both are protected.
func (r *Relation) Contract(a *graph.Value, da int, b *graph.Value, db int) {
	r.Same(a, da, b, db)
	if r.Size(a, da) > 0 && !r.Dead(a, da) && !r.Dead(b, db) {
		r.Keep(a, da, notZero)
		r.Keep(b, db, notZero)
	}
}

const notZero = "sums over this axis, where a channel that is cut need not be zero"

// Keep protects all positions of an axis. The reason is a verb phrase that goes on
// after the node's name: "slides over this axis".
func (r *Relation) Keep(v *graph.Value, dim int, why string) {
	r.protectRange(v, dim, 0, r.Size(v, dim), why)
}

// KeepOne protects one position of an axis.
func (r *Relation) KeepOne(v *graph.Value, dim, i int, why string) {
	r.protectRange(v, dim, i, min(i+1, r.Size(v, dim)), why)
}

func (r *Relation) protectRange(v *graph.Value, dim, lo, hi int, why string) {
	if lo >= hi {
		return
	}
	b := r.base[Axis{v, dim}]
	r.keep(b+int32(lo), b+int32(hi), strings.TrimSpace(r.who+" "+why))
}

// KeepFrom protects the axes of a value from dim on.
func (r *Relation) KeepFrom(v *graph.Value, dim int, why string) {
	if v == nil {
		return
	}
	for d := dim; d < len(v.Shape); d++ {
		r.Keep(v, d, why)
	}
}

// Opaque protects every axis that the node touches.
func (r *Relation) Opaque(why string) {
	for _, vs := range [][]*graph.Value{r.node.Captures(), r.node.Inputs, r.node.Outputs} {
		for _, v := range vs {
			r.KeepFrom(v, 0, why)
		}
	}
}

// free says whether some position of a tracked axis is not protected so far.
func (r *Relation) free(a Axis) bool {
	for i := range r.Size(a.Value, a.Dim) {
		if _, no := r.stays(r.base[a] + int32(i)); !no {
			return true
		}
	}
	return false
}

// apart says whether the positions of an axis are in at least two classes.
func (r *Relation) apart(a Axis) bool {
	b := r.base[a]
	for i := range r.Size(a.Value, a.Dim) {
		if r.root(b+int32(i)) != r.root(b) {
			return true
		}
	}
	return false
}

// name describes a node in a reason.
func name(n *graph.Node) string {
	if n.Name != "" {
		return fmt.Sprintf("%s %q", n.Op, n.Name)
	}
	if o := n.Out(0); o != nil {
		return fmt.Sprintf("%s of %q", n.Op, o.Name)
	}
	return n.Op
}
