package expert_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/prune/expert"
	"pare/prune/structure"
	"pare/tensor"
)

// net builds networks with a mixture of n experts of width h and inner width f, of which
// k are chosen.
type net struct {
	*op.Builder
	r          *rand.Rand
	n, k, h, f int
	tokens     graph.Dim
}

func (t *net) w(name string, shape ...int) *graph.Value {
	w := tensor.New(tensor.Float32, shape...)
	for i := range w.F32() {
		w.F32()[i] = float32(t.r.NormFloat64())
	}
	return t.G.Const(name, w, graph.Param)
}

func a(name string, v any) graph.Attr { return graph.MakeAttr(name, v) }

func (t *net) softmax(x *graph.Value) *graph.Value {
	return t.Attr("Softmax", []graph.Attr{a("axis", -1)}, x)
}

func (t *net) logits(x *graph.Value) *graph.Value {
	return t.Op("Add", t.Op("MatMul", x, t.w("router.weight", t.h, t.n)), t.w("router.bias", t.n))
}

// top gives the weights and numbers of the chosen experts, the weights summing up to 1.
func (t *net) top(p *graph.Value) (w, at *graph.Value) {
	n := t.Node("", "TopK", 2, []*graph.Value{p, t.Ints(t.k)})
	return t.Op("Div", n.Outputs[0], t.Sum(n.Outputs[0], true, -1)), n.Outputs[1]
}

// branch is expert e as layers of its own.
func (t *net) branch(x *graph.Value, e int) *graph.Value {
	name := func(s string) string { return fmt.Sprintf("experts.%d.%s", e, s) }
	y := t.Op("Relu", t.Op("Add", t.Op("MatMul", x, t.w(name("up"), t.h, t.f)), t.w(name("bias"), t.f)))
	return t.Op("MatMul", y, t.w(name("down"), t.f, t.h))
}

// dense computes all experts by stacks of their weights: [experts tokens width].
func (t *net) dense(x *graph.Value) *graph.Value {
	y := t.Op("MatMul", t.Unsqueeze(x, 0), t.w("w1", t.n, t.h, t.f))
	y = t.Op("Relu", t.Op("Add", y, t.w("b1", t.n, 1, t.f)))
	return t.Op("Add", t.Op("MatMul", y, t.w("w2", t.n, t.f, t.h)), t.Unsqueeze(t.w("b2", t.n, t.h), 1))
}

func (t *net) zeros(x *graph.Value) *graph.Value { return t.Op("Mul", x, t.Scalar(0, x)) }

func (t *net) whole(x int) *graph.Value { return t.Const(tensor.Scalar(int64(x))) }

func (t *net) equal(at *graph.Value, e int) *graph.Value {
	return t.Attr("Cast", []graph.Attr{a("to", tensor.Float32)}, t.Op("Equal", at, t.whole(e)))
}

