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
	"pare/train/objective"
)

// View is a network as samples see it: a copy that shares the weights, with an input
// for each field of a batch that the network takes, as it is stored, and the outputs
// that an objective compares, in the layouts that it asks for: for one label a sample,
// or a place of it, [batch classes] or [batch places classes]. Loss, evaluation and all
// that asks for gradients go through it. A network that is like that already is only
// copied.
type View struct {
	Graph *graph.Graph
	Of    map[*graph.Value]*graph.Value // what the network's values are called in the view
	Batch int
	Feeds []Feed         // what the inputs are given, in the order of the graph's
	Terms []Compared     // of the objective; none where there is nothing to compare with
	Width int            // scores of a label, in the first term
	Sizes map[string]int // of the network's free axes, as the samples have them, but for the batch
	Asked string         // the output that answers
	Notes []catalog.Text // what was assumed

	Natural []*graph.Value // outputs of numbers as the network gives them, where they are asked for
	Matched []Compared     // with what a teacher gives

	samples *dataset.Set
	against []target       // inputs for what is compared with
	taught  []*graph.Value // inputs for what the teacher gives, one for each that is matched
	signs   []*graph.Value // inputs for what outputs are multiplied by, where Loss has signs
	noise   []noise        // inputs for what is drawn, where Loss.Drawn asks for it
}

// NewView sees a network with the samples of a set (nil: with what the inputs take)
// in batches, for an objective; nil stands for the one that outputs and targets suggest,
// without targets for all outputs as they are. It returns an error that says what is not
// understood, and the way on.
func NewView(g *graph.Graph, set *dataset.Set, batch int, o objective.Objective) (*View, error) {
	return newView(g, set, batch, Loss{Objective: o})
}

func newView(g *graph.Graph, set *dataset.Set, batch int, l Loss) (*View, error) {
	v := &View{Batch: batch, Sizes: map[string]int{}, samples: set}
	v.Graph, v.Of = g.Clone(false)
	if err := v.bind(g); err != nil {
		return nil, err
	}
	if err := v.size(g); err != nil {
		return nil, err
	}
	if err := v.adapt(); err != nil {
		return nil, err
	}
	if err := v.compare(g, l); err != nil {
		return nil, err
	}
	v.Graph.Usage = graph.Usage{} // all is decided
	return v, nil
}

