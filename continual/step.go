package continual

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pare/catalog"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Step is a network that computes a step of a stream. Beside the inputs and outputs that
// the clip network has, with the frames of a step in the place of those of a clip, it takes
// and gives states: what it gives for one is what it takes at the next step. All states
// are zeros at first.
type Step struct {
	Graph *graph.Graph
	Form
	Notes []catalog.Text // what was assumed; not kept in a file
}

// Form says how a step network is used. It is kept in the metadata of its file.
type Form struct {
	Frames  int    `json:"frames"` // of the inputs, that a step takes
	Phase   int    `json:"phase"`  // frames of zeros that stand before the first of the stream, in the first step
	Delay   int    `json:"delay"`  // the first output comes with this frame, from 0
	Tail    int    `json:"tail"`   // steps behind the end of the stream that may give something
	Clip    int    `json:"clip"`   // frames of a clip that the network was made for
	MACs    int64  `json:"macs"`   // multiply-accumulates of a step, for one sample
	Refresh int64  `json:"refresh_macs,omitempty"`
	Whole   int64  `json:"clip_macs"` // of the clip network, for one clip
	In      []Port `json:"inputs"`
	Out     []Port `json:"outputs"`

	States []State `json:"states"`
}

// Port is an input with frames, or an output.
type Port struct {
	Name  string `json:"name"`
	Axis  int    `json:"axis"`            // of the frames; -1: there is none, and a step has one
	Every int    `json:"every"`           // frames of the input from one of its frames to the next
	Valid string `json:"valid,omitempty"` // output that is 1 for each of its frames that counts, else 0
}

// State is a state of a step network.
type State struct {
	In    string `json:"in"`
	Out   string `json:"out"`
	Of    string `json:"of"`              // of which value, for people
	Clock bool   `json:"clock,omitempty"` // it counts steps, for all samples

	in, out *graph.Value
}

// Others are the inputs that are neither frames nor states: they are the same for all
// frames.
func (s *Step) Others() (out []*graph.Value) {
	for _, v := range s.Graph.Inputs {
		if !slices.ContainsFunc(s.In, func(p Port) bool { return p.Name == v.Name }) && !slices.ContainsFunc(s.States, func(t State) bool { return t.In == v.Name }) {
			out = append(out, v)
		}
	}
	return out
}

// property is the key of the metadata that holds a Form.
const property = "pare.continual"

// delay is the frame with which the first output comes.
func (c *converter) delay() int {
	d := 0
	for _, o := range c.g.Outputs {
		if v := c.at[o]; v.kind == timed || v.kind == window {
			first := ceil(v.lag-c.per(v)+1, c.per(v)) // the step with frame 0
			d = max(d, (max(0, first)+1)*c.frames-c.phase-1)
		}
	}
	return d
}

// finish names the outputs, and makes the graph.
func (c *converter) finish() (*Step, error) {
	form := Form{Frames: c.frames, Phase: c.phase, Delay: c.delay()}
	var outputs, valid []*graph.Value
	for i, v := range c.g.Inputs {
		s := c.at[v]
		if c.g.Inputs[i] = s.Value; s.kind == timed {
			form.In, form.Clip = append(form.In, Port{Name: v.Name, Axis: s.axis, Every: 1}), s.frames
		}
	}
	for i, o := range c.g.Outputs {
		v := c.at[o]
		if slices.Contains(c.g.Outputs[:i], o) {
			continue
		}
		if v.Value == nil || v.folded {
			return nil, fmt.Errorf("output %q has no form on a stream: its frames are not along an axis of their own", o.Name)
		}
		c.b.Stem = o.Name
		y := c.b.Op("Identity", v.Value) // has its name, and is no input nor twice an output
		outputs = append(outputs, y)
		p := Port{Name: o.Name, Axis: -1, Every: c.frames}
		if v.kind == timed {
			p.Axis, p.Every = v.axis, v.stride
		}
		if v.kind != static {
			form.Tail = max(form.Tail, 1+max(0, c.known(v.lag, v.stride, v.shift))/c.frames)
			ok := c.validity(v, 0)
			p.Valid = ok.Name
			if !slices.Contains(valid, ok) {
				valid = append(valid, ok)
			}
		}
		form.Out = append(form.Out, p)
	}
	if len(valid) == 0 {
		return nil, errors.New("no output depends on an input over time")
	}
	c.fillMasks()
	if err := c.b.Err(); err != nil {
		return nil, err
	}
	for i, y := range outputs { // what had the name before gets the new one
		name := y.Name
		for _, v := range c.g.Values() {
			if v.Name == form.Out[i].Name && v != y {
				v.Name = name
			}
		}
		y.Name = form.Out[i].Name
	}
	c.g.Outputs = append(outputs, valid...)
	for i := range c.states {
		s := &c.states[i]
		c.b.Stem = fmt.Sprintf("state_out_%d", i)
		y := c.b.Op("Identity", s.out)
		s.Out = y.Name
		c.g.Inputs, c.g.Outputs = append(c.g.Inputs, s.in), append(c.g.Outputs, y)
	}
	form.States = c.states
	return c.close(form)
}

