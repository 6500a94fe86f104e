package engine

import (
	"context"

	"pare/graph"
	"pare/internal/kernel"
	"pare/tensor"
)

// lowering turns nodes into steps.
type lowering struct {
	*Program
	frozen  bool
	consume bool
	uses    map[*graph.Value][]graph.Use
	done    map[*graph.Node]bool
	bufs    []*buffer
	setup   []func() error // run once, when memory is there
	packed  map[packKey]*buffer
	spare   []float32                    // for weights on their way from one layout to another
	behind  map[*graph.Value]*graph.Node // gradients of activations done by their reader
	forms   *weightForms                 // of weights that will not change
}

// release lets go of the contents of a weight that has been laid out anew and
// that no other node reads. Where the graph may be consumed, so does its owner.
func (l *lowering) release(v *graph.Value) {
	if len(l.uses[v]) == 1 && !l.g.IsOutput(v) {
		if l.consume {
			v.Const.Data = nil // the caller's too
		}
		v.Const = &tensor.Tensor{DType: v.Const.DType, Shape: v.Const.Shape}
	}
}

type packKey struct {
	v    *graph.Value
	form string
}

func (p *Program) plan(o Options) error {
	l := &lowering{Program: p, frozen: o.Freeze, consume: o.Freeze && o.Consume, uses: p.g.Uses(), done: map[*graph.Node]bool{},
		packed: map[packKey]*buffer{}, behind: map[*graph.Value]*graph.Node{}, forms: o.forms}
	if l.forms == nil {
		l.forms = &weightForms{}
	}
	for _, v := range p.g.Inputs {
		l.at[v] = &place{t: p.inputs[v.Name]}
		if v.DType == tensor.Float32 {
			d := p.inputs[v.Name].F32()
			l.at[v].buf[plain] = &buffer{n: len(d), data: d, fixed: true}
		}
	}
	for _, n := range p.g.Nodes {
		if l.done[n] {
			continue
		}
		if done, why := l.lower(n); !done {
			l.fallback(n, why)
		}
	}
	for _, o := range p.outputs {
		if o.Const == nil && o.DType == tensor.Float32 {
			n := &graph.Node{Op: "output", Name: o.Name, Inputs: []*graph.Value{o}}
			if err := l.constants(n); err != nil {
				return err
			}
			l.get(o, plain, n)
		} else if o.Const == nil {
			l.asTensor(o, &graph.Node{Op: "output", Name: o.Name})
		}
	}
	for _, o := range p.outputs { // all live to the end, that of the last conversion
		if o.Const == nil && o.DType == tensor.Float32 {
			l.at[o].buf[plain].root().last = len(p.steps)
		}
	}
	if err := p.memory(l.bufs); err != nil {
		return err
	}
	for _, f := range l.setup {
		if err := f(); err != nil {
			return err
		}
	}
	for v, q := range l.at {
		if b := q.buf[plain]; b != nil && v.Const == nil {
			q.t = &tensor.Tensor{DType: tensor.Float32, Shape: dims(v), Data: b.data}
		}
	}
	for _, s := range p.steps {
		if s.bind != nil {
			s.bind()
		}
	}
	return nil
}

// otherFloat is a floating-point value of a node that is not float32, or nil.
func otherFloat(n *graph.Node) *graph.Value {
	for _, vs := range [][]*graph.Value{n.Inputs, n.Outputs} {
		for _, v := range vs {
			if v != nil && v.DType.IsFloat() && v.DType != tensor.Float32 {
				return v
			}
		}
	}
	return nil
}

// new is a fresh buffer.
func (l *lowering) new(n int) *buffer {
	b := &buffer{n: n, first: -1, last: -1}
	l.bufs = append(l.bufs, b)
	return b
}

// make gives a value a fresh buffer in a layout.
func (l *lowering) make(v *graph.Value, f layout) *buffer {
	b := l.new(sizeOf(v))
	l.put(v, f, b)
	return b
}

func (l *lowering) put(v *graph.Value, f layout, b *buffer) {
	if l.at[v] == nil {
		l.at[v] = &place{}
	}
	l.at[v].buf[f] = b
}

