package graph

import "maps"

// Batch binds the batch, the first axis of the first input: it gives the sizes to
// compile the network with, those of Usage too, and the number of samples that they
// mean, which is n unless the network fixes another.
func (g *Graph) Batch(n int) (sizes map[string]int, batch int) {
	sizes = map[string]int{}
	maps.Copy(sizes, g.Usage.Sizes)
	if len(g.Inputs) == 0 || len(g.Inputs[0].Shape) == 0 {
		return sizes, n
	}
	d := g.Inputs[0].Shape[0]
	if d.Known() {
		return sizes, d.Mul
	}
	sizes[d.Sym] = n
	return sizes, n
}

// Sizes binds every free size of the inputs: the batch to n samples, the others
// as Usage says, or as it is assumed (see Assumed). A size that is a first axis
// somewhere is n everywhere.
func (g *Graph) Sizes(n int) map[string]int {
	sizes := g.Assumed(0)
	maps.Copy(sizes, g.Usage.Sizes)
	for _, in := range g.Inputs {
		if k := g.BatchAxis(in); k < len(in.Shape) && !in.Shape[k].Known() {
			sizes[in.Shape[k].Sym] = n
		}
	}
	return sizes
}
