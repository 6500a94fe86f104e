package measure

import (
	"cmp"
	"fmt"
	"strings"

	"pare/dataset"
	"pare/report"
	"pare/train"
)

// Page is the report of networks that Networks measured; from says how it was made.
func Page(title string, ns []*Network, d *dataset.Data, from *Origin) *report.Report {
	r := &report.Report{Title: title, Verdict: Verdict(ns, d, from.Engine), Facts: from.Facts(ns...)}
	timed := ns[0].Single.measured()
	heading := "What came out"
	if timed {
		heading += " (time: one sample, " + from.Engine + ")"
	}
	r.Add(report.Section{Heading: heading, Table: outcomeTable(ns), Note: summary(ns, d, from)})
	if timed {
		r.Add(report.Section{Heading: "How fast it runs (" + from.Engine + ")", Table: speedTable(ns), Note: "One sample, and 32 at once, every network in turn in each round. Behind ± is the spread of the middle half of the rounds; times with × are relative to the first network. Memory is what a network holds while it runs on one sample: activations, weights as the kernels want them, scratch. Another runtime has other times."})
	}
	if plots := costPlots(ns, from.Engine); plots != nil {
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
func costPlots(ns []*Network, engine string) []*report.Plot {
	bytes, time, sparse := report.Series{Name: "files on disk"}, report.Series{Name: "networks"}, report.Series{Name: "in Pare's sparse form"}
	for _, n := range ns {
		if n.Metrics == nil {
			continue
		}
		p := report.Point{Y: n.Metrics.Accuracy, Label: n.Name}
		p.X = float64(cmp.Or(n.OnDisk, n.Size.Bytes))
		bytes.Points = append(bytes.Points, p)
		if n.sparser() {
			p.X, p.Label = float64(n.Size.SparseBytes), n.Name+", sparse form"
			sparse.Points = append(sparse.Points, p)
		}
		p.X, p.OffX, p.Label = n.Single.Ratio.Median, n.Single.Ratio.Half, n.Name
		time.Points = append(time.Points, p)
	}
	if len(bytes.Points) < 2 {
		return nil
	}
	accuracy := report.Axis{Name: "accuracy", Format: report.Share, Span: .02} // so that one sample is no cliff
	inBytes := func(v float64) string { return report.Bytes(int64(v)).Text }
	sized := []report.Series{bytes}
	if sparse.Points != nil {
		sized = append(sized, sparse)
	}
	out := []*report.Plot{{Title: "Accuracy against size", X: report.Axis{Name: "bytes", Log: true, Format: inBytes}, Y: accuracy, Series: append(sized, front(sized...))}}
	if !ns[0].Single.measured() {
		return out
	}
	return append(out, &report.Plot{Title: "Accuracy against time", X: report.Axis{Name: "time of one sample, relative to " + ns[0].Name}, Y: accuracy, Series: []report.Series{time, front(time)},
		Note: "Times of " + engine + "; the bars are the spread of the middle half of the rounds."})
}

// front joins the points that no other beats in both coordinates.
func front(series ...report.Series) report.Series {
	out := report.Series{Name: "Pareto front", Line: true, Dashed: true}
	var cost, good []float64
	for _, s := range series {
		for _, p := range s.Points {
			cost, good = append(cost, p.X), append(good, p.Y)
		}
	}
	for _, i := range Pareto(cost, good) {
		out.Points = append(out.Points, report.Point{X: cost[i], Y: good[i]})
	}
	return out
}

// summary says what the columns of the first table are.
func summary(ns []*Network, d *dataset.Data, from *Origin) string {
	out := []string{"File is the size on disk of the file that was given or written, with its weights where these lie beside it. ONNX is the network as an ONNX file, sparse form as a .pare file, in which zeros take less than a bit; both are taken from the file where it is one of them, and else from what Pare would write."}
	if ns[0].Single.measured() {
		out[0] += " Time is that of one sample on " + from.Engine + ", relative to " + ns[0].Name + "."
	}
	if d != nil {
		t := fmt.Sprintf("Accuracy and loss are measured on the %s set", d.Eval().Name)
		if m := ns[0].Metrics; m != nil {
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
			zeros.Bars = append(zeros.Bars, report.Bar{Label: l.title(), Value: z, Text: fmt.Sprintf("%.1f %%", 100*z)})
			if before := was[l.Name]; before > 0 {
				x := float64(l.Params) / float64(before)
				left.Bars = append(left.Bars, report.Bar{Label: l.title(), Value: x, Text: fmt.Sprintf("%.1f %%", 100*x)})
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

// outcomeTable says how good and how large the networks are; what matters most stands
// first, for a narrow terminal puts the rest below.
func outcomeTable(ns []*Network) *report.Table {
	t := &report.Table{Columns: []string{"network", "accuracy", "file", "time", "parameters", "non-zero", "MACs", "ONNX", "sparse form", "loss"}}
	for _, n := range ns {
		acc, loss, file, time := report.Missing(), report.Missing(), report.Missing(), report.Missing()
		if n.Metrics != nil {
			acc, loss = report.Percent(n.Metrics.Accuracy), report.Number(n.Metrics.Loss)
		}
		if n.OnDisk > 0 {
			file = report.Bytes(n.OnDisk)
		}
		if n.Single.measured() {
			time = report.Ratio(n.Single.Ratio.Median, n.Single.Ratio.Half)
		}
		t.Rows = append(t.Rows, []report.Cell{report.Text(n.Name), acc, file, time, report.Count(n.Size.Params), report.Count(n.Size.NonZero),
			report.Scaled(float64(n.Size.MACs)), report.Bytes(n.Size.Bytes), report.Bytes(n.Size.SparseBytes), loss})
	}
	return t
}

// speedTable says how fast they are; times are relative to the first, run in turn.
func speedTable(ns []*Network) *report.Table {
	t := &report.Table{Columns: []string{"network", "latency, 1", "time, 1", "samples/s, 32", "time, 32", "memory, 1", "effective MACs"}}
	for _, n := range ns {
		rate, many := report.Missing(), report.Missing()
		if n.Batch.Batch > 0 {
			rate, many = report.Scaled(n.Batch.Rate), report.Ratio(n.Batch.Ratio.Median, n.Batch.Ratio.Half)
		}
		t.Rows = append(t.Rows, []report.Cell{report.Text(n.Name), n.Single.Seconds.Millis(), report.Ratio(n.Single.Ratio.Median, n.Single.Ratio.Half), rate, many,
			report.Bytes(int64(n.Single.Peak)), report.Scaled(float64(n.Size.Effective))})
	}
	return t
}

// Millis writes seconds with their spread: "3.21 ± 0.04 ms".
func (s Spread) Millis() report.Cell {
	c := report.Millis(s.Median)
	if s.Half > 0 && c.IsNum {
		c.Text = fmt.Sprintf("%.3g ± %.1g ms", 1000*s.Median, 1000*s.Half)
	}
	return c
}
