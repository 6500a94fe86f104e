package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"pare/catalog"
	"pare/dataset"
	"pare/measure"
	"pare/model"
	"pare/train"

	"github.com/spf13/cobra"
)

// pruning is what the flags of prune say.
type pruning struct {
	making
	blocks string // --by-blocks
	front  string
	goal   goal
}

// goal are the flags that seek the target of a method. Methods that cut channels have
// latency among their own budgets.
type goal struct {
	Drop       float64    `flag:"max-drop" range:"[0,)" doc:"seek the strongest cut that loses at most this much before fine-tuning, in the units of the metric: points of per cent, decibels; with budgets of channels: refuse a cut to them that loses more; with --steps: cut on as long as no more is lost after the training behind each cut"`
	Latency    model.Time `flag:"latency" kind:"time" range:"[0,)" doc:"seek the weakest cut whose time for one sample is at most this: a share of the dense network's such as 0.5, or a time such as 8ms"`
	LatencyCmd string     `flag:"latency-cmd" doc:"a command that measures the time instead of Pare's engine, such as 'python bench.py {}': {} is the path of a candidate ONNX file, and the last line printed a number of milliseconds (it may take 10 minutes for each)"`
}

func (c *cli) prune() *cobra.Command {
	q := &pruning{making: newMaking()}
	cmd := &cobra.Command{Use: "prune FILE -o OUT", Short: "Cut weights or channels, fine-tune, and measure the result", Args: args("FILE"),
		Long: `Prunes a network by a method of the catalogue (pare methods). With --data the result is fine-tuned and measured;
without, methods that need only the weights prune at once. OUT ends in .onnx, or in .pare for the sparse form.

FILE may also be a language model: a folder as Hugging Face has them, or a .gguf file of a Llama, Qwen2 or Qwen3. Texts
of the data then become tokens by its own tokenizer, and OUT may be a folder (OUT/) or, of a Llama, Qwen2 or Qwen3, a .gguf file. A
model that is larger than the memory is pruned one block at a time (--by-blocks).

The settings of the method are flags: pare model prune --method NAME --help shows those of NAME. They may also be
given with the method, as in --method gmp:every=50:power=1; what is given there is not given again as a flag.`,
		Example: `  pare model prune net.onnx -o net90.pare --sparsity 0.9 --data cifar10:DIR --epochs 8 --crop 4 --flip
  pare model prune net.onnx -o small.onnx --method channels --macs 0.5 --data cifar10:DIR --report small.html
  pare model prune net.onnx -o small.onnx --method channels --bytes 1.2MB --latency 8ms --data cifar10:DIR --steps 3
  pare model prune net.onnx -o small.onnx --method emo --macs 0.5 --data cifar10:DIR --front fronts
  pare model prune net.onnx -o net50.onnx --sparsity 0.5 --epochs 0          # no data, no training

` + dataset.Help,
		RunE: func(cmd *cobra.Command, a []string) error { return c.runPrune(cmd, a[0], q) }}
	f := cmd.Flags()
	f.StringVarP(&q.to.path, "output", "o", "", "file to write (.onnx or .pare; of a language model also .gguf, or a folder)")
	q.to.flags(f)
	byBlocksFlag(f, &q.blocks)
	f.String("method", defaultMethod, "method of the catalogue, by name or number; NAME:SETTING=VALUE gives settings too")
	c.dataFlags(cmd, &q.data, "data to fine-tune on and to measure with")
	f.StringVar(&q.front, "front", "", frontHelp)
	q.flags(c, cmd, "all that is random", "the networks are")
	c.choose()
	settingFlags(cmd, &q.goal, "", c.settingOfMethod)
	q.trainingFlags(c, cmd)
	if c.wrong == nil {
		settingFlags(cmd, c.method, settingsOf(c.method.Card().Name))
		otherNames(cmd, c.method)
	}
	inSections(cmd)
	help := cmd.HelpFunc()
	cmd.SetHelpFunc(func(cmd *cobra.Command, a []string) {
		if c.helpless = c.wrong != nil; !c.helpless {
			help(cmd, a)
		}
	})
	return cmd
}

