package quantise

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/onnx"
	"pare/prune"
	"pare/prune/calibrate"
	"pare/tensor"
)

// net draws networks for tests.
type net struct {
	*op.Builder
	r *rand.Rand
	x *graph.Value
}

func newNet(opset int, shape ...graph.Dim) *net {
	g := graph.New("g", opset)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: shape}
	g.Inputs = []*graph.Value{x}
	return &net{op.NewBuilder(g, ""), rand.New(rand.NewPCG(7, 8)), x}
}

func (n *net) weight(name string, shape ...int) *graph.Value {
	t := tensor.New(tensor.Float32, shape...)
	per := t.Len() / shape[0]
	for i := range t.F32() {
		t.F32()[i] = float32(n.r.NormFloat64()) * float32(1+i/per%5) / float32(math.Sqrt(float64(per)))
	}
	return n.G.Const(name, t, graph.Auto)
}

func (n *net) done(t *testing.T, outs ...*graph.Value) *graph.Graph {
	t.Helper()
	for i, o := range outs {
		o.Name = fmt.Sprintf("y%d", i)
	}
	n.G.Outputs = outs
	if err := n.Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := op.Simplify(n.G); err != nil {
		t.Fatal(err)
	}
	return n.G
}

// convolved has what convolutional networks are made of: normalisation, a residual sum of
// grouped and depthwise convolutions, pooling, channels side by side, a transposed
// convolution, two outputs.
func convolved(t *testing.T, opset int) *graph.Graph {
	n := newNet(opset, graph.Sym("N"), graph.N(3), graph.N(8), graph.N(8))
	pads := graph.MakeAttr("pads", []int{1, 1, 1, 1})
	group := func(k int) graph.Attr { return graph.MakeAttr("group", k) }
	a := n.Attr("Conv", []graph.Attr{pads}, n.x, n.weight("stem", 8, 3, 3, 3))
	pos := n.weight("variance", 8)
	for i := range pos.Const.F32() {
		pos.Const.F32()[i] = .5 + float32(math.Abs(float64(pos.Const.F32()[i])))
	}
	a = n.Op("Relu", n.Op("BatchNormalization", a, n.weight("gamma", 8), n.weight("beta", 8), n.weight("mean", 8), pos))
	b := n.Op("Relu", n.Attr("Conv", []graph.Attr{pads, group(8)}, a, n.weight("depth", 8, 1, 3, 3), n.weight("depth.bias", 8)))
	b = n.Attr("Conv", []graph.Attr{group(2)}, b, n.weight("groups", 8, 4, 1, 1))
	c := n.Op("Relu", n.Op("Add", b, a))
	p := n.Attr("MaxPool", []graph.Attr{graph.MakeAttr("kernel_shape", []int{2, 2}), graph.MakeAttr("strides", []int{2, 2})}, c)
	d := n.Op("Relu", n.Attr("Conv", []graph.Attr{pads}, p, n.weight("wide", 4, 8, 3, 3)))
	p = n.Attr("Concat", []graph.Attr{graph.MakeAttr("axis", 1)}, p, d)
	up := n.Attr("ConvTranspose", []graph.Attr{graph.MakeAttr("strides", []int{2, 2}), group(2)}, p, n.weight("up", 12, 3, 2, 2), n.weight("up.bias", 6))
	f := n.Attr("Flatten", nil, n.Op("GlobalAveragePool", p))
	f = n.Op("Relu", n.Attr("Gemm", []graph.Attr{graph.MakeAttr("transB", 1)}, f, n.weight("fc", 16, 12), n.weight("fc.bias", 16)))
	f = n.Op("MatMul", f, n.weight("head", 16, 5))
	return n.done(t, n.Op("Add", f, n.weight("head.bias", 5)), up)
}

// samples are batches of an input.
func samples(batches int, shape ...int) calibrate.Batches {
	return func(yield func(map[string]*tensor.Tensor) error) error {
		r := rand.New(rand.NewPCG(5, 6))
		for range batches {
			t := tensor.New(tensor.Float32, shape...)
			for i := range t.F32() {
				t.F32()[i] = float32(r.NormFloat64())
			}
			if err := yield(map[string]*tensor.Tensor{"x": t}); err != nil {
				return err
			}
		}
		return nil
	}
}

