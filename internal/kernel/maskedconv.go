package kernel

import (
	"math"
	"unsafe"
)

// MaskedConvTask computes a convolution with an epilogue, where only the entries
// of the weight that a mask keeps count. The weight W is [CO,CI,KH,KW], as ONNX
// has it, and read at every run; activations are NHWC. The mask may change
// between runs.
type MaskedConvTask struct {
	Conv
	X, W, Y []float32
	Ep      Epilogue // Acc and RowBias are not supported
	planes  planeConv
}

// Masked says whether the masked convolutions can do c: without groups, with
// images whose places 32 bits can number.
func (c *Conv) Masked() bool {
	if c.Groups != 1 || c.H+c.PadT+c.PadB <= c.DilH*(c.KH-1) || c.W+c.PadL+c.PadR <= c.DilW*(c.KW-1) {
		return false
	}
	// no plane has more than this, of the input or, wider by the kernel, of the output
	h, w := c.H+c.PadT+c.PadB+c.DilH*c.KH+c.StrideH, c.W+c.PadL+c.PadR+c.DilW*c.KW+2*Slack+c.StrideW
	return float64(max(c.CI, c.CO))*float64(h)*float64(w)*4 < math.MaxInt32
}

// flat treats a convolution by 1x1 as one over a single row.
func (c Conv) flat() Conv {
	if c.pointwise() {
		c.H, c.W = 1, c.H*c.W
	}
	return c
}

// Mask says which entries of W count: bit i%64 of word i/64 is entry i.
func (t *MaskedConvTask) Mask(mask []uint64) {
	c := t.Conv.flat()
	vec := vectorFor(c.OutW())
	q := newPlanar(c.CI, c.H, c.W, c.StrideW, c.PadT, c.PadL, c.PadB, c.PadR, vec)
	t.planes = planeConv{n: c.N, src: q, vec: vec, outC: c.CO, oh: c.OutH(), ow: c.OutW(), stepY: 1, stepX: 1, rowStep: c.StrideH, weights: t.planes.weights, buf: t.planes.buf}
	t.planes.phases = append(t.planes.phases, phase{h: c.OutH(), w: c.OutW()})
	taps := c.KH * c.KW
	t.planes.weights.fill(mask, c.CO*c.CI*taps, c.CO, func(i int) (int, int32) {
		return i / (c.CI * taps), c.offset(&q, i)
	})
}

// offset is where the input of weight i is, from the place of the output.
func (c *Conv) offset(q *planar, i int) int32 {
	tap, ci := i%(c.KH*c.KW), i/(c.KH*c.KW)%c.CI
	return int32(4 * q.at(ci, tap/c.KW*c.DilH, tap%c.KW*c.DilW))
}

// Cost estimates the cycles that Run takes on one core.
func (t *MaskedConvTask) Cost() float64 { return t.planes.cost() }

// Run computes y.
func (t *MaskedConvTask) Run(p *Pool) { t.planes.run(p, t.X, t.W, t.Y, &t.Ep) }

// MaskedConvInputGradTask computes dx = conv'(dy, w), where only the entries of
// the weight that a mask keeps count; W is [CO,CI,KH,KW].
type MaskedConvInputGradTask struct {
	Conv
	DY, W, DX []float32
	planes    planeConv
}

// Mask says which entries of W count: bit i%64 of word i/64 is entry i.
func (t *MaskedConvInputGradTask) Mask(mask []uint64) {
	c := t.Conv.flat()
	oh, ow, sh, sw := c.OutH(), c.OutW(), c.StrideH, c.StrideW
	// row y = sh*y'+py of dx has terms with row y'+(py+PadT-ky*DilH)/sh of dy, where that is whole
	top := max(0, ((c.KH-1)*c.DilH-c.PadT+sh-1)/sh)
	left := max(0, ((c.KW-1)*c.DilW-c.PadL+sw-1)/sw)
	h0, w0 := (c.H+sh-1)/sh, (c.W+sw-1)/sw // of the first phase
	bottom := max(0, h0+(sh-1+c.PadT)/sh-oh)
	right := max(0, w0+(sw-1+c.PadL)/sw-ow)
	vec := vectorFor(w0)
	q := newPlanar(c.CO, oh, ow, 1, top, left, bottom, right, vec)
	t.planes = planeConv{n: c.N, src: q, vec: vec, outC: c.CI, oh: c.H, ow: c.W, stepY: sh, stepX: sw, rowStep: 1, weights: t.planes.weights, buf: t.planes.buf}
	for py := range min(sh, c.H) {
		for px := range min(sw, c.W) {
			t.planes.phases = append(t.planes.phases, phase{py, px, (c.H - py + sh - 1) / sh, (c.W - px + sw - 1) / sw})
		}
	}
	across := min(sw, c.W)
	taps := c.KH * c.KW
	t.planes.weights.fill(mask, c.CO*c.CI*taps, len(t.planes.phases)*c.CI, func(i int) (int, int32) {
		tap, ci, o := i%taps, i/taps%c.CI, i/taps/c.CI
		ky, kx := tap/c.KW*c.DilH-c.PadT, tap%c.KW*c.DilW-c.PadL
		py, px := mod(ky, sh), mod(kx, sw) // the phase it counts in
		if py >= c.H || px >= c.W {
			return -1, 0 // the image is smaller than the stride
		}
		return (py*across+px)*c.CI + ci, int32(4 * q.at(o, top+(py-ky)/sh, left+(px-kx)/sw))
	})
}

