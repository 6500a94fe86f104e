package prune

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// net is a network of one input, x [N 6], built node by node.
type net struct {
	*op.Builder
	x *graph.Value
	r *rand.Rand
}

func newNet() *net {
	g := graph.New("net", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(6)}}
	g.Inputs = []*graph.Value{x}
	return &net{op.NewBuilder(g, "n"), x, rand.New(rand.NewPCG(1, 2))}
}

func (n *net) weight(name string, shape ...int) *graph.Value {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.F32() {
		t.F32()[i] = float32(n.r.NormFloat64())
	}
	return n.G.Const(name, t, graph.Auto)
}

func (n *net) mask(name string, shape ...int) *graph.Value {
	v := n.weight(name, shape...)
	for i, x := range v.Const.F32() {
		v.Const.F32()[i] = 0
		if x > 0 {
			v.Const.F32()[i] = 1
		}
	}
	return v
}

// found lists the names of a network's weights and of what is left out, once it is
// simplified.
func (n *net) found(t *testing.T, y *graph.Value, s Scope) (weights, skipped []string) {
	t.Helper()
	n.G.Outputs = []*graph.Value{y}
	if err := n.Err(); err != nil {
		t.Fatal(err)
	}
	in := map[string]*tensor.Tensor{"x": tensor.New(tensor.Float32, 2, 6)}
	for i := range in["x"].F32() {
		in["x"].F32()[i] = float32(n.r.NormFloat64())
	}
	want, err := op.Run(n.G, in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := op.Simplify(n.G); err != nil {
		t.Fatal(err)
	}
	got, err := op.Run(n.G, in)
	if err != nil {
		t.Fatal(err)
	}
	for k, w := range want {
		for i, x := range w.F32() {
			if d := x - got[k].F32()[i]; d > 1e-5 || d < -1e-5 {
				t.Fatalf("%s: entry %d is %v, and %v once simplified", k, i, x, got[k].F32()[i])
			}
		}
	}
	ws, err := Weights(n.G, s)
	for _, w := range ws {
		weights = append(weights, fmt.Sprint(w.Name, " ", w.Kind))
		if w.Role != graph.Param {
			t.Errorf("%s is not trained", w.Name)
		}
	}
	if err != nil {
		weights = []string{err.Error()}
	}
	for _, k := range Skipped(n.G, s) {
		skipped = append(skipped, k.String())
	}
	return weights, skipped
}

// Every constant that a product is taken of is a weight, once, wherever it stands.
func TestWhatCounts(t *testing.T) {
	perm := []graph.Attr{graph.MakeAttr("perm", []int{1, 0})}
	for name, c := range map[string]struct {
		build   func(n *net) *graph.Value
		weights []string
		skipped []string // what each line begins with
	}{
		"plain": {func(n *net) *graph.Value { return n.Op("MatMul", n.x, n.weight("w", 6, 4)) }, []string{"w linear"}, nil},
		"mask": {func(n *net) *graph.Value {
			return n.Op("MatMul", n.x, n.Op("Mul", n.mask("m", 6, 4), n.weight("w", 6, 4)))
		}, []string{"w linear"}, nil},
		"weight norm": {func(n *net) *graph.Value {
			v := n.weight("v", 6, 4)
			norm := n.Attr("ReduceL2", []graph.Attr{graph.MakeAttr("axes", []int{0})}, v)
			return n.Op("MatMul", n.x, n.Op("Mul", n.Op("Div", v, norm), n.weight("g", 1, 4)))
		}, []string{"v linear"}, nil},
		"standardised": {func(n *net) *graph.Value {
			v := n.weight("v", 6, 4)
			mean := n.Attr("ReduceMean", []graph.Attr{graph.MakeAttr("axes", []int{0})}, v)
			return n.Op("MatMul", n.x, n.Op("Sub", v, mean))
		}, []string{"v linear"}, nil},
		"sum with a product": {func(n *net) *graph.Value {
			ba := n.Op("MatMul", n.weight("b", 6, 1), n.weight("a", 1, 4))
			return n.Op("MatMul", n.x, n.Op("Add", n.weight("w", 6, 4), n.Op("Mul", ba, n.Scalar(2, ba))))
		}, []string{"w linear"}, nil},
		"mask, read twice": {func(n *net) *graph.Value {
			w := n.weight("w", 6, 6)
			y := n.Op("MatMul", n.x, n.Op("Mul", w, n.mask("m", 6, 6)))
			return n.Op("MatMul", y, n.Op("Mul", w, n.mask("k", 6, 6)))
		}, []string{"no prunable weight"}, []string{`w stands behind Mul`}},
		"turned, read twice": {func(n *net) *graph.Value {
			w := n.weight("w", 6, 6)
			return n.Op("MatMul", n.Op("MatMul", n.x, n.Attr("Transpose", perm, w)), w)
		}, []string{"w linear"}, nil},
		"copied": {func(n *net) *graph.Value {
			w := n.weight("w", 6, 6)
			return n.Op("MatMul", n.Op("MatMul", n.x, n.Op("Identity", w)), n.Op("Identity", w))
		}, []string{"w linear"}, nil},
		"rounded": {func(n *net) *graph.Value {
			s := n.Scalar(.125, n.x)
			z := n.Const(tensor.Scalar(int8(0)))
			w := n.Op("DequantizeLinear", n.Op("QuantizeLinear", n.weight("w", 6, 4), s, z), s, z)
			return n.Op("MatMul", n.x, w)
		}, []string{"w linear"}, nil},
		"integers": {func(n *net) *graph.Value {
			w := n.G.Const("w", tensor.New(tensor.Int8, 6, 4), graph.Auto)
			y := n.Op("MatMul", n.x, n.Op("DequantizeLinear", w, n.Scalar(.125, n.x)))
			return n.Op("MatMul", y, n.weight("v", 4, 3))
		}, []string{"v linear"}, []string{"w is stored as int8"}},
		"einsum": {func(n *net) *graph.Value {
			return n.Attr("Einsum", []graph.Attr{graph.MakeAttr("equation", "ni,ihd->nhd")}, n.x, n.weight("w", 6, 2, 3))
		}, []string{"w linear"}, nil},
		"einsum that scales": {func(n *net) *graph.Value {
			y := n.Op("MatMul", n.x, n.weight("w", 6, 6))
			y = n.Op("Reshape", y, n.Ints(-1, 2, 3))
			return n.Attr("Einsum", []graph.Attr{graph.MakeAttr("equation", "nhd,hd->nhd")}, y, n.weight("s", 2, 3))
		}, []string{"w linear"}, []string{"s multiplies in Einsum"}},
		"table": {func(n *net) *graph.Value {
			at := n.Attr("Cast", []graph.Attr{graph.MakeAttr("to", tensor.Int64)}, n.Op("Sigmoid", n.x))
			return n.Op("MatMul", n.Op("Gather", n.weight("table", 9, 4), at), n.weight("w", 4, 3))
		}, []string{"w linear"}, []string{"table is a table of embeddings"}},
		"added": {func(n *net) *graph.Value {
			y := n.Op("MatMul", n.x, n.weight("w", 6, 6))
			return n.Op("Add", n.Op("Reshape", y, n.Ints(-1, 2, 3)), n.weight("position", 2, 3))
		}, []string{"w linear"}, []string{"position is added"}},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNet()
			ws, skipped := n.found(t, c.build(n), Scope{})
			good := len(ws) == len(c.weights) && len(skipped) == len(c.skipped)
			for i := range min(len(ws), len(c.weights)) {
				good = good && strings.HasPrefix(ws[i], c.weights[i])
			}
			for i := range min(len(skipped), len(c.skipped)) {
				good = good && strings.HasPrefix(skipped[i], c.skipped[i])
			}
			if !good {
				t.Errorf("weights %q, want %q; left out %q, want %q", ws, c.weights, skipped, c.skipped)
			}
		})
	}
}

