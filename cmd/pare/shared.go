package main

import (
	"encoding/json"
	"fmt"
	"os"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/model"
	"pare/onnx"
	"pare/report"

	"github.com/google/renameio/v2"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// load reads a network and makes it ready (see model.Prepare).
func (c *cli) load(path string) (*graph.Graph, error) {
	g, err := onnx.Load(path)
	if err != nil {
		return nil, err
	}
	notes, err := model.Prepare(g)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, n := range notes {
		c.say("note: %s: %s", path, n)
	}
	return g, nil
}

func (c *cli) engine() (engine.Options, error) {
	if c.threads < 0 {
		return engine.Options{}, usage("--threads %d is negative", c.threads)
	}
	return engine.Options{Threads: c.threads}, nil
}

// fits checks that data and network go together.
func fits(g *graph.Graph, d *dataset.Data) error {
	if len(g.Inputs) != 1 || len(g.Outputs) == 0 {
		return fmt.Errorf("the network has %d inputs: one is needed", len(g.Inputs))
	}
	in, out := g.Inputs[0].Shape, g.Outputs[0].Shape
	if len(in) < 2 || len(out) < 2 {
		return fmt.Errorf("input %v and output %v must begin with the batch", in, out)
	}
	shape := make([]int, 0, len(in))
	for i, k := range in[1:] {
		if !k.Known() {
			return fmt.Errorf("axis %d of the network's input %v has no fixed size", i+1, in)
		}
		shape = append(shape, k.Mul)
	}
	classes := 0
	if k := out[len(out)-1]; k.Known() {
		classes = k.Mul
	}
	for _, s := range []*dataset.Set{d.Train, d.Val, d.Test} {
		if s != nil {
			if err := s.Check(shape, classes); err != nil {
				return err
			}
		}
	}
	return nil
}

// bar is a progress bar with the time left on a terminal, nothing in a pipe.
type bar struct{ p *progressbar.ProgressBar }

func (c *cli) bar(total int, what string) *bar {
	f, ok := c.err.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &bar{}
	}
	return &bar{progressbar.NewOptions(total, progressbar.OptionSetWriter(f), progressbar.OptionSetDescription(what), progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true), progressbar.OptionSetElapsedTime(false), progressbar.OptionClearOnFinish(), progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(100_000_000), progressbar.OptionFullWidth())}
}

func (b *bar) set(n int, what string) {
	if b.p != nil {
		b.p.Describe(what)
		b.p.Set(n) //nolint:errcheck // a bar may fail to draw
	}
}

// grow sets the number of steps where it has become known anew.
func (b *bar) grow(total int) {
	if b.p != nil && b.p.GetMax() != total {
		b.p.ChangeMax(total)
	}
}

func (b *bar) done() {
	if b.p != nil {
		b.p.Finish() //nolint:errcheck // a bar may fail to draw
	}
}

// printJSON writes a value for machines.
func (c *cli) printJSON(v any) error {
	e := json.NewEncoder(c.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// writePage writes a report's page beside its place and renames it.
func writePage(path string, r *report.Report) error {
	t, err := renameio.TempFile("", path)
	if err != nil {
		return err
	}
	defer t.Cleanup() //nolint:errcheck // it is gone once renamed
	if err := r.HTML(t); err != nil {
		return err
	}
	if err := t.Chmod(0o644); err != nil {
		return err
	}
	return t.CloseAtomicallyReplace()
}
