package main

import (
	"context"
	"fmt"
	"time"

	"pare/catalog"
	"pare/dataset"
	"pare/engine"
	"pare/measure"
	"pare/model"
	runs "pare/run"

	"github.com/spf13/cobra"
)

// beginComparison claims what a comparison reads and writes, besides its folder, and begins its run.
func (c *cli) beginComparison(cmd *cobra.Command, name, data, dir string, out []file) (o engine.Options, err error) {
	if o, err = c.engine(); err != nil {
		return o, err
	}
	network := input{what: "input", path: name}
	if err := c.claim(places{in: append(dataFiles(data), network), out: out}); err != nil {
		return o, err
	}
	if err := c.folder("output", dir); err != nil {
		return o, err
	}
	return o, c.beginMany(cmd, outputFolder(dir), network)
}

// noteComparison notes what a comparison works with, with seeds from 1. It gives where metrics go.
func (c *cli) noteComparison(spec string, recipe *model.Recipe, d *dataset.Data, methods []string, seeds int) (*runs.Metrics, error) {
	err := c.note(func(r *runs.Record) {
		r.Data, r.Recipe, r.Sets, r.Methods, r.Seeds = spec, catalog.Values(recipe), setsOf(d), methods, nil
		for seed := range seeds {
			r.Seeds = append(r.Seeds, uint64(seed+1))
		}
	})
	if err != nil {
		return nil, err
	}
	return c.metrics()
}

// comparisonOrigin says how a comparison was made.
func (c *cli) comparisonOrigin(name string, d *dataset.Data, o engine.Options, recipe *model.Recipe) (*measure.Origin, error) {
	from, err := measure.NewOrigin([]*measure.Network{{Name: "the network", File: name}}, d, o)
	if err != nil {
		return nil, err
	}
	from.Pare, from.Recipe, from.Command = version(), catalog.Values(recipe), measure.Quote(append([]string{"pare"}, c.args...)...)
	return from, nil
}

// comparing tells how a comparison goes: under a progress bar, or in a line for each run that ends.
type comparing struct {
	c     *cli
	b     *bar
	since time.Time
	what  string
}

// comparing makes the runs of a comparison whose folder is given. Where it is stopped it says how to go on.
func (c *cli) comparing(ctx context.Context, dir string, make func(p *comparing) error) error {
	p := &comparing{c, c.bar(1000, "comparing"), time.Now(), "comparing"}
	defer p.b.done()
	err := make(p)
	switch {
	case err != nil && ctx.Err() != nil:
		return stopped("stopped; what is done is kept in %s, and the same command goes on from there", dir)
	case runs.IsFault(err):
		return fmt.Errorf("%w\nThis is no outcome: what is done is kept in %s, and the same command makes the rest", err, dir)
	}
	return err
}

// step says which share of all runs is made.
func (p *comparing) step(share float64) { p.b.set(int(1000*share), p.what) }

// ended tells what came out of a run, or why it failed.
func (p *comparing) ended(run, out, failed string, done, all int) {
	p.what = fmt.Sprintf("%d of %d runs", done, all)
	if p.b.p != nil || p.c.json {
		return
	}
	if failed != "" {
		out = "failed: " + failed
	}
	left := time.Since(p.since) / time.Duration(done) * time.Duration(all-done)
	p.c.say("%s: %s (%d of %d, about %v left)", run, out, done, all, left.Round(time.Second))
}

// timed tells of networks that have been timed.
func (p *comparing) timed(done, all int) {
	p.what = fmt.Sprintf("timed %d of %d networks", done, all)
	p.b.set(1000, p.what)
}
