package quantise

import (
	"context"
	"fmt"

	"pare/graph"
	"pare/prune/calibrate"
	"pare/tensor"
)

// observed bounds the bytes of values that are looked at in one pass over the samples.
const observed = 512 << 20

// Calibrate finds the ranges of the tensors on samples, by a rule, and with them the scales.
// It returns an error that names the value where one is not finite.
func (p *Plan) Calibrate(ctx context.Context, batches calibrate.Batches, r Rule, opt calibrate.Options) error {
	walk, err := calibrate.NewWalk(p.Graph, batches, opt)
	if err != nil {
		return err
	}
	var own []*Tensor
	var values []*graph.Value
	for _, t := range p.Tensors {
		if t.Like == nil {
			own, values = append(own, t), append(values, t.Value)
		}
	}
	hs := make([]Histogram, len(own))
	passes := []func(i int, t *tensor.Tensor) error{func(i int, t *tensor.Tensor) error {
		if err := hs[i].Widen(t.F32()); err != nil {
			return fmt.Errorf("activation %q holds %w: ranges cannot be found of it", own[i].Value.Name, err)
		}
		return nil
	}}
	if r.Counts {
		passes = append(passes, func(i int, t *tensor.Tensor) error {
			hs[i].Count(t.F32())
			return nil
		})
	}
	for _, f := range passes {
		if err := look(ctx, walk, values, f); err != nil {
			return err
		}
	}
	for i, t := range own {
		t.Range = r.Range(&hs[i], p.Integers)
		t.Scale = p.ScaleOf(t.Range)
	}
	return nil
}

// look runs the samples of a walk, and gives f the values, batch by batch.
func look(ctx context.Context, walk *calibrate.Walk, values []*graph.Value, f func(i int, t *tensor.Tensor) error) error {
	for at := 0; at < len(values); {
		end := at + together(values[at:], walk.Batch())
		v := walk.View(values[at:end], nil)
		for b := range walk.Batches() {
			ts, err := v.Run(ctx, b)
			for i := 0; i < len(ts) && err == nil; i++ {
				err = f(at+i, ts[i])
			}
			if err != nil {
				v.Close()
				return err
			}
		}
		v.Close()
		at = end
	}
	return nil
}

// together is how many values are looked at in one pass, by their sizes for a batch.
func together(values []*graph.Value, batch int) int {
	bytes := 0
	for i, v := range values {
		n := 4
		for _, d := range v.Shape {
			if d.Known() {
				n *= max(1, d.Mul)
			} else {
				n *= batch
			}
		}
		if bytes += n; bytes > observed && i > 0 {
			return i
		}
	}
	return len(values)
}
