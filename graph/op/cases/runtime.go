package cases

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"

	"pare/graph"
	"pare/tensor"
)

// Runtime is one node of an operator that is not of the standard's domain, as files of
// ONNX Runtime and of its exporters hold them. Its outputs are what that runtime computes,
// which a test of graph/op has recorded and a test of interop records anew.
type Runtime struct {
	Domain, Op string
	Attrs      []graph.Attr
	In         []Input
	Const      []int  // inputs that are constants; the others are fed
	Outs       []int  // outputs that are asked for; nil: the first
	Version    int    // of its domain; 0: 3 of ai.onnx.ml, 1 of others
	Opset      int    // the smallest of the standard's that it is written out at; 0: 11
	Free       []Free // sizes that the file leaves open
	Alone      string // why ONNX Runtime has no kernel for it on a CPU, and a closed form stands in a test; "": it has
	Whole      bool   // it stays an operator of its domain
	First      bool   // the first output alone is compared: the others end in what nobody reads
	Flat       bool   // no gradient flows from the first output to the first input

	index int
}

// Free names axis Axis of input In.
type Free struct {
	In, Axis int
	Name     string
}

// Runtimes lists them.
func Runtimes() []Runtime {
	var out []Runtime
	seen := map[string]int{}
	for _, group := range [][]Runtime{fusedNodes(), attentionNodes(), groupedNodes(), quantisedNodes(), nbitsNodes(), imageNodes(), learnedNodes(), treeNodes(), vectorNodes(), mixtureNodes()} {
		for _, c := range group {
			if c.Domain == "" {
				c.Domain = "com.microsoft"
			}
			if c.Outs == nil {
				c.Outs = []int{0}
			}
			c.Opset = max(c.Opset, 11)
			c.index = seen[c.Op]
			seen[c.Op]++
			out = append(out, c)
		}
	}
	return out
}

// Name is unique among them.
func (c Runtime) Name() string { return fmt.Sprintf("%s#%d", c.Op, c.index) }

// Graph is the case as a network of an opset, with inputs in0, in1, … and outputs out0, …;
// in holds the values of the inputs.
func (c Runtime) Graph(opset int) (g *graph.Graph, in map[string]*tensor.Tensor) {
	g = graph.New(c.Name(), opset)
	switch {
	case c.Version > 0:
		g.Opset[c.Domain] = c.Version
	case c.Domain == "ai.onnx.ml":
		g.Opset[c.Domain] = 3
	default:
		g.Opset[c.Domain] = 1
	}
	in = map[string]*tensor.Tensor{}
	h := fnv.New64a()
	fmt.Fprint(h, c.Name())
	r := rand.New(rand.NewPCG(h.Sum64(), 2))
	fixed := map[int]bool{}
	for _, i := range c.Const {
		fixed[i] = true
	}
	var vs []*graph.Value
	for i, f := range c.In {
		name := fmt.Sprint("in", i)
		switch {
		case f == nil:
			vs = append(vs, nil)
		case fixed[i]:
			vs = append(vs, g.Const(name, f(r), graph.Auto))
		default:
			x := f(r)
			v := &graph.Value{Name: name, DType: x.DType, Shape: graph.Dims(x.Shape...)}
			for _, d := range c.Free {
				if d.In == i {
					v.Shape[d.Axis] = graph.Sym(d.Name)
				}
			}
			g.Inputs, vs, in[name] = append(g.Inputs, v), append(vs, v), x
		}
	}
	last := 0
	for _, o := range c.Outs {
		last = max(last, o)
	}
	outs := make([]string, last+1)
	for _, o := range c.Outs {
		outs[o] = fmt.Sprint("out", o)
	}
	n := g.Add(c.Op, c.Domain, vs, outs, append([]graph.Attr{}, c.Attrs...)...)
	for _, o := range c.Outs {
		g.Outputs = append(g.Outputs, n.Outputs[o])
	}
	return g, in
}

// f32 is normal, of float32.
func f32(shape ...int) Input {
	return func(r *rand.Rand) *tensor.Tensor {
		t := tensor.New(tensor.Float32, shape...)
		for i := range t.F32() {
			t.F32()[i] = float32(r.NormFloat64())
		}
		return t
	}
}

// whole8 are uint8, or int8 where lo is below 0, uniform in [lo, hi].
func whole8(lo, hi int, shape ...int) Input {
	return func(r *rand.Rand) *tensor.Tensor {
		d := tensor.Uint8
		if lo < 0 {
			d = tensor.Int8
		}
		t := tensor.New(d, shape...)
		for i := range t.Len() {
			x := lo + r.IntN(hi-lo+1)
			if lo < 0 {
				tensor.Of[int8](t)[i] = int8(x)
			} else {
				tensor.Of[uint8](t)[i] = uint8(x)
			}
		}
		return t
	}
}

// around is uniform in [lo, hi), of float32.
func around(lo, hi float64, shape ...int) Input {
	return func(r *rand.Rand) *tensor.Tensor {
		t := tensor.New(tensor.Float32, shape...)
		for i := range t.F32() {
			t.F32()[i] = float32(lo + (hi-lo)*r.Float64())
		}
		return t
	}
}

func single(v float32) Input { return is(tensor.Scalar(v)) }
func byteOf(v uint8) Input   { return is(tensor.Scalar(v)) }
func charOf(v int8) Input    { return is(tensor.Scalar(v)) }

func int32s(v []int32, shape ...int) Input { return is(tensor.From(v, shape...)) }
