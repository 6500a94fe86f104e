package sweep

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"pare/report"
)

// most that a page shows.
const (
	mostRows   = 400
	mostCurves = 12
	mostBest   = 5 // parts of which the best stands above the page; of more those of the front do
)

// Page is the report of results, with facts about how they were made.
func (s *Results) Page(title string, facts []report.Fact) *report.Report {
	r := &report.Report{Title: title, Verdict: s.verdict(), Facts: facts}
	text := "Each line is a combination, " + s.Metric.Name + " the mean over its seeds that are done, with the standard deviation. They are ranked by the validation set alone, in parts (budgets, or methods with a budget)"
	if s.tested {
		text += "; the test set was read once for each network that came out, and decides nothing"
	}
	r.Add(report.Section{Heading: "What came out", Text: text + ".", Table: s.Table(mostRows), Note: s.cut(mostRows) + "A ▸ marks the best of a part, a star what no other beats in both " + s.Metric.Name + " and numbers kept."})
	if p := s.front(); p != nil {
		r.Add(report.Section{Heading: "What it costs", Plots: []*report.Plot{p}})
	}
	if len(s.Effects) > 0 {
		r.Add(report.Section{Heading: "What each setting does", Text: s.effectText(), Table: s.effectTable()})
	}
	if p := s.curves(); p != nil {
		r.Add(report.Section{Heading: "How they learned", Plots: []*report.Plot{p}})
	}
	if t := s.unfinished(); t != nil {
		r.Add(report.Section{Heading: "What was stopped, dropped or failed", Table: t})
	}
	return r
}

// cut says how many lines are not shown.
func (s *Results) cut(most int) string {
	if n := len(s.Rows) - most; n > 0 {
		return fmt.Sprintf("%d more lines are in %s. ", n, ResultsFile)
	}
	return ""
}

// statuses in the order in which they are told of.
var statuses = []Status{Done, Stopped, Dropped, Paused, Failed, Missing}

// Said counts the runs by how they stand, such as "80 done, 20 dropped".
func (s *Results) Said() string {
	var words []string
	for _, x := range statuses {
		if n := s.Counts[x]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, x))
		}
	}
	return strings.Join(words, ", ")
}

// verdict is what to read first.
func (s *Results) verdict() []string {
	out := []string{fmt.Sprintf("Of %s, %s.", plural(len(s.Runs), "run"), s.Said())}
	parts := 0
	for _, w := range s.Rows {
		if w.Best {
			parts++
		}
	}
	for _, w := range s.Rows {
		if !w.Best || parts > mostBest && !w.Front && w.Cell != Dense {
			continue
		}
		text := fmt.Sprintf("Best of %s: %s, %s %s on the validation set", w.Cell, w.Label, s.Metric.Name, s.Metric.spread(float64(w.Validation), float64(w.SD), w.Done).Text)
		if w.Cell == Dense {
			text = fmt.Sprintf("Not cut: %s %s on the validation set", s.Metric.Name, s.Metric.spread(float64(w.Validation), float64(w.SD), w.Done).Text)
		}
		if !math.IsNaN(float64(w.Test)) {
			text += ", " + s.Metric.spread(float64(w.Test), float64(w.TestSD), w.Done).Text + " on the test set"
		}
		out = append(out, text+".")
	}
	if s.Spent {
		out = append(out, "The hours of the sweep are spent; with more of them the same command goes on.")
	}
	return out
}

// Table has a row for each combination, the best of each budget first.
func (s *Results) Table(most int) *report.Table {
	t := &report.Table{Columns: []string{"best", "combination", "validation"}}
	if s.tested {
		t.Columns = append(t.Columns, "test")
	}
	t.Columns = append(t.Columns, "done", "kept", "MACs", "ONNX", "front")
	for _, w := range s.Rows[:min(most, len(s.Rows))] {
		mark, star := "", ""
		if w.Best {
			mark = "▸"
		}
		if w.Front {
			star = "★"
		}
		row := []report.Cell{report.Text(mark), report.Text(w.Label), s.Metric.spread(float64(w.Validation), float64(w.SD), w.Done)}
		if w.Done == 0 {
			row[2] = report.Text(w.stands())
		}
		if s.tested {
			row = append(row, s.Metric.spread(float64(w.Test), float64(w.TestSD), w.Done))
		}
		t.Rows = append(t.Rows, append(row, report.Text(fmt.Sprintf("%d of %d", w.Done, w.Runs)), whole(w.Kept, report.Count), scaled(w.MACs), whole(w.Bytes, report.Bytes), report.Text(star)))
	}
	return t
}

