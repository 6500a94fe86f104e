package expert

import (
	"fmt"

	"pare/graph"
)

func transposeSets(n *graph.Node) ([][]axis, error) {
	x, perm := n.In(0), n.Ints("perm")
	var out [][]axis
	for d := range x.Shape {
		from := len(x.Shape) - 1 - d
		if len(perm) > 0 {
			from = perm[d]
		}
		out = append(out, []axis{{x, from}, {n.Out(0), d}})
	}
	return out, nil
}

// reshapeSets ties axes of as many entries that have as much before them, or behind them.
func reshapeSets(n *graph.Node) ([][]axis, error) {
	x, y := n.In(0), n.Out(0)
	var out [][]axis
	rx, ry := len(x.Shape), len(y.Shape)
	taken := map[int]bool{}
	for d := range x.Shape {
		s := []axis{{x, d}}
		for k := range y.Shape {
			if taken[k] || x.Shape[d] != y.Shape[k] || x.Shape[d] == graph.N(1) {
				continue
			}
			if x.Shape.Size(0, d) == y.Shape.Size(0, k) || x.Shape.Size(d+1, rx) == y.Shape.Size(k+1, ry) {
				s, taken[k] = append(s, axis{y, k}), true
				break
			}
		}
		if len(s) == 2 {
			out = append(out, s)
		}
	}
	return out, nil
}

func expandSets(n *graph.Node) ([][]axis, error) { return aligned(n, n.Inputs[:1]), nil }

func concatSets(n *graph.Node) ([][]axis, error) {
	y := n.Out(0)
	a := normal(n.Int("axis", 0), len(y.Shape))
	var out [][]axis
	for d := range y.Shape {
		s := []axis{{y, d}}
		for _, v := range n.Inputs {
			if d != a {
				s = append(s, axis{v, d})
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// sliced are the axes that a Slice shortens.
func sliced(n *graph.Node) (map[int]bool, bool) {
	x := n.In(0)
	as, ok := axesOf(n, 3, len(x.Shape))
	out := map[int]bool{}
	for _, a := range as {
		out[a] = true
	}
	if len(as) == 0 {
		starts, known := n.In(1).Ints()
		if n.In(1) == nil {
			starts, known = n.Ints("starts"), true
		}
		ok = ok && known
		for d := range starts {
			out[d] = true
		}
	}
	for d := range out { // what is taken whole is not shortened
		if d < len(x.Shape) && x.Shape[d] == n.Out(0).Shape[d] && wholeSlice(n) {
			delete(out, d)
		}
	}
	return out, ok
}

// wholeSlice says whether a Slice goes forward one by one.
func wholeSlice(n *graph.Node) bool {
	steps, ok := n.In(4).Ints()
	if n.In(4) == nil {
		return true
	}
	for _, s := range steps {
		ok = ok && s == 1
	}
	return ok
}

func slicedSets(n *graph.Node) ([][]axis, error) {
	cut, ok := sliced(n)
	if !ok {
		return nil, fmt.Errorf("%s slices what is not constant", told(n))
	}
	return passed(cut, n.In(0), n.Out(0)), nil
}

// passed ties axes of equal places but for some, which end at the node.
func passed(but map[int]bool, x *graph.Value, ys ...*graph.Value) [][]axis {
	var out [][]axis
	for d := range x.Shape {
		s := []axis{{x, d}}
		for _, y := range ys {
			if y != nil && !but[d] {
				s = append(s, axis{y, d})
			}
		}
		out = append(out, s)
	}
	return out
}

func splitSets(n *graph.Node) ([][]axis, error) {
	x := n.In(0)
	return passed(map[int]bool{normal(n.Int("axis", 0), len(x.Shape)): true}, x, n.Outputs...), nil
}

// gatherSets puts the axes of the indices in the place of the one that is looked up in.
func gatherSets(n *graph.Node) ([][]axis, error) {
	x, at, y := n.In(0), n.In(1), n.Out(0)
	a := normal(n.Int("axis", 0), len(x.Shape))
	var out [][]axis
	for d := range x.Shape {
		switch {
		case d < a:
			out = append(out, []axis{{x, d}, {y, d}})
		case d == a:
			out = append(out, []axis{{x, d}})
		default:
			out = append(out, []axis{{x, d}, {y, d - 1 + len(at.Shape)}})
		}
	}
	for d := range at.Shape {
		out = append(out, []axis{{at, d}, {y, a + d}})
	}
	return out, nil
}

// rowSets are those of a GatherND that looks up rows of the first axis.
func rowSets(n *graph.Node) ([][]axis, error) {
	x, at, y := n.In(0), n.In(1), n.Out(0)
	last := len(at.Shape) - 1
	if n.Int("batch_dims", 0) != 0 || last < 0 || at.Shape[last] != graph.N(1) {
		return nil, fmt.Errorf("%s looks up along several axes", told(n))
	}
	out := [][]axis{{{x, 0}}}
	for d := range last {
		out = append(out, []axis{{at, d}, {y, d}})
	}
	for d := 1; d < len(x.Shape); d++ {
		out = append(out, []axis{{x, d}, {y, last + d - 1}})
	}
	return out, nil
}

// elementSets are those of a node that looks up, or writes, by indices of the same rank.
func elementSets(n *graph.Node) ([][]axis, error) {
	x, at, y := n.In(0), n.In(1), n.Out(0)
	a := normal(n.Int("axis", 0), len(x.Shape))
	var out [][]axis
	for d := range x.Shape {
		small := []axis{{at, d}} // of the indices' length
		if n.Is("GatherElements") {
			small = append(small, axis{y, d})
		} else {
			small = append(small, axis{n.In(2), d})
		}
		large := []axis{{x, d}}
		if n.Is("ScatterElements") {
			large = append(large, axis{y, d})
		}
		if d != a && x.Shape[d] == at.Shape[d] {
			out = append(out, append(small, large...))
		} else {
			out = append(out, small, large)
		}
	}
	return out, nil
}

func oneHotSets(n *graph.Node) ([][]axis, error) {
	at, y := n.In(0), n.Out(0)
	a := normal(n.Int("axis", -1), len(y.Shape))
	out := [][]axis{{{y, a}}}
	for d := range at.Shape {
		k := d
		if d >= a {
			k++
		}
		out = append(out, []axis{{at, d}, {y, k}})
	}
	return out, nil
}

// shapeSets: what makes a shape, or is made of one, has axes that stand alone.
func shapeSets(n *graph.Node) ([][]axis, error) {
	v := n.Out(0)
	if n.Is("Shape") {
		v = n.In(0)
	}
	var out [][]axis
	for d := range v.Shape {
		out = append(out, []axis{{v, d}})
	}
	return out, nil
}