// run gives the outputs of a network for the first batch, by its definition or the engine.
func run(t *testing.T, g *graph.Graph, b calibrate.Batches, byEngine bool) map[string]*tensor.Tensor {
	t.Helper()
	var out map[string]*tensor.Tensor
	stop := fmt.Errorf("stop")
	err := b(func(in map[string]*tensor.Tensor) error {
		var err error
		if !byEngine {
			if out, err = op.Run(g, in); err != nil {
				return err
			}
			return stop
		}
		sizes := map[string]int{"N": in["x"].Shape[0]}
		p, err := engine.Compile(g, sizes, engine.Options{Freeze: true})
		if err != nil {
			return err
		}
		defer p.Close()
		if err := p.Input("x").Copy(in["x"]); err != nil {
			return err
		}
		if err := p.Run(); err != nil {
			return err
		}
		out = map[string]*tensor.Tensor{}
		for _, name := range p.OutputNames() {
			out[name] = p.Output(name).Clone()
		}
		return stop
	})
	if err != stop {
		t.Fatal(err)
	}
	return out
}

// apart is how far two outputs are apart, over the largest magnitude of the first.
func apart(a, b map[string]*tensor.Tensor) float64 {
	worst := 0.0
	for name, x := range a {
		most, diff := 1e-9, math.Inf(1)
		if y := b[name]; y != nil && y.Len() == x.Len() {
			diff = 0
			for i, v := range x.F32() {
				most = math.Max(most, math.Abs(float64(v)))
				diff = math.Max(diff, math.Abs(float64(v-y.F32()[i])))
			}
		}
		worst = math.Max(worst, diff/most)
	}
	return worst
}

