package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/onnx"
	"pare/report"
	"pare/tensor"

	"github.com/google/renameio/v2"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// load reads a network and makes it ready: shapes, roles, constants folded, and
// float32 where its weights are of another floating-point type.
func (c *cli) load(path string) (*graph.Graph, error) {
	g, err := onnx.Load(path)
	if err != nil {
		return nil, err
	}
	if err := op.Check(g); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if otherFloats(g) {
		d, err := op.ToFloat32(g)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		c.say("note: the %v numbers of %s are taken as float32; sizes and speed are those of float32", d, path)
	}
	if _, err := op.Simplify(g); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, v := range g.Consts() {
		if i := v.Const.Finite(); i >= 0 && v.Role != graph.Frozen {
			return nil, fmt.Errorf("%s: weight %q has a NaN or infinity at entry %d: the network is broken", path, v.Name, i)
		}
	}
	return g, nil
}

// otherFloats says whether inputs or weights are floating-point numbers that are
// not float32. Scalars do not count: shapes are sometimes computed in float64.
func otherFloats(g *graph.Graph) bool {
	other := func(v *graph.Value) bool { return v.DType.IsFloat() && v.DType != tensor.Float32 }
	return slices.ContainsFunc(g.Inputs, other) ||
		slices.ContainsFunc(g.Consts(), func(v *graph.Value) bool { return other(v) && len(v.Const.Shape) > 1 })
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
