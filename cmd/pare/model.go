package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/measure"
	"pare/onnx"
	"pare/report"
	"pare/train"

	"github.com/spf13/cobra"
)

func (c *cli) model() *cobra.Command {
	m := &cobra.Command{Use: "model", Short: "Inspect, prune, train, evaluate, measure and convert networks",
		RunE: func(cmd *cobra.Command, a []string) error {
			if len(a) > 0 {
				return usage("there is no command %q\nSee: pare model --help", a[0])
			}
			return cmd.Help()
		}}
	m.AddCommand(c.inspect(), c.prune(), c.train(), c.eval(), c.runModel(), c.bench(), c.compare(), c.convert())
	return m
}

func (c *cli) eval() *cobra.Command {
	var spec, weights string
	cmd := &cobra.Command{Use: "eval FILE|ARCH --data SPEC", Short: "Measure accuracy, loss, size and latency", Args: args("FILE|ARCH"),
		Example: "  pare model eval net.onnx --data cifar10:cifar-10-batches-bin\n  pare model eval resnet20 --weights resnet20.safetensors --data cifar10:cifar-10-batches-bin\n\n" + dataset.Help,
		RunE: func(cmd *cobra.Command, a []string) error {
			if spec == "" {
				return usage("no data: give --data SPEC\n\n%s", dataset.Help)
			}
			o, err := c.engine()
			if err != nil {
				return err
			}
			d, err := dataset.Open(spec)
			if err != nil {
				return err
			}
			g, err := c.network(a[0], weights, d.Eval(), 1)
			if err != nil {
				return err
			}
			if err := fits(g, d); err != nil {
				return err
			}
			m, err := train.NewEval(d.Eval(), d.Norm, 128, o).Run(cmd.Context(), g)
			if err != nil {
				return err
			}
			size, _, err := measure.Of(g)
			if err != nil {
				return err
			}
			sp, err := measure.Latency(cmd.Context(), []*graph.Graph{g}, 1, 7, 50*time.Millisecond, o)
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(map[string]any{"file": a[0], "set": d.Eval().Name, "norm": d.NormName, "metrics": m, "size": size, "speed": sp[0]})
			}
			t := &report.Table{Columns: []string{"samples", "accuracy", "loss", "parameters", "non-zero", "MACs", "bytes", "latency"},
				Rows: [][]report.Cell{{report.Count(int64(m.N)), report.Percent(m.Accuracy), report.Number(m.Loss), report.Count(size.Params), report.Count(size.NonZero),
					report.Scaled(float64(size.MACs)), report.Bytes(size.Bytes), report.Millis(sp[0].Seconds.Median)}}}
			fmt.Fprintf(c.out, "%s on the %s set of %s (input normalised: %s)\n", a[0], d.Eval().Name, spec, d.NormName)
			t.Print(c.out, c.width())
			return nil
		}}
	cmd.Flags().StringVar(&spec, "data", "", "the data to measure on")
	cmd.Flags().StringVar(&weights, "weights", "", "put the weights of this .safetensors file into the network")
	return cmd
}

