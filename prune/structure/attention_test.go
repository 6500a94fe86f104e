package structure_test

import (
	"math/rand/v2"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/prune/structure"
	"pare/tensor"
)

// Networks with an attention in one node lose heads, as those that have it written
// out do: a head of keys and values with the heads of queries that share it.
func TestAttentionByHeads(t *testing.T) {
	const size, d, length = 12, 4, 5
	for _, c := range []struct {
		name         string
		hq, hkv      int
		rotary, open bool // open: heads are an axis of their own
		channels     int  // heads that can go
	}{
		{"plain", 4, 4, false, false, 4},
		{"shared", 4, 2, false, false, 2},
		{"one head of keys", 4, 1, false, false, 4},
		{"rotary", 4, 4, true, false, 4},
		{"rotary, shared", 4, 2, true, false, 2},
		{"open", 4, 4, false, true, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := graph.New(c.name, 23)
			x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(2, length, size)}
			g.Inputs = []*graph.Value{x}
			b, r := op.NewBuilder(g, "n"), rand.New(rand.NewPCG(1, 2))
			constant := func(name string, role graph.Role, shape ...int) *graph.Value {
				w := tensor.New(tensor.Float32, shape...)
				for i := range w.F32() {
					w.F32()[i] = float32(r.NormFloat64())
				}
				return g.Const(name, w, role)
			}
			project := func(name string, heads int, turn bool) *graph.Value {
				y := b.Op("MatMul", x, constant(name, graph.Param, size, heads*d))
				if c.open {
					y = b.Op("Reshape", y, b.Ints(0, 0, heads, d))
					return b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 2, 1, 3})}, y)
				}
				if c.rotary && turn {
					y = b.Attr("RotaryEmbedding", []graph.Attr{graph.MakeAttr("num_heads", heads)}, y,
						constant("cos", graph.Frozen, 2, length, d/2), constant("sin", graph.Frozen, 2, length, d/2))
				}
				return y
			}
			y := b.Attr("Attention", []graph.Attr{graph.MakeAttr("q_num_heads", c.hq), graph.MakeAttr("kv_num_heads", c.hkv), graph.MakeAttr("is_causal", 1)},
				project("q", c.hq, true), project("k", c.hkv, true), project("v", c.hkv, false), constant("mask", graph.Frozen, 1, c.hq, length, length))
			if c.open {
				y = b.Op("Reshape", b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 2, 1, 3})}, y), b.Ints(0, 0, -1))
			}
			g.Outputs = []*graph.Value{b.Op("MatMul", y, constant("o", graph.Param, c.hq*d, 3))}
			if err := b.Err(); err != nil {
				t.Fatal(err)
			}
			groups, _ := structure.Groups(g)
			if len(groups) == 0 || len(groups[0].Channels) != c.channels {
				t.Errorf("groups %v, want one of %d heads", groups, c.channels)
			}
			kinds := structure.Kinds(g, groups)
			want := structure.Heads
			if c.hkv != c.hq && c.hkv > 1 {
				want = structure.GroupedHead
			}
			if len(kinds) > 0 && kinds[0] != want || c.open && len(kinds) > 1 && kinds[1] != structure.HeadWidth {
				t.Errorf("kinds %v, want %v first", kinds, want)
			}
			in := map[string]*tensor.Tensor{"x": tensor.New(tensor.Float32, 2, length, size)}
			for i := range in["x"].F32() {
				in["x"].F32()[i] = float32(r.NormFloat64())
			}
			maskedIsCut(t, g, in)
		})
	}
}
