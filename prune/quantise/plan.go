package quantise

import (
	"errors"
	"fmt"
	"slices"

	"pare/graph"
	"pare/graph/op"
	"pare/prune"
	"pare/tensor"
)

// Options say what becomes integers. The zero value is usable.
type Options struct {
	Activations Integers // 0: Unsigned
	prune.Scope          // the layers that may, by the names of their weights; Embeddings: tables that are looked up too
}

// Layer is a node whose weight becomes integers.
type Layer struct {
	Node   *graph.Node
	Weight *graph.Value
	Axis   int       // of the weight, along which every position has a step
	Steps  []float32 // by position of the axis
	In     *Tensor   // what it multiplies; nil of a table, which is looked up

	bias   *graph.Value // constant that is added, by channel; nil: none
	adds   *graph.Node  // that adds it: Node, or an Add behind it
	groups int          // of a ConvTranspose, whose channels are so many times the axis
}

// Tensor is a value between nodes that becomes integers.
type Tensor struct {
	Value *graph.Value
	Like  *Tensor // whose scale it has, for its numbers are that one's; nil: its own
	Range Range
	Scale Scale

	all   bool          // whoever reads it reads it back from integers; else reads does
	reads []*graph.Node // nodes that compute in integers
}

// scale is the tensor's own, or that of the one whose numbers it has.
func (t *Tensor) scale() Scale {
	for t.Like != nil {
		t = t.Like
	}
	return t.Scale
}

// Plan says what of a network becomes integers, and by which scales.
type Plan struct {
	Graph   *graph.Graph // in float; biases are moved in it
	Layers  []*Layer
	Tensors []*Tensor
	Left    []prune.Skip // weights that stay in float, and why
	Integers

	of   map[*graph.Value]*Tensor
	uses map[*graph.Value][]graph.Use
}

// NewPlan places integers in a prepared network (see model.Prepare), which it takes over:
// normalisation is folded into the convolutions before it.
func NewPlan(g *graph.Graph, o Options) (*Plan, error) {
	if n := quantised(g); n != nil {
		return nil, fmt.Errorf("the network is quantised already: node %q is a %s; give the network that it was made of", n.Name, n.Op)
	}
	if g.Meta.Stored != nil {
		return nil, errors.New("the network is not stored in float32: convert it to float32 first (pare model convert writes it so)")
	}
	if err := op.FoldNorms(g); err != nil {
		return nil, err
	}
	if err := op.InferAll(g); err != nil {
		return nil, err
	}
	p := &Plan{Graph: g, Integers: o.Activations, of: map[*graph.Value]*Tensor{}, uses: g.Uses()}
	if p.Type == tensor.Undefined {
		p.Integers = Unsigned
	}
	names, err := p.layers(o.Scope)
	if err != nil {
		return nil, err
	}
	if err := o.Scope.CheckNames(names); err != nil {
		return nil, err
	}
	p.place()
	if len(p.Layers) == 0 {
		why := "it has none"
		if len(p.Left) > 0 {
			why = p.Left[0].String()
		}
		return nil, fmt.Errorf("no layer of the network can become integers: %s", why)
	}
	p.ChooseSteps(MinMax)
	return p, nil
}

// quantised is a node of integers, or nil.
func quantised(g *graph.Graph) (found *graph.Node) {
	op.Each(g, func(n *graph.Node) {
		if found == nil && (n.Is("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul") ||
			n.Domain == op.ContribDomain && (n.Op == "MatMulNBits" || n.Op == "GatherBlockQuantized")) {
			found = n
		}
	})
	return found
}

// place goes through the nodes in order, and says of each whether it computes in integers.
func (p *Plan) place() {
	by := map[*graph.Node]*Layer{}
	for _, l := range p.Layers {
		by[l.Node] = l
	}
	held := map[*graph.Value]bool{} // made by integers, which become such behind an activation
	for _, n := range p.Graph.Nodes {
		x, l := n.In(0), by[n]
		switch {
		case l != nil && n.Is("Gather"):
		case l != nil:
			l.In = p.read(x, n)
			if n.Is("Conv", "ConvTranspose") {
				p.makes(n, held)
			}
		case n.Is("Relu", "Clip") && held[x]:
			p.makes(n, held)
		case p.through(n):
			t := p.read(x, n)
			for _, y := range n.Outputs {
				p.of[y] = p.add(&Tensor{Value: y, Like: t, all: true})
			}
		case p.computes(n):
			for _, x := range n.Inputs[:p.operands(n)] {
				p.read(x, n)
			}
			p.makes(n, held)
		}
	}
}

