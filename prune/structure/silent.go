package structure

import (
	"pare/graph"
	"pare/graph/op"
)

// Silent finds the channels whose removal changes nothing, by the network's
// present numbers: those that hold zeros wherever they are read, because all
// weights, biases, shifts and running means that make them are zero; and those
// that nothing reads, because all weights that multiply them are zero. The
// selection keeps the others, and one channel of every group.
func Silent(g *graph.Graph, groups []*Group) Selection {
	r, made := relate(g), makers(g)
	scales := map[*graph.Value]bool{} // what multiplies zeros
	for _, n := range g.Nodes {
		for _, i := range RuleOf(n).Factors {
			scales[n.In(i)] = true
		}
	}
	s := All(groups)
	for i, grp := range groups {
		zeros, singly := true, true // can zeros reach all readers, is every channel read on its own
		var making, reading []int
		count := make([][]float64, len(grp.Axes))
		for k, a := range grp.Axes {
			v := a.Value
			switch {
			case !v.IsConst():
				zeros = zeros && r.zero[a]
				singly = singly && readSingly(r.uses[v])
				continue
			case scales[v]:
				continue
			case made[a] != "" || len(v.Shape) < 2:
				making = append(making, k)
			case multiplies(r.uses[v]):
				reading = append(reading, k)
			default: // added, or a weight behind other nodes
				making, singly = append(making, k), false
			}
			x := v.Const.F32()
			if x == nil {
				zeros, singly = false, false
				continue
			}
			on := make([]float32, len(x))
			for e, w := range x {
				if w != 0 {
					on[e] = 1
				}
			}
			count[k] = sums(on, v.Const.Shape, a.Dim)
		}
		none := func(axes []int, ch Channel) bool {
			for _, k := range axes {
				for _, p := range ch.At[k] {
					if count[k][p] != 0 {
						return false
					}
				}
			}
			return len(axes) > 0
		}
		for c, ch := range grp.Channels {
			if zeros && none(making, ch) || singly && none(reading, ch) {
				s[i].Set(c, s[i].Count() == 1)
			}
		}
	}
	return s
}

// multiplies says whether a constant is only ever the weight of a layer.
func multiplies(us []graph.Use) bool {
	for _, u := range us {
		if p, _ := op.PartOf(u.Node, u.Index); p != op.Kernel && p != op.Depthwise && p != op.Matrix {
			return false
		}
	}
	return true
}

// readSingly says whether all that reads a value treats its channels one by one.
func readSingly(us []graph.Use) bool {
	for _, u := range us {
		if !RuleOf(u.Node).Separate {
			return false
		}
	}
	return true
}
