package train

import (
	"fmt"
	"maps"
	"slices"

	"pare/dataset"
	"pare/graph"
	"pare/train/objective"
)

// file binds the inputs of a loss that is a file: to outputs, else to fields.
func (v *View) file(c *Compared, outs []*graph.Value) error {
	if c.Graph == nil {
		return fmt.Errorf("loss %s has not been read", c.File)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Bind)) {
		if !slices.ContainsFunc(c.Graph.Inputs, func(in *graph.Value) bool { return in.Name == name }) {
			return fmt.Errorf("loss %s: %s=%s: it has no input %q, but %s", c.File, name, c.Bind[name], name, described(c.Graph.Inputs))
		}
	}
	for _, in := range c.Graph.Inputs {
		name := in.Name
		if to, ok := c.Bind[name]; ok {
			name = to
		}
		if i := slices.IndexFunc(outs, func(o *graph.Value) bool { return o.Name == name }); i >= 0 {
			c.Out = append(c.Out, outs[i])
			continue
		}
		k := -1
		if v.samples != nil {
			k = slices.IndexFunc(v.samples.Fields, func(f *dataset.Field) bool { return f.Name == name })
		}
		if k < 0 {
			have := "none"
			if v.samples != nil {
				have = fields(v.samples)
			}
			what := fmt.Sprintf("its input %q", name)
			if name != in.Name {
				what = fmt.Sprintf("its input %q is to take %q, which", in.Name, name)
			}
			return fmt.Errorf("loss %s: %s is no output of the network, which are %s, and no field of the samples, which are %s: onnx:%[1]s(%[5]s=NAME) says which it is", c.File, what, described(outs), have, in.Name)
		}
		c.Target = append(c.Target, k)
	}
	if len(c.Out) == 0 {
		return fmt.Errorf("loss %s takes no output of the network, which are %s: nothing can be learnt from it", c.File, described(outs))
	}
	c.Output = c.Out[0].Name
	return nil
}

// classes binds a term whose target is classes.
func (v *View) classes(g *graph.Graph, c *Compared, outs []*graph.Value, fields []int) error {
	var ys []int
	for _, k := range fields {
		if v.samples.Fields[k].Classes > 0 {
			ys = append(ys, k)
		}
	}
	if len(ys) == 0 {
		for _, k := range fields {
			if v.samples.Fields[k].Floats == nil {
				ys = append(ys, k)
			}
		}
	}
	switch {
	case v.samples == nil:
		ys = []int{-1}
	case len(ys) == 0:
		return fmt.Errorf("loss %s: no target holds classes: %s%s", c.Loss.Name, listed(v.samples, fields), v.classFields())
	}
	if c.Loss == objective.Triplet || c.Loss == objective.Contrastive {
		return v.embedded(c, outs, ys)
	}
	var err error
	for _, k := range ys {
		var y *dataset.Field
		if k >= 0 {
			y = v.samples.Fields[k]
		}
		r, why := v.choose(outs, y, c)
		if why != nil {
			if err == nil {
				err = why
			}
			continue
		}
		if c.Out != nil {
			return fmt.Errorf("loss %s: output %q may be compared with several of the targets %s: name one, as in %s(%q,TARGET)", c.Loss.Name, c.Output, listed(v.samples, ys), c.Loss.Name, c.Output)
		}
		x, why := v.rows(r, c.Loss, y)
		if why != nil {
			return why
		}
		c.Output, c.Out, c.Width = r.of.Name, []*graph.Value{x}, r.width
		if r.lone {
			c.Width = 2
		}
		if k >= 0 {
			c.Target = []int{k}
			if why := v.left(c, y); why != nil {
				return why
			}
		}
	}
	if c.Out == nil {
		return err
	}
	return nil
}

// embedded binds a term that compares vectors with each other, by the samples' classes.
func (v *View) embedded(c *Compared, outs []*graph.Value, ys []int) error {
	outs = slices.DeleteFunc(slices.Clone(outs), func(o *graph.Value) bool {
		return len(o.Shape) != 2 || o.Shape[0] != graph.N(v.Batch) || !o.DType.IsFloat()
	})
	ys = slices.DeleteFunc(slices.Clone(ys), func(k int) bool { return k >= 0 && v.samples.Fields[k].Size() != 1 })
	if len(outs) != 1 || len(ys) != 1 {
		return fmt.Errorf("loss %s takes an output [batch numbers] and one class for each sample, and there are %d and %d of these: name them, as in %[1]s(OUTPUT,TARGET)", c.Loss.Name, len(outs), len(ys))
	}
	if c.Output, c.Out = outs[0].Name, []*graph.Value{v.cast(outs[0])}; ys[0] >= 0 {
		c.Target = ys
	}
	return nil
}

// left sets the class that does not count, where the target has one, and checks that
// the others are among the scores.
func (v *View) left(c *Compared, y *dataset.Field) error {
	if y.Size() == 1 && y.Classes > 0 || c.Params.Has("ignore") {
		return nil
	}
	if v.samples.Stream != nil {
		if y.Gaps {
			c.Params = withParam(c.Params, "ignore", -1)
		}
		return nil
	}
	none, most := int32(0), int32(0)
	for _, x := range y.Ints {
		if x < 0 && none < 0 && x != none {
			return fmt.Errorf("field %q has the classes %d and %d: one negative number may stand for places that do not count; ignore=%d, a setting of the loss, says which", y.Name, none, x, none)
		}
		none, most = min(none, x), max(most, x)
	}
	for _, x := range y.Bytes {
		most = max(most, int32(x))
	}
	if int(most) >= c.Width {
		return fmt.Errorf("field %q has class %d, the network's output %q %d scores; where that class stands for places that do not count, ignore=%[2]d says so, a setting of the loss", y.Name, most, c.Output, c.Width)
	}
	if none == 0 {
		if len(y.Shape) != 2 {
			return nil
		}
		none = -1 // what an augmentation moves in
	} else {
		v.note("field %q: places of class %d do not count", y.Name, none)
	}
	if slices.ContainsFunc(c.Loss.Params, func(p objective.Param) bool { return p.Name == "ignore" }) {
		c.Params = withParam(c.Params, "ignore", float64(none))
	}
	return nil
}

func withParam(p objective.Params, name string, x float64) objective.Params {
	out := objective.Params{name: {x}}
	for k, v := range p {
		out[k] = v
	}
	return out
}

// classFields lists the fields that hold classes, where others were meant.
func (v *View) classFields() string {
	var out []int
	for k, f := range v.samples.Fields {
		if f.Classes > 0 {
			out = append(out, k)
		}
	}
	if len(out) == 0 {
		return " (class=FIELD, beside the data, makes classes of whole numbers)"
	}
	return "; those that do are " + listed(v.samples, out)
}
