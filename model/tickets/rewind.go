package tickets

import (
	_ "embed"
	"pare/catalog"
	"pare/model"
	"pare/train"

	"context"
)

// Rewind is the search with rewinding.
type Rewind struct {
	To        train.At `flag:"rewind" kind:"time" doc:"how much training the weights keep that they go back to: optimiser steps (500it), epochs (2ep) or percent (5%)"`
	Keep      bool     `flag:"keep-weights" doc:"learning-rate rewinding: the weights stay as they are trained, only the schedule goes back"`
	Stability int      `flag:"stability" range:"[2,)" also:"0" doc:"measure how stable the ticket is, beside a random mask, over this number of orders of the samples, at least 2 (0: do not)"`
	Tickets
}

//go:embed rewind.md
var rewindDoc string

var rewindCard = &catalog.Card{
	ID: "15", Name: "rewind", Noun: "model", Title: "Lottery tickets with rewinding to an early step",
	Paper: "Frankle, Dziugaite, Roy, Carbin: Stabilizing the Lottery Ticket Hypothesis (2019). arXiv 1903.01611; learning-rate rewinding: Renda, Frankle, Carbin: Comparing Rewinding and Fine-tuning in Neural Network Pruning (2020). arXiv 2003.02389",
	Cuts:  "weights", Needs: catalog.Trains, Doc: rewindDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "after", How: "magnitude iterative rewind retrain", Supervision: "labels", Fusion: "none"},
}

// NewRewind gives the method with its defaults.
func NewRewind() *Rewind { return &Rewind{To: train.Share(.02), Tickets: ticketDefaults()} }

// Card describes the method.
func (*Rewind) Card() *catalog.Card { return rewindCard }

// Drives says that the trainings are the method's own.
func (*Rewind) Drives() bool { return true }

// Run searches with weights that go back to an early step.
func (s *Rewind) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if err := j.NeedsTraining("tickets are found by training"); err != nil {
		return nil, err
	}
	at, err := j.StepAt("To", s.To)
	switch {
	case err != nil:
		return nil, err
	case s.Keep && s.Untrained:
		return nil, catalog.Errorf("{Keep} never goes back to untrained weights: leave {Untrained} out")
	case s.Keep && s.Stability != 0:
		return nil, catalog.Errorf("{Stability} compares trainings that begin at the same weights: leave {Keep} out")
	}
	p, err := NewIMP(j, &s.Tickets, at, 2*s.Stability)
	if err != nil {
		return nil, err
	}
	p.keep = s.Keep
	j.Logf("weights go back to step %d of %d", at, j.Steps())
	return p.report(ctx, s.Stability)
}
