package sweep

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"pare/train"
)

// verdict says at each sparsity which method is the best by the metric, how that is against
// the dense network, and whether the next is further away than the seeds are apart.
func verdict(rows []*Row) []string {
	dense, others := densest(rows)
	var targets []string
	by := map[string][]*Row{}
	for _, r := range others {
		if r.Seeds == 0 {
			continue
		}
		if by[r.Target] == nil {
			targets = append(targets, r.Target)
		}
		by[r.Target] = append(by[r.Target], r)
	}
	var out []string
	for _, t := range targets {
		rs := by[t]
		slices.SortStableFunc(rs, func(a, b *Row) int { return cmp.Compare(b.Score.Good(), a.Score.Good()) })
		where := "As set"
		if t != "" {
			where = "At sparsity " + t
		}
		s := fmt.Sprintf("%s %s is the %s (%s", where, rs[0].Label, best(rs[0].Score), scoreCell(rs[0]).Text)
		if dense != nil {
			s += ", " + points(rs[0].Score, rs[0].Score.Value-dense.Score.Value) + " " + Dense
		}
		s += ")"
		if len(rs) > 1 {
			next := fmt.Sprintf("%s, the next, is %s it", rs[1].Label, points(rs[0].Score, rs[1].Score.Value-rs[0].Score.Value))
			switch apart := math.Hypot(rs[0].Spread, rs[1].Spread); {
			case rs[0].Seeds < 2 || rs[1].Seeds < 2:
				next += ", of which one seed cannot tell whether it is chance"
			case math.Abs(rs[0].Score.Value-rs[1].Score.Value) <= apart:
				next += ", which is within the spread of the seeds"
			}
			s += "; " + next
		}
		out = append(out, s+".")
	}
	if out == nil {
		return []string{"No run of a method ended well."}
	}
	return out
}

// best says what the best row is.
func best(s train.Score) string {
	if s.Metric == "accuracy" {
		return "most accurate"
	}
	return "best by " + s.Metric
}

// points writes a difference of scores before the name of what it is to.
func points(s train.Score, d float64) string {
	switch {
	case d == 0 || s.Unit == "%" && math.Abs(d) < .00005:
		if s.Metric == "accuracy" {
			return "as accurate as"
		}
		return "as good as"
	case d < 0:
		return s.By(-d) + " below"
	}
	return s.By(d) + " above"
}
