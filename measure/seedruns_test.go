package measure

import (
	"slices"
	"testing"

	"pare/report"
	"pare/train"
)

// Runs of a comparison: what is said once, of which run, and when it has failed.
func TestSeedRuns(t *testing.T) {
	a := &SeedRun{Label: "a", At: "0.5", Seed: 1, Notes: []string{"slow"}, Warnings: []string{"worse"}}
	b := &SeedRun{Label: "a", At: "0.5", Seed: 2, Notes: []string{"slow", "odd"}}
	c := &SeedRun{Label: "c", Seed: 3, Error: "broken", Notes: []string{"slow"}}
	runs := []*SeedRun{a, b, c}
	if got := RunNotes(runs); !slices.Equal(got, []string{"a 0.5: slow", "a 0.5: odd", "c: slow"}) {
		t.Errorf("notes %q", got)
	}
	if got := RunWarnings(runs); !slices.Equal(got, []string{"a 0.5 seed 1: worse"}) {
		t.Errorf("warnings %q", got)
	}
	for _, x := range []struct {
		of   []*SeedRun
		want string
	}{{nil, ""}, {runs[:2], ""}, {runs, "1 of 3 runs failed, such as c  with seed 3: broken"}, {runs[2:], "every run failed: broken"}} {
		got := ""
		if err := RunsFailed(x.of); err != nil {
			got = err.Error()
		}
		if got != x.want {
			t.Errorf("%d runs: %q, want %q", len(x.of), got, x.want)
		}
	}
	var page report.Report
	if AddRuns(&page, "kept", runs[:2], nil); len(page.Sections) != 0 {
		t.Errorf("%d sections of nothing", len(page.Sections))
	}
	AddRuns(&page, "kept", runs, []string{"one", "two"})
	if s := page.Sections; len(s) != 2 || len(s[0].Table.Rows) != 1 || s[0].Table.Rows[0][3].Text != "broken" || s[1].Text != "one\n\ntwo" {
		t.Errorf("%+v", s)
	}
}

// Lines keep their places where their points are left out, and run from left to right.
func TestDrawScores(t *testing.T) {
	row := func(label string, n int, score, x float64) Placed {
		return Placed{&Seeds{Label: label, N: n, Score: train.Score{Value: score, Higher: true}}, x}
	}
	rows := []Placed{row("a", 1, .2, 9), row("b", 0, 0, 1), row("c", 1, .9, 8), row("c", 1, .8, 4), row("a", 1, .1, 2)}
	control := row("all", 1, 1, 10)
	var p report.Plot
	if in, out := DrawScores(&p, rows, &control, .5); in != 2 || out != 2 || len(p.Series) != 4 {
		t.Fatalf("%d in, %d out, %d lines", in, out, len(p.Series))
	}
	for i, want := range [][]report.Point{nil, nil, {{X: 4, Y: .8}, {X: 8, Y: .9}}, {{X: 4, Y: 1}, {X: 10, Y: 1}}} {
		if !slices.Equal(p.Series[i].Points, want) || p.Series[i].Dashed != (i == 3) {
			t.Errorf("line %d: %+v", i, p.Series[i])
		}
	}
	p = report.Plot{}
	if in, _ := DrawScores(&p, rows[1:2], &control, 0); in != 0 || len(p.Series) != 1 {
		t.Errorf("a control stands alone: %+v", p.Series)
	}
	first, others := Apart(rows, "b", func(r Placed) *Seeds { return r.Seeds })
	if first.Seeds != nil || len(others) != 4 {
		t.Errorf("a control that failed: %+v and %d others", first, len(others))
	}
	if first, others = Apart(rows, "c", func(r Placed) *Seeds { return r.Seeds }); first.X != 4 || len(others) != 3 {
		t.Errorf("a control: %+v and %d others", first, len(others))
	}
}
