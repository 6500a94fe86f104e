package hook

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pare/graph"
	"pare/prune"
	"pare/prune/schedule"
	"pare/tensor"
	"pare/train"
)

func maskOf(n int, kept ...int) *prune.Mask {
	m := prune.NewMask(n, false)
	for _, i := range kept {
		m.Set(i, true)
	}
	return m
}

// The worked example of GraNet: of .9, .1, .5 and .3 the two smallest go, of the
// inactive ones those with gradients .7 and .4 come.
func TestExchangeExample(t *testing.T) {
	w := []float32{.9, .1, .5, .3, 0, 0, 0, 0}
	kept := Weakest(w, maskOf(8, 0, 1, 2, 3), .5)
	if got := keptOf(kept); !slices.Equal(got, []int{0, 2}) {
		t.Fatalf("%v stay", got)
	}
	m := grown(kept, []float32{.9, .05, .8, .1, .2, .7, .1, .4}, 2)
	if got := keptOf(m); !slices.Equal(got, []int{0, 2, 5, 7}) {
		t.Errorf("%v are active", got)
	}
	m = grown(kept, []float32{0, .6, 0, .5, .2, .1, .1, .4}, 2) // those just cut may return
	if got := keptOf(m); !slices.Equal(got, []int{0, 1, 2, 3}) {
		t.Errorf("%v are active", got)
	}
}

func TestWeakest(t *testing.T) {
	w := []float32{.5, -.1, .2, 0, -.4, .3, -.2, 0, .1}
	all := maskOf(9, 0, 1, 2, 3, 4, 5, 6, 8)
	for _, c := range []struct {
		drop func([]float32, *prune.Mask, float64) *prune.Mask
		rate float64
		want []int
	}{
		{Weakest, 0, []int{0, 1, 2, 3, 4, 5, 6, 8}}, {Weakest, .01, []int{0, 1, 2, 4, 5, 6, 8}}, {Weakest, .5, []int{0, 4, 5, 6}},
		{WeakestOfSign, .3, []int{0, 4, 5, 6}}, {WeakestOfSign, .5, []int{0, 4, 5}}, // 4 above, 3 below, and a zero
	} {
		if got := keptOf(c.drop(w, all, c.rate)); !slices.Equal(got, c.want) {
			t.Errorf("rate %v: %v stay, want %v", c.rate, got, c.want)
		}
	}
	if got := keptOf(Weakest([]float32{1, 1, 1, 1}, maskOf(4, 0, 1, 2, 3), .5)); !slices.Equal(got, []int{2, 3}) {
		t.Errorf("of ties %v stay", got)
	}
}

// traced looks at a network between the steps of a training that exchanges.
type traced struct {
	*Exchange
	look func(r *train.Run, before *prune.Masks) error
}

func (x traced) BeforeStep(r *train.Run) error {
	before := x.Hold.Clone()
	if err := x.Exchange.BeforeStep(r); err != nil {
		return err
	}
	return x.look(r, before)
}

// At events each layer keeps its count, new weights and both their moments are
// zero, and what the exchange leaves alone is untouched; gradients in full are
// there at events alone.
func TestExchange(t *testing.T) {
	for name, c := range map[string]struct {
		opt  train.Optimizer
		grow Growth
		anew bool
	}{
		"gradient": {train.SGD{Momentum: .9, Decay: .01}, ByGradient, false},
		"adam":     {train.Adam{Beta1: .9, Beta2: .999, Eps: 1e-4}, ByGradient, false},
		"random":   {train.SGD{Momentum: .9}, AtRandom, true},
	} {
		events := 0
		_, m, r := trained(t, c.opt, .9, 1, func(m *prune.Masks) []train.Hook {
			hold := &Hold{Masks: m}
			x := &Exchange{Hold: hold, Grow: c.grow, Anew: c.anew, Batches: 2, Rate: schedule.Exchange{Rate: .5, End: 4, Every: 2}}
			return []train.Hook{hold, traced{x, func(r *train.Run, before *prune.Masks) error {
				moved := 0
				for i, w := range m.Weights {
					if m.Mask[i].Count() != before.Mask[i].Count() {
						return fmt.Errorf("%q keeps %d, not %d", w.Name, m.Mask[i].Count(), before.Mask[i].Count())
					}
					moved += before.Mask[i].Count() - before.Mask[i].Overlap(m.Mask[i])
					p := r.Param(w.Name)
					for k := range w.Len() {
						for _, x := range append([][]float32{p.W}, p.State...) {
							if !(m.Mask[i].Kept(k) && before.Mask[i].Kept(k)) && math.Float32bits(x[k]) != 0 {
								return fmt.Errorf("entry %d of %q is cut or new, and %v", k, w.Name, x[k])
							}
						}
					}
				}
				if event := r.Step == 2; event != (moved > 0) {
					return fmt.Errorf("step %d: %d weights moved", r.Step, moved)
				}
				if moved > 0 {
					events++
				}
				return nil
			}}}
		})
		if events != 1 {
			t.Errorf("%s: %d events", name, events)
		}
		for i, w := range m.Weights {
			for k, g := range r.Param(w.Name).G {
				if g != 0 && !m.Mask[i].Kept(k) {
					t.Fatalf("%s: entry %d of %q is cut, and has the gradient %v after the event", name, k, w.Name, g)
				}
			}
		}
	}
}

