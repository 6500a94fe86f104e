package expert_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/prune/expert"
	"pare/tensor"
)

// watched looks at samples.
func watched(t *testing.T, g *graph.Graph, ms []*expert.Mixture, outputs bool, in map[string]*tensor.Tensor) *expert.Usage {
	t.Helper()
	o, err := expert.NewObserver(g, ms, outputs)
	if err != nil {
		t.Fatal(err)
	}
	if err := op.InferAll(o.Graph); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the same twice, so that means are no sums
		res, err := op.Run(o.Graph, in, o.Want...)
		if err != nil {
			t.Fatal(err)
		}
		var vs []*tensor.Tensor
		for _, v := range o.Want {
			vs = append(vs, res[v.Name])
		}
		if err := o.Add(vs); err != nil {
			t.Fatal(err)
		}
	}
	return o.Usage[0]
}

// How often experts are chosen is what plain loops over the router's logits say.
func TestObserver(t *testing.T) {
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(4) {
				b, g := build(t, seed, form)
				ms, _ := expert.Find(g)
				if len(ms) != 1 {
					t.Fatal("no mixture")
				}
				in := numbers(rand.New(rand.NewPCG(seed, 9)), 7)
				res, err := op.Run(g, in, ms[0].Router)
				if err != nil {
					t.Fatal(err)
				}
				logits := res[ms[0].Router.Name].F32()
				if c := g.Value("router.bias"); c != nil && logits != nil {
					for i := range logits {
						logits[i] += c.Const.F32()[i%b.n]
					}
				}
				soft, ranked := strings.HasPrefix(name, "soft"), g.Value("correction")
				want := make([]float64, b.n)
				for i := 0; i < len(logits); i += b.n {
					row := logits[i : i+b.n]
					sum := 0.
					for _, x := range row {
						sum += math.Exp(float64(x))
					}
					for e, x := range row {
						above := 0
						for f, y := range row {
							p, q := float64(x), float64(y)
							if ranked != nil {
								p = 1/(1+math.Exp(-p)) + float64(ranked.Const.F32()[e])
								q = 1/(1+math.Exp(-q)) + float64(ranked.Const.F32()[f])
							}
							if q > p {
								above++
							}
						}
						if soft {
							want[e] += math.Exp(float64(x)) / sum / 7
						} else if above < b.k {
							want[e] += 1. / 7
						}
					}
				}
				got := watched(t, g, ms, false, in).Frequency()
				for e := range want {
					if math.Abs(got[e]-want[e]) > 1e-5 {
						t.Fatalf("seed %d: frequencies %v, want %v", seed, got, want)
					}
				}
			}
		})
	}
}

