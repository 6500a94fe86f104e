package hook

import (
	"fmt"

	"pare/prune"
	"pare/prune/schedule"
	"pare/train"
)

// Raise raises the sparsity while training, along a schedule: at every event
// masks are chosen anew by Pick. Between events Hold holds them.
//
// Two published behaviours decide what a cut weight is worth at the next
// event. Hard (the default): it is zero for ever, so masks are nested. Keep: it
// keeps the value that it had when it was cut, and comes back if the others
// shrink below it (Zhu & Gupta's own code).
type Raise struct {
	train.Base
	Hold     *Hold // stands before it in the list of hooks
	Schedule schedule.Gradual
	Keep     bool
	Pick     func(sparsity float64) (*prune.Masks, error) // by the weights' present values

	stash [][]float32 // Keep: the values of cut weights
	Trace []Event     // what was done, for the report
}

// Event is one change of the masks.
type Event struct {
	Step     int     `json:"step"`
	Wanted   float64 `json:"wanted"`
	Sparsity float64 `json:"sparsity"`
}

// MaskSafe says that weights are cut through Hold alone.
func (g *Raise) MaskSafe() {}

// Start checks the schedule.
func (g *Raise) Start(r *train.Run) error {
	if err := g.Hold.started(); err != nil {
		return err
	}
	if g.Keep && g.stash == nil {
		for _, w := range g.Hold.Weights {
			g.stash = append(g.stash, make([]float32, w.Len()))
		}
	}
	return g.Schedule.Check(r.Total)
}

// BeforeStep prunes where the schedule has an event.
func (g *Raise) BeforeStep(r *train.Run) error {
	if !g.Schedule.Event(r.Step) {
		return nil
	}
	if err := g.event(r.Step); err != nil {
		return err
	}
	return g.Hold.Sync(r)
}

// Settled says whether the last event is over.
func (g *Raise) Settled(r *train.Run) bool { return r.Step > g.Schedule.End || r.Step == r.Total }

// AfterEpoch makes the last event where the window ends with the training.
func (g *Raise) AfterEpoch(r *train.Run, _ train.Epoch) error {
	if r.Step == r.Total && g.Schedule.End == r.Total {
		return g.event(r.Step)
	}
	return nil
}

func (g *Raise) event(step int) error {
	if g.Keep { // give cut weights their values back for the ranking
		for i, p := range g.Hold.params {
			for k, v := range g.stash[i] {
				if !g.Hold.Mask[i].Kept(k) {
					p.W[k] = v
				}
			}
		}
	}
	s := g.Schedule.At(step)
	m, err := g.Pick(s)
	if err != nil {
		return fmt.Errorf("pruning at step %d: %w", step, err)
	}
	if !g.Keep {
		for i := range m.Mask { // a weight at zero by chance must not come back
			m.Mask[i].And(g.Hold.Mask[i])
		}
	}
	g.Hold.Mask = m.Mask
	if g.Keep {
		for i, p := range g.Hold.params {
			copy(g.stash[i], p.W)
		}
	}
	g.Trace = append(g.Trace, Event{step, s, g.Hold.Sparsity()})
	g.Hold.apply()
	return nil
}

// Name identifies the state in a checkpoint.
func (g *Raise) Name() string { return "values of cut weights" }

// MarshalBinary writes the stashed values.
func (g *Raise) MarshalBinary() ([]byte, error) {
	var out []byte
	for _, s := range g.stash {
		out = appendFloats(out, s)
	}
	return out, nil
}

// UnmarshalBinary restores them.
func (g *Raise) UnmarshalBinary(b []byte) error {
	g.stash = nil
	want := 0
	if g.Keep {
		want = 4 * prune.Total(g.Hold.Weights)
	}
	if len(b) != want {
		return fmt.Errorf("the saved values of cut weights are %d bytes, not %d: they are of another variant", len(b), want)
	}
	if !g.Keep {
		return nil
	}
	for _, w := range g.Hold.Weights {
		s := make([]float32, w.Len())
		b = takeFloats(s, b)
		g.stash = append(g.stash, s)
	}
	return nil
}
