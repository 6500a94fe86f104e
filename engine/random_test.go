package engine_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/internal/randnet"
	"pare/tensor"
	"pare/zoo"
)

// trial plans a random network in every way and compares with the reference
// evaluation. With grads it is the gradients of the sum of the outputs' squares
// that are compared. It reports false where the network magnifies rounding so
// much that the reference is no reference. The kernels that were planned are
// counted.
func trial(t *testing.T, n *randnet.Net, grads bool, kernels map[string]int) bool {
	t.Helper()
	g := n.Graph
	want := append([]*graph.Value{}, g.Outputs...)
	if grads {
		var err error
		if want, err = gradients(g); err != nil {
			t.Fatalf("%v\n%v", err, g)
		}
	}
	sizes := map[string]int{"N": n.Batch}
	feed := map[string]*tensor.Tensor{}
	for _, v := range g.Inputs {
		s, _ := v.Shape.Bind(sizes).Ints()
		feed[v.Name] = tensor.New(v.DType, s...)
	}
	n.Feed(1, func(name string) *tensor.Tensor { return feed[name] })
	ref, err := op.Run(g, feed, want...)
	if err != nil {
		t.Fatalf("%v\n%v", err, g)
	}
	exact := truth(t, n, feed, want)
	for i, v := range want {
		if e := distance(ref[v.Name], exact[i]); !(e < 1e-4) {
			return false
		}
	}
	first := map[bool][][]float32{}
	for _, o := range []engine.Options{{Threads: 1}, {Threads: 2}, {Threads: 3}, {Threads: 1, Freeze: true}, {Threads: 2, Freeze: true}, {Threads: 3, Freeze: true}} {
		if grads && o.Freeze {
			continue
		}
		p, err := engine.Compile(g, sizes, o, want...)
		if err != nil {
			t.Fatalf("%v\n%v", err, g)
		}
		if err := p.CheckMemory(); err != nil {
			t.Fatalf("%v\n%v\n%v", err, g, plan(p))
		}
		for _, s := range p.Plan() {
			name, _, _ := strings.Cut(s.Kernel, " +")
			kernels[name]++
		}
		for _, v := range g.Inputs {
			copyInto(p.Input(v.Name), feed[v.Name])
		}
		for round := range 2 {
			what := fmt.Sprintf("frozen %v, %d threads, run %d", o.Freeze, o.Threads, round)
			p.Poison()
			if err := p.Run(); err != nil {
				t.Fatalf("%s: %v\n%v", what, err, g)
			}
			for i, v := range want {
				x := p.Value(v)
				if !slices.Equal(x.Shape, ref[v.Name].Shape) {
					t.Fatalf("%s: %q has shape %v, want %v\n%v", what, v.Name, x.Shape, ref[v.Name].Shape, g)
				}
				if e := distance(x, exact[i]); !(e <= 1e-4+100*distance(ref[v.Name], exact[i])) {
					t.Fatalf("%s: %q is off by %v of its largest entry, the reference by %v\n%s\n%v\n%v", what, v.Name, e, distance(ref[v.Name], exact[i]),
						blame(n, feed, want, o), g, plan(p))
				}
				if len(first[o.Freeze]) <= i {
					first[o.Freeze] = append(first[o.Freeze], slices.Clone(x.F32()))
				} else if !same(first[o.Freeze][i], x.F32()) {
					t.Fatalf("%s: %q differs from the first run on one thread\n%v\n%v", what, v.Name, g, plan(p))
				}
			}
		}
		p.Close()
	}
	return true
}

// gradients adds the mean of the squares of all outputs, and its gradients with
// respect to the trained weights and the inputs.
func gradients(g *graph.Graph) ([]*graph.Value, error) {
	b := op.NewBuilder(g, "loss")
	var loss *graph.Value
	for _, y := range g.Outputs {
		m := b.Attr("ReduceMean", []graph.Attr{graph.MakeAttr("keepdims", 0)}, b.Op("Mul", y, y))
		if loss == nil {
			loss = m
		} else {
			loss = b.Op("Add", loss, m)
		}
	}
	if b.Err() != nil {
		return nil, b.Err()
	}
	wrt := g.Params()
	for _, v := range g.Inputs {
		if v.DType == tensor.Float32 {
			wrt = append(wrt, v)
		}
	}
	out := []*graph.Value{loss}
	grads, err := op.Gradient(g, loss, nil, wrt)
	for _, d := range grads {
		if d != nil {
			out = append(out, d)
		}
	}
	return out, err
}

