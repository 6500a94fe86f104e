package sharing

import (
	"math"
	"slices"

	"pare/graph"
)

// Of finds the array that the weights of a network read from by the layout in its
// metadata. It gives nil where there is no layout, or the weights are no longer
// what any array expands to, bit for bit.
func Of(g *graph.Graph) (*Layout, []float32) {
	l, err := Parse(g.Meta.Props)
	if err != nil || l == nil {
		return nil, nil
	}
	var weights [][]float32
	for _, t := range l.Tensors {
		v := g.Value(t.Name)
		if !v.IsConst() || v.Const.F32() == nil || len(v.Const.F32()) != t.size() || !slices.Equal(v.Const.Shape, t.Shape) {
			return nil, nil
		}
		weights = append(weights, v.Const.F32())
	}
	array, ok := l.array(weights)
	if !ok {
		return nil, nil
	}
	return l, array
}

// array finds numbers that expand to the weights. A product is rounded, so the
// quotient of a weight and its scale may be off by some units in the last place:
// those around it are tried until one fits all the entries that read it.
func (l *Layout) array(weights [][]float32) ([]float32, bool) {
	slots := l.Slots()
	guess, scale := make([]float32, l.Len), make([]float32, l.Len)
	for k, ss := range slots {
		s := l.Tensors[k].Scale
		for i, at := range ss {
			if s > scale[at.At()] { // the largest scale leaves the fewest to try
				scale[at.At()] = s
				guess[at.At()] = weights[k][i] / (s * at.Sign())
			}
		}
	}
	array, tries := make([]float32, l.Len), make([]int8, l.Len)
	copy(array, guess)
	steps := [...]int{0, 1, -1, 2, -2, 3, -3}
	for again := true; again; {
		again = false
		for k, ss := range slots {
			for i, at := range ss {
				j := at.At()
				for math.Float32bits(value(l.Tensors[k].Scale, at, array)) != math.Float32bits(weights[k][i]) {
					if tries[j]++; int(tries[j]) >= len(steps) {
						return nil, false
					}
					array[j] = ulps(guess[j], steps[tries[j]])
					again = true // those before must fit too
				}
			}
		}
	}
	return array, true
}

// ulps is x moved by n units in the last place.
func ulps(x float32, n int) float32 {
	for ; n > 0; n-- {
		x = math.Nextafter32(x, float32(math.Inf(1)))
	}
	for ; n < 0; n++ {
		x = math.Nextafter32(x, float32(math.Inf(-1)))
	}
	return x
}
