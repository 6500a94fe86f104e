package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"pare/graph"
	"pare/tensor"
)

// call is one of a session that puts calls together.
type call struct {
	z       sizes
	in, out map[string]*tensor.Tensor
	done    chan error // gets what came of it where another call ran it
}

// gathers says whether calls can be put together: each input and output has the batch
// as its first axis, and nowhere else.
func (s *Session) gathers() error {
	if len(s.symbols) == 0 || s.opt.MaxBatch < 2 {
		return fmt.Errorf("calls cannot be put together: the network runs on one batch at a time of a fixed size")
	}
	batch := graph.Sym(s.symbols[0].name)
	for _, ports := range [][]Port{s.inputs, s.outputs} {
		for _, p := range ports {
			if len(p.Shape) == 0 || p.Shape[0] != batch {
				return fmt.Errorf("calls cannot be put together: %v does not begin with the batch %s", p, batch)
			}
			for _, d := range p.Shape[1:] {
				if slices.Contains(strings.Split(d.Sym, "*"), batch.Sym) {
					return fmt.Errorf("calls cannot be put together: %v has the batch %s more than once", p, batch)
				}
			}
		}
	}
	return nil
}

// gather runs a call with those that wait at the same time and differ in the batch
// only. One call at a time leads: it waits for a core, takes the others from the queue,
// and runs all.
func (s *Session) gather(ctx context.Context, c *call) error {
	c.done = make(chan error, 1)
	s.queueLock.Lock()
	s.queue = append(s.queue, c)
	s.queueLock.Unlock()
	select {
	case s.arrived <- struct{}{}: // to the one that leads
	default:
	}
	select {
	case s.lead <- struct{}{}:
	case err := <-c.done:
		return err
	case <-ctx.Done():
		if s.leave(c) {
			return ctx.Err()
		}
		return <-c.done // it runs
	}
	if !s.leave(c) { // another took it before
		<-s.lead
		return <-c.done
	}
	calls, err := s.others(ctx, c)
	<-s.lead
	if err != nil {
		return err
	}
	defer func() { <-s.slots }()
	err = s.together(ctx, calls)
	if err != nil && len(calls) > 1 { // of one of them, perhaps: each has an error of its own
		for _, d := range calls[1:] {
			d.done <- s.together(context.Background(), []*call{d})
		}
		return s.together(ctx, calls[:1])
	}
	for _, d := range calls[1:] {
		d.done <- err
	}
	return err
}

// leave takes a call out of the queue; false where it was taken before.
func (s *Session) leave(c *call) bool {
	s.queueLock.Lock()
	defer s.queueLock.Unlock()
	for i, d := range s.queue {
		if d == c {
			s.queue = append(s.queue[:i], s.queue[i+1:]...)
			return true
		}
	}
	return false
}

// others are the call that leads and those that can run with it, in the order in which
// they came, with a slot to run in. It waits for more as long as the session may.
func (s *Session) others(ctx context.Context, c *call) ([]*call, error) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	calls, n := []*call{c}, c.z[0]
	var late <-chan time.Time
	for {
		calls, n = s.fitting(calls, n)
		if s.opt.Linger == 0 || n >= s.opt.MaxBatch {
			return calls, nil
		}
		if late == nil {
			late = time.After(s.opt.Linger)
		}
		select {
		case <-s.arrived:
		case <-late:
			return calls, nil
		case <-ctx.Done():
			return calls, nil
		}
	}
}

// fitting takes from the queue the calls that can run with some of n samples.
func (s *Session) fitting(calls []*call, n int) ([]*call, int) {
	s.queueLock.Lock()
	defer s.queueLock.Unlock()
	rest := s.queue[:0]
	for _, d := range s.queue {
		z := d.z
		if z[0] = calls[0].z[0]; z == calls[0].z && n+d.z[0] <= s.opt.MaxBatch {
			calls, n = append(calls, d), n+d.z[0]
			continue
		}
		rest = append(rest, d)
	}
	clear(s.queue[len(rest):])
	s.queue = rest
	return calls, n
}

// together runs calls as one batch.
func (s *Session) together(ctx context.Context, calls []*call) error {
	z := calls[0].z
	if len(calls) == 1 {
		return s.alone(ctx, z, calls[0].in, calls[0].out)
	}
	z[0] = 0
	for _, c := range calls {
		z[0] += c.z[0]
	}
	p, err := s.take(z)
	if err != nil {
		return err
	}
	defer s.give(p)
	for _, port := range s.inputs {
		at, to := 0, p.inputs[port.Name]
		for _, c := range calls {
			x := c.in[port.Name]
			to.CopyRange(at, x, 0, x.Len())
			at += x.Len()
		}
	}
	if err := s.compute(context.Background(), p); err != nil { // it runs for others too
		return err
	}
	for i, port := range s.outputs {
		if r := p.result(i); len(r.Shape) == 0 || r.Shape[0] != z[0] {
			return fmt.Errorf("output %q has shape %v for a batch of %d: calls cannot be put together", port.Name, r.Shape, z[0])
		}
	}
	for i, port := range s.outputs {
		r := p.result(i)
		per, at := r.Len()/z[0], 0
		for _, c := range calls {
			n := per * c.z[0]
			o := room(c.out, port.Name, r, c.z[0])
			o.CopyRange(0, r, at, n)
			at += n
		}
	}
	return nil
}

// room is the tensor that takes n samples of a result: the one that is there, where it
// fits, or else a new one.
func room(out map[string]*tensor.Tensor, name string, r *tensor.Tensor, n int) *tensor.Tensor {
	shape := append([]int{n}, r.Shape[1:]...)
	if o := out[name]; o != nil && o.DType == r.DType && slices.Equal(o.Shape, shape) && stored(o) == o.Len() {
		return o
	}
	out[name] = tensor.New(r.DType, shape...)
	return out[name]
}
