package all

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/model"
	"pare/tensor"
)

// twoByTwo is a job on a network of two inputs and two outputs; without labels its samples
// have nothing to compare with.
func twoByTwo(t *testing.T, labels bool) *model.Job {
	t.Helper()
	r := rand.New(rand.NewPCG(4, 5))
	b := op.NewBuilder(graph.New("two", 17), "v")
	input := func(name string, shape ...int) *graph.Value {
		v := &graph.Value{Name: name, DType: tensor.Float32, Shape: append(graph.Shape{graph.Sym("N")}, graph.Dims(shape...)...)}
		b.G.Inputs = append(b.G.Inputs, v)
		return v
	}
	weight := func(name string, shape ...int) *graph.Value {
		w := tensor.New(tensor.Float32, shape...)
		for i := range w.F32() {
			w.F32()[i] = float32(r.NormFloat64() * .4)
		}
		return b.G.Const(name, w, graph.Param)
	}
	image, table := input("image", 1, 6, 6), input("table", 5)
	h := b.Op("Relu", b.Op("Conv", image, weight("conv.weight", 8, 1, 3, 3), weight("conv.bias", 8)))
	h = b.Op("Relu", b.Op("Conv", h, weight("conv2.weight", 8, 8, 3, 3), weight("conv2.bias", 8)))
	h = b.Op("Flatten", b.Op("GlobalAveragePool", h))
	h = b.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", 1)}, h, b.Op("Relu", b.Op("Gemm", table, weight("fc1.weight", 5, 16), weight("fc1.bias", 16))))
	h = b.Op("Relu", b.Op("Gemm", h, weight("fc2.weight", 24, 16), weight("fc2.bias", 16)))
	for _, name := range []string{"block1", "block2"} {
		h = b.Op("Add", h, b.Op("Mul", b.Op("Relu", b.Op("Gemm", h, weight(name+".weight", 16, 16), weight(name+".bias", 16))), b.Scalar(.1, h)))
	}
	kind, size := b.Op("Gemm", h, weight("kind.weight", 16, 4), weight("kind.bias", 4)), b.Op("Gemm", h, weight("size.weight", 16, 3), weight("size.bias", 3))
	kind.Name, size.Name = "kind", "size"
	b.G.Outputs = []*graph.Value{kind, size}
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	if err := op.InferAll(b.G); err != nil {
		t.Fatal(err)
	}
	op.Classify(b.G)
	numbers := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		return x
	}
	set := func(n int) *dataset.Set {
		x := &dataset.Field{Name: "pixels", Shape: []int{1, 6, 6}, Floats: numbers(36 * n)}
		a := &dataset.Field{Name: "table", Shape: []int{5}, Floats: numbers(5 * n)}
		y := &dataset.Field{Name: "class", Classes: 4}
		z := &dataset.Field{Name: "measures", Shape: []int{3}}
		for i := range n {
			p, q := a.Floats[5*i:5*i+5], x.Floats[36*i:36*i+36]
			c := int32(0)
			if p[0] > 0 {
				c++
			}
			if q[0]+q[14] > 0 {
				c += 2
			}
			y.Ints = append(y.Ints, c)
			z.Floats = append(z.Floats, p[1]-p[2], p[3], q[7])
		}
		if !labels {
			return dataset.New("unlabelled", x, a)
		}
		return dataset.New("labelled", z, x, a, y)
	}
	return &model.Job{Graph: b.G, Data: &dataset.Data{Train: set(200), Test: set(60), Norm: dataset.Raw}, Seed: 3, Engine: engine.Options{Threads: 1},
		Recipe: model.Recipe{Epochs: 2, Batch: 10, LR: .02, Schedule: "cosine", Optimizer: "sgd", Momentum: .9}}
}

// needsLabels are the methods that cannot do without, and what they say.
var needsLabels = map[string]string{"snip": "with labels", "grasp": "with labels", "regimes": "with labels", "pagcp": "with labels", "layer-lottery": "with labels", "fedtiny": "with labels"}

// lacks are the methods that cut what the network has not, and what they say.
var lacks = map[string]string{"experts": "no mixture of experts", "heads": "no attention whose heads can be cut", "compresso": "no attention whose heads can be cut", "adapt-pruner": "no layer of a transformer", "flap": "no layer of a transformer", "slicegpt": "no stream"}

// Every method works on a network of several inputs and outputs, by labels of several
// kinds or by none, or says what it needs.
func TestAnyTask(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		for _, labels := range []bool{true, false} {
			j := twoByTwo(t, labels)
			r, err := model.Run(context.Background(), method(t, name), j)
			if why := needsLabels[name]; !labels && why != "" {
				if err == nil || !strings.Contains(err.Error(), why) {
					t.Errorf("without labels: %v, want something with %q", err, why)
				}
				continue
			}
			if why := lacks[name]; why != "" {
				if err == nil || !strings.Contains(err.Error(), why) {
					t.Errorf("%v, want something with %q", err, why)
				}
				continue
			}
			if err != nil {
				t.Errorf("labels %v: %v", labels, err)
				continue
			}
			for _, v := range r.Graph.Consts() {
				if i := v.Const.Finite(); i >= 0 {
					t.Errorf("labels %v: %s is not finite at %d", labels, v.Name, i)
				}
			}
			again, err := model.Run(context.Background(), method(t, name), twoByTwo(t, labels))
			if err != nil {
				t.Fatal(err)
			}
			if err := same(r, again); err != nil {
				t.Errorf("labels %v: %v", labels, err)
			}
		}
	})
}
