package interop

import (
	"errors"
	"fmt"
	"math"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// step differentiates the mean square of the outputs and takes a small step
// down the gradient, which must lower it by what the gradient says.
func (v *judged) step(g *graph.Graph) error {
	c, m := g.Clone(true)
	if err := op.Bind(c, v.bound(c)); err != nil {
		return err
	}
	op.Fuse(c)
	b := op.NewBuilder(c, "loss")
	var loss *graph.Value
	for _, o := range c.Outputs {
		if !o.DType.IsFloat() {
			continue
		}
		s := b.Attr("ReduceMean", []graph.Attr{graph.MakeAttr("keepdims", 0)}, b.Op("Mul", o, o))
		if loss != nil {
			s = b.Op("Add", loss, s)
		}
		loss = s
	}
	if err := b.Err(); err != nil {
		return err
	}
	var wrt []*graph.Value
	for _, p := range g.Params() {
		if m[p].DType == tensor.Float32 {
			wrt = append(wrt, m[p])
		}
	}
	grads, err := op.Gradient(c, loss, nil, wrt)
	if err != nil {
		return err
	}
	want := []*graph.Value{loss}
	for _, d := range grads {
		if d != nil {
			want = append(want, d)
		}
	}
	if len(want) == 1 {
		return errors.New("the loss depends on no weight")
	}
	p, err := engine.Compile(c, v.bound(c), engine.Options{Threads: 1}, want...)
	if err != nil {
		return err
	}
	defer p.Close()
	feedAll(p, v.in)
	if err := p.Run(); err != nil {
		return err
	}
	before, norm := float64(p.Value(loss).F32()[0]), 0.0
	moved := map[*graph.Value][]float32{}
	for i, w := range wrt {
		if grads[i] == nil {
			continue
		}
		moved[w] = append([]float32{}, p.Value(grads[i]).F32()...)
		for k, d := range moved[w] {
			if math.IsNaN(float64(d)) || math.IsInf(float64(d), 0) {
				return fmt.Errorf("the gradient of %s is %v at entry %d", w.Name, d, k)
			}
			norm += float64(d) * float64(d)
		}
	}
	if norm == 0 {
		return errors.New("the gradient is zero")
	}
	var ratio float64
	done := 0.0
	for _, part := range []float64{1e-3, 1e-4} {
		lr := part * before / norm
		for w, d := range moved {
			x := w.Const.F32()
			for k := range x {
				x[k] -= float32((lr - done) * float64(d[k]))
			}
		}
		done = lr
		if err := p.Run(); err != nil {
			return err
		}
		if ratio = (before - float64(p.Value(loss).F32()[0])) / (part * before); ratio > .5 && ratio < 1.5 {
			return nil
		}
	}
	return fmt.Errorf("a step down the gradient lowers the loss by %.2g of what the gradient says", ratio)
}
