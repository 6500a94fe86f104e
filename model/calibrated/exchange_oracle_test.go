package calibrated

import (
	"math"
	"slices"
	"testing"

	"pare/internal/oracle"
)

// relative keeps of a layer, of every row or of every four, the weights of the largest
// share of their column and of their row, times the power of the norm of their input.
func relative(t *testing.T, ps []part, s *RIA, pattern bool) (kept []bool) {
	t.Helper()
	var score [][]float64
	for _, p := range ps {
		for _, w := range p.w {
			row := make([]float64, len(w))
			for k := range w {
				square, inRow, inColumn := 0.0, 0.0, 0.0
				for _, x := range p.x {
					square += x[k] * x[k]
				}
				for _, v := range w {
					inRow += math.Abs(v)
				}
				for _, other := range p.w {
					inColumn += math.Abs(other[k])
				}
				row[k] = (math.Abs(w[k])/inColumn + math.Abs(w[k])/inRow) * math.Pow(square, s.Power/2)
			}
			score = append(score, row)
		}
	}
	before := 0
	for _, row := range score {
		if pattern {
			for at := 0; at < len(row); at += 4 {
				group := row[at:min(at+4, len(row))]
				kept = append(kept, oracle.Best(t, group, (len(group)+1)/2, oracle.KeepFirst)...)
			}
			continue
		}
		if s.Rank == "row" {
			cut := upTo(before+len(row), s.Sparsity) - upTo(before, s.Sparsity)
			kept = append(kept, oracle.Best(t, row, len(row)-cut, oracle.CutFirst)...)
		}
		before += len(row)
	}
	if !pattern && s.Rank == "layer" {
		all := slices.Concat(score...)
		kept = oracle.Best(t, all, len(all)-upTo(len(all), s.Sparsity), oracle.CutFirst)
	}
	zero(ps, kept)
	return kept
}

// zero cuts what is not kept.
func zero(ps []part, kept []bool) {
	i := 0
	for _, p := range ps {
		for _, w := range p.w {
			for k := range w {
				if !kept[i] {
					w[k] = 0
				}
				i++
			}
		}
	}
}

// ascending sorts places by a number each, which must differ clearly.
func ascending(t *testing.T, at []int, by func(k int) float64) []int {
	t.Helper()
	out := slices.Clone(at)
	slices.SortStableFunc(out, func(a, b int) int {
		if by(a) < by(b) {
			return -1
		} else if by(a) > by(b) {
			return 1
		}
		return 0
	})
	for i := 1; i < len(out); i++ {
		if a, b := by(out[i-1]), by(out[i]); a != b && math.Abs(a-b) < 1e-5*math.Abs(b) {
			t.Fatalf("%v and %v are too close for a test: choose another seed", a, b)
		}
	}
	return out
}

// exchanged begins with the mask of the lowest first scores of every row, or all but two of
// every four, and exchanges pairs: lists of what is cut, by sign of what it brings to the
// output, and of what stays. samples went into the rows of x.
func exchanged(t *testing.T, ps []part, s *DSnoT, pattern bool, samples int) (kept []bool) {
	t.Helper()
	before := 0
	for _, p := range ps {
		cols := len(p.w[0])
		sum, square, variance, first := make([]float64, cols), make([]float64, cols), make([]float64, cols), make([]float64, cols)
		for k := range cols {
			for _, x := range p.x {
				sum[k] += x[k]
				square[k] += x[k] * x[k]
			}
			n := float64(len(p.x))
			for _, x := range p.x {
				variance[k] += (x[k] - sum[k]/n) * (x[k] - sum[k]/n) / n
			}
			switch s.Initial {
			case "magnitude":
				first[k] = 1
			case "wanda":
				first[k] = math.Sqrt(square[k])
			}
		}
		if s.Initial == "sparsegpt" {
			first = corners(p.x)
		}
		for _, w := range p.w {
			score := make([]float64, cols)
			brings := make([]float64, cols)
			for k := range w {
				score[k] = math.Abs(w[k]) * first[k]
				brings[k] = w[k] * sum[k] / float64(samples)
			}
			var keep []bool
			if pattern {
				for at := 0; at < cols; at += 4 {
					group := score[at:min(at+4, cols)]
					keep = append(keep, oracle.Best(t, group, (len(group)+1)/2, oracle.KeepFirst)...)
				}
			} else {
				cut := upTo(before+cols, s.Sparsity) - upTo(before, s.Sparsity)
				keep = oracle.Best(t, score, cols-cut, oracle.CutFirst)
			}
			before += cols
			missing := 0.0
			var gainers, losers []int // cut weights that bring more than nothing, and less
			var stay []int
			for k := range w {
				switch {
				case keep[k]:
					stay = append(stay, k)
				case brings[k] > 0:
					gainers = append(gainers, k)
				case brings[k] < 0:
					losers = append(losers, k)
				}
				if !keep[k] {
					missing += brings[k]
				}
			}
			worth := func(k int) float64 { return brings[k] / math.Pow(variance[k], s.Power) }
			gainers, losers = ascending(t, gainers, worth), ascending(t, losers, worth)
			slices.Reverse(gainers)
			stay = ascending(t, stay, func(k int) float64 { return math.Abs(w[k]) * math.Sqrt(square[k]) })
			was := slices.Clone(keep)
			start := missing
			for range s.Cycles {
				if math.Abs(math.Abs(missing)-s.Threshold) < 1e-5*s.Threshold {
					t.Fatal("too close to the threshold for a test: choose another seed")
				}
				if math.Abs(missing) <= s.Threshold {
					break
				}
				list := &gainers
				if missing < 0 {
					list = &losers
				}
				if len(*list) == 0 {
					break
				}
				up := (*list)[0]
				*list = (*list)[1:]
				down := -1
				if pattern {
					for k := up - up%4; k < min(up-up%4+4, cols); k++ {
						if was[k] && (down < 0 || score[k] < score[down]) {
							down = k
						}
					}
					if down < 0 {
						continue
					}
					was[down] = false
				} else {
					i := slices.IndexFunc(stay, func(k int) bool { return brings[k]*missing < 0 })
					if i < 0 {
						break
					}
					down = stay[i]
					stay = slices.Delete(stay, i, i+1)
				}
				next := missing - brings[up] + brings[down]
				if (s.SameSign || pattern) && next*start <= 0 {
					break
				}
				keep[up], keep[down] = true, false
				missing = next
			}
			kept = append(kept, keep...)
		}
	}
	zero(ps, kept)
	return kept
}

// corners are 1 / U_kk of the upper Cholesky factor U of the damped second moments'
// inverse: U_kk² is the first entry of the inverse of what is left of the moments from k on.
func corners(x [][]float64) []float64 {
	n := len(x[0])
	h := make([][]float64, n)
	mean := 0.0
	for a := range h {
		h[a] = make([]float64, n)
		for b := range h {
			for _, r := range x {
				h[a][b] += r[a] * r[b]
			}
		}
	}
	silent := make([]bool, n)
	for a := range h {
		if h[a][a] == 0 {
			silent[a], h[a][a] = true, 1
		}
		mean += h[a][a] / float64(n)
	}
	for a := range h {
		h[a][a] += .01 * mean
	}
	out := make([]float64, n)
	for k := range h {
		var rest [][]float64
		for _, row := range h[k:] {
			rest = append(rest, slices.Clone(row[k:]))
		}
		if !silent[k] {
			out[k] = 1 / math.Sqrt(inverted(rest)[0][0])
		}
	}
	return out
}
