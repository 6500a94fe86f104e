package engine

import (
	"context"
	"slices"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
	"pare/tensor"
)

// pointwise are operators that make of every number another, where their other inputs are
// constants of one number.
var pointwise = map[string]bool{
	"Abs": true, "Add": true, "Ceil": true, "Celu": true, "Clip": true, "Cos": true, "Div": true, "Elu": true, "Erf": true, "Exp": true, "Floor": true,
	"Gelu": true, "HardSigmoid": true, "HardSwish": true, "LeakyRelu": true, "Log": true, "Max": true, "Min": true, "Mish": true, "Mul": true, "Neg": true, "PRelu": true, "Pow": true,
	"Reciprocal": true, "Relu": true, "Round": true, "Selu": true, "Sigmoid": true, "Sign": true, "Sin": true, "Softplus": true, "Softsign": true, "Sqrt": true, "Sub": true,
	"Tanh": true, "ThresholdedRelu": true,
}

// variable is the only input of a pointwise node that is not a constant of one number.
func (l *lowering) variable(n *graph.Node) *graph.Value {
	if n == nil || n.Domain != "" || !pointwise[n.Op] || l.done[n] || len(n.Outputs) != 1 {
		return nil
	}
	var x *graph.Value
	for _, v := range n.Inputs {
		switch {
		case v == nil:
		case v.IsConst() && v.Const.Len() == 1 && l.once(v):
		case x == nil && v.Const == nil:
			x = v
		default:
			return nil
		}
	}
	if x == nil || x.DType != tensor.Float32 || !n.Out(0).Shape.Equal(x.Shape) {
		return nil
	}
	return x
}

// byteTable plans a chain of pointwise operators between bytes as a table, which has for each
// byte what the definitions make of it.
func byteTable(l *lowering, n *graph.Node) bool {
	x := l.variable(n)
	from, ok := l.isHeld(x)
	if !ok {
		return false
	}
	chain, y := []*graph.Node{n}, n.Out(0)
	for {
		next := l.only(y)
		if to, ok := l.quantiser(next); ok && !l.done[next] {
			table, ok := l.tabulate(append(chain, next), from, to)
			if !ok {
				return false
			}
			for _, c := range append(chain[1:], next) {
				l.done[c] = true
			}
			name := "table"
			for _, c := range chain {
				name += " " + c.Op
			}
			l.mapped(n, name, x, next.Out(0), table)
			return true
		}
		if l.variable(next) != y {
			return false
		}
		chain, y = append(chain, next), next.Out(0)
	}
}

// tabulate evaluates a chain that ends in a QuantizeLinear on all bytes.
func (l *lowering) tabulate(chain []*graph.Node, from, to kernel.Quantisation) (*[256]byte, bool) {
	t := tensor.From(numbersOf(from), 256)
	for _, n := range chain {
		in := make([]*tensor.Tensor, len(n.Inputs))
		for i, v := range n.Inputs {
			switch {
			case v == nil:
			case v.IsConst():
				in[i] = &tensor.Tensor{DType: v.Const.DType, Shape: []int{}, Data: v.Const.Data}
			default:
				in[i] = t
			}
		}
		out, err := op.EvalNode(context.Background(), l.most, n, l.g.Version(""), in, nil, nil)
		if err != nil || len(out) == 0 || out[0].Len() != 256 {
			return nil, false
		}
		t = out[0]
	}
	table := new([256]byte)
	for i, v := range signed(t) {
		table[i] = byte(v) ^ 0x80
	}
	return table, true
}

