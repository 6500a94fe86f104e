package search

import (
	"slices"

	"pare/graph"
	"pare/graph/op"
	"pare/prune/structure"
	"pare/tensor"
)

// spread gives which of c channels the t-th of o channels is the mean of, by channel-wise
// interpolation, which is adaptive average pooling over channels: from lo up to hi.
//
//	out[t] = mean(in[⌊t c/o⌋ : ⌈(t+1) c/o⌉])
func spread(t, c, o int) (lo, hi int) { return t * c / o, ((t+1)*c + o - 1) / o }

// mixture is the sum of several widths of what a layer makes. All of them are the first
// channels of one output y of full width, brought to one number of channels by
// interpolation, which is linear, so that with a scale γ and a shift β of each width the
// mixture is a product with a matrix,
//
//	out = M norm(y) + b,  M = Σ_k p_k A_k diag(γ_k),  b = Σ_k p_k A_k β_k
//
// whose rows beyond that number are zero: the network stays as wide as it was, with zeros
// in the place of channels that are not there.
type mixture struct {
	Width int // of the supernet
	n     int
	mix   *graph.Value // M: [out in 1 1] behind convolutions, [in out] behind linear layers
	shift *graph.Value // b; nil: there is no normalisation
	norm  *graph.Node  // its scale and shift are those of each width
}

// axis is the axis of channels of what a layer gives; -1: the layer is none whose channels
// can be interpolated.
func axis(n *graph.Node, y *graph.Value) int {
	switch {
	case n.Is("Conv") && n.Int("group", 1) == 1 && len(y.Shape) > 2:
		return 1
	case n.Is("Gemm", "MatMul") && len(y.Shape) > 1:
		return len(y.Shape) - 1
	}
	return -1
}

// inOrder says whether the channels of a group are the positions of an axis, in order.
func inOrder(grp *structure.Group, a structure.Axis) bool {
	k := slices.Index(grp.Axes, a)
	if k < 0 || a.Value.Shape[a.Dim] != graph.N(len(grp.Channels)) {
		return false
	}
	for c, ch := range grp.Channels {
		if len(ch.At[k]) != 1 || ch.At[k][0] != c {
			return false
		}
	}
	return true
}

// mixable finds for each layer that makes channels of a group the value behind which they
// are mixed: what it gives, after a bias and a batch normalisation, where these alone read
// it. ok is false where a layer is none whose channels can be interpolated.
func mixable(g *graph.Graph, grp *structure.Group, uses map[*graph.Value][]graph.Use) (at []*graph.Value, norms []*graph.Node, ok bool) {
	for _, k := range grp.Makes() {
		w := grp.Axes[k].Value
		if len(uses[w]) != 1 || !inOrder(grp, grp.Axes[k]) {
			return nil, nil, false
		}
		n := uses[w][0].Node
		y := n.Out(0)
		dim := axis(n, y)
		if dim < 0 || !inOrder(grp, structure.Axis{Value: y, Dim: dim}) {
			return nil, nil, false
		}
		var norm *graph.Node
		for norm == nil && len(uses[y]) == 1 && !g.IsOutput(y) {
			u := uses[y][0].Node
			if u.Is("Add") && (u.In(0).IsConst() || u.In(1).IsConst()) && u.Out(0).Shape.Equal(y.Shape) {
				y = u.Out(0)
				continue
			}
			if u.Is("BatchNormalization") && dim == 1 && trained(u.In(1), uses) && trained(u.In(2), uses) && len(u.Outputs) == 1 {
				norm, y = u, u.Out(0)
			}
			break
		}
		if g.IsOutput(y) {
			return nil, nil, false
		}
		at, norms = append(at, y), append(norms, norm)
	}
	return at, norms, len(at) > 0
}

// trained says whether a constant is a parameter with one reader.
func trained(v *graph.Value, uses map[*graph.Value][]graph.Use) bool {
	return v.IsConst() && v.Role == graph.Param && v.DType == tensor.Float32 && len(uses[v]) == 1
}

// leaks says whether channels that are zero where they are mixed need not be zero any more
// where they are read: something stands between that makes another number of zero.
func leaks(g *graph.Graph, grp *structure.Group, mixed []*graph.Value) bool {
	zero := map[*graph.Value]bool{}
	for _, v := range mixed {
		zero[v] = true
	}
	on := map[*graph.Value]bool{}
	for _, a := range grp.Axes {
		on[a.Value] = !a.Value.IsConst()
	}
	behind := map[*graph.Value]bool{}
	for _, n := range g.Nodes {
		for _, o := range n.Outputs {
			if o == nil || !on[o] || zero[o] {
				behind[o] = o != nil && zero[o]
				continue
			}
			if !slices.ContainsFunc(n.Inputs, func(v *graph.Value) bool { return behind[v] }) {
				continue // before the mixture
			}
			if behind[o] = true; !keepsZero(n, behind, on) {
				return true
			}
		}
	}
	return false
}

