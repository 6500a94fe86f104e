package measure

import (
	"cmp"
	"slices"

	"pare/report"
)

// Placed is a row of a comparison where it stands in a plot.
type Placed struct {
	*Seeds
	X float64
}

// DrawScores adds a line for each method to a plot, through the scores that are at least so
// good, and a dashed one from the least X to the control, if there is one. A method without
// such a score has a line without points, so that it has the same colour in each plot of the
// same rows. It counts the points, and the scores that are not so good.
func DrawScores(p *report.Plot, rows []Placed, control *Placed, least float64) (in, out int) {
	at := map[string]int{}
	var xs []float64
	for _, r := range rows {
		i, ok := at[r.Label]
		if !ok {
			i, at[r.Label] = len(p.Series), len(p.Series)
			p.Series = append(p.Series, report.Series{Name: r.Label, Line: true})
		}
		switch {
		case r.N == 0:
		case r.Score.Good() < least:
			out++
		default:
			in++
			xs = append(xs, r.X)
			p.Series[i].Points = append(p.Series[i].Points, report.Point{X: r.X, Y: r.Score.Value, OffY: r.Spread})
		}
	}
	if control != nil && in > 0 {
		p.Series = append(p.Series, report.Series{Name: control.Label, Line: true, Dashed: true,
			Points: []report.Point{{X: slices.Min(xs), Y: control.Score.Value}, {X: control.X, Y: control.Score.Value}}})
	}
	for _, s := range p.Series {
		slices.SortStableFunc(s.Points, func(a, b report.Point) int { return cmp.Compare(a.X, b.X) })
	}
	return in, out
}

// Apart takes the row of a control, by its label, from the others; it is the zero value where
// there is none with a seed that ended well.
func Apart[R any](rows []R, label string, of func(R) *Seeds) (control R, others []R) {
	for _, r := range rows {
		switch s := of(r); {
		case s.Label != label:
			others = append(others, r)
		case s.N > 0:
			control = r
		}
	}
	return control, others
}
