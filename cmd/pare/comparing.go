package main

import (
	"context"
	"fmt"
	"time"

	runs "pare/run"
)

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
