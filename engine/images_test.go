package engine_test

import (
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Convolutions and poolings over one axis have kernels, and give what their definitions say.
func TestOneAxis(t *testing.T) {
	g := graph.New("row", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(2, 4, 13)}
	g.Inputs = []*graph.Value{x}
	b := op.NewBuilder(g, "row")
	weight := func(shape ...int) *graph.Value {
		w := tensor.New(tensor.Float32, shape...)
		for i := range w.F32() {
			w.F32()[i] = float32((i*7)%11) - 5
		}
		return g.Const("w", w, graph.Param)
	}
	ints := func(name string, v ...int) graph.Attr { return graph.MakeAttr(name, v) }
	y := b.Attr("Conv", []graph.Attr{ints("pads", 2, 1), ints("strides", 2), ints("dilations", 2), graph.MakeAttr("group", 2)}, x, weight(6, 2, 3), weight(6))
	y = b.Attr("Conv", []graph.Attr{graph.MakeAttr("auto_pad", "SAME_UPPER")}, b.Op("Relu", y), weight(4, 6, 2))
	y = b.Attr("AveragePool", []graph.Attr{ints("kernel_shape", 3), ints("pads", 1, 1)}, y)
	y = b.Op("BatchNormalization", y, weight(4), weight(4), weight(4), b.Op("Abs", weight(4)))
	y = b.Attr("MaxPool", []graph.Attr{ints("kernel_shape", 2), ints("strides", 2)}, y)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	y.Name = "y"
	g.Outputs = []*graph.Value{y}
	p, err := engine.Compile(g, nil, engine.Options{Threads: 1, Freeze: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for i := range p.Input("x").F32() {
		p.Input("x").F32()[i] = float32((i*5)%9) - 4
	}
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	want, err := op.Run(g, map[string]*tensor.Tensor{"x": p.Input("x")})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range want["y"].F32() {
		if d := p.Output("y").F32()[i] - v; d > 1e-3 || d < -1e-3 {
			t.Fatalf("entry %d: %v, not %v", i, p.Output("y").F32()[i], v)
		}
	}
	for _, line := range p.Explain() {
		if strings.Contains(line, "reference") {
			t.Error(line)
		}
	}
}
