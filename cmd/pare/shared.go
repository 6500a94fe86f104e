package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/measure"
	"pare/model"
	"pare/onnx"

	"github.com/spf13/cobra"
)

// engine is how networks are run.
func (c *cli) engine() (engine.Options, error) {
	if c.threads < 0 {
		return engine.Options{}, usage("--threads %d is negative", c.threads)
	}
	return engine.Options{Threads: c.threads}, nil
}

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
	return g, c.use.apply(g, false)
}

// beside reads a network that is not the one that flags of its use are meant for.
func (c *cli) beside(path string) (*graph.Graph, error) {
	main := c.use
	c.use = use{}
	g, err := c.load(path)
	if c.use = main; err != nil {
		return nil, err
	}
	return g, c.use.apply(g, true)
}

// networkFor reads or builds a network (see network) that goes with data.
func (c *cli) networkFor(name, weights string, d *dataset.Data, seed uint64) (*graph.Graph, error) {
	g, err := c.network(name, weights, d.Eval(), seed)
	if err != nil {
		return nil, err
	}
	return g, c.fits(name, g, d)
}

// atLeast checks the value of a flag.
func atLeast(least int, flag string, n int) error {
	if n < least {
		return usage("--%s %d: a whole number of at least %d is needed", flag, n, least)
	}
	return nil
}

// file is where a flag wants something written, with the extensions that it may have.
type file struct {
	flag, path string
	exts       []string
}

var (
	networks = []string{".onnx", ".pare"}
	pages    = []string{".html"}
	docPages = []string{".md"}
)

// writable checks, before any work, that the files can be written. What has no path
// is not asked for.
func writable(files ...file) error {
	for _, f := range files {
		if f.path == "" {
			continue
		}
		if err := onnx.CheckWritable(f.path); err != nil {
			return err
		}
		if !slices.Contains(f.exts, strings.ToLower(filepath.Ext(f.path))) {
			return usage("--%s %s does not end in %s", f.flag, f.path, strings.Join(f.exts, " or "))
		}
	}
	return nil
}

// writtenBy marks a generated page of documentation.
func writtenBy(command string) string {
	return fmt.Sprintf("<!-- Written by `%s --page`; run the command instead of editing. -->\n\n", command)
}

// stem is a file's name without folder and extension.
func stem(path string) string {
	return strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
}

// outcome is what a command that makes networks has to show.
type outcome struct {
	title, command string
	networks       []*measure.Network
	data           *dataset.Data
	html           string        // where the report goes, if anywhere
	result         *model.Result // of a method
}

// finish measures, prints and writes the report.
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
	if err := measure.Networks(cmd.Context(), x.networks, x.data, o); err != nil {
		if cmd.Context().Err() != nil {
			return fmt.Errorf("stopped while measuring; %s is written", x.networks[len(x.networks)-1].File)
		}
		return err
	}
	page := measure.Page(x.title, x.command, x.networks, x.data)
	if d := x.data; d != nil && d.Eval() == d.Train {
		c.say("note: accuracy is that of the training set, for there is no other; val=0.1 in --data keeps a part of it out")
	}
	if x.html != "" {
		if err := page.SaveHTML(x.html); err != nil {
			return err
		}
	}
	if c.json {
		out := map[string]any{"networks": x.networks}
		if x.result != nil {
			out["notes"], out["facts"] = x.result.Notes, x.result.Facts
		}
		return c.printJSON(out)
	}
	page.Print(c.out, c.width())
	return nil
}
