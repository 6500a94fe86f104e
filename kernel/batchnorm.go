package kernel

import (
	"math"
	"unsafe"
)

// NormTask is batch normalisation over a matrix [Rows, C] (NHWC activations):
// statistics, application and gradient. The rows are taken in a fixed number of
// parts, these in blocks that stay in the first cache, and what they give is put
// together in their order, so results do not depend on the number of threads.
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

	DY, DX        []float32
	DScale, DBias []float32
	phase         int
	parts         int
	sums          []float32 // [parts][2][C]: sums, or means and sums of squares about them
	a, b, c       []float32 // [C]
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
		t.a, t.b, t.c = make([]float32, t.C), make([]float32, t.C), make([]float32, t.C)
	}
}

// Forward computes Mean, Istd, Var and Y = (X-Mean)*Istd*Scale + Bias (+ Res),
// then ReLU. Each block's squares are summed about the block's own mean and the
// blocks merged as Chan, Golub and LeVeque (1979) do, so nothing cancels.
func (t *NormTask) Forward(p *Pool) {
	t.prepare()
	t.phase = phaseStats
	p.Run(t.parts, t)
	for j := range t.C {
		var n, m, q float64
		for k := range t.parts {
			lo, hi := t.span(k)
			c := float64(hi - lo)
			if c == 0 {
				continue
			}
			d := float64(t.sums[k*2*t.C+j]) - m
			q += float64(t.sums[(k*2+1)*t.C+j]) + d*d*n*c/(n+c)
			n += c
			m += d * c / n
		}
		v := q / math.Max(n, 1)
		is := 1 / math.Sqrt(v+float64(t.Eps))
		t.Mean[j], t.Istd[j] = float32(m), float32(is)
		if t.Var != nil {
			t.Var[j] = float32(v)
		}
		a := float64(t.Scale[j]) * is
		t.a[j], t.b[j] = float32(a), float32(float64(t.Bias[j])-m*a)
	}
	t.phase = phaseApply
	p.Run(t.parts, t)
}

func (t *NormTask) span(k int) (lo, hi int) {
	return k * t.Rows / t.parts, (k + 1) * t.Rows / t.parts
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
		t.a[j], t.b[j], t.c[j] = float32(c1), float32(c2), float32(-c1*s/m)
	}
	t.phase = phaseGrad
	p.Run(t.parts, t)
}

// Do works on one part of the rows.
func (t *NormTask) Do(w *Worker, k int) {
	lo, hi := t.span(k)
	sums := t.sums[k*2*t.C : (k+1)*2*t.C]
	block := max(16, min(512, 8192/t.C))
	for r := lo; r < hi; r += block {
		n := min(block, hi-r)
		switch t.phase {
		case phaseStats:
			t.stats(w, sums, r, n, r-lo)
		case phaseSums:
			buf := w.Scratch(0, 2*t.C)
			clear(buf)
			t.passes(w, r, n, buf[:t.C], buf[t.C:], t.Mean)
			Add(sums, buf, sums)
		default:
			t.passes(w, r, n, nil, nil, nil)
		}
	}
}

// stats merges the mean and the sum of squares about it of n rows from r into
// those of the rows before, `before` in number.
func (t *NormTask) stats(w *Worker, sums []float32, r, n, before int) {
	buf := w.Scratch(0, 3*t.C)
	s, q, shift := buf[:t.C], buf[t.C:2*t.C], buf[2*t.C:]
	copy(shift, t.X[r*t.C:])
	for range 2 { // about the first row, then about the mean
		clear(buf[:2*t.C])
		t.passes(w, r, n, s, q, shift)
		Axpby(1, shift, 1/float32(n), s, shift)
	}
	mean, m2 := sums[:t.C], sums[t.C:]
	f, g := 1/float32(n), float32(0)
	if before > 0 {
		g = float32(before) * float32(n) / float32(before+n)
	}
	h := float32(n) / float32(before+n)
	for j, v := range q {
		v -= s[j] * s[j] * f
		if before == 0 {
			mean[j], m2[j] = shift[j], v
			continue
		}
		d := shift[j] - mean[j]
		m2[j] += v + d*d*g
		mean[j] += d * h
	}
}

// passes runs the phase over n rows from row r, by vectors of channels.
func (t *NormTask) passes(w *Worker, row, n int, s, q, shift []float32) {
	step := lanes()
	for j := 0; j < t.C; j += step {
		width := min(step, t.C-j)
		at := row*t.C + j
		r := &w.rows
		*r = rows{N: n, X: unsafe.Pointer(&t.X[at]), Ldx: 4 * t.C, Mask: lastMask(width)}
		switch t.phase {
		case phaseStats:
			r.S, r.Q, r.B = unsafe.Pointer(&s[j]), unsafe.Pointer(&q[j]), unsafe.Pointer(&shift[j])
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
			r.S, r.Q, r.B = unsafe.Pointer(&s[j]), unsafe.Pointer(&q[j]), unsafe.Pointer(&shift[j])
			t.grads(r, at)
			runSums(r, width)
		case phaseGrad:
			r.S, r.Q, r.B = unsafe.Pointer(&t.a[j]), unsafe.Pointer(&t.b[j]), unsafe.Pointer(&t.c[j])
			r.R, r.Ldr = unsafe.Pointer(&t.DX[at]), 4*t.C
			r.M = unsafe.Pointer(&t.Mean[j])
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

func (r *rows) mean(j int) float32 {
	if r.M == nil {
		return 0
	}
	return *(*float32)(unsafe.Add(r.M, 4*j))
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
			out[j] = r.masked(i, j, n)*s[j] + (x-r.mean(j))*q[j] + b[j]
		}
	}
}
