package main

import (
	"fmt"
	"path/filepath"
	"time"

	"pare/measure"
	"pare/model"
	"pare/model/oneshot"
	"pare/model/structured"
	"pare/onnx"
	"pare/zoo"

	"github.com/spf13/cobra"
)

func (c *cli) quickstart() *cobra.Command {
	dir := "pare-quickstart"
	cmd := &cobra.Command{Use: "quickstart", Short: "Train a small network on built-in digits, prune it twice, and measure", Args: args(),
		Long: `Trains a small residual network on 1,797 handwritten digits that are built in, then makes two of it: one with 90 % of
its weights cut, one with half of its multiply-accumulates removed channel by channel. It writes the three networks as
ONNX files and a report, and prints how large, how fast and how good they are. Under a minute on two cores.`,
		RunE: func(cmd *cobra.Command, a []string) error { return c.runQuickstart(cmd, dir) }}
	cmd.Flags().StringVar(&dir, "dir", dir, "folder for what it writes")
	return cmd
}

// quickstartFiles are what it writes.
func quickstartFiles(at func(name string) string) (out []file) {
	for _, name := range []string{"dense.onnx", "sparse-90.onnx", "half-channels.onnx", "sparse-90.pare", "report.html"} {
		out = append(out, file{"dir", at(name), []string{filepath.Ext(name)}})
	}
	return out
}

func (c *cli) runQuickstart(cmd *cobra.Command, dir string) error {
	start := time.Now()
	o, err := c.engine()
	if err != nil {
		return err
	}
	if err := c.folder("dir", dir); err != nil {
		return err
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	if err := c.claim(places{out: quickstartFiles(file)}); err != nil {
		return err
	}
	d, err := c.open("digits")
	if err != nil {
		return err
	}
	g, err := zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
	if err != nil {
		return err
	}
	say := c.say
	if c.json {
		say = func(string, ...any) {}
	}
	say("training a ResNet-8 on %d digits", d.Train.Len())
	r := model.Recipe{Epochs: 15, Batch: 32, LR: .05, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 5e-4, Crop: 1}
	trained, err := c.fit(cmd, &model.Job{Graph: g, Data: d, Recipe: r, Seed: 1, Engine: o}, "training")
	if err != nil {
		return err
	}
	epochs := trained.Epochs
	ns := []*measure.Network{{Name: "dense", File: file("dense.onnx"), Graph: g, Epochs: epochs, Course: trained.Course, How: fmt.Sprintf("training for %d epochs at a learning rate of %g", len(epochs), r.LR)}}
	r.Epochs, r.LR = 12, .03
	for _, p := range []struct {
		name, what string
		m          model.Method
	}{
		{"sparse-90", "cutting 90 % of the weights, fine-tuning", &oneshot.GlobalMP{Sparsity: .9, MT: .05}},
		{"half-channels", "removing half of the multiply-accumulates by channels, fine-tuning", &structured.Channels{ChannelTarget: model.ChannelTarget{MACs: .5, Round: 8, Least: .1}, Score: "norm", Samples: 512}},
	} {
		say("%s", p.what)
		h, _ := g.Clone(true)
		j := &model.Job{Graph: h, Data: d, Recipe: r, Seed: 1, Engine: o}
		res, err := c.work(j, p.name, func() (*model.Result, error) { return model.Run(cmd.Context(), p.m, j) })
		if err != nil {
			return err
		}
		ns = append(ns, &measure.Network{Name: p.name, File: file(p.name + ".onnx"), Graph: res.Graph, Epochs: res.Epochs, Course: res.Course, How: fmt.Sprintf("%s for %d epochs (%s)", p.what, len(res.Epochs), p.m.Card().Name)})
	}
	for _, n := range ns {
		if err := onnx.Write(n.File, n.Graph, onnx.Options{}); err != nil {
			return err
		}
	}
	if err := onnx.WriteSparse(file("sparse-90.pare"), ns[1].Graph, false); err != nil {
		return err
	}
	cards := map[string]string{}
	for _, n := range ns[1:] {
		cards[n.Name] = n.File + ".md"
	}
	if err := c.finish(cmd, &outcome{title: "Quickstart: three networks for handwritten digits", networks: ns, data: d, html: file("report.html"), recipe: &r, seed: 1, cards: cards}); err != nil {
		return err
	}
	if !c.json {
		fmt.Fprintf(c.out, "\nin %s: dense.onnx, sparse-90.onnx, sparse-90.pare, half-channels.onnx, a card (.md) of each that was pruned, and report.html (%.0f s)\n", dir, time.Since(start).Seconds())
	}
	return nil
}
