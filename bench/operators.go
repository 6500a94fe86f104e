package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"pare/graph"
	"pare/graph/op"
	"pare/onnx"
	"pare/tensor"
)

// operator is a network of one operator, or of the few that make sense together.
type operator struct {
	name  string
	in    []int // of the input
	build func(b *builder, x *graph.Value) []*graph.Value
	prune bool // it has weights that may be zero
}

// builder adds weights to op.Builder.
type builder struct {
	*op.Builder
	r        *rand.Rand
	sparsity float64
}

// weight is a random weight, whose share of zeros is that of the network.
func (b *builder) weight(shape ...int) *graph.Value {
	w := tensor.New(tensor.Float32, shape...)
	scale := 1 / math.Sqrt(float64(max(1, w.Len()/shape[0])))
	for i := range w.F32() {
		if v := b.r.NormFloat64(); b.r.Float64() >= b.sparsity {
			w.F32()[i] = float32(v * scale)
		}
	}
	return b.G.Const("w", w, graph.Param)
}

// floats is a constant that is no weight.
func (b *builder) floats(x ...float32) *graph.Value {
	return b.G.Const("c", tensor.From(x, len(x)), graph.Frozen)
}

func (b *builder) number(x float32) *graph.Value { return b.Const(tensor.Scalar(x)) }

type attr = graph.Attr

func attrs(pairs ...any) []attr {
	var as []attr
	for i := 0; i < len(pairs); i += 2 {
		as = append(as, graph.MakeAttr(pairs[i].(string), pairs[i+1]))
	}
	return as
}

// layer is a layer with a weight of the given shape.
func layer(name string, shape []int, as ...any) func(b *builder, x *graph.Value) []*graph.Value {
	return func(b *builder, x *graph.Value) []*graph.Value {
		return []*graph.Value{b.Attr(name, attrs(as...), x, b.weight(shape...))}
	}
}

// function is an operator of the input alone.
func function(name string, as ...any) func(b *builder, x *graph.Value) []*graph.Value {
	return func(b *builder, x *graph.Value) []*graph.Value {
		return []*graph.Value{b.Attr(name, attrs(as...), x)}
	}
}

func resize(scale float32, as ...any) func(b *builder, x *graph.Value) []*graph.Value {
	return func(b *builder, x *graph.Value) []*graph.Value {
		return []*graph.Value{b.Attr("Resize", attrs(as...), x, nil, b.floats(1, 1, scale, scale))}
	}
}

// within makes a branch or body that reads values of the graph around it.
func within(b *builder, name string, in []*graph.Value, f func(b *builder) []*graph.Value) *graph.Graph {
	g := graph.New(name, b.G.Version(""))
	g.Inputs = in
	k := &builder{op.NewBuilder(g, name), b.r, b.sparsity}
	g.Outputs = f(k)
	if err := k.Err(); err != nil {
		panic(err)
	}
	return g
}

