package model

import (
	"context"

	"pare/catalog"
	"pare/graph"
	"pare/measure"
)

// MaxDrop is the goal that a network is at most so much worse than the job's, in the units
// of the metric that decides (points of per cent, decibels), on the set that the job's data is measured on.
func MaxDrop(ctx context.Context, j *Job, points float64) (Goal, error) {
	by := j.Judge()
	if by.Reference == nil {
		by.Reference, _ = j.Graph.Clone(true)
	}
	dense, err := measure.Metrics(ctx, j.Graph, j.Data, by, j.Engine)
	worse := 0.0
	return Goal{last: func() float64 { return worse }, Good: func(g *graph.Graph) (bool, error) {
		m, err := measure.Metrics(ctx, g, j.Data, by, j.Engine)
		worse = dense.Main().Worse(m.Value())
		return worse <= points, err
	}}, err
}

// Holds returns an error where the network that a method's settings ask for, before any
// training, is worse than the job's by more than so many points: see MaxDrop. It says how
// much it is.
func Holds(ctx context.Context, m Method, j *Job, points float64) error {
	goal, err := MaxDrop(ctx, j, points)
	if err != nil {
		return err
	}
	r, err := try(ctx, m, j)
	if err != nil {
		return err
	}
	if ok, err := goal.Good(r.Graph); err != nil || ok {
		return err
	}
	return catalog.Errorf("the largest network within the budgets is %.3g worse than the one before, and at most %.3g is asked for: give more room, or leave the budgets out to learn how far the drop lets it go (before training; {Recipe.Epochs} may win it back)", goal.last(), points)
}

// MaxLatency is the goal that one sample takes at most so long: a share of the time that
// the job's network takes, or a time; on Pare's engine, or by a command (see
// ChannelTarget.LatencyCmd).
func MaxLatency(ctx context.Context, j *Job, most Time, command string) (Goal, error) {
	if command != "" {
		if err := CheckCommand(command); err != nil {
			return Goal{}, err
		}
	}
	dense, _ := j.Graph.Clone(true)
	c := &clock{before: dense, command: command, engine: j.Engine}
	return Goal{Weakest: true, Good: func(g *graph.Graph) (bool, error) {
		t, err := c.time(ctx, g)
		return t.share(most) <= 1, err
	}}, nil
}
