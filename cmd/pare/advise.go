package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"pare/dataset"
	"pare/internal/printable"
	"pare/model"
	"pare/model/advise"

	"github.com/spf13/cobra"
)

// advising is what the flags of advise say.
type advising struct {
	data, goal string
	budget     time.Duration
	samples    int
	recipe     model.Recipe // its loss and metric
}

func (c *cli) advise() *cobra.Command {
	q := &advising{recipe: model.Defaults()}
	cmd := &cobra.Command{Use: "advise FILE", Short: "Measure a network and recommend how to prune it, as commands ready to paste", Args: args("FILE"),
		Long: `Measures a network: each layer's share of the time and of the weights, how uneven its weights are (PQ index), what half
of it alone costs, and what budgets of channels and of single weights come to. Then rules recommend commands, the best
first, each with the number of this network that it rests on, its reason and its source.

Networks are judged on the validation set, or else on the training set, never on the test set; without data by how far
the outputs move on random inputs. Energy is estimated from operations and words from memory, not measured.`,
		Example: `  pare model advise net.onnx --data cifar10:DIR --goal latency=0.5 --budget 30m
  pare model advise net.onnx --goal bytes=0.2 --json

` + dataset.Help,
		RunE: func(cmd *cobra.Command, a []string) error { return c.runAdvise(cmd.Context(), a[0], q) }}
	c.dataFlags(cmd, &q.data, "data to judge on, and that commands name")
	cmd.Flags().StringVar(&q.goal, "goal", "macs=0.5", "what is to be reached at most: latency, bytes, macs or energy as a share such as latency=0.5 or a number such as bytes=1.2MB; drop=1, points of the metric")
	cmd.Flags().DurationVar(&q.budget, "budget", 0, "time that there is for training, such as 30m (0: not said; the default number of epochs)")
	cmd.Flags().IntVar(&q.samples, "samples", 500, "samples that networks are judged on at most")
	for _, name := range []string{"loss", "metric"} {
		settingOf(cmd, &q.recipe, name)
	}
	c.sizeFlags(cmd)
	inSections(cmd)
	return cmd
}

func (c *cli) runAdvise(ctx context.Context, name string, q *advising) error {
	goal, err := advise.ParseGoal(q.goal)
	if err != nil {
		return usageError{err}
	}
	if q.budget < 0 {
		return usage("--budget %v is negative", q.budget)
	}
	if err := atLeast(1, "samples", q.samples); err != nil {
		return err
	}
	if goal.Of == "drop" && q.data == "" {
		return usage("--goal drop=%s cannot be measured without data: give --data SPEC, or another goal", goal.Text)
	}
	o, err := c.engine()
	if err != nil {
		return err
	}
	g, err := c.load(name)
	if err != nil {
		return err
	}
	a := &advise.Ask{File: name, Graph: g, Goal: goal, Budget: q.budget, Most: q.samples, Engine: o}
	if q.data != "" {
		if err := c.ownTokens(name); err != nil {
			return err
		}
		if a.Data, err = c.open(q.data); err != nil {
			return err
		}
		if err := c.fits(name, g, a.Data, &q.recipe); err != nil {
			return err
		}
		a.Data.Spec = cmp.Or(a.Data.Spec, q.data)
		if a.Judge, err = q.recipe.Judge(); err != nil {
			return err
		}
	}
	if err := c.settle(name, g); err != nil {
		return err
	}
	b := c.bar(1000, "measuring")
	a.Told = func(what string, done, of int) { b.set(1000*done/max(1, of), what) }
	s, err := advise.Measure(ctx, a)
	b.done()
	if err != nil {
		return err
	}
	as := s.Advise()
	if c.json {
		return c.printJSON(map[string]any{"study": s, "advice": as})
	}
	s.Report(as).Print(c.out, c.width())
	fmt.Fprintf(c.out, "\nAdvice\n%s\n", printable.Text(strings.Join(advise.Paragraphs(as), "\n\n")))
	return nil
}
