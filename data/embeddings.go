package data

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"

	"pare/catalog"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/internal/kernel"
	"pare/npy"
	"pare/tensor"
	"pare/train"
)

// Embeddings are vectors of samples, in the order of a set.
type Embeddings struct {
	N, D int
	X    []float32 // [N D]
}

// At is the vector of sample i.
func (e *Embeddings) At(i int) []float32 { return e.X[i*e.D : (i+1)*e.D] }

// NewEmbeddings are n vectors. It returns an error that lists those that are not finite.
func NewEmbeddings(x []float32, d int) (*Embeddings, error) {
	if d < 1 || len(x)%d != 0 || len(x) == 0 {
		return nil, fmt.Errorf("%d numbers are no embeddings of %d", len(x), d)
	}
	e := &Embeddings{len(x) / d, d, x}
	if bad := e.which(func(v []float32) bool {
		return slices.ContainsFunc(v, func(x float32) bool { return x-x != 0 })
	}); bad != nil {
		return nil, fmt.Errorf("the embeddings of %d samples are not finite, the first of them %v", len(bad), bad[:min(10, len(bad))])
	}
	return e, nil
}

func (e *Embeddings) which(is func([]float32) bool) (out []int) {
	for i := range e.N {
		if is(e.At(i)) {
			out = append(out, i)
		}
	}
	return out
}

// Directed returns an error that lists the vectors that have no direction.
func (e *Embeddings) Directed() error {
	if bad := e.which(func(v []float32) bool { return kernel.Dot(v, v) == 0 }); bad != nil {
		return fmt.Errorf("the embeddings of %d samples are zero and have no direction, the first of them %v: give Euclidean distances", len(bad), bad[:min(10, len(bad))])
	}
	return nil
}

// Unit are the vectors at length 1.
func (e *Embeddings) Unit() *Embeddings {
	out := &Embeddings{e.N, e.D, make([]float32, len(e.X))}
	for i := range e.N {
		by := 1 / math.Sqrt(kernel.Dot(e.At(i), e.At(i)))
		for k, v := range e.At(i) {
			out.X[i*e.D+k] = float32(float64(v) * by)
		}
	}
	return out
}

// Only are the vectors at some places.
func (e *Embeddings) Only(places []int) *Embeddings {
	out := &Embeddings{N: len(places), D: e.D}
	for _, i := range places {
		out.X = append(out.X, e.At(i)...)
	}
	return out
}

// mostEmbedding bounds a file of embeddings.
const mostEmbedding = 16 << 30

// ReadEmbeddings reads a NumPy array [samples …] of the samples of a set: one row for each
// of them in their order, or one for each that is stored with them.
func ReadEmbeddings(path string, set *dataset.Set) (*Embeddings, error) {
	st, err := os.Stat(path)
	if err == nil && (!st.Mode().IsRegular() || st.Size() > mostEmbedding) {
		err = fmt.Errorf("%s is not a file of at most %d bytes", path, int64(mostEmbedding))
	}
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t, err := npy.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if !t.DType.IsFloat() {
		return nil, fmt.Errorf("%s holds %v: embeddings are numbers with a point", path, t.DType)
	}
	if t.DType != tensor.Float32 {
		if t, err = t.ToFloat32(); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	n := 0
	if len(t.Shape) > 1 {
		n = t.Shape[0]
	}
	if n != set.Len() && n != set.Stored().Len() || n == 0 || t.Len() == 0 {
		return nil, catalog.Errorf("{Embeddings} %s has shape %v: a row for each of the %d samples is needed, or for each of the %d that are stored", path, t.Shape, set.Len(), set.Stored().Len())
	}
	d := t.Len() / n
	x := t.F32()
	if n != set.Len() {
		x = make([]float32, 0, set.Len()*d)
		for i := range set.Len() {
			k := set.Number(i)
			x = append(x, t.F32()[k*d:(k+1)*d]...)
		}
	}
	e, err := NewEmbeddings(x, d)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return e, nil
}

// embedBatch is the number of samples that are embedded at once.
const embedBatch = 64

// Embed runs an encoder on the samples of a set, without augmentation. layer names the
// value that is taken, flattened; "" is what the last product with a weight is given (the
// penultimate layer), or, where there is none, the output.
func Embed(ctx context.Context, g *graph.Graph, layer string, set *dataset.Set, norm dataset.Norm, opt engine.Options) (*Embeddings, string, error) {
	v := g.Outputs[0]
	if layer != "" {
		if v = g.Value(layer); v == nil || !v.DType.IsFloat() {
			return nil, "", catalog.Errorf("{Layer} %s: the network has no value of numbers of that name", layer)
		}
	} else if p := penultimate(g); p != nil {
		v = p
	}
	c, m := g.Clone(false)
	c.Usage.OutputOf = ""
	w := m[v]
	if w.From == nil {
		return nil, "", catalog.Errorf("{Layer} %s is not computed by the network", v.Name)
	}
	c.Outputs = []*graph.Value{w}
	c.Prune()
	e := &Embeddings{N: set.Len()}
	err := train.NewEval(set, norm, embedBatch, opt).Outputs(ctx, c, func(out []float32, width int) error {
		e.D = width
		e.X = append(e.X, out...)
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	checked, err := NewEmbeddings(e.X, e.D)
	return checked, v.Name, err
}

// penultimate is what the last product with a weight is given; nil: there is none.
func penultimate(g *graph.Graph) *graph.Value {
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		n := g.Nodes[i]
		if (n.Is("Gemm") || n.Is("MatMul")) && n.In(1) != nil && n.In(1).Const != nil && n.In(0).From != nil {
			return n.In(0)
		}
	}
	return nil
}

// Coverage is the mean distance of vectors from the nearest of a subset: the radius that a
// subset must have to cover a share of them, averaged over the shares (AUC_pr of Zheng et
// al. 2023, arXiv 2210.15809). Lower is better covered.
func Coverage(of, by *Embeddings) (float64, error) {
	if by.N == 0 || of.N == 0 || of.D != by.D {
		return 0, fmt.Errorf("%d vectors of %d numbers cannot cover %d of %d", by.N, by.D, of.N, of.D)
	}
	length := make([]float64, by.N)
	for k := range length {
		length[k] = kernel.Dot(by.At(k), by.At(k))
	}
	near := make([]float32, by.N)
	sum := 0.0
	for i := range of.N {
		x := of.At(i)
		kernel.Dots(x, by.X, by.D, near)
		best := 0
		for k, v := range near {
			if length[k]-2*float64(v) < length[best]-2*float64(near[best]) {
				best = k
			}
		}
		s := 0.0
		for k, v := range by.At(best) {
			e := float64(x[k]) - float64(v)
			s += e * e
		}
		sum += math.Sqrt(s)
	}
	return sum / float64(of.N), nil
}
