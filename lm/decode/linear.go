package decode

import (
	"slices"

	"pare/internal/kernel"
)

// few is up to how many rows are multiplied by inner products with the rows of a matrix,
// which then is read once from memory and again from the cache. More are a product of
// matrices.
const few = 16

// tileFloats is how many floats of a packed matrix are written out at once for a product
// with many rows: they stay in the cache. Tests take less.
var tileFloats = 1 << 19

// pieceRows is how many rows of a matrix with k columns a piece of work has: as many as
// stay in the cache of a core, and whole panels of a matrix of whole numbers.
func pieceRows(k int) int { return min(max(1<<16/k, 4), 16) &^ 3 * 4 }

// pieces is how many of them there are. What is left over is part of the last, so that none
// has less than four rows where there are as many.
func (p *product) pieces() int { return max(p.out/pieceRows(p.in), 1) }

// linear multiplies rows [n in] by one matrix or several side by side: y [n ldy].
type linear struct {
	parts  []*product
	x, y   []float32
	n, ldy int
	g      kernel.GemmTask
	tile   tile
	padded []float32 // few rows, filled up with zeros to what packed matrices take
	ldx    int       // how far they are apart
	whole  kernel.WholeRows
	only   [1]*product
}

// room makes what products with packed matrices need, with so many rows at most.
func (t *linear) room(all []*product, rows int) {
	wide, tile := 0, 0
	if k := widestWhole(all); k > 0 {
		t.whole.Room(rows, k)
	}
	for _, p := range all {
		if w := kernel.PackedWidth(p.in); p.packed != nil {
			tile = max(tile, w*min(p.out, p.tileRows()))
			if w != p.in {
				wide = max(wide, w)
			}
		}
	}
	t.padded, t.tile.w = make([]float32, few*wide), make([]float32, tile)
}

// tileRows is how many rows of a packed matrix are written out at once.
func (p *product) tileRows() int { return max(tileFloats/kernel.PackedWidth(p.in), 1) }

// widestWhole is how many columns a matrix of whole numbers has at most; 0: there is none.
func widestWhole(all []*product) (k int) {
	for _, p := range all {
		if p.whole != nil {
			k = max(k, p.in)
		}
	}
	return k
}

// roomFloats is how many floats room takes at most.
func roomFloats(all []*product, rows int) (n int) {
	for _, p := range all {
		if p.packed != nil {
			w := kernel.PackedWidth(p.in)
			n = max(n, few*w+w*min(p.out, p.tileRows()))
		}
	}
	return n + kernel.RoomBytes(rows, widestWhole(all))/4
}

// run multiplies.
func (t *linear) run(p *kernel.Pool, parts []*product, x, y []float32, n, ldy int) {
	if t.parts, t.x, t.y, t.n, t.ldy = parts, x, y, n, ldy; n == 0 {
		return
	}
	if slices.ContainsFunc(parts, func(q *product) bool { return q.whole != nil }) {
		t.whole.Set(x, n, parts[0].in, parts[0].in)
	}
	if n <= few {
		t.pad()
		pieces := 0
		for _, q := range parts {
			pieces += q.pieces()
		}
		p.Run(pieces, t)
		return
	}
	at := 0
	for _, q := range parts {
		switch {
		case q.packed != nil:
			t.tiles(p, q, at)
		case q.whole != nil: // a piece takes all rows
			t.only[0] = q
			t.parts, t.y = t.only[:], y[at:]
			p.Run(q.pieces(), t)
			t.y = y
		default:
			t.gemm(p, q, 0, q.out, q.w, q.in, at)
		}
		at += q.out
	}
}

// pad fills the rows up where a packed matrix takes more than they have.
func (t *linear) pad() {
	in := t.parts[0].in
	wide, packed := kernel.PackedWidth(in), false
	for _, q := range t.parts {
		packed = packed || q.packed != nil
	}
	if t.ldx = in; !packed || wide == in {
		return
	}
	for r := range t.n {
		row := t.padded[r*wide : (r+1)*wide]
		clear(row[copy(row, t.x[r*in:(r+1)*in]):])
	}
	t.ldx = wide
}

// gemm multiplies by rows [lo, hi) of a matrix, which lie in w.
func (t *linear) gemm(p *kernel.Pool, q *product, lo, hi int, w []float32, ldw, at int) {
	t.g.TransB, t.g.M, t.g.N, t.g.K = true, t.n, hi-lo, q.in
	t.g.A, t.g.B, t.g.C, t.g.Lda, t.g.Ldb, t.g.Ldc = t.x, w, t.y[at+lo:], q.in, ldw, t.ldy
	if t.g.Ep.Bias = nil; q.bias != nil {
		t.g.Ep.Bias = q.bias[lo:hi]
	}
	t.g.Run(p)
}

// tiles multiplies by a packed matrix, of which it writes out some rows at a time.
func (t *linear) tiles(p *kernel.Pool, q *product, at int) {
	step := q.tileRows()
	for lo := 0; lo < q.out; lo += step {
		hi := min(q.out, lo+step)
		t.tile.q, t.tile.lo, t.tile.hi = q, lo, hi
		p.Run((hi-lo+tilePiece-1)/tilePiece, &t.tile)
		t.gemm(p, q, lo, hi, t.tile.w, kernel.PackedWidth(q.in), at)
	}
}

// tile writes rows [lo, hi) of a packed matrix out.
type tile struct {
	q      *product
	lo, hi int
	w      []float32
}

const tilePiece = 64 // rows of a piece of work

func (t *tile) Do(w *kernel.Worker, piece int) {
	lo, wide := t.lo+piece*tilePiece, kernel.PackedWidth(t.q.in)
	t.q.packed.Expand(w, lo, min(t.hi, lo+tilePiece), t.w[(lo-t.lo)*wide:], wide)
}

// Do multiplies some rows of one matrix.
func (t *linear) Do(w *kernel.Worker, piece int) {
	at := 0
	for _, q := range t.parts {
		pieces := q.pieces()
		if piece >= pieces {
			piece, at = piece-pieces, at+q.out
			continue
		}
		lo := piece * pieceRows(q.in)
		hi := lo + pieceRows(q.in)
		if piece == pieces-1 {
			hi = q.out
		}
		switch {
		case q.packed != nil:
			x := t.x
			if t.ldx != q.in {
				x = t.padded
			}
			q.packed.Dots(w, x, t.n, t.ldx, lo, hi, t.y[at+lo:], t.ldy)
		case q.whole != nil:
			q.whole.Dots(w, &t.whole, lo, hi, t.y[at+lo:], t.ldy)
		}
		for r := range t.n {
			y := t.y[r*t.ldy+at+lo : r*t.ldy+at+hi]
			if q.packed == nil && q.whole == nil {
				kernel.Dots(t.x[r*q.in:(r+1)*q.in], q.w[lo*q.in:], q.in, y)
			}
			if q.bias != nil {
				kernel.Add(y, q.bias[lo:hi], y)
			}
		}
		return
	}
}
