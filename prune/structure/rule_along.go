package structure

import "pare/graph"

// What runs along some axes leaves the others as they are.
var (
	_ = register(Rule{Tie: tieAlong(cumulated), Zeros: zeroAsFirst}, "CumSum", "CumProd")
	_ = register(Rule{Tie: tieAlong(lastTwo), Zeros: zeroAsFirst}, "Trilu")
	_ = register(Rule{Tie: tieAlong(timeAndBatch), Zeros: zeroAsFirst}, "ReverseSequence")
	_ = register(Rule{Tie: tieAlong(axisOr(-1))}, "TopK")
	_ = register(Rule{Tie: tieAlong(channels)}, "LRN")
	_ = register(Rule{Tie: tieAlong(centred)}, "MeanVarianceNormalization")
)

// tieAlong protects the axes that a node runs along; axes lists them, counted from
// either end, and says false where they are not known.
func tieAlong(axes func(n *graph.Node) ([]int, bool)) func(r *Relation, n *graph.Node) {
	return func(r *Relation, n *graph.Node) {
		x := n.In(0)
		at, known := axes(n)
		along := map[int]bool{}
		for _, a := range at {
			along[normal(a, len(x.Shape))] = true
		}
		for _, y := range n.Outputs {
			for d := range x.Shape {
				if known && !along[d] {
					r.Same(x, d, y, d)
					continue
				}
				r.Keep(x, d, "runs along this axis")
				r.Keep(y, d, "runs along this axis")
			}
		}
	}
}

func axisOr(def int) func(n *graph.Node) ([]int, bool) {
	return func(n *graph.Node) ([]int, bool) { return []int{n.Int("axis", def)}, true }
}

func cumulated(n *graph.Node) ([]int, bool) {
	a, ok := n.In(1).Ints()
	return a, ok && len(a) == 1
}

func lastTwo(*graph.Node) ([]int, bool) { return []int{-1, -2}, true }

func timeAndBatch(n *graph.Node) ([]int, bool) {
	return []int{n.Int("time_axis", 0), n.Int("batch_axis", 1)}, true
}

func channels(*graph.Node) ([]int, bool) { return []int{1}, true }

// centred lists what a mean and a variance are taken over.
func centred(n *graph.Node) ([]int, bool) {
	if axes := n.Ints("axes"); axes != nil {
		return axes, true
	}
	return []int{0, 2, 3}, true
}
