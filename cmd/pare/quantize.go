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
	to            destination
	data, html    string
	card          string
	seed          uint64
	resume, force bool
	untimed       bool
	strict        bool
	drop          float64
	settings      *lowbit.Settings
	teaching      distillation
	recipe        model.Recipe
}

func (c *cli) quantize() *cobra.Command {
	q := &quantising{settings: lowbit.Defaults(), recipe: model.Defaults(), teaching: softly()}
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
	f.StringVar(&q.html, "report", "", "write a report page (.html)")
	f.StringVar(&q.card, "card", "", cardHelp)
	f.Uint64Var(&q.seed, "seed", 1, "seed of all that is random")
	f.BoolVar(&q.resume, "resume", false, resumeOwn)
	f.BoolVar(&q.force, "force", false, "begin anew where there is a checkpoint; write over the input network")
	f.BoolVar(&q.untimed, "no-bench", false, "do not measure how fast the networks are")
	f.BoolVar(&q.strict, "strict", false, strictHelp)
	f.Float64Var(&q.drop, "max-drop", 0, "leave layers in float, the most sensitive first, until at most this much is lost, in the units of the metric: points of per cent, decibels")
	c.runFlags(cmd)
	settingFlags(cmd, q.settings, "")
	settingFlags(cmd, &q.teaching, distillationFlags)
	settingFlags(cmd, &q.recipe, recipeFlags)
	c.answerFlags(cmd)
	inSections(cmd)
	return cmd
}

func (c *cli) runQuantize(cmd *cobra.Command, name string, q *quantising) error {
	c.quantises = q.settings
	if q.to.path == "" {
		return usage("no output: give -o OUT.onnx or OUT.pare")
	}
	in := append(dataFiles(q.data), input{"input", name, true}, input{what: "teacher", path: q.teaching.Teacher})
	if err := c.claim(places{in, []file{{"output", q.to.path, []string{".onnx", ".pare"}}, {"report", q.html, pages}, {"card", q.card, docPages}}, q.force}); err != nil {
		return err
	}
	own, err := c.own(cmd, q.to.path, q.resume, q.force, in[len(in)-2:]...)
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
	return own.end(c.finish(cmd, &outcome{title: "Integers of " + filepath.Base(name), data: j.Data, judge: j.Judge(), html: q.html, result: res, untimed: q.untimed, strict: q.strict,
		recipe: &j.Recipe, seed: q.seed, cards: cardOf(stem(q.to.path), q.to.path, q.card, q.html),
		networks: []*measure.Network{{Name: "float", File: name, Graph: dense}, {Name: stem(q.to.path), File: q.to.path, Graph: res.Graph, Epochs: res.Epochs, Course: res.Course}}}))
}

// quantizeJob reads network and data, and checks that they go together.
func (c *cli) quantizeJob(cmd *cobra.Command, name string, q *quantising, own *owned) (*model.Job, error) {
	o, err := c.engine()
	if err != nil {
		return nil, err
	}
	j := &model.Job{Recipe: q.recipe, Seed: q.seed, Engine: o, Save: own.path, Resume: own.resume, Log: c.log()}
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
	if j.Graph, err = c.load(name); err != nil {
		return nil, err
	}
	if q.data != "" {
		if err := c.ownTokens(name); err != nil {
			return nil, err
		}
		if j.Data, err = c.open(q.data); err != nil {
			return nil, err
		}
		if err := c.fits(name, j.Graph, j.Data, &j.Recipe); err != nil {
			return nil, err
		}
	}
	if err := c.settle(name, j.Graph); err != nil {
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
