package model

import (
	"context"
	"time"

	"pare/engine"
	"pare/graph"
	"pare/measure"
)

// Timing is how long a network takes for one sample, beside the one before the cut.
type Timing struct {
	Seconds float64 `json:"seconds"`
	Before  float64 `json:"before"` // of the network before
	Ratio   float64 `json:"ratio"`  // of the two, taken in turn where both were
	By      string  `json:"by"`     // the command that measured it; "" for Pare's engine

	half float64 // half-width of the middle half of the ratios
}

// clock measures networks beside the one before the cut: on Pare's engine, in turn with
// it, or by a user's command, of which its time is asked once.
type clock struct {
	before  *graph.Graph
	command string
	engine  engine.Options

	dense         float64 // seconds of the network before, by the command
	fastest       float64 // seconds of the fastest cut that was tried; 0: none was
	slower, tried int     // cuts that were slower than the network before, of all
}

// Latency of one sample is the median of so many rounds, each of so long.
const (
	clockRounds = 9
	clockRound  = 20 * time.Millisecond
)

// time measures a network.
func (c *clock) time(ctx context.Context, g *graph.Graph) (t Timing, err error) {
	if c.command != "" {
		t, err = c.byCommand(ctx, g)
	} else {
		var s []measure.Speed
		if s, err = measure.Latency(ctx, []*graph.Graph{c.before, g}, 1, clockRounds, clockRound, c.engine); err == nil {
			t = Timing{Seconds: s[1].Seconds.Median, Before: s[0].Seconds.Median, Ratio: s[1].Ratio.Median, half: s[1].Ratio.Half}
		}
	}
	return t, err
}

// try measures a cut network, and keeps count.
func (c *clock) try(ctx context.Context, g *graph.Graph) (Timing, error) {
	t, err := c.time(ctx, g)
	if err != nil {
		return t, err
	}
	if c.tried++; t.slower() {
		c.slower++
	}
	if c.fastest == 0 || t.Seconds < c.fastest {
		c.fastest = t.Seconds
	}
	return t, nil
}

// slower says whether a network takes longer than the one before.
func (t Timing) slower() bool { return measure.Spread{Median: t.Ratio, Half: t.half}.Slower() }

// share is the part that a time takes of what it may take.
func (t Timing) share(most Time) float64 {
	if most > 1 {
		return t.Seconds * 1e9 / float64(most)
	}
	return t.Ratio / float64(most)
}

func (c *clock) byCommand(ctx context.Context, g *graph.Graph) (Timing, error) {
	if c.dense == 0 {
		var err error
		if c.dense, err = timeBy(ctx, c.command, c.before); err != nil {
			return Timing{}, err
		}
	}
	s, err := timeBy(ctx, c.command, g)
	return Timing{Seconds: s, Before: c.dense, Ratio: s / c.dense, By: c.command}, err
}
