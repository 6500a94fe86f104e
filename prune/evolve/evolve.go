// Package evolve searches by evolution for what cannot be had all at once, such as a
// small network and a good one: a front of solutions none of which is worse than
// another in everything. It knows no network: a solution is a list of numbers, and
// what it costs is for the caller to say.
//
// The search is NSGA-II (Deb, Pratap, Agarwal, Meyarivan: A fast and elitist
// multiobjective genetic algorithm, IEEE Transactions on Evolutionary Computation
// 2002): see [NSGA2]. [Sort], [Crowding] and [Hypervolume] stand for themselves too.
package evolve

import (
	"math"
	"slices"
)

// Dominates says whether costs a are no larger than b in any objective, and smaller in
// one.
func Dominates(a, b []float64) bool {
	less := false
	for k, x := range a {
		if x > b[k] {
			return false
		}
		less = less || x < b[k]
	}
	return less
}

// Sort divides solutions by their costs into fronts, each by their places in order: the
// first is dominated by none, the next by none but those of fronts before it (Deb et al.
// 2002, section III.A).
func Sort(costs [][]float64) [][]int {
	by := make([]int, len(costs))   // how many dominate it
	of := make([][]int, len(costs)) // which it dominates
	var front []int
	for i, a := range costs {
		for j, b := range costs {
			switch {
			case Dominates(a, b):
				of[i] = append(of[i], j)
			case Dominates(b, a):
				by[i]++
			}
		}
		if by[i] == 0 {
			front = append(front, i)
		}
	}
	var out [][]int
	for len(front) > 0 {
		out = append(out, front)
		var next []int
		for _, i := range front {
			for _, j := range of[i] {
				if by[j]--; by[j] == 0 {
					next = append(next, j)
				}
			}
		}
		slices.Sort(next)
		front = next
	}
	return out
}

// Crowding is how far the neighbours of each solution of a front are apart, added up
// over the objectives, each as a share of its range in the front, so that objectives of
// different scales count alike; infinite at the ends (section III.B). It is parallel to
// the front.
func Crowding(costs [][]float64, front []int) []float64 {
	out := make([]float64, len(front))
	order := make([]int, len(front)) // places in the front
	for i := range order {
		order[i] = i
	}
	if len(front) == 0 {
		return out
	}
	for k := range costs[front[0]] {
		at := func(i int) float64 { return costs[front[i]][k] }
		slices.SortStableFunc(order, func(a, b int) int { return compare(at(a), at(b)) })
		first, last := order[0], order[len(order)-1]
		out[first], out[last] = math.Inf(1), math.Inf(1)
		span := at(last) - at(first)
		if span == 0 {
			continue
		}
		for n := 1; n+1 < len(order); n++ {
			out[order[n]] += (at(order[n+1]) - at(order[n-1])) / span
		}
	}
	return out
}

// compare is -1 where a is less than b, 1 where it is more.
func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Hypervolume is the area that solutions of two objectives dominate, up to a reference
// that is worse than all that counts (Zitzler, Thiele 1998). Who lies beyond the
// reference adds nothing.
func Hypervolume(costs [][]float64, reference [2]float64) float64 {
	all := slices.Clone(costs)
	slices.SortStableFunc(all, func(a, b []float64) int {
		if c := compare(a[0], b[0]); c != 0 {
			return c
		}
		return compare(a[1], b[1])
	})
	area, low := 0.0, reference[1]
	for _, c := range all {
		if c[0] < reference[0] && c[1] < low {
			area += (reference[0] - c[0]) * (low - c[1])
			low = c[1]
		}
	}
	return area
}
