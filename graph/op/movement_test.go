package op

import (
	"testing"

	"pare/graph"
	"pare/tensor"
)

// iota is 0, 1, 2, … as float64 in a shape.
func iota64(shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float64, shape...)
	for i := range tensor.Of[float64](t) {
		tensor.Of[float64](t)[i] = float64(i)
	}
	return t
}

func mat(shape []int, v ...float64) *tensor.Tensor { return tensor.From(v, shape...) }

// TestMovement checks operators that move elements: results on small counts,
// and both derivatives.
func TestMovement(t *testing.T) {
	x23, x33 := iota64(2, 3), iota64(3, 3)
	as := func(kv ...any) (out []graph.Attr) {
		for i := 0; i < len(kv); i += 2 {
			out = append(out, attr(kv[i].(string), kv[i+1]))
		}
		return out
	}
	for _, c := range []struct {
		name  string
		opset int
		op    string
		in    ts
		attrs []graph.Attr
		want  []*tensor.Tensor
	}{
		{"copy and rest", 13, "Reshape", ts{iota64(2, 3, 2), i64(0, -1)}, nil, ts{iota64(2, 6)}},
		{"copy of nothing and rest", 13, "Reshape", ts{tensor.New(tensor.Float64, 0, 2, 3), i64(0, -1)}, nil, ts{tensor.New(tensor.Float64, 0, 6)}},
		{"zero is zero", 14, "Reshape", ts{tensor.New(tensor.Float64, 0, 3), i64(3, 0)}, as("allowzero", 1), ts{tensor.New(tensor.Float64, 3, 0)}},
		{"", 13, "Flatten", ts{iota64(2, 3, 2)}, as("axis", 2), ts{iota64(6, 2)}},
		{"", 13, "Flatten", ts{iota64(2, 3, 2)}, as("axis", 0), ts{iota64(1, 12)}},
		{"attribute", 11, "Squeeze", ts{iota64(1, 3, 1)}, as("axes", []int{0}), ts{iota64(3, 1)}},
		{"input", 13, "Squeeze", ts{iota64(1, 3, 1), i64(-1)}, nil, ts{iota64(1, 3)}},
		{"all", 13, "Squeeze", ts{iota64(1, 3, 1)}, nil, ts{iota64(3)}},
		{"attribute", 11, "Unsqueeze", ts{iota64(3)}, as("axes", []int{0, 2}), ts{iota64(1, 3, 1)}},
		{"input", 13, "Unsqueeze", ts{iota64(3), i64(-1)}, nil, ts{iota64(3, 1)}},
		{"", 13, "Transpose", ts{x23}, nil, ts{mat([]int{3, 2}, 0, 3, 1, 4, 2, 5)}},
		{"", 13, "Transpose", ts{iota64(2, 1, 3)}, as("perm", []int{1, 2, 0}), ts{mat([]int{1, 3, 2}, 0, 3, 1, 4, 2, 5)}},
		{"", 13, "Expand", ts{iota64(2, 1), i64(3, 1, 2)}, nil, ts{mat([]int{3, 2, 2}, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1)}},
		{"", 13, "Concat", ts{x23, iota64(2, 1)}, as("axis", -1), ts{mat([]int{2, 4}, 0, 1, 2, 0, 3, 4, 5, 1)}},
		{"attribute", 11, "Split", ts{iota64(4)}, as("split", []int{1, 3}), ts{f64(0), f64(1, 2, 3)}},
		{"input", 13, "Split", ts{iota64(4), i64(3, 1)}, nil, ts{f64(0, 1, 2), f64(3)}},
		{"uneven", 18, "Split", ts{iota64(5)}, as("num_outputs", 2), ts{f64(0, 1, 2), f64(3, 4)}},
		{"attributes", 9, "Slice", ts{x23}, as("starts", []int{1}, "ends", []int{9}, "axes", []int{1}), ts{mat([]int{2, 2}, 1, 2, 4, 5)}},
		{"inputs", 13, "Slice", ts{x23, i64(0, -2), i64(1, 9)}, nil, ts{mat([]int{1, 2}, 1, 2)}},
		{"backwards", 13, "Slice", ts{iota64(6), i64(-1), i64(-1 << 62), i64(0), i64(-2)}, nil, ts{f64(5, 3, 1)}},
		{"empty", 13, "Slice", ts{iota64(6), i64(4), i64(2)}, nil, ts{tensor.New(tensor.Float64, 0)}},
		{"attribute", 2, "Pad", ts{f64(1, 2)}, as("pads", []int{1, 2}, "value", 9.), ts{f64(9, 1, 2, 9, 9)}},
		{"negative", 13, "Pad", ts{iota64(5), i64(-1, 1)}, nil, ts{f64(1, 2, 3, 4, 0)}},
		{"value", 13, "Pad", ts{f64(1), i64(1, 0), tensor.Scalar(7.)}, nil, ts{f64(7, 1)}},
		{"reflect", 13, "Pad", ts{iota64(3), i64(2, 3)}, as("mode", "reflect"), ts{f64(2, 1, 0, 1, 2, 1, 0, 1)}},
		{"edge", 13, "Pad", ts{iota64(3), i64(1, 2)}, as("mode", "edge"), ts{f64(0, 0, 1, 2, 2, 2)}},
		{"wrap", 19, "Pad", ts{iota64(3), i64(1, 4)}, as("mode", "wrap"), ts{f64(2, 0, 1, 2, 0, 1, 2, 0)}},
		{"axes", 18, "Pad", ts{x23, i64(0, 1), nil, i64(1)}, nil, ts{mat([]int{2, 4}, 0, 1, 2, 0, 3, 4, 5, 0)}},
		{"", 13, "Tile", ts{f64(1, 2), i64(2)}, nil, ts{f64(1, 2, 1, 2)}},
		{"", 13, "Tile", ts{x23, i64(2, 1)}, nil, ts{mat([]int{4, 3}, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5)}},
		{"rows", 13, "Gather", ts{x33, tensor.From([]int64{2, -3, 2, 0}, 2, 2)}, nil, ts{mat([]int{2, 2, 3}, 6, 7, 8, 0, 1, 2, 6, 7, 8, 0, 1, 2)}},
		{"scalar", 13, "Gather", ts{x33, tensor.Scalar[int64](1)}, as("axis", 1), ts{f64(1, 4, 7)}},
		{"", 13, "GatherElements", ts{x33, tensor.From([]int64{1, 2, 0, 2, -3, 0}, 2, 3)}, nil, ts{mat([]int{2, 3}, 3, 7, 2, 6, 1, 2)}},
		{"", 13, "GatherElements", ts{x23, tensor.From([]int64{0, 0, -1, 1}, 2, 2)}, as("axis", 1), ts{mat([]int{2, 2}, 0, 0, 5, 4)}},
		{"", 13, "GatherND", ts{x33, tensor.From([]int64{0, 1, 2, -1}, 2, 2)}, nil, ts{f64(1, 8)}},
		{"batch", 13, "GatherND", ts{x23, tensor.From([]int64{2, 0}, 2, 1)}, as("batch_dims", 1), ts{f64(2, 3)}},
		{"blocks", 13, "GatherND", ts{x33, tensor.From([]int64{2, 2}, 2, 1)}, nil, ts{mat([]int{2, 3}, 6, 7, 8, 6, 7, 8)}},
		{"", 11, "ScatterElements", ts{iota64(4), i64(1, -1), f64(8, 9)}, nil, ts{f64(0, 8, 2, 9)}},
		{"", 9, "Scatter", ts{iota64(4), i64(1), f64(8)}, nil, ts{f64(0, 8, 2, 3)}},
		{"add", 16, "ScatterElements", ts{iota64(2, 2), tensor.From([]int64{1, 1}, 2, 1), mat([]int{2, 1}, 8, 9)}, as("axis", 1, "reduction", "add"), ts{mat([]int{2, 2}, 0, 9, 2, 12)}},
		{"", 11, "ScatterND", ts{x23, tensor.From([]int64{1}, 1, 1), mat([]int{1, 3}, 7, 8, 9)}, nil, ts{mat([]int{2, 3}, 0, 1, 2, 7, 8, 9)}},
		{"add", 16, "ScatterND", ts{f64(1, 2), tensor.From([]int64{0, 0}, 2, 1), f64(3, 4)}, as("reduction", "add"), ts{f64(8, 2)}},
		{"upper", 14, "Trilu", ts{x33}, nil, ts{mat([]int{3, 3}, 0, 1, 2, 0, 4, 5, 0, 0, 8)}},
		{"lower", 14, "Trilu", ts{x33, tensor.Scalar[int64](-1)}, as("upper", 0), ts{mat([]int{3, 3}, 0, 0, 0, 3, 0, 0, 6, 7, 0)}},
		{"DCR", 13, "DepthToSpace", ts{iota64(1, 8, 1, 1)}, as("blocksize", 2), ts{mat([]int{1, 2, 2, 2}, 0, 2, 4, 6, 1, 3, 5, 7)}},
		{"CRD", 13, "DepthToSpace", ts{iota64(1, 8, 1, 1)}, as("blocksize", 2, "mode", "CRD"), ts{mat([]int{1, 2, 2, 2}, 0, 1, 2, 3, 4, 5, 6, 7)}},
		{"", 13, "SpaceToDepth", ts{iota64(1, 1, 2, 4)}, as("blocksize", 2), ts{mat([]int{1, 4, 1, 2}, 0, 2, 1, 3, 4, 6, 5, 7)}},
		{"", 14, "CumSum", ts{f64(1, 2, 3), tensor.Scalar[int64](0)}, nil, ts{f64(1, 3, 6)}},
		{"", 14, "CumSum", ts{x23, tensor.Scalar[int64](1)}, as("exclusive", 1, "reverse", 1), ts{mat([]int{2, 3}, 3, 2, 0, 9, 5, 0)}},
		{"", 14, "CumSum", ts{x23, tensor.Scalar[int64](-2)}, as("reverse", 1), ts{mat([]int{2, 3}, 3, 5, 7, 3, 4, 5)}},
		{"", 26, "CumProd", ts{f64(1, 2, 3), tensor.Scalar[int64](0)}, nil, ts{f64(1, 2, 6)}},
		{"", 26, "CumProd", ts{f64(1, 2, 3), tensor.Scalar[int64](0)}, as("exclusive", 1, "reverse", 1), ts{f64(6, 3, 1)}},
		{"", 13, "ReverseSequence", ts{x33, i64(3, 1, 2)}, nil, ts{mat([]int{3, 3}, 6, 1, 5, 3, 4, 2, 0, 7, 8)}},
		{"", 13, "ReverseSequence", ts{x23, i64(3, 2)}, as("time_axis", 1, "batch_axis", 0), ts{mat([]int{2, 3}, 2, 1, 0, 4, 3, 5)}},
		{"", 13, "TopK", ts{f64(3, 1, 4, 1), i64(2)}, nil, ts{f64(4, 3), i64(2, 0)}},
		{"smallest", 13, "TopK", ts{f64(3, 1, 4, 1), i64(2)}, as("largest", 0), ts{f64(1, 1), i64(1, 3)}},
		{"attribute", 9, "TopK", ts{x23}, as("k", 1, "axis", 0), ts{mat([]int{1, 3}, 3, 4, 5), tensor.From([]int64{1, 1, 1}, 1, 3)}},
		{"", 13, "Compress", ts{x23, tensor.Vector(false, true)}, as("axis", 1), ts{mat([]int{2, 1}, 1, 4)}},
		{"flat", 13, "Compress", ts{x23, tensor.Vector(true, false, false, true)}, nil, ts{f64(0, 3)}},
		{"", 13, "OneHot", ts{i64(1, -1, 5), tensor.Scalar[int64](3), f64(-1, 2)}, nil, ts{mat([]int{3, 3}, -1, 2, -1, -1, -1, 2, -1, -1, -1)}},
		{"axis 0", 13, "OneHot", ts{i64(1, 0), tensor.Scalar[int64](3), f64(0, 1)}, as("axis", 0), ts{mat([]int{3, 2}, 0, 1, 1, 0, 0, 0)}},
	} {
		name := c.op + " " + c.name
		out := eval(t, c.opset, "", c.op, len(c.want), c.in, c.attrs...)
		for i, o := range out {
			closeTo(t, name, o, c.want[i], 0)
		}
		if c.in[0].Len() == 0 || t.Failed() {
			continue
		}
		var in ts
		for i, x := range c.in { // derivatives at random places, the best of TopK apart
			if x != nil && x.DType.IsFloat() && x.Rank() > 0 && c.op != "TopK" {
				x = randn(uint64(i), x.Shape...)
			}
			in = append(in, x)
		}
		g, feed := oneNode(t, c.opset, "", c.op, len(c.want), in, c.attrs...)
		if c.name == "smallest" { // a tie is a kink
			continue
		}
		checkGrad2(t, g, feed)
	}
}

