package model

import (
	"context"
	"time"

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
	return Goal{Good: func(g *graph.Graph) (bool, error) {
		m, err := measure.Metrics(ctx, g, j.Data, by, j.Engine)
		return dense.Main().Worse(m.Value()) <= points, err
	}}, err
}

// MaxLatency is the goal that one sample takes at most a share of the time that the
// job's network takes.
func MaxLatency(ctx context.Context, j *Job, share float64) Goal {
	dense, _ := j.Graph.Clone(true)
	return Goal{Weakest: true, Good: func(g *graph.Graph) (bool, error) {
		s, err := measure.Latency(ctx, []*graph.Graph{dense, g}, 1, 9, 20*time.Millisecond, j.Engine)
		if err != nil {
			return false, err
		}
		return s[1].Ratio.Median <= share, nil
	}}
}
