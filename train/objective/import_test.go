package objective

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/randnet"
	"pare/onnx"
	"pare/tensor"
)

func in(g *graph.Graph, name string, d tensor.DType, shape ...graph.Dim) *graph.Value {
	v := &graph.Value{Name: name, DType: d, Shape: shape}
	g.Inputs = append(g.Inputs, v)
	return v
}

func one(name string, v any) []graph.Attr { return []graph.Attr{graph.MakeAttr(name, v)} }

// anchors are boxes (x0 y0 x1 y1) of a grid of two by two, in two sizes.
func anchors() *tensor.Tensor {
	var v []float32
	for _, size := range []float32{.3, .5} {
		for _, y := range []float32{.25, .75} {
			for _, x := range []float32{.25, .75} {
				v = append(v, x-size/2, y-size/2, x+size/2, y+size/2)
			}
		}
	}
	return tensor.From(v, len(v)/4, 4)
}

// detection is the loss of a single-shot detector (Liu et al. 2016) as an exporter writes
// it: anchors take the box that they overlap most, and the class 0 where that is less than a
// third; smooth L1 of the boxes of those that have one, cross-entropy of these and of the
// three times as many others that are worst, over the number of the former. Boxes of
// class 0 are padding.
func detection(opset int) *graph.Graph {
	g := graph.New("detection", opset)
	n, m := graph.Sym("batch"), graph.Sym("objects")
	scores := in(g, "scores", tensor.Float32, n, graph.N(8), graph.N(3))
	boxes := in(g, "boxes", tensor.Float32, n, graph.N(8), graph.N(4))
	box := in(g, "box", tensor.Float32, n, m, graph.N(4))
	class := in(g, "class", tensor.Int32, n, m)
	b := op.NewBuilder(g, "v")
	number := func(x float32) *graph.Value {
		return b.Attr("Constant", one("value", tensor.Scalar(x)))
	}
	a := b.Unsqueeze(g.Const("anchors", anchors(), graph.Auto), 0, 2) // [1 A 1 4]
	t := b.Unsqueeze(box, 1)                                          // [N 1 M 4]
	corner := func(x *graph.Value, k ...int) *graph.Value {
		return b.Attr("Gather", one("axis", 3), x, b.Ints(k...))
	}
	side := b.Op("Relu", b.Op("Sub", b.Op("Min", corner(a, 2, 3), corner(t, 2, 3)), b.Op("Max", corner(a, 0, 1), corner(t, 0, 1))))
	area := func(sides *graph.Value) *graph.Value {
		return b.Op("Mul", b.Squeeze(corner(sides, 0), 3), b.Squeeze(corner(sides, 1), 3))
	}
	both := area(side)
	all := b.Op("Add", area(b.Op("Sub", corner(a, 2, 3), corner(a, 0, 1))), area(b.Op("Sub", corner(t, 2, 3), corner(t, 0, 1))))
	real := b.Unsqueeze(b.Op("Greater", class, b.Const(tensor.Scalar[int32](0))), 1)
	iou := b.Op("Where", real, b.Op("Div", both, b.Op("Sub", all, both)), number(0)) // [N A M]
	best := b.Attr("ArgMax", []graph.Attr{graph.MakeAttr("axis", 2), graph.MakeAttr("keepdims", 0)}, iou)
	top := b.Reduce("ReduceMax", iou, false, 2)
	has := b.Op("Greater", top, number(1./3))
	wanted := b.Op("Where", has, b.Attr("Cast", one("to", tensor.Int64), b.Attr("GatherElements", one("axis", 1), class, best)), b.Const(tensor.Scalar[int64](0)))
	four := b.Op("Expand", b.Unsqueeze(best, 2), b.Ints(1, 1, 4))
	place := b.Attr("GatherElements", one("axis", 1), box, four)
	// smooth L1
	d := b.Op("Abs", b.Op("Sub", boxes, place))
	l1 := b.Op("Where", b.Op("Less", d, number(1)), b.Op("Mul", number(.5), b.Op("Mul", d, d)), b.Op("Sub", d, number(.5)))
	mask := b.Attr("Cast", one("to", tensor.Float32), has)
	located := b.Attr("ReduceSum", one("keepdims", 0), b.Op("Mul", l1, b.Unsqueeze(mask, 2)))
	// cross-entropy
	logp := b.Attr("LogSoftmax", one("axis", 2), scores)
	nll := b.Op("Neg", b.Squeeze(b.Attr("GatherElements", one("axis", 2), logp, b.Unsqueeze(wanted, 2)), 2))
	others := b.Op("Where", has, number(0), nll)
	sorted := b.Node("", "TopK", 2, []*graph.Value{others, b.Ints(8)}, one("axis", 1)...).Out(0)
	count := b.Sum(mask, true, 1)
	rank := b.Const(tensor.From([]float32{0, 1, 2, 3, 4, 5, 6, 7}, 1, 8))
	worst := b.Attr("Cast", one("to", tensor.Float32), b.Op("Less", rank, b.Op("Mul", count, number(3))))
	chosen := b.Op("Add", b.Attr("ReduceSum", one("keepdims", 0), b.Op("Mul", nll, mask)), b.Attr("ReduceSum", one("keepdims", 0), b.Op("Mul", sorted, worst)))
	loss := b.Op("Div", b.Op("Add", located, chosen), b.Op("Max", b.Attr("ReduceSum", one("keepdims", 0), mask), number(1)))
	if b.Err() != nil {
		panic(b.Err())
	}
	loss.Name = "loss"
	top.Name = "overlap"
	g.Outputs = []*graph.Value{top, loss}
	return g
}

