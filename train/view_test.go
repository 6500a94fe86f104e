package train

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
	"pare/train/objective"
)

// net makes networks of a few layers for tests.
type net struct {
	*op.Builder
	x *graph.Value
	r *rand.Rand
}

func newNet(opset int, kind tensor.DType, shape ...graph.Dim) *net {
	g := graph.New("net", opset)
	n := &net{op.NewBuilder(g, "v"), &graph.Value{Name: "x", DType: kind, Shape: shape}, rand.New(rand.NewPCG(1, 2))}
	g.Inputs = []*graph.Value{n.x}
	return n
}

func (n *net) weight(shape ...int) *graph.Value {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.F32() {
		t.F32()[i] = float32(n.r.NormFloat64())
	}
	return n.G.Const("w", t, graph.Param)
}

// flat is a linear layer from a flattened input.
func (n *net) flat(x *graph.Value, in, out int) *graph.Value {
	return n.Op("MatMul", n.Op("Reshape", x, n.Ints(-1, in)), n.weight(in, out))
}

func (n *net) done(t *testing.T, outs ...*graph.Value) *graph.Graph {
	t.Helper()
	if err := n.Err(); err != nil {
		t.Fatal(err)
	}
	n.G.Outputs = outs
	op.Classify(n.G)
	return n.G
}

func attrs(name string, v any) []graph.Attr { return []graph.Attr{graph.MakeAttr(name, v)} }

// images are 21 samples of a shape in a number of classes, bytes.
func images(classes int, shape ...int) *dataset.Set {
	x, y := &dataset.Field{Name: "x", Shape: shape}, &dataset.Field{Name: "label", Classes: classes}
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 21 {
		y.Ints = append(y.Ints, int32(i%classes))
		for range x.Size() {
			x.Bytes = append(x.Bytes, uint8(r.IntN(256)))
		}
	}
	return dataset.New("test", x, y)
}

var (
	free    = graph.Sym("N")
	one     = engine.Options{Threads: 1}
	quarter = dataset.Norm{Scale: 1. / 1024, Mean: []float32{.1}, Std: []float32{.5}}
)