func (c *cli) bench() *cobra.Command {
	var vs string
	var batch, rounds, layers int
	cmd := &cobra.Command{Use: "bench FILE", Short: "Measure latency and throughput, side by side with another network", Args: args("FILE"),
		Example: "  pare model bench small.onnx --vs net.onnx\n  pare model bench net.onnx --batch 32",
		RunE: func(cmd *cobra.Command, a []string) error {
			if batch < 1 || rounds < 1 {
				return usage("--batch %d, --rounds %d: at least 1 of each", batch, rounds)
			}
			if layers < 0 {
				return usage("--layers %d is negative", layers)
			}
			o, err := c.engine()
			if err != nil {
				return err
			}
			files := []string{a[0]}
			if vs != "" {
				files = []string{vs, a[0]}
			}
			var gs []*graph.Graph
			for _, f := range files {
				g, err := c.load(f)
				if err != nil {
					return err
				}
				gs = append(gs, g)
			}
			sp, err := measure.Latency(cmd.Context(), gs, batch, rounds, 100*time.Millisecond, o)
			if err != nil {
				return err
			}
			var plans [][]engine.StepInfo
			for _, g := range gs {
				steps, err := measure.Profile(cmd.Context(), g, batch, 300*time.Millisecond, o)
				if err != nil {
					return err
				}
				plans = append(plans, steps)
			}
			if c.json {
				return c.printJSON(map[string]any{"files": files, "speed": sp, "plans": plans})
			}
			t := &report.Table{Columns: []string{"network", "latency", "samples/s", "time, relative", "memory"}}
			for i, f := range files {
				t.Rows = append(t.Rows, []report.Cell{report.Text(f), report.Millis(sp[i].Seconds.Median), report.Scaled(sp[i].Rate),
					report.Ratio(sp[i].Ratio.Median, sp[i].Ratio.Half), report.Bytes(int64(sp[i].Peak))})
			}
			fmt.Fprintf(c.out, "batch %d, %d rounds in turn\n", batch, rounds)
			t.Print(c.out, c.width())
			if layers == 0 {
				return nil
			}
			fmt.Fprintf(c.out, "\nWhere the time of %s goes\n", a[0])
			stepTable(plans, layers).Print(c.out, c.width())
			return nil
		}}
	cmd.Flags().StringVar(&vs, "vs", "", "the network to compare with")
	cmd.Flags().IntVar(&batch, "batch", 1, "samples a run")
	cmd.Flags().IntVar(&rounds, "rounds", 15, "rounds, each running every network in turn")
	cmd.Flags().IntVar(&layers, "layers", 12, "layers to list, those that take longest (0: none)")
	return cmd
}

func (c *cli) convert() *cobra.Command {
	var out, weights string
	var o onnx.Options
	var simplify, wide bool
	cmd := &cobra.Command{Use: "convert FILE|ARCH -o OUT", Short: "Write a network in another form: .onnx, Pare's sparse form .pare, or its weights as .safetensors", Args: args("FILE|ARCH"),
		Example: "  pare model convert net.onnx -o net.pare          # zeros take less than a bit each\n  pare model convert net.onnx -o net16.pare --half\n  pare model convert net.pare -o net.onnx\n  pare model convert net.onnx -o sparse.onnx --sparse   # ONNX sparse_initializer\n  pare model convert net.onnx -o net.safetensors   # the weights alone\n  pare model convert resnet20 --weights resnet20.safetensors -o net.onnx",
		RunE: func(cmd *cobra.Command, a []string) error {
			if out == "" {
				return usage("no output: give -o OUT.onnx, OUT.pare or OUT.safetensors")
			}
			if sparse := strings.EqualFold(filepath.Ext(out), ".pare"); o.Half && !sparse || sparse && (o.Sparse || o.External) {
				return usage("-o %s: --half is for .pare files, --sparse and --external are for .onnx files", out)
			}
			if err := onnx.CheckWritable(out); err != nil {
				return err
			}
			g, err := c.raw(a[0], weights)
			if err != nil {
				return err
			}
			if wide {
				if _, err := op.ToFloat32(g); err != nil {
					return fmt.Errorf("%s: %w", a[0], err)
				}
				if err := op.InferAll(g); err != nil {
					return fmt.Errorf("%s: %w", a[0], err)
				}
			}
			if simplify {
				if _, err := op.Simplify(g); err != nil {
					return err
				}
			}
			if strings.EqualFold(filepath.Ext(out), ".safetensors") {
				err = saveWeights(out, g)
			} else {
				err = onnx.Save(out, g, o)
			}
			if err != nil {
				return err
			}
			if !c.json {
				return nil
			}
			st, err := os.Stat(out)
			if err != nil {
				return err
			}
			return c.printJSON(map[string]any{"file": out, "bytes": st.Size()})
		}}
	cmd.Flags().StringVarP(&out, "output", "o", "", "file to write")
	cmd.Flags().StringVar(&weights, "weights", "", "put the weights of this .safetensors file into the network")
	cmd.Flags().BoolVar(&o.Sparse, "sparse", false, "ONNX: sparse weights as sparse_initializer")
	cmd.Flags().BoolVar(&o.External, "external", false, "ONNX: weights in a file beside the model")
	cmd.Flags().BoolVar(&o.Half, "half", false, "round the weights to float16 in Pare's sparse form")
	cmd.Flags().BoolVar(&wide, "float32", false, "turn float16, bfloat16 and float64 numbers into float32")
	cmd.Flags().BoolVar(&simplify, "simplify", false, "fold constants and remove nodes that do nothing")
	return cmd
}
