package method

import (
	"context"
	"fmt"

	"pare/graph"
	"pare/train"
)

// Lottery are the settings of the lottery ticket search.
type Lottery struct{ Tickets }

var lottery = &Method{
	ID: "09", Name: "lottery", Title: "Lottery tickets by iterative magnitude pruning",
	Paper: "Frankle, Carbin: The Lottery Ticket Hypothesis: Finding Sparse, Trainable Neural Networks (2019). arXiv 1803.03635",
	Cuts:  "weights", Needs: Trains,
	Doc: `Trains, cuts in every layer the smallest of the weights that are left, puts the others back to their initial values,
and repeats. The ticket is the last mask with the initial weights; the result is the network trained from it, and with
--untrained the ticket itself. Without --fresh the initial weights are those of the file.

Each layer loses round(p n) of its n weights a round, the output layer at half the rate; with --global all layers are
ranked together and the output layer stays whole, as the paper does for deep networks. --rounds 1 is the one-shot form.
The optimiser begins anew in every round, all rounds and controls see the samples in the same order, and running
statistics and biases go back with the weights.

Controls say whether it is a ticket at all: reinit draws the weights anew from N(0, 2/fan-in) of the dense layer, random
keeps the weights and takes a random mask with the ticket's number in every layer, sign draws anew but keeps the signs,
permute moves each layer's initial weights to other places. A control is one more training, and one seed: repeat with
others before believing a small difference. The early-stop step, that of the least loss, is told where --data has a
validation set; the test set chooses nothing. On deep networks at high learning rates no ticket is found at the initial
weights: use rewind.

Departures: counts are exact (the authors' MNIST code and open_lth, which were read, cut one weight more and all ties);
of equal weights the first goes. One level of open_lth trains from a file with a new optimiser, as a round does here.`,
	Settings: func() any { return &Lottery{ticketDefaults()} },
	Run:      runLottery, Claims: lotteryClaims,
}

func runLottery(ctx context.Context, j *Job) (*Result, error) {
	h, err := newHunt(j, &j.Settings.(*Lottery).Tickets, 0)
	if err != nil {
		return nil, err
	}
	return h.report(ctx)
}

// outcome is what a training of the hunt came to.
type outcome struct {
	accuracy float64
	early    int // step of the least validation loss; 0: there is no validation set
}

// report searches, trains the controls and says what all came to.
func (h *hunt) report(ctx context.Context) (*Result, error) {
	res := &Result{Graph: h.Graph}
	var dense, ticket outcome
	h.trained = func(round int, epochs []train.Epoch) (err error) {
		for _, e := range epochs {
			e.Epoch += round * h.Recipe.Epochs
			res.Epochs = append(res.Epochs, e)
		}
		ticket, err = h.judge(ctx, h.Graph, epochs)
		if round == 0 {
			dense = ticket
		}
		what := fmt.Sprintf("round %d of %d: %.2f %% of the weights left", round, h.rounds, 100*(1-h.masks.Sparsity()))
		if round == 0 {
			what = "the dense network"
		}
		h.logf("%s: %s", what, ticket)
		return err
	}
	if err := h.search(ctx); err != nil {
		return nil, err
	}
	res.Masks = h.masks
	if h.held() != nil {
		verdict := "no winning ticket"
		if ticket.accuracy >= dense.accuracy && ticket.early <= dense.early {
			verdict = "a winning ticket"
		}
		res.Notes = append(res.Notes, fmt.Sprintf("dense: %s", dense),
			fmt.Sprintf("the ticket, %.2f %% of the weights: %s: %s", 100*(1-h.masks.Sparsity()), ticket, verdict))
	}
	for _, c := range h.set.Controls {
		g, epochs, err := h.control(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("control %s: %w", c, err)
		}
		o, err := h.judge(ctx, g, epochs)
		if err != nil {
			return nil, err
		}
		res.Notes = append(res.Notes, fmt.Sprintf("control %s (%s): %s", c, controls[c], o))
	}
	if h.orders > 0 {
		t, r, err := h.stabilities(ctx, h.orders)
		if err != nil {
			return nil, fmt.Errorf("stability: %w", err)
		}
		res.Notes = append(res.Notes, fmt.Sprintf("stability of the ticket: %s; of a random mask: %s; ratios %.2f and %.2f",
			t, r, t.order.l2/r.order.l2, t.prune.l2/r.prune.l2))
	}
	if h.set.Untrained {
		if err := h.start.Restore(h.Graph); err != nil {
			return nil, err
		}
		h.masks.Apply()
	}
	return res, nil
}

// judge measures on what is held out.
func (h *hunt) judge(ctx context.Context, g *graph.Graph, epochs []train.Epoch) (o outcome, err error) {
	if o.accuracy, err = h.accuracy(ctx, g); err != nil {
		return o, err
	}
	if h.Data.Val == nil || len(epochs) == 0 {
		return o, nil
	}
	best := epochs[0]
	for _, e := range epochs {
		if e.ValLoss < best.ValLoss {
			best = e
		}
	}
	o.early = best.Step
	return o, nil
}

func (o outcome) String() string {
	s := fmt.Sprintf("accuracy %.2f %%", 100*o.accuracy)
	if o.early > 0 {
		s += fmt.Sprintf(", least validation loss at step %d", o.early)
	}
	return s
}
