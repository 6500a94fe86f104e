package prune

import (
	"math"
	"slices"
	"testing"

	"pare/graph"
	"pare/tensor"
	"pare/zoo"
)

func tensorWeight(out int, k Kind, shape ...int) *Weight {
	t := tensor.New(tensor.Float32, shape...)
	return &Weight{Value: &graph.Value{Name: "w", Const: t}, Kind: k, Out: out}
}

// Ten entries to swap: at epochs 0 to 3 of 4 with power 4 there are 10, 4, 1
// and 1 swaps, the best first, at constant count.
func TestSwap(t *testing.T) {
	for e, want := range []int{10, 4, 1, 1} {
		m, score := NewMask(25, false), make([]float32, 25)
		for i := range 25 {
			m.Set(i, i < 12)
			score[i] = float32(i) // of the 12 best, 13 to 24, none is kept but ...
		}
		score[0], score[1] = 30, 31 // ... these, in place of 13 and 14
		if got := Swap(m, score, math.Pow(1-float64(e)/4, 4)); got != want {
			t.Errorf("epoch %d: %d swaps, want %d", e, got, want)
		}
		if m.Count() != 12 || !m.Kept(24) || m.Kept(2) {
			t.Errorf("epoch %d keeps %v", e, kept(m))
		}
		if want == 4 && !slices.Equal(kept(m), []int{0, 1, 6, 7, 8, 9, 10, 11, 21, 22, 23, 24}) {
			t.Errorf("4 swaps give %v", kept(m))
		}
	}
	m := NewMask(4, true)
	if Swap(m, []float32{1, 2, 3, 4}, 1) != 0 || m.Count() != 4 {
		t.Error("a full mask was changed")
	}
}

// Filters and channels are constant within their slabs.
func TestSlabs(t *testing.T) {
	w := tensorWeight(0, Conv, 4, 2, 3, 3)
	score := make([]float32, 72)
	for i := range score {
		score[i] = float32(i%7) - 3
		if f := i / 18; f == 1 || f == 3 {
			score[i] -= 9
		}
	}
	if m := Filters(w, score, 2); m.Count() != 36 || !m.Kept(18) || !m.Kept(71) || m.Kept(17) {
		t.Errorf("filters kept: %v", kept(m))
	}
	clear(score)
	score[9+18] = 1 // filter 1, channel 1
	if m := Channels(w, score, 1); m.Count() != 36 || m.Kept(8) || !m.Kept(9) || !m.Kept(63) {
		t.Errorf("channels kept: %v", kept(m))
	}
	turned := tensorWeight(1, Conv, 2, 4, 3, 3) // ConvTranspose [in, out, ...]
	if m := Channels(turned, score, 1); m.Count() != 36 || !m.Kept(0) || m.Kept(36) || turned.Inputs() != 2 {
		t.Errorf("channels of a transposed convolution kept: %v", kept(m))
	}
	if l := tensorWeight(1, Linear, 5, 3); l.Inputs() != 5 {
		t.Errorf("%d inputs", l.Inputs())
	}
}

func TestRedraw(t *testing.T) {
	g, _ := zoo.New("mlp:8-8", zoo.Options{Seed: 1})
	ws, _ := Weights(g, Scope{})
	old := slices.Clone(ws[0].Data())
	if err := (Init{Seed: 9}).Apply(g); err != nil {
		t.Fatal(err)
	}
	Signed(ws[0], old)
	for i, x := range ws[0].Data() {
		if x == old[i] || x > 0 != (old[i] > 0) {
			t.Fatalf("entry %d: %v from %v", i, x, old[i])
		}
	}
	copy(ws[0].Data(), old)
	Permute(ws[0], 1, 0)
	x := slices.Clone(ws[0].Data())
	if slices.Equal(x, old) {
		t.Error("nothing moved")
	}
	slices.Sort(x)
	slices.Sort(old)
	if !slices.Equal(x, old) {
		t.Error("other values than the layer's")
	}
}

// [directions, gates*hidden, inputs] of a recurrent network.
func TestRecurrentInputs(t *testing.T) {
	w := &Weight{Value: &graph.Value{Const: tensor.New(tensor.Float32, 2, 12, 5)}, Kind: Recurrent, Out: 1}
	if w.Inputs() != 5 || w.FanIn() != 5 {
		t.Errorf("%d inputs, fan-in %v", w.Inputs(), w.FanIn())
	}
}

// Slabs are ranked by their L2 norms: one large score outweighs several small ones whose
// sum is larger, whatever its sign.
func TestSlabsByNorm(t *testing.T) {
	w := tensorWeight(0, Conv, 2, 2, 2, 1)
	filters := []float32{2, 2, 2, 2, 0, -5, 0, 0} // sums of 8 and 5, norms of 4 and 5
	if m := Filters(w, filters, 1); m.Kept(0) || !m.Kept(5) {
		t.Errorf("filters kept: %v", kept(m))
	}
	channels := []float32{2, 2, 0, -5, 2, 2, 0, 0}
	if m := Channels(w, channels, 1); m.Kept(0) || !m.Kept(3) {
		t.Errorf("channels kept: %v", kept(m))
	}
}
