package language

import (
	"math"
	"slices"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"

	"gonum.org/v1/gonum/mat"
)

// slicing builds the network whose stream is turned and cut.
type slicing struct {
	*stream
	g     *graph.Graph
	keep  int          // channels of the stream that stay
	bases []*mat.Dense // of the points; nil: weights are of the right shapes alone, to be counted
}

// sliced gives a copy of the network with a narrower stream. With Q the first columns of a
// point's basis, and M what takes a mean off,
//
//	what begins the stream, or adds to the point   W M Q
//	what reads it                                  √(width/keep) Qᵀ diag(scale) W, and shift W in its bias
//	its norms                                      x/√(mean(x²) + ε·width/keep)
//	beside the branches, from point to point       Qᵀ M Q'
//
// which is the mean over all channels that there were. M is the identity where norms take no
// mean off. The last point is not turned.
func (st *stream) sliced(from *graph.Graph, keep int, bases []*mat.Dense) (*graph.Graph, error) {
	g, _ := from.Clone(false)
	own, err := findStream(g)
	if err != nil {
		return nil, err
	}
	s := &slicing{own, g, keep, bases}
	if err := s.begin(); err != nil {
		return nil, err
	}
	for k := range s.points {
		if err := s.point(k); err != nil {
			return nil, err
		}
	}
	if err := g.Sort(); err != nil {
		return nil, err
	}
	g.Prune()
	return g, op.InferAll(g)
}

// in is M Q of a point, [width, keep]; nil where weights are counted alone.
func (s *slicing) in(k int) mat.Matrix {
	if s.bases == nil {
		return nil
	}
	q := s.bases[k].Slice(0, s.width, 0, s.keep)
	if !s.mean {
		return q
	}
	var x mat.Dense
	x.Mul(centring(s.width), q)
	return &x
}

// out is Q of a point, [width, keep]; nil likewise.
func (s *slicing) out(k int) mat.Matrix {
	if s.bases == nil {
		return nil
	}
	return s.bases[k].Slice(0, s.width, 0, s.keep)
}

// begin turns what the stream begins with: its tables where it is made of such, else it is
// multiplied once.
func (s *slicing) begin() error {
	p := s.points[0]
	f := &finder{g: s.g, uses: s.g.Uses(), width: s.width}
	if of := f.begins(p.at); of != nil {
		for _, u := range of {
			v := u.Node.In(u.Index)
			s.replace(u, timesRight(v.Const, s.in(0), s.keep))
		}
		return nil
	}
	b := op.NewBuilder(s.g, p.at.Name+"/sliced")
	uses := f.uses[p.at]
	z := b.Op("MatMul", p.at, s.weight(p.at.Name+"/basis", s.in(0), s.width, s.keep))
	for _, u := range uses {
		u.Node.Inputs[u.Index] = z
	}
	p.at = z
	return b.Err()
}

// replace puts a weight in the place of one where that is read; where others read it too, they
// keep it.
func (s *slicing) replace(u graph.Use, t *tensor.Tensor) {
	v := u.Node.In(u.Index)
	if len(s.g.Uses()[v]) == 1 {
		v.Const, v.Shape = t, graph.Dims(t.Shape...)
		return
	}
	u.Node.Inputs[u.Index] = s.g.Const(v.Name+"/sliced", t, v.Role)
}

// weight is a new weight.
func (s *slicing) weight(name string, m mat.Matrix, rows, cols int) *graph.Value {
	t := tensor.New(tensor.Float32, rows, cols)
	if m != nil {
		fill(t.F32(), m)
	}
	return s.g.Const(name, t, graph.Param)
}

// point turns what reads a point, and what adds to the next.
func (s *slicing) point(k int) error {
	p := s.points[k]
	p.at.Shape = slices.Clone(p.at.Shape)
	p.at.Shape[len(p.at.Shape)-1] = graph.N(s.keep)
	wide := float64(s.width) / float64(s.keep)
	for _, n := range p.norms {
		b := op.NewBuilder(s.g, n.out.Name+"/sliced")
		y := plainNorm(b, p.at, n.eps*wide)
		if err := b.Err(); err != nil {
			return err
		}
		for _, u := range n.readers {
			w := u.Node.In(1)
			was := w.Const
			w.Const = s.reader(was, n, s.out(k), math.Sqrt(wide))
			w.Shape = graph.Dims(w.Const.Shape...)
			u.Node.Inputs[0] = y
			if n.shift == nil {
				continue
			}
			if err := addBias(s.g, u.Node.Out(0).Name, s.shift(was, n)); err != nil {
				return err
			}
		}
	}
	name := p.at.Name + "/shortcut"
	b := op.NewBuilder(s.g, name)
	last := k == len(s.points)-1
	m, cols := mat.Matrix(nil), s.width
	if !last {
		cols = s.keep
	}
	if s.bases != nil {
		m = s.out(k).T()
		if !last {
			var x mat.Dense
			x.Mul(m, s.in(k+1))
			m = &x
		}
	}
	p.sum.Node.Inputs[p.sum.Index] = b.Op("MatMul", p.at, s.weight(name+"/weight", m, s.keep, cols))
	if err := b.Err(); err != nil || last {
		return err
	}
	for _, x := range p.branches {
		for _, v := range []*graph.Value{x.weight, x.bias} {
			if v != nil {
				v.Const = timesRight(v.Const, s.in(k+1), s.keep)
				v.Shape = graph.Dims(v.Const.Shape...)
			}
		}
	}
	return nil
}

// reader is a weight [width, outs] that reads a norm, over the channels that stay.
func (s *slicing) reader(w *tensor.Tensor, n *streamNorm, q mat.Matrix, by float64) *tensor.Tensor {
	outs := w.Shape[1]
	t := tensor.New(tensor.Float32, s.keep, outs)
	if q == nil {
		return t
	}
	x := mat.NewDense(s.width, outs, nil)
	for i := range s.width {
		scale := by
		if n.scale != nil {
			scale *= float64(n.scale[i])
		}
		for o := range outs {
			x.Set(i, o, scale*float64(w.F32()[i*outs+o]))
		}
	}
	var y mat.Dense
	y.Mul(q.T(), x)
	fill(t.F32(), &y)
	return t
}

// shift is what the shift of a norm becomes behind a weight.
func (s *slicing) shift(w *tensor.Tensor, n *streamNorm) []float32 {
	outs := w.Shape[1]
	sum := make([]float64, outs)
	for i, x := range n.shift {
		for o := range sum {
			sum[o] += float64(x) * float64(w.F32()[i*outs+o])
		}
	}
	out := make([]float32, outs)
	for o, x := range sum {
		out[o] = float32(x)
	}
	return out
}

// rowsAtOnce bounds the memory of a product with a table.
const rowsAtOnce = 4096

// timesRight multiplies the last axis of a tensor by a matrix with so many columns.
func timesRight(t *tensor.Tensor, m mat.Matrix, cols int) *tensor.Tensor {
	n := t.Shape[t.Rank()-1]
	shape := append(append([]int{}, t.Shape[:t.Rank()-1]...), cols)
	out := tensor.New(tensor.Float32, shape...)
	if m == nil {
		return out
	}
	for lo := 0; lo < t.Len()/n; lo += rowsAtOnce {
		hi := min(lo+rowsAtOnce, t.Len()/n)
		x := mat.NewDense(hi-lo, n, nil)
		for i, a := range t.F32()[lo*n : hi*n] {
			x.Set(i/n, i%n, float64(a))
		}
		var y mat.Dense
		y.Mul(x, m)
		fill(out.F32()[lo*cols:hi*cols], &y)
	}
	return out
}
