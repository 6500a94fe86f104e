package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/tensor"
)

// against plans a network in every way and compares its outputs, and the gradients of
// the mean of their squares, with the definitions. It reports the kernels of the frozen plan.
func against(t *testing.T, g *graph.Graph, in map[string]*tensor.Tensor, grads bool) []string {
	t.Helper()
	frozen := comparePlans(t, g, in, engine.Options{Threads: 1, Freeze: true}, g.Outputs)
	if grads {
		want, err := gradients(g)
		if err != nil {
			t.Fatal(err, g)
		}
		for _, threads := range []int{1, 2} {
			comparePlans(t, g, in, engine.Options{Threads: threads}, append(slices.Clone(g.Outputs), want...))
		}
	}
	return frozen
}

func comparePlans(t *testing.T, g *graph.Graph, in map[string]*tensor.Tensor, o engine.Options, want []*graph.Value) (kernels []string) {
	t.Helper()
	p, err := engine.Compile(g, nil, o, want...)
	if err != nil {
		t.Fatalf("%v\n%v", err, g)
	}
	defer p.Close()
	if err := p.CheckMemory(); err != nil {
		t.Fatalf("%v\n%v\n%v", err, g, plan(p))
	}
	ref, err := op.Run(g, in, want...)
	if err != nil {
		t.Fatalf("%v\n%v", err, g)
	}
	for name, x := range in {
		if err := p.Input(name).Copy(x); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 2 {
		p.Poison()
		if err := p.Run(); err != nil {
			t.Fatalf("%v\n%v", err, g)
		}
		for _, v := range want {
			x, y := p.Value(v), ref[v.Name]
			if !slices.Equal(x.Shape, y.Shape) {
				t.Fatalf("run %d: %q has shape %v, want %v\n%v", round, v.Name, x.Shape, y.Shape, g)
			}
			if e := distance(x, y); !(e <= 2e-4) {
				t.Fatalf("run %d, frozen %v: %q is off by %v of its largest entry\n%v\n%v", round, o.Freeze, v.Name, e, g, plan(p))
			}
		}
	}
	return p.Explain()
}

// noise is a tensor of normal numbers, a share of them zero.
func noise(r *rand.Rand, zeros float64, shape ...int) *tensor.Tensor {
	x := tensor.New(tensor.Float32, shape...)
	for i := range x.F32() {
		if v := r.NormFloat64(); r.Float64() >= zeros {
			x.F32()[i] = float32(v)
		}
	}
	return x
}

// oneOperator is a network of one operator whose inputs are noise of these shapes, those
// from the second on initialisers that may be trained.
func oneOperator(t *testing.T, r *rand.Rand, zeros float64, name string, as []graph.Attr, shapes ...[]int) (*graph.Graph, map[string]*tensor.Tensor) {
	t.Helper()
	g := graph.New("one", 22)
	b := op.NewBuilder(g, "v")
	in := map[string]*tensor.Tensor{"x": noise(r, 0, shapes[0]...)}
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(shapes[0]...)}
	g.Inputs = []*graph.Value{x}
	args := []*graph.Value{x}
	for i, s := range shapes[1:] {
		z := zeros
		if i > 0 {
			z = 0
		}
		args = append(args, g.Const(fmt.Sprint("w", i), noise(r, z, s...), graph.Param))
	}
	y := b.Attr(name, as, args...)
	if b.Err() != nil {
		return nil, nil
	}
	y = b.Op("Relu", y)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	y.Name = "y"
	g.Outputs = []*graph.Value{y}
	return g, in
}

