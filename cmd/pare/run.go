package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/measure"
	"pare/npy"
	"pare/tensor"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
)

// running is what the flags of run say.
type running struct {
	inputs []string
	out    string
	seed   uint64
	batch  int
}

func (c *cli) runModel() *cobra.Command {
	q := &running{}
	cmd := &cobra.Command{Use: "run FILE", Short: "Run a network once, on given inputs or random ones", Args: args("FILE"),
		Long: "Runs a network and shows what comes out. The file need not be trusted: it is checked before memory is taken (4 GiB\nfor the network's values at most, unless --memory says otherwise), nothing is fetched, and nothing is written but --output.\n\nWhere an operator is not known, the network is run up to it: what it would be given is among the outputs.",
		Example: `  pare model run net.onnx                                    # random inputs, the same for the same --seed
  pare model run net.onnx --input image=x.npy --output y.npz`,
		RunE: func(cmd *cobra.Command, a []string) error { return c.runOnce(cmd, a[0], q) }}
	f := cmd.Flags()
	f.StringArrayVar(&q.inputs, "input", nil, "an input, NAME=FILE.npy, or the shape of a random one, NAME:1x3x224x224 (once for each)")
	f.StringVar(&q.out, "output", "", "file for the outputs (.npz)")
	f.Uint64Var(&q.seed, "seed", 1, "seed of random inputs")
	f.IntVar(&q.batch, "batch", 1, "size of symbolic first axes that no input sets")
	c.sizeFlags(cmd)
	inSections(cmd)
	return cmd
}

// untrusted is the memory that a network's values may take unasked.
const untrusted = 4 << 30

// places are the files that are read and written.
func (q *running) places(name string) places {
	p := places{in: []input{{what: "input", path: name}}, out: []file{{"output", q.out, []string{".npz"}}}}
	for _, x := range q.inputs {
		_, path, _ := strings.Cut(x, "=")
		p.in = append(p.in, input{what: "input", path: path})
	}
	return p
}

func (c *cli) runOnce(cmd *cobra.Command, name string, q *running) error {
	if err := cmp.Or(atLeast(1, "batch", q.batch), c.claim(q.places(name))); err != nil {
		return err
	}
	o, err := c.engine()
	if err != nil {
		return err
	}
	if o.Freeze = true; c.memory == 0 { // the file need not be trusted
		o.Most = untrusted
	}
	c.inPlace = true
	g, err := c.file(name)
	if err != nil {
		return err
	}
	if unknown := op.Check(g); unknown != nil {
		if g, err = op.UpTo(g); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		c.say("note: %s: %v; what is shown is computed before it, up to what it is given", name, unknown)
	}
	var files []string
	for _, s := range q.inputs {
		if !strings.Contains(s, "=") && shaped.MatchString(s) {
			c.use.inputs = append(c.use.inputs, s)
		} else {
			files = append(files, s)
		}
	}
	if err := c.use.apply(g, false); err != nil {
		return err
	}
	given, err := arrays(g, files)
	if err != nil {
		return err
	}
	sizes, notes, err := measure.Bind(g, given, q.batch)
	if err != nil {
		return err
	}
	c.notes("", notes)
	p, err := engine.Compile(g, sizes, o)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer p.Close()
	if err := measure.Feed(p, given, q.seed); err != nil {
		return err
	}
	if err := p.RunContext(cmd.Context()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return c.outputs(p, q.out)
}

// outputs prints what came out, and writes it where that is asked for.
func (c *cli) outputs(p *engine.Program, path string) error {
	var arrays []npy.Array
	var values []*measure.Values
	for _, name := range p.OutputNames() {
		t := p.Output(name)
		if t == nil {
			return errors.New("an output has no value")
		}
		v, err := measure.ValuesOf(name, t)
		if err != nil {
			return fmt.Errorf("output %q: %w", name, err)
		}
		arrays, values = append(arrays, npy.Array{Name: name, Tensor: t}), append(values, v)
	}
	if path != "" {
		b, err := npy.EncodeAll(arrays)
		if err != nil {
			return err
		}
		if err := renameio.WriteFile(path, b, 0o644, renameio.WithTempDir(filepath.Dir(path))); err != nil {
			return err
		}
	}
	if c.json {
		return c.printJSON(map[string]any{"outputs": values})
	}
	measure.ValuesTable(values).Print(c.out, c.width())
	return nil
}

// arrays reads the inputs that are given, NAME=FILE each.
func arrays(g *graph.Graph, in []string) (map[string]*tensor.Tensor, error) {
	given := map[string]*tensor.Tensor{}
	for _, s := range in {
		name, file, ok := strings.Cut(s, "=")
		if !ok || name == "" || file == "" || given[name] != nil {
			return nil, usage("--input %q is not NAME=FILE.npy, or is given twice", s)
		}
		var v *graph.Value
		var names []string
		for _, i := range g.Inputs {
			names = append(names, strconv.Quote(i.Name))
			if i.Name == name {
				v = i
			}
		}
		if v == nil {
			return nil, usage("there is no input %q: the inputs are %s", name, strings.Join(names, ", "))
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		t, err := npy.Decode(b)
		if err == nil && t.DType != v.DType {
			t, err = op.Convert(t, v.DType)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		given[name] = t
	}
	return given, nil
}