// byteArithmetic plans a sum or a product of two values of bytes that is quantised.
func byteArithmetic(l *lowering, n *graph.Node) bool {
	if byteTable(l, n) {
		return true
	}
	x, y, z := n.In(0), n.In(1), n.Out(0)
	qx, ok := l.isHeld(x)
	qy, both := l.isHeld(y)
	if !ok || !both || !x.Shape.Equal(y.Shape) {
		return false
	}
	to, ok := l.sink(z)
	if !ok {
		return false
	}
	f := plain
	if l.likes(x) == nhwc || l.likes(y) == nhwc {
		f = nhwc
	}
	xb, yb, zb := l.bytes(x, f, n), l.bytes(y, f, n), l.hold(to.v, f)
	t := &byteChunks{n: sizeOf(z)}
	work, name := kernel.AddBytes, "add bytes"
	if n.Is("Mul") {
		work, name = kernel.MulBytes, "multiply bytes"
	}
	l.emit(n, name+to.name, []*buffer{xb, yb}, []*buffer{zb}, func() {
		a, b, c := bytesIn(xb), bytesIn(yb), bytesIn(zb)
		t.do = func(i, j int) { work(a[i:j], qx, b[i:j], qy, c[i:j], to.q, to.lo, to.hi) }
	}, t.run)
	return true
}

// bytePool plans pooling of bytes: an average that is quantised, or the greatest.
func bytePool(l *lowering, n *graph.Node) bool {
	x, y := n.In(0), n.Out(0)
	q, ok := l.isHeld(x)
	if !ok || n.Out(1) != nil || len(dims(x)) != 4 {
		return false
	}
	t := &kernel.BytePool{}
	if n.Is("GlobalAveragePool") {
		s := dims(x)
		t.Conv = kernel.Conv{N: s[0], H: s[2], W: s[3], CI: s[1], CO: s[1], KH: s[2], KW: s[3], StrideH: 1, StrideW: 1, DilH: 1, DilW: 1, Groups: 1}
		t.OH, t.OW = 1, 1
	} else {
		p, ok := poolTask(n, dims(x), dims(y))
		if !ok {
			return false
		}
		t.Conv, t.OH, t.OW, t.Include = p.Conv, p.OH, p.OW, p.Include
	}
	if n.Is("MaxPool") {
		l.emitPool(n, t, x, y, "pooling of bytes")
		l.standsFor(y, q)
		return true
	}
	to, ok := l.sink(y)
	if !ok {
		return false
	}
	t.Average, t.From, t.To, t.Lo, t.Hi = true, q, to.q, to.lo, to.hi
	l.emitPool(n, t, x, to.v, "average of bytes"+to.name)
	return true
}

// emitPool emits pooling of x into y.
func (l *lowering) emitPool(n *graph.Node, t *kernel.BytePool, x, y *graph.Value, name string) {
	xb, yb := l.bytes(x, nhwc, n), l.hold(y, nhwc)
	l.emit(n, name, []*buffer{xb}, []*buffer{yb}, func() { t.X, t.Y = bytesIn(xb), bytesIn(yb) }, t.Run)
}

// lowerPool8 plans MaxPool of a value of 8 bits.
func lowerPool8(l *lowering, n *graph.Node) bool {
	x := n.In(0)
	if !n.Is("MaxPool") || !isByte(x.DType) || x.IsConst() || n.Out(1) != nil || len(dims(x)) != 4 {
		return false
	}
	p, ok := poolTask(n, dims(x), dims(n.Out(0)))
	if !ok {
		return false
	}
	l.emitPool(n, &kernel.BytePool{Conv: p.Conv, OH: p.OH, OW: p.OW}, x, n.Out(0), "pooling of bytes")
	return true
}

// inBytes says whether a value lies, or may lie, in memory as bytes.
func (l *lowering) inBytes(v *graph.Value) bool {
	if v == nil || v.Const != nil || sizeOf(v) == 0 {
		return false
	}
	if isByte(v.DType) {
		return true
	}
	_, ok := l.isHeld(v)
	return ok
}

// same says of y that its bytes stand for what those of x do.
func (l *lowering) same(y, x *graph.Value) {
	if q, ok := l.isHeld(x); ok {
		l.standsFor(y, q)
	}
}

