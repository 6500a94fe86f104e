package op

import (
	"math"
	"testing"

	"pare/graph"
	"pare/tensor"
)

type ts = []*tensor.Tensor

// gradOf checks the gradient of one node, and twice where second is set.
func gradOf(t *testing.T, second bool, opset int, name string, outs int, in []*tensor.Tensor, attrs ...graph.Attr) {
	t.Helper()
	g, feed := oneNode(t, opset, "", name, outs, in, attrs...)
	if second {
		checkGrad2(t, g, feed)
	} else {
		checkGrad(t, g, feed)
	}
}

func TestResizeGrad(t *testing.T) {
	x := randn(1, 1, 2, 4, 5)
	scales, sizes := f32(1, 1, 1.7, .6), i64(1, 2, 7, 3)
	hold := func(as ...graph.Attr) {
		t.Helper()
		g, feed := oneNode(t, 19, "", "Resize", 1, ts{x, nil, nil, sizes}, as...)
		checkGrad2(t, g, feed)
		g = graph.New("Resize", 19) // the scales are constants, not inputs
		g.Opset[graph.Pare] = 1
		v := input(g, "x0", tensor.Float64, graph.Dims(x.Shape...))
		g.Outputs = g.Add("Resize", "", []*graph.Value{v, nil, g.Const("s", scales, graph.Frozen)}, []string{"y"}, as...).Outputs
		if err := InferAll(g); err != nil {
			t.Fatal(err)
		}
		checkGrad2(t, g, feed)
	}
	for _, mode := range []string{"nearest", "linear", "cubic"} {
		for _, c := range []string{"half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel", "half_pixel_symmetric"} {
			hold(attr("mode", mode), attr("coordinate_transformation_mode", c))
		}
	}
	hold(attr("mode", "linear"), attr("antialias", 1))
	hold(attr("mode", "cubic"), attr("antialias", 1), attr("exclude_outside", 1))
	g := graph.New("up", 9)
	g.Opset[graph.Pare] = 1
	v := input(g, "x", tensor.Float64, graph.Dims(1, 1, 2, 2))
	g.Outputs = g.Add("Upsample", "", []*graph.Value{v, g.Const("s", f32(1, 1, 2, 3), graph.Frozen)}, []string{"y"}, attr("mode", "linear")).Outputs
	if err := InferAll(g); err != nil {
		t.Fatal(err)
	}
	checkGrad(t, g, map[string]*tensor.Tensor{"x": randn(1, 1, 1, 2, 2)})
}

func TestSamplingGrads(t *testing.T) {
	x, grid := randn(1, 2, 2, 4, 3), randu(2, -1.4, 1.4, 2, 3, 2, 2)
	for _, mode := range []string{"linear", "cubic", "nearest"} {
		for _, pad := range []string{"zeros", "border", "reflection"} {
			for corners := range 2 {
				gradOf(t, false, 20, "GridSample", 1, ts{x, grid}, attr("mode", mode), attr("padding_mode", pad), attr("align_corners", corners))
			}
		}
	}
	gradOf(t, false, 20, "GridSample", 1, ts{randn(1, 1, 1, 2, 3, 4), randu(3, -1.2, 1.2, 1, 2, 1, 2, 3)})
	written(t, 20, "AffineGrid", 1, ts{randn(1, 2, 2, 3), i64(2, 1, 3, 4)})
	written(t, 20, "AffineGrid", 1, ts{randn(1, 1, 3, 4), i64(1, 1, 2, 3, 2)}, attr("align_corners", 1))

	rois := f32(0, 0, 3, 3, 1.2, .5, 4, 2)
	for _, opset := range []int{10, 16} {
		g := graph.New("RoiAlign", opset)
		g.Opset[graph.Pare] = 1
		v := input(g, "x", tensor.Float64, graph.Dims(2, 2, 5, 5))
		n := g.Add("RoiAlign", "", []*graph.Value{v, g.Const("r", rois.Reshape(2, 4), graph.Frozen), g.Const("b", i64(1, 0), graph.Frozen)}, []string{"y"},
			attr("output_height", 2), attr("output_width", 3), attr("spatial_scale", .9))
		g.Outputs = n.Outputs
		if err := InferAll(g); err != nil {
			t.Fatal(err)
		}
		checkGrad2(t, g, map[string]*tensor.Tensor{"x": randn(1, 2, 2, 5, 5)})
	}
	in := ts{randn(1, 1, 4, 5, 4), randn(2, 2, 2, 2, 2), randn(3, 1, 16, 3, 3), randn(4, 2), randn(5, 1, 8, 3, 3)}
	as := []graph.Attr{attr("group", 2), attr("offset_group", 2), attr("strides", []int{2, 1}), attr("pads", []int{1, 0, 0, 0})}
	gradOf(t, false, 19, "DeformConv", 1, in, as...)
	in[3], in[4] = nil, nil
	gradOf(t, false, 19, "DeformConv", 1, in, as...)
}

