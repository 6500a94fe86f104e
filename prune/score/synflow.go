package score

import (
	"fmt"
	"math"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/prune"
	"pare/tensor"
)

// Flow computes synaptic flow (Tanaka, Kunin, Yamins and Ganguli 2020, equation
// 4 and algorithm 1): with R the sum of the outputs of a network of the weights
// |w| for an input of ones, the score of a weight is |w| * dR/d|w|. It needs no
// data.
//
// Biases count as zero, batch normalisation has mean 0, variance 1, scale 1 and
// shift 0 (as in an untrained network), and activations that are the identity on
// positive numbers are left out.
//
// R grows by a factor a layer and overflows float32 in deep networks. So the
// weights of every layer are divided by a power of two near their gain, and where
// branches meet they are brought to a common power: the scores are those of the
// network itself but for one common factor, exactly where no branch is 2^126
// times another.
type Flow struct {
	ws     []*prune.Weight
	net    *graph.Graph // with the weights |w| as this computes with them
	abs    []*graph.Value
	prog   *engine.Program
	grad   [][]float32
	scale  map[*graph.Value]*graph.Value // what a branch is multiplied by where it meets others
	weight map[*graph.Value]*weight
}

// weight is a matrix or kernel of the network: its values |w|, and the power of
// two that they are divided by.
type weight struct {
	size  []float32
	out   int // number of outputs
	power int
}

// NewFlow plans the scores of weights. It returns an error that names the node
// where the network has an operator that synaptic flow is not defined through.
func NewFlow(g *graph.Graph, ws []*prune.Weight, opt engine.Options) (*Flow, error) {
	for _, in := range g.Inputs {
		if in.DType != tensor.Float32 {
			return nil, fmt.Errorf("synaptic flow sends ones through the network: one float32 input, or several, are needed, and %q is %v", in.Name, in.DType)
		}
	}
	c, m := g.Clone(true)
	f := &Flow{ws: ws, net: c, scale: map[*graph.Value]*graph.Value{}, weight: map[*graph.Value]*weight{}}
	all, err := prune.Weights(c, prune.Scope{})
	if err != nil {
		return nil, err
	}
	for _, w := range all {
		if w.Kind == prune.Recurrent {
			return nil, fmt.Errorf("synaptic flow is not defined through the recurrent node %q: use snip or magnitude", w.Node.Name)
		}
		x := w.Data()
		for i := range x {
			x[i] = float32(math.Abs(float64(x[i])))
		}
		f.weight[w.Value] = &weight{size: append([]float32{}, x...), out: w.Outputs()}
	}
	if err := f.linearise(); err != nil {
		return nil, err
	}
	for _, w := range ws {
		f.abs = append(f.abs, m[w.Value])
	}
	if err := op.InferAll(c); err != nil {
		return nil, err
	}
	grads, err := op.Gradient(c, c.Outputs[0], nil, f.abs)
	if err != nil {
		return nil, err
	}
	var want []*graph.Value
	for _, d := range grads {
		if d != nil {
			want = append(want, d)
		}
	}
	opt.Freeze = false
	if f.prog, err = engine.Compile(c, c.Sizes(1), opt, want...); err != nil {
		return nil, err
	}
	for i, d := range grads {
		if d != nil {
			f.grad = append(f.grad, f.prog.Value(d).F32())
		} else {
			f.grad = append(f.grad, make([]float32, ws[i].Len()))
		}
	}
	for _, in := range c.Inputs[:len(g.Inputs)] { // the others are of balance
		ones(f.prog.Input(in.Name).F32())
	}
	return f, nil
}

// Close frees the plan.
func (f *Flow) Close() { f.prog.Close() }

// Score gives the scores of the network of which masks keep a part (nil: the
// whole), up to a common factor; what is cut has -1.
func (f *Flow) Score(m *prune.Masks) ([][]float32, error) {
	keep := map[*graph.Value]*prune.Mask{}
	if m != nil {
		for l := range f.ws {
			keep[f.abs[l]] = m.Mask[l]
		}
	}
	for v, w := range f.weight {
		x := v.Const.F32()
		copy(x, w.size)
		if keep[v] != nil {
			keep[v].Apply(x)
		}
		w.divide(x)
	}
	f.balance()
	if err := f.prog.Run(); err != nil {
		return nil, err
	}
	out := make([][]float32, len(f.ws))
	for l, v := range f.abs {
		x := v.Const.F32()
		out[l] = make([]float32, len(x))
		for i := range x {
			s := x[i] * f.grad[l][i]
			if s-s != 0 {
				return nil, fmt.Errorf("the synaptic flow through %q at entry %d is %v: the magnitudes of the network's branches are too far apart", v.Name, i, s)
			}
			if keep[v] != nil && !keep[v].Kept(i) {
				s = -1
			}
			out[l][i] = s
		}
	}
	return out, nil
}

// divide brings a weight's gain, the mean over outputs of the sum over inputs,
// near one.
func (w *weight) divide(x []float32) {
	sum := 0.0
	for _, v := range x {
		sum += float64(v)
	}
	w.power = 0
	if sum == 0 {
		return
	}
	w.power = int(math.Round(math.Log2(sum / float64(w.out))))
	by := float32(math.Ldexp(1, -w.power))
	for i := range x {
		x[i] *= by
	}
}

func ones(x []float32) {
	for i := range x {
		x[i] = 1
	}
}
