package train

import (
	"context"
	"math"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/zoo"
)

// folded is a residual network whose normalisation an exporter folded away, after a
// little training.
func folded(t *testing.T) (*graph.Graph, *dataset.Data) {
	t.Helper()
	d, err := dataset.Open("digits?n=400&test_n=100")
	if err != nil {
		t.Fatal(err)
	}
	g, err := zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Seed: 1, Width: .5})
	if err != nil {
		t.Fatal(err)
	}
	src := func() Source {
		return NewData(&dataset.Loader{Set: d.Train, Size: 40, Norm: d.Norm, Shuffle: true, Seed: 2})
	}
	if _, err := Fit(context.Background(), &Config{Graph: g, Epochs: 3, Optimizer: SGD{Momentum: .9}, Rate: Constant(.05), Train: src()}); err != nil {
		t.Fatal(err)
	}
	for {
		var bn *graph.Node
		for _, n := range g.Nodes {
			if n.Is("BatchNormalization") {
				bn = n
				break
			}
		}
		if bn == nil {
			break
		}
		if err := fold(g, bn, ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	return g, d
}

func logits(t *testing.T, g *graph.Graph, d *dataset.Data) []float32 {
	t.Helper()
	p, err := engine.Compile(g, map[string]int{"N": 20}, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	l := &dataset.Loader{Set: d.Test, Size: 20, Norm: d.Norm}
	if _, err := l.Fill(0, 0, []dataset.Buffer{{X: p.Input(p.InputNames()[0]).F32()}}); err != nil {
		t.Fatal(err)
	}
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	return append([]float32{}, p.Output(p.OutputNames()[0]).F32()...)
}

func furthest(a, b []float32) float64 {
	most, scale := 0.0, 0.0
	for i := range a {
		most = math.Max(most, math.Abs(float64(a[i]-b[i])))
		scale = math.Max(scale, math.Abs(float64(a[i])))
	}
	return most / scale
}

// The function is the same with the normalisation put back, and with it folded again;
// every filter has the same norm.
func TestRenormalise(t *testing.T) {
	g, d := folded(t)
	before := logits(t, g, d)
	names := map[string]bool{}
	for _, v := range g.Consts() {
		names[v.Name] = true
	}
	src := NewData(&dataset.Loader{Set: d.Train, Size: 40, Norm: d.Norm, Shuffle: true, Seed: 1})
	r, err := Renormalise(context.Background(), g, src, 50, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Names) != 7 { // all convolutions of a ResNet-8
		t.Errorf("%d convolutions: %v", len(r.Names), r.Names)
	}
	if e := furthest(before, logits(t, g, d)); e > 1e-5 {
		t.Errorf("with normalisation the outputs differ by %.2g", e)
	}
	for _, bn := range r.norms {
		w := bn.In(0).From.In(1).Const
		for c := range w.Shape[0] {
			if n := norm2(w.F32()[c*w.Len()/w.Shape[0] : (c+1)*w.Len()/w.Shape[0]]); math.Abs(n-math.Sqrt2) > 1e-5 {
				t.Fatalf("filter %d of %s has norm %v", c, bn.Name, n)
			}
		}
	}
	w := g.Params()[0].Const.F32()
	w[0], w[1] = 0, 0
	cut := logits(t, g, d)
	if err := r.Fold(g); err != nil {
		t.Fatal(err)
	}
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	if e := furthest(cut, logits(t, g, d)); e > 1e-5 {
		t.Errorf("folded again the outputs differ by %.2g", e)
	}
	if w[0] != 0 || w[1] != 0 {
		t.Error("a weight at zero came back")
	}
	for _, n := range g.Nodes {
		if n.Is("BatchNormalization") {
			t.Errorf("%s is still there", n.Name)
		}
	}
	for _, v := range g.Consts() {
		if !names[v.Name] {
			t.Errorf("%s was not in the file", v.Name)
		}
	}
}

// What has a normalisation of its own, or needs none, is left alone.
func TestUnnormalised(t *testing.T) {
	for _, name := range []string{"resnet8", "mlp:64-10", "lenet-300-100"} {
		g, err := zoo.New(name, zoo.Options{Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		if n := Unnormalised(g); n != nil {
			t.Errorf("%s: %d convolutions", name, len(n))
		}
	}
}
