// Package hook holds what takes part in training on behalf of pruning methods:
// hooks that hold masks, raise the sparsity, exchange weights, learn masks, keep
// snapshots, and train shared weights. A method is a few of them in a list:
//
//	hold := &hook.Hold{Masks: masks}
//	raise := &hook.Raise{Hold: hold, Schedule: s, Pick: pick}
//	train.Fit(ctx, &train.Config{…, Hooks: []train.Hook{hold, raise}})
package hook

import (
	"errors"
	"fmt"
	"slices"

	"pare/prune"
	"pare/train"
)

// Hold keeps the cut entries of masked weights at zero while training moves
// the others. Training is told of the masks, and computes only what they keep
// where that is faster. Hooks that change the masks stand behind it in the list
// and call Sync.
type Hold struct {
	train.Base
	*prune.Masks
	params []*train.Param // parallel to the masks
	told   [][]uint64     // what training was told
}

// MaskSafe says that what is held stays held.
func (h *Hold) MaskSafe() {}

// Start finds the parameters that the masks belong to, and applies the masks.
func (h *Hold) Start(r *train.Run) error {
	h.params = h.params[:0]
	for _, w := range h.Weights {
		p := r.Param(w.Name)
		if p == nil || len(p.W) != w.Len() {
			return fmt.Errorf("weight %q is masked but not trained: exclude it", w.Name)
		}
		h.params = append(h.params, p)
	}
	h.told = make([][]uint64, len(h.params))
	h.apply()
	return h.Sync(r)
}

// BeforeStep tells training of masks that have changed.
func (h *Hold) BeforeStep(r *train.Run) error { return h.Sync(r) }

// Sync tells training of masks that have changed, and zeroes what they cut.
func (h *Hold) Sync(r *train.Run) error {
	for i, p := range h.params {
		if slices.Equal(h.told[i], h.Mask[i].Bits) {
			continue
		}
		h.applyTo(i)
		if err := r.Mask(p, h.Mask[i].Bits); err != nil {
			return err
		}
		h.told[i] = append(h.told[i][:0], h.Mask[i].Bits...)
	}
	return nil
}

// AfterStep zeroes the cut entries of weights and optimiser state, where they
// have not stayed zero of themselves.
func (h *Hold) AfterStep(r *train.Run) error {
	if !r.Held() {
		h.apply()
	}
	return nil
}

func (h *Hold) apply() {
	for i := range h.params {
		h.applyTo(i)
	}
}

func (h *Hold) applyTo(i int) {
	p := h.params[i]
	h.Mask[i].Apply(p.W)
	for _, s := range p.State {
		h.Mask[i].Apply(s)
	}
}

// started returns an error where the hook of masks does not stand before the one
// that changes them.
func (h *Hold) started() error {
	if h == nil || h.Masks == nil || len(h.params) != len(h.Weights) {
		return errors.New("a hook that changes masks needs its Hold before it in the list of hooks")
	}
	return nil
}