func planned(t *testing.T, g *graph.Graph, o Options) *Plan {
	t.Helper()
	p, err := NewPlan(g, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func written(t *testing.T, g *graph.Graph, err error) *graph.Graph {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	b, err := onnx.Encode(g, onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	back, err := onnx.Decode(b, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := op.Simplify(back); err != nil {
		t.Fatal(err)
	}
	return back
}

// The network of integers is near the one in float, the same by definition, by the engine
// and as rounding in float has it; its outputs keep their names, its weights are integers
// by channel, and pruned entries are zeros.
func TestNetwork(t *testing.T) {
	b := samples(4, 8, 3, 8, 8)
	for _, k := range []Integers{Unsigned, Signed} {
		for _, opset := range []int{11, 17} {
			g := convolved(t, opset)
			w := g.Value("wide").Const.F32()
			for i := range w {
				if i%3 > 0 {
					w[i] = 0
				}
			}
			float := run(t, g, b, false)
			p := planned(t, g, Options{Activations: k})
			if len(p.Layers) != 7 || len(p.Left) != 0 {
				t.Fatalf("%d layers, left: %v", len(p.Layers), p.Left)
			}
			if err := p.Calibrate(context.Background(), b, MinMax, calibrate.Options{}); err != nil {
				t.Fatal(err)
			}
			q, err := p.Network()
			q = written(t, q, err)
			fake, err := p.Fake()
			if err != nil {
				t.Fatal(err)
			}
			ints := run(t, q, b, false)
			if d := apart(float, ints); d > .06 || d < 1e-4 {
				t.Errorf("opset %d: integers are %.3g of the range away from float", opset, d)
			}
			if d := apart(ints, run(t, q, b, true)); d > .02 {
				t.Errorf("opset %d: the engine is %.3g away from the definition", opset, d)
			}
			if d := apart(ints, run(t, fake, b, false)); d > .02 {
				t.Errorf("opset %d: rounding in float is %.3g away from integers", opset, d)
			}
			wide := q.Value("wide").Const
			if wide.DType != tensor.Int8 || q.Value("wide").Role != graph.Packed {
				t.Fatalf("wide is %v", wide)
			}
			for i, v := range tensor.Of[int8](wide) {
				if i%3 > 0 && v != 0 {
					t.Fatalf("entry %d was zero and is %d", i, v)
				}
			}
			if q.Version("") < 13 {
				t.Errorf("opset %d has no scale by channel", q.Version(""))
			}
		}
	}
}

// The largest weight of every output channel is the integer 127 or -127, whichever axis the
// channels are along.
func TestStepsByChannel(t *testing.T) {
	p := planned(t, convolved(t, 17), Options{})
	for _, name := range []string{"stem", "depth", "up", "fc", "head"} {
		l := p.Layer(name)
		want := map[string]int{"stem": 8, "depth": 8, "up": 3, "fc": 16, "head": 5}[name]
		if l == nil {
			t.Fatalf("%s is no layer: %v", name, p.Left)
		}
		if len(l.Steps) != want {
			t.Fatalf("%s has %d steps, want %d", name, len(l.Steps), want)
		}
		most := make([]int, want)
		at := along(l.Weight.Const.Shape, l.Axis)
		for i, v := range tensor.Of[int8](l.integers()) {
			most[at(i)] = max(most[at(i)], int(v), -int(v))
		}
		for c, m := range most {
			if m != 127 {
				t.Errorf("%s: channel %d reaches %d", name, c, m)
			}
		}
	}
	tight := slices.Clone(p.Layer("fc").Steps)
	p.ChooseSteps(MSE)
	sum := func(steps []float32) (e float64) {
		l := p.Layer("fc")
		for i, v := range l.Weight.Const.F32() {
			d := float64(v - Weights.Round(v, Scale{Step: steps[i/12]}))
			e += d * d
		}
		return e
	}
	if a, b := sum(tight), sum(p.Layer("fc").Steps); b > 1.0001*a {
		t.Errorf("the least error is %v, and %v without seeking it", b, a)
	}
}

// Where integers stand: an activation takes part in what is before it, what gives numbers
// on has their scale, a residual sum is one of integers, a product's sum is not.
func TestPlacement(t *testing.T) {
	p := planned(t, convolved(t, 17), Options{})
	kind := func(v *graph.Value) string {
		n := p.of[v]
		switch {
		case n == nil:
			return ""
		case n.Like != nil:
			return "like"
		case n.all:
			return "all"
		}
		return "read"
	}
	want := map[string][]string{"Conv": {"", "", "all", ""}, "Relu": {"all", "all", "all", "all", "read"}, "Add": {"", ""}, "MaxPool": {"like"}, "Concat": {"all"},
		"ConvTranspose": {"all"}, "GlobalAveragePool": {"all"}, "Flatten": {"like"}, "Gemm": {""}, "MatMul": {""}}
	got := map[string][]string{}
	for _, n := range p.Graph.Nodes {
		got[n.Op] = append(got[n.Op], kind(n.Out(0)))
	}
	for name, w := range want {
		if !slices.Equal(got[name], w) {
			t.Errorf("%s gives %q, want %q", name, got[name], w)
		}
	}
	if kind(p.Graph.Inputs[0]) != "read" {
		t.Error("the input is not quantised")
	}
}

// Correction makes the mean of every channel of every layer that of the float network on
// the samples.
func TestCorrectBias(t *testing.T) {
	b := samples(3, 16, 3, 8, 8)
	g := convolved(t, 17)
	p := planned(t, g, Options{})
	ctx := context.Background()
	if err := p.Calibrate(ctx, b, Percentile(95), calibrate.Options{}); err != nil {
		t.Fatal(err)
	}
	float, _ := p.Graph.Clone(true)
	off := func() (worst float64) {
		fake, err := p.Fake()
		if err != nil {
			t.Fatal(err)
		}
		means := func(g *graph.Graph, name string) []float64 {
			w, err := calibrate.NewWalk(g, b, calibrate.Options{})
			if err != nil {
				t.Fatal(err)
			}
			m := mean{}
			l := p.Layer(name)
			y := g.Nodes[slices.IndexFunc(g.Nodes, func(n *graph.Node) bool { return n.Name == l.Node.Name })].Out(0)
			if err := look(ctx, w, []*graph.Value{y}, func(_ int, t *tensor.Tensor) error { m.add(t, l); return nil }); err != nil {
				t.Fatal(err)
			}
			return m.of()
		}
		for _, l := range p.Layers {
			if l.Weight.Name == "head" { // its sum is behind
				continue
			}
			a, b := means(float, l.Weight.Name), means(fake, l.Weight.Name)
			for c := range a {
				half := l.biasSteps()[c]/2 + 1e-5*math.Abs(a[c]) // integers of biases, sums in float32
				worst = math.Max(worst, math.Abs(a[c]-b[c])/half)
			}
		}
		return worst
	}
	before := off()
	n, err := p.CorrectBias(ctx, b, calibrate.Options{})
	if err != nil || n != 8+8+8+4+6+16+5 {
		t.Fatalf("%d channels, %v", n, err)
	}
	if after := off(); after > 3 || before < 100 {
		t.Errorf("means are %.3g half steps off, and were %.3g before", after, before)
	}
}

// Equalisation leaves what the network gives as it was, and makes the ranges of both layers
// of a pair the same.
func TestEqualise(t *testing.T) {
	b := samples(1, 4, 3, 8, 8)
	g := convolved(t, 17)
	for i, v := range g.Value("depth").Const.F32() { // far apart
		g.Value("depth").Const.F32()[i] = v * float32(math.Pow(3, float64(i/9%5)))
	}
	before := run(t, g, b, false)
	p := planned(t, g, Options{})
	if n := p.Equalise(); n != 2 { // depth to groups, fc to head: what stem makes is read twice
		t.Errorf("%d pairs", n)
	}
	if d := apart(before, run(t, p.Graph, b, false)); d > 1e-5 {
		t.Errorf("the network gives something else: %.3g of its range", d)
	}
	for _, x := range p.pairs() {
		r1, r2 := ranges(x.a.Weight.Const, x.a.out(), x.a.outs()), ranges(x.b.Weight.Const, x.b.into(), x.a.outs())
		for c := range r1 {
			if math.Abs(r1[c]-r2[c]) > 1e-3*r1[c] {
				t.Errorf("%s, %s: channel %d reaches %v and %v", x.a.Weight.Name, x.b.Weight.Name, c, r1[c], r2[c])
			}
		}
	}
}

// Channels of another axis are not those that the next layer reads, however many there are.
func TestEqualiseAxes(t *testing.T) {
	matrix := func(n *net, x *graph.Value, name string) *graph.Value { return n.Op("MatMul", x, n.weight(name, 6, 6)) }
	conv := func(n *net, x *graph.Value, name string) *graph.Value {
		return n.Attr("Conv", nil, x, n.weight(name, 6, 6, 1))
	}
	pool := []graph.Attr{graph.MakeAttr("kernel_shape", []int{3}), graph.MakeAttr("pads", []int{1, 1})}
	for name, c := range map[string]struct {
		pairs int
		f     func(n *net, x *graph.Value) *graph.Value
	}{
		"conv, matrix": {0, func(n *net, x *graph.Value) *graph.Value { return matrix(n, n.Op("Relu", conv(n, x, "a")), "b") }},
		"matrix, conv": {0, func(n *net, x *graph.Value) *graph.Value { return conv(n, n.Op("Relu", matrix(n, x, "a")), "b") }},
		"matrix, pool, matrix": {0, func(n *net, x *graph.Value) *graph.Value {
			return matrix(n, n.Attr("MaxPool", pool, matrix(n, x, "a")), "b")
		}},
		"matrix, matrix": {1, func(n *net, x *graph.Value) *graph.Value { return matrix(n, n.Op("Relu", matrix(n, x, "a")), "b") }},
		"conv, pool, conv": {1, func(n *net, x *graph.Value) *graph.Value {
			return conv(n, n.Attr("MaxPool", pool, conv(n, x, "a")), "b")
		}},
	} {
		n := newNet(17, graph.Sym("N"), graph.N(6), graph.N(6))
		g := n.done(t, c.f(n, n.x))
		b := samples(1, 2, 6, 6)
		before := run(t, g, b, false)
		p := planned(t, g, Options{})
		if k := p.Equalise(); k != c.pairs {
			t.Errorf("%s: %d pairs, want %d", name, k, c.pairs)
		}
		if d := apart(before, run(t, p.Graph, b, false)); d > 1e-5 {
			t.Errorf("%s: the network gives something else: %.3g of its range", name, d)
		}
	}
}

// A layer that is left in float takes its integers with it, and the others keep theirs.
func TestWithout(t *testing.T) {
	b := samples(2, 4, 3, 8, 8)
	p := planned(t, convolved(t, 17), Options{})
	if err := p.Calibrate(context.Background(), b, MinMax, calibrate.Options{}); err != nil {
		t.Fatal(err)
	}
	all, none := map[string]bool{}, map[string]bool{}
	float := run(t, p.Graph, b, false)
	for _, l := range p.Layers {
		q := p.Without(map[string]bool{l.Weight.Name: true}, "costs too much")
		for _, x := range q.Tensors {
			if x.Like == nil && x.scale().Step == 0 {
				t.Errorf("without %s %s has no scale", l.Weight.Name, x.Value.Name)
			}
		}
		g, err := q.Network()
		g = written(t, g, err)
		if d := apart(float, run(t, g, b, false)); d > .06 {
			t.Errorf("without %s: %.3g", l.Weight.Name, d)
		}
		if g.Value(l.Weight.Name).DType != tensor.Float32 || q.Left[0].Name != l.Weight.Name {
			t.Errorf("%s is integers", l.Weight.Name)
		}
		all[l.Weight.Name] = true
	}
	if q := p.Without(all, ""); len(q.Tensors) > 0 {
		t.Errorf("%d tensors are integers between layers in float", len(q.Tensors))
	}
	if q := p.Without(none, ""); len(q.Tensors) != len(p.Tensors) {
		t.Errorf("%d tensors, not %d", len(q.Tensors), len(p.Tensors))
	}
}

// attended is a block of a transformer over tokens that are looked up.
func attended(t *testing.T) *graph.Graph {
	g := graph.New("g", 17)
	x := &graph.Value{Name: "x", DType: tensor.Int64, Shape: graph.Shape{graph.Sym("N"), graph.N(6)}}
	g.Inputs = []*graph.Value{x}
	n := &net{op.NewBuilder(g, ""), rand.New(rand.NewPCG(1, 1)), x}
	h := n.Op("Gather", n.weight("table", 20, 32), x)
	q := n.Op("Add", n.Op("MatMul", h, n.weight("q", 32, 32)), n.weight("q.bias", 32))
	k := n.Op("MatMul", h, n.weight("k", 32, 32))
	q = n.Op("Mul", q, n.Scalar(.05, q))
	s := n.Attr("Softmax", []graph.Attr{graph.MakeAttr("axis", -1)}, n.Op("MatMul", q, n.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 2, 1})}, k)))
	o := n.Op("Add", h, n.Op("MatMul", n.Op("MatMul", s, h), n.weight("o", 32, 32)))
	o = n.Op("LayerNormalization", o, n.weight("ln", 32), n.weight("ln.bias", 32))
	return n.done(t, n.Op("MatMul", o, n.weight("head", 32, 7)))
}

