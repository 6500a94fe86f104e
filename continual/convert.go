package continual

import (
	"errors"
	"fmt"
	"slices"

	"pare/catalog"
	"pare/graph"
	"pare/graph/op"
)

// Options say how a network becomes one of a stream.
type Options struct {
	Axes      map[string]int // time axis of inputs, by name; what is not named has none
	Window    int            // frames of a clip: over which averages and attention run (0: as the network says)
	Recompute bool           // what has no form on a stream is computed anew at every step, on the frames of a clip
	Positions string         // of tables that are added along time: "refuse" (or "") or "recycle"
	Refresh   int            // steps after which sums of attention are computed anew, whatever their state; 0: 256
}

// maxFrames bounds the frames of a step and of a clip.
const (
	maxFrames = 64
	maxClip   = 1 << 16
)

// converter builds a step network in the place of the clip network's nodes.
type converter struct {
	Options
	g      *graph.Graph
	b      *op.Builder
	frames int // of the input in a step
	phase  int // frames of zeros before the first, in the first step
	at     map[*graph.Value]value
	taken  map[string]bool // names of nodes and of what they make
	states []State
	masks  []*mask
	rings  map[ring]*held
	zeroed map[*graph.Value]*graph.Value // outside the stream
	tables []*table
	notes  []catalog.Text
	now    *graph.Value // the steps so far, once something asks
	past   *graph.Value // frames of this step that lie behind the end of the stream
	turn   *graph.Value // steps since attention was computed anew
}

// Convert makes the step network of a network whose shapes are inferred; g is left as it
// is. It is an error where an input has no such axis, or where a node has no form on a
// stream (*Unsuitable).
func Convert(g *graph.Graph, o Options) (*Step, error) {
	clip, err := o.clip(g)
	if err != nil {
		return nil, err
	}
	frames := 1
	for {
		c, err := o.try(clip, frames, 0)
		var more *strideError
		switch {
		case errors.As(err, &more):
			if frames *= more.by; frames > maxFrames {
				return nil, fmt.Errorf("strides over time multiply to more than %d frames a step", maxFrames)
			}
			continue
		case err != nil:
			return nil, err
		}
		// The first step may begin before the stream, so that outputs come as early as they can.
		best, phase := c.delay(), 0
		for p := 1; p < frames; p++ {
			if c, err = o.try(clip, frames, p); err != nil {
				return nil, err
			}
			if d := c.delay(); d < best {
				best, phase = d, p
			}
		}
		if c, err = o.try(clip, frames, phase); err != nil {
			return nil, err
		}
		return c.finish()
	}
}

// try converts with steps of that many frames, the first of which begins phase frames
// before the stream.
func (o Options) try(clip *graph.Graph, frames, phase int) (*converter, error) {
	g, _ := clip.Clone(false)
	g.Fresh("x") // takes notice of all names
	c := &converter{Options: o, g: g, b: op.NewBuilder(g, "stream"), frames: frames, phase: phase, at: map[*graph.Value]value{},
		taken: map[string]bool{}, rings: map[ring]*held{}, zeroed: map[*graph.Value]*graph.Value{}}
	for _, v := range g.Inputs {
		c.taken[v.Name] = true
		s := value{Value: v}
		if axis, ok := o.Axes[v.Name]; ok {
			step := *v // nodes of the clip network still read v
			step.Shape = slices.Clone(v.Shape)
			step.Shape[axis] = graph.N(frames)
			s = value{Value: &step, kind: timed, axis: axis, stride: 1, lag: phase, frames: v.Shape[axis].Mul, raw: true}
		}
		c.at[v] = s
	}
	for _, v := range g.Consts() {
		c.taken[v.Name] = true
		c.at[v] = value{Value: v}
	}
	nodes := g.Nodes
	g.Nodes = nil
	for _, n := range nodes {
		if err := c.node(n); err != nil {
			return nil, err
		}
		if err := c.b.Err(); err != nil {
			return nil, fmt.Errorf("node %s on a stream: %w", called(n), err)
		}
	}
	return c, nil
}

// node converts one node.
func (c *converter) node(n *graph.Node) error {
	in := make([]value, len(n.Inputs))
	frames, windows, moves := false, false, false
	for i, v := range n.Inputs {
		if v == nil {
			continue
		}
		in[i] = c.at[v]
		frames = frames || in[i].kind == timed
		windows = windows || in[i].kind == window
		moves = moves || in[i].kind != static
	}
	for _, v := range n.Captures() {
		if c.at[v].kind != static {
			return never(n, "has a body that reads frames")
		}
	}
	if !moves {
		c.keep(n)
		return nil
	}
	out, err := c.convert(n, in, frames, windows)
	var bad *Unsuitable
	if errors.As(err, &bad) && bad.over && c.Recompute {
		if out, err = c.anew(n, in); err == nil {
			c.note("node %s %s: it is computed anew at every step", called(n), bad.Why)
		}
	}
	if err != nil {
		return err
	}
	for i, o := range n.Outputs {
		if o == nil {
			continue
		}
		v := value{kind: unneeded}
		if i < len(out) {
			v = out[i]
		}
		if v.kind == timed && v.frames == 1 && !v.folded {
			if v, err = c.whole(v); err != nil {
				return err
			}
		}
		c.at[o] = v
	}
	return nil
}

