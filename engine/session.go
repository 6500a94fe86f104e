package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
	"pare/tensor"
)

// SessionOptions say how a session runs. The zero value is usable.
type SessionOptions struct {
	Threads  int            // of a call that runs alone; 0: one for each core
	MaxBatch int            // the largest batch; 0: 256
	Max      map[string]int // the largest size of every other symbolic dimension of the inputs
	Plans    int            // how many plans are kept; 0: 16, or two for each core where that is more
	Most     int            // bytes that the values of a plan may take; 0: no limit

	// Gather puts calls that wait for a core together, up to MaxBatch samples, and runs
	// them as one batch, where they differ in the batch only. Every input and output must
	// begin with the batch, and the network must treat each sample by itself. A call then
	// has the numbers that the batch has, which may differ from those of a call alone by
	// rounding, and a call that runs with others ends when they do.
	Gather bool
	Linger time.Duration // how long a call with a free core waits for others to run with; 0: it does not
}

// Session runs a network for any number of goroutines at once.
//
// It takes and gives tensors by the names of the network's inputs and outputs, in
// ONNX layout (Inputs and Outputs list them). A symbolic dimension may have
// another size in every call: the batch, which is the symbol that leads the shape
// of the first input that has one, from 1 to MaxBatch, and any other from 1 to what
// Max says. Networks whose sizes are all fixed run at these.
//
// There is a plan for each combination of sizes, and one more for each call that
// runs at the same time as others of the same sizes. Plans are made when they are
// first needed, which takes as long as Compile does, and kept; where there would be
// more than Plans, the one that has rested longest goes. Plans share the weights and
// what these have been packed as: a plan has memory of its own for activations only.
//
// A call that runs alone uses all threads; calls that run at once use one each. The
// results are the same bits in either case.
//
// The weights are those of the graph that the session was made from: they must not
// change while it is in use.
type Session struct {
	g       *graph.Graph // prepared for any sizes; it is not changed
	opt     SessionOptions
	inputs  []Port
	outputs []Port
	symbols []symbol

	pool    *kernel.Pool // for a call that runs alone
	own     bool
	running atomic.Int64
	slots   chan struct{} // held by every call that runs

	planning sync.Mutex // held while a plan is made
	forms    weightForms

	lock   sync.Mutex
	idle   []*planned // the one that has rested longest is first
	kept   int        // plans, idle or not
	closed bool

	queueLock sync.Mutex
	queue     []*call       // that wait to be put together, in the order in which they came
	lead      chan struct{} // held by the call that takes others from the queue
	arrived   chan struct{} // a call has come
}

// Port describes an input or output of a network.
type Port struct {
	Name  string
	DType tensor.DType
	Shape graph.Shape
}

// String writes name, type and shape.
func (p Port) String() string { return fmt.Sprintf("%q %v%v", p.Name, p.DType, p.Shape) }

// symbol is a dimension whose size is known when a call is made.
type symbol struct {
	name string
	max  int
}

// maxSymbols bounds the symbolic dimensions of a session's inputs.
const maxSymbols = 8

// sizes are those of a session's symbols, in order.
type sizes [maxSymbols]int

// planned is a plan for given sizes.
type planned struct {
	*Program
	sizes sizes
}

// ErrClosed is the error of a call to a session that has been closed.
var ErrClosed = errors.New("the session is closed")

// NewSession prepares a network for inference. g is not changed, and its weights
// are shared. It is an error where the graph is not sound, or where an input has a
// symbolic dimension for which there is no largest size.
func NewSession(g *graph.Graph, opt SessionOptions) (*Session, error) {
	if opt.Threads < 0 || opt.MaxBatch < 0 || opt.Plans < 0 || opt.Most < 0 {
		return nil, fmt.Errorf("threads %d, largest batch %d, plans %d, bytes %d: none may be negative", opt.Threads, opt.MaxBatch, opt.Plans, opt.Most)
	}
	if opt.Linger < 0 || opt.Linger > 0 && !opt.Gather {
		return nil, fmt.Errorf("a call cannot wait %v for others: the time is not negative, and calls must be put together (Gather)", opt.Linger)
	}
	if opt.MaxBatch == 0 {
		opt.MaxBatch = 256
	}
	cores := runtime.GOMAXPROCS(0)
	if opt.Plans == 0 {
		opt.Plans = max(16, 2*cores)
	}
	if err := op.Check(g); err != nil {
		return nil, err
	}
	c, _ := g.Clone(false)
	for _, q := range freezing {
		if err := q.run(c); err != nil {
			return nil, err
		}
	}
	s := &Session{g: c, opt: opt, slots: make(chan struct{}, min(cores, opt.Plans)), idle: make([]*planned, 0, opt.Plans)}
	for i, v := range c.Inputs {
		s.inputs = append(s.inputs, Port{g.Inputs[i].Name, v.DType, v.Shape})
	}
	for i, v := range c.Outputs {
		s.outputs = append(s.outputs, Port{g.Outputs[i].Name, v.DType, v.Shape})
	}
	if err := s.findSymbols(); err != nil {
		return nil, err
	}
	if opt.Gather {
		if err := s.gathers(); err != nil {
			return nil, err
		}
		s.lead, s.arrived = make(chan struct{}, 1), make(chan struct{}, 1)
	}
	if s.pool = kernel.Shared(); opt.Threads > 0 {
		s.pool, s.own = kernel.NewPool(opt.Threads), true
	}
	return s, nil
}

