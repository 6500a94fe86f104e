// Package cases is a table of small applications of every differentiable
// operator: geometries, odd sizes, broadcasting, attributes and opsets that a
// gradient must get right. Tests of several packages walk it: the gradients
// against finite differences, against PyTorch, and the engine's against the
// reference's.
package cases

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"

	"pare/graph"
	"pare/tensor"
)

// Case is one node with inputs that keep away from kinks, so that finite
// differences hold.
type Case struct {
	Op     string
	Domain string
	Opset  int // 0: Opset below
	In     []Input
	Outs   int // 0: one
	Attrs  []graph.Attr

	// Bodies makes the attributes that hold subgraphs, which may read values.
	Bodies func(values []*graph.Value) []graph.Attr

	Fixed []int  // inputs of float64 that are constants
	First string // why only first derivatives are checked; "" where second ones are too

	seed  uint64
	index int // among the cases of the operator
}

// Opset is the version of cases that do not say another.
const Opset = 20

// Input makes an input from random numbers; a nil Input is left out. Float64
// tensors are inputs of the network unless Fixed lists them, others are constants.
type Input func(r *rand.Rand) *tensor.Tensor

// All lists the cases.
func All() []Case {
	var out []Case
	seen := map[string]int{}
	for _, group := range [][]Case{
		unary(), binary(), linear(), convolutions(), pools(), norms(), otherNorms(), softmaxes(), losses(), attentions(), control(), reductions(), moves(), indexed(), adjoints(),
		resizings(), samplings(), unpooled(), recurrent(), signals(), sums(), decoders(), experts(),
	} {
		for _, c := range group {
			k := c.Domain + "." + c.Op
			h := fnv.New64a()
			fmt.Fprint(h, k, seen[k])
			c.seed, c.index = h.Sum64(), seen[k]
			seen[k]++
			if c.Opset == 0 {
				c.Opset = Opset
			}
			c.Outs = max(1, c.Outs)
			out = append(out, c)
		}
	}
	return out
}

// Name is unique among the cases.
func (c Case) Name() string {
	s := c.Op
	if c.Domain != "" {
		s = c.Domain + "." + s
	}
	return fmt.Sprintf("%s#%d", s, c.index)
}

// Tensors are the inputs; nil where one is left out.
func (c Case) Tensors() []*tensor.Tensor {
	r := rand.New(rand.NewPCG(c.seed, 1))
	out := make([]*tensor.Tensor, len(c.In))
	for i, f := range c.In {
		if f != nil {
			out[i] = f(r)
		}
	}
	return out
}

// Graph is the case as a network with inputs x0, x1, … and outputs y0, y1, …;
// in holds the values of the inputs. Shapes are not inferred yet.
func (c Case) Graph() (g *graph.Graph, in map[string]*tensor.Tensor) {
	g = graph.New(c.Name(), c.Opset)
	g.Opset[graph.Pare] = 1
	in = map[string]*tensor.Tensor{}
	fixed := map[int]bool{}
	for _, i := range c.Fixed {
		fixed[i] = true
	}
	var vs []*graph.Value
	for i, x := range c.Tensors() {
		name := fmt.Sprint("x", i)
		switch {
		case x == nil:
			vs = append(vs, nil)
		case x.DType == tensor.Float64 && !fixed[i]:
			v := &graph.Value{Name: name, DType: x.DType, Shape: graph.Dims(x.Shape...)}
			g.Inputs, vs, in[name] = append(g.Inputs, v), append(vs, v), x
		default:
			vs = append(vs, g.Const(name, x, graph.Frozen))
		}
	}
	var outs []string
	for i := range c.Outs {
		outs = append(outs, fmt.Sprint("y", i))
	}
	attrs := append([]graph.Attr{}, c.Attrs...)
	if c.Bodies != nil {
		attrs = append(attrs, c.Bodies(g.Inputs)...)
	}
	if c.Op == "If" {
		vs = vs[:1] // the others are read by the branches
	}
	n := g.Add(c.Op, c.Domain, vs, outs, attrs...)
	g.Outputs = append(g.Outputs, n.Outputs...)
	return g, in
}

// as lists attributes: name, value, name, value.
func as(kv ...any) []graph.Attr {
	var out []graph.Attr
	for i := 0; i < len(kv); i += 2 {
		out = append(out, graph.MakeAttr(kv[i].(string), kv[i+1]))
	}
	return out
}

// normal is standard normal.
func normal(shape ...int) Input {
	return each(shape, func(r *rand.Rand, _ []float64) float64 { return r.NormFloat64() })
}

// between is uniform in [lo, hi).
func between(lo, hi float64, shape ...int) Input {
	return each(shape, func(r *rand.Rand, _ []float64) float64 { return lo + (hi-lo)*r.Float64() })
}

// outside is normal, but no nearer to any of the points than 0.05.
func outside(points []float64, shape ...int) Input {
	return each(shape, func(r *rand.Rand, _ []float64) float64 {
	again:
		x := 2 * r.NormFloat64()
		for _, p := range points {
			if x-p < .05 && p-x < .05 {
				goto again
			}
		}
		return x
	})
}

// apart holds different numbers, all at least 0.01 from one another and from 0.
func apart(shape ...int) Input {
	return each(shape, func(r *rand.Rand, before []float64) float64 {
	again:
		x := 2 * r.NormFloat64()
		for _, p := range append(before, 0) {
			if x-p < .01 && p-x < .01 {
				goto again
			}
		}
		return x
	})
}

func each(shape []int, f func(r *rand.Rand, before []float64) float64) Input {
	return func(r *rand.Rand) *tensor.Tensor {
		t := tensor.New(tensor.Float64, shape...)
		d := tensor.Of[float64](t)
		for i := range d {
			d[i] = f(r, d[:i:i])
		}
		return t
	}
}

// is a given tensor.
func is(t *tensor.Tensor) Input { return func(*rand.Rand) *tensor.Tensor { return t.Clone() } }

func ints(v ...int64) Input          { return is(tensor.Vector(v...)) }
func floats(v ...float64) Input      { return is(tensor.Vector(v...)) }
func scalar(v float64) Input         { return is(tensor.Scalar(v)) }
func whole(v int64) Input            { return is(tensor.Scalar(v)) }
func bools(v ...bool) Input          { return is(tensor.Vector(v...)) }
func grid(v []int64, s ...int) Input { return is(tensor.From(v, s...)) }

func truth(v []bool, s ...int) Input { return is(tensor.From(v, s...)) }

type in = []Input
