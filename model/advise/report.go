package advise

import (
	"fmt"
	"strings"

	"pare/report"
)

// Report is the advice, and what it rests on.
func (s *Study) Report(as []Advice) *report.Report {
	r := &report.Report{}
	said := fmt.Sprintf("%s of %s parameters, %s for one sample. Goal: %s at most %s. Judged by %s.", upper(s.Kind), report.Count(int64(s.Facts["params"].Value)).Text,
		s.Facts["latency"], s.Goal.Of, s.Goal.Text, s.Judged)
	if s.Whole.Value != 0 {
		said += fmt.Sprintf(" Before the cut: %s %s.", s.Whole.Metric, s.Whole.Show())
	}
	if s.Epoch > 0 {
		said += fmt.Sprintf(" A step of training takes %.3g s, an epoch %.3g s; the budget has room for %d.", s.Step, s.Epoch, s.Epochs)
	}
	r.Verdict = append([]string{said}, s.Notes...)
	r.Add(report.Section{Heading: "Layers, and what half of each alone costs", Table: s.layerTable()})
	if t := s.groupTable(); t != nil {
		r.Add(report.Section{Heading: "Half of each group of channels alone", Table: t})
	}
	r.Add(report.Section{Heading: "What budgets cost, with nothing trained", Table: s.budgetTable()})
	r.Add(report.Section{Heading: "Advice", Text: strings.Join(Paragraphs(as), "\n\n")})
	return r
}

// Paragraphs are the advice in words: commands by rank, then cautions.
func Paragraphs(as []Advice) (out []string) {
	for _, a := range as {
		if a.Rank > 0 {
			out = append(out, fmt.Sprintf("%d. %s\n   Measured: %s.\n   Why: %s.\n   Source: %s.", a.Rank, a.Command, a.Cites, a.Why, a.Source))
		}
	}
	for _, a := range as {
		if a.Rank == 0 {
			out = append(out, fmt.Sprintf("Beware: %s.\n   Measured: %s.\n   Source: %s.", a.Why, a.Cites, a.Source))
		}
	}
	return out
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// worse writes what a cut costs.
func (s *Study) worse(x float64) report.Cell {
	return report.Cell{Text: strings.TrimSpace(fmt.Sprintf("%.3g %s", x, s.unit())), Value: x, IsNum: true}
}

func (s *Study) layerTable() *report.Table {
	t := &report.Table{Columns: []string{"layer", "operator", "parameters", "time", "PQ index", "half of it costs"}}
	for _, l := range s.Layers {
		t.Rows = append(t.Rows, []report.Cell{report.Text(l.Name), report.Text(l.Op), report.Percent(l.Params), report.Percent(l.Time), report.Number(l.PQ), s.worse(l.Worse)})
	}
	return t
}

func (s *Study) groupTable() *report.Table {
	if s.Groups == nil {
		return nil
	}
	t := &report.Table{Columns: []string{"group", "channels", "MACs that go", "half of it costs"}}
	for _, g := range s.Groups.Groups {
		c := g.Cuts[0]
		t.Rows = append(t.Rows, []report.Cell{report.Text(g.Group), report.Count(int64(g.Channels)), report.Percent(c.MACs), s.worse(c.Worse)})
	}
	return t
}

func (s *Study) budgetTable() *report.Table {
	t := &report.Table{Columns: []string{"cut", "asked", "MACs", "parameters kept", "bytes", "energy, estimated", "time", "costs"}}
	for _, b := range s.Budgets {
		asked, form := fmt.Sprintf("%g of the MACs", b.Asked), "ONNX"
		if b.Cut == "weights" {
			asked, form = fmt.Sprintf("sparsity %g", b.Asked), "sparse form"
		}
		bytes := report.Percent(b.Bytes)
		bytes.Text += " (" + form + ")"
		t.Rows = append(t.Rows, []report.Cell{report.Text(b.Cut), report.Text(asked), report.Percent(b.MACs), report.Percent(b.Params), bytes, report.Percent(b.Energy), report.Ratio(b.Time, 0), s.worse(b.Worse)})
	}
	return t
}
