package expert

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Usage is what samples made of the experts of a mixture.
type Usage struct {
	Tokens float64
	// Chosen is the number of tokens that were given to each expert; in a mixture that gives
	// every token to all it is the sum of the experts' weights.
	Chosen []float64
	// Norms is the sum of weight times norm of the output, ‖g_e(x) f_e(x)‖, over the tokens
	// that were given to each expert, and Counted how many these were.
	Norms, Counted []float64
}

// Frequency is the share of tokens that is given to each expert.
func (u *Usage) Frequency() []float64 {
	out := make([]float64, len(u.Chosen))
	for e, n := range u.Chosen {
		out[e] = n / max(1, u.Tokens)
	}
	return out
}

// REAP is the router-weighted activation of each expert, the mean over the tokens X_e that
// are given to it of weight times norm of the output:
//
//	S_e = 1/|X_e| Σ_{x ∈ X_e} g_e(x) ‖f_e(x)‖₂
//
// (Lasby, Lazarevich, Sinnadurai, Lie, Ioannou, Thangarasa 2025, arXiv 2510.13999,
// equation 9). An expert that no token was given to has 0.
func (u *Usage) REAP() []float64 {
	out := make([]float64, len(u.Norms))
	for e, x := range u.Norms {
		out[e] = x / max(1, u.Counted[e])
	}
	return out
}

// Observer sees what samples make of the experts of a network.
type Observer struct {
	Graph *graph.Graph   // the network, with nodes that make what is looked at
	Want  []*graph.Value // values of Graph that Add takes
	Usage []*Usage       // of the mixtures

	probes []probe
}

// probe is one thing that is looked at: how it is added up from its values.
type probe struct {
	want int // the first of Observer.Want
	n    int // how many
	add  func(vs []*tensor.Tensor) error
}

// NewObserver prepares a network's mixtures for looking at. Where outputs is set it is their
// outputs that are wanted (REAP); an error then where what single experts make is no value
// of the network. Else it is how often each is chosen.
func NewObserver(g *graph.Graph, ms []*Mixture, outputs bool) (*Observer, error) {
	c, m := g.Clone(false)
	o := &Observer{Graph: c}
	for _, mix := range ms {
		u := &Usage{Chosen: make([]float64, mix.Experts), Norms: make([]float64, mix.Experts), Counted: make([]float64, mix.Experts)}
		o.Usage = append(o.Usage, u)
		p := &prober{mix, o, u, m, op.NewBuilder(c, "probe")}
		err := p.choices
		if outputs {
			err = p.outputs
		}
		if err := err(); err != nil {
			return nil, fmt.Errorf("experts of %s: %w", mix.Name, err)
		}
		if p.b.Err() != nil {
			return nil, fmt.Errorf("experts of %s: %w", mix.Name, p.b.Err())
		}
	}
	return o, c.Sort()
}

// Add adds up what samples made of the values that are wanted.
func (o *Observer) Add(vs []*tensor.Tensor) error {
	for _, p := range o.probes {
		if err := p.add(vs[p.want : p.want+p.n]); err != nil {
			return err
		}
	}
	return nil
}

// prober finds what to look at in one mixture.
type prober struct {
	*Mixture
	o *Observer
	u *Usage
	m map[*graph.Value]*graph.Value
	b *op.Builder
}

func (p *prober) look(add func(vs []*tensor.Tensor) error, vs ...*graph.Value) {
	p.o.probes = append(p.o.probes, probe{len(p.o.Want), len(vs), add})
	p.o.Want = append(p.o.Want, vs...)
}

