// Package score says how much a candidate matters. Higher stays.
package score

import (
	"fmt"
	"math"
	"math/rand/v2"

	"pare/prune"
	"pare/prune/structure"
)

// Magnitude is |w|, entry by entry.
func Magnitude(ws []*prune.Weight) [][]float32 {
	out := make([][]float32, len(ws))
	for l, w := range ws {
		out[l] = make([]float32, w.Len())
		for i, x := range w.Data() {
			out[l][i] = float32(math.Abs(float64(x)))
		}
	}
	return out
}

// Squares is w*w, entry by entry.
func Squares(ws []*prune.Weight) [][]float32 {
	out := Magnitude(ws)
	for _, s := range out {
		for i, x := range s {
			s[i] = x * x
		}
	}
	return out
}

// Random is uniform in [0,1), by seed.
func Random(ws []*prune.Weight, seed uint64) [][]float32 {
	r := rand.New(rand.NewPCG(seed, 0x5c02e))
	out := make([][]float32, len(ws))
	for l, w := range ws {
		out[l] = make([]float32, w.Len())
		for i := range out[l] {
			out[l][i] = r.Float32()
		}
	}
	return out
}

// RandomChannels is uniform in [0,1) for every channel of every group, by seed.
func RandomChannels(groups []*structure.Group, seed uint64) [][]float64 {
	r := rand.New(rand.NewPCG(seed, 0xc4a22e1))
	out := make([][]float64, len(groups))
	for k, g := range groups {
		out[k] = make([]float64, len(g.Channels))
		for c := range out[k] {
			out[k][c] = r.Float64()
		}
	}
	return out
}

// Sensitivity is |w*g| (SNIP; first-order Taylor), given the gradients in the
// weights' order.
func Sensitivity(ws []*prune.Weight, grad [][]float32) [][]float32 {
	out := make([][]float32, len(ws))
	for l, w := range ws {
		out[l] = make([]float32, w.Len())
		for i, x := range w.Data() {
			out[l][i] = float32(math.Abs(float64(x) * float64(grad[l][i])))
		}
	}
	return out
}

// Within lowers the scores of what masks cut below all others, so that a choice by
// rank is one among what they keep, where some of it may score no better.
func Within(m *prune.Masks, score [][]float32) [][]float32 {
	out := make([][]float32, len(score))
	for l, s := range score {
		out[l] = make([]float32, len(s))
		for i, x := range s {
			if out[l][i] = x; !m.Mask[l].Kept(i) {
				out[l][i] = float32(math.Inf(-1))
			}
		}
	}
	return out
}

// Finite returns an error where a score is NaN or infinite: nothing can be ranked
// by it.
func Finite(name string, score []float32) error {
	for i, x := range score {
		if x-x != 0 {
			return fmt.Errorf("score %d of weight %q is %v, not a finite number", i, name, x)
		}
	}
	return nil
}
