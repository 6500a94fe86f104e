package train

import (
	"context"
	"fmt"
	"math"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Step computes loss and gradients of one batch. The weights are those of the
// network it was made from: they are shared, not copied.
type Step struct {
	Params []*Param
	Batch  int

	net     *graph.Graph
	prog    *engine.Program
	norms   []*norm
	rows    []int            // values a channel behind each norm's statistics
	fed     []dataset.Buffer // what a batch is written into: inputs, then targets
	x       []*tensor.Tensor // inputs
	label   *tensor.Tensor
	soft    []*tensor.Tensor // what the teacher gives
	lossT   *tensor.Tensor
	bm, bv  [][]float32
	teacher *engine.Program
	view    *View
	scores  *tensor.Tensor // of each sample its classes, before a softmax; nil: not kept
}

// NewStep plans forward and backward pass of a network for a batch size. The
// network's roles must be set (op.Classify). extra parameters may be named
// whose gradients are wanted although their role is not Param.
func NewStep(g *graph.Graph, batch int, l Loss, opt engine.Options) (*Step, error) {
	return newStep(g, nil, batch, l, opt, nil)
}

// samplesOf are those that a source feeds; nil where it does not say.
func samplesOf(d Source) *dataset.Set {
	if x, ok := d.(interface{ Samples() *dataset.Set }); ok {
		return x.Samples()
	}
	return nil
}

// newStep lets more add to the graph what else is to be computed: it is given the
// graph, what the parameters are called in it, and their gradients.
func newStep(g *graph.Graph, set *dataset.Set, batch int, l Loss, opt engine.Options, more func(c *graph.Graph, in, grad map[*graph.Value]*graph.Value) ([]*graph.Value, error)) (*Step, error) {
	if err := l.Check(); err != nil {
		return nil, err
	}
	view, err := newView(g, set, batch, l) // recurrence is differentiated step by step: sizes are bound
	if err != nil {
		return nil, err
	}
	c, m := view.Graph, view.Of
	op.Fuse(c)
	var norms []*norm
	if !l.still {
		if norms, err = trainNorms(c); err != nil {
			return nil, err
		}
	}
	s := &Step{Batch: batch, net: g, norms: norms, view: view}
	loss, err := l.attach(view)
	if err != nil {
		return nil, err
	}
	var params, grads []*graph.Value
	if !l.forward {
		if params, grads, err = backward(g, c, loss, m); err != nil {
			return nil, err
		}
	}
	want := []*graph.Value{loss}
	var scores *graph.Value
	if l.scored {
		if scores, err = view.scored(); err != nil {
			return nil, err
		}
		want = append(want, scores)
	}
	by := map[*graph.Value]*graph.Value{}
	for i, d := range grads {
		if by[params[i]] = d; d != nil {
			want = append(want, d)
		}
	}
	for _, n := range norms {
		want = append(want, n.bm, n.bv)
	}
	if more != nil {
		also, err := more(c, m, by)
		if err != nil {
			return nil, err
		}
		want = append(want, also...)
	}
	opt.Freeze = false
	if s.prog, err = engine.Compile(c, nil, opt, want...); err != nil {
		return nil, err
	}
	s.x = view.Inputs(s.prog)
	in := func(v *graph.Value) *tensor.Tensor { return s.prog.Input(v.Name) }
	s.fed = append(view.Buffers(s.x), view.compared(in)...)
	if len(view.against) > 0 {
		s.label = in(view.against[0].in)
	}
	s.lossT = s.prog.Value(loss)
	if scores != nil {
		s.scores = s.prog.Value(scores)
	}
	if len(view.Matched) > 0 {
		for _, x := range view.taught {
			s.soft = append(s.soft, in(x))
		}
		if s.teacher, err = teacher(l.Teacher, view, l.Inner, opt); err != nil {
			return nil, fmt.Errorf("teacher: %w", err)
		}
	}
	return s, s.bind(params, grads)
}

// backward adds the gradients of a loss by the network's parameters, which m finds
// in the copy c.
func backward(g, c *graph.Graph, loss *graph.Value, m map[*graph.Value]*graph.Value) (params, grads []*graph.Value, err error) {
	params = g.Params()
	if len(params) == 0 {
		return nil, nil, fmt.Errorf("the network has no trainable parameter")
	}
	of := make([]*graph.Value, len(params))
	for i, p := range params {
		of[i] = m[p]
	}
	grads, err = op.Gradient(c, loss, nil, of)
	return params, grads, err
}

// bind finds the storage of gradients and batch statistics in the plan.
func (s *Step) bind(params, grads []*graph.Value) error {
	for i, p := range params {
		q := &Param{Value: p, W: p.Const.F32(), Decay: true}
		if q.W == nil {
			return fmt.Errorf("parameter %q is %v: only float32 networks can be trained", p.Name, p.DType)
		}
		if d := grads[i]; d != nil {
			q.G, q.grad = s.prog.Value(d).F32(), d
		} else {
			q.G = make([]float32, len(q.W))
		}
		s.Params = append(s.Params, q)
	}
	for _, n := range s.norms {
		s.bm = append(s.bm, s.prog.Value(n.bm).F32())
		s.bv = append(s.bv, s.prog.Value(n.bv).F32())
		rows, err := normRows(n)
		if err != nil {
			return err
		}
		s.rows = append(s.rows, rows)
	}
	return nil
}

// normRows is the number of values a channel that a norm averages over.
func normRows(n *norm) (int, error) {
	x := n.bm.From.In(0)
	rows := graph.N(1)
	for d, k := range x.Shape {
		if d != 1 {
			rows = rows.Times(k)
		}
	}
	if !rows.Known() {
		return 0, fmt.Errorf("batch normalisation %q: its input has shape %v, whose size is not known", n.name, x.Shape)
	}
	return rows.Mul, nil
}

// Input is the storage of what the first input is given.
func (s *Step) Input() *tensor.Tensor { return s.x[0] }

// Labels is the storage of the batch's labels (int64), or targets (float32).
func (s *Step) Labels() *tensor.Tensor { return s.label }

// Run computes loss and gradients of the batch that Input and Labels hold. It
// allocates nothing.
func (s *Step) Run() (float64, error) { return s.RunContext(context.Background()) }

// RunContext is Run that ends with the context's error once it is done, where a
// Loop of the network counts for long (see engine.Program.RunContext).
func (s *Step) RunContext(ctx context.Context) (float64, error) {
	if s.teacher != nil {
		s.teach(s.x)
		if err := s.teacher.RunContext(ctx); err != nil {
			return 0, err
		}
		for i, name := range s.teacher.OutputNames() {
			copy(s.soft[i].F32(), s.teacher.Output(name).F32())
		}
	}
	if err := s.prog.RunContext(ctx); err != nil {
		return 0, err
	}
	return float64(s.lossT.F32()[0]), nil
}

// Mask says which entries of a parameter are trained: bit i%64 of word i/64 is
// entry i. The others must be zero, and the caller keeps them so; their gradient
// is zero. Products and convolutions leave them out, forward and backward, where
// that is estimated to be faster. The mask is copied; it may be given anew, or
// taken back with nil, between steps.
func (s *Step) Mask(p *Param, mask []uint64) error {
	if err := s.prog.MaskWeight(p.Const, mask); err != nil || p.grad == nil {
		return err
	}
	return s.prog.MaskValue(p.grad, mask)
}

// DenseGradients asks for the gradients of masked parameters in full, as methods
// do that let weights grow back, or takes that back.
func (s *Step) DenseGradients(on bool) { s.prog.Whole(on) }

// MoveStats moves the running statistics of batch normalisation by the batch
// of the last Run.
func (s *Step) MoveStats() {
	for i, n := range s.norms {
		n.update(s.bm[i], s.bv[i], s.rows[i], n.momentum)
	}
}

// Bytes is how much memory the plan holds for values of forward and backward pass,
// gradients among them; weights, the optimiser's state and a teacher are not counted.
func (s *Step) Bytes() int { return s.prog.Bytes() }

// StepBytes is Bytes of a step that learns from samples of a set (see Fit).
func StepBytes(g *graph.Graph, set *dataset.Set, batch int, l Loss, opt engine.Options) (int, error) {
	s, err := newStep(g, set, batch, l, opt, nil)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	return s.Bytes(), nil
}

// Plan lists the steps of the program.
func (s *Step) Plan() []engine.StepInfo { return s.prog.Plan() }

// Close frees the plan.
func (s *Step) Close() {
	s.prog.Close()
	if s.teacher != nil {
		s.teacher.Close()
	}
}

// finite says whether a loss can be trained on.
func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
