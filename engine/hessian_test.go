package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// Products of the Hessian and a vector, which scores use, against the reference
// evaluation, by fast kernels.
func TestHessianVector(t *testing.T) {
	for _, name := range []string{"mlp:20-16-7", "lenet-5", "resnet8", "vit-tiny", "gpt-tiny"} {
		r := rand.New(rand.NewPCG(7, 8))
		g := build(t, name, r)
		b := op.NewBuilder(g, "loss")
		y := g.Outputs[0]
		classes := y.Shape[len(y.Shape)-1].Mul
		if len(y.Shape) > 2 {
			y = b.Op("Reshape", y, b.Ints(-1, classes))
		}
		label := &graph.Value{Name: "label", DType: tensor.Int64, Shape: y.Shape[:1]}
		g.Inputs = append(g.Inputs, label)
		trainNorms(g)
		loss := b.Pare("SoftmaxCrossEntropy", nil, y, label)
		params := g.Params()
		grads, err := op.Gradient(g, loss, nil, params)
		if err != nil {
			t.Fatal(name, err)
		}
		var dot *graph.Value
		for i, w := range params {
			v := tensor.New(tensor.Float32, w.Const.Shape...)
			randomize(r, v, 1)
			var axes []int
			for d := range v.Shape {
				axes = append(axes, d)
			}
			d := b.Sum(b.Op("Mul", grads[i], g.Const(fmt.Sprint("v", i), v, graph.Frozen)), false, axes...)
			if dot == nil {
				dot = d
			} else {
				dot = b.Op("Add", dot, d)
			}
		}
		if b.Err() != nil {
			t.Fatal(name, b.Err())
		}
		hv, err := op.Gradient(g, dot, nil, params)
		if err != nil {
			t.Fatal(name, err)
		}
		if err := g.Sort(); err != nil {
			t.Fatal(name, err)
		}
		var want []*graph.Value
		for _, v := range hv {
			if v != nil {
				want = append(want, v)
			}
		}
		p, err := engine.Compile(g, map[string]int{"N": 3}, engine.Options{Threads: 2}, want...)
		if err != nil {
			t.Fatal(name, err)
		}
		feed := map[string]*tensor.Tensor{}
		for _, v := range g.Inputs {
			feed[v.Name] = p.Input(v.Name)
			randomize(r, feed[v.Name], classes)
		}
		if err := p.Run(); err != nil {
			t.Fatal(name, err)
		}
		ref, err := op.Run(g, feed, want...)
		if err != nil {
			t.Fatal(name, err)
		}
		for i, v := range want {
			compare(t, fmt.Sprint(name, " ", i), p.Value(v), ref[v.Name], 2e-3)
		}
		for _, s := range p.Plan() {
			if s.Kernel == "reference" && !slices.Contains([]string{"Gather", "GatherGrad", "MaxPoolPick"}, s.Op) {
				t.Errorf("%s: %s %q has no fast kernel", name, s.Op, s.Node)
			}
		}
		p.Close()
	}
}
