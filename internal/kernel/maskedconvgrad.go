package kernel

import "unsafe"

// MaskedConvWeightGradTask computes the gradient of a convolution's weight, DW
// [CO,CI,KH,KW], at the entries that a mask keeps, and 0 elsewhere. The images
// are summed in a fixed number of chunks, these in their order, so the result
// does not depend on the number of threads. Nothing else may write to DW between
// runs, unless Dirty is called.
type MaskedConvWeightGradTask struct {
	Conv
	X, DY, DW []float32

	live   samples // by output channel
	vec    int
	src    planar // of x
	dp     int    // pitch of dy
	chunks int
	buf    []float32
}

// Mask says which entries of DW are wanted: bit i%64 of word i/64 is entry i.
func (t *MaskedConvWeightGradTask) Mask(mask []uint64) {
	c := t.Conv.flat()
	t.vec = vectorFor(c.OutW())
	t.src = newPlanar(c.CI, c.H, c.W, c.StrideW, c.PadT, c.PadL, c.PadB, c.PadR, t.vec)
	t.dp = (c.OutW() + t.vec - 1) / t.vec * t.vec
	t.chunks = min(c.N, 8)
	taps := c.KH * c.KW
	t.live.fill(mask, c.CO*c.CI*taps, c.CO, t.chunks, func(i int) (int, int32) {
		return i / (c.CI * taps), c.offset(&t.src, i)
	})
}

// Dirty says that something else has written to DW.
func (t *MaskedConvWeightGradTask) Dirty() { t.live.clean = false }

// Cost estimates the cycles that Run takes on one core.
func (t *MaskedConvWeightGradTask) Cost() float64 {
	c := t.Conv.flat()
	entries := float64(len(t.live.at))
	return moveCost(c.N*(c.CI*c.H*c.W+c.CO*c.OutH()*c.OutW())) +
		entries*(valueCost+float64(c.N)*sampleCost(t.dp/t.vec*c.OutH(), t.vec, min(4*t.src.floats(), 32<<10)))
}

// Run computes dw.
func (t *MaskedConvWeightGradTask) Run(p *Pool) {
	if need := p.Threads() * t.src.floats(); len(t.buf) != need {
		t.buf = make([]float32, need)
	}
	p.Run(t.chunks, t)
	t.live.finish(t.chunks, t.DW)
}

// Do sums one chunk of the images.
func (t *MaskedConvWeightGradTask) Do(w *Worker, k int) {
	if len(t.live.at) == 0 {
		return
	}
	c := t.Conv.flat()
	oh, ow := c.OutH(), c.OutW()
	sum := t.live.chunk(k, 0)
	clear(sum[:len(t.live.at)])
	x := t.buf[w.ID*t.src.floats():][:t.src.floats()]
	plane := oh * t.dp
	d := w.Scratch(0, c.CO*plane)
	for n := k * c.N / t.chunks; n < (k+1)*c.N/t.chunks; n++ {
		t.src.put(t.X[n*c.H*c.W*c.CI:], x)
		dy := t.DY[n*oh*ow*c.CO:]
		if t.dp == ow {
			transpose(dy, c.CO, d, plane, oh*ow, c.CO)
		} else {
			for y := range oh {
				transpose(dy[y*ow*c.CO:], c.CO, d[y*t.dp:], plane, ow, c.CO)
			}
		}
		s := &w.sampled
		*s = sampled{Offs: unsafe.Pointer(&t.live.offs[0]), Counts: unsafe.Pointer(&t.live.counts[0]), Rows: c.CO,
			X: unsafe.Pointer(&x[0]), XRow: 4 * c.StrideH * t.src.p,
			D: unsafe.Pointer(&d[0]), DRow: 4 * t.dp, DPlane: 4 * plane, R: oh, Sum: unsafe.Pointer(&sum[0])}
		runSampled(s, t.vec, ow)
		*s = sampled{}
	}
}
