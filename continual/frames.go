package continual

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// ring is frames that are kept of a value.
type ring struct {
	of     *graph.Value
	kept   int
	masked bool
}

// held is a value behind the frames that were kept of it.
type held struct{ all *graph.Value }

// state adds a state: in is what a step takes, out gives what the next one takes.
func (c *converter) state(name string, shape graph.Shape, d tensor.DType, out func(in *graph.Value) *graph.Value) *graph.Value {
	i := len(c.states)
	in := &graph.Value{Name: c.g.Fresh(fmt.Sprintf("state_in_%d", i)), DType: d, Shape: shape}
	c.states = append(c.states, State{In: in.Name, Of: name, in: in})
	c.states[i].out = out(in)
	return in
}

// behind gives a value with the kept frames before it in front.
func (c *converter) behind(v *graph.Value, name string, axis, kept int, masked bool) *graph.Value {
	if kept == 0 {
		return v
	}
	key := ring{v, kept, masked}
	if h := c.rings[key]; h != nil {
		return h.all
	}
	h := &held{}
	shape := append(graph.Shape{}, v.Shape...)
	shape[axis] = graph.N(kept)
	c.state(name, shape, v.DType, func(in *graph.Value) *graph.Value {
		h.all = c.b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", axis)}, in, v)
		return c.slice(h.all, axis, h.all.Shape[axis].Mul-kept, h.all.Shape[axis].Mul)
	})
	c.rings[key] = h
	return h.all
}

// slice takes positions lo up to hi of an axis.
func (c *converter) slice(v *graph.Value, axis, lo, hi int) *graph.Value {
	if lo == 0 && len(v.Shape) > axis && v.Shape[axis] == graph.N(hi) {
		return v
	}
	return c.b.Op("Slice", v, c.b.Ints(lo), c.b.Ints(hi), c.b.Ints(axis))
}

