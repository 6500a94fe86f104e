package structure_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/answer"
	"pare/onnx"
	"pare/prune/structure"
	"pare/tensor"
	"pare/zoo"
)

// zeroedIsCut checks every group: some of its channels at random, and then
// half of the channels of all groups at once.
func zeroedIsCut(t *testing.T, name string, g *graph.Graph) []*structure.Group {
	t.Helper()
	if _, err := op.Simplify(g); err != nil {
		t.Fatal(name, err)
	}
	r := rand.New(rand.NewPCG(7, 7))
	for _, v := range g.Consts() { // a fresh normalisation would hide a forgotten one
		if v.Role == graph.Stat {
			for i := range v.Const.F32() {
				v.Const.F32()[i] = .5 + r.Float32()
			}
		}
		if v.Role == graph.Param && len(v.Shape) == 1 {
			for i := range v.Const.F32() {
				v.Const.F32()[i] += .3 * r.Float32()
			}
		}
	}
	groups, _ := structure.Groups(g)
	check := func(what string, s structure.Selection) {
		c, err := structure.Cut(g, groups, s)
		if err != nil {
			t.Fatal(name, what, err)
		}
		answer.Same(t, name+" "+what, answer.ToNoise(t, structure.Zero(g, groups, s)), answer.ToNoise(t, c))
		if a, b := structure.CostOf(g), structure.CostOf(c); b.Params >= a.Params {
			t.Fatalf("%s %s: %d parameters after cutting, %d before", name, what, b.Params, a.Params)
		}
	}
	for i, grp := range groups {
		s := structure.All(groups)
		for c := range grp.Channels {
			if r.IntN(3) == 0 && s[i].Count() > 1 {
				s[i].Set(c, false)
			}
		}
		if s[i].Count() == len(grp.Channels) {
			s[i].Set(0, false)
		}
		check("group "+grp.Name, s)
	}
	s := structure.All(groups)
	for i, grp := range groups {
		for c := range grp.Channels {
			if r.IntN(2) == 0 && s[i].Count() > 1 {
				s[i].Set(c, false)
			}
		}
	}
	if len(groups) == 1 && s[0].Count() == len(groups[0].Channels) { // by chance
		s[0].Set(0, false)
	}
	check("all groups", s)
	if n := reordered(t, name, g); n == 0 {
		t.Logf("%s: no group is put into another order", name)
	}
	return groups
}

func TestZoo(t *testing.T) {
	for _, c := range []struct {
		name   string
		groups int
		o      zoo.Options
	}{
		{"mlp:64-100-50-10", 2, zoo.Options{}},
		{"lenet-300-100", 2, zoo.Options{}},
		{"lenet-5", 3, zoo.Options{}},
		{"conv-2", 4, zoo.Options{In: []int{3, 8, 8}}},
		{"conv-4", 6, zoo.Options{In: []int{3, 8, 8}, Width: .25}},
		{"conv-6", 8, zoo.Options{In: []int{3, 8, 8}, Width: .25}},
		{"resnet20", 12, zoo.Options{In: []int{3, 16, 16}}},
		{"resnet20-b", 12, zoo.Options{In: []int{3, 16, 16}}},
		{"resnet32", 18, zoo.Options{In: []int{3, 8, 8}}},
		{"resnet56", 30, zoo.Options{In: []int{3, 8, 8}}},
		{"resnet110", 57, zoo.Options{In: []int{3, 8, 8}, Width: .5}},
		{"vgg16-bn", 13, zoo.Options{In: []int{3, 16, 16}, Width: .125}},
		{"wrn-16-4", 9, zoo.Options{In: []int{3, 8, 8}, Width: .25}},
		{"mobilenetv2", 0, zoo.Options{In: []int{3, 16, 16}, Width: .25}},
		{"vit-tiny", 9, zoo.Options{In: []int{3, 8, 8}}},
		{"gpt-tiny", 9, zoo.Options{In: []int{6}, Classes: 11}},
		{"resnet50-imagenet", 37, zoo.Options{In: []int{3, 32, 32}, Width: .125, Classes: 7}},
		{"bert-2-48-3", 4, zoo.Options{In: []int{6}, Classes: 11}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := zoo.New(c.name, c.o)
			if err != nil {
				t.Fatal(err)
			}
			groups := zeroedIsCut(t, c.name, g)
			if c.groups > 0 && len(groups) != c.groups || len(groups) == 0 {
				t.Errorf("%d groups, want %d", len(groups), c.groups)
				for _, g := range groups {
					t.Log(g)
				}
			}
		})
	}
}

