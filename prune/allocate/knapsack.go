package allocate

import (
	"fmt"
	"math"
	"sort"
)

// Curve is what cutting one layer costs: Distortion[d] is the price of keeping
// Keep[d] of its weights. Keep falls, Distortion does not.
type Curve struct {
	Keep       []int
	Distortion []float64
}

// At is the distortion of keeping a number of weights, linear between the points.
func (c Curve) At(keep int) float64 {
	for d := 1; d < len(c.Keep); d++ {
		if k := c.Keep[d]; keep >= k {
			a := float64(min(keep, c.Keep[d-1])-k) / float64(c.Keep[d-1]-k)
			return a*c.Distortion[d-1] + (1-a)*c.Distortion[d]
		}
	}
	return c.Distortion[len(c.Distortion)-1]
}

// Knapsack chooses how many weights each layer keeps so that they are exactly
// budget in all and the sum of the distortions is least (Xu et al. 2023, arXiv
// 2308.10438, equations 8 to 11): dynamic programming over layers, small ones
// first, with g_i(r) = min_d distortion_i(d) + g_(i-1)(r - keep_i(d)) the least
// distortion of the first i layers with r weights at most.
//
// r is counted in cells. The layers' roundings together are less than one unit of
// total/units weights (one weight, where there are fewer than units in all), and
// never exceed the budget: the distortion is at most the least that is possible
// with a unit less. What the points of the curves leave over, less than one step
// of a curve, goes where a curve falls steepest, and is not counted in its
// favour. A budget that even the first points do not fill is kept in full.
// It returns an error where the layers cannot be cut that far.
func Knapsack(curves []Curve, budget, units int) ([]int, error) {
	if units < 1 {
		return nil, fmt.Errorf("%d units of the budget: at least 1 is needed", units)
	}
	total, least := 0, 0
	for l, c := range curves {
		if len(c.Keep) == 0 || len(c.Keep) != len(c.Distortion) {
			return nil, fmt.Errorf("curve %d has %d points and %d distortions", l, len(c.Keep), len(c.Distortion))
		}
		total += c.Keep[0]
		least += c.Keep[len(c.Keep)-1]
	}
	at := make([]int, len(curves)) // the chosen points
	switch {
	case budget < least:
		return nil, fmt.Errorf("%d weights may stay, but the layers keep %d of %d at least: ask for a sparsity of at most %.4f", budget, least, total, 1-float64(least)/float64(max(1, total)))
	case budget < total:
		at = solve(curves, budget, max(1, total/(units*len(curves))))
	}
	return fill(curves, at, budget), nil
}

// solve finds the points of least distortion; cell is the weights of a cell.
func solve(curves []Curve, budget, cell int) []int {
	order := make([]int, len(curves))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return curves[order[i]].Keep[0] < curves[order[j]].Keep[0] })
	cells := func(keep int) int { return (keep + cell - 1) / cell }

	at := make([]int, len(curves))
	need := 0
	for l, c := range curves {
		at[l] = len(c.Keep) - 1
		need += cells(c.Keep[at[l]])
	}
	top := budget / cell
	if need > top { // only the least points are sure to fit
		return at
	}
	choice := make([][]int32, len(curves))
	g, reach := []float64{0}, 0 // g[r] for r up to reach; beyond it is g[reach]
	for i, l := range order {
		c := curves[l]
		next := min(top, reach+cells(c.Keep[0]))
		h := make([]float64, next+1)
		choice[i] = make([]int32, next+1)
		for r := range h {
			h[r], choice[i][r] = math.Inf(1), -1
			for d := len(c.Keep) - 1; d >= 0; d-- { // from the fewest kept
				k := cells(c.Keep[d])
				if k > r {
					break
				}
				if x := c.Distortion[d] + g[min(r-k, reach)]; x < h[r] {
					h[r], choice[i][r] = x, int32(d)
				}
			}
		}
		g, reach = h, next
	}
	r := top
	for i := len(order) - 1; i >= 0; i-- {
		l := order[i]
		d := int(choice[i][min(r, len(choice[i])-1)])
		at[l] = d
		r = min(r, len(choice[i])-1) - cells(curves[l].Keep[d])
	}
	return at
}

// fill gives what the points leave of the budget to the curves that fall
// steepest behind them (where none falls, the first that are not full).
func fill(curves []Curve, at []int, budget int) []int {
	keep := make([]int, len(curves))
	for l, c := range curves {
		keep[l] = c.Keep[at[l]]
		budget -= keep[l]
	}
	for budget > 0 {
		best, slope := -1, -1.0
		for l, c := range curves {
			if at[l] == 0 {
				continue
			}
			gap := float64(c.Keep[at[l]-1] - c.Keep[at[l]])
			if s := (c.Distortion[at[l]] - c.Distortion[at[l]-1]) / gap; s > slope {
				best, slope = l, s
			}
		}
		if best < 0 {
			break
		}
		n := min(budget, curves[best].Keep[at[best]-1]-keep[best])
		keep[best] += n
		budget -= n
		at[best]--
	}
	return keep
}
