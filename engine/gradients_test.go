package engine_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/graph/op/cases"
	"pare/tensor"
)

// single makes a float64 tensor float32, and itself what float32 holds of it.
func single(t *tensor.Tensor) *tensor.Tensor {
	out := tensor.New(tensor.Float32, t.Shape...)
	for i, x := range tensor.Of[float64](t) {
		out.F32()[i] = float32(x)
		tensor.Of[float64](t)[i] = float64(out.F32()[i])
	}
	return out
}

// differentiated is a case as a network of its outputs and, for every output,
// the gradients by the inputs; s0, s1, … are the outputs' weights.
func differentiated(t *testing.T, c cases.Case, d tensor.DType) (*graph.Graph, map[string]*tensor.Tensor) {
	t.Helper()
	g, in := c.Graph()
	for _, v := range append(g.Consts(), g.Inputs...) {
		if v.DType != tensor.Float64 {
			continue
		}
		x := in[v.Name]
		if v.Const != nil {
			x = v.Const
		}
		y := single(x)
		if d == tensor.Float64 {
			y = x
		}
		v.DType = d
		if in[v.Name] = y; v.Const != nil {
			v.Const = y
			delete(in, v.Name)
		}
	}
	for i, a := range g.Nodes[0].Attrs { // casts to the type of the case
		if a.Name == "to" && tensor.DType(a.I) == tensor.Float64 {
			g.Nodes[0].Attrs[i].I = int64(d)
		}
	}
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	first, err := op.Run(g, in)
	if err != nil {
		t.Fatal(err)
	}
	wrt := append([]*graph.Value{}, g.Inputs...)
	for i, y := range append([]*graph.Value{}, g.Outputs...) {
		if !y.DType.IsFloat() {
			continue
		}
		s := tensor.New(tensor.Float64, first[y.Name].Shape...)
		r := rand.New(rand.NewPCG(uint64(i), 9))
		for k := range s.Len() {
			tensor.Of[float64](s)[k] = r.NormFloat64()
		}
		x := single(s)
		if d == tensor.Float64 {
			x = s
		}
		seed := &graph.Value{Name: fmt.Sprint("s", i), DType: d, Shape: graph.Dims(s.Shape...)}
		g.Inputs, in[seed.Name] = append(g.Inputs, seed), x
		grads, err := op.Gradient(g, y, seed, wrt)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range grads {
			if v != nil && !g.IsOutput(v) {
				g.Outputs = append(g.Outputs, v)
			}
		}
	}
	return g, in
}

// The outputs and gradients of every operator, in float32, are those of the
// reference evaluation in float64.
func TestEveryGradient(t *testing.T) {
	for _, c := range cases.All() {
		t.Run(c.Name(), func(t *testing.T) {
			g64, in64 := differentiated(t, c, tensor.Float64)
			g, in := differentiated(t, c, tensor.Float32)
			want, err := op.Run(g64, in64)
			if err != nil {
				t.Fatal(err)
			}
			p, err := engine.Compile(g, nil, engine.Options{Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			for name, x := range in {
				copy(p.Input(name).F32(), x.F32())
			}
			if err := p.Run(); err != nil {
				t.Fatal(err)
			}
			for i, v := range g.Outputs {
				w := want[g64.Outputs[i].Name]
				if !w.DType.IsFloat() {
					continue
				}
				got := p.Output(v.Name)
				if got.DType != tensor.Float32 || fmt.Sprint(got.Shape) != fmt.Sprint(w.Shape) {
					t.Fatalf("%s is %v, want %v", v.Name, got, w)
				}
				scale := 1.0
				for _, x := range tensor.Of[float64](w) {
					scale = math.Max(scale, math.Abs(x))
				}
				for k, x := range tensor.Of[float64](w) {
					if y := float64(got.F32()[k]); !(math.Abs(y-x) <= 1e-5*scale) {
						t.Fatalf("%s[%d] is %v, want %v (scale %v)\n%v", v.Name, k, y, x, scale, g)
					}
				}
			}
		})
	}
}
