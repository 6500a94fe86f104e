package train

import (
	"context"
	"fmt"
	"strings"

	"pare/dataset"
	"pare/graph"
	"pare/train/metric"
)

// Fits returns an error where a metric that is asked for cannot judge the network on the
// samples, as the first of them show: with the reason, and the names of those that can.
func (e *Eval) Fits(ctx context.Context, g *graph.Graph) error {
	if len(e.Metrics) == 0 {
		return nil
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
	n := min(l.Size, l.Set.Len())
	for _, u := range e.Metrics {
		if u.Metric.Target == metric.None && u.Metric.Inputs == nil {
			continue // it compares with a network that there may not be yet
		}
		if err := e.try(p, u, n); err != nil {
			return fmt.Errorf("%w%s", err, e.others(p, u, n))
		}
	}
	return nil
}

// try gives a metric the first samples.
func (e *Eval) try(p *panel, u metric.Use, n int) error {
	one := *e
	one.Metrics = []metric.Use{u}
	ms, err := one.bindMetrics(p.view)
	if err != nil {
		return err
	}
	if err := ms[0].add(p, n); err != nil {
		if name := "metric " + u.Metric.Name; !strings.Contains(err.Error(), u.Metric.Name) {
			err = fmt.Errorf("%s: %w", name, err)
		}
		return err
	}
	return nil
}

// others names the metrics that can judge what another cannot.
func (e *Eval) others(p *panel, not metric.Use, n int) string {
	var names []string
	for _, m := range metric.Metrics() {
		if m.Target != metric.None && m != not.Metric && (e.try(p, metric.Use{Metric: m}, n) == nil || e.try(p, metric.Use{Metric: m, Args: not.Args}, n) == nil) {
			names = append(names, m.Name)
		}
	}
	if names == nil {
		return ""
	}
	return "; metrics that fit this network and these samples: " + strings.Join(names, ", ")
}
