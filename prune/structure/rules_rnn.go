package structure

import (
	"strings"

	"pare/graph"
)

// Recurrent networks: hidden unit j is row j of every gate, column j of the
// recurrent weights, and position j of the states. With its weights zero it
// stays at zero: candidates are tanh(0), and gates only scale it. Both
// directions lose the same units, for they share their tensors' axes.
var _ = add(func(r *relation, n *graph.Node) {
	x, w, rec, b, lens := n.In(0), n.In(1), n.In(2), n.In(3), n.In(4)
	gates := map[string]int{"LSTM": 4, "GRU": 3, "RNN": 1}[n.Op]
	h := r.size(rec, 2)
	if h == 0 || n.Int("layout", 0) != 0 || r.size(w, 1) != gates*h || !restsAtZero(n) {
		r.opaque(n, name(n)+" has a layout, sizes or activations that cannot be followed")
		return
	}
	r.contract(x, 2, w, 2)
	r.keepAll(lens, name(n)+" reads lengths")
	units := func(v *graph.Value, dim, blocks int) { // of each block one unit
		r.tieAll(v, dim, rec, 2, func(yield func(i, j int) bool) {
			for i := range blocks * h {
				if !yield(i, i%h) {
					return
				}
			}
		})
	}
	units(w, 1, gates)
	units(rec, 1, gates)
	if b != nil {
		units(b, 1, 2*gates)
	}
	states := []*graph.Value{n.In(5), n.In(6), n.Out(1), n.Out(2)}
	for _, s := range states {
		if s != nil {
			units(s, 2, 1)
			r.same(x, 1, s, 1, name(n))
		}
	}
	if p := n.In(7); p != nil {
		units(p, 1, 3)
	}
	if y := n.Out(0); y != nil {
		units(y, 3, 1)
		r.same(x, 0, y, 0, name(n))
		r.same(x, 1, y, 2, name(n))
	}
	r.keep(x, 0, name(n)+" runs over this axis")
	why := name(n) + " has as many directions"
	for _, v := range append([]*graph.Value{w, rec, b, n.In(7)}, states...) {
		r.keep(v, 0, why)
	}
	r.keep(n.Out(0), 1, why)
	zero := true // states that begin at zero stay there
	for _, s := range states[:2] {
		zero = zero && (s == nil || r.dead(s, 2))
	}
	for _, o := range n.Outputs {
		if o != nil {
			r.zero[Axis{o, len(o.Shape) - 1}] = zero
		}
	}
}, "LSTM", "GRU", "RNN")

// restsAtZero says whether a recurrent node's candidates and outputs are 0 where
// what they are computed from is 0.
func restsAtZero(n *graph.Node) bool {
	a := n.Attr("activations")
	if a == nil {
		return true
	}
	each := map[string]int{"LSTM": 3, "GRU": 2, "RNN": 1}[n.Op]
	for i, f := range a.Strings {
		gate := each > 1 && i%each == 0 // it only scales
		if !gate && !strings.EqualFold(f, "Tanh") && !strings.EqualFold(f, "Relu") {
			return false
		}
	}
	return true
}
