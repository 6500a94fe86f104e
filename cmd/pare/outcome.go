package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/measure"
	"pare/report"
	"pare/train"
)

// variant is a network among those that are compared.
type variant struct {
	Name   string        `json:"name"`
	File   string        `json:"file"`
	Graph  *graph.Graph  `json:"-"`
	Epochs []train.Epoch `json:"epochs,omitempty"`

	Metrics *train.Metrics  `json:"metrics,omitempty"`
	Size    measure.Size    `json:"size"`
	Layers  []measure.Layer `json:"layers"`
	Single  measure.Speed   `json:"speed_1"`  // one sample
	Batch   measure.Speed   `json:"speed_32"` // 32 samples
	OnDisk  int64           `json:"on_disk"`
}

// measureAll fills the variants in; the first is what the others are compared
// with. Without data there is no accuracy.
func measureAll(ctx context.Context, vs []*variant, d *dataset.Data, o engine.Options) error {
	var gs []*graph.Graph
	for _, v := range vs {
		gs = append(gs, v.Graph)
		var err error
		if v.Size, v.Layers, err = measure.Of(v.Graph); err != nil {
			return err
		}
		if d != nil {
			m, err := train.NewEval(d.Eval(), d.Norm, 128, o).Run(ctx, v.Graph)
			if err != nil {
				return err
			}
			v.Metrics = &m
		}
		if st, err := os.Stat(v.File); err == nil {
			v.OnDisk = st.Size()
		}
	}
	for _, batch := range []int{1, 32} {
		if batch > 1 && len(gs[0].Inputs) > 0 && len(gs[0].Inputs[0].Shape) > 0 && gs[0].Inputs[0].Shape[0].Known() {
			continue // the file fixes the batch
		}
		sp, err := measure.Latency(ctx, gs, batch, 11, 40*time.Millisecond, o)
		if err != nil {
			return err
		}
		for i, v := range vs {
			if batch == 1 {
				v.Single = sp[i]
			} else {
				v.Batch = sp[i]
			}
		}
	}
	return nil
}

// page is the report of compared variants.
func page(title, subtitle string, vs []*variant, d *dataset.Data) *report.Report {
	r := &report.Report{Title: title, Subtitle: subtitle}
	r.Add(report.Section{Heading: "What came out", Table: outcomeTable(vs), Text: summary(vs, d)})
	r.Add(report.Section{Heading: "How fast it runs", Table: speedTable(vs), Text: "One sample, and 32 at once, every network in turn in each round; times are relative to the first, with the spread of the middle half of the rounds. Memory is what a network holds while it runs on one sample: activations, weights as the kernels want them, scratch."})
	var size, speed report.Series
	var xs, ys, ls []float64
	for _, v := range vs {
		if v.Metrics == nil {
			continue
		}
		a := v.Metrics.Accuracy
		bytes := float64(min(v.Size.Bytes, v.Size.SparseBytes))
		size.Points = append(size.Points, report.Point{X: bytes, Y: a, Label: v.Name})
		speed.Points = append(speed.Points, report.Point{X: v.Single.Seconds.Median * 1000, Y: a, Label: v.Name})
		xs, ys, ls = append(xs, bytes), append(ys, a), append(ls, v.Single.Seconds.Median*1000)
	}
	if len(xs) > 1 {
		front := func(cost []float64) report.Series {
			s := report.Series{Name: "Pareto front", Line: true, Dashed: true}
			for _, i := range measure.Pareto(cost, ys) {
				s.Points = append(s.Points, report.Point{X: cost[i], Y: ys[i]})
			}
			return s
		}
		size.Name, speed.Name = "networks", "networks"
		acc := report.Axis{Name: "accuracy", Format: report.Share, Span: .02} // so that one sample is no cliff
		r.Add(report.Section{Heading: "Accuracy against what it costs", Plots: []*report.Plot{
			{Title: "Accuracy against size", X: report.Axis{Name: "bytes on disk", Log: true, Format: func(v float64) string { return report.Bytes(int64(v)).Text }}, Y: acc,
				Series: []report.Series{size, front(xs)}, Note: "The smaller of the ONNX file and Pare's sparse form."},
			{Title: "Accuracy against latency", X: report.Axis{Name: "milliseconds, one sample"}, Y: acc, Series: []report.Series{speed, front(ls)}},
		}})
	}
	if bars := layerBars(vs); bars != nil {
		r.Add(report.Section{Heading: "Where it was cut", Plots: bars})
	}
	for _, v := range vs {
		if len(v.Epochs) > 1 {
			r.Add(report.Section{Heading: "Training: " + v.Name, Plots: curves(v.Epochs)})
		}
	}
	return r
}

