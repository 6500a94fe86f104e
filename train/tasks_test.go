package train

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pare/dataset"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
	"pare/train/metric"
	"pare/train/objective"
)

// table is a network of named inputs and outputs that a test makes.
type table struct {
	*op.Builder
	r *rand.Rand
}

func newTable(seed uint64) *table {
	return &table{op.NewBuilder(graph.New("t", 17), "t"), rand.New(rand.NewPCG(seed, 2))}
}

func (n *table) input(name string, kind tensor.DType, shape ...int) *graph.Value {
	v := &graph.Value{Name: name, DType: kind, Shape: append(graph.Shape{graph.Sym("N")}, graph.Dims(shape...)...)}
	n.G.Inputs = append(n.G.Inputs, v)
	return v
}

func (n *table) weight(shape ...int) *graph.Value {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.F32() {
		t.F32()[i] = float32(n.r.NormFloat64() / math.Sqrt(float64(shape[0])))
	}
	return n.G.Const("w", t, graph.Param)
}

func (n *table) output(t *testing.T, named map[string]*graph.Value, order ...string) *graph.Graph {
	t.Helper()
	for _, name := range order {
		v := named[name]
		v.Name = name
		n.G.Outputs = append(n.G.Outputs, v)
	}
	if n.Err() != nil {
		t.Fatal(n.Err())
	}
	if err := op.InferAll(n.G); err != nil {
		t.Fatal(err)
	}
	op.Classify(n.G)
	return n.G
}