// Without offsets and mask a deformable convolution is a convolution.
func TestDeformConvPlain(t *testing.T) {
	x, w := randn(1, 2, 3, 5, 6), randn(2, 4, 3, 2, 3)
	as := []graph.Attr{attr("strides", []int{2, 1}), attr("pads", []int{1, 0, 1, 2}), attr("dilations", []int{1, 2})}
	want := eval(t, 19, "", "Conv", 1, ts{x, w}, as...)[0]
	offsets := tensor.New(tensor.Float64, 2, 12, want.Shape[2], want.Shape[3])
	closeTo(t, "plain", eval(t, 19, "", "DeformConv", 1, ts{x, w, offsets}, as...)[0], want, 1e-12)
}

func TestConvTransposeGrad(t *testing.T) {
	for _, c := range []struct {
		x, w  []int
		attrs []graph.Attr
	}{
		{[]int{2, 4, 3, 4}, []int{4, 3, 2, 3}, []graph.Attr{attr("strides", []int{2, 1}), attr("pads", []int{0, 1, 1, 0})}},
		{[]int{1, 4, 3}, []int{4, 2, 3}, []graph.Attr{attr("group", 2), attr("strides", []int{3}), attr("output_padding", []int{2})}},
		{[]int{1, 2, 2, 2, 2}, []int{2, 1, 2, 2, 2}, []graph.Attr{attr("dilations", []int{1, 2, 1})}},
		{[]int{1, 2, 3, 3}, []int{2, 2, 3, 3}, []graph.Attr{attr("strides", []int{2, 2}), attr("auto_pad", "SAME_UPPER")}},
	} {
		gradOf(t, true, 13, "ConvTranspose", 1, ts{randn(1, c.x...), randn(2, c.w...)}, c.attrs...)
	}
	gradOf(t, false, 13, "ConvTranspose", 1, ts{randn(1, 1, 2, 3, 3), randn(2, 2, 2, 2, 2), randn(3, 2)})
}

func TestRecurrentGrads(t *testing.T) {
	gates := map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4}
	const T, B, I, H = 3, 2, 3, 2
	for _, name := range []string{"RNN", "GRU", "LSTM"} {
		g := gates[name]
		for layout := range 2 {
			x, s := []int{T, B, I}, []int{2, B, H}
			if layout == 1 {
				x, s = []int{B, T, I}, []int{B, 2, H}
			}
			in := ts{randn(1, x...), randn(2, 2, g*H, I), randn(3, 2, g*H, H), randn(4, 2, 2*g*H), nil, randn(5, s...)}
			as := []graph.Attr{attr("hidden_size", H), attr("direction", "bidirectional"), attr("layout", layout)}
			outs := 2
			if name == "LSTM" {
				in, outs = append(in, randn(6, s...), randn(7, 2, 3*H)), 3
			}
			written(t, 14, name, outs, in, as...)
		}
		in := ts{randn(1, T, B, I), randn(2, 1, g*H, I), randn(3, 1, g*H, H)}
		written(t, 22, name, 2, in, attr("hidden_size", H), attr("direction", "reverse"), attr("clip", .7))
	}
	in := ts{randn(1, T, B, I), randn(2, 1, 3*H, I), randn(3, 1, 3*H, H), randn(4, 1, 6*H)}
	written(t, 14, "GRU", 2, in, attr("linear_before_reset", 1), attr("activations", []string{"HardSigmoid", "Softsign"}))
	in = ts{randn(1, T, B, I), randn(2, 1, 4*H, I), randn(3, 1, 4*H, H)}
	written(t, 14, "LSTM", 3, in, attr("input_forget", 1), attr("activations", []string{"Sigmoid", "ScaledTanh", "Affine"}),
		attr("activation_alpha", []float32{.9, .5}), attr("activation_beta", []float32{.8, .1}))
}

func TestSignalGrads(t *testing.T) {
	for parts := 1; parts <= 2; parts++ {
		x := randn(1, 2, 5, 3, parts)
		for _, as := range [][]graph.Attr{nil, {attr("inverse", 1)}, {attr("onesided", 1)}} {
			gradOf(t, true, 17, "DFT", 1, ts{x}, append(as, attr("axis", 1))...)
			gradOf(t, true, 20, "DFT", 1, ts{x, i64(7).Reshape()}, as...)
			gradOf(t, true, 20, "DFT", 1, ts{x, i64(4).Reshape(), i64(1).Reshape()}, as...)
		}
	}
	for _, n := range []int64{5, 6} {
		gradOf(t, true, 20, "DFT", 1, ts{randn(1, 2, 4, 2), i64(n).Reshape()}, attr("inverse", 1), attr("onesided", 1))
	}
	written(t, 17, "STFT", 1, ts{randn(1, 2, 9, 1), i64(2).Reshape(), randn(2, 4)})
	written(t, 20, "STFT", 1, ts{randn(1, 2, 9, 2), i64(3).Reshape(), nil, i64(4).Reshape()}, attr("onesided", 0))
}

