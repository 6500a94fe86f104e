package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// Resampled is a Resize along one axis as a table: place j of the result is the sum of
// places At[Start[j]:Start[j+1]] of the input with the weights that stand beside them.
type Resampled struct {
	Axis, In, Out int
	Start, At     []int32
	Weight        []float32
	Beyond        []bool // places that the node's extrapolation_value stands for; nil: none
}

// Resamplings are those of a Resize, Upsample or ResizeGrad node, one after the other,
// and the extrapolation value. Its sizes must be known, and its arguments constant.
func Resamplings(n *graph.Node, opset int) (rs []Resampled, fill float32, err error) {
	back := n.Op == "ResizeGrad"
	m := n
	if back { // as its definition reads it
		m, opset = &graph.Node{Op: n.Str("forward", ""), Attrs: n.Attrs, Inputs: n.Inputs[1:]}, 13
	}
	shape, ok := m.In(0).Shape.Ints()
	if !ok {
		return nil, 0, fmt.Errorf("the shape %v is not known", m.In(0).Shape)
	}
	a, known, err := resizeArgsOf(m, func(i int) (*tensor.Tensor, bool) {
		v := m.In(i)
		if v == nil {
			return nil, true
		}
		return v.Const, v.Const != nil
	})
	if err != nil {
		return nil, 0, err
	}
	if !known {
		return nil, 0, fmt.Errorf("how far it resizes is known only at run time")
	}
	r, err := resizingOf(m, opset, shape, a)
	if err != nil {
		return nil, 0, err
	}
	for _, axis := range r.axes {
		s, err := axis.table(back)
		if err != nil {
			return nil, 0, err
		}
		rs = append(rs, s)
	}
	return rs, float32(r.fill), nil
}

// table writes down where the places come from; back it is the transposed table. Weights
// of 0 are left out.
func (a resizeAxis) table(back bool) (Resampled, error) {
	r := Resampled{Axis: a.axis, In: a.in, Out: a.out}
	by := make([][]int32, a.out)
	weight := make([][]float32, a.out)
	if back {
		r.In, r.Out = a.out, a.in
		by, weight = make([][]int32, a.in), make([][]float32, a.in)
	}
	const most = 1 << 26
	total := 0
	for j := range a.out {
		t := a.at(j)
		if t.beyond && !back {
			if r.Beyond == nil {
				r.Beyond = make([]bool, a.out)
			}
			r.Beyond[j] = true
		}
		if t.beyond {
			continue
		}
		for k, i := range t.at {
			to, from := j, i
			if back {
				to, from = i, j
			}
			if w := float32(t.weight[k]); w != 0 {
				by[to], weight[to] = append(by[to], int32(from)), append(weight[to], w)
			}
		}
		if total += len(t.at); total > most {
			return r, fmt.Errorf("a table of more than %d places", most)
		}
	}
	r.Start = append(r.Start, 0)
	for j := range by {
		r.At, r.Weight = append(r.At, by[j]...), append(r.Weight, weight[j]...)
		r.Start = append(r.Start, int32(len(r.At)))
	}
	return r, nil
}
