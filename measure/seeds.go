package measure

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"pare/report"
	"pare/train"

	"gonum.org/v1/gonum/stat"
)

// Seeds is what a method came to with several seeds, at one value of what a comparison
// varies.
type Seeds struct {
	Label  string
	At     string      // the value; "": as the method is set
	N      int         // seeds that ended well
	Failed int         // and those that did not
	Score  train.Score // the mean of those that did
	Spread float64     // its standard deviation; 0 for one seed
}

// NewSeeds joins the scores of seeds, which are of one metric.
func NewSeeds(label, at string, scores []train.Score, failed int) *Seeds {
	s := &Seeds{Label: label, At: at, N: len(scores), Failed: failed}
	if s.N == 0 {
		return s
	}
	x := make([]float64, s.N)
	for i := range x {
		x[i] = scores[i].Value
	}
	s.Score = scores[s.N-1]
	s.Score.Value = stat.Mean(x, nil)
	if s.N > 1 {
		s.Spread = stat.StdDev(x, nil)
	}
	return s
}

// Cell is "91.73 ± 0.12 %", and says how many seeds failed.
func (s *Seeds) Cell() report.Cell {
	if s == nil {
		return report.Missing()
	}
	if s.N == 0 {
		return report.Text("failed")
	}
	c := ShowScore(s.Score)
	if s.N > 1 {
		c.Text = s.Score.WithSpread(s.Spread)
	}
	if s.Failed > 0 {
		c.Text += fmt.Sprintf(" (%d of %d failed)", s.Failed, s.Failed+s.N)
	}
	return c
}

// Above is the difference of the score to another's, in the metric's own units.
func (s *Seeds) Above(other *Seeds) report.Cell {
	if other == nil || s == other || s.N == 0 || other.N == 0 {
		return report.Missing()
	}
	d := s.Score.Value - other.Score.Value
	shown := fmt.Sprintf("%+.3g", d)
	if s.Score.Unit == "%" {
		shown = fmt.Sprintf("%+.2f", 100*d)
	}
	return report.Cell{Text: shown, Value: d, IsNum: true}
}

// Scored is a score of the metric that there is; accuracy where all failed.
func Scored(rows []*Seeds) train.Score {
	for _, r := range rows {
		if r.N > 0 {
			return r.Score
		}
	}
	return train.Score{Metric: "accuracy", Unit: "%", Higher: true}
}

// ScoreHeading is the metric's name at the beginning of a line.
func ScoreHeading(rows []*Seeds) string {
	s := Scored(rows).Name()
	return strings.ToUpper(s[:1]) + s[1:]
}

// ScoreAxis is the metric's in a plot.
func ScoreAxis(rows []*Seeds) report.Axis {
	a := report.Axis{Name: Scored(rows).Name()}
	if Scored(rows).Unit == "%" {
		a.Format, a.Span = report.Share, .01
	}
	return a
}

// SpreadNote says what the bars of a plot are, where there are any.
func SpreadNote(rows []*Seeds) string {
	if slices.ContainsFunc(rows, func(r *Seeds) bool { return r.Spread > 0 }) {
		return "The bars are the standard deviation over seeds."
	}
	return ""
}

// ScoreTable has a row for each method and a column for each value of what is varied.
func ScoreTable(rows []*Seeds) *report.Table {
	t := &report.Table{Columns: []string{"method"}}
	var labels, values []string
	by := map[[2]string]*Seeds{}
	for _, r := range rows {
		if !slices.Contains(labels, r.Label) {
			labels = append(labels, r.Label)
		}
		if r.At != "" && !slices.Contains(values, r.At) {
			values = append(values, r.At)
		}
		by[[2]string{r.Label, r.At}] = r
	}
	t.Columns = append(append(t.Columns, "as set"), values...)
	for _, l := range labels {
		row := []report.Cell{report.Text(l)}
		for _, at := range append([]string{""}, values...) {
			row = append(row, by[[2]string{l, at}].Cell())
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// SeedsVerdict says at each value which method is the best by the metric, how that is
// against a control that nothing was cut of, and whether the next is further away than
// the seeds are apart. where begins the sentence of a value, such as "At sparsity 0.9".
func SeedsVerdict(rows []*Seeds, control *Seeds, where func(at string) string) []string {
	var values []string
	by := map[string][]*Seeds{}
	for _, r := range rows {
		if r.N == 0 {
			continue
		}
		if by[r.At] == nil {
			values = append(values, r.At)
		}
		by[r.At] = append(by[r.At], r)
	}
	var out []string
	for _, v := range values {
		rs := by[v]
		slices.SortStableFunc(rs, func(a, b *Seeds) int { return cmp.Compare(b.Score.Good(), a.Score.Good()) })
		begins := "As set"
		if v != "" {
			begins = where(v)
		}
		s := fmt.Sprintf("%s %s is the %s (%s", begins, rs[0].Label, best(rs[0].Score), rs[0].Cell().Text)
		if control != nil {
			s += ", " + Points(rs[0].Score, rs[0].Score.Value-control.Score.Value) + " " + control.Label
		}
		s += ")"
		if len(rs) > 1 {
			next := fmt.Sprintf("%s, the next, is %s it", rs[1].Label, Points(rs[0].Score, rs[1].Score.Value-rs[0].Score.Value))
			switch apart := math.Hypot(rs[0].Spread, rs[1].Spread); {
			case rs[0].N < 2 || rs[1].N < 2:
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

// Points writes a difference of scores before the name of what it is to.
func Points(s train.Score, d float64) string {
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