func TestSelections(t *testing.T) {
	out := eval(t, 13, "", "NonZero", 1, []*tensor.Tensor{mat([]int{2, 2}, 1, 0, 2, 3)})[0]
	closeTo(t, "NonZero", out, tensor.From([]int64{0, 1, 1, 0, 0, 1}, 2, 3), 0)
	u := eval(t, 13, "", "Unique", 4, []*tensor.Tensor{f64(2, 1, 1, 3)})
	for i, w := range []*tensor.Tensor{f64(1, 2, 3), i64(1, 0, 3), i64(1, 0, 0, 2), i64(2, 1, 1)} {
		closeTo(t, "Unique", u[i], w, 0)
	}
	u = eval(t, 13, "", "Unique", 4, []*tensor.Tensor{f64(2, 1, 1, 3)}, attr("sorted", 0))
	for i, w := range []*tensor.Tensor{f64(2, 1, 3), i64(0, 1, 3), i64(0, 1, 1, 2), i64(1, 2, 1)} {
		closeTo(t, "Unique unsorted", u[i], w, 0)
	}
	closeTo(t, "EyeLike", eval(t, 13, "", "EyeLike", 1, []*tensor.Tensor{iota64(2, 3)}, attr("k", 1), attr("dtype", tensor.Float32))[0],
		tensor.From([]float32{0, 1, 0, 0, 0, 1}, 2, 3), 0)
	closeTo(t, "Range", eval(t, 13, "", "Range", 1, []*tensor.Tensor{tensor.Scalar[int64](9), tensor.Scalar[int64](2), tensor.Scalar[int64](-3)})[0], i64(9, 6, 3), 0)
	closeTo(t, "Range", eval(t, 13, "", "Range", 1, []*tensor.Tensor{tensor.Scalar(1.), tensor.Scalar(2.), tensor.Scalar(.25)})[0], f64(1, 1.25, 1.5, 1.75), 0)
	closeTo(t, "ConstantOfShape", eval(t, 13, "", "ConstantOfShape", 1, []*tensor.Tensor{i64(2, 1)}, attr("value", i64(3)))[0], tensor.From([]int64{3, 3}, 2, 1), 0)
	closeTo(t, "Shape", eval(t, 15, "", "Shape", 1, []*tensor.Tensor{iota64(2, 3, 4)}, attr("start", 1), attr("end", -1))[0], i64(3), 0)
	closeTo(t, "Size", eval(t, 15, "", "Size", 1, []*tensor.Tensor{iota64(2, 3, 4)})[0], tensor.Scalar[int64](24), 0)
	for _, a := range []struct {
		attr graph.Attr
		want *tensor.Tensor
	}{{attr("value_float", 1.5), tensor.Scalar[float32](1.5)}, {attr("value_ints", []int{1, 2}), i64(1, 2)}, {attr("value", f64(3)), f64(3)},
		{attr("value_int", 4), tensor.Scalar[int64](4)}, {attr("value_floats", []float32{1, 2}), f32(1, 2)}} {
		closeTo(t, "Constant", eval(t, 13, "", "Constant", 1, nil, a.attr)[0], a.want, 0)
	}
	arg := []*tensor.Tensor{mat([]int{2, 3}, 1, 3, 3, 5, 4, 5)}
	closeTo(t, "ArgMax", eval(t, 13, "", "ArgMax", 1, arg, attr("axis", 1))[0], tensor.From([]int64{1, 0}, 2, 1), 0)
	closeTo(t, "ArgMax", eval(t, 13, "", "ArgMax", 1, arg, attr("axis", 1), attr("keepdims", 0), attr("select_last_index", 1))[0], i64(2, 2), 0)
	closeTo(t, "ArgMin", eval(t, 13, "", "ArgMin", 1, arg, attr("axis", -2), attr("keepdims", 0))[0], i64(0, 0, 0), 0)
}

