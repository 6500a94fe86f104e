package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"pare/catalog"
	"pare/model/sweep"
	"pare/report"

	"github.com/google/renameio/v2"
)

// comparePage is the report of a comparison.
func comparePage(name string, q *comparison, s *sweep.Sweep, rows []*sweep.Row, outs []*sweep.Outcome) *report.Report {
	r := &report.Report{Title: "Methods compared on " + name, Subtitle: q.command(name, s.Engine.Threads)}
	d := s.Data
	text := fmt.Sprintf("Every method had the same network, data and recipe, with seeds 1 to %d; %s is the network trained alike and not cut. "+
		"Accuracy is the mean over seeds on the %s set (%s samples)", q.seeds, sweep.Dense, d.Eval().Name, report.Count(int64(d.Eval().Len())).Text)
	if q.seeds > 1 {
		text += " with its standard deviation"
	}
	r.Add(report.Section{Heading: "Accuracy by sparsity", Text: text + ".", Table: accuracyTable(rows), Plots: paretoPlots(rows)})
	r.Add(report.Section{Heading: "What is left, and what it takes", Table: costTable(rows),
		Text: "Time is of one inference on one sample on " + on(s.Engine.Threads) + ", relative to the network before, run in turn. Epochs are those that the method trained: where it has several trainings it has more than the others. Kept are the numbers that are not zero; weights that read from a shared array count as the array. A star marks rows that no other beats in both accuracy and numbers kept."})
	if t := failures(outs); t != nil {
		r.Add(report.Section{Heading: "What failed", Table: t})
	}
	if ns := notes(outs); ns != nil {
		r.Add(report.Section{Heading: "Notes", Text: strings.Join(ns, "\n\n")})
	}
	return r
}

// on says how many threads measurements take; 0 is one for each core.
func on(threads int) string {
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	if threads == 1 {
		return "one thread"
	}
	return fmt.Sprint(threads, " threads")
}

// command is what makes the page again, without the places of files.
func (q *comparison) command(name string, threads int) string {
	kind, path, ok := strings.Cut(q.data, ":")
	if ok {
		kind += ":"
		if _, opts, any := strings.Cut(path, "?"); any {
			kind += "…?" + opts
		} else {
			kind += "…"
		}
	}
	out := []string{"pare model compare", name, "--data", kind, "--methods", strings.Join(q.methods, ","), "--sparsity", strings.Join(q.sparsities, ","), fmt.Sprint("--seeds ", q.seeds)}
	for _, x := range catalog.Settings(&q.recipe) {
		switch v := x.String(); v {
		case "0", "false", "":
		case "true":
			out = append(out, "--"+x.Name)
		default:
			out = append(out, "--"+x.Name, v)
		}
	}
	if threads > 0 {
		out = append(out, fmt.Sprint("--threads ", threads))
	}
	if q.jobs > 0 {
		out = append(out, fmt.Sprint("--jobs ", q.jobs))
	}
	return strings.Join(out, " ")
}

