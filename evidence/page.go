package evidence

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"pare/report"
)

// Verdicts has a row for each claim of the trials, and the number of those that do
// not hold.
func Verdicts(ts []*Trial) (t *report.Table, failed int) {
	t = &report.Table{Columns: []string{"id", "method", "claim", "needed", "measured", "without the ingredient", "holds"}}
	for _, x := range ts {
		for _, v := range x.Claims {
			word := "yes"
			switch {
			case !v.Holds:
				word = "NO"
				failed++
			case !v.Sure():
				word = "yes, with few seeds"
			}
			t.Rows = append(t.Rows, []report.Cell{report.Text(x.ID), report.Text(x.Name), report.Text(v.Text), report.Text(v.Needed), report.Text(v.Measured), report.Text(v.others()), report.Text(word)})
		}
	}
	return t, failed
}

// others says what the claim came to without the ingredients.
func (v *Verdict) others() string {
	var out []string
	for _, w := range v.Without {
		out = append(out, w.Arm+": "+w.Measured)
	}
	return strings.Join(out, "; ")
}

// Answers has a row for each comparison of the trials; nil: there is none.
func Answers(ts []*Trial) *report.Table {
	t := &report.Table{Columns: []string{"id", "method", "ingredient", "with it", "without", "difference", "it"}}
	for _, x := range ts {
		for _, a := range x.Answers {
			t.Rows = append(t.Rows, []report.Cell{report.Text(x.ID), report.Text(x.Name), report.Text(a.Text), report.Text(a.Method), report.Text(a.Without), report.Text(a.Measured), report.Text(a.Says)})
		}
	}
	if t.Rows == nil {
		return nil
	}
	return t
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
	return fmt.Sprintf("%s %d seeds from %d, %.*f s.", x.About, x.Seeds, x.First, digits, x.Seconds)
}

// Run is trials that one command made.
type Run struct {
	Command string
	Trials  []*Trial
}

// Page is the report of a run: the verdicts, what became of them in other runs, then
// each trial.
func Page(run Run, others []Run) *report.Report {
	ts := run.Trials
	verdicts, failed := Verdicts(ts)
	r := &report.Report{Title: "The claims, put to the test", Subtitle: run.Command, Verdict: []string{held(len(verdicts.Rows), failed)}}
	r.Add(report.Section{Heading: "Verdicts", Table: verdicts, Text: "Claims of the papers at small scale. A claim has a figure, the mean over seeds with its 95 % interval, and a bound. " +
		"It holds where the method keeps the bound and the same method without its ingredient, in its place, does not. " +
		"With few seeds: the interval is more than half of the distance to the bound."})
	if a := Answers(ts); a != nil {
		r.Add(report.Section{Heading: "Ingredients that are not claimed to help", Table: a,
			Text: "Where no small setting was found in which an ingredient helps, its difference stands here, without a bound."})
	}
	if len(others) > 0 {
		r.Add(report.Section{Heading: "Other seeds and processors", Table: compare(append([]Run{run}, others...)),
			Text: "The same claims with disjoint sets of seeds, and with other vector instructions, whose sums are rounded otherwise."})
	}
	for _, x := range ts {
		head := x.Name
		if x.ID != "" {
			head += " (" + x.ID + ")"
		}
		r.Add(report.Section{Heading: head, Text: x.Summary(), Table: x.Table()})
	}
	return r
}

// compare has a row for each run.
func compare(runs []Run) *report.Table {
	t := &report.Table{Columns: []string{"command", "first seed", "instructions", "claims", "hold", "with few seeds", "the narrowest"}}
	for _, r := range runs {
		all, hold, few := 0, 0, 0
		widest, which := 0.0, "none"
		for _, x := range r.Trials {
			for _, v := range x.Claims {
				all++
				if !v.Holds {
					which, widest = x.Name+": "+v.Text, math.Inf(1)
					continue
				}
				hold++
				if !v.Sure() {
					few++
				}
				if v.Share != nil && *v.Share > widest {
					widest, which = *v.Share, fmt.Sprintf("%s: %s (interval %.2f of the distance)", x.Name, v.Text, *v.Share)
				}
			}
		}
		first, level := uint64(0), ""
		if len(r.Trials) > 0 {
			first, level = r.Trials[0].First, r.Trials[0].Level
		}
		t.Rows = append(t.Rows, []report.Cell{report.Text(r.Command), report.Text(fmt.Sprint(first)), report.Text(level), report.Text(fmt.Sprint(all)), report.Text(fmt.Sprint(hold)), report.Text(fmt.Sprint(few)), report.Text(which)})
	}
	return t
}

// held says how many claims hold.
func held(all, failed int) string {
	if failed == 0 {
		return fmt.Sprintf("All %d claims hold.", all)
	}
	return fmt.Sprintf("%d of %d claims do not hold.", failed, all)
}
