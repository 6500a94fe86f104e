package main

import (
	"fmt"
	"path/filepath"
	"time"

	"pare/continual"
	"pare/measure"
	"pare/model"
	"pare/npy"
	"pare/safetensors"
	"pare/tensor"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"
)

// onStream is what the flags of stream say.
type onStream struct {
	inputs          []string
	out, from, save string
	end             bool
}

func (c *cli) stream() *cobra.Command {
	q := &onStream{}
	cmd := &cobra.Command{Use: "stream STEP.onnx --input NAME=FILE.npy", Short: "Run a network that pare model continual made on a stream of frames", Args: args("STEP.onnx"),
		Long: `Runs a step network on frames, one after the other. What counts of each output is written along its axis of frames, or
along a new axis 1 where it has none; the array "frame" says with which frame each step's output came.`,
		Example: `  pare model stream step.onnx --input x=frames.npy --output y.npz
  pare model stream step.onnx --input x=morning.npy --save-state s.safetensors
  pare model stream step.onnx --input x=evening.npy --state s.safetensors --output y.npz --end`,
		RunE: func(cmd *cobra.Command, a []string) error { return c.runStream(cmd, a[0], q) }}
	f := cmd.Flags()
	f.StringArrayVar(&q.inputs, "input", nil, "frames, NAME=FILE.npy: an array whose axis of time has any length (once for each input)")
	f.StringVar(&q.out, "output", "", "file for the outputs (.npz)")
	f.StringVar(&q.from, "state", "", "go on from a state that --save-state wrote (.safetensors)")
	f.StringVar(&q.save, "save-state", "", "file for the state behind the last frame (.safetensors)")
	f.BoolVar(&q.end, "end", false, "end the stream: layers that pad the end of a clip see zeros behind the last frame")
	return cmd
}

func (c *cli) runStream(cmd *cobra.Command, name string, q *onStream) error {
	if q.end && q.save != "" {
		return usage("--end and --save-state: a stream that has ended does not go on; leave one out")
	}
	p := (&running{inputs: q.inputs}).places(name)
	p.in = append(p.in, input{what: "state", path: q.from})
	p.out = []file{{"output", q.out, []string{".npz"}}, {"save-state", q.save, []string{".safetensors"}}}
	if err := c.claim(p); err != nil {
		return err
	}
	o, err := c.engine()
	if err != nil {
		return err
	}
	g, err := c.file(name)
	if err != nil {
		return err
	}
	if _, err := model.Prepare(g); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	s, err := continual.Open(g)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	given, err := arrays(g, q.inputs)
	if err != nil {
		return err
	}
	for _, v := range s.Others() {
		if given[v.Name] == nil {
			return usage("input %q has no array: give --input %[1]s=FILE.npy of shape %v, the same for all frames", v.Name, v.Shape)
		}
	}
	batch, err := streams(s, given)
	if err != nil {
		return err
	}
	r, err := continual.NewStream(s, batch, o)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer r.Close()
	if q.from != "" {
		f, err := safetensors.Read(q.from)
		if err == nil {
			err = r.Restore(f)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", q.from, err)
		}
	}
	began := time.Now()
	rec, err := r.Run(cmd.Context(), given, q.end)
	if err != nil {
		return err
	}
	took := time.Since(began)
	if q.save != "" {
		if err := safetensors.Write(q.save, r.Save()); err != nil {
			return err
		}
	}
	return c.recorded(s, rec, given, took, q.out)
}

// streams is the number of streams side by side, by the first array that is given.
func streams(s *continual.Step, given map[string]*tensor.Tensor) (int, error) {
	for _, p := range s.In {
		v, t := s.Graph.Value(p.Name), given[p.Name]
		if t == nil {
			return 0, usage("input %q has no frames: give --input %[1]s=FILE.npy", p.Name)
		}
		if len(t.Shape) != len(v.Shape) {
			return 0, usage("--input %s: the array has shape %v, the network takes %v, with any number of frames along axis %d", p.Name, t.Shape, v.Shape, p.Axis)
		}
		for a, d := range v.Shape {
			if !d.Known() && a != p.Axis {
				return t.Shape[a] / max(1, d.Mul), nil
			}
		}
	}
	return 1, nil
}

// recorded shows what came out, and writes it where that is asked for.
func (c *cli) recorded(s *continual.Step, rec *continual.Record, given map[string]*tensor.Tensor, took time.Duration, path string) error {
	var arrays []npy.Array
	var values []*measure.Values
	for _, o := range s.Out {
		t := rec.Out[o.Name]
		if t == nil {
			continue
		}
		v, err := measure.ValuesOf(o.Name, t)
		if err != nil {
			return fmt.Errorf("output %q: %w", o.Name, err)
		}
		arrays, values = append(arrays, npy.Array{Name: o.Name, Tensor: t}), append(values, v)
	}
	frames := tensor.New(tensor.Int64, len(rec.Frame))
	for i, f := range rec.Frame {
		tensor.Of[int64](frames)[i] = int64(f)
	}
	if path != "" {
		b, err := npy.EncodeAll(append(arrays, npy.Array{Name: "frame", Tensor: frames}))
		if err != nil {
			return err
		}
		if err := renameio.WriteFile(path, b, 0o644, renameio.WithTempDir(filepath.Dir(path))); err != nil {
			return err
		}
	}
	n := given[s.In[0].Name].Shape[s.In[0].Axis]
	if c.json {
		return c.printJSON(map[string]any{"frames": n, "outputs": values, "came_with": rec.Frame, "seconds": took.Seconds()})
	}
	if len(values) == 0 {
		fmt.Fprintf(c.out, "%d frames: nothing came out yet; the first output comes with frame %d\n", n, s.Delay+1)
		return nil
	}
	fmt.Fprintf(c.out, "%d frames, %.3g ms each\n", n, took.Seconds()*1e3/float64(max(1, n)))
	measure.ValuesTable(values).Print(c.out, c.width())
	return nil
}
