package op

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pare/graph"
	"pare/tensor"
)

// randn is a float64 tensor of standard normal numbers.
func randn(seed uint64, shape ...int) *tensor.Tensor {
	r := rand.New(rand.NewPCG(seed, 1))
	t := tensor.New(tensor.Float64, shape...)
	for i := range tensor.Of[float64](t) {
		tensor.Of[float64](t)[i] = r.NormFloat64()
	}
	return t
}

// randu is a float64 tensor of numbers uniform in [lo, hi).
func randu(seed uint64, lo, hi float64, shape ...int) *tensor.Tensor {
	r := rand.New(rand.NewPCG(seed, 2))
	t := tensor.New(tensor.Float64, shape...)
	for i := range tensor.Of[float64](t) {
		tensor.Of[float64](t)[i] = lo + (hi-lo)*r.Float64()
	}
	return t
}

func i64(v ...int64) *tensor.Tensor   { return tensor.Vector(v...) }
func f64(v ...float64) *tensor.Tensor { return tensor.Vector(v...) }
func f32(v ...float32) *tensor.Tensor { return tensor.Vector(v...) }

func attr(name string, v any) graph.Attr { return graph.MakeAttr(name, v) }

// oneNode is a graph of one node with outs outputs, and its inputs keyed by name:
// x0, x1, … Floating-point tensors are inputs of the graph, the others
// initialisers; nil stands for an input that is left out.
func oneNode(t *testing.T, opset int, domain, name string, outs int, in []*tensor.Tensor, attrs ...graph.Attr) (*graph.Graph, map[string]*tensor.Tensor) {
	t.Helper()
	g := graph.New(name, opset)
	g.Opset[graph.Pare] = 1
	feed := map[string]*tensor.Tensor{}
	var vs []*graph.Value
	for i, x := range in {
		k := fmt.Sprintf("x%d", i)
		switch {
		case x == nil:
			vs = append(vs, nil)
		case x.DType.IsFloat():
			v := &graph.Value{Name: k, DType: x.DType, Shape: graph.Dims(x.Shape...)}
			g.Inputs = append(g.Inputs, v)
			vs = append(vs, v)
			feed[k] = x
		default:
			vs = append(vs, g.Const(k, x, graph.Frozen))
		}
	}
	var names []string
	for i := range outs {
		names = append(names, fmt.Sprintf("y%d", i))
	}
	n := g.Add(name, domain, vs, names, attrs...)
	g.Outputs = append(g.Outputs, n.Outputs...)
	if err := InferAll(g); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return g, feed
}

// eval runs one node and checks that the inferred types and shapes are those
// of the results.
func eval(t *testing.T, opset int, domain, name string, outs int, in []*tensor.Tensor, attrs ...graph.Attr) []*tensor.Tensor {
	t.Helper()
	g, feed := oneNode(t, opset, domain, name, outs, in, attrs...)
	res, err := Run(g, feed)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var out []*tensor.Tensor
	for _, o := range g.Outputs {
		r := res[o.Name]
		if r == nil {
			t.Fatalf("%s: output %s has no value", name, o.Name)
		}
		if o.DType != r.DType {
			t.Errorf("%s: inferred type %v, got %v", name, o.DType, r.DType)
		}
		if s, ok := o.Shape.Ints(); ok && !equalInts(s, r.Shape) {
			t.Errorf("%s: inferred shape %v, got %v", name, s, r.Shape)
		}
		out = append(out, r)
	}
	return out
}

