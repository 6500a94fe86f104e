package main

import (
	"path/filepath"

	"pare/dataset"
	"pare/measure"
	"pare/model"
	"pare/model/lowbit"

	"github.com/spf13/cobra"
)

// quantising is what the flags of quantize say.
type quantising struct {
	making
	drop     float64
	settings *lowbit.Settings
}

func (c *cli) quantize() *cobra.Command {
	q := &quantising{making: newMaking(), settings: lowbit.Defaults()}
	cmd := &cobra.Command{Use: "quantize FILE -o OUT", Short: "Make integers of a network's numbers: eight bits with samples or without, four for weights alone", Args: args("FILE"),
		Long: `Makes a network of integers that ONNX Runtime and Pare run: with QuantizeLinear and DequantizeLinear around what is
computed in integers (static), with DynamicQuantizeLinear and MatMulInteger (dynamic), or with weights of 8 or 4 bits in
groups (weights). A weight's zeros stay zero, so pruned networks stay so; OUT ends in .onnx, or in .pare, which takes no
bytes for them. What stays in float, and why, is said.

With --max-drop layers are left in float, the most sensitive first, until the network loses at most that much. With --qat
it trains on, by the recipe, with rounding in the network. docs/quantise.md tells more.`,
		Example: `  pare model quantize net.onnx -o net8.onnx --data cifar10:DIR
  pare model quantize net.onnx -o net8.onnx --data cifar10:DIR --ranges percentile:99.99 --max-drop 0.5
  pare model quantize pruned.onnx -o small.pare --data cifar10:DIR --qat --epochs 2 --lr 0.001
  pare model quantize bert.onnx -o bert8.onnx --mode dynamic --embeddings   # no data
  pare model quantize bert.onnx -o bert4.onnx --mode weights --bits 4 --group 64

` + dataset.Help,
		RunE: func(cmd *cobra.Command, a []string) error { return c.runQuantize(cmd, a[0], q) }}
	f := cmd.Flags()
	f.StringVarP(&q.to.path, "output", "o", "", "file to write (.onnx or .pare)")
	c.dataFlags(cmd, &q.data, "data to find ranges on, to train on and to measure with")
	f.Float64Var(&q.drop, "max-drop", 0, "leave layers in float, the most sensitive first, until at most this much is lost, in the units of the metric: points of per cent, decibels")
	q.flags(c, cmd, "all that is random", "the networks are")
	settingFlags(cmd, q.settings, "")
	q.trainingFlags(c, cmd)
	inSections(cmd)
	return cmd
}

func (c *cli) runQuantize(cmd *cobra.Command, name string, q *quantising) error {
	c.quantises = q.settings
	if q.to.path == "" {
		return usage("no output: give -o OUT.onnx or OUT.pare")
	}
	in, err := q.claim(c, name, networks, places{})
	if err != nil {
		return err
	}
	own, err := q.own(c, cmd, in)
	if err != nil {
		return err
	}
	j, err := c.quantizeJob(cmd, name, q, own)
	if err != nil {
		return err
	}
	dense, _ := j.Graph.Clone(true)
	j.Dense = dense
	if err := c.noteJob(nil, j, q.data); err != nil {
		return err
	}
	res, err := c.work(j, "quantize", func() (*model.Result, error) { return q.settings.Run(cmd.Context(), j) })
	if err != nil {
		return err
	}
	if res.Graph, err = c.save(&q.to, res.Graph, name); err != nil {
		return err
	}
	own.written()
	c.tell(res)
	out := q.outcome("Integers of "+filepath.Base(name), j, &measure.Network{Name: "float", File: name, Graph: dense}, q.made(res))
	out.result = res
	return own.end(c.finish(cmd, out))
}

// quantizeJob reads network and data, and checks that they go together.
func (c *cli) quantizeJob(cmd *cobra.Command, name string, q *quantising, own *owned) (*model.Job, error) {
	o, err := c.engine()
	if err != nil {
		return nil, err
	}
	j := q.job(c, o, own)
	if !q.settings.QAT {
		j.Recipe.Epochs = 0
		for _, name := range []string{"epochs", "batch", "sampler", "lr", "schedule", "optimizer", "momentum", "decay", "smoothing", "clip", "on-explosion", "keep-epoch", "crop", "flip"} {
			if f := cmd.Flags().Lookup(name); f.Changed && !(name == "epochs" && q.recipe.Epochs == 0) {
				return nil, usage("--%s %s is for training with rounding: give --qat", name, f.Value)
			}
		}
	}
	if cmd.Flags().Changed("max-drop") {
		if j.MaxDrop = &q.drop; !(q.drop >= 0) {
			return nil, usage("--max-drop %v: at least 0 may be lost", q.drop)
		}
		if q.data == "" {
			return nil, usage("--max-drop measures on data: give --data")
		}
	}
	if err := q.read(c, name, j); err != nil {
		return nil, err
	}
	if err := q.teaching.apply(c, cmd, j); err != nil {
		return nil, err
	}
	if err := q.settings.Check(j); err != nil {
		return nil, err
	}
	return j, j.Check()
}
