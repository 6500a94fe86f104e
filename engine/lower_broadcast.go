package engine

import (
	"pare/graph"
	"pare/internal/kernel"
)

// rowScalar applies a function to every row of x and the one number that y
// holds for it.
type rowScalar struct {
	x, y, z []float32
	k, rows int
	f       func(s float32, x, z []float32)
}

func (t *rowScalar) per() int   { return max(1, chunk/t.k) }
func (t *rowScalar) parts() int { return (t.rows + t.per() - 1) / t.per() }

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
	l.emit(n, name+" by the number of a row", []*buffer{xb, yb}, []*buffer{zb}, func() func() error {
		t.x, t.y, t.z = xb.data, yb.data, zb.data
		return func() error { l.pool.Run(t.parts(), t); return nil }
	})
	return true
}

// SumTo over the leading axes, the last ones, one axis, or all but the channels.
var _ = fast(func(l *lowering, n *graph.Node) bool {
	x, like := n.In(0), n.In(1)
	if o := x.From; o != nil && o.Domain == graph.Pare && o.Op == "OnesLike" && sizeOf(like) > 0 {
		// how many elements stand behind each result
		v := float32(sizeOf(x) / sizeOf(like))
		yb := l.make(n.Out(0), plain)
		l.emit(n, "count", nil, []*buffer{yb}, func() func() error {
			return func() error {
				for i := range yb.data {
					yb.data[i] = v
				}
				return nil
			}
		})
		return true
	}
	sx, sl := dims(x), dims(like)
	k := sizeOf(like)
	switch {
	case k == 0 || sizeOf(x) == 0:
		return false
	case isTail(sl, sx):
		return columns(l, n, x, plain, sizeOf(x)/k, k, false)
	case perChannel(sl, sx):
		return columns(l, n, x, nhwc, sizeOf(x)/k, k, false)
	case isHead(sl, sx):
		return lines(l, n, k, sizeOf(x)/k, false)
	}
	if d, ok := oneGone(sl, sx); ok {
		return middle(l, n, d, false)
	}
	return false
}, "pare.SumTo")

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

// isHead says whether s begins as z does and is followed by ones.
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

// perChannel says whether s is [C,1,1], with or without a 1 before it, where z
// is an image [N,C,H,W].
func perChannel(s, z []int) bool {
	if len(s) == 4 && s[0] == 1 {
		s = s[1:]
	}
	return len(z) == 4 && len(s) == 3 && s[0] == z[1] && s[1]*s[2] == 1
}
