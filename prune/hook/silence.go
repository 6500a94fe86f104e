package hook

import (
	"pare/graph"
	"pare/prune"
	"pare/train"
)

// Silence holds at zero what is added behind the filters that masks cut whole:
// the bias of the convolution, and the shift of the batch normalisation that
// alone reads its output. So a cut filter gives zeros, as long as the running
// mean is zero too, and its channel can be removed. It follows, in the order of
// hooks, the one that makes the masks. Where that one computes with the masks before
// it changes them, it stands before it too: momentum of a bias outlives the cut.
type Silence struct {
	train.Base
	Of    *prune.Masks
	Graph *graph.Graph

	added [][]*train.Param // by weight
}

// Start finds biases and shifts.
func (s *Silence) Start(r *train.Run) error {
	uses := s.Graph.Uses()
	s.added = nil
	for _, w := range s.Of.Weights {
		var to []*train.Param
		put := func(v *graph.Value) {
			if v == nil {
				return
			}
			if p := r.Param(v.Name); p != nil && len(p.W) == w.Const.Shape[w.Out] {
				to = append(to, p)
			}
		}
		put(w.Node.In(2))
		if u := uses[w.Node.Out(0)]; len(u) == 1 && u[0].Node.Is("BatchNormalization") {
			put(u[0].Node.In(2))
		}
		s.added = append(s.added, to)
	}
	return s.AfterStep(r)
}

// AfterStep zeroes.
func (s *Silence) AfterStep(*train.Run) error {
	for l, w := range s.Of.Weights {
		rows, _, at := w.Matrix()
		for _, p := range s.added[l] {
			for r := range rows {
				if !s.Of.Mask[l].Kept(at(r, 0)) {
					p.W[r] = 0
				}
			}
		}
	}
	return nil
}
