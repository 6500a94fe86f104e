package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// mixture is a network of one mixture of experts.
type mixture struct {
	tokens, experts, k, hidden, inner int
	act                               string
	fusion                            int
	third, biased                     bool
}

func (m mixture) graph(r *rand.Rand) *graph.Graph {
	g := graph.New("mixture", 17)
	g.Opset[op.ContribDomain] = 1
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(m.tokens, m.hidden)}
	p := &graph.Value{Name: "p", DType: tensor.Float32, Shape: graph.Dims(m.tokens, m.experts)}
	g.Inputs = []*graph.Value{x, p}
	w := func(name string, shape ...int) *graph.Value {
		t := tensor.New(tensor.Float32, shape...)
		randomize(r, t, 0)
		return g.Const(name, t, graph.Param)
	}
	rows := m.inner
	if m.fusion > 0 {
		rows *= 2
	}
	in := []*graph.Value{x, p, w("w1", m.experts, rows, m.hidden), nil, w("w2", m.experts, m.hidden, m.inner), nil, nil, nil}
	if m.third {
		in[6] = w("w3", m.experts, m.inner, m.hidden)
	}
	if m.biased {
		in[3], in[5] = w("b1", m.experts, rows), w("b2", m.experts, m.hidden)
		if m.third {
			in[7] = w("b3", m.experts, m.inner)
		}
	}
	g.Outputs = g.Add("MoE", op.ContribDomain, in, []string{"y"}, graph.MakeAttr("k", m.k), graph.MakeAttr("activation_type", m.act),
		graph.MakeAttr("swiglu_fusion", m.fusion), graph.MakeAttr("normalize_routing_weights", r.IntN(2)), graph.MakeAttr("swiglu_limit", 1.5),
		graph.MakeAttr("activation_alpha", 1.5), graph.MakeAttr("activation_beta", .5), graph.MakeAttr("swiglu_limit_after_activation", r.IntN(2))).Outputs
	return g
}

// A mixture of experts of any form is computed by a kernel of its own, to the same bytes on
// any number of threads, without allocation, and as its definition says.
func TestExperts(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 7))
	forms := []mixture{{act: "relu"}, {act: "gelu", biased: true}, {act: "silu"}, {act: "silu", third: true, biased: true}, {act: "identity"},
		{act: "relu2", third: true}, {act: "swiglu", fusion: 1, biased: true}, {act: "swiglu", fusion: 2}, {act: "swiglu", third: true}, {act: "geglu", fusion: 1}, {act: "geglu", fusion: 2}}
	for i := range 60 {
		m := forms[i%len(forms)]
		m.tokens, m.experts, m.hidden, m.inner = 1+r.IntN(40), 1+r.IntN(9), 1+r.IntN(40), 1+r.IntN(40)
		m.k = 1 + r.IntN(m.experts)
		g := m.graph(r)
		what := fmt.Sprintf("%+v", m)
		x, p := tensor.New(tensor.Float32, m.tokens, m.hidden), tensor.New(tensor.Float32, m.tokens, m.experts)
		randomize(r, x, 0)
		randomize(r, p, 0)
		want, err := op.Run(g, map[string]*tensor.Tensor{"x": x, "p": p})
		if err != nil {
			t.Fatal(what, err)
		}
		var first []float32
		for _, o := range []engine.Options{{Threads: 1}, {Threads: 2}, {Threads: 3, Freeze: true}} {
			q, err := engine.Compile(g, nil, o)
			if err != nil {
				t.Fatal(what, err)
			}
			copy(q.Input("x").F32(), x.F32())
			copy(q.Input("p").F32(), p.F32())
			for range 2 {
				if err := q.Run(); err != nil {
					t.Fatal(what, err)
				}
			}
			compare(t, what, q.Output("y"), want["y"], 1e-5)
			if first == nil {
				first = slices.Clone(q.Output("y").F32())
			} else if !slices.Equal(first, q.Output("y").F32()) {
				t.Errorf("%s: other numbers on %d threads", what, o.Threads)
			}
			if s := q.Plan(); s[0].Kernel != "experts" {
				t.Errorf("%s: kernel %q", what, s[0].Kernel)
			}
			if a := allocations(2, func() { q.Run() }); a > 0 { //nolint:errcheck // it ran before
				t.Errorf("%s: %v allocations a run", what, a)
			}
			if err := q.CheckMemory(); err != nil {
				t.Error(what, err)
			}
			q.Close()
		}
	}
}

// Experts that no token is given to cost nothing.
func BenchmarkExperts(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 7))
	for _, k := range []int{1, 2, 8} {
		m := mixture{tokens: 256, experts: 8, k: k, hidden: 256, inner: 512, act: "silu", third: true}
		b.Run(fmt.Sprint(k, " of 8"), func(b *testing.B) {
			p, err := engine.Compile(m.graph(r), nil, engine.Options{Freeze: true})
			if err != nil {
				b.Fatal(err)
			}
			defer p.Close()
			randomize(r, p.Input("x"), 0)
			randomize(r, p.Input("p"), 0)
			for b.Loop() {
				if err := p.Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
