package engine_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
	"pare/zoo"
)

func randomize(r *rand.Rand, t *tensor.Tensor, classes int) {
	switch d := t.Data.(type) {
	case []float32:
		for i := range d {
			d[i] = float32(r.NormFloat64())
		}
	case []int64:
		for i := range d {
			d[i] = int64(r.IntN(classes))
		}
	}
}

// stats gives normalisations statistics that are not those of a fresh network.
func stats(r *rand.Rand, g *graph.Graph) {
	for _, v := range g.Consts() {
		if v.Role == graph.Stat {
			for i := range v.Const.F32() {
				v.Const.F32()[i] = .5 + r.Float32()
			}
		}
	}
}

func compare(t *testing.T, what string, got, want *tensor.Tensor, tol float64) {
	t.Helper()
	if got == nil || want == nil {
		t.Fatalf("%s: %v against %v", what, got, want)
	}
	a, b := got.F32(), want.F32()
	if len(a) != len(b) {
		t.Fatalf("%s: %d against %d values", what, len(a), len(b))
	}
	scale := 1e-3
	for _, v := range b {
		scale = math.Max(scale, math.Abs(float64(v)))
	}
	for i := range a {
		if !(math.Abs(float64(a[i]-b[i])) <= tol*scale) {
			t.Fatalf("%s: entry %d is %v, want %v (scale %v)", what, i, a[i], b[i], scale)
		}
	}
}

var small = []string{"mlp:20-16-7", "lenet-5", "resnet8", "resnet8-b", "wrn-10-1", "mobilenetv2", "vit-tiny", "gpt-tiny"}

func build(t *testing.T, name string, r *rand.Rand) *graph.Graph {
	o := zoo.Options{Seed: 1}
	switch name {
	case "mobilenetv2", "wrn-10-1", "resnet8", "resnet8-b":
		o.In, o.Width = []int{3, 12, 12}, .5
	case "vit-tiny":
		o.In = []int{3, 8, 8}
	case "gpt-tiny":
		o.In, o.Classes = []int{6}, 11
	}
	g, err := zoo.New(name, o)
	if err != nil {
		t.Fatal(err)
	}
	stats(r, g)
	return g
}

// Frozen and unfrozen plans against the reference evaluation.
func TestInference(t *testing.T) {
	for _, name := range small {
		r := rand.New(rand.NewPCG(1, 2))
		g := build(t, name, r)
		for _, freeze := range []bool{false, true} {
			p, err := engine.Compile(g, map[string]int{"N": 3}, engine.Options{Threads: 2, Freeze: freeze})
			if err != nil {
				t.Fatal(name, err)
			}
			in := p.Input(g.Inputs[0].Name)
			randomize(r, in, 11)
			want, err := op.Run(g, map[string]*tensor.Tensor{g.Inputs[0].Name: in})
			if err != nil {
				t.Fatal(name, err)
			}
			for range 2 {
				if err := p.Run(); err != nil {
					t.Fatal(name, err)
				}
				compare(t, fmt.Sprintf("%s frozen %v", name, freeze), p.Output("logits"), want["logits"], 1e-4)
			}
			for _, s := range p.Plan() {
				if s.Kernel == "reference" && s.Op != "Gather" {
					t.Errorf("%s: %s %q has no fast kernel", name, s.Op, s.Node)
				}
			}
			p.Close()
		}
	}
}

// A plan that consumes its graph gives the same bytes, and the graph's weights
// are gone.
func TestConsume(t *testing.T) {
	for _, name := range []string{"lenet-300-100", "resnet20", "gpt-tiny"} {
		var outs [2][]float32
		for i, consume := range []bool{false, true} {
			r := rand.New(rand.NewPCG(1, 2))
			g := build(t, name, r)
			p, err := engine.Compile(g, map[string]int{"N": 9}, engine.Options{Threads: 1, Freeze: true, Consume: consume})
			if err != nil {
				t.Fatal(name, err)
			}
			randomize(r, p.Input(g.Inputs[0].Name), 11)
			for range 2 {
				if err := p.Run(); err != nil {
					t.Fatal(name, err)
				}
			}
			outs[i] = slices.Clone(p.Output("logits").F32())
			gone := false
			for _, v := range g.Consts() {
				gone = gone || v.Const.Data == nil
			}
			if gone != consume {
				t.Errorf("%s: consumed %v, weights gone %v", name, consume, gone)
			}
			p.Close()
		}
		if !slices.Equal(outs[0], outs[1]) {
			t.Errorf("%s: another result where the graph was consumed", name)
		}
	}
}

// trainingGraph builds a network with its loss, and gives the loss, the gradients of
// the parameters, these, and the number of classes.
func trainingGraph(t *testing.T, name string) (g *graph.Graph, want, params []*graph.Value, classes int) {
	t.Helper()
	g = build(t, strings.Fields(name)[0], rand.New(rand.NewPCG(3, 4)))
	b := op.NewBuilder(g, "loss")
	switch name {
	case "mobilenetv2":
		// so deep, with so few values to normalise over, that rounding
		// pushes entries over the bounds of Clip: the same network, smooth
		for _, n := range g.Nodes {
			if n.Is("Clip") {
				n.Op, n.Inputs = "Sigmoid", n.Inputs[:1]
			}
		}
	case "resnet8 clipped":
		for _, n := range g.Nodes {
			if n.Is("Relu") {
				n.Op, n.Inputs = "Clip", append(n.Inputs, b.Scalar(0, n.Inputs[0]), b.Scalar(1, n.Inputs[0]))
			}
		}
	}
	y := g.Outputs[0]
	classes = y.Shape[len(y.Shape)-1].Mul
	if len(y.Shape) > 2 {
		y = b.Op("Reshape", y, b.Ints(-1, classes))
	}
	label := &graph.Value{Name: "label", DType: tensor.Int64, Shape: y.Shape[:1]}
	g.Inputs = append(g.Inputs, label)
	trainNorms(g)
	loss := b.Pare("SoftmaxCrossEntropy", nil, y, label)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	params = g.Params()
	grads, err := op.Gradient(g, loss, nil, params)
	if err != nil {
		t.Fatal(name, err)
	}
	return g, append([]*graph.Value{loss}, grads...), params, classes
}

