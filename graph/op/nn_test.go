package op

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"pare/graph"
	"pare/tensor"
)

// Convolutions of random geometry: the gradient against finite differences,
// and the gradient of the gradient for the small ones.
func TestConvGrad(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for i := range 12 {
		g := 1 + r.IntN(2)
		ci, co := g*(1+r.IntN(2)), g*(1+r.IntN(2))
		kh, kw := 1+r.IntN(3), 1+r.IntN(3)
		h, w := kh+1+r.IntN(3), kw+1+r.IntN(3)
		as := []graph.Attr{attr("strides", []int{1 + r.IntN(2), 1 + r.IntN(2)}),
			attr("pads", []int{r.IntN(2), r.IntN(2), r.IntN(2), r.IntN(2)}), attr("group", g)}
		if h > 2*kh && w > 2*kw {
			as = append(as, attr("dilations", []int{2, 1}))
		}
		s := uint64(10 * i)
		in := []*tensor.Tensor{randn(s, 2, ci, h, w), randn(s+1, co, ci/g, kh, kw), randn(s+2, co)}
		gr, feed := oneNode(t, 13, "", "Conv", 1, in, as...)
		if i < 3 {
			checkGrad2(t, gr, feed)
		} else {
			checkGrad(t, gr, feed)
		}
	}
}

func TestNormGrads(t *testing.T) {
	x, s, b := randn(1, 3, 2, 2, 2), randu(2, .5, 2, 2), randn(3, 2)
	g, feed := oneNode(t, 15, graph.Pare, "BatchNormTrain", 4, []*tensor.Tensor{x, s, b})
	checkGrad2(t, g, feed)
	g, feed = oneNode(t, 15, "", "BatchNormalization", 1, []*tensor.Tensor{x, s, b, randn(4, 2), randu(5, .5, 2, 2)})
	checkGrad(t, g, feed)
	g, feed = oneNode(t, 17, "", "LayerNormalization", 1, []*tensor.Tensor{randn(6, 2, 3, 4), randn(7, 4), randn(8, 4)})
	checkGrad2(t, g, feed)
}

func TestProductGrads(t *testing.T) {
	for ta := range 2 {
		for tb := range 2 {
			a, b := []int{3, 2}, []int{2, 4}
			if ta == 1 {
				a = []int{2, 3}
			}
			if tb == 1 {
				b = []int{4, 2}
			}
			for _, c := range [][]int{{4}, {3, 1}, {}} {
				g, feed := oneNode(t, 13, "", "Gemm", 1, []*tensor.Tensor{randn(1, a...), randn(2, b...), randn(3, c...)},
					attr("transA", ta), attr("transB", tb), attr("alpha", 1.5), attr("beta", .5))
				checkGrad(t, g, feed)
			}
		}
	}
	for _, s := range [][2][]int{{{2, 3}, {3, 4}}, {{2, 2, 3}, {3, 4}}, {{2, 1, 2, 3}, {2, 3, 4}}, {{2, 3}, {2, 3, 2}}} {
		g, feed := oneNode(t, 13, "", "MatMul", 1, []*tensor.Tensor{randn(1, s[0]...), randn(2, s[1]...)})
		checkGrad2(t, g, feed)
	}
}

func TestPoolGrads(t *testing.T) {
	for i, as := range [][]graph.Attr{
		{attr("kernel_shape", []int{2, 2}), attr("strides", []int{2, 2})},
		{attr("kernel_shape", []int{3, 3}), attr("strides", []int{2, 1}), attr("pads", []int{1, 1, 1, 1})},
		{attr("kernel_shape", []int{3, 2}), attr("strides", []int{2, 2}), attr("ceil_mode", 1), attr("count_include_pad", 1)},
	} {
		x := []*tensor.Tensor{randn(uint64(i), 2, 2, 5, 6)}
		for _, name := range []string{"MaxPool", "AveragePool"} {
			g, feed := oneNode(t, 13, "", name, 1, x, as...)
			checkGrad2(t, g, feed)
		}
	}
	for _, name := range []string{"GlobalAveragePool", "GlobalMaxPool"} {
		g, feed := oneNode(t, 13, "", name, 1, []*tensor.Tensor{randn(9, 2, 3, 4, 5)})
		checkGrad(t, g, feed)
	}
}

func TestSoftmaxGrads(t *testing.T) {
	for _, opset := range []int{11, 13} {
		for _, name := range []string{"Softmax", "LogSoftmax"} {
			g, feed := oneNode(t, opset, "", name, 1, []*tensor.Tensor{randn(1, 2, 3, 4)}, attr("axis", 1))
			checkGrad2(t, g, feed)
		}
	}
	for _, e := range []float64{0, .1} {
		g, feed := oneNode(t, 13, graph.Pare, "SoftmaxCrossEntropy", 1, []*tensor.Tensor{randn(2, 3, 4), i64(1, 0, 3)}, attr("label_smoothing", e))
		checkGrad2(t, g, feed)
	}
}

