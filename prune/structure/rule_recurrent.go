package structure

import (
	"strings"

	"pare/graph"
)

// Recurrent networks: hidden unit j is row j of every gate, column j of the
// recurrent weights, and position j of the states. With its weights zero it
// stays at zero: candidates are tanh(0), and gates only scale it. Both
// directions lose the same units, for they share their tensors' axes.
var _ = register(Rule{
	Tie:   tieRecurrent,
	Makes: func(n *graph.Node) []Operand { return []Operand{{2, 2}} },
	Adapt: func(c *Cutting) error {
		if k := c.Kept(c.Old.In(2), 2); k != nil {
			c.New.Set("hidden_size", k.Count())
		}
		return nil
	},
}, "LSTM", "GRU", "RNN")

func tieRecurrent(r *Relation, n *graph.Node) {
	x, w, rec, b, lens := n.In(0), n.In(1), n.In(2), n.In(3), n.In(4)
	gates := map[string]int{"LSTM": 4, "GRU": 3, "RNN": 1}[n.Op]
	h := r.Size(rec, 2)
	if h == 0 || n.Int("layout", 0) != 0 || r.Size(w, 1) != gates*h || !restsAtZero(n) {
		r.Opaque("has a layout, sizes or activations that cannot be followed")
		return
	}
	r.Contract(x, 2, w, 2)
	r.KeepFrom(lens, 0, "reads lengths")
	units := func(v *graph.Value, dim, blocks int) { // of each block one unit
		r.TiePairs(v, dim, rec, 2, func(yield func(i, j int) bool) {
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
			r.Same(x, 1, s, 1)
		}
	}
	if p := n.In(7); p != nil {
		units(p, 1, 3)
	}
	if y := n.Out(0); y != nil {
		units(y, 3, 1)
		r.Same(x, 0, y, 0)
		r.Same(x, 1, y, 2)
	}
	r.Keep(x, 0, "runs over this axis")
	const why = "has as many directions"
	for _, v := range append([]*graph.Value{w, rec, b, n.In(7)}, states...) {
		r.Keep(v, 0, why)
	}
	r.Keep(n.Out(0), 1, why)
	zero := true // states that start at zero stay there
	for _, s := range states[:2] {
		zero = zero && (s == nil || r.Dead(s, 2))
	}
	for _, o := range n.Outputs {
		if o != nil && zero {
			r.Zero(o, len(o.Shape)-1)
		}
	}
}

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
