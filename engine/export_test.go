package engine

import (
	"fmt"
	"math"

	"pare/internal/kernel"
	"pare/tensor"
)

// Poison fills the memory of activations with NaN: a step that reads what no
// step of the same run wrote gives it away.
func (p *Program) Poison() {
	for i := range p.arena {
		p.arena[i] = float32(math.NaN())
	}
}

// CheckMemory follows the plan through its arena: every step must find what it
// reads as it was written, and so must whoever reads the outputs at the end.
func (p *Program) CheckMemory() error {
	owner := make([]*buffer, len(p.arena))
	last := map[*buffer]string{}
	place := func(b *buffer) (*buffer, []*buffer, error) {
		r := b.root()
		if r.fixed {
			return r, nil, nil
		}
		if b.n > r.n || r.off < 0 || r.off%align != 0 || r.off+r.n > len(owner) || len(b.data) != b.n || b.n > 0 && &b.data[0] != &p.arena[r.off] {
			return r, nil, fmt.Errorf("a buffer of %d floats at %d does not lie in its place in the arena of %d", r.n, r.off, len(owner))
		}
		return r, owner[r.off : r.off+r.n], nil
	}
	whole := func(b *buffer, who string) error {
		r, cells, err := place(b)
		if err != nil {
			return fmt.Errorf("%s: %w", who, err)
		}
		for i, o := range cells {
			if o == nil {
				return fmt.Errorf("%s reads float %d of a buffer that nobody has written", who, i)
			}
			if o != r {
				return fmt.Errorf("%s reads float %d of what %s wrote after %s wrote what is wanted", who, i, last[o], last[r])
			}
		}
		return nil
	}
	for i, s := range p.steps {
		who := fmt.Sprintf("step %d (%q, %s)", i, s.node.Name, s.kernel)
		for _, b := range s.reads {
			if err := whole(b, who); err != nil {
				return err
			}
		}
		written := map[*buffer]bool{}
		for _, b := range s.writes {
			r, cells, err := place(b)
			if err != nil {
				return fmt.Errorf("%s: %w", who, err)
			}
			for _, q := range s.reads { // no kernel works in place
				if q.root() == r {
					return fmt.Errorf("%s writes what it reads", who)
				}
			}
			written[r] = true
			last[r] = who
			for k := range cells {
				if o := cells[k]; o != nil && o != r && written[o] {
					return fmt.Errorf("%s writes float %d twice", who, r.off+k)
				}
				cells[k] = r
			}
		}
		for _, b := range s.reads { // what is read must last until the step ends
			if err := whole(b, who+" at its end"); err != nil {
				return err
			}
		}
	}
	for _, o := range p.outputs {
		if o.Const == nil && o.DType == tensor.Float32 && p.at[o] != nil {
			if err := whole(p.at[o].buf[plain], fmt.Sprintf("output %q", o.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Kept is how many plans a session has.
func (s *Session) Kept() int {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.kept
}

// Forms is how many forms of weights its plans share.
func (s *Session) Forms() int {
	n := 0
	for _, f := range s.forms.forms {
		n++
		if ts, ok := f.([]*kernel.SparseGemmTask); ok {
			n += 1000 * sharedBy(ts)
		}
	}
	return n
}

// sharedBy is how many different weights sparse products read.
func sharedBy(ts []*kernel.SparseGemmTask) int {
	seen := map[any]bool{}
	for _, t := range ts {
		seen[t.Weights()] = true
	}
	return len(seen)
}

// PlanAnother makes a plan for a batch as a call does that finds none at rest.
func (s *Session) PlanAnother(batch int) error {
	_, err := s.plan(sizes{batch})
	return err
}

// LargestBatch is that of the plans that rest.
func (s *Session) LargestBatch() (most int) {
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, p := range s.idle {
		most = max(most, p.sizes[0])
	}
	return most
}