// summary says in a sentence a network what was won and lost.
func summary(vs []*variant, d *dataset.Data) string {
	var out []string
	a := vs[0]
	for _, v := range vs[1:] {
		file, of := v.Size.Bytes, "its ONNX file"
		if v.Size.SparseBytes < file && v.Size.Sparsity() > .01 {
			file, of = v.Size.SparseBytes, "its sparse form"
		}
		t := fmt.Sprintf("%s takes %.2f× the time of %s for one sample", v.Name, v.Single.Ratio.Median, a.Name)
		if v.Batch.Batch > 0 {
			t += fmt.Sprintf(", %.2f× for 32", v.Batch.Ratio.Median)
		}
		t += fmt.Sprintf("; %s has %.2f× the bytes", of, float64(file)/float64(max(1, a.Size.Bytes)))
		if v.Metrics != nil && a.Metrics != nil {
			t += fmt.Sprintf("; accuracy %+.2f points", 100*(v.Metrics.Accuracy-a.Metrics.Accuracy))
		}
		out = append(out, t+".")
	}
	if d != nil {
		t := fmt.Sprintf("Accuracy and loss are measured on the %s set", d.Eval().Name)
		if m := a.Metrics; m != nil {
			t += fmt.Sprintf(", %s samples", report.Count(int64(m.N)).Text)
		}
		out = append(out, t+".")
	}
	return strings.Join(out, "\n\n")
}

// layerBars are the zeros of networks that have them, and the weights that are
// left of layers that became smaller.
func layerBars(vs []*variant) []*report.Plot {
	var out []*report.Plot
	was := map[string]int64{}
	for _, l := range vs[0].Layers {
		was[l.Name] = l.Params
	}
	for _, v := range vs {
		zeros := &report.Plot{Title: "Zeros by layer: " + v.Name}
		left := &report.Plot{Title: "Weights left by layer: " + v.Name}
		for _, l := range v.Layers {
			z := 1 - float64(l.NonZero)/float64(max(1, l.Params))
			zeros.Bars = append(zeros.Bars, report.Bar{Label: l.Name, Value: z, Text: fmt.Sprintf("%.1f %%", 100*z)})
			if n := was[l.Name]; n > 0 {
				x := float64(l.Params) / float64(n)
				left.Bars = append(left.Bars, report.Bar{Label: l.Name, Value: x, Text: fmt.Sprintf("%.1f %%", 100*x)})
			}
		}
		if v.Size.Sparsity() >= .01 {
			out = append(out, zeros)
		}
		if v.Size.Params < vs[0].Size.Params {
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

// outcomeTable says how good and how large the variants are.
func outcomeTable(vs []*variant) *report.Table {
	t := &report.Table{Columns: []string{"network", "accuracy", "loss", "parameters", "non-zero", "MACs", "ONNX", "sparse form", "time"}}
	for _, v := range vs {
		acc, loss := report.Missing(), report.Missing()
		if v.Metrics != nil {
			acc, loss = report.Percent(v.Metrics.Accuracy), report.Number(v.Metrics.Loss)
		}
		t.Rows = append(t.Rows, []report.Cell{report.Text(v.Name), acc, loss, report.Count(v.Size.Params), report.Count(v.Size.NonZero), report.Scaled(float64(v.Size.MACs)),
			report.Bytes(v.Size.Bytes), report.Bytes(v.Size.SparseBytes), report.Ratio(v.Single.Ratio.Median, v.Single.Ratio.Half)})
	}
	return t
}

// speedTable says how fast they are; times are relative to the first, run in turn.
func speedTable(vs []*variant) *report.Table {
	t := &report.Table{Columns: []string{"network", "effective MACs", "latency, 1", "time, 1", "samples/s, 32", "time, 32", "memory, 1"}}
	for _, v := range vs {
		rate, many := report.Missing(), report.Missing()
		if v.Batch.Batch > 0 {
			rate, many = report.Scaled(v.Batch.Rate), report.Ratio(v.Batch.Ratio.Median, v.Batch.Ratio.Half)
		}
		t.Rows = append(t.Rows, []report.Cell{report.Text(v.Name), report.Scaled(float64(v.Size.Effective)), report.Millis(v.Single.Seconds.Median),
			report.Ratio(v.Single.Ratio.Median, v.Single.Ratio.Half), rate, many, report.Bytes(int64(v.Single.Peak))})
	}
	return t
}