// draw gives n numbers.
func draw(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// learns trains and gives the score that decides, before and after.
func learns(t *testing.T, g *graph.Graph, s *dataset.Set, l Loss, epochs int, rate float64) (before, after Metrics) {
	t.Helper()
	e := NewEval(s, dataset.Raw, 16, one)
	e.Objective = l.Objective
	if l.Teacher != nil {
		e.Objective, e.Reference = objective.Objective{}, l.Teacher
	}
	before, err := e.Run(context.Background(), g)
	if err != nil {
		t.Fatal(err)
	}
	opt, err := ParseOptimizer("adam", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Fit(context.Background(), &Config{Graph: g, Train: NewData(&dataset.Loader{Set: s, Size: 16, Norm: dataset.Raw, Shuffle: true, Seed: 1}),
		Epochs: epochs, Optimizer: opt, Rate: Constant(rate), Loss: l, Engine: one})
	if err != nil {
		t.Fatal(err)
	}
	if after, err = e.Run(context.Background(), g); err != nil {
		t.Fatal(err)
	}
	return before, after
}

// Two inputs, bound by name and by shape, and three targets: R² of a linear map.
func TestRegression(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const rows = 100
	a, b := draw(r, rows*4), draw(r, rows*2)
	w := draw(r, 6*3)
	y := make([]float32, rows*3)
	for i := range rows {
		for k := range 3 {
			for j := range 6 {
				x := float32(0)
				if j < 4 {
					x = a[i*4+j]
				} else {
					x = b[i*2+j-4]
				}
				y[i*3+k] += x * w[j*3+k]
			}
		}
	}
	s := dataset.New("test", &dataset.Field{Name: "other", Shape: []int{2}, Floats: b}, &dataset.Field{Name: "target", Shape: []int{3}, Floats: y}, &dataset.Field{Name: "A", Shape: []int{4}, Floats: a})
	n := newTable(1)
	x, z := n.input("a", tensor.Float32, 4), n.input("z", tensor.Float32, 2)
	g := n.output(t, map[string]*graph.Value{"y": n.Op("MatMul", n.Attr("Concat", attrs("axis", 1), x, z), n.weight(6, 3))}, "y")
	before, after := learns(t, g, s, Loss{}, 60, .05)
	if m := after.Main(); m.Metric != "r2" || !(m.Value > .999) || before.Value() > .9 {
		t.Errorf("%+v, before %+v", m, before.Main())
	}
	if !(after.Loss < 1e-3 && after.Loss < before.Loss) || after.N != rows {
		t.Errorf("%+v", after)
	}
	if !strings.Contains(said(after), `the loss is mse(y,target)`) || !strings.Contains(said(after), `input "z" takes field "other"`) {
		t.Error(said(after))
	}
	// by hand: the mean over all samples, the last batch smaller than the others
	e := NewEval(s, dataset.Raw, 16, one)
	e.Metrics, _ = metric.Parse("mse,rmse(y,target)")
	m, err := e.Run(context.Background(), g)
	if err != nil || math.Abs(m.Scores[0].Value-m.Loss) > 1e-6 || math.Abs(m.Scores[1].Value-math.Sqrt(m.Loss)) > 1e-6 || m.Scores[1].Higher {
		t.Errorf("%+v, %v", m, err)
	}
}

// Every place of an image has a class; those of class -1 do not count.
func TestMasks(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	const rows, side = 40, 6
	x := draw(r, rows*side*side)
	y := make([]int32, len(x))
	for i, v := range x {
		switch {
		case i%7 == 0:
			y[i] = -1
		case v > .5:
			y[i] = 2
		case v > -.5:
			y[i] = 1
		}
	}
	s := dataset.New("test", &dataset.Field{Name: "image", Shape: []int{1, side, side}, Floats: x}, &dataset.Field{Name: "mask", Shape: []int{side, side}, Ints: y, Classes: 3})
	for _, last := range []bool{false, true} {
		n := newTable(3)
		in := n.input("image", tensor.Float32, 1, side, side)
		h := n.Op("Relu", n.Op("Conv", in, n.weight(8, 1, 1, 1), n.weight(8)))
		o := n.Op("Conv", h, n.weight(3, 8, 1, 1), n.weight(3))
		if last {
			o = n.Attr("Transpose", attrs("perm", []int{0, 2, 3, 1}), o)
		}
		g := n.output(t, map[string]*graph.Value{"logits": o}, "logits")
		_, after := learns(t, g, s, Loss{}, 60, .02)
		if m := after.Main(); m.Metric != "iou" || !(m.Value > .9) {
			t.Errorf("last %v: %+v", last, m)
		}
		if !strings.Contains(said(after), `field "mask": places of class -1 do not count`) {
			t.Error(said(after))
		}
	}
}

// Several labels at once, of a network that ends in a sigmoid.
func TestSeveralLabels(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 8))
	const rows = 64
	x := draw(r, rows*5)
	y := make([]uint8, rows*3)
	for i := range rows {
		for k := range 3 {
			if x[i*5+k]+x[i*5+k+1] > 0 {
				y[i*3+k] = 1
			}
		}
	}
	s := dataset.New("test", &dataset.Field{Name: "x", Shape: []int{5}, Floats: x}, &dataset.Field{Name: "tags", Shape: []int{3}, Bytes: y})
	n := newTable(4)
	g := n.output(t, map[string]*graph.Value{"p": n.Op("Sigmoid", n.Op("MatMul", n.input("features", tensor.Float32, 5), n.weight(5, 3)))}, "p")
	_, after := learns(t, g, s, Loss{}, 80, .05)
	if m := after.Main(); m.Metric != "average-precision" || !(m.Value > .98) {
		t.Errorf("%+v: %s", m, said(after))
	}
	if !strings.Contains(said(after), "bce(p,tags)") || !strings.Contains(said(after), "is a probability (Sigmoid)") {
		t.Error(said(after))
	}
}

