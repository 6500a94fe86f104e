package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// gatherShape is the shape of Gather's output: the indices' axes stand in the
// place of the gathered one.
func gatherShape[T any](x, idx []T, a int) []T {
	out := append([]T{}, x[:a]...)
	out = append(out, idx...)
	return append(out, x[a+1:]...)
}

// wrapIndices checks indices against an axis and makes negative ones positive.
func wrapIndices(idx []int, size int) error {
	for i, k := range idx {
		if k < -size || k >= size {
			return fmt.Errorf("index %d is outside an axis of %d", k, size)
		}
		if k < 0 {
			idx[i] = k + size
		}
	}
	return nil
}

var _ = register(
	Def{Name: "Gather",
		Infer: func(c *Infer) error {
			x, err := c.In(0)
			if err != nil {
				return err
			}
			idx, err := c.In(1)
			if err != nil {
				return err
			}
			if x.Shape == nil || idx.Shape == nil {
				c.Out(0, x.DType, nil)
				return nil
			}
			a, err := axis(c.Node.Int("axis", 0), len(x.Shape))
			if err != nil {
				return err
			}
			c.Out(0, x.DType, gatherShape(x.Shape, idx.Shape, a))
			if k, known := c.Ints(1); known && x.Shape[a].Known() {
				return wrapIndices(k, x.Shape[a].Mul)
			}
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			a, err := axis(n.Int("axis", 0), in[0].Rank())
			if err != nil {
				return nil, err
			}
			idx, err := intsOf(in[1])
			if err != nil {
				return nil, err
			}
			size := in[0].Shape[a]
			if err := wrapIndices(idx, size); err != nil {
				return nil, err
			}
			out, err := alloc(in[0].DType, gatherShape(in[0].Shape, in[1].Shape, a)...)
			if err != nil {
				return nil, err
			}
			outer, _ := tensor.Size(in[0].Shape[:a])
			inner, _ := tensor.Size(in[0].Shape[a+1:])
			cp, o := copier(out, in[0]), 0
			for r := range outer {
				for _, k := range idx {
					for i := range inner {
						cp(o, (r*size+k)*inner+i)
						o++
					}
				}
			}
			return single(out, nil)
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Pare("GatherGrad", n.Attrs, dy[0], n.In(1), n.In(0)), nil}, nil
		}},

	// GatherGrad(dy, indices, like) adds dy up where Gather read.
	Def{Domain: graph.Pare, Name: "GatherGrad",
		Infer: func(c *Infer) error { c.Out(0, c.DType(0), c.Shape(2)); return nil },
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			a, err := axis(n.Int("axis", 0), in[2].Rank())
			if err != nil {
				return nil, err
			}
			idx, err := intsOf(in[1])
			if err != nil {
				return nil, err
			}
			size := in[2].Shape[a]
			if err := wrapIndices(idx, size); err != nil {
				return nil, err
			}
			dy, err := floats(in[0])
			if err != nil {
				return nil, err
			}
			out := make([]float64, in[2].Len())
			outer, _ := tensor.Size(in[2].Shape[:a])
			inner, _ := tensor.Size(in[2].Shape[a+1:])
			o := 0
			for r := range outer {
				for _, k := range idx {
					for i := range inner {
						out[(r*size+k)*inner+i] += dy[o]
						o++
					}
				}
			}
			return single(ofFloats(in[0].DType, in[2].Shape, out))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			return []*graph.Value{b.Attr("Gather", n.Attrs, dy[0], n.In(1)), nil, nil}, nil
		}},

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
		}},

	Def{Name: "ConstantOfShape",
		Infer: func(c *Infer) error {
			v := fillValue(c.Node)
			d, ok := c.Contents(0)
			if !ok {
				c.Out(0, v.DType, nil)
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

	Def{Name: "Range",
		Infer: func(c *Infer) error {
			a, ok1 := c.Ints(0)
			e, ok2 := c.Ints(1)
			s, ok3 := c.Ints(2)
			if !ok1 || !ok2 || !ok3 || !c.DType(0).IsInt() {
				c.Out(0, c.DType(0), graph.Shape{graph.Sym(c.Node.Out(0).Name + ".0")})
				return nil
			}
			if s[0] == 0 {
				return fmt.Errorf("a step of 0")
			}
			n := max(0, (e[0]-a[0]+s[0]-sign(s[0]))/s[0])
			c.Out(0, c.DType(0), graph.Dims(n))
			return nil
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			var v [3]float64
			for i := range v {
				f, err := floats(in[i])
				if err != nil || len(f) != 1 {
					return nil, fmt.Errorf("start, limit and delta must be scalars")
				}
				v[i] = f[0]
			}
			if v[2] == 0 {
				return nil, fmt.Errorf("a step of 0")
			}
			var out []float64
			for x := v[0]; v[2] > 0 && x < v[1] || v[2] < 0 && x > v[1]; x = v[0] + float64(len(out))*v[2] {
				if len(out) > maxBytes/64 {
					return nil, fmt.Errorf("too many elements")
				}
				out = append(out, x)
			}
			return single(ofFloats(in[0].DType, []int{len(out)}, out))
		}},
)

func sign(x int) int {
	if x < 0 {
		return -1
	}
	return 1
}

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