// byteView plans operators that only give the elements another shape.
func byteView(l *lowering, n *graph.Node) bool {
	x, y := n.In(0), n.Out(0)
	if !l.inBytes(x) || x.DType != y.DType {
		return false
	}
	if n.Is("Identity") {
		l.bytes(x, l.likes(x), n)
		l.share(y, x)
		l.same(y, x)
		return true
	}
	of := l.bytes(x, plain, n)
	b := &buffer{n: of.n, of: of, data: of.data}
	l.bufs = append(l.bufs, b)
	l.holdIn(y, plain, b)
	l.same(y, x)
	return true
}

func byteTranspose(l *lowering, n *graph.Node) bool {
	x, y := n.In(0), n.Out(0)
	if !l.inBytes(x) {
		return false
	}
	m := &byteMove{move: transposition(n)}
	xb, yb := l.bytes(x, plain, n), l.hold(y, plain)
	l.emit(n, "transpose bytes", []*buffer{xb}, []*buffer{yb}, func() { m.x, m.y = bytesIn(xb), bytesIn(yb) }, m.run)
	l.same(y, x)
	return true
}

// byteConcat plans the concatenation of values of bytes: of the same scale, or behind which
// the result is quantised.
func byteConcat(l *lowering, n *graph.Node) bool {
	y := n.Out(0)
	f := plain
	var qs []kernel.Quantisation
	for _, x := range n.Inputs {
		if !l.inBytes(x) || x.DType != y.DType {
			return false
		}
		q, _ := l.isHeld(x)
		qs = append(qs, q)
		if l.likes(x) == nhwc {
			f = nhwc
		}
	}
	first := qs[0]
	to := sink{v: y, q: first}
	alike := !slices.ContainsFunc(qs, func(q kernel.Quantisation) bool { return q != first })
	if !alike {
		var ok bool
		if to, ok = l.sink(y); !ok {
			return false
		}
	}
	a := axisOf(n, y)
	yb := l.hold(to.v, f)
	off := 0
	for i, x := range n.Inputs {
		shape, sx, sy := dims(x), stridesIn(dims(x), f), stridesIn(dims(y), f)
		by := off * sy[a]
		off += shape[a]
		inOrder(f, shape, sx, sy)
		m := &byteMove{move: newMove(shape, sx, sy, 0, by)}
		if !alike {
			m.table = new([256]byte)
			numbers := numbersOf(qs[i])
			for k, v := range numbers {
				numbers[k] = min(max(v/to.q.Scale, to.lo), to.hi) * to.q.Scale
			}
			kernel.QuantiseBytes(numbers, to.q, m.table[:])
		}
		xb := l.bytes(x, f, n)
		l.emit(n, "concatenate bytes"+to.name, []*buffer{xb}, []*buffer{yb}, func() { m.x, m.y = bytesIn(xb), bytesIn(yb) }, m.run)
	}
	if alike {
		l.same(y, n.In(0))
	}
	return true
}

// byteMove is a move of bytes, through a table where there is one.
type byteMove struct {
	*move
	x, y  []byte
	table *[256]byte
}

// Do copies some of the runs.
func (m *byteMove) Do(w *kernel.Worker, i int) {
	for o := i * m.per; o < min(m.outer, (i+1)*m.per); o++ {
		x, y := m.at(o)
		for t := range max(1, m.turn) {
			m.line(x+t, y+t*m.turnY)
		}
	}
}

// line moves a run.
func (m *byteMove) line(x, y int) {
	if m.stepX == 1 && m.stepY == 1 {
		if m.table != nil {
			kernel.MapBytes(m.x[x:x+m.length], m.table, m.y[y:y+m.length])
			return
		}
		copy(m.y[y:y+m.length], m.x[x:x+m.length])
		return
	}
	for range m.length {
		v := m.x[x]
		if m.table != nil {
			v = m.table[v]
		}
		m.y[y] = v
		x += m.stepX
		y += m.stepY
	}
}

func (m *byteMove) run(p *kernel.Pool) { p.Run((m.outer+m.per-1)/m.per, m) }