// Join makes one output of several, [batch numbers], for what looks at how an output
// moves as a whole.
func (v *View) Join() error {
	if len(v.Graph.Outputs) < 2 {
		return nil
	}
	b := op.NewBuilder(v.Graph, "joined")
	var all []*graph.Value
	for _, o := range v.Graph.Outputs {
		all = append(all, b.Op("Reshape", o, b.Ints(v.Batch, -1)))
	}
	v.Graph.Outputs = []*graph.Value{b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", 1)}, all...)}
	return b.Err()
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
func (v *View) size(g *graph.Graph) error {
	sizes := maps.Clone(g.Usage.Sizes)
	if sizes == nil {
		sizes = map[string]int{}
	}
	fixed := 0
	for i := range v.Feeds {
		if err := v.sizeOf(g, &v.Feeds[i], sizes); err != nil {
			return err
		}
		if s := v.Feeds[i].Input.Shape; len(s) > 0 && s[0].Known() && s[0].Mul != v.Batch {
			fixed = s[0].Mul
		}
	}
	if v.samples == nil || slices.ContainsFunc(v.Feeds, func(f Feed) bool { return f.Field < 0 }) {
		missing, err := op.Assume(g)
		if err != nil {
			return err
		}
		for s, n := range missing {
			if sizes[s] == 0 {
				v.Sizes[s], sizes[s] = n, n
			}
		}
	}
	if fixed > 0 {
		return v.rebatch(sizes, fixed)
	}
	for _, f := range v.Feeds {
		if s := f.Input.Shape; len(s) > 0 && !s[0].Known() {
			sizes[s[0].Sym] = v.Batch
		}
	}
	if err := op.Bind(v.Graph, sizes); err != nil {
		return fmt.Errorf("with input %s: %w", described(v.Graph.Inputs), err)
	}
	return nil
}

// sizeOf takes the sizes of an input's free axes from its field.
func (v *View) sizeOf(g *graph.Graph, f *Feed, sizes map[string]int) error {
	in, shape := f.Input, f.fit.shape
	if in.Shape == nil {
		in.Shape = graph.Dims(append([]int{v.Batch}, shape...)...)
	}
	if len(in.Shape) == 0 {
		return nil
	}
	batch := in.Shape[0]
	delete(sizes, batch.Sym)
	for k, d := range in.Shape[1:] {
		if f.Field < 0 || d.Known() {
			continue
		}
		if want, ok := g.Usage.Sizes[d.Sym]; ok && d.Mul == 1 && want != shape[k] && d.Sym != batch.Sym {
			return fmt.Errorf("size %s=%d is asked for, but samples of shape %v make it %d", d.Sym, want, v.samples.Fields[f.Field].Shape, shape[k])
		}
		if d.Mul == 1 {
			if had, ok := v.Sizes[d.Sym]; ok && had != shape[k] && d.Sym != batch.Sym {
				return fmt.Errorf("size %s is %d in one field and %d in field %q", d.Sym, had, shape[k], v.samples.Fields[f.Field].Name)
			}
			v.Sizes[d.Sym], sizes[d.Sym] = shape[k], shape[k]
		}
		in.Shape[k+1] = graph.N(shape[k])
	}
	delete(v.Sizes, batch.Sym)
	return nil
}

// adapt puts what turns fields into inputs before them.
func (v *View) adapt() error {
	changed := false
	for i := range v.Feeds {
		c, err := v.adaptOne(i)
		if err != nil {
			return err
		}
		changed = changed || c
	}
	if !changed {
		return nil
	}
	if err := v.Graph.Sort(); err != nil {
		return err
	}
	return op.InferAll(v.Graph)
}

// adaptOne puts what turns a field into its input before it; changed says that there
// is something.
func (v *View) adaptOne(i int) (changed bool, err error) {
	g, feed := v.Graph, &v.Feeds[i]
	in, f := feed.Input, feed.fit
	var field *dataset.Field
	kind := tensor.Float32
	switch {
	case feed.Field >= 0:
		if field = v.samples.Fields[feed.Field]; field.Ints != nil {
			kind = tensor.Int64
		}
	case in.DType == tensor.Int64:
		kind = tensor.Int64
	}
	feed.Raw = kind == tensor.Float32 && !in.DType.IsFloat()
	if in.DType == tensor.String || in.DType == tensor.Bool && field != nil && field.Ints == nil && field.Bytes == nil {
		return false, fmt.Errorf("the network's input %q is %v: samples are numbers", in.Name, in.DType)
	}
	if in.DType == kind && !f.swap && f.channels == 0 {
		return false, nil
	}
	x := &graph.Value{Name: in.Name, DType: kind, Shape: slices.Clone(in.Shape)}
	in.Name = g.Fresh(in.Name + "/fed")
	b := op.NewBuilder(g, in.Name)
	y := x
	if field != nil && len(field.Shape) == len(f.shape) {
		x.Shape = graph.Dims(append([]int{in.Shape[0].Mul}, field.Shape...)...)
	}
	if f.channels > 0 {
		y = v.recolour(b, y, f.channels)
	}
	if f.swap {
		v.note("the network takes images as [height width channels]: samples of shape %v are turned", field.Shape)
		y = b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 2, 3, 1})}, y)
	}
	if feed.Raw && (field == nil || field.Bytes != nil || len(field.Shape) == 3) {
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
		return false, err
	}
	g.ReplaceUses(in, y)
	g.Inputs[i], feed.Input = x, x
	return true, nil
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
