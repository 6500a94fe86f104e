package sweep

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"pare/measure"
	"pare/report"
)

// Page is the report of outcomes and the rows that Summarise makes of them. name is that of
// the network; from says how they were made.
func (s *Sweep) Page(name string, from *measure.Origin, rows []*Row, outs []*Outcome) *report.Report {
	all, others := split(rows)
	var control *measure.Seeds
	if all != nil {
		control = all.of()
	}
	r := &report.Report{Title: "Training sets compared on " + name, Facts: from.Facts(),
		Verdict: append(measure.SeedsVerdict(grouped(others), control, func(at string) string { return "With " + at + " of the samples" }), against(others)...)}
	of := grouped(rows)
	text := fmt.Sprintf("Every method had the same network, data and recipe, with seeds 1 to %d; %s is the network trained on all samples. %s is that after the last epoch, the mean over seeds on the %s set (%s samples), which chooses nothing",
		len(s.Networks), All, measure.ScoreHeading(of), s.judged().Name, report.Count(int64(s.judged().Len())).Text)
	if len(s.Networks) > 1 {
		text += ", with its standard deviation"
	}
	text += map[Equal]string{Epochs: ". Trainings have as many epochs, so on fewer samples they have fewer steps.", Steps: ". Trainings have as many steps as that on all samples, so on fewer samples they have more epochs."}[s.Equal]
	r.Add(report.Section{Heading: measure.ScoreHeading(of) + " by share kept", Text: text, Table: measure.ScoreTable(of), Plots: sharePlots(rows)})
	r.Add(report.Section{Heading: "What it takes", Table: costTable(rows), Plots: coursePlots(rows),
		Text: "Time is that of training on this machine, without judging. Selection is what is spent before the first step: choosing and scoring, and the training on all samples where a method chooses by it; it counts in the times to a share of " + All + "'s " + measure.Scored(of).Name() + ", behind which stands their share of " + All + "'s own. Trainings are judged after whole epochs, which are short on few samples: what " + All + " reach within their first epoch is told late, and such a ratio says too much." + s.disturbed()})
	runs := Runs(outs)
	measure.AddRuns(r, "kept", runs, measure.RunNotes(runs))
	return r
}

// disturbed says what times are worth where runs shared the machine.
func (s *Sweep) disturbed() string {
	if s.Jobs < 2 {
		return ""
	}
	return fmt.Sprintf(" %d runs shared the machine, which disturbs their times.", s.Jobs)
}

// of is what a comparison of any kind shows of a row.
func (r *Row) of() *measure.Seeds {
	return &measure.Seeds{Label: r.Label, At: r.Keep, N: r.Seeds, Failed: r.Failed, Score: r.Score, Spread: r.Spread}
}

func grouped(rows []*Row) (out []*measure.Seeds) {
	for _, r := range rows {
		out = append(out, r.of())
	}
	return out
}

// split is the row of all samples; nil where it failed, and those of the methods.
func split(rows []*Row) (all *Row, others []*Row) { return measure.Apart(rows, All, (*Row).of) }

// isRandom says whether a row is of the baseline.
func (r *Row) isRandom() bool { return strings.Split(r.Label, ":")[0] == Random }

// against says at each share which methods are better than random samples by more than the
// seeds are apart, for that is what a choice is worth.
func against(rows []*Row) (out []string) {
	for _, base := range rows {
		if !base.isRandom() || base.Label != Random || base.Seeds < 2 {
			continue
		}
		var better []string
		for _, r := range rows {
			if r.Keep == base.Keep && !r.isRandom() && r.Seeds > 1 && r.Score.Good()-base.Score.Good() > r.Spread+base.Spread {
				better = append(better, r.Label)
			}
		}
		said := "no method is better than random samples by more than the seeds are apart"
		if better != nil {
			said = "better than random samples by more than the seeds are apart: " + strings.Join(better, ", ")
		}
		where := "As set"
		if base.Keep != "" {
			where = "With " + base.Keep + " of the samples"
		}
		out = append(out, where+", "+said+".")
	}
	return out
}