// Networks that others trained, where PARE_DATA names the folder that holds
// models/*.onnx.
func TestTrained(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(os.Getenv("PARE_DATA"), "models", "cifar10-*.onnx"))
	if os.Getenv("PARE_DATA") == "" || len(files) == 0 {
		t.Skip("PARE_DATA does not name a folder with models/cifar10-*.onnx")
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			g, err := onnx.Load(f)
			if err != nil {
				t.Fatal(err)
			}
			zeroedIsCut(t, filepath.Base(f), g)
		})
	}
}

// A residual block's coupling spans both branches, and Flatten maps a channel
// to a run of columns.
func TestCoupling(t *testing.T) {
	g, err := zoo.New("lenet-5", zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	groups, _ := structure.Groups(g)
	c2 := groups[1]
	if c2.Name != "conv2.weight" || len(c2.Channels) != 50 {
		t.Fatalf("second group: %v", c2)
	}
	for k, a := range c2.Axes {
		if a.Value.Name != "fc1.weight" {
			continue
		}
		at := c2.Channels[3].At[k]
		if len(at) != 16 || at[0] != 48 || at[15] != 63 {
			t.Errorf("channel 3 of conv2 is columns %v of fc1, want 48..63", at)
		}
	}
}

func TestSelect(t *testing.T) {
	g, err := zoo.New("resnet20", zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	groups, _ := structure.Groups(g)
	score := structure.Score(groups, structure.Squares)
	whole := structure.CostOf(g)
	for _, even := range []bool{false, true} {
		s, err := structure.Select(g, groups, score, structure.Target{MACs: .5, Even: even})
		if err != nil {
			t.Fatal(err)
		}
		c, err := structure.Cut(g, groups, s)
		if err != nil {
			t.Fatal(err)
		}
		if f := float64(structure.CostOf(c).MACs) / float64(whole.MACs); f > .5 || f < .42 {
			t.Errorf("even %v: %.3f of the MACs are left, want just under .5", even, f)
		}
	}
	if _, err := structure.Select(g, groups, score, structure.Target{MACs: 1e-4}); err == nil {
		t.Error("an unreachable target was accepted")
	}
	if whole != (structure.Cost{MACs: 40551040, Params: 269722}) {
		t.Errorf("ResNet-20 costs %+v", whole)
	}
}

// weights makes normal initialisers of a network.
func weights(g *graph.Graph, std float32) func(name string, shape ...int) *graph.Value {
	r := rand.New(rand.NewPCG(3, 3))
	return func(name string, shape ...int) *graph.Value {
		p := tensor.New(tensor.Float32, shape...)
		for i := range p.F32() {
			p.F32()[i] = std * float32(r.NormFloat64())
		}
		return g.Const(name, p, graph.Param)
	}
}

// branches is a network with what the zoo lacks: concatenation, split, slice
// and gather of channels, a grouped convolution, and a pad.
func branches(t *testing.T) *graph.Graph {
	t.Helper()
	g := graph.New("branches", 13)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(2), graph.N(6), graph.N(6)}}
	g.Inputs = []*graph.Value{x}
	b := op.NewBuilder(g, "n")
	w := weights(g, 1)
	conv := func(name string, x *graph.Value, out, groups int) *graph.Value {
		return b.Attr("Conv", []graph.Attr{graph.MakeAttr("pads", []int{1, 1, 1, 1}), graph.MakeAttr("group", groups)}, x,
			w(name+".w", out, x.Shape[1].Mul/groups, 3, 3), w(name+".b", out))
	}
	axis := graph.MakeAttr("axis", 1)
	l, m := b.Op("Relu", conv("a", x, 6, 1)), b.Op("Sigmoid", conv("b", x, 4, 1))
	j := b.Attr("Concat", []graph.Attr{axis}, l, m) // 10
	parts := b.Node("", "Split", 2, []*graph.Value{j, b.Ints(3, 7)}, axis)
	s := b.Op("Slice", parts.Outputs[1], b.Ints(1), b.Ints(6), b.Ints(1)) // channels 4..8
	k := b.Attr("Gather", []graph.Attr{axis}, parts.Outputs[0], b.Ints(2, 0, 1))
	p := b.Op("Pad", k, b.Ints(0, 1, 0, 0, 0, 1, 0, 0)) // 5
	h := b.Op("Add", s, p)
	h = b.Op("Relu", conv("g", b.Attr("Concat", []graph.Attr{axis}, h, h, h, h), 8, 4)) // grouped: 20 -> 8
	h = b.Op("Flatten", b.Attr("AveragePool", []graph.Attr{graph.MakeAttr("kernel_shape", []int{2, 2}), graph.MakeAttr("strides", []int{2, 2})}, h))
	y := b.Attr("Gemm", []graph.Attr{graph.MakeAttr("transB", 1)}, h, w("f.w", 3, h.Shape[1].Mul))
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	g.Outputs = []*graph.Value{y}
	return g
}

