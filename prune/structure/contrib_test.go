package structure_test

import (
	"math/rand/v2"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/prune/structure"
	"pare/tensor"
)

// Networks whose attention a runtime's optimiser or exporter has written in one node lose
// heads, as those that have it written out do.
func TestContribByHeads(t *testing.T) {
	const heads, d, size = 4, 6, 12
	a := graph.MakeAttr
	for _, c := range []struct {
		op       string
		attrs    []graph.Attr
		kv       int // heads of keys and values
		rotary   bool
		channels int
	}{
		{"Attention", []graph.Attr{a("num_heads", heads)}, heads, false, 4},
		{"Attention", []graph.Attr{a("num_heads", heads), a("unidirectional", 1)}, heads, false, 4},
		{"MultiHeadAttention", []graph.Attr{a("num_heads", heads)}, heads, false, 4},
		{"MultiHeadAttention", []graph.Attr{a("num_heads", heads)}, heads, true, 4},
		{"GroupQueryAttention", []graph.Attr{a("num_heads", heads), a("kv_num_heads", 2)}, 2, false, 2},
		{"GroupQueryAttention", []graph.Attr{a("num_heads", heads), a("kv_num_heads", 2), a("do_rotary", 1)}, 2, false, 2},
	} {
		t.Run(c.op, func(t *testing.T) {
			g := graph.New("net", 17)
			g.Opset[op.ContribDomain] = 1
			x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(5), graph.N(size)}}
			g.Inputs = []*graph.Value{x}
			r := rand.New(rand.NewPCG(3, 4))
			w := func(name string, role graph.Role, shape ...int) *graph.Value {
				t := tensor.New(tensor.Float32, shape...)
				for i := range t.F32() {
					t.F32()[i] = float32(r.NormFloat64())
				}
				return g.Const(name, t, role)
			}
			project := func(name string, n int) *graph.Value {
				y := g.Add("MatMul", "", []*graph.Value{x, w(name, graph.Auto, size, n*d)}, []string{name + "x"}).Outputs[0]
				if c.rotary && name != "v" {
					at := g.Const(name+"at", tensor.From([]int64{0, 1, 2, 3, 4}, 1, 5), graph.Frozen)
					y = g.Add("RotaryEmbedding", op.ContribDomain, []*graph.Value{y, at, w(name+"cos", graph.Frozen, 5, d/2), w(name+"sin", graph.Frozen, 5, d/2)}, []string{name + "r"},
						a("num_heads", n)).Outputs[0]
				}
				return y
			}
			var in []*graph.Value
			switch c.op {
			case "Attention":
				in = []*graph.Value{x, w("qkv", graph.Auto, size, 3*heads*d), w("bias", graph.Auto, 3*heads*d)}
			case "MultiHeadAttention":
				in = []*graph.Value{project("q", heads), project("k", heads), project("v", heads), w("bias", graph.Auto, 3*heads*d)}
			default:
				last := g.Const("last", tensor.From([]int32{4}, 1), graph.Frozen)
				total := g.Const("total", tensor.From([]int32{5}, 1), graph.Frozen)
				in = []*graph.Value{project("q", heads), project("k", c.kv), project("v", c.kv), nil, nil, last, total, w("cos", graph.Frozen, 5, d/2), w("sin", graph.Frozen, 5, d/2)}
			}
			y := g.Add(c.op, op.ContribDomain, in, []string{"y"}, c.attrs...).Outputs[0]
			g.Outputs = []*graph.Value{g.Add("MatMul", "", []*graph.Value{y, w("o", graph.Auto, heads*d, 3)}, []string{"out"}).Outputs[0]}
			op.ReadContrib(g)
			if err := op.Check(g); err != nil {
				t.Fatal(err)
			}
			groups := zeroedIsCut(t, c.op, g)
			if len(groups) != 1 || len(groups[0].Channels) != c.channels {
				t.Errorf("groups %v, want one of %d heads", groups, c.channels)
			}
			want := structure.Heads
			if c.kv < heads {
				want = structure.GroupedHead
			}
			if kinds := structure.Kinds(g, groups); kinds[0] != want {
				t.Errorf("kinds %v, want %v", kinds, want)
			}
		})
	}
}