// accuracyTable has a row a method and a column a sparsity.
func accuracyTable(rows []*sweep.Row) *report.Table {
	t := &report.Table{Columns: []string{"method"}}
	var labels, targets []string
	by := map[[2]string]*sweep.Row{}
	for _, r := range rows {
		if !slices.Contains(labels, r.Label) {
			labels = append(labels, r.Label)
		}
		if r.Target != "" && !slices.Contains(targets, r.Target) {
			targets = append(targets, r.Target)
		}
		by[[2]string{r.Label, r.Target}] = r
	}
	t.Columns = append(t.Columns, "as set")
	t.Columns = append(t.Columns, targets...)
	for _, l := range labels {
		row := []report.Cell{report.Text(l)}
		for _, at := range append([]string{""}, targets...) {
			row = append(row, accuracyCell(by[[2]string{l, at}]))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// accuracyCell is "91.73 ± 0.12 %", and says how many seeds failed.
func accuracyCell(r *sweep.Row) report.Cell {
	if r == nil {
		return report.Missing()
	}
	if r.Seeds == 0 {
		return report.Text("failed")
	}
	c := report.Percent(r.Accuracy)
	if r.Seeds > 1 {
		c.Text = fmt.Sprintf("%.2f ± %.2f %%", 100*r.Accuracy, 100*r.Spread)
	}
	if r.Failed > 0 {
		c.Text += fmt.Sprintf(" (%d of %d failed)", r.Failed, r.Failed+r.Seeds)
	}
	return c
}

// costTable has a row for each method and sparsity.
func costTable(rows []*sweep.Row) *report.Table {
	t := &report.Table{Columns: []string{"method", "asked", "accuracy", "to dense", "kept", "zero or gone", "MACs", "sparse form", "time", "epochs", "front"}}
	dense, _ := densest(rows)
	for _, r := range rows {
		asked := report.Missing()
		if r.Target != "" {
			asked = report.Text(r.Target)
		}
		if r.Seeds == 0 {
			t.Rows = append(t.Rows, []report.Cell{report.Text(r.Label), asked, report.Text("failed")})
			for range len(t.Columns) - 3 {
				t.Rows[len(t.Rows)-1] = append(t.Rows[len(t.Rows)-1], report.Missing())
			}
			continue
		}
		diff, time, star := report.Missing(), report.Missing(), report.Text("")
		if dense != nil && r != dense {
			diff = report.Cell{Text: fmt.Sprintf("%+.2f", 100*(r.Accuracy-dense.Accuracy)), Value: r.Accuracy - dense.Accuracy, IsNum: true}
		}
		if r.Time > 0 {
			time = report.Ratio(r.Time, r.TimeHalf)
		}
		if r.Front {
			star = report.Text("★")
		}
		t.Rows = append(t.Rows, []report.Cell{report.Text(r.Label), asked, accuracyCell(r), diff, report.Count(int64(r.Kept + .5)), report.Percent(r.Sparsity), report.Scaled(r.MACs),
			report.Bytes(int64(r.Bytes + .5)), time, report.Number(r.Epochs), star})
	}
	return t
}

// densest is the row of the dense network, and those of the methods.
func densest(rows []*sweep.Row) (dense *sweep.Row, others []*sweep.Row) {
	for _, r := range rows {
		switch {
		case r.Label != sweep.Dense:
			others = append(others, r)
		case r.Seeds > 0:
			dense = r
		}
	}
	return dense, others
}

// closeUp is how far below the dense network the second plot goes.
const closeUp = .1

// paretoPlots are accuracy against weights that are left, a line a method; and
// the same near the dense network, where some methods are far below it.
func paretoPlots(rows []*sweep.Row) []*report.Plot {
	dense, others := densest(rows)
	plot := func(title string, least float64) (p *report.Plot, in, out int) {
		p = &report.Plot{Title: title, X: report.Axis{Name: "parameters kept", Log: true}, Y: report.Axis{Name: "accuracy", Format: report.Share, Span: .01}}
		at := map[string]int{}
		var xs []float64
		for _, r := range others {
			i, ok := at[r.Label]
			if !ok {
				i, at[r.Label] = len(p.Series), len(p.Series)
				p.Series = append(p.Series, report.Series{Name: r.Label, Line: true})
			}
			switch {
			case r.Seeds == 0:
			case r.Accuracy < least:
				out++
			default:
				in++
				xs = append(xs, r.Kept)
				p.Series[i].Points = append(p.Series[i].Points, report.Point{X: r.Kept, Y: r.Accuracy})
			}
		}
		if dense != nil && in > 0 {
			p.Series = append(p.Series, report.Series{Name: sweep.Dense, Line: true, Dashed: true,
				Points: []report.Point{{X: slices.Min(xs), Y: dense.Accuracy}, {X: dense.Kept, Y: dense.Accuracy}}})
		}
		for i := range p.Series {
			slices.SortStableFunc(p.Series[i].Points, func(a, b report.Point) int { return int(a.X - b.X) })
		}
		return p, in, out
	}
	all, n, _ := plot("Accuracy against parameters kept", -1)
	if n == 0 {
		return nil
	}
	plots := []*report.Plot{all}
	if dense != nil {
		near, in, out := plot(fmt.Sprintf("The same, within %.0f points of dense", 100*closeUp), dense.Accuracy-closeUp)
		if in > 1 && out > 0 {
			plots = append(plots, near)
		}
	}
	return plots
}

// failures lists the runs that failed, nil where there is none.
func failures(outs []*sweep.Outcome) *report.Table {
	t := &report.Table{Columns: []string{"method", "asked", "seed", "why"}}
	for _, o := range outs {
		if o.Error != "" {
			t.Rows = append(t.Rows, []report.Cell{report.Text(o.Label), report.Text(o.Target), report.Count(int64(o.Seed)), report.Text(o.Error)})
		}
	}
	if t.Rows == nil {
		return nil
	}
	return t
}

// notes are what methods have to say, each once.
func notes(outs []*sweep.Outcome) []string {
	var out []string
	for _, o := range outs {
		for _, n := range o.Notes {
			if x := strings.TrimSpace(o.Label+" "+o.Target) + ": " + n.String(); !slices.Contains(out, x) {
				out = append(out, x)
			}
		}
	}
	return out
}

// write writes the files that were asked for.
func (q *comparison) write(r *report.Report) error {
	if q.html != "" {
		if err := writePage(q.html, r); err != nil {
			return err
		}
	}
	plots := r.Sections[0].Plots
	if q.plot != "" {
		if len(plots) == 0 {
			return fmt.Errorf("--plot %s: no run of a method ended well, so there is nothing to draw", q.plot)
		}
		if err := writePlot(q.plot, plots[0]); err != nil {
			return err
		}
	}
	if q.page == "" {
		return nil
	}
	names := map[*report.Plot]string{}
	for i, p := range plots {
		file := strings.TrimSuffix(q.page, filepath.Ext(q.page))
		if i > 0 {
			file += fmt.Sprint("-", i+1)
		}
		if err := writePlot(file+".svg", p); err != nil {
			return err
		}
		names[p] = filepath.Base(file) + ".svg"
	}
	var b bytes.Buffer
	if err := r.Markdown(&b, "<!-- Written by `pare model compare --page`; run the command instead of editing. -->\n\n", func(p *report.Plot) string { return names[p] }); err != nil {
		return err
	}
	return renameio.WriteFile(q.page, b.Bytes(), 0o644)
}

func writePlot(path string, p *report.Plot) error {
	s, err := p.Standalone()
	if err != nil {
		return err
	}
	return renameio.WriteFile(path, []byte(s), 0o644)
}
