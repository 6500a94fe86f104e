package structure

import (
	"math"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// numbers gives the integers that nodes are told by their inputs, as far as they
// are known before running. What is computed is looked at when first asked for.
type numbers struct {
	g    *graph.Graph
	dims map[*graph.Value][]graph.Dim
}

// number is one of them.
type number struct {
	n     int
	known bool
}

// of lists the integers of a value; false where not even their count is known.
func (k *numbers) of(v *graph.Value) ([]number, bool) {
	if v == nil {
		return nil, false
	}
	if at, ok := v.Ints(); ok {
		return stated(at), true
	}
	if k.dims == nil {
		k.dims = map[*graph.Value][]graph.Dim{}
		c, m := k.g.Clone(false)
		if dims, err := op.Contents(c); err == nil {
			for v, w := range m {
				if d, ok := dims[w]; ok {
					k.dims[v] = d
				}
			}
		}
	}
	if d, ok := k.dims[v]; ok {
		out := make([]number, len(d))
		for i, e := range d {
			out[i] = number{e.Mul, e.Known()}
		}
		return out, true
	}
	if len(v.Shape) == 1 && v.Shape[0].Known() && v.Shape[0].Mul <= maxNumbers {
		return make([]number, v.Shape[0].Mul), true
	}
	return nil, false
}

// maxNumbers bounds the numbers that a node may be told of its axes.
const maxNumbers = 1 << 10

func stated(at []int) []number {
	out := make([]number, len(at))
	for i, n := range at {
		out[i] = number{n, true}
	}
	return out
}

// overwrite changes some entries of a vector that New reads as input i. In one
// that is computed the others stay as they are.
func (c *Cutting) overwrite(i int, with map[int]int) {
	was := c.New.Inputs[i]
	rank := was.Shape[0].Mul
	to, over := make([]int64, rank), tensor.New(tensor.Bool, rank)
	if v, ok := was.Ints(); ok {
		for k, x := range v {
			to[k] = int64(x)
		}
	}
	for k, x := range with {
		to[k], tensor.Of[bool](over)[k] = int64(x), true
	}
	c.New.Inputs[i] = c.Graph.Const(was.Name, vector(was.DType, to), graph.Frozen)
	if was.IsConst() {
		return
	}
	mask := c.Graph.Const(was.Name+"/cut", over, graph.Frozen)
	w := c.Graph.Add("Where", "", []*graph.Value{mask, c.New.Inputs[i], was}, []string{was.Name + "/part"})
	w.Outputs[0].DType, w.Outputs[0].Shape = was.DType, was.Shape
	c.New.Inputs[i] = w.Outputs[0]
}

// vector makes a tensor of int32 or int64.
func vector(d tensor.DType, v []int64) *tensor.Tensor {
	if d != tensor.Int32 {
		return tensor.Vector(v...)
	}
	t := tensor.New(d, len(v))
	for k, x := range v {
		tensor.Of[int32](t)[k] = int32(max(min(x, math.MaxInt32), math.MinInt32))
	}
	return t
}
