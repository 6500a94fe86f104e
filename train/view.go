package train

import (
	"fmt"
	"maps"
	"slices"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/graph/op"
	"pare/prune"
	"pare/tensor"
)

// View is a network as labelled samples see it: a copy that shares the weights, with
// one input for a batch of samples as they are stored, and one output that gives each
// label its scores, [batch classes] or, for text, [batch tokens classes]. Loss,
// evaluation and all that asks for gradients go through it. A network that is like
// that already is only copied.
type View struct {
	Graph *graph.Graph
	Of    map[*graph.Value]*graph.Value // what the network's values are called in the view
	Batch int
	Width int            // scores of a label
	Sizes map[string]int // of the network's free axes, as the samples have them, but for the batch
	Raw   bool           // the input takes stored values, not normalised ones
	Asked string         // the output that answers
	Notes []catalog.Text // what was assumed

	samples *dataset.Set
}

// NewView sees a network with the samples of a set (nil: with what the input takes)
// in batches. Scores are before a softmax or sigmoid that the network ends in, unless
// last is set: then they are what it gives. It returns an error that says what is not
// understood, and the way on.
func NewView(g *graph.Graph, set *dataset.Set, batch int, last bool) (*View, error) {
	v := &View{Batch: batch, Sizes: map[string]int{}, samples: set}
	v.Graph, v.Of = g.Clone(false)
	in, fit, err := v.input(g)
	if err != nil {
		return nil, err
	}
	if err := v.size(g, in, fit); err != nil {
		return nil, err
	}
	if err := v.adapt(in, fit); err != nil {
		return nil, err
	}
	if err := v.answer(g, last); err != nil {
		return nil, err
	}
	v.Graph.Usage = graph.Usage{} // all is decided
	return v, nil
}

// note says what was assumed.
func (v *View) note(format string, a ...any) {
	v.Notes = append(v.Notes, catalog.Text(fmt.Sprintf(format, a...)))
}

// Weights are weights of the network, as the view calls them.
func (v *View) Weights(ws []*prune.Weight) []*prune.Weight {
	out := make([]*prune.Weight, len(ws))
	for i, w := range ws {
		k := *w
		k.Value = v.Of[w.Value]
		out[i] = &k
	}
	return out
}

// Values are values of the network, as the view calls them.
func (v *View) Values(of []*graph.Value) []*graph.Value {
	out := make([]*graph.Value, len(of))
	for i, x := range of {
		out[i] = v.Of[x]
	}
	return out
}

// text says whether every position of a sample has a label.
func (v *View) text() bool { return v.samples != nil && v.samples.Tokens != nil }

// fit is how a sample becomes an input.
type fit struct {
	shape    []int // of the input, without the batch
	swap     bool  // [C H W] to [H W C]
	channels int   // that the input has where the sample has another number; 0: as many
}

// fitOf says how samples of a shape fit an input; false where they do not.
func fitOf(in graph.Shape, sample []int) (fit, bool) {
	in = in[1:]
	if takes(in, sample) {
		return fit{shape: sample}, true
	}
	size := 1
	for _, d := range sample {
		size *= d
	}
	if k, ok := in.Ints(); ok && (len(in) == 1 || len(sample) == 1) && in.Size(0, len(in)) == graph.N(size) {
		return fit{shape: k}, true
	}
	if len(in) == 1 && !in[0].Known() {
		return fit{shape: []int{size}}, true
	}
	if len(sample) != 3 || len(in) != 3 {
		return fit{}, false
	}
	c, h, w := sample[0], sample[1], sample[2]
	for _, k := range []int{c, 1, 3} {
		if k != c && c != 1 && c != 3 {
			continue
		}
		f := fit{channels: k}
		if k == c {
			f.channels = 0
		}
		if f.shape = []int{k, h, w}; takes(in, f.shape) {
			return f, true
		}
		if f.shape, f.swap = []int{h, w, k}, true; takes(in, f.shape) {
			return f, true
		}
	}
	return fit{}, false
}

// takes says whether free sizes can make a shape of the input.
func takes(in graph.Shape, shape []int) bool {
	if len(in) != len(shape) {
		return false
	}
	for i, d := range in {
		if d.Known() && d.Mul != shape[i] || shape[i]%max(1, d.Mul) != 0 {
			return false
		}
	}
	return true
}

// input finds the input that takes the samples.
func (v *View) input(g *graph.Graph) (int, fit, error) {
	switch {
	case len(g.Inputs) == 0:
		return 0, fit{}, fmt.Errorf("the network has no input: it answers no sample")
	case len(g.Inputs) > 1:
		return 0, fit{}, fmt.Errorf("samples are given to one input, and the network has %d: %s; make constants of the others, or leave them out when it is exported", len(g.Inputs), described(g.Inputs))
	}
	in := g.Inputs[0]
	if v.samples == nil {
		if len(in.Shape) == 0 {
			return 0, fit{}, fmt.Errorf("the network's input %q has shape %v: it must begin with the batch", in.Name, in.Shape)
		}
		return 0, fit{}, nil
	}
	if g.BatchAxis(in) != 0 {
		return 0, fit{}, fmt.Errorf("the network takes sequences as [time batch features], input %q %v: export it with the batch first", in.Name, in.Shape)
	}
	sample := v.samples.Shape
	if in.Shape == nil {
		v.note("the network does not say the shape of its input %q: that of the samples is taken, [batch %s]", in.Name, shapeText(sample))
		return 0, fit{shape: sample}, nil
	}
	if len(in.Shape) == 0 {
		return 0, fit{}, fmt.Errorf("the network's input %q is a single number: it must begin with the batch", in.Name)
	}
	f, ok := fitOf(in.Shape, sample)
	if !ok && len(in.Shape) == len(sample) && in.Shape[0].Known() {
		return 0, f, fmt.Errorf("the network's input %q has shape %v and no axis for the batch; samples have shape %v: export it with a batch", in.Name, in.Shape, sample)
	}
	if !ok {
		return 0, f, fmt.Errorf("the network takes samples of shape %v, the %s set has %v", in.Shape[1:], v.samples.Name, sample)
	}
	return 0, f, nil
}

