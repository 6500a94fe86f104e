package op

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pare/graph"
	"pare/tensor"
)

// fused is one operator of the runtime's optimiser, what it is given, and what
// its documentation says that it computes, written plainly.
type fused struct {
	op    string
	attrs []graph.Attr
	in    []*tensor.Tensor // the first is fed, the others are constants; nil: left out
	want  func(in [][]float64) []float64
	out   int
}

func random32(r *rand.Rand, shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.F32() {
		t.F32()[i] = float32(r.NormFloat64())
	}
	return t
}

// fusedCases are of shapes [2 3 4] and small matrices.
func fusedCases(r *rand.Rand) []fused {
	n := func(shape ...int) *tensor.Tensor { return random32(r, shape...) }
	a := graph.MakeAttr
	gelu := func(x float64) float64 { return x * .5 * (1 + math.Erf(x/math.Sqrt2)) }
	fast := func(x float64) float64 {
		return .5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+.044715*x*x*x)))
	}
	each := func(f func(x float64) float64) func(in [][]float64) []float64 {
		return func(in [][]float64) []float64 {
			out := make([]float64, len(in[0]))
			for i, x := range in[0] {
				if len(in) > 1 && in[1] != nil {
					x += in[1][i%len(in[1])]
				}
				out[i] = f(x)
			}
			return out
		}
	}
	leaky := func(x float64) float64 { return max(x, .25*x) }
	conv := func(act func(x float64) float64) func(in [][]float64) []float64 { // 1x1, [1 2 2 2] to 3 channels
		return func(in [][]float64) []float64 {
			out := make([]float64, 12)
			for o := range 3 {
				for p := range 4 {
					y := in[2][o] + in[1][o*2]*in[0][p] + in[1][o*2+1]*in[0][4+p]
					if len(in) > 3 && in[3] != nil {
						y += in[3][o*4+p]
					}
					out[o*4+p] = act(y)
				}
			}
			return out
		}
	}
	norm := func(eps float64, rms, skip bool, sum int) func(in [][]float64) []float64 { // over rows of 4
		return func(in [][]float64) []float64 {
			var scale, bias, more []float64
			x := append([]float64{}, in[0]...)
			rest := in[1:]
			if skip {
				for i := range x {
					x[i] += in[1][i]
				}
				rest = in[2:]
			}
			scale, rest = rest[0], rest[1:]
			if !rms && len(rest) > 0 {
				bias, rest = rest[0], rest[1:]
			}
			if len(rest) > 0 {
				more = rest[0]
			}
			for i := range x {
				if more != nil {
					x[i] += more[i%4]
				}
			}
			if sum > 0 {
				return x
			}
			out := make([]float64, len(x))
			for row := 0; row < len(x); row += 4 {
				mean, v := 0.0, 0.0
				for _, e := range x[row : row+4] {
					mean += e / 4
				}
				if rms {
					mean = 0
				}
				for _, e := range x[row : row+4] {
					v += (e - mean) * (e - mean) / 4
				}
				for k, e := range x[row : row+4] {
					y := (e - mean) / math.Sqrt(v+eps) * scale[k]
					if bias != nil {
						y += bias[k]
					}
					out[row+k] = y
				}
			}
			return out
		}
	}
	keep := tensor.New(tensor.Int32, 2, 3)
	copy(tensor.Of[int32](keep), []int32{1, 1, 0, 1, 0, 1})
	at := tensor.New(tensor.Int64, 2, 3)
	copy(tensor.Of[int64](at), []int64{0, 1, 2, 4, 3, 1})
	heads := a("num_heads", 2)
	return []fused{
		{"Gelu", nil, []*tensor.Tensor{n(2, 3, 4)}, each(gelu), 0},
		{"BiasGelu", nil, []*tensor.Tensor{n(2, 3, 4), n(4)}, each(gelu), 0},
		{"FastGelu", nil, []*tensor.Tensor{n(2, 3, 4)}, each(fast), 0},
		{"FastGelu", nil, []*tensor.Tensor{n(2, 3, 4), n(4)}, each(fast), 0},
		{"QuickGelu", nil, []*tensor.Tensor{n(2, 3, 4)}, each(func(x float64) float64 { return x / (1 + math.Exp(-1.702*x)) }), 0},
		{"QuickGelu", []graph.Attr{a("alpha", .5)}, []*tensor.Tensor{n(2, 3, 4)}, each(func(x float64) float64 { return x / (1 + math.Exp(-.5*x)) }), 0},
		{"FusedConv", []graph.Attr{a("activation", "LeakyRelu"), a("activation_params", []float32{.25}), a("kernel_shape", []int{1, 1})},
			[]*tensor.Tensor{n(1, 2, 2, 2), n(3, 2, 1, 1), n(3)}, conv(leaky), 0},
		{"FusedConv", []graph.Attr{a("activation", "Clip"), a("activation_params", []float32{-.5, .75})},
			[]*tensor.Tensor{n(1, 2, 2, 2), n(3, 2, 1, 1), n(3), n(1, 3, 2, 2)}, conv(func(x float64) float64 { return max(-.5, min(x, .75)) }), 0},
		{"FusedMatMul", []graph.Attr{a("alpha", 3.0), a("transA", 1), a("transB", 1)}, []*tensor.Tensor{n(3, 2), n(4, 3)}, func(in [][]float64) []float64 {
			out := make([]float64, 8)
			for i := range out {
				for k := range 3 {
					out[i] += 3 * in[0][k*2+i/4] * in[1][i%4*3+k]
				}
			}
			return out
		}, 0},
		{"FusedGemm", []graph.Attr{a("activation", "LeakyRelu"), a("leaky_relu_alpha", .25), a("alpha", 2.0)}, []*tensor.Tensor{n(2, 3), n(3, 4), n(4)}, func(in [][]float64) []float64 {
			out := make([]float64, 8)
			for i := range out {
				for k := range 3 {
					out[i] += 2 * in[0][i/4*3+k] * in[1][k*4+i%4]
				}
				out[i] = leaky(out[i] + in[2][i%4])
			}
			return out
		}, 0},
		{"LayerNormalization", []graph.Attr{a("epsilon", .5)}, []*tensor.Tensor{n(2, 3, 4), n(4), n(4)}, norm(.5, false, false, 0), 0},
		{"SimplifiedLayerNormalization", []graph.Attr{a("epsilon", .5)}, []*tensor.Tensor{n(2, 3, 4), n(4)}, norm(.5, true, false, 0), 0},
		{"SkipLayerNormalization", nil, []*tensor.Tensor{n(2, 3, 4), n(2, 3, 4), n(4), n(4), n(4)}, norm(1e-12, false, true, 0), 0},
		{"SkipLayerNormalization", nil, []*tensor.Tensor{n(2, 3, 4), n(2, 3, 4), n(4), n(4), n(4)}, norm(1e-12, false, true, 1), 3},
		{"SkipSimplifiedLayerNormalization", nil, []*tensor.Tensor{n(2, 3, 4), n(2, 3, 4), n(4), n(4)}, norm(1e-6, true, true, 0), 0},
		{"MultiHeadAttention", []graph.Attr{heads}, []*tensor.Tensor{n(2, 3, 4), n(2, 3, 4), n(2, 3, 4), n(12)}, attended(false), 0},
		{"MultiHeadAttention", []graph.Attr{heads, a("scale", .7)}, []*tensor.Tensor{n(2, 3, 4), n(2, 3, 4), n(2, 3, 4), nil, keep, n(1, 2, 3, 3)}, attended(false), 0},
		{"Attention", []graph.Attr{heads}, []*tensor.Tensor{n(2, 3, 4), n(4, 12), n(12), keep}, attended(true), 0},
		{"RotaryEmbedding", []graph.Attr{a("interleaved", 1)}, []*tensor.Tensor{n(2, 3, 8), at, n(5, 2), n(5, 2)}, turned(true), 0},
		{"RotaryEmbedding", []graph.Attr{heads}, []*tensor.Tensor{n(2, 3, 8), at, n(5, 2), n(5, 2)}, turned(false), 0},
	}
}

