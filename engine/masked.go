package engine

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/internal/kernel"
	"pare/tensor"
)

// masked is a kernel that leaves out what a mask cuts.
type masked interface {
	Mask(mask []uint64)
	Cost() float64
	Run(p *kernel.Pool)
}

// choice is a step that can be done densely or under a mask. Which it is, the
// cost model says when the mask is given; the buffers are the same.
type choice struct {
	masked masked
	bind   func() // gives the masked kernel its memory
	dense  func(*kernel.Pool)
	whole  *bool // masked results are wanted in full at present
	macs   int
	n      int       // entries of the weight
	out    []float32 // the masked result of a gradient; nil for products with a weight
	dirty  func()    // says that the dense kernel wrote to it
	step   *step
	name   string // the dense kernel's

	mask []uint64 // nil: none
	on   bool
}

// MaskWeight says which entries of a trained weight may be other than zero: bit
// i%64 of word i/64 is entry i. It is for the caller to keep the others at zero.
// Steps that read the weight leave them out where that is estimated to be faster.
// The mask may be given anew, or taken back with nil, between runs; it is read
// during this call alone.
func (p *Program) MaskWeight(w *tensor.Tensor, mask []uint64) error {
	if mask != nil && len(mask)*64 < w.Len() {
		return fmt.Errorf("a mask of %d bits does not fit a weight of %d entries", 64*len(mask), w.Len())
	}
	for _, c := range p.weights[w] {
		c.set(mask)
	}
	return nil
}

// MaskValue says which entries of a value that Compile was asked for are wanted;
// the others are zero. It is MaskWeight's counterpart for gradients.
func (p *Program) MaskValue(v *graph.Value, mask []uint64) error {
	i, ok := p.want[v]
	if !ok {
		return fmt.Errorf("value %q is not wanted of this plan", v.Name)
	}
	o := p.outputs[i]
	if mask != nil && len(mask)*64 < sizeOf(o) {
		return fmt.Errorf("a mask of %d bits does not fit a value of %d entries", 64*len(mask), sizeOf(o))
	}
	if c := p.grads[o]; c != nil {
		c.set(mask)
		return nil
	}
	delete(p.cut, o)
	if mask != nil {
		p.cut[o] = append([]uint64{}, mask...)
	}
	return nil
}

// Whole says whether masked values are to be computed in full: while it is on, runs
// ignore the masks of MaskValue, not those of MaskWeight.
func (p *Program) Whole(on bool) { p.whole = on }

// keep applies the masks of values that no step applies.
func (p *Program) keep() {
	if p.whole {
		return
	}
	for i, o := range p.outputs {
		if mask := p.cut[o]; mask != nil {
			kernel.Keep(mask, p.result(i).F32())
		}
	}
}

// set gives the step a mask and decides how it is done.
func (c *choice) set(mask []uint64) {
	c.mask, c.on = append(c.mask[:0], mask...), false
	c.step.kernel, c.step.why = c.name, ""
	if mask == nil {
		c.mask = nil
		return
	}
	kept := kernel.Kept(mask, c.n)
	cut := 1 - float64(kept)/float64(c.n)
	if cut < .5 {
		c.step.why = fmt.Sprintf("%.0f %% cut", 100*cut)
		return
	}
	c.masked.Mask(mask)
	c.on, c.step.why = sparser(denseCost*float64(c.macs), c.masked.Cost(), cut)
	if c.on {
		c.step.kernel = "masked " + c.name
	}
}

// either is how a step runs that can be done densely as given, or as the choice
// says; a nil choice leaves it dense.
func (c *choice) either(dense func(*kernel.Pool)) func(*kernel.Pool) {
	if c == nil {
		return dense
	}
	c.dense = dense
	return c.run
}

func (c *choice) run(p *kernel.Pool) {
	switch {
	case c.on && (c.out == nil || !*c.whole):
		c.masked.Run(p)
	case c.out != nil && c.mask != nil:
		c.dense(p)
		c.dirty()
		if !*c.whole {
			kernel.Keep(c.mask, c.out)
		}
	default:
		c.dense(p)
	}
}

// bindMemory gives the masked kernel the memory of the dense one, which has it
// already.
func (c *choice) bindMemory() {
	if c != nil {
		c.bind()
	}
}

// of ties the choice to its step.
func (c *choice) of(s *step) {
	if c != nil {
		c.step, c.name = s, s.kernel
	}
}

// trained says whether a weight's mask may be given while the plan is used.
func (l *lowering) trained(w *graph.Value) bool {
	return w.Const != nil && !l.once(w) && w.Const.F32() != nil
}