// The weights of the bodies of an If count, are trained and cut like others.
func TestWeightsOfBodies(t *testing.T) {
	n := newNet()
	branch := func(name string) *graph.Graph {
		b := graph.New(name, 17)
		v := tensor.New(tensor.Float32, 6, 4)
		for i := range v.F32() {
			v.F32()[i] = float32(n.r.NormFloat64())
		}
		w := b.Add("Constant", "", nil, []string{"w"}, graph.MakeAttr("value", v)).Outputs[0] // both have the name
		b.Outputs = b.Add("MatMul", "", []*graph.Value{n.x, w}, []string{name}).Outputs
		return b
	}
	top := n.Attr("ReduceMax", []graph.Attr{graph.MakeAttr("keepdims", 0)}, n.x)
	y := n.Node("", "If", 1, []*graph.Value{n.Op("Greater", top, n.Scalar(0, top))},
		graph.MakeAttr("then_branch", branch("yes")), graph.MakeAttr("else_branch", branch("no"))).Outputs[0]
	ws, _ := n.found(t, n.Op("MatMul", y, n.weight("v", 4, 2)), Scope{})
	if len(ws) != 3 || ws[0] != "w linear" || ws[2] != "v linear" || ws[0] == ws[1] {
		t.Fatalf("weights %q", ws)
	}
	all, err := Weights(n.G, Scope{})
	if err != nil {
		t.Fatal(err)
	}
	grads, err := op.Gradient(n.G, n.G.Outputs[0], nil, Values(all))
	if err != nil || slices.Contains(grads, nil) {
		t.Errorf("gradients %v: %v", grads, err)
	}
}

