// Package zoo builds the network families that papers on pruning use, as
// graphs of ONNX operators with weights initialised by seed.
//
// [New] builds a network by name, such as "resnet20" or "mlp:784-300-10";
// [Families] lists the names. Weights are named as PyTorch names them, so that
// [SetWeights] can fill a network from a checkpoint; [Weights] takes them out.
package zoo

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// net is a network under construction: layers append nodes, and weights are
// named as PyTorch names them.
type net struct {
	*op.Builder
	r     *rand.Rand
	most  int  // bytes that are left for weights
	count int  // weights so far
	plain bool // layers of transformers start as PyTorch's Linear and Embedding do, not as BERT's
}

// opset of the networks built here.
const opset = 17

// defaultMost bounds weights where Options does not, and mostWeights their number.
const (
	defaultMost = 16 << 30
	mostWeights = 20_000
)

func newNet(name string, o Options, in ...int) (*net, *graph.Value) {
	b := &net{Builder: op.NewBuilder(graph.New(name, opset), name), r: rand.New(rand.NewPCG(o.Seed, 0x200)), most: cmp.Or(o.Most, defaultMost)}
	return b, b.input("input", tensor.Float32, in...)
}

// input is one more input, of a sample's size, behind the free batch.
func (b *net) input(name string, d tensor.DType, in ...int) *graph.Value {
	x := &graph.Value{Name: name, DType: d, Shape: append(graph.Shape{graph.Sym("N")}, graph.Dims(in...)...)}
	b.G.Inputs = append(b.G.Inputs, x)
	return x
}

// finish names the output and checks the graph.
func (b *net) finish(y *graph.Value, name string) (*graph.Graph, error) {
	return b.finishAll([]*graph.Value{y}, name)
}

// finishAll names the outputs and checks the graph.
func (b *net) finishAll(ys []*graph.Value, names ...string) (*graph.Graph, error) {
	if err := b.Err(); err != nil {
		return nil, err
	}
	for i, y := range ys {
		y.Name = names[i]
	}
	b.G.Outputs = ys
	return b.G, op.InferAll(b.G)
}

// tooLarge is what building panics with before it takes more memory than it may.
type tooLarge string

// reserve takes the memory of a weight off what is left.
func (b *net) reserve(name string, shape ...int) {
	n, ok := tensor.Size(shape)
	if b.count++; !ok || n > b.most/4 || b.count > mostWeights {
		panic(tooLarge(name))
	}
	b.most -= 4 * n
}

// param is a trained tensor.
func (b *net) param(name string, fill func(x []float32), shape ...int) *graph.Value {
	b.reserve(name, shape...)
	t := tensor.New(tensor.Float32, shape...)
	if fill != nil {
		fill(t.F32())
	}
	return b.G.Const(name, t, graph.Param)
}

func (b *net) stat(name string, v float32, n int) *graph.Value {
	b.reserve(name, n)
	return b.G.Const(name, tensor.From(constant(v, n), n), graph.Stat)
}

func constant(v float32, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = v
	}
	return x
}

// normal fills with N(0, std^2).
func (b *net) normal(std float64) func([]float32) {
	return func(x []float32) {
		for i := range x {
			x[i] = float32(b.r.NormFloat64() * std)
		}
	}
}

func fill(v float32) func([]float32) {
	return func(x []float32) {
		for i := range x {
			x[i] = v
		}
	}
}

// at names the nodes that follow.
func (b *net) at(name string) { b.Stem = name }

// unfit is what building panics with where a layer has nothing left to work on.
type unfit struct{}

// channels is the size of axis 1.
func channels(x *graph.Value) int {
	if len(x.Shape) < 2 {
		panic(unfit{})
	}
	return x.Shape[1].Mul
}

// features is the size of the last axis.
func features(x *graph.Value) int {
	if len(x.Shape) == 0 {
		panic(unfit{})
	}
	return x.Shape[len(x.Shape)-1].Mul
}