// Convolutions and transposed ones over one to three axes, with all that their
// attributes can say, give what the definitions say, forward and backward.
func TestConvolutions(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	seen, sparse := map[string]int{}, 0
	for trial := 0; trial < 200; trial++ {
		rank := 1 + trial%3
		list := func(lo, hi int) []int {
			v := make([]int, rank)
			for i := range v {
				v[i] = lo + r.IntN(hi-lo+1)
			}
			return v
		}
		name := "Conv"
		if r.IntN(2) == 0 {
			name = "ConvTranspose"
		}
		groups := []int{1, 1, 2, 3}[r.IntN(4)]
		ci, co := groups*(1+r.IntN(9/groups)), groups*(1+r.IntN(9/groups))
		if r.IntN(4) == 0 {
			groups, co = ci, ci // depthwise
		}
		kernel, in, zeros := list(1, 4), list(3, 9), 0.
		if r.IntN(4) == 0 {
			zeros, groups, ci, co, in = .95, 1, 8+r.IntN(20), 8+r.IntN(20), list(5, 12)
		}
		if rank == 1 {
			in[0] = 1 + r.IntN(60)
		}
		as := []graph.Attr{graph.MakeAttr("group", groups)}
		strides, more := list(1, 3), make([]int, rank)
		if r.IntN(2) == 0 {
			as = append(as, graph.MakeAttr("strides", strides))
			for i := range more {
				more[i] = r.IntN(strides[i])
			}
		}
		if r.IntN(3) == 0 {
			as = append(as, graph.MakeAttr("dilations", list(1, 2)))
		}
		switch r.IntN(4) {
		case 0:
			as = append(as, graph.MakeAttr("pads", append(list(0, 3), list(0, 3)...)))
		case 1:
			as = append(as, graph.MakeAttr("auto_pad", []string{"SAME_UPPER", "SAME_LOWER", "VALID"}[r.IntN(3)]))
		}
		if name == "ConvTranspose" && r.IntN(3) == 0 {
			as = append(as, graph.MakeAttr("output_padding", more))
		}
		shapes := [][]int{append([]int{1 + r.IntN(2), ci}, in...), append([]int{co, ci / groups}, kernel...)}
		if name == "ConvTranspose" {
			shapes[1] = append([]int{ci, co / groups}, kernel...)
		}
		if r.IntN(2) == 0 {
			shapes = append(shapes, []int{co})
		}
		g, feed := oneOperator(t, r, zeros, name, as, shapes...)
		if g == nil {
			continue // the window does not fit
		}
		for _, line := range against(t, g, feed, true) {
			if strings.Contains(line, "reference") {
				t.Fatalf("%s\n%v", line, g)
			}
			if strings.Contains(line, "sparse convolution") {
				sparse++
				seen[fmt.Sprint("sparse ", name, rank)]++
			}
		}
		seen[fmt.Sprint(name, rank)]++
	}
	for _, k := range []string{"Conv1", "Conv2", "Conv3", "ConvTranspose1", "ConvTranspose2", "ConvTranspose3", "sparse Conv1", "sparse Conv2", "sparse Conv3", "sparse ConvTranspose1", "sparse ConvTranspose2"} {
		if seen[k] == 0 {
			t.Errorf("no trial of %s, only %v", k, seen)
		}
	}
}

