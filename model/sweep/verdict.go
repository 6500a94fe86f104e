package sweep

import "pare/measure"

// verdict says at each sparsity which method is the best by the metric, how that is against
// the dense network, and whether the next is further away than the seeds are apart.
func verdict(rows []*Row) []string {
	dense, others := densest(rows)
	var control *measure.Seeds
	if dense != nil {
		control = dense.of()
	}
	return measure.SeedsVerdict(grouped(others), control, func(at string) string { return "At sparsity " + at })
}

// of is what a comparison of any kind shows of a row.
func (r *Row) of() *measure.Seeds {
	return &measure.Seeds{Label: r.Label, At: r.Target, N: r.Seeds, Failed: r.Failed, Score: r.Score, Spread: r.Spread}
}

func grouped(rows []*Row) (out []*measure.Seeds) {
	for _, r := range rows {
		out = append(out, r.of())
	}
	return out
}
