package engine

import (
	"slices"

	"pare/graph"
	"pare/internal/kernel"
	"pare/tensor"
)

// rowScalar applies a function to every row of x and the one number that y
// holds for it.
type rowScalar struct {
	x, y, z []float32
	k, rows int
	f       func(s float32, x, z []float32)
}

func (t *rowScalar) per() int           { return max(1, chunk/t.k) }
func (t *rowScalar) run(p *kernel.Pool) { p.Run((t.rows+t.per()-1)/t.per(), t) }

// Do works on some rows.
func (t *rowScalar) Do(w *kernel.Worker, i int) {
	for r := i * t.per(); r < min(t.rows, (i+1)*t.per()); r++ {
		t.f(t.y[r], t.x[r*t.k:(r+1)*t.k], t.z[r*t.k:(r+1)*t.k])
	}
}

// byRowScalar lowers an operation with one number for each row: y is
// [..., 1, ..., 1] where z is [..., k, ..., l].
func byRowScalar(l *lowering, n *graph.Node, name string, x, y, z *graph.Value, swap bool, f func(x, y float32) float32) bool {
	if !x.Shape.Equal(z.Shape) || !isHead(dims(y), dims(z)) {
		return false
	}
	xb, yb, zb := l.get(x, plain, n), l.get(y, plain, n), l.make(z, plain)
	rows := sizeOf(y)
	t := &rowScalar{k: sizeOf(z) / rows, rows: rows, f: func(s float32, x, z []float32) {
		switch {
		case name == "multiply":
			kernel.Scale(s, x, z)
		case swap:
			for i, v := range x {
				z[i] = f(s, v)
			}
		default:
			for i, v := range x {
				z[i] = f(v, s)
			}
		}
	}}
	l.emit(n, name+" by the number of a row", []*buffer{xb, yb}, []*buffer{zb}, func() { t.x, t.y, t.z = xb.data, yb.data, zb.data }, t.run)
	return true
}

// lowerSumTo sums over the leading axes, the last ones, one axis, or all but the
// channels.
func lowerSumTo(l *lowering, n *graph.Node) (done bool, why string) {
	x, like := n.In(0), n.In(1)
	if o := x.From; o != nil && o.Domain == graph.Pare && o.Op == "OnesLike" && sizeOf(like) > 0 {
		// how many elements stand behind each result
		l.constant(n, "count", float32(sizeOf(x)/sizeOf(like)))
		return true, ""
	}
	sx, sl := dims(x), dims(like)
	k := sizeOf(like)
	switch {
	case k == 0 || sizeOf(x) == 0:
		return no("it is empty")
	case isTail(sl, sx):
		return columns(l, n, x, plain, sizeOf(x)/k, k, false)
	case perChannel(sl, sx) && (len(sx) == 4 || l.has(x, nhwc) || !isHead(sl, sx)):
		return columns(l, n, x, nhwc, sizeOf(x)/k, k, false)
	case isHead(sl, sx):
		return lines(l, n, k, sizeOf(x)/k, false)
	}
	if d, ok := oneGone(sl, sx); ok {
		return middle(l, n, d, false)
	}
	return no("a sum of %v to %v", x.Shape, like.Shape)
}

// constant emits a step that writes the same number everywhere.
func (l *lowering) constant(n *graph.Node, name string, v float32) {
	yb := l.make(n.Out(0), plain)
	l.emit(n, name, nil, []*buffer{yb}, nil, func(*kernel.Pool) {
		for i := range yb.data {
			yb.data[i] = v
		}
	})
}

// lowerOnesLike plans nothing where its readers know that they are ones.
func lowerOnesLike(l *lowering, n *graph.Node) (done bool, why string) {
	y := n.Out(0)
	all := !l.g.IsOutput(y)
	for _, u := range l.uses[y] {
		all = all && u.Node.Domain == graph.Pare && u.Node.Op == "SumTo" && u.Index == 0
	}
	if !all {
		l.constant(n, "ones", 1)
	}
	return true, ""
}

// lowerBroadcastTo repeats one number for each channel over the pixels, or a tail.
func lowerBroadcastTo(l *lowering, n *graph.Node) (done bool, why string) {
	x, y := n.In(0), n.Out(0)
	sx, sy := dims(x), dims(y)
	if sizeOf(y) == 0 {
		return no("it is empty")
	}
	if x.DType != tensor.Float32 {
		return no("%q is %v; kernels compute in float32", x.Name, x.DType)
	}
	if len(sx) > 3 && len(sy) == len(sx) && sx[0] == sy[0] && sx[1] == sy[1] && pixels(sx) == 1 {
		xb, yb := l.get(x, plain, n), l.make(y, nhwc)
		c, pix := sy[1], pixels(sy)
		l.emit(n, "repeat over pixels", []*buffer{xb}, []*buffer{yb}, nil, func(*kernel.Pool) {
			for i := range sy[0] * pix {
				copy(yb.data[i*c:(i+1)*c], xb.data[i/pix*c:])
			}
		})
		return true, ""
	}
	st := make([]int, len(sy))
	for d, k := range tensor.Strides(sx) {
		if sx[d] != 1 {
			st[d+len(sy)-len(sx)] = k
		}
	}
	m := newMove(sy, st, tensor.Strides(sy), 0, 0)
	l.emitMove(n, "repeat", l.get(x, plain, n), l.make(y, plain), m)
	return true, ""
}

// oneGone is the only axis along which s and z differ, where s is 1 long.
func oneGone(s, z []int) (d int, ok bool) {
	if len(s) != len(z) {
		return 0, false
	}
	for i := range s {
		if s[i] != z[i] {
			if ok || s[i] != 1 {
				return 0, false
			}
			d, ok = i, true
		}
	}
	return d, ok
}

// isHead says whether s starts as z does and goes on with ones.
func isHead(s, z []int) bool {
	if len(s) != len(z) {
		return false
	}
	d := 0
	for d < len(s) && s[d] == z[d] {
		d++
	}
	for _, k := range s[d:] {
		if k != 1 {
			return false
		}
	}
	return true
}

// perChannel says whether s is [C,1,...], with or without a 1 before it, where z
// is [N,C,...] with spatial axes.
func perChannel(s, z []int) bool {
	if len(z) < 3 {
		return false
	}
	if len(s) == len(z) && s[0] == 1 {
		s = s[1:]
	}
	return len(s) == len(z)-1 && s[0] == z[1] && !slices.ContainsFunc(s[1:], func(d int) bool { return d != 1 })
}
