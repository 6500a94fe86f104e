package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/lm/files"
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
	return engine.Options{Threads: c.threads, Most: c.most()}, nil
}

// dataFlags are what names data, and says how it is held.
func (c *cli) dataFlags(cmd *cobra.Command, spec *string, doc string) {
	cmd.Flags().StringVar(spec, "data", "", doc)
	c.dataMemory(cmd)
}

func (c *cli) dataMemory(cmd *cobra.Command) {
	cmd.Flags().Var(&c.samples, "data-memory", "memory that samples may take, such as 512M: larger data is streamed from its files (default: half of --memory)")
}

// open reads data, or makes ready to stream it.
func (c *cli) open(spec string) (*dataset.Data, error) {
	o := dataset.Options{Memory: int64(c.most() / 2), Tokenizer: c.tokens}
	if c.samples > 0 {
		o.Memory = int64(c.samples)
	}
	d, err := await(c.ctx, func() (*dataset.Data, error) { return o.Open(spec) })
	if err != nil {
		return nil, err
	}
	for _, n := range d.Notes {
		c.say("note: %s: %s", spec, n)
	}
	return d, nil
}

// file reads a network as it is.
func (c *cli) file(path string) (*graph.Graph, error) {
	st, err := os.Stat(path)
	if err == nil && st.Mode()&fs.ModeDevice != 0 {
		return nil, fmt.Errorf("%s is a device, not a network", path)
	}
	if err == nil && st.Size() >= 32<<20 && os.Getenv("GOGC") == "" {
		debug.SetGCPercent(15) // a large network is held once or twice, with little beside it
	}
	if files.Is(path) {
		return c.languageGraph(path)
	}
	if err == nil && st.IsDir() {
		return nil, fmt.Errorf("%s is a folder without a config.json: it holds no language model, and networks are files", path)
	}
	return await(c.ctx, func() (*graph.Graph, error) {
		if c.inPlace {
			g, _, err := onnx.Map(c.ctx, path) // until the process ends
			return g, err
		}
		return onnx.LoadContext(c.ctx, path)
	})
}

// load reads a network, makes it ready (see model.Prepare), and says what that took.
func (c *cli) load(path string) (*graph.Graph, error) {
	g, notes, err := c.ready(path)
	if err != nil {
		return nil, err
	}
	for _, n := range notes {
		c.say("note: %s: %s", path, n)
	}
	return g, c.use.apply(g, false)
}

// again reads a network once more that was loaded and settled before, so that it need
// not be held in between.
func (c *cli) again(path string) (*graph.Graph, error) {
	g, _, err := c.ready(path)
	if err != nil {
		return nil, err
	}
	if err := c.use.apply(g, false); err != nil {
		return nil, err
	}
	_, err = measure.Settle(g)
	return g, err
}

func (c *cli) ready(path string) (g *graph.Graph, notes []string, err error) {
	if g, err = c.file(path); err != nil {
		return nil, nil, err
	}
	if notes, err = await(c.ctx, func() ([]string, error) { return model.Prepare(g) }); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return g, notes, nil
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
func (c *cli) networkFor(name, weights string, d *dataset.Data, seed uint64, r *model.Recipe) (*graph.Graph, error) {
	g, err := c.network(name, weights, d.Eval(), seed)
	if err != nil {
		return nil, err
	}
	return g, c.fits(name, g, d, r)
}

// atLeast checks the value of a flag.
func atLeast(least int, flag string, n int) error {
	if n < least {
		return usage("--%s %d: a whole number of at least %d is needed", flag, n, least)
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