// forms are mixtures as operators and exporters write them, of tokens x.
var forms = map[string]func(t *net, x *graph.Value) *graph.Value{
	"MoE": func(t *net, x *graph.Value) *graph.Value {
		in := []*graph.Value{x, t.logits(x), t.w("w1", t.n, t.f, t.h), t.w("b1", t.n, t.f), t.w("w2", t.n, t.h, t.f), t.w("b2", t.n, t.h)}
		return t.Node(op.ContribDomain, "MoE", 1, in, a("k", t.k), a("activation_type", "silu"), a("normalize_routing_weights", t.r.IntN(2))).Outputs[0]
	},
	"MoE, logits of tokens in sentences": func(t *net, x *graph.Value) *graph.Value {
		x = t.Unsqueeze(x, 0)
		p := t.Op("Reshape", t.Op("Mul", t.logits(x), t.Scalar(.5, x)), t.Ints(-1, t.n))
		in := []*graph.Value{x, p, t.w("w1", t.n, 2*t.f, t.h), nil, t.w("w2", t.n, t.h, t.f), t.w("b2", t.n, t.h)}
		y := t.Node(op.ContribDomain, "MoE", 1, in, a("k", t.k), a("activation_type", "swiglu"), a("swiglu_fusion", 1)).Outputs[0]
		return t.Squeeze(y, 0)
	},
	"soft, branches by slices": func(t *net, x *graph.Value) *graph.Value {
		p := t.softmax(t.logits(x))
		y := x
		for e := range t.n {
			y = t.Op("Add", y, t.Op("Mul", t.branch(x, e), t.Op("Slice", p, t.Ints(e), t.Ints(e+1), t.Ints(1))))
		}
		return y
	},
	"soft, branches by Gather, summed alone": func(t *net, x *graph.Value) *graph.Value {
		p := t.softmax(t.logits(x))
		var terms []*graph.Value
		for e := range t.n {
			terms = append(terms, t.Op("Mul", t.branch(x, e), t.Unsqueeze(t.Attr("Gather", []graph.Attr{a("axis", 1)}, p, t.whole(e)), 1)))
		}
		return t.Op("Sum", terms...)
	},
	"soft, a chain of sums": func(t *net, x *graph.Value) *graph.Value {
		parts := t.Node("", "Split", t.n, []*graph.Value{t.softmax(t.logits(x))}, a("axis", -1)).Outputs
		y := t.Op("Mul", t.branch(x, 0), parts[0])
		for e := 1; e < t.n; e++ {
			y = t.Op("Add", y, t.Op("Mul", parts[e], t.branch(x, e)))
		}
		return y
	},
	"soft, branches side by side": func(t *net, x *graph.Value) *graph.Value {
		var all []*graph.Value
		for e := range t.n {
			all = append(all, t.Unsqueeze(t.branch(x, e), 1))
		}
		p := t.Unsqueeze(t.softmax(t.logits(x)), 2)
		return t.Sum(t.Op("Mul", t.Attr("Concat", []graph.Attr{a("axis", 1)}, all...), p), false, 1)
	},
	"soft, a product over branches": func(t *net, x *graph.Value) *graph.Value {
		var all []*graph.Value
		for e := range t.n {
			all = append(all, t.Unsqueeze(t.branch(x, e), 1))
		}
		p := t.Unsqueeze(t.softmax(t.logits(x)), 1)
		return t.Squeeze(t.Op("MatMul", p, t.Attr("Concat", []graph.Attr{a("axis", 1)}, all...)), 1)
	},
	"chosen, masks of branches": func(t *net, x *graph.Value) *graph.Value {
		w, at := t.top(t.softmax(t.logits(x)))
		y := t.zeros(x)
		for e := range t.n {
			p := t.Sum(t.Op("Mul", w, t.equal(at, e)), true, -1)
			y = t.Op("Add", y, t.Op("Mul", t.branch(x, e), p))
		}
		return y
	},
	"chosen, branches where": func(t *net, x *graph.Value) *graph.Value {
		at := t.Attr("ArgMax", []graph.Attr{a("axis", -1), a("keepdims", 1)}, t.logits(x))
		t.k = 1
		y := t.Op("Sigmoid", x)
		for e := range t.n {
			y = t.Op("Where", t.Op("Equal", at, t.whole(e)), t.branch(x, e), y)
		}
		return y
	},
	"chosen, scattered over stacks": func(t *net, x *graph.Value) *graph.Value {
		p := t.softmax(t.logits(x))
		w, at := t.top(p)
		all := t.Attr("ScatterElements", []graph.Attr{a("axis", 1)}, t.Op("Mul", p, t.Scalar(0, x)), at, w)
		p = t.Unsqueeze(t.Attr("Transpose", []graph.Attr{a("perm", []int{1, 0})}, all), 2)
		return t.Sum(t.Op("Mul", t.dense(x), p), false, 0)
	},
	"chosen, scattered over zeros of a shape": func(t *net, x *graph.Value) *graph.Value {
		p := t.logits(x)
		w, at := t.top(t.softmax(p))
		all := t.Attr("ScatterElements", []graph.Attr{a("axis", 1)}, t.Op("ConstantOfShape", t.Op("Shape", p)), at, w)
		rows := t.Attr("Slice", nil, t.Op("Shape", x), t.Ints(0), t.Ints(1))
		all = t.Op("Reshape", all, t.Attr("Concat", []graph.Attr{a("axis", 0)}, rows, t.Ints(t.n, 1)))
		p = t.Attr("Transpose", []graph.Attr{a("perm", []int{1, 0, 2})}, all)
		return t.Sum(t.Op("Mul", t.dense(x), p), false, 0)
	},
	"chosen, weights looked up": func(t *net, x *graph.Value) *graph.Value {
		n := t.Node("", "TopK", 2, []*graph.Value{t.logits(x), t.Ints(t.k)})
		w, at := t.softmax(n.Outputs[0]), n.Outputs[1]
		look := func(v *graph.Value) *graph.Value { return t.Attr("Gather", []graph.Attr{a("axis", 0)}, v, at) }
		y := t.Op("MatMul", t.Unsqueeze(x, 1, 2), look(t.w("w1", t.n, t.h, t.f))) // [tokens k 1 inner]
		y = t.Op("Relu", t.Op("Add", y, t.Unsqueeze(look(t.w("b1", t.n, t.f)), 2)))
		y = t.Squeeze(t.Op("MatMul", y, look(t.w("w2", t.n, t.f, t.h))), 2)
		return t.Sum(t.Op("Mul", y, t.Unsqueeze(w, 2)), false, 1)
	},
	"chosen, rows looked up": func(t *net, x *graph.Value) *graph.Value {
		w, at := t.top(t.softmax(t.logits(x)))
		at = t.Unsqueeze(at, 2)
		y := t.Attr("Einsum", []graph.Attr{a("equation", "th,tkhf->tkf")}, x, t.Op("GatherND", t.w("w1", t.n, t.h, t.f), at))
		y = t.Op("Tanh", t.Op("Add", y, t.Op("GatherND", t.w("b1", t.n, t.f), at)))
		y = t.Attr("Einsum", []graph.Attr{a("equation", "tkf,tkfh->tkh")}, y, t.Op("GatherND", t.w("w2", t.n, t.f, t.h), at))
		return t.Sum(t.Op("Mul", y, t.Unsqueeze(w, 2)), false, 1)
	},
	"chosen, marks": func(t *net, x *graph.Value) *graph.Value {
		w, at := t.top(t.softmax(t.logits(x)))
		marks := t.Op("OneHot", at, t.whole(t.n), t.Const(tensor.Vector[float32](0, 1)))
		p := t.Sum(t.Op("Mul", marks, t.Unsqueeze(w, 2)), false, 1)
		return t.Attr("Einsum", []graph.Attr{a("equation", "te,eth->th")}, p, t.dense(x))
	},
	"chosen, marks by comparison": func(t *net, x *graph.Value) *graph.Value {
		w, at := t.top(t.softmax(t.logits(x)))
		count := make([]int, t.n)
		for e := range count {
			count[e] = e
		}
		marks := t.Attr("Cast", []graph.Attr{a("to", tensor.Float32)}, t.Op("Equal", t.Unsqueeze(at, 2), t.Ints(count...)))
		p := t.Op("MatMul", t.Unsqueeze(w, 1), marks) // [tokens 1 experts]
		return t.Sum(t.Op("Mul", t.dense(x), t.Attr("Transpose", []graph.Attr{a("perm", []int{2, 0, 1})}, p)), false, 0)
	},
	"chosen, not those below": func(t *net, x *graph.Value) *graph.Value {
		p := t.logits(x)
		best := t.Node("", "TopK", 2, []*graph.Value{p, t.Ints(t.k)}).Outputs[0]
		least := t.Op("Slice", best, t.Ints(t.k-1), t.Ints(t.k), t.Ints(1))
		p = t.softmax(t.Op("Where", t.Op("GreaterOrEqual", p, least), p, t.Scalar(math.Inf(-1), x)))
		return t.Sum(t.Op("Mul", t.dense(x), t.Unsqueeze(t.Attr("Transpose", []graph.Attr{a("perm", []int{1, 0})}, p), 2)), false, 0)
	},
	"chosen by sigmoid with a bias": func(t *net, x *graph.Value) *graph.Value {
		p := t.Op("Sigmoid", t.Op("MatMul", x, t.w("router.weight", t.h, t.n)))
		ranked := t.Op("Add", p, t.G.Const("correction", scaled(t.w("c", t.n).Const, .01), graph.Param))
		at := t.Node("", "TopK", 2, []*graph.Value{ranked, t.Ints(t.k)}).Outputs[1]
		w := t.Attr("GatherElements", []graph.Attr{a("axis", 1)}, p, at)
		y := t.Op("Mul", x, t.Scalar(.5, x))
		for e := range t.n {
			y = t.Op("Add", t.Op("Mul", t.branch(x, e), t.Sum(t.Op("Mul", w, t.equal(at, e)), true, -1)), y)
		}
		return y
	},
	"chosen, tokens of each expert": func(t *net, x *graph.Value) *graph.Value {
		w, at := t.top(t.softmax(t.logits(x)))
		marks := t.Attr("OneHot", []graph.Attr{a("axis", -1)}, at, t.whole(t.n), t.Const(tensor.Vector[int64](0, 1)))
		marks = t.Attr("Transpose", []graph.Attr{a("perm", []int{2, 1, 0})}, marks) // [experts k tokens]
		y := t.zeros(x)
		for e := range t.n {
			mask := t.Attr("Gather", []graph.Attr{a("axis", 0)}, marks, t.whole(e))
			where := t.Attr("Transpose", []graph.Attr{a("perm", []int{1, 0})}, t.Op("NonZero", mask))
			place := t.Op("Slice", where, t.Ints(0), t.Ints(1), t.Ints(1))
			token := t.Op("Slice", where, t.Ints(1), t.Ints(2), t.Ints(1))
			rows := t.Op("GatherND", x, token)
			p := t.Op("GatherND", w, t.Attr("Concat", []graph.Attr{a("axis", 1)}, token, place))
			out := t.Op("Mul", t.branch(rows, e), t.Unsqueeze(p, 1))
			y = t.Attr("ScatterND", []graph.Attr{a("reduction", "add")}, y, token, out)
		}
		return y
	},
}

