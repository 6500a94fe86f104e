package engine

import (
	"pare/graph"
	"pare/internal/kernel"
	"pare/tensor"
)

// lowerView plans operators that only give the elements another shape.
func lowerView(l *lowering, n *graph.Node) (done bool, why string) {
	x, y := n.In(0), n.Out(0)
	if x.DType != tensor.Float32 || y.DType != tensor.Float32 {
		return no("it is in %v; kernels compute in float32", x.DType)
	}
	if n.Is("Identity") && l.has(x, nhwc) && !l.has(x, plain) {
		l.view(y, nhwc, l.get(x, nhwc, n))
		return true, ""
	}
	l.view(y, plain, l.get(x, plain, n))
	return true, ""
}

func lowerTranspose(l *lowering, n *graph.Node) (done bool, why string) {
	x, y := n.In(0), n.Out(0)
	if x.DType != tensor.Float32 || sizeOf(y) == 0 {
		return noMove(x)
	}
	l.emitMove(n, "transpose", l.get(x, plain, n), l.make(y, plain), transposition(n))
	return true, ""
}

// transposition is the move of a Transpose, of numbers in their order.
func transposition(n *graph.Node) *move {
	sx, shape := tensor.Strides(dims(n.In(0))), dims(n.Out(0))
	perm := n.Ints("perm")
	st := make([]int, len(shape))
	for d := range shape {
		s := len(shape) - 1 - d
		if perm != nil {
			s = perm[d]
		}
		st[d] = sx[s]
	}
	return newMove(shape, st, tensor.Strides(shape), 0, 0)
}

// lowerDepth moves blocks of pixels to channels, or back.
func lowerDepth(l *lowering, n *graph.Node) (done bool, why string) {
	x, y := n.In(0), n.Out(0)
	if x.DType != tensor.Float32 || sizeOf(y) == 0 {
		return noMove(x)
	}
	s, deep, wide := n.Int("blocksize", 0), x, y
	if n.Op == "SpaceToDepth" {
		deep, wide = y, x
	}
	lay := l.prefer(x)
	dd, dw := stridesIn(dims(deep), lay), stridesIn(dims(wide), lay)
	c, h, w := dims(wide)[1], dims(deep)[2], dims(deep)[3]
	row, col, ch := s*c*dd[1], c*dd[1], dd[1] // of the deep one: rows and columns of a block, and channels
	if n.Str("mode", "DCR") == "CRD" {
		row, col, ch = s*dd[1], dd[1], s*s*dd[1]
	}
	// batch, rows, rows of a block, columns, columns of a block, channels
	shape := []int{dims(x)[0], h, s, w, s, c}
	a := []int{dd[0], dd[2], row, dd[3], col, ch}
	b := []int{dw[0], s * dw[2], dw[2], s * dw[3], dw[3], dw[1]}
	if lay == plain { // channels outside, columns inside
		for _, v := range [][]int{shape, a, b} {
			v[1], v[2], v[3], v[5] = v[5], v[1], v[2], v[3]
		}
	}
	if n.Op == "SpaceToDepth" {
		a, b = b, a
	}
	l.emitMove(n, "blocks of pixels", l.get(x, lay, n), l.make(y, lay), newMove(shape, a, b, 0, 0))
	return true, ""
}

// axisOf is the axis of Concat and Split, from the front.
func axisOf(n *graph.Node, like *graph.Value) int {
	a := n.Int("axis", 0)
	if a < 0 {
		a += len(like.Shape)
	}
	return a
}

// moves are several moves into one buffer.
type moves []*move

func (ms moves) run(p *kernel.Pool) {
	for _, m := range ms {
		m.run(p)
	}
}

func lowerConcat(l *lowering, n *graph.Node) (done bool, why string) {
	y := n.Out(0)
	if y.DType != tensor.Float32 || sizeOf(y) == 0 {
		return noMove(y)
	}
	a := axisOf(n, y)
	lay := l.prefer(n.Inputs...)
	var ms moves
	var xs []*buffer
	off := 0
	for _, x := range n.Inputs {
		if sizeOf(x) == 0 {
			continue
		}
		shape, sx, sy := dims(x), stridesIn(dims(x), lay), stridesIn(dims(y), lay)
		by := off * sy[a]
		off += shape[a]
		inOrder(lay, shape, sx, sy)
		ms = append(ms, newMove(shape, sx, sy, 0, by))
		xs = append(xs, l.get(x, lay, n))
	}
	yb := l.make(y, lay)
	l.emit(n, "concatenate", xs, []*buffer{yb}, func() {
		for i, m := range ms {
			m.x, m.y = xs[i].data, yb.data
		}
	}, ms.run)
	return true, ""
}

func lowerSplit(l *lowering, n *graph.Node) (done bool, why string) {
	x := n.In(0)
	if x.DType != tensor.Float32 || sizeOf(x) == 0 {
		return noMove(x)
	}
	a := axisOf(n, x)
	lay := l.prefer(x)
	for _, y := range n.Outputs {
		if y == nil || sizeOf(y) == 0 {
			return no("a part of %v is empty or not read", x.Shape)
		}
	}
	xb := l.get(x, lay, n)
	off := 0
	for _, y := range n.Outputs {
		shape, sx, sy := dims(y), stridesIn(dims(x), lay), stridesIn(dims(y), lay)
		bx := off * sx[a]
		off += shape[a]
		inOrder(lay, shape, sx, sy)
		l.emitMove(n, "split", xb, l.make(y, lay), newMove(shape, sx, sy, bx, 0))
	}
	return true, ""
}
