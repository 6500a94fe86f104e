package measure

import (
	"context"
	"time"

	"pare/engine"
	"pare/graph"
)

// Step is a step of a plan.
type Step = engine.StepInfo

// Profile runs a network as often as `per` allows, at least three times, and
// gives the steps of its plan with their kernels and mean times, each followed by the
// steps of its bodies.
func Profile(ctx context.Context, g *graph.Graph, batch int, per time.Duration, opt engine.Options) ([]Step, error) {
	opt.Profile = true
	p, err := prepare(g, batch, opt)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	for t, n := time.Now(), 0; n < 3 || time.Since(t) < per; n++ {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err := p.RunContext(ctx); err != nil {
			return nil, err
		}
	}
	return p.Plan(), nil
}
