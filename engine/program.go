// Package engine runs graphs on the CPU: it plans order, memory, layouts and
// kernels once, and then runs as often as wanted without allocating.
package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
	"pare/tensor"
)

// Options say how to plan.
type Options struct {
	Threads int          // 0: one for each core
	Pool    *kernel.Pool // a pool to share; overrides Threads
	Freeze  bool         // the initialisers never change: they are packed once, constants are folded, normalisation goes into convolutions
	Consume bool         // with Freeze: the graph is given up, and weights that the plan lays out anew lose their contents at once
	Profile bool         // measure every step
	Most    int          // bytes that values may take; 0: as many as the machine has

	// Trace is called with the graph after each pass that prepares it; it must
	// not change the graph. nil: nothing is called.
	Trace func(pass string, g *graph.Graph)

	forms  *weightForms              // that other plans of the same weights have made; nil: none
	inputs map[string]*tensor.Tensor // memory of inputs that is there already, with kernel.Slack behind it
}

// Program is a planned graph. It is not safe for concurrent use.
type Program struct {
	g       *graph.Graph
	pool    *kernel.Pool
	own     bool
	steps   []*step
	inputs  map[string]*tensor.Tensor
	inNames []string
	outputs []*graph.Value // of g: the graph's, then those wanted
	nOut    int
	names   []string // the outputs' public names
	want    map[*graph.Value]int
	at      map[*graph.Value]*place
	arena   []float32
	profile bool

	weights map[*tensor.Tensor][]*choice // steps that read a trained weight
	grads   map[*graph.Value]*choice     // steps that compute a wanted value
	cut     map[*graph.Value][]uint64    // masks of wanted values
	whole   bool                         // wanted values are computed in full at present

	most    int // bytes that values may take
	options Options
	late    *late  // what sizes that depend on data stand in front of; nil: nothing
	why     string // there is such
	results map[*graph.Value]*tensor.Tensor
}

// step is one kernel call.
type step struct {
	node   *graph.Node
	kernel string
	why    string
	reads  []*buffer
	writes []*buffer
	bind   func() // called once, when memory is laid out; nil: nothing to do
	run    func(ctx context.Context, p *kernel.Pool) error
	spent  time.Duration
	runs   int
	within func() []StepInfo // steps of the node's subgraphs; nil: it has none
}

