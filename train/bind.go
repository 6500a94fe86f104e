package train

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/tensor"
)

// Feed is what an input of a view is given.
type Feed struct {
	Input *graph.Value
	Field int     // of the samples; -1: none
	Value float64 // that all its entries have, without a field
	Raw   bool    // stored values, not normalised ones

	fit fit
}

// Inputs is the storage of a plan's inputs, in the order of the view's.
func (v *View) Inputs(p *engine.Program) []*tensor.Tensor {
	out := make([]*tensor.Tensor, len(v.Feeds))
	for i, f := range v.Feeds {
		out[i] = p.Input(f.Input.Name)
	}
	return out
}

// Buffers are the parts of the inputs' storage that fields are written into; the others
// are given their value.
func (v *View) Buffers(in []*tensor.Tensor) (to []dataset.Buffer) {
	for i, f := range v.Feeds {
		t := in[i]
		switch {
		case t == nil: // nothing reads it
		case f.Field >= 0:
			to = append(to, dataset.Buffer{Field: f.Field, X: t.F32(), I: tensor.Of[int64](t), Raw: f.Raw})
		default:
			for k := range t.F32() {
				t.F32()[k] = float32(f.Value)
			}
			for k := range tensor.Of[int64](t) {
				tensor.Of[int64](t)[k] = int64(f.Value)
			}
		}
	}
	return to
}

// bind finds the field that each input takes: the one it is told to (see
// dataset.Set), one of its name, or the only one that fits it.
func (v *View) bind(g *graph.Graph) error {
	if len(g.Inputs) == 0 {
		return fmt.Errorf("the network has no input: it answers no sample")
	}
	v.Feeds = make([]Feed, len(g.Inputs))
	for i, in := range v.Graph.Inputs {
		v.Feeds[i] = Feed{Input: in, Field: -1}
	}
	if v.samples == nil {
		for _, in := range g.Inputs {
			if len(in.Shape) == 0 {
				return fmt.Errorf("the network's input %q has shape %v: it must begin with the batch", in.Name, in.Shape)
			}
		}
		return nil
	}
	left, err := v.told(g)
	if err != nil {
		return err
	}
	for _, same := range []func(input, field string) bool{
		func(input, field string) bool { return input == field },
		func(input, field string) bool { return plain(input) == plain(field) },
	} {
		if left, err = v.named(g, left, same); err != nil {
			return err
		}
	}
	if err := v.guess(g, left); err != nil {
		return err
	}
	for i := range v.Feeds {
		if err := v.fits(g, i); err != nil {
			return err
		}
	}
	for k, f := range v.samples.Fields {
		if f.Aside && !v.isInput(k) {
			v.note("no input of the network takes field %q, which says what tokens are: it is left out", f.Name)
		}
	}
	return nil
}

// named binds the inputs that are called as a field is, and gives the others. A field
// that has gone to an input goes to no other.
func (v *View) named(g *graph.Graph, inputs []int, same func(input, field string) bool) (left []int, err error) {
	by := map[int]int{}
	for _, i := range inputs {
		k := slices.IndexFunc(v.samples.Fields, func(f *dataset.Field) bool { return same(g.Inputs[i].Name, f.Name) })
		if k < 0 || slices.ContainsFunc(v.Feeds, func(f Feed) bool { return f.Field == k }) {
			left = append(left, i)
			continue
		}
		if other, twice := by[k]; twice {
			a, b, f := g.Inputs[other].Name, g.Inputs[i].Name, v.samples.Fields[k].Name
			return nil, fmt.Errorf("field %q is called as two inputs of the network are, %q and %q: say what each takes by bind=%[2]s=FIELD,%[3]s=FIELD; the fields are %[4]s", f, a, b, fields(v.samples))
		}
		by[k] = i
	}
	for k, i := range by {
		v.Feeds[i].Field = k
	}
	return left, nil
}

// told binds the inputs that the samples say, and gives the others.
func (v *View) told(g *graph.Graph) (left []int, err error) {
	s := v.samples
	for name := range s.Bind {
		if !slices.ContainsFunc(g.Inputs, func(in *graph.Value) bool { return in.Name == name }) {
			return nil, fmt.Errorf("bind=%s=%s: the network has no input %q, but %s", name, s.Bind[name], name, described(g.Inputs))
		}
	}
	for i, in := range g.Inputs {
		to, ok := s.Bind[in.Name]
		if !ok {
			left = append(left, i)
			continue
		}
		k := slices.IndexFunc(s.Fields, func(f *dataset.Field) bool { return f.Name == to })
		x, err := strconv.ParseFloat(to, 64)
		if k < 0 && err != nil {
			return nil, fmt.Errorf("bind=%s=%s: there is no field %q: the fields are %s", in.Name, to, to, fields(s))
		}
		if j := slices.IndexFunc(v.Feeds, func(f Feed) bool { return k >= 0 && f.Field == k }); j >= 0 {
			v.note("field %q goes to two inputs, %q and %q", to, g.Inputs[j].Name, in.Name)
		}
		if v.Feeds[i].Field = k; k < 0 {
			v.Feeds[i].Value = x
			v.note("input %q is %v for all samples", in.Name, x)
		}
	}
	return left, nil
}

// plain is a name by its letters and digits alone.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, s)
}

