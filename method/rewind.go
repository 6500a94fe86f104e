package method

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Rewind are the settings of the search with rewinding.
type Rewind struct {
	To        string `flag:"rewind" doc:"how much training the weights keep that they go back to: optimiser steps (500), epochs (2ep) or percent (5%)"`
	Keep      bool   `flag:"keep-weights" doc:"learning-rate rewinding: the weights stay as they are trained, only the schedule goes back"`
	Stability int    `flag:"stability" doc:"measure how stable the ticket is, beside a random mask, over so many orders of the samples, at least 2 (0: do not)"`
	Tickets
}

var rewind = &Method{
	ID: "15", Name: "rewind", Title: "Lottery tickets with rewinding to an early step",
	Paper: "Frankle, Dziugaite, Roy, Carbin: Stabilizing the Lottery Ticket Hypothesis (2019). arXiv 1903.01611; learning-rate rewinding: Renda, Frankle, Carbin: Comparing Rewinding and Fine-tuning in Neural Network Pruning (2020). arXiv 2003.02389",
	Cuts:  "weights", Needs: Trains,
	Doc: `The search of method lottery, but the weights go back to where they were after some steps of training (k), and
training goes on from there: learning rate, warm-up, epoch and order of the samples are those of step k. On deep networks
this finds tickets where the initial weights have none. k = 0 is method lottery, bit for bit. With --keep-weights the
weights stay as trained and only the schedule goes back, which the second paper found as good.

The optimiser begins anew after rewinding, as in open_lth, which was read: it loads weights alone and counts the schedule
forward. There the dense network is trained from a file of step k too; here its training is not interrupted, so that its
result is that of plain training. Running statistics go back with the weights. Of the controls, random begins at k like the
ticket, those that draw weights anew are trained in full.

--stability N measures what the paper explains tickets by, for the ticket and for a random mask of as many weights in
each layer: D_O, the distance between trainings in different orders of the samples (mean over the pairs of N orders),
and D_P, the distance to the dense network trained from k in the same order, of the weights that the mask keeps, without
biases and normalisation. Lower is more stable. It takes 2N trainings more.`,
	Settings: func() any { return &Rewind{To: "2%", Tickets: ticketDefaults()} },
	Run:      runRewind, Claims: rewindClaims,
}

func runRewind(ctx context.Context, j *Job) (*Result, error) {
	s := j.Settings.(*Rewind)
	at, err := stepOf(s.To, j)
	switch {
	case err != nil:
		return nil, err
	case s.Keep && s.Untrained:
		return nil, errors.New("--keep-weights never goes back to untrained weights: leave --untrained out")
	case s.Keep && s.Stability != 0:
		return nil, errors.New("--stability compares trainings that begin at the same weights: leave --keep-weights out")
	case s.Stability < 0 || s.Stability == 1:
		return nil, fmt.Errorf("--stability %d: distances need at least 2 orders of the samples", s.Stability)
	}
	h, err := newHunt(j, &s.Tickets, at)
	if err != nil {
		return nil, err
	}
	h.keep = s.Keep
	if s.Stability > 0 {
		h.runs += 2 * s.Stability
	}
	h.orders = s.Stability
	j.logf("weights go back to step %d of %d", at, j.Steps())
	return h.report(ctx)
}

// stepOf reads a point of the training: steps, epochs or percent.
func stepOf(to string, j *Job) (int, error) {
	total := j.Steps()
	if total == 0 {
		return 0, errors.New("tickets are found by training: give --data and --epochs")
	}
	num, unit := to, 1.0
	if n, ok := strings.CutSuffix(to, "ep"); ok {
		num, unit = n, float64(total)/float64(j.Recipe.Epochs)
	} else if n, ok := strings.CutSuffix(to, "%"); ok {
		num, unit = n, float64(total)/100
	} else if n, ok := strings.CutSuffix(to, "it"); ok {
		num = n
	}
	x, err := strconv.ParseFloat(num, 64)
	if err != nil || math.IsNaN(x) {
		return 0, fmt.Errorf("--rewind %q is neither steps (500), epochs (2ep) nor percent of the training (5%%)", to)
	}
	if at := x * unit; at >= 0 && at <= float64(total) {
		return int(math.Round(at)), nil
	}
	return 0, fmt.Errorf("--rewind %s is step %.6g of a training of %d steps: choose one within it", to, x*unit, total)
}