// choices looks at the numbers of the chosen experts, or at the weights of all.
func (p *prober) choices() error {
	if p.moe != nil {
		mix, err := op.MixtureOf(p.moe)
		if err != nil {
			return err
		}
		chosen, weights := make([]int, mix.K), make([]float32, mix.K)
		p.look(func(vs []*tensor.Tensor) error {
			f := vs[0].F32()
			for t := range len(f) / p.Experts {
				mix.Route(f[t*p.Experts:(t+1)*p.Experts], chosen, weights)
				for _, e := range chosen {
					p.u.Chosen[e]++
				}
				p.u.Tokens++
			}
			return nil
		}, p.m[p.moe.In(op.MoERouter)])
		return nil
	}
	for _, n := range p.g.Nodes {
		if n.Is("TopK", "ArgMax") && p.nodes[n] {
			at := n.Out(len(n.Outputs) - 1)
			if !p.index[at] {
				break
			}
			p.look(func(vs []*tensor.Tensor) error {
				s, err := vs[0].Int64s()
				if err != nil {
					return err
				}
				for _, e := range s {
					if e >= 0 && e < int64(p.Experts) {
						p.u.Chosen[e]++
					}
				}
				p.u.Tokens += float64(len(s)) / float64(p.Least)
				return nil
			}, p.m[at])
			return nil
		}
	}
	for _, n := range p.g.Nodes {
		if d, ok := p.dims[n.Out(0)]; ok && n.Is("Softmax", "Sigmoid") && p.kinds[n.Out(0)] == zero {
			p.look(func(vs []*tensor.Tensor) error {
				p.each(vs[0], d, func(e int, x []float32) {
					for _, w := range x {
						p.u.Chosen[e] += float64(w)
					}
				})
				p.u.Tokens += float64(vs[0].Len() / p.Experts)
				return nil
			}, p.m[n.Out(0)])
			return nil
		}
	}
	return fmt.Errorf("how often experts are chosen is no value of the network")
}

// each calls f for every entry of the axis d of a tensor, with its numbers that lie behind
// each other.
func (p *prober) each(t *tensor.Tensor, d int, f func(e int, x []float32)) {
	x := t.F32()
	outer, _ := tensor.Size(t.Shape[:d])
	inner, _ := tensor.Size(t.Shape[d+1:])
	for o := range outer {
		for e := range p.Experts {
			f(e, x[(o*p.Experts+e)*inner:][:inner])
		}
	}
}

// outputs looks at what single experts add to the sum.
func (p *prober) outputs() error {
	if p.moe != nil {
		return p.mixture()
	}
	found := false
	for _, d := range p.drops {
		if len(d.of) == 1 {
			if err := p.term(d); err != nil {
				return err
			}
			found = true
		}
	}
	for _, n := range p.g.Nodes {
		if found || !p.nodes[n] || n == p.Router.From {
			continue
		}
		v, d := p.summed(n)
		if v == nil {
			continue
		}
		p.look(func(vs []*tensor.Tensor) error { p.norms(vs[0], d); return nil }, v)
		found = true
	}
	if !found {
		return fmt.Errorf("what single experts make is no value of the network")
	}
	return nil
}

// term looks at what a sum adds for one expert.
func (p *prober) term(d drop) error {
	n, e := d.node, d.of[0]
	switch {
	case d.keep < 0:
		p.look(func(vs []*tensor.Tensor) error { p.rows(vs[0], e); return nil }, p.m[n.In(d.in)])
	case n.Is("Where"):
		x := p.m[n.In(1)]
		zeros := p.b.Op("Mul", x, p.b.Scalar(0, x))
		p.look(func(vs []*tensor.Tensor) error { p.rows(vs[0], e); return nil }, p.b.Op("Where", p.m[n.In(0)], x, zeros))
	case n.Is("ScatterND", "ScatterElements"):
		p.look(func(vs []*tensor.Tensor) error { p.rows(vs[0], e); return nil }, p.m[n.In(2)])
	default:
		return fmt.Errorf("what expert %d adds at %s is not known", e, told(n))
	}
	return nil
}

// rows adds up the norms of the rows of what one expert makes; a token that it was not
// given has zeros.
func (p *prober) rows(t *tensor.Tensor, e int) { p.count(t.F32(), t.Shape[len(t.Shape)-1], e) }

// norms does that for all experts, which are axis d of a value whose last axis is the width.
func (p *prober) norms(t *tensor.Tensor, d int) {
	p.each(t, d, func(e int, x []float32) { p.count(x, t.Shape[len(t.Shape)-1], e) })
}

func (p *prober) count(x []float32, width, e int) {
	for i := 0; i+width <= len(x) && width > 0; i += width {
		if s := norm(x[i : i+width]); s != 0 {
			p.u.Norms[e] += s
			p.u.Counted[e]++
		}
	}
}

func norm(x []float32) float64 {
	s := 0.
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	return math.Sqrt(s)
}

