package calibrate

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/prune"
	"pare/tensor"
)

func random(r *rand.Rand, shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.F32() {
		t.F32()[i] = float32(r.NormFloat64())
	}
	return t
}

// single is a network of one node that multiplies its input by a weight, which is input
// `in` of the node.
func single(t *testing.T, kind string, in int, x []int, w *tensor.Tensor, attrs ...graph.Attr) *graph.Graph {
	t.Helper()
	g := graph.New("g", 17)
	v := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(x...)}
	g.Inputs = []*graph.Value{v}
	fs := []*graph.Value{v, g.Const("w", w, graph.Param)}
	if in == 0 {
		fs[0], fs[1] = fs[1], fs[0]
	}
	n := g.Add(kind, "", fs, []string{"y"}, attrs...)
	g.Outputs = n.Outputs
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	return g
}

// one yields one batch.
func one(x *tensor.Tensor) Batches {
	return func(yield func(map[string]*tensor.Tensor) error) error {
		return yield(map[string]*tensor.Tensor{"x": x})
	}
}

// The product that a node is laid out as gives the node's output, whatever the operator,
// the operand and the geometry.
func TestProducts(t *testing.T) {
	ints := func(name string, v ...int) graph.Attr { return graph.MakeAttr(name, v) }
	one := func(name string, v int) graph.Attr { return graph.MakeAttr(name, v) }
	for _, c := range []struct {
		name  string
		kind  string
		in    int
		x, w  []int
		attrs []graph.Attr
	}{
		{"gemm", "Gemm", 1, []int{3, 4}, []int{4, 5}, nil},
		{"gemm turned", "Gemm", 1, []int{4, 3}, []int{5, 4}, []graph.Attr{one("transA", 1), one("transB", 1), graph.MakeAttr("alpha", .5)}},
		{"gemm left", "Gemm", 0, []int{4, 3}, []int{5, 4}, nil},
		{"gemm left turned", "Gemm", 0, []int{3, 4}, []int{4, 5}, []graph.Attr{one("transA", 1), one("transB", 1)}},
		{"matmul", "MatMul", 1, []int{2, 3, 4}, []int{4, 5}, nil},
		{"matmul left", "MatMul", 0, []int{2, 4, 3}, []int{5, 4}, nil},
		{"matmul stack", "MatMul", 1, []int{7, 2, 3, 4}, []int{2, 4, 5}, nil},
		{"matmul spread", "MatMul", 1, []int{1, 3, 4}, []int{2, 4, 5}, nil},
		{"matmul vector", "MatMul", 1, []int{4}, []int{4, 5}, nil},
		{"einsum", "Einsum", 1, []int{2, 3, 4}, []int{4, 5, 6}, []graph.Attr{graph.MakeAttr("equation", "bsd,dhk->bhsk")}},
		{"einsum two summed", "Einsum", 0, []int{2, 5, 3, 6}, []int{5, 6, 4}, []graph.Attr{graph.MakeAttr("equation", "hkd,bhsk->bsd")}},
		{"conv", "Conv", 1, []int{2, 3, 5, 6}, []int{4, 3, 3, 2}, []graph.Attr{ints("pads", 1, 0, 2, 1), ints("strides", 2, 1), ints("dilations", 1, 2)}},
		{"conv groups", "Conv", 1, []int{2, 4, 5, 5}, []int{6, 2, 3, 3}, []graph.Attr{one("group", 2), ints("pads", 1, 1, 1, 1)}},
		{"depthwise", "Conv", 1, []int{2, 4, 5, 5}, []int{4, 1, 3, 3}, []graph.Attr{one("group", 4)}},
		{"conv 1d", "Conv", 1, []int{2, 3, 8}, []int{4, 3, 3}, []graph.Attr{graph.MakeAttr("auto_pad", "SAME_LOWER"), ints("strides", 2)}},
		{"conv 3d", "Conv", 1, []int{1, 2, 4, 3, 3}, []int{2, 2, 2, 2, 2}, nil},
	} {
		r := rand.New(rand.NewPCG(1, uint64(len(c.name))))
		w, x := random(r, c.w...), random(r, c.x...)
		g := single(t, c.kind, c.in, c.x, w, c.attrs...)
		ws, err := prune.Weights(g, prune.Scope{})
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		layers, skips := Layers(g, ws)
		if len(layers) != 1 {
			t.Fatalf("%s: %v", c.name, skips)
		}
		want, err := op.Run(g, map[string]*tensor.Tensor{"x": x})
		if err != nil {
			t.Fatal(err)
		}
		y := want[g.Outputs[0].Name]
		p, err := layers[0].Sites[0].product(x.Shape, y.Shape)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if p.groups*p.rows*p.outs != y.Len() || p.groups*p.outs*p.cols != w.Len() {
			t.Errorf("%s: %d groups of %d rows, %d outputs and %d columns", c.name, p.groups, p.rows, p.outs, p.cols)
		}
		xs, ys := make([]float32, p.cols), make([]float32, p.outs)
		for gr := range p.groups {
			for n := range p.rows {
				p.inputs(x.F32(), gr, n, n+1, xs)
				p.outputs(y.F32(), gr, n, n+1, ys)
				for o := range p.outs {
					sum := 0.0
					for k := range p.cols {
						sum += float64(xs[k]) * float64(w.F32()[p.at(gr, o, k)])
					}
					if math.Abs(sum-float64(ys[o])) > 1e-4 {
						t.Fatalf("%s: group %d row %d output %d is %v, want %v", c.name, gr, n, o, sum, ys[o])
					}
				}
			}
		}
	}
}