// The mean of weight times norm is that of plain loops over a mixture of one node, and the
// same however the mixture is written.
func TestREAP(t *testing.T) {
	const n, k, h, f, tokens = 4, 2, 3, 5, 9
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(shape ...int) *tensor.Tensor {
		w := tensor.New(tensor.Float32, shape...)
		for i := range w.F32() {
			w.F32()[i] = float32(r.NormFloat64())
		}
		return w
	}
	router, w1, b1, w2, b2 := draw(h, n), draw(n, h, f), draw(n, 1, f), draw(n, f, h), draw(n, 1, h)
	x := draw(tokens, h)
	want, count := make([]float64, n), make([]float64, n)
	for t := range tokens {
		p, sum := make([]float64, n), 0.
		for e := range n {
			s := 0.
			for i := range h {
				s += float64(x.F32()[t*h+i] * router.F32()[i*n+e])
			}
			p[e] = math.Exp(s)
			sum += p[e]
		}
		for e := range n {
			above := 0
			for _, q := range p {
				if q > p[e] {
					above++
				}
			}
			if above >= k {
				continue
			}
			y := make([]float64, h)
			for o := range h {
				y[o] = float64(b2.F32()[e*h+o])
				for j := range f {
					s := float64(b1.F32()[e*f+j])
					for i := range h {
						s += float64(x.F32()[t*h+i] * w1.F32()[(e*h+i)*f+j])
					}
					y[o] += max(0, s) * float64(w2.F32()[(e*f+j)*h+o])
				}
			}
			want[e] += p[e] / sum * math.Sqrt(y[0]*y[0]+y[1]*y[1]+y[2]*y[2])
			count[e]++
		}
	}
	for e := range want {
		want[e] /= max(1, count[e])
	}
	turned := func(v *tensor.Tensor) *tensor.Tensor {
		y := tensor.New(tensor.Float32, v.Shape[0], v.Shape[2], v.Shape[1])
		for e := range v.Shape[0] {
			for i := range v.Shape[1] {
				for j := range v.Shape[2] {
					y.F32()[(e*v.Shape[2]+j)*v.Shape[1]+i] = v.F32()[(e*v.Shape[1]+i)*v.Shape[2]+j]
				}
			}
		}
		return y
	}
	for name, form := range map[string]func(b *op.Builder, x, p *graph.Value) *graph.Value{
		"one node": func(b *op.Builder, x, p *graph.Value) *graph.Value {
			c := func(name string, t *tensor.Tensor) *graph.Value { return b.G.Const(name, t, graph.Param) }
			in := []*graph.Value{x, p, c("w1", turned(w1)), c("b1", b1.Clone().Reshape(n, f)), c("w2", turned(w2)), c("b2", b2.Clone().Reshape(n, h))}
			return b.Node(op.ContribDomain, "MoE", 1, in, a("k", k)).Outputs[0]
		},
		"stacks": func(b *op.Builder, x, p *graph.Value) *graph.Value {
			c := func(name string, t *tensor.Tensor) *graph.Value { return b.G.Const(name, t, graph.Param) }
			top := b.Node("", "TopK", 2, []*graph.Value{b.Attr("Softmax", []graph.Attr{a("axis", -1)}, p), b.Ints(k)}).Outputs
			marks := b.Op("OneHot", top[1], b.Const(tensor.Scalar(int64(n))), b.Const(tensor.Vector[float32](0, 1)))
			q := b.Sum(b.Op("Mul", marks, b.Unsqueeze(top[0], 2)), false, 1)
			y := b.Op("Relu", b.Op("Add", b.Op("MatMul", b.Unsqueeze(x, 0), c("w1", w1)), c("b1", b1)))
			y = b.Op("Add", b.Op("MatMul", y, c("w2", w2)), c("b2", b2))
			if r.IntN(2) == 0 {
				return b.Attr("Einsum", []graph.Attr{a("equation", "te,eth->th")}, q, y)
			}
			y = b.Attr("Transpose", []graph.Attr{a("perm", []int{1, 0, 2})}, y)
			return b.Squeeze(b.Op("MatMul", b.Unsqueeze(q, 1), y), 1)
		},
		"branches": func(b *op.Builder, x, p *graph.Value) *graph.Value {
			top := b.Node("", "TopK", 2, []*graph.Value{b.Attr("Softmax", []graph.Attr{a("axis", -1)}, p), b.Ints(k)}).Outputs
			part := func(name string, t *tensor.Tensor, e int) *graph.Value {
				m := t.Shape[1] * t.Shape[2]
				v := tensor.From(append([]float32{}, t.F32()[e*m:(e+1)*m]...), t.Shape[1:]...)
				return b.G.Const(name, v, graph.Param)
			}
			sum := x
			for e := range n {
				y := b.Op("Relu", b.Op("Add", b.Op("MatMul", x, part("w1", w1, e)), part("b1", b1, e)))
				y = b.Op("Add", b.Op("MatMul", y, part("w2", w2, e)), part("b2", b2, e))
				is := b.Op("Equal", top[1], b.Const(tensor.Scalar(int64(e))))
				q := b.Sum(b.Op("Mul", top[0], b.Attr("Cast", []graph.Attr{a("to", tensor.Float32)}, is)), true, -1)
				sum = b.Op("Add", sum, b.Op("Mul", q, y))
			}
			return sum
		},
	} {
		g := graph.New(name, 18)
		g.Opset[op.ContribDomain] = 1
		v := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(h)}}
		g.Inputs = []*graph.Value{v}
		b := op.NewBuilder(g, "n")
		g.Outputs = []*graph.Value{b.Op("Relu", form(b, v, b.Op("MatMul", v, g.Const("router", router, graph.Param))))}
		if b.Err() != nil {
			t.Fatal(name, b.Err())
		}
		ms, whole := expert.Find(g)
		if len(ms) != 1 {
			t.Fatal(name, whole)
		}
		got := watched(t, g, ms, true, map[string]*tensor.Tensor{"x": x}).REAP()
		for e := range want {
			if math.Abs(got[e]-want[e]) > 1e-4 {
				t.Errorf("%s: %v, want %v", name, got, want)
				break
			}
		}
	}
	_, g := build(t, 1, forms["chosen, weights looked up"])
	ms, _ := expert.Find(g)
	if _, err := expert.NewObserver(g, ms, true); err == nil || !strings.Contains(err.Error(), "no value of the network") {
		t.Errorf("%v", err)
	}
}
