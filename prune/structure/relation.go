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
package structure

import (
	"fmt"

	"pare/graph"
)

// Axis is one dimension of one value.
type Axis struct {
	Value *graph.Value
	Dim   int
}

// relation is a union-find over the positions of all tracked axes. Axes of
// size 1 or of unknown size are not tracked.
type relation struct {
	g       *graph.Graph
	base    map[Axis]int32
	axes    []Axis // in the order of their bases
	parent  []int32
	protect map[int32]string // by root: why the class must stay

	node   *graph.Node   // whose rule runs
	links  []link        // what its rule has tied
	zero   map[Axis]bool // see zeros.go
	choice *choices
	uses   map[*graph.Value][]graph.Use
}

// link says that a rule tied positions of two axes.
type link struct{ a, b Axis }

func newRelation(g *graph.Graph, c *choices) *relation {
	r := &relation{g: g, base: map[Axis]int32{}, protect: map[int32]string{}, zero: map[Axis]bool{}, choice: c, uses: g.Uses()}
	for _, v := range g.Values() {
		for d, n := range v.Shape {
			if !n.Known() || n.Mul < 2 {
				continue
			}
			a := Axis{v, d}
			if _, ok := r.base[a]; ok {
				continue
			}
			r.base[a] = int32(len(r.parent))
			r.axes = append(r.axes, a)
			for range n.Mul {
				r.parent = append(r.parent, int32(len(r.parent)))
			}
		}
	}
	return r
}

// size is the number of positions of an axis; 0 where it is not tracked.
func (r *relation) size(v *graph.Value, dim int) int {
	if v == nil || dim < 0 || dim >= len(v.Shape) {
		return 0
	}
	if _, ok := r.base[Axis{v, dim}]; !ok {
		return 0
	}
	return v.Shape[dim].Mul
}

func (r *relation) root(i int32) int32 {
	for r.parent[i] != i {
		r.parent[i] = r.parent[r.parent[i]]
		i = r.parent[i]
	}
	return i
}

func (r *relation) union(a, b int32) {
	a, b = r.root(a), r.root(b)
	if a == b {
		return
	}
	if a > b {
		a, b = b, a
	}
	r.parent[b] = a
	if why, ok := r.protect[b]; ok {
		delete(r.protect, b)
		if _, also := r.protect[a]; !also {
			r.protect[a] = why
		}
	}
}

// tieAll ties the positions of two axes that at lists in pairs.
func (r *relation) tieAll(v *graph.Value, dv int, w *graph.Value, dw int, at func(yield func(i, j int) bool)) {
	if r.size(v, dv) == 0 || r.size(w, dw) == 0 {
		return
	}
	a, b := Axis{v, dv}, Axis{w, dw}
	r.links = append(r.links, link{a, b})
	x, y := r.base[a], r.base[b]
	for i, j := range at {
		r.union(x+int32(i), y+int32(j))
	}
}

// tie1 ties position i of one axis to position j of another.
func (r *relation) tie1(v *graph.Value, dv, i int, w *graph.Value, dw, j int) {
	r.tie(v, dv, i, w, dw, j, 1)
}

// tie ties n positions of one axis, from i on, to those of another, from j on.
func (r *relation) tie(v *graph.Value, dv, i int, w *graph.Value, dw, j, n int) {
	r.tieAll(v, dv, w, dw, func(yield func(i, j int) bool) {
		for k := range n {
			if !yield(i+k, j+k) {
				return
			}
		}
	})
}

// same ties two axes of equal size position by position; axes of unequal size
// are protected both, unless one has a single position (broadcasting).
func (r *relation) same(v *graph.Value, dv int, w *graph.Value, dw int, why string) {
	if v == nil || w == nil { // an optional input that is left out
		return
	}
	n, m := r.size(v, dv), r.size(w, dw)
	switch {
	case n == m:
		r.tie(v, dv, 0, w, dw, 0, n)
	case n == 0 && dv < len(v.Shape) && v.Shape[dv] == graph.N(1):
	case m == 0 && dw < len(w.Shape) && w.Shape[dw] == graph.N(1):
	default:
		r.keep(v, dv, why)
		r.keep(w, dw, why)
	}
}

// free says whether some position of a tracked axis is not protected so far.
func (r *relation) free(a Axis) bool {
	for i := range r.size(a.Value, a.Dim) {
		if _, no := r.protect[r.root(r.base[a]+int32(i))]; !no {
			return true
		}
	}
	return false
}

// apart says whether the positions of an axis are in at least two classes.
func (r *relation) apart(a Axis) bool {
	b := r.base[a]
	for i := range r.size(a.Value, a.Dim) {
		if r.root(b+int32(i)) != r.root(b) {
			return true
		}
	}
	return false
}

// keep protects all positions of an axis.
func (r *relation) keep(v *graph.Value, dim int, why string) {
	n := r.size(v, dim)
	if n == 0 {
		return
	}
	b := r.base[Axis{v, dim}]
	for i := range n {
		t := r.root(b + int32(i))
		if _, ok := r.protect[t]; !ok {
			r.protect[t] = why
		}
	}
}

// keepAll protects every axis of a value.
func (r *relation) keepAll(v *graph.Value, why string) {
	if v == nil {
		return
	}
	for d := range v.Shape {
		r.keep(v, d, why)
	}
}

// keepFrom protects the axes of a value from dim on.
func (r *relation) keepFrom(v *graph.Value, dim int, why string) {
	if v == nil {
		return
	}
	for d := dim; d < len(v.Shape); d++ {
		r.keep(v, d, why)
	}
}

// opaque protects every axis that the node touches.
func (r *relation) opaque(n *graph.Node, why string) {
	for _, v := range append(n.Captures(), n.Inputs...) {
		r.keepAll(v, why)
	}
	for _, v := range n.Outputs {
		r.keepAll(v, why)
	}
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