// Moments are the sums that they say, in batches of any sizes.
func TestMoments(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	g := single(t, "MatMul", 1, []int{1, 1, 5}, random(r, 5, 3))
	g.Inputs[0].Shape = graph.Shape{graph.Sym("N"), graph.Sym("T"), graph.N(5)}
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	xs := []*tensor.Tensor{random(r, 4, 700, 5), random(r, 1, 3, 5)}
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	layers, _ := Layers(g, ws)
	walk, err := NewWalk(g, func(yield func(map[string]*tensor.Tensor) error) error {
		for _, x := range xs {
			if err := yield(map[string]*tensor.Tensor{"x": x}); err != nil {
				return err
			}
		}
		return nil
	}, Options{Engine: engine.Options{Threads: 2}})
	if err != nil {
		t.Fatal(err)
	}
	ms, err := layers[0].Inputs(context.Background(), walk, true)
	if err != nil {
		t.Fatal(err)
	}
	m, rows := ms[0], 0
	want := make([]float64, 25)
	for _, x := range xs {
		rows += x.Len() / 5
		for d := x.F32(); len(d) > 0; d = d[5:] {
			for a := range 5 {
				for b := range 5 {
					want[a*5+b] += float64(d[a]) * float64(d[b])
				}
			}
		}
	}
	if m.Rows != rows || rows != 2803 {
		t.Errorf("%d rows, want %d", m.Rows, rows)
	}
	for i, x := range want {
		if math.Abs(m.XX[i]-x) > 1e-2 || i%6 == 0 && math.Abs(m.Squares[i/5]-x) > 1e-6*x {
			t.Errorf("moment %d is %v, want %v", i, m.XX[i], x)
		}
	}
}

// chain is x -> MatMul w1 -> Relu -> MatMul w2 -> MatMul w1 again.
func chain(t *testing.T, r *rand.Rand) *graph.Graph {
	t.Helper()
	g := graph.New("g", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(4)}}
	g.Inputs = []*graph.Value{x}
	w1, w2 := g.Const("w1", random(r, 4, 4), graph.Param), g.Const("w2", random(r, 4, 4), graph.Param)
	h := g.Add("MatMul", "", []*graph.Value{x, w1}, []string{"h"}).Out(0)
	h = g.Add("Relu", "", []*graph.Value{h}, []string{"a"}).Out(0)
	h = g.Add("MatMul", "", []*graph.Value{h, w2}, []string{"b"}).Out(0)
	g.Outputs = g.Add("MatMul", "", []*graph.Value{h, w1}, []string{"y"}).Outputs
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	return g
}

