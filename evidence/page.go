package evidence

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pare/report"
)

// Verdicts has a row for each claim of the trials, and the number of those that do
// not hold.
func Verdicts(ts []*Trial) (t *report.Table, failed int) {
	t = &report.Table{Columns: []string{"id", "method", "claim", "measured", "holds"}}
	for _, x := range ts {
		for _, v := range x.Claims {
			word := "yes"
			if !v.Holds {
				word = "NO"
				failed++
			}
			t.Rows = append(t.Rows, []report.Cell{report.Text(x.ID), report.Text(x.Name), report.Text(v.Text), report.Text(v.Measured), report.Text(word)})
		}
	}
	return t, failed
}

// Table has the mean of each arm over the seeds, with its interval. Arms that end
// in the same word, such as a sparsity, stand together.
func (x *Trial) Table() *report.Table {
	last := func(name string) string {
		words := strings.Fields(name)
		return words[len(words)-1]
	}
	names := slices.SortedFunc(maps.Keys(x.Values), func(a, b string) int { return cmp.Or(cmp.Compare(last(a), last(b)), cmp.Compare(a, b)) })
	t := &report.Table{Columns: []string{"arm", "accuracy", "95 % interval"}}
	for _, name := range names {
		v := x.Values[name]
		mean, unit := report.Percent(x.Values.Mean(name)), 100.0
		if strings.Contains(name, "(") { // it has a unit of its own
			mean, unit = report.Text(fmt.Sprintf("%.4g", x.Values.Mean(name))), 1
		}
		within := report.Missing()
		if len(v) > 1 {
			within = report.Text(fmt.Sprintf("± %.3g", unit*Interval(v)))
		}
		t.Rows = append(t.Rows, []report.Cell{report.Text(name), mean, within})
	}
	return t
}

// Summary says what was tried, with how many seeds and in what time.
func (x *Trial) Summary() string {
	digits := 0
	if x.Seconds < 10 {
		digits = 1
	}
	return fmt.Sprintf("%s %d seeds, %.*f s.", x.About, x.Seeds, digits, x.Seconds)
}

// Page is the report of trials: the verdicts, then each trial.
func Page(ts []*Trial, subtitle string) *report.Report {
	verdicts, failed := Verdicts(ts)
	text := "Every claim of every paper at small scale, by thresholds that were set before."
	r := &report.Report{Title: "The claims, put to the test", Subtitle: subtitle, Verdict: []string{held(len(verdicts.Rows), failed)}}
	r.Add(report.Section{Heading: "Verdicts", Text: text, Table: verdicts})
	for _, x := range ts {
		r.Add(report.Section{Heading: fmt.Sprintf("%s (%s)", x.Name, x.ID), Text: x.Summary(), Table: x.Table()})
	}
	return r
}

// held says how many claims hold.
func held(all, failed int) string {
	if failed == 0 {
		return fmt.Sprintf("All %d claims hold.", all)
	}
	return fmt.Sprintf("%d of %d claims do not hold.", failed, all)
}