// operators are what has no layer of the usual networks to itself.
var operators = []operator{
	{"Conv over 1 axis, 32-32 by 9 at 2000", []int{1, 32, 2000}, layer("Conv", []int{32, 32, 9}, "pads", []int{4, 4}), true},
	{"Conv over 1 axis, 64-128 by 3 at 1500", []int{1, 64, 1500}, layer("Conv", []int{128, 64, 3}, "pads", []int{1, 1}), true},
	{"Conv over 1 axis, depthwise 256 by 31 at 400", []int{1, 256, 400}, layer("Conv", []int{256, 1, 31}, "pads", []int{15, 15}, "group", 256), false},
	{"Conv over 3 axes, 16-16 by 3x3x3 at 16", []int{1, 16, 16, 16, 16}, layer("Conv", []int{16, 16, 3, 3, 3}, "pads", []int{1, 1, 1, 1, 1, 1}), true},
	{"Conv over 3 axes, 64-64 by 3x3x3 at 16", []int{1, 64, 16, 16, 16}, layer("Conv", []int{64, 64, 3, 3, 3}, "pads", []int{1, 1, 1, 1, 1, 1}), true},
	{"Conv over 3 axes, 3-64 by 3x7x7/2 at 16x56x56", []int{1, 3, 16, 56, 56}, layer("Conv", []int{64, 3, 3, 7, 7}, "pads", []int{1, 3, 3, 1, 3, 3}, "strides", []int{1, 2, 2}), true},
	{"ConvTranspose 32-16 by 4x4/2 at 32", []int{1, 32, 32, 32}, layer("ConvTranspose", []int{32, 16, 4, 4}, "strides", []int{2, 2}, "pads", []int{1, 1, 1, 1}), true},
	{"ConvTranspose 128-64 by 2x2/2 at 28", []int{1, 128, 28, 28}, layer("ConvTranspose", []int{128, 64, 2, 2}, "strides", []int{2, 2}), true},
	{"ConvTranspose over 1 axis, 128-64 by 16/8 at 256", []int{1, 128, 256}, layer("ConvTranspose", []int{128, 64, 16}, "strides", []int{8}, "pads", []int{4, 4}), true},
	{"ConvTranspose over 3 axes, 32-16 by 2x2x2/2 at 16", []int{1, 32, 16, 16, 16}, layer("ConvTranspose", []int{32, 16, 2, 2, 2}, "strides", []int{2, 2, 2}), true},
	{"Einsum abc,cde->abde", []int{1, 128, 256}, layer("Einsum", []int{256, 8, 32}, "equation", "abc,cde->abde"), true},
	{"Einsum bhid,bhjd->bhij of itself", []int{1, 8, 256, 64}, func(b *builder, x *graph.Value) []*graph.Value {
		return []*graph.Value{b.Attr("Einsum", attrs("equation", "bhid,bhjd->bhij"), x, x)}
	}, false},
	{"Einsum nkctv,kvw->nctw", []int{1, 3, 64, 75, 25}, layer("Einsum", []int{3, 25, 25}, "equation", "nkctv,kvw->nctw"), false},
	{"If of two convolutions 16-32 by 3x3 at 64", []int{1, 16, 64, 64}, func(b *builder, x *graph.Value) []*graph.Value {
		c := b.Op("Greater", b.Attr("ReduceMean", attrs("keepdims", 0), x), b.number(-9))
		branch := func(name string) *graph.Graph {
			return within(b, name, nil, func(k *builder) []*graph.Value {
				return []*graph.Value{k.Attr("Conv", attrs("pads", []int{1, 1, 1, 1}), x, b.weight(32, 16, 3, 3))}
			})
		}
		return []*graph.Value{b.Attr("If", attrs("then_branch", branch("yes"), "else_branch", branch("no")), c)}
	}, true},
	{"Loop of 16 steps, a cell of 256", []int{1, 256}, func(b *builder, x *graph.Value) []*graph.Value {
		w := b.weight(256, 256)
		in := []*graph.Value{{Name: "i", DType: tensor.Int64, Shape: graph.Shape{}}, {Name: "go", DType: tensor.Bool, Shape: graph.Shape{}}, {Name: "h", DType: tensor.Float32, Shape: graph.Dims(1, 256)}}
		body := within(b, "body", in, func(k *builder) []*graph.Value {
			return []*graph.Value{k.Op("Identity", in[1]), k.Op("Tanh", k.Op("Add", k.Op("MatMul", in[2], w), x))}
		})
		count := b.Const(tensor.Scalar(int64(16)))
		return []*graph.Value{b.Attr("Loop", attrs("body", body), count, nil, x)}
	}, true},
	{"Scan of 64 steps, a cell of 256", []int{64, 256}, func(b *builder, x *graph.Value) []*graph.Value {
		w := b.weight(256, 256)
		in := []*graph.Value{{Name: "h", DType: tensor.Float32, Shape: graph.Dims(1, 256)}, {Name: "u", DType: tensor.Float32, Shape: graph.Dims(256)}}
		body := within(b, "body", in, func(k *builder) []*graph.Value {
			h := k.Op("Tanh", k.Op("Add", k.Op("MatMul", in[0], w), in[1]))
			return []*graph.Value{h, k.Op("Identity", h)}
		})
		first := b.Const(tensor.New(tensor.Float32, 1, 256))
		n := b.Node("", "Scan", 2, []*graph.Value{first, x}, attrs("body", body, "num_scan_inputs", 1)...)
		return n.Outputs[1:]
	}, true},
	{"Resize linear, x4 of 64 at 32", []int{1, 64, 32, 32}, resize(4, "mode", "linear"), false},
	{"Resize linear, x2 of 21 at 128", []int{1, 21, 128, 128}, resize(2, "mode", "linear", "coordinate_transformation_mode", "align_corners"), false},
	{"Resize nearest, x2 of 256 at 40", []int{1, 256, 40, 40}, resize(2, "mode", "nearest", "coordinate_transformation_mode", "asymmetric", "nearest_mode", "floor"), false},
	{"Resize cubic, x2 of 16 at 64", []int{1, 16, 64, 64}, resize(2, "mode", "cubic"), false},
	{"NonMaxSuppression of 3000 boxes, 20 classes", []int{1, 20, 3000}, func(b *builder, x *graph.Value) []*graph.Value {
		boxes := make([]float32, 0, 12000)
		for range 3000 {
			y, x, h, w := b.r.Float32()*600, b.r.Float32()*600, 8+b.r.Float32()*80, 8+b.r.Float32()*80
			boxes = append(boxes, y, x, y+h, x+w)
		}
		c := b.G.Const("boxes", tensor.From(boxes, 1, 3000, 4), graph.Frozen)
		return []*graph.Value{b.Op("NonMaxSuppression", c, x, b.Const(tensor.Vector[int64](100)), b.floats(.45), b.floats(.25))}
	}, false},
	{"a detector with NonMaxSuppression at 256", []int{1, 3, 256, 256}, detector, true},
	{"GridSample linear, 32 at 64", []int{1, 32, 64, 64}, gridSample("bilinear"), false},
	{"DeformConv 64-64 by 3x3 at 28", []int{1, 64, 28, 28}, func(b *builder, x *graph.Value) []*graph.Value {
		off := b.Attr("Conv", attrs("pads", []int{1, 1, 1, 1}), x, b.weight(18, 64, 3, 3))
		return []*graph.Value{b.Attr("DeformConv", attrs("pads", []int{1, 1, 1, 1}), x, b.weight(64, 64, 3, 3), off)}
	}, true},
	{"LeakyRelu of 64 at 128", image, function("LeakyRelu", "alpha", .1), false},
	{"Elu of 64 at 128", image, function("Elu"), false},
	{"Selu of 64 at 128", image, function("Selu"), false},
	{"HardSigmoid of 64 at 128", image, function("HardSigmoid"), false},
	{"Softplus of 64 at 128", image, function("Softplus"), false},
	{"Mish of 64 at 128", image, function("Mish"), false},
	{"SiLU of 64 at 128", image, func(b *builder, x *graph.Value) []*graph.Value {
		return []*graph.Value{b.Op("Mul", x, b.Op("Sigmoid", x))}
	}, false},
	{"PRelu of 64 at 128", image, layer("PRelu", []int{64, 1, 1}), false},
	{"Pow 2 of 64 at 128", image, func(b *builder, x *graph.Value) []*graph.Value { return []*graph.Value{b.Op("Pow", x, b.number(2))} }, false},
	{"Pow 1.7 of |x|, 64 at 128", image, func(b *builder, x *graph.Value) []*graph.Value {
		return []*graph.Value{b.Op("Pow", b.Op("Abs", x), b.number(1.7))}
	}, false},
	{"Max and Min of 64 at 128", image, func(b *builder, x *graph.Value) []*graph.Value {
		return []*graph.Value{b.Op("Min", b.Op("Max", x, b.number(-1)), b.Op("Neg", x))}
	}, false},
	{"Sin of 64 at 128", image, function("Sin"), false},
	{"DepthToSpace 2 of 64 at 128", image, function("DepthToSpace", "blocksize", 2), false},
	{"SpaceToDepth 2 of 64 at 128", image, function("SpaceToDepth", "blocksize", 2), false},
	{"Pad by reflection, 64 at 128", image, func(b *builder, x *graph.Value) []*graph.Value {
		return []*graph.Value{b.Attr("Pad", attrs("mode", "reflect"), x, b.Ints(0, 0, 3, 3, 0, 0, 3, 3))}
	}, false},
	{"Pad by the edge, 64 at 128", image, func(b *builder, x *graph.Value) []*graph.Value {
		return []*graph.Value{b.Attr("Pad", attrs("mode", "edge"), x, b.Ints(0, 0, 1, 1, 0, 0, 1, 1))}
	}, false},
	{"MaxPool over 3 axes, 32 by 2x2x2/2 at 32", []int{1, 32, 32, 32, 32}, function("MaxPool", "kernel_shape", []int{2, 2, 2}, "strides", []int{2, 2, 2}), false},
}

