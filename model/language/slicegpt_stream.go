package language

import (
	"fmt"
	"slices"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// stream is the residual stream of a transformer whose blocks normalise what they read of it:
// a row of points, each the one before with the branches of a block added.
type stream struct {
	width  int
	mean   bool         // the norms take the mean off
	points []*point     // all but the last
	end    *graph.Value // the last point
	rest   string       // why blocks behind it are not of the row; "": there is none
}

// point is a value of the stream that norms read, and to which branches are added.
type point struct {
	at       *graph.Value
	norms    []*streamNorm
	branches []*branch
	sum      graph.Use // where the sum that makes the next point reads this one
}

// streamNorm is a normalisation of the stream by its root mean square, with or without its
// mean taken off first.
type streamNorm struct {
	out          *graph.Value
	eps          float64
	scale, shift []float32 // nil: none
	mean         bool
	readers      []graph.Use // products with weights
}

// branch is what a block adds: a product with a weight, and a bias.
type branch struct{ weight, bias *graph.Value }

// finder follows the stream of a network.
type finder struct {
	g     *graph.Graph
	uses  map[*graph.Value][]graph.Use
	width int
}

// findStream finds the stream. It returns an error that says what is in the way.
func findStream(g *graph.Graph) (*stream, error) {
	f := &finder{g: g, uses: g.Uses()}
	st := &stream{}
	for _, v := range f.values() {
		if ns, rest, _ := f.norms(v); len(ns) > 0 && len(rest) == 1 && rest[0].Node.Is("Add") {
			st.end, st.width = v, v.Shape[len(v.Shape)-1].Mul
			break
		}
	}
	if st.end == nil {
		return nil, fmt.Errorf("the network has no stream that blocks normalise, read and add to: this method is for transformers whose normalisations stand within the branches, such as Llama or GPT-2; method flap makes others narrower")
	}
	f.width = st.width
	for {
		p, next, why := f.point(st.end)
		if p == nil {
			st.rest = why
			break
		}
		if len(st.points) > 0 && p.norms[0].mean != st.mean {
			st.rest = "some normalisations take a mean off, others none"
			break
		}
		st.mean = p.norms[0].mean
		st.points, st.end = append(st.points, p), next
	}
	if len(st.points) == 0 {
		return nil, fmt.Errorf("the stream cannot be turned: %s; method flap makes layers narrower", st.rest)
	}
	if st.mean {
		for _, u := range f.uses[st.end] {
			if !u.Node.Is("LayerNormalization") {
				return nil, fmt.Errorf("the mean of the stream is read by %s %q behind %q: it cannot be taken off", u.Node.Op, u.Node.Name, st.end.Name)
			}
		}
	}
	return st, nil
}

// values are those that may be points, in the network's order.
func (f *finder) values() (out []*graph.Value) {
	for _, n := range f.g.Nodes {
		for _, v := range n.Outputs {
			if v != nil && v.DType == tensor.Float32 && len(v.Shape) > 1 && v.Shape[len(v.Shape)-1].Sym == "" && v.Shape[len(v.Shape)-1].Mul > 1 && len(f.uses[v]) > 1 && !f.g.IsOutput(v) {
				out = append(out, v)
			}
		}
	}
	return out
}

// point looks at a value as a point, and gives the next. nil: it is the last, or why it
// cannot be one.
func (f *finder) point(v *graph.Value) (p *point, next *graph.Value, why string) {
	ns, rest, why := f.norms(v)
	switch {
	case why != "":
		return nil, nil, why
	case len(ns) == 0 || len(rest) == 0 && len(ns) == 1 || f.g.IsOutput(v):
		return nil, nil, "" // the last norm, in front of the output
	case len(rest) != 1 || !rest[0].Node.Is("Add") || len(rest[0].Node.Inputs) != 2:
		return nil, nil, fmt.Sprintf("%q is read by more than normalisations and one sum", v.Name)
	}
	p = &point{at: v, norms: ns, sum: rest[0]}
	for _, n := range ns {
		if n.mean != ns[0].mean {
			return nil, nil, "some normalisations take a mean off, others none"
		}
		if why := f.readers(n); why != "" {
			return nil, nil, why
		}
	}
	at := rest[0]
	for {
		b, why := f.branch(at.Node.In(1 - at.Index))
		if b == nil {
			return nil, nil, why
		}
		p.branches, next = append(p.branches, b), at.Node.Out(0)
		us := f.uses[next]
		if len(us) != 1 || !us[0].Node.Is("Add") || us[0].Node.In(1-us[0].Index).IsConst() || f.g.IsOutput(next) {
			return p, next, ""
		}
		at = us[0] // branches side by side
	}
}

// readers finds the products that read a norm.
func (f *finder) readers(n *streamNorm) string {
	if f.g.IsOutput(n.out) {
		return fmt.Sprintf("%q is an output of the network", n.out.Name)
	}
	for _, u := range f.uses[n.out] {
		w := u.Node.In(1)
		if !u.Node.Is("MatMul") || u.Index != 0 || !f.matrix(w) || w.Const.Shape[0] != f.width {
			return fmt.Sprintf("%q is read by %s %q, which is no product with a weight of its own", n.out.Name, u.Node.Op, u.Node.Name)
		}
		n.readers = append(n.readers, u)
	}
	return ""
}

// matrix says whether a value is a weight of two axes that a single node reads.
func (f *finder) matrix(w *graph.Value) bool {
	return w.IsConst() && w.Const.F32() != nil && len(w.Const.Shape) == 2 && len(f.uses[w]) == 1 && w.Role != graph.Packed
}

// branch looks at what is added to the stream.
func (f *finder) branch(v *graph.Value) (*branch, string) {
	b, y := &branch{}, v
	alone := func(v *graph.Value) bool { return len(f.uses[v]) == 1 && !f.g.IsOutput(v) }
	if n := v.From; n.Is("Add") && alone(v) {
		for i := range 2 {
			if c := n.In(i); f.vector(c) && len(f.uses[c]) == 1 {
				b.bias, y = c, n.In(1-i)
			}
		}
	}
	if n := y.From; n.Is("MatMul") && alone(y) && f.matrix(n.In(1)) && n.In(1).Const.Shape[1] == f.width {
		b.weight = n.In(1)
		return b, ""
	}
	return nil, fmt.Sprintf("what is added to it, %q, is no product with a weight of its own, such as where a normalisation stands behind a branch", v.Name)
}

// vector says whether a value is a constant of one number a channel.
func (f *finder) vector(v *graph.Value) bool {
	return v.IsConst() && v.Const.F32() != nil && v.Const.Len() == f.width && v.Const.Shape[len(v.Const.Shape)-1] == f.width
}

// begins says how the stream begins: the tables and constants whose last axis is its own, by
// the places that read them, where it is made of these alone; nil where it is not.
func (f *finder) begins(v *graph.Value) (of []graph.Use) {
	n := v.From
	scalar := func(c *graph.Value) bool { return c.IsConst() && c.Const.F32() != nil && c.Const.Len() == 1 }
	term := func(i int) []graph.Use {
		c := n.In(i)
		if c.IsConst() {
			if t := c.Const; t.F32() != nil && t.Rank() > 0 && t.Shape[t.Rank()-1] == f.width {
				return []graph.Use{{Node: n, Index: i}}
			}
			return nil
		}
		return f.begins(c)
	}
	switch {
	case n.Is("Gather") && n.Int("axis", 0) == 0 && n.In(0).IsConst() && n.In(0).Const.Rank() == 2:
		return term(0)
	case n.Is("Mul") && scalar(n.In(1)):
		return term(0)
	case n.Is("Mul") && scalar(n.In(0)):
		return term(1)
	case n.Is("Add"):
		if a, b := term(0), term(1); a != nil && b != nil {
			return slices.Concat(a, b)
		}
	}
	return nil
}

// number is a constant of one number.
func number(v *graph.Value) (float64, bool) {
	if v.IsConst() && v.Const.F32() != nil && v.Const.Len() == 1 {
		return float64(v.Const.F32()[0]), true
	}
	return 0, false
}

// plainNorm divides x by the root of its mean square, of which the share that width is of the
// channels counts: x/sqrt(mean(x²)+ε).
func plainNorm(b *op.Builder, x *graph.Value, eps float64) *graph.Value {
	mean := b.Reduce("ReduceMean", b.Op("Mul", x, x), true, len(x.Shape)-1)
	return b.Op("Div", x, b.Op("Sqrt", b.Op("Add", mean, b.Scalar(eps, x))))
}
