package objective

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// rig is a graph that is one objective of inputs "output" and "target".
type rig struct {
	g    *graph.Graph
	loss *graph.Value
	feed map[string]*tensor.Tensor
}

// build makes the rig of a term whose output and target are x and y.
func build(t *testing.T, text string, opset int, x, y *tensor.Tensor) *rig {
	t.Helper()
	o, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{g: graph.New(text, opset), feed: map[string]*tensor.Tensor{"output": x, "target": y}}
	for _, in := range []struct {
		name string
		t    *tensor.Tensor
	}{{"output", x}, {"target", y}} {
		r.g.Inputs = append(r.g.Inputs, &graph.Value{Name: in.name, DType: in.t.DType, Shape: graph.Dims(in.t.Shape...)})
	}
	b := op.NewBuilder(r.g, "loss")
	var terms []*graph.Value
	for _, term := range o {
		v, err := term.Build(b, r.g.Inputs[:1], r.g.Inputs[1:])
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		terms = append(terms, v)
	}
	if r.loss, err = Sum(b, terms); err != nil {
		t.Fatal(err)
	}
	if r.loss.DType != tensor.Float32 || len(r.loss.Shape) != 0 || r.loss.Shape == nil {
		t.Fatalf("%s is %v%v, not a number", text, r.loss.DType, r.loss.Shape)
	}
	r.g.Outputs = []*graph.Value{r.loss}
	return r
}

// wide is the rig in float64.
func (r *rig) wide() *rig {
	c, m := r.g.Clone(true)
	for _, v := range c.Values() {
		if v.DType == tensor.Float32 {
			if v.DType = tensor.Float64; v.Const != nil {
				v.Const = wide(v.Const)
			}
		}
	}
	for _, n := range c.Nodes {
		for i := range n.Attrs {
			if a := &n.Attrs[i]; (a.Name == "to" || a.Name == "dtype") && a.I == int64(tensor.Float32) {
				a.I = int64(tensor.Float64)
			}
		}
	}
	w := &rig{g: c, loss: m[r.loss], feed: map[string]*tensor.Tensor{}}
	for name, x := range r.feed {
		if w.feed[name] = x; x.DType == tensor.Float32 {
			w.feed[name] = wide(x)
		}
	}
	return w
}

func wide(x *tensor.Tensor) *tensor.Tensor {
	f, _ := x.Float64s()
	return tensor.From(f, x.Shape...)
}

// run gives the loss, and its gradient by the output, by the definitions.
func (r *rig) run(t *testing.T) (loss float64, grad []float64) {
	t.Helper()
	c, m := r.g.Clone(false)
	if err := op.InferAll(c); err != nil {
		t.Fatal(err)
	}
	d, err := op.Gradient(c, m[r.loss], nil, c.Inputs[:1])
	if err != nil || d[0] == nil {
		t.Fatalf("%s: gradient %v, %v", r.g.Name, d, err)
	}
	res, err := op.Run(c, r.feed, d[0], m[r.loss])
	if err != nil {
		t.Fatalf("%s: %v", r.g.Name, err)
	}
	f, err := res[m[r.loss].Name].Float64s()
	if err != nil {
		t.Fatal(err)
	}
	if grad, err = res[d[0].Name].Float64s(); err != nil {
		t.Fatal(err)
	}
	return f[0], grad
}