// guess binds inputs to the only fields that fit them.
func (v *View) guess(g *graph.Graph, left []int) error {
	s := v.samples
	free := func() (out []int) {
		for k, f := range s.Fields {
			if f.Classes == 0 && !v.isInput(k) && !(f.Aside && len(g.Inputs) == 1) {
				out = append(out, k)
			}
		}
		return out
	}
	if fs := free(); len(left) == 1 && len(g.Inputs) == 1 && len(fs) > 0 {
		// a network of one input takes the sample itself, where it is the first field
		if k := v.fitting(g.Inputs[0], fs); len(fs) == 1 || len(k) == 0 || k[0] == 0 && s.Fields[0].Name == "x" {
			v.Feeds[0].Field = fs[0]
			return nil
		}
	}
	for len(left) > 0 {
		done := -1
		var why error
		for n, i := range left {
			in := g.Inputs[i]
			switch k := v.fitting(in, free()); {
			case len(k) == 0:
				return fmt.Errorf("no field of the %s set fits the network's input %q %v (%v): the fields are %s; say which by bind=%s=FIELD, or bind=%[6]s=NUMBER where it is the same for all", s.Name, in.Name, in.Shape, in.DType, fields(s), in.Name)
			case len(k) > 1 && why != nil: // the first is named
			case len(k) > 1:
				why = fmt.Errorf("the network's input %q %v may take the fields %s: say which by bind=%[1]s=FIELD", in.Name, in.Shape, listed(s, k))
			case slices.ContainsFunc(left, func(o int) bool { return o != i && slices.Equal(v.fitting(g.Inputs[o], free()), k) }):
				return fmt.Errorf("field %q fits several inputs of the network, %s: say which takes it by bind=INPUT=%[1]s", s.Fields[k[0]].Name, described(g.Inputs))
			default:
				v.Feeds[i].Field = k[0]
				if len(g.Inputs) > 1 || len(s.Fields) > 2 {
					v.note("input %q takes field %q", in.Name, s.Fields[k[0]].Name)
				}
				done = n
			}
			if done >= 0 {
				break
			}
		}
		if done < 0 {
			return why
		}
		left = slices.Delete(left, done, done+1)
	}
	return nil
}

// fitting lists those of some fields that an input can take: whole numbers where it
// takes such and there are any, else what is of its shape.
func (v *View) fitting(in *graph.Value, of []int) (out []int) {
	exact := false
	for _, k := range of {
		f := v.samples.Fields[k]
		if in.DType == tensor.String {
			continue
		}
		if _, ok := fitOf(in.Shape, f.Shape); !ok && in.Shape != nil {
			continue
		}
		same := in.DType.IsFloat() == (f.Ints == nil)
		if same && !exact {
			out, exact = nil, true
		}
		if same == exact {
			out = append(out, k)
		}
	}
	return out
}

// fields lists the fields of a set, with their shapes.
func fields(s *dataset.Set) string {
	all := make([]int, len(s.Fields))
	for i := range all {
		all[i] = i
	}
	return listed(s, all)
}

// listed lists some of the fields.
func listed(s *dataset.Set, of []int) string {
	var out []string
	for _, k := range of {
		out = append(out, fmt.Sprintf("%q [batch %s]", s.Fields[k].Name, shapeText(s.Fields[k].Shape)))
	}
	return strings.Join(out, ", ")
}

// fits finds how a field becomes its input.
func (v *View) fits(g *graph.Graph, i int) error {
	f, in := &v.Feeds[i], g.Inputs[i]
	if f.Field < 0 {
		return nil
	}
	if g.BatchAxis(in) != 0 {
		return fmt.Errorf("the network takes sequences as [time batch features], input %q %v: export it with the batch first", in.Name, in.Shape)
	}
	field := v.samples.Fields[f.Field]
	sample := field.Shape
	if in.Shape == nil {
		v.note("the network does not say the shape of its input %q: that of the samples is taken, [batch %s]", in.Name, shapeText(sample))
		f.fit = fit{shape: sample}
		return nil
	}
	if len(in.Shape) == 0 {
		return fmt.Errorf("the network's input %q is a single number: it must begin with the batch", in.Name)
	}
	var ok bool
	f.fit, ok = fitOf(in.Shape, sample)
	if !ok && len(in.Shape) == len(sample) && in.Shape[0].Known() {
		return fmt.Errorf("the network's input %q has shape %v and no axis for the batch; samples have shape %v: export it with a batch", in.Name, in.Shape, sample)
	}
	if !ok && len(g.Inputs) > 1 {
		return fmt.Errorf("the network's input %q takes samples of shape %v, field %q of the %s set has %v%s", in.Name, in.Shape[1:], field.Name, v.samples.Name, sample, v.others(in, f.Field))
	}
	if !ok {
		return fmt.Errorf("the network takes samples of shape %v, the %s set has %v%s", in.Shape[1:], v.samples.Name, sample, v.others(in, f.Field))
	}
	if err := v.lookedUp(g, in, field); err != nil {
		return err
	}
	if !in.DType.IsFloat() && field.Floats != nil {
		return v.samples.CheckWhole(field)
	}
	return nil
}

// others is how a field that does not fit an input may come to, or which ones do.
func (v *View) others(in *graph.Value, field int) string {
	if want, ok := in.Shape[1:].Ints(); ok {
		if hint := v.samples.Fields[field].ShapeHint(want); hint != "" {
			return hint
		}
	}
	var fit []int
	for k := range v.samples.Fields {
		if _, ok := fitOf(in.Shape, v.samples.Fields[k].Shape); ok {
			fit = append(fit, k)
		}
	}
	if len(fit) == 0 {
		return ""
	}
	return fmt.Sprintf(": what would fit is %s (bind=%s=FIELD)", listed(v.samples, fit), in.Name)
}
