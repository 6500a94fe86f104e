package metric

import (
	"context"
	"fmt"
	"math"
	"slices"

	"pare/engine"
	"pare/graph"
	"pare/onnx"
	"pare/tensor"
)

// mostFile bounds the memory that the values of a metric's graph take, in bytes.
const mostFile = 1 << 32

// mostSize is the largest that the batch and other free sizes of a metric's graph may be.
const mostSize = 1 << 24

// fromFile makes a metric of an ONNX graph. Its inputs have the names of outputs of the
// network and of targets; its only output is one number, the mean over the samples that
// it is given, or one number for each of them. The metric is the mean over all samples.
func fromFile(path string) (*Metric, error) {
	g, err := onnx.Load(path)
	if err != nil {
		return nil, err
	}
	return FromGraph("onnx:"+path, g)
}

// FromGraph is a metric that a graph computes. Each input has the name of an output of
// the network or of a target, samples on its first axis; the only output is one number,
// the mean over the samples given, or one number for each sample. The metric is the mean
// over all samples, so a number for a batch that is no mean over samples (a median, a
// root) comes out as the mean over batches, weighted by their samples.
func FromGraph(name string, g *graph.Graph) (*Metric, error) {
	if len(g.Inputs) == 0 || len(g.Outputs) != 1 {
		return nil, fmt.Errorf("%s has %d inputs and %d outputs: the graph of a metric takes outputs and targets by their names and gives one output", name, len(g.Inputs), len(g.Outputs))
	}
	if s := g.Outputs[0].Shape; len(s) > 1 {
		return nil, fmt.Errorf("%s: output %q has shape %v: one number, or one for each sample, is needed", name, g.Outputs[0].Name, s)
	}
	m := &Metric{Name: name, Doc: "mean over all samples of what an ONNX graph says of a batch", Target: None, Higher: true,
		Params: []Param{{Name: "better", Default: "higher", Choices: []string{"higher", "lower"}, Doc: "which values are better"}}}
	opt := engine.SessionOptions{MaxBatch: mostSize, Max: map[string]int{}, Plans: 2, Most: mostFile}
	for _, v := range g.Inputs {
		if len(v.Shape) == 0 {
			return nil, fmt.Errorf("%s: input %q has shape %v: its first axis must be the samples", name, v.Name, v.Shape)
		}
		for _, d := range v.Shape {
			if !d.Known() {
				opt.Max[d.Sym] = mostSize
			}
		}
		m.Inputs = append(m.Inputs, v.Name)
	}
	s, err := engine.NewSession(g, opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	m.New = func(Params) Accumulator { return &computed{m: m, s: s} }
	return m, nil
}

// computed is the mean of what a graph says.
type computed struct {
	m    *Metric
	s    *engine.Session
	in   map[string]*tensor.Tensor
	out  map[string]*tensor.Tensor
	sum  float64
	seen int
	err  error
}

// Add runs the graph on the samples that count.
func (c *computed) Add(n int, outputs, targets []*tensor.Tensor) error {
	err := c.add(n, outputs, targets)
	if err != nil {
		err = fmt.Errorf("%s: %w", c.m.Name, err)
		c.err = err
	}
	return err
}

func (c *computed) add(n int, outputs, targets []*tensor.Tensor) error {
	if len(outputs) != len(c.m.Inputs) || len(targets) > 0 {
		return fmt.Errorf("%d outputs and %d targets are given where the inputs %q are to be", len(outputs), len(targets), c.m.Inputs)
	}
	if n == 0 {
		return nil
	}
	if c.in == nil {
		c.in, c.out = map[string]*tensor.Tensor{}, map[string]*tensor.Tensor{}
	}
	if slices.Contains(outputs, nil) {
		return errMissing
	}
	for i, p := range c.s.Inputs() {
		x, err := leading(outputs[i], n, p, c.seen)
		if err != nil {
			return err
		}
		c.in[p.Name] = x
	}
	if err := c.s.Run(context.Background(), c.in, c.out); err != nil {
		return err
	}
	o := c.out[c.s.Outputs()[0].Name]
	v, err := o.Float64s()
	if err != nil {
		return err
	}
	var sum float64
	for _, x := range v {
		sum += x
	}
	switch {
	case math.IsNaN(sum) || math.IsInf(sum, 0):
		return fmt.Errorf("the graph's output for samples %d to %d is %v", c.seen, c.seen+n-1, sum)
	case o.Rank() < 2 && len(v) == n: // one for each, or one sample
	case o.Rank() < 2 && len(v) == 1:
		sum *= float64(n)
	default:
		return fmt.Errorf("the graph's output has shape %v for %d samples: one number, or one for each, is needed", o.Shape, n)
	}
	c.sum += sum
	c.seen += n
	return nil
}

// Value is the mean over all samples.
func (c *computed) Value() (float64, error) {
	if c.err != nil {
		return 0, c.err
	}
	if c.seen == 0 {
		return 0, fmt.Errorf("%s: %w", c.m.Name, errNothing)
	}
	return c.sum / float64(c.seen), nil
}

// leading gives the first n samples in the type of an input. Whole numbers are widened,
// and float types converted.
func leading(x *tensor.Tensor, n int, p engine.Port, seen int) (*tensor.Tensor, error) {
	if x.Rank() == 0 || x.Shape[0] < n {
		return nil, fmt.Errorf("input %q is given shape %v for %d samples", p.Name, x.Shape, n)
	}
	shape := append([]int{n}, x.Shape[1:]...)
	count, _ := tensor.Size(shape)
	out := &tensor.Tensor{DType: p.DType, Shape: shape}
	var buf []float32
	var ints []int64
	switch p.DType {
	case tensor.Float32:
		f, err := floats(x, count, &buf)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", p.Name, err)
		}
		for i, v := range f {
			if v-v != 0 {
				return nil, fmt.Errorf("input %q is given %v for sample %d", p.Name, v, seen+i/(count/n))
			}
		}
		out.Data = f
	case tensor.Int64:
		v, err := integers(x, count, &ints)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", p.Name, err)
		}
		out.Data = v
	case tensor.Int32:
		v, err := integers(x, count, &ints)
		if err != nil {
			return nil, fmt.Errorf("input %q: %w", p.Name, err)
		}
		w := make([]int32, count)
		for i := range w {
			if w[i] = int32(v[i]); int64(w[i]) != v[i] {
				return nil, fmt.Errorf("input %q is given %d, which is no int32", p.Name, v[i])
			}
		}
		out.Data = w
	default:
		return nil, fmt.Errorf("input %q is %v: float32, int64 or int32 is needed", p.Name, p.DType)
	}
	return out, nil
}
