package structure_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/prune/structure"
	"pare/tensor"
)

// integerNet is a network of three convolutions with int8 weights, a scale for every
// filter, int32 biases, uint8 activations, and a residual sum.
func integerNet(t *testing.T, around int8) *graph.Graph {
	t.Helper()
	g := graph.New("integers", 13)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(3), graph.N(6), graph.N(6)}}
	g.Inputs = []*graph.Value{x}
	b, r := op.NewBuilder(g, "n"), rand.New(rand.NewPCG(1, 2))
	quantise := func(x *graph.Value) *graph.Value {
		s, z := g.Const("s", tensor.Scalar[float32](.05), graph.Frozen), g.Const("z", tensor.Scalar[uint8](7), graph.Frozen)
		return b.Op("DequantizeLinear", b.Op("QuantizeLinear", x, s, z), s, z)
	}
	conv := func(name string, x *graph.Value, in, out int) *graph.Value {
		w, s, z := tensor.New(tensor.Int8, out, in, 3, 3), tensor.New(tensor.Float32, out), tensor.New(tensor.Int8, out)
		bias, bs := tensor.New(tensor.Int32, out), tensor.New(tensor.Float32, out)
		for i := range tensor.Of[int8](w) {
			tensor.Of[int8](w)[i] = int8(r.IntN(255) - 127)
		}
		for i := range out {
			s.F32()[i], bs.F32()[i] = .001+.004*r.Float32(), .001
			tensor.Of[int8](z)[i], tensor.Of[int32](bias)[i] = around, int32(r.IntN(200)-100)
		}
		axis := graph.MakeAttr("axis", 0)
		dw := b.Attr("DequantizeLinear", []graph.Attr{axis}, g.Const(name+".w", w, graph.Auto), g.Const(name+".s", s, graph.Auto), g.Const(name+".z", z, graph.Auto))
		db := b.Attr("DequantizeLinear", []graph.Attr{axis}, g.Const(name+".b", bias, graph.Auto), g.Const(name+".bs", bs, graph.Auto))
		return quantise(b.Op("Relu", b.Attr("Conv", []graph.Attr{graph.MakeAttr("pads", []int{1, 1, 1, 1})}, x, dw, db)))
	}
	h := conv("a", quantise(x), 3, 8)
	h = quantise(b.Op("Add", h, conv("c", conv("b", h, 8, 12), 12, 8)))
	h = b.Op("Flatten", b.Op("GlobalAveragePool", h))
	g.Outputs = []*graph.Value{b.Attr("Gemm", []graph.Attr{graph.MakeAttr("transB", 1)}, h, g.Const("f", tensor.From([]float32{1, 2, 3, 4, 5, 6, 7, 8, 8, 7, 6, 5, 4, 3, 2, 1}, 2, 8), graph.Auto))}
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	op.Classify(g)
	return g
}

// Channels of quantised networks are cut of their integers: what is zeroed and what is cut
// compute the same, types and scales stay.
func TestQuantised(t *testing.T) {
	g := integerNet(t, 0)
	groups := zeroedIsCut(t, "integers", g)
	if len(groups) != 2 || len(groups[0].Channels) != 8 || len(groups[1].Channels) != 12 {
		t.Fatalf("groups %v", groups)
	}
	for i, e := range structure.Explain(g, groups) {
		if len(e.Made) != 2-i || len(e.Read) == 0 {
			t.Errorf("group %d: %+v", i+1, e)
		}
	}
	score := structure.Score(groups, structure.Squares)
	for i, s := range score {
		for c, x := range s {
			if !(x > 0) {
				t.Errorf("channel %d of group %d is worth %v", c, i+1, x)
			}
		}
	}
	whole := takes(t, g)
	s, err := structure.Select(g, groups, score, structure.Target{MACs: .5, Params: .6, Bytes: .9})
	if err != nil {
		t.Fatal(err)
	}
	cut, err := structure.Cut(g, groups, s)
	if err != nil {
		t.Fatal(err)
	}
	if now := takes(t, cut); now[0] > .5*whole[0] || now[1] > .6*whole[1] || now[2] > .9*whole[2] || now[1] == 0 {
		t.Errorf("%v of %v is left", now, whole)
	}
	for name, c := range map[string]int{"a": s[0].Count(), "b": s[1].Count(), "c": s[0].Count()} {
		w, scale, bias := cut.Value(name+".w").Const, cut.Value(name+".s").Const, cut.Value(name+".b").Const
		if w.DType != tensor.Int8 || bias.DType != tensor.Int32 || w.Shape[0] != c || scale.Shape[0] != c || bias.Shape[0] != c {
			t.Errorf("%s: weights %v %v, scales %v, biases %v %v", name, w.DType, w.Shape, scale.Shape, bias.DType, bias.Shape)
		}
	}
}

// Integers around another number than zero, and operators of integers alone, stay whole,
// and are named.
func TestQuantisedWhole(t *testing.T) {
	g := integerNet(t, 3)
	groups, whole := structure.Groups(g)
	_, err := structure.Select(g, groups, structure.Score(groups, structure.Squares), structure.Target{MACs: .5, Why: whole})
	if err == nil || !strings.Contains(err.Error(), "around another number than zero") {
		t.Error(err)
	}
	g = chain(t, 4, 6)
	b := op.NewBuilder(g, "q")
	n := b.Node("", "DynamicQuantizeLinear", 3, []*graph.Value{g.Outputs[0]})
	x := b.Op("DequantizeLinear", n.Outputs...)
	g.Outputs = []*graph.Value{b.Op("MatMul", x, g.Const("last", tensor.New(tensor.Float32, 6, 2), graph.Param))}
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	groups, whole = structure.Groups(g)
	_, err = structure.Select(g, groups, nil, structure.Target{MACs: .5, Why: whole})
	if err == nil || !strings.Contains(err.Error(), "cut channels of the float32 network that it was made from, and quantise what is left") {
		t.Error(err)
	}
}