func (c *cli) runPrune(cmd *cobra.Command, name string, q *pruning) error {
	if c.wrong != nil {
		return c.wrong
	}
	for _, s := range catalog.Settings(c.method) {
		if _, err := c.given(cmd, s.Name); err != nil {
			return err
		}
	}
	if q.to.path == "" {
		return usage("no output: give -o OUT.onnx or OUT.pare; for a language model also OUT.gguf or a folder OUT/")
	}
	if err := q.to.settle(cmd); err != nil {
		return err
	}
	in, err := q.claim(c, name, q.to.ends(), places{})
	if err != nil {
		return err
	}
	if err := c.claimFront(q.front, q.force); err != nil {
		return err
	}
	own, err := q.own(c, cmd, in)
	if err != nil {
		return err
	}
	if large, err := c.byBlocks(cmd, name, q); err != nil {
		return err
	} else if large != nil {
		return c.pruneBlocks(cmd, name, q, large, own)
	}
	j, err := c.pruneJob(cmd, name, q, own)
	if err != nil {
		return err
	}
	if err := c.budgets(cmd); err != nil {
		return err
	}
	again := j.Data == nil && q.goal.Latency == 0 && !samePlace(name, q.to.path) // nobody asks for the dense network before the end
	if !again {
		j.Dense, _ = j.Graph.Clone(true)
	}
	dense := j.Dense
	if err := c.noteJob(c.method, j, q.data); err != nil {
		return err
	}
	found, err := c.seek(cmd, j, &q.goal)
	if err != nil {
		return err
	}
	card := c.method.Card()
	res, err := c.work(j, card.Name, func() (*model.Result, error) { return model.Run(cmd.Context(), c.method, j) })
	if q.goal.Latency > 0 && errors.Is(err, train.ErrInterrupted) { // another measurement may find another target
		return fmt.Errorf("%w; to go on, give --%s %s in place of --latency", err, found.Name, found.Value)
	}
	if err != nil {
		return err
	}
	if res.Graph, err = c.save(&q.to, res.Graph, name); err != nil {
		return err
	}
	j.Graph = res.Graph
	if again {
		if dense, err = c.again(name); err != nil {
			return c.afterWriting(q.to.path, err)
		}
	}
	if err := c.saveFront(cmd, q.front, res.Front); err != nil {
		return err
	}
	own.written()
	c.tell(res)
	return own.end(c.finish(cmd, c.pruned(name, q, j, res, &measure.Network{Name: "dense", File: name, Graph: dense}, q.made(res))))
}

// pruned is what there is to show of what a method has cut.
func (c *cli) pruned(name string, q *pruning, j *model.Job, res *model.Result, networks ...*measure.Network) *outcome {
	out := q.outcome(fmt.Sprintf("%s of %s", c.method.Card().Title, filepath.Base(name)), j, networks...)
	out.result, out.method = res, c.method
	return out
}

// pruneJob reads network and data, and checks that they go together.
func (c *cli) pruneJob(cmd *cobra.Command, name string, q *pruning, own *owned) (*model.Job, error) {
	o, err := c.engine()
	if err != nil {
		return nil, err
	}
	j := q.job(c, o, own)
	if err := q.read(c, name, j); err != nil {
		return nil, err
	}
	j.Recipe = c.recipeOf(cmd, q, j.Data != nil && j.Data.Train != nil)
	if err := q.teaching.apply(c, cmd, j); err != nil {
		return nil, err
	}
	return j, j.Check()
}

// tell prints the notes of a result, in which fields are flags from now on.
func (c *cli) tell(res *model.Result) {
	for i, n := range res.Notes {
		res.Notes[i] = catalog.Text(n.With(c.flagOf))
		c.say("note: %s", res.Notes[i])
	}
}
