package language

import (
	"slices"
	"strings"

	"pare/graph"
	"pare/graph/op"
)

// attended are the weights that make queries and values of a network's heads.
func (l *layout) attended(g *graph.Graph) []string {
	makers := map[*graph.Value]bool{}
	for _, v := range l.vectors {
		if partOf(v.kind) == "heads" {
			for _, k := range v.Makes() {
				makers[v.Axes[k].Value] = true
			}
		}
	}
	var out []string
	for _, core := range attentions(g) {
		for _, x := range []*graph.Value{core[0], core[2]} {
			for _, w := range sources(x, makers) {
				if !slices.Contains(out, w.Name) {
					out = append(out, w.Name)
				}
			}
		}
	}
	return out
}

// attentions are the queries, keys and values that attentions of a network compare: nodes,
// or written out as a softmax between two products. What there is not is nil.
func attentions(g *graph.Graph) (out [][3]*graph.Value) {
	op.Each(g, func(n *graph.Node) {
		switch {
		case n.Is("MatMul") && softmax(n.In(0)) != nil: // probabilities by values
			if scores := product(softmax(n.In(0)).In(0)); scores != nil {
				out = append(out, [3]*graph.Value{scores.In(0), scores.In(1), n.In(1)})
			}
		case strings.HasSuffix(n.Op, "Attention"):
			out = append(out, [3]*graph.Value{n.In(0), n.In(1), n.In(2)})
		}
	})
	return out
}

// softmax is the one that a value comes from, through nodes of one computed input.
func softmax(v *graph.Value) *graph.Node {
	for range 4 {
		if v == nil || v.From == nil || v.From.Is("MatMul", "Gemm") {
			return nil
		}
		if v.From.Is("Softmax") {
			return v.From
		}
		v = v.From.In(0)
	}
	return nil
}

// product is the product of computed values that scores come from.
func product(v *graph.Value) *graph.Node {
	for range 12 {
		if v == nil || v.From == nil {
			return nil
		}
		if v.From.Is("MatMul") {
			return v.From
		}
		next := v.From.In(0)
		for _, in := range v.From.Inputs {
			if in != nil && in.From != nil && len(in.Shape) >= 3 {
				next = in
				break
			}
		}
		v = next
	}
	return nil
}

// sources are those of some weights by which a value is computed, the nearest.
func sources(v *graph.Value, of map[*graph.Value]bool) (out []*graph.Value) {
	seen := map[*graph.Value]bool{}
	var walk func(v *graph.Value)
	walk = func(v *graph.Value) {
		if v == nil || v.From == nil || seen[v] {
			return
		}
		seen[v] = true
		for _, in := range v.From.Inputs {
			if of[in] {
				out = append(out, in)
				return
			}
		}
		if v.From.Is("MatMul", "Gemm") && (v.From.In(1).IsConst() || v.From.In(0).IsConst()) {
			return
		}
		for _, in := range v.From.Inputs {
			walk(in)
		}
	}
	walk(v)
	return out
}
