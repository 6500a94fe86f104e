package structured

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/modeltest"
	"pare/internal/oracle"
	"pare/model"
	"pare/prune"
	"pare/prune/structure"
	"pare/tensor"
)

// plainChange is an adapter in plain loops: delta [out, in] of its arrays, and their
// gradients.
type plainChange struct {
	kind    string
	out, in int
	arrays  []*oracle.Tensor
}

const plainRank, plainBlocks, plainP, plainQ = 2, 3, 3, 2

func (p *plainChange) delta(o, i int) (sum float64) {
	switch p.kind {
	case "sppara":
		return p.arrays[0].X[o*p.in+i]
	case "splora":
		for k := range plainRank {
			sum += p.arrays[0].X[o*plainRank+k] * p.arrays[1].X[k*p.in+i]
		}
	case "splopa":
		for k := range plainBlocks {
			sum += p.arrays[0].X[(k*(p.out/plainP)+o/plainP)*(p.in/plainQ)+i/plainQ] * p.arrays[1].X[k*plainP+o%plainP] * p.arrays[2].X[k*plainQ+i%plainQ]
		}
	}
	return sum
}

// back adds the gradients that g at (o, i) means.
func (p *plainChange) back(o, i int, g float64) {
	add := func(a, at int, x float64) { p.arrays[a].G[at] += x }
	switch p.kind {
	case "sppara":
		add(0, o*p.in+i, g)
	case "splora":
		for k := range plainRank {
			add(0, o*plainRank+k, g*p.arrays[1].X[k*p.in+i])
			add(1, k*p.in+i, g*p.arrays[0].X[o*plainRank+k])
		}
	case "splopa":
		for k := range plainBlocks {
			a, u, v := (k*(p.out/plainP)+o/plainP)*(p.in/plainQ)+i/plainQ, k*plainP+o%plainP, k*plainQ+i%plainQ
			x, y, z := p.arrays[0].X[a], p.arrays[1].X[u], p.arrays[2].X[v]
			add(0, a, g*y*z)
			add(1, u, g*x*z)
			add(2, v, g*x*y)
		}
	}
}

// plainChanges draws the adapters of a chain as the method does: layer by layer, what makes
// small last.
func plainChanges(n *oracle.Net, kind string, init float64, seed uint64) (out []*plainChange) {
	r := rand.New(rand.NewPCG(seed, 0xada))
	uniform := func(within float64, n int) *oracle.Tensor {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(float32(within * (2*r.Float64() - 1)))
		}
		return oracle.NewTensor("", x)
	}
	var u, v *oracle.Tensor
	for _, l := range n.Layers {
		p := &plainChange{kind: kind, out: l.Out, in: l.In}
		switch kind {
		case "sppara":
			p.arrays = append(p.arrays, uniform(init, l.Out*l.In))
		case "splora":
			rows := uniform(1/math.Sqrt(float64(plainRank*l.In)), plainRank*l.In)
			p.arrays = []*oracle.Tensor{uniform(init, l.Out*plainRank), rows}
		case "splopa":
			if u == nil {
				u = uniform(1/math.Sqrt(plainP), plainBlocks*plainP)
				v = uniform(1/math.Sqrt(plainQ), plainBlocks*plainQ)
			}
			p.arrays = []*oracle.Tensor{uniform(init, plainBlocks*l.Out/plainP*l.In/plainQ), u, v}
		}
		out = append(out, p)
	}
	return out
}

// plainAdapters trains the adapters of a chain of which these channels are left; source is the
// frozen chain, in full.
func plainAdapters(r *oracle.Training, source *oracle.Net, changes []*plainChange, kept [][]bool) {
	left := func(l int) (of []int) {
		for i, k := range kept[l] {
			if k {
				of = append(of, i)
			}
		}
		return of
	}
	var arrays []*oracle.Tensor
	for _, p := range changes {
		for _, a := range p.arrays {
			if !slices.Contains(arrays, a) {
				arrays = append(arrays, a)
				clear(a.M)
			}
		}
	}
	fuse := func() {
		for l, layer := range r.Net.Layers {
			for i, o := range left(l + 1) {
				for j, c := range left(l) {
					layer.W.X[i*layer.In+j] = source.Layers[l].W.X[o*changes[l].in+c] + changes[l].delta(o, c)
				}
			}
		}
	}
	fuse()
	for step := range r.Steps {
		loss := r.Net.Gradient(r.Batch(step))
		for _, a := range arrays {
			clear(a.G)
		}
		for l, layer := range r.Net.Layers {
			for i, o := range left(l + 1) {
				for j, c := range left(l) {
					changes[l].back(o, c, layer.W.G[i*layer.In+j])
				}
			}
			r.Move(layer.B, step)
		}
		for _, a := range arrays {
			r.Move(a, step)
		}
		fuse()
		r.Frames = append(r.Frames, r.Net.Frame(loss))
	}
}

