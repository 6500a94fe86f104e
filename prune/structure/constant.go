package structure

import (
	"context"
	"math"
	"slices"

	"pare/graph"
	"pare/graph/op"
	"pare/prune"
	"pare/tensor"
)

// Folded says what FoldConstants did.
type Folded struct {
	Readers int      // layers that took a constant into their bias
	Edges   []string // of them those that pad with zeros: at the edge they read less of the constant
	Unknown []string // layers that read channels of which it is not known what they send
}

// FoldConstants gives a copy of a network in which layers have in their biases what the
// channels that s does not keep send them once their scales are zero: a normalisation of
// scale 0 gives its shift, whatever it reads, and what stands between it and a layer makes
// another constant c of it, so that a convolution adds Σ w c to each output. In a group
// without scales it is the filters that are zero, and the bias is what they send. Where such
// a layer has no bias and a batch normalisation behind it, the sum is taken off the running
// mean; else it gets a bias. The channels are then cut with the same groups and selection
// of the copy. Inside an image the copy computes, cut, what the network with these scales
// at zero does; next to an edge that is padded with zeros the layer had read less of the
// constant.
func FoldConstants(g *graph.Graph, groups []*Group, s Selection) (*graph.Graph, Folded, error) {
	c, _ := g.Clone(true)
	f := &folding{g: c, gone: s.removed(groups), bare: map[Axis]bool{}, known: map[Axis][]float64{}, uses: c.Uses()}
	for i, scales := range Scales(g, groups) {
		for _, a := range groups[i].Axes {
			f.bare[a] = len(scales) == 0
		}
	}
	for i, n := range g.Nodes {
		f.follow(g, n)
		f.read(n, c.Nodes[i])
	}
	if f.added {
		if err := c.Sort(); err != nil {
			return nil, f.Folded, err
		}
		if err := op.InferAll(c); err != nil {
			return nil, f.Folded, err
		}
	}
	return c, f.Folded, nil
}

// folding is a network in which constants are followed, and its copy.
type folding struct {
	Folded
	g     *graph.Graph // the copy
	gone  map[Axis]*prune.Mask
	bare  map[Axis]bool                // of groups without scales
	known map[Axis][]float64           // what channels that go send, by position; NaN: not known
	uses  map[*graph.Value][]graph.Use // of the copy
	added bool                         // nodes were added to the copy
}

