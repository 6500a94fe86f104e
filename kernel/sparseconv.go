package kernel

import "unsafe"

// SparseConvTask computes a convolution without groups whose weights are sparse.
// Unlike ConvTask it works on planes: input [N,CI,H,W], output [N,CO,OH,OW], as
// ONNX has them, so that the places of a vector share each weight. Slack floats
// behind X must be readable.
type SparseConvTask struct {
	Conv
	X, Y []float32
	Ep   Epilogue // Bias is by output channel; Acc is not supported

	weights *Sparse
	vec     int // floats of a vector
	direct  bool
	hp, p   int // rows and pitch of a padded plane
	phases  int // planes by column modulo the stride
	h, w    int // rows and places of an output plane
	tileH   int
	tilesW  int
	tiles   int
	parts   int // of the output channels
	padding bool
	whole   bool // one piece an image
	cycles  float64
	buf     []float32 // padded images; their borders are zero from the start
}

// Slack is how many floats behind its input a sparse task may read.
const Slack = 16

// NewSparseConv prepares the weights [CO,CI,KH,KW]. It returns nil for a
// convolution that it cannot do: with groups, or with more padding than a
// vector has places.
func NewSparseConv(c Conv, w []float32) *SparseConvTask {
	t := &SparseConvTask{Conv: c, h: c.OutH(), w: c.OutW()}
	t.direct = c.pointwise()
	if t.direct {
		t.h, t.w = 1, c.H*c.W
	}
	t.vec = vectorFor(t.w)
	if c.Groups != 1 || max(c.PadL, c.PadR) > t.vec || t.h*t.w == 0 {
		return nil
	}
	t.hp, t.phases = c.H+c.PadT+c.PadB, c.StrideW
	switch {
	case t.direct:
		t.hp, t.p, t.phases = 1, t.w, 1
	case c.StrideW == 1:
		t.p = t.vec + (c.W+t.vec-1)/t.vec*t.vec
	default:
		t.p = (c.W + c.PadL + c.PadR + c.StrideW - 1) / c.StrideW
	}
	if int64(c.CI)*int64(t.phases*t.hp*t.p)*4 > 1<<31-1 {
		return nil
	}
	taps := c.KH * c.KW
	t.weights = NewSparse(w, c.CO, c.CI*taps, func(col int) int32 {
		ci, ky, kx := col/taps, col%taps/c.KW*c.DilH, col%taps%c.KW*c.DilW
		if t.direct {
			return int32(4 * ci * t.p)
		}
		shift := kx - c.PadL + t.vec
		if c.StrideW > 1 {
			shift = kx / c.StrideW
		}
		return int32(4 * (((ci*t.phases+kx%t.phases)*t.hp+ky)*t.p + shift))
	})
	nv := min(8, (t.w+t.vec-1)/t.vec)
	t.tileH = min(t.h, 8/nv)
	t.tilesW = (t.w + 8*t.vec - 1) / (8 * t.vec)
	t.tiles = t.tilesW * ((t.h + t.tileH - 1) / t.tileH)
	t.cycles = t.cost()
	return t
}

// Weights are the entries in use.
func (t *SparseConvTask) Weights() *Sparse { return t.weights }

// image is the floats of one image with its borders.
func (t *SparseConvTask) image() int { return t.CI * t.phases * t.hp * t.p }

// small is the work, in cycles, that is not worth sharing with another thread.
const small = 15000

// Cost estimates the cycles that Run takes on one core.
func (t *SparseConvTask) Cost() float64 { return t.cycles }

func (t *SparseConvTask) cost() float64 {
	pad := 0.0
	switch {
	case t.direct:
	case t.StrideW == 1:
		pad = 3 * float64(t.CI*t.H*((t.W+t.vec-1)/t.vec))
	default:
		pad = 2 * float64(t.CI*t.H*t.W)
	}
	nv := (t.w + t.vec - 1) / t.vec * t.h
	return float64(t.N) * (pad + t.weights.cost(nv, (nv+7)/8, t.vec, 4*t.image()/t.tiles))
}

// Run computes y.
func (t *SparseConvTask) Run(p *Pool) {
	t.whole = t.N >= 2*p.Threads() || t.cycles < small*float64(t.N)
	if !t.direct {
		images := t.N
		if t.whole {
			images = p.Threads()
		}
		if need := images*t.image() + 2*Slack; len(t.buf) < need {
			t.buf = make([]float32, need)
		}
	}
	if t.whole {
		p.Run(t.N, t)
		return
	}
	if !t.direct {
		t.padding = true
		p.Run(t.N*t.strips(), t)
		t.padding = false
	}
	t.parts = 1
	if t.N*t.tiles < 2*p.Threads() {
		t.parts = min(t.CO, 2*p.Threads())
	}
	p.Run(t.N*t.tiles*t.parts, t)
}

