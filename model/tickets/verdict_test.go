package tickets

import (
	"context"
	"testing"

	"pare/internal/modeltest"
	"pare/train"
)

// A ticket wins where it is at least as accurate as the dense network and its validation
// loss is least no later; both steps are those of the least loss, not of the last one.
func TestWinning(t *testing.T) {
	early, sooner, later := 0, 0, 0
	for _, lr := range []float64{.2, .6} {
		for _, rate := range []float64{.2, .5, .8} {
			j := modeltest.Job(t, 6)
			j.Recipe.LR, j.Recipe.Schedule, j.Data.Val = lr, "constant", j.Data.Test
			r := modeltest.Run(t, search(func(s *Tickets) { s.Rounds, s.Rate = 1, rate }), j)
			least := func(of []train.Epoch) int {
				best := of[0]
				for _, e := range of {
					if e.ValLoss < best.ValLoss {
						best = e
					}
				}
				if best.Step != of[len(of)-1].Step {
					early++
				}
				return best.Step
			}
			f := r.Facts.(*Facts)
			dense, ticket := least(r.Epochs[:6]), least(r.Epochs[6:])
			if f.Dense.Early != dense || f.Ticket.Early != ticket {
				t.Errorf("least validation loss at %d and %d, want %d and %d", f.Dense.Early, f.Ticket.Early, dense, ticket)
			}
			good := f.Ticket.Value >= f.Dense.Value
			if f.Winning != (good && ticket <= dense) {
				t.Errorf("%+v against %+v: winning %v", f.Ticket, f.Dense, f.Winning)
			}
			if good && ticket < dense {
				sooner++
			}
			if good && ticket > dense {
				later++
			}
		}
	}
	if early == 0 || sooner+later == 0 {
		t.Errorf("the trainings tell nothing: %d have their least loss before the end, of tickets as good %d are earlier and %d later", early, sooner, later)
	}
}

// Distances are between the weights that a mask keeps.
func TestDistanceUnderMask(t *testing.T) {
	h := begin(t, &search(func(s *Tickets) { s.Rounds, s.Rate = 1, .5 }).Tickets, 0)
	dense, _ := h.Graph.Clone(true)
	if err := h.Search(context.Background()); err != nil {
		t.Fatal(err)
	}
	got, err := h.kept(dense, h.Masks)
	if err != nil {
		t.Fatal(err)
	}
	cut := 0
	for l, w := range h.ws {
		for i, x := range dense.Value(w.Name).Const.F32() {
			if !h.Masks.Mask[l].Kept(i) {
				x = 0
				cut++
			}
			if got[l][i] != x {
				t.Fatalf("%s[%d] counts as %v, want %v", w.Name, i, got[l][i], x)
			}
		}
	}
	if cut == 0 {
		t.Error("nothing is cut")
	}
}
