package main

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/npy"
	"pare/onnx"
	"pare/report"
	"pare/tensor"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
)

func (c *cli) runModel() *cobra.Command {
	var in []string
	var out string
	var seed uint64
	var batch, memory int
	cmd := &cobra.Command{Use: "run FILE", Short: "Run a network once, on given inputs or random ones", Args: args("FILE"),
		Long: "Runs a network and shows what comes out. The file need not be trusted: it is checked before memory is taken,\nnothing is fetched, and nothing is written but --output.",
		Example: `  pare model run net.onnx                                    # random inputs, the same for the same --seed
  pare model run net.onnx --input image=x.npy --output y.npz`,
		RunE: func(cmd *cobra.Command, a []string) error {
			if batch < 1 || memory < 1 {
				return usage("--batch %d, --memory %d: at least 1 of each", batch, memory)
			}
			if ext := strings.ToLower(filepath.Ext(out)); out != "" && ext != ".npz" {
				return usage("--output %s: the file must end in .npz", out)
			}
			o, err := c.engine()
			if err != nil {
				return err
			}
			o.Freeze, o.Most = true, memory<<20
			if out != "" {
				if err := onnx.CheckWritable(out); err != nil {
					return err
				}
			}
			g, err := onnx.Load(a[0])
			if err != nil {
				return err
			}
			if err := op.Check(g); err != nil {
				return fmt.Errorf("%s: %w", a[0], err)
			}
			given, err := arrays(g, in)
			if err != nil {
				return err
			}
			sizes, err := sizesOf(g, given, batch)
			if err != nil {
				return err
			}
			p, err := engine.Compile(g, sizes, o)
			if err != nil {
				return fmt.Errorf("%s: %w", a[0], err)
			}
			defer p.Close()
			if err := feed(p, given, seed); err != nil {
				return err
			}
			if err := p.RunContext(cmd.Context()); err != nil {
				return fmt.Errorf("%s: %w", a[0], err)
			}
			var ys []npy.Array
			for _, name := range p.OutputNames() {
				ys = append(ys, npy.Array{Name: name, Tensor: p.Output(name)})
			}
			if out != "" {
				b, err := npy.EncodeAll(ys)
				if err != nil {
					return err
				}
				if err := renameio.WriteFile(out, b, 0o644); err != nil {
					return err
				}
			}
			return c.outputs(ys)
		}}
	cmd.Flags().StringArrayVar(&in, "input", nil, "an input, NAME=FILE.npy (once for each; the others are random)")
	cmd.Flags().StringVar(&out, "output", "", "file for the outputs (.npz)")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "seed of random inputs")
	cmd.Flags().IntVar(&batch, "batch", 1, "size of symbolic first axes that no input sets; other axes are 1")
	cmd.Flags().IntVar(&memory, "memory", 4096, "most memory for the network's values, in MiB")
	return cmd
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

// sizesOf gives sizes to the symbols of the inputs' shapes: those of the arrays
// that are given, else the batch for first axes and 1 for others.
func sizesOf(g *graph.Graph, given map[string]*tensor.Tensor, batch int) (map[string]int, error) {
	sizes := map[string]int{}
	for _, v := range g.Inputs {
		t := given[v.Name]
		if t == nil {
			continue
		}
		if v.Shape != nil && len(t.Shape) != len(v.Shape) {
			return nil, fmt.Errorf("input %q has shape %v, not %v", v.Name, v.Shape, t.Shape)
		}
		for i, d := range v.Shape {
			if !d.Known() && d.Mul == 1 && sizes[d.Sym] == 0 {
				sizes[d.Sym] = t.Shape[i]
			}
			if k := d.Bind(sizes); k != graph.N(t.Shape[i]) {
				return nil, fmt.Errorf("input %q has shape %v, which %v does not fit", v.Name, v.Shape, t.Shape)
			}
		}
	}
	for _, v := range g.Inputs {
		for i, d := range v.Shape {
			if _, ok := sizes[d.Sym]; !d.Known() && !ok {
				if sizes[d.Sym] = 1; i == 0 {
					sizes[d.Sym] = batch
				}
			}
		}
	}
	return sizes, nil
}

// feed fills the inputs: normal numbers, small whole ones, or true and false,
// where nothing is given.
func feed(p *engine.Program, given map[string]*tensor.Tensor, seed uint64) error {
	for i, name := range p.InputNames() {
		to := p.Input(name)
		if t := given[name]; t != nil {
			if err := to.Copy(t); err != nil {
				return fmt.Errorf("input %q: %w", name, err)
			}
			continue
		}
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		x := tensor.New(tensor.Float64, to.Shape...)
		for k := range tensor.Of[float64](x) {
			switch v := &tensor.Of[float64](x)[k]; {
			case to.DType.IsFloat():
				*v = r.NormFloat64()
			default:
				*v = float64(r.IntN(2))
			}
		}
		if to.DType == tensor.String {
			continue
		}
		y, err := op.Convert(x, to.DType)
		if err == nil {
			err = to.Copy(y)
		}
		if err != nil {
			return fmt.Errorf("input %q: %w", name, err)
		}
	}
	return nil
}

// profile is what an output looks like.
type profile struct {
	Name  string  `json:"name"`
	Type  string  `json:"type"`
	Shape []int   `json:"shape"`
	Min   float64 `json:"min"`
	Mean  float64 `json:"mean"`
	Max   float64 `json:"max"`
	Odd   int     `json:"not_finite"` // NaN or infinite
}

func profileOf(a npy.Array) (profile, error) {
	s := profile{Name: a.Name, Type: a.DType.String(), Shape: a.Shape, Min: math.Inf(1), Max: math.Inf(-1)}
	xs, err := a.Float64s()
	if err != nil {
		return s, err
	}
	n := 0
	for _, x := range xs {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			s.Odd++
			continue
		}
		n++
		s.Min, s.Max, s.Mean = min(s.Min, x), max(s.Max, x), s.Mean+(x-s.Mean)/float64(n)
	}
	if n == 0 {
		s.Min, s.Max = 0, 0
	}
	return s, nil
}

// outputs prints what came out.
func (c *cli) outputs(ys []npy.Array) error {
	var all []profile
	t := &report.Table{Columns: []string{"output", "type", "shape", "least", "mean", "largest", "not finite"}}
	for _, y := range ys {
		if y.Tensor == nil {
			return errors.New("an output has no value")
		}
		s, err := profileOf(y)
		if err != nil {
			return fmt.Errorf("output %q: %w", y.Name, err)
		}
		all = append(all, s)
		t.Rows = append(t.Rows, []report.Cell{report.Text(printable(s.Name)), report.Text(s.Type), report.Text(fmt.Sprint(s.Shape)), report.Number(s.Min), report.Number(s.Mean),
			report.Number(s.Max), report.Count(int64(s.Odd))})
	}
	if c.json {
		return c.printJSON(map[string]any{"outputs": all})
	}
	t.Print(c.out, c.width())
	return nil
}

// printable is a name that cannot steer a terminal.
func printable(s string) string {
	if q := strconv.Quote(s); q[1:len(q)-1] != s {
		return q
	}
	return s
}