func tokens(yield func(map[string]*tensor.Tensor) error) error {
	x := tensor.New(tensor.Int64, 4, 6)
	for i := range 24 {
		tensor.Of[int64](x)[i] = int64(i * 7 % 20)
	}
	return yield(map[string]*tensor.Tensor{"x": x})
}

// Matrices become integers by their inputs' own ranges, and weights alone by groups, both
// near the network in float; tables where they are asked for.
func TestWithoutSamples(t *testing.T) {
	float := run(t, attended(t), tokens, false)
	for _, c := range []struct {
		name string
		o    Options
		make func(p *Plan) (*graph.Graph, error)
		op   string
		n    int
		off  float64
	}{
		{"dynamic", Options{}, (*Plan).Dynamic, "MatMulInteger", 4, .05},
		{"dynamic, tables", Options{Scope: prune.Scope{Embeddings: true}}, (*Plan).Dynamic, "MatMulInteger", 4, .05},
		{"8 bits", Options{}, func(p *Plan) (*graph.Graph, error) { return p.WeightOnly(Groups{8, 16}) }, "MatMulNBits", 4, .02},
		{"4 bits", Options{}, func(p *Plan) (*graph.Graph, error) { return p.WeightOnly(Groups{4, 16}) }, "MatMulNBits", 4, .3},
		{"static", Options{}, func(p *Plan) (*graph.Graph, error) {
			if err := p.Calibrate(context.Background(), tokens, MinMax, calibrate.Options{}); err != nil {
				return nil, err
			}
			return p.Network()
		}, "QuantizeLinear", 3, .05},
	} {
		p := planned(t, attended(t), c.o)
		if c.o.Embeddings != (p.Layer("table") != nil) || !c.o.Embeddings && !strings.Contains(fmt.Sprint(p.Left), "embeddings") {
			t.Errorf("%s: left %v", c.name, p.Left)
		}
		g, err := c.make(p)
		g = written(t, g, err)
		n := 0
		for _, x := range g.Nodes {
			if x.Op == c.op {
				n++
			}
		}
		if n != c.n {
			t.Errorf("%s: %d times %s, want %d", c.name, n, c.op, c.n)
		}
		got := run(t, g, tokens, false)
		if d := apart(float, got); d > c.off || d == 0 {
			t.Errorf("%s: %.3g of the range away", c.name, d)
		}
		if d := apart(got, run(t, g, tokens, true)); d > .02 {
			t.Errorf("%s: the engine is %.3g away", c.name, d)
		}
		if tab := g.Value("table"); (tab.DType == tensor.Int8) != c.o.Embeddings {
			t.Errorf("%s: the table is %v", c.name, tab.DType)
		}
	}
}

