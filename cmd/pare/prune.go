package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pare/catalog"
	"pare/dataset"
	"pare/graph"
	"pare/measure"
	"pare/model"
	"pare/onnx"
	"pare/train"

	"github.com/spf13/cobra"
)

// pruning is what the flags of prune say.
type pruning struct {
	out, data, html string
	seed            uint64
	resume          bool
	drop, latency   float64
	teaching        teaching
	recipe          model.Recipe
}

func (c *cli) prune() *cobra.Command {
	q := &pruning{recipe: model.Defaults()}
	cmd := &cobra.Command{Use: "prune FILE -o OUT", Short: "Cut weights or channels, fine-tune, and measure the result", Args: args("FILE"),
		Long: `Prunes a network by a method of the catalogue (pare methods). With --data the result is fine-tuned and measured;
without, methods that need only the weights prune at once. OUT ends in .onnx, or in .pare for the sparse form.

The settings of the method are flags: pare model prune --method NAME --help shows those of NAME.`,
		Example: `  pare model prune net.onnx -o net90.pare --sparsity 0.9 --data cifar10:DIR --epochs 8 --crop 4 --flip
  pare model prune net.onnx -o small.onnx --method channels --flops 0.5 --data cifar10:DIR --report small.html
  pare model prune net.onnx -o net50.onnx --sparsity 0.5 --epochs 0          # no data, no training

` + dataset.Help,
		RunE: func(cmd *cobra.Command, a []string) error { return c.runPrune(cmd, a[0], q) }}
	f := cmd.Flags()
	f.StringVarP(&q.out, "output", "o", "", "file to write (.onnx or .pare)")
	f.String("method", defaultMethod, "method of the catalogue, by name or number; NAME:SETTING=VALUE sets settings too")
	f.StringVar(&q.data, "data", "", "data to fine-tune on and to measure with")
	f.StringVar(&q.html, "report", "", "write a report page")
	f.Uint64Var(&q.seed, "seed", 1, "seed of all that is random")
	f.BoolVar(&q.resume, "resume", false, "continue from the checkpoint beside the output")
	f.Float64Var(&q.drop, "max-drop", 0, "seek the strongest cut that loses at most this number of points of accuracy before fine-tuning")
	f.Float64Var(&q.latency, "latency", 0, "seek the weakest cut whose time is at most this share of the dense network's")
	q.teaching.register(cmd)
	settingFlags(cmd, &q.recipe, recipeFlags)
	if m, err := c.named(); err == nil {
		c.method = m
		settingFlags(cmd, m, settingsOf(m.Card().Name))
	}
	inSections(cmd)
	return cmd
}

func (c *cli) runPrune(cmd *cobra.Command, file string, q *pruning) error {
	if q.out == "" {
		return usage("no output: give -o OUT.onnx or OUT.pare")
	}
	m := c.method
	if m == nil {
		_, err := c.named()
		return usageError{err}
	}
	for _, f := range []string{q.out, q.html} {
		if f != "" {
			if err := onnx.CheckWritable(f); err != nil {
				return err
			}
		}
	}
	j, err := c.pruneJob(cmd, file, q)
	if err != nil {
		return err
	}
	dense, _ := j.Graph.Clone(true)
	goal, err := c.goal(cmd, j, q)
	if err != nil {
		return err
	}
	var found *catalog.Assignment
	if goal.Good != nil {
		if found, err = model.Seek(cmd.Context(), m, j, goal); err != nil {
			return err
		}
		c.say("found: --%s %s", found.Name, found.Value)
	}
	res, err := c.work(j, m.Card().Name, func() (*model.Result, error) { return model.Run(cmd.Context(), m, j) })
	if goal.Weakest && errors.Is(err, train.ErrInterrupted) { // another measurement may find another target
		return fmt.Errorf("%w; to go on, give --%s %s in place of --latency", err, found.Name, found.Value)
	}
	if err != nil {
		return err
	}
	if err := onnx.Save(q.out, res.Graph, onnx.Options{}); err != nil {
		return err
	}
	j.Clean()
	for _, n := range res.Notes {
		c.say("note: %s", n.With(c.flagOf))
	}
	vs := []*variant{{Name: "dense", File: file, Graph: dense}, {Name: strings.TrimSuffix(filepath.Base(q.out), filepath.Ext(q.out)), File: q.out, Graph: res.Graph, Epochs: res.Epochs}}
	return c.finish(cmd, vs, j.Data, q.html, fmt.Sprintf("%s of %s", m.Card().Title, filepath.Base(file)), strings.Join(os.Args, " "), res)
}

// pruneJob reads network and data, and checks that they go together.
func (c *cli) pruneJob(cmd *cobra.Command, file string, q *pruning) (*model.Job, error) {
	o, err := c.engine()
	if err != nil {
		return nil, err
	}
	j := &model.Job{Recipe: q.recipe, Seed: q.seed, Engine: o, Save: q.out + ".checkpoint", Resume: q.resume, Log: c.log()}
	if j.Graph, err = c.load(file); err != nil {
		return nil, err
	}
	if q.data != "" {
		if j.Data, err = dataset.Open(q.data); err != nil {
			return nil, err
		}
		if err := fits(j.Graph, j.Data); err != nil {
			return nil, err
		}
	}
	if (j.Data == nil || j.Data.Train == nil) && !cmd.Flags().Changed("epochs") {
		j.Recipe.Epochs = 0
	}
	if err := q.teaching.apply(c, j); err != nil {
		return nil, err
	}
	return j, j.Check()
}