// stands is how the runs of a row stand where none is done.
func (w *Row) stands() string {
	var words []string
	for _, o := range w.outs {
		x := string(o.Status)
		if o.Epochs > 0 && (o.Status == Stopped || o.Status == Dropped || o.Status == Paused) {
			x += fmt.Sprintf(" at epoch %d", o.Epochs)
		}
		if !slices.Contains(words, x) {
			words = append(words, x)
		}
	}
	return strings.Join(words, ", ")
}

func whole(x Number, write func(int64) report.Cell) report.Cell {
	if math.IsNaN(float64(x)) {
		return report.Missing()
	}
	return write(int64(math.Round(float64(x))))
}

func scaled(x Number) report.Cell {
	if math.IsNaN(float64(x)) {
		return report.Missing()
	}
	return report.Scaled(float64(x))
}

// axis is that of the metric on the validation set.
func (s *Results) axis() report.Axis {
	a := report.Axis{Name: s.Metric.Name + ", validation"}
	if s.Metric.Percent {
		a.Format = report.Share
	}
	return a
}

// front draws the combinations that are done by the numbers kept, a colour for each method.
func (s *Results) front() *report.Plot {
	p := &report.Plot{Title: s.Metric.Name + " against numbers kept", Note: "Joined are those that no other beats in both.", X: report.Axis{Name: "numbers kept", Log: true}, Y: s.axis()}
	at := map[string]int{}
	line := report.Series{Name: "front", Line: true, Dashed: true}
	for _, w := range s.Rows {
		if w.Done == 0 || !(w.Kept > 0) {
			continue
		}
		name := cmp.Or(w.Values["method"], w.outs[0].Method)
		i, ok := at[name]
		if !ok {
			i, at[name] = len(p.Series), len(p.Series)
			p.Series = append(p.Series, report.Series{Name: name})
		}
		q := report.Point{X: float64(w.Kept), Y: float64(w.Validation)}
		p.Series[i].Points = append(p.Series[i].Points, q)
		if w.Front {
			line.Points = append(line.Points, q)
		}
	}
	if len(p.Series) == 0 {
		return nil
	}
	slices.SortFunc(line.Points, func(a, b report.Point) int { return cmp.Compare(a.X, b.X) })
	p.Series = append(p.Series, line)
	return p
}

func (s *Results) effectText() string {
	text := "The mean of " + s.Metric.Name + " on the validation set over all runs with a value, whatever their other settings were, and the standard deviation over these runs"
	if n := s.Effects[0].Epochs; n > 0 {
		text += fmt.Sprintf(", after %s: as many as all that began have made, for those that came to their end are the better ones", plural(n, "epoch"))
	}
	return text + ". Values that were drawn, or are not tried with all others, are not all in the same company."
}

func (s *Results) effectTable() *report.Table {
	t := &report.Table{Columns: []string{"setting", "value", s.Metric.Name, "spread", "runs"}}
	for _, e := range s.Effects {
		for i, l := range e.Levels {
			name := e.Factor
			if i > 0 {
				name = ""
			}
			sd := report.Missing()
			if !math.IsNaN(float64(l.SD)) {
				sd = s.Metric.cell(float64(l.SD))
			}
			t.Rows = append(t.Rows, []report.Cell{report.Text(name), report.Text(l.Value), s.Metric.cell(l.Mean), sd, report.Count(int64(l.Runs))})
		}
	}
	return t
}

// curves draws the learning curves of the best run of each budget, and then of the best others.
func (s *Results) curves() *report.Plot {
	p := &report.Plot{Title: s.Metric.Name + " by epoch", X: report.Axis{Name: "epoch"}, Y: s.axis()}
	rows := slices.Clone(s.Rows)
	slices.SortStableFunc(rows, func(a, b *Row) int {
		if a.Best == b.Best {
			return 0
		} else if a.Best {
			return -1
		}
		return 1
	})
	for _, w := range rows {
		o := w.outs[0]
		if len(o.Curve) < 2 {
			continue
		}
		if len(p.Series) == mostCurves {
			p.Note = fmt.Sprintf("The first seed of the best of each part, and of others, %d in all.", mostCurves)
			break
		}
		line := report.Series{Name: o.Label, Line: true}
		for i, y := range o.Curve {
			line.Points = append(line.Points, report.Point{X: float64(i + 1), Y: y})
		}
		p.Series = append(p.Series, line)
	}
	if len(p.Series) == 0 {
		return nil
	}
	return p
}

// unfinished lists what was not made to its end, and why.
func (s *Results) unfinished() *report.Table {
	t := &report.Table{Columns: []string{"run", "seed", "status", "epochs", "why"}}
	for _, x := range []Status{Failed, Stopped, Dropped, Paused} {
		for _, o := range s.Runs {
			if o.Status == x {
				t.Rows = append(t.Rows, []report.Cell{report.Text(o.Label), report.Count(int64(o.Seed)), report.Text(string(x)), report.Count(int64(o.Epochs)), report.Text(o.Why)})
			}
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return t
}