// A group's zeros stay zero, each number is within half a step, and rows that do not fill
// their last group are whole.
func TestGroups(t *testing.T) {
	n := newNet(17, graph.Sym("N"), graph.N(40))
	g := n.done(t, n.Op("MatMul", n.x, n.weight("w", 40, 3)))
	w := g.Value("w").Const.F32()
	for i := range w {
		if i%4 == 0 {
			w[i] = 0
		}
	}
	for _, bits := range []int{4, 8} {
		p := planned(t, g, Options{})
		q, err := p.WeightOnly(Groups{bits, 16})
		q = written(t, q, err)
		eye := func(yield func(map[string]*tensor.Tensor) error) error {
			x := tensor.New(tensor.Float32, 40, 40)
			for i := range 40 {
				x.F32()[41*i] = 1
			}
			return yield(map[string]*tensor.Tensor{"x": x})
		}
		y := run(t, q, eye, false)["y0"].F32()
		for i, v := range y {
			most := float32(0)
			for k := i / 3 / 16 * 16; k < min(40, (i/3/16+1)*16); k++ {
				most = max(most, w[k*3+i%3], -w[k*3+i%3])
			}
			d := v - w[i]
			if lim := most / float32(int(1)<<(bits-1)-1); w[i] == 0 && v != 0 || max(d, -d) > lim*.5 && max(w[i], -w[i]) < .7*most || max(d, -d) > most*.31 {
				t.Errorf("%d bits: entry %d is %v, was %v", bits, i, v, w[i])
			}
		}
	}
	for _, q := range []Groups{{3, 32}, {4, 8}, {8, 48}, {4, 0}} {
		if q.Check() == nil {
			t.Errorf("%+v is taken", q)
		}
	}
}

