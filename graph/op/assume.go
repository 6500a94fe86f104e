package op

import (
	"fmt"
	"maps"
	"strings"

	"pare/graph"
)

// usual are sides of images that networks are made for.
var usual = []int{224, 256, 299, 32, 28, 64, 96, 112, 128, 160, 192, 384, 512, 16, 8, 4, 2, 1}

// Assume gives sizes to what is open in the inputs (see graph.Graph.Open) at which
// the shapes of the network agree: what graph.Graph.Assumed says, or else a usual
// side of an image. It gives nothing where nothing is open, and an error where no
// such size is found.
func Assume(g *graph.Graph) (map[string]int, error) {
	open := g.Open()
	if len(open) == 0 {
		return nil, nil
	}
	for _, side := range usual {
		for _, all := range []bool{false, true} {
			sizes := g.Assumed(side)
			if all {
				for s := range sizes {
					sizes[s] = side
				}
			}
			if agree(g, sizes) {
				return sizes, nil
			}
		}
	}
	return nil, fmt.Errorf("no sizes of %s were found at which the network's shapes agree", strings.Join(open, ", "))
}

// agree says whether shapes can be inferred at sizes, one sample, and that none is
// empty.
func agree(g *graph.Graph, sizes map[string]int) bool {
	c, _ := g.Clone(false)
	if Bind(c, oneSample(g, sizes)) != nil {
		return false
	}
	for _, n := range c.Nodes {
		for _, o := range n.Outputs {
			if o == nil {
				continue
			}
			for _, d := range o.Shape {
				if d.Known() && d.Mul < 1 && !n.Is("Constant", "Slice", "Shape") {
					return false
				}
			}
		}
	}
	return true
}

// oneSample are sizes for one sample: those that are given, those of the network's
// usage, and a batch of one.
func oneSample(g *graph.Graph, sizes map[string]int) map[string]int {
	out := g.Sizes(1)
	maps.Copy(out, sizes)
	return out
}

// Sizes binds every free size of the inputs, like graph.Graph.Sizes, to sizes at
// which the network's shapes agree where any are found.
func Sizes(g *graph.Graph, batch int) map[string]int {
	out := g.Sizes(batch)
	sizes, _ := Assume(g)
	maps.Copy(out, sizes)
	return out
}
