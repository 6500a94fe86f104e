package calibrate

import (
	"fmt"
	"math"

	"pare/internal/kernel"
	"pare/prune"

	"gonum.org/v1/gonum/mat"
)

// centre takes the means of inputs and targets out of the second moments: what is left
// is fitted with a constant beside. It gives the means.
func (m *Moments) centre() (x, y []float64) {
	n := float64(m.Rows)
	x, y = make([]float64, m.Cols), make([]float64, m.Outs)
	for k := range x {
		x[k] = m.X[k] / n
	}
	for o := range y {
		y[o] = m.Y[o] / n
	}
	for a := range m.Cols {
		for b := range m.Cols {
			m.XX[a*m.Cols+b] -= n * x[a] * x[b]
		}
		for o := range m.Outs {
			m.XY[a*m.Outs+o] -= n * x[a] * y[o]
		}
	}
	return x, y
}

// Ridge gives the matrix W, [outs, cols], of least
//
//	sum over rows of |y - W x|² + damp t |W - W0|²
//
// where t is the mean of the diagonal of the sum of x xᵀ: W0 stays where samples say
// little. kept says which entries may be other than zero; nil: all. It returns an error
// where the moments are not positive.
func (m *Moments) Ridge(damp float64, w0 []float64, kept *prune.Mask) ([]float64, error) {
	t := 0.0
	for k := range m.Cols {
		t += m.XX[k*m.Cols+k] / float64(m.Cols)
	}
	if t <= 0 { // nothing comes in: nothing is known
		return w0, nil
	}
	lambda := damp * t
	if kept != nil && !m.alike(kept) {
		return m.masked(lambda, w0, kept), nil
	}
	var use []int
	for k := range m.Cols {
		if kept == nil || kept.Kept(k) {
			use = append(use, k)
		}
	}
	out := make([]float64, m.Outs*m.Cols)
	if len(use) == 0 {
		return out, nil
	}
	w, err := m.solve(lambda, w0, use)
	if err != nil {
		return nil, err
	}
	for i, a := range use {
		for o := range m.Outs {
			out[o*m.Cols+a] = w.At(i, o)
		}
	}
	return out, nil
}

// solve solves the normal equations of some columns, [columns, outs]. Where the sums' own
// rounding outweighs the damping, there is more of it.
func (m *Moments) solve(lambda float64, w0 []float64, use []int) (*mat.Dense, error) {
	n := len(use)
	h := mat.NewSymDense(n, nil)
	c := mat.NewDense(n, m.Outs, nil)
	for range mostDamping {
		for i, a := range use {
			for j, b := range use[i:] {
				h.SetSym(i, i+j, m.XX[a*m.Cols+b])
			}
			h.SetSym(i, i, h.At(i, i)+lambda)
			for o := range m.Outs {
				c.Set(i, o, m.XY[a*m.Outs+o]+lambda*w0[o*m.Cols+a])
			}
		}
		var f mat.Cholesky
		var w mat.Dense
		if f.Factorize(h) && f.Cond() < worstCondition {
			err := f.SolveTo(&w, c)
			return &w, err
		}
		lambda *= 10
	}
	return nil, fmt.Errorf("the moments of the %d inputs are not positive: give more samples, or more damping", n)
}

// Damping grows tenfold at most this often, and until the moments, which are summed up in
// parts of single precision, decide the solution.
const (
	mostDamping    = 8
	worstCondition = 1e9
)

// alike says whether a mask keeps the same columns of every row.
func (m *Moments) alike(kept *prune.Mask) bool {
	for o := 1; o < m.Outs; o++ {
		for k := range m.Cols {
			if kept.Kept(k) != kept.Kept(o*m.Cols+k) {
				return false
			}
		}
	}
	return true
}

// The iteration ends when the residual of every row is this small beside its right-hand
// side, or after so many steps: weights need no more.
const (
	smallEnough = 1e-4
	mostSteps   = 200
)

