package train

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// equilibrium gives the norms, but for a common factor, that filters in front of batch
// normalisation come to when they are trained with weight decay: there the length that
// gradients add is the length that decay takes, so that |w|^4 goes with the mean square
// of the gradient by a filter of norm 1 (van Laarhoven 2017, arXiv 1706.05350, equation
// 12; Wan, Zhu, Zhang, Sun 2021, arXiv 2006.08419, theorem 1). The gradient is that of
// the outputs that an objective compares, each number times a random sign, by batches of
// a source: it needs no labels, and does not vanish where the loss does. It has an entry
// for each filter of every convolution; a filter that the outputs do not depend on has 0.
func equilibrium(ctx context.Context, g *graph.Graph, convs []*graph.Node, d Source, batches int, l Loss, opt engine.Options) ([][]float64, error) {
	defer d.Close()
	l.signs = true
	s, err := newStep(g, samplesOf(d), d.Batch(), l, opt, nil)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var of []*graph.Value
	norms := make([][]float64, len(convs))
	for i, n := range convs {
		of = append(of, n.In(1))
		norms[i] = make([]float64, n.In(1).Const.Shape[0])
	}
	params, err := s.parameters(of)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(0, signStream))
	for k := range min(batches, d.Steps()) {
		for _, v := range s.view.signs {
			randomSigns(r, s.prog.Input(v.Name).F32())
		}
		if err := d.Fill(0, k, s); err != nil {
			return nil, err
		}
		if _, err := s.RunContext(ctx); err != nil {
			return nil, err
		}
		for i, p := range params {
			filter := len(p.G) / len(norms[i])
			for c := range norms[i] {
				norms[i][c] += square(p.G[c*filter : (c+1)*filter])
			}
		}
	}
	for i, p := range params {
		filter := len(p.G) / len(norms[i])
		for c, sum := range norms[i] { // the gradient goes with the inverse of the norm
			norms[i][c] = math.Pow(sum*square(p.W[c*filter:(c+1)*filter]), .25)
			if !finite(norms[i][c]) {
				return nil, fmt.Errorf("the gradient by filter %d of %q is not finite", c, of[i].Name)
			}
		}
	}
	return norms, nil
}

const signStream = 0x516e << 32

func randomSigns(r *rand.Rand, x []float32) {
	var bits uint64
	for i := range x {
		if i%64 == 0 {
			bits = r.Uint64()
		}
		x[i] = float32(1 - 2*int(bits>>(i%64)&1))
	}
}

// signed is the sum of the view's outputs, each number times one of an input that is
// added for it.
func (v *View) signed() (*graph.Value, error) {
	b := op.NewBuilder(v.Graph, "signed")
	var sum *graph.Value
	for _, o := range v.Graph.Outputs {
		if _, known := o.Shape.Ints(); !known || o.DType != tensor.Float32 {
			continue
		}
		x := &graph.Value{Name: v.Graph.Fresh("sign"), DType: tensor.Float32, Shape: o.Shape}
		v.Graph.Inputs, v.signs = append(v.Graph.Inputs, x), append(v.signs, x)
		axes := make([]int, len(o.Shape))
		for k := range axes {
			axes[k] = k
		}
		if y := b.Sum(b.Op("Mul", o, x), false, axes...); sum == nil {
			sum = y
		} else {
			sum = b.Op("Add", sum, y)
		}
	}
	if sum == nil {
		return nil, fmt.Errorf("no output is of numbers and has a size that is known")
	}
	return sum, b.Err()
}