func shapeText(s []int) string {
	t := fmt.Sprint(s)
	return t[1 : len(t)-1]
}

// described lists values with their shapes.
func described(vs []*graph.Value) string {
	s := ""
	for i, v := range vs {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprintf("%q %v", v.Name, v.Shape)
	}
	return s
}

// size binds the view's free axes.
func (v *View) size(g *graph.Graph, i int, f fit) error {
	in := v.Graph.Inputs[i]
	sizes := maps.Clone(g.Usage.Sizes)
	if sizes == nil {
		sizes = map[string]int{}
	}
	if in.Shape == nil {
		in.Shape = graph.Dims(append([]int{v.Batch}, f.shape...)...)
	}
	batch := in.Shape[0]
	delete(sizes, batch.Sym)
	for k, d := range in.Shape[1:] {
		if f.shape == nil || d.Known() {
			continue
		}
		if want, ok := g.Usage.Sizes[d.Sym]; ok && d.Mul == 1 && want != f.shape[k] && d.Sym != batch.Sym {
			return fmt.Errorf("size %s=%d is asked for, but samples of shape %v make it %d", d.Sym, want, v.samples.Shape, f.shape[k])
		}
		if d.Mul == 1 {
			v.Sizes[d.Sym], sizes[d.Sym] = f.shape[k], f.shape[k]
		}
		in.Shape[k+1] = graph.N(f.shape[k])
	}
	delete(v.Sizes, batch.Sym)
	if f.shape == nil {
		missing, err := op.Assume(g)
		if err != nil {
			return err
		}
		maps.Copy(sizes, missing)
		maps.Copy(v.Sizes, missing)
	}
	if batch.Known() && batch.Mul != v.Batch {
		return v.rebatch(sizes, batch.Mul)
	}
	if !batch.Known() {
		sizes[batch.Sym] = v.Batch
	}
	if err := op.Bind(v.Graph, sizes); err != nil {
		return fmt.Errorf("with input %v: %w", in.Shape, err)
	}
	return nil
}

// adapt puts what turns samples into the input before it.
func (v *View) adapt(i int, f fit) error {
	g, in := v.Graph, v.Graph.Inputs[i]
	kind := tensor.Float32
	if v.text() || v.samples == nil && in.DType == tensor.Int64 {
		kind = tensor.Int64
	}
	v.Raw = kind == tensor.Float32 && !in.DType.IsFloat()
	if in.DType == tensor.String || in.DType == tensor.Bool && v.samples != nil {
		return fmt.Errorf("the network's input %q is %v: samples are numbers", in.Name, in.DType)
	}
	if in.DType == kind && !f.swap && f.channels == 0 {
		return nil
	}
	x := &graph.Value{Name: in.Name, DType: kind, Shape: slices.Clone(in.Shape)}
	in.Name = g.Fresh(in.Name + "/fed")
	b := op.NewBuilder(g, in.Name)
	y := x
	if v.samples != nil && len(v.samples.Shape) == len(f.shape) {
		x.Shape = graph.Dims(append([]int{in.Shape[0].Mul}, v.samples.Shape...)...)
	}
	if f.channels > 0 {
		y = v.recolour(b, y, f.channels)
	}
	if f.swap {
		v.note("the network takes images as [height width channels]: samples of shape %v are turned", v.samples.Shape)
		y = b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 2, 3, 1})}, y)
	}
	if v.Raw {
		shift := ""
		if in.DType == tensor.Int8 {
			shift = ", less 128"
			y = b.Op("Sub", y, b.Scalar(128, y))
		}
		v.note("the network's input is %v: it is given the values as they are stored%s, not normalised ones", in.DType, shift)
	}
	if y.DType != in.DType {
		y = b.Attr("Cast", []graph.Attr{graph.MakeAttr("to", int(in.DType))}, y)
	}
	if err := b.Err(); err != nil {
		return err
	}
	g.ReplaceUses(in, y)
	g.Inputs[i] = x
	if err := g.Sort(); err != nil {
		return err
	}
	return op.InferAll(g)
}

// recolour makes one channel three, or three one.
func (v *View) recolour(b *op.Builder, x *graph.Value, channels int) *graph.Value {
	if channels == 3 {
		v.note("the network takes 3 channels, the samples have 1: it is repeated")
		return b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", 1)}, x, x, x)
	}
	v.note("the network takes 1 channel, the samples have 3: they are weighted 0.299, 0.587 and 0.114")
	w := tensor.New(tensor.Float32, 1, 3, 1, 1)
	copy(w.F32(), []float32{.299, .587, .114})
	return b.Op("Conv", x, b.Const(w))
}