var image = []int{1, 64, 128, 128}

func gridSample(mode string) func(b *builder, x *graph.Value) []*graph.Value {
	return func(b *builder, x *graph.Value) []*graph.Value {
		s := x.Shape
		grid := tensor.New(tensor.Float32, 1, s[2].Mul, s[3].Mul, 2)
		for i := range grid.F32() {
			grid.F32()[i] = 2.1*b.r.Float32() - 1.05
		}
		return []*graph.Value{b.Attr("GridSample", attrs("mode", mode), x, b.G.Const("grid", grid, graph.Frozen))}
	}
}

// detector is a few layers, one box and four classes for each place, and
// NonMaxSuppression, behind which no size is known beforehand.
func detector(b *builder, x *graph.Value) []*graph.Value {
	ch := 3
	for i, co := range []int{32, 64, 128, 128} {
		stride := 2
		if i == 3 {
			stride = 1
		}
		x = b.Attr("Conv", attrs("pads", []int{1, 1, 1, 1}, "strides", []int{stride, stride}), x, b.weight(co, ch, 3, 3))
		x, ch = b.Attr("LeakyRelu", attrs("alpha", .1), x), co
	}
	flat := func(co int) *graph.Value {
		return b.Op("Reshape", b.Attr("Conv", nil, x, b.weight(co, ch, 1, 1)), b.Ints(1, co, -1))
	}
	boxes := b.Attr("Transpose", attrs("perm", []int{0, 2, 1}), b.Op("Exp", flat(4)))
	scores := b.Op("Sigmoid", flat(4))
	kept := b.Op("NonMaxSuppression", boxes, scores, b.Const(tensor.Vector[int64](50)), b.floats(.5), b.floats(.3))
	return []*graph.Value{b.Op("GatherND", boxes, b.Attr("Gather", attrs("axis", 1), kept, b.Ints(0, 2))), kept}
}