// keepsZero says whether a node gives zero where what it reads of the group is zero.
func keepsZero(n *graph.Node, behind, on map[*graph.Value]bool) bool {
	switch {
	case n.Is("Add", "Sum", "Concat"):
		return !slices.ContainsFunc(n.Inputs, func(v *graph.Value) bool { return on[v] && !behind[v] || v.IsConst() })
	case n.Is("Relu", "LeakyRelu", "Elu", "Gelu", "HardSwish", "Tanh", "Mish", "MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool",
		"Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Slice", "ReduceMean", "ReduceMax", "Mul"):
		return true
	}
	return false
}

// put puts the mixture behind a value, and takes scale and shift out of its normalisation.
func put(g *graph.Graph, width, n int, y *graph.Value, norm *graph.Node) (*mixture, error) {
	p := &mixture{Width: width, n: n, norm: norm}
	uses := g.Uses()[y]
	b := op.NewBuilder(g, y.Name+"/mix")
	in, dim := []*graph.Value{y}, len(y.Shape)-1
	isConv := len(y.Shape) > 2 && behindConv(y)
	shape := []int{n, n}
	if isConv {
		dim = 1
		shape = append(shape, slices.Repeat([]int{1}, len(y.Shape)-2)...)
	}
	p.mix = g.Const(y.Name+"/mix.weight", tensor.New(tensor.Float32, shape...), graph.Param)
	in = append(in, p.mix)
	if norm != nil {
		p.shift = g.Const(y.Name+"/mix.shift", tensor.New(tensor.Float32, n), graph.Param)
		for i, x := range []float32{1, 0} {
			t := tensor.From(slices.Repeat([]float32{x}, n), n)
			norm.Inputs[1+i] = g.Const(y.Name+"/mix.norm", t, graph.Frozen)
		}
	}
	var out *graph.Value
	if isConv {
		if p.shift != nil {
			in = append(in, p.shift)
		}
		out = b.Attr("Conv", []graph.Attr{graph.MakeAttr("kernel_shape", shape[2:])}, in...)
	} else if out = b.Op("MatMul", in...); p.shift != nil {
		out = b.Op("Add", out, p.shift)
	}
	if err := b.Err(); err != nil {
		return nil, err
	}
	if !out.Shape[dim].Known() {
		out.Shape = slices.Clone(y.Shape)
	}
	for _, u := range uses {
		u.Node.Inputs[u.Index] = out
	}
	return p, nil
}

// behindConv says whether a convolution makes a value.
func behindConv(y *graph.Value) bool {
	n := y.From
	for n.Is("Add", "BatchNormalization") {
		x := n.In(0)
		if x.IsConst() {
			x = n.In(1)
		}
		n = x.From
	}
	return n.Is("Conv")
}

// write writes the matrix of two widths, of c[0] and c[1] channels, with shares p, and their
// scales and shifts (nil: 1 and 0).
func (p *mixture) write(c [2]int, share [2]float64, gamma, beta [2][]float32) {
	m := p.mix.Const.F32()
	clear(m)
	if p.shift != nil {
		clear(p.shift.Const.F32())
	}
	p.each(c, func(k, t, s int, by float64) {
		scale := float32(share[k] * by)
		if gamma[k] != nil {
			p.shift.Const.F32()[t] += scale * beta[k][s]
			scale *= gamma[k][s]
		}
		m[p.entry(t, s)] += scale
	})
}

// back adds the gradients by scales and shifts to dGamma and dBeta, and gives those by the
// shares, from those by the matrix and by the vector.
func (p *mixture) back(c [2]int, share [2]float64, gamma, beta, dGamma, dBeta [2][]float32, dMix, dShift []float32) (dShare [2]float64) {
	p.each(c, func(k, t, s int, by float64) {
		d := float64(dMix[p.entry(t, s)]) * by
		if gamma[k] == nil {
			dShare[k] += d
			return
		}
		e := float64(dShift[t]) * by
		dShare[k] += d*float64(gamma[k][s]) + e*float64(beta[k][s])
		dGamma[k][s] += float32(share[k] * d)
		dBeta[k][s] += float32(share[k] * e)
	})
	return dShare
}

// each gives the entries of the interpolations of two widths to the larger of them: channel
// t has s, times by.
func (p *mixture) each(c [2]int, f func(k, t, s int, by float64)) {
	o := max(c[0], c[1])
	for k := range c {
		if c[k] == 0 {
			continue
		}
		for t := range o {
			lo, hi := spread(t, c[k], o)
			for s := lo; s < hi; s++ {
				f(k, t, s, 1/float64(hi-lo))
			}
		}
	}
}

// entry is where the matrix has what channel t takes from channel s.
func (p *mixture) entry(t, s int) int {
	if len(p.mix.Shape) == 2 {
		return s*p.n + t
	}
	return t*p.n + s
}