// Matrix, fan-in and outputs of a weight whose outputs lie along two axes.
func TestSeveralOutputAxes(t *testing.T) {
	n := newNet()
	y := n.Attr("Einsum", []graph.Attr{graph.MakeAttr("equation", "ni,hid->nhd")}, n.x, n.weight("w", 2, 6, 3))
	n.found(t, y, Scope{})
	ws, err := Weights(n.G, Scope{})
	if err != nil {
		t.Fatal(err)
	}
	w := ws[0]
	rows, cols, at := w.Matrix()
	if rows != 6 || cols != 6 || w.Outputs() != 6 || w.FanIn() != 6 || w.Inputs() != 6 {
		t.Errorf("%d rows, %d columns, %d outputs, fan-in %v", rows, cols, w.Outputs(), w.FanIn())
	}
	seen := map[int]bool{}
	for r := range rows {
		for c := range cols {
			h, d := r/3, r%3
			if got, want := at(r, c), (h*6+c)*3+d; got != want {
				t.Fatalf("row %d, column %d is entry %d, want %d", r, c, got, want)
			}
			seen[at(r, c)] = true
		}
	}
	if len(seen) != w.Len() {
		t.Errorf("%d of %d entries", len(seen), w.Len())
	}
}

// Patterns of names cross slashes; one that means nothing is refused.
func TestNamePatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"*weight", "/layer1/conv/weight", true}, {"layer1*", "/layer1/conv", false}, {"*layer?/*", "/layer1/conv", true},
		{"*layer[1-3]*", "/layer2/conv", true}, {"*layer[^1-3]*", "/layer2/conv", false}, {"a.b", "axb", false},
		{`a\*`, "a*", true}, {`a\*`, "ab", false}, {"w", "w2", false}, {"é?", "éü", true}, {"[[]x", "[x", true}, {"a\n*", "a\nb", true},
	} {
		if got := (Scope{Include: []string{c.pattern}}).Match(c.name); got != c.want {
			t.Errorf("%q and %q: %v", c.pattern, c.name, got)
		}
		if (Scope{Exclude: []string{c.pattern}}).Match(c.name) == c.want {
			t.Errorf("%q excluded and %q", c.pattern, c.name)
		}
	}
	n := newNet()
	y := n.Op("MatMul", n.x, n.weight("/layer1/conv1/weight", 6, 4))
	n.found(t, n.Op("MatMul", y, n.weight("/head/weight", 4, 3)), Scope{})
	for _, c := range []struct{ pattern, says string }{
		{"/layer1/conv2/weight", "did you mean /layer1/conv1/weight?"}, {"*conv1", "did you mean /layer1/conv1/weight?"},
		{"zzz", "there are /layer1/conv1/weight, /head/weight"}, {"[", "bad layer pattern"}, {"[z-a]", "bad layer pattern"}, {`a\`, "bad layer pattern"},
	} {
		for _, s := range []Scope{{Include: []string{c.pattern}}, {Exclude: []string{"*head*", c.pattern}}} {
			if _, err := Weights(n.G, s); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q: %v, want %q", c.pattern, err, c.says)
			}
		}
	}
	if got := Skipped(n.G, Scope{Exclude: []string{"/head*"}}); len(got) != 1 || got[0].Len != 12 {
		t.Errorf("left out: %v", got)
	}
}

// All matrices of all experts are weights, each row with as many inputs as it reads.
func TestExpertsAreWeights(t *testing.T) {
	n := newNet()
	n.G.Opset[op.ContribDomain] = 1
	w := func(name string, shape ...int) *graph.Value {
		return n.G.Const(name, tensor.New(tensor.Float32, shape...), graph.Auto)
	}
	router := n.Op("MatMul", n.x, w("router", 6, 5))
	n.G.Outputs = n.Node(op.ContribDomain, "MoE", 1, []*graph.Value{n.x, router, w("fc1", 5, 4, 6), w("b1", 5, 4), w("fc2", 5, 6, 4)}, graph.MakeAttr("k", 2)).Outputs
	if err := n.Err(); err != nil {
		t.Fatal(err)
	}
	op.Classify(n.G)
	ws, err := Weights(n.G, Scope{})
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, w := range ws {
		found = append(found, fmt.Sprint(w.Name, " ", w.Kind, " ", w.FanIn(), " ", w.Outputs()))
	}
	if want := []string{"router linear 6 5", "fc1 linear 6 20", "fc2 linear 4 30"}; !slices.Equal(found, want) {
		t.Errorf("%v, want %v", found, want)
	}
}
