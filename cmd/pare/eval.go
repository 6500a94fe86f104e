package main

import (
	"fmt"
	"slices"
	"time"

	"pare/dataset"
	"pare/graph"
	"pare/measure"
	"pare/model"
	"pare/report"
	runs "pare/run"

	"github.com/spf13/cobra"
)

func (c *cli) eval() *cobra.Command {
	var spec, weights, against string
	recipe := model.Defaults()
	cmd := &cobra.Command{Use: "eval FILE|ARCH --data SPEC", Short: "Measure how good, large and fast a network is", Args: args("FILE|ARCH"),
		Example: `  pare model eval net.onnx --data cifar10:cifar-10-batches-bin
  pare model eval resnet20 --weights resnet20.safetensors --data cifar10:cifar-10-batches-bin

` + dataset.Help,
		RunE: func(cmd *cobra.Command, a []string) error {
			if spec == "" {
				return usage("no data: give --data SPEC\n\n%s", dataset.Help)
			}
			return c.runEval(cmd, a[0], weights, spec, against, &recipe)
		}}
	c.dataFlags(cmd, &spec, "data to measure on")
	cmd.Flags().StringVar(&weights, "weights", "", weightsHelp)
	cmd.Flags().StringVar(&against, "reference", "", "network that it is compared with where the data has no labels, such as the dense one: fidelity")
	for _, name := range []string{"loss", "metric"} {
		settingOf(cmd, &recipe, name)
	}
	c.answerFlags(cmd)
	inSections(cmd)
	return cmd
}

func (c *cli) runEval(cmd *cobra.Command, name, weights, spec, against string, r *model.Recipe) error {
	o, err := c.engine()
	if err != nil {
		return err
	}
	if c.rec.job != nil { // else it leaves no run
		if err := c.begin(cmd, &runs.Record{}, input{what: "input", path: name}, input{what: "file of weights", path: weights}, input{what: "reference", path: against}); err != nil {
			return err
		}
	}
	if err := c.ownTokens(name); err != nil {
		return err
	}
	d, err := c.open(spec)
	if err != nil {
		return err
	}
	g, err := c.networkFor(name, weights, d, 1, r)
	if err != nil {
		return err
	}
	by, err := r.Judge()
	if err != nil {
		return err
	}
	if against != "" {
		if by.Reference, err = c.beside(against); err != nil {
			return err
		}
	}
	if err := c.note(func(r *runs.Record) { r.Data, r.Sets = spec, setsOf(d) }); err != nil {
		return err
	}
	m, err := measure.Metrics(cmd.Context(), g, d, by, o)
	if err != nil {
		return err
	}
	size, _, err := measure.OfContext(cmd.Context(), g)
	if err != nil {
		return err
	}
	sp, err := measure.Latency(cmd.Context(), []*graph.Graph{g}, 1, 7, 50*time.Millisecond, o)
	if err != nil {
		return err
	}
	onDisk := measure.FileBytes(name) // 0 for a network of the zoo
	c.keepValues([]*measure.Network{{Name: name, File: name, Graph: g, Metrics: &m, Size: size, OnDisk: onDisk, Single: sp[0]}})
	out := map[string]any{"file": name, "set": d.Eval().Name, "norm": d.NormName, "metrics": m, "size": size, "on_disk": onDisk, "speed": sp[0], "engine": measure.EngineName(o)}
	if err := c.result(out); err != nil || c.json {
		return err
	}
	disk := report.Missing()
	if onDisk > 0 {
		disk = report.Bytes(onDisk)
	}
	t := &report.Table{Columns: []string{"loss", "samples", "file", "latency", "parameters", "non-zero", "MACs", "ONNX", "sparse form"},
		Rows: [][]report.Cell{{report.Number(m.Loss), report.Count(int64(m.N)), disk, sp[0].Seconds.Millis(), report.Count(size.Params), report.Count(size.NonZero),
			report.Scaled(float64(size.MACs)), report.Bytes(size.Bytes), report.Bytes(size.SparseBytes)}}}
	for _, s := range slices.Backward(m.Scores) {
		t.Columns = slices.Insert(t.Columns, 0, s.Metric)
		t.Rows[0] = slices.Insert(t.Rows[0], 0, measure.ShowScore(s))
	}
	fmt.Fprintf(c.out, "%s on the %s set of %s (input normalised: %s)\nlatency: one sample, %s\n", name, d.Eval().Name, spec, d.NormName, measure.EngineName(o))
	t.Print(c.out, c.width())
	return nil
}
