package op

import (
	"pare/graph"
	"pare/tensor"
)

// Builder adds nodes to a graph and infers their types and shapes as it goes.
// The first error sticks: later calls do nothing and Err returns it.
type Builder struct {
	G    *graph.Graph
	Stem string // names of new values begin with it
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
		names[i] = b.Stem
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

// ScalarOf is a scalar tensor of a floating-point or integer type.
func ScalarOf(d tensor.DType, x float64) *tensor.Tensor {
	switch d {
	case tensor.Float64:
		return tensor.Scalar(x)
	case tensor.Int64:
		return tensor.Scalar(int64(x))
	case tensor.Int32:
		return tensor.Scalar(int32(x))
	}
	return tensor.Scalar(float32(x))
}