// attended is attention over [2 3 4] with two heads, each number by its definition.
func attended(packed bool) func(in [][]float64) []float64 {
	return func(in [][]float64) []float64 {
		part := func(x, o int) float64 { return in[o][x] }
		var bias, keep, add []float64
		scale := 1 / math.Sqrt2
		get := func(i int) []float64 {
			if i < len(in) {
				return in[i]
			}
			return nil
		}
		if packed {
			bias, keep = in[2], in[3]
			part = func(x, o int) float64 {
				s := 0.0
				for k := range 4 {
					s += in[0][x/4*4+k] * in[1][k*12+o*4+x%4]
				}
				return s
			}
		} else if bias, keep, add = get(3), get(4), get(5); add != nil {
			scale = .7
		}
		value := func(b, t, c, o int) float64 {
			y := part((b*3+t)*4+c, o)
			if bias != nil {
				y += bias[o*4+c]
			}
			return y
		}
		out := make([]float64, 24)
		for i := range out {
			c, t, b := i%4, i/4%3, i/12
			h, sum, y := c/2, 0.0, 0.0
			for u := range 3 {
				s := 0.0
				for e := h * 2; e < h*2+2; e++ {
					s += value(b, t, e, 0) * value(b, u, e, 1)
				}
				s *= scale
				if keep != nil {
					s += (1 - keep[b*3+u]) * -10000
				}
				if add != nil {
					s += add[(h*3+t)*3+u]
				}
				sum += math.Exp(s)
				y += math.Exp(s) * value(b, u, c, 2)
			}
			out[i] = y / sum
		}
		return out
	}
}

