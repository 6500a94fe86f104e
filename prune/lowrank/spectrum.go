package lowrank

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// Spectrum is the singular value decomposition U diag(s) Vᵀ of each matrix of an
// unfolding, in float64.
type Spectrum struct {
	*Unfolding
	Values [][]float64 // by block, falling

	u, v []*mat.Dense // [rows, full], [cols, full]
}

// Decompose decomposes the matrices of the numbers w, which lie as those of the weight.
// It gives nil where the decomposition does not converge.
func (u *Unfolding) Decompose(w []float32) *Spectrum {
	s := &Spectrum{Unfolding: u}
	m := mat.NewDense(u.Rows, u.Cols, nil)
	for b := range u.Blocks {
		for r := range u.Rows {
			row := m.RawRowView(r)
			for c := range row {
				row[c] = float64(w[u.at(b, r, c)])
			}
		}
		var d mat.SVD
		if !d.Factorize(m, mat.SVDThin) {
			return nil
		}
		left, right := new(mat.Dense), new(mat.Dense)
		d.UTo(left)
		d.VTo(right)
		s.Values = append(s.Values, d.Values(nil))
		s.u, s.v = append(s.u, left), append(s.v, right)
	}
	return s
}

// Holding is the smallest rank whose share of the sum of squares of singular values is at
// least energy (Xu et al. 2020, arXiv 2004.14566), at least 1.
func Holding(values []float64, energy float64) int {
	whole := 0.
	for _, x := range values {
		whole += x * x
	}
	sum := 0.
	for e, x := range values {
		if sum += x * x; sum >= energy*whole {
			return e + 1
		}
	}
	return max(1, len(values))
}

// Rank is Holding of all matrices together, which are to have one rank.
func (s *Spectrum) Rank(energy float64) int {
	together := make([]float64, s.Full())
	for _, v := range s.Values {
		for e, x := range v {
			together[e] = math.Hypot(together[e], x)
		}
	}
	return Holding(together, energy)
}

// Above is the number of singular values that are at least x, of the matrix that has most
// of them; at least 1.
func (s *Spectrum) Above(x float64) int {
	most := 1
	for _, v := range s.Values {
		for e := most; e < len(v) && v[e] >= x; e++ {
			most = e + 1
		}
	}
	return most
}

// Lost is the share of the sum of squares of all singular values that a rank leaves out.
func (s *Spectrum) Lost(rank int) float64 {
	lost, whole := 0., 0.
	for _, v := range s.Values {
		for e, x := range v {
			if whole += x * x; e >= rank {
				lost += x * x
			}
		}
	}
	if whole == 0 {
		return 0
	}
	return lost / whole
}

// Truncate writes the weight whose matrices keep of their singular values only so many as
// rank says of each block: U_e diag(s_e) V_eᵀ.
func (s *Spectrum) Truncate(dst []float32, rank func(values []float64) int) { s.fold(dst, rank, true) }

// Direction writes the sub-gradient of the sum of the matrices' singular values, the
// nuclear norm, at the truncated weight: U_e V_eᵀ.
func (s *Spectrum) Direction(dst []float32, rank func(values []float64) int) {
	s.fold(dst, rank, false)
}

// fold writes sums of outer products of singular vectors, each times its singular value
// where scaled is set.
func (s *Spectrum) fold(dst []float32, rank func(values []float64) int, scaled bool) {
	for b, values := range s.Values {
		e := rank(values)
		left := mat.DenseCopyOf(s.u[b].Slice(0, s.Rows, 0, e))
		if scaled {
			for r := range s.Rows {
				row := left.RawRowView(r)
				for k := range row {
					row[k] *= values[k]
				}
			}
		}
		var m mat.Dense
		m.Mul(left, s.v[b].Slice(0, s.Cols, 0, e).T())
		for r := range s.Rows {
			for c, x := range m.RawRowView(r) {
				dst[s.at(b, r, c)] = float32(x)
			}
		}
	}
}

// halves gives entries of the two factors of block b: (U s^½)[r,k] and (s^½ Vᵀ)[k,c].
func (s *Spectrum) halves(b int) (left func(r, k int) float32, right func(k, c int) float32) {
	root := make([]float64, len(s.Values[b]))
	for k, x := range s.Values[b] {
		root[k] = math.Sqrt(x)
	}
	return func(r, k int) float32 { return float32(s.u[b].At(r, k) * root[k]) },
		func(k, c int) float32 { return float32(root[k] * s.v[b].At(c, k)) }
}
