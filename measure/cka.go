package measure

import (
	"context"
	"fmt"
	"math"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/train"
)

// CKA is the linear centred kernel alignment of two sets of m rows, the same
// samples seen by two networks (Kornblith et al. 2019, equation 5), in [0,1]:
//
//	||Xc' Yc||^2 / (||Xc' Xc|| ||Yc' Yc||)  (Frobenius), columns centred
//
// It does not change when one set is rotated, scaled or shifted. Where a set is
// constant it is undefined, NaN. It returns an error for fewer than 4 rows, or
// entries that do not make m rows.
func CKA(x, y []float32, m int) (float64, error) {
	if m < 4 {
		return 0, fmt.Errorf("the similarity of outputs on %d samples says nothing: at least 4 are needed", m)
	}
	if len(x) == 0 || len(y) == 0 || len(x)%m != 0 || len(y)%m != 0 {
		return 0, fmt.Errorf("%d and %d outputs do not belong to %d samples", len(x), len(y), m)
	}
	a, b := centred(x, m), centred(y, m)
	product := inFeatures
	if max(len(x), len(y))/m > m {
		product = inSamples
	}
	return product(a, b, m) / math.Sqrt(product(a, a, m)*product(b, b, m)), nil
}

// centred takes the mean from every column.
func centred(x []float32, m int) []float64 {
	c := len(x) / m
	out := make([]float64, len(x))
	for k := range c {
		mean := 0.0
		for i := range m {
			mean += float64(x[i*c+k])
		}
		mean /= float64(m)
		for i := range m {
			out[i*c+k] = float64(x[i*c+k]) - mean
		}
	}
	return out
}

// inFeatures is ||X'Y||^2 by the products of columns.
func inFeatures(x, y []float64, m int) float64 {
	cx, cy := len(x)/m, len(y)/m
	p := make([]float64, cx*cy)
	for i := range m {
		for k, a := range x[i*cx : (i+1)*cx] {
			for l, b := range y[i*cy : (i+1)*cy] {
				p[k*cy+l] += a * b
			}
		}
	}
	s := 0.0
	for _, v := range p {
		s += v * v
	}
	return s
}

// inSamples is the same, <XX', YY'>, by the products of rows: for more columns
// than rows.
func inSamples(x, y []float64, m int) float64 {
	dot := func(x []float64, i, j int) float64 {
		c := len(x) / m
		s := 0.0
		for k, a := range x[i*c : (i+1)*c] {
			s += a * x[j*c+k]
		}
		return s
	}
	s := 0.0
	for i := range m {
		for j := range m {
			s += dot(x, i, j) * dot(y, i, j)
		}
	}
	return s
}

// Outputs runs a network on the first n samples of a set (all, where it has
// fewer) and gives the probabilities of its classes, sample by sample; where it does
// not choose a class, all numbers that it gives.
func Outputs(ctx context.Context, g *graph.Graph, set *dataset.Set, norm dataset.Norm, n, batch int, opt engine.Options) ([]float32, error) {
	e := &train.Eval{Loader: &dataset.Loader{Set: set.First(n), Size: batch, Norm: norm}, Engine: opt}
	var out []float32
	if !e.Classified(g) {
		err := e.Outputs(ctx, g, func(x []float32, _ int) error { out = append(out, x...); return nil })
		return out, err
	}
	_, err := e.Scores(ctx, g, func(scores []float32, _ []int64, width int) error {
		at := len(out)
		out = append(out, scores...)
		for ; at < len(out); at += width {
			softmax(out[at : at+width])
		}
		return nil
	})
	return out, err
}

func softmax(x []float32) {
	top := x[0]
	for _, v := range x {
		top = max(top, v)
	}
	sum := 0.0
	for i, v := range x {
		e := math.Exp(float64(v - top))
		x[i] = float32(e)
		sum += e
	}
	for i := range x {
		x[i] = float32(float64(x[i]) / sum)
	}
}
