package kernel

// ByteGemm is a product of M rows of unsigned bytes A, Lda apart, with signed weights. Its
// result goes to whichever of Bytes, Floats and Ints is given, rows Ldo apart. Behind the last
// row of A there are ByteSlack bytes.
//
// Zero points are part of Q.Bias where the weights have none: (A - a)*W = A*W - a*sums of W.
// Where all weights have WZero, a multiple of the sums of A's rows is taken off as well.
type ByteGemm struct {
	M, Lda, Ldo int
	A           []byte
	W           *ByteWeights
	WZero       int32
	WZeros      []int32 // in place of WZero, one for each column; nil: none
	Q           Requant
	Bytes       []byte
	Floats      []float32
	Ints        []int32

	rows, cols int // of a piece
	settled    bool
}

// byteRows is the most rows of a piece of work.
const byteRows = 256

// split chooses the size of the pieces: rows that, with what they share, stay in the second
// cache, and columns so that every thread has something to do.
func (t *ByteGemm) split(threads int) {
	panels := dotPanels(t.W.N)
	t.rows = min(byteRows, max(32, (1<<18)/deep(t.W.K)/32*32))
	t.cols = (panels + 1) / 2 * 2
	if threads == 1 {
		return
	}
	for t.pieces() < 2*threads && t.cols > 2 && t.W.K*t.M*t.W.N > 1<<17 {
		t.cols = (t.cols/2 + 1) / 2 * 2
	}
}

func (t *ByteGemm) pieces() int {
	return ((t.M + t.rows - 1) / t.rows) * ((dotPanels(t.W.N) + t.cols - 1) / t.cols)
}

// Run computes the product.
func (t *ByteGemm) Run(p *Pool) {
	if t.M == 0 {
		return
	}
	t.split(p.Threads())
	p.Run(t.pieces(), t)
}

// Do computes some rows and columns.
func (t *ByteGemm) Do(w *Worker, i int) {
	across := (dotPanels(t.W.N) + t.cols - 1) / t.cols
	m0, p0 := i/across*t.rows, i%across*t.cols
	t.block(w, t.A[m0*t.Lda:], t.Lda, m0, min(t.rows, t.M-m0), p0, min(p0+t.cols, dotPanels(t.W.N)))
}

// block computes m rows from m0 on, which lie at a, and panels [p0, p1).
func (t *ByteGemm) block(w *Worker, a []byte, lda, m0, m, p0, p1 int) {
	var row []int32
	if t.WZero != 0 || t.WZeros != nil {
		row = w.ints(1, byteRows)[:m]
		for i := range row {
			row[i] = sumBytes(a[i*lda:][:t.W.K])
		}
	}
	scaled := row
	if t.WZeros == nil && row != nil {
		for i := range row {
			row[i] *= -t.WZero
		}
	} else {
		scaled = nil
	}
	if t.W.Sparse() {
		t.sparseBlock(w, a, lda, m0, m, p0, p1, row, scaled)
		return
	}
	sums := w.ints(0, byteRows*dotPitch)
	for p := p0; p < p1; p += 2 {
		panels := min(2, p1-p)
		t.W.dots(w, a, lda, m, p, panels, sums)
		t.store(w, sums, m0, m, p, panels, row, scaled)
	}
}

// store writes what becomes of sums of m rows from m0 on and one or two panels from p on. row are the
// sums of A's rows where weights have zero points of their own; scaled, of one zero point, is
// added.
func (t *ByteGemm) store(w *Worker, sums []int32, m0, m, p, panels int, row, scaled []int32) {
	j := p * dotPanel
	width := min(panels*dotPanel, t.W.N-j)
	if t.WZeros != nil {
		for i, r := range row[:m] {
			for k, z := range t.WZeros[j : j+width] {
				sums[i*dotPitch+k] -= r * z
			}
		}
	}
	at := m0*t.Ldo + j
	switch {
	case t.Bytes != nil:
		t.Q.bytes(w, sums, m, j, width, scaled, t.Bytes[at:], t.Ldo)
	case t.Floats != nil:
		t.Q.floats(w, sums, m, j, width, scaled, t.Floats[at:], t.Ldo)
	default:
		for i := range m {
			more := int32(0)
			if scaled != nil {
				more = scaled[i]
			}
			for k := range width {
				t.Ints[at+i*t.Ldo+k] = sums[i*dotPitch+k] + t.Q.Bias[j+k] + more
			}
		}
	}
}
