package language

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"pare/catalog"
	"pare/graph"
	"pare/graph/op"
	"pare/model"
	"pare/prune"
	"pare/prune/calibrate"
	"pare/tensor"

	"gonum.org/v1/gonum/mat"
)

// look finds the basis of every point, one after the other: what it sees of the stream is what
// blocks make that read it as it was cut before. A basis is [width, width], of columns in the
// order in which they stay.
func (s *SliceGPT) look(ctx context.Context, j *model.Job, f *SliceFacts) ([]*mat.Dense, error) {
	batches, err := j.Calibration(s.Samples)
	if err != nil {
		return nil, err
	}
	g, _ := j.Graph.Clone(false)
	st, err := findStream(g)
	if err != nil {
		return nil, err
	}
	onto, err := st.projected(g)
	if err != nil {
		return nil, err
	}
	opt := calibrate.Options{Engine: j.Engine}
	layers, skips := calibrate.Layers(g, onto)
	if len(layers) != len(onto) {
		return nil, fmt.Errorf("the stream cannot be looked into: %s %s", skips[0].Name, skips[0].Why)
	}
	if why := opt.TooLarge(layers[0]); why != "" {
		return nil, fmt.Errorf("the stream %s", why)
	}
	walk, err := calibrate.NewWalk(g, batches, opt)
	if err != nil {
		return nil, err
	}
	var bases []*mat.Dense
	for k, l := range layers {
		ms, err := l.Inputs(ctx, walk, true)
		if err != nil {
			return nil, err
		}
		h := mat.NewSymDense(st.width, ms[0].XX)
		if st.mean {
			h = centredMoments(h)
		}
		q, err := s.basis(h, rand.New(rand.NewPCG(j.Seed, uint64(k))))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", st.points[k].at.Name, err)
		}
		stay := q.Slice(0, st.width, 0, f.Width)
		var p mat.Dense
		p.Mul(stay, stay.T())
		if st.mean {
			p.Mul(centring(st.width), &p)
		}
		fill(l.Weight.Data(), &p)
		bases = append(bases, q)
		f.Points = append(f.Points, SlicePoint{st.points[k].at.Name, carried(h, stay)})
		j.Logf("%s: the %d axes that stay carry %.4f of the stream", st.points[k].at.Name, f.Width, f.Points[k].Kept)
	}
	return bases, nil
}

// projected puts a matrix behind every point of a stream, in the place of which all read it
// from there on. The matrix is the identity: where it becomes the projection onto what stays,
// the network gives what the sliced one gives. Norms keep their scales, and take no mean off.
func (st *stream) projected(g *graph.Graph) (onto []*prune.Weight, err error) {
	for _, p := range st.points {
		b := op.NewBuilder(g, p.at.Name+"/projected")
		uses := g.Uses()[p.at]
		m := tensor.New(tensor.Float32, st.width, st.width)
		for i := range st.width {
			m.F32()[i*st.width+i] = 1
		}
		w := g.Const(p.at.Name+"/onto", m, graph.Param)
		z := b.Op("MatMul", p.at, w)
		node := z.From
		for _, u := range uses {
			u.Node.Inputs[u.Index] = z
		}
		for _, n := range p.norms {
			if !n.mean {
				continue
			}
			y := plainNorm(b, z, n.eps)
			if n.scale != nil {
				y = b.Op("Mul", y, b.Const(tensor.From(n.scale, st.width)))
			}
			if n.shift != nil {
				y = b.Op("Add", y, b.Const(tensor.From(n.shift, st.width)))
			}
			for _, u := range n.readers {
				u.Node.Inputs[u.Index] = y
			}
		}
		if err := b.Err(); err != nil {
			return nil, err
		}
		onto = append(onto, &prune.Weight{Value: w, Kind: prune.Linear, Node: node, Out: 1})
	}
	if err := g.Sort(); err != nil {
		return nil, err
	}
	g.Prune()
	return onto, op.InferAll(g)
}

// basis makes an orthogonal matrix of second moments: its columns are axes, those that stay
// first.
func (s *SliceGPT) basis(h *mat.SymDense, r *rand.Rand) (*mat.Dense, error) {
	n := h.SymmetricDim()
	q := mat.NewDense(n, n, nil)
	switch s.Basis {
	case "pca":
		var e mat.EigenSym
		if !e.Factorize(h, true) {
			return nil, catalog.Errorf("the principal axes of the stream are not found: what {Data} make of it is not finite, or too large")
		}
		var v mat.Dense
		e.VectorsTo(&v) // by rising eigenvalues
		for c := range n {
			q.SetCol(c, mat.Col(nil, n-1-c, &v))
		}
	case "random":
		x := mat.NewDense(n, n, nil)
		for i := range n * n {
			x.Set(i/n, i%n, r.NormFloat64())
		}
		var qr mat.QR
		qr.Factorize(x)
		qr.QTo(q)
	default:
		order := make([]int, n)
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(h.At(b, b), h.At(a, a)) })
		for c, i := range order {
			q.Set(i, c, 1)
		}
	}
	return q, nil
}

// carried is the share of second moments that some axes carry.
func carried(h *mat.SymDense, axes mat.Matrix) float64 {
	var x mat.Dense
	x.Mul(h, axes)
	x.MulElem(&x, axes)
	if all := mat.Trace(h); all > 0 {
		return mat.Sum(&x) / all
	}
	return 1
}

// centring takes the mean off a row that is multiplied by it.
func centring(n int) *mat.Dense {
	m := mat.NewDense(n, n, nil)
	for i := range n {
		for k := range n {
			m.Set(i, k, -1/float64(n))
		}
		m.Set(i, i, 1-1/float64(n))
	}
	return m
}

// centredMoments are second moments of rows whose means are taken off.
func centredMoments(h *mat.SymDense) *mat.SymDense {
	n := h.SymmetricDim()
	row, all := make([]float64, n), 0.
	for i := range n {
		for k := range n {
			row[i] += h.At(i, k) / float64(n)
		}
		all += row[i] / float64(n)
	}
	out := mat.NewSymDense(n, nil)
	for i := range n {
		for k := i; k < n; k++ {
			out.SetSym(i, k, h.At(i, k)-row[i]-row[k]+all)
		}
	}
	return out
}

// fill writes a matrix, row by row.
func fill(to []float32, m mat.Matrix) {
	rows, cols := m.Dims()
	for i := range rows {
		for k := range cols {
			to[i*cols+k] = float32(m.At(i, k))
		}
	}
}
