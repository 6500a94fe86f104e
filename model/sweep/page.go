package sweep

import (
	"fmt"
	"math"
	"slices"

	"pare/measure"
	"pare/report"
	"pare/train"
)

// Page is the report of outcomes and the rows that Summarise makes of them. name is
// that of the network; from says how they were made.
func (s *Sweep) Page(name string, from *measure.Origin, rows []*Row, outs []*Outcome) *report.Report {
	r := &report.Report{Title: "Methods compared on " + name, Verdict: verdict(rows), Facts: from.Facts()}
	seeds, measured := len(s.Networks), s.Data.Eval()
	text := fmt.Sprintf("Every method had the same network, data and recipe, with seeds 1 to %d; %s is the network trained alike and not cut. "+
		"%s is the mean over seeds on the %s set (%s samples)", seeds, Dense, heading(rows), measured.Name, report.Count(int64(measured.Len())).Text)
	if seeds > 1 {
		text += " with its standard deviation"
	}
	r.Add(report.Section{Heading: heading(rows) + " by sparsity", Text: text + ".", Table: measure.ScoreTable(grouped(rows)), Plots: paretoPlots(rows)})
	r.Add(report.Section{Heading: "What is left, and what it takes", Table: costTable(rows),
		Text: "Time is that of one sample on " + from.Engine + ", relative to the network before, run in turn." + s.commanded() + " ONNX is the size of the ONNX file; behind MACs stands their share of " + Dense + ". Epochs are those that the method trained: a method of several trainings has more than the others. Kept are the numbers that are not zero; weights that read from a shared array count as the array. A star marks rows that no other beats in both score and numbers kept."})
	measure.AddRuns(r, "asked", Runs(outs), Notes(rows, outs))
	return r
}

// commanded says what the time by command is, in a sentence.
func (s *Sweep) commanded() string {
	if s.LatencyCmd == "" {
		return ""
	}
	return fmt.Sprintf(" Time by command is the same as this command says, in %d rounds: %s.", commandRounds, s.LatencyCmd)
}

// costTable has a row for each method and sparsity; what matters most stands first, for
// a narrow terminal puts the rest below.
func costTable(rows []*Row) *report.Table {
	t := &report.Table{Columns: []string{"method", "asked", Scored(rows).Metric, "to dense", "front", "kept", "ONNX", "time"}}
	asked := slices.ContainsFunc(rows, func(r *Row) bool { return r.ByCommand != nil })
	if asked {
		t.Columns = append(t.Columns, "time by command")
	}
	t.Columns = append(t.Columns, "MACs", "zero or gone", "sparse form", "epochs")
	dense, _ := densest(rows)
	for _, r := range rows {
		row := []report.Cell{report.Text(r.Label), report.Missing()}
		if r.Target != "" {
			row[1] = report.Text(r.Target)
		}
		if r.Seeds == 0 {
			row = append(row, report.Text("failed"))
			t.Rows = append(t.Rows, append(row, slices.Repeat([]report.Cell{report.Missing()}, len(t.Columns)-len(row))...))
			continue
		}
		star := report.Text("")
		if r.Front {
			star = report.Text("★")
		}
		row = append(row, r.of().Cell(), toDense(r, dense), star, report.Count(int64(r.Kept+.5)), report.Bytes(int64(r.ONNX+.5)), timeCell(&measure.Spread{Median: r.Time, Half: r.TimeHalf}))
		if asked {
			row = append(row, timeCell(r.ByCommand))
		}
		t.Rows = append(t.Rows, append(row, macsCell(r, dense), report.Percent(r.Sparsity), report.Bytes(int64(r.Bytes+.5)), report.Number(r.Epochs)))
	}
	return t
}

// timeCell is "0.61× ± 0.02", or says that it was not measured.
func timeCell(s *measure.Spread) report.Cell {
	if s == nil || s.Median == 0 {
		return report.Missing()
	}
	return report.Ratio(s.Median, s.Half)
}

// toDense is the difference of a score to the dense network's.
func toDense(r, dense *Row) report.Cell {
	if dense == nil || r == dense {
		return report.Missing()
	}
	return r.of().Above(dense.of())
}

// macsCell is "20.3 M (0.50)", with the share of the dense network's where there is one.
func macsCell(r, dense *Row) report.Cell {
	c := report.Scaled(r.MACs)
	if dense != nil && dense.MACs > 0 {
		c.Text += fmt.Sprintf(" (%.2f)", r.MACs/dense.MACs)
	}
	return c
}

// Scored is a score of the rows' metric.
func Scored(rows []*Row) train.Score { return measure.Scored(grouped(rows)) }

// heading is the metric's name at the beginning of a line.
func heading(rows []*Row) string { return measure.ScoreHeading(grouped(rows)) }

// densest is the row of the dense network, and those of the methods.
func densest(rows []*Row) (dense *Row, others []*Row) {
	return measure.Apart(rows, Dense, (*Row).of)
}

// closeUp is how far below the dense network the second plot goes.
const closeUp = .1

// paretoPlots are the score against weights that are left, with a line for each
// method; and the same near the dense network, where some methods are far below it.
func paretoPlots(rows []*Row) []*report.Plot {
	dense, others := densest(rows)
	all, n, _ := paretoPlot(heading(rows)+" against parameters kept", dense, others, math.Inf(-1))
	if n == 0 {
		return nil
	}
	plots := []*report.Plot{all}
	if dense != nil && dense.Score.Unit == "%" {
		near, in, out := paretoPlot(fmt.Sprintf("The same, within %.0f points of dense", 100*closeUp), dense, others, dense.Score.Good()-closeUp)
		if in > 1 && out > 0 {
			plots = append(plots, near)
		}
	}
	return plots
}

// paretoPlot draws the rows of at least a score, and counts them and the others.
func paretoPlot(title string, dense *Row, rows []*Row, least float64) (p *report.Plot, in, out int) {
	p = &report.Plot{Title: title, Note: measure.SpreadNote(grouped(rows)), X: report.Axis{Name: "parameters kept", Log: true}, Y: measure.ScoreAxis(grouped(rows))}
	var drawn []measure.Placed
	for _, r := range rows {
		drawn = append(drawn, measure.Placed{Seeds: r.of(), X: r.Kept})
	}
	var control *measure.Placed
	if dense != nil {
		control = &measure.Placed{Seeds: dense.of(), X: dense.Kept}
	}
	in, out = measure.DrawScores(p, drawn, control, least)
	return p, in, out
}

// Notes are the rows whose networks are slower than the one before, and what methods have
// to say of their runs, each once.
func Notes(rows []*Row, outs []*Outcome) []string {
	return append(slower(rows), measure.RunNotes(Runs(outs))...)
}
