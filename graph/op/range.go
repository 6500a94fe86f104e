package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// Range counts from start up to, but without, limit in steps of delta.
var _ = register(Def{Name: "Range",
	Infer: func(c *Infer) error {
		var known [3]*tensor.Tensor
		for i := range known {
			if _, err := c.In(i); err != nil {
				return err
			}
			known[i] = c.known(i)
		}
		if known[0] != nil && known[1] != nil && known[2] != nil {
			_, n, err := rangeArgs(known[:])
			c.Out(0, c.DType(0), graph.Dims(n))
			return err
		}
		size := unknownDim(c, 0, 0)
		a, ok1 := c.Contents(0)
		e, ok2 := c.Contents(1)
		s, ok3 := c.Contents(2)
		if ok1 && ok2 && ok3 && len(a) == 1 && len(e) == 1 && len(s) == 1 && s[0] == graph.N(1) {
			size = e[0].Minus(a[0])
		}
		c.Out(0, c.DType(0), graph.Shape{size})
		return nil
	},
	Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		v, k, err := rangeArgs(in)
		if err != nil {
			return nil, err
		}
		out, err := alloc(in[0].DType, k)
		if err != nil {
			return nil, err
		}
		if in[0].DType.IsInt() {
			x := make([]int64, k)
			a, _ := in[0].Int64s()
			d, _ := in[2].Int64s()
			for i := range x {
				x[i] = a[0] + int64(i)*d[0]
			}
			return single(out, fillInts(out, x))
		}
		x := make([]float64, k)
		for i := range x {
			x[i] = v[0] + float64(i)*v[2]
		}
		return single(out, fill(out, x))
	},
	Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
		// start + i*delta, i = 0, 1, …; the limit only sets the length
		first := b.Const(tensor.Scalar[int64](0))
		i := b.Attr("CumSum", []graph.Attr{graph.MakeAttr("exclusive", 1)}, b.Pare("OnesLike", nil, dy[0]), first)
		total := func(d, v *graph.Value) *graph.Value {
			return b.Pare("ReshapeLike", nil, b.Sum(d, false, 0), v)
		}
		return []*graph.Value{total(dy[0], n.In(0)), nil, total(b.Op("Mul", dy[0], i), n.In(2))}, nil
	}})

// rangeArgs gives start, limit and delta, and the number of elements.
func rangeArgs(in []*tensor.Tensor) (v [3]float64, n int, err error) {
	for i := range v {
		f, err := floats(arg(in, i))
		if err != nil || len(f) != 1 {
			return v, 0, fmt.Errorf("start, limit and delta must be scalars")
		}
		v[i] = f[0]
	}
	count := math.Max(0, math.Ceil((v[1]-v[0])/v[2]))
	if v[2] == 0 || !(count < maxBytes) {
		return v, 0, fmt.Errorf("from %v to %v in steps of %v: too many elements", v[0], v[1], v[2])
	}
	return v, int(count), nil
}
