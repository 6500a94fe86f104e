package structure

import (
	"strings"

	"pare/graph"
	"pare/graph/op"
)

// Kind is what a user calls the channels of a group.
type Kind string

// The kinds.
const (
	Plain       Kind = "channels"
	Heads       Kind = "heads"               // of an attention: a head of keys and values with its queries
	GroupedHead Kind = "grouped-query heads" // the same where several heads of queries share one
	HeadWidth   Kind = "head width"          // places within all heads of an attention
	FeedForward Kind = "feed-forward width"  // between the two layers behind an attention
	ExpertWidth Kind = "expert width"        // between the two layers of every expert of a mixture
	Embedding   Kind = "embedding width"     // of the residual stream that attentions read and add to
)

// Kinds says of each group of g what it is. Groups of networks without an attention are
// plain channels, but for the width of experts.
func Kinds(g *graph.Graph, groups []*Group) []Kind {
	out := make([]Kind, len(groups))
	attends, uses := attentions(g), g.Uses()
	for i, grp := range groups {
		switch out[i] = Plain; {
		case grp.withinExperts(uses):
			out[i] = ExpertWidth
		case attends:
			out[i] = grp.kind(uses)
		}
	}
	return out
}

// attentions says whether a network has any: as a node, or written out, where a softmax
// stands between two products of what is computed.
func attentions(g *graph.Graph) bool {
	found := false
	op.Each(g, func(n *graph.Node) { found = found || attends(n) || n.Is("Softmax") && behindProduct(n.In(0)) })
	return found
}

// attends says whether a node is a whole attention.
func attends(n *graph.Node) bool { return strings.HasSuffix(n.Op, "Attention") }

// behindProduct says whether a value comes from a product of two computed values, through
// nodes that scale and mask it.
func behindProduct(v *graph.Value) bool {
	for range 8 {
		if v == nil || v.From == nil {
			return false
		}
		n := v.From
		if productOfComputed(n) {
			return true
		}
		switch n.Op {
		case "Mul", "Div", "Add", "Sub", "Where", "Cast", "Reshape", "Tanh":
			next := n.In(0)
			for _, in := range n.Inputs {
				if in != nil && in.From != nil && in.Const == nil && len(in.Shape) >= 3 {
					next = in
					break
				}
			}
			v = next
		default:
			return false
		}
	}
	return false
}

func productOfComputed(n *graph.Node) bool {
	return n.Is("MatMul") && computed(n.In(0)) && computed(n.In(1))
}

// computed says whether a value is neither a constant nor made of constants alone by
// another view of one.
func computed(v *graph.Value) bool {
	for v != nil && v.From != nil && (v.From.Is("Transpose") || v.From.Is("Reshape") || v.From.Is("Identity") || v.From.Is("Cast")) {
		v = v.From.In(0)
	}
	return v != nil && !v.IsConst()
}

// kind says what a group is in a network with attentions.
func (grp *Group) kind(uses map[*graph.Value][]graph.Use) Kind {
	within, looked, last := false, false, false
	sums := 0
	for _, a := range grp.Axes {
		n, rank := a.Value.From, len(a.Value.Shape)
		switch {
		case a.Value.IsConst():
			for _, u := range uses[a.Value] {
				looked = looked || u.Node.Is("Gather") && u.Index == 0 && a.Dim == 1
			}
			continue
		case n == nil:
			continue
		}
		switch {
		case n.Is("Softmax") && rank >= 3 && a.Dim < rank-2 && behindProduct(n.In(0)):
			return grp.heads()
		case attends(n) && (rank == 4 && a.Dim == 1 || rank == 3 && a.Dim == 2):
			return grp.heads()
		case attends(n), productOfComputed(n) && a.Dim >= rank-2 && rank > 3:
			within = true
		case n.Is("Add") && a.Dim == rank-1 && computed(n.In(0)) && computed(n.In(1)):
			sums++
		}
		last = last || a.Dim == rank-1 && rank >= 2 && (n.Is("MatMul") || n.Is("Gemm"))
	}
	switch {
	case within:
		return HeadWidth
	case looked || sums > 1:
		return Embedding
	case last && sums == 0:
		return FeedForward
	}
	return Plain
}

// withinExperts says whether a group is the width that the second layer of experts reads.
func (grp *Group) withinExperts(uses map[*graph.Value][]graph.Use) bool {
	for _, a := range grp.Axes {
		for _, u := range uses[a.Value] {
			if a.Value.IsConst() && a.Dim == 2 && op.IsMoE(u.Node) && u.Index == op.MoESecond {
				return true
			}
		}
	}
	return false
}

// heads tells heads that share one of keys and values from others: what makes queries has
// more places for them.
func (grp *Group) heads() Kind {
	least, most := 0, 0
	for k, a := range grp.Axes {
		if n := len(grp.Channels[0].At[k]); grp.made[k] && len(a.Value.Shape) == 2 {
			if most = max(most, n); least == 0 || n < least {
				least = n
			}
		}
	}
	if least > 0 && most > least {
		return GroupedHead
	}
	return Heads
}