// plan gives what run does, by the engine.
func (r *rig) plan(t *testing.T) (loss float64, grad []float64) {
	t.Helper()
	c, m := r.g.Clone(false)
	d, err := op.Gradient(c, m[r.loss], nil, c.Inputs[:1])
	if err != nil {
		t.Fatal(err)
	}
	c.Outputs = []*graph.Value{m[r.loss], d[0]}
	p, err := engine.Compile(c, nil, engine.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for name, x := range r.feed {
		if p.Input(name) == nil {
			continue
		}
		if x.DType == tensor.Float32 {
			copy(p.Input(name).F32(), x.F32())
		} else {
			copy(tensor.Of[int64](p.Input(name)), tensor.Of[int64](x))
		}
	}
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	f, _ := p.Output(m[r.loss].Name).Float64s()
	grad, _ = p.Output(d[0].Name).Float64s()
	return f[0], grad
}

// draw is float32 standard normal numbers.
func draw(seed uint64, shape ...int) *tensor.Tensor {
	x := tensor.New(tensor.Float32, shape...)
	r := rand.New(rand.NewPCG(seed, 7))
	for i := range x.F32() {
		x.F32()[i] = float32(r.NormFloat64())
	}
	return x
}

// chances is float32 numbers in [0,1].
func chances(seed uint64, shape ...int) *tensor.Tensor {
	x := tensor.New(tensor.Float32, shape...)
	r := rand.New(rand.NewPCG(seed, 8))
	for i := range x.F32() {
		x.F32()[i] = float32(r.IntN(2))
		if i%3 == 0 {
			x.F32()[i] = r.Float32()
		}
	}
	return x
}

func numbers(v ...float32) *tensor.Tensor { return tensor.Vector(v...) }
func ids(v ...int64) *tensor.Tensor       { return tensor.Vector(v...) }

func grid[T float32 | int64](rows int, v ...T) *tensor.Tensor {
	return tensor.From(v, rows, len(v)/rows)
}

func near(a, b, tol float64) bool { return math.Abs(a-b) <= tol*max(1, math.Abs(b)) }

func log(x float64) float64 { return math.Log(x) }

// trial is a loss of an output and a target, and what it is.
type trial struct {
	text string
	x, y *tensor.Tensor
	want float64 // NaN: only the gradient is checked
}

func trials() []trial {
	ln := func(v ...float64) *tensor.Tensor { // logarithms, so that the softmax is v
		x := tensor.New(tensor.Float32, len(v))
		for i, p := range v {
			x.F32()[i] = float32(math.Log(p))
		}
		return x
	}
	two := ln(.5, .25, .25, .125, .125, .75).Reshape(2, 3)
	four := ln(.5, .25, .25, .125, .125, .75, .2, .2, .6, .1, .8, .1).Reshape(4, 3)
	half := numbers(0, 0, float32(log(3)), -float32(log(3))).Reshape(2, 2) // sigmoid 1/2 1/2 3/4 1/4
	mask := grid[float32](2, 1, 0, 1, 1)
	sp := func(x float64) float64 { return math.Log1p(math.Exp(x)) }
	// CTC of two steps: marks 1 in 2 steps: (1,1), (1,-), (-,1)
	steps := ln(.5, .3, .2, .25, .25, .5).Reshape(1, 2, 3)
	return []trial{
		{"cross-entropy", two, ids(0, 2), (log(2) - log(.75)) / 2},
		{"cross-entropy(smoothing=0.3)", two, ids(0, 2), -(.7*log(.5)+.1*log(.5*.25*.25))/2 - (.7*log(.75)+.1*log(.75*.125*.125))/2},
		{"cross-entropy(ignore=-100)", four, ids(0, -100, 2, -100), -(log(.5) + log(.6)) / 2},
		{"cross-entropy(ignore=1)", four, ids(1, 1, 1, 0), -log(.1)},
		{"cross-entropy(weights=1:2:0.5)", four, ids(0, 1, 2, 2), -(log(.5) + 2*log(.125) + .5*log(.6) + .5*log(.1)) / 4},
		{"cross-entropy(weights=1:2:0.5,ignore=2)", four, ids(0, 1, 2, 2), -(log(.5) + 2*log(.125)) / 3},
		{"cross-entropy(weights=1:2:0.5,smoothing=0.3,ignore=2)", four, ids(0, 1, 2, 2),
			-(.7*(log(.5)+2*log(.125)) + .1*(log(.5)+2*log(.25)+.5*log(.25)+log(.125)+2*log(.125)+.5*log(.75))) / 3},
		{"nll", two, ids(0, 2), (log(2) - log(.75)) / 2},
		{"nll(ignore=-1)", four, ids(0, -1, 2, -1), -(log(.5) + log(.6)) / 2},
		{"nll(weights=1:2:0.5)", four, ids(0, 1, 2, 2), -(log(.5) + 2*log(.125) + .5*log(.6) + .5*log(.1)) / 4},
		{"nll(weights=1:2:0.5,ignore=2)", four, ids(0, 1, 2, 2), -(log(.5) + 2*log(.125)) / 3},
		{"mse-classes", grid[float32](2, .5, .5, 0, 0, 2, 1), ids(0, 2), (.25 + .25 + 4) / 6},
		{"bce", half, mask, (2*log(2) - log(.75) - log(.25)) / 4},
		{"bce(pos-weight=3)", half, mask, (4*log(2) - 3*log(.75) - 3*log(.25)) / 4},
		{"bce(pos-weight=3:1)", half, mask, (4*log(2) - 3*log(.75) - log(.25)) / 4},
		{"bce(ignore=0)", half, mask, (log(2) - log(.75) - log(.25)) / 3},
		{"bce(ignore=0,pos-weight=2)", half, mask, 2 * (log(2) - log(.75) - log(.25)) / 3},
		{"dice", half, mask, 1 - (2./3+3./4)/2},
		{"dice(from=0,smooth=0.5)", half, mask, 1 - 3.5/5.5},
		{"dice(ignore=0)", half, mask, 1 - (2/2.5+3./4)/2},
		{"dice-classes", two, ids(0, 2), 1 - (2/2.625+1/1.375+2.5/3)/3},
		{"dice-classes(ignore=2)", two, ids(0, 2), 1 - (2/2.5+1/1.25+1/1.25)/3},
		{"mse", numbers(1, 2, 5), numbers(1, 4, 2), 13. / 3},
		{"l1", numbers(1.5, 2, 5), numbers(1, 4, 2), 5.5 / 3},
		{"smooth-l1(beta=2)", numbers(1, 2, 5), numbers(2, 1, 0), (.25 + .25 + 4) / 3},
		{"huber(delta=2)", numbers(1, 2, 5), numbers(2, 1, 0), (.5 + .5 + 8) / 3},
		{"cosine", grid[float32](2, 3, 0, 1, 1), grid[float32](2, 1, 1, 1, 1), (1 - math.Sqrt(.5)) / 2},
		{"triplet(margin=2)", grid[float32](4, 0, 0, 3, 4, 0, 6, 9, 9), ids(1, 1, 2, 3), ((2 + 5. - 6) + (2 + 5 - math.Sqrt(13))) / 2},
		{"contrastive(temperature=2)", grid[float32](3, 1, 0, 0, 3, 2, 0), ids(1, 1, 2), (sp(.5) + log(2)) / 2},
		{"next-token", ln(.5, .5, .25, .75, .1, .9, .4, .6).Reshape(2, 2, 2), grid[int64](2, 0, 1, 1, 0), -(log(.5) + log(.1)) / 2},
		{"next-token(ignore=0)", ln(.5, .5, .25, .75, .1, .9, .4, .6).Reshape(2, 2, 2), grid[int64](2, 0, 1, 1, 0), -log(.5)},
		{"ctc", steps, grid[int64](1, 1, -1), -log(.3*.25 + .3*.25 + .5*.25)},
		{"ctc", steps, grid[int64](1, 1, 2), -log(.3*.5) / 2},
		{"ctc", steps, grid[int64](1, -1, -1), -log(.5 * .25)},
		{"ctc(blank=-1,zero-infinity=1)", steps, grid[int64](1, 1, 1), 0},
		{"ctc(blank=-1)", steps, grid[int64](1, 0, 1), -log(.5*.25) / 2},
		{"match-kl(temperature=1)", ln(.5, .5, .25, .75).Reshape(2, 2), ln(.5, .5, .75, .25).Reshape(2, 2), .25 * log(3)},
		{"match-bce", half, numbers(0, 0, 0, 0).Reshape(2, 2), log(4./3) / 4},
		{"match-mse", grid[float32](2, 1, 2, 3, 7), grid[float32](2, 1, 2, 3, 4), (9. / 4) / 1},
		{"match-mse", grid[float32](1, 1, 3), grid[float32](1, 1, 2), .5 / (.01 * 2.5)},
		{"match-cosine", grid[float32](2, 3, 0, 1, 1), grid[float32](2, 1, 1, 1, 1), (1 - math.Sqrt(.5)) / 2},
		{"mse+0.5*l1", numbers(1.5, 2, 5), numbers(1, 4, 2), 13.25/3 + 5.5/6},
	}
}

// Losses are what their formulas say, in both evaluations, and their gradients are those of
// finite differences.
func TestLossesAgainstFormulas(t *testing.T) {
	for _, c := range trials() {
		t.Run(c.text, func(t *testing.T) {
			r := build(t, c.text, 17, c.x, c.y)
			w := r.wide()
			loss, _ := w.run(t)
			if !near(loss, c.want, 1e-6) {
				t.Errorf("the loss is %v, want %v", loss, c.want)
			}
		})
	}
}

// randoms are losses of random outputs, in every setting.
func randoms() []trial {
	nan := math.NaN()
	classes, labels := draw(1, 6, 4), ids(0, 3, 2, 1, 2, 0)
	image, mask := draw(2, 2, 3, 4, 2), chances(3, 2, 3, 4, 2)
	embed, who := draw(4, 6, 5), ids(7, 9, 7, 7, 2, 9)
	seq, tokens := draw(5, 2, 7, 4), grid[int64](2, 1, 3, 2, 0, 0, 1, 2, 2, 2, 1, 3, 0, 3, 1)
	marks := grid[int64](2, 1, 1, 3, -1, 2, -1, -1, -1)
	out := []trial{}
	for _, text := range []string{"cross-entropy", "cross-entropy(smoothing=0.2)", "cross-entropy(ignore=2,smoothing=0.2)", "cross-entropy(weights=1:0.5:2:3)",
		"cross-entropy(weights=1:0.5:2:3,smoothing=0.1,ignore=0)", "nll", "nll(ignore=2)", "nll(weights=1:0.5:2:3,ignore=0)", "mse-classes", "dice-classes", "dice-classes(ignore=1,smooth=0.1)"} {
		out = append(out, trial{text, classes, labels, nan})
	}
	for _, text := range []string{"bce", "bce(pos-weight=3)", "bce(pos-weight=1:2:3)", "bce(ignore=0,pos-weight=1:2:3)", "dice", "dice(from=2,smooth=2)", "dice(ignore=1)",
		"mse", "l1", "smooth-l1(beta=0.7)", "huber(delta=0.5)", "cosine", "match-mse", "match-bce(temperature=2)", "match-cosine", "0.3*mse+2*bce"} {
		out = append(out, trial{text, image, mask, nan})
	}
	for _, text := range []string{"triplet", "triplet(margin=3)", "contrastive", "contrastive(temperature=1)"} {
		out = append(out, trial{text, embed, who, nan})
	}
	for _, text := range []string{"next-token", "next-token(ignore=2,smoothing=0.1)"} {
		out = append(out, trial{text, seq, tokens, nan})
	}
	for _, text := range []string{"ctc", "ctc(zero-infinity=1)"} {
		out = append(out, trial{text, seq, marks, nan})
	}
	return append(out, trial{"match-kl", classes, draw(6, 6, 4), nan}, trial{"0.3*match-kl(temperature=2)", classes, draw(6, 6, 4), nan})
}

// The gradient is that of finite differences, whatever the opset, and the engine's values
// are those of the definitions.
func TestGradients(t *testing.T) {
	for _, c := range randoms() {
		t.Run(c.text, func(t *testing.T) {
			first := math.NaN()
			for _, opset := range []int{20, 17, 12, 9, 7} {
				r := build(t, c.text, opset, c.x, c.y)
				w := r.wide()
				loss, grad := w.run(t)
				if math.IsNaN(first) {
					first = loss
					differences(t, w, grad)
				}
				if loss != first {
					t.Errorf("opset %d: %v, with another %v", opset, loss, first)
				}
				got, by := r.plan(t)
				if !near(got, loss, 1e-5) {
					t.Errorf("opset %d: the engine gives %v, want %v", opset, got, loss)
				}
				for i := range by {
					if !near(by[i], grad[i], 1e-5) {
						t.Fatalf("opset %d: the engine's gradient %d is %v, want %v", opset, i, by[i], grad[i])
					}
				}
			}
		})
	}
}

// differences compares a gradient with central differences.
func differences(t *testing.T, w *rig, grad []float64) {
	t.Helper()
	x := tensor.Of[float64](w.feed["output"])
	at := func(i int, v float64) float64 {
		old := x[i]
		defer func() { x[i] = old }()
		x[i] = v
		res, err := op.Run(w.g, w.feed)
		if err != nil {
			t.Fatal(err)
		}
		return tensor.Of[float64](res[w.loss.Name])[0]
	}
	const h = 1e-5
	moved := false
	for i, v := range x {
		want := (at(i, v+h) - at(i, v-h)) / (2 * h)
		if !near(grad[i], want, 1e-6) {
			t.Fatalf("%s: gradient %d is %v, want %v", w.g.Name, i, grad[i], want)
		}
		moved = moved || math.Abs(want) > 1e-4
	}
	if !moved {
		t.Errorf("%s: nothing moves the loss", w.g.Name)
	}
}

// A batch in which nothing counts has no loss and moves nothing.
func TestNothingCounts(t *testing.T) {
	for _, c := range []trial{
		{"cross-entropy(ignore=1)", draw(1, 2, 3), ids(1, 1), 0},
		{"cross-entropy(ignore=1,weights=1:2:3)", draw(1, 2, 3), ids(1, 1), 0},
		{"nll(ignore=1)", draw(1, 2, 3), ids(1, 1), 0},
		{"bce(ignore=0)", draw(1, 2, 3), tensor.New(tensor.Float32, 2, 3), 0},
		{"triplet", draw(1, 3, 3), ids(1, 1, 1), 0},
		{"triplet", draw(1, 3, 3), ids(1, 2, 3), 0},
		{"contrastive", draw(1, 3, 3), ids(1, 2, 3), 0},
		{"next-token(ignore=1)", draw(1, 1, 2, 3), grid[int64](1, 0, 1), 0},
	} {
		r := build(t, c.text, 17, c.x, c.y)
		for _, f := range []func(*testing.T) (float64, []float64){r.run, r.plan} {
			loss, grad := f(t)
			for _, d := range append(grad, loss) {
				if d != 0 {
					t.Errorf("%s: loss %v, gradient %v", c.text, loss, grad)
					break
				}
			}
		}
	}
}

// Vectors of zeros and scores far from 0 have finite losses and gradients.
func TestExtremes(t *testing.T) {
	far := numbers(1e4, -1e4, 80, -80).Reshape(2, 2)
	zero := tensor.New(tensor.Float32, 2, 2)
	for _, c := range []trial{
		{"cross-entropy", far, ids(1, 0), 0}, {"bce", far, grid[float32](2, 0, 1, 1, 0), 0}, {"bce(pos-weight=2)", far, grid[float32](2, 0, 1, 1, 0), 0},
		{"dice", far, zero, 0}, {"match-bce", far, far, 0}, {"match-kl", far, grid[float32](2, -1e4, 1e4, -80, 80), 0},
		{"cosine", zero, far, 0}, {"cosine", zero, zero, 0}, {"match-mse", zero, zero, 0}, {"match-mse", far, zero, 0}, {"triplet", zero, ids(1, 2), 0},
		{"contrastive", zero, ids(1, 1), 0}, {"l1", zero, zero, 0}, {"ctc", draw(1, 1, 400, 3), grid[int64](1, 1, 2), 0},
	} {
		r := build(t, c.text, 17, c.x, c.y)
		for _, f := range []func(*testing.T) (float64, []float64){r.run, r.plan} {
			loss, grad := f(t)
			for _, d := range append(grad, loss) {
				if math.IsNaN(d) || math.IsInf(d, 0) {
					t.Errorf("%s: loss %v, gradient %v", c.text, loss, grad)
					break
				}
			}
		}
	}
	r := build(t, "bce", 17, zero, grid[float32](2, 0, 1, .5, 1))
	for i, want := range []float64{.125, -.125, 0, -.125} {
		if _, grad := r.plan(t); grad[i] != want {
			t.Errorf("bce at 0: gradient %d is %v, want %v", i, grad[i], want)
		}
	}
}

// What a loss cannot take is refused, with its name.
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		text string
		x, y *tensor.Tensor
	}{
		{"cross-entropy", draw(1, 2, 3, 4), ids(0, 1)}, {"cross-entropy", draw(1, 2, 3), ids(0, 1, 2)}, {"cross-entropy", draw(1, 2, 3), numbers(0, 1)},
		{"cross-entropy(weights=1:2)", draw(1, 2, 3), ids(0, 1)}, {"nll(weights=1:2)", draw(1, 2, 3), ids(0, 1)},
		{"mse", draw(1, 2, 3), draw(1, 3, 2)}, {"mse", draw(1, 2, 3), ids(0, 1)}, {"bce(pos-weight=1:2)", draw(1, 2, 3), draw(1, 2, 3)},
		{"dice(from=2)", draw(1, 2, 3), draw(1, 2, 3)}, {"ctc(blank=3)", draw(1, 1, 2, 3), grid[int64](1, 1)}, {"next-token", draw(1, 1, 2, 3), grid[int64](1, 1, 2, 0)},
		{"match-kl", draw(1, 2, 3), ids(0, 1)},
	} {
		o, err := Parse(c.text)
		if err != nil {
			t.Fatal(err)
		}
		g := graph.New("", 17)
		x := &graph.Value{Name: "x", DType: c.x.DType, Shape: graph.Dims(c.x.Shape...)}
		y := &graph.Value{Name: "y", DType: c.y.DType, Shape: graph.Dims(c.y.Shape...)}
		if _, err := o[0].Build(op.NewBuilder(g, "loss"), []*graph.Value{x}, []*graph.Value{y}); err == nil {
			t.Errorf("%s of %v and %v was built", c.text, c.x, c.y)
		}
	}
	for _, y := range []*tensor.Tensor{grid[int64](1, 1, 1), grid[int64](1, 0, 1), grid[int64](1, 3, 1), grid[int64](1, -1, 1)} { // too long, blank, no class, gap
		r := build(t, "ctc", 17, draw(1, 1, 2, 3), y)
		if _, err := op.Run(r.g, r.feed); err == nil {
			t.Errorf("ctc takes %v", y)
		}
	}
}

