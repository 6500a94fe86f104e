// Package engine runs graphs on the CPU: it plans order, memory, layouts and
// kernels once, and then runs as often as wanted without allocating.
package engine

import (
	"context"
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
	Most    int          // bytes that values may take; 0: no limit
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
	whole   bool                         // wanted values are computed in full for now

	ctx     context.Context
	most    int  // bytes that values may take; 0: no limit
	dynamic bool // sizes depend on data: the reference evaluation is used
	results map[*graph.Value]*tensor.Tensor
}

// step is one kernel call.
type step struct {
	node   *graph.Node
	kernel string
	why    string
	reads  []*buffer
	writes []*buffer
	build  func() func() error
	run    func() error
	spent  time.Duration
	runs   int
}

// StepInfo describes a step of the plan.
type StepInfo struct {
	Node   string        `json:"node"`
	Op     string        `json:"op"`
	Kernel string        `json:"kernel"`
	Why    string        `json:"why,omitempty"` // where there was a choice
	Time   time.Duration `json:"time"`          // mean of a run, where profiled
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
		profile: opt.Profile, nOut: len(g.Outputs), most: opt.Most}
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
	for _, v := range c.Inputs {
		v.Shape = v.Shape.Bind(sizes)
		if _, ok := v.Shape.Ints(); !ok {
			return nil, fmt.Errorf("input %q has shape %v: give sizes for its symbols", v.Name, v.Shape)
		}
	}
	for _, n := range c.Nodes {
		for _, o := range n.Outputs {
			if o != nil {
				o.Shape = nil
			}
		}
	}
	if err := op.InferAll(c); err != nil {
		return nil, err
	}
	if opt.Freeze {
		if err := freeze(c); err != nil {
			return nil, err
		}
	} else if _, err := op.Fold(c); err != nil {
		return nil, err
	}
	c.Prune()
	if err := c.Sort(); err != nil {
		return nil, err
	}
	if err := writeOut(c); err != nil {
		return nil, err
	}
	p.outputs = c.Outputs
	if p.pool = opt.Pool; p.pool == nil {
		if opt.Threads == 0 {
			p.pool = kernel.Shared()
		} else {
			p.pool, p.own = kernel.NewPool(opt.Threads), true
		}
	}
	for _, v := range c.Inputs {
		if n, ok := tensor.Size(dims(v)); !ok || n > math.MaxInt/16 || opt.Most > 0 && n*max(1, v.DType.Size()) > opt.Most {
			return nil, tooLarge(v, opt.Most)
		}
		t := tensor.New(v.DType, dims(v)...)
		if t.DType == tensor.Float32 {
			t.Data = make([]float32, t.Len()+kernel.Slack)[:t.Len()]
		}
		p.inputs[v.Name] = t
		p.inNames = append(p.inNames, v.Name)
	}
	for _, v := range c.Values() {
		if _, ok := v.Shape.Ints(); !ok {
			p.dynamic = true
			return p, nil
		}
	}
	if err := p.bounded(opt.Most); err != nil {
		p.Close()
		return nil, err
	}
	if err := p.plan(opt); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// bounded refuses values whose sizes are not possible, or more than most bytes.
func (p *Program) bounded(most int) error {
	for _, v := range p.g.Values() {
		n, ok := tensor.Size(dims(v))
		if !ok || n > math.MaxInt/16 || most > 0 && n*max(1, v.DType.Size()) > most {
			return tooLarge(v, most)
		}
	}
	return nil
}

func tooLarge(v *graph.Value, most int) error {
	by := "input"
	if v.From != nil {
		by = fmt.Sprintf("node %q (%s) makes", v.From.Name, v.From.Op)
	}
	if most == 0 {
		return fmt.Errorf("%s value %q of shape %v, which is not possible", by, v.Name, v.Shape)
	}
	return fmt.Errorf("%s value %q of shape %v and type %v, more than the %d bytes that are allowed", by, v.Name, v.Shape, v.DType, most)
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
	if p.dynamic {
		return p.results[v]
	}
	return p.at[v].t
}

// Run computes the outputs from what the inputs hold.
func (p *Program) Run() error { return p.RunContext(context.Background()) }

// RunContext is Run that ends with the context's error once it is done: between
// the nodes of subgraphs, which may run as often as a file says, and between
// the nodes of a graph whose sizes depend on data.
func (p *Program) RunContext(ctx context.Context) error {
	p.ctx = ctx
	if p.dynamic {
		return p.runDynamic()
	}
	for _, s := range p.steps {
		if !p.profile {
			if err := s.run(); err != nil {
				return fmt.Errorf("node %q (%s): %w", s.node.Name, s.node.Op, err)
			}
			continue
		}
		t := time.Now()
		if err := s.run(); err != nil {
			return fmt.Errorf("node %q (%s): %w", s.node.Name, s.node.Op, err)
		}
		s.spent += time.Since(t)
		s.runs++
	}
	p.keep()
	return nil
}

// runDynamic evaluates a graph whose sizes are known only as it runs.
func (p *Program) runDynamic() error {
	res, err := op.RunWithin(p.ctx, p.most, p.g, p.inputs, p.outputs...)
	if err != nil {
		return err
	}
	p.results = map[*graph.Value]*tensor.Tensor{}
	for _, v := range p.outputs {
		p.results[v] = res[v.Name]
	}
	p.keep()
	return nil
}

// Plan lists the steps with the kernel of each and, where profiled, the mean
// time that it took.
func (p *Program) Plan() []StepInfo {
	var out []StepInfo
	for _, s := range p.steps {
		i := StepInfo{Node: s.node.Name, Op: s.node.Op, Kernel: s.kernel, Why: s.why}
		if s.runs > 0 {
			i.Time = s.spent / time.Duration(s.runs)
		}
		out = append(out, i)
	}
	return out
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
