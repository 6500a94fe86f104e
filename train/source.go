package train

import (
	"context"
	"fmt"
	"slices"

	"pare/catalog"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
)

// Data feeds a loader's batches to training, the next one prepared meanwhile.
type Data struct {
	*dataset.Loader
	ahead *dataset.Ahead
}

// NewData feeds batches of a loader.
func NewData(l *dataset.Loader) *Data { return &Data{Loader: l} }

// Samples are those that are fed.
func (d *Data) Samples() *dataset.Set { return d.Set }

// Close ends the background work.
func (d *Data) Close() {
	if d.ahead != nil {
		d.ahead.Close()
		d.ahead = nil
	}
}

// Fill writes a batch into the step's inputs and targets.
func (d *Data) Fill(epoch, i int, s *Step) error {
	if s.view.samples == nil {
		return fmt.Errorf("the step was planned without samples: there is nothing that a batch goes into")
	}
	if d.ahead == nil {
		d.ahead = dataset.NewAhead(d.Loader)
	}
	_, err := d.ahead.Fill(epoch, i, s.fed)
	return err
}

// Eval measures a network on a set.
type Eval struct {
	Loader *dataset.Loader
	Engine engine.Options
}

// Metrics is what an evaluation came to.
type Metrics struct {
	N        int     `json:"n"`        // samples (tokens for text)
	Accuracy float64 `json:"accuracy"` // share of samples whose best output is the label
	Loss     float64 `json:"loss"`     // mean cross-entropy

	Notes []catalog.Text `json:"notes,omitempty"` // what was assumed of inputs and outputs
}

// NewEval measures on a set in batches.
func NewEval(set *dataset.Set, norm dataset.Norm, batch int, opt engine.Options) *Eval {
	return &Eval{Loader: &dataset.Loader{Set: set, Size: min(batch, max(1, set.Len())), Norm: norm}, Engine: opt}
}

// Run evaluates the network on every sample of the set.
func (e *Eval) Run(ctx context.Context, g *graph.Graph) (Metrics, error) {
	var m Metrics
	var right int
	v, err := e.Scores(ctx, g, func(scores []float32, labels []int64, width int) error {
		for k, y := range labels {
			if y < 0 || int(y) >= width {
				return fmt.Errorf("label %d of sample %d is outside the network's %d outputs", y, m.N+k, width)
			}
			best, loss := score(scores[k*width:(k+1)*width], int(y))
			if best == int(y) {
				right++
			}
			m.Loss += loss
		}
		m.N += len(labels)
		return nil
	})
	if err != nil {
		return m, err
	}
	if m.N == 0 {
		return m, fmt.Errorf("the %s set is empty", e.Loader.Set.Name)
	}
	m.Notes = v.Notes
	m.Accuracy = float64(right) / float64(m.N)
	m.Loss /= float64(m.N)
	if !finite(m.Loss) {
		return m, fmt.Errorf("the network's output on the %s set is not finite", e.Loader.Set.Name)
	}
	return m, nil
}

// Scores runs a network on every sample of the set, and gives f those of each label,
// batch by batch, before a softmax. Where the network fixes the batch, samples that
// fill the last one up are not given.
func (e *Eval) Scores(ctx context.Context, g *graph.Graph, f func(scores []float32, labels []int64, width int) error) (*View, error) {
	l := *e.Loader
	_, l.Size = g.Batch(l.Size)
	v, err := NewView(g, l.Set, l.Size, nil)
	if err != nil {
		return nil, err
	}
	opt := e.Engine
	opt.Freeze = true
	p, err := engine.Compile(v.Graph, nil, opt)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	fed := v.Buffers(v.Inputs(p))
	label := l.Set.Class()
	per := label.Size()
	y := make([]int64, l.Size*per)
	fed = append(fed, dataset.Buffer{Field: slices.Index(l.Set.Fields, label), I: y})
	for i := 0; i*l.Size < l.Set.Len(); i++ {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		n, err := l.Fill(0, i, fed)
		if err != nil {
			return nil, err
		}
		n *= per
		if err := p.RunContext(ctx); err != nil {
			return nil, err
		}
		o := p.Output(p.OutputNames()[0])
		if len(o.F32()) != l.Size*per*v.Width {
			return nil, fmt.Errorf("output %v does not give each sample its scores", o)
		}
		if err := f(o.F32()[:n*v.Width], y[:n], v.Width); err != nil {
			return nil, err
		}
	}
	return v, nil
}