// Of an impulse the transform is a circle of unit length; back it comes again.
func TestDFT(t *testing.T) {
	x := tensor.New(tensor.Float64, 1, 6, 1)
	tensor.Of[float64](x)[1] = 1
	y := eval(t, 20, "", "DFT", 1, ts{x})[0]
	for k := range 6 {
		re, im := tensor.Of[float64](y)[2*k], tensor.Of[float64](y)[2*k+1]
		if a := -2 * math.Pi * float64(k) / 6; math.Abs(re-math.Cos(a)) > 1e-12 || math.Abs(im-math.Sin(a)) > 1e-12 {
			t.Errorf("frequency %d is %g%+gi", k, re, im)
		}
	}
	back := eval(t, 20, "", "DFT", 1, ts{y}, attr("inverse", 1))[0]
	for i, v := range tensor.Of[float64](back) {
		if want := flag(i == 2); math.Abs(v-want) > 1e-12 {
			t.Errorf("element %d is %g", i, v)
		}
	}
}

func TestPoolMoreGrads(t *testing.T) {
	x := randn(1, 1, 2, 5, 4)
	written(t, 13, "LpPool", 1, ts{x}, attr("kernel_shape", []int{2, 3}), attr("strides", []int{2, 1}), attr("pads", []int{0, 1, 1, 0}))
	written(t, 13, "LpPool", 1, ts{x}, attr("kernel_shape", []int{2, 2}), attr("p", 3))
	written(t, 13, "GlobalLpPool", 1, ts{x}, attr("p", 3))
	places := i64(0, 2, 9, 11, 16, 18, 25, 27)
	gradOf(t, true, 13, "MaxUnpool", 1, ts{randn(1, 1, 2, 2, 2), places.Reshape(1, 2, 2, 2)}, attr("kernel_shape", []int{2, 2}), attr("strides", []int{2, 2}))
	gradOf(t, true, 18, "Col2Im", 1, ts{randn(1, 2, 12, 6), i64(4, 5), i64(2, 3)}, attr("strides", []int{1, 1}), attr("pads", []int{0, 0, 0, 0}), attr("dilations", []int{2, 1}))
	gradOf(t, true, 18, "CenterCropPad", 1, ts{randn(1, 3, 5, 4), i64(6, 4, 1)})
	gradOf(t, true, 18, "CenterCropPad", 1, ts{randn(1, 3, 5, 4), i64(2, 7)}, attr("axes", []int{-1, 0}))
}

func TestEinsumGrads(t *testing.T) {
	for _, c := range []struct {
		eq string
		in ts
	}{
		{"ij,jk->ik", ts{randn(1, 2, 3), randn(2, 3, 4)}},
		{"bhid,bhjd->bhij", ts{randn(1, 2, 2, 3, 2), randn(2, 2, 2, 4, 2)}},
		{"...ij,...jk", ts{randn(1, 2, 1, 2, 3), randn(2, 4, 3, 2)}},
		{"ij->j", ts{randn(1, 2, 3)}},
		{"i,j,k->kij", ts{randn(1, 2), randn(2, 3), randn(3, 2)}},
		{"ij,kj->k", ts{randn(1, 2, 3), randn(2, 2, 3)}},
		{",i->i", ts{randn(1), randn(2, 3)}},
	} {
		gradOf(t, true, 13, "Einsum", 1, c.in, attr("equation", c.eq))
	}
	// against the product of matrices
	a, b := randn(1, 3, 4), randn(2, 4, 5)
	closeTo(t, "product", eval(t, 13, "", "Einsum", 1, ts{a, b}, attr("equation", "ab, bc -> ac"))[0], eval(t, 13, "", "MatMul", 1, ts{a, b})[0], 1e-12)
	closeTo(t, "trace", eval(t, 13, "", "Einsum", 1, ts{f64(1, 2, 3, 4).Reshape(2, 2)}, attr("equation", "ii"))[0], tensor.Scalar(5.), 0)
	gradOf(t, false, 11, "Det", 1, ts{randn(1, 2, 3, 3)})
	gradOf(t, false, 11, "Det", 1, ts{f64(1, 2, 2, 4).Reshape(2, 2)}) // singular
}

