package quantise

import (
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// leastOpset is the version from which on a DequantizeLinear has a scale by channel.
const leastOpset = 13

// Network writes the plan as a network: QuantizeLinear and DequantizeLinear around what
// computes in integers, weights as int8 and biases as int32 behind a DequantizeLinear. Its
// opset is raised to 13 where it is less.
func (p *Plan) Network() (*graph.Graph, error) {
	f := p.copied()
	if err := op.Raise(f.Graph, leastOpset); err != nil {
		return nil, err
	}
	w := p.writing(f)
	for _, t := range p.Tensors {
		p.around(f.Graph, t, f.of, f.node, func(v *graph.Value) *graph.Value { return w.pair(v, t) })
	}
	for _, l := range p.Layers {
		w.layer(l)
	}
	return f.Graph, finished(f.Graph)
}

// writing is a network that is being written as integers.
type writing struct {
	*fakes
	ints    Integers
	zeros   map[int]*graph.Value // zero points of activations
	nulls   map[int]*graph.Value // zero points of weights, by number of channels
	scales  map[*Tensor]*graph.Value
	weights map[*graph.Value]*graph.Value
}

func (p *Plan) writing(f *fakes) *writing {
	return &writing{fakes: f, ints: p.Integers, zeros: map[int]*graph.Value{}, nulls: map[int]*graph.Value{}, scales: map[*Tensor]*graph.Value{}, weights: map[*graph.Value]*graph.Value{}}
}

// pair quantises a value and back.
func (w *writing) pair(v *graph.Value, t *Tensor) *graph.Value {
	root := t
	for root.Like != nil {
		root = root.Like
	}
	step, zero := w.scales[root], w.zeros[root.Scale.Zero]
	if step == nil {
		step = w.Const("s", tensor.Scalar(root.Scale.Step), graph.Frozen)
		w.scales[root] = step
	}
	if zero == nil {
		zero = w.Const("z", op.ScalarOf(w.ints.Type, float64(root.Scale.Zero)), graph.Frozen)
		w.zeros[root.Scale.Zero] = zero
	}
	return w.node("DequantizeLinear", "d", w.node("QuantizeLinear", "q", v, step, zero), step, zero)
}

// node adds a node called as its output is: by few letters, for names take a part of a
// small file, and what is quantised has a name of its own.
func (w *writing) node(name, out string, in ...*graph.Value) *graph.Value {
	n := w.Add(name, "", in, []string{out})
	n.Name = n.Outputs[0].Name
	return n.Outputs[0]
}

// layer writes weight and bias of a layer as integers.
func (w *writing) layer(l *Layer) {
	n := w.fakes.node[l.Node]
	if l.integral() && l.In != nil {
		w.bias(l, n)
	} else if l.bias != nil {
		to := w.fakes.node[l.adds]
		i := biasAt(l)
		to.Inputs[i] = w.of[l.bias]
	}
	if l.Node.Is("Gather") {
		w.table(l, n)
		return
	}
	w.weight(l, n)
}

// weight writes the weight of a layer as integers by channel.
func (w *writing) weight(l *Layer, n *graph.Node) {
	y := w.weights[l.Weight]
	if y == nil {
		q := w.put(l.Weight, l.integers(), graph.Packed)
		y = w.node("DequantizeLinear", "d", q, w.steps(l), w.null(len(l.Steps)))
		y.From.Set("axis", l.Axis)
		w.weights[l.Weight] = y
	}
	n.Inputs[1] = y
}

// put is a constant in the place of one of the plan's, whose name it takes over.
func (f *fakes) put(old *graph.Value, t *tensor.Tensor, r graph.Role) *graph.Value {
	c, was := f.Const(old.Name, t, r), f.of[old]
	c.Name, was.Name = was.Name, c.Name
	return c
}

// steps are the steps of a layer's weight as a constant.
func (w *writing) steps(l *Layer) *graph.Value {
	return w.Const("s", tensor.Vector(append([]float32{}, l.Steps...)...), graph.Frozen)
}

// null are zero points of weights.
func (w *writing) null(n int) *graph.Value {
	if w.nulls[n] == nil {
		w.nulls[n] = w.Const("z", tensor.New(tensor.Int8, n), graph.Frozen)
	}
	return w.nulls[n]
}

// bias writes the bias of a layer; one of zeros goes.
func (w *writing) bias(l *Layer, n *graph.Node) {
	q, steps := l.biasIntegers()
	all := true
	for _, v := range tensor.Of[int32](q) {
		all = all && v == 0
	}
	if all {
		n.Inputs = n.Inputs[:2]
		return
	}
	y := w.node("DequantizeLinear", "d", w.put(l.bias, q, graph.Frozen), w.Const("s", steps, graph.Frozen))
	y.From.Set("axis", 0)
	n.Inputs[2] = y
}

// table looks rows up as integers, and makes numbers of those alone.
func (w *writing) table(l *Layer, n *graph.Node) {
	v := n.Out(0)
	n.Inputs[0] = w.put(l.Weight, l.integers(), graph.Packed)
	q := &graph.Value{Name: w.Fresh("q"), From: n}
	n.Outputs[0] = q
	d := w.node("DequantizeLinear", "d", q, w.steps(l), w.null(len(l.Steps)))
	d.From.Set("axis", len(v.Shape)-1)
	v.From, d.From.Outputs[0] = d.From, v
}