// Without is the plan with the layers of some weights, by name, left in float for a reason.
// Ranges, steps and the network are shared.
func (p *Plan) Without(names map[string]bool, why string) *Plan {
	q := &Plan{Graph: p.Graph, Integers: p.Integers, of: map[*graph.Value]*Tensor{}, uses: p.uses, Left: slices.Clone(p.Left)}
	for _, l := range p.Layers {
		if names[l.Weight.Name] {
			q.Left = append(q.Left, prune.Skip{Name: l.Weight.Name, Len: l.Weight.Const.Len(), Why: why})
			continue
		}
		k := *l
		k.Steps = slices.Clone(l.Steps)
		q.Layers = append(q.Layers, &k)
	}
	q.place()
	for _, t := range q.Tensors {
		if was := p.of[t.Value]; was != nil { // what is read is so by fewer, and made by fewer
			for was.Like != nil {
				was = was.Like
			}
			t.Range, t.Scale = was.Range, was.Scale
		}
	}
	return q
}

// Biases are the constants that layers add, to be put back by Restore.
func (p *Plan) Biases() map[*graph.Value]*tensor.Tensor {
	out := map[*graph.Value]*tensor.Tensor{}
	for _, l := range p.Layers {
		if l.bias != nil {
			out[l.bias] = l.bias.Const
		}
	}
	return out
}

// Restore puts biases back as they were before they were corrected.
func Restore(biases map[*graph.Value]*tensor.Tensor) {
	for v, t := range biases {
		v.Const = t
	}
}

func (p *Plan) add(t *Tensor) *Tensor {
	p.Tensors = append(p.Tensors, t)
	return t
}

// read is the tensor that a node reads a value as.
func (p *Plan) read(v *graph.Value, n *graph.Node) *Tensor {
	t := p.of[v]
	if t == nil {
		t = p.add(&Tensor{Value: v})
		p.of[v] = t
	}
	t.reads = append(t.reads, n)
	return t
}

// makes makes integers of what a node of integers gives, or lets the activation do so that
// alone reads it.
func (p *Plan) makes(n *graph.Node, held map[*graph.Value]bool) {
	y := n.Out(0)
	if u := p.uses[y]; len(u) == 1 && u[0].Index == 0 && !p.Graph.IsOutput(y) && activation(u[0].Node) {
		held[y] = true
		return
	}
	p.of[y] = p.add(&Tensor{Value: y, all: true})
}

// activation says whether a node only cuts off, which integers do by their range.
func activation(n *graph.Node) bool {
	for _, v := range n.Inputs[1:] {
		if v != nil && !v.IsConst() {
			return false
		}
	}
	return n.Is("Relu", "Clip")
}

// passing are operators that give numbers on as they are.
var passing = []string{"MaxPool", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Split", "Identity", "Expand", "Tile", "DepthToSpace", "SpaceToDepth", "Gather", "Pad", "Resize"}

// through says whether a node gives integers on as they are.
func (p *Plan) through(n *graph.Node) bool {
	if len(n.Inputs) == 0 || p.of[n.In(0)] == nil || !p.of[n.In(0)].all || !n.Is(passing...) {
		return false
	}
	for _, y := range n.Outputs {
		if y == nil || y.DType != tensor.Float32 { // indices of a MaxPool
			return false
		}
	}
	switch n.Op {
	case "Resize":
		return n.Str("mode", "nearest") == "nearest"
	case "Pad":
		v := n.In(2)
		return n.Str("mode", "constant") != "constant" || n.Float("value", 0) == 0 && (v == nil || v.IsConst() && isZero(v.Const))
	}
	return true
}

func isZero(t *tensor.Tensor) bool { return t.Len() == 1 && t.F32() != nil && t.F32()[0] == 0 }

// computing are operators that runtimes have in integers, beside layers.
var computing = []string{"Add", "Mul", "Concat", "AveragePool", "GlobalAveragePool", "Sigmoid", "LeakyRelu", "Relu"}

// computes says whether a node computes in integers: what it reads are such already.
func (p *Plan) computes(n *graph.Node) bool {
	if !n.Is(computing...) || n.Out(0) == nil || n.Out(0).DType != tensor.Float32 {
		return false
	}
	for _, x := range n.Inputs[:p.operands(n)] {
		if t := p.of[x]; t == nil || !t.all {
			return false
		}
	}
	return true
}

// operands is the number of inputs that are numbers to compute with.
func (p *Plan) operands(n *graph.Node) int {
	if n.Is("Add", "Mul", "Concat") {
		return len(n.Inputs)
	}
	return 1
}

// Layer finds a layer by the name of its weight; nil: there is none.
func (p *Plan) Layer(name string) *Layer {
	if i := slices.IndexFunc(p.Layers, func(l *Layer) bool { return l.Weight.Name == name }); i >= 0 {
		return p.Layers[i]
	}
	return nil
}
