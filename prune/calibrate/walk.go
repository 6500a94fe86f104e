// Package calibrate looks into a network while samples run through it: what goes into
// every product with a weight, layer by layer, where the layers before may have been
// changed already. From it come the moments of inputs and outputs that one-shot methods
// rate weights by, and the least squares that repair a cut network without training.
// No sample needs a label.
package calibrate

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"pare/engine"
	"pare/graph"
	"pare/tensor"
)

// Batches yields batches of samples, each a tensor for every input of a network by its
// name. It ends with the error of yield, or its own.
type Batches func(yield func(inputs map[string]*tensor.Tensor) error) error

// Samples is the number of samples of a batch: the longest of its tensors' first axes.
func Samples(batch map[string]*tensor.Tensor) int {
	n := 1
	for _, t := range batch {
		if len(t.Shape) > 0 {
			n = max(n, t.Shape[0])
		}
	}
	return n
}

// Options say how samples run through a network. The zero value is usable.
type Options struct {
	Engine engine.Options
	// Memory bounds the bytes of activations that are kept between two layers, and of the
	// moments of a layer; 0: 2 GiB. Where activations do not fit, they are computed again
	// from farther back, which takes longer and comes to the same.
	Memory int
	// Moments bounds the bytes of the moments of a layer instead of Memory; 0: Memory does.
	Moments int
}

// defaultMemory is Options.Memory where it is 0.
const defaultMemory = 2 << 30

func (o Options) memory() int {
	if o.Memory <= 0 {
		return defaultMemory
	}
	return o.Memory
}

func (o Options) moments() int {
	if o.Moments > 0 {
		return o.Moments
	}
	return o.memory()
}

// Walk runs batches of samples through a network from its first node on. What has been
// computed up to a node is kept for all batches, so that every node is computed once,
// and weights of nodes that were not reached yet may change in between.
type Walk struct {
	g    *graph.Graph
	opt  Options
	at   int                // nodes before it are computed
	base []*graph.Value     // what the nodes from there on read of those before
	kept [][]*tensor.Tensor // the values of base, for every batch
	rows *Rows              // in the place of kept, at the beginning; nil: kept holds the samples
	ran  *int               // see Ran
}

// NewWalk begins at the inputs of a network, which is not changed. It returns an error
// where there is no batch, where one lacks an input, or where the samples alone take more
// memory than is allowed.
func NewWalk(g *graph.Graph, batches Batches, opt Options) (*Walk, error) {
	w := &Walk{g: g, opt: opt, base: slices.Clone(g.Inputs), ran: new(int)}
	bytes := 0
	err := batches(func(in map[string]*tensor.Tensor) error {
		var row []*tensor.Tensor
		for _, v := range g.Inputs {
			t := in[v.Name]
			if t == nil {
				return fmt.Errorf("the samples have nothing for input %q", v.Name)
			}
			if t.DType != v.DType {
				return fmt.Errorf("input %q is %v, its samples are %v", v.Name, v.DType, t.DType)
			}
			if i := t.Finite(); i >= 0 {
				return fmt.Errorf("the samples of input %q hold a NaN or infinity at place %d of batch %d", v.Name, i, len(w.kept))
			}
			if bytes += t.Bytes(); bytes > opt.memory() {
				return fmt.Errorf("the samples take more than the %d bytes that are allowed: give fewer", opt.memory())
			}
			row = append(row, t.Clone())
		}
		w.kept = append(w.kept, row)
		return nil
	})
	if err == nil && len(w.kept) == 0 {
		err = errors.New("there are no samples")
	}
	return w, err
}

// Fork gives a walk that is at the same place, and goes on by itself.
func (w *Walk) Fork() *Walk {
	c := *w
	return &c
}

// Ran is how many nodes have been computed, by the walk and its forks, batch after batch:
// what it has cost.
func (w *Walk) Ran() int { return *w.ran }

// NewWalkOver begins at the one input of a network, whose values are rows: they are read
// when they are needed, and must stay as they are until the walk has gone on.
func NewWalkOver(g *graph.Graph, rows *Rows, opt Options) (*Walk, error) {
	if len(g.Inputs) != 1 || g.Inputs[0].DType != tensor.Float32 {
		return nil, fmt.Errorf("the network has not one input of float32")
	}
	if rows.Len() == 0 {
		return nil, errors.New("there are no samples")
	}
	return &Walk{g: g, opt: opt, base: slices.Clone(g.Inputs), rows: rows, ran: new(int)}, nil
}

// Batches is the number of batches.
func (w *Walk) Batches() int {
	if w.rows != nil {
		return w.rows.Len()
	}
	return len(w.kept)
}

// Batch is the number of samples of the first batch.
func (w *Walk) Batch() int {
	n := 1
	if row, err := w.row(0); err == nil {
		for _, t := range row {
			if len(t.Shape) > 0 {
				n = max(n, t.Shape[0])
			}
		}
	}
	return n
}

// row gives the values of base for a batch.
func (w *Walk) row(batch int) ([]*tensor.Tensor, error) {
	if w.rows == nil || w.kept != nil {
		return w.kept[batch], nil
	}
	t, err := w.rows.Get(batch)
	return []*tensor.Tensor{t}, err
}

// View gives values of the network for one batch after the other.
type View struct {
	w     *Walk
	want  []*graph.Value
	live  []*graph.Value // what is kept for the next view
	next  int            // where that begins
	plans map[string]*segment
	store [][]*tensor.Tensor
	bytes int
	full  bool // what would be kept takes too much memory
}