// What cannot be is refused by name.
func TestRefused(t *testing.T) {
	b := samples(2, 4, 3, 8, 8)
	p := planned(t, convolved(t, 17), Options{})
	if err := p.Calibrate(context.Background(), b, MinMax, calibrate.Options{}); err != nil {
		t.Fatal(err)
	}
	q, err := p.Network()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewPlan(q, Options{}); err == nil || !strings.Contains(err.Error(), "quantised already") {
		t.Errorf("twice: %v", err)
	}
	if _, err := NewPlan(convolved(t, 17), Options{Scope: prune.Scope{Exclude: []string{"stme"}}}); err == nil || !strings.Contains(err.Error(), "stem") {
		t.Errorf("an unknown layer: %v", err)
	}
	if _, err := NewPlan(convolved(t, 17), Options{Scope: prune.Scope{Exclude: []string{"*"}}}); err == nil || !strings.Contains(err.Error(), "left out by name") {
		t.Errorf("no layer: %v", err)
	}
	g := convolved(t, 17)
	g.Value("fc").Const.F32()[3] = float32(math.NaN())
	if _, err := NewPlan(g, Options{}); err == nil || !strings.Contains(err.Error(), `"fc" has a NaN`) {
		t.Errorf("a NaN: %v", err)
	}
	n := newNet(17, graph.Sym("N"), graph.N(4))
	g = n.done(t, n.Op("MatMul", n.Op("Log", n.x), n.weight("w", 4, 2)))
	p = planned(t, g, Options{})
	if err := p.Calibrate(context.Background(), samples(1, 4, 4), MinMax, calibrate.Options{}); err == nil || !strings.Contains(err.Error(), "NaN") {
		t.Errorf("activations that are no numbers: %v", err)
	}
}

// A bias that does not fit its integers raises the step of its channel.
func TestLargeBias(t *testing.T) {
	n := newNet(17, graph.Sym("N"), graph.N(4))
	g := n.done(t, n.Attr("Gemm", []graph.Attr{graph.MakeAttr("transB", 1)}, n.x, n.weight("w", 2, 4), n.weight("b", 2)))
	g.Value("w").Const.F32()[0], g.Value("w").Const.F32()[1] = 1e-9, 1e-9
	g.Value("w").Const.F32()[2], g.Value("w").Const.F32()[3] = 0, 0
	g.Value("b").Const.F32()[0] = 1000
	p := planned(t, g, Options{})
	b := samples(2, 8, 4)
	if err := p.Calibrate(context.Background(), b, MinMax, calibrate.Options{}); err != nil {
		t.Fatal(err)
	}
	q, err := p.Network()
	if d := apart(run(t, g, b, false), run(t, written(t, q, err), b, false)); d > .01 {
		t.Errorf("%.3g away", d)
	}
}