// turned are rotary embeddings of [2 3 8] with two heads of 4.
func turned(near bool) func(in [][]float64) []float64 {
	return func(in [][]float64) []float64 {
		out := make([]float64, 48)
		for row := range 12 { // batch, step, head
			at := int(in[1][row/2])
			for j := range 2 {
				p, q := j, j+2
				if near {
					p, q = 2*j, 2*j+1
				}
				c, s, x, y := in[2][at*2+j], in[3][at*2+j], in[0][row*4+p], in[0][row*4+q]
				out[row*4+p], out[row*4+q] = c*x-s*y, s*x+c*y
			}
		}
		return out
	}
}

func (f fused) graph(opset int) (*graph.Graph, map[string]*tensor.Tensor) {
	g := graph.New("fused", opset)
	g.Opset[ContribDomain] = 1
	in := map[string]*tensor.Tensor{}
	var values []*graph.Value
	for i, x := range f.in {
		switch {
		case x == nil:
			values = append(values, nil)
		case i == 0 || x.DType == tensor.Int32:
			v := &graph.Value{Name: fmt.Sprint("in", i), DType: x.DType, Shape: graph.Dims(x.Shape...)}
			g.Inputs, in[v.Name] = append(g.Inputs, v), x
			values = append(values, v)
		default:
			values = append(values, g.Const(fmt.Sprint("c", i), x, graph.Auto))
		}
	}
	outs := make([]string, f.out+1)
	outs[0], outs[f.out] = "y0", "y"
	n := g.Add(f.op, ContribDomain, values, outs, f.attrs...)
	g.Outputs = []*graph.Value{n.Outputs[f.out]}
	return g, in
}

