package engine

import (
	"slices"

	"pare/graph"
	"pare/graph/op"
)

// pass rewrites a graph, which the plan owns, before it is planned.
type pass struct {
	name string
	run  func(g *graph.Graph) error
}

// training prepares a graph whose weights change between runs.
var training = []pass{
	{"infer shapes", op.InferAll},
	{"fold constants", counted(op.Fold)},
	{"prune", pruned},
	{"sort", (*graph.Graph).Sort},
	{"write out", writeOut},
}

// freezing prepares a graph whose weights never change, whatever its sizes.
var freezing = []pass{
	{"infer shapes", op.InferAll},
	{"quantise weights", storeQuantised},
	{"freeze", frozen},
	{"simplify", counted(op.SimplifyAll)},
	{"freeze what was folded", frozen},
	{"fold normalisation", op.FoldNorms},
	{"simplify again", counted(op.SimplifyAll)},
}

// inference prepares a graph whose weights never change.
var inference = append(slices.Clone(freezing), []pass{
	{"fuse", fused},
	{"prune", pruned},
	{"sort", (*graph.Graph).Sort},
	{"write out", writeOut},
}...)

// passesOf lists the passes of a plan in order.
func passesOf(o Options) []pass {
	if o.Freeze {
		return inference
	}
	return training
}

// frozen says of all initialisers that they will not change. Those that kernels read as
// they are stored are not folded either.
func frozen(g *graph.Graph) error {
	stored := storedWeights(g)
	for _, v := range g.Consts() {
		if v.Role = graph.Frozen; stored[v] {
			v.Role = graph.Packed
		}
	}
	return nil
}

func fused(g *graph.Graph) error {
	op.Fuse(g)
	return nil
}

func pruned(g *graph.Graph) error {
	g.Prune()
	return nil
}

// counted is a pass that also reports how many nodes went.
func counted(f func(g *graph.Graph) (int, error)) func(g *graph.Graph) error {
	return func(g *graph.Graph) error {
		_, err := f(g)
		return err
	}
}
