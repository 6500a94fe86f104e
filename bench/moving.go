package main

import (
	"context"
	"fmt"
	"math"

	"pare/engine"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/schedule"
	"pare/prune/score"
	"pare/train"
	"pare/zoo"
)

// period is RigL's number of steps between changes of the masks.
const period = 100

// movingMasks are whole periods of a training whose masks move, with the step
// that moves them, beside as many steps of dense training.
func movingMasks() []work {
	var ws []work
	for _, c := range []struct {
		net   string
		batch int
		name  string
		grow  prune.Growth
	}{{"lenet-300-100", 64, "rigl", prune.ByGradient}, {"lenet-300-100", 64, "set", prune.AtRandom}, {"gpt-tiny", 8, "rigl", prune.ByGradient}, {"resnet20", 32, "rigl", prune.ByGradient}} {
		ws = append(ws, work{Group: "sparse training", Name: fmt.Sprintf("%s, batch %d, %d steps of %s, 90 %% cut", c.net, c.batch, period, c.name), Peer: "Pare, dense", Bar: 1 / .6,
			ours: loop(c.net, c.batch, func(ws []*prune.Weight) (train.Hook, error) {
				keep, err := allocate.ErdosRenyi(ws, .9, true)
				if err != nil {
					return nil, err
				}
				m := allocate.Select(ws, score.Random(ws, 1), keep, prune.CutFirst)
				return &prune.Exchange{Gradual: prune.Gradual{Hold: prune.Hold{Masks: m}}, Grow: c.grow,
					Rate: schedule.Exchange{Rate: .3, Every: period, End: endless}}, nil
			}),
			own: loop(c.net, c.batch, nil)})
	}
	return ws
}

// endless is a number of steps that no benchmark comes to.
const endless = math.MaxInt32

// noise is a batch that is the same at every step.
type noise struct {
	size   int
	filled bool
}

func (n *noise) Steps() int { return endless }
func (n *noise) Batch() int { return n.size }
func (n *noise) Close()     {}
func (n *noise) Fill(_, _ int, s *train.Step) error {
	if !n.filled {
		fill(s.Input())
		n.filled = true
	}
	return nil
}

// loop runs the training loop, a period of steps at a time.
func loop(net string, batch int, hook func([]*prune.Weight) (train.Hook, error)) prepared {
	return func(threads int) (func() error, func(), error) {
		g, err := zoo.New(net, zoo.Options{Seed: 1})
		if err != nil {
			return nil, nil, err
		}
		cfg := &train.Config{Graph: g, Train: &noise{size: batch}, Epochs: 1, Optimizer: train.SGD{Momentum: .9}, Rate: train.Constant(1e-5), Engine: engine.Options{Threads: threads}}
		if hook != nil {
			ws, err := prune.Weights(g, prune.Scope{})
			if err != nil {
				return nil, nil, err
			}
			h, err := hook(ws)
			if err != nil {
				return nil, nil, err
			}
			cfg.Hooks = []train.Hook{h}
		}
		ctx, cancel := context.WithCancel(context.Background())
		ended, stop, more := make(chan bool), make(chan bool), make(chan bool)
		cfg.OnStep = func(step int, _ float64) {
			if step%period == 1 { // the one before which masks move is done
				stop <- true
				<-more
			}
		}
		go func() {
			_, err = train.Fit(ctx, cfg)
			close(ended)
		}()
		wait := func() error {
			select {
			case <-stop:
				return nil
			case <-ended:
				return err
			}
		}
		if err := wait(); err != nil {
			cancel()
			return nil, nil, err
		}
		run := func() error {
			select {
			case more <- true:
				return wait()
			case <-ended:
				return err
			}
		}
		return run, func() { cancel(); close(more); <-ended }, nil
	}
}
