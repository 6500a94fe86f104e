package tickets

import (
	_ "embed"
	"pare/catalog"
	"pare/model"

	"context"
)

// Lottery is the lottery ticket search.
type Lottery struct{ Tickets }

//go:embed lottery.md
var lotteryDoc string

var lotteryCard = &catalog.Card{
	ID: "09", Name: "lottery", Noun: "model", Title: "Lottery tickets by iterative magnitude pruning",
	Paper: "Frankle, Carbin: The Lottery Ticket Hypothesis: Finding Sparse, Trainable Neural Networks (2019). arXiv 1803.03635",
	Cuts:  "weights", Needs: catalog.Trains, Doc: lotteryDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "after", How: "magnitude iterative rewind", Supervision: "labels", Fusion: "none"},
}

// NewLottery gives the method with its defaults.
func NewLottery() *Lottery { return &Lottery{ticketDefaults()} }

// Card describes the method.
func (*Lottery) Card() *catalog.Card { return lotteryCard }

// Drives says that the trainings are the method's own.
func (*Lottery) Drives() bool { return true }

// Run searches with weights that go back to the initial ones.
func (s *Lottery) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	p, err := NewIMP(j, &s.Tickets, 0, 0)
	if err != nil {
		return nil, err
	}
	return p.report(ctx, 0)
}