// The training graph: loss and all gradients against the reference evaluation.
func TestTraining(t *testing.T) {
	for _, name := range append(small, "resnet8 clipped") {
		g, want, params, c := trainingGraph(t, name)
		var first [][]float32
		for _, threads := range []int{1, 2} {
			p, err := engine.Compile(g, map[string]int{"N": 4}, engine.Options{Threads: threads}, want...)
			if err != nil {
				t.Fatal(name, err)
			}
			feed := map[string]*tensor.Tensor{}
			r := rand.New(rand.NewPCG(5, 6))
			for _, v := range g.Inputs {
				feed[v.Name] = p.Input(v.Name)
				randomize(r, feed[v.Name], c)
			}
			if err := p.Run(); err != nil {
				t.Fatal(name, err)
			}
			if threads == 1 {
				ref, err := op.Run(g, feed, want...)
				if err != nil {
					t.Fatal(name, err)
				}
				for i, v := range want {
					what := name + " loss"
					if i > 0 {
						what = name + " gradient of " + params[i-1].Name
					}
					compare(t, what, p.Value(v), ref[v.Name], 5e-4)
					first = append(first, append([]float32{}, p.Value(v).F32()...))
				}
			} else {
				for i, v := range want {
					for k, x := range p.Value(v).F32() {
						if x != first[i][k] {
							t.Fatalf("%s: value %d differs between 1 and 2 threads", name, i)
						}
					}
				}
			}
			if name != "gpt-tiny" {
				if a := allocations(3, func() { p.Run() }); a > 0 { //nolint:errcheck // it ran before
					t.Errorf("%s: %v allocations a step", name, a)
				}
			}
			for _, s := range p.Plan() {
				if s.Kernel == "reference" && s.Op != "Gather" && s.Op != "GatherGrad" {
					t.Errorf("%s: %s %q has no fast kernel", name, s.Op, s.Node)
				}
			}
			p.Close()
		}
	}
}

func trainNorms(g *graph.Graph) {
	for _, n := range g.Nodes {
		if !n.Is("BatchNormalization") {
			continue
		}
		n.Op, n.Domain, n.Inputs = "BatchNormTrain", graph.Pare, n.Inputs[:3]
		for _, s := range []string{"mean", "istd", "var"} {
			n.Outputs = append(n.Outputs, &graph.Value{Name: g.Fresh(n.Name + s), From: n})
		}
	}
	g.Opset[graph.Pare] = 1
	if err := op.InferAll(g); err != nil {
		panic(err)
	}
}

// Frozen plans of thinned networks take sparse kernels and agree with the
// reference evaluation, whatever the number of threads.
func TestSparse(t *testing.T) {
	for _, name := range []string{"lenet-300-100", "lenet-5", "resnet20", "resnet8-b", "vit-tiny", "gpt-tiny"} {
		r := rand.New(rand.NewPCG(7, 8))
		g := build(t, name, r)
		thin(r, g)
		for _, n := range []int{1, 9} {
			var first []float32
			for _, threads := range []int{1, 2} {
				p, err := engine.Compile(g, map[string]int{"N": n}, engine.Options{Threads: threads, Freeze: true})
				if err != nil {
					t.Fatal(name, err)
				}
				in := p.Input(g.Inputs[0].Name)
				randomize(rand.New(rand.NewPCG(1, 1)), in, 11)
				if err := p.Run(); err != nil {
					t.Fatal(name, err)
				}
				if threads == 1 {
					want, err := op.Run(g, map[string]*tensor.Tensor{g.Inputs[0].Name: in})
					if err != nil {
						t.Fatal(name, err)
					}
					compare(t, fmt.Sprint(name, n), p.Output("logits"), want["logits"], 1e-4)
					first = append(first, p.Output("logits").F32()...)
				} else if !slices.Equal(first, p.Output("logits").F32()) {
					t.Errorf("%s: 1 and 2 threads differ", name)
				}
				sparse := 0
				for _, s := range p.Plan() {
					if strings.HasPrefix(s.Kernel, "sparse") {
						sparse++
					}
				}
				if sparse == 0 && n > 1 {
					t.Errorf("%s: no sparse kernel", name)
				}
				t.Log(name, n, sparse, "of", len(p.Plan()))
				p.Close()
			}
		}
	}
}

// allocations is how often f allocates memory in one of n calls. The runtime allocates
// too, now and then: the fewest of five counts.
func allocations(n int, f func()) float64 {
	a := testing.AllocsPerRun(n, f)
	for k := 0; k < 4 && a > 0; k++ {
		a = min(a, testing.AllocsPerRun(n, f))
	}
	return a
}