// goal makes --max-drop or --latency a judgement of pruned networks, nil where
// neither is asked for.
func (c *cli) goal(cmd *cobra.Command, j *model.Job, q *pruning) (w model.Goal, err error) {
	f := cmd.Flags()
	for _, name := range []string{"max-drop", "latency"} {
		if f.Changed(name) && (f.Changed("sparsity") || f.Changed("flops")) {
			return w, usage("--%s seeks the target itself: leave --sparsity and --flops out", name)
		}
	}
	switch {
	case f.Changed("max-drop") && f.Changed("latency"):
		return w, usage("--max-drop and --latency are two goals: give one")
	case f.Changed("max-drop"):
		if j.Data == nil {
			return w, usage("--max-drop measures accuracy: give --data")
		}
		if !(q.drop >= 0 && q.drop < 100) {
			return w, usage("--max-drop %v is not a number of points in [0,100)", q.drop)
		}
		e := train.NewEval(j.Data.Eval(), j.Data.Norm, 128, j.Engine)
		dense, err := e.Run(cmd.Context(), j.Graph)
		if err != nil {
			return w, err
		}
		w.Good = func(h *graph.Graph) (bool, error) {
			m, err := e.Run(cmd.Context(), h)
			return m.Accuracy >= dense.Accuracy-q.drop/100, err
		}
	case f.Changed("latency"):
		if !(q.latency > 0 && q.latency < 1) {
			return w, usage("--latency %v is not a share in (0,1)", q.latency)
		}
		dense, _ := j.Graph.Clone(true)
		w.Weakest = true
		w.Good = func(h *graph.Graph) (bool, error) {
			s, err := measure.Latency(cmd.Context(), []*graph.Graph{dense, h}, 1, 9, 20*time.Millisecond, j.Engine)
			if err != nil {
				return false, err
			}
			return s[1].Ratio.Median <= q.latency, nil
		}
	}
	return w, nil
}

// log gives methods a way to speak: standard error, unless JSON is wanted.
func (c *cli) log() func(string, ...any) {
	if c.json {
		return nil
	}
	return c.say
}

// work runs a job under a progress bar.
func (c *cli) work(j *model.Job, what string, f func() (*model.Result, error)) (*model.Result, error) {
	b := c.bar(max(1, j.Steps()), what)
	j.OnStep = func(step, total int, loss float64) {
		b.grow(total)
		b.set(step, fmt.Sprintf("%s, loss %.3f", what, loss))
	}
	j.Epoch = func(e train.Epoch) {
		if b.p == nil && !c.json {
			c.say("epoch %d: loss %.4f, held out: loss %.4f, accuracy %.2f %%", e.Epoch, e.Loss, e.ValLoss, 100*e.Accuracy)
		}
	}
	defer b.done()
	return f()
}

// finish measures, prints and writes the report.
func (c *cli) finish(cmd *cobra.Command, vs []*variant, d *dataset.Data, html, title, command string, res *model.Result) error {
	o, err := c.engine()
	if err != nil {
		return err
	}
	if err := measureAll(cmd.Context(), vs, d, o); err != nil {
		if cmd.Context().Err() != nil {
			return fmt.Errorf("stopped while measuring; %s is written", vs[len(vs)-1].File)
		}
		return err
	}
	rep := page(title, command, vs, d)
	if d != nil && d.Eval() == d.Train {
		c.say("note: accuracy is that of the training set, for there is no other; val=0.1 in --data keeps a part of it out")
	}
	if html != "" {
		if err := writePage(html, rep); err != nil {
			return err
		}
	}
	if c.json {
		out := map[string]any{"networks": vs}
		if res != nil {
			out["notes"], out["facts"] = res.Notes, res.Facts
		}
		return c.printJSON(out)
	}
	rep.Print(c.out, c.width())
	return nil
}

// teaching are the flags of distillation.
type teaching struct {
	file    string
	alpha   float64
	degrees float64
}

func (t *teaching) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&t.file, "teacher", "", "distil from this network, such as the dense one: its softened outputs are matched too")
	f.Float64Var(&t.alpha, "alpha", .5, "share of the distillation term in the loss")
	f.Float64Var(&t.degrees, "temperature", 4, "temperature of distillation")
}

// apply reads the teacher and puts it into the job's loss.
func (t *teaching) apply(c *cli, j *model.Job) error {
	if t.file == "" {
		return nil
	}
	g, err := c.load(t.file)
	if err != nil {
		return fmt.Errorf("teacher: %w", err)
	}
	if j.Data == nil {
		return usage("--teacher %s teaches on data: give --data", t.file)
	}
	if err := fits(g, j.Data); err != nil {
		return fmt.Errorf("teacher: %w", err)
	}
	j.Loss.Teacher, j.Loss.Alpha, j.Loss.T = g, t.alpha, t.degrees
	return nil
}