func scaled(t *tensor.Tensor, by float32) *tensor.Tensor {
	for i := range t.F32() {
		t.F32()[i] *= by
	}
	return t
}

// build is a network around a mixture.
func build(t *testing.T, seed uint64, form func(t *net, x *graph.Value) *graph.Value) (*net, *graph.Graph) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 3))
	g := graph.New("net", 18)
	g.Opset[op.ContribDomain] = 1
	b := &net{Builder: op.NewBuilder(g, "n"), r: r, n: 3 + r.IntN(4), h: 4 + r.IntN(5), f: 2 + r.IntN(5), tokens: graph.Sym("tokens")}
	b.k = 1 + r.IntN(b.n-1)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{b.tokens, graph.N(5)}}
	g.Inputs = []*graph.Value{x}
	h := b.Op("MatMul", x, b.w("embed", 5, b.h))
	y := b.Op("MatMul", form(b, h), b.w("head", b.h, 3))
	g.Outputs = append([]*graph.Value{y}, g.Outputs...)
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	g.Prune()
	op.Classify(g)
	return b, g
}

// numbers are inputs of the network.
func numbers(r *rand.Rand, tokens int) map[string]*tensor.Tensor {
	x := tensor.New(tensor.Float32, tokens, 5)
	for i := range x.F32() {
		x.F32()[i] = float32(r.NormFloat64())
	}
	return map[string]*tensor.Tensor{"x": x}
}

