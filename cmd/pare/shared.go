package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/model"
	"pare/onnx"
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
	return g, nil
}

// networkFor reads or builds a network (see network) that goes with data.
func (c *cli) networkFor(name, weights string, d *dataset.Data, seed uint64) (*graph.Graph, error) {
	g, err := c.network(name, weights, d.Eval(), seed)
	if err != nil {
		return nil, err
	}
	return g, model.Fits(g, d)
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