// The whole run is that of a plain computation: adapters trained densely, channels chosen
// by the norm of the filters of source and adapter, cut, and trained on.
func TestAdaptersOracle(t *testing.T) {
	for kind, adapter := range map[string]string{"splora": "splora:2", "sppara": "sppara", "splopa": "splopa:3:3x2"} {
		t.Run(kind, func(t *testing.T) {
			const init = .3
			j := oracle.Job(t, sizes, 200, 20, 2, 4)
			s := NewAdapters()
			s.Adapter, s.Init, s.Round, s.Warm = adapter, init, 1, 1

			warm := *j
			warm.Recipe.Epochs = s.Warm
			first := oracle.NewTraining(t, &warm)
			source := first.Net.Clone()
			changes := plainChanges(source, kind, init, j.Seed)
			all := [][]bool{slices.Repeat([]bool{true}, 10), slices.Repeat([]bool{true}, 12), slices.Repeat([]bool{true}, 6), slices.Repeat([]bool{true}, 3)}
			plainAdapters(first, source, changes, all)

			var score [][]float64
			for _, l := range first.Net.Layers[:2] {
				of, length := make([]float64, l.Out), 0.
				for c := range of {
					for k := range l.In {
						of[c] += l.W.X[c*l.In+k] * l.W.X[c*l.In+k]
					}
					length += of[c]
					of[c] = math.Sqrt(of[c])
				}
				for c := range of {
					of[c] /= math.Sqrt(length)
				}
				score = append(score, of)
			}
			kept := ranked(t, score, s.Least, [2]int{1, 1})
			second := oracle.NewTraining(t, j)
			second.Net = first.Net.Clone()
			cut(second.Net, kept)
			plainAdapters(second, source, changes, [][]bool{all[0], kept[0], kept[1], all[3]})

			losses := slices.Concat(first.Frames, second.Frames)
			j.OnStep = func(step, total int, loss float64) {
				if want := losses[step-1].Loss; math.Abs(loss-want) > 1e-5 {
					t.Errorf("loss %v at step %d of %d, want %v", loss, step, total, want)
				}
			}
			res, err := model.Run(t.Context(), s, j)
			if err != nil {
				t.Fatal(err)
			}
			for l, k := range kept {
				if got := res.Graph.Value(source.Layers[l].B.Name).Const.Shape[0]; got != oracle.Count(k) {
					t.Fatalf("%d channels of layer %d stay, want %d", got, l, oracle.Count(k))
				}
			}
			second.Frames[len(second.Frames)-1].Compare(t, kind, second.Steps, &model.Job{Graph: res.Graph})
			facts := res.Facts.(*AdaptersFacts)
			a, b := oracle.Count(kept[0]), oracle.Count(kept[1])
			biases := a + b + 3
			want := map[string]int{"splora": 2*(10+a) + 2*(a+b) + 2*(b+3) + biases, "sppara": 10*a + a*b + b*3 + biases}[kind]
			if kind != "splopa" && (facts.Learned != want || facts.Tuned != 10*a+a*b+b*3+biases) {
				t.Errorf("%d numbers of %d were learned, want %d", facts.Learned, facts.Tuned, want)
			}
		})
	}
}

// adapterConv is a convolution with an adapter: [2, 3, 7, 6] to 4 channels.
func adapterConv(t *testing.T, kernel int) *graph.Graph {
	t.Helper()
	g := graph.New("conv", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Dims(2, 3, 7, 6)}
	g.Inputs = []*graph.Value{x}
	b, r := op.NewBuilder(g, "net"), rand.New(rand.NewPCG(1, 2))
	w := tensor.New(tensor.Float32, 4, 3, kernel, kernel)
	for i := range w.F32() {
		w.F32()[i] = float32(r.NormFloat64())
	}
	y := b.Attr("Conv", []graph.Attr{graph.MakeAttr("pads", []int{1, 1, 1, 1}), graph.MakeAttr("strides", []int{2, 1})}, x, g.Const("w", w, graph.Param))
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	y.Name = "y"
	g.Outputs = []*graph.Value{y}
	return g
}