// costTable has a row for each method and share.
func costTable(rows []*Row) *report.Table {
	all, _ := split(rows)
	of := grouped(rows)
	t := &report.Table{Columns: []string{"method", "kept", measure.Scored(of).Metric, "to " + All}}
	var shares []float64
	for _, r := range rows {
		for _, x := range r.Reach {
			if !slices.Contains(shares, x.Share) {
				shares = append(shares, x.Share)
			}
		}
	}
	for _, x := range shares {
		t.Columns = append(t.Columns, "time to "+report.Share(x), "steps to "+report.Share(x))
	}
	t.Columns = append(t.Columns, "epoch", "training", "selection", "steps", "samples an epoch")
	for i, r := range rows {
		row := []report.Cell{report.Text(r.Label), report.Text(cmp.Or(r.Keep, "–")), of[i].Cell()}
		if r.Seeds == 0 {
			t.Rows = append(t.Rows, append(row, slices.Repeat([]report.Cell{report.Missing()}, len(t.Columns)-len(row))...))
			continue
		}
		if all == nil || r == all {
			row = append(row, report.Missing())
		} else {
			row = append(row, of[i].Above(all.of()))
		}
		for k := range shares {
			if k < len(r.Reach) {
				row = append(row, r.Reach[k].cells(r)...)
			} else {
				row = append(row, report.Missing(), report.Missing())
			}
		}
		t.Rows = append(t.Rows, append(row, seconds(r.Epoch), seconds(r.Training), seconds(r.Selection), report.Count(int64(r.Steps+.5)), report.Count(int64(r.Samples+.5))))
	}
	return t
}

// cells are the time and the steps: "12.3 s (0.41×)", "350", with how many seeds reach it
// where not all do.
func (x *Reach) cells(r *Row) []report.Cell {
	if x.Seeds == 0 {
		return []report.Cell{report.Text("never"), report.Text("never")}
	}
	t := seconds(x.Seconds)
	if x.Ratio > 0 && r.Label != All {
		t.Text += fmt.Sprintf(" (%.2f×)", x.Ratio)
	}
	n := report.Count(int64(x.Steps + .5))
	if x.Seeds < r.Seeds {
		n.Text += fmt.Sprintf(" (%d of %d seeds)", x.Seeds, r.Seeds)
	}
	return []report.Cell{t, n}
}

func seconds(s float64) report.Cell {
	return report.Cell{Text: fmt.Sprintf("%.3g s", s), Value: s, IsNum: true}
}

// sharePlots is the score by the share that was kept, with a line for each method.
func sharePlots(rows []*Row) []*report.Plot {
	all, others := split(rows)
	of := grouped(rows)
	p := &report.Plot{Title: measure.ScoreHeading(of) + " by share kept", Note: measure.SpreadNote(of), X: report.Axis{Name: "samples of an epoch", Log: true}, Y: measure.ScoreAxis(of)}
	var drawn []measure.Placed
	for _, r := range others {
		if r.Seeds > 0 {
			drawn = append(drawn, measure.Placed{Seeds: r.of(), X: r.Samples})
		}
	}
	var control *measure.Placed
	if all != nil {
		control = &measure.Placed{Seeds: all.of(), X: all.Samples}
	}
	if n, _ := measure.DrawScores(p, drawn, control, math.Inf(-1)); n == 0 {
		return nil
	}
	return []*report.Plot{p}
}

// Shares are those of rows, in the order in which they occur.
func Shares(rows []*Row) (out []string) {
	for _, r := range rows {
		if r.Label != All && r.Seeds > 0 && !slices.Contains(out, r.Keep) {
			out = append(out, r.Keep)
		}
	}
	return out
}

// coursePlots are the score against the time, with what was spent before the training: one
// for each share.
func coursePlots(rows []*Row) (out []*report.Plot) {
	all, others := split(rows)
	of := grouped(rows)
	for _, share := range Shares(rows) {
		title := measure.ScoreHeading(of) + " by time"
		if x, err := strconv.ParseFloat(share, 64); err == nil {
			title += ", " + report.Share(x) + " kept"
		}
		p := &report.Plot{Title: title, X: report.Axis{Name: "seconds of selection and training", Zero: true}, Y: measure.ScoreAxis(of)}
		for _, r := range others {
			if r.Keep == share && r.Seeds > 0 {
				p.Series = append(p.Series, report.Series{Name: r.Label, Line: true, Points: line(r)})
			}
		}
		if all != nil {
			p.Series = append(p.Series, report.Series{Name: All, Line: true, Dashed: true, Points: line(all)})
		}
		out = append(out, p)
	}
	return out
}

func line(r *Row) (out []report.Point) {
	for _, p := range r.Course {
		out = append(out, report.Point{X: p.Seconds, Y: p.Score})
	}
	return out
}
