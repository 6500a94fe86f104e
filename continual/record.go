package continual

import (
	"context"
	"fmt"

	"pare/tensor"
)

// Record is what a stream gave for frames that were at hand.
type Record struct {
	Frame []int                     // with which each step came, from 0; behind the end for those of End
	Out   map[string]*tensor.Tensor // what counts of each output: along its axis of frames, or along a new axis 1
}

// Run pushes the frames of arrays, all of one length along their axes of time, and collects
// what comes out; with end the stream ends behind them.
func (r *Stream) Run(ctx context.Context, in map[string]*tensor.Tensor, end bool) (*Record, error) {
	length := -1
	for _, p := range r.parts {
		t := in[p.Name]
		if t == nil || len(t.Shape) != len(p.to.Shape) {
			return nil, fmt.Errorf("input %q: an array of rank %d with frames along axis %d is needed", p.Name, len(p.to.Shape), p.Axis)
		}
		if n := t.Shape[p.Axis]; length >= 0 && n != length {
			return nil, fmt.Errorf("input %q has %d frames, others %d", p.Name, n, length)
		} else {
			length = n
		}
	}
	for _, v := range r.others {
		if in[v.name] == nil && !v.given {
			return nil, v.missing()
		}
	}
	c := &collector{stream: r, pieces: map[string][]*tensor.Tensor{}}
	frame := map[string]*tensor.Tensor{}
	for name, t := range in {
		frame[name] = t
	}
	for ; c.at < length; c.at++ {
		for _, p := range r.parts {
			frame[p.Name] = along1(in[p.Name], p.Axis, c.at)
		}
		ready, err := r.Push(ctx, frame)
		if err != nil {
			return nil, err
		}
		if ready {
			c.take()
		}
	}
	if end {
		err := r.End(ctx, func() error { c.take(); return nil })
		if err != nil {
			return nil, err
		}
	}
	return c.record(), nil
}

// collector keeps copies of what steps give.
type collector struct {
	stream *Stream
	at     int
	frames []int
	pieces map[string][]*tensor.Tensor
}

func (c *collector) take() {
	some := false
	for _, o := range c.stream.step.Out {
		y := c.stream.Output(o.Name)
		for j, ok := range c.stream.Valid(o.Name) {
			if ok < .5 {
				continue
			}
			some = true
			v := y.Clone()
			if o.Axis >= 0 {
				v = along1(y, o.Axis, j)
			}
			c.pieces[o.Name] = append(c.pieces[o.Name], v)
		}
	}
	if some {
		c.frames = append(c.frames, c.at)
	}
}

// record joins the pieces.
func (c *collector) record() *Record {
	out := &Record{Frame: c.frames, Out: map[string]*tensor.Tensor{}}
	for _, o := range c.stream.step.Out {
		pieces := c.pieces[o.Name]
		if len(pieces) == 0 {
			continue
		}
		axis, shape := o.Axis, append([]int{}, pieces[0].Shape...)
		if axis < 0 {
			axis = min(1, len(shape))
			shape = append(shape[:axis], append([]int{len(pieces)}, shape[axis:]...)...)
		} else {
			shape[axis] = len(pieces)
		}
		t := tensor.New(pieces[0].DType, shape...)
		outer, _ := tensor.Size(shape[:axis])
		inner, _ := tensor.Size(shape[axis+1:])
		for i, p := range pieces {
			for k := range outer {
				t.CopyRange((k*len(pieces)+i)*inner, p, k*inner, inner)
			}
		}
		out.Out[o.Name] = t
	}
	return out
}

// along1 is position i of an axis, which stays.
func along1(t *tensor.Tensor, axis, i int) *tensor.Tensor {
	shape := append([]int{}, t.Shape...)
	shape[axis] = 1
	y := tensor.New(t.DType, shape...)
	outer, _ := tensor.Size(t.Shape[:axis])
	inner, _ := tensor.Size(t.Shape[axis+1:])
	for k := range outer {
		y.CopyRange(k*inner, t, (k*t.Shape[axis]+i)*inner, inner)
	}
	return y
}