// masked solves the normal equations of rows that keep different columns by conjugate
// gradients, all rows at once, each scaled by the diagonal (Hestenes and Stiefel 1952): a
// factorisation for every row would take the cube of what it keeps. The product with the
// moments, where the time goes, is made in single precision.
func (m *Moments) masked(lambda float64, w0 []float64, kept *prune.Mask) []float64 {
	rows, cols := m.Outs, m.Cols
	w, r, p := make([]float64, rows*cols), make([]float64, rows*cols), make([]float64, rows*cols)
	times := m.product()
	copy(w, w0)
	keepOnly(w, kept)
	hw := times(w)
	scale := make([]float64, cols) // the inverse of the diagonal
	for k := range cols {
		scale[k] = 1 / (m.XX[k*cols+k] + lambda)
	}
	rz, first := make([]float64, rows), make([]float64, rows)
	for o := range rows {
		for k := range cols {
			i := o*cols + k
			if !kept.Kept(i) {
				continue
			}
			b := m.XY[k*rows+o] + lambda*w0[i]
			r[i] = b - float64(hw[i]) - lambda*w[i]
			p[i] = scale[k] * r[i]
			rz[o] += r[i] * p[i]
			first[o] += b * b * scale[k]
		}
	}
	for range mostSteps {
		a := times(p)
		open := false
		for o := range rows {
			if rz[o] <= smallEnough*smallEnough*first[o] {
				clear(p[o*cols : (o+1)*cols])
				continue
			}
			open = true
			curve := 0.0
			for i := o * cols; i < (o+1)*cols; i++ {
				curve += p[i] * (float64(a[i]) + lambda*p[i])
			}
			step, was := rz[o]/curve, rz[o]
			rz[o] = 0
			for k := range cols {
				if i := o*cols + k; kept.Kept(i) {
					w[i] += step * p[i]
					r[i] -= step * (float64(a[i]) + lambda*p[i])
					rz[o] += r[i] * r[i] * scale[k]
				}
			}
			for k := range cols {
				if i := o*cols + k; kept.Kept(i) {
					p[i] = scale[k]*r[i] + rz[o]/was*p[i]
				}
			}
		}
		if !open {
			break
		}
	}
	return w
}

// product multiplies rows by the moments.
func (m *Moments) product() func(x []float64) []float32 {
	pool := m.pool
	if pool == nil {
		pool = kernel.Shared()
	}
	h, in, out := make([]float32, m.Cols*m.Cols), make([]float32, m.Outs*m.Cols), make([]float32, m.Outs*m.Cols)
	for i, v := range m.XX {
		h[i] = float32(v)
	}
	t := &kernel.GemmTask{M: m.Outs, N: m.Cols, K: m.Cols, A: in, Lda: m.Cols, B: h, Ldb: m.Cols, C: out, Ldc: m.Cols}
	return func(x []float64) []float32 {
		for i, v := range x {
			in[i] = float32(v)
		}
		t.Run(pool)
		return out
	}
}

// keepOnly zeroes what a mask cuts.
func keepOnly(x []float64, kept *prune.Mask) {
	for i := range x {
		if !kept.Kept(i) {
			x[i] = 0
		}
	}
}

// share gives the squares of the targets that a fit leaves, and all of them. The moments are those that the fit was made of.
func (m *Moments) share(w []float64, y []float64) (left, whole float64) {
	wh := mat.NewDense(m.Outs, m.Cols, nil)
	wh.Mul(mat.NewDense(m.Outs, m.Cols, w), mat.NewDense(m.Cols, m.Cols, m.XX))
	for o := range m.Outs {
		yy := m.YY[o] - float64(m.Rows)*y[o]*y[o]
		e := yy
		for k := range m.Cols {
			e += w[o*m.Cols+k] * (wh.At(o, k) - 2*m.XY[k*m.Outs+o])
		}
		left, whole = left+math.Max(0, e), whole+yy
	}
	return left, whole
}
