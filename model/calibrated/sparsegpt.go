package calibrated

import (
	_ "embed"

	"context"
	"fmt"
	"slices"

	"pare/catalog"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/calibrate"

	"gonum.org/v1/gonum/mat"
)

// SparseGPT is pruning by approximate layer-wise reconstruction.
type SparseGPT struct {
	Sparsity  float64          `flag:"sparsity" range:"[0,1)" doc:"share of the prunable weights that is cut"`
	Pattern   allocate.Pattern `flag:"pattern" doc:"what is cut: single weights (empty), N:M such as 2:4 (N of every M inputs stay), or block:HxW tiles"`
	Damp      float64          `flag:"damp" range:"(0,)" doc:"share of the mean of the second moments' diagonal that is added to it"`
	BlockSize int              `flag:"blocksize" range:"[1,)" doc:"columns of which the mask is chosen together, after those before them are solved"`
	Samples
}

//go:embed sparsegpt.md
var sparseGPTDoc string

var sparseGPTCard = &catalog.Card{
	Name: "sparsegpt", Noun: "model", Title: "Pruning with layer-wise reconstruction (SparseGPT)",
	Paper: "Frantar, Alistarh: SparseGPT: Massive Language Models Can Be Accurately Pruned in One-Shot (2023). arXiv 2301.00774",
	Cuts:  "weights, N:M groups, blocks", Needs: catalog.Samples, Doc: sparseGPTDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "after", How: "curvature activation one-shot reconstruct retrain", Supervision: "unlabelled labels", Fusion: "none"},
}

// NewSparseGPT gives the method with its defaults.
func NewSparseGPT() *SparseGPT {
	return &SparseGPT{Sparsity: .5, Damp: .01, BlockSize: 128, Samples: Samples{Samples: 128}}
}

// Card describes the method.
func (*SparseGPT) Card() *catalog.Card { return sparseGPTCard }

// Run cuts and solves layer after layer, and fine-tunes.
func (s *SparseGPT) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	return s.each(ctx, j, looks{whole: true}, func(c *cut) (*prune.Mask, error) { return s.solve(ctx, c) })
}

// ByPart cuts a part of a network in the same way.
func (s *SparseGPT) ByPart() (*model.PartCut, error) {
	return s.byPart(looks{whole: true}, s.solve), nil
}

// solve cuts a layer and moves the weights that stay.
func (s *SparseGPT) solve(ctx context.Context, c *cut) (*prune.Mask, error) {
	out := prune.NewMask(c.Weight.Len(), true)
	before := 0
	for _, m := range c.of {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		w := mat.NewDense(m.Outs, m.Cols, nil)
		for o := range m.Outs {
			for k := range m.Cols {
				w.Set(o, k, float64(c.Weight.Data()[m.At(o, k)]))
			}
		}
		kept, err := s.prune(w, m, before)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Weight.Name, err)
		}
		before += m.Outs * m.Cols
		for o := range m.Outs {
			for k := range m.Cols {
				c.Weight.Data()[m.At(o, k)] = float32(w.At(o, k))
				out.Set(m.At(o, k), kept.Kept(o*m.Cols+k))
			}
		}
	}
	return out, nil
}

