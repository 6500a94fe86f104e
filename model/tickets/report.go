package tickets

import (
	"context"
	"fmt"

	"pare/graph"
	"pare/model"
	"pare/train"
)

// Facts are what a search came to.
type Facts struct {
	Kept      float64            `json:"kept"`    // share of the candidates that the ticket keeps
	Dense     Outcome            `json:"dense"`   // of the dense network
	Ticket    Outcome            `json:"ticket"`  // of the ticket
	Winning   bool               `json:"winning"` // at least as accurate, and not later, than the dense network
	Controls  []ControlOutcome   `json:"controls,omitempty"`
	Stability []StabilityOutcome `json:"stability,omitempty"` // of the ticket, and of a random mask
}

// Outcome is what a training came to on what is held out.
type Outcome struct {
	train.Score     // by the metric that decides; without one the loss
	Early       int `json:"early_stop_step"` // of the least validation loss; 0: there is no validation set
}

// ControlOutcome is what a control came to.
type ControlOutcome struct {
	Control string `json:"control"`
	Outcome
}

func (o Outcome) String() string {
	s := o.Metric + " " + o.Show()
	if o.Early > 0 {
		s += fmt.Sprintf(", least validation loss at step %d", o.Early)
	}
	return s
}

// report searches, trains the controls, measures stability over a number of orders of
// the samples (0: not), and says what all came to.
func (p *IMP) report(ctx context.Context, orders int) (*model.Result, error) {
	res := &model.Result{Graph: p.Graph}
	facts := &Facts{}
	res.Facts = facts
	p.Trained = func(round int, epochs []train.Epoch) (err error) {
		res.Add(epochs)
		facts.Ticket, err = p.judge(ctx, p.Graph, epochs)
		what := fmt.Sprintf("round %d of %d: %.2f %% of the weights left", round, p.rounds, 100*(1-p.Masks.Sparsity()))
		if round == 0 {
			facts.Dense = facts.Ticket
			what = "the dense network"
		}
		p.Logf("%s: %s", what, facts.Ticket)
		return err
	}
	if err := p.Search(ctx); err != nil {
		return nil, err
	}
	res.Masks = p.Masks
	facts.Kept = 1 - p.Masks.Sparsity()
	if p.Held() != nil {
		facts.Winning = facts.Ticket.Good() >= facts.Dense.Good() && facts.Ticket.Early <= facts.Dense.Early
		verdict := "no winning ticket"
		if facts.Winning {
			verdict = "a winning ticket"
		}
		res.Note("dense: %s", facts.Dense)
		res.Note("the ticket, %.2f %% of the weights: %s: %s", 100*facts.Kept, facts.Ticket, verdict)
	}
	if err := p.controls(ctx, res, facts); err != nil {
		return nil, err
	}
	if orders > 0 {
		t, r, err := p.Stabilities(ctx, orders)
		if err != nil {
			return nil, fmt.Errorf("stability: %w", err)
		}
		facts.Stability = []StabilityOutcome{t.StabilityOutcome, r.StabilityOutcome}
		res.Note("stability of the ticket: %s; of a random mask: %s; ratios %.2f and %.2f", t, r, t.Order.L2/r.Order.L2, t.Prune.L2/r.Prune.L2)
	}
	if p.set.Untrained {
		if err := p.start.Restore(p.Graph); err != nil {
			return nil, err
		}
		p.Masks.Apply()
	}
	return res, nil
}

// controls trains what the ticket is compared with.
func (p *IMP) controls(ctx context.Context, res *model.Result, facts *Facts) error {
	for _, c := range p.set.wanted() {
		g, epochs, err := p.Control(ctx, c)
		if err != nil {
			return fmt.Errorf("control %s: %w", c, err)
		}
		o, err := p.judge(ctx, g, epochs)
		if err != nil {
			return err
		}
		facts.Controls = append(facts.Controls, ControlOutcome{c, o})
		res.Note("control %s (%s): %s", c, controls[c], o)
	}
	return nil
}

// judge measures on what is held out.
func (p *IMP) judge(ctx context.Context, g *graph.Graph, epochs []train.Epoch) (o Outcome, err error) {
	if o.Score, err = p.Job.Score(ctx, g); err != nil {
		return o, err
	}
	if p.Data.Val == nil || len(epochs) == 0 {
		return o, nil
	}
	best := epochs[0]
	for _, e := range epochs {
		if e.ValLoss < best.ValLoss {
			best = e
		}
	}
	o.Early = best.Step
	return o, nil
}