// Rows brings the classes last, whatever the axis, also where sizes are symbols.
func TestRows(t *testing.T) {
	for _, c := range []struct {
		shape graph.Shape
		axis  int
		want  string
	}{
		{graph.Shape{graph.Sym("N"), graph.N(5)}, 1, "[N 5]"}, {graph.Shape{graph.Sym("N"), graph.Sym("T"), graph.N(5)}, -1, "[N*T 5]"},
		{graph.Shape{graph.Sym("N"), graph.N(5), graph.N(2), graph.N(3)}, 1, "[6*N 5]"}, {graph.Shape{graph.N(4), graph.N(5), graph.N(2)}, -2, "[8 5]"},
	} {
		g := graph.New("", 13)
		v, err := Rows(op.NewBuilder(g, "rows"), &graph.Value{Name: "x", DType: tensor.Float32, Shape: c.shape}, c.axis)
		if err != nil || v.Shape.String() != c.want {
			t.Errorf("%v by %d: %v, %v", c.shape, c.axis, v, err)
		}
	}
	for _, c := range []struct {
		shape graph.Shape
		axis  int
	}{{graph.Dims(3), 0}, {graph.Dims(3, 4), 0}, {graph.Dims(3, 4), 2}, {graph.Dims(3, 4), -2}, {graph.Shape{graph.N(3), graph.Sym("C")}, 1}} {
		if _, err := Rows(op.NewBuilder(graph.New("", 13), "rows"), &graph.Value{Name: "x", DType: tensor.Float32, Shape: c.shape}, c.axis); err == nil {
			t.Errorf("%v by %d was taken", c.shape, c.axis)
		}
	}
	// the places of an image and its labels stay together
	x, labels := draw(1, 2, 3, 2, 2), ids(0, 1, 2, 0, 1, 1, 2, 0)
	g := graph.New("", 13)
	in := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(x.Shape...)}
	g.Inputs = []*graph.Value{in}
	rows, err := Rows(op.NewBuilder(g, "rows"), in, 1)
	if err != nil {
		t.Fatal(err)
	}
	g.Outputs = []*graph.Value{rows}
	res, err := op.Run(g, map[string]*tensor.Tensor{"x": x})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range tensor.Of[int64](labels) {
		want := x.F32()[(i/4*3+int(c))*4+i%4]
		if got := res[rows.Name].F32()[i*3+int(c)]; got != want {
			t.Errorf("row %d: %v, want %v", i, got, want)
		}
	}
}