// same compares the outputs of two networks.
func same(t *testing.T, what string, a, b *graph.Graph, in map[string]*tensor.Tensor) {
	t.Helper()
	x, err := op.Run(a, in)
	if err != nil {
		t.Fatal(what, err)
	}
	y, err := op.Run(b, in)
	if err != nil {
		t.Fatal(what, err)
	}
	p, q := x[a.Outputs[0].Name], y[b.Outputs[0].Name]
	if p == nil || q == nil || !slices.Equal(p.Shape, q.Shape) {
		t.Fatalf("%s: %v and %v", what, p, q)
	}
	most := 1.
	for _, v := range p.F32() {
		most = max(most, math.Abs(float64(v)))
	}
	for i, v := range p.F32() {
		if !(math.Abs(float64(v-q.F32()[i])) <= 1e-4*most) {
			t.Fatalf("%s: entry %d is %v and %v", what, i, v, q.F32()[i])
		}
	}
}

// some keeps a random number of experts, at least as many as must stay.
func some(r *rand.Rand, m *expert.Mixture) expert.Selection {
	s := expert.All([]*expert.Mixture{m})
	left := m.Least + r.IntN(m.Experts-m.Least)
	for _, e := range r.Perm(m.Experts)[left:] {
		s[0].Set(e, false)
	}
	return s
}