// segment is a plan of the nodes between what is kept and what is wanted, for batches of
// given shapes.
type segment struct {
	prog  *engine.Program
	nodes int
	in    map[int]string // by place in base
	out   map[*graph.Value]string
}

// View asks for values of the network's nodes or inputs. The walk goes on from a node
// later, whose weights, and those of the nodes behind it, may be changed when all batches
// have been run and Close was called; nil: it stays where it is.
func (w *Walk) View(want []*graph.Value, from *graph.Node) *View {
	v := &View{w: w, want: want, next: w.at, plans: map[string]*segment{}}
	if from == nil {
		return v
	}
	v.next = max(w.at, slices.Index(w.g.Nodes, from))
	if v.next > w.at {
		v.live = w.live(v.next)
	}
	return v
}

// live lists the values that nodes from a place on read of those before it.
func (w *Walk) live(at int) []*graph.Value {
	before := map[*graph.Value]bool{}
	for _, v := range w.g.Inputs {
		before[v] = true
	}
	for _, n := range w.g.Nodes[:at] {
		for _, v := range n.Outputs {
			before[v] = true
		}
	}
	delete(before, nil)
	var out []*graph.Value
	for _, n := range w.g.Nodes[at:] {
		for _, vs := range [][]*graph.Value{n.Inputs, n.Captures()} {
			for _, v := range vs {
				if before[v] {
					delete(before, v)
					out = append(out, v)
				}
			}
		}
	}
	return out
}

// Run computes the values of a batch, in the order in which they were asked for. They
// hold until the next call.
func (v *View) Run(ctx context.Context, batch int) ([]*tensor.Tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := v.w
	row, err := w.row(batch)
	if err != nil {
		return nil, err
	}
	key := ""
	for _, t := range row {
		key += fmt.Sprint(t.Shape)
	}
	s := v.plans[key]
	if s == nil {
		if s, err = v.plan(row); err != nil {
			return nil, err
		}
		v.plans[key] = s
	}
	if s.prog != nil {
		for i, name := range s.in {
			if err := s.prog.Input(name).Copy(row[i]); err != nil {
				return nil, err
			}
		}
		if err := s.prog.RunContext(ctx); err != nil {
			return nil, err
		}
		*w.ran += s.nodes
	}
	if err := v.keep(s, row, batch); err != nil {
		return nil, err
	}
	out := make([]*tensor.Tensor, len(v.want))
	for i, x := range v.want {
		out[i] = v.value(s, row, x)
	}
	return out, nil
}

// value is a value of the batch that was run last.
func (v *View) value(s *segment, row []*tensor.Tensor, x *graph.Value) *tensor.Tensor {
	if i := slices.Index(v.w.base, x); i >= 0 {
		return row[i]
	}
	return s.prog.Output(s.out[x])
}

// keep stores what the next view begins with, as long as there is memory.
func (v *View) keep(s *segment, row []*tensor.Tensor, batch int) error {
	if v.next == v.w.at || v.full {
		return nil
	}
	var next []*tensor.Tensor
	for _, x := range v.live {
		t := v.value(s, row, x)
		v.bytes += t.Bytes()
		if i := slices.Index(v.w.base, x); i < 0 {
			t = t.Clone()
		}
		next = append(next, t)
	}
	if v.bytes > v.w.opt.memory() {
		v.full, v.store = true, nil
		return nil
	}
	v.store = append(v.store, next)
	return nil
}

// Close ends the view. The walk goes on from the node that was asked for where every
// batch was run, in order, and there was memory to keep what it needs.
func (v *View) Close() {
	for _, s := range v.plans {
		if s.prog != nil {
			s.prog.Close()
		}
	}
	if w := v.w; v.next > w.at && !v.full && len(v.store) == w.Batches() {
		w.at, w.base, w.kept = v.next, v.live, v.store
	}
}

// plan compiles what lies between what is kept and what is wanted.
func (v *View) plan(row []*tensor.Tensor) (*segment, error) {
	w := v.w
	c, m := w.g.Clone(false)
	c.Usage = graph.Usage{}
	c.Inputs, c.Outputs = nil, nil
	c.Nodes = c.Nodes[w.at:]
	s := &segment{in: map[int]string{}, out: map[*graph.Value]string{}}
	have := map[*graph.Value]bool{}
	for i, x := range w.base {
		have[x] = true
		m[x].From, m[x].DType, m[x].Shape = nil, row[i].DType, graph.Dims(row[i].Shape...)
	}
	for _, x := range append(slices.Clone(v.want), v.live...) {
		switch {
		case have[x]:
		case m[x] == nil || x.Const != nil:
			return nil, fmt.Errorf("%q is not computed by the network", x.Name)
		default:
			have[x] = true
			c.Outputs = append(c.Outputs, m[x])
			s.out[x] = m[x].Name
		}
	}
	if len(c.Outputs) == 0 {
		return s, nil
	}
	c.Prune()
	s.nodes = len(c.Nodes)
	uses := c.Uses()
	for i, x := range w.base {
		if len(uses[m[x]]) > 0 {
			c.Inputs = append(c.Inputs, m[x])
			s.in[i] = m[x].Name
		}
	}
	opt := w.opt.Engine
	opt.Freeze, opt.Consume = true, false
	var err error
	s.prog, err = engine.Compile(c, nil, opt)
	return s, err
}