func TestClassAxis(t *testing.T) {
	n := graph.Sym("N")
	for _, c := range []struct {
		out, target graph.Shape
		axis        int
		certain     bool
	}{
		{graph.Shape{n, graph.N(5)}, graph.Shape{n}, 1, true},
		{graph.Shape{n, graph.N(21), graph.N(8), graph.N(9)}, graph.Shape{n, graph.N(8), graph.N(9)}, 1, true},
		{graph.Shape{n, graph.N(8), graph.N(9), graph.N(21)}, graph.Shape{n, graph.N(8), graph.N(9)}, 3, true},
		{graph.Shape{n, graph.N(9), graph.N(9)}, graph.Shape{n, graph.N(9)}, 1, false},
		{graph.Shape{n, graph.N(9)}, graph.Shape{n, graph.N(9)}, 0, false},
		{graph.Shape{n, graph.N(9), graph.N(8)}, graph.Shape{n, graph.N(7)}, 0, false},
	} {
		axis, certain, err := ClassAxis(c.out, c.target)
		if (err == nil) != (c.axis > 0) || err == nil && (axis != c.axis || certain != c.certain) {
			t.Errorf("%v and %v: %d, %v, %v", c.out, c.target, axis, certain, err)
		}
	}
}

// Cross-entropy with nothing set, and the sum of it with a teacher's term, are the nodes that
// training has always had.
func TestSameNodes(t *testing.T) {
	g := build(t, "0.25*cross-entropy(smoothing=0.1)", 17, draw(1, 4, 3), ids(0, 1, 2, 0)).g
	g2 := build(t, "0.75*match-kl(temperature=3)", 17, draw(1, 4, 3), draw(2, 4, 3)).g
	var ops []string
	for _, n := range append(g.Nodes, g2.Nodes...) {
		ops = append(ops, n.Op)
	}
	if got := fmt.Sprint(ops); got != "[SoftmaxCrossEntropy Mul Mul LogSoftmax Mul LogSoftmax Exp Sub Mul ReduceMean Mul]" {
		t.Error(got)
	}
	if f := g2.Outputs[0].From.In(1).Const.F32()[0]; f != float32(3*3*3*.75) {
		t.Errorf("the divergence is multiplied by %v", f)
	}
	if a := g.Nodes[0].Attrs; len(a) != 1 || a[0].Name != "label_smoothing" {
		t.Errorf("%+v", a)
	}
}
