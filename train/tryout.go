package train

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"pare/dataset"
	"pare/graph"
	"pare/tensor"
	"pare/train/metric"
	"pare/train/objective"
)

// Fits returns an error where a metric cannot judge the network on the samples: with the
// reason, and the names of those that can; or where a loss that is a file does not go with
// them. The network sees the first samples; of the others, where all is said, the targets
// are looked at until the metric has what it needs of them.
func (e *Eval) Fits(ctx context.Context, g *graph.Graph, all bool) error {
	file := func(t objective.Term) bool { return t.Loss == objective.File }
	if len(e.Metrics) == 0 && !slices.ContainsFunc(e.Objective, file) {
		if v, err := e.view(g); err != nil || e.plain(v) {
			return err
		}
	}
	l := dataset.Loader{Set: e.Loader.Set, Norm: e.Loader.Norm, Threads: e.Loader.Threads}
	_, l.Size = g.Batch(2)
	p, err := e.panel(g, l.Size, true)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.run(ctx, &l, 0); err != nil {
		return err
	}
	t := &tryout{Eval: e, panel: p, loader: &l, all: all && l.Set.Stream == nil}
	uses := e.Metrics
	if uses == nil {
		uses = e.suggestMetrics(p.view)
	}
	for _, u := range uses {
		if u.Metric.Target == metric.None && u.Metric.Inputs == nil {
			continue // it compares with a network that there may not be yet
		}
		if err := t.try(ctx, u); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("%w%s", err, t.others(ctx, u))
		}
	}
	return nil
}

// tryout is metrics that are tried on what a network made of the first samples.
type tryout struct {
	*Eval
	panel  *panel
	loader *dataset.Loader
	all    bool // the targets of all samples count, not of the first alone
}

// try gives a metric what the network made of the first samples with their targets, and
// then with those of the next ones, until it has a value.
func (t *tryout) try(ctx context.Context, u metric.Use) error {
	one := *t.Eval
	one.Metrics = []metric.Use{u}
	ms, err := one.bindMetrics(t.panel.view)
	if err != nil {
		return err
	}
	m, size := &ms[0], t.loader.Size
	var to []dataset.Buffer
	for _, k := range m.targets {
		x := t.panel.fields[k]
		to = append(to, dataset.Buffer{Field: k, X: x.F32(), I: tensor.Of[int64](x), Raw: true})
	}
	for i := 0; ; i++ {
		if _, err := t.loader.FillContext(ctx, 0, i, to); err != nil {
			return err
		}
		left := t.loader.Set.Len() - i*size
		if err := m.add(t.panel, min(size, left)); err != nil {
			if !strings.Contains(err.Error(), u.Metric.Name) {
				err = fmt.Errorf("metric %s: %w", u.Metric.Name, err)
			}
			return err
		}
		if !t.all || u.Metric.Inputs != nil {
			return nil
		}
		if last := left <= size; last || i&(i+1) == 0 { // now and then, for it may take long
			if _, err := m.of.Value(); err == nil || last {
				return err
			}
		}
	}
}

// others names the metrics that can judge what another cannot.
func (t *tryout) others(ctx context.Context, not metric.Use) string {
	var names []string
	for _, m := range metric.Metrics() {
		if m.Target == metric.None || m == not.Metric {
			continue
		}
		same := len(not.Args) <= len(m.Roles()) && t.try(ctx, metric.Use{Metric: m, Args: not.Args}) == nil
		if same || t.try(ctx, metric.Use{Metric: m}) == nil {
			names = append(names, m.Name)
		}
	}
	if names == nil {
		return ""
	}
	return "; metrics that fit this network and these samples: " + strings.Join(names, ", ")
}
