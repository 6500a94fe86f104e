package lowrank

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
	"pare/prune"
)

// Layer is a weight that may be written as the product of two.
type Layer struct {
	*prune.Weight
	node   *graph.Node
	place  int   // of the node in the graph
	input  int   // of the node, at which the weight stands
	kernel []int // of a convolution, over its spatial axes; nil: a matrix
	groups int

	inside  int64 // positions that the layer reads, for one sample
	between int64 // that a convolution along the first spatial axis alone makes of them
	outside int64 // that the layer makes
	whole   Cost
}

// Strided says whether the layer is a convolution that does not look at every position.
func (l *Layer) Strided() bool {
	for _, s := range l.node.Ints("strides") {
		if s > 1 {
			return true
		}
	}
	return false
}

// Taps is the number of positions that the layer's kernel reads; 1 of a matrix.
func (l *Layer) Taps() int { return product(l.kernel) }

// Kernel says whether the layer is a convolution.
func (l *Layer) Kernel() bool { return l.kernel != nil }

// Layers lists the weights that may be written as products, in the order in which the
// network reaches them: of convolutions, transposed ones too, and matrices of Gemm and
// MatMul. What stays whole, and why, goes with them.
func Layers(g *graph.Graph, ws []*prune.Weight) ([]*Layer, []prune.Skip) {
	place := make(map[*graph.Node]int, len(g.Nodes))
	for i, n := range g.Nodes {
		place[n] = i
	}
	uses := g.Uses()
	one, m := op.OneSample(g)
	var out []*Layer
	var skips []prune.Skip
	for _, w := range ws {
		l := &Layer{Weight: w, node: w.Node}
		i, top := place[w.Node]
		l.place = i
		why := "stands in the body of another node"
		if top {
			why = l.find(uses, m)
		}
		if why == "" {
			why = l.size(one.Nodes[i])
		}
		if why != "" {
			skips = append(skips, prune.Skip{Name: w.Name, Len: w.Len(), Why: why})
			continue
		}
		out = append(out, l)
	}
	return out, skips
}

// find says why the weight is not one factor of one product; "" where it is.
func (l *Layer) find(uses map[*graph.Value][]graph.Use, m map[*graph.Value]*graph.Value) string {
	n := l.node
	if !n.Is("Conv", "ConvTranspose", "Gemm", "MatMul") {
		return fmt.Sprintf("multiplies in %s %q, which is not split in two", n.Op, n.Name)
	}
	l.input = -1
	for i := range min(2, len(n.Inputs)) {
		for v := n.In(i); v != nil; v = v.From.In(0) {
			if len(uses[v]) > 1 {
				if l.source(v) {
					return fmt.Sprintf("is read by %d nodes", len(uses[v]))
				}
				break
			}
			if v == l.Value {
				l.input = i
			}
			if v.From == nil || !v.From.Is("Transpose", "Identity") {
				break
			}
		}
	}
	switch kernel := n.Is("Conv", "ConvTranspose"); {
	case l.input < 0:
		return fmt.Sprintf("is not read by %s %q alone", n.Op, n.Name)
	case kernel && n.In(1) != l.Value:
		return fmt.Sprintf("is turned before %s %q reads it", n.Op, n.Name)
	case !kernel && len(l.Const.Shape) != 2:
		return fmt.Sprintf("is a stack of matrices of %v", l.Const.Shape)
	case kernel:
		l.kernel, l.groups = l.Const.Shape[2:], n.Int("group", 1)
	}
	return ""
}

// source says whether a value holds the weight's numbers.
func (l *Layer) source(v *graph.Value) bool {
	w, _, ok := op.Source(v, 0)
	return ok && w == l.Value
}

// size counts what the layer takes, by its copy for one sample.
func (l *Layer) size(n *graph.Node) string {
	macs, ok := op.MACs(n)
	if !ok || n.In(1-l.input) == nil || len(n.In(1-l.input).Shape) < 2 {
		return "has inputs of unknown size"
	}
	l.whole = Cost{macs, int64(l.Len())}
	if l.kernel == nil {
		l.outside = macs / int64(l.Len())
		return ""
	}
	x, y := n.In(0).Shape, n.Out(0).Shape
	along := func(s graph.Shape, from int) int64 { return int64(s.Size(from, len(s)).Mul) }
	l.inside, l.outside = int64(x[0].Mul)*along(x, 2), int64(y[0].Mul)*along(y, 2)
	l.between = int64(y[0].Mul) * int64(y[2].Mul) * along(x, 3)
	return ""
}