// truth evaluates the network in float64.
func truth(t *testing.T, n *randnet.Net, feed map[string]*tensor.Tensor, want []*graph.Value) []*tensor.Tensor {
	t.Helper()
	d, m := n.Double()
	wide := map[string]*tensor.Tensor{}
	for name, x := range feed {
		wide[name] = x
		if x.DType == tensor.Float32 {
			wide[name], _ = op.Convert(x, tensor.Float64)
		}
	}
	var to []*graph.Value
	for _, v := range want {
		to = append(to, m[v])
	}
	res, err := op.Run(d, wide, to...)
	if err != nil {
		t.Fatalf("in float64: %v\n%v", err, d)
	}
	var out []*tensor.Tensor
	for _, v := range to {
		out = append(out, res[v.Name])
	}
	return out
}

// distance is the largest difference in units of the largest entry of y; where
// all are small, they may be what is left of larger ones.
func distance(x, y *tensor.Tensor) float64 {
	a, _ := x.Float64s()
	b, _ := y.Float64s()
	scale, most := .1, 0.
	for _, v := range b {
		scale = math.Max(scale, math.Abs(v))
	}
	for i := range b {
		if d := math.Abs(a[i] - b[i]); !(d <= most) {
			most = d
		}
	}
	return most / scale
}

// blame finds the first node whose output is wrong, where that can be seen
// when it is asked for beside the others.
func blame(n *randnet.Net, feed map[string]*tensor.Tensor, want []*graph.Value, o engine.Options) string {
	g := n.Graph
	for _, k := range g.Nodes {
		for _, v := range k.Outputs {
			if v == nil || v.DType != tensor.Float32 {
				continue
			}
			p, err := engine.Compile(g, map[string]int{"N": n.Batch}, o, append([]*graph.Value{v}, want...)...)
			if err != nil {
				return err.Error()
			}
			for name, x := range feed {
				copyInto(p.Input(name), x)
			}
			ref, err := op.Run(g, feed, v)
			if err := errors.Join(err, p.Run()); err != nil {
				return err.Error()
			}
			if e := distance(p.Value(v), ref[v.Name]); !(e < 1e-4) {
				s := fmt.Sprintf("blame: %q is off by %v of its largest entry; %s.%s %+v of", v.Name, e, k.Domain, k.Op, k.Attrs)
				for _, in := range k.Inputs {
					if in != nil {
						s += fmt.Sprintf(" %s%v", in.Name, in.Shape)
					}
				}
				return s
			}
		}
	}
	return "no single node is to blame"
}

