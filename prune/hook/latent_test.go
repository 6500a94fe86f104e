package hook

import (
	"context"
	"math"
	"slices"
	"testing"

	"pare/dataset"
	"pare/graph"
	"pare/prune"
	"pare/tensor"
	"pare/train"
	"pare/zoo"
)

func tensorWeight(out int, k prune.Kind, shape ...int) *prune.Weight {
	t := tensor.New(tensor.Float32, shape...)
	return &prune.Weight{Value: &graph.Value{Name: "w", Const: t}, Kind: k, Out: out}
}

func keptOf(m *prune.Mask) []int {
	var out []int
	for i := range m.Len {
		if m.Kept(i) {
			out = append(out, i)
		}
	}
	return out
}

func latentRun(t *testing.T, sparsity float64, hook func(ws []*prune.Weight) train.Hook) *graph.Graph {
	t.Helper()
	d, err := dataset.Open("digits?n=200")
	if err != nil {
		t.Fatal(err)
	}
	g, err := zoo.New("mlp:64-20-10", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	ws, err := prune.Weights(g, prune.Scope{})
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
func latentOf(ws []*prune.Weight, sparsity float64) *Latent {
	h := &Latent{Masks: prune.Dense(ws), Scores: Scores{Rate: train.Constant(0), Momentum: .9},
		Grad: func(l int, theta, g, d []float32) { copy(d, g) }}
	for l, w := range ws {
		s := make([]float32, w.Len())
		for i, x := range w.Data() {
			s[i] = float32(math.Abs(float64(x)))
		}
		h.Score = append(h.Score, s)
		h.Mask[l] = prune.TopK(s, int(float64(w.Len())*(1-sparsity)+.5), prune.CutFirst)
	}
	h.Project = func(*train.Run) error {
		for l := range ws {
			h.Mask[l] = prune.TopK(h.Score[l], h.Mask[l].Count(), prune.CutFirst)
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
		var m *prune.Masks
		want := latentRun(t, sparsity, func(ws []*prune.Weight) train.Hook {
			if sparsity == 0 {
				return nil
			}
			m = latentOf(ws, sparsity).Masks
			m.Apply()
			return &Hold{Masks: m}
		})
		got := latentRun(t, sparsity, func(ws []*prune.Weight) train.Hook { return latentOf(ws, sparsity) })
		if !sameParams(want, got) {
			t.Errorf("sparsity %v: the weights differ", sparsity)
		}
	}
}

// A frozen network keeps every parameter, a cut weight its latent value, and
// the scores move for cut weights too.
func TestFrozen(t *testing.T) {
	var h *Latent
	before := latentRun(t, 0, func(ws []*prune.Weight) train.Hook { // a run that moves nothing
		h = latentOf(ws, 0)
		h.Frozen = true
		return h
	})
	var first [][]float32
	after := latentRun(t, .5, func(ws []*prune.Weight) train.Hook {
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
	w := tensorWeight(0, prune.Linear, 2, 2)
	r := &train.Run{Config: &train.Config{}, Params: []*train.Param{{Value: w.Value, W: w.Data()}}}
	nan := float32(math.NaN())
	for name, s := range map[string][][]float32{"none": nil, "short": {{1}}, "NaN": {{1, 2, nan, 4}}} {
		h := &Latent{Masks: prune.Dense([]*prune.Weight{w}), Scores: Scores{Score: s}}
		if err := h.Start(r); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	h := &Latent{Masks: prune.Dense([]*prune.Weight{w})}
	h.Score = [][]float32{make([]float32, 4)}
	if err := h.UnmarshalBinary(make([]byte, 7)); err == nil {
		t.Error("a state that is cut short was accepted")
	}
}