// follow finds what a node sends in the channels that go.
func (f *folding) follow(g *graph.Graph, n *graph.Node) {
	y := n.Out(0)
	if y == nil || len(y.Shape) == 0 {
		return
	}
	for d := range y.Shape {
		keep := f.gone[Axis{y, d}]
		if keep == nil {
			continue
		}
		out := make([]float64, keep.Len)
		for p := range out {
			out[p] = math.NaN()
		}
		switch {
		case n.Is("BatchNormalization", "InstanceNormalization") && d == 1:
			if b := n.In(2); b.IsConst() && b.Const.Len() == len(out) && b.Const.F32() != nil {
				for p, x := range b.Const.F32() {
					out[p] = float64(x)
				}
			}
		case n.Is("Conv", "Gemm", "MatMul") && n.Int("group", 1) == 1:
			if f.bare[Axis{y, d}] {
				filterless(n, out)
			}
		case n.Is("Pad"):
			f.pad(n, d, out)
		case n.Is("MaxPool", "GlobalMaxPool", "GlobalAveragePool", "ReduceMean", "ReduceMax", "Identity", "Dropout", "Cast", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Resize", "Slice"),
			n.Is("AveragePool") && (n.Int("count_include_pad", 0) == 0 || !padded(n)):
			f.pass(n, keep, out)
		case n.Is("Concat") && normal(n.Int("axis", 0), len(y.Shape)) == d:
			at := 0
			for _, x := range n.Inputs {
				if k := f.known[Axis{x, d}]; k != nil {
					copy(out[at:], k)
				}
				at += x.Shape[d].Mul
			}
		case n.Is("Conv") && d == 1 && n.Int("group", 1) > 1:
			f.depthwise(n, out)
		case makes(n) == nil:
			f.elementwise(g, n, d, out)
		}
		f.known[Axis{y, d}] = out
	}
}

// filterless is a layer whose filters are zero.
func filterless(n *graph.Node, out []float64) {
	clear(out)
	if b := n.In(2); b.IsConst() && b.Const.Len() == len(out) && b.Const.F32() != nil {
		for p, x := range b.Const.F32() {
			out[p] = float64(x)
		}
	}
}

// pad puts zeros beside channels, or around images.
func (f *folding) pad(n *graph.Node, d int, out []float64) {
	k, at, size := f.known[Axis{n.In(0), d}], 0, n.In(0).Shape[d].Mul
	if size != len(out) {
		pads, ok := n.In(1).Ints()
		zero, one := scalar(n.In(2))
		if !ok || len(pads) <= d || n.In(3) != nil || n.In(2) != nil && (!one || zero != 0) || n.Str("mode", "constant") != "constant" {
			return
		}
		at = pads[d]
	}
	if at < 0 || at+size > len(out) {
		return
	}
	for p := range out {
		switch {
		case p < at || p >= at+size:
			out[p] = 0
		case k != nil:
			out[p] = k[p-at]
		}
	}
}

// pass takes over what an axis of the input sends that the node does not change: position
// p of it is k positions of the output, side by side, or every so many, as what goes says.
func (f *folding) pass(n *graph.Node, keep *prune.Mask, out []float64) {
	x := n.In(0)
	for d := range x.Shape {
		was, k := f.gone[Axis{x, d}], f.known[Axis{x, d}]
		if was == nil || k == nil || keep.Len%was.Len != 0 || n.Is("Slice") && keep.Len != was.Len {
			continue
		}
		for _, at := range []func(p int) int{func(p int) int { return p * was.Len / keep.Len }, func(p int) int { return p % was.Len }} {
			fits := true
			for p := range out {
				fits = fits && keep.Kept(p) == was.Kept(at(p))
			}
			if fits {
				for p := range out {
					out[p] = k[at(p)]
				}
				return
			}
		}
	}
}

// depthwise is a convolution of one input channel a group, inside the image.
func (f *folding) depthwise(n *graph.Node, out []float64) {
	w, k := n.In(1), f.known[Axis{n.In(0), 1}]
	if !w.IsConst() || w.Const.F32() == nil || w.Const.Shape[1] != 1 || k == nil || len(out) != w.Const.Shape[0] {
		return
	}
	per := w.Const.Len() / len(out)
	for p := range out {
		sum := 0.0
		for _, x := range w.Const.F32()[p*per : (p+1)*per] {
			sum += float64(x)
		}
		from := k[p*len(k)/len(out)]
		if out[p] = sum * from; n.In(2).IsConst() {
			out[p] += float64(n.In(2).Const.F32()[p])
		}
		if from != 0 && padded(n) {
			f.edge(n)
		}
	}
}

// elementwise evaluates a node on vectors of what goes along the axis, where all of its
// inputs are such a vector or a constant that is one number, or one a position.
func (f *folding) elementwise(g *graph.Graph, n *graph.Node, d int, out []float64) {
	if r := RuleOf(n); !r.Separate || len(n.Outputs) != 1 {
		return
	}
	y, size := n.Out(0), len(out)
	var in []*tensor.Tensor
	for _, v := range n.Inputs {
		if v == nil {
			in = append(in, nil)
			continue
		}
		at := d - len(y.Shape) + len(v.Shape) // axes are counted from the back
		k := f.known[Axis{v, at}]
		switch {
		case len(k) == size:
			t := tensor.New(tensor.Float32, size)
			for p, x := range k {
				t.F32()[p] = float32(x)
			}
			in = append(in, t)
		case v.IsConst() && v.Const.Len() == 1 && v.Const.F32() != nil:
			in = append(in, tensor.From(v.Const.F32()))
		case v.IsConst() && v.Const.Len() == size && at >= 0 && v.Const.Shape[at] == size && v.Const.F32() != nil:
			in = append(in, tensor.From(v.Const.F32(), size))
		default:
			return
		}
	}
	t, err := op.EvalNode(context.Background(), 0, n, g.Version(n.Domain), in, nil, nil)
	if err != nil || len(t) != 1 || t[0].Len() != size || t[0].F32() == nil {
		return
	}
	for p, x := range t[0].F32() {
		out[p] = float64(x)
	}
}

// read lets a layer take what channels that go send into its bias.
func (f *folding) read(n, copied *graph.Node) {
	in, out := -1, 0 // axes of the weight
	x, w := n.In(0), n.In(1)
	axis := 1
	switch {
	case n.Is("Conv") && n.Int("group", 1) == 1:
		in = 1
	case n.Is("Gemm") && n.Int("transA", 0) == 0:
		if in, out = 0, 1; n.Int("transB", 0) == 1 {
			in, out = 1, 0
		}
	case n.Is("MatMul") && w != nil && len(w.Shape) == 2:
		in, out, axis = 0, 1, len(x.Shape)-1
	}
	if in < 0 || x == nil || !w.IsConst() || w.Const.F32() == nil || f.gone[Axis{x, axis}] == nil {
		return
	}
	keep, k := f.gone[Axis{x, axis}], f.known[Axis{x, axis}]
	shape := w.Const.Shape
	delta := make([]float64, shape[out])
	unknown, any := k == nil, false
	for i, v := range w.Const.F32() {
		_, inner := around(shape, in)
		p := i / inner % shape[in]
		if k == nil || keep.Kept(p) || k[p] == 0 {
			continue
		}
		if math.IsNaN(k[p]) {
			unknown = true
			continue
		}
		_, inner = around(shape, out)
		delta[i/inner%shape[out]] += float64(v) * k[p]
		any = true
	}
	if unknown {
		f.Unknown = append(f.Unknown, w.Name)
	}
	if !any {
		return
	}
	if n.Is("Gemm") {
		for o := range delta {
			delta[o] *= float64(n.Float("alpha", 1))
		}
	}
	if padded(n) {
		f.edge(n)
	}
	f.Readers++
	f.add(copied, delta)
}

// edge notes a layer that pads.
func (f *folding) edge(n *graph.Node) {
	if name := n.In(1).Name; !slices.Contains(f.Edges, name) {
		f.Edges = append(f.Edges, name)
	}
}

// padded says whether a node adds zeros around its input.
func padded(n *graph.Node) bool {
	if a := n.Str("auto_pad", "NOTSET"); a != "NOTSET" && a != "VALID" {
		return true
	}
	return slices.ContainsFunc(n.Ints("pads"), func(p int) bool { return p != 0 })
}

// add adds a number to each output of a layer of the copy.
func (f *folding) add(n *graph.Node, delta []float64) {
	b := n.In(2)
	y := n.Out(0)
	us := f.uses[y]
	switch {
	case f.own(b, len(delta)) && n.Float("beta", 1) == 1:
		shift(b, delta, 1)
	case b == nil && n.Is("Conv") && f.own(f.meanBehind(y), len(delta)):
		shift(f.meanBehind(y), delta, -1)
	case b == nil && n.Is("Conv"):
		n.Inputs = append(n.Inputs[:2:2], f.vector(n, delta))
	case n.Is("MatMul") && len(us) == 1 && us[0].Node.Is("Add") && f.own(us[0].Node.In(1-us[0].Index), len(delta)):
		shift(us[0].Node.In(1-us[0].Index), delta, 1)
	default:
		d := f.vector(n, delta)
		if n.Is("Conv") { // [out 1 1 …]
			shape := make([]int, len(y.Shape)-1)
			for i := range shape {
				shape[i] = 1
			}
			shape[0] = len(delta)
			d.Const.Shape, d.Shape = shape, graph.Dims(shape...)
		}
		more := f.g.Add("Add", "", []*graph.Value{y, d}, []string{y.Name + "/constant"})
		o := more.Outputs[0]
		o.DType, o.Shape = y.DType, y.Shape
		f.g.ReplaceUses(y, o)
		more.Inputs[0] = y
		f.added = true
	}
}

// meanBehind is the running mean of the batch normalisation that alone reads a value, or the
// sum of it and others; nil: there is none.
func (f *folding) meanBehind(y *graph.Value) *graph.Value {
	for len(f.uses[y]) == 1 && !f.g.IsOutput(y) {
		u := f.uses[y][0]
		switch n := u.Node; {
		case n.Is("BatchNormalization") && u.Index == 0:
			return n.In(3)
		case n.Is("Add") && !n.In(0).IsConst() && !n.In(1).IsConst() && n.In(0).Shape.Equal(n.In(1).Shape):
			y = n.Out(0)
		default:
			return nil
		}
	}
	return nil
}

// own says whether a value is a vector of n numbers that nothing else reads.
func (f *folding) own(v *graph.Value, n int) bool {
	return v.IsConst() && v.Const.Len() == n && len(v.Const.Shape) == 1 && v.Const.F32() != nil && len(f.uses[v]) == 1
}

func shift(v *graph.Value, delta []float64, by float64) {
	for o, x := range v.Const.F32() {
		v.Const.F32()[o] = float32(float64(x) + by*delta[o])
	}
}

// vector is a bias.
func (f *folding) vector(n *graph.Node, delta []float64) *graph.Value {
	v := f.g.Const(n.In(1).Name+"/constant", tensor.New(tensor.Float32, len(delta)), graph.Param)
	shift(v, delta, 1)
	return v
}
