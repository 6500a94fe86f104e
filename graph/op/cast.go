package op

import (
	"fmt"
	"math"
	"strconv"

	"pare/graph"
	"pare/tensor"
)

var _ = register(
	// Cast changes the type of the elements; see Convert.
	Def{Name: "Cast",
		Infer: func(c *Infer) error {
			to := tensor.DType(c.Node.Int("to", 0))
			if !to.Valid() {
				return fmt.Errorf("cannot cast to data type %d", c.Node.Int("to", 0))
			}
			return castTo(c, to)
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			return single(Convert(in[0], tensor.DType(n.Int("to", 0))))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			if !n.In(0).DType.IsFloat() {
				return []*graph.Value{nil}, nil
			}
			return []*graph.Value{cast(b, dy[0], n.In(0).DType)}, nil
		}},
	// CastLike casts to the type of the second input.
	Def{Name: "CastLike",
		Infer: func(c *Infer) error {
			like, err := c.In(1)
			if err != nil {
				return err
			}
			return castTo(c, like.DType)
		},
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			return single(Convert(in[0], in[1].DType))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			if !n.In(0).DType.IsFloat() {
				return []*graph.Value{nil, nil}, nil
			}
			return []*graph.Value{cast(b, dy[0], n.In(0).DType), nil}, nil
		}},
)

func castTo(c *Infer, to tensor.DType) error {
	if _, err := c.In(0); err != nil {
		return err
	}
	c.Out(0, to, c.Shape(0))
	switch to {
	case tensor.Int64, tensor.Int32, tensor.Float32, tensor.Float64: // wide enough for sizes
		if d, ok := c.Contents(0); ok {
			c.SetContents(d)
		}
	}
	return nil
}

// Convert is the tensor as another type; numbers truncate towards zero.
func Convert(x *tensor.Tensor, to tensor.DType) (*tensor.Tensor, error) {
	if x.DType == to {
		return x, nil
	}
	if to == tensor.String {
		return toStrings(x)
	}
	if x.DType == tensor.String {
		return fromStrings(x, to)
	}
	out, err := alloc(to, x.Shape...)
	if err != nil {
		return nil, err
	}
	if !x.DType.IsFloat() && !to.IsFloat() {
		v, err := x.Int64s()
		if err != nil {
			return nil, err
		}
		err = fillInts(out, v)
		fewer(out)
		return out, err
	}
	v, err := floats(x)
	if err != nil {
		return nil, err
	}
	err = fill(out, v)
	fewer(out)
	return out, err
}

// fewer keeps the low 4 bits of numbers that have no more.
func fewer(t *tensor.Tensor) {
	switch t.DType {
	case tensor.Int4:
		for i, v := range tensor.Of[int8](t) {
			tensor.Of[int8](t)[i] = v << 4 >> 4
		}
	case tensor.Uint4:
		for i := range tensor.Of[uint8](t) {
			tensor.Of[uint8](t)[i] &= 15
		}
	}
}

// toStrings writes numbers as the shortest decimals that read back the same.
func toStrings(x *tensor.Tensor) (*tensor.Tensor, error) {
	out, err := alloc(tensor.String, x.Shape...)
	if err != nil {
		return nil, err
	}
	s := tensor.Of[string](out)
	if !x.DType.IsFloat() {
		v, err := x.Int64s()
		for i, k := range v {
			s[i] = strconv.FormatInt(k, 10)
		}
		return out, err
	}
	v, err := floats(x)
	for i, f := range v {
		switch bits := 32; {
		case math.IsInf(f, 1):
			s[i] = "INF"
		case math.IsInf(f, -1):
			s[i] = "-INF"
		default:
			if x.DType == tensor.Float64 {
				bits = 64
			}
			s[i] = strconv.FormatFloat(f, 'g', -1, bits)
		}
	}
	return out, err
}

// fromStrings reads numbers; "NaN" and "INF" in any case are numbers too.
func fromStrings(x *tensor.Tensor, to tensor.DType) (*tensor.Tensor, error) {
	v := make([]float64, x.Len())
	for i, s := range tensor.Of[string](x) {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number", s)
		}
		v[i] = f
	}
	return ofFloats(to, x.Shape, v)
}
