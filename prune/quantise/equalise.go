package quantise

import (
	"math"

	"pare/graph"
	"pare/tensor"
)

// pair is two layers of which the second alone reads what the first makes, through what
// gives a positive multiple of a channel on as that multiple.
type pair struct{ a, b *Layer }

// equalising bounds the rounds over the pairs; they end when nothing moves any more.
const equalising = 100

// Equalise makes the ranges of the weights of two layers behind one another alike, channel
// by channel, which changes nothing of what the network gives: the first's outputs are
// divided by s and the second's inputs multiplied by it,
//
//	s = sqrt(r1 r2)/r2
//
// with r1 and r2 the largest magnitudes of a channel's weights in the first and the second
// (Nagel, van Baalen, Blankevoort, Welling 2019, arXiv 1906.04721). Between the two may
// stand ReLU, LeakyReLU, pooling and changes of shape that leave channels whole and where
// they are. It returns the number of pairs.
func (p *Plan) Equalise() int {
	pairs := p.pairs()
	own := map[*graph.Value]bool{}
	for _, x := range pairs {
		for _, v := range []*graph.Value{x.a.Weight, x.b.Weight, x.a.bias} {
			if v != nil && !own[v] {
				own[v] = true
				v.Const = v.Const.Clone()
			}
		}
	}
	for range equalising {
		most := 0.0
		for _, x := range pairs {
			most = math.Max(most, x.equalise())
		}
		if most < 1e-4 {
			break
		}
	}
	p.ChooseSteps(MinMax)
	return len(pairs)
}

// pairs finds the pairs of a plan in the order of the network.
func (p *Plan) pairs() (out []pair) {
	by := map[*graph.Node]*Layer{}
	for _, l := range p.Layers {
		by[l.Node] = l
	}
	for _, n := range p.Graph.Nodes {
		a := by[n]
		if a == nil || a.In == nil || len(p.uses[a.Weight]) != 1 || n.Out(0).Shape == nil {
			continue
		}
		v := n.Out(0)
		if n.Is("MatMul") && a.adds != nil {
			v = a.adds.Out(0)
			if p.sole(n.Out(0)) != a.adds {
				continue
			}
		}
		axis := a.channels(v)
		for r := p.sole(v); r != nil; r = p.sole(v) {
			if b := by[r]; b != nil {
				if b.In != nil && r.In(0) == v && len(p.uses[b.Weight]) == 1 && b.ins() == a.outs() && b.channels(v) == axis {
					out = append(out, pair{a, b})
				}
				break
			}
			if !r.Is("Relu", "LeakyRelu", "Identity") && (axis != 1 || !r.Is("MaxPool", "AveragePool", "GlobalAveragePool") && !flattens(r)) {
				break
			}
			v = r.Out(0)
		}
	}
	return out
}

// channels is the axis of a value, which a layer reads or makes, that the layer's channels
// are; -1 where that is not known.
func (l *Layer) channels(v *graph.Value) int {
	if l.convolves() {
		return 1
	}
	return len(v.Shape) - 1
}

// sole is the only node that reads a value, or nil.
func (p *Plan) sole(v *graph.Value) *graph.Node {
	if u := p.uses[v]; len(u) == 1 && u[0].Index == 0 && !p.Graph.IsOutput(v) {
		return u[0].Node
	}
	return nil
}

// flattens says whether a node only takes away axes behind the channels, of one place.
func flattens(n *graph.Node) bool {
	x, y := n.In(0), n.Out(0)
	if !n.Is("Flatten", "Reshape", "Squeeze") || len(x.Shape) < 2 || len(y.Shape) < 2 {
		return false
	}
	for _, s := range []graph.Shape{x.Shape, y.Shape} {
		for _, d := range s[2:] {
			if d != graph.N(1) {
				return false
			}
		}
	}
	return x.Shape[:2].Equal(y.Shape[:2])
}

// ins is the number of channels that a layer reads.
func (l *Layer) ins() int {
	s := l.Weight.Const.Shape
	switch {
	case l.Node.Is("Conv"):
		return s[1] * l.Node.Int("group", 1)
	case l.Node.Is("ConvTranspose"):
		return s[0]
	}
	return s[1-l.Axis]
}

// out and into give the channel that an entry of the weight makes, and the one that it
// reads.
func (l *Layer) out() func(i int) int {
	at := along(l.Weight.Const.Shape, l.Axis)
	if l.groups == 1 {
		return at
	}
	in, s := along(l.Weight.Const.Shape, 0), l.Weight.Const.Shape
	return func(i int) int { return in(i)/(s[0]/l.groups)*s[1] + at(i) }
}

func (l *Layer) into() func(i int) int {
	s := l.Weight.Const.Shape
	switch {
	case l.Node.Is("Conv"):
		o, in, per := along(s, 0), along(s, 1), s[0]/l.Node.Int("group", 1)
		return func(i int) int { return o(i)/per*s[1] + in(i) }
	case l.Node.Is("ConvTranspose"):
		return along(s, 0)
	}
	return along(s, 1-l.Axis)
}

// ranges are the largest magnitudes of a weight by channel.
func ranges(w *tensor.Tensor, at func(int) int, n int) []float64 {
	out := make([]float64, n)
	for i, v := range w.F32() {
		out[at(i)] = math.Max(out[at(i)], math.Abs(float64(v)))
	}
	return out
}

// equalise moves one pair, and says how far: the largest |log s|.
func (x pair) equalise() (moved float64) {
	n, out, into := x.a.outs(), x.a.out(), x.b.into()
	r1, r2 := ranges(x.a.Weight.Const, out, n), ranges(x.b.Weight.Const, into, n)
	s := make([]float64, n)
	for c := range s {
		s[c] = 1
		if r1[c] > 0 && r2[c] > 0 {
			s[c] = math.Sqrt(r1[c]*r2[c]) / r2[c]
		}
		if !(s[c] > 1e-6 && s[c] < 1e6) {
			s[c] = 1
		}
		moved = math.Max(moved, math.Abs(math.Log(s[c])))
	}
	w := x.a.Weight.Const.F32()
	for i := range w {
		w[i] = float32(float64(w[i]) / s[out(i)])
	}
	if x.a.bias != nil {
		for c, b := range x.a.bias.Const.F32() {
			x.a.bias.Const.F32()[c] = float32(float64(b) / s[c])
		}
	}
	w = x.b.Weight.Const.F32()
	for i := range w {
		w[i] = float32(float64(w[i]) * s[into(i)])
	}
	return moved
}
