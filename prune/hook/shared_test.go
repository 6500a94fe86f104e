package hook

import (
	"math"
	"slices"
	"testing"

	"pare/graph"
	"pare/sharing"
	"pare/tensor"
	"pare/train"
)

// One step by hand: two slots, four weights of scale 2, signs + - + +, read at 0 1
// 1 0.
func TestSharedStep(t *testing.T) {
	seed := uint64(1)
	l := &sharing.Layout{Mapper: sharing.Fold, Seed: &seed, Len: 2, Tensors: []sharing.Tensor{{Name: "w", Shape: []int{2, 2}, Scale: 2}}}
	w := &train.Param{Value: &graph.Value{Name: "w", Const: tensor.New(tensor.Float32, 2, 2)}, W: make([]float32, 4), G: []float32{1, 1, 1, 1}}
	b := &train.Param{Value: &graph.Value{Name: "b"}}
	s := &Shared{Layout: l, Array: []float32{.5, -1}, Scaler: "v1"}
	ps, err := s.Reparametrise([]*train.Param{w, b})
	if err != nil || len(ps) != 2 || ps[0] != b || len(ps[1].W) != 2 {
		t.Fatalf("%v, %v", ps, err)
	}
	s.slots = [][]sharing.Slot{{0, 3, 2, 0}}
	if s.gamma, err = Gammas(l, s.slots, "v1"); err != nil || math.Abs(s.gamma[0]-16/2.001) > 1e-5 || s.gamma[1] != s.gamma[0] {
		t.Fatalf("Gamma %v, %v", s.gamma, err)
	}
	r := &train.Run{Config: &train.Config{Optimizer: train.SGD{}}}
	if err := s.Start(r); err != nil || !slices.Equal(w.W, []float32{1, 2, -2, 1}) {
		t.Fatalf("weights %v, %v", w.W, err)
	}
	if err := s.AfterGrad(r); err != nil || !slices.Equal(s.sum, []float64{4, 0}) || math.Abs(float64(s.own.G[0])-.5) > 1e-3 || s.own.G[1] != 0 {
		t.Fatalf("gradient %v, scaled %v, %v", s.sum, s.own.G, err)
	}
	train.SGD{}.Step(s.own, .1, 0)
	if err := s.AfterStep(r); err != nil || math.Abs(float64(s.Array[0])-.45) > 1e-4 || math.Abs(float64(w.W[0])-.9) > 2e-4 {
		t.Errorf("array %v, weights %v, %v", s.Array, w.W, err)
	}
}

func TestGammas(t *testing.T) {
	seed := uint64(1)
	l := &sharing.Layout{Mapper: sharing.Fold, Seed: &seed, Len: 2, Tensors: []sharing.Tensor{{Name: "a", Shape: []int{1, 2}, Scale: 3}, {Name: "b", Shape: []int{1, 1}, Scale: 4}}}
	slots := [][]sharing.Slot{{0, 2}, {1}} // slot 0 has scales 3 and 4, slot 1 has 3
	for scaler, want := range map[string][2]float64{"v1": {49 / 2.001, 9 / 1.001}, "v2": {7, 3}, "v3": {7 / 2.001, 3 / 1.001}, "v4": {5, 3}, "v5": {25, 9}} {
		g, err := Gammas(l, slots, scaler)
		if err != nil || math.Abs(g[0]-want[0]) > 1e-5 || math.Abs(g[1]-want[1]) > 1e-5 {
			t.Errorf("%s: %v, %v; want %v", scaler, g, err, want)
		}
	}
	if g, err := Gammas(l, slots, "none"); g != nil || err != nil {
		t.Errorf("none: %v, %v", g, err)
	}
	if _, err := Gammas(l, slots, "nosuch"); err == nil {
		t.Error("an unknown scaler was accepted")
	}
}