// Convolutions and poolings over one axis have kernels, and give what their definitions say.
func TestOneAxis(t *testing.T) {
	g := graph.New("row", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(2, 4, 13)}
	g.Inputs = []*graph.Value{x}
	b := op.NewBuilder(g, "row")
	weight := func(shape ...int) *graph.Value {
		w := tensor.New(tensor.Float32, shape...)
		for i := range w.F32() {
			w.F32()[i] = float32((i*7)%11) - 5
		}
		return g.Const("w", w, graph.Param)
	}
	ints := func(name string, v ...int) graph.Attr { return graph.MakeAttr(name, v) }
	y := b.Attr("Conv", []graph.Attr{ints("pads", 2, 1), ints("strides", 2), ints("dilations", 2), graph.MakeAttr("group", 2)}, x, weight(6, 2, 3), weight(6))
	y = b.Attr("Conv", []graph.Attr{graph.MakeAttr("auto_pad", "SAME_UPPER")}, b.Op("Relu", y), weight(4, 6, 2))
	y = b.Attr("AveragePool", []graph.Attr{ints("kernel_shape", 3), ints("pads", 1, 1)}, y)
	y = b.Op("BatchNormalization", y, weight(4), weight(4), weight(4), b.Op("Abs", weight(4)))
	y = b.Attr("MaxPool", []graph.Attr{ints("kernel_shape", 2), ints("strides", 2)}, y)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	y.Name = "y"
	g.Outputs = []*graph.Value{y}
	p, err := engine.Compile(g, nil, engine.Options{Threads: 1, Freeze: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for i := range p.Input("x").F32() {
		p.Input("x").F32()[i] = float32((i*5)%9) - 4
	}
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	want, err := op.Run(g, map[string]*tensor.Tensor{"x": p.Input("x")})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range want["y"].F32() {
		if d := p.Output("y").F32()[i] - v; d > 1e-3 || d < -1e-3 {
			t.Fatalf("entry %d: %v, not %v", i, p.Output("y").F32()[i], v)
		}
	}
	for _, line := range p.Explain() {
		if strings.Contains(line, "reference") {
			t.Error(line)
		}
	}
}

// Poolings over one to three axes, with all that their attributes can say.
func TestPoolings(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	seen := map[string]int{}
	for trial := range 150 {
		rank := 1 + trial%3
		list := func(lo, hi int) []int {
			v := make([]int, rank)
			for i := range v {
				v[i] = lo + r.IntN(hi-lo+1)
			}
			return v
		}
		kernel := list(1, 3)
		as := []graph.Attr{graph.MakeAttr("kernel_shape", kernel), graph.MakeAttr("strides", list(1, 3)), graph.MakeAttr("ceil_mode", r.IntN(2))}
		if r.IntN(2) == 0 {
			pads := make([]int, 2*rank)
			for i := range pads {
				pads[i] = r.IntN(kernel[i%rank])
			}
			as = append(as, graph.MakeAttr("pads", pads))
		}
		if r.IntN(2) == 0 {
			as = append(as, graph.MakeAttr("dilations", list(1, 2)))
		}
		name := "MaxPool"
		if r.IntN(2) == 0 {
			name, as = "AveragePool", append(as, graph.MakeAttr("count_include_pad", r.IntN(2)))
		}
		g, feed := oneOperator(t, r, 0, name, as, append([]int{1 + r.IntN(2), 1 + r.IntN(5)}, list(3, 8)...))
		if g == nil {
			continue
		}
		if trial%4 == 0 { // ties
			for i, v := range feed["x"].F32() {
				feed["x"].F32()[i] = float32(int(v))
			}
		}
		for _, line := range against(t, g, feed, true) {
			if strings.Contains(line, "reference") {
				t.Fatal(line)
			}
		}
		seen[fmt.Sprint(name, rank)]++
	}
	if len(seen) < 6 {
		t.Error(seen)
	}
}

// What has any of its axes of length 1 is repeated over the others, with batches of one and of several.
func TestRepeated(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, shape := range [][]int{{3, 4}, {1, 4, 5}, {2, 3, 4}, {1, 3, 4, 5}, {2, 3, 4, 2}, {1, 3, 2, 4, 5}, {2, 3, 2, 2, 4}} {
		for ones := range 1 << len(shape) {
			few := slices.Clone(shape)
			for d := range few {
				if ones>>d&1 == 1 {
					few[d] = 1
				}
			}
			for drop := 0; drop == 0 || drop < len(few) && few[drop-1] == 1; drop++ { // axes of length 1 in front may be left out
				for _, name := range []string{"Mul", "Add", "Sub", "Div"} {
					x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(shape...)}
					y := &graph.Value{Name: "y", DType: tensor.Float32, Shape: graph.Dims(few[drop:]...)}
					g := graph.New("repeated", 22)
					g.Inputs = []*graph.Value{x, y}
					if swap := ones%2 == 0; swap {
						x, y = y, x
					}
					g.Outputs = g.Add(name, "", []*graph.Value{x, y}, []string{"z"}).Outputs
					if err := op.InferAll(g); err != nil {
						t.Fatal(err)
					}
					in := map[string]*tensor.Tensor{"x": noise(r, 0, shape...), "y": noise(r, 0, few[drop:]...)}
					for _, v := range in {
						for i, f := range v.F32() {
							v.F32()[i] = f*f + .5
						}
					}
					against(t, g, in, false)
				}
			}
		}
	}
}
