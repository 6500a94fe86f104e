package structure_test

import (
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/answer"
	"pare/prune"
	"pare/prune/structure"
	"pare/tensor"
	"pare/zoo"
)

// Channels that are silent, or that nothing reads, are removed and the network
// computes the same; what is only partly silent stays.
func TestSilent(t *testing.T) {
	for _, name := range []string{"resnet8", "lenet-5"} {
		for _, way := range []string{"filter", "channel"} {
			g, err := zoo.New(name, zoo.Options{Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := op.Simplify(g); err != nil {
				t.Fatal(err)
			}
			ws, err := prune.Weights(g, prune.Scope{})
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range g.Consts() {
				if v.Role == graph.Stat && i%2 == 0 || v.Role == graph.Param && len(v.Shape) == 1 {
					for k := range v.Const.F32() {
						v.Const.F32()[k] += .1 * float32(k%3)
					}
				}
			}
			uses := g.Uses()
			for _, w := range ws {
				if w.Kind != prune.Conv {
					continue
				}
				score := make([]float32, w.Len())
				for i := range score { // the same filters of every layer
					score[i] = 1
				}
				rows, cols, at := w.Matrix()
				in := w.Inputs()
				for r := range rows {
					for c := range cols {
						if way == "filter" && r%2 == 1 || way == "channel" && c/(cols/in)%2 == 1 {
							w.Data()[at(r, c)] = 0
						}
					}
					if way == "filter" && r%2 == 1 {
						if b := w.Node.In(2); b != nil {
							b.Const.F32()[r] = 0
						}
						if n := uses[w.Node.Out(0)][0].Node; n.Is("BatchNormalization") {
							n.In(2).Const.F32()[r], n.In(3).Const.F32()[r] = 0, 0
						}
					}
				}
			}
			groups, _ := structure.Groups(g)
			sel := structure.Silent(g, groups)
			for i, grp := range groups {
				t.Logf("%s %s: %d of %d channels of %s stay", name, way, sel[i].Count(), len(grp.Channels), grp.Name)
			}
			c, err := structure.Cut(g, groups, sel)
			if err != nil {
				t.Fatal(err)
			}
			answer.Same(t, name+" "+way, answer.ToNoise(t, g), answer.ToNoise(t, c))
			if a, b := structure.CostOf(g), structure.CostOf(c); way == "filter" && b.Params > a.Params*3/4 || b.Params >= a.Params {
				t.Errorf("%s %s: %d of %d parameters are left", name, way, b.Params, a.Params)
			}
		}
	}
}

// What a Gemm adds is no weight that reads channels, though it has two axes.
func TestSilentGemm(t *testing.T) {
	g := graph.New("gemm", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(3)}}
	g.Inputs = []*graph.Value{x}
	b, w := op.NewBuilder(g, "n"), weights(g, 1)
	first, add := w("first", 3, 4), w("add", 1, 4)
	y := b.Op("MatMul", b.Op("Relu", b.Op("Gemm", x, first, add)), w("second", 4, 2))
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	g.Outputs = []*graph.Value{y}
	for i := range 3 {
		first.Const.F32()[i*4+1] = 0
	}
	add.Const.F32()[1] = 5
	groups, _ := structure.Groups(g)
	if s := structure.Silent(g, groups); s[0].Count() != 4 {
		t.Errorf("a channel that is 5 everywhere is said to be silent: %d of 4 stay", s[0].Count())
	}
	add.Const.F32()[1] = 0
	if s := structure.Silent(g, groups); s[0].Count() != 3 || s[0].Kept(1) {
		t.Errorf("%d of 4 stay, want 3", s[0].Count())
	}
}
