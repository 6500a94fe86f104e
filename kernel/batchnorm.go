package kernel

import (
	"math"
	"unsafe"
)

// NormTask is batch normalisation over a matrix [Rows, C] (NHWC activations):
// statistics, application and gradient. Sums are taken over a fixed number of
// parts and added in their order.
type NormTask struct {
	Rows, C     int
	X           []float32
	Scale, Bias []float32 // [C]
	Eps         float32
	Y           []float32 // output of the forward pass; the mask of ReLU in the backward pass
	Res         []float32 // added before ReLU; nil: none
	Relu        bool
	Mean, Istd  []float32 // [C], written forward, read backward
	Var         []float32 // [C], biased; nil: not wanted

	DY, DX         []float32
	DScale, DBias  []float32
	phase          int
	parts          int
	sums           []float32 // [parts][2][C]
	a, b, c, shift []float32 // [C]
}

const (
	phaseStats = iota
	phaseApply
	phaseSums
	phaseGrad
)

func (t *NormTask) prepare() {
	t.parts = max(1, min(16, t.Rows/64))
	if len(t.sums) != t.parts*2*t.C {
		t.sums = make([]float32, t.parts*2*t.C)
	}
	if len(t.a) != t.C {
		t.a, t.b, t.c, t.shift = make([]float32, t.C), make([]float32, t.C), make([]float32, t.C), make([]float32, t.C)
	}
}

// Forward computes Mean, Istd, Var and Y = (X-Mean)*Istd*Scale + Bias (+ Res),
// then ReLU. The variance is summed about the first row, so a large mean does
// not cancel.
func (t *NormTask) Forward(p *Pool) {
	t.prepare()
	clear(t.sums)
	copy(t.shift, t.X[:t.C])
	t.phase = phaseStats
	p.Run(t.parts, t)
	for j := range t.C {
		var s, q float64
		for k := range t.parts {
			s += float64(t.sums[k*2*t.C+j])
			q += float64(t.sums[(k*2+1)*t.C+j])
		}
		m := s / float64(t.Rows)
		v := math.Max(0, q/float64(t.Rows)-m*m)
		is := 1 / math.Sqrt(v+float64(t.Eps))
		t.Mean[j], t.Istd[j] = float32(m+float64(t.shift[j])), float32(is)
		if t.Var != nil {
			t.Var[j] = float32(v)
		}
		t.a[j] = t.Scale[j] * float32(is)
		t.b[j] = t.Bias[j] - t.Mean[j]*t.a[j]
	}
	t.phase = phaseApply
	p.Run(t.parts, t)
}

// Apply computes Y = X*scale + shift (+ Res), then ReLU: the inference form,
// with scale and shift given for each channel.
func (t *NormTask) Apply(p *Pool, scale, shift []float32) {
	t.prepare()
	copy(t.a, scale)
	copy(t.b, shift)
	t.phase = phaseApply
	p.Run(t.parts, t)
}

// Backward computes DX, DScale and DBias from DY and what Forward left. With
// Relu set, DY counts only where Y > 0.
func (t *NormTask) Backward(p *Pool) {
	t.prepare()
	clear(t.sums)
	t.phase = phaseSums
	p.Run(t.parts, t)
	m := float64(t.Rows)
	for j := range t.C {
		var s, q float64
		for k := range t.parts {
			s += float64(t.sums[k*2*t.C+j])
			q += float64(t.sums[(k*2+1)*t.C+j])
		}
		is := float64(t.Istd[j])
		t.DBias[j], t.DScale[j] = float32(s), float32(q*is)
		// dx = scale*istd*(g - s/m - xhat*q*istd/m)
		c1 := float64(t.Scale[j]) * is
		c2 := -c1 * is * is * q / m
		t.a[j], t.b[j], t.c[j] = float32(c1), float32(c2), float32(-c1*s/m-c2*float64(t.Mean[j]))
	}
	t.phase = phaseGrad
	p.Run(t.parts, t)
}

