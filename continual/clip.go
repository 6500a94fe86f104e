package continual

import (
	"fmt"
	"slices"

	"pare/catalog"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// clip is a copy of the network whose time axes have the size of a clip, and which chooses
// frames early.
func (o *Options) clip(g *graph.Graph) (*graph.Graph, error) {
	c, err := o.Clip(g)
	if err != nil {
		return nil, err
	}
	if _, err := op.Fold(c); err != nil {
		return nil, err
	}
	for _, v := range c.Inputs {
		if axis, ok := o.Axes[v.Name]; ok {
			if err := selectEarly(c, v.Shape[axis].Mul); err != nil {
				return nil, err
			}
			break
		}
	}
	return c, nil
}

// Clip is a copy of a network whose time axes have the size of a clip. It counts negative
// axes of the options from the end.
func (o *Options) Clip(g *graph.Graph) (*graph.Graph, error) {
	if o.Window < 0 || o.Window == 1 || o.Window > maxClip {
		return nil, catalog.Errorf("{Window} %d: a number of frames from 2 to %d is needed", o.Window, maxClip)
	}
	if g.Version("") < 11 {
		return nil, fmt.Errorf("the network is of opset %d: networks of opset 11 and more become ones of a stream; export it anew", g.Version(""))
	}
	if err := o.checkAxes(g); err != nil {
		return nil, err
	}
	c, _ := g.Clone(false)
	length := o.Window
	for _, v := range c.Inputs {
		axis, ok := o.Axes[v.Name]
		if !ok {
			continue
		}
		d := v.Shape[axis].Bind(g.Usage.Sizes)
		if o.Window == 0 && !d.Known() {
			return nil, catalog.Errorf("axis %d of input %q has the free size %v: give the frames of a clip with {Window}", axis, v.Name, d)
		}
		n := d.Mul
		if o.Window > 0 {
			n = o.Window
		}
		if n < 2 || n > maxClip || length > 0 && n != length {
			return nil, fmt.Errorf("axis %d of input %q has %d frames: inputs over time have the same number, from 2 to %d", axis, v.Name, n, maxClip)
		}
		length = n
		v.Shape = slices.Clone(v.Shape)
		v.Shape[axis] = graph.N(n)
	}
	for _, v := range c.Inputs {
		v.Shape = v.Shape.Bind(g.Usage.Sizes)
	}
	for _, n := range c.Nodes {
		for _, y := range n.Outputs {
			if y != nil {
				y.Shape = nil
			}
		}
	}
	if err := op.InferAll(c); err != nil {
		return nil, fmt.Errorf("a clip of %d frames: %w", length, err)
	}
	return c, nil
}

// checkAxes looks at the time axes, and counts negative ones from the end.
func (o *Options) checkAxes(g *graph.Graph) error {
	if len(o.Axes) == 0 {
		return catalog.Errorf("no time axis: give {Axes}; %s", listInputs(g))
	}
	axes := map[string]int{}
	for name, a := range o.Axes {
		i := slices.IndexFunc(g.Inputs, func(v *graph.Value) bool { return v.Name == name })
		if i < 0 {
			return catalog.Errorf("{Axes}: there is no input %q; %s", name, listInputs(g))
		}
		v := g.Inputs[i]
		rank := len(v.Shape)
		if a < -rank || a >= rank {
			return catalog.Errorf("{Axes}: input %q has no axis %d; %s", name, a, listInputs(g))
		}
		if v.DType == tensor.String {
			return fmt.Errorf("input %q is %v: frames are numbers", name, v.DType)
		}
		axes[name] = (a + rank) % rank
	}
	o.Axes = axes
	return nil
}

func listInputs(g *graph.Graph) string {
	text := "the inputs are"
	for i, v := range g.Inputs {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(" %q %v", v.Name, v.Shape)
	}
	return text
}
