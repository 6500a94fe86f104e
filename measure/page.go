package measure

import (
	"fmt"
	"strings"

	"pare/dataset"
	"pare/report"
	"pare/train"
)

// Page is the report of networks that Networks measured.
func Page(title, subtitle string, ns []*Network, d *dataset.Data) *report.Report {
	r := &report.Report{Title: title, Subtitle: subtitle}
	r.Add(report.Section{Heading: "What came out", Table: outcomeTable(ns), Text: summary(ns, d)})
	r.Add(report.Section{Heading: "How fast it runs", Table: speedTable(ns), Text: "One sample, and 32 at once, every network in turn in each round; times are relative to the first, with the spread of the middle half of the rounds. Memory is what a network holds while it runs on one sample: activations, weights as the kernels want them, scratch."})
	if plots := costPlots(ns); plots != nil {
		r.Add(report.Section{Heading: "Accuracy against what it costs", Plots: plots})
	}
	if bars := layerBars(ns); bars != nil {
		r.Add(report.Section{Heading: "Where it was cut", Plots: bars})
	}
	for _, n := range ns {
		if len(n.Epochs) > 1 {
			r.Add(report.Section{Heading: "Training: " + n.Name, Plots: curves(n.Epochs)})
		}
	}
	return r
}

// costPlots are accuracy against size and against time, each with its Pareto
// front; nil for fewer than two networks that were evaluated.
func costPlots(ns []*Network) []*report.Plot {
	bytes, time := report.Series{Name: "networks"}, report.Series{Name: "networks"}
	for _, n := range ns {
		if n.Metrics == nil {
			continue
		}
		add := func(s *report.Series, cost float64) {
			s.Points = append(s.Points, report.Point{X: cost, Y: n.Metrics.Accuracy, Label: n.Name})
		}
		add(&bytes, float64(min(n.Size.Bytes, n.Size.SparseBytes)))
		add(&time, n.Single.Ratio.Median)
	}
	if len(bytes.Points) < 2 {
		return nil
	}
	accuracy := report.Axis{Name: "accuracy", Format: report.Share, Span: .02} // so that one sample is no cliff
	inBytes := func(v float64) string { return report.Bytes(int64(v)).Text }
	return []*report.Plot{
		{Title: "Accuracy against size", X: report.Axis{Name: "bytes on disk", Log: true, Format: inBytes}, Y: accuracy,
			Series: []report.Series{bytes, front(bytes)}, Note: "The smaller of the ONNX file and Pare's sparse form."},
		{Title: "Accuracy against time", X: report.Axis{Name: "time of one sample, relative to " + ns[0].Name}, Y: accuracy, Series: []report.Series{time, front(time)}},
	}
}

// front joins the points that no other beats in both coordinates.
func front(s report.Series) report.Series {
	out := report.Series{Name: "Pareto front", Line: true, Dashed: true}
	var cost, good []float64
	for _, p := range s.Points {
		cost, good = append(cost, p.X), append(good, p.Y)
	}
	for _, i := range Pareto(cost, good) {
		out.Points = append(out.Points, report.Point{X: cost[i], Y: good[i]})
	}
	return out
}

// summary says in one sentence for each network what was won and lost.
func summary(ns []*Network, d *dataset.Data) string {
	var out []string
	first := ns[0]
	for _, n := range ns[1:] {
		file, of := n.Size.Bytes, "its ONNX file"
		if n.Size.SparseBytes < file && n.Size.Sparsity() > .01 {
			file, of = n.Size.SparseBytes, "its sparse form"
		}
		t := fmt.Sprintf("%s takes %.2f× the time of %s for one sample", n.Name, n.Single.Ratio.Median, first.Name)
		if n.Batch.Batch > 0 {
			t += fmt.Sprintf(", %.2f× for 32", n.Batch.Ratio.Median)
		}
		t += fmt.Sprintf("; %s has %.2f× the bytes", of, float64(file)/float64(max(1, first.Size.Bytes)))
		if n.Metrics != nil && first.Metrics != nil {
			t += fmt.Sprintf("; accuracy %+.2f points", 100*(n.Metrics.Accuracy-first.Metrics.Accuracy))
		}
		out = append(out, t+".")
	}
	if d != nil {
		t := fmt.Sprintf("Accuracy and loss are measured on the %s set", d.Eval().Name)
		if m := first.Metrics; m != nil {
			t += fmt.Sprintf(", %s samples", report.Count(int64(m.N)).Text)
		}
		out = append(out, t+".")
	}
	return strings.Join(out, "\n\n")
}

