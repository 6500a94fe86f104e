// Package answer runs networks in tests, and says how far apart what they give is.
package answer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/tensor"
)

// ToNoise is the first output of a network for two samples, the same in every call:
// standard normal numbers, and whole ones of 0 and 1.
func ToNoise(t testing.TB, g *graph.Graph) []float32 {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	return of(t, g, 2, func(_ int, x *tensor.Tensor) error {
		for i := range x.F32() {
			x.F32()[i] = float32(r.NormFloat64())
		}
		if ints, ok := x.Data.([]int64); ok {
			for i := range ints {
				ints[i] = int64(r.IntN(2))
			}
		}
		return nil
	})
}

// To is the first output of a network for samples at its first input, [samples, …].
func To(t testing.TB, g *graph.Graph, x *tensor.Tensor) []float32 {
	t.Helper()
	return of(t, g, x.Shape[0], func(i int, in *tensor.Tensor) error {
		if i > 0 {
			return nil
		}
		return in.Copy(x)
	})
}

func of(t testing.TB, g *graph.Graph, samples int, fill func(i int, x *tensor.Tensor) error) []float32 {
	t.Helper()
	p, err := engine.Compile(g, g.Sizes(samples), engine.Options{Threads: 1, Freeze: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for i, v := range g.Inputs {
		if err := fill(i, p.Input(v.Name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(p.Output(p.OutputNames()[0]).F32())
}

// Far is the largest difference of numbers, as a share of the largest of them, or of 1;
// infinite where they are not as many, or one is no number.
func Far(want, got []float32) float64 {
	if len(want) != len(got) {
		return math.Inf(1)
	}
	most, far := 1., 0.
	for i, x := range want {
		most, far = math.Max(most, math.Abs(float64(x))), math.Max(far, math.Abs(float64(x-got[i])))
	}
	if far /= most; math.IsNaN(far) {
		return math.Inf(1)
	}
	return far
}

// Same fails where numbers lie further apart than float32 sums in another order do.
func Same(t testing.TB, what string, want, got []float32) {
	t.Helper()
	if far := Far(want, got); far > 1e-5 {
		t.Fatalf("%s: %d and %d numbers, apart by %.3g of the largest", what, len(want), len(got), far)
	}
}