// Source and adapter as one weight give what the two give beside each other, and the source
// where the adapter is zero.
func TestAdaptersFused(t *testing.T) {
	g := adapterConv(t, 3)
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	s := NewAdapters()
	s.Adapter, s.Init = "splora:2", .5
	a, err := s.adapters(&model.Job{Graph: g, Seed: 3}, ws)
	if err != nil {
		t.Fatal(err)
	}
	x := tensor.New(tensor.Float32, 2, 3, 7, 6)
	r := rand.New(rand.NewPCG(5, 6))
	for i := range x.F32() {
		x.F32()[i] = float32(r.NormFloat64())
	}
	run := func(g *graph.Graph) []float32 {
		out, err := op.Run(g, map[string]*tensor.Tensor{"x": x})
		if err != nil {
			t.Fatal(err)
		}
		return out["y"].F32()
	}
	source := slices.Clone(run(g))
	arrays := a.of[0].change.Arrays()
	c, rows := arrays[0], arrays[1]

	beside, _ := g.Clone(true)
	b := op.NewBuilder(beside, "adapter")
	conv := func(x *graph.Value, w []float32, out, in int, strides ...int) *graph.Value {
		k := beside.Const("k", tensor.From(slices.Clone(w), out, in, 1, 1), graph.Param)
		return b.Attr("Conv", []graph.Attr{graph.MakeAttr("strides", strides)}, x, k)
	}
	y := beside.Outputs[0]
	sum := b.Op("Add", y, conv(conv(beside.Inputs[0], rows.W, 2, 3, 2, 1), c.W, 4, 2, 1, 1))
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	y.Name, sum.Name = "before", "y"
	beside.Outputs = []*graph.Value{sum}
	want := run(beside)

	h := a.hook(nil)
	w := g.Value("w").Const
	h.Of[0].Fuse(w.F32())
	for i, got := range run(g) {
		if math.Abs(float64(got-want[i])) > 1e-5 {
			t.Fatalf("output %d is %v, beside each other %v", i, got, want[i])
		}
	}
	clear(c.W)
	h.Of[0].Fuse(w.F32())
	if !slices.Equal(run(g), source) {
		t.Error("an adapter of zeros changes the source")
	}
}

