package expert

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
)

// carries are operators behind which numbers of experts are still numbers of experts.
var carries = names("Cast Identity Reshape Flatten Unsqueeze Squeeze Transpose Expand Slice Split Concat")

// numbers follows what chooses experts, and what is told their numbers.
func (w *walk) numbers(n *graph.Node) error {
	x := n.In(0)
	d, marked := w.dims[x]
	switch {
	case op.IsMoE(n):
		w.moe = n
		m, err := op.MixtureOf(n)
		if err != nil {
			return fmt.Errorf("%s: %w", told(n), err)
		}
		w.chosen, w.least = true, max(w.least, m.K)
		return nil
	case n.Is("TopK") && marked && d == normal(n.Int("axis", -1), len(x.Shape)):
		k, ok := n.In(1).Ints()
		if a := n.Attr("k"); a != nil {
			k, ok = []int{int(a.I)}, true
		}
		if !ok || len(k) != 1 || n.Int("largest", 1) == 0 {
			return fmt.Errorf("%s chooses experts by a number that is not constant, or those that count least", told(n))
		}
		w.chosen, w.least = true, max(w.least, k[0])
		return w.number(n.Out(1))
	case n.Is("ArgMax") && marked && d == normal(n.Int("axis", 0), len(x.Shape)):
		w.chosen, w.least = true, max(w.least, 1)
		return w.number(n.Out(0))
	}
	for i, v := range n.Inputs {
		if v != nil && w.index[v] {
			if err := w.told(n, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// told follows numbers of experts that are input i of a node.
func (w *walk) told(n *graph.Node, i int) error {
	x := n.In(0)
	switch {
	case carries[n.Op] && i == 0 || n.Is("Concat") || n.Is("Gather") && i == 0 && !w.index[n.In(1)]:
		if n.Is("Concat") {
			for _, v := range n.Inputs {
				if !w.index[v] {
					return fmt.Errorf("%s puts numbers of experts beside others", told(n))
				}
			}
		}
		for _, o := range n.Outputs {
			if err := w.number(o); err != nil {
				return err
			}
		}
		return nil
	case n.Is("Gather", "GatherElements", "ScatterElements") && i == 1:
		return w.mark(axis{x, normal(n.Int("axis", 0), len(x.Shape))})
	case n.Is("GatherND") && i == 1: // along the first axis alone, as its sets say
		return w.mark(axis{x, 0})
	case n.Is("OneHot") && i == 0:
		return w.mark(axis{n.Out(0), normal(n.Int("axis", -1), len(n.Out(0).Shape))})
	case n.Is("Equal"):
		if _, ok := w.single(n); ok {
			return nil
		}
		if d, ok := w.counted(n); ok {
			return w.mark(axis{n.Out(0), d})
		}
	case n.Is("Shape"):
		return nil
	}
	return fmt.Errorf("%s computes with the numbers of the chosen experts", told(n))
}

// single is the expert that an Equal asks for.
func (w *walk) single(n *graph.Node) (expert int, ok bool) {
	for i, v := range n.Inputs {
		if k, is := v.Ints(); is && len(k) == 1 && w.index[n.In(1-i)] && k[0] >= 0 && k[0] < w.n {
			return k[0], true
		}
	}
	return 0, false
}

// counted is the axis along which an Equal compares with the numbers of all experts.
func (w *walk) counted(n *graph.Node) (dim int, ok bool) {
	for i, v := range n.Inputs {
		k, is := v.Ints()
		if !is || !w.index[n.In(1-i)] || len(k) != w.n {
			continue
		}
		for e, x := range k {
			is = is && x == e
		}
		for d := range v.Shape {
			if is && v.Shape[d] == graph.N(w.n) {
				return d - len(v.Shape) + len(n.Out(0).Shape), true
			}
		}
	}
	return 0, false
}
