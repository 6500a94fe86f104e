package train

import (
	"context"
	"fmt"
	"slices"

	"pare/catalog"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/tensor"
	"pare/train/metric"
	"pare/train/objective"
)

// measured is a metric bound to a network: what it is given of each batch.
type measured struct {
	metric.Use
	name    string // of the score: the metric's, with its arguments where there are several of it
	of      metric.Accumulator
	outputs []*graph.Value
	targets []int  // fields
	inputs  []bool // of a metric that is a graph: which of its inputs are outputs
}

// panel is a network planned to be judged on batches of one size.
type panel struct {
	view   *View
	prog   *engine.Program
	loss   *tensor.Tensor // nil: nothing is compared
	fed    []dataset.Buffer
	fields map[int]*tensor.Tensor // targets of metrics
	refer  *panel                 // the reference, on the same batch
	in     []*tensor.Tensor
}

// judge measures by any loss and metrics.
func (e *Eval) judge(ctx context.Context, g *graph.Graph) (Metrics, error) {
	var m Metrics
	l := *e.Loader
	_, l.Size = g.Batch(l.Size)
	p, err := e.panel(g, l.Size, true)
	if err != nil {
		return m, err
	}
	defer p.close()
	ms, err := e.bindMetrics(p.view)
	if err != nil {
		return m, err
	}
	if len(ms) == 0 && p.loss == nil {
		return m, catalog.Errorf("the %s set has nothing to judge by: every field is an input, and there is no network to compare with: give {Reference}", l.Set.Name)
	}
	m.Notes = p.view.Notes
	sum, counted := 0.0, 0
	n := l.Set.Len()
	for i := 0; i*l.Size < n; i++ {
		if ctx.Err() != nil {
			return m, ctx.Err()
		}
		q, k := p, min(l.Size, n-i*l.Size)
		if k < l.Size && p.loss != nil && !fixed(g) { // the loss of some samples is no share of a larger batch's
			if q, err = e.panel(g, k, true); err != nil {
				return m, err
			}
			defer q.close()
			for j := range ms {
				ms[j].outputs = sameNames(ms[j].outputs, q.view)
			}
		}
		if err := q.run(ctx, &l, i); err != nil {
			return m, err
		}
		switch {
		case q.loss == nil:
		case k < l.Size && q == p && counted > 0: // the rest of the batch is none of these samples
			m.Notes = append(m.Notes, catalog.Text(fmt.Sprintf("the loss is that of the first %d samples: the network's batch is fixed to %d, and the last %d do not fill one", counted, l.Size, k)))
		default:
			sum, counted = sum+float64(q.loss.F32()[0])*float64(k), counted+k
		}
		for j := range ms {
			if err := ms[j].add(q, k); err != nil {
				return m, err
			}
		}
	}
	m.N = n
	if m.Loss = sum / float64(max(1, counted)); !finite(m.Loss) {
		return m, fmt.Errorf("the loss on the %s set is not finite", l.Set.Name)
	}
	for _, u := range ms {
		x, err := u.of.Value()
		if err != nil {
			return m, err
		}
		m.Scores = append(m.Scores, Score{u.name, u.Metric.Unit, u.higher(), x})
	}
	return m, nil
}

// fixed says whether a network fixes its batch.
func fixed(g *graph.Graph) bool {
	s := g.Inputs[0].Shape
	return len(s) > 0 && s[0].Known()
}

// sameNames finds outputs in another view of the same network.
func sameNames(of []*graph.Value, v *View) []*graph.Value {
	out := make([]*graph.Value, len(of))
	for i, o := range of {
		out[i] = v.natural(o.Name)
	}
	return out
}

// natural is an output as the network gives it, by name; nil: there is none.
func (v *View) natural(name string) *graph.Value {
	if i := slices.IndexFunc(v.Natural, func(o *graph.Value) bool { return o.Name == name }); i >= 0 {
		return v.Natural[i]
	}
	return nil
}

// panel plans a network for batches; first is that which is judged, not the reference.
func (e *Eval) panel(g *graph.Graph, batch int, first bool) (*panel, error) {
	loss := Loss{Objective: e.Objective, natural: true}
	if !first {
		loss.Objective = objective.Objective{}
	}
	v, err := newView(g, e.Loader.Set, batch, loss)
	if err != nil {
		return nil, err
	}
	p := &panel{view: v, fields: map[int]*tensor.Tensor{}}
	var want []*graph.Value
	if len(v.Terms) > 0 {
		x, err := loss.attach(v)
		if err != nil {
			return nil, err
		}
		want = append(want, x)
	}
	opt := e.Engine
	opt.Freeze = true
	if p.prog, err = engine.Compile(v.Graph, nil, opt, want...); err != nil {
		return nil, err
	}
	if want != nil {
		p.loss = p.prog.Value(want[0])
	}
	p.in = v.Inputs(p.prog)
	p.fed = append(v.Buffers(p.in), v.compared(func(x *graph.Value) *tensor.Tensor { return p.prog.Input(x.Name) })...)
	for k, f := range e.Loader.Set.Fields { // metrics take targets as they are
		if v.isInput(k) {
			continue
		}
		shape := append([]int{batch}, f.Shape...)
		t := tensor.New(tensor.Float32, shape...)
		if f.Floats == nil {
			t = tensor.New(tensor.Int64, shape...)
		}
		p.fields[k] = t
		p.fed = append(p.fed, dataset.Buffer{Field: k, X: t.F32(), I: tensor.Of[int64](t), Raw: true})
	}
	if first && e.Reference != nil && e.refers(v) {
		if p.refer, err = e.panel(e.Reference, batch, false); err != nil {
			p.close()
			return nil, fmt.Errorf("the network to compare with: %w", err)
		}
	}
	return p, nil
}

// refers says whether a metric compares with the reference.
func (e *Eval) refers(v *View) bool {
	if e.Metrics == nil {
		return len(v.Terms) == 0
	}
	return slices.ContainsFunc(e.Metrics, func(u metric.Use) bool { return u.Metric.Target == metric.None && u.Metric.Inputs == nil })
}

// run runs a batch.
func (p *panel) run(ctx context.Context, l *dataset.Loader, i int) error {
	for q := p; q != nil; q = q.refer {
		if _, err := l.FillContext(ctx, 0, i, q.fed); err != nil {
			return err
		}
		if err := q.prog.RunContext(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (p *panel) close() {
	p.prog.Close()
	if p.refer != nil {
		p.refer.close()
	}
}

// add gives a metric the first n samples of a batch.
func (u *measured) add(p *panel, n int) error {
	var outs, targets []*tensor.Tensor
	if u.Metric.Inputs != nil {
		o, t := 0, 0
		for _, out := range u.inputs {
			if out {
				outs = append(outs, p.prog.Output(u.outputs[o].Name))
				o++
			} else {
				outs = append(outs, p.fields[u.targets[t]])
				t++
			}
		}
		return u.of.Add(n, outs, nil)
	}
	for _, o := range u.outputs {
		outs = append(outs, p.prog.Output(o.Name))
		if u.Metric.Target == metric.None {
			targets = append(targets, p.refer.prog.Output(o.Name))
		}
	}
	for _, k := range u.targets {
		targets = append(targets, p.fields[k])
	}
	return u.of.Add(n, outs, targets)
}

// higher says whether more is better.
func (u *measured) higher() bool {
	if u.Metric.Inputs != nil {
		return u.Param("better") != "lower"
	}
	return u.Metric.Higher
}
