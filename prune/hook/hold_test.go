package hook

import (
	"context"
	"fmt"
	"math"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/prune"
	"pare/prune/schedule"
	"pare/train"
	"pare/zoo"
)

// zeroed holds masks as the definition has it: all is computed, then zeroed.
type zeroed struct {
	train.Base
	*prune.Masks
}

func (z zeroed) AfterStep(r *train.Run) error {
	for i, w := range z.Weights {
		p := r.Param(w.Name)
		z.Mask[i].Apply(p.W)
		for _, s := range p.State {
			z.Mask[i].Apply(s)
		}
	}
	return nil
}

func trained(t *testing.T, opt train.Optimizer, sparsity float64, threads int, hooks func(m *prune.Masks) []train.Hook) (*graph.Graph, *prune.Masks, *train.Run) {
	t.Helper()
	d, err := dataset.Open("digits?n=200")
	if err != nil {
		t.Fatal(err)
	}
	g, err := zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Seed: 1, Width: .5})
	if err != nil {
		t.Fatal(err)
	}
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	m := prune.Dense(ws)
	for i, w := range ws {
		m.Mask[i] = prune.TopK(w.Data(), int(float64(w.Len())*(1-sparsity)), prune.KeepFirst) // of the greatest values
	}
	m.Apply()
	r, err := train.Fit(context.Background(), &train.Config{Graph: g, Epochs: 1, Optimizer: opt, Rate: train.Constant(.01), Clip: 5, Engine: engine.Options{Threads: threads},
		Train: train.NewData(&dataset.Loader{Set: d.Train, Size: 40, Norm: d.Norm, Shuffle: true, Seed: 2}), Hooks: hooks(m)})
	if err != nil {
		t.Fatal(err)
	}
	return g, m, r
}

// Training that computes only what the masks keep goes the way of training that
// computes everything and zeroes, and what is cut is zero to the bit.
func TestHold(t *testing.T) {
	for _, opt := range []train.Optimizer{train.SGD{Momentum: .9, Decay: .01, Nesterov: true}, train.Adam{Beta1: .9, Beta2: .999, Eps: 1e-4, Decay: .01, Decoupled: true}} {
		want, _, _ := trained(t, opt, .9, 1, func(m *prune.Masks) []train.Hook { return []train.Hook{zeroed{Masks: m}} })
		got, m, r := trained(t, opt, .9, 1, func(m *prune.Masks) []train.Hook { return []train.Hook{&Hold{Masks: m}} })
		two, _, _ := trained(t, opt, .9, 2, func(m *prune.Masks) []train.Hook { return []train.Hook{&Hold{Masks: m}} })
		for i, p := range got.Params() {
			for k, x := range p.Const.F32() {
				if y := want.Params()[i].Const.F32()[k]; math.Abs(float64(x-y)) > 2e-3 {
					t.Fatalf("%T: weight %d of %q is %v, want %v", opt, k, p.Name, x, y)
				}
				if y := two.Params()[i].Const.F32()[k]; x != y {
					t.Fatalf("%T: weight %d of %q differs between 1 and 2 threads", opt, k, p.Name)
				}
			}
		}
		for i, w := range m.Weights {
			p := r.Param(w.Name)
			for k := range w.Len() {
				for _, x := range append([][]float32{p.W}, p.State...) {
					if !m.Mask[i].Kept(k) && math.Float32bits(x[k]) != 0 {
						t.Fatalf("%T: entry %d of %q is cut, and %v", opt, k, w.Name, x[k])
					}
				}
			}
		}
	}
}

// Masks that another hook changes are followed, and gradients wanted in full
// leave nothing in what is cut.
type mover struct {
	train.Base
	m *prune.Masks
}

func (v mover) BeforeStep(r *train.Run) error {
	r.DenseGradients(r.Step%2 == 1)
	if r.Step == 2 {
		for i, w := range v.m.Weights {
			v.m.Mask[i] = prune.NewMask(w.Len(), false)
			for k := i % 3; k < w.Len(); k += 9 {
				v.m.Mask[i].Set(k, true)
			}
		}
	}
	return nil
}

func (v mover) AfterGrad(r *train.Run) error {
	for i, w := range v.m.Weights {
		dead := false
		for k, g := range r.Param(w.Name).G {
			dead = dead || g != 0 && !v.m.Mask[i].Kept(k)
		}
		if want := r.Step%2 == 1; dead != want && w.Len() > 100 {
			return fmt.Errorf("step %d: gradients of what is cut of %q: %v", r.Step, w.Name, dead)
		}
	}
	return nil
}

type both struct {
	mover
	Hold
}

func (b *both) Start(r *train.Run) error { return b.Hold.Start(r) }
func (b *both) BeforeStep(r *train.Run) error {
	if err := b.mover.BeforeStep(r); err != nil {
		return err
	}
	return b.Hold.BeforeStep(r)
}
func (b *both) AfterGrad(r *train.Run) error                 { return b.mover.AfterGrad(r) }
func (b *both) AfterStep(r *train.Run) error                 { return b.Hold.AfterStep(r) }
func (b *both) AfterEpoch(r *train.Run, _ train.Epoch) error { return nil }

func TestMoving(t *testing.T) {
	_, m, r := trained(t, train.SGD{Momentum: .9}, .9, 2, func(m *prune.Masks) []train.Hook { return []train.Hook{&both{mover{m: m}, Hold{Masks: m}}} })
	for i, w := range m.Weights {
		p := r.Param(w.Name)
		for k := range w.Len() {
			if !m.Mask[i].Kept(k) && (p.W[k] != 0 || p.State[0][k] != 0) {
				t.Fatalf("entry %d of %q is cut, and %v", k, w.Name, p.W[k])
			}
		}
	}
}

// Gradual pruning reaches the same sparsity, exactly zero where cut.
func TestGradualZero(t *testing.T) {
	for _, keep := range []bool{false, true} {
		var hold *Hold
		_, _, r := trained(t, train.SGD{Momentum: .9}, 0, 2, func(m *prune.Masks) []train.Hook {
			ws := m.Weights
			hold = &Hold{Masks: prune.Dense(ws)}
			return []train.Hook{hold, &Raise{Hold: hold, Keep: keep, Schedule: schedule.Gradual{Final: .9, End: 4, Every: 1, Power: 3}, Pick: func(s float64) (*prune.Masks, error) {
				out := prune.Dense(ws)
				for i, w := range ws {
					x := make([]float32, w.Len())
					for k, v := range w.Data() {
						x[k] = v * v
					}
					out.Mask[i] = prune.TopK(x, int(float64(w.Len())*(1-s)), prune.KeepFirst)
				}
				return out, nil
			}}}
		})
		if s := hold.Sparsity(); s < .9 || s > .91 {
			t.Errorf("sparsity %v", s)
		}
		for i, w := range hold.Weights {
			p := r.Param(w.Name)
			for k := range w.Len() {
				if !hold.Mask[i].Kept(k) && (p.W[k] != 0 || p.State[0][k] != 0) {
					t.Fatalf("entry %d of %q is cut, and %v", k, w.Name, p.W[k])
				}
			}
		}
	}
}
