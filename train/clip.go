package train

import (
	"math"

	"pare/internal/kernel"
)

// Adaptive is the Clip of a training whose limit follows its own gradients: four
// times the mean norm so far. Gradients of one size, whatever it is, are left alone,
// and one that towers above them moves the weights no further than its direction is
// worth (the reasoning of Seetharaman, Wichern, Pardo, Le Roux 2020, who take a
// percentile of the norms so far).
const Adaptive = -1

const (
	clipOver  = 4   // the limit, in mean norms
	clipKeeps = .98 // share of the mean that stays when a norm comes to it
	clipFirst = 10  // steps that are not limited, for there is no mean yet
)

// norms is the running mean of the gradient's norm, each as it was after clipping.
type norms struct {
	mean float64
	seen int
}

// limit is the largest norm that the next gradient may have.
func (n *norms) limit() float64 {
	if n.seen < clipFirst {
		return math.Inf(1)
	}
	return clipOver * n.mean
}

// see takes a norm into the mean: the plain one of the first, then one that forgets.
func (n *norms) see(x float64) {
	n.seen++
	n.mean += (x - n.mean) * max(1-clipKeeps, 1/float64(n.seen))
}

// clip scales the gradients so that their joint norm is at most Clip.
func (r *Run) clip() {
	sum := 0.0
	for _, p := range r.Params {
		sum += kernel.Dot(p.G, p.G)
	}
	norm, limit := math.Sqrt(sum), r.Clip
	if limit == Adaptive {
		limit = r.norms.limit()
	}
	if norm > limit {
		f := float32(limit / norm)
		for _, p := range r.Params {
			kernel.Scale(f, p.G, p.G)
		}
	}
	if seen := math.Min(norm, limit); finite(seen) {
		r.norms.see(seen)
	}
}
