package train

import (
	"fmt"
	"slices"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
	"pare/train/objective"
)

// match binds how outputs are matched with a teacher's: as it is said, or by what each
// is. Classes that the labels choose, and what a softmax makes, by the divergence of the
// softened softmax; what a sigmoid makes by that of the sigmoid; vectors of length 1 by
// their angle; all else by the square, relative to how much the teacher's output varies.
func (v *View) match(g *graph.Graph, l Loss, outs []*graph.Value) error {
	o := l.Match
	if o == nil && len(v.Terms) == 1 && v.Terms[0].Loss.Layout == objective.ByRows && v.Terms[0].Loss.Logits == "softmax" {
		c := v.Terms[0]
		c.Term = objective.Term{Weight: 1, Loss: objective.MatchKL, Params: objective.Params{"temperature": {l.T}}}
		v.Matched = []Compared{c}
		return nil
	}
	if o == nil {
		for _, out := range outs {
			if out.DType.IsFloat() {
				o = append(o, likeness(v.Graph, out, l.T))
			}
		}
	}
	for _, t := range o {
		if t.Loss.Target != objective.Teacher {
			return fmt.Errorf("loss %s compares with labels: a teacher is matched by match-kl, match-mse, match-bce or match-cosine", t.Loss.Name)
		}
		if len(t.Args) == 0 && len(outs) > 1 {
			for _, out := range outs {
				t.Args = []string{out.Name}
				c, err := v.term(g, t, outs)
				if err != nil {
					return err
				}
				v.Matched = append(v.Matched, c)
			}
			continue
		}
		c, err := v.term(g, t, outs)
		if err != nil {
			return err
		}
		v.Matched = append(v.Matched, c)
	}
	return nil
}

// Inner is a value inside a network that is matched with the teacher's of the same name
// (feature distillation; Romero et al. 2015, arXiv 1412.6550), as outputs are that vary.
type Inner struct {
	Name string
	Axis int   // along which the network has fewer positions than the teacher
	Kept []int // those of the teacher's that it has; nil: all
}

// inner adds what is matched inside the network.
func (v *View) inner(g *graph.Graph, l Loss) error {
	for _, in := range l.Inner {
		x := v.Of[g.Value(in.Name)]
		if x == nil || x.DType != tensor.Float32 || len(x.Shape) < 2 {
			return fmt.Errorf("the network has no inner value %q of numbers that could be matched", in.Name)
		}
		if l.gather && in.Kept != nil {
			b := op.NewBuilder(v.Graph, in.Name)
			if x = b.Attr("Gather", []graph.Attr{graph.MakeAttr("axis", in.Axis)}, x, b.Ints(in.Kept...)); b.Err() != nil {
				return b.Err()
			}
		}
		v.Matched = append(v.Matched, Compared{Term: objective.Term{Weight: 1, Loss: objective.MatchMSE}, Output: in.Name, Out: []*graph.Value{x}})
	}
	return nil
}

// likeness is how an output is matched with a teacher's.
func likeness(g *graph.Graph, o *graph.Value, temperature float64) objective.Term {
	t := objective.Term{Weight: 1, Loss: objective.MatchMSE, Args: []string{o.Name}}
	for axis := len(o.Shape) - 1; axis > 0; axis-- {
		if !o.Shape[axis].Known() {
			continue
		}
		switch _, prob := probability(g, o, o.Shape[axis].Mul); {
		case prob.Is("Sigmoid"):
			t.Loss = objective.MatchBCE
			return t
		case prob != nil:
			t.Loss, t.Params = objective.MatchKL, objective.Params{"temperature": {temperature}, "axis": {float64(axis)}}
			return t
		}
	}
	if unitLength(o) {
		t.Loss = objective.MatchCosine
	}
	return t
}

// unitLength says whether an output is vectors of length 1 along the last axis.
func unitLength(o *graph.Value) bool {
	n := o.From
	for n.Is("Identity", "Cast", "Reshape", "Flatten", "Squeeze") && n.In(0) != nil {
		n = n.In(0).From
	}
	if n.Is("LpNormalization") {
		return true
	}
	if !n.Is("Div") || n.In(1) == nil {
		return false
	}
	by := n.In(1).From
	for by.Is("Expand", "Clip", "Max", "Unsqueeze", "Add") && by.In(0) != nil {
		by = by.In(0).From
	}
	switch {
	case by.Is("ReduceL2"):
		return by.In(0) == n.In(0)
	case by.Is("Sqrt") && by.In(0) != nil:
		return by.In(0).From.Is("ReduceSum", "ReduceSumSquare")
	}
	return false
}

// teacher plans a teacher on the samples that a student sees: its outputs stand for
// those that are matched, in their order.
func teacher(g *graph.Graph, student *View, inner []Inner, opt engine.Options) (*engine.Program, error) {
	var o objective.Objective
	for _, c := range student.Matched[:len(student.Matched)-len(inner)] {
		t := c.Term
		if t.Args == nil && len(student.Terms) == 1 && slices.Equal(student.Terms[0].Out, c.Out) { // its own answer
			o = nil
			break
		}
		if t.Args = []string{c.Output}; !slices.ContainsFunc(g.Outputs, func(v *graph.Value) bool { return v.Name == c.Output }) && len(g.Outputs) == 1 {
			t.Args = []string{g.Outputs[0].Name}
		}
		o = append(o, t)
	}
	v, err := newView(g, student.samples, student.Batch, Loss{Objective: o, Inner: inner, gather: true})
	if err != nil {
		return nil, err
	}
	all := slices.Concat(v.Terms, v.Matched)
	for i, c := range all {
		s := student.Matched[i]
		if c.Width != s.Width {
			return nil, fmt.Errorf("it has %d outputs, the network %d: they must be as many", c.Width, s.Width)
		}
		if !slices.Equal(c.Out[0].Shape, s.Out[0].Shape) {
			return nil, fmt.Errorf("its output %q has shape %v, the network's %q %v: they must be alike", c.Output, c.Out[0].Shape, s.Output, s.Out[0].Shape)
		}
	}
	if !slices.EqualFunc(v.Feeds, student.Feeds, func(a, b Feed) bool { return a.Field == b.Field && a.Raw == b.Raw && a.Input.DType == b.Input.DType }) {
		return nil, fmt.Errorf("one of the two networks takes whole numbers and the other normalised ones, or they take other fields: give a teacher of the same inputs")
	}
	v.Graph.Outputs = nil
	for _, c := range all { // one for each that is matched, also where they are the same
		v.Graph.Outputs = append(v.Graph.Outputs, c.Out[0])
	}
	opt.Freeze = true
	return engine.Compile(v.Graph, nil, opt)
}

// teach gives what the teacher makes of the batch.
func (s *Step) teach(from []*tensor.Tensor) {
	for i, name := range s.teacher.InputNames() {
		in := s.teacher.Input(name)
		copy(in.F32(), from[i].F32())
		copy(tensor.Of[int64](in), tensor.Of[int64](from[i]))
	}
}
