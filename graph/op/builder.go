package op

import (
	"cmp"

	"pare/graph"
	"pare/tensor"
)

// Builder adds nodes to a graph and infers their types and shapes as it goes.
// The first error sticks: later calls do nothing and Err returns it.
type Builder struct {
	G    *graph.Graph
	Stem string // names of new values start with it; "": with the operator's
	err  error
	dims map[*graph.Value][]graph.Dim
}

// NewBuilder is a builder that appends to g.
func NewBuilder(g *graph.Graph, stem string) *Builder {
	return &Builder{G: g, Stem: stem, dims: map[*graph.Value][]graph.Dim{}}
}

// Err is the first error of the builder.
func (b *Builder) Err() error { return b.err }

// Op adds an ai.onnx node with one output.
func (b *Builder) Op(name string, in ...*graph.Value) *graph.Value {
	return b.Node("", name, 1, in).Outputs[0]
}

// Attr adds an ai.onnx node with one output and attributes.
func (b *Builder) Attr(name string, attrs []graph.Attr, in ...*graph.Value) *graph.Value {
	return b.Node("", name, 1, in, attrs...).Outputs[0]
}

// Pare adds a node of the pare domain with one output.
func (b *Builder) Pare(name string, attrs []graph.Attr, in ...*graph.Value) *graph.Value {
	return b.Node(graph.Pare, name, 1, in, attrs...).Outputs[0]
}

// Node adds a node of any domain with outs outputs.
func (b *Builder) Node(domain, name string, outs int, in []*graph.Value, attrs ...graph.Attr) *graph.Node {
	names := make([]string, outs)
	for i := range names {
		names[i] = cmp.Or(b.Stem, name) // a value without a name is one that is left out
	}
	if b.err != nil {
		n := &graph.Node{Op: name, Domain: domain}
		for range outs {
			n.Outputs = append(n.Outputs, &graph.Value{})
		}
		return n
	}
	n := b.G.Add(name, domain, in, names, attrs...)
	if domain == graph.Pare && b.G.Opset[graph.Pare] == 0 {
		b.G.Opset[graph.Pare] = 1
	}
	b.err = inferNode(b.G, n, b.dims)
	return n
}

// Append adds a node that was made elsewhere, of operators and versions of the graph.
func (b *Builder) Append(n *graph.Node) {
	if b.err != nil {
		return
	}
	b.G.Nodes = append(b.G.Nodes, n)
	b.err = inferNode(b.G, n, b.dims)
}

// Scalar is a frozen constant of rank 0 and of the type of like.
func (b *Builder) Scalar(x float64, like *graph.Value) *graph.Value {
	return b.Const(ScalarOf(like.DType, x))
}

// Const is a frozen constant.
func (b *Builder) Const(t *tensor.Tensor) *graph.Value {
	return b.G.Const(b.Stem+"/const", t, graph.Frozen)
}

// Ints is a frozen int64 vector.
func (b *Builder) Ints(v ...int) *graph.Value {
	t := tensor.New(tensor.Int64, len(v))
	for i, x := range v {
		tensor.Of[int64](t)[i] = int64(x)
	}
	return b.Const(t)
}

// Unsqueeze gives x axes of length 1, at these positions of the result.
func (b *Builder) Unsqueeze(x *graph.Value, axes ...int) *graph.Value {
	return b.axes("Unsqueeze", x, axes)
}

// Squeeze removes axes of length 1.
func (b *Builder) Squeeze(x *graph.Value, axes ...int) *graph.Value {
	return b.axes("Squeeze", x, axes)
}

// Sum adds x up over axes, which stay with length 1 where keep is set.
func (b *Builder) Sum(x *graph.Value, keep bool, axes ...int) *graph.Value {
	k := 0
	if keep {
		k = 1
	}
	return b.axes("ReduceSum", x, axes, graph.MakeAttr("keepdims", k))
}

// Reduce applies a reduction of ai.onnx over axes, which stay with length 1 where keep is
// set.
func (b *Builder) Reduce(name string, x *graph.Value, keep bool, axes ...int) *graph.Value {
	return reduce(b, name, x, axes, keep)
}

// axes adds an operator whose axes are an attribute before opset 13 and an
// input from then on.
func (b *Builder) axes(name string, x *graph.Value, axes []int, attrs ...graph.Attr) *graph.Value {
	if b.G.Version("") < 13 {
		return b.Attr(name, append(attrs, graph.MakeAttr("axes", axes)), x)
	}
	return b.Attr(name, attrs, x, b.Ints(axes...))
}

// ScalarOf is a scalar tensor of a numeric type; bool is true where x is not 0.
func ScalarOf(d tensor.DType, x float64) *tensor.Tensor {
	if !d.Valid() || d == tensor.String {
		d = tensor.Float32
	}
	t := tensor.New(d)
	if err := fill(t, []float64{x}); err != nil {
		panic(err)
	}
	return t
}

func scalarInt(k int) *tensor.Tensor { return tensor.Scalar(int64(k)) }