// Cutting source and adapter gives what cutting the two as one weight gives, and the source
// counts as the specification says.
func TestAdaptersCut(t *testing.T) {
	j := modeltest.Job(t, 1)
	ws, err := prune.Weights(j.Graph, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	s := NewAdapters()
	s.Adapter, s.Init = "splora:3", .5
	a, err := s.adapters(j, ws)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range a.hook(nil).Of {
		x.Fuse(j.Graph.Value(x.Name).Const.F32())
	}
	groups, _ := structure.Groups(j.Graph)
	sel := structure.All(groups)
	for c := range groups[0].Channels {
		sel[0].Set(c, c%3 == 1)
	}
	cut, err := structure.Cut(j.Graph, groups, sel)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range a.hook(structure.KeptBy(groups, sel)).Of {
		got := make([]float32, len(x.Source))
		x.Fuse(got)
		if !slices.Equal(got, cut.Value(x.Name).Const.F32()) {
			t.Errorf("%s: cut apart and together differ", x.Name)
		}
	}
	d := &adapted{name: "w", out: 0, in: 1, rows: 512, cols: 256}
	change := s.draw(form{kind: "splora", rank: 16}, d, rand.New(rand.NewPCG(1, 1)), nil)
	if n := change.Count(positions(nil, 0, 512), positions(nil, 1, 256)); n != 12288 {
		t.Errorf("an adapter of rank 16 of 512 by 256 has %d numbers", n)
	}
}

// Gradient scores rate otherwise than norms, and adapters that stay still leave weights as
// they are drawn.
func TestAdaptersSettings(t *testing.T) {
	run := func(f func(s *Adapters)) *model.Result {
		s := NewAdapters()
		s.Adapter, s.Init, s.Round = "splora:3", .05, 1
		f(s)
		return modeltest.Run(t, s, modeltest.Job(t, 1))
	}
	norm, taylor := run(func(*Adapters) {}), run(func(s *Adapters) { s.Score = "taylor" })
	if slices.Equal(modeltest.Bits(norm.Graph), modeltest.Bits(taylor.Graph)) {
		t.Error("the score has no effect")
	}
	still := run(func(s *Adapters) { s.Still = true })
	j := modeltest.Job(t, 1)
	ws, _ := prune.Weights(j.Graph, prune.Scope{})
	s := NewAdapters()
	s.Adapter, s.Init = "splora:3", .05
	a, err := s.adapters(j, ws)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range a.hook(still.Kept).Of {
		want := make([]float32, len(x.Source))
		x.Fuse(want)
		if !slices.Equal(want, still.Graph.Value(x.Name).Const.F32()) {
			t.Errorf("%s was trained", x.Name)
		}
	}
	head := run(func(s *Adapters) { s.Trained = []string{"fc2*"} })
	if f := head.Facts.(*AdaptersFacts); len(f.Layers) != 1 || f.Learned != f.Layers[0].Numbers+head.Graph.Value("fc1.bias").Const.Len()+head.Graph.Value("fc2.weight").Const.Len()+10 {
		t.Errorf("with a layer that is trained whole: %+v", f)
	}
	if got := head.Graph.Value("fc2.weight").Const.F32(); slices.Equal(head.Kept.Take("fc2.weight", modeltest.Job(t, 1).Graph.Value("fc2.weight").Const).F32(), got) {
		t.Error("a weight that is trained whole has not moved")
	}
	only := run(func(s *Adapters) { s.Include = []string{"fc1*"} })
	first := modeltest.Job(t, 1).Graph.Value("fc2.weight").Const
	if got := only.Graph.Value("fc2.weight").Const.F32(); !slices.Equal(only.Kept.Take("fc2.weight", first).F32(), got) {
		t.Error("a weight out of scope has moved")
	}
}

// What has no adapter is refused by name before any work.
func TestAdaptersRefused(t *testing.T) {
	for want, f := range map[string]func(s *Adapters, j *model.Job){
		"adapters are trained":                              func(_ *Adapters, j *model.Job) { j.Recipe.Epochs = 0 },
		"blocks of 7x2 do not divide weight \"fc1.weight\"": func(s *Adapters, _ *model.Job) { s.Adapter = "splopa:2:7x2" },
		"splora:0\"":                 func(s *Adapters, _ *model.Job) { s.Adapter = "splora:0" },
		"splora:1.5\"":               func(s *Adapters, _ *model.Job) { s.Adapter = "splora:1.5" },
		"splora:NaN\"":               func(s *Adapters, _ *model.Job) { s.Adapter = "splora:NaN" },
		"lora:4\"":                   func(s *Adapters, _ *model.Job) { s.Adapter = "lora:4" },
		"sppara:4\"":                 func(s *Adapters, _ *model.Job) { s.Adapter = "sppara:4" },
		"splopa:4:8\"":               func(s *Adapters, _ *model.Job) { s.Adapter = "splopa:4:8" },
		"splopa:0:8x8\"":             func(s *Adapters, _ *model.Job) { s.Adapter = "splopa:0:8x8" },
		"which training alone moves": func(_ *Adapters, j *model.Job) { j.Recipe.Recover = "solve,train" },
		"no target: give":            func(s *Adapters, _ *model.Job) { s.MACs = 0 },
		"no cut of channels reaches": func(s *Adapters, _ *model.Job) { s.MACs = 1e-6 },
		`pattern "nosuch" matches`:   func(s *Adapters, _ *model.Job) { s.Widths = []string{"nosuch=0.5"} },
	} {
		s, j := NewAdapters(), modeltest.Job(t, 1)
		j.OnStep = func(int, int, float64) { t.Fatalf("%s: a step was made", want) }
		f(s, j)
		modeltest.Refused(t, s, j, want)
	}
	g := adapterConv(t, 2)
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewAdapters().adapters(&model.Job{Graph: g}, ws); err == nil || !strings.Contains(err.Error(), "weight \"w\" has a kernel of [2 2], which has no middle") {
		t.Errorf("a kernel of 2 by 2: %v", err)
	}
}

// Adapters that learn from the network before match values inside it, where that is asked
// for.
func TestAdaptersDistil(t *testing.T) {
	bits := map[string][]byte{}
	for _, inner := range []string{"off", "on"} {
		s, j := NewAdapters(), modeltest.ConvJob(t, "resnet8")
		s.Adapter, s.Init = "splora:3", .05
		j.Recipe.Recover, j.Recipe.Inner, j.Recipe.LR = "distil", inner, .002
		bits[inner] = modeltest.Bits(modeltest.Run(t, s, j).Graph)
	}
	if slices.Equal(bits["off"], bits["on"]) {
		t.Error("values inside the network are not matched")
	}
}
