package calibrate

import (
	"context"
	"fmt"
	"math"
	"slices"

	"pare/graph"
	"pare/prune"
	"pare/prune/structure"

	"gonum.org/v1/gonum/mat"
)

// reader is a layer that reads a group's channels: what its output loses when some go.
type reader struct {
	inverse []float64 // of its inputs' moments, [cols, cols]
	w       []float64 // [outs, cols], the outputs scaled as they are behind the layer
	cols    int
	outs    int
	of      [][]int // columns of each channel
}

// Reconstruction rates channels by what their loss does to the layers that read them,
// when the weights that are left are solved anew: the least increase of
//
//	|y - W x|² over the variance of y
//
// where y is what the network has behind the layer, normalised and summed up as there.
// Channels go one after the other, the cheapest first, and what is left takes over what
// it can: with H the second moments of the layer's inputs, to lose the columns S costs
// tr(W_S [(H⁻¹)_SS]⁻¹ W_Sᵀ), and W and H⁻¹ are then those without them (Hassibi and Stork
// 1993 for sets of weights; He, Zhang, Sun 2017, arXiv 1707.06168 choose channels for the
// same error by LASSO). A channel's rate is its cost, at least that of those before it,
// for each multiply-accumulate that goes with it: higher stays. damp is the share of the
// mean of H's diagonal that is added to it.
//
// Groups that no calibrated layer reads get the rates of their entries' squares.
func Reconstruction(ctx context.Context, g *graph.Graph, groups []*structure.Group, batches Batches, damp float64, opt Options) ([][]float64, []prune.Skip, error) {
	readers := make([][]*reader, len(groups))
	uses := g.Uses()
	skips, err := eachReader(ctx, g, groups, batches, opt, func(l *Layer, walk *Walk, by map[int]int) error {
		r, err := readerOf(ctx, l, walk, uses, damp)
		if r == nil {
			return err
		}
		for k, a := range by {
			c := *r
			c.of = columns(l.Weight, groups[k], a)
			if len(by) > 1 {
				c.inverse, c.w = slices.Clone(r.inverse), slices.Clone(r.w)
			}
			readers[k] = append(readers[k], &c)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	plain := structure.Score(groups, structure.Squares)
	worth := structure.Worth(g, groups)
	out := make([][]float64, len(groups))
	for k, grp := range groups {
		if len(readers[k]) == 0 {
			out[k] = plain[k]
			continue
		}
		out[k] = eliminate(readers[k], len(grp.Channels))
		for c := range out[k] {
			out[k][c] /= math.Max(1, float64(worth[k].MACs))
		}
		readers[k] = nil
	}
	return out, skips, nil
}

// columns lists for every channel the columns of a weight's matrix that read it.
func columns(w *prune.Weight, grp *structure.Group, axis int) [][]int {
	dim := grp.Axes[axis].Dim
	stride, n := 1, w.Const.Shape[dim]
	for _, k := range w.Const.Shape[dim+1:] {
		stride *= k
	}
	of := make([][]int, n) // by position
	_, cols, at := w.Matrix()
	for c := range cols {
		p := at(0, c) / stride % n
		of[p] = append(of[p], c)
	}
	out := make([][]int, len(grp.Channels))
	for c, ch := range grp.Channels {
		for _, p := range ch.At[axis] {
			out[c] = append(out[c], of[p]...)
		}
	}
	return out
}

// readerOf sums up what goes into a layer; nil where it cannot be taken apart.
func readerOf(ctx context.Context, l *Layer, w *Walk, uses map[*graph.Value][]graph.Use, damp float64) (*reader, error) {
	if len(l.Sites) > 1 || w.opt.TooLarge(l) != "" {
		return nil, nil
	}
	s := l.Sites[0]
	n := l.Weight.Outputs()
	e := s.follow(w.g, uses, n, func(*graph.Value) bool { return true })
	if e == nil {
		return nil, nil
	}
	v := w.View([]*graph.Value{s.X(), s.Y(), e.value}, s.Node)
	defer v.Close()
	sum := &sums{opt: w.opt, whole: true}
	defer sum.close()
	for b := range w.Batches() {
		t, err := v.Run(ctx, b)
		if err != nil {
			return nil, err
		}
		p, err := s.product(t[0].Shape, t[1].Shape)
		if err != nil {
			return nil, err
		}
		if p.groups != 1 {
			return nil, nil
		}
		if err := sum.add(p, t[0].F32(), func(g, lo, hi int, dst []float32) { p.outputs(t[2].F32(), g, lo, hi, dst) }); err != nil {
			return nil, fmt.Errorf("%s: %w", l.Weight.Name, err)
		}
	}
	if err := sum.check(l.Weight.Name); err != nil {
		return nil, err
	}
	m := sum.of[0]
	_, my := m.centre()
	whole, trace := 0.0, 0.0
	for o := range m.Outs {
		whole += m.YY[o] - float64(m.Rows)*my[o]*my[o]
	}
	for k := range m.Cols {
		trace += m.XX[k*m.Cols+k] / float64(m.Cols)
	}
	if whole <= 0 || trace <= 0 {
		return nil, nil
	}
	h := mat.NewSymDense(m.Cols, m.XX)
	for k := range m.Cols {
		h.SetSym(k, k, h.At(k, k)+damp*trace)
	}
	var f mat.Cholesky
	if !f.Factorize(h) {
		return nil, fmt.Errorf("%s: the moments of its inputs are not positive: give more samples, or more damping", l.Weight.Name)
	}
	inv := mat.NewSymDense(m.Cols, nil)
	if err := f.InverseTo(inv); err != nil && math.IsInf(f.Cond(), 1) {
		return nil, fmt.Errorf("%s: %w", l.Weight.Name, err)
	}
	r := &reader{cols: m.Cols, outs: m.Outs, w: make([]float64, m.Outs*m.Cols), inverse: make([]float64, m.Cols*m.Cols)}
	for a := range m.Cols {
		for b := range m.Cols {
			r.inverse[a*m.Cols+b] = inv.At(a, b)
		}
	}
	for o := range m.Outs {
		f := e.scale[o] / math.Sqrt(whole)
		for k := range m.Cols {
			r.w[o*m.Cols+k] = float64(l.Weight.Data()[m.At(o, k)]) * f
		}
	}
	return r, nil
}

// eliminate lets channels go one after the other and gives what each cost.
func eliminate(rs []*reader, channels int) []float64 {
	out := make([]float64, channels)
	gone := make([]bool, channels)
	least := 0.0
	for range channels {
		best, cost := -1, 0.0
		for c := range channels {
			if gone[c] {
				continue
			}
			sum := 0.0
			for _, r := range rs {
				sum += r.cost(c)
			}
			if best < 0 || sum < cost {
				best, cost = c, sum
			}
		}
		least = math.Max(least, cost)
		out[best], gone[best] = least, true
		for _, r := range rs {
			r.remove(best)
		}
	}
	return out
}

// solved is [(H⁻¹)_SS]⁻¹ of a channel's columns.
func (r *reader) solved(s []int) *mat.SymDense {
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

// cost is what the output loses with a channel.
func (r *reader) cost(c int) float64 {
	s := r.of[c]
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

// remove takes a channel's columns out, and lets the others make good what they can.
func (r *reader) remove(c int) {
	s := r.of[c]
	if len(s) == 0 {
		return
	}
	q := r.solved(s)
	if q == nil {
		return
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
}
