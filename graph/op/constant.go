package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

var _ = register(
	Def{Name: "Constant",
		Infer: func(c *Infer) error {
			t, err := constantOf(c.Node)
			if err != nil {
				return err
			}
			c.Out(0, t.DType, graph.Dims(t.Shape...))
			if d, ok := wholeNumbers(t); ok {
				c.SetContents(d)
			}
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			return single(constantOf(n))
		}, Grad: noGrad},

	Def{Name: "ConstantOfShape",
		Infer: func(c *Infer) error {
			v := fillValue(c.Node)
			d, ok := c.Contents(0)
			if !ok {
				rank, known := 0, false
				if s := c.Shape(0); len(s) == 1 && s[0].Known() && s[0].Mul <= maxRank {
					rank, known = s[0].Mul, true
				}
				c.Out(0, v.DType, unknownShape(c, rank, known))
				return nil
			}
			for _, e := range d {
				if e.Known() && e.Mul < 0 {
					return fmt.Errorf("shape %v has a negative size", graph.Shape(d))
				}
			}
			s := append(graph.Shape{}, d...)
			c.Out(0, v.DType, s)
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			shape, err := intsOf(in[0])
			if err != nil {
				return nil, err
			}
			v := fillValue(n)
			out, err := alloc(v.DType, shape...)
			if err != nil {
				return nil, err
			}
			cp := copier(out, v)
			for i := range out.Len() {
				cp(i, 0)
			}
			return single(out, nil)
		}, Grad: noGrad},
)

// constantOf reads the value of a Constant node from whichever attribute holds it.
func constantOf(n *graph.Node) (*tensor.Tensor, error) {
	for _, a := range n.Attrs {
		switch a.Name {
		case "value":
			if a.T != nil {
				return a.T, nil
			}
		case "value_float":
			return tensor.Scalar(a.F), nil
		case "value_int":
			return tensor.Scalar(a.I), nil
		case "value_string":
			return tensor.Scalar(a.S), nil
		case "value_floats":
			return tensor.Vector(a.Floats...), nil
		case "value_ints":
			return tensor.Vector(a.Ints...), nil
		case "value_strings":
			return tensor.Vector(a.Strings...), nil
		}
	}
	return nil, fmt.Errorf("no value that Pare can read")
}

func fillValue(n *graph.Node) *tensor.Tensor {
	if a := n.Attr("value"); a != nil && a.T != nil && a.T.Len() == 1 {
		return a.T
	}
	return tensor.Scalar(float32(0))
}
