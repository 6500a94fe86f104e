package engine

import (
	"fmt"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
	"pare/tensor"
)

// lowering turns nodes into steps.
type lowering struct {
	*Program
	frozen  bool
	consume bool
	uses    map[*graph.Value][]graph.Use
	index   map[*graph.Node]int // position in the graph's order
	done    map[*graph.Node]bool
	bufs    []*buffer
	setup   []func() error // run once, when memory is there
	packed  map[packKey]*buffer
	hold    []float32                    // for weights on their way from one layout to another
	behind  map[*graph.Value]*graph.Node // gradients of activations done by their reader
	why     string                       // the next step's kernel was chosen
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

// lower emits steps for a node. It reports false where it has no fast way.
type lower func(l *lowering, n *graph.Node) bool

// lowers by domain and operator.
var lowers = map[string]lower{}

// HasKernel says whether the engine has a kernel for an ai.onnx operator.
func HasKernel(name string) bool { return lowers[name] != nil }

func fast(f lower, ops ...string) bool {
	for _, o := range ops {
		lowers[o] = f
	}
	return true
}

func lowerOf(n *graph.Node) lower {
	if n.Domain == graph.Pare {
		return lowers["pare."+n.Op]
	}
	if n.Domain != "" {
		return nil
	}
	return lowers[n.Op]
}

func (p *Program) plan(o Options) error {
	l := &lowering{Program: p, frozen: o.Freeze, consume: o.Freeze && o.Consume, uses: p.g.Uses(), index: map[*graph.Node]int{}, done: map[*graph.Node]bool{}, packed: map[packKey]*buffer{}, behind: map[*graph.Value]*graph.Node{}}
	for i, n := range p.g.Nodes {
		l.index[n] = i
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
		if f := lowerOf(n); f != nil && f32(n) && f(l, n) {
			continue
		}
		l.fallback(n)
	}
	for _, o := range p.outputs {
		if o.Const == nil && o.DType == tensor.Float32 {
			l.get(o, plain, &graph.Node{Op: "output", Name: o.Name})
		}
	}
	for _, o := range p.outputs { // all live to the end, that of the last conversion
		if o.Const == nil && o.DType == tensor.Float32 {
			l.at[o].buf[plain].root().last = len(p.steps)
		}
	}
	if err := p.memory(l.bufs, o.Most); err != nil {
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
		s.run = s.build()
	}
	return nil
}

// f32 says whether the node's floating-point values are all float32.
func f32(n *graph.Node) bool {
	for _, v := range append(append([]*graph.Value{}, n.Inputs...), n.Outputs...) {
		if v != nil && v.DType.IsFloat() && v.DType != tensor.Float32 {
			return false
		}
	}
	return true
}

// memory gives every buffer its place in one arena, of at most so many bytes
// (0: any number).
func (p *Program) memory(bufs []*buffer, most int) error {
	for i, s := range p.steps {
		for _, b := range s.writes {
			r := b.root()
			if r.first < 0 {
				r.first = i
			}
			r.last = max(r.last, i)
		}
		for _, b := range s.reads {
			r := b.root()
			r.last = max(r.last, i)
		}
	}
	var live []*buffer
	for _, b := range bufs {
		if b.of == nil && !b.fixed && b.first >= 0 {
			live = append(live, b)
		}
	}
	size := layOut(live)
	if most > 0 && size > most/4 {
		return fmt.Errorf("the network's values take %d bytes at a time, more than the %d that are allowed", 4*size, most)
	}
	p.arena = make([]float32, size+kernel.Slack)
	for _, b := range live {
		b.data = p.arena[b.off : b.off+b.n : b.off+b.n]
	}
	for _, b := range bufs {
		if b.of != nil {
			b.data = b.root().data[:b.n:b.n]
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
	return v.Const != nil || l.has(v, plain) || l.has(v, nhwc)
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
	if v.Const != nil && q.buf[plain] == nil {
		d := v.Const.F32()
		q.buf[plain] = &buffer{n: len(d), data: d, fixed: true}
		if f == plain {
			return q.buf[plain]
		}
	}
	s := dims(v)
	if len(s) == 4 && (s[1] == 1 || s[2]*s[3] == 1) || len(s) != 4 {
		// one channel or one pixel: both layouts are the same
		l.view(v, f, q.buf[1-f])
		return q.buf[f]
	}
	from, to := q.buf[1-f], l.make(v, f)
	t := &kernel.TransposeTask{Batch: s[0], M: s[1], N: s[2] * s[3]}
	what := "to NHWC"
	if f == plain {
		t.M, t.N = t.N, t.M
		what = "to NCHW"
	}
	l.emit(n, what, []*buffer{from}, []*buffer{to}, func() func() error {
		t.X, t.Y = from.data, to.data
		return func() error { t.Run(l.pool); return nil }
	})
	return to
}

// emit adds a step. build is called once memory is laid out.
func (l *lowering) emit(n *graph.Node, kernel string, reads, writes []*buffer, build func() func() error) {
	l.steps = append(l.steps, &step{node: n, kernel: kernel, why: l.why, reads: reads, writes: writes, build: build})
	l.why = ""
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
		b = &buffer{n: size, data: make([]float32, size), fixed: true}
		f(src.data, b.data)
	} else {
		b = l.new(size)
		l.emit(n, "pack "+form, []*buffer{src}, []*buffer{b}, func() func() error {
			return func() error { f(src.data, b.data); return nil }
		})
	}
	l.packed[k] = b
	return b
}

// fallback runs a node by its reference definition.
func (l *lowering) fallback(n *graph.Node) {
	outer := n.Captures() // what subgraphs read
	captured := map[*graph.Value]*tensor.Tensor{}
	in := make([]*tensor.Tensor, len(n.Inputs))
	var reads, writes []*buffer
	var late []int // float32 inputs, whose memory is not there yet
	for i, v := range n.Inputs {
		switch {
		case v == nil:
		case v.Const != nil:
			in[i] = v.Const
		case v.DType == tensor.Float32:
			reads = append(reads, l.get(v, plain, n))
			late = append(late, i)
		}
	}
	for _, v := range outer {
		if v.Const == nil && v.DType == tensor.Float32 {
			reads = append(reads, l.get(v, plain, n))
		}
	}
	for _, o := range n.Outputs {
		if o == nil {
			continue
		}
		if o.DType == tensor.Float32 {
			writes = append(writes, l.make(o, plain))
		} else {
			l.at[o] = &place{t: tensor.New(o.DType, dims(o)...)}
		}
	}
	opset := l.g.Version(n.Domain)
	l.emit(n, "reference", reads, writes, func() func() error {
		for _, i := range late {
			v := n.Inputs[i]
			in[i] = &tensor.Tensor{DType: tensor.Float32, Shape: dims(v), Data: l.at[v].buf[plain].data}
		}
		for _, v := range outer {
			if v.Const == nil && v.DType == tensor.Float32 {
				captured[v] = &tensor.Tensor{DType: tensor.Float32, Shape: dims(v), Data: l.at[v].buf[plain].data}
			}
		}
		return func() error {
			for i, v := range n.Inputs {
				if v != nil && v.Const == nil && v.DType != tensor.Float32 {
					in[i] = l.at[v].t
				}
			}
			for _, v := range outer {
				if v.Const == nil && v.DType != tensor.Float32 {
					captured[v] = l.at[v].t
				}
			}
			out, err := op.EvalNode(l.ctx, l.most, n, opset, in, captured)
			if err != nil {
				return err
			}
			for i, o := range n.Outputs {
				if o == nil {
					continue
				}
				if i >= len(out) || out[i] == nil || out[i].Len() != sizeOf(o) {
					return fmt.Errorf("output %d does not have the planned shape %v", i, o.Shape)
				}
				if o.DType == tensor.Float32 {
					copy(l.at[o].buf[plain].data, out[i].F32())
				} else {
					l.at[o].t = out[i]
				}
			}
			return nil
		}
	})
}
