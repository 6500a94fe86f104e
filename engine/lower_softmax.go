package engine

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/kernel"
	"pare/tensor"
)

// byRow works on rows of k values, some at a time.
type byRow struct {
	rows, k int
	f       func(r int)
}

func (t *byRow) per() int { return max(1, 4096/max(1, t.k)) }

// Do works on some rows.
func (t *byRow) Do(w *kernel.Worker, i int) {
	for r := i * t.per(); r < min(t.rows, (i+1)*t.per()); r++ {
		t.f(r)
	}
}

func (t *byRow) run(p *kernel.Pool) { p.Run((t.rows+t.per()-1)/t.per(), t) }

// lastAxis says whether a softmax works on the last axis, and its size.
func (l *lowering) lastAxis(n *graph.Node) (rows, k int, ok bool) {
	s := dims(n.In(0))
	if len(s) == 0 || sizeOf(n.In(0)) == 0 {
		return 0, 0, false
	}
	def := -1
	if l.g.Version("") < 13 {
		def = 1
	}
	a := n.Int("axis", def)
	if a < 0 {
		a += len(s)
	}
	if a != len(s)-1 {
		return 0, 0, false
	}
	return sizeOf(n.In(0)) / s[a], s[a], true
}

func lowerSoftmax(l *lowering, n *graph.Node) bool {
	rows, k, ok := l.lastAxis(n)
	if !ok {
		return false
	}
	xb, yb := l.get(n.In(0), plain, n), l.make(n.Out(0), plain)
	log := n.Op == "LogSoftmax"
	t := &byRow{rows: rows, k: k, f: func(r int) {
		x, y := xb.data[r*k:(r+1)*k], yb.data[r*k:(r+1)*k]
		if log {
			kernel.LogSoftmax(x, y, k)
		} else {
			kernel.Softmax(x, y, k)
		}
	}}
	l.emit(n, "softmax", []*buffer{xb}, []*buffer{yb}, func() func() error {
		return func() error { t.run(l.pool); return nil }
	})
	return true
}

var _ = fast(lowerSoftmax, "Softmax", "LogSoftmax")

var _ = fast(func(l *lowering, n *graph.Node) bool {
	s, as := dims(n.In(1)), n.Ints("axes")
	if len(as) != 1 || as[0] != len(s)-1 || sizeOf(n.In(1)) == 0 {
		return false
	}
	k := s[len(s)-1]
	db, yb := l.get(n.In(0), plain, n), l.get(n.In(1), plain, n)
	out := l.make(n.Out(0), plain)
	t := &byRow{rows: sizeOf(n.In(1)) / k, k: k, f: func(r int) {
		d, y, o := db.data[r*k:(r+1)*k], yb.data[r*k:(r+1)*k], out.data[r*k:(r+1)*k]
		kernel.SoftmaxGrad(d, y, o, k)
	}}
	l.emit(n, "softmax gradient", []*buffer{db, yb}, []*buffer{out}, func() func() error {
		return func() error { t.run(l.pool); return nil }
	})
	return true
}, "pare.SoftmaxGrad")

// labels reads class numbers from an int64 or int32 value.
func (l *lowering) labels(v *graph.Value) func(i int) int {
	return func(i int) int {
		t := l.at[v].t
		if d := tensor.Of[int64](t); d != nil {
			return int(d[i])
		}
		return int(tensor.Of[int32](t)[i])
	}
}

func isLabel(v *graph.Value) bool {
	return v.Const == nil && (v.DType == tensor.Int64 || v.DType == tensor.Int32)
}

var _ = fast(func(l *lowering, n *graph.Node) bool {
	x, y := n.In(0), n.In(1)
	if !isLabel(y) {
		return false
	}
	s := dims(x)
	rows, k := s[0], s[1]
	e := float64(n.Float("label_smoothing", 0))
	xb, out := l.get(x, plain, n), l.make(n.Out(0), plain)
	label := l.labels(y)
	l.emit(n, "cross-entropy", []*buffer{xb}, []*buffer{out}, func() func() error {
		return func() error {
			sum := 0.0
			for r := range rows {
				c := label(r)
				if c < 0 || c >= k {
					return fmt.Errorf("label %d of sample %d is outside the %d classes", c, r, k)
				}
				row := xb.data[r*k : (r+1)*k]
				lse := logSumExp(row)
				sum += (1 - e) * (lse - float64(row[c]))
				if e > 0 {
					for _, v := range row {
						sum += e / float64(k) * (lse - float64(v))
					}
				}
			}
			out.data[0] = float32(sum / float64(rows))
			return nil
		}
	})
	return true
}, "pare.SoftmaxCrossEntropy")

func logSumExp(row []float32) float64 {
	m := row[0]
	for _, v := range row {
		m = max(m, v)
	}
	s := 0.0
	for _, v := range row {
		s += math.Exp(float64(v - m))
	}
	return float64(m) + math.Log(s)
}

