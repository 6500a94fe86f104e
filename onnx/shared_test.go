package onnx

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pare/graph"
	"pare/onnx/onnxpb"
	"pare/sharing"
	"pare/tensor"
)

// sharedNet reads its weights from an array.
func sharedNet(m int) *graph.Graph {
	seed := uint64(3)
	l := &sharing.Layout{Mapper: sharing.Fold, Seed: &seed, Len: m, Tensors: []sharing.Tensor{{Name: "a", Shape: []int{50, 40}, Scale: .3}, {Name: "b", Shape: []int{20, 50}, Scale: 1.7}}}
	array := make([]float32, m)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range array {
		array[i] = r.Float32() - .5
	}
	g := graph.New("g", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(1, 1)}
	g.Inputs = []*graph.Value{x}
	ws := []*tensor.Tensor{tensor.New(tensor.Float32, 50, 40), tensor.New(tensor.Float32, 20, 50)}
	l.Expand(array, [][]float32{ws[0].F32(), ws[1].F32()})
	for k, t := range l.Tensors {
		w := ws[k]
		y := g.Add("Mul", "", []*graph.Value{x, g.Const(t.Name, w, graph.Param)}, []string{"y" + t.Name}).Outputs[0]
		y.DType, y.Shape = tensor.Float32, graph.Dims(t.Shape...)
		g.Outputs = append(g.Outputs, y)
	}
	l.Mark(g)
	return g
}

// The sparse form of shared weights holds the array, and reads back to the same
// bits; by way of ONNX too. Weights that have been changed since are kept as they
// are.
func TestShared(t *testing.T) {
	g := sharedNet(300)
	z, err := EncodeSparse(g, false)
	if err != nil {
		t.Fatal(err)
	}
	if len(z) > 4*300+900 {
		t.Errorf("%d bytes for an array of 300 numbers", len(z))
	}
	same := func(h *graph.Graph, what string) {
		t.Helper()
		for _, name := range []string{"a", "b"} {
			x, y := g.Value(name).Const.F32(), h.Value(name).Const.F32()
			for i := range x {
				if len(x) != len(y) || math.Float32bits(x[i]) != math.Float32bits(y[i]) {
					t.Fatalf("%s: %s[%d] is %v, was %v", what, name, i, y[i], x[i])
				}
			}
		}
		if h.Value(sharedArray) != nil {
			t.Errorf("%s: the array is a value of the network", what)
		}
	}
	h, err := DecodeSparse(z)
	if err != nil {
		t.Fatal(err)
	}
	same(h, "sparse form")
	b, err := Encode(h, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if h, err = Decode(b, ""); err != nil {
		t.Fatal(err)
	}
	same(h, "ONNX")
	again, err := EncodeSparse(h, false)
	if err != nil || !bytes.Equal(z, again) {
		t.Errorf("written again the sparse form differs (%v)", err)
	}
	half, err := EncodeSparse(g, true)
	if err != nil || len(half) > len(z)-300 {
		t.Errorf("half: %d bytes of %d, %v", len(half), len(z), err)
	}
	if h, err = DecodeSparse(half); err != nil || math.Abs(float64(h.Value("a").Const.F32()[9]-g.Value("a").Const.F32()[9])) > 1e-3 {
		t.Errorf("half: %v", err)
	}
	g.Value("a").Const.F32()[7] = 12
	if z, err = EncodeSparse(g, false); err != nil || len(z) < 4*1000 {
		t.Errorf("changed weights take %d bytes, %v", len(z), err)
	}
	if h, err = DecodeSparse(z); err != nil {
		t.Fatal(err)
	}
	same(h, "changed")
}

// leftOut is the message of a network without the weights that are shared.
func leftOut(t *testing.T, g *graph.Graph) *onnxpb.ModelProto {
	t.Helper()
	w := &writer{}
	m, err := w.model(g)
	if err != nil {
		t.Fatal(err)
	}
	w.leaveOut(g, m)
	for p, x := range w.raw {
		p.RawData = x.Raw()
	}
	return m
}

// A layout that does not fit the file is refused.
func TestSharedDamaged(t *testing.T) {
	for want, f := range map[string]func(g *graph.Graph){
		"no layout":             func(g *graph.Graph) { g.Meta.Props = nil },
		"no seed":               func(g *graph.Graph) { edit(g, `"seed":3,`, ``) },
		"the layout wants 301":  func(g *graph.Graph) { edit(g, `"len":300`, `"len":301`) },
		"the layout has [40 50": func(g *graph.Graph) { edit(g, `[50,40]`, `[40,50]`) },
		"do not belong":         func(g *graph.Graph) { edit(g, `"name":"b"`, `"name":"c"`) },
		"no mapping":            func(g *graph.Graph) { edit(g, `"fold"`, `"nosuch"`) },
	} {
		g := sharedNet(300)
		m := leftOut(t, g)
		f(g)
		m2, err := (&writer{}).model(g)
		if err != nil {
			t.Fatal(err)
		}
		m.MetadataProps = m2.MetadataProps
		r := &reader{spread: mostSpread(1000), packed: map[*onnxpb.TensorProto]*pack{}}
		if err := r.putBack(m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
	g := sharedNet(300)
	m := leftOut(t, g)
	r := &reader{spread: 2500, packed: map[*onnxpb.TensorProto]*pack{}}
	if err := r.putBack(m); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("weights that the file is too small for: %v", err)
	}
}

func edit(g *graph.Graph, old, new string) {
	p := &g.Meta.Props[0]
	p.Value = strings.Replace(p.Value, old, new, 1)
}