// view makes a value another name for a buffer.
func (l *lowering) view(v *graph.Value, f layout, of *buffer) {
	b := &buffer{n: of.n, of: of, data: of.data}
	l.bufs = append(l.bufs, b)
	l.put(v, f, b)
}

// has says whether the value exists in a layout already.
func (l *lowering) has(v *graph.Value, f layout) bool {
	return l.at[v] != nil && l.at[v].buf[f] != nil
}

// ready says whether the value has been computed by the steps so far.
func (l *lowering) ready(v *graph.Value) bool {
	_, held := l.isHeld(v)
	return v.Const != nil || held || l.has(v, plain) || l.has(v, nhwc)
}

// get gives a value's buffer in a layout; it converts where it must.
func (l *lowering) get(v *graph.Value, f layout, n *graph.Node) *buffer {
	if l.at[v] == nil {
		l.at[v] = &place{}
	}
	q := l.at[v]
	if q.buf[f] != nil {
		return q.buf[f]
	}
	if q.bytes != nil && q.buf[1-f] == nil {
		l.numbers(v, f, n)
		if q.buf[f] != nil {
			return q.buf[f]
		}
	}
	if v.Const != nil && q.buf[plain] == nil {
		d := v.Const.F32()
		q.buf[plain] = &buffer{n: len(d), data: d, fixed: true}
		if f == plain {
			return q.buf[plain]
		}
	}
	s := dims(v)
	if len(s) < 3 || s[1] == 1 || pixels(s) == 1 {
		// no, one channel or one pixel: both layouts are the same
		l.view(v, f, q.buf[1-f])
		return q.buf[f]
	}
	from, to := q.buf[1-f], l.make(v, f)
	t := &kernel.TransposeTask{Batch: s[0], M: s[1], N: pixels(s)}
	what := "to NHWC"
	if f == plain {
		t.M, t.N = t.N, t.M
		what = "to NCHW"
	}
	l.emit(n, what, []*buffer{from}, []*buffer{to}, func() { t.X, t.Y = from.data, to.data }, t.Run)
	return to
}

// emit adds a step. bind is called once, when memory is laid out; it may be nil.
func (l *lowering) emit(n *graph.Node, name string, reads, writes []*buffer, bind func(), run func(*kernel.Pool)) *step {
	return l.add(&step{node: n, kernel: name, reads: reads, writes: writes, bind: bind,
		run: func(_ context.Context, p *kernel.Pool) error { run(p); return nil }})
}

// emitChecked is emit of a step that may refuse what it reads.
func (l *lowering) emitChecked(n *graph.Node, name string, reads, writes []*buffer, bind func(), run func(*kernel.Pool) error) *step {
	return l.add(&step{node: n, kernel: name, reads: reads, writes: writes, bind: bind,
		run: func(_ context.Context, p *kernel.Pool) error { return run(p) }})
}

func (l *lowering) add(s *step) *step {
	l.steps = append(l.steps, s)
	return s
}

// only gives the sole reader of a value that nothing else needs, or nil.
func (l *lowering) only(v *graph.Value) *graph.Node {
	u := l.uses[v]
	if len(u) != 1 || u[0].Index < 0 || l.g.IsOutput(v) {
		return nil
	}
	return u[0].Node
}

// once says whether a buffer of an initialiser may be prepared at planning
// time: it is frozen, or will never be trained.
func (l *lowering) once(v *graph.Value) bool {
	return v.Const != nil && (l.frozen || v.Role == graph.Frozen)
}

// pack gives a form of a weight that f computes: once where the weight cannot
// change, else as a step.
func (l *lowering) pack(v *graph.Value, form string, size int, n *graph.Node, f func(src, dst []float32)) *buffer {
	k := packKey{v, form}
	if b := l.packed[k]; b != nil {
		return b
	}
	src := l.get(v, plain, n)
	var b *buffer
	if l.once(v) {
		data := formOf(l.forms, v, form, func() []float32 {
			d := make([]float32, size)
			f(src.data, d)
			return d
		})
		b = &buffer{n: size, data: data, fixed: true}
	} else {
		b = l.new(size)
		l.emit(n, "pack "+form, []*buffer{src}, []*buffer{b}, nil, func(*kernel.Pool) { f(src.data, b.data) })
	}
	l.packed[k] = b
	return b
}
