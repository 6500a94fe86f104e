package train

import (
	"math"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
	"pare/train/objective"
	"pare/zoo"
)

// Classes that labels choose are matched by T² KL of the softened softmax (Hinton, Vinyals,
// Dean 2015, arXiv 1503.02531), here of two linear networks.
func TestMatchesClasses(t *testing.T) {
	const batch, temperature = 8, 3.
	net := func(seed uint64) *graph.Graph {
		g, err := zoo.New("mlp:64-10", zoo.Options{In: []int{1, 8, 8}, Seed: seed})
		if err != nil {
			t.Fatal(err)
		}
		for i := range g.Params()[0].Const.F32() { // classes far apart
			g.Params()[0].Const.F32()[i] *= 10
		}
		return g
	}
	student, teacher := net(1), net(2)
	s, err := NewStep(student, batch, Loss{Teacher: teacher, Alpha: 1, T: temperature}, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	x := s.Input().F32()
	for i := range x {
		x[i] = float32(i%7) / 7
	}
	logs := func(g *graph.Graph, x []float32) []float64 {
		w, b := g.Params()[0].Const.F32(), g.Params()[1].Const.F32()
		out, sum := make([]float64, len(b)), 0.
		for c := range b {
			out[c] = float64(b[c])
			for i := range x {
				out[c] += float64(w[c*len(x)+i]) * float64(x[i])
			}
			out[c] /= temperature
			sum += math.Exp(out[c])
		}
		for c := range out {
			out[c] -= math.Log(sum)
		}
		return out
	}
	want := 0.
	for n := range batch {
		p, q := logs(teacher, x[n*64:(n+1)*64]), logs(student, x[n*64:(n+1)*64])
		for c := range p {
			want += temperature * temperature * math.Exp(p[c]) * (p[c] - q[c]) / batch
		}
	}
	if loss, err := s.Run(); err != nil || math.Abs(loss-want) > 1e-4*want {
		t.Errorf("the loss is %v (%v), want %v", loss, err, want)
	}
}

// Of a teacher's inner values those are matched that the smaller network has: where it
// kept two of four positions, and the others led nowhere, there is nothing to learn.
func TestMatchesInnerKept(t *testing.T) {
	net := func(w []float32, width int, u []float32) *graph.Graph {
		g := graph.New("g", 17)
		g.Inputs = []*graph.Value{{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(2)}}}
		b := op.NewBuilder(g, "g")
		h := b.Op("Tanh", b.Op("MatMul", g.Inputs[0], g.Const("w", tensor.From(w, 2, width), graph.Param)))
		h.Name = "h"
		g.Outputs = []*graph.Value{b.Op("MatMul", h, g.Const("u", tensor.From(u, width, 1), graph.Param))}
		if err := b.Err(); err != nil {
			t.Fatal(err)
		}
		return g
	}
	teacher := net([]float32{3, 1, -2, .5, -1, 2, 1, -3}, 4, []float32{0, 1, 0, -2})
	student := net([]float32{1, .5, 2, -3}, 2, []float32{1, -2})
	for _, c := range []struct {
		kept []int
		zero bool
	}{{[]int{1, 3}, true}, {[]int{0, 2}, false}} {
		s, err := NewStep(student, 4, Loss{Objective: objective.Objective{}, Teacher: teacher, Alpha: 1, T: 1, Inner: []Inner{{Name: "h", Axis: 1, Kept: c.kept}}}, engine.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		copy(s.Input().F32(), []float32{1, 2, -1, .5, 0, -2, .3, .1})
		if loss, err := s.Run(); err != nil || (math.Abs(loss) < 1e-6) != c.zero {
			t.Errorf("kept %v: the loss is %v (%v)", c.kept, loss, err)
		}
		s.Close()
	}
}