var _ = fast(func(l *lowering, n *graph.Node) bool {
	dy, x, y := n.In(0), n.In(1), n.In(2)
	if !isLabel(y) {
		return false
	}
	s := dims(x)
	rows, k := s[0], s[1]
	e := n.Float("label_smoothing", 0)
	db, xb, out := l.get(dy, plain, n), l.get(x, plain, n), l.make(n.Out(0), plain)
	label := l.labels(y)
	t := &byRow{rows: rows, k: k, f: func(r int) {
		row, o := xb.data[r*k:(r+1)*k], out.data[r*k:(r+1)*k]
		lse, c := logSumExp(row), label(r)
		f := db.data[0] / float32(rows)
		for i, v := range row {
			target := e / float32(k)
			if i == c {
				target += 1 - e
			}
			o[i] = f * (float32(math.Exp(float64(v)-lse)) - target)
		}
	}}
	l.emit(n, "cross-entropy gradient", []*buffer{db, xb}, []*buffer{out}, func() func() error {
		return func() error { t.run(l.pool); return nil }
	})
	return true
}, "pare.SoftmaxCrossEntropyGrad")

// layer gives rows and row length of a LayerNormalization.
func layer(n *graph.Node, x *graph.Value) (rows, k int, ok bool) {
	s := dims(x)
	a := n.Int("axis", -1)
	if a < 0 {
		a += len(s)
	}
	if a != len(s)-1 || sizeOf(x) == 0 {
		return 0, 0, false
	}
	return sizeOf(x) / s[a], s[a], true
}

// moments gives mean and 1/std of a row.
func moments(x []float32, eps float64) (mean, istd float32) {
	m := kernel.Sum(x) / float64(len(x))
	v := kernel.SquaredDeviation(x, float32(m))
	return float32(m), float32(1 / math.Sqrt(v/float64(len(x))+eps))
}

var _ = fast(func(l *lowering, n *graph.Node) bool {
	rows, k, ok := layer(n, n.In(0))
	if !ok || n.Out(1) != nil || n.Out(2) != nil || sizeOf(n.In(1)) != k || n.In(2) != nil && sizeOf(n.In(2)) != k {
		return false
	}
	eps := float64(n.Float("epsilon", 1e-5))
	xb, sb, yb := l.get(n.In(0), plain, n), l.get(n.In(1), plain, n), l.make(n.Out(0), plain)
	reads := []*buffer{xb, sb}
	var bb *buffer
	if n.In(2) != nil {
		bb = l.get(n.In(2), plain, n)
		reads = append(reads, bb)
	}
	t := &byRow{rows: rows, k: k, f: func(r int) {
		x, y := xb.data[r*k:(r+1)*k], yb.data[r*k:(r+1)*k]
		m, is := moments(x, eps)
		for i, v := range x {
			y[i] = (v - m) * is * sb.data[i]
		}
		if bb != nil {
			kernel.Add(y, bb.data, y)
		}
	}}
	l.emit(n, "layer normalisation", reads, []*buffer{yb}, func() func() error {
		return func() error { t.run(l.pool); return nil }
	})
	return true
}, "LayerNormalization")

// layerGrad computes dx row by row, and dscale and dbias in a fixed number of
// parts.
type layerGrad struct {
	dy, x, scale, dx []float32
	part             []float32 // [parts][2][k]
	rows, k, parts   int
	eps              float64
}

// Do works on one part of the rows.
func (t *layerGrad) Do(w *kernel.Worker, p int) {
	k := t.k
	ds, db := t.part[2*p*k:(2*p+1)*k], t.part[(2*p+1)*k:(2*p+2)*k]
	clear(ds)
	clear(db)
	for r := p * t.rows / t.parts; r < (p+1)*t.rows/t.parts; r++ {
		x, g, dx := t.x[r*k:(r+1)*k], t.dy[r*k:(r+1)*k], t.dx[r*k:(r+1)*k]
		m, is := moments(x, t.eps)
		var s1, s2 float32
		for i, v := range x {
			xh := (v - m) * is
			ds[i] += g[i] * xh
			db[i] += g[i]
			a := g[i] * t.scale[i]
			s1 += a
			s2 += a * xh
		}
		s1 /= float32(k)
		s2 /= float32(k)
		for i, v := range x {
			dx[i] = is * (g[i]*t.scale[i] - s1 - (v-m)*is*s2)
		}
	}
}

var _ = fast(func(l *lowering, n *graph.Node) bool {
	rows, k, ok := layer(n, n.In(1))
	if !ok || sizeOf(n.In(2)) != k {
		return false
	}
	t := &layerGrad{rows: rows, k: k, parts: max(1, min(16, rows/16)), eps: float64(n.Float("epsilon", 1e-5))}
	t.part = make([]float32, t.parts*2*k)
	db, xb, sb := l.get(n.In(0), plain, n), l.get(n.In(1), plain, n), l.get(n.In(2), plain, n)
	out := func(i, size int) *buffer {
		if v := n.Out(i); v != nil {
			return l.make(v, plain)
		}
		return l.new(size)
	}
	dx, ds, dbias := out(0, rows*k), out(1, k), out(2, k)
	l.emit(n, "layer normalisation gradient", []*buffer{db, xb, sb}, []*buffer{dx, ds, dbias}, func() func() error {
		t.dy, t.x, t.scale, t.dx = db.data, xb.data, sb.data, dx.data
		return func() error {
			l.pool.Run(t.parts, t)
			clear(ds.data)
			clear(dbias.data)
			for p := range t.parts {
				kernel.Add(ds.data, t.part[2*p*k:(2*p+1)*k], ds.data)
				kernel.Add(dbias.data, t.part[(2*p+1)*k:(2*p+2)*k], dbias.data)
			}
			return nil
		}
	})
	return true
}, "pare.LayerNormGrad")