func equalInts(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// closeTo fails unless got has the type, the shape and, within tol relative
// to max(1, |want|), the elements of want.
func closeTo(t *testing.T, what string, got, want *tensor.Tensor, tol float64) {
	t.Helper()
	if got == nil || got.DType != want.DType || !equalInts(got.Shape, want.Shape) {
		t.Errorf("%s: got %v, want %v", what, got, want)
		return
	}
	g, err := got.Float64s()
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	w, _ := want.Float64s()
	for i := range w {
		if !near(g[i], w[i], tol) {
			t.Errorf("%s: element %d is %v, want %v", what, i, g[i], w[i])
			return
		}
	}
}

func near(a, b, tol float64) bool {
	return a == b || math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= tol*max(1, math.Abs(b))
}

// checkGrad compares the gradients that Gradient builds with central finite
// differences in float64. Every floating-point output of g is weighed by a
// random seed; every Float64 input (or those named in wrt) is moved. g is not
// changed.
func checkGrad(t *testing.T, g *graph.Graph, in map[string]*tensor.Tensor, wrt ...string) {
	t.Helper()
	checkOutputs(t, g, in, wrt, false)
}

func checkOutputs(t *testing.T, g *graph.Graph, in map[string]*tensor.Tensor, wrt []string, along bool) {
	t.Helper()
	for i, o := range g.Outputs {
		if o.DType.IsFloat() {
			checkOutput(t, g, i, in, wrt, along)
		}
	}
}

// checkOutput moves one element after the other, or all of an input along a
// random direction.
func checkOutput(t *testing.T, g *graph.Graph, out int, in map[string]*tensor.Tensor, wrt []string, along bool) {
	t.Helper()
	c, vars, grads, feed := withGradient(t, g, out, in, wrt)
	seed := tensor.Of[float64](feed[c.Inputs[len(c.Inputs)-1].Name])
	res, err := Run(c, feed)
	if err != nil {
		t.Fatalf("%s: %v\n%v", g.Name, err, c)
	}
	f := func() float64 {
		r, err := Run(g, in)
		if err != nil {
			t.Fatalf("%s: %v", g.Name, err)
		}
		s := 0.0
		for i, v := range tensor.Of[float64](r[g.Outputs[out].Name]) {
			s += v * seed[i]
		}
		return s
	}
	const h = 1e-5
	for k, v := range vars {
		x := tensor.Of[float64](in[v.Name])
		got := make([]float64, len(x))
		if grads[k] != nil {
			r := res[grads[k].Name]
			if r.DType != tensor.Float64 || !equalInts(r.Shape, in[v.Name].Shape) {
				t.Errorf("%s: gradient of output %d by %s is %v, want float64%v", g.Name, out, v.Name, r, in[v.Name].Shape)
				return
			}
			got = tensor.Of[float64](r)
		}
		if along {
			old, dot := append([]float64{}, x...), 0.0
			dir := tensor.Of[float64](randn(uint64(99+k), len(x)))
			move := func(by float64) float64 {
				for i := range x {
					x[i] = old[i] + by*dir[i]
				}
				return f()
			}
			want := (move(h) - move(-h)) / (2 * h)
			copy(x, old)
			for i, d := range dir {
				dot += got[i] * d
			}
			if !near(dot, want, 5e-6) {
				t.Errorf("%s: gradient of output %d by %s along a direction is %v, want %v", g.Name, out, v.Name, dot, want)
				return
			}
			continue
		}
		for i, old := range x {
			x[i] = old + h
			up := f()
			x[i] = old - h
			down := f()
			x[i] = old
			if want := (up - down) / (2 * h); !near(got[i], want, 2e-6) {
				t.Errorf("%s: gradient of output %d by %s[%d] is %v, want %v", g.Name, out, v.Name, i, got[i], want)
				return
			}
		}
	}
}

// checkGrad2 checks the gradients, and the gradients of the gradients, by the
// inputs and by the seed, each along a random direction.
func checkGrad2(t *testing.T, g *graph.Graph, in map[string]*tensor.Tensor, wrt ...string) {
	t.Helper()
	checkGrad(t, g, in, wrt...)
	for i, o := range g.Outputs {
		if !o.DType.IsFloat() {
			continue
		}
		c, _, _, feed := withGradient(t, g, i, in, wrt)
		if len(c.Outputs) == 0 || t.Failed() {
			continue
		}
		w := wrt
		if len(w) > 0 {
			w = append(append([]string{}, w...), c.Inputs[len(c.Inputs)-1].Name)
		}
		checkOutputs(t, c, feed, w, true)
	}
}

// withGradient copies g, with the gradients of one output among its outputs
// and the seed as a further input.
func withGradient(t *testing.T, g *graph.Graph, out int, in map[string]*tensor.Tensor, wrt []string) (c *graph.Graph, vars, grads []*graph.Value, feed map[string]*tensor.Tensor) {
	t.Helper()
	first, err := Run(g, in)
	if err != nil {
		t.Fatalf("%s: %v", g.Name, err)
	}
	y := first[g.Outputs[out].Name]
	if y.DType != tensor.Float64 {
		t.Fatalf("%s: output %d is %v; gradients are checked in float64", g.Name, out, y)
	}
	c, _ = g.Clone(false)
	c.Name += "'"
	if c.Opset[graph.Pare] == 0 {
		c.Opset[graph.Pare] = 1
	}
	if err := InferAll(c); err != nil {
		t.Fatalf("%s: %v", g.Name, err)
	}
	for _, v := range c.Inputs {
		use := v.DType == tensor.Float64 && len(wrt) == 0
		for _, w := range wrt {
			use = use || w == v.Name
		}
		if use {
			vars = append(vars, v)
		}
	}
	seed := &graph.Value{Name: fmt.Sprintf("seed%d", len(c.Inputs)), DType: tensor.Float64, Shape: graph.Dims(y.Shape...)}
	c.Inputs = append(c.Inputs, seed)
	feed = map[string]*tensor.Tensor{seed.Name: randn(77+uint64(out), y.Shape...)}
	for k, v := range in {
		feed[k] = v
	}
	grads, err = Gradient(c, c.Outputs[out], seed, vars)
	if err != nil {
		t.Fatalf("%s: %v", g.Name, err)
	}
	c.Outputs = nil
	for _, d := range grads {
		if d != nil {
			c.Outputs = append(c.Outputs, d)
		}
	}
	return c, vars, grads, feed
}