// Without labels a network learns from another, all outputs, whole-number inputs too.
func TestWithoutLabels(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 8))
	const rows = 64
	ids, mask := make([]int32, rows*6), make([]int32, rows*6)
	for i := range ids {
		ids[i] = int32(r.IntN(9))
		if i%6 < 3+i%4 {
			mask[i] = 1
		}
	}
	s := dataset.New("test", &dataset.Field{Name: "input_ids", Shape: []int{6}, Ints: ids}, &dataset.Field{Name: "mask", Shape: []int{6}, Ints: mask})
	s.Bind = map[string]string{"token_type_ids": "0", "attention_mask": "mask"}
	build := func(seed uint64) *graph.Graph {
		n := newTable(seed)
		id, m, kinds := n.input("input_ids", tensor.Int64, 6), n.input("attention_mask", tensor.Int64, 6), n.input("token_type_ids", tensor.Int64, 6)
		x := n.Op("Add", n.Op("Gather", n.weight(9, 8), id), n.Op("Gather", n.weight(2, 8), kinds))
		x = n.Op("Mul", x, n.Unsqueeze(n.Attr("Cast", attrs("to", int(tensor.Float32)), m), 2))
		pooled := n.Sum(n.Op("Relu", n.Op("MatMul", x, n.weight(8, 8))), false, 1)
		length := n.Op("Sqrt", n.Sum(n.Op("Mul", pooled, pooled), true, 1))
		return n.output(t, map[string]*graph.Value{"embedding": n.Op("Div", pooled, n.Op("Add", length, n.Scalar(1e-6, length))), "size": n.Op("MatMul", pooled, n.weight(8, 2))}, "embedding", "size")
	}
	dense, student := build(1), build(1)
	for _, p := range student.Params() {
		for i := range p.Const.F32() {
			p.Const.F32()[i] += float32(.3 * r.NormFloat64())
		}
	}
	before, after := learns(t, student, s, Loss{Teacher: dense, Alpha: 1, T: 4, Objective: objective.Objective{}}, 400, .01)
	if len(after.Scores) != 2 || after.Scores[0].Metric != "cosine" || after.Scores[1].Metric != "relative-error" {
		t.Fatalf("%+v", after)
	}
	if after.Scores[0].Value < .96 || after.Scores[1].Value > .1 || before.Scores[1].Value < .2 {
		t.Errorf("%+v, before %+v", after.Scores, before.Scores)
	}
	same, err := (&Eval{Loader: &dataset.Loader{Set: s, Size: 7, Norm: dataset.Raw}, Engine: one, Judge: Judge{Objective: objective.Objective{}, Reference: dense}}).Run(context.Background(), dense)
	if err != nil || math.Abs(same.Scores[0].Value-1) > 1e-6 || same.Scores[1].Value > 1e-6 {
		t.Errorf("%+v, %v", same, err)
	}
}

// A loss that is a file is learnt from, and what does not fit is said by name.
func TestFileLoss(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 8))
	const rows = 48
	x := draw(r, rows*4)
	s := dataset.New("test", &dataset.Field{Name: "x", Shape: []int{4}, Floats: x}, &dataset.Field{Name: "want", Shape: []int{4}, Floats: x})
	n := newTable(6)
	in := n.input("in", tensor.Float32, 4)
	h := n.Op("MatMul", in, n.weight(4, 4))
	g := n.output(t, map[string]*graph.Value{"a": h, "b": n.Op("MatMul", h, n.weight(4, 2))}, "a", "b")
	s.Bind = map[string]string{"in": "x"}
	l := newTable(7)
	a, want := l.input("a", tensor.Float32, 4), l.input("want", tensor.Float32, 4)
	d := l.Op("Sub", a, want)
	loss := l.output(t, map[string]*graph.Value{"loss": l.Attr("ReduceMean", attrs("keepdims", 0), l.Op("Mul", d, d))}, "loss")
	file := Loss{Objective: objective.Objective{{Weight: 1, Loss: objective.File, File: "loss.onnx", Graph: loss}}}
	before, after := learns(t, g, s, file, 100, .03)
	if after.Loss > 1e-3 || before.Loss < .1 || len(after.Scores) != 0 || after.Main().Metric != "loss" || after.Main().Higher {
		t.Errorf("%+v, before %+v", after, before)
	}
	want.Name = "wanted"
	if _, err := NewView(g, s, 4, file.Objective); err == nil || !strings.Contains(err.Error(), `input "wanted" is no output of the network`) || !strings.Contains(err.Error(), `"want" [batch 4]`) {
		t.Error(err)
	}
}

