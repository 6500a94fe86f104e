package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pare/catalog"
	"pare/dataset"
	"pare/engine"
	"pare/graph/op"
	"pare/measure"
	"pare/model"
	runs "pare/run"
	"pare/run/sweep"
	"pare/train"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
)

// outcome is what a command that makes networks has to show.
type outcome struct {
	title    string
	networks []*measure.Network // those with a method's result after the one before
	data     *dataset.Data
	judge    train.Judge       // how the networks are judged
	html     string            // where the report goes, if anywhere
	cards    map[string]string // where the cards of networks go, by name
	result   *model.Result     // of a method
	method   model.Method      // nil where there was none
	recipe   *model.Recipe     // nil where nothing could be trained
	seed     uint64
	untimed  bool // how fast the networks are is not measured
	strict   bool // a warning is a failure
}

// cardOf says where a network's card goes: to the file that is asked for, or beside the
// network where there is a report; nowhere else.
func cardOf(name, out, card, html string) map[string]string {
	if card == "" && html != "" {
		card = out + ".md"
	}
	if card == "" {
		return nil
	}
	return map[string]string{name: card}
}

// cardHelp explains --card.
const cardHelp = "write a model card (.md), as model hubs want it; with --report and without this, it is OUT.md"

// finish measures, prints and writes report and cards. The networks have been written:
// no signal takes them away.
func (c *cli) finish(cmd *cobra.Command, x *outcome) error {
	o, err := c.engine()
	if err != nil {
		return err
	}
	for _, n := range x.networks {
		if err := c.settle(n.Name, n.Graph); err != nil {
			return err
		}
	}
	err = measure.Networks(cmd.Context(), x.networks, x.data, x.judge, o)
	unknown := op.Check(x.networks[0].Graph)
	if err == nil && !x.untimed && unknown == nil {
		err = measure.Speeds(cmd.Context(), x.networks, o)
	}
	if err := c.afterWriting(x.networks[len(x.networks)-1].File, err); err != nil {
		return err
	}
	from, err := measure.NewOrigin(x.networks, x.data, o)
	if err != nil {
		return err
	}
	c.origin(x, from)
	warnings := measure.Warnings(x.networks, x.data)
	page := measure.Page(x.title, x.networks, x.data, from)
	if x.result != nil && x.result.Front != nil {
		page.Add(x.result.Front.Section())
	}
	if d := x.data; d != nil && d.Eval() == d.Train {
		c.say("note: it is measured on the training set, for there is no other; val=0.1 in --data keeps a part of it out")
	}
	if unknown != nil {
		c.say("note: how fast the networks are was not measured: %v", unknown)
	} else if n := x.networks[0]; !x.untimed && measure.Slow([]measure.Speed{n.Single}) {
		c.say("note: how fast batches of 32 are was not measured: a sample alone takes %.2g s; pare model bench does it", n.Single.Seconds.Median)
	} else if x.untimed {
		c.say("note: how fast the networks are was not measured (--no-bench); pare model bench does it")
	}
	if x.html != "" {
		if err := page.SaveHTML(x.html); err != nil {
			return err
		}
	}
	if err := x.writeCards(from); err != nil {
		return err
	}
	c.keepReport(page)
	if err := c.validated(cmd.Context(), x, o); err != nil {
		return c.afterWriting(x.networks[len(x.networks)-1].File, err)
	}
	c.keepValues(x.networks)
	out := map[string]any{"networks": x.networks, "verdict": page.Verdict, "origin": from, "warnings": append([]string{}, warnings...)}
	if x.result != nil {
		out["notes"], out["facts"] = x.result.Notes, x.result.Facts
	}
	if err := c.result(out); err != nil {
		return err
	}
	if !c.json {
		page.Print(c.out, c.width())
	}
	return c.warn(warnings, x.strict)
}

// validated measures, where a run is one of a search, what the network is worth on the
// validation set too: the search goes by that alone.
func (c *cli) validated(ctx context.Context, x *outcome, o engine.Options) error {
	if c.rec.job == nil || x.data == nil || x.data.Val == nil {
		return nil
	}
	only := &dataset.Data{Val: x.data.Val, Norm: x.data.Norm}
	m, err := measure.Metrics(ctx, x.networks[len(x.networks)-1].Graph, only, x.judge, o)
	if err != nil {
		return err
	}
	c.rec.validation = map[string]float64{sweep.ValidationOf + runs.Loss: m.Loss}
	for _, s := range m.Scores {
		c.rec.validation[sweep.ValidationOf+s.Metric] = s.Value
	}
	return nil
}

// afterWriting is what goes wrong when a network has been written: a signal did not take that
// away.
func (c *cli) afterWriting(path string, err error) error {
	if c.ctx.Err() != nil {
		return stopped("stopped while measuring; %s is written", path)
	}
	return err
}

// strictHelp explains --strict.
const strictHelp = "exit with 1 where there is a warning: the training made it worse, or it knows no more than chance"

// warn says in the last lines what is wrong with the outcome; strictly, that is a
// failure.
func (c *cli) warn(warnings []string, strict bool) error {
	if len(warnings) > 0 && strict {
		return fmt.Errorf("%s (--strict)", strings.Join(warnings, "\n"))
	}
	for _, w := range warnings {
		c.say("warning: %s", w)
	}
	return nil
}

// origin adds what the command line says.
func (c *cli) origin(x *outcome, from *measure.Origin) {
	from.Pare, from.Command, from.Seed = version(), measure.Quote(slices.Concat([]string{"pare"}, c.args)...), strconv.FormatUint(x.seed, 10)
	if x.method != nil {
		card := x.method.Card()
		from.Method, from.Paper, from.Settings = card.Name+", "+card.Title, card.Paper, catalog.Values(x.method)
	}
	if x.recipe != nil && x.recipe.Epochs > 0 {
		from.Recipe = catalog.Values(x.recipe)
	}
}

// writeCards writes the cards that are asked for.
func (x *outcome) writeCards(from *measure.Origin) error {
	for i, n := range x.networks {
		path := x.cards[n.Name]
		if path == "" {
			continue
		}
		var before *measure.Network
		if i > 0 {
			before = x.networks[0]
		}
		if err := renameio.WriteFile(path, []byte(measure.ModelCard(n, before, x.data, from)), 0o644); err != nil {
			return err
		}
	}
	return nil
}
