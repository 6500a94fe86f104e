package train

import "pare/graph"

// Run is a training in progress, as hooks see it.
type Run struct {
	*Config
	Params []*Param
	Stats  []*graph.Value // running statistics of normalisations
	Step   int            // optimiser steps done
	Total  int            // optimiser steps of the whole run
	Epoch  int            // epochs done
	Past   []Epoch        // what they came to, those before a resume too
	Loss   float64        // of the last batch
	Index  int            // of the present batch in its epoch
	Rate   Rate           // what Config says, less what going back has taken off
	Peak   float64        // the rate that Find found; 0 where it was not asked
	Tested int            // steps of its test; 0: Peak is the usual rate
	Backs  []Back         // returns to an earlier state
	Kept   int            // the epoch whose weights were kept for being the best; 0: those of the last

	factor float64     // of the rate
	good   *checkpoint // to go back to
	best   *checkpoint // after the epoch that is chosen
	chosen chosen
	watch  watch
	norms  norms

	pass  *Step
	saved int     // the step of the checkpoint that is there; -1: none
	sum   float64 // of the epoch's losses
	dense bool    // gradients of masked parameters are computed in full
	wait  waiting
}

// Mask says which entries of a parameter are trained, see Step.Mask.
func (r *Run) Mask(p *Param, mask []uint64) error {
	if r.pass == nil { // not in training yet
		return nil
	}
	r.watch = watch{} // the loss of other masks is another
	return r.pass.Mask(p, mask)
}

// start starts the hooks, at the beginning or at a state that was restored.
func (r *Run) start() error {
	was := r.watch
	for _, h := range r.Hooks {
		if err := h.Start(r); err != nil {
			return err
		}
	}
	r.watch = was
	return nil
}

func (r *Run) say(format string, a ...any) {
	if r.Say != nil {
		r.Say(format, a...)
	}
}

// DenseGradients asks for the gradients of masked parameters in full, from the
// next forward and backward pass on, or takes that back.
func (r *Run) DenseGradients(on bool) {
	r.dense = on
	if r.pass != nil {
		r.pass.DenseGradients(on)
	}
}

// Gradient computes loss and gradients of batch i of an epoch's order at the
// present weights, into the parameters' G. A hook that calls it before the weights
// are moved replaces the gradients of the step (as sharpness-aware minimisation
// does, with the batch of the step: r.Epoch and r.Index); one that calls it after the
// step uses them for something of its own.
func (r *Run) Gradient(epoch, i int) (float64, error) { return r.GradientOf(r.Train, epoch, i) }

// GradientOf is Gradient on a batch of other samples, which have the same fields, and as
// many in a batch.
func (r *Run) GradientOf(from Source, epoch, i int) (float64, error) {
	if err := from.Fill(epoch, i, r.pass); err != nil {
		return 0, err
	}
	return r.pass.Run()
}

// safe says whether all hooks leave alone what masks have cut.
func (r *Run) safe() bool {
	for _, h := range r.Hooks {
		if _, ok := h.(MaskSafe); !ok {
			return false
		}
	}
	return true
}

// Held says whether what a mask cuts stays at zero of itself: its gradient is
// zero, and no hook may have changed that (see MaskSafe).
func (r *Run) Held() bool { return !r.dense && r.safe() }

// Param finds a parameter by name, or nil.
func (r *Run) Param(name string) *Param {
	for _, p := range r.Params {
		if p.Name == name {
			return p
		}
	}
	return nil
}
