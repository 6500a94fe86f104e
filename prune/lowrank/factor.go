package lowrank

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Pick is a layer that becomes two, of a rank.
type Pick struct {
	Layer *Layer
	Of    *Spectrum // of one of the layer's unfoldings
	Rank  int
}

// Factor gives a copy of the network in which two layers stand in the place of each that
// is picked: the first has no bias and no activation, the second what the layer had. With
// the full rank they compute the same; zeros that a convolution pads its input with are
// the same zeros in both. The new weights are called as the layer's, with .in and .out
// behind.
func Factor(g *graph.Graph, picks []Pick) (*graph.Graph, error) {
	c, _ := g.Clone(true)
	by := map[int]*Pick{}
	for i := range picks {
		by[picks[i].Layer.place] = &picks[i]
	}
	var nodes []*graph.Node
	for i, n := range c.Nodes {
		if p := by[i]; p != nil {
			s := &split{graph: c, pick: p, second: n}
			s.apply()
			nodes = append(nodes, s.before...)
		}
		nodes = append(nodes, n)
	}
	c.Nodes = nodes
	c.Prune() // what turned the weights that are gone
	if err := op.InferAll(c); err != nil {
		return nil, fmt.Errorf("the network with factored layers is not consistent: %w", err)
	}
	return c, nil
}

// split is one layer that becomes two.
type split struct {
	graph  *graph.Graph
	pick   *Pick
	before []*graph.Node // the first of them, and what it needs
	second *graph.Node   // the layer's own node, whose name and output stay
}

func (s *split) apply() {
	switch {
	case s.pick.Layer.kernel == nil:
		s.matrix()
	case s.second.Is("ConvTranspose"):
		s.transposed()
	default:
		s.conv()
	}
}

// weight makes a parameter of the entries that f gives places and values of.
func (s *split) weight(suffix string, shape []int, f func(put func(i int, x float32))) *graph.Value {
	t := tensor.New(tensor.Float32, shape...)
	x := t.F32()
	f(func(i int, v float32) { x[i] = v })
	return s.graph.Const(s.pick.Layer.Name+suffix, t, s.pick.Layer.Role)
}

// add puts a node before the layer's own, and gives what it makes.
func (s *split) add(name string, attrs []graph.Attr, in ...*graph.Value) *graph.Value {
	n := &graph.Node{Op: name, Name: s.graph.Fresh(s.second.Name + "/" + name), Inputs: in, Attrs: attrs}
	v := &graph.Value{Name: s.graph.Fresh(s.pick.Layer.Name + "/" + name), DType: tensor.Float32, From: n}
	n.Outputs = []*graph.Value{v}
	s.before = append(s.before, n)
	return v
}

// left visits the entries of the factors U s^½, [rows, rank] of each block.
func (s *split) left(f func(b, r, k int, x float32)) {
	for b := range s.pick.Of.Blocks {
		at, _ := s.pick.Of.halves(b)
		for r := range s.pick.Of.Rows {
			for k := range s.pick.Rank {
				f(b, r, k, at(r, k))
			}
		}
	}
}

// right visits the entries of the factors s^½ Vᵀ, [rank, cols] of each block.
func (s *split) right(f func(b, k, c int, x float32)) {
	for b := range s.pick.Of.Blocks {
		_, at := s.pick.Of.halves(b)
		for k := range s.pick.Rank {
			for c := range s.pick.Of.Cols {
				f(b, k, c, at(k, c))
			}
		}
	}
}