func TestBranches(t *testing.T) {
	g := branches(t)
	if groups := zeroedIsCut(t, "branches", g); len(groups) < 2 {
		for _, g := range groups {
			t.Log(g)
		}
		t.Errorf("%d groups", len(groups))
	}
}

// What has no rule stays whole, and is named.
func TestNoRule(t *testing.T) {
	g := branches(t)
	n := g.Nodes[1] // the ReLU behind conv a
	n.Op, n.Attrs = "CumSum", nil
	n.Inputs = append(n.Inputs, g.Const("axis", tensor.Scalar(int64(1)), graph.Frozen))
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	_, whole := structure.Groups(g)
	for _, p := range whole {
		if p.Value.Name == "a.w" {
			return
		}
	}
	t.Errorf("a.w is not among what stays whole: %v", whole)
}

// Residual sums tie what the blocks make, and the padded shortcuts the stages;
// a person reads which.
func TestExplain(t *testing.T) {
	g, err := zoo.New("resnet20", zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	groups, _ := structure.Groups(g)
	e := structure.Explain(g, groups)
	if len(e[0].Made) != 10 || e[0].Made[0] != "conv1" || len(e[0].Through) != 9 || e[0].Wide != 1 {
		t.Errorf("the first group: %+v", e[0])
	}
	if len(e[1].Made) != 1 || len(e[1].Read) != 1 || len(e[1].Through) != 0 {
		t.Errorf("the second group: %+v", e[1])
	}
	for i := range e {
		if !(e[i].Params > 0 && e[i].Params < 1 && e[i].MACs > 0 && e[i].MACs < 1) {
			t.Errorf("%s holds %v of the parameters and %v of the MACs", groups[i].Name, e[i].Params, e[i].MACs)
		}
	}
	layers := structure.Outline(g, groups)
	convs, sums := 0, 0
	for i, l := range layers {
		for _, f := range l.From {
			if f.Layer >= i {
				t.Errorf("%s comes before what it reads", l.Label)
			}
		}
		switch {
		case l.Weight != nil:
			convs++
		case l.Node.Is("Add"):
			sums++
		}
	}
	if convs != 20 || sums != 9 {
		t.Errorf("%d layers with weights and %d sums, want 20 and 9", convs, sums)
	}
}

// Finding the groups of networks of real size.
func BenchmarkGroups(b *testing.B) {
	for _, c := range []struct {
		name string
		o    zoo.Options
	}{{"resnet50-imagenet", zoo.Options{In: []int{3, 224, 224}, Classes: 1000}}, {"bert-12-768-12", zoo.Options{In: []int{128}, Classes: 30522}}} {
		b.Run(c.name, func(b *testing.B) {
			g, err := zoo.New(c.name, c.o)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if groups, _ := structure.Groups(g); len(groups) == 0 {
					b.Fatal("no groups")
				}
			}
		})
	}
}

// Group normalisation as PyTorch exports it, reshaped to groups and back, lets
// whole groups go; a shuffle lets go what it keeps together.
func TestRegrouped(t *testing.T) {
	g := graph.New("regrouped", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(2), graph.N(6), graph.N(4)}}
	g.Inputs = []*graph.Value{x}
	b := op.NewBuilder(g, "n")
	w := weights(g, 1)
	conv := func(name string, x *graph.Value, out int) *graph.Value {
		return b.Attr("Conv", []graph.Attr{graph.MakeAttr("pads", []int{1, 1, 1, 1})}, x, w(name, out, x.Shape[1].Mul, 3, 3))
	}
	h := conv("a", x, 12)
	h = b.Op("InstanceNormalization", b.Op("Reshape", h, b.Ints(0, 4, -1)), w("scale", 4), w("bias", 4))
	h = b.Op("Mul", b.Op("Reshape", h, b.Ints(0, 12, 6, 4)), w("gamma", 12, 1, 1))
	h = conv("b", h, 8)
	h = b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 2, 1, 3, 4})}, b.Op("Reshape", h, b.Ints(0, 2, 4, 6, 4)))
	h = conv("c", b.Op("Reshape", h, b.Ints(0, 8, 6, 4)), 3)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	g.Outputs = []*graph.Value{h}
	groups := zeroedIsCut(t, "regrouped", g)
	if len(groups) != 2 || len(groups[0].Channels) != 4 || len(groups[1].Channels) != 4 {
		for _, g := range groups {
			t.Log(g)
		}
		t.Errorf("%d groups, want 4 channels of a and 4 of b", len(groups))
	}
}

