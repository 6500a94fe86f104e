package kernel

// ByteBatches are products of matrices of bytes [M K] by [K N], one for each of Batch, of
// which both sides have one zero point: (A - AZero)*(B - BZero)*Scale, held between Lo and Hi,
// rounded and raised by Zero where bytes are made. Behind A and B there are ByteSlack bytes.
type ByteBatches struct {
	Batch, M, K, N int
	A, B           []byte
	AZero, BZero   uint8
	Scale          float32
	Lo, Hi         float32
	Zero           uint8
	Bytes          []byte // one of the two
	Floats         []float32

	each []ByteGemm
}

// Run computes the products.
func (t *ByteBatches) Run(p *Pool) {
	if len(t.each) != t.Batch {
		t.each = make([]ByteGemm, t.Batch)
		for i := range t.each {
			n := PadColumns(t.N)
			q := Requant{Bias: make([]int32, n), Scale: make([]float32, n), Add: make([]float32, n)}
			for j := range t.N {
				q.Scale[j] = t.Scale
			}
			t.each[i] = ByteGemm{W: NewByteWeights(t.K, t.N), Q: q}
		}
	}
	p.Run(t.Batch, t)
}

// Do computes one product.
func (t *ByteBatches) Do(w *Worker, i int) {
	g := &t.each[i]
	g.M, g.Lda, g.Ldo, g.A = t.M, t.K, t.N, t.A[i*t.M*t.K:]
	g.WZero = int32(t.BZero) - 128
	g.W.Weave(t.B[i*t.K*t.N:], t.N)
	if g.Q.Lo, g.Q.Hi, g.Q.Zero = t.Lo, t.Hi, int32(t.Zero); !g.settled {
		g.Q.Settle()
		g.settled = true
	}
	for j := range t.N {
		g.Q.Bias[j] = int32(t.AZero) * (int32(t.K)*g.WZero - g.W.Sums[j])
	}
	if t.Bytes != nil {
		g.Bytes = t.Bytes[i*t.M*t.N:]
	} else {
		g.Floats = t.Floats[i*t.M*t.N:]
	}
	g.split(1)
	for m0 := 0; m0 < t.M; m0 += g.rows {
		g.block(w, g.A[m0*t.K:], t.K, m0, min(g.rows, t.M-m0), 0, dotPanels(t.N))
	}
}

// DynamicQuantise writes numbers as bytes by their range, 0 included.
type DynamicQuantise struct {
	X []float32
	Y []byte
	Q Quantisation

	ranges []float32 // of each piece
	second bool
}

// dynamicPiece is how many numbers a piece has.
const dynamicPiece = 1 << 14

// Run finds the range and quantises.
func (t *DynamicQuantise) Run(p *Pool) {
	n := (len(t.X) + dynamicPiece - 1) / dynamicPiece
	if len(t.ranges) != 2*n {
		t.ranges = make([]float32, 2*n)
	}
	t.second = false
	p.Run(n, t)
	var lo, hi float32
	for i := range n {
		lo, hi = min(lo, t.ranges[2*i]), max(hi, t.ranges[2*i+1])
	}
	t.Q = Quantisation{Scale: (hi - lo) / 255}
	if t.Q.Scale != 0 {
		t.Q.Zero = Quantisation{Scale: 1}.round(-lo / t.Q.Scale)
	}
	t.second = true
	p.Run(n, t)
}

// Do works on a piece.
func (t *DynamicQuantise) Do(w *Worker, i int) {
	x := t.X[i*dynamicPiece : min(len(t.X), (i+1)*dynamicPiece)]
	switch {
	case !t.second:
		var lo, hi float32
		for _, v := range x {
			lo, hi = min(lo, v), max(hi, v)
		}
		t.ranges[2*i], t.ranges[2*i+1] = lo, hi
	case t.Q.Scale == 0:
		fillBytes(t.Y[i*dynamicPiece:][:len(x)], 0)
	default:
		QuantiseBytes(x, t.Q, t.Y[i*dynamicPiece:][:len(x)])
	}
}
