package prune

import (
	"encoding/binary"
	"fmt"
	"math"

	"pare/prune/schedule"
	"pare/train"
)

// Gradual raises the sparsity while training, along a schedule: at every event
// masks are chosen anew by Pick. Between events the masks are held.
//
// Two published behaviours decide what a cut weight is worth at the next
// event. Hard (the default): it is zero for ever, so masks are nested. Keep: it
// keeps the value that it had when it was cut, and comes back if the others
// shrink below it (Zhu & Gupta's own code).
type Gradual struct {
	Hold
	Schedule schedule.Gradual
	Keep     bool
	Pick     func(sparsity float64) (*Masks, error) // by the weights' present values; nil: no event

	stash [][]float32 // Keep: the values of cut weights
	Trace []Event     // what was done, for the report
}

// Event is one change of the masks.
type Event struct {
	Step     int     `json:"step"`
	Wanted   float64 `json:"wanted"`
	Sparsity float64 `json:"sparsity"`
}

// Start checks the schedule and begins with the masks that there are.
func (g *Gradual) Start(r *train.Run) error {
	if g.Pick != nil {
		if err := g.Schedule.Check(r.Total); err != nil {
			return err
		}
	}
	if g.Keep && g.stash == nil {
		for _, w := range g.Weights {
			g.stash = append(g.stash, make([]float32, w.Len()))
		}
	}
	return g.Hold.Start(r)
}

// BeforeStep prunes where the schedule has an event.
func (g *Gradual) BeforeStep(r *train.Run) error {
	if g.Pick != nil && g.Schedule.Event(r.Step) {
		if err := g.event(r.Step); err != nil {
			return err
		}
	}
	return g.Hold.BeforeStep(r)
}

// AfterEpoch makes the last event where the window ends with the training.
func (g *Gradual) AfterEpoch(r *train.Run, _ train.Epoch) error {
	if g.Pick != nil && r.Step == r.Total && g.Schedule.End == r.Total {
		return g.event(r.Step)
	}
	return nil
}

func (g *Gradual) event(step int) error {
	if g.Keep { // give cut weights their values back for the ranking
		for i, p := range g.params {
			for k, v := range g.stash[i] {
				if !g.Mask[i].Kept(k) {
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
			m.Mask[i].And(g.Mask[i])
		}
	}
	g.Mask = m.Mask
	if g.Keep {
		for i, p := range g.params {
			copy(g.stash[i], p.W)
		}
	}
	g.Trace = append(g.Trace, Event{step, s, g.Sparsity()})
	g.apply()
	return nil
}

// MarshalBinary writes masks and stashed values.
func (g *Gradual) MarshalBinary() ([]byte, error) {
	m, err := g.Masks.MarshalBinary()
	if err != nil {
		return nil, err
	}
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(m)))
	out = append(out, m...)
	for _, s := range g.stash {
		for _, v := range s {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		}
	}
	return out, nil
}

// UnmarshalBinary restores them.
func (g *Gradual) UnmarshalBinary(b []byte) error {
	if len(b) < 8 || binary.LittleEndian.Uint64(b) > uint64(len(b)-8) {
		return fmt.Errorf("the saved state of gradual pruning is cut short")
	}
	n := 8 + int(binary.LittleEndian.Uint64(b))
	if err := g.Masks.UnmarshalBinary(b[8:n]); err != nil {
		return err
	}
	b = b[n:]
	if !g.Keep {
		return nil
	}
	if len(b) != 4*Total(g.Weights) {
		return fmt.Errorf("the saved state of gradual pruning is of another variant")
	}
	g.stash = nil
	for _, w := range g.Weights {
		s := make([]float32, w.Len())
		for i := range s {
			s[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		b = b[4*len(s):]
		g.stash = append(g.stash, s)
	}
	return nil
}
