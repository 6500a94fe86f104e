package structure_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/prune/structure"
	"pare/tensor"
)

// mixtureNet is a network whose tokens go through a mixture of experts, added to what
// they were.
func mixtureNet(r *rand.Rand, act string, fusion int, third, biased bool) *graph.Graph {
	const in, hidden, inner, experts = 5, 8, 6, 4
	g := graph.New("net", 17)
	g.Opset[op.ContribDomain] = 1
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(in)}}
	g.Inputs = []*graph.Value{x}
	w := func(name string, shape ...int) *graph.Value {
		t := tensor.New(tensor.Float32, shape...)
		for i := range t.F32() {
			t.F32()[i] = float32(r.NormFloat64())
		}
		return g.Const(name, t, graph.Param)
	}
	b := op.NewBuilder(g, "n")
	h := b.Op("MatMul", x, w("embed", in, hidden))
	rows := inner
	if fusion > 0 {
		rows *= 2
	}
	ins := []*graph.Value{h, b.Op("MatMul", h, w("router", hidden, experts)), w("w1", experts, rows, hidden), nil, w("w2", experts, hidden, inner), nil, nil, nil}
	if third {
		ins[6] = w("w3", experts, inner, hidden)
	}
	if biased {
		ins[3], ins[5] = w("b1", experts, rows), w("b2", experts, hidden)
		if third {
			ins[7] = w("b3", experts, inner)
		}
	}
	y := b.Node(op.ContribDomain, "MoE", 1, ins, graph.MakeAttr("k", 2), graph.MakeAttr("activation_type", act), graph.MakeAttr("swiglu_fusion", fusion)).Outputs[0]
	g.Outputs = []*graph.Value{b.Op("MatMul", b.Op("Add", h, y), w("head", hidden, 3))}
	if err := b.Err(); err != nil {
		panic(err)
	}
	return g
}

// The width within experts and that of the tokens are cut around mixtures of any form, and
// what is masked and what is cut compute the same; the experts themselves are left whole.
func TestWidthsOfExperts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		act    string
		fusion int
		third  bool
	}{{"relu", 0, false}, {"silu", 0, true}, {"swiglu", 1, false}, {"swiglu", 2, false}, {"swiglu", 0, true}, {"geglu", 2, false}} {
		for _, biased := range []bool{false, true} {
			what := fmt.Sprint(c, biased)
			g := mixtureNet(r, c.act, c.fusion, c.third, biased)
			groups := zeroedIsCut(t, what, g)
			if len(groups) != 2 {
				t.Fatalf("%s: groups %v", what, groups)
			}
			kinds := structure.Kinds(g, groups)
			for i, grp := range groups {
				want := map[structure.Kind]int{structure.Plain: 8, structure.ExpertWidth: 6}[kinds[i]]
				if len(grp.Channels) != want {
					t.Errorf("%s: %d channels of %v", what, len(grp.Channels), kinds[i])
				}
			}
			_, whole := structure.Groups(g)
			said := false
			for _, p := range whole {
				said = said || p.Value.Name == "router" && strings.Contains(p.Why, "method experts")
			}
			if !said {
				t.Errorf("%s: nothing is said of the router: %v", what, whole)
			}
		}
	}
}
