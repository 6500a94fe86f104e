package train

import (
	"context"
	"fmt"
	"math/rand/v2"

	"pare/engine"
	"pare/graph"
	"pare/tensor"
)

// Gradients gives the mean over the batches of a source's first epoch of the loss's
// gradients by parameters of the network, in their order. Batch normalisation takes
// the statistics of the batch, as in training. It returns an error where one of the
// values is not trained or a gradient is not finite.
func Gradients(ctx context.Context, g *graph.Graph, of []*graph.Value, d Source, l Loss, opt engine.Options) ([][]float32, error) {
	defer d.Close()
	s, err := newStep(g, samplesOf(d), d.Batch(), l, opt, nil)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	ps, err := s.parameters(of)
	if err != nil {
		return nil, err
	}
	sum := sums(of)
	if err := eachBatch(ctx, d, s, func() {
		for i, p := range ps {
			for k, x := range p.G {
				sum[i][k] += float64(x)
			}
		}
	}); err != nil {
		return nil, err
	}
	out, by := make([][]float32, len(of)), 1/float64(d.Steps())
	for i, v := range of {
		out[i] = make([]float32, len(sum[i]))
		for k, x := range sum[i] {
			y := float32(x * by)
			if y-y != 0 {
				return nil, fmt.Errorf("the gradient of weight %q is %v at entry %d: the network's loss is not finite on these batches", v.Name, y, k)
			}
			out[i][k] = y
		}
	}
	return out, nil
}

// EachGradient gives f the gradients of the loss by parameters of the network, in their
// order, for one batch of a source's first epoch after the other; they hold until f
// returns. The network is as it is used: batch normalisation takes its running
// statistics. What Loss.Drawn asks for is drawn by seed.
func EachGradient(ctx context.Context, g *graph.Graph, of []*graph.Value, d Source, l Loss, seed uint64, opt engine.Options, f func(grads [][]float32) error) error {
	defer d.Close()
	l.still = true
	s, err := newStep(g, samplesOf(d), d.Batch(), l, opt, nil)
	if err != nil {
		return err
	}
	defer s.Close()
	ps, err := s.parameters(of)
	if err != nil {
		return err
	}
	grads := make([][]float32, len(ps))
	for i, p := range ps {
		grads[i] = p.G
	}
	var to []*tensor.Tensor
	for _, n := range s.view.noise {
		to = append(to, s.prog.Input(n.in.Name))
	}
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range d.Steps() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := d.Fill(0, i, s); err != nil {
			return err
		}
		for k, n := range s.view.noise {
			n.of.Noise(r, to[k].F32())
		}
		if _, err := s.RunContext(ctx); err != nil {
			return err
		}
		if err := f(grads); err != nil {
			return err
		}
	}
	return nil
}

// HessianProduct is the sum over the batches of a source's first epoch of the
// Hessian of the batch's loss by parameters of the network, times a vector with an
// entry for each of them. See Hessian.
func HessianProduct(ctx context.Context, g *graph.Graph, of []*graph.Value, vector [][]float32, d Source, l Loss, opt engine.Options) ([][]float64, error) {
	defer d.Close()
	h, err := newHessian(g, samplesOf(d), d.Batch(), l, of, opt)
	if err != nil {
		return nil, err
	}
	defer h.Close()
	for i := range of {
		copy(h.Vector[i], vector[i])
	}
	sum := sums(of)
	return sum, eachBatch(ctx, d, h.Step, func() {
		for i, p := range h.Product {
			for k, x := range p {
				sum[i][k] += float64(x)
			}
		}
	})
}

func sums(of []*graph.Value) [][]float64 {
	out := make([][]float64, len(of))
	for i, v := range of {
		out[i] = make([]float64, v.Const.Len())
	}
	return out
}

// eachBatch runs a step on the batches of the first epoch.
func eachBatch(ctx context.Context, d Source, s *Step, done func()) error {
	n := d.Steps()
	if n < 1 {
		return fmt.Errorf("there is no batch of %d samples to take gradients on", d.Batch())
	}
	for i := range n {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := d.Fill(0, i, s); err != nil {
			return err
		}
		if _, err := s.RunContext(ctx); err != nil {
			return err
		}
		done()
	}
	return nil
}

// parameters finds values of the network among a step's parameters.
func (s *Step) parameters(of []*graph.Value) ([]*Param, error) {
	by := map[*graph.Value]*Param{}
	for _, p := range s.Params {
		by[p.Value] = p
	}
	out := make([]*Param, len(of))
	for i, v := range of {
		if out[i] = by[v]; out[i] == nil {
			return nil, fmt.Errorf("weight %q is not trained: it has no gradient", v.Name)
		}
	}
	return out, nil
}
