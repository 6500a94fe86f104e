package expert

import (
	"fmt"
	"slices"

	"pare/graph"
)

// part says that a value is of single experts alone.
type part struct {
	of    []int
	zero  bool // where none of them is chosen it is zero, or false
	empty bool // where none is, it has no entries
}

// drop says that an input of a node goes with experts: a sum goes on without it, or
// another input stands for the node's output.
type drop struct {
	node *graph.Node
	in   int
	of   []int
	keep int // the input that stands for the output; -1: the node is a sum
}

// owned lists the inputs of a node that are of single experts.
func (w *walk) owned(n *graph.Node) []int {
	var out []int
	for i, v := range n.Inputs {
		if _, ok := w.owner[v]; ok && v != nil {
			out = append(out, i)
		}
	}
	return out
}

// picked makes single experts of what takes one entry of their axis at a time.
func (w *walk) picked(n *graph.Node, d int) error {
	x := n.In(0)
	at, ok := w.entries(n, d)
	if !ok {
		return fmt.Errorf("%s takes several experts, or which ones is not constant", told(n))
	}
	for i, e := range at {
		if e < 0 || e >= w.n {
			return fmt.Errorf("%s takes expert %d of %d", told(n), e, w.n)
		}
		if o := n.Out(i); o != nil {
			w.owner[o] = part{of: []int{e}, zero: w.is(x, zero)}
		}
	}
	return nil
}

// entries are the experts that the outputs of a Slice, Split or Gather are of, each one.
func (w *walk) entries(n *graph.Node, d int) ([]int, bool) {
	switch n.Op {
	case "Gather":
		k, ok := n.In(1).Ints()
		if !ok || len(k) != 1 {
			return nil, false
		}
		return []int{normal(k[0], w.n)}, true
	case "Split":
		if len(n.Outputs) != w.n {
			return nil, false
		}
		out := make([]int, w.n)
		for i, o := range n.Outputs {
			if out[i] = i; o != nil && size(o, d) != 1 {
				return nil, false
			}
		}
		return out, true
	}
	if size(n.Out(0), d) != 1 {
		return nil, false
	}
	from, k, ok := w.start(n, d)
	return []int{normal(from[k], w.n)}, ok
}

// start finds where a Slice begins along an axis: the numbers, and which of them it is.
func (w *walk) start(n *graph.Node, d int) (from []int, k int, ok bool) {
	from = n.Ints("starts")
	if n.In(1) != nil {
		if from, ok = n.In(1).Ints(); !ok {
			return []int{0}, 0, false
		}
	}
	as, ok := axesOf(n, 3, len(n.In(0).Shape))
	if len(as) == 0 {
		k = d
	} else {
		k = slices.Index(as, d)
	}
	if k < 0 || k >= len(from) {
		return []int{0}, 0, false
	}
	return from, k, ok
}

// joined is the kind of a Concat: of what single experts make, side by side, or of pieces
// that each have all experts.
func (w *walk) joined(n *graph.Node) error {
	y := n.Out(0)
	if !w.here(n) {
		return fmt.Errorf("%s does not leave the axis of the experts as it is", told(n))
	}
	if !w.joins0(n) {
		same := true
		for _, v := range n.Inputs {
			same = same && w.kinds[v] == w.kinds[n.In(0)]
		}
		if w.kinds[y] = carried; same {
			w.kinds[y] = w.kinds[n.In(0)]
		}
		return nil
	}
	if len(n.Inputs) != w.n {
		return fmt.Errorf("%s joins %d pieces of %d experts", told(n), len(n.Inputs), w.n)
	}
	nothing := true
	for i, v := range n.Inputs {
		p, ok := w.owner[v]
		if ok && !slices.Equal(p.of, []int{i}) {
			return fmt.Errorf("%s puts experts into another order", told(n))
		}
		nothing = nothing && ok && p.zero
	}
	if w.kinds[y] = carried; nothing {
		w.kinds[y] = zero
	}
	w.joins = append(w.joins, n)
	return nil
}

// stillEmpty are operators that make nothing of nothing.
var stillEmpty = names("Transpose Reshape Squeeze Unsqueeze Cast Identity Split Gather Slice Expand")

// alone follows what single experts make through a node, owned being its inputs that they
// make.
func (w *walk) alone(n *graph.Node, owned []int) error {
	for _, v := range n.Captures() {
		if _, ok := w.owner[v]; ok {
			return fmt.Errorf("the subgraph of %s reads what a single expert makes", told(n))
		}
	}
	for _, vs := range [][]*graph.Value{n.Inputs, n.Outputs} {
		for _, v := range vs {
			if v != nil && (w.index[v] || !w.unmarked(v) && !v.IsConst()) {
				return fmt.Errorf("%s mixes what one expert makes with what all do", told(n))
			}
		}
	}
	of, nothing, empty := w.union(n, owned)
	isZero := func(v *graph.Value) bool { return zeros(v) || w.owner[v].zero }
	plain := len(n.Inputs) - len(owned)
	switch {
	case n.Is("Add", "Sum") && nothing:
		for _, i := range owned {
			w.drops = append(w.drops, drop{n, i, w.owner[n.In(i)].of, -1})
		}
		if plain == 0 {
			return w.own(n, part{of: of, zero: true})
		}
		return nil
	case n.Is("Where") && slices.Equal(owned, []int{0}) && nothing && !zeros(n.In(2)):
		w.drops = append(w.drops, drop{n, 0, of, 2})
		return nil
	case n.Is("ScatterND", "ScatterElements") && slices.Contains(owned, 1) && w.owner[n.In(1)].empty && !slices.Contains(owned, 0):
		w.drops = append(w.drops, drop{n, 1, of, 0})
		return nil
	case len(of) > 1 && (len(owned) > 1 || !zeroOf(n, isZero)):
		return fmt.Errorf("%s mixes what experts %v make, which need not be zero", told(n), of)
	}
	p := part{of: of, zero: zeroOf(n, isZero)}
	if n.Is("NonZero") {
		p.empty = nothing
	} else if n.Is("Where") {
		p.zero = slices.Contains(owned, 0) && w.owner[n.In(0)].zero && zeros(n.In(2)) || p.zero
	}
	if stillEmpty[n.Op] {
		p.empty = empty
	}
	return w.own(n, p)
}

// union is the experts of some inputs, and whether all are zero, or empty, without them.
func (w *walk) union(n *graph.Node, owned []int) (of []int, nothing, empty bool) {
	nothing, empty = true, true
	for _, i := range owned {
		p := w.owner[n.In(i)]
		of, nothing, empty = append(of, p.of...), nothing && p.zero, empty && p.empty
	}
	slices.Sort(of)
	return slices.Compact(of), nothing, empty
}

// own says that all outputs of a node are of some experts. Of all of them is what a network
// without experts would have: one stays at least.
func (w *walk) own(n *graph.Node, p part) error {
	if len(p.of) == w.n && p.zero {
		return nil
	}
	for _, o := range n.Outputs {
		if o == nil {
			continue
		}
		if w.g.IsOutput(o) {
			return fmt.Errorf("what experts %v make is output %q of the network", p.of, o.Name)
		}
		w.owner[o] = p
	}
	return nil
}
