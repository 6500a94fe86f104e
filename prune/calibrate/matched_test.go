package calibrate

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/internal/answer"
	"pare/tensor"
	"pare/zoo"
)

// remembering is a small residual network whose batch normalisation remembers a training
// set of mean 2 and standard deviation 6, and batches of noise for it.
func remembering(t *testing.T) (*graph.Graph, Batches) {
	t.Helper()
	g, err := zoo.New("resnet8", zoo.Options{In: []int{3, 8, 8}, Seed: 1, Width: .25})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range normals(g) { // each makes right what goes into those after it
		mean, std := statistics(t, g, n, pictures(g, r, 256, 2, 6))
		for c := range mean {
			n.In(3).Const.F32()[c], n.In(4).Const.F32()[c] = float32(mean[c]), float32(std[c]*std[c])
		}
	}
	return g, func(yield func(map[string]*tensor.Tensor) error) error {
		r := rand.New(rand.NewPCG(3, 4))
		for range 2 {
			if err := yield(pictures(g, r, 16, 0, 1)); err != nil {
				return err
			}
		}
		return nil
	}
}

func pictures(g *graph.Graph, r *rand.Rand, n int, mean, std float64) map[string]*tensor.Tensor {
	x := tensor.New(tensor.Float32, n, 3, 8, 8)
	for i := range x.F32() {
		x.F32()[i] = float32(mean + std*r.NormFloat64())
	}
	return map[string]*tensor.Tensor{g.Inputs[0].Name: x}
}

// statistics are mean and standard deviation of what goes into the channels of a node, in
// plain loops.
func statistics(t *testing.T, g *graph.Graph, n *graph.Node, in map[string]*tensor.Tensor) (mean, std []float64) {
	t.Helper()
	c, m := g.Clone(false)
	c.Outputs = []*graph.Value{m[n.In(0)]}
	y := answer.To(t, c, in[g.Inputs[0].Name])
	channels := n.In(3).Const.Len()
	mean, std = make([]float64, channels), make([]float64, channels)
	per := len(y) / in[g.Inputs[0].Name].Shape[0] / channels
	count := float64(len(y) / channels)
	for i, v := range y {
		mean[i/per%channels] += float64(v) / count
	}
	for i, v := range y {
		d := float64(v) - mean[i/per%channels]
		std[i/per%channels] += d * d / count
	}
	for c := range std {
		std[c] = math.Sqrt(std[c])
	}
	return mean, std
}

// distant is the distance of a batch from what the network remembers, by its definition.
func distant(t *testing.T, g *graph.Graph, in map[string]*tensor.Tensor) float64 {
	t.Helper()
	sum, ns := 0.0, normals(g)
	for _, n := range ns {
		mean, std := statistics(t, g, n, in)
		for c := range mean {
			s := math.Sqrt(float64(n.In(4).Const.F32()[c]) + 1e-5)
			a, b := (mean[c]-float64(n.In(3).Const.F32()[c]))/s, math.Sqrt(std[c]*std[c]+1e-5)/s-1
			sum += (a*a + b*b) / float64(len(mean)) / float64(len(ns))
		}
	}
	return sum
}

// What is computed is the distance of its definition, and its gradient that of finite
// differences.
func TestMatcher(t *testing.T) {
	g, _ := remembering(t)
	in := pictures(g, rand.New(rand.NewPCG(5, 6)), 4, 1, 3)
	m, err := newMatcher(g, in, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer m.prog.Close()
	got, err := m.run(context.Background(), in, 1)
	if want := distant(t, g, in); err != nil || math.Abs(got/want-1) > 1e-4 || m.layers != len(normals(g)) || m.layers == 0 {
		t.Fatalf("%v, want %v, of %d layers, %v", got, want, m.layers, err)
	}
	x, grad := in[g.Inputs[0].Name].F32(), slices.Clone(m.prog.Value(m.grads[0]).F32())
	length := 0.0
	for _, v := range grad {
		length += float64(v) * float64(v)
	}
	length = math.Sqrt(length)
	at := func(h float32) float64 {
		y := pictures(g, rand.New(rand.NewPCG(0, 0)), 4, 0, 1)
		for i, v := range x {
			y[g.Inputs[0].Name].F32()[i] = v + h*grad[i]/float32(length)
		}
		return distant(t, g, y)
	}
	const h = .05
	if want := (at(h) - at(-h)) / (2 * h); math.Abs(length/want-1) > .02 {
		t.Errorf("slope %v along the gradient, want %v", length, want)
	}
}

// Noise that is of another mean and spread than the training set comes near, in every
// normalisation, and is the same for any number of threads. What was given stays.
func TestMatch(t *testing.T) {
	g, noise := remembering(t)
	match := func(threads int) (*Matched, []float32, float64) {
		m, err := Match(context.Background(), g, noise, 40, Options{Engine: engine.Options{Threads: threads}})
		if err != nil {
			t.Fatal(err)
		}
		var x []float32
		far := 0.0
		if err := m.Batches(func(in map[string]*tensor.Tensor) error {
			x = append(x, in[g.Inputs[0].Name].F32()...)
			far += distant(t, g, in) / 2
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return m, x, far
	}
	m, x, far := match(1)
	if m.Samples != 32 || m.Layers != len(normals(g)) || !(m.After < .2*m.Before) || math.Abs(far/m.After-1) > 1e-3 {
		t.Errorf("%+v, at the end %v", m, far)
	}
	if _, y, _ := match(2); !slices.Equal(x, y) {
		t.Error("two threads come to another end")
	}
	sum, square := 0.0, 0.0
	for _, v := range x {
		sum, square = sum+float64(v)/float64(len(x)), square+float64(v)*float64(v)/float64(len(x))
	}
	if std := math.Sqrt(square - sum*sum); std < 3 || std > 12 {
		t.Errorf("standard deviation %v: that of training was 6, that of the noise 1", std)
	}
}

// What cannot be matched is said.
func TestMatchRefuses(t *testing.T) {
	g, err := zoo.New("mlp:4-3-2", zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	noise := func(yield func(map[string]*tensor.Tensor) error) error {
		return yield(map[string]*tensor.Tensor{g.Inputs[0].Name: tensor.New(tensor.Float32, 2, 4)})
	}
	if _, err := Match(context.Background(), g, noise, 1, Options{}); err == nil || !strings.Contains(err.Error(), "no batch normalisation") || HasStatistics(g) {
		t.Error(err)
	}
	none := func(func(map[string]*tensor.Tensor) error) error { return nil }
	if _, err := Match(context.Background(), g, none, 1, Options{}); err == nil || !strings.Contains(err.Error(), "no batch") {
		t.Error(err)
	}
	r, noise := remembering(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Match(ctx, r, noise, 1, Options{}); err == nil {
		t.Error("the end of the context ends nothing")
	}
}
