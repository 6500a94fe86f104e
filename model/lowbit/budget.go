package lowbit

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"pare/catalog"
	"pare/graph"
	"pare/measure"
	"pare/prune/quantise"
	"pare/train"
)

// Drop is how the budget was met.
type Drop struct {
	Most   float64     `json:"most"`  // that was asked for, in the metric's units
	Whole  train.Score `json:"whole"` // of the network in float
	All    train.Score `json:"all"`   // with every layer as integers
	End    train.Score `json:"end"`   // with those that are in the end
	Float  []string    `json:"float"` // weights that were left in float for it, the most sensitive first
	Ranked []Ranked    `json:"ranked,omitempty"`
}

// Ranked is what leaving one layer in float brings.
type Ranked struct {
	Weight string  `json:"weight"`
	Worse  float64 `json:"worse"` // than the network in float, all others as integers, in the metric's units
	Loss   float64 `json:"loss"`
}

// ranking is how many samples layers are ranked on, at most.
const ranking = 2048

// writer is a network of a plan that can be judged.
type writer func(p *quantise.Plan) (*graph.Graph, error)

// within leaves layers in float, the most sensitive first, until the network is at most as
// much worse as the job allows: each layer is ranked by how good the network is when it
// alone is left in float, by the metric and then by the loss.
func (m *making) within(ctx context.Context, write writer) error {
	d := &Drop{Most: *m.j.MaxDrop}
	m.facts.Drop = d
	judged := func(p *quantise.Plan, n int) (train.Metrics, error) {
		g := m.dense
		if p != nil {
			var err error
			if g, err = write(p); err != nil {
				return train.Metrics{}, err
			}
		}
		data := *m.j.Data
		if n > 0 {
			part := data.Eval().Draw(n, m.j.Seed)
			data.Train, data.Val, data.Test = nil, nil, part
		}
		by := m.j.Judge()
		if by.Reference == nil {
			by.Reference = m.dense
		}
		return measure.Metrics(ctx, g, &data, by, m.j.Engine)
	}
	whole, err := judged(nil, 0)
	if err != nil {
		return err
	}
	d.Whole = whole.Main()
	biases := m.plan.Biases()
	all := m.plan
	float := map[string]bool{}
	var order []string
	for {
		quantise.Restore(biases)
		m.plan = all.Without(float, fmt.Sprintf("would cost more than the %v that may be lost", d.Most))
		if len(m.plan.Layers) == 0 {
			return catalog.Errorf("no layer can become integers within the budget: allow a larger {MaxDrop}, or train with rounding ({QAT})")
		}
		if err := m.correct(ctx); err != nil {
			return err
		}
		now, err := judged(m.plan, 0)
		if err != nil {
			return err
		}
		if d.End = now.Main(); len(float) == 0 {
			d.All = d.End
		}
		worse := d.Whole.Worse(d.End.Value)
		m.j.Logf("%d layers in float: %s %s, %.3g worse", len(float), d.End.Metric, d.End.Show(), worse)
		if worse <= d.Most {
			break
		}
		if order == nil {
			quantise.Restore(biases)
			if order, err = m.rank(all, d, judged); err != nil {
				return err
			}
		}
		float[order[len(d.Float)]] = true
		d.Float = append(d.Float, order[len(d.Float)])
	}
	m.res.Note("%s %s as integers, %s in float: %s worse, and at most %v was asked for", d.End.Metric, d.End.Show(), d.Whole.Show(), d.Whole.By(d.Whole.Good()-d.End.Good()), d.Most)
	return nil
}

// rank lists the weights of a plan, the one whose layer is best left in float first.
func (m *making) rank(p *quantise.Plan, d *Drop, judged func(p *quantise.Plan, n int) (train.Metrics, error)) ([]string, error) {
	whole, err := judged(nil, ranking)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, l := range p.Layers {
		name := l.Weight.Name
		if seen[name] {
			continue
		}
		seen[name] = true
		x, err := judged(p.Without(map[string]bool{name: true}, ""), ranking)
		if err != nil {
			return nil, err
		}
		r := Ranked{name, whole.Main().Worse(x.Value()), x.Loss}
		d.Ranked = append(d.Ranked, r)
		m.j.Logf("with %s in float: %.3g worse, loss %.4f", name, r.Worse, r.Loss)
	}
	slices.SortStableFunc(d.Ranked, func(a, b Ranked) int { return cmp.Or(cmp.Compare(a.Worse, b.Worse), cmp.Compare(a.Loss, b.Loss)) })
	var out []string
	for _, r := range d.Ranked {
		out = append(out, r.Weight)
	}
	return out, nil
}