// TestRefusals checks that impossible arguments are errors that say which.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		op    string
		in    ts
		attrs []graph.Attr
	}{
		{"Add", ts{iota64(2, 3), iota64(2)}, nil},
		{"Reshape", ts{iota64(2, 3), i64(4, -1)}, nil},
		{"Reshape", ts{iota64(2, 3), i64(-1, -1)}, nil},
		{"Concat", ts{iota64(2, 3), iota64(3, 2)}, nil},
		{"Concat", ts{iota64(2), iota64(2)}, []graph.Attr{attr("axis", 1)}},
		{"Transpose", ts{iota64(2, 3)}, []graph.Attr{attr("perm", []int{0, 0})}},
		{"Gather", ts{iota64(2, 3), i64(2)}, nil},
		{"Split", ts{iota64(4), i64(1, 2)}, nil},
		{"Pad", ts{iota64(4), i64(1)}, nil},
		{"Pad", ts{iota64(4), i64(-3, -3)}, nil},
		{"Slice", ts{iota64(4), i64(0), i64(1), i64(0), i64(0)}, nil},
		{"Expand", ts{iota64(4), i64(1 << 50)}, nil},
		{"Expand", ts{iota64(4), i64(3)}, nil},
		{"ConstantOfShape", ts{i64(1<<40, 1<<40)}, nil},
		{"ConstantOfShape", ts{i64(-1)}, nil},
		{"Tile", ts{iota64(4), i64(1 << 60)}, nil},
		{"Tile", ts{iota64(4), i64(1, 2)}, nil},
		{"OneHot", ts{i64(1), tensor.Scalar[int64](1 << 50), f64(0, 1)}, nil},
		{"Range", ts{tensor.Scalar(0.), tensor.Scalar(1e300), tensor.Scalar(1.)}, nil},
		{"Range", ts{tensor.Scalar(0.), tensor.Scalar(1.), tensor.Scalar(0.)}, nil},
		{"TopK", ts{iota64(3), i64(4)}, nil},
		{"DepthToSpace", ts{iota64(1, 3, 1, 1)}, []graph.Attr{attr("blocksize", 2)}},
		{"Squeeze", ts{iota64(2, 1), i64(0)}, nil},
		{"ReduceSum", ts{iota64(2, 1), i64(2)}, nil},
		{"Exp", ts{i64(1)}, nil},
		{"Where", ts{f64(1), f64(1), f64(1)}, nil},
		{"ScatterElements", ts{iota64(2), i64(5), f64(1)}, nil},
		{"GatherND", ts{iota64(2), tensor.From([]int64{0, 0}, 1, 2)}, nil},
		{"Sqrt", nil, nil},
		{"Mul", ts{f64(1)}, nil},
		{"Mul", ts{f64(1), f32(1)}, nil},
	} {
		g := graph.New("bad", 18)
		var vs []*graph.Value
		for _, x := range c.in {
			vs = append(vs, g.Const("c", x, graph.Frozen))
		}
		n := g.Add(c.op, "", vs, []string{"y"}, c.attrs...)
		if c.op == "Split" {
			n.Outputs = append(n.Outputs, &graph.Value{Name: "z", From: n})
		}
		g.Outputs = n.Outputs
		err := InferAll(g)
		if err == nil {
			_, err = Run(g, nil)
		}
		if err == nil {
			t.Errorf("%s%v %v: no error", c.op, c.in, c.attrs)
		}
	}
}
