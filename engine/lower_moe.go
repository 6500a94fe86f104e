package engine

import (
	"math"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
	"pare/tensor"
)

// experts is a mixture of experts: the tokens are sorted by the experts that they are
// given to, each expert computes its own at once, and what comes out is added up token by
// token, in the order in which the experts were chosen.
type experts struct {
	*op.Mixture
	tokens int
	x, y   *buffer
	router *buffer
	weight [3]*buffer // of both layers and of the linear part; nil: there is none
	bias   [3]*buffer

	rows, hidden, linear, inner *buffer // what goes in and comes out, and what lies between, expert after expert
	chosen, place, start        []int   // by choice the expert and the row; by expert its first row
	counts                      []float32

	in, third, out      kernel.GemmTask
	route, give, active byRow
	add                 byRow
}

// lowerMoE plans a mixture of experts.
func lowerMoE(l *lowering, n *graph.Node) (done bool, why string) {
	m, err := op.MixtureOf(n)
	if err != nil {
		return no("%v", err)
	}
	t := &experts{Mixture: m, tokens: sizeOf(n.In(op.MoEInput)) / m.Hidden}
	rows := t.tokens * m.K
	if s, ok := tensor.Size([]int{t.tokens, m.K, max(m.Rows, m.Inner, m.Hidden)}); !ok || s == 0 || sizeOf(n.In(op.MoERouter)) != t.tokens*m.Experts {
		return no("tokens of %v and logits of %v are none, or too many", n.In(op.MoEInput).Shape, n.In(op.MoERouter).Shape)
	}
	t.x, t.router = l.get(n.In(op.MoEInput), plain, n), l.get(n.In(op.MoERouter), plain, n)
	reads := []*buffer{t.x, t.router}
	for i := range t.weight {
		for k, to := range []**buffer{&t.weight[i], &t.bias[i]} {
			if v := n.In(op.MoEFirst + 2*i + k); v != nil {
				*to = l.get(v, plain, n)
				reads = append(reads, *to)
			}
		}
	}
	t.y, t.rows, t.hidden, t.inner = l.make(n.Out(0), plain), l.new(rows*m.Hidden), l.new(rows*m.Rows), l.new(rows*m.Inner)
	writes := []*buffer{t.y, t.rows, t.hidden, t.inner}
	if m.Paired == op.ThirdWeight {
		t.linear = l.new(rows * m.Inner)
		writes = append(writes, t.linear)
	}
	t.chosen, t.place, t.start, t.counts = make([]int, rows), make([]int, rows), make([]int, m.Experts+1), make([]float32, rows)
	t.route = byRow{rows: t.tokens, k: m.Experts * m.K, f: t.choose}
	t.give = byRow{rows: t.tokens, k: m.Hidden * m.K, f: t.sort}
	t.active = byRow{rows: rows, k: m.Rows, f: t.activate}
	t.add = byRow{rows: t.tokens, k: m.Hidden * m.K, f: t.sum}
	by := func(n, k int) kernel.GemmTask {
		return kernel.GemmTask{TransB: true, N: n, K: k, Lda: k, Ldb: k, Ldc: n}
	}
	t.in, t.third, t.out = by(m.Rows, m.Hidden), by(m.Inner, m.Hidden), by(m.Hidden, m.Inner)
	l.emit(n, "experts", reads, writes, nil, t.run)
	return true, ""
}

func (t *experts) run(p *kernel.Pool) {
	t.route.run(p)
	clear(t.start)
	for _, e := range t.chosen {
		t.start[e+1]++
	}
	for e := range t.Experts {
		t.start[e+1] += t.start[e]
	}
	for i, e := range t.chosen { // the start of an expert moves to its end meanwhile
		t.place[i] = t.start[e]
		t.start[e]++
	}
	copy(t.start[1:], t.start[:t.Experts])
	t.start[0] = 0
	t.give.run(p)
	for e := range t.Experts {
		t.product(p, &t.in, 0, e, t.rows, t.hidden)
		if t.linear != nil {
			t.product(p, &t.third, 2, e, t.rows, t.linear)
		}
	}
	t.active.run(p)
	for e := range t.Experts {
		t.product(p, &t.out, 1, e, t.inner, t.rows)
	}
	t.add.run(p)
}