// result makes a buffer for a value. One that is wanted of the plan and may be
// masked has memory of its own, so that what is zero stays so.
func (l *lowering) result(v *graph.Value, maskable bool) *buffer {
	if !maskable || !l.g.IsOutput(v) {
		return l.make(v, plain)
	}
	b := &buffer{n: sizeOf(v), fixed: true}
	b.data = make([]float32, b.n)
	l.put(v, plain, b)
	return b
}

// short says whether 32 bits can number the places of a tile of a matrix, 128
// rows at most, and the entries of a weight.
func short(in, out int) bool {
	return max(in, out) < math.MaxInt32/4/128 && in < math.MaxInt32/max(out, 1)
}

// maskedProduct is a product whose right-hand matrix is a trained weight.
func (l *lowering) maskedProduct(w *graph.Value, t *kernel.GemmTask) *choice {
	if t.TransA || t.Batch > 1 || !l.trained(w) || !short(t.K, t.N) {
		return nil
	}
	m := &kernel.MaskedGemmTask{M: t.M, N: t.N, K: t.K, Trans: t.TransB}
	c := &choice{masked: m, whole: &l.whole, macs: t.M * t.N * t.K, n: t.N * t.K, bind: func() { m.X, m.W, m.Y, m.Ep = t.A, t.B, t.C, t.Ep }}
	l.weights[w.Const] = append(l.weights[w.Const], c)
	return c
}

// maskedOuter is a product A'*B, wanted of the plan, of activations and gradients.
func (l *lowering) maskedOuter(y *graph.Value, t *kernel.GemmTask) *choice {
	if !t.TransA || t.TransB || t.Ep.Bias != nil || !short(t.M, t.N) {
		return nil
	}
	m := &kernel.MaskedGemmGradTask{M: t.K, N: t.N, K: t.M}
	c := &choice{masked: m, whole: &l.whole, macs: t.M * t.N * t.K, n: t.M * t.N, dirty: m.Dirty}
	c.bind = func() { m.X, m.DY, m.DW, c.out = t.A, t.B, t.C, t.C }
	l.grads[y] = c
	return c
}

// macsOf counts multiply-accumulates of a convolution without groups, where the
// channels that make a vector are filled up to half of one: of the input
// backward, else of the output.
func macsOf(g *kernel.Conv, back bool) int {
	full := func(n int) int { return (n + 7) &^ 7 }
	n := g.N * g.OutH() * g.OutW() * g.KH * g.KW
	if back {
		return n * g.CO * full(g.CI)
	}
	return n * full(g.CO) * g.CI
}

// parallel says whether a masked convolution, which works image by image, leaves
// enough to do at once. It does not ask for the threads that there are: results
// must not depend on them.
func parallel(g *kernel.Conv) bool { return g.Masked() && g.N >= 8 }

func (l *lowering) maskedConv(w *graph.Value, t *kernel.ConvTask) *choice {
	if !parallel(&t.Conv) || !l.trained(w) {
		return nil
	}
	m := &kernel.MaskedConvTask{Conv: t.Conv, W: w.Const.F32()}
	c := &choice{masked: m, whole: &l.whole, macs: macsOf(&t.Conv, false), n: sizeOf(w), bind: func() { m.X, m.Y, m.Ep = t.X, t.Y, t.Ep }}
	l.weights[w.Const] = append(l.weights[w.Const], c)
	return c
}

func (l *lowering) maskedConvInput(w *graph.Value, t *kernel.ConvInputGradTask) *choice {
	if !parallel(&t.Conv) || !l.trained(w) {
		return nil
	}
	m := &kernel.MaskedConvInputGradTask{Conv: t.Conv, W: w.Const.F32()}
	c := &choice{masked: m, whole: &l.whole, macs: macsOf(&t.Conv, true), n: sizeOf(w), bind: func() { m.DY, m.DX = t.DY, t.DX }}
	l.weights[w.Const] = append(l.weights[w.Const], c)
	return c
}

func (l *lowering) maskedConvWeight(out *graph.Value, t *kernel.ConvWeightGradTask, dw *buffer) *choice {
	if !parallel(&t.Conv) || !dw.fixed {
		return nil
	}
	m := &kernel.MaskedConvWeightGradTask{Conv: t.Conv}
	c := &choice{masked: m, whole: &l.whole, macs: macsOf(&t.Conv, false), n: sizeOf(out), out: dw.data, dirty: m.Dirty, bind: func() { m.X, m.DY, m.DW = t.X, t.DY, dw.data }}
	l.grads[out] = c
	return c
}
