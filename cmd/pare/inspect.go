package main

import (
	"context"

	"pare/dataset"
	"pare/graph"
	"pare/measure"
	"pare/model"
	"pare/model/structured"
	"pare/prune/structure"
	"pare/train"

	"github.com/spf13/cobra"
)

// inspecting is what the flags of inspect say.
type inspecting struct {
	html, data  string
	sensitivity bool
	recipe      model.Recipe         // its loss and metric
	rate        *structured.Channels // its score
}

func (c *cli) inspect() *cobra.Command {
	q := &inspecting{recipe: model.Defaults(), rate: structured.NewChannels()}
	cmd := &cobra.Command{Use: "inspect FILE", Short: "Show layers, sizes, sparsity and the channels that go together", Args: args("FILE"),
		Example: `  pare model inspect net.onnx
  pare model inspect net.onnx --html net.html   # the network drawn, with its groups
  pare model inspect net.onnx --data cifar10:DIR --sensitivity   # what each group costs when it alone is cut
  pare model inspect net.onnx --json

` + dataset.Help,
		RunE: func(cmd *cobra.Command, a []string) error { return c.runInspect(cmd.Context(), a[0], q) }}
	cmd.Flags().StringVar(&q.html, "html", "", "write a page that draws the network, its groups and its sparsity")
	cmd.Flags().BoolVar(&q.sensitivity, "sensitivity", false, "measure what each group of channels costs in the metric when 25, 50 and 75 % of it alone are cut (n=1000 in the data's SPEC takes fewer samples)")
	c.dataFlags(cmd, &q.data, "data to measure the sensitivity on")
	for _, name := range []string{"loss", "metric"} {
		settingOf(cmd, &q.recipe, name)
	}
	settingOf(cmd, q.rate, "score")
	c.sizeFlags(cmd)
	inSections(cmd)
	return cmd
}

func (c *cli) runInspect(ctx context.Context, name string, q *inspecting) error {
	switch {
	case q.sensitivity && q.data == "":
		return usage("--sensitivity measures on data: give --data SPEC\n\n%s", dataset.Help)
	case q.data != "" && !q.sensitivity:
		return usage("--data is what --sensitivity is measured on: give both")
	}
	if err := c.claim(places{in: append(dataFiles(q.data), input{what: "input", path: name}), out: []file{{"html", q.html, pages}}}); err != nil {
		return err
	}
	g, err := c.load(name)
	if err != nil {
		return err
	}
	var d *dataset.Data
	if q.data != "" {
		if err := c.ownTokens(name); err != nil {
			return err
		}
		if d, err = c.open(q.data); err != nil {
			return err
		}
		if err := c.fits(name, g, d, &q.recipe); err != nil {
			return err
		}
	}
	if err := c.settle(name, g); err != nil {
		return err
	}
	x, err := measure.InspectContext(ctx, g)
	if err != nil {
		return err
	}
	x.OnDisk = measure.FileBytes(name)
	if q.sensitivity {
		if x.Sensitivity, err = c.sensitivity(ctx, g, d, q); err != nil {
			return err
		}
	}
	if q.html != "" {
		if err := x.Page(name).SaveHTML(q.html); err != nil {
			return err
		}
	}
	if c.json {
		return c.printJSON(x)
	}
	x.Report(3).Print(c.out, c.width())
	return nil
}

// sensitivity measures each group alone.
func (c *cli) sensitivity(ctx context.Context, g *graph.Graph, d *dataset.Data, q *inspecting) (*measure.Sensitivity, error) {
	o, err := c.engine()
	if err != nil {
		return nil, err
	}
	j := &model.Job{Graph: g, Data: d, Recipe: q.recipe, Seed: 1, Engine: o, Dense: g}
	groups, _ := structure.Groups(g)
	rates, how, err := q.rate.Rates(ctx, j, groups)
	if err != nil {
		return nil, err
	}
	by := j.Judge()
	b := c.bar(max(1, len(groups)*len(measure.Shares)), "groups cut alone")
	defer b.done()
	s, err := measure.Sensitive(ctx, g, groups, rates, measure.Shares, func(ctx context.Context, g *graph.Graph) (train.Score, error) {
		m, err := measure.Metrics(ctx, g, d, by, o)
		return m.Main(), err
	}, func(done, _ int) { b.set(done, "groups cut alone") })
	if err != nil {
		return nil, err
	}
	s.By, s.Set = how, d.Eval().Name
	return s, nil
}
