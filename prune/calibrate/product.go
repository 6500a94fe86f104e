package calibrate

import (
	"fmt"
	"slices"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// product is a node that multiplies by a weight, for inputs of given sizes, as
//
//	y[g,n,o] = sum over k of x[g,n,k] w[g,o,k]
//
// for every group g, row n, output o and column k. A place in a tensor is the sum of
// the offsets of its indices.
type product struct {
	groups, rows, outs, cols int

	xg, xn, xk []int // offsets in the input; of a convolution xk is nil, see window
	yg, yn, yo []int // in the output
	wg, wo, wk []int // in the weight's initialiser
	alpha      float32
	window     *unfold
}

// at is the place of an entry of the weight.
func (p *product) at(g, o, k int) int { return p.wg[g] + p.wo[o] + p.wk[k] }

// inputs writes rows lo to hi of a group, [hi-lo, cols].
func (p *product) inputs(x []float32, g, lo, hi int, dst []float32) {
	if p.window != nil {
		p.window.rows(x, g, lo, hi, dst)
		return
	}
	step := 1
	for k := 1; k < p.cols && step == 1; k++ {
		step = p.xk[k] - p.xk[k-1]
	}
	for n := lo; n < hi; n++ {
		row := dst[(n-lo)*p.cols : (n-lo+1)*p.cols]
		off := p.xg[g] + p.xn[n]
		if step == 1 {
			copy(row, x[off:off+p.cols])
		} else {
			for k := range row {
				row[k] = x[off+p.xk[k]]
			}
		}
		if p.alpha != 1 {
			for k := range row {
				row[k] *= p.alpha
			}
		}
	}
}

// outputs writes rows lo to hi of a group's outputs, [hi-lo, outs], of a tensor of the
// output's shape.
func (p *product) outputs(y []float32, g, lo, hi int, dst []float32) {
	for n := lo; n < hi; n++ {
		off := p.yg[g] + p.yn[n]
		row := dst[(n-lo)*p.outs : (n-lo+1)*p.outs]
		for o := range row {
			row[o] = y[off+p.yo[o]]
		}
	}
}

// Site is a node that multiplies what the network computes by a weight.
type Site struct {
	Node *graph.Node
	In   int // the input that is the weight

	strides []int // of the input's axes in the weight's initialiser
	shape   []int // of the input
}

// X is the value that is multiplied.
func (s *Site) X() *graph.Value { return s.Node.In(s.other()) }

// Y is the product, with the node's bias.
func (s *Site) Y() *graph.Value { return s.Node.Out(0) }

func (s *Site) other() int {
	if s.In == 0 {
		return 1
	}
	return 0
}

// siteOf is the place where a weight is a factor; the reason says why it cannot be
// looked into.
func siteOf(at op.Site) (*Site, string) {
	n := at.Node
	s := &Site{Node: n, In: at.In}
	switch {
	case at.Body != nil:
		return nil, fmt.Sprintf("is used inside %s %q, whose body is not looked into", at.Body.Op, at.Body.Name)
	case at.Behind != nil:
		return nil, fmt.Sprintf("stands behind %s %q, which changes its numbers", at.Behind.Op, at.Behind.Name)
	case !n.Is("Conv", "Gemm", "MatMul", "Einsum") || n.Is("Conv") && at.In != 1 || n.Is("Einsum") && len(n.Inputs) != 2:
		return nil, fmt.Sprintf("multiplies in %s %q, which is not calibrated", n.Op, n.Name)
	case n.In(s.other()) == nil || n.In(s.other()).DType != tensor.Float32:
		return nil, fmt.Sprintf("is not multiplied by float32 numbers in %s %q", n.Op, n.Name)
	}
	v := n.In(at.In)
	for d := range v.Shape {
		of, dim, ok := op.Source(v, d)
		if !ok || of != at.Value {
			return nil, fmt.Sprintf("is read by %s %q through nodes that are not followed", n.Op, n.Name)
		}
		stride := 1
		for _, k := range of.Const.Shape[dim+1:] {
			stride *= k
		}
		s.strides, s.shape = append(s.strides, stride), append(s.shape, of.Const.Shape[dim])
	}
	return s, ""
}

// product lays the node out for an input and an output of given shapes.
func (s *Site) product(x, y []int) (*product, error) {
	n := s.Node
	if n.Is("Conv") {
		return s.conv(x)
	}
	xl, wl, yl, err := s.labels(len(x))
	if err != nil {
		return nil, err
	}
	if len(yl) != len(y) {
		return nil, fmt.Errorf("node %q: a product of rank %d was expected, not %d", n.Name, len(yl), len(y))
	}
	for _, l := range [][]rune{xl, wl, yl} {
		if len(slices.Compact(slices.Sorted(slices.Values(l)))) < len(l) {
			return nil, fmt.Errorf("node %q (%s) takes the diagonal of a factor", n.Name, n.Op)
		}
	}
	p := &product{alpha: n.Float("alpha", 1)}
	if !n.Is("Gemm") {
		p.alpha = 1
	}
	ax, ay, aw := axesOf(xl, x, contiguous(x)), axesOf(yl, y, contiguous(y)), axesOf(wl, s.shape, s.strides)
	var g, o, k, r []rune
	for _, l := range wl {
		_, inX := ax[l]
		_, inY := ay[l]
		switch {
		case aw[l].size == 0 || slices.Contains(append(append(slices.Clone(g), o...), k...), l):
		case inX && inY:
			g = append(g, l)
		case inY:
			o = append(o, l)
		case inX:
			k = append(k, l)
		default:
			return nil, fmt.Errorf("node %q (%s) sums its weight over an axis that the input has not", n.Name, n.Op)
		}
	}
	for _, l := range yl {
		if _, inX := ax[l]; inX && !slices.Contains(g, l) && !slices.Contains(r, l) {
			r = append(r, l)
		}
	}
	for l := range ax {
		if !slices.Contains(append(append(slices.Clone(g), k...), r...), l) {
			return nil, fmt.Errorf("node %q (%s) sums its input over an axis that the weight has not", n.Name, n.Op)
		}
	}
	p.xg, p.xn, p.xk = ax.offsets(g), ax.offsets(r), ax.offsets(k)
	p.yg, p.yn, p.yo = ay.offsets(g), ay.offsets(r), ay.offsets(o)
	p.wg, p.wo, p.wk = aw.offsets(g), aw.offsets(o), aw.offsets(k)
	p.groups, p.rows, p.outs, p.cols = len(p.wg), len(p.xn), len(p.wo), len(p.wk)
	return p, nil
}

// out is the shape of the product of an input of a shape, which need not be computed for
// it; nil of a convolution, whose product does not need it.
func (s *Site) out(x []int) ([]int, error) {
	if s.Node.Is("Conv") {
		return nil, nil
	}
	xl, wl, yl, err := s.labels(len(x))
	if err != nil {
		return nil, err
	}
	y := make([]int, len(yl))
	for d, l := range yl {
		y[d] = 1
		if i := slices.Index(xl, l); i >= 0 {
			y[d] = x[i]
		}
		if i := slices.Index(wl, l); i >= 0 && y[d] == 1 {
			y[d] = s.shape[i]
		}
	}
	return y, nil
}

// labels name the axes of input, weight and output of a product of matrices by what they
// are.
func (s *Site) labels(x int) (xl, wl, yl []rune, err error) {
	n := s.Node
	switch {
	case n.Is("Einsum"):
		in, out, err := op.Indices(n)
		if err != nil || len(in) != 2 {
			return nil, nil, nil, fmt.Errorf("node %q: its equation is not understood", n.Name)
		}
		return in[s.other()], in[s.In], out, nil
	case n.Is("Gemm"):
		a, b := []rune("mk"), []rune("kn")
		if n.Int("transA", 0) != 0 {
			a = []rune("km")
		}
		if n.Int("transB", 0) != 0 {
			b = []rune("nk")
		}
		if s.In == 1 {
			return a, b, []rune("mn"), nil
		}
		return b, a, []rune("mn"), nil
	}
	a, b := x, len(s.shape) // ranks of the factors
	if s.In == 0 {
		a, b = b, a
	}
	left, right := matrixLabels(a, 'm', 'k'), matrixLabels(b, 'k', 'n')
	if b == 1 {
		right = []rune("k")
	}
	if a == 1 {
		left = []rune("k")
	}
	out := batchLabels(max(a, b, 2) - 2)
	if a > 1 {
		out = append(out, 'm')
	}
	if b > 1 {
		out = append(out, 'n')
	}
	if s.In == 0 {
		return right, left, out, nil
	}
	return left, right, out, nil
}

// batchLabels names the axes of a stack of matrices, from the last: axes that stand
// above each other have one name.
func batchLabels(n int) []rune {
	out := make([]rune, n)
	for i := range out {
		out[i] = 'A' + rune(n-1-i)
	}
	return out
}

func matrixLabels(rank int, r, c rune) []rune { return append(batchLabels(max(rank, 2)-2), r, c) }

// axis is an axis of a tensor by its name.
type axis struct{ size, stride int }

type axes map[rune]axis

// axesOf are the named axes of a tensor; those of one position, which may stand above
// longer ones, have no say.
func axesOf(labels []rune, shape, strides []int) axes {
	a := axes{}
	for d, l := range labels {
		if shape[d] != 1 {
			a[l] = axis{shape[d], strides[d]}
		}
	}
	return a
}

// offsets are the places of all combinations of positions, the last axis fastest.
func (a axes) offsets(labels []rune) []int {
	out := []int{0}
	for _, l := range labels {
		next := make([]int, 0, len(out)*a[l].size)
		for _, o := range out {
			for i := range a[l].size {
				next = append(next, o+i*a[l].stride)
			}
		}
		out = next
	}
	return out
}

func contiguous(shape []int) []int {
	out := make([]int, len(shape))
	stride := 1
	for d := len(shape) - 1; d >= 0; d-- {
		out[d] = stride
		stride *= shape[d]
	}
	return out
}
