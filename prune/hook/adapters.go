package hook

import (
	"fmt"
	"slices"

	"pare/graph"
	"pare/tensor"
	"pare/train"
)

// Adapters train small changes of weights in their place: a weight is its source, which
// stays, and a change of the tap in the middle of its kernel (all of a matrix),
//
//	W = W_source + Delta
//
// so that whoever reads the network reads the two as one weight (structured pruning
// adapters: Hedegaard, Alok, Jose, Iosifidis 2022, arXiv 2211.10155). Gradients of the
// weight at that tap are passed on to the numbers that the change is made of; the optimiser
// knows these alone.
type Adapters struct {
	train.Base
	Of     []*Adapter
	Frozen []string // other weights that are not trained
	Still  bool     // the changes are not trained

	own []*train.Param
}

// Adapter is the change of one weight.
type Adapter struct {
	Name       string
	Source     []float32 // the weight without the change
	Rows, Cols []int     // outputs and inputs of the change that the weight still has
	At         []int     // entry of the weight of row r and column c: At[r*len(Cols)+c]
	Change     Change

	weight *train.Param
	delta  []float32 // scratch, as At
}

// Change is numbers that stand for a matrix of outputs by inputs.
type Change interface {
	Arrays() []*Array
	// Delta writes the rows and columns of the matrix.
	Delta(rows, cols []int, d []float32)
	// Grad adds to the arrays' gradients what the gradient of these rows and columns means.
	Grad(rows, cols []int, g []float32)
	// Count is how many of the arrays' numbers these rows and columns need; what changes of
	// other weights need as well is left out.
	Count(rows, cols []int) int
}

// Array is numbers that are trained. Changes may have one in common.
type Array struct {
	Name  string
	Shape []int
	W     []float32
	G     []float64
}

// NewArray is an array of zeros.
func NewArray(name string, shape ...int) *Array {
	n, _ := tensor.Size(shape)
	return &Array{Name: name, Shape: shape, W: make([]float32, n), G: make([]float64, n)}
}

// Reparametrise takes the weights out of what is trained, and puts the arrays in.
func (h *Adapters) Reparametrise(ps []*train.Param) ([]*train.Param, error) {
	out := []string{}
	h.own = h.own[:0]
	arrays := h.Arrays()
	for _, a := range h.Of {
		i := slices.IndexFunc(ps, func(p *train.Param) bool { return p.Name == a.Name })
		if i < 0 || len(ps[i].W) != len(a.Source) || len(a.At) != len(a.Rows)*len(a.Cols) {
			return nil, fmt.Errorf("weight %q has an adapter but is not trained: leave it out", a.Name)
		}
		a.weight, a.delta = ps[i], make([]float32, len(a.At))
		out = append(out, a.Name)
	}
	out = append(out, h.Frozen...)
	for _, a := range arrays {
		if h.Still {
			break
		}
		v := &graph.Value{Name: a.Name, DType: tensor.Float32, Shape: graph.Dims(a.Shape...), Const: tensor.From(a.W, a.Shape...)}
		h.own = append(h.own, &train.Param{Value: v, W: a.W, G: make([]float32, len(a.W))})
	}
	return append(slices.DeleteFunc(slices.Clone(ps), func(p *train.Param) bool { return slices.Contains(out, p.Name) }), h.own...), nil
}

// Arrays are those of all changes, each once.
func (h *Adapters) Arrays() (out []*Array) {
	for _, a := range h.Of {
		for _, x := range a.Change.Arrays() {
			if !slices.Contains(out, x) {
				out = append(out, x)
			}
		}
	}
	return out
}

// Start writes the weights that sources and changes make.
func (h *Adapters) Start(*train.Run) error {
	h.fuse()
	return nil
}

// AfterGrad passes gradients on to the arrays.
func (h *Adapters) AfterGrad(*train.Run) error {
	if h.Still {
		return nil
	}
	arrays := h.Arrays()
	for _, x := range arrays {
		clear(x.G)
	}
	for _, a := range h.Of {
		for i, at := range a.At {
			a.delta[i] = a.weight.G[at]
		}
		a.Change.Grad(a.Rows, a.Cols, a.delta)
	}
	for i, x := range arrays {
		for k, g := range x.G {
			h.own[i].G[k] = float32(g)
		}
	}
	return nil
}

// AfterStep writes the weights anew.
func (h *Adapters) AfterStep(*train.Run) error {
	h.fuse()
	return nil
}

func (h *Adapters) fuse() {
	for _, a := range h.Of {
		a.Fuse(a.weight.W)
	}
}

// Fuse writes source and change as one weight.
func (a *Adapter) Fuse(w []float32) {
	copy(w, a.Source)
	if a.delta == nil {
		a.delta = make([]float32, len(a.At))
	}
	a.Change.Delta(a.Rows, a.Cols, a.delta)
	for i, at := range a.At {
		w[at] += a.delta[i]
	}
}
