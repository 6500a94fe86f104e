package model

import (
	"context"

	"pare/prune"
	"pare/prune/calibrate"
)

// ByPart is a Method that may cut a layer by its weights and by what goes into it alone, so
// that a network can be cut part by part, each of which is let go before the next is read.
type ByPart interface {
	Method
	// ByPart says how a part is cut. The error says why these settings need the whole
	// network, and the way on.
	ByPart() (*PartCut, error)
}

// PartCut cuts the parts of a network, one after the other.
type PartCut struct {
	Scope   prune.Scope
	Samples int  // that run through the network; 0: none are needed
	Moments bool // all second moments of the inputs of a layer are held
	Cut     func(ctx context.Context, p *Part) (*PartResult, error)

	Named func(weights []string) error             // checks settings that name weights of the whole network; nil: there are none
	Tell  func(res *Result, counts map[string]int) // writes notes of what the parts counted; nil: they count nothing
}

// Part is a part of a network that is to be cut.
type Part struct {
	*Job                        // whose network is the part
	Weights   []*prune.Weight   // in scope
	Count     int               // samples that run through it
	Walk      *calibrate.Walk   // through the part, from its beginning; nil: no samples run
	Calibrate calibrate.Options // of the walk
}

// PartResult is what became of a part. Its weights are cut, and where the method moves those
// that stay, moved.
type PartResult struct {
	Masks  *prune.Masks
	Skips  []prune.Skip   // what cannot be looked into
	Layers int            // that were looked into
	Few    int            // of them, those with more inputs than there are rows of samples
	Counts map[string]int // of the method's own, which are added up
}

// Join adds what became of another part, but for its masks.
func (r *PartResult) Join(o *PartResult) {
	r.Skips = append(r.Skips, o.Skips...)
	r.Layers += o.Layers
	r.Few += o.Few
	for name, n := range o.Counts {
		if r.Counts == nil {
			r.Counts = map[string]int{}
		}
		r.Counts[name] += n
	}
}

// Tell writes the notes of what was left whole, and of what the samples do not decide.
func (r *PartResult) Tell(res *Result) {
	for _, k := range r.Skips {
		res.Note("%d weights are left whole: %s %s", k.Len, k.Name, k.Why)
	}
	if r.Few > 0 {
		res.Note("%d of %d layers have more inputs than the samples have rows for: what the samples do not decide, the damping does; more {Samples} help", r.Few, r.Layers)
	}
}
