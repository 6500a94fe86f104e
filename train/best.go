package train

import "math"

// Changing is a Hook that changes masks while it trains: it says when it has done so
// for the last time. Before that an epoch is not kept for being the best.
type Changing interface{ Settled(*Run) bool }

// chosen is the epoch whose weights are kept.
type chosen struct {
	Epoch
	top float64 // the best score of any, as Score.Good has it
}

// StdErr is the standard error of a score on n samples: of an accuracy that of a share,
// sqrt(p(1-p)/n); of other metrics it is not known, and 0.
func (s Score) StdErr(n int) float64 {
	if s.Metric != "accuracy" || n < 1 || !(s.Value >= 0 && s.Value <= 1) {
		return 0
	}
	return math.Sqrt(s.Value * (1 - s.Value) / float64(n))
}

// better says whether an epoch takes the place of the chosen one, by n samples held out:
// where these tell its score from the best by less than a standard error, and the chosen
// one is worse, or has a larger loss. A score on few samples is by chance better after
// one of several epochs; the loss is less so.
func (c *chosen) better(e Epoch, n int) bool {
	top := e.Score
	if c.Epoch.Epoch > 0 && c.top > e.Score.Good() {
		top.Value = math.Abs(c.top) // of a share; others have no error
	}
	least := c.raised(e) - top.StdErr(n)
	return c.Epoch.Epoch == 0 || e.Score.Good() >= least && (c.Score.Good() < least || e.ValLoss < c.ValLoss)
}

// raised is the best score with that of a further epoch.
func (c *chosen) raised(e Epoch) float64 {
	if c.Epoch.Epoch == 0 {
		return e.Score.Good()
	}
	return math.Max(c.top, e.Score.Good())
}

// settled says whether all masks are what they will be.
func (r *Run) settled() bool {
	for _, h := range r.Hooks {
		if c, ok := h.(Changing); ok && !c.Settled(r) {
			return false
		}
	}
	return true
}

// judge keeps the state after an epoch that is the best so far. What is kept is a
// state to go back to as well, so that none is kept that a return has undone.
func (r *Run) judge(e Epoch) error {
	if !r.Best || r.Val == nil || !r.settled() {
		return r.settle()
	}
	better := r.chosen.better(e, r.Val.Loader.Set.Len())
	if r.chosen.top = r.chosen.raised(e); !better {
		return r.settle()
	}
	var err error
	if r.best, err = r.state(r.best, false); err != nil {
		return err
	}
	if r.chosen.Epoch = e; r.Returns > 0 {
		r.good, err = r.state(r.good, true)
	}
	return err
}

// keepBest puts the weights, statistics and hooks of the best epoch back.
func (r *Run) keepBest() error {
	if r.best == nil {
		return nil
	}
	if r.Kept = r.chosen.Epoch.Epoch; r.best.Step == r.Step {
		return nil
	}
	if err := r.restore(r.best, false); err != nil {
		return err
	}
	return r.start()
}
