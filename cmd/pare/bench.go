package main

import (
	"cmp"
	"fmt"
	"time"

	"pare/graph"
	"pare/measure"
	"pare/report"

	"github.com/spf13/cobra"
)

// benching is what the flags of bench say.
type benching struct{ batch, rounds, layers int }

func (c *cli) bench() *cobra.Command {
	var vs string
	q := &benching{}
	cmd := &cobra.Command{Use: "bench FILE", Short: "Measure latency and throughput, side by side with another network", Args: args("FILE"),
		Example: "  pare model bench small.onnx --vs net.onnx\n  pare model bench net.onnx --batch 32",
		RunE: func(cmd *cobra.Command, a []string) error {
			files := []string{a[0]}
			if vs != "" {
				files = []string{vs, a[0]}
			}
			return c.runBench(cmd, files, q)
		}}
	cmd.Flags().StringVar(&vs, "vs", "", "network to compare with")
	cmd.Flags().IntVar(&q.batch, "batch", 1, "samples in each run")
	cmd.Flags().IntVar(&q.rounds, "rounds", 15, "number of rounds, each of which runs every network in turn")
	cmd.Flags().IntVar(&q.layers, "layers", 12, "number of layers to list, those that take longest (0: none)")
	c.sizeFlags(cmd)
	inSections(cmd)
	return cmd
}

func (c *cli) runBench(cmd *cobra.Command, files []string, q *benching) error {
	if err := cmp.Or(atLeast(1, "batch", q.batch), atLeast(1, "rounds", q.rounds), atLeast(0, "layers", q.layers)); err != nil {
		return err
	}
	o, err := c.engine()
	if err != nil {
		return err
	}
	c.inPlace = true
	var gs []*graph.Graph
	for i, f := range files {
		read := c.load
		if i+1 < len(files) {
			read = c.beside
		}
		g, err := read(f)
		if err != nil {
			return err
		}
		if err := c.settle(f, g); err != nil {
			return err
		}
		gs = append(gs, g)
	}
	sp, err := measure.Latency(cmd.Context(), gs, q.batch, q.rounds, 100*time.Millisecond, o)
	if err != nil {
		return err
	}
	var plans [][]measure.Step
	for _, g := range gs {
		steps, err := measure.Profile(cmd.Context(), g, q.batch, 300*time.Millisecond, o)
		if err != nil {
			return err
		}
		plans = append(plans, steps)
	}
	if c.json {
		return c.printJSON(map[string]any{"files": files, "speed": sp, "plans": plans, "engine": measure.EngineName(o)})
	}
	t := &report.Table{Columns: []string{"network", "latency", "samples/s", "time, relative", "memory"}}
	for i, f := range files {
		t.Rows = append(t.Rows, []report.Cell{report.Text(f), sp[i].Seconds.Millis(), report.Scaled(sp[i].Rate),
			report.Ratio(sp[i].Ratio.Median, sp[i].Ratio.Half), report.Bytes(int64(sp[i].Peak))})
	}
	said := fmt.Sprint(sp[len(sp)-1].Batch)
	if sp[len(sp)-1].Batch != q.batch {
		said += " (the network fixes it)"
	}
	fmt.Fprintf(c.out, "%s, batch %s, %d rounds in turn\n", measure.EngineName(o), said, q.rounds)
	t.Print(c.out, c.width())
	if q.layers == 0 {
		return nil
	}
	fmt.Fprintf(c.out, "\nWhere the time of %s goes\n", files[len(files)-1])
	measure.StepTable(plans, q.layers).Print(c.out, c.width())
	return nil
}
