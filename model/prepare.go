package model

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/graph/op"
	"pare/measure"
	"pare/tensor"
	"pare/train"
	"pare/train/metric"
	"pare/train/objective"
)

// Prepare makes a network that was read ready to be pruned, trained and measured:
// it is checked, its shapes and roles are inferred, constants folded, and weights of
// another floating-point type taken as float32, which the notes say. Operators that are
// not known are named, and left as they are with all that they touch: the network can be
// looked into and pruned, not run. It returns an error where the network is broken.
func Prepare(g *graph.Graph) (notes []string, err error) {
	notes = opened(g)
	unknown := op.Check(g)
	if unknown != nil {
		notes = append(notes, fmt.Sprintf("%v: what it touches is left whole, and the network is not run", unknown))
	}
	if otherFloats(g) {
		if unknown != nil { // what it makes of float32 is not known
			return nil, unknown
		}
		d, err := op.Widen(g)
		if err != nil {
			return nil, err
		}
		notes = append(notes, fmt.Sprintf("the %v numbers are computed in float32 and written as %v; speed is that of float32", d, d))
	}
	if _, err := op.Simplify(g); err != nil {
		return nil, err
	}
	return notes, finite(g)
}

// opened takes sizes of inputs that are written as 0, as some exporters do with what
// they do not know, for free ones.
func opened(g *graph.Graph) (notes []string) {
	for _, v := range g.Inputs {
		for k, d := range v.Shape {
			if d == graph.N(0) {
				v.Shape[k] = graph.Sym(fmt.Sprintf("%s.%d", v.Name, k))
				notes = append(notes, fmt.Sprintf("axis %d of input %q has size 0 in the file: it is taken for a free size", k, v.Name))
			}
		}
	}
	return notes
}

// finite returns an error where a weight is not a finite number.
func finite(g *graph.Graph) error {
	for _, v := range g.Consts() {
		if i := v.Const.Finite(); i >= 0 && v.Role != graph.Frozen {
			return fmt.Errorf("weight %q has a NaN or infinity at entry %d: the network is broken", v.Name, i)
		}
	}
	return nil
}

// otherFloats says whether inputs or weights are floating-point numbers that are
// not float32. Scalars do not count: shapes are sometimes computed in float64.
func otherFloats(g *graph.Graph) bool {
	other := func(v *graph.Value) bool { return v.DType.IsFloat() && v.DType != tensor.Float32 }
	return slices.ContainsFunc(g.Inputs, other) ||
		slices.ContainsFunc(g.Consts(), func(v *graph.Value) bool { return other(v) && len(v.Const.Shape) > 1 })
}

// Fits returns an error where a network cannot be trained or measured on data, and
// notes that say what was assumed of its inputs and outputs (see train.View). It
// leaves in the network's usage what the data decides: free sizes, and the output that
// answers.
func Fits(g *graph.Graph, d *dataset.Data, by train.Judge) (notes []catalog.Text, err error) {
	for _, s := range []*dataset.Set{d.Train, d.Val, d.Test} {
		if s == nil {
			continue
		}
		if err := s.Sound(); err != nil {
			return nil, err
		}
		v, err := see(g, s, by.Objective)
		if err != nil {
			return nil, err
		}
		if notes == nil {
			notes = slices.Concat(v.Notes, unused(v, s, by), ofBatch(g, s, by.Objective))
		}
		if err := (&train.Eval{Loader: &dataset.Loader{Set: s, Norm: d.Norm}, Judge: by}).Fits(context.Background(), g, s == d.Eval()); err != nil {
			return nil, err
		}
		if len(g.Outputs) > 1 && by.Objective == nil && len(v.Terms) == 1 {
			g.Usage.OutputOf = v.Asked
		}
	}
	return notes, nil
}

// unused names the fields that nothing takes, where the loss is named: they may have been
// meant.
func unused(v *train.View, s *dataset.Set, by train.Judge) (notes []catalog.Text) {
	if len(by.Objective) == 0 {
		return nil
	}
	taken := func(k int, name string) bool {
		return slices.ContainsFunc(v.Feeds, func(f train.Feed) bool { return f.Field == k }) ||
			slices.ContainsFunc(v.Terms, func(c train.Compared) bool { return slices.Contains(c.Target, k) }) ||
			slices.ContainsFunc(by.Metrics, func(u metric.Use) bool {
				return slices.Contains(u.Args, name) || slices.Contains(u.Metric.Inputs, name)
			})
	}
	for k, f := range s.Fields {
		if !f.Aside && !taken(k, f.Name) {
			notes = append(notes, catalog.Text(fmt.Sprintf("field %q is used by nothing: no input takes it, and neither loss nor metric names it", f.Name)))
		}
	}
	return notes
}

// ofBatch says what it means that a network fixes its batch.
func ofBatch(g *graph.Graph, s *dataset.Set, o objective.Objective) []catalog.Text {
	in := g.Inputs[0].Shape
	if len(in) == 0 || !in[0].Known() {
		return nil
	}
	text := "the network's batch is fixed to %d: it is evaluated %[1]d at a time, and trained with other batches, as its nodes allow"
	if _, err := train.NewView(g, s, in[0].Mul+1, o); err != nil {
		text = "the network's batch is fixed to %d: it is evaluated %[1]d at a time, and can only be trained so"
	}
	return []catalog.Text{catalog.Text(fmt.Sprintf(text, in[0].Mul))}
}

// see leaves the free sizes that samples decide in a network's usage.
func see(g *graph.Graph, s *dataset.Set, o objective.Objective) (*train.View, error) {
	var said []catalog.Text
	if len(g.Inputs) == 1 && g.Inputs[0].Shape == nil {
		in := g.Inputs[0]
		for k := range len(s.X().Shape) + 1 {
			in.Shape = append(in.Shape, graph.Sym(fmt.Sprintf("%s.%d", in.Name, k)))
		}
		if err := op.InferAll(g); err != nil {
			return nil, err
		}
		said = append(said, catalog.Text(fmt.Sprintf("the file does not say the shape of input %q: that of the samples is taken, a batch of %v", in.Name, s.X().Shape)))
	}
	_, batch := g.Batch(2)
	v, err := train.NewView(g, s, batch, o)
	if err != nil {
		return nil, err
	}
	v.Notes = append(said, v.Notes...)
	use(g, v.Sizes)
	return v, nil
}

// use leaves sizes in a network's usage.
func use(g *graph.Graph, sizes map[string]int) {
	if len(sizes) > 0 && g.Usage.Sizes == nil {
		g.Usage.Sizes = map[string]int{}
	}
	maps.Copy(g.Usage.Sizes, sizes)
}

// settle decides the free sizes of the job's network: those of its samples, else
// assumed ones, which the notes say.
func (j *Job) settle() ([]catalog.Text, error) {
	if len(j.Graph.Open()) == 0 && !slices.ContainsFunc(j.Graph.Inputs, func(v *graph.Value) bool { return v.Shape == nil }) {
		return nil, nil
	}
	if j.Data != nil {
		o, err := j.Recipe.objective()
		if err != nil {
			return nil, err
		}
		for _, s := range []*dataset.Set{j.Data.Train, j.Data.Val, j.Data.Test} {
			if s != nil {
				_, err := see(j.Graph, s, o)
				return nil, err
			}
		}
	}
	return measure.Settle(j.Graph)
}
