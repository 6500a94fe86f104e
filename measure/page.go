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
		r.Add(report.Section{Heading: capital(ns[0].score().Name()) + " against what it costs", Plots: plots})
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

// costPlots are the score against size and against time, each with its Pareto
// front; nil for fewer than two networks that were evaluated.
func costPlots(ns []*Network, engine string) []*report.Plot {
	bytes, time, sparse := report.Series{Name: "files on disk"}, report.Series{Name: "networks"}, report.Series{Name: "in Pare's sparse form"}
	for _, n := range ns {
		if n.Metrics == nil {
			continue
		}
		p := report.Point{Y: n.Metrics.Value(), Label: n.Name}
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
	good := axis(ns[0].score())
	title := capital(good.Name)
	inBytes := func(v float64) string { return report.Bytes(int64(v)).Text }
	sized := []report.Series{bytes}
	if sparse.Points != nil {
		sized = append(sized, sparse)
	}
	out := []*report.Plot{{Title: title + " against size", X: report.Axis{Name: "bytes", Log: true, Format: inBytes}, Y: good, Series: append(sized, front(ns[0].score().Higher, sized...))}}
	if !ns[0].Single.measured() {
		return out
	}
	return append(out, &report.Plot{Title: title + " against time", X: report.Axis{Name: "time of one sample, relative to " + ns[0].Name}, Y: good, Series: []report.Series{time, front(ns[0].score().Higher, time)},
		Note: "Times of " + engine + "; the bars are the spread of the middle half of the rounds."})
}

// front joins the points that no other beats in both coordinates.
func front(higher bool, series ...report.Series) report.Series {
	out := report.Series{Name: "Pareto front", Line: true, Dashed: true}
	var cost, good []float64
	var all []report.Point
	for _, s := range series {
		for _, p := range s.Points {
			y := p.Y
			if !higher {
				y = -y
			}
			cost, good, all = append(cost, p.X), append(good, y), append(all, p)
		}
	}
	for _, i := range Pareto(cost, good) {
		out.Points = append(out.Points, report.Point{X: all[i].X, Y: all[i].Y})
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
		t := fmt.Sprintf("%s and loss are measured on the %s set", capital(ns[0].score().Name()), d.Eval().Name)
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

// curves are loss and score by epoch.
func curves(es []train.Epoch) []*report.Plot {
	tr, va, ac := report.Series{Name: "training", Line: true}, report.Series{Name: "held out", Line: true}, report.Series{Name: "held out", Line: true}
	for _, e := range es {
		x := float64(e.Epoch)
		tr.Points = append(tr.Points, report.Point{X: x, Y: e.Loss})
		va.Points = append(va.Points, report.Point{X: x, Y: e.ValLoss})
		ac.Points = append(ac.Points, report.Point{X: x, Y: e.Score.Value})
	}
	ax := report.Axis{Name: "epoch"}
	plots := []*report.Plot{{Title: "Loss", X: ax, Y: report.Axis{Name: "loss"}, Series: []report.Series{tr, va}}}
	if s := es[0].Score; s.Metric != "" && s.Metric != "loss" {
		y := axis(s)
		y.Span = 0
		plots = append(plots, &report.Plot{Title: capital(s.Name()), X: ax, Y: y, Series: []report.Series{ac}})
	}
	return plots
}

// axis is that of a score.
func axis(s train.Score) report.Axis {
	if s.Unit == "%" {
		return report.Axis{Name: s.Name(), Format: report.Share, Span: .02} // so that one sample is no cliff
	}
	return report.Axis{Name: s.Name()}
}

// capital begins a word with a capital letter.
func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// score is the network's, by the metric that decides; "accuracy" where none was measured.
func (n *Network) score() train.Score {
	if n.Metrics == nil {
		return train.Score{Metric: "accuracy", Unit: "%", Higher: true}
	}
	return n.Metrics.Main()
}

// outcomeTable says how good and how large the networks are; what matters most stands
// first, for a narrow terminal puts the rest below.
func outcomeTable(ns []*Network) *report.Table {
	t := &report.Table{Columns: []string{"network", ns[0].score().Metric, "file", "time", "parameters", "non-zero", "MACs", "ONNX", "sparse form", "loss"}}
	for _, n := range ns {
		acc, loss, file, time := report.Missing(), report.Missing(), report.Missing(), report.Missing()
		if n.Metrics != nil {
			acc, loss = ShowScore(n.Metrics.Main()), report.Number(n.Metrics.Loss)
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

// ShowScore is a score as a cell.
func ShowScore(s train.Score) report.Cell {
	return report.Cell{Text: s.Show(), Value: s.Value, IsNum: true}
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