// small is conv - batchnorm - relu - conv - pool - gemm - loss in float64; the
// weights are inputs, so that they can be moved.
func small(t *testing.T) (*graph.Graph, map[string]*tensor.Tensor, []*graph.Value) {
	g := graph.New("small", 13)
	feed := map[string]*tensor.Tensor{}
	var ws []*graph.Value
	in := func(name string, x *tensor.Tensor) *graph.Value {
		v := &graph.Value{Name: name, DType: x.DType, Shape: graph.Dims(x.Shape...)}
		g.Inputs = append(g.Inputs, v)
		feed[name] = x
		if name != "x" && name != "label" {
			ws = append(ws, v)
		}
		return v
	}
	b := NewBuilder(g, "n")
	x := in("x", randn(1, 4, 2, 5, 5))
	pads := attr("pads", []int{1, 1, 1, 1})
	h := b.Attr("Conv", []graph.Attr{pads}, x, in("w1", randn(2, 3, 2, 3, 3)))
	h = b.Node(graph.Pare, "BatchNormTrain", 4, []*graph.Value{h, in("s1", randu(3, .5, 1.5, 3)), in("b1", randn(4, 3))}).Outputs[0]
	h = b.Op("Softplus", h)
	h = b.Attr("Conv", []graph.Attr{pads, attr("strides", []int{2, 2})}, h, in("w2", randn(5, 4, 3, 3, 3)))
	h = b.Node(graph.Pare, "BatchNormTrain", 4, []*graph.Value{h, in("s2", randu(6, .5, 1.5, 4)), in("b2", randn(7, 4))}).Outputs[0]
	h = b.Op("Relu", h)
	h = b.Op("Flatten", b.Op("GlobalAveragePool", h))
	h = b.Attr("Gemm", []graph.Attr{attr("transB", 1)}, h, in("w3", randn(8, 3, 4)), in("b3", randn(9, 3)))
	g.Outputs = append(g.Outputs, b.Pare("SoftmaxCrossEntropy", nil, h, in("label", i64(0, 1, 2, 1))))
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	return g, feed, ws
}

// The Hessian-vector product through convolution and batch normalisation is
// the derivative of the gradient along the vector.
func TestHessianVector(t *testing.T) {
	g, feed, ws := small(t)
	grads, err := Gradient(g, g.Outputs[0], nil, ws)
	if err != nil {
		t.Fatal(err)
	}
	gradsAt := func() [][]float64 {
		r, err := Run(g, feed, grads...)
		if err != nil {
			t.Fatal(err)
		}
		var out [][]float64
		for _, d := range grads {
			out = append(out, append([]float64{}, tensor.Of[float64](r[d.Name])...))
		}
		return out
	}
	const h = 1e-5
	vec := map[string]*tensor.Tensor{}
	for i, w := range ws {
		vec[w.Name] = randn(uint64(20+i), feed[w.Name].Shape...)
	}
	move := func(a float64) {
		for _, w := range ws {
			x, v := tensor.Of[float64](feed[w.Name]), tensor.Of[float64](vec[w.Name])
			for i := range x {
				x[i] += a * v[i]
			}
		}
	}
	move(h)
	up := gradsAt()
	move(-2 * h)
	down := gradsAt()
	move(h)

	// g.v, differentiated again
	b := NewBuilder(g, "hvp")
	var dot *graph.Value
	for i, w := range ws {
		v := &graph.Value{Name: fmt.Sprint("v", i), DType: tensor.Float64, Shape: w.Shape}
		g.Inputs = append(g.Inputs, v)
		feed[v.Name] = vec[w.Name]
		d := b.Attr("ReduceSum", []graph.Attr{attr("keepdims", 0)}, b.Op("Mul", grads[i], v))
		if dot == nil {
			dot = d
		} else {
			dot = b.Op("Add", dot, d)
		}
	}
	hv, err := Gradient(g, dot, nil, ws)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Sort(); err != nil {
		t.Fatal(err)
	}
	r, err := Run(g, feed, hv...)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range ws {
		want := make([]float64, len(up[i]))
		for k := range want {
			want[k] = (up[i][k] - down[i][k]) / (2 * h)
		}
		closeTo(t, "H v of "+w.Name, r[hv[i].Name], tensor.From(want, feed[w.Name].Shape...), 1e-5)
	}
}