// In whatever form a mixture is written, the network without some experts computes the same
// as that with their logits at negative infinity, and holds nothing of them any more.
func TestCutIsSilenced(t *testing.T) {
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(12) {
				b, g := build(t, seed, form)
				ms, whole := expert.Find(g)
				if len(ms) != 1 || len(whole) > 0 {
					t.Fatalf("seed %d: %d mixtures, whole: %v", seed, len(ms), whole)
				}
				m := ms[0]
				least := 1
				if !strings.HasPrefix(name, "soft") {
					least = b.k
				}
				if m.Experts != b.n || m.Least != least || m.Soft != strings.HasPrefix(name, "soft") {
					t.Fatalf("%d experts of %d, %d of %d must stay, soft %v", m.Experts, b.n, m.Least, least, m.Soft)
				}
				r := rand.New(rand.NewPCG(seed, 4))
				sel := some(r, m)
				cut, err := expert.Cut(g, ms, sel)
				if err != nil {
					t.Fatal(err)
				}
				quiet, err := expert.Silence(g, ms, sel)
				if err != nil {
					t.Fatal(err)
				}
				same(t, name, quiet, cut, numbers(r, 6))
				was, now := structure.CostOf(g), structure.CostOf(cut)
				gone := structure.Cost{}
				for e, c := range m.Each {
					if !sel[0].Kept(e) {
						gone.Params += c.Params
						gone.MACs += c.MACs
					}
				}
				if was.Params-now.Params != gone.Params || gone.Params < int64((m.Experts-sel[0].Count())*2*b.h*b.f) {
					t.Errorf("seed %d: %d parameters are gone, said are %d", seed, was.Params-now.Params, gone.Params)
				}
				if was.MACs-now.MACs != gone.MACs {
					t.Errorf("seed %d: %d multiply-accumulates are gone, said are %d", seed, was.MACs-now.MACs, gone.MACs)
				}
				norms, all := m.Norms(), 0.
				for _, v := range g.Params() {
					if v.Name != "embed" && v.Name != "head" && v.Name != "router.weight" {
						for _, x := range v.Const.F32() {
							all += float64(x) * float64(x)
						}
					}
				}
				for _, x := range norms {
					all -= x
				}
				if math.Abs(all) > 1e-2 {
					t.Errorf("seed %d: norms %v do not add up to those of all weights: %v is missing", seed, norms, all)
				}
				kept := expert.KeptBy(ms, sel)
				for _, s := range m.Weights {
					if w := cut.Value(s.Name); w == nil || !slices.Equal(kept.Take(s.Name, s.Const).Shape, w.Const.Shape) {
						t.Errorf("%s is %v in the cut network", s.Name, w)
					}
				}
			}
		})
	}
}

// Fewer experts than a token is given to may not stay.
func TestAsManyStay(t *testing.T) {
	_, g := build(t, 5, forms["MoE"])
	ms, _ := expert.Find(g)
	s := expert.All(ms)
	for e := range ms[0].Experts - ms[0].Least + 1 {
		s[0].Set(e, false)
	}
	if _, err := expert.Cut(g, ms, s); err == nil || !strings.Contains(err.Error(), "at least as many must stay") {
		t.Errorf("%v", err)
	}
}

