package main

import (
	"fmt"

	"pare/graph"
	"pare/internal/kernel"
	"pare/zoo"
)

// sparseTraining is a training step with a held mask, compared with the dense step.
func sparseTraining() []work {
	var ws []work
	for _, c := range []struct {
		net   string
		batch int
	}{{"lenet-300-100", 64}, {"gpt-tiny", 32}, {"resnet20", 128}} {
		for _, s := range []float64{.5, .6, .7, .8, .9, .95} {
			bar := 1.0
			if s == .9 {
				bar = 1 / .6
			}
			ws = append(ws, work{Group: "sparse training", Name: fmt.Sprintf("%s, batch %d, %v %% cut", c.net, c.batch, 100*s), Peer: "Pare, dense", Bar: bar,
				ours: func(threads int) (func() error, func(), error) {
					g, err := network(c.net, s)
					if err != nil {
						return nil, nil, err
					}
					return step(g, c.batch, masksOf(g))(threads)
				},
				own: func(threads int) (func() error, func(), error) {
					g, err := zoo.New(c.net, zoo.Options{Seed: 1})
					if err != nil {
						return nil, nil, err
					}
					return step(g, c.batch, nil)(threads)
				}})
		}
	}
	return ws
}

// masksOf keeps the numbers other than zero of matrices and kernels that have zeros.
func masksOf(g *graph.Graph) map[string][]uint64 {
	masks := map[string][]uint64{}
	for _, p := range g.Params() {
		m := make([]uint64, (p.Const.Len()+63)/64)
		for i, x := range p.Const.F32() {
			if x != 0 {
				m[i/64] |= 1 << (i % 64)
			}
		}
		if n := p.Const.Len(); p.Const.Rank() >= 2 && kernel.Kept(m, n) < n {
			masks[p.Name] = m
		}
	}
	return masks
}
