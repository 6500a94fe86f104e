package train

import (
	"context"
	"fmt"

	"pare/catalog"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/tensor"
)

// Data feeds a loader's batches to training, the next one prepared meanwhile.
type Data struct {
	*dataset.Loader
	ahead *dataset.Ahead
	y     []int64
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

// Fill writes a batch into the step's input and labels. A loss that wants
// targets like the output gets 1 for the class and 0 elsewhere.
func (d *Data) Fill(epoch, i int, s *Step) error {
	if d.ahead == nil {
		if s.view.Raw {
			d.Norm = dataset.Raw
		}
		d.ahead = dataset.NewAhead(d.Loader)
	}
	x, y := s.Input(), s.Labels()
	if c := tensor.Of[int64](y); c != nil {
		d.ahead.Fill(epoch, i, x.F32(), tensor.Of[int64](x), c)
		return nil
	}
	if len(d.y) != d.Size {
		d.y = make([]int64, d.Size)
	}
	d.ahead.Fill(epoch, i, x.F32(), nil, d.y)
	t := y.F32()
	clear(t)
	k := len(t) / d.Size
	for n, c := range d.y {
		if c < 0 || int(c) >= k {
			return fmt.Errorf("label %d of sample %d is outside the network's %d outputs", c, n, k)
		}
		t[n*k+int(c)] = 1
	}
	return nil
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
	v, err := NewView(g, l.Set, l.Size, false)
	if err != nil {
		return nil, err
	}
	if v.Raw {
		l.Norm = dataset.Raw
	}
	opt := e.Engine
	opt.Freeze = true
	p, err := engine.Compile(v.Graph, nil, opt)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	in := p.Input(p.InputNames()[0])
	x, tokens := in.F32(), tensor.Of[int64](in)
	per := 1
	if l.Set.Tokens != nil {
		per = l.Set.Size()
	}
	y := make([]int64, l.Size*per)
	for i := 0; i*l.Size < l.Set.Len(); i++ {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		n := l.Fill(0, i, x, tokens, y) * per
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
