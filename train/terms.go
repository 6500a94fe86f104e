package train

import (
	"fmt"
	"slices"
	"strings"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
	"pare/train/objective"
)

// Compared is a term of an objective as a view has it.
type Compared struct {
	objective.Term
	Output string         // of the network, which answers; "" for a file
	Out    []*graph.Value // of the view, in the layout that the loss asks for
	Target []int          // fields of the samples
	Width  int            // scores of a label, of losses by classes
}

// compare binds the terms of an objective; nil stands for what outputs and targets
// suggest.
func (v *View) compare(g *graph.Graph, l Loss) error {
	o := l.Objective
	if o == nil {
		var err error
		if o, err = v.suggest(g); err != nil {
			return err
		}
	}
	outs := slices.Clone(v.Graph.Outputs)
	for _, t := range o {
		c, err := v.term(g, t, outs)
		if err != nil {
			return err
		}
		v.Terms = append(v.Terms, c)
	}
	if l.Teacher != nil {
		if err := v.match(g, l, outs); err != nil {
			return err
		}
	}
	if l.Teacher != nil || l.gather {
		if err := v.inner(g, l); err != nil {
			return err
		}
	}
	if v.Terms == nil && v.Matched == nil { // nothing to compare with: all that is a number
		var numbers []*graph.Value
		for _, o := range outs {
			if o.DType == tensor.Float32 && v.samples == nil { // a softmax would hide how they move
				numbers = append(numbers, v.before(o, objective.CrossEntropy, width(o)))
			} else if o.DType == tensor.Float32 {
				numbers = append(numbers, o)
			}
		}
		outs = numbers
		if len(outs) == 0 {
			return fmt.Errorf("the network has no output of numbers: %s", described(v.Graph.Outputs))
		}
	} else {
		all := slices.Concat(v.Terms, v.Matched)
		v.Asked, v.Width = all[0].Output, all[0].Width
		outs = nil
		for _, c := range all {
			for _, o := range c.Out {
				if !slices.Contains(outs, o) {
					outs = append(outs, o)
				}
			}
		}
	}
	if l.natural {
		for _, o := range v.Graph.Outputs {
			if !o.DType.IsFloat() {
				continue
			}
			if v.Natural = append(v.Natural, o); !slices.Contains(outs, o) {
				outs = append(outs, o)
			}
		}
	}
	if !slices.Equal(outs, v.Graph.Outputs) {
		v.Graph.Outputs = outs
		v.Graph.Prune()
	}
	return nil
}

// targets are the fields that no input takes.
func (v *View) targets() (out []int) {
	if v.samples == nil {
		return nil
	}
	for k, f := range v.samples.Fields {
		if !f.Aside && !v.isInput(k) {
			out = append(out, k)
		}
	}
	return out
}

// isInput says whether an input takes a field.
func (v *View) isInput(k int) bool {
	return slices.ContainsFunc(v.Feeds, func(f Feed) bool { return f.Field == k })
}

// term binds one term.
func (v *View) term(g *graph.Graph, t objective.Term, outs []*graph.Value) (Compared, error) {
	c := Compared{Term: t}
	if err := t.Check(); err != nil {
		return c, err
	}
	if t.Loss == objective.File {
		return c, v.file(&c, outs)
	}
	if len(t.Args) > 0 {
		i := slices.IndexFunc(outs, func(o *graph.Value) bool { return o.Name == t.Args[0] })
		if i < 0 {
			return c, fmt.Errorf("loss %s: the network has no output %q: the outputs are %s", t.Loss.Name, t.Args[0], described(outs))
		}
		outs = outs[i : i+1]
	} else if name := g.Usage.OutputOf; name != "" {
		i := slices.IndexFunc(outs, func(o *graph.Value) bool { return o.Name == name })
		if i < 0 {
			return c, catalog.Errorf("{OutputOf} %s: the outputs are %s", name, described(outs))
		}
		outs = outs[i : i+1]
	}
	fields, err := v.targetsOf(t)
	if err != nil {
		return c, err
	}
	switch t.Loss.Target {
	case objective.None, objective.Teacher:
		err = v.alone(&c, outs)
	case objective.Classes:
		err = v.classes(g, &c, outs, fields)
	case objective.Tokens:
		err = v.tokens(&c, outs, fields)
	default:
		err = v.numbers(&c, outs, fields)
	}
	return c, err
}