// same compares bits.
func same(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

func copyInto(dst, src *tensor.Tensor) {
	switch d := dst.Data.(type) {
	case []float32:
		copy(d, src.F32())
	case []bool:
		copy(d, tensor.Of[bool](src))
	}
}

func plan(p *engine.Program) string {
	s := ""
	for _, x := range p.Plan() {
		s += fmt.Sprintf("%s: %s\n", x.Node, x.Kernel)
	}
	return s
}

// Random networks, forward and backward.
func TestRandom(t *testing.T) {
	const seeds = 300
	for _, grads := range []bool{false, true} {
		rough, none, ops, kernels := 0, 0, map[string]int{}, map[string]int{}
		for seed := range uint64(seeds) {
			n := randnet.New(randnet.Seed(seed, 20+int(seed)%100), randnet.Options{Smooth: grads})
			if n == nil {
				none++
				continue
			}
			for _, k := range n.Graph.Nodes {
				ops[k.Op]++
			}
			t.Run(fmt.Sprintf("gradients %v, seed %d", grads, seed), func(t *testing.T) {
				if !trial(t, n, grads, kernels) {
					rough++
				}
			})
		}
		for _, k := range []string{"sparse product", "sparse convolution"} {
			if !grads && kernels[k] == 0 {
				t.Errorf("no network took the kernel %q, only %v", k, kernels)
			}
		}
		t.Log(none, "none;", rough, "of", seeds, "networks magnify rounding too much;", len(ops), "operators:", ops, "kernels:", kernels)
		if rough > seeds/5 || len(ops) < 40 {
			t.Errorf("%d of %d networks could not be compared, %d operators", rough, seeds, len(ops))
		}
	}
}

func FuzzRandom(f *testing.F) {
	for seed := range uint64(20) {
		b := make([]byte, 60)
		for i := range b {
			b[i] = byte(seed * uint64(2*i+1) * 0x9e37 >> 5)
		}
		f.Add(b, seed%2 == 1)
	}
	f.Fuzz(func(t *testing.T, b []byte, grads bool) {
		if len(b) > 300 {
			return
		}
		if n := randnet.New(randnet.Bytes(b), randnet.Options{Smooth: grads}); n != nil {
			trial(t, n, grads, map[string]int{})
		}
	})
}

// The plan of every network, for inference and for training, and whatever its
// outputs, keeps what is still to be read.
func TestMemory(t *testing.T) {
	for _, name := range []string{"mlp:20-16-7", "lenet-300-100", "lenet-5", "conv-4", "resnet8", "resnet20", "resnet8-b", "resnet50-imagenet", "wrn-10-1", "vgg11-bn", "mobilenetv2", "vit-tiny",
		"bert-2-32-4", "gpt-tiny"} {
		o := zoo.Options{Width: .25}
		if name == "resnet50-imagenet" {
			o.In = []int{3, 64, 64}
		}
		g, err := zoo.New(name, o)
		if err != nil {
			t.Fatal(name, err)
		}
		check := func(what string, o engine.Options, want ...*graph.Value) {
			t.Helper()
			p, err := engine.Compile(g, map[string]int{"N": 2}, o, want...)
			if err != nil {
				t.Fatal(name, what, err)
			}
			if err := p.CheckMemory(); err != nil {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
		check("inference", engine.Options{Threads: 1})
		check("frozen", engine.Options{Threads: 1, Freeze: true})
		var all []*graph.Value
		for _, n := range g.Nodes {
			all = append(all, n.Outputs...)
		}
		check("all values wanted", engine.Options{Threads: 1}, all...)
		trainNorms(g)
		want, err := gradients(g)
		if err != nil {
			t.Fatal(name, err)
		}
		check("training", engine.Options{Threads: 1}, want...)
	}
}

// What random networks have found.
func TestFound(t *testing.T) {
	for name, f := range map[string]func(b *op.Builder, x *graph.Value) []*graph.Value{
		// one number for each channel of an image, minus an array of lower rank
		"ranks, by channel": func(b *op.Builder, x *graph.Value) []*graph.Value {
			y := b.Op("Squeeze", x, b.Ints(0))
			return []*graph.Value{b.Op("Sub", b.G.Const("c", tensor.From([]float32{1, 2, 3}, 1, 3, 1, 1), graph.Frozen), y)}
		},
		"ranks, scalar": func(b *op.Builder, x *graph.Value) []*graph.Value {
			y := b.Attr("MaxPool", []graph.Attr{graph.MakeAttr("kernel_shape", []int{2, 1})}, x)
			return []*graph.Value{b.Op("Add", y, b.G.Const("c", tensor.From([]float32{1}, 1, 1, 1, 1, 1), graph.Frozen))}
		},
		// two normalisations behind another: only the first has the convolution to itself
		"two norms": func(b *op.Builder, x *graph.Value) []*graph.Value {
			norm := func(x *graph.Value) *graph.Value {
				in := []*graph.Value{x}
				for i := range 4 {
					in = append(in, b.G.Const("n", tensor.From([]float32{1, 2, float32(3 + i)}, 3), graph.Frozen))
				}
				return b.Op("BatchNormalization", in...)
			}
			w := b.G.Const("w", tensor.From([]float32{1, 2, 3}, 3, 1, 1, 1), graph.Param)
			y := norm(b.Attr("Conv", []graph.Attr{graph.MakeAttr("group", 3)}, x, w))
			return []*graph.Value{norm(y), b.Op("Relu", y)}
		},
		// both outputs are converted to ONNX's layout after the last node
		"outputs": func(b *op.Builder, x *graph.Value) []*graph.Value {
			w := b.G.Const("w", tensor.From([]float32{1, 2, 3}, 3, 1, 1, 1), graph.Param)
			group := []graph.Attr{graph.MakeAttr("group", 3)}
			y := b.Attr("Conv", group, x, w)
			out := []*graph.Value{y}
			for range 4 {
				out = append(out, b.Attr("Conv", group, x, w))
			}
			return out
		},
	} {
		g := graph.New("found", 17)
		x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(1, 3, 5, 4)}
		g.Inputs = []*graph.Value{x}
		b := op.NewBuilder(g, "v")
		g.Outputs = f(b, x)
		if b.Err() != nil {
			t.Fatal(name, b.Err())
		}
		t.Run(name, func(t *testing.T) { trial(t, &randnet.Net{Graph: g, Batch: 1}, false, map[string]int{}) })
	}
}
