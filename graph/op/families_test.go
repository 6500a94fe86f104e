package op

import (
	"math"
	"testing"

	"pare/graph"
	"pare/tensor"
)

type ts = []*tensor.Tensor

// Without offsets and mask a deformable convolution is a convolution.
func TestDeformConvPlain(t *testing.T) {
	x, w := randn(1, 2, 3, 5, 6), randn(2, 4, 3, 2, 3)
	as := []graph.Attr{attr("strides", []int{2, 1}), attr("pads", []int{1, 0, 1, 2}), attr("dilations", []int{1, 2})}
	want := eval(t, 19, "", "Conv", 1, ts{x, w}, as...)[0]
	offsets := tensor.New(tensor.Float64, 2, 12, want.Shape[2], want.Shape[3])
	closeTo(t, "plain", eval(t, 19, "", "DeformConv", 1, ts{x, w, offsets}, as...)[0], want, 1e-12)
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
	// ties to even, and saturation
	q := eval(t, 13, "", "QuantizeLinear", 1, ts{f32(.5, 1.5, 2.5, -1000, 1000, 3), tensor.Scalar(float32(1)), tensor.Scalar(int8(1))})[0]
	closeTo(t, "quantised", q, tensor.Vector[int8](1, 3, 3, -128, 127, 4), 0)
}

// A vector of norm 0 stays; -log softmax by hand is (log 2 + log 4)/2.
func TestNormsByHand(t *testing.T) {
	got := eval(t, 13, "", "LpNormalization", 1, ts{f32(0, 3, 0, 4).Reshape(2, 2)}, attr("axis", 0))
	closeTo(t, "zeros", got[0], f32(0, .6, 0, .8).Reshape(2, 2), 1e-6)
	got = eval(t, 13, "", "SoftmaxCrossEntropyLoss", 1, ts{f32(0, 0, 0, 1.0986123).Reshape(2, 2), i64(0, 0)})
	closeTo(t, "loss", got[0], tensor.Scalar(float32(1.0397208)), 1e-6)
}

// Linear interpolation at twice the size, half pixels, by hand; cropping
// beyond the input gives the value that stands for it.
func TestResizeByHand(t *testing.T) {
	x := f64(1, 3).Reshape(1, 1, 1, 2)
	got := eval(t, 19, "", "Resize", 1, ts{x, nil, nil, i64(1, 1, 1, 4)}, attr("mode", "linear"))
	closeTo(t, "linear", got[0], f64(1, 1.5, 2.5, 3).Reshape(1, 1, 1, 4), 1e-12)
	// TensorFlow's nearest neighbour of opset 11: place (j+1/2)/scale, rounded down
	six := f64(0, 1, 2, 3, 4, 5).Reshape(1, 1, 1, 6)
	got = eval(t, 11, "", "Resize", 1, ts{six, f32(), f32(), i64(1, 1, 1, 4)}, attr("nearest_mode", "floor"),
		attr("coordinate_transformation_mode", "tf_half_pixel_for_nn"))
	closeTo(t, "tf nearest", got[0], f64(0, 2, 3, 5).Reshape(1, 1, 1, 4), 0)
	roi := f32(0, 0, 0, -1, 1, 1, 1, 1)
	g := graph.New("crop", 19)
	v := input(g, "x", tensor.Float64, graph.Dims(1, 1, 1, 2))
	n := g.Add("Resize", "", []*graph.Value{v, g.Const("r", roi, graph.Frozen), nil, g.Const("s", i64(1, 1, 1, 3), graph.Frozen)}, []string{"y"},
		attr("mode", "linear"), attr("coordinate_transformation_mode", "tf_crop_and_resize"), attr("extrapolation_value", 9.))
	g.Outputs = n.Outputs
	if err := InferAll(g); err != nil {
		t.Fatal(err)
	}
	res, err := Run(g, map[string]*tensor.Tensor{"x": x})
	if err != nil {
		t.Fatal(err)
	}
	closeTo(t, "crop", res[g.Outputs[0].Name], f64(9, 1, 3).Reshape(1, 1, 1, 3), 1e-12)
}