func TestTransformerGrads(t *testing.T) {
	cos, sin := randn(2, 5, 2), randn(3, 5, 2)
	ids := i64(4, 0, 1, 1, 2, 3).Reshape(2, 3)
	for near := range 2 {
		written(t, 23, "RotaryEmbedding", 1, ts{randn(1, 2, 2, 3, 4), cos, sin, ids}, attr("interleaved", near))
		written(t, 23, "RotaryEmbedding", 1, ts{randn(1, 2, 3, 12), cos, sin, ids}, attr("interleaved", near), attr("num_heads", 2), attr("rotary_embedding_dim", 4))
		written(t, 23, "RotaryEmbedding", 1, ts{randn(1, 2, 2, 3, 4), randn(2, 2, 3, 2), randn(3, 2, 3, 2)}, attr("interleaved", near))
	}
	heads := []graph.Attr{attr("q_num_heads", 4), attr("kv_num_heads", 2)}
	q, k, v, past := randn(1, 2, 3, 8), randn(2, 2, 3, 4), randn(3, 2, 3, 6), randn(4, 2, 2, 2, 3)
	for rule, in := range map[string]ts{
		"linear":      {q, k, v},
		"gated":       {q, k, v, past, randn(5, 2, 3, 4)},
		"delta":       {q, k, v, past, nil, randn(6, 2, 3, 1)},
		"gated_delta": {q, k, v, nil, randn(5, 2, 3, 2), randn(6, 2, 3, 2)},
	} {
		written(t, 27, "LinearAttention", 2, in, append(heads, attr("update_rule", rule))...)
	}
	written(t, 27, "CausalConvWithState", 2, ts{randn(1, 2, 3, 4), randn(2, 3, 1, 3), randn(3, 3), randn(4, 2, 3, 2)}, attr("activation", "silu"))
	written(t, 27, "CausalConvWithState", 2, ts{randn(1, 2, 3, 1), randn(2, 3, 1, 3)})
	written(t, 28, "SwiGLU", 1, ts{randn(1, 2, 3), randn(2, 2, 3)}, attr("alpha", 1.5))
	for _, mode := range []string{"linear", "circular"} {
		gradOf(t, true, 24, "TensorScatter", 1, ts{randn(1, 2, 2, 5, 2), randn(2, 2, 2, 2, 2), i64(3, 1)}, attr("mode", mode))
	}
}

func TestDropoutGrad(t *testing.T) {
	yes := tensor.Scalar(true)
	g := graph.New("Dropout", 13)
	x := input(g, "x", tensor.Float64, graph.Dims(4, 5))
	ratio := g.Const("r", tensor.Scalar(float32(.3)), graph.Frozen)
	n := g.Add("Dropout", "", []*graph.Value{x, ratio, g.Const("t", yes, graph.Frozen)}, []string{"y"}, attr("seed", 7))
	g.Outputs = n.Outputs
	if err := InferAll(g); err != nil {
		t.Fatal(err)
	}
	checkGrad2(t, g, map[string]*tensor.Tensor{"x": randn(1, 4, 5)})
}

// The numbers are those of numpy.random.RandomState(1).
func TestRandom(t *testing.T) {
	u := eval(t, 13, "", "RandomUniform", 1, nil, attr("shape", []int{3}), attr("seed", 1.), attr("dtype", tensor.Float64))[0]
	closeTo(t, "uniform", u, f64(0.417022004702574, 0.7203244934421581, 0.00011437481734488664), 1e-15)
	n := eval(t, 13, "", "RandomNormal", 1, nil, attr("shape", []int{3}), attr("seed", 1.), attr("dtype", tensor.Float64))[0]
	closeTo(t, "normal", n, f64(1.6243453636632417, -0.6117564136500754, -0.5281717522634557), 1e-15)
	x := eval(t, 13, "", "Multinomial", 1, ts{f64(math.Log(.25), math.Log(.75)).Reshape(1, 2)}, attr("sample_size", 4000), attr("seed", 3.))[0]
	ones := 0
	for _, k := range tensor.Of[int32](x) {
		ones += int(k)
	}
	if ones < 2900 || ones > 3100 {
		t.Errorf("%d of 4000 draws are of the class with probability 3/4", ones)
	}
}

func TestQuantize(t *testing.T) {
	// ties to even, saturation, and an axis
	q := eval(t, 13, "", "QuantizeLinear", 1, ts{f32(.5, 1.5, 2.5, -1000, 1000, 3), tensor.Scalar(float32(1)), tensor.Scalar(int8(1))})[0]
	closeTo(t, "quantised", q, tensor.Vector[int8](1, 3, 3, -128, 127, 4), 0)
	g, feed := oneNode(t, 13, "", "DequantizeLinear", 1, ts{tensor.Vector[int8](1, 2, 3, 4).Reshape(2, 2), randu(1, .5, 2, 2), tensor.Vector[int8](1, -1)}, attr("axis", 0))
	checkExpand(t, g, feed)
	checkGrad(t, g, feed)
}
