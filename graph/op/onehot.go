package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

func oneHotAxis(n *graph.Node, rank int) (int, error) { return axis(n.Int("axis", -1), rank+1) }

// OneHot(indices, depth, [off, on]) puts a new axis of length depth into
// indices. An index outside of [-depth, depth) gives off everywhere.
var _ = register(Def{Name: "OneHot",
	Infer: func(c *Infer) error {
		idx, err := c.In(0)
		if err != nil {
			return err
		}
		v, err := c.In(2)
		if err != nil {
			return err
		}
		if idx.Shape == nil {
			c.Out(0, v.DType, nil)
			return nil
		}
		a, err := oneHotAxis(c.Node, len(idx.Shape))
		if err != nil {
			return err
		}
		depth := unknownDim(c, 0, a)
		if d, ok := c.Contents(1); ok && len(d) == 1 {
			if depth = d[0]; depth.Mul < 0 {
				return fmt.Errorf("depth %v is negative", depth)
			}
		}
		out := append(graph.Shape{}, idx.Shape[:a]...)
		c.Out(0, v.DType, append(append(out, depth), idx.Shape[a:]...))
		return nil
	},
	Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
		a, err := oneHotAxis(n, in[0].Rank())
		if err != nil {
			return nil, err
		}
		idx, d, err := bothFloats(in[0], in[1])
		if err != nil || len(d) != 1 || !(d[0] >= 0 && d[0] < maxBytes) {
			return nil, fmt.Errorf("depth %v is not one count", d)
		}
		if in[2].Len() != 2 {
			return nil, fmt.Errorf("%d values, where off and on are needed", in[2].Len())
		}
		depth := int(d[0])
		shape := append([]int{}, in[0].Shape[:a]...)
		shape = append(append(shape, depth), in[0].Shape[a:]...)
		inner, _ := tensor.Size(in[0].Shape[a:])
		return single(take(in[2], shape, func(i int) int {
			k := int(idx[i/inner/depth*inner+i%inner])
			if k < 0 {
				k += depth
			}
			if k == i/inner%depth {
				return 1
			}
			return 0
		}))
	},
	Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
		hot := b.Attr("OneHot", n.Attrs, n.In(0), n.In(1), cast(b, b.Const(tensor.Vector[float32](0, 1)), dy[0].DType))
		zero := b.Const(ScalarOf(dy[0].DType, 0).Reshape(1))
		on := b.Pare("SumTo", nil, b.Op("Mul", dy[0], hot), zero)
		off := b.Op("Sub", b.Pare("SumTo", nil, dy[0], zero), on)
		return []*graph.Value{nil, nil, b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", 0)}, off, on)}, nil
	}})