// Do works on one part of the rows.
func (t *NormTask) Do(w *Worker, k int) {
	lo, hi := k*t.Rows/t.parts, (k+1)*t.Rows/t.parts
	if hi == lo {
		return
	}
	step := lanes()
	for j := 0; j < t.C; j += step {
		width := min(step, t.C-j)
		at := lo*t.C + j
		r := &w.rows
		*r = rows{N: hi - lo, X: unsafe.Pointer(&t.X[at]), Ldx: 4 * t.C, Mask: lastMask(width)}
		switch t.phase {
		case phaseStats:
			r.S, r.Q = unsafe.Pointer(&t.sums[k*2*t.C+j]), unsafe.Pointer(&t.sums[(k*2+1)*t.C+j])
			r.B = unsafe.Pointer(&t.shift[j])
			runStats(r, width)
		case phaseApply:
			r.S, r.B = unsafe.Pointer(&t.a[j]), unsafe.Pointer(&t.b[j])
			r.Y, r.Ldy = unsafe.Pointer(&t.Y[at]), 4*t.C
			if t.Res != nil {
				r.R, r.Ldr = unsafe.Pointer(&t.Res[at]), 4*t.C
			}
			if t.Relu {
				r.Flags = flagRelu
			}
			runApply(r, width)
		case phaseSums:
			r.S, r.Q = unsafe.Pointer(&t.sums[k*2*t.C+j]), unsafe.Pointer(&t.sums[(k*2+1)*t.C+j])
			r.B = unsafe.Pointer(&t.Mean[j])
			t.grads(r, at)
			runSums(r, width)
		case phaseGrad:
			r.S, r.Q, r.B = unsafe.Pointer(&t.a[j]), unsafe.Pointer(&t.b[j]), unsafe.Pointer(&t.c[j])
			r.R, r.Ldr = unsafe.Pointer(&t.DX[at]), 4*t.C
			t.grads(r, at)
			runGrad(r, width)
		}
	}
}

func (t *NormTask) grads(r *rows, at int) {
	r.D, r.Ldd = unsafe.Pointer(&t.DY[at]), 4*t.C
	if t.Relu {
		r.Y, r.Ldy = unsafe.Pointer(&t.Y[at]), 4*t.C
	}
}

// The passes in plain Go.

func (r *rows) row(p unsafe.Pointer, i, ld, n int) []float32 {
	return unsafe.Slice((*float32)(unsafe.Add(p, i*ld)), n)
}

func goStats(r *rows, n int) {
	s, q, b := r.row(r.S, 0, 0, n), r.row(r.Q, 0, 0, n), r.row(r.B, 0, 0, n)
	for i := range r.N {
		for j, x := range r.row(r.X, i, r.Ldx, n) {
			d := x - b[j]
			s[j] += d
			q[j] += d * d
		}
	}
}

func goApply(r *rows, n int) {
	s, b := r.row(r.S, 0, 0, n), r.row(r.B, 0, 0, n)
	for i := range r.N {
		y := r.row(r.Y, i, r.Ldy, n)
		for j, x := range r.row(r.X, i, r.Ldx, n) {
			v := x*s[j] + b[j]
			if r.R != nil {
				v += r.row(r.R, i, r.Ldr, n)[j]
			}
			if r.Flags&flagRelu != 0 && v < 0 {
				v = 0
			}
			y[j] = v
		}
	}
}

func (r *rows) masked(i, j, n int) float32 {
	if r.Y != nil && !(r.row(r.Y, i, r.Ldy, n)[j] > 0) {
		return 0
	}
	return r.row(r.D, i, r.Ldd, n)[j]
}

func goSums(r *rows, n int) {
	s, q, b := r.row(r.S, 0, 0, n), r.row(r.Q, 0, 0, n), r.row(r.B, 0, 0, n)
	for i := range r.N {
		for j, x := range r.row(r.X, i, r.Ldx, n) {
			g := r.masked(i, j, n)
			s[j] += g
			q[j] += g * (x - b[j])
		}
	}
}

func goGrad(r *rows, n int) {
	s, q, b := r.row(r.S, 0, 0, n), r.row(r.Q, 0, 0, n), r.row(r.B, 0, 0, n)
	for i := range r.N {
		out := r.row(r.R, i, r.Ldr, n)
		for j, x := range r.row(r.X, i, r.Ldx, n) {
			out[j] = r.masked(i, j, n)*s[j] + x*q[j] + b[j]
		}
	}
}