// byHand is the same, written as the paper says.
func byHand(scores, boxes, box []float32, class []int64, n, m int) float64 {
	a := anchors().F32()
	total, matched := 0.0, 0
	for i := range n {
		var others []float64
		mine := 0
		for k := range 8 {
			best, to := 0.0, -1
			for j := range m {
				if class[i*m+j] == 0 {
					continue
				}
				t, p := box[(i*m+j)*4:], a[k*4:]
				side := func(d int) float64 { return max(0, float64(min(t[d+2], p[d+2])-max(t[d], p[d]))) }
				size := func(x []float32) float64 { return float64((x[2] - x[0]) * (x[3] - x[1])) }
				both := side(0) * side(1)
				if o := both / (size(t) + size(p) - both); o > best {
					best, to = o, j
				}
			}
			row := scores[(i*8+k)*3:]
			s := math.Exp(float64(row[0])) + math.Exp(float64(row[1])) + math.Exp(float64(row[2]))
			nll := func(c int64) float64 { return math.Log(s) - float64(row[c]) }
			if best <= 1./3 {
				others = append(others, nll(0))
				continue
			}
			mine++
			total += nll(class[i*m+to])
			for d := range 4 {
				x := math.Abs(float64(boxes[(i*8+k)*4+d] - box[(i*m+to)*4+d]))
				if x < 1 {
					total += x * x / 2
				} else {
					total += x - .5
				}
			}
		}
		for range min(3*mine, len(others)) {
			worst := 0
			for j, v := range others {
				if v > others[worst] {
					worst = j
				}
			}
			total += others[worst]
			others[worst] = -1
		}
		matched += mine
	}
	return total / float64(max(1, matched))
}