// graphOf builds the network of an operator.
func (o operator) graphOf(sparsity float64) (*graph.Graph, error) {
	g := graph.New("operator", 19)
	x := &graph.Value{Name: "input", DType: tensor.Float32, Shape: graph.Dims(o.in...)}
	g.Inputs = []*graph.Value{x}
	b := &builder{op.NewBuilder(g, "v"), rand.New(rand.NewPCG(6, 7)), sparsity}
	for i, y := range o.build(b, x) {
		if b.Err() != nil {
			return nil, b.Err()
		}
		y.Name = fmt.Sprint("y", i)
		g.Outputs = append(g.Outputs, y)
	}
	return g, op.InferAll(g)
}

func (o operator) frozen(sparsity float64) prepared {
	return func(threads int) (func() error, func(), error) {
		g, err := o.graphOf(sparsity)
		if err != nil {
			return nil, nil, err
		}
		return frozen(g, 1)(threads)
	}
}

// alone compares single operators with ONNX Runtime's, and where they have
// weights their time with nine of ten weights zero with that of none.
func operatorWorks(dir string) []work {
	var ws []work
	for i, o := range operators {
		path := lazily(func() string {
			path := filepath.Join(dir, fmt.Sprintf("operator-%d.onnx", i))
			if _, err := os.Stat(path); err == nil {
				return path
			}
			g, err := o.graphOf(0)
			if err == nil {
				err = onnx.Save(path, g, onnx.Options{})
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, "bench:", err)
			}
			return path
		})
		ws = append(ws, work{Group: "operators", Name: o.name, Peer: "ONNX Runtime", Bar: .8, ours: o.frozen(0),
			theirs: map[string]any{"kind": "infer", "file": path, "batch": o.in[0]}})
		if o.prune {
			ws = append(ws, work{Group: "operators, 90 % zeros", Name: o.name, Peer: "Pare, dense", Bar: 1, ours: o.frozen(.9), own: o.frozen(0)})
		}
	}
	return ws
}
