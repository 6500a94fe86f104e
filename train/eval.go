package train

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"pare/catalog"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/train/metric"
	"pare/train/objective"
)

// Judge says how good a network is found to be.
type Judge struct {
	Objective objective.Objective // the loss; nil: the one that outputs and targets suggest
	Metrics   []metric.Use        // the first decides; nil: those that the loss suggests
	Reference *graph.Graph        // the network that fidelity is measured by; nil: there is none
}

// Eval measures a network on a set.
type Eval struct {
	Loader *dataset.Loader
	Engine engine.Options
	Judge
}

// Metrics is what an evaluation came to.
type Metrics struct {
	N      int     `json:"n"`      // samples, or labels where the metric counts those
	Scores []Score `json:"scores"` // by metric; the first decides
	Loss   float64 `json:"loss"`   // mean; 0 where there is nothing to compare with

	Notes []catalog.Text `json:"notes,omitempty"` // what was assumed of inputs and outputs
}

// Score is what one metric came to.
type Score struct {
	Metric string  `json:"metric"`         // its name, with arguments where it is measured of several outputs
	Unit   string  `json:"unit,omitempty"` // "%": Value is a share
	Higher bool    `json:"higher"`         // more is better
	Value  float64 `json:"value"`
}

// Main is the score that decides; without a metric the loss.
func (m *Metrics) Main() Score {
	if len(m.Scores) > 0 {
		return m.Scores[0]
	}
	return Score{Metric: "loss", Value: m.Loss}
}

// Value is that of the score that decides.
func (m *Metrics) Value() float64 { return m.Main().Value }

// Wrong is what a network gets wrong: the share that is not right where the score that
// decides is one, else the loss.
func (m *Metrics) Wrong() float64 {
	if s := m.Main(); s.Unit == "%" && s.Higher {
		return 1 - s.Value
	}
	return m.Loss
}

// kind is the score's metric, as far as unit and direction go.
func (s Score) kind() *metric.Metric { return &metric.Metric{Unit: s.Unit, Higher: s.Higher} }

// Show writes the value with its unit.
func (s Score) Show() string { return s.kind().Show(s.Value) }

// Worse is by how much another value is worse than this one, in the metric's own units:
// points of per cent, decibels; negative where it is better.
func (s Score) Worse(value float64) float64 { return s.kind().Worse(s.Value, value) }

// Good is the value, or its negative where less is better.
func (s Score) Good() float64 {
	if s.Higher {
		return s.Value
	}
	return -s.Value
}

// By writes by how much a value differs, in the metric's own units: "0.50 points",
// "0.31 dB".
func (s Score) By(difference float64) string {
	switch d := s.kind().Units(difference); s.Unit {
	case "%":
		return fmt.Sprintf("%.2f points", d)
	case "":
		return fmt.Sprintf("%.4g", d)
	default:
		return fmt.Sprintf("%.3g %s", d, s.Unit)
	}
}

// WithSpread writes the value with a spread: "91.73 ± 0.12 %".
func (s Score) WithSpread(spread float64) string {
	if s.Unit == "%" {
		return fmt.Sprintf("%.2f ± %.2f %%", 100*s.Value, 100*spread)
	}
	return strings.TrimSpace(fmt.Sprintf("%.4g ± %.2g %s", s.Value, spread, s.Unit))
}

// Name is the metric without its arguments, for headings.
func (s Score) Name() string {
	name, _, _ := strings.Cut(s.Metric, "(")
	return name
}

// Beats says whether the value is better than another.
func (s Score) Beats(value float64) bool { return s.Worse(value) > 0 }

// NewEval measures on a set in batches.
func NewEval(set *dataset.Set, norm dataset.Norm, batch int, opt engine.Options) *Eval {
	return &Eval{Loader: &dataset.Loader{Set: set, Size: min(batch, max(1, set.Len())), Norm: norm, Threads: opt.Threads}, Engine: opt}
}

// Run evaluates the network on every sample of the set.
func (e *Eval) Run(ctx context.Context, g *graph.Graph) (Metrics, error) {
	v, err := e.view(g)
	if err != nil {
		return Metrics{}, err
	}
	if e.plain(v) {
		return e.classify(ctx, g, v.Terms[0].Args)
	}
	return e.judge(ctx, g)
}

