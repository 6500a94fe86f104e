package allocate

import (
	"fmt"
	"math"

	"pare/prune"
)

// ErdosRenyi keeps of each layer a share proportional to the sum of its
// dimensions over their product: n_in+n_out for a matrix (Mocanu et al. 2018),
// and the kernel's sizes too where kernel is set (ERK, Evci et al. 2020,
// equation 1). A layer whose share would pass 1 stays dense and the others
// share what is left, until all fit. Counts are rounded so that the total is
// exact.
func ErdosRenyi(ws []*prune.Weight, sparsity float64, kernel bool) ([]int, error) {
	total, err := Keep(prune.Total(ws), sparsity)
	if err != nil {
		return nil, err
	}
	return erdosRenyi(ws, total, kernel)
}

// erdosRenyi spreads total entries.
func erdosRenyi(ws []*prune.Weight, total int, kernel bool) ([]int, error) {
	share, err := proportional(ws, erdosRenyiShares(ws, kernel), float64(total))
	if err != nil {
		return nil, err
	}
	return exact(ws, share, total), nil
}

// ErdosRenyiShares is what ErdosRenyi's shares are in proportion to: the sum of a weight's
// dimensions over their product, kernels' sizes among them.
func ErdosRenyiShares(ws []*prune.Weight) []float64 { return erdosRenyiShares(ws, true) }

func erdosRenyiShares(ws []*prune.Weight, kernel bool) []float64 {
	raw := make([]float64, len(ws))
	for l, w := range ws {
		dims := w.Const.Shape
		if !kernel && len(dims) > 2 {
			dims = dims[:2]
		}
		s, p := 0, 1
		for _, d := range dims {
			s, p = s+d, p*d
		}
		raw[l] = float64(s) / float64(p)
	}
	return raw
}

// proportional solves sum_l n_l*min(1, eps*raw_l) = total for eps and returns
// the shares.
func proportional(ws []*prune.Weight, raw []float64, total float64) ([]float64, error) {
	dense := make([]bool, len(ws))
	share := make([]float64, len(ws))
	for {
		rest, sum := total, 0.0
		for l, w := range ws {
			if dense[l] {
				rest -= float64(w.Len())
			} else {
				sum += raw[l] * float64(w.Len())
			}
		}
		if sum == 0 {
			if rest > 0.5 {
				return nil, fmt.Errorf("%v weights cannot be placed: every layer is full", rest)
			}
			return share, nil
		}
		eps, again := rest/sum, false
		for l := range ws {
			share[l] = 1
			if dense[l] {
				continue
			}
			if share[l] = eps * raw[l]; share[l] > 1 {
				dense[l], again = true, true
			}
		}
		if !again {
			return share, nil
		}
	}
}

// exact rounds share*n to integers with the given total, the largest
// remainders first (ties: the first layer).
func exact(ws []*prune.Weight, share []float64, total int) []int {
	out := make([]int, len(ws))
	rem := make([]float64, len(ws))
	for l, w := range ws {
		x := share[l] * float64(w.Len())
		out[l] = min(w.Len(), int(math.Floor(x+1e-9)))
		rem[l] = x - float64(out[l])
		total -= out[l]
	}
	for ; total > 0; total-- {
		best := -1
		for l, w := range ws {
			if out[l] < w.Len() && (best < 0 || rem[l] > rem[best]) {
				best = l
			}
		}
		if best < 0 {
			break
		}
		out[best]++
		rem[best]--
	}
	return out
}
