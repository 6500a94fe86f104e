package expert

import (
	"fmt"

	"pare/graph"
)

// axis is a dimension of a value.
type axis struct {
	v *graph.Value
	d int
}

// walk follows the axis of experts through a network.
type walk struct {
	g    *graph.Graph
	uses map[*graph.Value][]graph.Use
	n    int // experts

	dims  map[*graph.Value]int  // the axis of the experts, of values that have one
	kinds map[*graph.Value]kind // of the same
	index map[*graph.Value]bool // values that are numbers of experts
	owner map[*graph.Value]part // values of single experts
	nodes map[*graph.Node]bool  // that any of these touch
	queue []*graph.Node

	least  int         // so many experts are chosen; 0: all
	chosen bool        // some are chosen by a node
	shown  bool        // the network shows the numbers that are chosen from, as a classifier does
	moe    *graph.Node // the mixture as one node, or nil
	drops  []drop
	joins  []*graph.Node // Concats of what each expert makes
}

func newWalk(g *graph.Graph, uses map[*graph.Value][]graph.Use, n int) *walk {
	return &walk{g: g, uses: uses, n: n, dims: map[*graph.Value]int{}, kinds: map[*graph.Value]kind{}, index: map[*graph.Value]bool{},
		owner: map[*graph.Value]part{}, nodes: map[*graph.Node]bool{}}
}

// follow marks all that has the axis of experts, from the router's logits on; an error
// where that cannot be followed, or an expert cannot go.
func (w *walk) follow(v *graph.Value, dim int) error {
	if err := w.mark(axis{v, dim}); err != nil {
		return err
	}
	for len(w.queue) > 0 {
		n := w.queue[0]
		w.queue = w.queue[1:]
		if err := w.spread(n); err != nil {
			return err
		}
	}
	w.kinds[v] = logits
	return w.judge(v)
}

// mark says that an axis is that of the experts.
func (w *walk) mark(a axis) error {
	if d, ok := w.dims[a.v]; ok {
		if d != a.d {
			return fmt.Errorf("%q has the experts along two axes", a.v.Name)
		}
		return nil
	}
	switch {
	case a.v.Shape[a.d] != graph.N(w.n):
		return fmt.Errorf("axis %d of %q, which goes along with the experts, has %v entries", a.d, a.v.Name, a.v.Shape[a.d])
	case !a.v.IsConst() && a.v.From == nil:
		return fmt.Errorf("the experts are an axis of input %q of the network", a.v.Name)
	case w.g.IsOutput(a.v):
		w.shown = true
		return fmt.Errorf("the experts are an axis of output %q of the network", a.v.Name)
	}
	w.dims[a.v] = a.d
	w.visit(a.v)
	return nil
}

// visit puts the nodes that make and read a value on the queue.
func (w *walk) visit(v *graph.Value) {
	if v.From != nil && v.Const == nil {
		w.queue = append(w.queue, v.From)
	}
	for _, u := range w.uses[v] {
		w.queue = append(w.queue, u.Node)
	}
}

// number says that a value holds numbers of experts.
func (w *walk) number(v *graph.Value) error {
	if v == nil || w.index[v] {
		return nil
	}
	if w.g.IsOutput(v) {
		w.shown = true
		return fmt.Errorf("the numbers of the chosen experts are output %q of the network", v.Name)
	}
	w.index[v] = true
	w.visit(v)
	return nil
}

// spread marks what goes along with what is marked of a node's values.
func (w *walk) spread(n *graph.Node) error {
	w.nodes[n] = true
	for _, v := range n.Captures() {
		if _, ok := w.dims[v]; ok || w.index[v] {
			return fmt.Errorf("the subgraph of %s reads what goes along with the experts", told(n))
		}
	}
	sets, err := setsOf(n)
	if err != nil {
		return err
	}
	here := map[axis]bool{}
	for _, s := range sets {
		some := false
		for _, a := range s {
			here[a] = true
			d, ok := w.dims[a.v]
			some = some || ok && d == a.d
		}
		if !some {
			continue
		}
		for _, a := range s {
			if err := w.mark(a); err != nil {
				return fmt.Errorf("%s: %w", told(n), err)
			}
		}
	}
	for _, vs := range [][]*graph.Value{n.Inputs, n.Outputs} {
		for _, v := range vs {
			if d, ok := w.dims[v]; ok && v != nil && !here[axis{v, d}] {
				return fmt.Errorf("%s does not leave the axis of the experts as it is", told(n))
			}
		}
	}
	return w.numbers(n)
}

// told names a node in a reason.
func told(n *graph.Node) string { return fmt.Sprintf("%s %q", n.Op, label(n)) }

// size is the number of entries of an axis, 0 where it is not known.
func size(v *graph.Value, d int) int {
	if v == nil || d < 0 || d >= len(v.Shape) || !v.Shape[d].Known() {
		return 0
	}
	return v.Shape[d].Mul
}

// normal counts an axis from the front.
func normal(a, rank int) int {
	if a < 0 {
		return a + rank
	}
	return a
}

// axesOf are the axes that a node names in an attribute or, later, in an input.
func axesOf(n *graph.Node, in, rank int) ([]int, bool) {
	as := n.Ints("axes")
	if v := n.In(in); v != nil {
		given, ok := v.Ints()
		if !ok {
			return nil, false
		}
		as = given
	}
	out := make([]int, len(as))
	for i, a := range as {
		out[i] = normal(a, rank)
	}
	return out, true
}