// findSymbols lists the symbols of the inputs, the batch's first.
func (s *Session) findSymbols() error {
	for _, p := range s.inputs {
		if len(p.Shape) > 0 && !p.Shape[0].Known() {
			s.symbols = append(s.symbols, symbol{p.Shape[0].Sym, s.opt.MaxBatch})
			break
		}
	}
	for _, p := range s.inputs {
		if p.Shape == nil {
			return fmt.Errorf("input %v has no known rank", p)
		}
		for _, d := range p.Shape {
			if d.Known() || slices.ContainsFunc(s.symbols, func(k symbol) bool { return k.name == d.Sym }) {
				continue
			}
			most := s.opt.Max[d.Sym]
			if most < 1 {
				return fmt.Errorf("input %v: give the largest size of %s, which is at least 1", p, d.Sym)
			}
			s.symbols = append(s.symbols, symbol{d.Sym, most})
		}
	}
	if len(s.symbols) > maxSymbols {
		return fmt.Errorf("the inputs have %d symbolic dimensions, more than %d", len(s.symbols), maxSymbols)
	}
	return nil
}

// Inputs lists the inputs in the network's order.
func (s *Session) Inputs() []Port { return slices.Clone(s.inputs) }

// Outputs lists the outputs in the network's order.
func (s *Session) Outputs() []Port { return slices.Clone(s.outputs) }

// Run computes the outputs of a batch. in holds a tensor for each input, and is
// only read. Afterwards out holds a tensor for each output: one that was there with
// the output's type and shape is written over, and any other is replaced. Where all
// tensors are there and a plan for their sizes is at rest, nothing is allocated,
// unless operators without a kernel take part (Program.Explain names them).
//
// Any number of calls may be made at once, with maps and output tensors of their
// own. As many run at a time as there are cores; the others wait. A call ends with
// the context's error between two steps once the context is done, and out is then as
// it was. A missing or unknown name, another type or shape, and a size beyond its
// largest are errors that say what was expected.
func (s *Session) Run(ctx context.Context, in, out map[string]*tensor.Tensor) error {
	if out == nil {
		return errors.New("there is no map for the outputs")
	}
	z, err := s.sizesOf(in)
	if err != nil {
		return err
	}
	if err := unknown(out, s.outputs, "output"); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.opt.Gather {
		return s.gather(ctx, &call{z: z, in: in, out: out})
	}
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.slots }()
	return s.alone(ctx, z, in, out)
}

// alone runs a call that has a slot.
func (s *Session) alone(ctx context.Context, z sizes, in, out map[string]*tensor.Tensor) error {
	p, err := s.take(z)
	if err != nil {
		return err
	}
	defer s.give(p)
	for i := range s.inputs {
		name := s.inputs[i].Name
		if err := p.inputs[name].Copy(in[name]); err != nil {
			return fmt.Errorf("input %q: %w", name, err)
		}
	}
	if err := s.compute(ctx, p); err != nil {
		return err
	}
	for i := range s.outputs {
		name, r := s.outputs[i].Name, p.result(i)
		if o := out[name]; o != nil && o.DType == r.DType && slices.Equal(o.Shape, r.Shape) && stored(o) == r.Len() {
			if err := o.Copy(r); err != nil {
				return fmt.Errorf("output %q: %w", name, err)
			}
			continue
		}
		out[name] = r.Clone()
	}
	return nil
}

// compute runs a plan: on all threads where no other call runs.
func (s *Session) compute(ctx context.Context, p *planned) error {
	defer s.running.Add(-1)
	pool := p.pool
	if s.running.Add(1) == 1 {
		pool = s.pool
	}
	return p.run(ctx, pool, ctx.Done())
}

// take gives a plan for the sizes that no other call uses.
func (s *Session) take(z sizes) (*planned, error) {
	s.lock.Lock()
	if s.closed {
		s.lock.Unlock()
		return nil, ErrClosed
	}
	for i := len(s.idle) - 1; i >= 0; i-- {
		if p := s.idle[i]; p.sizes == z {
			s.idle = slices.Delete(s.idle, i, i+1)
			s.lock.Unlock()
			return p, nil
		}
	}
	if s.kept == s.opt.Plans { // no more than that run, so one is idle
		s.idle = slices.Delete(s.idle, 0, 1)
	} else {
		s.kept++
	}
	s.lock.Unlock()
	p, err := s.plan(z)
	if err != nil {
		s.lock.Lock()
		s.kept--
		s.lock.Unlock()
	}
	return p, err
}

// give puts a plan to rest.
func (s *Session) give(p *planned) {
	s.lock.Lock()
	s.idle = append(s.idle, p)
	s.lock.Unlock()
}

// plan makes a plan.
func (s *Session) plan(z sizes) (*planned, error) {
	s.planning.Lock()
	defer s.planning.Unlock()
	by := map[string]int{}
	for i, k := range s.symbols {
		by[k.name] = z[i]
	}
	p, err := Compile(s.g, by, Options{Threads: 1, Freeze: true, Most: s.opt.Most, forms: &s.forms})
	if err != nil {
		return nil, fmt.Errorf("planning for sizes %v: %w", by, err)
	}
	return &planned{p, z}, nil
}

// Close waits for the calls that run, ends the session's threads and lets go of its
// plans. Later calls end with ErrClosed.
func (s *Session) Close() {
	s.lock.Lock()
	closed := s.closed
	s.closed = true
	s.lock.Unlock()
	if closed {
		return
	}
	for range cap(s.slots) {
		s.slots <- struct{}{}
	}
	s.idle, s.forms = nil, weightForms{}
	if s.own {
		s.pool.Close()
	}
	for range cap(s.slots) {
		<-s.slots
	}
}