// summed is what a node sums over the experts, with their axis; nil where it sums nothing.
func (p *prober) summed(n *graph.Node) (*graph.Value, int) {
	x, y := n.In(0), n.Out(0)
	d, ok := p.dims[x]
	if p.here(n) || !p.some(n, zero) {
		return nil, 0
	}
	switch {
	case n.Is("ReduceSum") && ok && d < len(x.Shape)-1:
		return p.m[x], d
	case n.Is("Einsum"):
		return p.letter(n)
	case n.Is("MatMul"):
		w := n.In(1)
		if e, marked := p.dims[w]; !marked || !ok || d != len(x.Shape)-1 || e != len(w.Shape)-2 || len(y.Shape) < 2 {
			return nil, 0
		}
		v := p.b.Op("Mul", p.b.Unsqueeze(p.m[x], len(x.Shape)), p.b.Unsqueeze(p.m[w], len(w.Shape)-2))
		return v, len(v.Shape) - 2
	}
	return nil, 0
}

// letter is what an Einsum sums, before it sums over the experts.
func (p *prober) letter(n *graph.Node) (*graph.Value, int) {
	left, right, _ := strings.Cut(strings.ReplaceAll(n.Str("equation", ""), " ", ""), "->")
	for i, t := range strings.Split(left, ",") {
		if d, ok := p.dims[n.In(i)]; ok && right != "" {
			d2 := len(right) - 1
			to := right[:d2] + t[d:d+1] + right[d2:]
			in := make([]*graph.Value, len(n.Inputs))
			for k, v := range n.Inputs {
				in[k] = p.m[v]
			}
			return p.b.Attr("Einsum", []graph.Attr{graph.MakeAttr("equation", left+"->"+to)}, in...), d2
		}
	}
	return nil, 0
}

// mixture looks at what goes into an MoE, and computes what its experts make of it: each
// token as often as it is given to an expert, to that alone.
func (p *prober) mixture() error {
	mix, err := op.MixtureOf(p.moe)
	if err != nil {
		return err
	}
	var run *engine.Program
	rows := -1
	chosen, weights := make([]int, mix.K), make([]float32, mix.K)
	p.look(func(vs []*tensor.Tensor) error {
		x, r := vs[0].F32(), vs[1].F32()
		n := len(x) / mix.Hidden * mix.K
		if n != rows {
			if run != nil {
				run.Close()
			}
			if run, err = p.single(mix, n); err != nil {
				return err
			}
			rows = n
		}
		in, to := run.Input("x").F32(), run.Input("router").F32()
		for i := range to {
			to[i] = never
		}
		gates := make([]float32, n)
		for t := range n / mix.K {
			mix.Route(r[t*mix.Experts:(t+1)*mix.Experts], chosen, weights)
			for k, e := range chosen {
				i := t*mix.K + k
				copy(in[i*mix.Hidden:(i+1)*mix.Hidden], x[t*mix.Hidden:])
				to[i*mix.Experts+e], gates[i] = 0, weights[k]
			}
		}
		if err := run.Run(); err != nil {
			return err
		}
		y := run.Output("y").F32()
		for i, g := range gates {
			e := slices.Index(to[i*mix.Experts:(i+1)*mix.Experts], 0)
			p.u.Norms[e] += float64(g) * norm(y[i*mix.Hidden:(i+1)*mix.Hidden])
			p.u.Counted[e]++
		}
		return nil
	}, p.m[p.moe.In(op.MoEInput)], p.m[p.moe.In(op.MoERouter)])
	return nil
}

// single plans the mixture alone, of which one expert is chosen for each of n rows.
func (p *prober) single(mix *op.Mixture, n int) (*engine.Program, error) {
	g := graph.New("experts", p.g.Version(""))
	g.Opset[op.ContribDomain] = p.g.Version(op.ContribDomain)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(n, mix.Hidden)}
	r := &graph.Value{Name: "router", DType: tensor.Float32, Shape: graph.Dims(n, mix.Experts)}
	g.Inputs = []*graph.Value{x, r}
	in := []*graph.Value{x, r}
	for i := op.MoEFirst; i < len(p.moe.Inputs); i++ {
		v := p.moe.In(i)
		if v != nil {
			if !v.IsConst() {
				return nil, fmt.Errorf("weight %q is computed", v.Name)
			}
			v = g.Const(v.Name, v.Const, graph.Frozen)
		}
		in = append(in, v)
	}
	k := g.Add(p.moe.Op, p.moe.Domain, in, []string{"y"}, slices.Clone(p.moe.Attrs)...)
	k.Set("k", 1).Set("normalize_routing_weights", 1)
	g.Outputs = k.Outputs
	return engine.Compile(g, nil, engine.Options{Threads: 1})
}