// matrix writes y = A (B x), W = A B, in the layout that the node has: x stands on its
// other side, and may be turned by it.
func (s *split) matrix() {
	p, n := s.pick, s.second
	e, rows, cols := p.Rank, p.Of.Rows, p.Of.Cols
	turned := func(i int) bool { return n.Is("Gemm") && n.Int([]string{"transA", "transB"}[i], 0) != 0 }
	x := n.In(1 - p.Layer.input)
	if turned(1 - p.Layer.input) {
		x = s.add("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{1, 0})}, x)
		n.Set([]string{"transA", "transB"}[1-p.Layer.input], 0)
	}
	// The weight is [outputs, inputs] as the left operand, [inputs, outputs] as the right
	// one, each the other way round where the node turns it.
	fall := p.Layer.input == 0
	lay := func(suffix string, a, b int, fall bool, each func(put func(r, c int, x float32))) *graph.Value {
		shape := []int{a, b}
		if !fall {
			shape = []int{b, a}
		}
		return s.weight(suffix, shape, func(put func(i int, x float32)) {
			each(func(r, c int, x float32) {
				if fall {
					put(r*b+c, x)
				} else {
					put(c*a+r, x)
				}
			})
		})
	}
	in := lay(".in", e, cols, fall, func(put func(r, c int, x float32)) {
		s.right(func(_, k, c int, x float32) { put(k, c, x) })
	})
	out := lay(".out", rows, e, fall != turned(p.Layer.input), func(put func(r, c int, x float32)) {
		s.left(func(_, r, k int, x float32) { put(r, k, x) })
	})
	n.Inputs[p.Layer.input] = out
	if fall {
		n.Inputs[1] = s.add("MatMul", nil, in, x)
	} else {
		n.Inputs[0] = s.add("MatMul", nil, x, in)
	}
}

// conv writes two convolutions, whose window each has its part of the layer's.
func (s *split) conv() {
	p, n := s.pick, s.second
	e, outs, cg := p.Rank, p.Layer.Const.Shape[0], p.Layer.Const.Shape[1]
	k0, k1 := p.Layer.kernel[0], product(p.Layer.kernel[1:])
	var first []graph.Attr
	var in, out *graph.Value
	switch p.Of.Scheme {
	case Channel:
		in = s.weight(".in", append([]int{p.Layer.groups * e, cg}, p.Layer.kernel...), func(put func(i int, x float32)) {
			s.right(func(b, k, c int, x float32) { put((b*e+k)*p.Of.Cols+c, x) })
		})
		out = s.weight(".out", append([]int{outs, e}, ones(p.Layer.kernel)...), func(put func(i int, x float32)) {
			s.left(func(b, r, k int, x float32) { put((b*p.Of.Rows+r)*e+k, x) })
		})
		first = s.window(func(int) bool { return true }, p.Layer.groups)
		n.Attrs = s.window(func(int) bool { return false }, p.Layer.groups)
	case Spatial:
		ng := outs / p.Layer.groups
		in = s.weight(".in", append([]int{p.Layer.groups * e, cg, k0}, ones(p.Layer.kernel[1:])...), func(put func(i int, x float32)) {
			s.left(func(b, r, k int, x float32) { put(((b*e+k)*cg+r/k0)*k0+r%k0, x) })
		})
		out = s.weight(".out", append([]int{outs, e, 1}, p.Layer.kernel[1:]...), func(put func(i int, x float32)) {
			s.right(func(b, k, c int, x float32) { put(((b*ng+c/k1)*e+k)*k1+c%k1, x) })
		})
		first = s.window(func(axis int) bool { return axis == 0 }, p.Layer.groups)
		n.Attrs = s.window(func(axis int) bool { return axis != 0 }, p.Layer.groups)
	case Decouple:
		in = s.weight(".in", append([]int{outs * e, cg}, ones(p.Layer.kernel)...), func(put func(i int, x float32)) {
			s.left(func(b, r, k int, x float32) { put((b*e+k)*cg+r, x) })
		})
		out = s.weight(".out", append([]int{outs, e}, p.Layer.kernel...), func(put func(i int, x float32)) {
			s.right(func(b, k, c int, x float32) { put((b*e+k)*p.Of.Cols+c, x) })
		})
		first = s.window(func(int) bool { return false }, p.Layer.groups)
		n.Attrs = s.window(func(int) bool { return true }, outs)
	}
	n.Inputs[0] = s.add("Conv", first, n.In(0), in)
	n.Inputs[1] = out
}

// window gives the attributes of a convolution that looks along some of the layer's axes
// as the layer does, and at one position along the others.
func (s *split) window(looks func(axis int) bool, groups int) []graph.Attr {
	var out []graph.Attr
	rank := len(s.pick.Layer.kernel)
	kernel := ones(s.pick.Layer.kernel)
	for a, k := range s.pick.Layer.kernel {
		if looks(a) {
			kernel[a] = k
		}
	}
	for _, a := range s.second.Attrs {
		switch a.Name {
		case "group", "kernel_shape":
			continue
		case "strides", "dilations", "pads":
			v, rest := s.second.Ints(a.Name), 1
			if a.Name == "pads" {
				rest = 0
			}
			for i := range v {
				if !looks(i % rank) {
					v[i] = rest
				}
			}
			a = graph.MakeAttr(a.Name, v)
		}
		out = append(out, a)
	}
	return append(out, graph.MakeAttr("kernel_shape", kernel), graph.MakeAttr("group", groups))
}

// transposed writes a convolution of one position, and the transposed one from its
// channels.
func (s *split) transposed() {
	p, n := s.pick, s.second
	e, ng := p.Rank, p.Layer.Const.Shape[1]
	in := s.weight(".in", append([]int{p.Layer.groups * e, p.Of.Rows}, ones(p.Layer.kernel)...), func(put func(i int, x float32)) {
		s.left(func(b, r, k int, x float32) { put((b*e+k)*p.Of.Rows+r, x) })
	})
	n.Inputs[1] = s.weight(".out", append([]int{p.Layer.groups * e, ng}, p.Layer.kernel...), func(put func(i int, x float32)) {
		s.right(func(b, k, c int, x float32) { put((b*e+k)*p.Of.Cols+c, x) })
	})
	n.Inputs[0] = s.add("Conv", []graph.Attr{graph.MakeAttr("kernel_shape", ones(p.Layer.kernel)), graph.MakeAttr("group", p.Layer.groups)}, n.In(0), in)
}

func ones(of []int) []int {
	out := make([]int, len(of))
	for i := range out {
		out[i] = 1
	}
	return out
}