// conv is a convolution without or with bias, initialised for ReLU
// (He et al. 2015: N(0, 2/fan) over fan-out for networks with normalisation,
// over fan-in otherwise).
func (b *net) conv(name string, x *graph.Value, out, k, stride, groups int, bias bool) *graph.Value {
	if bias {
		return b.convOf(name, x, out, k, stride, groups, b.he(k*k*channels(x)/groups), fill(0))
	}
	return b.convOf(name, x, out, k, stride, groups, b.he(k*k*out/groups), nil)
}

// convOf is a convolution of size k that keeps the size at stride 1. A nil bias
// leaves it out.
func (b *net) convOf(name string, x *graph.Value, out, k, stride, groups int, weight, bias func([]float32)) *graph.Value {
	b.at(name)
	in := []*graph.Value{x, b.param(name+".weight", weight, out, channels(x)/groups, k, k)}
	if bias != nil {
		in = append(in, b.param(name+".bias", bias, out))
	}
	p := k / 2
	return b.Attr("Conv", []graph.Attr{
		graph.MakeAttr("kernel_shape", []int{k, k}), graph.MakeAttr("strides", []int{stride, stride}),
		graph.MakeAttr("pads", []int{p, p, p, p}), graph.MakeAttr("group", groups)}, in...)
}

// bn is batch normalisation.
func (b *net) bn(name string, x *graph.Value) *graph.Value {
	b.at(name)
	c := channels(x)
	return b.Attr("BatchNormalization", []graph.Attr{graph.MakeAttr("epsilon", 1e-5), graph.MakeAttr("momentum", .9)}, x,
		b.param(name+".weight", fill(1), c), b.param(name+".bias", nil, c),
		b.stat(name+".running_mean", 0, c), b.stat(name+".running_var", 1, c))
}

func (b *net) relu(x *graph.Value) *graph.Value { return b.Op("Relu", x) }

// linear is a fully connected layer over the last axis: Gemm for matrices,
// MatMul and Add for more axes.
func (b *net) linear(name string, x *graph.Value, out int, init func([]float32)) *graph.Value {
	return b.linearOf(name, x, out, init, nil)
}

func (b *net) linearOf(name string, x *graph.Value, out int, weight, bias func([]float32)) *graph.Value {
	b.at(name)
	in := features(x)
	if len(x.Shape) == 2 {
		w := b.param(name+".weight", weight, out, in)
		return b.Attr("Gemm", []graph.Attr{graph.MakeAttr("transB", 1)}, x, w, b.param(name+".bias", bias, out))
	}
	w := b.param(name+".weight", weight, in, out)
	return b.Op("Add", b.Op("MatMul", x, w), b.param(name+".bias", bias, out))
}

// he is He initialisation for a layer of the given fan-in.
func (b *net) he(fan int) func([]float32) { return b.normal(math.Sqrt(2 / float64(fan))) }

// xavier is Glorot & Bengio's normal initialisation.
func (b *net) xavier(in, out int) func([]float32) {
	return b.normal(math.Sqrt(2 / float64(in+out)))
}

func (b *net) maxPool(x *graph.Value, k, stride int) *graph.Value {
	return b.Attr("MaxPool", []graph.Attr{graph.MakeAttr("kernel_shape", []int{k, k}), graph.MakeAttr("strides", []int{stride, stride})}, x)
}

func (b *net) flatten(x *graph.Value) *graph.Value { return b.Op("Flatten", x) }

// pooled averages over the pixels and flattens.
func (b *net) pooled(x *graph.Value) *graph.Value {
	return b.flatten(b.Op("GlobalAveragePool", x))
}

// image checks the size of an image input.
func image(in []int, def ...int) ([]int, error) {
	if in == nil {
		return def, nil
	}
	if len(in) != 3 || in[0] < 1 || in[1] < 1 || in[2] < 1 {
		return nil, fmt.Errorf("input %v is not channels, height, width", in)
	}
	return in, nil
}

// index is a scalar int64.
func index(i int64) *tensor.Tensor { return tensor.Scalar(i) }
