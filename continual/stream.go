package continual

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"pare/engine"
	"pare/graph"
	"pare/tensor"
)

// Stream runs a step network on frames as they come. It is not for several goroutines at
// once. After the first output nothing is allocated, unless an operator has no kernel.
type Stream struct {
	step   *Step
	prog   *engine.Program
	parts  []part  // of the inputs, the frames of a step
	others []other // inputs that are the same for all frames
	batch  int
	seen   int  // frames of this step, zeros before the stream among them
	steps  int  // that are complete
	ended  bool // the end of the stream has been told

	clock *tensor.Tensor // state of the steps; nil: there is none
}

// part is an input in which frames are gathered.
type part struct {
	Port
	to           *tensor.Tensor
	frame        []int // shape of one
	outer, inner int   // numbers before and behind the axis of the frames
}

// other is an input that is neither frames nor a state.
type other struct {
	name  string
	to    *tensor.Tensor
	given bool
}

func (v other) missing() error {
	return fmt.Errorf("input %q has no array: it takes %v, the same for all frames", v.name, v.to)
}

// NewStream plans a step network for as many streams side by side, which go in step.
func NewStream(s *Step, batch int, opt engine.Options) (*Stream, error) {
	if batch < 1 {
		return nil, fmt.Errorf("%d streams side by side: at least one is needed", batch)
	}
	opt.Freeze = true
	sizes := map[string]int{}
	for _, v := range s.Graph.Inputs {
		for _, d := range v.Shape {
			for _, f := range d.Factors() {
				sizes[f] = batch
			}
		}
	}
	if len(sizes) == 0 && batch > 1 {
		return nil, errors.New("the network fixes the number of streams side by side")
	}
	if len(sizes) > 1 {
		return nil, fmt.Errorf("the inputs have %d free sizes: all but the batch must be fixed", len(sizes))
	}
	p, err := engine.Compile(s.Graph, sizes, opt)
	if err != nil {
		return nil, err
	}
	r := &Stream{step: s, prog: p, batch: batch}
	for _, port := range s.In {
		t := p.Input(port.Name)
		outer, _ := tensor.Size(t.Shape[:port.Axis])
		inner, _ := tensor.Size(t.Shape[port.Axis+1:])
		frame := slices.Clone(t.Shape)
		frame[port.Axis] = 1
		r.parts = append(r.parts, part{port, t, frame, outer, inner})
	}
	for _, v := range s.Others() {
		r.others = append(r.others, other{name: v.Name, to: p.Input(v.Name)})
	}
	for _, t := range s.States {
		if in := p.Input(t.In); t.Clock && len(in.Shape) == 1 && in.Shape[0] == 3 {
			r.clock = in
		}
	}
	r.Reset()
	return r, nil
}

// Close ends the stream's threads.
func (r *Stream) Close() { r.prog.Close() }

// Reset begins anew, as at a cut of a film.
func (r *Stream) Reset() {
	for _, t := range r.step.States {
		x := r.prog.Input(t.In)
		x.Clear(0, x.Len())
	}
	for _, p := range r.parts {
		p.to.Clear(0, p.to.Len())
	}
	r.seen, r.steps, r.ended = r.step.Phase, 0, false
}

// Push takes the next frame, one for every stream side by side: a tensor for each input
// over time, with one frame along its axis, and one for each other input, which may be left
// out where it stays what it was. It says whether a step is complete: then Output and Valid
// give what came out.
func (r *Stream) Push(ctx context.Context, frame map[string]*tensor.Tensor) (bool, error) {
	if r.ended {
		return false, errors.New("the stream has ended: Reset begins another")
	}
	for _, p := range r.parts {
		t := frame[p.Name]
		if t == nil {
			return false, fmt.Errorf("input %q has no frame", p.Name)
		}
		if t.DType != p.to.DType || !slices.Equal(t.Shape, p.frame) {
			return false, fmt.Errorf("a frame of input %q is %v%v, not %v%v", p.Name, t.DType, t.Shape, p.to.DType, p.frame)
		}
	}
	for _, s := range r.step.States {
		if frame[s.In] != nil {
			return false, fmt.Errorf("%q is a state, which the stream keeps", s.In)
		}
	}
	for i := range r.others {
		v := &r.others[i]
		t := frame[v.name]
		switch {
		case t == nil && v.given:
			continue
		case t == nil:
			return false, v.missing()
		}
		if err := v.to.Copy(t); err != nil {
			return false, fmt.Errorf("input %q: %w", v.name, err)
		}
		v.given = true
	}
	for _, p := range r.parts {
		for o := range p.outer {
			p.to.CopyRange((o*r.step.Frames+r.seen)*p.inner, frame[p.Name], o*p.inner, p.inner)
		}
	}
	if r.seen++; r.seen < r.step.Frames {
		return false, nil
	}
	return true, r.run(ctx)
}

// run computes a step whose frames are all there.
func (r *Stream) run(ctx context.Context) error {
	if err := r.prog.RunContext(ctx); err != nil {
		return err
	}
	for i := range r.step.States {
		t := &r.step.States[i]
		if err := r.prog.Input(t.In).Copy(r.prog.Output(t.Out)); err != nil {
			return err
		}
	}
	r.seen = 0
	r.steps++
	return nil
}

// Output is what the last step gave for an output; the tensor is written over by the next.
func (r *Stream) Output(name string) *tensor.Tensor { return r.prog.Output(name) }

// Valid says of each frame that the last step gave for an output whether it counts. Those
// of before the stream, and behind its end, mean nothing.
func (r *Stream) Valid(name string) []float32 {
	for _, p := range r.step.Out {
		if p.Name == name && p.Valid != "" {
			return r.prog.Output(p.Valid).F32()
		}
	}
	return nil
}

// End tells the stream that no frame follows: layers that pad the end of a clip see zeros.
// each is called after every step that still gives something.
func (r *Stream) End(ctx context.Context, each func() error) error {
	if r.ended {
		return errors.New("the stream has ended")
	}
	if r.clock == nil {
		return errors.New("the network does not count its steps")
	}
	r.ended = true
	for range r.step.Tail {
		missing := r.step.Frames - r.seen
		for _, p := range r.parts {
			for o := range p.outer {
				p.to.Clear((o*r.step.Frames+r.seen)*p.inner, (o+1)*r.step.Frames*p.inner)
			}
		}
		if past := r.clock.F32(); past[1] == 0 {
			past[1] = float32(missing)
		}
		if err := r.run(ctx); err != nil {
			return err
		}
		any := false
		for _, o := range r.step.Out {
			any = any || slices.ContainsFunc(r.Valid(o.Name), func(x float32) bool { return x > .5 })
		}
		if !any {
			continue
		}
		if err := each(); err != nil {
			return err
		}
	}
	return nil
}

// Graph is the step network.
func (r *Stream) Graph() *graph.Graph { return r.step.Graph }
