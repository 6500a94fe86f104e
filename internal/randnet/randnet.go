// Package randnet makes random networks for tests: directed acyclic graphs of
// any of the operators, with odd sizes, frozen and trained weights, some of
// them sparse.
package randnet

import (
	"math"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Net is a random network. Its first input is of float32, [N, …] or of fixed
// sizes; there may be a second of the same type, and one of bool.
type Net struct {
	Graph *graph.Graph
	Batch int // for the symbol N
}

// Options say what a network may be made of.
type Options struct {
	Smooth bool // only functions whose gradient has no jumps (but for MaxPool, at times)
	Most   int  // elements of a value for one sample; 0 is 3000
}

// net is a network under construction.
type net struct {
	*op.Builder
	*Source
	Options
	batch  int
	values []*graph.Value // of float32, that later nodes may read
	rough  []*graph.Value // inputs: comparisons of them do not depend on rounding
	cond   *graph.Value
}

// New makes a network of the choices of a source. It returns nil where these
// lead to none.
func New(s *Source, o Options) *Net {
	if o.Most == 0 {
		o.Most = 3000
	}
	g := graph.New("random", pick(s, 17, 13, 18))
	b := &net{Builder: op.NewBuilder(g, "v"), Source: s, Options: o, batch: s.in(1, 3)}
	first := graph.Dim{Mul: 1, Sym: "N"}
	if s.oneIn(4) {
		first = graph.N(b.batch)
	}
	b.input("x", append(graph.Shape{first}, pick(s, graph.Dims(s.in(1, 6), s.in(1, 9), s.in(1, 9)), graph.Dims(s.in(1, 20)), graph.Dims(s.in(1, 7), s.in(1, 12)), graph.Dims(s.in(5, 20), 48),
		graph.Dims(pick(s, 16, 8, 3, 32), s.in(3, 11), s.in(3, 11)))...))
	if s.oneIn(3) {
		b.input("x2", b.values[0].Shape)
	}
	if s.oneIn(4) {
		b.cond = &graph.Value{Name: "cond", DType: tensor.Bool, Shape: b.values[0].Shape}
		g.Inputs = append(g.Inputs, b.cond)
	}
	for range 40 {
		if s.done() {
			break
		}
		b.step()
		if b.Err() != nil {
			return nil
		}
	}
	b.finish()
	if b.Err() != nil || len(g.Outputs) == 0 {
		return nil
	}
	return &Net{g, b.batch}
}

func (b *net) input(name string, s graph.Shape) {
	v := &graph.Value{Name: name, DType: tensor.Float32, Shape: s}
	b.G.Inputs = append(b.G.Inputs, v)
	b.values = append(b.values, v)
	b.rough = append(b.rough, v)
}

// step adds one operator, or a few that belong together.
func (b *net) step() {
	x := b.value()
	makers := general
	switch len(x.Shape) {
	case 2, 3:
		makers = append(matrices[:len(matrices):len(matrices)], general...)
	case 4:
		makers = append(images[:len(images):len(images)], general...)
	}
	first := len(b.G.Nodes)
	for _, y := range makers[b.of(len(makers))](b, x) {
		if y != nil && b.fits(y) && y.DType == tensor.Float32 {
			b.values = append(b.values, y)
		}
	}
	if b.Err() == nil && !b.small(first) {
		b.G.Nodes = b.G.Nodes[:first] // too large: as if it had not been
		for len(b.values) > 0 && b.values[len(b.values)-1].From != nil && !b.has(b.values[len(b.values)-1].From) {
			b.values = b.values[:len(b.values)-1]
		}
	}
}

func (b *net) has(n *graph.Node) bool {
	for _, m := range b.G.Nodes {
		if m == n {
			return true
		}
	}
	return false
}

// value is one that was made before, mostly one of the last.
func (b *net) value() *graph.Value {
	n := len(b.values)
	if b.oneIn(4) {
		return b.values[b.of(n)]
	}
	return b.values[n-1-b.of(min(n, 2))]
}

// shaped is a value of the same shape, at times x itself.
func (b *net) shaped(x *graph.Value) *graph.Value {
	like := []*graph.Value{x}
	for _, v := range b.values {
		if v != x && v.Shape.Equal(x.Shape) {
			like = append(like, v)
		}
	}
	return like[b.of(len(like))]
}

// per is the number of elements of a sample, or of all.
func per(s graph.Shape) int {
	n := 1
	for _, d := range s {
		n *= d.Mul
	}
	return n
}

func (b *net) fits(v *graph.Value) bool {
	n := 0
	for _, d := range v.Shape {
		if d.Sym == "N" {
			n++
		} else if !d.Known() {
			return false
		}
	}
	return v.Shape != nil && n <= 1 && len(v.Shape) <= 6 && per(v.Shape) > 0
}

// small says whether the values of the nodes from first on are small enough.
func (b *net) small(first int) bool {
	for _, n := range b.G.Nodes[first:] {
		for _, o := range n.Outputs {
			if o != nil && per(o.Shape) > b.Most*3 {
				return false
			}
		}
	}
	return true
}

// weight is a trained tensor of a scale that keeps values near 1 after sums of
// fan terms; some are sparse, some never change.
func (b *net) weight(fan int, shape ...int) *graph.Value {
	t := tensor.New(tensor.Float32, shape...)
	keep := pick(b.Source, 1., 1, .5, .1, .03)
	std := 1 / math.Sqrt(math.Max(1, float64(fan)*keep))
	for i := range t.F32() {
		if v := float32(b.r.NormFloat64() * std); b.r.Float64() < keep {
			t.F32()[i] = v
		}
	}
	if b.oneIn(6) && len(shape) > 1 { // blocks of 4 rows, or one in four
		n := len(t.F32()) / max(1, shape[0])
		for i := range t.F32() {
			if i/max(1, n)/4%2 == 1 {
				t.F32()[i] = 0
			}
		}
	}
	return b.G.Const("w", t, pick(b.Source, graph.Param, graph.Param, graph.Frozen, graph.Auto))
}

// numbers is a constant of values in [lo, hi).
func (b *net) numbers(lo, hi float64, role graph.Role, shape ...int) *graph.Value {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.F32() {
		t.F32()[i] = float32(lo + (hi-lo)*b.r.Float64())
	}
	return b.G.Const("c", t, role)
}

// finish makes outputs of what nobody reads, and at times of more.
func (b *net) finish() {
	uses := b.G.Uses()
	for _, v := range b.values {
		if v.From != nil && (len(uses[v]) == 0 || b.oneIn(9)) {
			b.G.Outputs = append(b.G.Outputs, v)
		}
	}
	if n := len(b.G.Outputs); n > 5 {
		b.G.Outputs = b.G.Outputs[n-5:]
	}
	b.G.Prune()
}

// Feed fills the network's inputs, and those that were added to it, by seed.
func (n *Net) Feed(seed uint64, of func(name string) *tensor.Tensor) {
	r := Seed(seed, 0).r
	for _, v := range n.Graph.Inputs {
		switch d := of(v.Name).Data.(type) {
		case []float32:
			for i := range d {
				d[i] = float32(r.NormFloat64())
			}
		case []bool:
			for i := range d {
				d[i] = r.IntN(2) == 0
			}
		}
	}
}

// Double is the network's graph with every float32 as float64, as a truth that
// rounding does not reach. Values are given by those of the graph.
func (n *Net) Double() (*graph.Graph, map[*graph.Value]*graph.Value) {
	c, m := n.Graph.Clone(true)
	widen := func(t *tensor.Tensor) *tensor.Tensor {
		if t == nil || t.DType != tensor.Float32 {
			return t
		}
		w, err := op.Convert(t, tensor.Float64)
		if err != nil {
			panic(err)
		}
		return w
	}
	for _, v := range m {
		if v.DType == tensor.Float32 {
			v.DType = tensor.Float64
		}
		v.Const = widen(v.Const)
	}
	for _, k := range c.Nodes {
		for i := range k.Attrs {
			k.Attrs[i].T = widen(k.Attrs[i].T)
		}
	}
	return c, m
}
