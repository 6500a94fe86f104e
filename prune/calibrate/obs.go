package calibrate

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// surgeon is a layer [outs, cols] under the rule of the Optimal Brain Surgeon: columns
// are removed, and the weights that are left move so that the layer's outputs on the
// samples change least (Hassibi, Stork 1993; by layers: Frantar, Alistarh 2022, arXiv
// 2208.11580). With H the damped second moments of the layer's inputs, removing the
// columns S
//
//	costs  tr(W_S [(H⁻¹)_SS]⁻¹ W_Sᵀ)
//	W   -= W_S [(H⁻¹)_SS]⁻¹ (H⁻¹)_S
//	H⁻¹ -= (H⁻¹)_Sᵀ [(H⁻¹)_SS]⁻¹ (H⁻¹)_S
//
// which is the same as removing them one after the other in any order.
type surgeon struct {
	w       []float64 // [outs, cols]
	inverse []float64 // H⁻¹, [cols, cols]
	cols    int
	outs    int
}

// newSurgeon takes the moments of a layer and its weights, which are changed. damp is the
// share of the mean of H's diagonal that is added to it. It returns nil where nothing
// comes into the layer.
func newSurgeon(m *Moments, w []float64, damp float64) (*surgeon, error) {
	trace := 0.0
	for k := range m.Cols {
		trace += m.XX[k*m.Cols+k] / float64(m.Cols)
	}
	if trace <= 0 {
		return nil, nil
	}
	h := mat.NewSymDense(m.Cols, nil)
	for a := range m.Cols {
		for b := a; b < m.Cols; b++ {
			h.SetSym(a, b, m.XX[a*m.Cols+b])
		}
		h.SetSym(a, a, h.At(a, a)+damp*trace)
	}
	var f mat.Cholesky
	if !f.Factorize(h) {
		return nil, fmt.Errorf("the second moments of its %d inputs are not positive: give more samples, or more damping", m.Cols)
	}
	inv := mat.NewSymDense(m.Cols, nil)
	if err := f.InverseTo(inv); err != nil && math.IsInf(f.Cond(), 1) {
		return nil, err
	}
	s := &surgeon{w: w, inverse: make([]float64, m.Cols*m.Cols), cols: m.Cols, outs: m.Outs}
	for a := range m.Cols {
		for b := range m.Cols {
			s.inverse[a*m.Cols+b] = inv.At(a, b)
		}
	}
	return s, nil
}

// singly gives what removing each column alone costs: Σ_o W_om² / [H⁻¹]_mm.
func (r *surgeon) singly() []float64 {
	out := make([]float64, r.cols)
	for o := range r.outs {
		for k := range r.cols {
			out[k] += r.w[o*r.cols+k] * r.w[o*r.cols+k] / r.inverse[k*r.cols+k]
		}
	}
	return out
}

// solved is [(H⁻¹)_SS]⁻¹ of columns; nil where it cannot be computed.
func (r *surgeon) solved(s []int) *mat.SymDense {
	h := mat.NewSymDense(len(s), nil)
	for i, a := range s {
		for j := i; j < len(s); j++ {
			h.SetSym(i, j, r.inverse[a*r.cols+s[j]])
		}
	}
	var f mat.Cholesky
	inv := mat.NewSymDense(len(s), nil)
	if !f.Factorize(h) || f.InverseTo(inv) != nil && math.IsInf(f.Cond(), 1) {
		return nil
	}
	return inv
}

// cost is what removing columns together costs.
func (r *surgeon) cost(s []int) float64 {
	if len(s) == 0 {
		return 0
	}
	q := r.solved(s)
	if q == nil {
		return 0
	}
	// Σ_o w_oᵀ Q w_o = Σ_ij Q_ij (WᵀW)_ij
	sum := 0.0
	for i, a := range s {
		for j, b := range s {
			ww := 0.0
			for o := range r.outs {
				ww += r.w[o*r.cols+a] * r.w[o*r.cols+b]
			}
			sum += ww * q.At(i, j)
		}
	}
	return sum
}

// remove takes columns out, and lets the others make good what they can. It is false where
// that cannot be computed, and nothing is changed.
func (r *surgeon) remove(s []int) bool {
	if len(s) == 0 {
		return true
	}
	q := r.solved(s)
	if q == nil {
		return false
	}
	n := r.cols
	hs := mat.NewDense(len(s), n, nil) // (H⁻¹)_S
	for i, a := range s {
		hs.SetRow(i, r.inverse[a*n:(a+1)*n])
	}
	var t mat.Dense
	t.Mul(q, hs) // [S, cols]
	tr := t.RawMatrix()
	for o := range r.outs {
		row := r.w[o*n : (o+1)*n]
		f := make([]float64, len(s))
		for i, a := range s {
			f[i] = row[a]
		}
		for i := range s {
			for k, v := range tr.Data[i*n : (i+1)*n] {
				row[k] -= f[i] * v
			}
		}
		for _, a := range s {
			row[a] = 0
		}
	}
	var d mat.Dense
	d.Mul(hs.T(), &t)
	for i, v := range d.RawMatrix().Data {
		r.inverse[i] -= v
	}
	for _, a := range s {
		for k := range n {
			r.inverse[a*n+k], r.inverse[k*n+a] = 0, 0
		}
		r.inverse[a*n+a] = 1
	}
	return true
}
