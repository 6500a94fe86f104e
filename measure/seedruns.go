package measure

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"pare/report"
)

// SeedRun is what a comparison of any kind tells of one of its runs.
type SeedRun struct {
	Label    string
	At       string // see Seeds
	Seed     uint64
	Error    string // why it failed; "": it did not
	Notes    []string
	Warnings []string
}

// RunNotes are what methods have to say of their runs, each once, with their names.
func RunNotes(runs []*SeedRun) (out []string) {
	for _, r := range runs {
		for _, n := range r.Notes {
			if x := strings.TrimSpace(r.Label+" "+r.At) + ": " + n; !slices.Contains(out, x) {
				out = append(out, x)
			}
		}
	}
	return out
}

// RunWarnings are what is wrong with runs that were made, each with its name.
func RunWarnings(runs []*SeedRun) (out []string) {
	for _, r := range runs {
		for _, w := range r.Warnings {
			out = append(out, fmt.Sprintf("%s %s seed %d: %s", r.Label, r.At, r.Seed, w))
		}
	}
	return out
}

// RunsFailed is an error where runs failed.
func RunsFailed(runs []*SeedRun) error {
	failed := slices.DeleteFunc(slices.Clone(runs), func(r *SeedRun) bool { return r.Error == "" })
	switch {
	case len(failed) == 0:
		return nil
	case len(failed) == len(runs):
		return errors.New("every run failed: " + failed[0].Error)
	}
	return fmt.Errorf("%d of %d runs failed, such as %s %s with seed %d: %s", len(failed), len(runs), failed[0].Label, failed[0].At, failed[0].Seed, failed[0].Error)
}

// AddRuns ends a page with the runs that failed, where there are any, and with notes; at is
// the heading of what the comparison varies.
func AddRuns(page *report.Report, at string, runs []*SeedRun, notes []string) {
	t := &report.Table{Columns: []string{"method", at, "seed", "why"}}
	for _, r := range runs {
		if r.Error != "" {
			t.Rows = append(t.Rows, []report.Cell{report.Text(r.Label), report.Text(r.At), report.Count(int64(r.Seed)), report.Text(r.Error)})
		}
	}
	if t.Rows != nil {
		page.Add(report.Section{Heading: "What failed", Table: t})
	}
	if notes != nil {
		page.Add(report.Section{Heading: "Notes", Text: strings.Join(notes, "\n\n")})
	}
}