// A detector's loss from a file computes what the paper says, and the gradient goes through
// its matching and mining as finite differences say.
func TestImportDetection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "detection.onnx")
	if err := onnx.Write(path, detection(13), onnx.Options{}); err != nil {
		t.Fatal(err)
	}
	o, err := Parse("0.5*onnx:" + quoted(path) + "(scores=head/cls,boxes=head/loc)")
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Load(); err != nil {
		t.Fatal(err)
	}
	loss := o[0].Graph
	const n, m = 2, 3
	box := grid[float32](n, .1, .1, .4, .4, .5, .5, 1, 1, 0, 0, 0, 0, .1, .6, .4, .9, 0, 0, 0, 0, 0, 0, 0, 0).Reshape(n, m, 4)
	class := grid[int64](n, 1, 2, 0, 2, 0, 0)
	for _, opset := range []int{18, 11} {
		g := graph.New("network", opset)
		scores := in(g, "x0", tensor.Float32, graph.N(n), graph.N(8), graph.N(3))
		boxes := in(g, "x1", tensor.Float32, graph.N(n), graph.N(8), graph.N(4))
		values := map[string]*graph.Value{"head/cls": scores, "head/loc": boxes, "box": in(g, "box", tensor.Float32, graph.N(n), graph.N(m), graph.N(4)),
			"class": in(g, "class", tensor.Int64, graph.N(n), graph.N(m))}
		before := len(loss.Nodes)
		v, err := o[0].Import(op.NewBuilder(g, "loss"), loss, values)
		if err != nil {
			t.Fatal(err)
		}
		if len(loss.Nodes) != before {
			t.Error("the loss was changed")
		}
		g.Outputs = []*graph.Value{v}
		for _, c := range g.Consts() {
			if c.Role != graph.Frozen {
				t.Errorf("constant %q has role %d", c.Name, c.Role)
			}
		}
		seen := map[string]bool{}
		for _, v := range g.Values() {
			if seen[v.Name] {
				t.Errorf("two values are called %q", v.Name)
			}
			seen[v.Name] = true
		}
		feed := map[string]*tensor.Tensor{"x0": draw(1, n, 8, 3), "x1": draw(2, n, 8, 4), "box": box, "class": class}
		want := byHand(feed["x0"].F32(), feed["x1"].F32(), box.F32(), tensor.Of[int64](class), n, m) / 2
		for _, output := range []string{"x0", "x1"} {
			r := &rig{g: g, loss: v, feed: feed}
			for i, in := range g.Inputs {
				if in.Name == output {
					g.Inputs[0], g.Inputs[i] = g.Inputs[i], g.Inputs[0]
				}
			}
			w := r.wide()
			w.feed["output"] = w.feed[output]
			got, grad := w.run(t)
			if !near(got, want, 1e-6) {
				t.Errorf("the loss is %v, want %v", got, want)
			}
			differences(t, w, grad)
			fast, by := r.plan(t)
			if !near(fast, want, 1e-5) {
				t.Errorf("the engine gives %v, want %v", fast, want)
			}
			for i := range by {
				if !near(by[i], grad[i], 1e-5) {
					t.Fatalf("the engine's gradient %d is %v, want %v", i, by[i], grad[i])
				}
			}
		}
	}
}

// A loss with a branch and a loop, in float64, of shape [1].
func TestImportSubgraphs(t *testing.T) {
	loss := graph.New("loss", 16)
	x := in(loss, "x", tensor.Float64, graph.Sym("n"), graph.N(3))
	b := op.NewBuilder(loss, "l")
	hot := b.Attr("ReduceMax", one("keepdims", 0), x)
	branch := func(name, what string, by float64) graph.Attr {
		s := graph.New(name, 16)
		s.Outputs = []*graph.Value{op.NewBuilder(s, "l").Op(what, x, s.Const("by", tensor.Scalar(by), graph.Auto))}
		return graph.MakeAttr(name, s)
	}
	chosen := b.Node("", "If", 1, []*graph.Value{b.Op("Greater", hot, b.Const(tensor.Scalar(2.)))}, branch("then_branch", "Mul", 2), branch("else_branch", "Add", 1)).Out(0)
	body := graph.New("body", 16)
	in(body, "i", tensor.Int64)
	in(body, "go", tensor.Bool)
	sum := in(body, "l", tensor.Float64, x.Shape...)
	bb := op.NewBuilder(body, "l")
	body.Outputs = []*graph.Value{bb.Op("Identity", body.Inputs[1]), bb.Op("Add", bb.Op("Mul", sum, sum), x)}
	looped := b.Node("", "Loop", 1, []*graph.Value{b.Const(tensor.Scalar[int64](2)), nil, chosen}, graph.MakeAttr("body", body)).Out(0)
	y := b.Op("Reshape", b.Attr("ReduceMean", one("keepdims", 0), looped), b.Ints(1))
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	loss.Outputs = []*graph.Value{y}
	f := func(v float64, hot bool) float64 {
		s := v + 1
		if hot {
			s = 2 * v
		}
		s = s*s + v
		return s*s + v
	}
	for _, hot := range []bool{false, true} {
		g := graph.New("network", 18)
		out := in(g, "out", tensor.Float32, graph.N(2), graph.N(3))
		v, err := Import(op.NewBuilder(g, "loss"), loss, map[string]*graph.Value{"x": out})
		if err != nil {
			t.Fatal(err)
		}
		g.Outputs = []*graph.Value{v}
		feed := numbers(.5, -.5, 1, .25, 1.5, -1).Reshape(2, 3)
		if hot {
			feed.F32()[0] = 3
		}
		want := 0.0
		for _, v := range feed.F32() {
			want += f(float64(v), hot) / 6
		}
		r := &rig{g: g, loss: v, feed: map[string]*tensor.Tensor{"out": feed}}
		got, grad := r.run(t)
		if !near(got, want, 1e-5) || len(v.Shape) != 0 {
			t.Errorf("hot %v: the loss is %v, want %v", hot, got, want)
		}
		const h = 1e-6
		for i, v := range feed.F32() {
			if d := (f(float64(v)+h, hot) - f(float64(v)-h, hot)) / (12 * h); !near(grad[i], d, 1e-4) {
				t.Errorf("hot %v: gradient %d is %v, want %v", hot, i, grad[i], d)
			}
		}
	}
}

