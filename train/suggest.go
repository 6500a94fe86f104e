package train

import (
	"fmt"
	"slices"
	"strings"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/train/objective"
)

// suggest is the objective that outputs and targets suggest; none where there is
// nothing to compare with.
func (v *View) suggest(g *graph.Graph) (objective.Objective, error) {
	one := func(l *objective.Loss, args ...string) objective.Term {
		return objective.Term{Weight: 1, Loss: l, Args: args}
	}
	if v.samples == nil {
		if len(v.Graph.Outputs) > 1 && g.Usage.OutputOf == "" {
			return nil, nil
		}
		return objective.Objective{one(objective.CrossEntropy)}, nil
	}
	targets := v.targets()
	if len(targets) == 0 {
		return nil, nil
	}
	if y := v.samples.Class(); y != nil && len(targets) == 1 && v.samples.Fields[targets[0]] == y {
		return objective.Objective{one(objective.CrossEntropy)}, nil
	}
	var out objective.Objective
	var said []string
	for _, k := range targets {
		f := v.samples.Fields[k]
		o, l, err := v.pair(v.Graph.Outputs, f)
		if err != nil {
			return nil, err
		}
		out = append(out, one(l, o.Name, f.Name))
		said = append(said, out[len(out)-1:].String())
	}
	v.note("the loss is %s, which outputs and targets suggest", strings.Join(said, "+"))
	return out, nil
}

// pair finds the output that a target suggests, and the loss.
func (v *View) pair(outs []*graph.Value, f *dataset.Field) (*graph.Value, *objective.Loss, error) {
	type match struct {
		o *graph.Value
		l *objective.Loss
	}
	var fit []match
	for _, o := range outs {
		if l := v.kind(o, f); l != nil {
			fit = append(fit, match{o, l})
		}
	}
	if len(fit) > 1 {
		if i := slices.IndexFunc(fit, func(m match) bool { return plain(m.o.Name) == plain(f.Name) }); i >= 0 {
			fit = fit[i : i+1]
		}
	}
	switch len(fit) {
	case 0:
		way := fmt.Sprintf(": give {Recipe.Loss}, such as smooth-l1(OUTPUT,%s), or onnx:FILE for any other", f.Name)
		if sizes := places(outs, f); sizes != "" {
			way = sizes + ", or {Recipe.Loss} onnx:FILE compares them"
		}
		return nil, nil, catalog.Errorf("no output of the network, %s, goes with the target %q [batch %s]%s; drop=%[2]s, beside the data, leaves it out", described(outs), f.Name, shapeText(f.Shape), way)
	case 1:
		return fit[0].o, fit[0].l, nil
	}
	return nil, nil, catalog.Errorf("several outputs of the network, %s, go with the target %q [batch %s]: give {Recipe.Loss}, such as %s(%q,%[2]s)", described(outs), f.Name, shapeText(f.Shape), fit[0].l.Name, fit[0].o.Name)
}

// places says where an output has a number for each place of an image, and a target one
// for each of an image of another size.
func places(outs []*graph.Value, f *dataset.Field) string {
	n := len(f.Shape)
	for _, o := range outs {
		s, ok := o.Shape.Ints()
		if !ok || len(s) != 4 || n != 2 && n != 3 || slices.Equal(s[2:], f.Shape[n-2:]) {
			continue
		}
		return fmt.Sprintf(", which has %dx%d places where %q has %dx%d: they must be of one size", f.Shape[n-2], f.Shape[n-1], o.Name, s[2], s[3])
	}
	return ""
}

// kind is the loss that an output and a target suggest; nil where they do not go
// together.
func (v *View) kind(o *graph.Value, f *dataset.Field) *objective.Loss {
	alike := v.alike(o, f)
	_, prob := probability(v.Graph, o, width(o))
	switch {
	case f.Classes == 0 && alike && (prob.Is("Sigmoid") || f.Floats == nil) && between01(f):
		return objective.BCE
	case f.Floats == nil:
		if _, err := v.read(o, f); err == nil {
			return objective.CrossEntropy
		}
	}
	if alike && f.Classes == 0 {
		return objective.MSE
	}
	return nil
}

// between01 says whether all that is stored is known, and lies between 0 and 1.
func between01(f *dataset.Field) bool {
	return f.Held() && !slices.ContainsFunc(f.Floats, func(x float32) bool { return !(x >= 0 && x <= 1) }) &&
		!slices.ContainsFunc(f.Ints, func(x int32) bool { return x < 0 || x > 1 }) &&
		!slices.ContainsFunc(f.Bytes, func(x uint8) bool { return x > 1 })
}
