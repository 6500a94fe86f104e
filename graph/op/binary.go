package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// binary describes an elementwise operator of two inputs that broadcast. It
// computes in float64 for floating-point tensors, in int64 for signed and in
// uint64 for unsigned integers; results wrap to the type of the tensor.
type binary struct {
	name   string
	float  func(x, y float64) float64             // nil: not for floating-point tensors
	int    func(x, y int64) int64                 // nil: not for integers
	uint   func(x, y uint64) uint64               // nil: as int
	dims   func(x, y graph.Dim) (graph.Dim, bool) // on contents of shapes; nil: numbers only
	bools  bool                                   // takes bool too
	isBool bool                                   // the result is bool
	mixed  bool                                   // the inputs may differ in type
	grad   func(b *Builder, n *graph.Node, dy, x, y, z *graph.Value) (dx, dw *graph.Value)
}

func (s binary) def() Def {
	return Def{Name: s.name, Infer: s.infer,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			return single(s.eval(in[0], in[1]))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			if s.grad == nil || dy[0] == nil {
				return []*graph.Value{nil, nil}, nil
			}
			x, y := n.In(0), n.In(1)
			dx, dw := s.grad(b, n, dy[0], x, y, n.Out(0))
			return []*graph.Value{sumTo(b, dx, x), sumTo(b, dw, y)}, nil
		}}
}

func (s binary) infer(c *Infer) error {
	x, y, err := c.pair()
	if err != nil {
		return err
	}
	shape, err := broadcast(x.Shape, y.Shape)
	if err != nil {
		return err
	}
	if x.DType != y.DType && x.DType != tensor.Undefined && y.DType != tensor.Undefined && !s.mixed {
		return fmt.Errorf("inputs are %v and %v: types must agree", x.DType, y.DType)
	}
	if err := s.takes(x.DType); err != nil {
		return err
	}
	t := x.DType
	if s.isBool {
		t = tensor.Bool
	}
	c.Out(0, t, shape)
	if s.dims != nil {
		s.follow(c, shape)
	}
	return nil
}

// takes checks the type of the first input.
func (s binary) takes(d tensor.DType) error {
	if d == tensor.Undefined || d.IsFloat() && s.float != nil || d.IsInt() && s.int != nil || d == tensor.Bool && s.bools {
		return nil
	}
	if d == tensor.String && s.name == "Equal" {
		return nil
	}
	return fmt.Errorf("%s does not take %v", s.name, d)
}

// follow computes contents of shapes elementwise; a single element broadcasts.
func (s binary) follow(c *Infer, shape graph.Shape) {
	a, ok1 := c.Contents(0)
	e, ok2 := c.Contents(1)
	size, ok3 := shape.Ints()
	if !ok1 || !ok2 || !ok3 {
		return
	}
	n, _ := tensor.Size(size)
	if n > maxContents || len(a) != n && len(a) != 1 || len(e) != n && len(e) != 1 {
		return
	}
	out := make([]graph.Dim, n)
	for i := range out {
		d, ok := s.dims(a[min(i, len(a)-1)], e[min(i, len(e)-1)])
		if !ok || d.Mul == 1<<63-1 {
			return
		}
		out[i] = d
	}
	c.SetContents(out)
}

func (s binary) eval(x, y *tensor.Tensor) (*tensor.Tensor, error) {
	shape, err := broadcastInts(x.Shape, y.Shape)
	if err != nil {
		return nil, err
	}
	if err := s.takes(x.DType); err != nil {
		return nil, err
	}
	t := x.DType
	if s.isBool {
		t = tensor.Bool
	}
	out, err := alloc(t, shape...)
	if err != nil {
		return nil, err
	}
	sx, sy := broadcastStrides(x.Shape, shape), broadcastStrides(y.Shape, shape)
	switch {
	case x.DType == tensor.String:
		a, b := tensor.Of[string](x), tensor.Of[string](y)
		if b == nil && y.Len() > 0 {
			return nil, fmt.Errorf("inputs are %v and %v: types must agree", x.DType, y.DType)
		}
		odometer2(shape, sx, sy, func(i, j, k int) { tensor.Of[bool](out)[i] = a[j] == b[k] })
		return out, nil
	case x.DType.IsFloat() || y.DType.IsFloat():
		if s.float == nil {
			return nil, fmt.Errorf("%s does not take %v", s.name, y.DType)
		}
		a, b, err := bothFloats(x, y)
		if err != nil {
			return nil, err
		}
		r := make([]float64, out.Len())
		odometer2(shape, sx, sy, func(i, j, k int) { r[i] = s.float(a[j], b[k]) })
		return out, fill(out, r)
	}
	a, err := x.Int64s()
	if err != nil {
		return nil, err
	}
	b, err := y.Int64s()
	if err != nil {
		return nil, err
	}
	if s.name == "Div" || s.name == "Mod" {
		for _, v := range b {
			if v == 0 {
				return nil, fmt.Errorf("an integer is divided by zero")
			}
		}
	}
	r := make([]int64, out.Len())
	if s.uint != nil && x.DType == tensor.Uint64 {
		odometer2(shape, sx, sy, func(i, j, k int) { r[i] = int64(s.uint(uint64(a[j]), uint64(b[k]))) })
	} else {
		odometer2(shape, sx, sy, func(i, j, k int) { r[i] = s.int(a[j], b[k]) })
	}
	return out, fillInts(out, r)
}

// sumTo reduces a gradient to the shape of a broadcast input.
func sumTo(b *Builder, d, like *graph.Value) *graph.Value {
	if d == nil || like == nil || d.Shape != nil && d.Shape.Equal(like.Shape) {
		return d
	}
	return b.Pare("SumTo", nil, d, like)
}