// close checks the graph and writes its form into it.
func (c *converter) close(form Form) (*Step, error) {
	if err := c.b.Err(); err != nil {
		return nil, err
	}
	if err := c.g.Sort(); err != nil {
		return nil, err
	}
	c.g.Prune()
	op.Classify(c.g)
	if err := op.InferAll(c.g); err != nil {
		return nil, fmt.Errorf("the step network is not consistent: %w", err)
	}
	form.MACs, form.Refresh = count(c.g)
	c.g.Usage = graph.Usage{}
	s := &Step{Graph: c.g, Form: form, Notes: c.notes}
	return s, s.note()
}

// note writes the form into the graph's metadata.
func (s *Step) note() error {
	text, err := json.Marshal(s.Form)
	if err != nil {
		return err
	}
	props := slices.DeleteFunc(slices.Clone(s.Graph.Meta.Props), func(p graph.Prop) bool { return p.Key == property })
	s.Graph.Meta.Props = append(props, graph.Prop{Key: property, Value: string(text)})
	return nil
}

// Compared notes what the clip network takes for a clip of one sample.
func (s *Step) Compared(macs int64) error {
	s.Whole = macs
	return s.note()
}

// count counts the multiply-accumulates of a step of one sample: those of every step, and
// those of sums that are computed anew at times.
func count(g *graph.Graph) (each, rare int64) {
	one, _ := op.OneSample(g)
	for _, n := range one.Nodes {
		k, ok := op.MACs(n)
		switch {
		case !ok:
		case n.Is("If"):
			rare += k
		default:
			each += k
		}
	}
	return each, rare
}

// Open finds in a network's metadata how it is used on a stream, and holds the network to
// it.
func Open(g *graph.Graph) (*Step, error) {
	i := slices.IndexFunc(g.Meta.Props, func(p graph.Prop) bool { return p.Key == property })
	if i < 0 {
		return nil, errors.New("the network is not one of a stream: make one with pare model continual")
	}
	s := &Step{Graph: g}
	if err := json.Unmarshal([]byte(g.Meta.Props[i].Value), &s.Form); err != nil {
		return nil, fmt.Errorf("what the file says of its use on a stream is broken: %w", err)
	}
	if multiples(g) {
		if err := op.InferAll(g); err != nil {
			return nil, err
		}
	}
	return s, s.check()
}

// multiples reads sizes such as 2*N of states, which a file holds as a name, as what they
// are: twice the batch. It says whether there are any.
func multiples(g *graph.Graph) bool {
	plain := map[string]bool{}
	for _, v := range g.Inputs {
		for _, d := range v.Shape {
			plain[d.Sym] = d.Mul == 1 && !strings.Contains(d.Sym, "*")
		}
	}
	some := false
	for _, v := range g.Inputs {
		for i, d := range v.Shape {
			times, sym, ok := strings.Cut(d.Sym, "*")
			if n, err := strconv.Atoi(times); ok && err == nil && n > 0 && d.Mul == 1 && plain[sym] {
				v.Shape[i], some = graph.Dim{Mul: n, Sym: sym}, true
			}
		}
	}
	return some
}

// check holds the graph to the form.
func (s *Step) check() error {
	bad := func(format string, a ...any) error {
		return fmt.Errorf("what the file says of its use on a stream does not fit its network: "+format, a...)
	}
	if s.Frames < 1 || s.Frames > maxFrames || s.Phase < 0 || s.Phase >= s.Frames || s.Delay < 0 || s.Tail < 0 || s.Tail > 4*maxClip || len(s.In) == 0 || len(s.Out) == 0 {
		return bad("%d frames a step, of which %d are skipped, delay %d, %d inputs and %d outputs", s.Frames, s.Phase, s.Delay, len(s.In), len(s.Out))
	}
	find := func(vs []*graph.Value, name string) *graph.Value {
		for _, v := range vs {
			if v.Name == name {
				return v
			}
		}
		return nil
	}
	seen := map[string]bool{}
	for _, p := range s.In {
		v := find(s.Graph.Inputs, p.Name)
		if v == nil || seen[p.Name] || p.Axis < 0 || p.Axis >= len(v.Shape) || v.Shape[p.Axis] != graph.N(s.Frames) {
			return bad("input %q", p.Name)
		}
		seen[p.Name] = true
	}
	for _, p := range s.Out {
		v := find(s.Graph.Outputs, p.Name)
		if v == nil || p.Axis < -1 || p.Axis >= len(v.Shape) || p.Every < 1 || s.Frames%p.Every != 0 || p.Axis < 0 && p.Every != s.Frames {
			return bad("output %q", p.Name)
		}
		if p.Axis >= 0 && v.Shape[p.Axis] != graph.N(s.Frames/p.Every) {
			return bad("output %q has shape %v", p.Name, v.Shape)
		}
		if ok := find(s.Graph.Outputs, p.Valid); p.Valid != "" && (ok == nil || ok.DType != tensor.Float32 || !ok.Shape.Equal(graph.Dims(s.Frames/p.Every))) {
			return bad("output %q", p.Valid)
		}
	}
	for _, t := range s.States {
		in, out := find(s.Graph.Inputs, t.In), find(s.Graph.Outputs, t.Out)
		if in == nil || out == nil || seen[t.In] || in.DType != out.DType || !in.Shape.Equal(out.Shape) {
			return bad("state %q", t.In)
		}
		seen[t.In] = true
	}
	return nil
}
