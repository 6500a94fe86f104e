package sweep

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// verdict says at each sparsity which method kept most accuracy, how that is against
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
		slices.SortStableFunc(rs, func(a, b *Row) int { return cmp.Compare(b.Accuracy, a.Accuracy) })
		where := "As set"
		if t != "" {
			where = "At sparsity " + t
		}
		s := fmt.Sprintf("%s %s is the most accurate (%s", where, rs[0].Label, accuracyCell(rs[0]).Text)
		if dense != nil {
			s += ", " + points(rs[0].Accuracy-dense.Accuracy) + " " + Dense
		}
		s += ")"
		if len(rs) > 1 {
			next := fmt.Sprintf("%s, the next, is %s it", rs[1].Label, points(rs[1].Accuracy-rs[0].Accuracy))
			switch apart := math.Hypot(rs[0].Spread, rs[1].Spread); {
			case rs[0].Seeds < 2 || rs[1].Seeds < 2:
				next += ", of which one seed cannot tell whether it is chance"
			case rs[0].Accuracy-rs[1].Accuracy <= apart:
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

// points writes a difference of accuracies before the name of what it is to.
func points(d float64) string {
	switch {
	case math.Abs(d) < .00005:
		return "as accurate as"
	case d < 0:
		return fmt.Sprintf("%.2f points below", -100*d)
	}
	return fmt.Sprintf("%.2f points above", 100*d)
}
