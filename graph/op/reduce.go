package op

import (
	"fmt"
	"math"

	"pare/graph"
	"pare/tensor"
)

// reduction describes an operator that folds axes of its input. Sums of
// floating-point numbers are taken in float64, of integers in int64.
type reduction struct {
	name  string
	init  float64
	float func(acc, x float64) float64
	end   func(acc float64, n int) float64 // nil: nothing
	first int64
	int   func(acc, x int64) int64 // nil: integers as floating-point numbers
	grad  func(b *Builder, n *graph.Node, dy, x, y *graph.Value) *graph.Value
}

// reducedAxes gives the axes of a reduction: an attribute, an input from some
// opset on, or all of them.
func reducedAxes(n *graph.Node, given []int, rank int) ([]int, error) {
	as := n.Ints("axes")
	if given != nil {
		as = given
	}
	if len(as) == 0 {
		if n.Int("noop_with_empty_axes", 0) != 0 {
			return nil, nil
		}
		for i := range rank {
			as = append(as, i)
		}
	}
	return axes(as, rank)
}

// withoutAxes is a shape after reduction.
func withoutAxes[T any](shape []T, as []int, one T, keep bool) []T {
	gone := map[int]bool{}
	for _, a := range as {
		gone[a] = true
	}
	out := []T{}
	for i, d := range shape {
		switch {
		case !gone[i]:
			out = append(out, d)
		case keep:
			out = append(out, one)
		}
	}
	return out
}

func (r reduction) infer(c *Infer) error {
	x, err := c.In(0)
	if err != nil {
		return err
	}
	if x.DType == tensor.String || x.DType == tensor.Bool && r.name != "ReduceMax" && r.name != "ReduceMin" {
		return fmt.Errorf("%s does not take %v", r.name, x.DType)
	}
	keep := c.Node.Int("keepdims", 1) != 0
	var given []int
	if c.Node.In(1) != nil {
		var ok bool
		if given, ok = c.Ints(1); !ok {
			c.Out(0, x.DType, unknownShape(c, len(x.Shape), x.Shape != nil && keep))
			return nil
		}
	}
	if x.Shape == nil {
		c.Out(0, x.DType, nil)
		return nil
	}
	as, err := reducedAxes(c.Node, given, len(x.Shape))
	if err != nil {
		return err
	}
	c.Out(0, x.DType, withoutAxes(x.Shape, as, graph.N(1), keep))
	if d, ok := c.Contents(0); ok && len(x.Shape) == 1 && len(as) == 1 {
		r.follow(c, d)
	}
	return nil
}

// follow computes products and sums of contents, such as the size of a shape.
func (r reduction) follow(c *Infer, d []graph.Dim) {
	acc := graph.N(int(r.first))
	for _, e := range d {
		ok := true
		switch r.name {
		case "ReduceProd":
			acc, ok = timesDims(acc, e)
		case "ReduceSum":
			acc = acc.Plus(e)
		default:
			return
		}
		if !ok {
			return
		}
	}
	c.SetContents([]graph.Dim{acc})
}

func (r reduction) eval(n *graph.Node, x *tensor.Tensor, given []int) (*tensor.Tensor, error) {
	as, err := reducedAxes(n, given, x.Rank())
	if err != nil {
		return nil, err
	}
	kept := withoutAxes(x.Shape, as, 1, true)
	full := withoutAxes(x.Shape, as, 1, n.Int("keepdims", 1) != 0)
	size, _ := tensor.Size(kept)
	count := 1
	for _, a := range as {
		count *= x.Shape[a]
	}
	if size > maxBytes/8 {
		return nil, fmt.Errorf("a tensor of shape %v is too large", kept)
	}
	st := broadcastStrides(kept, x.Shape)
	if r.int != nil && !x.DType.IsFloat() {
		v, err := x.Int64s()
		if err != nil {
			return nil, err
		}
		acc := make([]int64, size)
		for i := range acc {
			if acc[i] = r.first; x.DType == tensor.Bool { // the least bool is false
				acc[i] = max(0, r.first)
			}
		}
		odometer(x.Shape, st, func(i, off int) { acc[off] = r.int(acc[off], v[i]) })
		if r.name == "ReduceMean" {
			for i := range acc {
				acc[i] /= int64(max(1, count))
			}
		}
		out, err := alloc(x.DType, full...)
		if err != nil {
			return nil, err
		}
		return out, fillInts(out, acc)
	}
	v, err := floats(x)
	if err != nil {
		return nil, err
	}
	acc := make([]float64, size)
	for i := range acc {
		acc[i] = r.init
	}
	if r.name == "ReduceLogSumExp" {
		logSumExp(acc, v, x.Shape, kept)
	} else {
		odometer(x.Shape, st, func(i, off int) { acc[off] = r.float(acc[off], v[i]) })
	}
	if r.end != nil {
		for i := range acc {
			acc[i] = r.end(acc[i], count)
		}
	}
	return ofFloats(x.DType, full, acc)
}

// restore gives a reduced value its axes back, of length 1.
func (r reduction) restore(b *Builder, n *graph.Node, vs ...*graph.Value) ([]*graph.Value, error) {
	x := n.In(0)
	if n.Int("keepdims", 1) != 0 {
		return vs, nil
	}
	var given []int
	if a := n.In(1); x.Shape == nil || a != nil && !a.IsConst() { // known only when running
		like := b.Node("", n.Op, 1, n.Inputs, withAttr(n.Attrs, "keepdims", 1)...).Outputs[0]
		for i, v := range vs {
			vs[i] = b.Pare("ReshapeLike", nil, v, like)
		}
		return vs, nil
	} else if a != nil {
		var err error
		if given, err = intsOf(a.Const); err != nil {
			return nil, err
		}
	}
	as, err := reducedAxes(n, given, len(x.Shape))
	if err != nil {
		return nil, err
	}
	for i, v := range vs {
		vs[i] = b.Unsqueeze(v, as...)
	}
	return vs, nil
}

func (r reduction) def() Def {
	return Def{Name: r.name, Infer: r.infer,
		Eval: func(n *graph.Node, _ int, in []*tensor.Tensor) ([]*tensor.Tensor, error) {
			given, err := intsOf(arg(in, 1))
			if err != nil {
				return nil, err
			}
			return single(r.eval(n, in[0], given))
		},
		Grad: func(b *Builder, n *graph.Node, dy []*graph.Value) ([]*graph.Value, error) {
			v, err := r.restore(b, n, dy[0], n.Out(0))
			if err != nil {
				return nil, err
			}
			return []*graph.Value{r.grad(b, n, v[0], n.In(0), v[1]), nil}, nil
		}}
}

func withAttr(as []graph.Attr, name string, v any) []graph.Attr {
	out := []graph.Attr{}
	for _, a := range as {
		if a.Name != name {
			out = append(out, a)
		}
	}
	return append(out, graph.MakeAttr(name, v))
}

func logSumExp(acc, x []float64, shape, kept []int) {
	m := make([]float64, len(acc))
	for i := range m {
		m[i] = math.Inf(-1)
	}
	st := broadcastStrides(kept, shape)
	odometer(shape, st, func(i, off int) { m[off] = math.Max(m[off], x[i]) })
	for i := range m {
		if math.IsInf(m[i], 0) {
			m[i] = 0 // exp and log have the right limits themselves
		}
	}
	odometer(shape, st, func(i, off int) { acc[off] += math.Exp(x[i] - m[off]) })
	for i := range acc {
		acc[i] = m[i] + math.Log(acc[i])
	}
}
