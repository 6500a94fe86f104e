package metric

import (
	"math"
	"path/filepath"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/onnx"
	"pare/tensor"
)

// absolute is a graph that gives the mean of |a - b|, over all or of each sample.
func absolute(t *testing.T, batch graph.Dim, each bool) *graph.Graph {
	t.Helper()
	g := graph.New("absolute", 17)
	a := &graph.Value{Name: "logits", DType: tensor.Float32, Shape: graph.Shape{batch, graph.N(2)}}
	b := &graph.Value{Name: "wanted", DType: tensor.Float32, Shape: graph.Shape{batch, graph.N(2)}}
	g.Inputs = []*graph.Value{a, b}
	k := op.NewBuilder(g, "m")
	attrs := []graph.Attr{graph.MakeAttr("keepdims", 0)}
	if each {
		attrs = append(attrs, graph.MakeAttr("axes", []int{1}))
	}
	y := k.Attr("ReduceMean", attrs, k.Op("Abs", k.Op("Sub", a, b)))
	if err := k.Err(); err != nil {
		t.Fatal(err)
	}
	y.Name = "metric"
	g.Outputs = []*graph.Value{y}
	return g
}

// A graph is a metric: a mean, weighted by samples, or a number for each.
func TestGraph(t *testing.T) {
	for _, each := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "my metric,1.onnx")
		if err := onnx.Save(path, absolute(t, graph.Sym("N"), each), onnx.Options{}); err != nil {
			t.Fatal(err)
		}
		uses, err := Parse("onnx:'" + path + "'(better=lower)+accuracy")
		if err != nil {
			t.Fatal(err)
		}
		u := uses[0]
		if len(u.Metric.Inputs) != 2 || u.Metric.Inputs[0] != "logits" || u.Metric.Inputs[1] != "wanted" || u.Metric.Higher {
			t.Errorf("%+v", u.Metric)
		}
		if again, err := Parse(u.String()); err != nil || again[0].String() != u.String() {
			t.Errorf("%s is read as %v, %v", u, again, err)
		}
		a, err := u.New()
		if err != nil {
			t.Fatal(err)
		}
		nan := float32(math.NaN())
		x := f32([]int{3, 2}, 1, 2, 3, 4, 5, 9)
		if err := a.Add(3, tensors{x, tensor.From([]float64{1, 1, 1, 1, 1, 1}, 3, 2)}, nil); err != nil {
			t.Fatal(err)
		}
		if err := a.Add(1, tensors{f32([]int{3, 2}, 3, 3, nan, 4, 5, 9), tensor.From([]int64{1, 3, 1, 1, 1, 1}, 3, 2)}, nil); err != nil {
			t.Fatal(err)
		}
		v, err := a.Value()
		if err != nil {
			t.Fatal(err)
		}
		near(t, "mean", v, (.5+2.5+6+1)/4, 1e-7)
		fails(t, a.Add(2, tensors{f32([]int{2, 2}, 3, 3, nan, 4), x}, nil), `input "logits" is given NaN for sample 5`)
		if _, err := a.Value(); err == nil {
			t.Error("a value after an error")
		}
	}
}

// Graphs that are no metric are refused.
func TestGraphRefused(t *testing.T) {
	g := absolute(t, graph.Sym("N"), false)
	g.Outputs[0] = g.Outputs[0].From.Inputs[0]
	_, err := FromGraph("m", g)
	fails(t, err, "one number, or one for each sample")
	g = absolute(t, graph.Sym("N"), false)
	g.Outputs = append(g.Outputs, g.Outputs[0])
	_, err = FromGraph("m", g)
	fails(t, err, "2 outputs")
	m, err := FromGraph("m", absolute(t, graph.N(2), false))
	if err != nil {
		t.Fatal(err)
	}
	a, err := Use{Metric: m}.New()
	if err != nil {
		t.Fatal(err)
	}
	x := f32([]int{2, 2}, 1, 2, 3, 4)
	fails(t, a.Add(1, tensors{x, x}, nil), "shape [1 2]")
}