// layerBars show by layer the zeros of networks that have some, and the share of
// the weights that is left in networks that became smaller.
func layerBars(ns []*Network) []*report.Plot {
	var out []*report.Plot
	was := map[string]int64{}
	for _, l := range ns[0].Layers {
		was[l.Name] = l.Params
	}
	for _, n := range ns {
		zeros := &report.Plot{Title: "Zeros by layer: " + n.Name}
		left := &report.Plot{Title: "Weights left by layer: " + n.Name}
		for _, l := range n.Layers {
			z := l.zeros()
			zeros.Bars = append(zeros.Bars, report.Bar{Label: l.Name, Value: z, Text: fmt.Sprintf("%.1f %%", 100*z)})
			if before := was[l.Name]; before > 0 {
				x := float64(l.Params) / float64(before)
				left.Bars = append(left.Bars, report.Bar{Label: l.Name, Value: x, Text: fmt.Sprintf("%.1f %%", 100*x)})
			}
		}
		if n.Size.Sparsity() >= .01 {
			out = append(out, zeros)
		}
		if n.Size.Params < ns[0].Size.Params {
			out = append(out, left)
		}
	}
	return out
}

// curves are loss and accuracy by epoch.
func curves(es []train.Epoch) []*report.Plot {
	tr, va, ac := report.Series{Name: "training", Line: true}, report.Series{Name: "held out", Line: true}, report.Series{Name: "held out", Line: true}
	for _, e := range es {
		x := float64(e.Epoch)
		tr.Points = append(tr.Points, report.Point{X: x, Y: e.Loss})
		va.Points = append(va.Points, report.Point{X: x, Y: e.ValLoss})
		ac.Points = append(ac.Points, report.Point{X: x, Y: e.Accuracy})
	}
	ax := report.Axis{Name: "epoch"}
	return []*report.Plot{{Title: "Loss", X: ax, Y: report.Axis{Name: "cross-entropy"}, Series: []report.Series{tr, va}},
		{Title: "Accuracy", X: ax, Y: report.Axis{Name: "accuracy", Format: report.Share}, Series: []report.Series{ac}}}
}

// outcomeTable says how good and how large the networks are.
func outcomeTable(ns []*Network) *report.Table {
	t := &report.Table{Columns: []string{"network", "accuracy", "loss", "parameters", "non-zero", "MACs", "ONNX", "sparse form", "time"}}
	for _, n := range ns {
		acc, loss := report.Missing(), report.Missing()
		if n.Metrics != nil {
			acc, loss = report.Percent(n.Metrics.Accuracy), report.Number(n.Metrics.Loss)
		}
		t.Rows = append(t.Rows, []report.Cell{report.Text(n.Name), acc, loss, report.Count(n.Size.Params), report.Count(n.Size.NonZero), report.Scaled(float64(n.Size.MACs)),
			report.Bytes(n.Size.Bytes), report.Bytes(n.Size.SparseBytes), report.Ratio(n.Single.Ratio.Median, n.Single.Ratio.Half)})
	}
	return t
}

// speedTable says how fast they are; times are relative to the first, run in turn.
func speedTable(ns []*Network) *report.Table {
	t := &report.Table{Columns: []string{"network", "effective MACs", "latency, 1", "time, 1", "samples/s, 32", "time, 32", "memory, 1"}}
	for _, n := range ns {
		rate, many := report.Missing(), report.Missing()
		if n.Batch.Batch > 0 {
			rate, many = report.Scaled(n.Batch.Rate), report.Ratio(n.Batch.Ratio.Median, n.Batch.Ratio.Half)
		}
		t.Rows = append(t.Rows, []report.Cell{report.Text(n.Name), report.Scaled(float64(n.Size.Effective)), report.Millis(n.Single.Seconds.Median),
			report.Ratio(n.Single.Ratio.Median, n.Single.Ratio.Half), rate, many, report.Bytes(int64(n.Single.Peak))})
	}
	return t
}