// read gives the frames that the windows of a step lie on, in the place of v, when windows
// of r frames slide over it by sigma, the first of which begins begin frames before the
// first frame, and the step's outputs lag. padded says that frames outside the stream are
// zeros. It needs a whole number of windows a step.
func (c *converter) read(v value, r, sigma, begin, lag int, padded bool) (*graph.Value, error) {
	m := c.per(v)
	if m%sigma != 0 {
		return nil, &strideError{sigma / gcd(m, sigma)}
	}
	x := v.Value
	if padded {
		c.note("layers see zeros before the stream and behind its end: outputs are those of the network on the whole stream, not on each clip by itself, whose beginning and end are padded; where they differ too much, fine-tune on long clips, or drop the padding")
		if !v.raw {
			x = c.masked(v)
		}
	}
	kept := lag*sigma + begin - v.lag // frames before this step's first that the first window reads
	all := c.behind(x, v.Name, v.axis, max(0, kept), padded)
	from := max(0, -kept)
	return c.slice(all, v.axis, from, from+(m/sigma-1)*sigma+r), nil
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// later delays a value to a larger lag: Delay(q) of the paper.
func (c *converter) later(v value, lag int) (value, error) {
	if lag == v.lag {
		return v, nil
	}
	if v.kind == window {
		q := lag - v.lag
		x := c.b.Unsqueeze(v.Value, 0)
		all := c.behind(x, v.Name, 0, q, false)
		v.Value, v.lag = c.b.Squeeze(c.slice(all, 0, 0, 1), 0), lag
		return v, nil
	}
	if v.folded {
		return v, fmt.Errorf("%q has to wait for other frames where samples and frames lie on one axis", v.Name)
	}
	x, err := c.read(v, 1, 1, 0, lag, false)
	v.Value, v.lag, v.raw = x, lag, v.raw && lag == v.lag
	return v, err
}

// align gives operands of one stride and lag, and a value that is like what becomes of
// them: branches wait for the slowest.
func (c *converter) align(n *graph.Node, in []value) (out []value, like value, err error) {
	found := false
	for i, v := range in {
		if v.kind != timed && v.kind != window {
			continue
		}
		if !found {
			like, found = v, true
		}
		if v.kind != like.kind || v.stride != like.stride {
			return nil, like, never(n, "joins branches of different strides: %q has a frame every %d frames of the input, and another %d", n.Inputs[i].Name, v.stride, like.stride)
		}
		if v.frames != like.frames && v.kind == timed {
			return nil, like, never(n, "joins %d and %d frames", v.frames, like.frames)
		}
		like.lag, like.shift, like.wild = max(like.lag, v.lag), min(like.shift, v.shift), like.wild || v.wild
		like.raw = like.raw && v.raw
	}
	for _, v := range in {
		if v.kind == timed || v.kind == window {
			if v, err = c.later(v, like.lag); err != nil {
				return nil, like, never(n, "%v", err)
			}
		}
		out = append(out, v)
	}
	return out, like, nil
}

// whole is the window of all frames of a clip, once a step.
func (c *converter) whole(v value) (value, error) {
	if v.kind != timed {
		return v, nil
	}
	if v.folded {
		return v, fmt.Errorf("frame and sample lie on one axis of %q, where a window of frames is needed", v.Name)
	}
	m := c.per(v)
	o := v.slides(v.frames, m, 0, 0)
	x, err := c.read(v, v.frames, m, 0, o.lag, false)
	o.Value, o.kind, o.tokens, o.frames = x, window, false, 1
	return o, err
}

// mask is where frames of a value are those of the stream: 1 there, 0 outside.
type mask struct {
	per, lag, stride, shift int

	flat *graph.Value         // of per numbers; made at the end
	at   map[int]*graph.Value // by the axes behind the frames
}

// validity gives the mask of a value, for frames with so many axes behind them.
func (c *converter) validity(v value, behind int) *graph.Value {
	key := mask{per: c.per(v), lag: v.lag, stride: v.stride, shift: v.shift}
	var m *mask
	for _, o := range c.masks {
		if o.per == key.per && o.lag == key.lag && o.stride == key.stride && o.shift == key.shift {
			m = o
		}
	}
	if m == nil {
		m = &key
		m.flat = &graph.Value{Name: c.g.Fresh("valid"), DType: tensor.Float32, Shape: graph.Dims(m.per)}
		m.at = map[int]*graph.Value{0: m.flat}
		c.masks = append(c.masks, m)
	}
	if m.per == 1 {
		return m.flat
	}
	if m.at[behind] == nil {
		axes := make([]int, behind)
		for i := range axes {
			axes[i] = i + 1
		}
		m.at[behind] = c.b.Unsqueeze(m.flat, axes...)
	}
	return m.at[behind]
}

// known is how many frames may lie behind the end of the stream in the step that gives a
// frame of this lag, for it to be one of the stream's; below 0 the frame is given before it
// is known that the stream goes on long enough.
func (c *converter) known(lag, stride, shift int) int {
	return (lag-1)*stride + shift - c.phase + c.frames
}

// masked is a value with zeros outside the stream.
func (c *converter) masked(v value) *graph.Value {
	if c.known(v.lag-c.per(v)+1, v.stride, v.shift) < 0 {
		c.note("the network drops frames at the end of a clip, and pads what is left: on a stream they are not dropped, for its end is not known by then, and outputs behind its end differ")
	}
	if x := c.zeroed[v.Value]; x != nil {
		return x
	}
	ok := c.validity(v, len(v.Shape)-1-v.axis)
	var x *graph.Value
	if v.wild || v.DType != tensor.Float32 { // 0 times what is no number would be none
		x = c.b.Op("Where", c.b.Op("Greater", ok, c.b.Scalar(.5, ok)), v.Value, c.b.Scalar(0, v.Value))
	} else {
		x = c.b.Op("Mul", v.Value, ok)
	}
	c.zeroed[v.Value] = x
	return x
}

// steps counts the steps before this one, up to a number that stands for all above.
const mostSteps = 1 << 20

// clock makes the values that say where in the stream a step stands.
func (c *converter) clock() {
	if c.now != nil {
		return
	}
	one := func(x float32) *graph.Value { return c.b.Const(tensor.From([]float32{x}, 1)) }
	clip := func(v *graph.Value, lo, hi float32) *graph.Value {
		return c.b.Op("Clip", v, c.b.Const(tensor.Scalar(lo)), c.b.Const(tensor.Scalar(hi)))
	}
	refresh := float32(c.Refresh)
	if c.Refresh <= 0 {
		refresh = 256
	}
	in := c.state("steps, frames behind the end, steps since attention was computed anew", graph.Dims(3), tensor.Float32, func(in *graph.Value) *graph.Value {
		c.now, c.past, c.turn = c.slice(in, 0, 0, 1), c.slice(in, 0, 1, 2), c.slice(in, 0, 2, 3)
		now := clip(c.b.Op("Add", c.now, one(1)), 0, mostSteps)
		past := clip(c.b.Op("Add", c.past, c.b.Op("Mul", clip(c.past, 0, 1), one(float32(c.frames)))), 0, 4*mostSteps)
		next := c.b.Op("Add", c.turn, one(1))
		next = c.b.Op("Mul", next, clip(c.b.Op("Sub", one(refresh), next), 0, 1))
		return c.b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", 0)}, now, past, next)
	})
	c.states[len(c.states)-1].Clock = in.Name != ""
}

// fillMasks computes all masks in one go. A frame of number k is one of the stream where
// 0 <= k, which depends on the steps so far, and k < floor((T+shift)/stride), which depends
// on how far the end of the stream lies back. As long as it is not told, there is none: what
// slices drop at the end of a clip has been given by then.
func (c *converter) fillMasks() {
	if len(c.masks) == 0 {
		return
	}
	c.clock()
	var begin, end []float32
	for _, m := range c.masks {
		for j := range m.per {
			begin = append(begin, float32(1-ceil(m.lag-j, m.per)))
			end = append(end, float32(max(0, c.known(m.lag-j, m.stride, m.shift))+1))
		}
	}
	vec := func(x []float32) *graph.Value { return c.b.Const(tensor.From(x, len(x))) }
	unit := func(v *graph.Value) *graph.Value {
		return c.b.Op("Clip", v, c.b.Const(tensor.Scalar(float32(0))), c.b.Const(tensor.Scalar(float32(1))))
	}
	all := c.b.Op("Mul", unit(c.b.Op("Add", vec(begin), c.now)), unit(c.b.Op("Sub", vec(end), c.past)))
	i := 0
	for _, m := range c.masks {
		n := &graph.Node{Op: "Slice", Name: c.g.Fresh(m.flat.Name), Inputs: []*graph.Value{all, c.b.Ints(i), c.b.Ints(i + m.per), c.b.Ints(0)}, Outputs: []*graph.Value{m.flat}}
		m.flat.From = n
		c.b.Append(n)
		i += m.per
	}
}
