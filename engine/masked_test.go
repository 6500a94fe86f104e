package engine_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
	"pare/tensor"
)

// sharedMask builds a graph of two products that share a weight, and one that has a
// weight on its left. It gives the loss, the weights with their masks, and the
// weights' gradients.
func sharedMask(t *testing.T, r *rand.Rand) (g *graph.Graph, loss *graph.Value, weights []*graph.Value, masks [][]uint64, grads []*graph.Value) {
	t.Helper()
	g = graph.New("shared", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(48, 40)}
	g.Inputs = []*graph.Value{x}
	weight := func(name string, shape ...int) (*graph.Value, []uint64) {
		w := tensor.New(tensor.Float32, shape...)
		randomize(r, w, 0)
		m := make([]uint64, (w.Len()+63)/64)
		for i := range w.Len() {
			if r.IntN(16) == 0 {
				m[i/64] |= 1 << (i % 64)
			}
		}
		kernel.Keep(m, w.F32())
		return g.Const(name, w, graph.Param), m
	}
	shared, ms := weight("shared", 40, 40)
	left, ml := weight("left", 30, 48)
	b := op.NewBuilder(g, "t")
	y := b.Op("MatMul", left, b.Op("Tanh", b.Op("MatMul", b.Op("Tanh", b.Op("MatMul", x, shared)), shared)))
	loss = b.Sum(b.Op("Mul", y, y), false, 0, 1)
	g.Outputs = []*graph.Value{loss}
	g.Opset[graph.Pare] = 1
	err := op.InferAll(g)
	if err != nil {
		t.Fatal(err)
	}
	grads, err = op.Gradient(g, loss, nil, []*graph.Value{shared, left})
	if err != nil {
		t.Fatal(err)
	}
	return g, loss, []*graph.Value{shared, left}, [][]uint64{ms, ml}, grads
}

// A weight that two products share, and one on the left of a product: masks hold
// for every use and for the gradient, whatever way each is computed.
func TestSharedMask(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	g, loss, weights, masks, grads := sharedMask(t, r)
	p, err := engine.Compile(g, nil, engine.Options{Threads: 2}, append(grads, loss)...)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	randomize(r, p.Input("x"), 0)
	want, err := op.Run(g, map[string]*tensor.Tensor{"x": p.Input("x")}, append(grads, loss)...)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range weights {
		if err := p.MaskWeight(w.Const, masks[i]); err != nil {
			t.Fatal(err)
		}
		if err := p.MaskValue(grads[i], masks[i]); err != nil {
			t.Fatal(err)
		}
	}
	for _, whole := range []bool{false, true, false} {
		p.Whole(whole)
		if err := p.Run(); err != nil {
			t.Fatal(err)
		}
		compare(t, "loss", p.Value(loss), want[loss.Name], 1e-5)
		for i, d := range grads {
			exact := want[d.Name]
			if !whole {
				exact = exact.Clone()
				kernel.Keep(masks[i], exact.F32())
				for k, v := range p.Value(d).F32() {
					if masks[i][k/64]>>(k%64)&1 == 0 && math.Float32bits(v) != 0 {
						t.Fatalf("entry %d is cut, and %v", k, v)
					}
				}
			}
			compare(t, d.Name, p.Value(d), exact, 1e-5)
		}
	}
	n := 0
	for _, s := range p.Plan() {
		if strings.HasPrefix(s.Kernel, "masked") {
			n++
		}
	}
	if n < 2 {
		t.Errorf("%d masked steps: %v", n, p.Plan())
	}
	if err := p.MaskValue(g.Inputs[0], masks[0]); err == nil {
		t.Error("a value that is not wanted was masked")
	}
}