// targetsOf lists the fields that a term may be compared with.
func (v *View) targetsOf(t objective.Term) ([]int, error) {
	if w := t.Loss.Target; w == objective.None || w == objective.Teacher || v.samples == nil {
		return nil, nil
	}
	if len(t.Args) > 1 {
		k := slices.IndexFunc(v.samples.Fields, func(f *dataset.Field) bool { return f.Name == t.Args[1] })
		if k < 0 {
			return nil, fmt.Errorf("loss %s: the samples have no field %q: the fields are %s", t.Loss.Name, t.Args[1], fields(v.samples))
		}
		return []int{k}, nil
	}
	all := v.targets()
	if t.Loss == objective.NextToken { // what is read is what is foretold
		for k, f := range v.samples.Fields {
			if f.Ints != nil && len(f.Shape) == 1 && !slices.Contains(all, k) {
				all = append(all, k)
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("loss %s compares with a target, and the samples have none: every field is an input (%s)", t.Loss.Name, fields(v.samples))
	}
	return all, nil
}

// alone binds a term that has no field for its target: what another network gives, or
// nothing.
func (v *View) alone(c *Compared, outs []*graph.Value) error {
	if len(outs) != 1 {
		return fmt.Errorf("loss %s: the network has %d outputs, %s: name one", c.Loss.Name, len(outs), described(outs))
	}
	o := outs[0]
	if !o.DType.IsFloat() {
		return fmt.Errorf("loss %s: output %q holds %v, not numbers", c.Loss.Name, o.Name, o.DType)
	}
	c.Output = o.Name
	if c.Loss.Layout != objective.ByRows {
		c.Out = []*graph.Value{v.before(o, c.Loss, width(o))}
		return nil
	}
	s, ok := o.Shape.Ints()
	if !ok || len(s) < 1 {
		return fmt.Errorf("the shape of output %q, %v, is not known before it runs", o.Name, o.Shape)
	}
	r := &reply{of: o, axis: len(s) - 1, width: 1}
	switch {
	case c.Params.Has("axis"):
		r.axis = c.Params.Int("axis")
	case len(s) == 4:
		r.axis = 1
	default:
		if l := long(s); len(l) == 1 {
			r.axis = l[0]
		}
	}
	if r.axis < 0 {
		r.axis += len(s)
	}
	if r.axis >= len(s) || r.axis < 1 {
		return fmt.Errorf("loss %s: output %q has shape %v, which has no axis of classes", c.Loss.Name, o.Name, o.Shape)
	}
	r.width = s[r.axis]
	r.chain, r.prob = probability(v.Graph, o, r.width)
	out, err := v.rows(r, c.Loss, nil)
	c.Out, c.Width = []*graph.Value{out}, r.width
	return err
}

// width is the length of the last axis.
func width(o *graph.Value) int {
	if n := len(o.Shape); n > 0 && o.Shape[n-1].Known() {
		return o.Shape[n-1].Mul
	}
	return 1
}

// numbers binds a term whose target is as large as the output.
func (v *View) numbers(c *Compared, outs []*graph.Value, fields []int) error {
	if v.samples == nil {
		c.Output, c.Out = outs[0].Name, []*graph.Value{v.before(outs[0], c.Loss, width(outs[0]))}
		return nil
	}
	var fit [][2]int
	for i, o := range outs {
		for _, k := range fields {
			if v.alike(o, v.samples.Fields[k]) {
				fit = append(fit, [2]int{i, k})
			}
		}
	}
	whole := func(k int) bool { return v.samples.Fields[k].Floats == nil }
	if len(fit) == 0 && c.Loss == objective.MSE && slices.ContainsFunc(fields, whole) { // 1 for the class and 0 elsewhere
		c.Loss = objective.MSEClasses
		return v.classes(nil, c, outs, fields)
	}
	if len(fit) == 0 {
		return fmt.Errorf("loss %s: no target is as large as an output: outputs %s, targets %s%s", c.Loss.Name, described(outs), listed(v.samples, fields), v.pairs(c.Loss))
	}
	if len(fit) > 1 {
		fit = slices.DeleteFunc(fit, func(f [2]int) bool { return plain(outs[f[0]].Name) != plain(v.samples.Fields[f[1]].Name) })
	}
	if len(fit) != 1 {
		return fmt.Errorf("loss %s: several of the outputs %s may be compared with several of the targets %s: name them, as in %s(OUTPUT,TARGET)", c.Loss.Name, described(outs), listed(v.samples, fields), c.Loss.Name)
	}
	o, k := outs[fit[0][0]], fit[0][1]
	c.Output, c.Out, c.Target = o.Name, []*graph.Value{v.before(o, c.Loss, width(o))}, []int{k}
	return nil
}

// pairs lists what a loss of numbers could compare.
func (v *View) pairs(l *objective.Loss) string {
	var out []string
	for _, o := range v.Graph.Outputs {
		for _, k := range v.targets() {
			if f := v.samples.Fields[k]; v.alike(o, f) {
				out = append(out, fmt.Sprintf("%s(%s,%s)", l.Name, o.Name, f.Name))
			}
		}
	}
	if len(out) == 0 {
		return ""
	}
	return "; what would fit is " + strings.Join(out, ", ")
}

// alike says whether an output has a number for each of a field.
func (v *View) alike(o *graph.Value, f *dataset.Field) bool {
	s, ok := o.Shape.Ints()
	if !ok || len(s) == 0 || !o.DType.IsFloat() || s[0] != v.Batch {
		return false
	}
	return slices.Equal(squeezed(s[1:]), squeezed(f.Shape)) || len(s) == 2 && s[1] == f.Size() && len(squeezed(f.Shape)) == 1
}

func squeezed(s []int) (out []int) {
	for _, d := range s {
		if d != 1 {
			out = append(out, d)
		}
	}
	return out
}

// tokens binds a term whose target is a sequence.
func (v *View) tokens(c *Compared, outs []*graph.Value, fields []int) error {
	var fit []Compared
	for _, o := range outs {
		s, ok := o.Shape.Ints()
		if !ok || len(s) != 3 || s[0] != v.Batch || !o.DType.IsFloat() {
			continue
		}
		for _, k := range fields {
			f := v.samples.Fields[k]
			if f.Ints == nil || len(f.Shape) != 1 || c.Loss == objective.NextToken && f.Shape[0] != s[1] {
				continue
			}
			fit = append(fit, Compared{Term: c.Term, Output: o.Name, Out: []*graph.Value{v.before(o, c.Loss, s[2])}, Target: []int{k}, Width: s[2]})
		}
	}
	if len(fit) != 1 {
		return fmt.Errorf("loss %s takes an output [batch time classes] and a target of whole numbers [batch length], and there are %d such pairs of the outputs %s and the fields %s: name them, as in %s(OUTPUT,TARGET)", c.Loss.Name, len(fit), described(outs), listed(v.samples, fields), c.Loss.Name)
	}
	*c = fit[0]
	return nil
}

// before is an output, or what it is before a softmax or sigmoid that a loss takes
// itself.
func (v *View) before(o *graph.Value, l *objective.Loss, width int) *graph.Value {
	chain, prob := probability(v.Graph, o, width)
	if l.Logits == "sigmoid" && !prob.Is("Sigmoid") || l.Logits != "sigmoid" && prob.Is("Sigmoid") || l.Logits == "" {
		prob = nil
	}
	return v.cast(v.unmade(o, chain, prob))
}

// unmade is an output before what makes it a probability, moved as it is.
func (v *View) unmade(o *graph.Value, chain []*graph.Node, prob *graph.Node) *graph.Value {
	if prob == nil {
		return o
	}
	v.note("output %q is a probability (%s): loss and gradients are taken before it", o.Name, prob.Op)
	x := prob.In(0)
	b := op.NewBuilder(v.Graph, o.Name)
	for _, n := range slices.Backward(chain) {
		in := slices.Clone(n.Inputs)
		in[0] = x
		x = b.Node(n.Domain, n.Op, 1, in, n.Attrs...).Outputs[0]
	}
	return x
}

// cast is a value as float32.
func (v *View) cast(x *graph.Value) *graph.Value {
	if x.DType == tensor.Float32 {
		return x
	}
	return op.NewBuilder(v.Graph, x.Name).Attr("Cast", []graph.Attr{graph.MakeAttr("to", int(tensor.Float32))}, x)
}
