package continual

import (
	"math"
	"slices"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// over is a window along time and along the other axes.
type over struct {
	*op.Window
	t int // the spatial axis of time
}

// windowOf reads the window of a convolution or pooling over frames.
func (c *converter) windowOf(n *graph.Node, x value, kernel []int) (*over, error) {
	w := &over{t: x.axis - 2}
	spatial := n.In(0).Shape[2:]
	in, known := spatial.Ints()
	if !known {
		in = nil
	}
	var err error
	if w.Window, err = op.WindowOf(n, kernel, in); err != nil {
		return nil, never(n, "has a window that is not understood: %v", err)
	}
	if x.frames+w.Begin[w.t]+w.End[w.t] == w.reach() { // it has one place in a clip, and one in a step
		w.Stride[w.t] = c.per(x)
	}
	return w, nil
}

// reach is the number of frames that a window lies on.
func (w *over) reach() int { return w.Dilation[w.t]*(w.Kernel[w.t]-1) + 1 }

// point says whether the window looks at frames one by one.
func (w *over) point() bool {
	return w.Kernel[w.t] == 1 && w.Stride[w.t] == 1 && w.Begin[w.t] == 0 && w.End[w.t] == 0
}

// padded says whether the window sees frames outside the stream.
func (w *over) padded() bool { return w.Begin[w.t] != 0 || w.End[w.t] != 0 }

// attrs are the window's attributes without padding of time.
func (w *over) attrs() []graph.Attr {
	begin, end := slices.Clone(w.Begin), slices.Clone(w.End)
	begin[w.t], end[w.t] = 0, 0
	out := []graph.Attr{graph.MakeAttr("auto_pad", "NOTSET"), graph.MakeAttr("pads", append(begin, end...)),
		graph.MakeAttr("strides", w.Stride), graph.MakeAttr("kernel_shape", w.Kernel)}
	if slices.Max(w.Dilation) > 1 { // AveragePool has none before opset 19
		out = append(out, graph.MakeAttr("dilations", w.Dilation))
	}
	return out
}

// conv keeps the frames that its window lies on, and computes the newest places alone. The
// paper keeps what each frame gives with each tap instead: the same products, and a sum.
func conv(c *converter, n *graph.Node, in []value) ([]value, error) {
	x := in[0]
	if x.kind != timed || in[1].kind != static {
		return nil, no(n, "has weights that are computed of frames")
	}
	if x.axis == 0 {
		return c.outs(c.emit(n, in), x), nil
	}
	if x.axis == 1 {
		return nil, no(n, "takes frames for channels")
	}
	shape, ok := n.In(1).Shape.Ints()
	if !ok || len(shape) != len(n.In(0).Shape) {
		return nil, never(n, "has a weight of shape %v", n.In(1).Shape)
	}
	w, err := c.windowOf(n, x, shape[2:])
	if err != nil {
		return nil, err
	}
	y := x.slides(w.reach(), w.Stride[w.t], w.Begin[w.t], w.End[w.t])
	if w.point() {
		return c.outs(c.emit(n, in, w.attrs()...), y), nil
	}
	v, err := c.read(x, w.reach(), w.Stride[w.t], w.Begin[w.t], y.lag, w.padded())
	if err != nil {
		return nil, err
	}
	in = slices.Clone(in)
	in[0].Value = v
	if c.per(y) == 1 && floats(n.In(1)) != nil && w.alone(v.Shape) {
		y.Value = c.product(n, in, w)
		return []value{y}, nil
	}
	if c.per(y) == 1 && len(shape) == 5 && floats(n.In(1)) != nil {
		y.Value = c.flat(n, in, w)
		return []value{y}, nil
	}
	return c.outs(c.emit(n, in, w.attrs()...), y), nil
}

// alone says whether the window has one place, and covers all that it lies on but what its
// dilation leaves out.
func (w *over) alone(x graph.Shape) bool {
	for a, k := range w.Kernel {
		if a != w.t && (x[2+a] != graph.N(1) || k != 1 || w.Begin[a] != 0 || w.End[a] != 0) {
			return false
		}
	}
	return w.Groups == 1
}

// product computes the one place of a convolution as a product of a matrix: of all channels
// of all frames that it reads.
func (c *converter) product(n *graph.Node, in []value, w *over) *graph.Value {
	x, weight := in[0].Value, n.In(1).Const
	if d := w.Dilation[w.t]; d > 1 {
		x = c.b.Op("Slice", x, c.b.Ints(0), c.b.Ints(x.Shape[2+w.t].Mul), c.b.Ints(2+w.t), c.b.Ints(d))
	}
	k := weight.Shape
	row := weight.Len() / k[0]
	args := []*graph.Value{c.b.Op("Reshape", x, c.b.Ints(-1, row)), c.g.Const(n.In(1).Name, &tensor.Tensor{DType: weight.DType, Shape: []int{k[0], row}, Data: weight.Data}, n.In(1).Role)}
	if len(in) > 2 && in[2].Value != nil {
		args = append(args, in[2].Value)
	}
	y := c.b.Attr("Gemm", []graph.Attr{graph.MakeAttr("transB", 1)}, args...)
	return c.b.Op("Reshape", y, c.b.Ints(append([]int{-1, k[0]}, ones(len(k)-2)...)...))
}

// flat computes the one place in time of a convolution over volumes as a convolution over
// images, whose channels are those of every frame: the same products.
func (c *converter) flat(n *graph.Node, in []value, w *over) *graph.Value {
	x, weight := in[0].Value, n.In(1).Const
	if d := w.Dilation[w.t]; d > 1 {
		x = c.b.Op("Slice", x, c.b.Ints(0), c.b.Ints(x.Shape[2+w.t].Mul), c.b.Ints(2+w.t), c.b.Ints(d))
	}
	perm := []int{0, 1, 2 + w.t}
	for a := 2; a < 5; a++ {
		if a != 2+w.t {
			perm = append(perm, a)
		}
	}
	if w.t != 0 {
		x = c.b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", perm)}, x)
	}
	s := x.Shape
	ints := []int{0, s[1].Mul * s[2].Mul, 0, 0}
	for i, a := range []int{3, 4} {
		if ints[2+i] = s[a].Mul; !s[a].Known() {
			ints[2+i] = -1
		}
	}
	x = c.b.Op("Reshape", x, c.b.Ints(ints...))
	k := weight.Shape
	data := tensor.New(weight.DType, k[0], k[1]*k[2+w.t], k[perm[3]], k[perm[4]])
	turned := turn(weight.F32(), k, perm)
	copy(data.F32(), turned)
	args := []*graph.Value{x, c.g.Const(n.In(1).Name, data, n.In(1).Role)}
	if len(in) > 2 && in[2].Value != nil {
		args = append(args, in[2].Value)
	}
	pick := func(list []int) []int { return []int{list[perm[3]-2], list[perm[4]-2]} }
	y := c.b.Attr("Conv", []graph.Attr{graph.MakeAttr("pads", append(pick(w.Begin), pick(w.End)...)), graph.MakeAttr("strides", pick(w.Stride)),
		graph.MakeAttr("dilations", pick(w.Dilation)), graph.MakeAttr("kernel_shape", pick(w.Kernel)), graph.MakeAttr("group", w.Groups)}, args...)
	return c.b.Unsqueeze(y, 2+w.t)
}

// turn lays an array of five axes out in another order of them.
func turn(x []float32, shape, perm []int) []float32 {
	strides := tensor.Strides(shape)
	out := make([]float32, 0, len(x))
	var walk func(d, at int)
	walk = func(d, at int) {
		if d == len(perm) {
			out = append(out, x[at])
			return
		}
		for i := range shape[perm[d]] {
			walk(d+1, at+i*strides[perm[d]])
		}
	}
	walk(0, 0)
	return out
}

// pool pools over the axes of space first, frame by frame, and then over the frames that
// are kept.
func pool(c *converter, n *graph.Node, in []value) ([]value, error) {
	x := in[0]
	if x.axis == 0 || x.axis == 1 {
		return c.outs(c.emit(n, in), x), nil
	}
	if n.Out(1) != nil {
		return nil, no(n, "gives the positions of what is largest")
	}
	w, err := c.windowOf(n, x, n.Ints("kernel_shape"))
	if err != nil {
		return nil, err
	}
	if w.point() {
		return c.outs(c.emit(n, in, w.attrs()...), x), nil
	}
	if w.Ceil && w.Stride[w.t] > 1 {
		return nil, no(n, "rounds the number of its places in time up")
	}
	if x, in, err = c.poolSpace(n, in, w); err != nil {
		return nil, err
	}
	y := x.slides(w.reach(), w.Stride[w.t], w.Begin[w.t], w.End[w.t])
	largest := n.Is("MaxPool")
	v, err := c.read(x, w.reach(), w.Stride[w.t], w.Begin[w.t], y.lag, w.padded() && !largest)
	if err != nil {
		return nil, err
	}
	attrs := timeOnly(w).attrs()
	if !w.padded() {
		in[0].Value = v
		return c.outs(c.emit(n, in, attrs...), y), nil
	}
	ok, err := c.validWindow(x, w, y.lag)
	if err != nil {
		return nil, err
	}
	if largest { // what is not of the stream is below all numbers
		far := c.b.Op("Mul", c.b.Op("Sub", ok, c.b.Scalar(1, ok)), c.b.Scalar(math.MaxFloat32/2, ok))
		if x.wild {
			v = c.b.Op("Where", c.b.Op("Greater", ok, c.b.Scalar(.5, ok)), v, c.b.Scalar(0, v))
		}
		v = c.b.Op("Add", c.b.Op("Mul", v, ok), far)
	}
	in[0].Value = v
	k := c.emit(n, in, attrs...)
	if largest || n.Int("count_include_pad", 0) != 0 {
		return c.outs(k, y), nil
	}
	share := c.b.Attr("AveragePool", attrs, ok)
	y.Value = c.b.Op("Div", k.Out(0), c.b.Op("Max", share, c.b.Scalar(1e-6, share)))
	return []value{y}, nil
}

// validWindow is the mask of the frames that windows lie on, with axes of length 1 for the
// others.
func (c *converter) validWindow(x value, w *over, lag int) (*graph.Value, error) {
	flat := c.validity(x, 0)
	shape := slices.Repeat([]int{1}, len(x.Shape))
	shape[x.axis] = c.per(x)
	m := x
	m.Value = c.b.Op("Reshape", flat, c.b.Ints(shape...))
	m.raw = true
	return c.read(m, w.reach(), w.Stride[w.t], w.Begin[w.t], lag, false)
}

// timeOnly is a window's part along time.
func timeOnly(w *over) *over {
	o := *w.Window
	rank := len(w.Kernel)
	o.Kernel, o.Stride, o.Dilation, o.Begin, o.End = ones(rank), ones(rank), ones(rank), make([]int, rank), make([]int, rank)
	o.Kernel[w.t], o.Stride[w.t], o.Dilation[w.t], o.Begin[w.t], o.End[w.t] = w.Kernel[w.t], w.Stride[w.t], w.Dilation[w.t], w.Begin[w.t], w.End[w.t]
	return &over{&o, w.t}
}

func ones(n int) []int { return slices.Repeat([]int{1}, n) }

// poolSpace pools along all axes but time, if the window does.
func (c *converter) poolSpace(n *graph.Node, in []value, w *over) (value, []value, error) {
	space := *w.Window
	space.Kernel, space.Stride, space.Dilation = slices.Clone(w.Kernel), slices.Clone(w.Stride), slices.Clone(w.Dilation)
	space.Begin, space.End = slices.Clone(w.Begin), slices.Clone(w.End)
	space.Kernel[w.t], space.Stride[w.t], space.Dilation[w.t], space.Begin[w.t], space.End[w.t] = 1, 1, 1, 0, 0
	s := &over{&space, w.t}
	in = slices.Clone(in)
	x := in[0]
	some := false
	for i := range w.Kernel {
		some = some || space.Kernel[i] != 1 || space.Stride[i] != 1 || space.Begin[i] != 0 || space.End[i] != 0
	}
	if some {
		k := &graph.Node{Op: n.Op, Name: n.Name, Attrs: n.Attrs, Outputs: []*graph.Value{{Name: n.Out(0).Name + "/space"}}}
		x = c.outs(c.emit(k, in, s.attrs()...), x)[0]
		in[0] = x
	}
	return x, in, nil
}

// floats are the numbers of a float32 constant; nil: it is none.
func floats(v *graph.Value) []float32 {
	if !v.IsConst() {
		return nil
	}
	return v.Const.F32()
}
