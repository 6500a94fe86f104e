package structured

import (
	"context"
	"math"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/modeltest"
	"pare/model"
	"pare/tensor"
)

// Where several layers read a channel, what it brings to each counts as a share of that
// layer: one of large numbers does not outvote the others.
func TestReadersCountAlike(t *testing.T) {
	g := graph.New("g", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(10)}}
	g.Inputs = []*graph.Value{x}
	weight := func(name string, rows, cols int, f func(r, c int) float32) *graph.Value {
		w := tensor.New(tensor.Float32, rows, cols)
		for i := range w.F32() {
			w.F32()[i] = f(i/cols, i%cols)
		}
		return g.Const(name, w, graph.Param)
	}
	b := op.NewBuilder(g, "n")
	h := b.Op("MatMul", x, weight("made", 10, 10, func(r, c int) float32 {
		if r == c {
			return 1
		}
		return 0
	}))
	loud := b.Op("MatMul", h, weight("loud", 10, 3, func(r, c int) float32 { return 1000 + float32(r) })) // the later channels bring a little more
	quiet := b.Op("MatMul", h, weight("quiet", 10, 3, func(r, c int) float32 { return float32(10-r) / 10 }))
	g.Outputs = []*graph.Value{loud, quiet}
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	in := tensor.New(tensor.Float32, 16, 10)
	for i := range in.F32() {
		in.F32()[i] = float32(1 - 2*(i/10%2))
	}
	m := NewChannels()
	m.Score, m.Round = "activations", 1
	r := modeltest.Run(t, m, &model.Job{Graph: g, Samples: func(yield func(map[string]*tensor.Tensor) error) error {
		return yield(map[string]*tensor.Tensor{"x": in})
	}})
	left := r.Graph.Value("quiet").Const.F32()
	if len(left) >= 30 || left[0] != 1 {
		t.Errorf("of the channels that the quiet layer reads %v are left", left)
	}
}

// Where nothing is trained, statistics of batch normalisation are those of the network as
// it is cut.
func TestStatisticsOfTheCutNetwork(t *testing.T) {
	j := modeltest.ConvJob(t, "resnet8")
	j.Recipe.Epochs = 0
	r := modeltest.Run(t, NewChannels(), j)
	again, _ := r.Graph.Clone(true)
	if err := j.Recalibrate(context.Background(), again, 128); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, v := range r.Graph.Consts() {
		if v.Role != graph.Stat {
			continue
		}
		for i, x := range again.Value(v.Name).Const.F32() {
			if n++; math.Abs(float64(x-v.Const.F32()[i])) > 1e-5*(1+math.Abs(float64(x))) {
				t.Fatalf("%s[%d] is %v, of the cut network %v", v.Name, i, v.Const.F32()[i], x)
			}
		}
	}
	if n == 0 {
		t.Error("there are no statistics")
	}
}
