package tickets

import (
	"bytes"
	"testing"

	"pare/internal/modeltest"
	"pare/internal/oracle"
	"pare/model"
	"pare/train"
)

// Run is the search by hand, step by step: from a step within an epoch, with controls,
// normalisation, weights that stay as trained, and stability.
func TestRewindOracle(t *testing.T) {
	for _, f := range []func(s *Rewind, j *model.Job){
		func(s *Rewind, j *model.Job) { s.Controls = []string{"reinit", "random", "sign", "permute"} },
		func(s *Rewind, j *model.Job) { s.Keep = true },
		func(s *Rewind, j *model.Job) {
			s.Untrained = true
			j.Recipe.Optimizer, j.Recipe.LR = "adam", .003
			oracle.Normalise(t, j)
		},
		func(s *Rewind, j *model.Job) { s.Stability = 2 },
		func(s *Rewind, j *model.Job) { s.Stability = 4 },
	} {
		for _, val := range []bool{false, true} {
			s := NewRewind()
			s.Rounds, s.Rate, s.Controls, s.To = 2, .3, nil, train.At{X: 6}
			j := ticketJob(t, val)
			f(s, j)
			p := byHand(t, j, &s.Tickets)
			p.at, p.keep, p.orders = 6, s.Keep, s.Stability
			p.check(s)
		}
	}
}

// To go back to step 0 is method lottery; to go back to the end leaves the masked trained
// weights.
func TestRewindEnds(t *testing.T) {
	lottery, rewind := NewLottery(), NewRewind()
	lottery.Rounds, lottery.Rate, lottery.Controls = 2, .3, nil
	rewind.Tickets, rewind.To = lottery.Tickets, train.At{}
	a, b := modeltest.Run(t, lottery, ticketJob(t, true)), modeltest.Run(t, rewind, ticketJob(t, true))
	if !bytes.Equal(modeltest.Bits(a.Graph), modeltest.Bits(b.Graph)) || a.Masks.Hash() != b.Masks.Hash() {
		t.Error("rewinding to step 0 is another search than method lottery")
	}
	rewind.Tickets.Rounds, rewind.To = 1, train.Share(1)
	j := ticketJob(t, true)
	n := oracle.NewTraining(t, j).Run().Net
	r := modeltest.Run(t, rewind, j)
	for l, w := range n.Weights() {
		for i := range w.X {
			w.Mask = append(w.Mask, r.Masks.Mask[l].Kept(i))
		}
	}
	n.Apply()
	n.Compare(t, "rewound to the end", r)
}
