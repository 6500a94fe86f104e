package kernel

import "unsafe"

// SparseConvTask computes a convolution without groups whose weights are sparse.
// Unlike ConvTask it works on planes: input [N,CI,H,W], output [N,CO,OH,OW], as
// ONNX has them, so that the places of a vector share each weight. For a tile of
// the output, the rows of some input channels (a slab) are brought together;
// where that pays, once for each column of the kernel, so that every vector lies
// in one line of the cache. Slabs are added up in the output.
type SparseConvTask struct {
	Conv
	X, Y []float32
	Ep   Epilogue // Bias is by output channel; Acc is not supported

	weights  *Sparse // by slab and output channel
	vec      int     // floats of a vector
	direct   bool    // each plane is one row
	inPlace  bool    // the input's planes are read where they are
	h, w     int     // rows and places of an output plane
	tileH    int
	tilesW   int
	tiles    int
	nv       int     // vectors of a tile's row
	rows     int     // of a plane that a tile reads
	rowStep  int     // distance of these in the input
	p        int     // pitch of these
	copies   int     // KW, or 1: rows between borders, of which each column of the kernel reads its part
	slab     int     // input channels
	share    int     // what a piece of the work is
	parts    int     // of the output channels
	tileCost float64 // cycles of a tile
	cycles   float64
}

// Slack is how many floats behind its input a sparse task may read.
const Slack = 32

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
	t.inPlace = t.direct && t.w%t.vec == 0
	t.nv = min(8, (t.w+t.vec-1)/t.vec)
	t.tilesW = (t.w + 8*t.vec - 1) / (8 * t.vec)
	down := (t.h + 8/t.nv - 1) / (8 / t.nv)
	t.tileH = (t.h + down - 1) / down
	t.tiles = t.tilesW * ((t.h + t.tileH - 1) / t.tileH)
	switch {
	case t.direct:
		t.rows, t.rowStep = 1, 1
	case c.KH == 1:
		t.rows, t.rowStep = t.tileH, c.StrideH
	default:
		t.rows, t.rowStep = (t.tileH-1)*c.StrideH+c.DilH*(c.KH-1)+1, 1
	}
	if int64(c.CI)*int64(max(c.KW*t.rows*t.nv*t.vec, t.rows*(c.W+2*t.vec), t.w)) > 1<<29 {
		return nil
	}
	blocks := false
	for _, form := range countSparse(w, c.CO, c.CI*c.KH*c.KW) {
		for _, copies := range []int{c.KW, 1} {
			if copies < c.KW && (c.StrideW > 1 || t.tilesW > 1) {
				continue
			}
			if one := *t; one.layOut(form, copies) < t.cycles || t.copies == 0 {
				*t, blocks = one, form.blocks
			}
		}
	}
	taps := c.KH * c.KW
	t.weights = NewSparse(w, c.CO, c.CI*taps, t.slab*taps, blocks, func(col int) int32 {
		ci, ky, kx := col/taps, col%taps/c.KW, col%c.KW
		switch {
		case t.inPlace:
			return int32(4 * ci * t.w)
		case t.copies < c.KW:
			return int32(4 * (t.p*(ci%t.slab*t.rows+ky*c.DilH) + t.vec + kx*c.DilW - c.PadL))
		}
		return int32(4 * t.p * ((ci%t.slab*c.KW+kx)*t.rows + ky*c.DilH))
	})
	return t
}

// layOut chooses slabs for 1 or KW copies of the rows and estimates the cycles.
func (t *SparseConvTask) layOut(form sparseCount, copies int) float64 {
	t.copies, t.p = copies, t.nv*t.vec
	if copies < t.KW {
		t.p = t.vec + (t.W+t.vec-1)/t.vec*t.vec
	}
	t.slab, t.cycles = slabOf(t.CI, 4*copies*t.rows*t.p, form, t.nv*t.tileH, t.vec, copies < t.KW)
	if !t.inPlace {
		row := 3 + 2.2*float64(t.p/t.vec) // of a row that is brought
		if t.vec == 8 {
			row = 3 + 1.2*float64(t.p/t.vec)
		}
		switch {
		case t.StrideW == 2:
			row += .1 * float64(t.p)
		case t.StrideW > 2:
			row += 2 * float64(t.p)
		}
		t.cycles += float64(t.CI*copies*t.rows) * row
	}
	t.tileCost = t.cycles
	t.cycles *= float64(t.N * t.tiles)
	return t.cycles
}

// For is the same convolution of n images; the weights are shared.
func (t *SparseConvTask) For(n int) *SparseConvTask {
	c := *t
	c.N, c.X, c.Y, c.Ep = n, nil, nil, Epilogue{}
	c.cycles = c.tileCost * float64(n*t.tiles)
	return &c
}

// small is the work, in cycles, that is not worth sharing with another thread.
const small = 15000

// Blocks says whether four output channels share their entries.
func (t *SparseConvTask) Blocks() bool { return t.weights.Blocks != nil }

// Cost estimates the cycles that Run takes on one core.
func (t *SparseConvTask) Cost() float64 { return t.cycles }

// Run computes y.
func (t *SparseConvTask) Run(p *Pool) {
	switch {
	case t.N >= 2*p.Threads() || t.cycles < small*float64(t.N):
		t.share = byImage
		p.Run(t.N, t)
	case t.tiles >= p.Threads() && t.lines():
		t.share = byTile
		p.Run(t.N*t.tiles, t)
	default:
		t.share, t.parts = byChannel, min(p.Threads(), t.CO)
		p.Run(t.N*t.parts, t)
	}
}