// The hidden width under a mean of squares, heads that share keys, and units of
// a recurrent network can be cut, and what is left computes the same.
func TestSums(t *testing.T) {
	g := graph.New("sums", 17)
	x := &graph.Value{Name: "x", DType: tensor.Int64, Shape: graph.Shape{graph.Sym("N"), graph.N(5)}}
	g.Inputs = []*graph.Value{x}
	b := op.NewBuilder(g, "n")
	w := weights(g, .3)
	e := b.Op("Gather", w("table", 10, 12), x) // N 5 12
	m := b.Attr("ReduceMean", []graph.Attr{graph.MakeAttr("axes", []int{-1})}, b.Op("Mul", e, e))
	h := b.Op("Mul", b.Op("Div", e, b.Op("Sqrt", b.Op("Add", m, b.Const(tensor.Scalar(float32(.01)))))), w("norm", 12))
	heads := func(name string, n int) *graph.Value {
		y := b.Op("Reshape", b.Op("MatMul", h, w(name, 12, n*3)), b.Ints(0, 5, n, 3))
		return b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 2, 1, 3})}, y) // N n 5 3
	}
	repeat := func(v *graph.Value) *graph.Value { // two heads to four
		v = b.Op("Expand", b.Unsqueeze(v, 2), b.Ints(1, 1, 2, 1, 1))
		return b.Op("Reshape", v, b.Ints(0, 4, 5, 3))
	}
	k := b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 1, 3, 2})}, repeat(heads("k", 2)))
	a := b.Op("MatMul", b.Attr("Softmax", nil, b.Op("MatMul", heads("q", 4), k)), repeat(heads("v", 2)))
	a = b.Op("Reshape", b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{0, 2, 1, 3})}, a), b.Ints(0, 5, 12))
	h = b.Op("Add", e, b.Op("MatMul", a, w("o", 12, 12)))
	h = b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{1, 0, 2})}, h)
	l := b.Node("", "LSTM", 1, []*graph.Value{h, w("w", 2, 16, 12), w("r", 2, 16, 4), w("b", 2, 32)},
		graph.MakeAttr("hidden_size", 4), graph.MakeAttr("direction", "bidirectional"))
	h = b.Attr("Transpose", []graph.Attr{graph.MakeAttr("perm", []int{2, 0, 1, 3})}, l.Outputs[0])
	y := b.Op("MatMul", b.Op("Reshape", h, b.Ints(0, 5, 8)), w("head", 8, 3))
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	g.Outputs = []*graph.Value{y}
	groups := zeroedIsCut(t, "sums", g)
	var channels []int
	for _, g := range groups {
		channels = append(channels, len(g.Channels))
	}
	if !slices.Equal(channels, []int{12, 2, 4}) { // width, keys' heads, units
		for _, g := range groups {
			t.Log(g)
		}
		t.Errorf("groups of %v channels, want 12 2 4", channels)
	}
}

// A network whose width under layer normalisations was cut is cut again, and
// gets no nodes for it.
func TestCutAgain(t *testing.T) {
	g, err := zoo.New("vit-tiny", zoo.Options{In: []int{3, 8, 8}})
	if err != nil {
		t.Fatal(err)
	}
	half := func(g *graph.Graph) *graph.Graph {
		groups, _ := structure.Groups(g)
		s := structure.All(groups)
		for i, grp := range groups {
			for c := range len(grp.Channels) / 2 {
				s[i].Set(2*c, false)
			}
		}
		c, err := structure.Cut(g, groups, s)
		if err != nil {
			t.Fatal(err)
		}
		answer.Same(t, "cut", answer.ToNoise(t, structure.Zero(g, groups, s)), answer.ToNoise(t, c))
		return c
	}
	once := half(g)
	twice := half(once)
	if len(once.Nodes) <= len(g.Nodes) || len(twice.Nodes) != len(once.Nodes) {
		t.Errorf("%d nodes, %d once cut, %d twice", len(g.Nodes), len(once.Nodes), len(twice.Nodes))
	}
	zeroedIsCut(t, "once cut", once)
}