// What a runtime's optimiser wrote is read as operators of ai.onnx, of whatever
// opset, that compute what its documentation says and can be differentiated.
func TestContrib(t *testing.T) {
	seen := map[string]bool{"TransposeMatMul": true} // the old name of FusedMatMul
	for _, opset := range []int{11, 14, 17, 20, 23} {
		for i, f := range fusedCases(rand.New(rand.NewPCG(3, 4))) {
			seen[f.op] = true
			t.Run(fmt.Sprint(f.op, "#", i, " opset ", opset), func(t *testing.T) {
				g, in := f.graph(opset)
				name := g.Outputs[0].Name
				if err := Upgrade(g); err != nil {
					t.Fatal(err)
				}
				for _, n := range g.Nodes {
					if n.Domain != "" {
						t.Fatalf("%s is left", opName(n))
					}
				}
				if err := InferAll(g); err != nil {
					t.Fatal(err)
				}
				out, err := Run(g, in)
				if err != nil {
					t.Fatal(err)
				}
				var plain [][]float64
				for _, x := range f.in {
					var v []float64
					if x != nil {
						if v, err = floats(x); err != nil {
							t.Fatal(err)
						}
					}
					plain = append(plain, v)
				}
				want := f.want(plain)
				if len(out[name].F32()) != len(want) {
					t.Fatalf("%d numbers, want %d", out[name].Len(), len(want))
				}
				for k, x := range out[name].F32() {
					if math.Abs(float64(x)-want[k]) > 2e-5*max(1, math.Abs(want[k])) {
						t.Fatalf("number %d is %v, want %v", k, x, want[k])
					}
				}
				if d, err := Gradient(g, g.Outputs[0], nil, g.Inputs[:1]); err != nil || d[0] == nil {
					t.Errorf("gradient: %v", err)
				}
			})
		}
	}
	for name := range handWritten {
		if !seen[name] {
			t.Errorf("%s has no case", name)
		}
	}
}

// A form that is not known, and an operator that is not, are refused by name and
// with a way on.
func TestContribRefused(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, f := range []fused{
		{op: "NhwcFusedConv", in: []*tensor.Tensor{random32(r, 1, 2)}},
		{op: "Sampling", in: []*tensor.Tensor{random32(r, 1, 2)}},
		{op: "FusedConv", attrs: []graph.Attr{graph.MakeAttr("activation", "Swirl")}, in: []*tensor.Tensor{random32(r, 1, 2, 2, 2), random32(r, 3, 2, 1, 1)}},
		{op: "FusedMatMul", attrs: []graph.Attr{graph.MakeAttr("transA", 1)}, in: []*tensor.Tensor{random32(r, 2, 2), nil}},
		{op: "MultiHeadAttention", attrs: []graph.Attr{graph.MakeAttr("num_heads", 2)},
			in: []*tensor.Tensor{random32(r, 2, 3, 4), random32(r, 2, 3, 4), random32(r, 2, 3, 4), nil, nil, nil, random32(r, 2, 2, 1, 2)}},
		{op: "CDist", attrs: []graph.Attr{graph.MakeAttr("metric", "yule")}, in: []*tensor.Tensor{random32(r, 2, 3), random32(r, 4, 3)}},
		{op: "Attention", attrs: []graph.Attr{graph.MakeAttr("num_heads", 0)}, in: []*tensor.Tensor{random32(r, 2, 3, 4), random32(r, 4, 12)}},
		{op: "SkipLayerNormalization", in: []*tensor.Tensor{random32(r, 2, 3, 4), random32(r, 2, 3, 4), random32(r, 4)}, out: 1},
	} {
		g, _ := f.graph(14)
		if err := Upgrade(g); err != nil {
			t.Fatal(f.op, err)
		}
		err := Check(g)
		if err == nil || !strings.Contains(err.Error(), ContribDomain+"."+f.op) || !strings.Contains(err.Error(), "export the network without it") {
			t.Errorf("%s: %v", f.op, err)
		}
		if len(g.Nodes) != 1 {
			t.Errorf("%s left %d nodes", f.op, len(g.Nodes))
		}
	}
}
