package train

import (
	"fmt"
	"math"
	"slices"

	"pare/dataset"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
	"pare/train/objective"
)

// Loss is what training makes small.
type Loss struct {
	Objective objective.Objective // nil: the one that outputs and targets suggest
	Smoothing float64             // of labels, in [0,1), in terms of cross-entropy that set none
	Teacher   *graph.Graph        // distillation: what it gives is matched too; alone where nothing is to be compared with
	Match     objective.Objective // how it is matched; nil: by what each output is
	Inner     []Inner             // values inside the networks that are matched too
	Alpha     float64             // share of the distillation, in [0,1]
	T         float64             // temperature of distillation
	Temper    float64             // what outputs are divided by before they are compared; 0: nothing

	// Drawn takes in the place of how a teacher is matched, which has no gradient where
	// the network is the teacher, gradients that stand for its curvature: see
	// objective.Term.Draw. It is for EachGradient, and the teacher is the network itself.
	Drawn bool

	still   bool // normalisation takes its running statistics
	natural bool // the network's outputs are kept as they are, beside what is compared
	gather  bool // inner values are the teacher's: of them what the student has
	any     bool // where there is nothing to learn from, a loss of no meaning will do
	forward bool // no gradient is taken
	scored  bool // the scores of each sample are kept
	signs   bool // in place of all else: the outputs that are compared, times random signs
}

// By is the loss of one kind, with its usual settings.
func By(l *objective.Loss) Loss {
	return Loss{Objective: objective.Objective{{Weight: 1, Loss: l}}}
}

// Check returns an error that names the setting out of range.
func (l Loss) Check() error {
	switch {
	case !(l.Smoothing >= 0 && l.Smoothing < 1):
		return fmt.Errorf("label smoothing %v is outside [0,1)", l.Smoothing)
	case l.Smoothing > 0 && l.Objective != nil && !slices.ContainsFunc(l.Objective, smooths):
		return fmt.Errorf("label smoothing goes with cross-entropy, not with %v", l.Objective)
	case l.Teacher != nil && !(l.Alpha >= 0 && l.Alpha <= 1):
		return fmt.Errorf("the distillation share %v is outside [0,1]", l.Alpha)
	case l.Teacher != nil && !(l.T > 0):
		return fmt.Errorf("the distillation temperature %v is not positive", l.T)
	}
	return nil
}

// smooths says whether labels may be smoothed in a term.
func smooths(t objective.Term) bool { return t.Loss == objective.CrossEntropy }

// target is an input of a view that is given a field to compare with.
type target struct {
	field int // -1: none, where there are no samples
	in    *graph.Value
}

// noise is an input of a view that is filled with what objective.Term.Noise makes.
type noise struct {
	of objective.Term
	in *graph.Value
}

// attach adds the loss behind the outputs of a view.
func (l Loss) attach(v *View) (*graph.Value, error) {
	if l.signs {
		return v.signed()
	}
	b := op.NewBuilder(v.Graph, "loss")
	var terms, soft []*graph.Value
	for _, c := range v.Terms {
		if l.Drawn {
			break
		}
		if l.Temper > 0 {
			c.Out = slices.Clone(c.Out)
			for i, o := range c.Out {
				c.Out[i] = b.Op("Mul", o, b.Scalar(1/l.Temper, o))
			}
		}
		if l.Smoothing > 0 && smooths(c.Term) && !c.Params.Has("smoothing") {
			c.Params = withParam(c.Params, "smoothing", l.Smoothing)
		}
		t, err := v.build(b, c)
		if err != nil {
			return nil, err
		}
		terms = append(terms, t)
	}
	inner := len(v.Matched) - len(l.Inner)
	for i, c := range v.Matched {
		x := &graph.Value{Name: v.Graph.Fresh("teacher"), DType: tensor.Float32, Shape: c.Out[0].Shape}
		v.Graph.Inputs = append(v.Graph.Inputs, x)
		v.taught = append(v.taught, x)
		if c.Weight = 1 / float64(inner); i >= inner { // together as much as the outputs
			c.Weight = 1 / float64(len(l.Inner))
		}
		if terms != nil {
			c.Weight *= l.Alpha
		}
		if c.Weight == 0 {
			continue
		}
		var t *graph.Value
		var err error
		if l.Drawn {
			e := &graph.Value{Name: v.Graph.Fresh("noise"), DType: tensor.Float32, Shape: x.Shape}
			v.Graph.Inputs = append(v.Graph.Inputs, e)
			v.noise = append(v.noise, noise{c.Term, e})
			t, err = c.Draw(b, c.Out[0], x, e)
		} else {
			t, err = c.Build(b, c.Out, []*graph.Value{x})
		}
		if err != nil {
			return nil, err
		}
		soft = append(soft, t)
	}
	if terms == nil && soft == nil && l.any {
		return b.Attr("ReduceMean", []graph.Attr{graph.MakeAttr("keepdims", 0)}, v.Graph.Outputs[0]), b.Err()
	}
	if terms == nil && soft == nil {
		return nil, v.nothing()
	}
	if terms != nil {
		hard, err := objective.Sum(b, terms)
		if err != nil {
			return nil, err
		}
		if v.Matched != nil {
			hard = b.Op("Mul", hard, b.Scalar(1-l.Alpha, hard))
		}
		soft = append([]*graph.Value{hard}, soft...)
	}
	return objective.Sum(b, soft)
}