// What may be meant in several ways is refused with the names that would fit.
func TestBindRefuses(t *testing.T) {
	x := make([]float32, 40)
	field := func(name string, shape ...int) *dataset.Field {
		return &dataset.Field{Name: name, Shape: shape, Floats: x[:10*size(shape)]}
	}
	net := func(outs int) *graph.Graph {
		n := newTable(1)
		a, b := n.input("p", tensor.Float32, 2), n.input("q", tensor.Float32, 2)
		s := n.Op("Add", a, b)
		named := map[string]*graph.Value{}
		var order []string
		for i := range outs {
			name := string(rune('u' + i))
			named[name] = n.Op("MatMul", s, n.weight(2, 3))
			order = append(order, name)
		}
		return n.output(t, named, order...)
	}
	for want, c := range map[string]struct {
		g    *graph.Graph
		s    *dataset.Set
		bind map[string]string
		loss string
	}{
		`may take the fields "a" [batch 2], "b" [batch 2]`:       {net(1), dataset.New("test", field("a", 2), field("b", 2), field("y", 3)), nil, ""},
		`field "a" fits several inputs`:                          {net(1), dataset.New("test", field("a", 2), field("y", 3)), nil, ""},
		`no field of the test set fits`:                          {net(1), dataset.New("test", field("a", 4), field("y", 3)), nil, ""},
		`there is no field "c"`:                                  {net(1), dataset.New("test", field("a", 2), field("b", 2)), map[string]string{"p": "c"}, ""},
		`the network has no input "r"`:                           {net(1), dataset.New("test", field("a", 2), field("b", 2)), map[string]string{"r": "a"}, ""},
		`several outputs of the network`:                         {net(2), dataset.New("test", field("p", 2), field("q", 2), field("y", 3)), nil, ""},
		`no output of the network, "u" [2 3], goes with the tar`: {net(1), dataset.New("test", field("p", 2), field("q", 2), field("y", 4)), nil, ""},
		`the network has no output "w"`:                          {net(2), dataset.New("test", field("p", 2), field("q", 2), field("y", 3)), nil, "mse(w,y)"},
		`the samples have no field "z"`:                          {net(2), dataset.New("test", field("p", 2), field("q", 2), field("y", 3)), nil, "mse(u,z)"},
		`no target holds classes`:                                {net(1), dataset.New("test", field("p", 2), field("q", 2), field("y", 3)), nil, "cross-entropy"},
		`every field is an input`:                                {net(1), dataset.New("test", field("p", 2), field("q", 2)), nil, "l1"},
	} {
		var o objective.Objective
		if c.loss != "" {
			var err error
			if o, err = objective.Parse(c.loss); err != nil {
				t.Fatal(err)
			}
		}
		c.s.Bind = c.bind
		if _, err := NewView(c.g, c.s, 2, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
}

// Without labels, and nothing to compare with, there is nothing to judge by.
func TestNothingToJudgeBy(t *testing.T) {
	s := dataset.New("test", &dataset.Field{Name: "x", Shape: []int{4}, Floats: make([]float32, 40)})
	n := newTable(6)
	g := n.output(t, map[string]*graph.Value{"y": n.Op("MatMul", n.input("x", tensor.Float32, 4), n.weight(4, 2))}, "y")
	if _, err := NewEval(s, dataset.Raw, 4, one).Run(context.Background(), g); err == nil || !strings.Contains(err.Error(), "give Reference") {
		t.Error(err)
	}
}

// Where a network fixes its batch, what fills up the last one counts neither for the
// metric nor for the loss, which says so.
func TestFixedBatchLoss(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 8))
	s := dataset.New("test", &dataset.Field{Name: "x", Shape: []int{4}, Floats: draw(r, 40)}, &dataset.Field{Name: "z", Shape: []int{2}, Floats: draw(r, 20)})
	build := func(batch graph.Dim) *graph.Graph {
		n := newTable(6)
		x := n.input("x", tensor.Float32, 4)
		x.Shape[0] = batch
		return n.output(t, map[string]*graph.Value{"y": n.Op("MatMul", x, n.weight(4, 2))}, "y")
	}
	run := func(g *graph.Graph, s *dataset.Set) Metrics {
		m, err := NewEval(s, dataset.Raw, 4, one).Run(context.Background(), g)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	fixed, free, first := run(build(graph.N(7)), s), run(build(graph.Sym("N")), s), run(build(graph.Sym("N")), s.First(7))
	if math.Abs(fixed.Value()-free.Value()) > 1e-6 || fixed.N != 10 {
		t.Errorf("%+v, want the score of %+v", fixed, free)
	}
	if math.Abs(fixed.Loss-first.Loss) > 1e-6 || !strings.Contains(said(fixed), "the loss is that of the first 7 samples") {
		t.Errorf("%+v, want the loss of %+v", fixed, first)
	}
}