// convert finds the rule of a node.
func (c *converter) convert(n *graph.Node, in []value, frames, windows bool) ([]value, error) {
	for _, v := range in {
		switch v.kind {
		case scores:
			return c.ofScores(n, in)
		case unneeded:
			return nil, never(n, "reads an output that is not known on a stream")
		case sizes:
			if n.Is("Reshape", "Expand") {
				continue
			}
			if n.Is("Shape", "Gather", "Slice", "Concat", "Unsqueeze", "Squeeze", "Cast", "Mul", "Div", "Add", "Sub", "Equal", "Where", "ConstantOfShape", "Identity") && !frames && !windows {
				return []value{{kind: sizes}}, nil
			}
			return nil, no(n, "computes with the number of frames")
		}
	}
	if n.Is("Shape") {
		return []value{{kind: sizes}}, nil
	}
	if !frames {
		return c.onWindows(n, in)
	}
	if windows {
		mixed, err := c.mixed(n, in)
		if err != nil {
			return nil, err
		}
		return c.onWindows(n, mixed)
	}
	rule := rules[n.Op]
	if rule == nil || n.Domain != "" {
		return nil, no(n, "has no form on a stream that Pare knows")
	}
	for i, v := range in {
		if v.kind == timed && n.In(i).Shape == nil {
			return nil, never(n, "takes %q, whose shape is not known", n.In(i).Name)
		}
	}
	if n.Out(0) == nil || n.Out(0).Shape == nil {
		return nil, never(n, "gives what has no known shape")
	}
	return rule(c, n, in)
}

// mixed gives operands that are windows, for a node that takes windows and frames.
func (c *converter) mixed(n *graph.Node, in []value) ([]value, error) {
	tokens := slices.ContainsFunc(in, func(v value) bool { return v.kind == window && v.tokens })
	for i, v := range in {
		if v.kind == timed && !tokens && !n.Is("MatMul", "Attention") {
			return nil, no(n, "joins frame %q with a window of frames, as a squeeze-and-excitation over time does", n.Inputs[i].Name)
		}
	}
	return c.windows(in)
}

// windows makes windows of what has frames.
func (c *converter) windows(in []value) (out []value, err error) {
	for _, v := range in {
		if v.kind == timed {
			if v.folded {
				return nil, fmt.Errorf("frame and sample lie on one axis of %q, where a window of frames is needed", v.Name)
			}
			if v, err = c.whole(v); err != nil {
				return nil, err
			}
		}
		out = append(out, v)
	}
	return out, nil
}

// anew computes a node on windows of what it reads.
func (c *converter) anew(n *graph.Node, in []value) ([]value, error) {
	for _, v := range in {
		if v.kind == scores {
			return nil, never(n, "reads products of queries and keys, and is neither a scale, a softmax nor a product with values")
		}
	}
	ws, err := c.windows(in)
	if err != nil {
		return nil, err
	}
	return c.onWindows(n, ws)
}

// onWindows computes a node as the clip network does.
func (c *converter) onWindows(n *graph.Node, in []value) ([]value, error) {
	in, like, err := c.align(n, in)
	if err != nil {
		return nil, err
	}
	if len(in) > 1 && in[1].kind == sizes {
		to, err := c.target(n, n.Out(0).Shape)
		if err != nil {
			return nil, err
		}
		in[1] = value{Value: to}
	}
	k := c.emit(n, in)
	for _, v := range in {
		like.tokens = like.tokens || v.kind == window && v.tokens
	}
	return c.outs(k, like), nil
}

// outs are the outputs of a node as values like another.
func (c *converter) outs(n *graph.Node, like value) []value {
	out := make([]value, len(n.Outputs))
	for i, o := range n.Outputs {
		out[i] = like
		out[i].Value, out[i].raw = o, false
	}
	return out
}

// keep leaves a node as it is that reads no frames.
func (c *converter) keep(n *graph.Node) {
	in := make([]value, len(n.Inputs))
	for i, v := range n.Inputs {
		if v != nil {
			in[i] = c.at[v]
		}
	}
	k := c.emit(n, in)
	for i, o := range n.Outputs {
		if o != nil {
			c.at[o] = value{Value: k.Outputs[i]}
		}
	}
}

// emit adds a copy of a node that reads other values. The first copy has its names.
func (c *converter) emit(n *graph.Node, in []value, attrs ...graph.Attr) *graph.Node {
	k := &graph.Node{Op: n.Op, Domain: n.Domain, Name: c.name(n.Name), Doc: n.Doc, Attrs: slices.Clone(n.Attrs)}
	for _, a := range attrs {
		if old := k.Attr(a.Name); old != nil {
			*old = a
		} else {
			k.Attrs = append(k.Attrs, a)
		}
	}
	for _, v := range in {
		k.Inputs = append(k.Inputs, v.Value)
	}
	for _, o := range n.Outputs {
		if o == nil {
			k.Outputs = append(k.Outputs, nil)
			continue
		}
		k.Outputs = append(k.Outputs, &graph.Value{Name: c.name(o.Name), From: k})
	}
	c.b.Stem = k.Name
	c.b.Append(k)
	return k
}

// name takes a name of the clip network, once.
func (c *converter) name(s string) string {
	if !c.taken[s] {
		c.taken[s] = true
		return s
	}
	return c.g.Fresh(s)
}

func (c *converter) note(format string, a ...any) {
	t := catalog.Text(fmt.Sprintf(format, a...))
	if !slices.Contains(c.notes, t) {
		c.notes = append(c.notes, t)
	}
}