// A walk sees weights that were changed before it came to them, computes the same with
// and without memory for what it passed, and a weight that two nodes read is looked at in
// both.
func TestWalk(t *testing.T) {
	ctx := context.Background()
	var got [2][]float64
	for i, memory := range []int{0, 500} {
		r := rand.New(rand.NewPCG(3, 4))
		g := chain(t, r)
		ws, err := prune.Weights(g, prune.Scope{})
		if err != nil {
			t.Fatal(err)
		}
		layers, _ := Layers(g, ws)
		if len(layers) != 2 || len(layers[0].Sites) != 2 {
			t.Fatalf("%d layers", len(layers))
		}
		x := random(r, 6, 4)
		walk, err := NewWalk(g, one(x), Options{Memory: memory, Engine: engine.Options{Threads: 1}})
		if err != nil {
			t.Fatal(err)
		}
		ms, err := layers[0].Inputs(ctx, walk, true)
		if err != nil {
			t.Fatal(err)
		}
		if ms[0].Rows != 12 {
			t.Errorf("the inputs of two nodes have %d rows", ms[0].Rows)
		}
		for k := range layers[0].Weight.Data() {
			layers[0].Weight.Data()[k] = float32(k%3) - 1
		}
		if ms, err = layers[1].Inputs(ctx, walk, true); err != nil {
			t.Fatal(err)
		}
		h, err := op.Run(g, map[string]*tensor.Tensor{"x": x}, g.Value("a"))
		if err != nil {
			t.Fatal(err)
		}
		want := 0.0
		for n := range 6 {
			want += float64(h["a"].F32()[n*4]) * float64(h["a"].F32()[n*4])
		}
		if math.Abs(ms[0].XX[0]-want) > 1e-5*want {
			t.Errorf("memory %d: the second layer's input has a square of %v, want %v", memory, ms[0].XX[0], want)
		}
		got[i] = ms[0].XX
	}
	if fmt.Sprint(got[0]) != fmt.Sprint(got[1]) {
		t.Errorf("with memory %v, without %v", got[0], got[1])
	}
}

// What cannot be worked on is said before or where it is met.
func TestBadInput(t *testing.T) {
	ctx := context.Background()
	r := rand.New(rand.NewPCG(3, 4))
	g := chain(t, r)
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	layers, _ := Layers(g, ws)
	if why := (Options{Memory: 100}).TooLarge(layers[0]); !strings.Contains(why, "has 4 inputs, whose second moments take 128 bytes") || (Options{Memory: 128}).TooLarge(layers[0]) != "" {
		t.Errorf("4 inputs: %q", why)
	}
	bad := random(r, 6, 4)
	bad.F32()[3] = float32(math.NaN())
	none := func(func(map[string]*tensor.Tensor) error) error { return nil }
	for want, f := range map[string]func() error{
		"no samples":            func() error { _, err := NewWalk(g, none, Options{}); return err },
		"NaN or infinity":       func() error { _, err := NewWalk(g, one(bad), Options{}); return err },
		"more than the 8 bytes": func() error { _, err := NewWalk(g, one(random(r, 6, 4)), Options{Memory: 8}); return err },
		"nothing for input": func() error {
			g := chain(t, r)
			g.Inputs[0].Name = "z"
			_, err := NewWalk(g, one(random(r, 6, 4)), Options{})
			return err
		},
		"second moments": func() error {
			w, err := NewWalk(g, one(random(r, 1, 4)), Options{Memory: 200})
			if err != nil {
				return err
			}
			_, err = layers[0].Inputs(ctx, w, true)
			return err
		},
		"not finite": func() error {
			x := random(r, 6, 4)
			for i := range x.F32() {
				x.F32()[i] = 3e38
			}
			w, err := NewWalk(g, one(x), Options{})
			if err != nil {
				return err
			}
			_, err = layers[1].Inputs(ctx, w, true)
			return err
		},
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}
