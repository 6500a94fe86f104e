package model

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/dataset"
	"pare/graph"
	"pare/tensor"
	"pare/zoo"
)

// noises are the samples of a job's noise, and how many batches they came in.
func noises(t *testing.T, j *Job, kind string, n int) (x []float32, batches int) {
	t.Helper()
	b, err := j.Noise(kind, n)
	if err != nil {
		t.Fatal(err)
	}
	if err := b(func(in map[string]*tensor.Tensor) error {
		x, batches = append(x, in[j.Graph.Inputs[0].Name].F32()...), batches+1
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return x, batches
}

// Uniform noise is normalised as the data, by channel; normal noise is of mean 0 and
// variance 1 whatever the data; both are the same again and differ by seed.
func TestNoise(t *testing.T) {
	g, err := zoo.New("resnet8", zoo.Options{In: []int{3, 8, 8}, Seed: 1, Width: .25})
	if err != nil {
		t.Fatal(err)
	}
	j := &Job{Graph: g, Seed: 4, Data: &dataset.Data{Norm: dataset.Norm{Scale: 1. / 255, Mean: []float32{.5, .25, 0}, Std: []float32{.5, 2, 1}}}}
	x, batches := noises(t, j, "uniform", 100)
	if batches != 2 || len(x) != 128*3*64 { // of 64 each
		t.Fatalf("%d batches, %d numbers", batches, len(x))
	}
	lo, hi := []float32{-1, -.125, 0}, []float32{1, .375, 1}
	for c := range 3 {
		least, most := float32(math.Inf(1)), float32(math.Inf(-1))
		for i, v := range x {
			if i/64%3 == c {
				least, most = min(least, v), max(most, v)
			}
		}
		wide := hi[c] - lo[c]
		if least < lo[c] || most > hi[c] || least > lo[c]+.01*wide || most < hi[c]-.01*wide {
			t.Errorf("channel %d lies in [%v, %v], want [%v, %v]", c, least, most, lo[c], hi[c])
		}
	}
	n, _ := noises(t, j, "normal", 100)
	sum, square := 0.0, 0.0
	for _, v := range n {
		sum, square = sum+float64(v)/float64(len(n)), square+float64(v)*float64(v)/float64(len(n))
	}
	if math.Abs(sum) > .02 || math.Abs(square-1) > .02 {
		t.Errorf("normal noise has mean %v and square %v", sum, square)
	}
	again, _ := noises(t, j, "normal", 100)
	other, _ := noises(t, &Job{Graph: g, Seed: 5}, "normal", 100)
	if n[7] != again[7] || n[7] == other[7] {
		t.Errorf("%v, again %v, by another seed %v", n[7], again[7], other[7])
	}
	if x, _ = noises(t, &Job{Graph: g, Seed: 4}, "uniform", 1); len(x) != 192 || x[0] < 0 || x[0] > 1 {
		t.Errorf("without data: %d numbers from %v", len(x), x[0])
	}
}

// Inputs that are no numbers, or too many, are refused.
func TestNoiseRefused(t *testing.T) {
	g, err := zoo.New("gpt-tiny", zoo.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&Job{Graph: g}).Noise("uniform", 8); err == nil || !strings.Contains(err.Error(), "noise stands for numbers alone; give Data") {
		t.Error(err)
	}
	if g, err = zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Seed: 1, Width: .25}); err != nil {
		t.Fatal(err)
	}
	for _, d := range []int{1 << 20, 1 << 31} {
		g.Inputs[0].Shape[2], g.Inputs[0].Shape[3] = graph.N(d), graph.N(d)
		if _, err := (&Job{Graph: g}).Noise("uniform", 8); err == nil || !strings.Contains(err.Error(), "more than noise is made for") {
			t.Error(err)
		}
	}
}

// Natural noise is of mean 0 and variance 1; what neighbours, and the channels of a pixel,
// have in common is what its spectrum and the share of brightness say. Without images it is
// normal.
func TestNaturalNoise(t *testing.T) {
	const n, c, h, w = 400, 3, 16, 12
	x := make([]float32, n*c*h*w)
	natural(rand.New(rand.NewPCG(1, 2)), x, n, c, h, w)
	at := func(s, k, i, j int) float64 { return float64(x[((s*c+k)*h+i)*w+j%w]) }
	var sum, square, beside, across float64
	for s := range n {
		for k := range c {
			for i := range h {
				for j := range w {
					v := at(s, k, i, j) / float64(len(x))
					sum, square = sum+v, square+v*at(s, k, i, j)
					beside, across = beside+v*at(s, k, i, j+1), across+v*at(s, (k+1)%c, i, j)
				}
			}
		}
	}
	power, next := 0.0, 0.0 // the correlation of neighbours is the cosine transform of the power
	for u := range h {
		for v := range w {
			fy, fx := float64(min(u, h-u))/h, float64(min(v, w-v))/w
			p := math.Pow(math.Max(math.Hypot(fx, fy), 1./h), -2)
			power, next = power+p, next+p*math.Cos(2*math.Pi*fx)
		}
	}
	if math.Abs(sum) > .08 || math.Abs(square-1) > .08 || math.Abs(beside/square-next/power) > .02 || math.Abs(across/square-colours) > .02 {
		t.Errorf("mean %v, variance %v; neighbours %v, want %v; channels %v, want %v", sum, square, beside/square, next/power, across/square, colours)
	}
	g, err := zoo.New("mlp:6-3", zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	j := &Job{Graph: g, Seed: 4}
	a, _ := noises(t, j, "natural", 8)
	if b, _ := noises(t, j, "normal", 8); !slices.Equal(a, b) {
		t.Error("noise of vectors is not normal")
	}
}