// Compile plans g for concrete sizes of its symbolic dimensions. It computes
// the graph's outputs and the values in want. g is not changed; its
// initialisers' tensors are shared, so that training can move them in place
// (unless Freeze is set).
func Compile(g *graph.Graph, sizes map[string]int, opt Options, want ...*graph.Value) (*Program, error) {
	if err := op.Check(g); err != nil {
		return nil, err
	}
	c, m := g.Clone(false)
	p := &Program{g: c, inputs: map[string]*tensor.Tensor{}, want: map[*graph.Value]int{}, at: map[*graph.Value]*place{},
		weights: map[*tensor.Tensor][]*choice{}, grads: map[*graph.Value]*choice{}, cut: map[*graph.Value][]uint64{},
		profile: opt.Profile, nOut: len(g.Outputs), most: mostOf(opt), options: opt}
	for _, o := range g.Outputs {
		p.names = append(p.names, o.Name)
	}
	for _, w := range want {
		v := m[w]
		if v == nil {
			return nil, fmt.Errorf("value %q is not part of the graph", w.Name)
		}
		if _, ok := p.want[w]; !ok {
			p.want[w] = len(c.Outputs)
			c.Outputs = append(c.Outputs, v)
			p.names = append(p.names, w.Name)
		}
	}
	if err := bindSizes(c, sizes); err != nil {
		return nil, err
	}
	for _, q := range passesOf(opt) {
		if err := q.run(c); err != nil {
			return nil, err
		}
		if opt.Trace != nil {
			opt.Trace(q.name, c)
		}
	}
	p.outputs = c.Outputs
	if err := p.makeInputs(); err != nil {
		return nil, err
	}
	if p.pool = opt.Pool; p.pool == nil {
		if opt.Threads == 0 {
			p.pool = kernel.Shared()
		} else {
			p.pool, p.own = kernel.NewPool(opt.Threads), true
		}
	}
	for _, v := range c.Values() {
		if _, ok := v.Shape.Ints(); !ok {
			p.why = fmt.Sprintf("value %q has shape %v, which depends on data", v.Name, v.Shape)
			opt.Consume = false // initialisers may be read in both parts
			var early []*graph.Value
			p.late, early = split(c, p.outputs)
			p.late.profile = opt.Profile
			p.late.opt, p.late.bodies = p.within(), make([]*bodies, len(p.late.ready))
			p.late.spent = make([]time.Duration, len(p.late.ready))
			for i, n := range p.late.ready {
				p.late.bodies[i] = p.bodiesOf(n, nil)
			}
			defer func(all []*graph.Value) { p.outputs = all }(p.outputs)
			p.outputs = early
			break
		}
	}
	if err := p.bounded(); err != nil {
		p.Close()
		return nil, err
	}
	if err := p.plan(opt); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// bindSizes gives the graph's symbolic dimensions their sizes.
func bindSizes(g *graph.Graph, sizes map[string]int) error {
	for _, v := range g.Inputs {
		v.Shape = v.Shape.Bind(sizes)
		if _, ok := v.Shape.Ints(); !ok {
			return fmt.Errorf("input %q has shape %v: give sizes for its symbols", v.Name, v.Shape)
		}
	}
	for _, n := range g.Nodes {
		for _, o := range n.Outputs {
			if o != nil {
				o.Shape = nil
			}
		}
	}
	return nil
}

// makeInputs takes memory for the inputs.
func (p *Program) makeInputs() error {
	for _, v := range p.g.Inputs {
		if err := p.possible(v); err != nil {
			return err
		}
		t := p.options.inputs[v.Name]
		if t == nil {
			t = tensor.New(v.DType, dims(v)...)
		}
		if t.DType == tensor.Float32 && p.options.inputs[v.Name] == nil {
			t.Data = make([]float32, t.Len()+kernel.Slack)[:t.Len()]
		}
		p.inputs[v.Name] = t
		p.inNames = append(p.inNames, v.Name)
	}
	return nil
}

// ErrMemory is what the error of a plan is (see errors.Is) that needs more memory than
// Options.Most allows.
var ErrMemory = errors.New("more memory is needed than is allowed")

type memoryError struct{ error }

func (memoryError) Is(target error) bool { return target == ErrMemory }

// possible refuses a value whose size is not possible, or more than is allowed.
func (p *Program) possible(v *graph.Value) error {
	n, ok := tensor.Size(dims(v))
	if !ok || n > math.MaxInt/16 || n*max(1, v.DType.Size()) > p.most {
		return tooLarge(v, p.most)
	}
	return nil
}

// bounded is possible for all values.
func (p *Program) bounded() error {
	for _, v := range p.g.Values() {
		if err := p.possible(v); err != nil {
			return err
		}
	}
	return nil
}

func tooLarge(v *graph.Value, most int) error {
	by := "input"
	if v.From != nil {
		by = fmt.Sprintf("node %q (%s) makes", v.From.Name, v.From.Op)
	}
	return memoryError{fmt.Errorf("%s value %q of shape %v and type %v, more than the %d bytes that are allowed", by, v.Name, v.Shape, v.DType, most)}
}

// Input is the storage of an input, in ONNX layout, to be filled before Run.
func (p *Program) Input(name string) *tensor.Tensor { return p.inputs[name] }

// InputNames lists the inputs in the graph's order.
func (p *Program) InputNames() []string { return p.inNames }

// OutputNames lists the graph's outputs in order.
func (p *Program) OutputNames() []string { return p.names[:p.nOut] }

// Output is an output by name, in ONNX layout; it holds until the next Run.
func (p *Program) Output(name string) *tensor.Tensor {
	for i, n := range p.names {
		if n == name {
			return p.result(i)
		}
	}
	return nil
}

// Value is a value that Compile was asked for.
func (p *Program) Value(v *graph.Value) *tensor.Tensor {
	if i, ok := p.want[v]; ok {
		return p.result(i)
	}
	return p.Output(v.Name)
}

func (p *Program) result(i int) *tensor.Tensor {
	v := p.outputs[i]
	if v.Const != nil {
		return v.Const
	}
	if p.at[v] == nil { // its size depends on data
		return p.results[v]
	}
	return p.at[v].t
}

// Run computes the outputs from what the inputs hold.
func (p *Program) Run() error { return p.RunContext(context.Background()) }

// RunContext is Run that ends with the context's error once it is done: between
// the nodes of subgraphs, which may run as often as a file says, and between
// the nodes of a graph whose sizes depend on data.
func (p *Program) RunContext(ctx context.Context) error { return p.run(ctx, p.pool, nil) }

// run computes the outputs on a pool's threads. It ends between two steps once
// done is closed; done may be nil.
func (p *Program) run(ctx context.Context, pool *kernel.Pool, done <-chan struct{}) error {
	for _, s := range p.steps {
		select {
		case <-done:
			return ctx.Err()
		default:
		}
		var start time.Time
		if p.profile {
			start = time.Now()
		}
		if err := s.run(ctx, pool); err != nil {
			return fmt.Errorf("node %q (%s): %w", s.node.Name, s.node.Op, err)
		}
		if p.profile {
			s.spent += time.Since(start)
			s.runs++
		}
	}
	if p.late != nil {
		var err error
		if p.results, err = p.late.run(ctx, pool, p.most, p.value); err != nil {
			return err
		}
	}
	p.keep()
	return nil
}

// value is what the planned part of the graph has for a value.
func (p *Program) value(v *graph.Value) *tensor.Tensor {
	if v.Const != nil {
		return v.Const
	}
	return p.at[v].t
}

// Bytes is the memory that the plan takes for activations.
func (p *Program) Bytes() int { return 4 * len(p.arena) }

// Close ends the program's own threads.
func (p *Program) Close() {
	if p.own {
		p.pool.Close()
		p.own = false
	}
}
