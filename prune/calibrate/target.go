package calibrate

import (
	"math"

	"pare/graph"
)

// end is where what a layer makes is compared with the dense network: behind the
// constants that are added and multiplied to its channels, and behind the sum of a
// residual block. There
//
//	value = scale p + shift + other
//
// for the layer's product p without its bias, by channel.
type end struct {
	value        *graph.Value
	other        *graph.Value // nil: nothing else is added
	scale, shift []float64
	bias         []float32 // moves value by gain for each unit; nil: the layer has no constant
	gain         []float64 // by channel, of p
}

// channels is the axis of a site's output along which its outputs lie; false where they
// lie along several.
func (s *Site) channels() (int, bool) {
	if s.Node.Is("Conv") {
		return 1, true
	}
	rank := len(s.Y().Shape)
	if s.Node.Is("Einsum") || s.In != 1 || rank == 0 {
		return 0, false
	}
	for _, d := range s.shape[:len(s.shape)-2] {
		if d != 1 {
			return 0, false
		}
	}
	return rank - 1, true
}

// follow finds the end of a layer in a network, for n channels. before says of a value
// that it does not depend on the layer, and on none behind it.
func (s *Site) follow(g *graph.Graph, uses map[*graph.Value][]graph.Use, n int, before func(*graph.Value) bool) *end {
	e := &end{value: s.Y(), scale: make([]float64, n), shift: make([]float64, n), gain: make([]float64, n)}
	for c := range n {
		e.scale[c], e.gain[c] = 1, 1
	}
	axis, ok := s.channels()
	if !ok {
		return e
	}
	if s.Node.Is("Conv", "Gemm") {
		if b := s.Node.In(2); b != nil {
			beta := float64(s.Node.Float("beta", 1))
			if s.Node.Is("Conv") {
				beta = 1
			}
			v := along(b, len(s.Y().Shape), axis, n)
			if s.Node.Is("Conv") {
				v = along(b, 1, 0, n)
			}
			if v == nil {
				return nil // what is added is not known by channel
			}
			for c := range n {
				e.shift[c] = beta * float64(v[c])
			}
			e.constant(b, uses, n, beta)
		}
	}
	for e.step(g, uses, axis, n, before) {
	}
	return e
}

// constant remembers a constant that moves the channels, where no other node reads it.
func (e *end) constant(b *graph.Value, uses map[*graph.Value][]graph.Use, n int, gain float64) {
	if e.bias != nil || b.Const == nil || len(uses[b]) != 1 || len(b.Const.F32()) != n || gain == 0 {
		return
	}
	e.bias = b.Const.F32()
	for c := range n {
		e.gain[c] = gain / e.scale[c]
	}
}

// step goes on behind the only node that reads the end's value, where that adds or
// multiplies constants, or is a sum.
func (e *end) step(g *graph.Graph, uses map[*graph.Value][]graph.Use, axis, n int, before func(*graph.Value) bool) bool {
	u := uses[e.value]
	if len(u) != 1 || g.IsOutput(e.value) || e.other != nil {
		return false
	}
	node, rank := u[0].Node, len(e.value.Shape)
	switch {
	case node.Is("BatchNormalization") && u[0].Index == 0 && axis == 1 && len(node.Outputs) == 1:
		var p [4][]float32
		for i := range p {
			if p[i] = along(node.In(i+1), 1, 0, n); p[i] == nil {
				return false
			}
		}
		if e.bias == nil && node.In(3).Const != nil && len(uses[node.In(3)]) == 1 && len(p[2]) == n {
			e.bias = node.In(3).Const.F32()
			for c := range n {
				e.gain[c] = -1 / e.scale[c]
			}
		}
		for c := range n {
			f := float64(p[0][c]) / math.Sqrt(float64(p[3][c])+float64(node.Float("epsilon", 1e-5)))
			e.scale[c] *= f
			e.shift[c] = f*(e.shift[c]-float64(p[2][c])) + float64(p[1][c])
		}
	case node.Is("Add", "Mul") && len(node.Inputs) == 2:
		other := node.In(1 - u[0].Index)
		if other == e.value || len(node.Out(0).Shape) != rank {
			return false
		}
		if v := along(other, rank, axis, n); v != nil {
			if node.Is("Mul") {
				for c := range n {
					e.scale[c] *= float64(v[c])
					e.shift[c] *= float64(v[c])
				}
				break
			}
			e.constant(other, uses, n, 1)
			for c := range n {
				e.shift[c] += float64(v[c])
			}
			break
		}
		if node.Is("Mul") || other.Const != nil || len(other.Shape) != rank || !before(other) {
			return false
		}
		e.other = other
	default:
		return false
	}
	e.value = node.Out(0)
	return true
}

// along gives the numbers of a constant by position of an axis, of n, to which it is
// spread; nil where it is none, or differs along other axes.
func along(v *graph.Value, rank, axis, n int) []float32 {
	if !v.IsConst() || v.Const.F32() == nil || len(v.Const.Shape) > rank {
		return nil
	}
	for d, k := range v.Const.Shape {
		if k != 1 && (d+rank-len(v.Const.Shape) != axis || k != n) {
			return nil
		}
	}
	x := v.Const.F32()
	if len(x) == n {
		return x
	}
	out := make([]float32, n)
	for c := range out {
		out[c] = x[0]
	}
	return out
}