func mod(a, b int) int { return (a%b + b) % b }

// Cost estimates the cycles that Run takes on one core.
func (t *MaskedConvInputGradTask) Cost() float64 { return t.planes.cost() }

// Run computes dx.
func (t *MaskedConvInputGradTask) Run(p *Pool) { t.planes.run(p, t.DY, t.W, t.DX, &noEpilogue) }

// planeConv is the sum over kept weights that both have: planes of the result,
// by phase, from shifted planes of the source.
type planeConv struct {
	n            int // images
	src          planar
	vec          int
	outC, oh, ow int
	stepY, stepX int // distance of a phase's rows and columns in the result
	rowStep      int // rows of the source from row to row of the result
	phases       []phase
	weights      Sparse // by phase and channel of the result
	buf          []float32

	x, w, y []float32
	ep      *Epilogue
	values  bool
}

// phase is the part of the result that begins at row y and column x.
type phase struct{ y, x, h, w int }

func (t *planeConv) cost() float64 {
	sum := 0.0
	for i, ph := range t.phases {
		nv := (ph.w + t.vec - 1) / t.vec * ph.h
		tiles := (nv + 7) / 8
		entries := t.weights.Starts[(i+1)*t.outC] - t.weights.Starts[i*t.outC]
		sum += float64(tiles) * (float64(entries)*sumCost((nv+tiles-1)/tiles, t.vec, 4*t.src.floats()/tiles) + float64(t.outC)*rowCost)
	}
	return moveCost(t.n*(t.src.c*t.src.h*t.src.w+t.outC*t.oh*t.ow)) + float64(t.n)*sum + valueCost*float64(len(t.weights.At))
}

// run computes y [n, oh, ow, outC] from x and the dense weight w.
func (t *planeConv) run(p *Pool, x, w, y []float32, ep *Epilogue) {
	t.x, t.w, t.y, t.ep = x, w, y, ep
	t.values = true
	p.Run((len(t.weights.At)+values-1)/values, t)
	t.values = false
	if need := p.Threads() * t.src.floats(); len(t.buf) != need {
		t.buf = make([]float32, need)
	}
	p.Run(t.n, t)
	t.x, t.w, t.y, t.ep = nil, nil, nil, nil
}

// Do reads some values, or computes an image.
func (t *planeConv) Do(w *Worker, i int) {
	if t.values {
		t.weights.refresh(t.w, i*values, min(len(t.weights.At), (i+1)*values))
		return
	}
	x := t.buf[w.ID*t.src.floats():][:t.src.floats()]
	t.src.put(t.x[i*t.src.h*t.src.w*t.src.c:], x)
	at := i * t.oh * t.ow * t.outC
	for k := range t.phases {
		ph := &t.phases[k]
		wide := 8 * t.vec
		high := max(1, 8/((min(ph.w, wide)+t.vec-1)/t.vec))
		for y := 0; y < ph.h; y += high {
			for px := 0; px < ph.w; px += wide {
				t.tile(w, x, k, y, px, min(high, ph.h-y), min(wide, ph.w-px), at)
			}
		}
	}
}

// tile computes some rows and places of a phase, of all channels.
func (t *planeConv) tile(w *Worker, x []float32, ph, y, px, rows, places, at int) {
	r0, q := ph*t.outC, &t.phases[ph]
	out := w.Scratch(0, t.outC*rows*places)
	k := &w.sparse
	nv := (places + t.vec - 1) / t.vec
	*k = sparseTile{Entries: t.weights.first(r0), Counts: unsafe.Pointer(&t.weights.Counts[r0]), Rows: t.outC,
		X: unsafe.Pointer(&x[y*t.rowStep*t.src.p+px]), XRow: 4 * t.rowStep * t.src.p,
		Y: unsafe.Pointer(&out[0]), YRow: 4 * places, YPlane: 4 * rows * places,
		Bias: first(t.ep.Bias, 0)}
	lo, hi, bound := t.ep.Bounds()
	if bound && t.ep.Res == nil {
		k.Flags, k.Lo, k.Hi = flagClip, lo, hi
	}
	runSparse(k, t.vec, rows, nv, places)
	*k = sparseTile{}
	at += ((q.y+y*t.stepY)*t.ow + q.x + px*t.stepX) * t.outC
	if t.stepX == 1 && t.stepY == 1 && places == t.ow {
		transpose(out, rows*places, t.y[at:], t.outC, t.outC, rows*places)
		t.finish(at, rows*places*t.outC, lo, hi, bound)
		return
	}
	for r := range rows {
		transpose(out[r*places:], rows*places, t.y[at:], t.stepX*t.outC, t.outC, places)
		if t.ep.Res != nil {
			t.finish(at, places*t.outC, lo, hi, bound)
		}
		at += t.stepY * t.ow * t.outC
	}
}

// finish adds the residual to n numbers of the result.
func (t *planeConv) finish(at, n int, lo, hi float32, bound bool) {
	if t.ep.Res == nil {
		return
	}
	y := t.y[at : at+n]
	Add(y, t.ep.Res[at:at+n], y)
	if bound {
		Clip(y, lo, hi, y)
	}
}
