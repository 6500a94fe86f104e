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
	Y           []float32 // output of the forward pass; read backward where Clip is set
	Res         []float32 // added before clipping; nil: none
	Clip        bool      // hold Y between Lo and Hi; backward, DY counts where Lo < Y < Hi
	Lo, Hi      float32
	Mean, Istd  []float32 // [C], written forward, read backward
	Var         []float32 // [C], biased; nil: not wanted

	DY, DX        []float32
	DScale, DBias []float32
	phase         int
	parts         int
	lo, hi        float32
	sums          []float32 // [parts][2][C]: sums, or means and sums of squares about them
	wide          int       // C, repeated where that is short
	a, b, c, m    []float32 // [wide]
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
	t.wide = t.C * max(1, resident()/max(t.C, 1))
	if len(t.a) != t.wide {
		t.a, t.b, t.c, t.m = make([]float32, t.wide), make([]float32, t.wide), make([]float32, t.wide), make([]float32, t.wide)
	}
	if t.Clip {
		t.lo, t.hi = t.Lo, t.Hi
	} else {
		t.lo, t.hi = float32(math.Inf(-1)), float32(math.Inf(1))
	}
}

// Forward computes Mean, Istd, Var and Y = (X-Mean)*Istd*Scale + Bias (+ Res),
// clipped. Each block's squares are summed about the block's own mean and the
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
	repeat(t.C, t.a, t.b)
	t.phase = phaseApply
	p.Run(t.parts, t)
}

func (t *NormTask) span(k int) (lo, hi int) {
	return k * t.Rows / t.parts, (k + 1) * t.Rows / t.parts
}

// Apply computes Y = X*scale + shift (+ Res), clipped: the inference form, with
// scale and shift given for each channel.
func (t *NormTask) Apply(p *Pool, scale, shift []float32) {
	t.prepare()
	copy(t.a, scale)
	copy(t.b, shift)
	repeat(t.C, t.a, t.b)
	t.phase = phaseApply
	p.Run(t.parts, t)
}

// Backward computes DX, DScale and DBias from DY and what Forward left.
func (t *NormTask) Backward(p *Pool) {
	t.prepare()
	clear(t.sums)
	copy(t.m, t.Mean)
	repeat(t.C, t.m)
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
	repeat(t.C, t.a, t.b, t.c)
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
			buf := w.Scratch(0, 2*t.wide)
			clear(buf)
			t.passes(w, r, n, buf[:t.wide], buf[t.wide:], t.m)
			Add(sums[:t.C], t.fold(buf), sums[:t.C])
			Add(sums[t.C:], t.fold(buf[t.wide:]), sums[t.C:])
		default:
			t.passes(w, r, n, nil, nil, nil)
		}
	}
}

// stats merges the mean and the sum of squares about it of n rows from r into
// those of the rows before, `before` in number.
func (t *NormTask) stats(w *Worker, sums []float32, r, n, before int) {
	buf := w.Scratch(0, 3*t.wide)
	s, q, shift := buf[:t.wide], buf[t.wide:2*t.wide], buf[2*t.wide:]
	copy(shift[:t.C], t.X[r*t.C:])
	for range 2 { // about the first row, then about the mean
		repeat(t.C, shift)
		clear(buf[:2*t.wide])
		t.passes(w, r, n, s, q, shift)
		Axpby(1, shift[:t.C], 1/float32(n), t.fold(s), shift[:t.C])
	}
	t.fold(q)
	mean, m2 := sums[:t.C], sums[t.C:]
	f, g := 1/float32(n), float32(0)
	if before > 0 {
		g = float32(before) * float32(n) / float32(before+n)
	}
	h := float32(n) / float32(before+n)
	for j, v := range q[:t.C] {
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

// resident is the width of rows whose columns' numbers the passes keep in
// registers.
func resident() int {
	if isa == AVX512 {
		return 4 * lanes()
	}
	return 2 * lanes()
}

// repeat fills vectors with their first c numbers.
func repeat(c int, xs ...[]float32) {
	for _, x := range xs {
		for i := c; i < len(x); i += c {
			copy(x[i:], x[:c])
		}
	}
}

// fold adds what follows the first C numbers of a wide vector to them.
func (t *NormTask) fold(x []float32) []float32 {
	for i := t.C; i < t.wide; i += t.C {
		Add(x[:t.C], x[i:i+t.C], x[:t.C])
	}
	return x[:t.C]
}

// passes runs the phase over n rows from row r. Short rows are taken several at
// once, as one; s, q and shift are [wide].
func (t *NormTask) passes(w *Worker, row, n int, s, q, shift []float32) {
	beside := t.wide / t.C
	t.pass(w, row, n/beside, t.wide, s, q, shift)
	t.pass(w, row+n/beside*beside, n%beside, t.C, s, q, shift)
}

// pass runs the phase over n rows of c numbers from row r.
func (t *NormTask) pass(w *Worker, row, n, c int, s, q, shift []float32) {
	if n == 0 {
		return
	}
	at := row * t.C
	r := &w.rows
	*r = rows{N: n, C: c, X: unsafe.Pointer(&t.X[at]), Lo: t.lo, Hi: t.hi}
	if t.phase >= phaseSums {
		r.D = unsafe.Pointer(&t.DY[at])
		if t.Clip {
			r.Y = unsafe.Pointer(&t.Y[at])
		}
	}
	switch t.phase {
	case phaseStats:
		r.S, r.Q, r.B = unsafe.Pointer(&s[0]), unsafe.Pointer(&q[0]), unsafe.Pointer(&shift[0])
		runStats(r)
	case phaseApply:
		r.S, r.B = unsafe.Pointer(&t.a[0]), unsafe.Pointer(&t.b[0])
		r.Y = unsafe.Pointer(&t.Y[at])
		r.R = first(t.Res, at)
		runApply(r)
	case phaseSums:
		r.S, r.Q, r.B = unsafe.Pointer(&s[0]), unsafe.Pointer(&q[0]), unsafe.Pointer(&shift[0])
		runSums(r)
	case phaseGrad:
		r.S, r.Q, r.B, r.M = unsafe.Pointer(&t.a[0]), unsafe.Pointer(&t.b[0]), unsafe.Pointer(&t.c[0]), unsafe.Pointer(&t.m[0])
		r.R = unsafe.Pointer(&t.DX[at])
		runGrad(r)
	}
}