// What looks like a mixture and cannot be followed is named with the reason, and what is
// none is left out.
func TestLeftWhole(t *testing.T) {
	for what, c := range map[string]struct {
		form func(t *net, x *graph.Value) *graph.Value
		why  string // "": it is no mixture
	}{
		"the mean of what experts make": {func(t *net, x *graph.Value) *graph.Value {
			w, at := t.top(t.softmax(t.logits(x)))
			marks := t.Op("OneHot", at, t.whole(t.n), t.Const(tensor.Vector[float32](0, 1)))
			p := t.Sum(t.Op("Mul", marks, t.Unsqueeze(w, 2)), false, 1)
			p = t.Unsqueeze(t.Attr("Transpose", []graph.Attr{a("perm", []int{1, 0})}, p), 2)
			return t.Reduce("ReduceMean", t.Op("Mul", t.dense(x), p), false, 0)
		}, "reduces over the experts"},
		"logits are an output": {func(t *net, x *graph.Value) *graph.Value {
			p := t.logits(x)
			t.G.Outputs = append(t.G.Outputs, p)
			in := []*graph.Value{x, p, t.w("w1", t.n, t.f, t.h), nil, t.w("w2", t.n, t.h, t.f)}
			y := t.Node(op.ContribDomain, "MoE", 1, in, a("k", t.k)).Outputs[0]
			return y
		}, "output"},
		"logits are summed": {func(t *net, x *graph.Value) *graph.Value {
			p := t.logits(x)
			in := []*graph.Value{x, p, t.w("w1", t.n, t.f, t.h), nil, t.w("w2", t.n, t.h, t.f)}
			return t.Op("Add", t.Node(op.ContribDomain, "MoE", 1, in, a("k", t.k)).Outputs[0], t.Sum(p, true, -1))
		}, "reduces over the experts"},
		"gates of a softmax alone": {func(t *net, x *graph.Value) *graph.Value {
			return t.Op("MatMul", t.softmax(t.logits(x)), t.w("values", t.n, t.h))
		}, ""},
		"a gate of each number": {func(t *net, x *graph.Value) *graph.Value {
			return t.Op("Mul", x, t.softmax(t.Op("MatMul", x, t.w("gate", t.h, t.h))))
		}, ""},
		"experts by numbers plus one": {func(t *net, x *graph.Value) *graph.Value {
			_, at := t.top(t.softmax(t.logits(x)))
			at = t.Op("Mod", t.Op("Add", at, t.whole(1)), t.whole(t.n))
			y := t.Attr("Gather", []graph.Attr{a("axis", 0)}, t.w("values", t.n, t.h, t.h), at)
			return t.Squeeze(t.Op("MatMul", t.Unsqueeze(x, 1), t.Reduce("ReduceMax", y, false, 1)), 1)
		}, "computes with the numbers"},
		"a sum of stacks that all count": {func(t *net, x *graph.Value) *graph.Value {
			w, at := t.top(t.softmax(t.logits(x)))
			marks := t.Op("OneHot", at, t.whole(t.n), t.Const(tensor.Vector[float32](1, 2)))
			p := t.Sum(t.Op("Mul", marks, t.Unsqueeze(w, 2)), false, 1)
			return t.Attr("Einsum", []graph.Attr{a("equation", "te,eth->th")}, p, t.dense(x))
		}, "another number than zero"},
		"the sparse mixer": {func(t *net, x *graph.Value) *graph.Value {
			p := t.Node(op.ContribDomain, "MoE", 1, []*graph.Value{x, t.logits(x), t.w("w1", t.n, t.f, t.h), nil, t.w("w2", t.n, t.h, t.f)}, a("k", 2)).Outputs[0]
			t.G.Nodes[len(t.G.Nodes)-1].Set("use_sparse_mixer", 1)
			return p
		}, "use_sparse_mixer"},
	} {
		_, g := build(t, 1, c.form)
		ms, whole := expert.Find(g)
		if len(ms) > 0 {
			t.Errorf("%s: found %v", what, ms[0])
		}
		if c.why == "" && len(whole) > 0 {
			t.Errorf("%s: said %v", what, whole)
		}
		if c.why != "" && (len(whole) != 1 || !strings.Contains(whole[0].Why, c.why)) {
			t.Errorf("%s: said %v", what, whole)
		}
	}
}