// build adds a term and the inputs for its targets.
func (v *View) build(b *op.Builder, c Compared) (*graph.Value, error) {
	if c.Loss == objective.File {
		values := map[string]*graph.Value{}
		for _, k := range c.Target {
			f := v.samples.Fields[k]
			kind := tensor.Int64
			if f.Floats != nil || c.takes(f.Name).IsFloat() {
				kind = tensor.Float32
			}
			values[f.Name] = v.target(k, kind, graph.Dims(append([]int{v.Batch}, f.Shape...)...))
		}
		for _, o := range c.Out {
			values[o.Name] = o
		}
		return c.Import(b, c.Graph, values)
	}
	if len(c.Loss.Targets) == 0 {
		return c.Build(b, c.Out, nil)
	}
	k, shape, kind := -1, c.Out[0].Shape, tensor.Int64
	if len(c.Target) > 0 {
		k = c.Target[0]
	}
	switch c.Loss.Layout {
	case objective.ByRows:
		shape = shape[:1]
	case objective.InTime:
		shape = graph.Dims(v.Batch, size(v.samples.Fields[k].Shape))
	default:
		kind = tensor.Float32
	}
	return c.Build(b, c.Out, []*graph.Value{v.target(k, kind, shape)})
}

// takes is the type of what a file's input takes of a name.
func (c *Compared) takes(name string) tensor.DType {
	for _, in := range c.Graph.Inputs {
		if in.Name == name || c.Bind[in.Name] == name {
			return in.DType
		}
	}
	return tensor.Int64
}

// target is the input of a field that is compared with.
func (v *View) target(field int, kind tensor.DType, shape graph.Shape) *graph.Value {
	for _, t := range v.against {
		if t.field == field && t.in.DType == kind && slices.Equal(t.in.Shape, shape) {
			return t.in
		}
	}
	name := "label"
	if kind == tensor.Float32 {
		name = "target"
	}
	x := &graph.Value{Name: v.Graph.Fresh(name), DType: kind, Shape: shape}
	v.Graph.Inputs = append(v.Graph.Inputs, x)
	v.against = append(v.against, target{field, x})
	return x
}

// compared are the parts of targets' storage that fields are written into.
func (v *View) compared(in func(*graph.Value) *tensor.Tensor) (to []dataset.Buffer) {
	for _, t := range v.against {
		if x := in(t.in); x != nil && t.field >= 0 {
			to = append(to, dataset.Buffer{Field: t.field, X: x.F32(), I: tensor.Of[int64](x), Raw: true})
		}
	}
	return to
}

// score gives the best class of a row of logits and the cross-entropy of the
// labelled one.
func score(row []float32, label int) (best int, loss float64) {
	for i, v := range row {
		if v > row[best] {
			best = i
		}
	}
	s := 0.0
	for _, v := range row {
		s += math.Exp(float64(v - row[best]))
	}
	return best, math.Log(s) + float64(row[best]-row[label])
}