// Weights that return at once go on with their values, unless all are to begin anew.
func TestExchangeReturns(t *testing.T) {
	for _, anew := range []bool{false, true} {
		trained(t, train.SGD{Momentum: .9}, 0, 1, func(m *prune.Masks) []train.Hook { // dense: all that is cut returns
			hold := &Hold{Masks: m}
			x := &Exchange{Hold: hold, Anew: anew, Rate: schedule.Exchange{Rate: .5, End: 4, Every: 2}}
			return []train.Hook{hold, traced{x, func(r *train.Run, before *prune.Masks) error {
				zeros := 0
				for _, w := range m.Weights {
					for _, v := range w.Data() {
						if v == 0 {
							zeros++
						}
					}
				}
				if n := prune.Total(m.Weights); r.Step == 2 && (zeros > n/3) != anew {
					t.Errorf("anew %v: %d of %d weights are zero after the exchange", anew, zeros, n)
				}
				return nil
			}}}
		})
	}
}

func TestExchangeEmpty(t *testing.T) {
	w := &prune.Weight{Value: &graph.Value{Name: "w", Const: tensor.New(tensor.Float32, 2, 2)}}
	hold := &Hold{Masks: &prune.Masks{Weights: []*prune.Weight{w}, Mask: []*prune.Mask{prune.NewMask(4, false)}}}
	x := &Exchange{Hold: hold, Rate: schedule.Exchange{Rate: .5, End: 4, Every: 2}}
	start := func(ps ...*train.Param) error {
		r := &train.Run{Config: &train.Config{}, Total: 4, Params: ps}
		if err := hold.Start(r); err != nil {
			return err
		}
		return x.Start(r)
	}
	p := &train.Param{Value: w.Value, W: w.Data()}
	if err := start(p); err == nil || !strings.Contains(err.Error(), "no entry that is kept") {
		t.Errorf("a layer without a kept weight: %v", err)
	}
	hold.Mask[0].Set(1, true)
	if err := start(); err == nil || !strings.Contains(err.Error(), "not trained") {
		t.Errorf("a weight that is not trained: %v", err)
	}
	if err := start(p); err != nil {
		t.Error(err)
	}
	x.Rate.Rate = 1
	if err := start(p); err == nil || !strings.Contains(err.Error(), "outside [0,1)") {
		t.Errorf("a rate of 1: %v", err)
	}
}

// Hooks that change masks need the one that holds them before them.
func TestHoldFirst(t *testing.T) {
	w := &prune.Weight{Value: &graph.Value{Name: "w", Const: tensor.New(tensor.Float32, 2, 2)}}
	r := &train.Run{Config: &train.Config{}, Total: 4}
	for _, h := range []*Hold{nil, {}, {Masks: prune.Dense([]*prune.Weight{w})}} {
		x := &Exchange{Hold: h, Rate: schedule.Exchange{Rate: .5, End: 4, Every: 2}}
		g := &Raise{Hold: h, Schedule: schedule.Gradual{Final: .5, End: 4, Every: 1, Power: 3}}
		for _, h := range []train.Hook{x, g} {
			if err := h.Start(r); err == nil || !strings.Contains(err.Error(), "needs its Hold before it") {
				t.Errorf("%T: %v", h, err)
			}
		}
	}
}

// The number of threads has no say in what grows.
func TestExchangeThreads(t *testing.T) {
	hook := func(m *prune.Masks) []train.Hook {
		hold := &Hold{Masks: m}
		return []train.Hook{hold, &Exchange{Hold: hold, Rate: schedule.Exchange{Rate: .5, End: 4, Every: 1}}}
	}
	_, one, _ := trained(t, train.SGD{Momentum: .9}, .9, 1, hook)
	_, two, _ := trained(t, train.SGD{Momentum: .9}, .9, 2, hook)
	if one.Hash() != two.Hash() {
		t.Error("one and two threads grew different weights")
	}
}