// What does not fit is named, with what would.
func TestImportErrors(t *testing.T) {
	outputs := func(g *graph.Graph) map[string]*graph.Value {
		return map[string]*graph.Value{"logits": in(g, "logits", tensor.Float32, graph.N(4), graph.N(3)), "label": in(g, "label", tensor.Int64, graph.N(4)),
			"boxes": in(g, "boxes", tensor.Float32, graph.N(5), graph.N(4))}
	}
	mean := func(b *op.Builder, v *graph.Value) *graph.Value {
		return b.Attr("ReduceMean", one("keepdims", 0), v)
	}
	n := graph.Sym("n")
	for want, make := range map[string]func(g *graph.Graph, b *op.Builder) []*graph.Value{
		`its input "logit" float32[n 3] has the name of no output and no target (did you mean logits?); those that would fit are "logits" float32[4 3]: rename it, or bind it with onnx:FILE(logit=NAME)`: func(g *graph.Graph, b *op.Builder) []*graph.Value {
			return []*graph.Value{mean(b, in(g, "logit", tensor.Float32, n, graph.N(3)))}
		},
		`none of "boxes" float32[5 4], "label" int64[4], "logits" float32[4 3] is like it`: func(g *graph.Graph, b *op.Builder) []*graph.Value {
			return []*graph.Value{mean(b, in(g, "depth", tensor.Float32, n, n, n))}
		},
		`its input "logits" is float32[n 5], and what it is bound to, "logits", is float32[4 3]`: func(g *graph.Graph, b *op.Builder) []*graph.Value {
			return []*graph.Value{mean(b, in(g, "logits", tensor.Float32, n, graph.N(5)))}
		},
		`its input "label" is float32[n], and what it is bound to, "label", is int64[4]`: func(g *graph.Graph, b *op.Builder) []*graph.Value {
			return []*graph.Value{mean(b, in(g, "label", tensor.Float32, n))}
		},
		`its size "n" is 4 in axis 0 of input "logits" and 5 in axis 0 of input "boxes"`: func(g *graph.Graph, b *op.Builder) []*graph.Value {
			x := b.Op("Add", mean(b, in(g, "logits", tensor.Float32, n, graph.N(3))), mean(b, in(g, "boxes", tensor.Float32, n, graph.N(4))))
			return []*graph.Value{x}
		},
		`none is called loss`: func(g *graph.Graph, b *op.Builder) []*graph.Value {
			x := in(g, "logits", tensor.Float32, n, graph.N(3))
			return []*graph.Value{mean(b, x), mean(b, x)}
		},
		`float32[4 3]: a loss is one number`: func(g *graph.Graph, b *op.Builder) []*graph.Value {
			return []*graph.Value{b.Op("Relu", in(g, "logits", tensor.Float32, n, graph.N(3)))}
		},
		`a loss is a floating-point number`: func(g *graph.Graph, b *op.Builder) []*graph.Value {
			return []*graph.Value{b.Attr("ReduceMax", one("keepdims", 0), in(g, "label", tensor.Int64, n))}
		},
		"is not computed": func(g *graph.Graph, b *op.Builder) []*graph.Value {
			return []*graph.Value{in(g, "logits", tensor.Float32, n, graph.N(3))}
		},
		"it has no output": func(g *graph.Graph, b *op.Builder) []*graph.Value { return nil },
		"export the loss with opset 17, that of the network": func(g *graph.Graph, b *op.Builder) []*graph.Value {
			x := in(g, "logits", tensor.Float32, n, graph.N(3))
			return []*graph.Value{mean(b, b.Attr("Softmax", one("axis", 0), x))}
		},
		"Unheard": func(g *graph.Graph, b *op.Builder) []*graph.Value {
			x := in(g, "logits", tensor.Float32, n, graph.N(3))
			return g.Add("Unheard", "", []*graph.Value{x}, []string{"y"}).Outputs
		},
	} {
		loss := graph.New("loss", 11)
		loss.Outputs = make(loss, op.NewBuilder(loss, "l"))
		g := graph.New("network", 17)
		if _, err := Import(op.NewBuilder(g, "loss"), loss, outputs(g)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	loss := graph.New("loss", 17)
	b := op.NewBuilder(loss, "l")
	loss.Outputs = []*graph.Value{mean(b, in(loss, "scores", tensor.Float32, n, graph.N(3)))}
	for text, want := range map[string]string{
		"onnx:f(scores=logit)":  `input "scores" is bound to "logit", which is no output and no target (did you mean logits?)`,
		"onnx:f(score=logits)":  `it has no input "score" (did you mean scores?): it has "scores" float32[n 3]`,
		"onnx:f(scores=logits)": "",
	} {
		o, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		g := graph.New("network", 17)
		_, err = o[0].Import(op.NewBuilder(g, "loss"), loss, outputs(g))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if err := (Objective{{Weight: 1, Loss: MSE}, {Weight: 1, Loss: File, File: filepath.Join(t.TempDir(), "none.onnx")}}).Load(); err == nil {
		t.Error("a file that is not there was read")
	}
}

// Any network whose outputs are averaged is a loss, and computes the same in a graph of
// another opset, where it is not refused.
func TestImportRandom(t *testing.T) {
	taken, refused := 0, 0
	for seed := range uint64(150) {
		net := randnet.New(randnet.Seed(seed, 60), randnet.Options{})
		if net == nil {
			continue
		}
		loss := net.Graph
		b := op.NewBuilder(loss, "mean")
		var means []*graph.Value
		for _, o := range loss.Outputs {
			if o.DType == tensor.Float32 {
				means = append(means, mean(b, o))
			}
		}
		s, err := Sum(b, means)
		if err != nil {
			continue
		}
		loss.Outputs = []*graph.Value{s}
		g := graph.New("network", []int{9, 11, 13, 18, 20}[seed%5])
		feed, bind := map[string]*tensor.Tensor{}, map[string]*graph.Value{}
		for i, v := range loss.Inputs {
			shape, _ := v.Shape.Bind(map[string]int{"N": net.Batch}).Ints()
			x := draw(seed+uint64(i), shape...)
			if v.DType != tensor.Float32 {
				if x, err = op.Convert(x, v.DType); err != nil {
					t.Fatal(err)
				}
			}
			feed[v.Name] = x
			if len(loss.Uses()[v]) > 0 {
				dims := make([]graph.Dim, len(shape))
				for k, n := range shape {
					dims[k] = graph.N(n)
				}
				bind[v.Name] = in(g, v.Name, v.DType, dims...)
			}
		}
		want, err := op.Run(loss, feed)
		if err != nil {
			t.Fatal(err)
		}
		v, err := Import(op.NewBuilder(g, "loss"), loss, bind)
		if err != nil {
			if !strings.Contains(err.Error(), "export the loss with opset") {
				t.Errorf("seed %d: %v", seed, err)
			}
			refused++
			continue
		}
		taken++
		if again, err := op.Run(loss, feed); err != nil || again[s.Name].F32()[0] != want[s.Name].F32()[0] && !math.IsNaN(float64(want[s.Name].F32()[0])) {
			t.Errorf("seed %d: the loss was changed: %v", seed, err)
		}
		g.Outputs = []*graph.Value{v}
		for name := range feed {
			if bind[name] == nil {
				delete(feed, name)
			}
		}
		got, err := op.Run(g, feed)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		x, y := float64(got[v.Name].F32()[0]), float64(want[s.Name].F32()[0])
		if !near(x, y, 1e-5) && !(math.IsNaN(x) && math.IsNaN(y)) {
			t.Errorf("seed %d: %v, want %v", seed, x, y)
		}
	}
	if taken < 80 {
		t.Errorf("%d networks were taken and %d refused", taken, refused)
	}
	t.Logf("%d networks were taken, %d refused", taken, refused)
}
