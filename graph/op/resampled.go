package op

import (
	"fmt"

	"pare/graph"
	"pare/tensor"
)

// Resampled is a Resize or Pad along one axis as a table: place j of the result is the sum of
// places At[Start[j]:Start[j+1]] of the input with the weights that stand beside them.
type Resampled struct {
	Axis, In, Out int
	Start, At     []int32
	Weight        []float32
	Beyond        []bool // places that another number stands for; nil: none
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
	return resampled(a.axis, a.in, a.out, back, a.at)
}

// resampled is the table of an axis whose places are at(j).
func resampled(axis, in, out int, back bool, at func(j int) taps) (Resampled, error) {
	r := Resampled{Axis: axis, In: in, Out: out}
	if back {
		r.In, r.Out = out, in
	}
	by, weight := make([][]int32, r.Out), make([][]float32, r.Out)
	const most = 1 << 26
	total := 0
	for j := range out {
		t := at(j)
		if t.beyond && !back {
			if r.Beyond == nil {
				r.Beyond = make([]bool, out)
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

// Paddings are the tables of a Pad or PadGrad node by axis, and what it pads with. Its
// sizes must be known, and its arguments constant.
func Paddings(n *graph.Node) (rs []Resampled, fill float32, err error) {
	back := n.Op == "PadGrad"
	m := n
	if back {
		m = &graph.Node{Inputs: n.Inputs[1:], Attrs: n.Attrs}
	}
	shape, ok := m.In(0).Shape.Ints()
	if !ok {
		return nil, 0, fmt.Errorf("the shape %v is not known", m.In(0).Shape)
	}
	p, ok, err := padArgs(m, len(shape), func(i int) ([]int, bool) {
		v := m.In(i)
		if v == nil || v.Const == nil {
			return nil, false
		}
		k, err := intsOf(v.Const)
		return k, err == nil
	})
	if err != nil {
		return nil, 0, err
	}
	if !ok {
		return nil, 0, fmt.Errorf("how much is added is known only at run time")
	}
	fill = n.Float("value", 0)
	if v := m.In(2); v != nil && !back {
		if v.Const == nil || v.Role == graph.Param {
			return nil, 0, fmt.Errorf("what it pads with is known only at run time")
		}
		f, err := floats(v.Const)
		if err != nil || len(f) != 1 {
			return nil, 0, fmt.Errorf("the padding value is not one number")
		}
		fill = float32(f[0])
	}
	mode := n.Str("mode", "constant")
	for d, k := range shape {
		before, after := p[d], p[d+len(shape)]
		if before == 0 && after == 0 {
			continue
		}
		if k == 0 && mode != "constant" || k+before+after < 0 {
			return nil, 0, fmt.Errorf("pads %v do not fit %v", p, shape)
		}
		r, err := resampled(d, k, k+before+after, back, func(j int) taps {
			i := padSource(mode, j, before, k)
			return taps{at: []int{max(0, i)}, weight: []float64{1}, beyond: i < 0}
		})
		if err != nil {
			return nil, 0, err
		}
		rs = append(rs, r)
	}
	return rs, fill, nil
}
