package allocate

import (
	"fmt"
	"math"

	"pare/prune"
	"pare/prune/score"
)

// UniformPlus keeps the first convolution whole, at least a fifth of the last
// linear layer where the density is below a fifth, and the same share of all
// others (Gale, Elsen and Hooker 2019; Liu et al. 2022). Counts are rounded so that
// the total is exact. It returns an error where what is kept whole leaves nothing
// for the others.
func UniformPlus(ws []*prune.Weight, sparsity float64) ([]int, error) {
	total, err := Keep(prune.Total(ws), sparsity)
	if err != nil {
		return nil, err
	}
	share := make([]float64, len(ws))
	for l := range share {
		share[l] = math.NaN() // not fixed
	}
	for l, w := range ws {
		if w.Kind == prune.Conv {
			share[l] = 1
			break
		}
	}
	if c := classifier(ws); c >= 0 && 1-sparsity < .2 {
		share[c] = .2
	}
	rest, n := float64(total), 0
	for l, w := range ws {
		if math.IsNaN(share[l]) {
			n += w.Len()
		} else {
			rest -= share[l] * float64(w.Len())
		}
	}
	if n == 0 && math.Abs(rest) > 1 || n > 0 && rest <= 0 {
		return nil, fmt.Errorf("sparsity %v cannot be reached: the first convolution stays whole and a fifth of the last layer stays, which alone is %.0f weights, but %d may stay: lower the sparsity or use erk", sparsity, float64(total)-rest, total)
	}
	for l := range share {
		if math.IsNaN(share[l]) {
			share[l] = rest / float64(n)
		}
	}
	return exact(ws, share, total), nil
}

// ErdosRenyiPlus keeps the share fc of the last linear layer and spreads the rest
// over the others by ErdosRenyi with kernels (ERK+, Liu et al. 2022). It returns
// an error where the last layer alone holds more than may stay, or the others
// cannot hold what is left.
func ErdosRenyiPlus(ws []*prune.Weight, sparsity, fc float64) ([]int, error) {
	if !(fc > 0 && fc <= 1) {
		return nil, fmt.Errorf("the density %v of the last layer is outside (0,1]", fc)
	}
	total, err := Keep(prune.Total(ws), sparsity)
	if err != nil {
		return nil, err
	}
	c := classifier(ws)
	if c < 0 {
		return nil, fmt.Errorf("erk+ keeps the last linear layer, and the network has none in scope: use erk")
	}
	last := int(math.Round(fc * float64(ws[c].Len())))
	others := append(append([]*prune.Weight{}, ws[:c]...), ws[c+1:]...)
	n := prune.Total(others)
	switch left := total - last; {
	case left < 0 || left == 0 && n > 0:
		return nil, fmt.Errorf("sparsity %v cannot be reached: the last layer %q keeps %d weights, but %d may stay in all: lower the sparsity, or the density of the last layer", sparsity, ws[c].Name, last, total)
	case left > n:
		return nil, fmt.Errorf("sparsity %v cannot be met: the last layer %q keeps %d weights, and the others have %d of the %d that are to stay: raise the density of the last layer", sparsity, ws[c].Name, last, n, left)
	case n == 0:
		return []int{last}, nil
	}
	keep, err := erdosRenyi(others, total-last, true)
	if err != nil {
		return nil, err
	}
	return append(append(append([]int{}, keep[:c]...), last), keep[c:]...), nil
}

// classifier is the place of the last linear layer, or -1.
func classifier(ws []*prune.Weight) int {
	for l := len(ws) - 1; l >= 0; l-- {
		if ws[l].Kind == prune.Linear {
			return l
		}
	}
	return -1
}

// Counts is how much of each layer masks keep: the allocation without the choice.
func Counts(m *prune.Masks) []int {
	out := make([]int, len(m.Mask))
	for l := range out {
		out[l] = m.Mask[l].Count()
	}
	return out
}

// Shuffle keeps as many weights of each layer as m, at random places.
func Shuffle(m *prune.Masks, seed uint64) *prune.Masks {
	return Select(m.Weights, score.Random(m.Weights, seed), Counts(m), prune.CutFirst)
}