// product multiplies the rows of expert e by its matrix in weight i, and adds its bias.
func (t *experts) product(p *kernel.Pool, g *kernel.GemmTask, i, e int, from, to *buffer) {
	lo, hi := t.start[e], t.start[e+1]
	if lo == hi {
		return
	}
	g.M, g.A, g.C = hi-lo, from.data[lo*g.K:hi*g.K], to.data[lo*g.N:hi*g.N]
	g.B = t.weight[i].data[e*g.N*g.K : (e+1)*g.N*g.K]
	if b := t.bias[i]; b != nil {
		g.Ep.Bias = b.data[e*g.N : (e+1)*g.N]
	}
	g.Run(p)
}

// choose chooses the experts of a token.
func (t *experts) choose(r int) {
	t.Route(t.router.data[r*t.Experts:(r+1)*t.Experts], t.chosen[r*t.K:(r+1)*t.K], t.counts[r*t.K:(r+1)*t.K])
}

// sort puts a token among the rows of its experts.
func (t *experts) sort(r int) {
	for _, i := range t.place[r*t.K : (r+1)*t.K] {
		copy(t.rows.data[i*t.Hidden:(i+1)*t.Hidden], t.x.data[r*t.Hidden:(r+1)*t.Hidden])
	}
}

// sum adds up what the experts of a token make of it.
func (t *experts) sum(r int) {
	y := t.y.data[r*t.Hidden : (r+1)*t.Hidden]
	for k := r * t.K; k < (r+1)*t.K; k++ {
		out := t.rows.data[t.place[k]*t.Hidden : (t.place[k]+1)*t.Hidden]
		if k == r*t.K {
			kernel.Scale(t.counts[k], out, y)
		} else {
			kernel.Axpby(t.counts[k], out, 1, y, y)
		}
	}
}

// activate applies the activation to a row.
func (t *experts) activate(r int) {
	h, y := t.hidden.data[r*t.Rows:(r+1)*t.Rows], t.inner.data[r*t.Inner:(r+1)*t.Inner]
	switch t.Paired {
	case op.ThirdWeight:
		t.gate(h, t.linear.data[r*t.Inner:(r+1)*t.Inner], y, y)
	case op.Halves:
		t.gate(h[:t.Inner], h[t.Inner:], y, y)
	case op.Interleaved: // the gates come to the front of the row, and leave its end free
		for i := range y {
			y[i] = h[2*i+1]
			h[i] = h[2*i]
		}
		t.gate(h[:t.Inner], y, h[t.Inner:], y)
	default:
		t.gate(h, nil, y, y)
	}
}

// gate is op.Mixture.Gated for a row: s is for what the activation makes of the gates, and
// may be y; linear may be y too, or nil.
func (t *experts) gate(gate, linear, s, y []float32) {
	low, limit := float32(math.Inf(-1)), float32(t.Limit)
	switch t.Activation {
	case "swiglu":
		if !t.After {
			kernel.Clip(gate, low, limit, gate)
		}
		kernel.Scale(float32(t.Alpha), gate, s)
		kernel.Sigmoid(s, s)
		kernel.Mul(gate, s, s)
		if t.After {
			kernel.Clip(s, low, limit, s)
		}
		kernel.Clip(linear, -limit, limit, linear)
		kernel.Affine(1, linear, float32(t.Beta), linear)
	case "silu":
		kernel.Sigmoid(gate, s)
		kernel.Mul(gate, s, s)
	case "gelu", "geglu":
		kernel.GeluTanh(gate, s)
	case "relu", "relu2":
		kernel.Relu(gate, s)
		if t.Activation == "relu2" {
			kernel.Mul(s, s, s)
		}
	default:
		copy(s, gate)
	}
	if linear != nil {
		kernel.Mul(s, linear, y)
	}
}
