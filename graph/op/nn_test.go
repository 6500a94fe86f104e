package op

import (
	"fmt"
	"testing"

	"pare/graph"
	"pare/tensor"
)

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
