package op

import (
	"cmp"
	"fmt"
	"sort"

	"pare/graph"
	"pare/tensor"
)

// topCount is k: an attribute before opset 10, an input from then on.
func topCount(n *graph.Node, get func(i int) ([]int, bool)) (int, bool) {
	if a := n.Attr("k"); a != nil {
		return int(a.I), true
	}
	k, ok := get(1)
	if !ok || len(k) != 1 {
		return 0, false
	}
	return k[0], true
}

// TopK gives the k largest (or smallest) elements along an axis and their
// positions, best first; of equal ones the first. NaN counts as the largest.
var _ = register(Def{Name: "TopK",
	Infer: func(c *Infer) error {
		c.Out(1, tensor.Int64, nil)
		x, err := c.ranked()
		if x == nil {
			return err
		}
		a, err := axis(c.Node.Int("axis", -1), len(x.Shape))
		if err != nil {
			return err
		}
		out := append(graph.Shape{}, x.Shape...)
		if out[a] = unknownDim(c, 0, a); c.Node.Attr("k") != nil {
			out[a] = graph.N(c.Node.Int("k", 0))
		} else if k, ok := c.Contents(1); ok && len(k) == 1 {
			out[a] = k[0]
		}
		if d := x.Shape[a]; out[a].Mul < 0 || d.Known() && out[a].Known() && out[a].Mul > d.Mul {
			return fmt.Errorf("k is %v, the axis has %v elements", out[a], d)
		}
		c.Out(0, x.DType, out)
		c.Out(1, tensor.Int64, out)
		return nil
	},
	Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		a, err := axis(n.Int("axis", -1), in[0].Rank())
		if err != nil {
			return nil, err
		}
		size := in[0].Shape[a]
		k, ok := topCount(n, func(i int) ([]int, bool) { v, err := intsOf(arg(in, i)); return v, err == nil })
		if !ok || k < 0 || k > size {
			return nil, fmt.Errorf("k is %d, the axis has %d elements", k, size)
		}
		order, err := comparer(in[0])
		if err != nil {
			return nil, err
		}
		sign := -1
		if n.Int("largest", 1) == 0 {
			sign = 1
		}
		inner, _ := tensor.Size(in[0].Shape[a+1:])
		outer, _ := tensor.Size(in[0].Shape[:a])
		shape := append([]int{}, in[0].Shape...)
		shape[a] = k
		val, pos := tensor.New(in[0].DType, shape...), tensor.New(tensor.Int64, shape...)
		cp := copier(val, in[0])
		idx := make([]int, size)
		for o := range outer {
			for i := range inner {
				at := func(j int) int { return (o*size+j)*inner + i }
				for j := range idx {
					idx[j] = j
				}
				sort.SliceStable(idx, func(p, q int) bool { return sign*order(at(idx[p]), at(idx[q])) < 0 })
				for j, p := range idx[:k] {
					to := (o*k+j)*inner + i
					cp(to, at(p))
					tensor.Of[int64](pos)[to] = int64(p)
				}
			}
		}
		return []*tensor.Tensor{val, pos}, nil
	},
	Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
		out := make([]*graph.Value, len(n.Inputs))
		pos := n.Out(1)
		if pos == nil {
			pos = b.Node("", "TopK", 2, n.Inputs, n.Attrs...).Outputs[1]
		}
		if dy[0] != nil {
			as := []graph.Attr{graph.MakeAttr("axis", n.Int("axis", -1)), graph.MakeAttr("reduction", "add")}
			out[0] = b.Attr("ScatterElements", as, b.Pare("ZerosLike", nil, n.In(0)), pos, dy[0])
		}
		return out, nil
	}})

// comparer orders the elements of a numeric tensor by their offsets.
func comparer(t *tensor.Tensor) (func(i, j int) int, error) {
	if u := tensor.Of[uint64](t); u != nil {
		return func(i, j int) int { return cmp.Compare(u[i], u[j]) }, nil
	}
	if !t.DType.IsFloat() {
		x, err := t.Int64s()
		return func(i, j int) int { return cmp.Compare(x[i], x[j]) }, err
	}
	x, err := floats(t)
	return func(i, j int) int {
		if a, b := x[i] != x[i], x[j] != x[j]; a || b {
			return int(flag(a)) - int(flag(b))
		}
		return cmp.Compare(x[i], x[j])
	}, err
}