// What a piece of the work is.
const (
	byImage = iota
	byTile
	byChannel // all tiles of some output channels, so that threads do not write to the same lines of the cache
)

// lines says whether tiles are of whole lines of the cache.
func (t *SparseConvTask) lines() bool {
	const line = 16
	tile := t.tileH * t.w
	if t.tilesW > 1 && t.h > 1 {
		tile = t.w
	}
	return t.h*t.w%line == 0 && (t.direct || tile%line == 0)
}

// Do computes an image, a tile of it, or some output channels of it.
func (t *SparseConvTask) Do(w *Worker, i int) {
	switch t.share {
	case byTile:
		t.tile(w, i/t.tiles, i%t.tiles, 0, t.CO)
	case byChannel:
		n, part, g := i/t.parts, i%t.parts, t.weights.group()
		for tile := range t.tiles {
			t.tile(w, n, tile, part*(t.CO/g)/t.parts*g, (part+1)*(t.CO/g)/t.parts*g)
		}
	default:
		for tile := range t.tiles {
			t.tile(w, i, tile, 0, t.CO)
		}
	}
}

// tile computes one tile of output channels [o0, o1) of image n.
func (t *SparseConvTask) tile(w *Worker, n, tile, o0, o1 int) {
	if o0 == o1 {
		return
	}
	oy, ox := tile/t.tilesW*t.tileH, tile%t.tilesW*8*t.vec
	rows, places := min(t.tileH, t.h-oy), min(8*t.vec, t.w-ox)
	nv := (places + t.vec - 1) / t.vec
	at := ((n*t.CO+o0)*t.h+oy)*t.w + ox
	x := t.X[n*t.CI*t.H*t.W:]
	k := &w.sparse
	*k = sparseTile{Y: unsafe.Pointer(&t.Y[at]), YRow: 4 * t.w, YPlane: 4 * t.h * t.w,
		Bias: first(t.Ep.Bias, o0)}
	if t.inPlace {
		k.X = unsafe.Pointer(&x[ox])
	} else {
		x = w.aligned(t.slab*t.copies*t.rows*t.p + 2*t.vec)
		k.X, k.XRow = unsafe.Pointer(&x[0]), 4*t.p
		if t.rowStep == 1 && !t.direct {
			k.XRow *= t.StrideH
		}
	}
	for c := 0; c < t.CI; c += t.slab {
		if !t.inPlace {
			t.pack(n, oy, ox, c, min(t.CI, c+t.slab), nv, x)
		}
		t.weights.rows(k, c/t.slab*t.CO, o0, o1)
		if c > 0 {
			k.Flags, k.Bias = flagAcc, nil
		}
		if c+t.slab >= t.CI {
			k.Res = first(t.Ep.Res, at)
			if lo, hi, ok := t.Ep.Bounds(); ok {
				k.Flags |= flagClip
				k.Lo, k.Hi = lo, hi
			}
		}
		runSparse(k, t.vec, rows, nv, places)
	}
	*k = sparseTile{}
}

// pack brings together what a tile at (oy, ox) of image n needs of the input
// channels [c0, c1).
func (t *SparseConvTask) pack(n, oy, ox, c0, c1, nv int, dst []float32) {
	height, width, y0 := t.H, t.W, oy*t.StrideH-t.PadT
	if t.direct {
		height, width, y0 = 1, t.H*t.W, oy
	}
	src := t.X[(n*t.CI+c0)*height*width : (n*t.CI+c1)*height*width]
	plane := t.copies * t.rows * t.p
	// rows [r0, r1) are in the image
	r0 := min(t.rows, max(0, (-y0+t.rowStep-1)/t.rowStep))
	r1 := max(r0, min(t.rows, (height-y0+t.rowStep-1)/t.rowStep))
	left := 0
	if t.copies < t.KW { // the border right of a row is left of the next
		left, nv = t.vec-t.PadL, t.p/t.vec
		clear(dst[(c1-c0)*plane:][:2*t.vec])
	}
	for kx := range t.copies {
		x0 := ox*t.StrideW + kx*t.DilW - t.PadL - left // of the first place
		out := dst[kx*t.rows*t.p:]
		for _, r := range [][2]int{{0, r0}, {r1, t.rows}} { // above and below
			if r[0] < r[1] {
				packRows(c1-c0, r[1]-r[0], src, 0, 0, 0, out[r[0]*t.p:], t.p, plane, 0, 0, nv, t.vec)
			}
		}
		if r0 == r1 {
			continue
		}
		out = out[r0*t.p:]
		from := (y0+r0*t.rowStep)*width + x0
		if t.StrideW == 1 {
			lo, hi := max(0, -x0), min(nv*t.vec, width-x0)
			packRows(c1-c0, r1-r0, src, from, t.rowStep*width, height*width, out, t.p, plane, lo, hi, nv, t.vec)
			continue
		}
		lo := max(0, (-x0+t.StrideW-1)/t.StrideW)
		hi := max(lo, min(nv*t.vec, (width-x0+t.StrideW-1)/t.StrideW))
		packStrided(c1-c0, r1-r0, src, from, t.StrideW, t.rowStep*width, height*width, out, t.p, plane, lo, hi, nv, t.vec)
	}
}
