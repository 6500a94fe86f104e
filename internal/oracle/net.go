// Package oracle computes once more, slowly and plainly, what methods do to a small
// network, so that tests can hold their Run to it: a chain of linear layers with ReLU
// between, forward and backward, and training by a recipe, in float64 and loops over
// slices. It uses nothing of the engine, the trainer, the scores, allocations, schedules
// and hooks; only the order of the samples comes from the loader.
package oracle

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pare/graph"
)

// Net is a chain of linear layers, with batch normalisation behind some of them, ReLU
// behind all but the last, and the mean cross-entropy of its outputs.
type Net struct {
	Layers    []*Layer
	Smoothing float64 // of labels
	Temper    float64 // divides the outputs before the loss; 0: 1
}

// Layer is y = W x + b.
type Layer struct {
	In, Out int
	W, B    *Tensor // [Out, In] and [Out]
	Norm    *Norm   // of what it gives; nil: none
}

// Tensor is a parameter, flat in its order.
type Tensor struct {
	Name string
	X    []float64 // values
	G    []float64 // gradient of the last batch, in full
	M, V []float64 // moments of the optimiser
	Mask []bool    // what is trained; the others are zero. nil: all, and it is no candidate
}

// NewTensor is a parameter of the values x.
func NewTensor(name string, x []float64) *Tensor {
	n := len(x)
	return &Tensor{Name: name, X: x, G: make([]float64, n), M: make([]float64, n), V: make([]float64, n)}
}

// Read takes the weights of a chain of the zoo ("mlp:…"): fc1.weight, fc1.bias and so on.
func Read(t testing.TB, g *graph.Graph) *Net {
	t.Helper()
	n := &Net{}
	for l := 1; g.Value(fmt.Sprintf("fc%d.weight", l)) != nil; l++ {
		w, b := g.Value(fmt.Sprintf("fc%d.weight", l)), g.Value(fmt.Sprintf("fc%d.bias", l))
		n.Layers = append(n.Layers, &Layer{In: w.Const.Shape[1], Out: w.Const.Shape[0],
			W: NewTensor(w.Name, Wide(w.Const.F32())), B: NewTensor(b.Name, Wide(b.Const.F32())), Norm: readNorm(g, l)})
	}
	if n.Layers == nil {
		t.Fatal("the network is no chain of the zoo")
	}
	return n
}

// Wide is a slice in float64.
func Wide(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// Clone copies the network with its state.
func (n *Net) Clone() *Net {
	c := *n
	c.Layers = nil
	for _, l := range n.Layers {
		k := *l
		k.W, k.B, k.Norm = l.W.clone(), l.B.clone(), l.Norm.clone()
		c.Layers = append(c.Layers, &k)
	}
	return &c
}

func (p *Tensor) clone() *Tensor {
	return &Tensor{p.Name, slices.Clone(p.X), slices.Clone(p.G), slices.Clone(p.M), slices.Clone(p.V), slices.Clone(p.Mask)}
}

// Tensors lists the parameters: the weight and the bias of each layer, and scale and
// shift of its normalisation.
func (n *Net) Tensors() []*Tensor {
	var out []*Tensor
	for _, l := range n.Layers {
		if out = append(out, l.W, l.B); l.Norm != nil {
			out = append(out, l.Norm.Scale, l.Norm.Shift)
		}
	}
	return out
}

// Weights lists the weights of the layers: the candidates.
func (n *Net) Weights() []*Tensor {
	var out []*Tensor
	for _, l := range n.Layers {
		out = append(out, l.W)
	}
	return out
}

// Apply zeroes what masks cut: values and moments.
func (n *Net) Apply() {
	for _, p := range n.Tensors() {
		for i, keep := range p.Mask {
			if !keep {
				p.X[i], p.M[i], p.V[i] = 0, 0, 0
			}
		}
	}
}

// Forward gives what goes into each layer, [layer][sample][input], and the outputs,
// [sample][class], by the running statistics.
func (n *Net) Forward(x [][]float64) (in [][][]float64, y [][]float64) { return n.forward(x, false) }

func (n *Net) forward(x [][]float64, training bool) (in [][][]float64, y [][]float64) {
	for i, l := range n.Layers {
		in = append(in, x)
		y = nil
		for _, v := range x {
			out := make([]float64, l.Out)
			for o := range out {
				out[o] = l.B.X[o]
				for k, u := range v {
					out[o] += l.W.X[o*l.In+k] * u
				}
			}
			y = append(y, out)
		}
		if l.Norm != nil {
			l.Norm.forward(y, training)
		}
		if i < len(n.Layers)-1 {
			for _, out := range y {
				for o, v := range out {
					out[o] = math.Max(0, v)
				}
			}
		}
		x = y
	}
	return in, y
}

// Gradient gives the mean loss of a batch, and leaves its gradients in the parameters'
// G, those of cut weights too. Normalisations take the statistics of the batch.
func (n *Net) Gradient(b Batch) float64 {
	in, y := n.forward(b.X, true)
	loss, size := 0.0, float64(len(b.X))
	temper := n.Temper
	if temper == 0 {
		temper = 1
	}
	d := make([][]float64, len(b.X)) // by the outputs of the layer
	for s, out := range y {
		sum, most := 0.0, slices.Max(out)
		for _, v := range out {
			sum += math.Exp((v - most) / temper)
		}
		d[s] = make([]float64, len(out))
		for c, v := range out {
			log := (v-most)/temper - math.Log(sum)
			want := n.Smoothing / float64(len(out))
			if c == b.Y[s] {
				want += 1 - n.Smoothing
			}
			loss -= want * log / size
			d[s][c] = (math.Exp(log) - want) / temper / size
		}
	}
	for i := len(n.Layers) - 1; i >= 0; i-- {
		l := n.Layers[i]
		if l.Norm != nil {
			d = l.Norm.back(d)
		}
		clear(l.W.G)
		clear(l.B.G)
		back := make([][]float64, len(d))
		for s := range d {
			back[s] = make([]float64, l.In)
			for o, e := range d[s] {
				l.B.G[o] += e
				for k, u := range in[i][s] {
					l.W.G[o*l.In+k] += e * u
					if u > 0 { // where the ReLU before it is open
						back[s][k] += e * l.W.X[o*l.In+k]
					}
				}
			}
		}
		d = back
	}
	return loss
}

// Begin clears the optimiser's moments, as a new training does.
func (n *Net) Begin() {
	for _, p := range n.Tensors() {
		clear(p.M)
		clear(p.V)
	}
}