// padRowsPart is how many rows of all planes a piece pads.
const padRowsPart = 4

func (t *SparseConvTask) strips() int { return (t.H + padRowsPart - 1) / padRowsPart }

// Do pads some planes, or computes an image, or a tile of some output channels.
func (t *SparseConvTask) Do(w *Worker, i int) {
	switch {
	case t.padding:
		n, y := i/t.strips(), i%t.strips()*padRowsPart
		t.pad(n, y, min(t.H, y+padRowsPart), t.buf[n*t.image():])
	case t.whole:
		x := t.X[i*t.CI*t.H*t.W:]
		if !t.direct {
			x = t.buf[w.ID*t.image():]
			t.pad(i, 0, t.H, x)
		}
		for tile := range t.tiles {
			t.tile(w, x, i, tile, 0, t.CO)
		}
	default:
		part, tile, n := i%t.parts, i/t.parts%t.tiles, i/t.parts/t.tiles
		x := t.buf
		if t.direct {
			x = t.X[n*t.CI*t.w:]
		} else {
			x = x[n*t.image():]
		}
		t.tile(w, x, n, tile, part*t.CO/t.parts, (part+1)*t.CO/t.parts)
	}
}

// pad writes rows [y0, y1) of the planes of image n between their borders.
func (t *SparseConvTask) pad(n, y0, y1 int, dst []float32) {
	plane := t.phases * t.hp * t.p
	src := t.X[n*t.CI*t.H*t.W : (n+1)*t.CI*t.H*t.W]
	if t.StrideW == 1 {
		padPlanes(t.CI, y1-y0, src[y0*t.W:], t.W, t.H*t.W, dst[(t.PadT+y0)*t.p+t.vec:], t.p, plane, t.vec)
		return
	}
	for k := range t.CI {
		for ph := range t.phases {
			x0 := firstOf(ph, t.PadL, t.StrideW) // the first column of the phase
			for y := y0; y < y1; y++ {
				row := src[(k*t.H+y)*t.W : (k*t.H+y+1)*t.W]
				out := dst[k*plane+(ph*t.hp+t.PadT+y)*t.p+(x0+t.PadL)/t.StrideW:]
				j := 0
				for x := x0; x < t.W; x += t.StrideW {
					out[j] = row[x]
					j++
				}
			}
		}
	}
}

// tile computes one tile of output channels [o0, o1) of image n, whose input
// begins at x.
func (t *SparseConvTask) tile(w *Worker, x []float32, n, tile, o0, o1 int) {
	if o0 == o1 {
		return
	}
	oy, ox := tile/t.tilesW*t.tileH, tile%t.tilesW*8*t.vec
	rows, places := min(t.tileH, t.h-oy), min(8*t.vec, t.w-ox)
	nv := (places + t.vec - 1) / t.vec
	at := ((n*t.CO+o0)*t.h+oy)*t.w + ox
	stride := 1
	if !t.direct {
		stride = t.StrideH
	}
	k := &w.sparse
	*k = sparseTile{Entries: t.weights.first(o0), Counts: unsafe.Pointer(&t.weights.Counts[o0]), Rows: o1 - o0,
		X: unsafe.Pointer(&x[oy*stride*t.p+ox]), XRow: 4 * stride * t.p,
		Y: unsafe.Pointer(&t.Y[at]), YRow: 4 * t.w, YPlane: 4 * t.h * t.w,
		Bias: first(t.Ep.Bias, o0), Res: first(t.Ep.Res, at), Mask: maskOf(t.vec, places-(nv-1)*t.vec)}
	if lo, hi, ok := t.Ep.Bounds(); ok {
		k.Flags, k.Lo, k.Hi = flagClip, lo, hi
	}
	runSparse(k, t.vec, rows, nv, places)
	*k = sparseTile{}
}

// first points at the first entry of row o.
func (s *Sparse) first(o int) unsafe.Pointer {
	if len(s.Entries) == 0 {
		return nil
	}
	return unsafe.Pointer(unsafe.SliceData(s.Entries[s.Starts[o]:]))
}