func evaluate(t *testing.T, g *graph.Graph, s *dataset.Set) Metrics {
	t.Helper()
	m, err := NewEval(s, quarter, 8, one).Run(context.Background(), g)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// fitted trains two epochs, and gives the weights' bits.
func fitted(t *testing.T, g *graph.Graph, s *dataset.Set, l Loss) string {
	t.Helper()
	c := &Config{Graph: g, Train: NewData(&dataset.Loader{Set: s, Size: 7, Norm: quarter}), Epochs: 2, Optimizer: SGD{Momentum: .9}, Rate: Constant(.05), Loss: l, Engine: one}
	if _, err := Fit(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	return sum(g)
}

// refusal is the error of a view.
func refusal(g *graph.Graph, s *dataset.Set) string {
	_, batch := g.Batch(3)
	_, err := NewView(g, s, batch, nil)
	return fmt.Sprint(err)
}

func said(m Metrics) string { return fmt.Sprint(m.Notes) }

// A probability at the end changes neither loss nor training, whatever stands behind
// it, and at any opset; it is said.
func TestProbability(t *testing.T) {
	s := images(4, 1, 4, 4)
	for _, opset := range []int{9, 11, 13, 17} {
		ends := map[string]func(n *net, y *graph.Value) *graph.Value{
			"":        func(_ *net, y *graph.Value) *graph.Value { return y },
			"Softmax": func(n *net, y *graph.Value) *graph.Value { return n.Attr("Softmax", attrs("axis", 1), y) },
			"LogSoftmax": func(n *net, y *graph.Value) *graph.Value {
				return n.Op("Identity", n.Attr("LogSoftmax", attrs("axis", 1), y))
			},
			"Sigmoid": func(n *net, y *graph.Value) *graph.Value {
				return n.Op("Reshape", n.Op("Sigmoid", y), n.Ints(-1, 1, 4))
			},
			"Softmax ": func(n *net, y *graph.Value) *graph.Value { // [N C 1 1] as SqueezeNet
				y = n.Attr("Softmax", attrs("axis", 1), n.Op("Reshape", y, n.Ints(-1, 4, 1, 1)))
				return n.Squeeze(y, 2, 3)
			},
			"Softmax  ": func(n *net, y *graph.Value) *graph.Value {
				y = n.Attr("Softmax", attrs("axis", 1), n.Op("Reshape", y, n.Ints(-1, 4, 1, 1)))
				return n.Attr("Cast", attrs("to", int(tensor.Float64)), n.Op("Flatten", y))
			},
		}
		var want Metrics
		var bits string
		for i, name := range append([]string{""}, slices.Sorted(maps.Keys(ends))...) {
			n := newNet(opset, tensor.Float32, free, graph.N(1), graph.N(4), graph.N(4))
			g := n.done(t, ends[name](n, n.flat(n.x, 16, 4)))
			m := evaluate(t, g, s)
			trained := fitted(t, g, s, Loss{Smoothing: .1})
			if i == 0 {
				want, bits = m, trained
			}
			if m.Loss != want.Loss || m.Value() != want.Value() || trained != bits {
				t.Errorf("opset %d, %s: %+v, want %+v; trained alike: %v", opset, name, m, want, trained == bits)
			}
			if op := strings.TrimSpace(name); op != "" && !strings.Contains(said(m), "is a probability ("+op+")") || op == "" && m.Notes != nil {
				t.Errorf("%s: said %v", name, m.Notes)
			}
		}
	}
}

// A softmax over what are no classes is part of the network.
func TestOtherSoftmax(t *testing.T) {
	n := newNet(17, tensor.Float32, free, graph.N(1), graph.N(4), graph.N(4))
	y := n.Op("Reshape", n.Attr("Softmax", attrs("axis", 2), n.Op("Reshape", n.flat(n.x, 16, 4), n.Ints(-1, 2, 2))), n.Ints(-1, 4))
	if m := evaluate(t, n.done(t, y), images(4, 1, 4, 4)); m.Notes != nil {
		t.Errorf("said %v", m.Notes)
	}
}

// One probability answers for two classes: the loss is -log p or -log (1-p); it learns
// as the two logits would.
func TestBinary(t *testing.T) {
	s := images(2, 1, 4, 4)
	for _, shape := range [][]int{{-1, 1}, {-1}} {
		n := newNet(17, tensor.Float32, free, graph.N(1), graph.N(4), graph.N(4))
		p := n.Op("Sigmoid", n.flat(n.x, 16, 1))
		g := n.done(t, n.Op("Reshape", p, n.Ints(shape...)))
		m := evaluate(t, g, s)
		prog, err := engine.Compile(g, map[string]int{"N": 21}, one)
		if err != nil {
			t.Fatal(err)
		}
		y := make([]int64, 21)
		(&dataset.Loader{Set: s, Size: 21, Norm: quarter}).Fill(0, 0, []dataset.Buffer{{X: prog.Input("x").F32()}, {Field: 1, I: y}}) //nolint:errcheck // it cannot fail
		if err := prog.Run(); err != nil {
			t.Fatal(err)
		}
		loss, right := 0.0, 0
		for i, p := range prog.Output(prog.OutputNames()[0]).F32() {
			q := []float64{1 - float64(p), float64(p)}
			loss -= math.Log(q[y[i]]) / 21
			if q[y[i]] > .5 {
				right++
			}
		}
		if math.Abs(m.Loss-loss) > 1e-5 || m.Value() != float64(right)/21 || !strings.Contains(said(m), "second of two classes") {
			t.Errorf("%+v, want loss %v and %d right", m, loss, right)
		}
		fitted(t, g, s, Loss{})
		fitted(t, g, s, By(objective.MSE))
		if after := evaluate(t, g, s); !(after.Loss < m.Loss) {
			t.Errorf("loss %v after training, %v before", after.Loss, m.Loss)
		}
	}
	n := newNet(17, tensor.Float32, free, graph.N(1), graph.N(4), graph.N(4))
	if why := refusal(n.done(t, n.flat(n.x, 16, 1)), s); !strings.Contains(why, "ends in a Sigmoid") {
		t.Errorf("one logit: %s", why)
	}
}

// Of several outputs the one that fits the labels answers; where that is not one, it
// is asked for; logits and their probabilities are one answer.
func TestSeveralOutputs(t *testing.T) {
	s := images(4, 1, 4, 4)
	make := func(f func(n *net, y *graph.Value) []*graph.Value) *graph.Graph {
		n := newNet(17, tensor.Float32, free, graph.N(1), graph.N(4), graph.N(4))
		return n.done(t, f(n, n.flat(n.x, 16, 4))...)
	}
	alone := evaluate(t, make(func(_ *net, y *graph.Value) []*graph.Value { return []*graph.Value{y} }), s)
	for name, f := range map[string]func(n *net, y *graph.Value) []*graph.Value{
		"features first": func(n *net, y *graph.Value) []*graph.Value { return []*graph.Value{n.flat(y, 4, 3), y} },
		"more features":  func(n *net, y *graph.Value) []*graph.Value { return []*graph.Value{n.flat(y, 4, 9), y} },
		"a label first": func(n *net, y *graph.Value) []*graph.Value {
			return []*graph.Value{n.Attr("ArgMax", attrs("axis", 1), y), n.Attr("Softmax", attrs("axis", 1), y)}
		},
		"both": func(n *net, y *graph.Value) []*graph.Value {
			return []*graph.Value{n.Attr("Softmax", attrs("axis", 1), y), y}
		},
	} {
		m := evaluate(t, make(f), s)
		if m.Loss != alone.Loss || m.Value() != alone.Value() || !strings.Contains(said(m), "is taken for the answer") {
			t.Errorf("%s: %+v, want %+v", name, m, alone)
		}
	}
	two := make(func(n *net, y *graph.Value) []*graph.Value { return []*graph.Value{n.flat(n.x, 16, 4), y} })
	if why := refusal(two, s); !strings.Contains(why, "2 outputs that may be the answer") || !strings.Contains(why, "give OutputOf") {
		t.Error(why)
	}
	two.Usage.OutputOf = two.Outputs[1].Name
	if m := evaluate(t, two, s); m.Loss != alone.Loss {
		t.Errorf("asked for: %+v, want %+v", m, alone)
	}
	if c, _ := two.Clone(true); c.Usage.OutputOf != two.Usage.OutputOf {
		t.Error("a copy lost the output")
	}
	two.Usage.OutputOf = "z"
	if why := refusal(two, s); !strings.Contains(why, "OutputOf z: the outputs are") {
		t.Error(why)
	}
}

// Classes lie on the one axis beside the batch that is not 1; what answers for every
// place is refused, as are fewer outputs than classes; more are said.
func TestClassAxis(t *testing.T) {
	s := images(4, 1, 4, 4)
	with := func(width int, shape ...int) *graph.Graph {
		n := newNet(17, tensor.Float32, free, graph.N(1), graph.N(4), graph.N(4))
		return n.done(t, n.Op("Reshape", n.flat(n.x, 16, width), n.Ints(shape...)))
	}
	want := evaluate(t, with(4, -1, 4), s)
	bits := fitted(t, with(4, -1, 4), s, Loss{})
	for _, shape := range [][]int{{-1, 4, 1, 1}, {-1, 1, 1, 4}, {-1, 1, 4}} {
		if m := evaluate(t, with(4, shape...), s); m.Loss != want.Loss || m.Value() != want.Value() {
			t.Errorf("%v: %+v, want %+v", shape, m, want)
		}
		if fitted(t, with(4, shape...), s, Loss{}) != bits {
			t.Errorf("%v: other weights were learnt", shape)
		}
		fitted(t, with(4, shape...), s, By(objective.MSE))
		fitted(t, with(4, shape...), s, Loss{Teacher: with(4, -1, 4), Alpha: .5, T: 2})
	}
	if m := evaluate(t, with(6, -1, 6), s); !strings.Contains(said(m), "6 outputs, the data 4 classes") {
		t.Errorf("said %v", m.Notes)
	}
	for why, g := range map[string]*graph.Graph{
		"the test set has 4 classes, the network 3 outputs": with(3, -1, 3),
		"[3 4 2 2]": with(16, -1, 4, 2, 2),
		"[3 5 4]":   with(20, -1, 5, 4),
		"[12]":      with(4, -1),
	} {
		if got := refusal(g, s); !strings.Contains(got, why) {
			t.Errorf("%s, want something with %q", got, why)
		}
	}
}

// Every token has its scores, wherever the classes lie.
func TestTokenScores(t *testing.T) {
	now, next := &dataset.Field{Name: "text", Shape: []int{5}}, &dataset.Field{Name: "next", Shape: []int{5}, Classes: 6}
	for i := range 55 {
		now.Ints, next.Ints = append(now.Ints, int32(i*i%6)), append(next.Ints, int32((i+1)*(i+1)%6))
	}
	s := dataset.New("text", now, next)
	var want Metrics
	for i, end := range []func(n *net, y *graph.Value) *graph.Value{
		func(_ *net, y *graph.Value) *graph.Value { return y },
		func(n *net, y *graph.Value) *graph.Value {
			return n.Attr("Transpose", attrs("perm", []int{0, 2, 1}), y)
		},
		func(n *net, y *graph.Value) *graph.Value { return n.Op("Reshape", y, n.Ints(-1, 6)) },
		func(n *net, y *graph.Value) *graph.Value { return n.Attr("Softmax", attrs("axis", 2), y) },
	} {
		for _, kind := range []tensor.DType{tensor.Int64, tensor.Int32} {
			n := newNet(17, kind, free, graph.Sym("T"))
			g := n.done(t, end(n, n.Op("Gather", n.weight(6, 6), n.x)))
			m := evaluate(t, g, s)
			if m.N != 55 {
				t.Fatalf("%d tokens", m.N)
			}
			if i == 0 {
				want = m
			}
			if math.Abs(m.Loss-want.Loss) > 1e-9 || m.Value() != want.Value() {
				t.Errorf("end %d, %v: %+v, want %+v", i, kind, m, want)
			}
			v, err := NewView(g, s, 2, nil)
			if err != nil || v.Sizes["T"] != 5 || v.Sizes["N"] != 0 {
				t.Errorf("sizes %v, %v", v.Sizes, err)
			}
		}
	}
	n := newNet(17, tensor.Int64, free, graph.N(5))
	if why := refusal(n.done(t, n.Attr("ReduceMean", append(attrs("axes", []int{1}), graph.MakeAttr("keepdims", 0)), n.Op("Gather", n.weight(6, 6), n.x))), s); !strings.Contains(why, "each place has a label") {
		t.Error(why)
	}
}
