package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// broadcast gives the shape of an elementwise result by numpy's rule. Symbolic
// sizes equal themselves; against a known size other than 1 the known one wins.
func broadcast(a, b graph.Shape) (graph.Shape, error) {
	if a == nil || b == nil {
		return nil, nil
	}
	if len(a) < len(b) {
		a, b = b, a
	}
	out := append(graph.Shape{}, a...)
	off := len(a) - len(b)
	for i, d := range b {
		e := a[i+off]
		switch {
		case d == e || d == graph.N(1):
		case e == graph.N(1):
			out[i+off] = d
		case e.Known() && d.Known():
			return nil, fmt.Errorf("shapes %v and %v do not broadcast", a, b)
		case d.Known():
			out[i+off] = d
		}
	}
	return out, nil
}

// broadcastInts is broadcast of known sizes.
func broadcastInts(a, b []int) ([]int, error) {
	s, err := broadcast(graph.Dims(a...), graph.Dims(b...))
	if err != nil {
		return nil, err
	}
	out, _ := s.Ints()
	return out, nil
}

// axis normalises a possibly negative axis.
func axis(a, rank int) (int, error) {
	if a < -rank || a >= rank {
		return 0, fmt.Errorf("axis %d is outside a tensor of rank %d", a, rank)
	}
	if a < 0 {
		a += rank
	}
	return a, nil
}

// axes normalises a list; each may appear once.
func axes(as []int, rank int) ([]int, error) {
	out := make([]int, len(as))
	seen := map[int]bool{}
	for i, a := range as {
		a, err := axis(a, rank)
		if err != nil {
			return nil, err
		}
		if seen[a] {
			return nil, fmt.Errorf("axis %d is given twice", a)
		}
		seen[a] = true
		out[i] = a
	}
	return out, nil
}

// maxRank bounds the rank that a shape of unknown contents is believed to have.
const maxRank = 64

// maxBytes bounds a tensor that an operator may create.
const maxBytes = 1 << 33

// alloc is tensor.New for a shape that comes from a file or from data.
func alloc(d tensor.DType, shape ...int) (*tensor.Tensor, error) {
	n, ok := tensor.Size(shape)
	if !ok || n > maxBytes/max(1, d.Size()) {
		return nil, fmt.Errorf("a tensor of shape %v is too large", shape)
	}
	return tensor.New(d, shape...), nil
}

// floats widens any numeric tensor to float64.
func floats(t *tensor.Tensor) ([]float64, error) {
	if t == nil {
		return nil, fmt.Errorf("an input is missing")
	}
	if d := tensor.Of[float64](t); d != nil {
		return d, nil
	}
	return t.Float64s()
}

// bothFloats gives the elements of two tensors.
func bothFloats(a, b *tensor.Tensor) (x, y []float64, err error) {
	if x, err = floats(a); err != nil {
		return nil, nil, err
	}
	y, err = floats(b)
	return x, y, err
}

// ofFloats narrows float64 to any numeric type; integers truncate.
func ofFloats(d tensor.DType, shape []int, x []float64) (*tensor.Tensor, error) {
	if d == tensor.Float64 {
		return &tensor.Tensor{DType: d, Shape: append([]int{}, shape...), Data: x}, nil
	}
	t, err := alloc(d, shape...)
	if err != nil {
		return nil, err
	}
	return t, fill(t, x)
}

// single wraps a single result.
func single(t *tensor.Tensor, err error) ([]*tensor.Tensor, error) {
	if err != nil {
		return nil, err
	}
	return []*tensor.Tensor{t}, nil
}

// intsOf gives the contents of an integer tensor; nil for a missing one.
func intsOf(t *tensor.Tensor) ([]int, error) {
	if t == nil {
		return nil, nil
	}
	s, err := t.Int64s()
	if err != nil {
		return nil, err
	}
	out := make([]int, len(s))
	for i, x := range s {
		out[i] = int(x)
	}
	return out, nil
}

// arg is input i or nil.
func arg(in []*tensor.Tensor, i int) *tensor.Tensor {
	if i < len(in) {
		return in[i]
	}
	return nil
}

// odometer visits every index of a shape in row-major order together with an
// offset into another array that has the given strides.
func odometer(shape, strides []int, f func(i, off int)) {
	odometer2(shape, strides, strides, func(i, off, _ int) { f(i, off) })
}

// odometer2 is odometer with offsets into two arrays.
func odometer2(shape, s1, s2 []int, f func(i, off1, off2 int)) {
	n, _ := tensor.Size(shape)
	if n == 0 {
		return
	}
	idx := make([]int, len(shape))
	a, b := 0, 0
	for i := 0; ; i++ {
		f(i, a, b)
		d := len(shape) - 1
		for ; d >= 0; d-- {
			idx[d]++
			a += s1[d]
			b += s2[d]
			if idx[d] < shape[d] {
				break
			}
			a -= idx[d] * s1[d]
			b -= idx[d] * s2[d]
			idx[d] = 0
		}
		if d < 0 {
			return
		}
	}
}

// broadcastStrides gives the strides with which an array of shape a is read
// for a result of shape out: 0 along broadcast axes.
func broadcastStrides(a, out []int) []int {
	s := make([]int, len(out))
	st := tensor.Strides(a)
	off := len(out) - len(a)
	for i := range a {
		if a[i] != 1 {
			s[i+off] = st[i]
		}
	}
	return s
}

// sameAs is an Infer for operators whose output is like input 0.
func sameAs(c *Infer) error {
	x, err := c.In(0)
	if err != nil {
		return err
	}
	c.Out(0, x.DType, x.Shape)
	return nil
}
