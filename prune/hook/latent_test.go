package hook

import (
	"context"
	"math"
	"slices"
	"testing"

	"pare/dataset"
	"pare/graph"
	"pare/tensor"
	"pare/train"
	"pare/zoo"
)

func tensorWeight(out int, k Kind, shape ...int) *Weight {
	t := tensor.New(tensor.Float32, shape...)
	return &Weight{Value: &graph.Value{Name: "w", Const: t}, Kind: k, Out: out}
}

func keptOf(m *Mask) []int {
	var out []int
	for i := range m.Len {
		if m.Kept(i) {
			out = append(out, i)
		}
	}
	return out
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
			t.Errorf("epoch %d keeps %v", e, keptOf(m))
		}
		if want == 4 && !slices.Equal(keptOf(m), []int{0, 1, 6, 7, 8, 9, 10, 11, 21, 22, 23, 24}) {
			t.Errorf("4 swaps give %v", keptOf(m))
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
		t.Errorf("filters kept: %v", keptOf(m))
	}
	clear(score)
	score[9+18] = 1 // filter 1, channel 1
	if m := Channels(w, score, 1); m.Count() != 36 || m.Kept(8) || !m.Kept(9) || !m.Kept(63) {
		t.Errorf("channels kept: %v", keptOf(m))
	}
	turned := tensorWeight(1, Conv, 2, 4, 3, 3) // ConvTranspose [in, out, ...]
	if m := Channels(turned, score, 1); m.Count() != 36 || !m.Kept(0) || m.Kept(36) || turned.Inputs() != 2 {
		t.Errorf("channels of a transposed convolution kept: %v", keptOf(m))
	}
	if l := tensorWeight(1, Linear, 5, 3); l.Inputs() != 5 {
		t.Errorf("%d inputs", l.Inputs())
	}
}

func latentRun(t *testing.T, sparsity float64, hook func(ws []*Weight) train.Hook) *graph.Graph {
	t.Helper()
	d, err := dataset.Open("digits?n=200")
	if err != nil {
		t.Fatal(err)
	}
	g, err := zoo.New("mlp:64-20-10", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	ws, err := Weights(g, Scope{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := &train.Config{Graph: g, Epochs: 2, Optimizer: train.SGD{Momentum: .9, Decay: 1e-3}, Rate: train.Constant(.05),
		Train: train.NewData(&dataset.Loader{Set: d.Train, Size: 40, Norm: d.Norm, Shuffle: true, Seed: 2})}
	if h := hook(ws); h != nil {
		cfg.Hooks = []train.Hook{h}
	}
	if _, err := train.Fit(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	return g
}

// latentOf keeps the largest weights; its scores have rate 0.
func latentOf(ws []*Weight, sparsity float64) *Latent {
	h := &Latent{Masks: Dense(ws), Scores: Scores{Rate: train.Constant(0), Momentum: .9},
		Grad: func(l int, theta, g, d []float32) { copy(d, g) }}
	for l, w := range ws {
		s := make([]float32, w.Len())
		for i, x := range w.Data() {
			s[i] = float32(math.Abs(float64(x)))
		}
		h.Score = append(h.Score, s)
		h.Mask[l] = TopK(s, int(float64(w.Len())*(1-sparsity)+.5), CutFirst)
	}
	h.Project = func(*train.Run) error {
		for l := range ws {
			h.Mask[l] = TopK(h.Score[l], h.Mask[l].Count(), CutFirst)
		}
		return nil
	}
	return h
}

func sameParams(a, b *graph.Graph) bool {
	for i, p := range a.Params() {
		if !slices.Equal(p.Const.F32(), b.Params()[i].Const.F32()) {
			return false
		}
	}
	return true
}

// With masks that keep everything the latent weights train as ordinary ones;
// with scores that do not move they train as under held masks.
func TestLatent(t *testing.T) {
	for _, sparsity := range []float64{0, .4} {
		var m *Masks
		want := latentRun(t, sparsity, func(ws []*Weight) train.Hook {
			if sparsity == 0 {
				return nil
			}
			m = latentOf(ws, sparsity).Masks
			m.Apply()
			return &Hold{Masks: m}
		})
		got := latentRun(t, sparsity, func(ws []*Weight) train.Hook { return latentOf(ws, sparsity) })
		if !sameParams(want, got) {
			t.Errorf("sparsity %v: the weights differ", sparsity)
		}
	}
}

// A frozen network keeps every parameter, a cut weight its latent value, and
// the scores move for cut weights too.
func TestFrozen(t *testing.T) {
	var h *Latent
	before := latentRun(t, 0, func(ws []*Weight) train.Hook { // a run that moves nothing
		h = latentOf(ws, 0)
		h.Frozen = true
		return h
	})
	var first [][]float32
	after := latentRun(t, .5, func(ws []*Weight) train.Hook {
		h = latentOf(ws, .5)
		h.Frozen, h.Rate = true, train.Constant(.1)
		for _, s := range h.Score {
			first = append(first, slices.Clone(s))
		}
		return h
	})
	for l, w := range h.Weights {
		if !slices.Equal(h.Latent(l), before.Value(w.Name).Const.F32()) {
			t.Errorf("the latent values of %q moved", w.Name)
		}
		masked := slices.Clone(h.Latent(l))
		h.Mask[l].Apply(masked)
		if !slices.Equal(masked, after.Value(w.Name).Const.F32()) {
			t.Errorf("%q is not the product of mask and latent values", w.Name)
		}
		moved := 0
		for i := range first[l] {
			if !h.Mask[l].Kept(i) && h.Score[l][i] != first[l][i] {
				moved++
			}
		}
		if moved < w.Len()/8 {
			t.Errorf("%d scores of what is cut of %q moved", moved, w.Name)
		}
	}
}

// Scores that do not fit or are not numbers are refused.
func TestBadScores(t *testing.T) {
	w := tensorWeight(0, Linear, 2, 2)
	r := &train.Run{Config: &train.Config{}, Params: []*train.Param{{Value: w.Value, W: w.Data()}}}
	nan := float32(math.NaN())
	for name, s := range map[string][][]float32{"none": nil, "short": {{1}}, "NaN": {{1, 2, nan, 4}}} {
		h := &Latent{Masks: Dense([]*Weight{w}), Scores: Scores{Score: s}}
		if err := h.Start(r); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	h := &Latent{Masks: Dense([]*Weight{w})}
	h.Score = [][]float32{make([]float32, 4)}
	if err := h.UnmarshalBinary(make([]byte, 7)); err == nil {
		t.Error("a state that is cut short was accepted")
	}
}