// prune cuts a matrix [outs, cols]. With U the upper Cholesky factor of the inverse of H,
// the columns go from left to right: what is cut of column i makes the error
// e = w / U_ii, and the columns behind it move by -e U_i,: so that the outputs change
// least. Those within a block move at once, all others when the block is done. before is
// the number of entries of the layer's groups in front.
func (s *SparseGPT) prune(w *mat.Dense, m *calibrate.Moments, before int) (*prune.Mask, error) {
	rows, cols := w.Dims()
	u, err := s.factor(w, m)
	if err != nil {
		return nil, err
	}
	size := s.BlockSize
	if unit := max(s.Pattern.M, s.Pattern.W); unit > 0 {
		size = (size + unit - 1) / unit * unit
	}
	out := prune.NewMask(rows*cols, true)
	for lo := 0; lo < cols; lo += size {
		hi := min(lo+size, cols)
		var kept *prune.Mask // [rows, hi-lo]
		if s.Pattern.M == 0 {
			at := before + rows*lo
			if kept, err = s.choose(w, u, lo, hi, at); err != nil {
				return nil, err
			}
		}
		e := mat.NewDense(rows, hi-lo, nil)
		for i := lo; i < hi; i++ {
			if g := s.Pattern.M; g > 0 && i%g == 0 {
				if kept, err = s.choose(w, u, i, min(i+g, cols), 0); err != nil {
					return nil, err
				}
			}
			first, width := lo, hi-lo
			if g := s.Pattern.M; g > 0 {
				first = i / g * g
				width = min(first+g, cols) - first
			}
			right := u.RawRowView(i)
			for r := range rows {
				if kept.Kept(r*width + i - first) {
					continue
				}
				out.Set(r*cols+i, false)
				row := w.RawRowView(r)
				f := row[i] / right[i]
				e.Set(r, i-lo, f)
				for k := i; k < hi; k++ {
					row[k] -= f * right[k]
				}
				row[i] = 0
			}
		}
		if hi < cols {
			var move mat.Dense
			move.Mul(e, u.Slice(lo, hi, hi, cols))
			rest := w.Slice(0, rows, hi, cols).(*mat.Dense)
			rest.Sub(rest, &move)
		}
	}
	return out, nil
}

// choose picks what stays of columns lo to hi, by w² / U_ii².
func (s *SparseGPT) choose(w, u *mat.Dense, lo, hi, at int) (*prune.Mask, error) {
	rows, n := w.RawMatrix().Rows, hi-lo
	sc := make([]float32, rows*n)
	for r := range rows {
		for i := lo; i < hi; i++ {
			f := w.At(r, i) / u.At(i, i)
			sc[r*n+i-lo] = float32(f * f)
		}
	}
	switch p := s.Pattern; {
	case p.M > 0:
		return prune.Nm(sc, rows, n, p.N, p.M)
	case p.H > 0:
		tiles := (rows + p.H - 1) / p.H * ((n + p.W - 1) / p.W)
		keep, err := allocate.Keep(tiles, s.Sparsity)
		if err != nil {
			return nil, err
		}
		return prune.Blocks(sc, rows, n, p.H, p.W, max(1, keep))
	}
	cut := share(at+rows*n, s.Sparsity) - share(at, s.Sparsity)
	return prune.TopK(sc, rows*n-cut, prune.CutFirst), nil
}

// factor gives the upper U with UᵀU = H⁻¹. H is VVᵀ with V upper (the Cholesky factor of
// H with its axes turned round), so U is V⁻¹, and H need not be inverted. Inputs that are
// never other than zero get weights of zero. The moments are used up, for large layers have
// large ones.
func (s *SparseGPT) factor(w *mat.Dense, m *calibrate.Moments) (*mat.Dense, error) {
	n := m.Cols
	mean := 0.0
	for k := range n {
		if m.XX[k*n+k] == 0 {
			m.XX[k*n+k] = 1
			for r := range m.Outs {
				w.Set(r, k, 0)
			}
		}
		mean += m.XX[k*n+k] / float64(n)
	}
	x := m.XX
	m.XX = nil
	slices.Reverse(x) // both axes are turned round
	for k := range n {
		x[k*n+k] += s.Damp * mean
	}
	var f mat.Cholesky
	if !f.Factorize(mat.NewSymDense(n, x)) {
		return nil, fmt.Errorf("the second moments of its %d inputs are not positive: give more samples, or more damping", n)
	}
	var l mat.TriDense
	f.LTo(&l)
	f = mat.Cholesky{} // which is as large again
	if err := l.InverseTri(&l); err != nil {
		if _, ill := err.(mat.Condition); !ill {
			return nil, err
		}
	}
	clear(x)
	u := mat.NewDense(n, n, x)
	for a := range n {
		for b := a; b < n; b++ {
			u.Set(a, b, l.At(n-1-a, n-1-b))
		}
	}
	return u, nil
}
