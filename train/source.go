package train

import (
	"context"
	"fmt"

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
}

// NewEval measures on a set in batches.
func NewEval(set *dataset.Set, norm dataset.Norm, batch int, opt engine.Options) *Eval {
	return &Eval{Loader: &dataset.Loader{Set: set, Size: min(batch, max(1, set.Len())), Norm: norm}, Engine: opt}
}

// Run evaluates the network on every sample of the set.
func (e *Eval) Run(ctx context.Context, g *graph.Graph) (Metrics, error) {
	var m Metrics
	l := e.Loader
	opt := e.Engine
	opt.Freeze = true
	if len(g.Inputs) != 1 || len(g.Inputs[0].Shape) == 0 {
		return m, fmt.Errorf("evaluation needs a network with one input; this has %d", len(g.Inputs))
	}
	sizes, batch := g.Batch(l.Size)
	p, err := engine.Compile(g, sizes, opt)
	if err != nil {
		return m, err
	}
	defer p.Close()
	in := p.Input(p.InputNames()[0])
	x, tokens := in.F32(), tensor.Of[int64](in)
	if x == nil && tokens == nil {
		return m, fmt.Errorf("the network's input is %v: float32 or int64 is needed", in.DType)
	}
	per := 1
	if l.Set.Tokens != nil {
		per = l.Set.Size()
	}
	y := make([]int64, batch*per)
	part := *l
	part.Size = batch
	var right int
	for i := 0; i*batch < l.Set.Len(); i++ {
		if ctx.Err() != nil {
			return m, ctx.Err()
		}
		n := part.Fill(0, i, x, tokens, y) * per
		if err := p.RunContext(ctx); err != nil {
			return m, err
		}
		out := p.Output(p.OutputNames()[0])
		o := out.F32()
		if o == nil || len(o)%(batch*per) != 0 {
			return m, fmt.Errorf("output %v does not give each sample its scores", out)
		}
		c := len(o) / (batch * per)
		for k := range n {
			row := o[k*c : (k+1)*c]
			if y[k] < 0 || int(y[k]) >= c {
				return m, fmt.Errorf("label %d of sample %d is outside the network's %d outputs", y[k], i*batch+k/per, c)
			}
			best, loss := score(row, int(y[k]))
			if best == int(y[k]) {
				right++
			}
			m.Loss += loss
		}
		m.N += n
	}
	if m.N == 0 {
		return m, fmt.Errorf("the %s set is empty", l.Set.Name)
	}
	m.Accuracy = float64(right) / float64(m.N)
	m.Loss /= float64(m.N)
	if !finite(m.Loss) {
		return m, fmt.Errorf("the network's output on the %s set is not finite", l.Set.Name)
	}
	return m, nil
}
