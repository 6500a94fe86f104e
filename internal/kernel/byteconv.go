package kernel

// ByteConv is a convolution of unsigned bytes with signed weights [KH*KW*CI/Groups, CO/Groups],
// one matrix for each group. Outside the image lies Zero, the zero point of X, so that zero
// points are part of Q.Bias everywhere. Behind the last of X there are ByteSlack bytes.
type ByteConv struct {
	Conv
	X       []byte
	Weights []*ByteWeights // of each group
	WZeros  [][]int32      // of each group, zero points of the columns; nil: none
	Zero    byte
	Q       []Requant // of each group
	Y       []byte    // one of the two
	Ints    []int32

	gemm   []ByteGemm // of each group
	blocks int        // of rows
	across int        // of columns
}

// Run computes the convolution.
func (c *ByteConv) Run(p *Pool) {
	m := c.N * c.OutH() * c.OutW()
	if m == 0 {
		return
	}
	if len(c.gemm) != c.Groups {
		c.gemm = make([]ByteGemm, c.Groups)
	}
	for g := range c.gemm {
		t := &c.gemm[g]
		*t = ByteGemm{M: m, Ldo: c.CO, W: c.Weights[g], Q: c.Q[g]}
		if c.WZeros != nil {
			t.WZeros = c.WZeros[g]
		}
		if off := g * c.CO / c.Groups; c.Y != nil {
			t.Bytes = c.Y[off:]
		} else {
			t.Ints = c.Ints[off:]
		}
		t.split(p.Threads())
	}
	t := &c.gemm[0]
	c.blocks = (m + t.rows - 1) / t.rows
	c.across = (dotPanels(t.W.N) + t.cols - 1) / t.cols
	p.Run(c.Groups*c.blocks*c.across, c)
}

// Do computes some rows of one group.
func (c *ByteConv) Do(w *Worker, i int) {
	g := i / (c.blocks * c.across)
	t := &c.gemm[g]
	m0, p0 := i/c.across%c.blocks*t.rows, i%c.across*t.cols
	m, p1 := min(t.rows, t.M-m0), min(p0+t.cols, dotPanels(t.W.N))
	if c.pointwise() {
		t.block(w, c.X[m0*c.CI:], c.CI, m0, m, p0, p1)
		return
	}
	k := c.KH * c.KW * c.CI / c.Groups
	rows := w.bytes(m*k + ByteSlack)
	c.gather(rows, m0, m, g)
	t.block(w, rows, k, m0, m, p0, p1)
}

// gather brings together what m outputs from m0 on need of a group's channels.
func (c *ByteConv) gather(dst []byte, m0, m, g int) {
	oh, ow, ci := c.OutH(), c.OutW(), c.CI/c.Groups
	ox, oy, n := m0%ow, m0/ow%oh, m0/ow/oh
	run := c.KW * ci
	for range m {
		x0 := ox*c.StrideW - c.PadL
		whole := c.DilW == 1 && c.Groups == 1 && x0 >= 0 && x0+c.KW <= c.W
		for ky := range c.KH {
			y := oy*c.StrideH - c.PadT + ky*c.DilH
			switch {
			case y < 0 || y >= c.H:
				fillBytes(dst[:run], c.Zero)
			case whole && run <= 16: // what is written too much is written over
				*(*[16]byte)(dst) = [16]byte(c.X[((n*c.H+y)*c.W+x0)*ci:])
			case whole:
				copy(dst[:run], c.X[((n*c.H+y)*c.W+x0)*ci:])
			default:
				for kx := range c.KW {
					to := dst[kx*ci : (kx+1)*ci]
					if x := x0 + kx*c.DilW; x < 0 || x >= c.W {
						fillBytes(to, c.Zero)
					} else {
						copy(to, c.X[((n*c.H+y)*c.W+x)*c.CI+g*ci:])
					}
				}
			}
			dst = dst[run:]
		}
		if ox++; ox == ow {
			if ox, oy = 0, oy+1; oy == oh {
				oy, n = 0, n+1
			}
		}
	}
}

// fillBytes sets bytes to a value.
func fillBytes(x []byte, v byte) {
	for i := range x {
		x[i] = v
	}
}
