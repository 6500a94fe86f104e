package model

import (
	"context"
	"fmt"
	"slices"

	"pare/dataset"
	"pare/graph"
	"pare/graph/op"
	"pare/train"
)

// Features are what values of a network are on samples, one after the other, in the order
// of a set.
type Features struct {
	Names  []string
	Shapes [][]int     // of a sample
	X      [][]float32 // by value
	N      int         // samples
	Energy []float64   // by value: the sum of squares
}

// featureBatch is the number of samples that run at once.
const featureBatch = 64

// Features runs a network on a set and keeps values of it, which may be its inputs.
func (j *Job) Features(ctx context.Context, g *graph.Graph, of []*graph.Value, set *dataset.Set, norm dataset.Norm) (*Features, error) {
	_, at := op.OneSample(g)
	f := &Features{}
	width := 0
	for _, v := range of {
		shape, ok := at[v].Shape.Ints()
		if !ok {
			return nil, fmt.Errorf("the size of %q is not known", v.Name)
		}
		f.Names, f.Shapes = append(f.Names, v.Name), append(f.Shapes, shape[1:])
		width += entries(shape[1:])
	}
	c, m := g.Clone(false)
	c.Usage.OutputOf, c.Outputs = "", nil
	for _, v := range of {
		w := m[v]
		if w.From == nil {
			w = c.Add("Identity", "", []*graph.Value{w}, []string{w.Name + "/feature"}).Outputs[0]
			w.DType, w.Shape = v.DType, slices.Clone(v.Shape)
		}
		c.Outputs = append(c.Outputs, w)
	}
	c.Prune()
	f.X, f.Energy = make([][]float32, len(of)), make([]float64, len(of))
	err := train.NewEval(set, norm, featureBatch, j.Engine).Outputs(ctx, c, func(out []float32, w int) error {
		if w != width {
			return fmt.Errorf("features of %d numbers a sample, not %d", w, width)
		}
		f.take(out)
		return nil
	})
	return f, j.Interrupted(ctx, err)
}

// take adds samples, of each of which all values stand together.
func (f *Features) take(out []float32) {
	for len(out) > 0 {
		for k, s := range f.Shapes {
			n := entries(s)
			f.X[k] = append(f.X[k], out[:n]...)
			for _, v := range out[:n] {
				f.Energy[k] += float64(v) * float64(v)
			}
			out = out[n:]
		}
		f.N++
	}
}

func entries(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// Only are the features of some of the values.
func (f *Features) Only(of []*graph.Value) *Features {
	g := &Features{N: f.N}
	for _, v := range of {
		k := slices.Index(f.Names, v.Name)
		g.Names, g.Shapes = append(g.Names, v.Name), append(g.Shapes, f.Shapes[k])
		g.X, g.Energy = append(g.X, f.X[k]), append(g.Energy, f.Energy[k])
	}
	return g
}

// Set is the features as samples of a network whose inputs are called as they are, with
// other fields of these samples.
func (f *Features) Set(also []*dataset.Field) *dataset.Set {
	var fields []*dataset.Field
	for k, name := range f.Names {
		fields = append(fields, &dataset.Field{Name: name, Shape: f.Shapes[k], Floats: f.X[k]})
	}
	return dataset.New("features", append(fields, also...)...)
}

// SamplesOf is a field of a set, by its place, that holds the samples of the set alone, in
// their order, as they are stored: those of a stream are read.
func SamplesOf(ctx context.Context, set *dataset.Set, k int) (*dataset.Field, error) {
	f := *set.Fields[k]
	to := dataset.Buffer{Field: k, Raw: true}
	if f.Ints != nil {
		to.I = make([]int64, f.Size())
	} else {
		to.X = make([]float32, f.Size())
	}
	f.Bytes, f.Floats, f.Ints = nil, nil, nil
	l := &dataset.Loader{Set: set, Size: 1, Norm: dataset.Raw}
	for i := range set.Len() {
		if _, err := l.FillContext(ctx, 0, i, []dataset.Buffer{to}); err != nil {
			return nil, err
		}
		for _, x := range to.I {
			f.Ints = append(f.Ints, int32(x))
		}
		f.Floats = append(f.Floats, to.X...)
	}
	return &f, nil
}
