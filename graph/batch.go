package graph

// Batch binds the batch, the first axis of the first input: it gives the sizes to
// compile the network with, and the number of samples that they mean, which is n
// unless the network fixes another.
func (g *Graph) Batch(n int) (sizes map[string]int, batch int) {
	sizes = map[string]int{}
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

// Sizes binds every free size of the inputs: first axes to n samples, the others
// to 1. A size that is a first axis somewhere is n everywhere.
func (g *Graph) Sizes(n int) map[string]int {
	sizes := map[string]int{}
	for _, in := range g.Inputs {
		for k, d := range in.Shape {
			if d.Known() {
				continue
			}
			if _, set := sizes[d.Sym]; k == 0 {
				sizes[d.Sym] = n
			} else if !set {
				sizes[d.Sym] = 1
			}
		}
	}
	return sizes
}