// view sees a network by the loss.
func (e *Eval) view(g *graph.Graph) (*View, error) {
	_, batch := g.Batch(e.Loader.Size)
	return NewView(g, e.Loader.Set, batch, e.Objective)
}

// plain says whether it is the accuracy of classes that is asked for, and their
// cross-entropy.
func (e *Eval) plain(v *View) bool {
	switch {
	case e.Metrics != nil && !(len(e.Metrics) == 1 && e.Metrics[0].String() == "accuracy"):
		return false
	case len(v.Terms) != 1 || len(v.Terms[0].Target) != 1:
		return false
	}
	c, y := &v.Terms[0], e.Loader.Set.Fields[v.Terms[0].Target[0]]
	smoothed := slices.ContainsFunc([]string{"ignore", "weights"}, c.Params.Has)
	return (c.Loss == objective.CrossEntropy || c.Loss == objective.MSEClasses) && !smoothed && y.Classes > 0 && len(y.Shape) < 2
}

// classify measures accuracy and cross-entropy.
func (e *Eval) classify(ctx context.Context, g *graph.Graph, args []string) (Metrics, error) {
	var m Metrics
	var right int
	k := *e
	k.Objective = objective.Objective{{Weight: 1, Loss: objective.CrossEntropy, Args: args}}
	v, err := k.Scores(ctx, g, func(scores []float32, labels []int64, width int) error {
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
	m.Scores = []Score{{Metric: "accuracy", Unit: "%", Higher: true, Value: float64(right) / float64(m.N)}}
	m.Loss /= float64(m.N)
	if !finite(m.Loss) {
		return m, fmt.Errorf("the network's output on the %s set is not finite", e.Loader.Set.Name)
	}
	return m, nil
}

// Classified says whether what is asked of a network is one choice of classes.
func (e *Eval) Classified(g *graph.Graph) bool {
	v, err := e.view(g)
	return err == nil && e.plain(v)
}

// Outputs runs a network on every sample of the set, and gives f all that it gives of
// numbers, batch by batch: width of them for each sample.
func (e *Eval) Outputs(ctx context.Context, g *graph.Graph, f func(out []float32, width int) error) error {
	l := *e.Loader
	_, l.Size = g.Batch(l.Size)
	v, err := NewView(g, l.Set, l.Size, objective.Objective{})
	if err == nil {
		err = v.Join()
	}
	if err != nil {
		return err
	}
	opt := e.Engine
	opt.Freeze = true
	p, err := engine.Compile(v.Graph, nil, opt)
	if err != nil {
		return err
	}
	defer p.Close()
	fed := v.Buffers(v.Inputs(p))
	for i := 0; i*l.Size < l.Set.Len(); i++ {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		n, err := l.Fill(0, i, fed)
		if err != nil {
			return err
		}
		if err := p.RunContext(ctx); err != nil {
			return err
		}
		o := p.Output(p.OutputNames()[0]).F32()
		width := len(o) / l.Size
		if err := f(o[:n*width], width); err != nil {
			return err
		}
	}
	return nil
}

// Scores runs a network on every sample of the set, and gives f those of each label,
// batch by batch, before a softmax. Where the network fixes the batch, samples that
// fill the last one up are not given.
func (e *Eval) Scores(ctx context.Context, g *graph.Graph, f func(scores []float32, labels []int64, width int) error) (*View, error) {
	l := *e.Loader
	_, l.Size = g.Batch(l.Size)
	v, err := NewView(g, l.Set, l.Size, e.Objective)
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
	if len(v.Terms) != 1 || len(v.Terms[0].Target) != 1 || v.Width == 0 {
		return nil, fmt.Errorf("the %s set has no classes", l.Set.Name)
	}
	k := v.Terms[0].Target[0]
	per := l.Set.Fields[k].Size()
	y := make([]int64, l.Size*per)
	fed = append(fed, dataset.Buffer{Field: k, I: y})
	for i := 0; i*l.Size < l.Set.Len(); i++ {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		n, err := l.FillContext(ctx, 0, i, fed)
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
