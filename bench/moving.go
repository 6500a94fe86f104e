package main

import (
	"context"
	"fmt"

	"pare/engine"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/hook"
	"pare/prune/schedule"
	"pare/prune/score"
	"pare/train"
	"pare/zoo"
)

// movingMasks are short trainings, planning and the steps that move the masks
// included, compared with the same number of steps of dense training.
func movingMasks() []work {
	var ws []work
	for _, c := range []struct {
		name  string
		bar   float64
		net   string
		batch int
		steps int
		hooks func(ws []*prune.Weight, steps int) ([]train.Hook, error)
	}{
		{"rigl", 1 / .6, "lenet-300-100", 64, 200, exchanging(hook.ByGradient)}, {"set", 1 / .6, "lenet-300-100", 64, 200, exchanging(hook.AtRandom)},
		{"granet from 50 %", 1, "lenet-300-100", 64, 2000, regenerating},
		{"rigl", 1 / .6, "gpt-tiny", 8, 100, exchanging(hook.ByGradient)}, {"rigl", 1 / .6, "resnet20", 32, 100, exchanging(hook.ByGradient)},
	} {
		ws = append(ws, work{Group: "sparse training", Name: fmt.Sprintf("%s, batch %d, %d steps of %s, 90 %% cut", c.net, c.batch, c.steps, c.name), Peer: "Pare, dense", Bar: c.bar,
			ours: fitting(c.net, c.batch, c.steps, c.hooks), own: fitting(c.net, c.batch, c.steps, nil)})
	}
	return ws
}

// exchanging trains 10 % of the weights, of which 30 % are exchanged every 100 steps.
func exchanging(grow hook.Growth) func([]*prune.Weight, int) ([]train.Hook, error) {
	return func(ws []*prune.Weight, steps int) ([]train.Hook, error) {
		m, err := erk(ws, .9)
		hold := &hook.Hold{Masks: m}
		return []train.Hook{hold, &hook.Exchange{Hold: hold, Grow: grow, Rate: schedule.Exchange{Rate: .3, Begin: 50, Every: 100, End: steps}}}, err
	}
}

// regenerating prunes from one half to 10 % of the weights in the first half of
// the steps, and exchanges every 100.
func regenerating(ws []*prune.Weight, steps int) ([]train.Hook, error) {
	m, err := erk(ws, .5)
	hold := &hook.Hold{Masks: m}
	raise := &hook.Raise{Hold: hold, Schedule: schedule.Gradual{Initial: .5, Final: .9, End: steps / 2, Every: 100, Power: 3},
		Pick: func(s float64) (*prune.Masks, error) {
			return allocate.Global(ws, score.Within(m, score.Magnitude(ws)), s, nil)
		}}
	return []train.Hook{hold, raise, &hook.Exchange{Hold: hold, Rate: schedule.Exchange{Rate: .5, Least: .005, Over: steps, Every: 100, End: steps}}}, err
}

func erk(ws []*prune.Weight, sparsity float64) (*prune.Masks, error) {
	keep, err := allocate.ErdosRenyi(ws, sparsity, true)
	if err != nil {
		return nil, err
	}
	return allocate.Select(ws, score.Random(ws, 1), keep, prune.CutFirst), nil
}

// noise is a batch that is the same at every step.
type noise struct {
	size, steps int
	filled      bool
}

func (n *noise) Steps() int { return n.steps }
func (n *noise) Batch() int { return n.size }
func (n *noise) Close()     {}
func (n *noise) Fill(_, _ int, s *train.Step) error {
	if !n.filled {
		fill(s.Input())
		n.filled = true
	}
	return nil
}

// fitting is a whole training of a network of the zoo.
func fitting(net string, batch, steps int, hooks func([]*prune.Weight, int) ([]train.Hook, error)) prepared {
	return func(threads int) (func() error, func(), error) {
		g, err := zoo.New(net, zoo.Options{Seed: 1})
		if err != nil {
			return nil, nil, err
		}
		initial, _ := g.Clone(true)
		return func() error {
			if err := train.CopyWeights(g, initial); err != nil {
				return err
			}
			cfg := &train.Config{Graph: g, Train: &noise{size: batch, steps: steps}, Epochs: 1, Optimizer: train.SGD{Momentum: .9}, Rate: train.Constant(1e-5), Engine: engine.Options{Threads: threads}}
			if hooks != nil {
				ws, err := prune.Weights(g, prune.Scope{})
				if err != nil {
					return err
				}
				if cfg.Hooks, err = hooks(ws, steps); err != nil {
					return err
				}
			}
			_, err := train.Fit(context.Background(), cfg)
			return err
		}, func() {}, nil
	}
}
