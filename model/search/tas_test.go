package search

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/internal/kernel"
	"pare/internal/modeltest"
	"pare/model"
	"pare/prune"
	"pare/prune/structure"
	"pare/tensor"
	"pare/train"
	"pare/zoo"
)

// Channel-wise interpolation is adaptive average pooling over channels.
func TestInterpolation(t *testing.T) {
	for _, c := range []struct{ in, want []float64 }{
		{[]float64{1, 2, 3, 4}, []float64{1.5, 3.5}},
		{[]float64{1, 2, 3, 4}, []float64{1.5, 2.5, 3.5}},
		{[]float64{1, 2, 3, 4, 5}, []float64{1.5, 3, 4.5}},
		{[]float64{1, 2}, []float64{1, 1, 2, 2}},
		{[]float64{1, 2, 3}, []float64{1, 2, 3}},
	} {
		for i, want := range c.want {
			lo, hi := spread(i, len(c.in), len(c.want))
			sum := 0.0
			for _, x := range c.in[lo:hi] {
				sum += x / float64(hi-lo)
			}
			if sum != want {
				t.Errorf("%v to %d: channel %d is %v, want %v", c.in, len(c.want), i, sum, want)
			}
		}
	}
}

func TestChoices(t *testing.T) {
	for _, c := range []struct{ got, want []int }{
		{widths(16, 1, 0), []int{4, 6, 8, 9, 11, 12, 14, 16}},
		{widths(3, 1, 0), []int{1, 2, 3}},
		{widths(16, 4, 0), []int{4, 8, 12, 16}},
		{widths(16, 0, 0), []int{8, 16}},
		{widths(16, 1, .5), []int{8, 9, 11, 12, 14, 16}},
		{depths(9, "odd", 9), []int{1, 3, 5, 7, 9}},
		{depths(2, "odd", 2), []int{1, 2}},
		{depths(3, "odd", 3), []int{1, 2, 3}},
		{depths(4, "odd", 4), []int{1, 3, 4}},
		{depths(9, "thirds", 9), []int{3, 6, 9}},
		{depths(18, "shares", 9), []int{2, 4, 6, 8, 10, 12, 14, 16, 18}},
		{depths(9, "none", 9), nil},
	} {
		if !slices.Equal(c.got, c.want) {
			t.Errorf("%v, want %v", c.got, c.want)
		}
	}
}

// network is one of the zoo for images of 8x8.
func network(t *testing.T, name string, width float64) *graph.Graph {
	t.Helper()
	g, err := zoo.New(name, zoo.Options{In: []int{1, 8, 8}, Seed: 1, Width: width})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// supernetOf is a network with all widths and depths.
func supernetOf(t *testing.T, g *graph.Graph) *Supernet {
	t.Helper()
	s, err := NewSupernet(g, model.Layers{}.Scope(), func(n int) []int { return widths(n, 1, 0) }, func(n int) []int { return depths(n, "odd", n) })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every network of a supernet costs what its own graph does; in a ResNet of three stages all
// of them are found, and the projections stay.
func TestCostIsThatOfTheNetwork(t *testing.T) {
	for name, stages := range map[string]int{"resnet20-b": 3, "resnet20": 3, "cnn-8": 0, "wrn-10-1": 0, "wrn-16-1": 3, "mobilenetv2": 4, "vit-tiny": 1, "unet-4": 0} {
		g := network(t, name, .5)
		s := supernetOf(t, g)
		if len(s.Stages) != stages {
			t.Errorf("%s: %d stages, want %d", name, len(s.Stages), stages)
		}
		r := rand.New(rand.NewPCG(1, 2))
		for trial := range 4 {
			a := s.Whole()
			if trial == 1 {
				a = s.Least()
			}
			for _, of := range [][]int{a.Width, a.Depth} {
				for i := range of {
					if trial > 1 {
						of[i] = r.IntN(of[i] + 1)
					}
				}
			}
			d, _, err := s.Derive(a)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			whole, own, got := structure.CostOf(g), structure.CostOf(d), s.At(a)
			if math.Abs(got[0]*float64(whole.MACs)-float64(own.MACs)) > 1e-6*float64(whole.MACs) || math.Abs(got[1]*float64(whole.Params)-float64(own.Params)) > 1e-6*float64(whole.Params) {
				t.Errorf("%s %v: %v of the cost, and the network itself takes %d of %d and %d of %d", name, a, got, own.MACs, whole.MACs, own.Params, whole.Params)
			}
		}
	}
}

// A stage ends where something else reads what stands between two blocks: without the blocks
// behind it, that would still need it.
func TestStagesEndWhereOthersRead(t *testing.T) {
	g := network(t, "resnet32-b", .5)
	whole := stages(g, prune.Scope{})
	at := whole[0].Points[2]
	if len(whole[0].Points) != 5 {
		t.Fatalf("%d blocks of a stage", len(whole[0].Points))
	}
	b := op.NewBuilder(g, "side")
	g.Outputs = append(g.Outputs, b.Op("Neg", at))
	if err := errors.Join(b.Err(), g.Sort()); err != nil {
		t.Fatal(err)
	}
	first := stages(g, prune.Scope{})[0]
	if first.Points[len(first.Points)-1] != at || len(first.Points) != 3 {
		t.Errorf("a stage of %d blocks ends with %s, not with %s", len(first.Points), first.Points[len(first.Points)-1].Name, at.Name)
	}
}

// A block costs what it does times the probability that its stage is so deep: with depths of
// 0.2, 0.3 and 0.5 the blocks are there with 1, 0.8 and 0.5.
func TestCostOfDepths(t *testing.T) {
	s := supernetOf(t, network(t, "resnet20-b", .5))
	width, depth := s.zeros()
	for i := range width {
		width[i][len(width[i])-1] = 1
	}
	for i := range depth {
		depth[i][2] = 1
	}
	depth[1] = []float64{.2, .3, .5}
	at := func(d int) [2]float64 {
		a := s.Whole()
		a.Depth[1] = d
		return s.At(a)
	}
	one, two, three, got := at(0), at(1), at(2), s.Cost(width, depth)
	for k := range got {
		if want := one[k] + .8*(two[k]-one[k]) + .5*(three[k]-two[k]); math.Abs(got[k]-want) > 1e-12 {
			t.Errorf("the cost is %v, want %v", got[k], want)
		}
	}
}

// The gradient of the cost is that of finite differences.
func TestCostGradient(t *testing.T) {
	s := supernetOf(t, network(t, "resnet20-b", .5))
	r := rand.New(rand.NewPCG(3, 4))
	width, depth := s.zeros()
	for _, of := range slices.Concat(width, depth) {
		for k := range of {
			of[k] = r.Float64()
		}
	}
	dWidth, dDepth := s.zeros()
	by := [2]float64{.7, -.2}
	s.CostGradient(width, depth, by, dWidth, dDepth)
	value := func() float64 {
		c := s.Cost(width, depth)
		return by[0]*c[0] + by[1]*c[1]
	}
	p, d := slices.Concat(width, depth), slices.Concat(dWidth, dDepth)
	for i := range p {
		last := i >= len(width) // the whole depth is what the others leave
		for k := range p[i][:len(p[i])-map[bool]int{true: 1}[last]] {
			const eps = 1e-5
			was := p[i][k]
			p[i][k] = was + eps
			up := value()
			p[i][k] = was - eps
			down := value()
			p[i][k] = was
			if want := (up - down) / (2 * eps); math.Abs(d[i][k]-want) > 1e-7 {
				t.Errorf("derivative %d of %d: %v, want %v", k, i, d[i][k], want)
			}
		}
	}
}

// hookOf is a search on a network of the zoo, with the network that it is on.
func hookOf(t *testing.T, g *graph.Graph, change func(*TAS)) (*graph.Graph, *shaping) {
	t.Helper()
	tr, _ := dataset.Glyph(2, .4, 80, 20, 1)
	j := &model.Job{Graph: g, Data: &dataset.Data{Train: tr, Norm: dataset.Raw}, Seed: 3, Engine: engine.Options{Threads: 1},
		Recipe: model.Recipe{Epochs: 2, Batch: 6, LR: .05, Schedule: "cosine", Optimizer: "sgd"}}
	s := NewTAS()
	if change != nil {
		change(s)
	}
	_, other, err := s.halves(j)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	net, err := s.supernet(j)
	if err != nil {
		t.Fatal(err)
	}
	c, h, err := s.searched(j, net, other)
	if err != nil {
		t.Fatal(err)
	}
	return c, h
}

// The gradient of the cost raises logits of narrow widths where the network is too large, of
// wide ones where it is too small, and is exactly zero between.
func TestPrice(t *testing.T) {
	_, h := hookOf(t, network(t, "resnet8-b", .5), nil)
	at := func(choice int) (narrow, wide float64) {
		for _, of := range slices.Concat(h.width, h.depth) {
			clear(of)
			of[min(choice, len(of)-1)] = .1
		}
		for _, of := range slices.Concat(h.dWidth, h.dDepth) {
			clear(of)
		}
		h.price()
		for _, of := range h.dWidth {
			narrow += of[0]
			wide += of[len(of)-1]
		}
		return
	}
	if narrow, wide := at(9); narrow >= 0 || wide <= 0 {
		t.Errorf("too large: gradients of %v and %v", narrow, wide)
	}
	if narrow, wide := at(0); narrow <= 0 || wide >= 0 {
		t.Errorf("too small: gradients of %v and %v", narrow, wide)
	}
	between := h.net.At(h.chosen())[0]
	h.budget[0], h.tolerance = between+.01, .02
	if narrow, wide := at(0); narrow != 0 || wide != 0 {
		t.Errorf("between: gradients of %v and %v", narrow, wide)
	}
	for _, c := range []struct{ cost, want float64 }{{.51, 1}, {.5, 0}, {.46, 0}, {.44, -1}} {
		if got := sign(c.cost, .5, .05); got != c.want {
			t.Errorf("%v of .5: %v, want %v", c.cost, got, c.want)
		}
	}
}

// The temperature falls from epoch to epoch, along half a cosine or a line.
func TestTemperature(t *testing.T) {
	for _, linear := range []bool{false, true} {
		h := &shaping{hot: 5, cold: 1, linear: linear}
		for epoch, want := range map[int]float64{0: 5, 1: map[bool]float64{false: 3 + math.Sqrt2, true: 4}[linear], 2: 3, 4: 1} {
			if got := h.temperature(&train.Run{Config: &train.Config{Epochs: 4}, Epoch: epoch}); math.Abs(got-want) > 1e-12 {
				t.Errorf("linear %v, epoch %d of 4: %v, want %v", linear, epoch, got, want)
			}
		}
	}
}

// At a high temperature all pairs of different widths are drawn alike, and are mixed alike;
// at any one the shares are 1 together.
func TestDraws(t *testing.T) {
	logits := []float64{3, -1, .5, 0}
	o, p := make([]float64, 4), make([]float64, 4)
	r := rand.New(rand.NewPCG(5, 6))
	count := map[[2]int]int{}
	for range 12000 {
		perturb(r, logits, 1e6, o, p)
		i, j := pair(r, p)
		if i == j {
			t.Fatal("a width is drawn twice")
		}
		count[[2]int{i, j}]++
		if x := 1 / (1 + math.Exp(o[j]-o[i])); math.Abs(x-.5) > 1e-4 {
			t.Fatalf("a share of %v", x)
		}
	}
	for k, n := range count {
		if n < 850 || n > 1150 {
			t.Errorf("pair %v is drawn %d times of 12000", k, n)
		}
	}
	if len(count) != 12 {
		t.Errorf("%d pairs, want 12", len(count))
	}
	first := 0
	for range 4000 { // without temperature, the highest perturbed logit is drawn by its softmax
		perturb(r, logits, 1, o, p)
		if kernel.Argmax(o) == 0 {
			first++
		}
	}
	q := make([]float64, 4)
	softmax(logits, q)
	if got := float64(first) / 4000; math.Abs(got-q[0]) > .02 {
		t.Errorf("logit %v leads in %.3f of the draws, want %.3f", logits[0], got, q[0])
	}
}

// outputs are what a network gives on some images.
func outputs(t *testing.T, g *graph.Graph) []float32 {
	t.Helper()
	r := rand.New(rand.NewPCG(9, 9))
	x := tensor.New(tensor.Float32, 6, 1, 8, 8)
	for i := range x.F32() {
		x.F32()[i] = float32(r.NormFloat64())
	}
	out, err := op.Run(g, map[string]*tensor.Tensor{g.Inputs[0].Name: x})
	if err != nil {
		t.Fatal(err)
	}
	return out[g.Outputs[0].Name].F32()
}

// alike fails where numbers differ by more than rounding.
func alike(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i, x := range want {
		if math.Abs(float64(got[i]-x)) > 1e-4*math.Max(1, math.Abs(float64(x))) {
			t.Errorf("%s: output %d is %v, want %v", what, i, got[i], x)
			return
		}
	}
}

// noisy gives scales, shifts and statistics of normalisations other numbers than those of a
// fresh network.
func noisy(g *graph.Graph) *graph.Graph {
	r := rand.New(rand.NewPCG(11, 12))
	for _, v := range g.Consts() {
		if x := v.Const.F32(); len(v.Shape) == 1 && v.Role != graph.Frozen {
			for i := range x {
				x[i] += float32(.4 * r.Float64())
			}
		}
	}
	return g
}

// only lets a search mix nothing: of every width the choice k(n) of n alone, and of every
// stage the depth k(n).
func (h *shaping) only(k func(n int) int) Arch {
	a := h.net.Whole()
	for w, of := range h.width {
		a.Width[w] = k(len(of))
		h.pairs[w], h.shares[w] = [2]int{a.Width[w], a.Width[w]}, [2]float64{1, 0}
	}
	for s, q := range h.q {
		a.Depth[s] = k(len(q))
		clear(q)
		q[a.Depth[s]] = 1
	}
	h.write()
	return a
}

// With all of the shares on the widest widths and the last depths the search network is the
// plain one, and with all on others it is the network of these; whether channels are
// interpolated, masked, or both.
func TestSearchNetworkIsTheNetwork(t *testing.T) {
	for _, name := range []string{"resnet20-b", "resnet20", "wrn-16-1", "cnn-8", "mobilenetv2", "vit-tiny", "mlp:64-20-10"} {
		g := noisy(network(t, name, .5))
		c, h := hookOf(t, g, nil)
		h.only(func(n int) int { return n - 1 })
		alike(t, name+", whole", outputs(t, c), outputs(t, g))
		a := h.only(func(n int) int { return n / 2 })
		d, _, err := h.net.Derive(a)
		if err != nil {
			t.Fatal(err)
		}
		if name == "vit-tiny" {
			continue // layer normalisation of a narrower network averages over fewer channels
		}
		alike(t, name+", half", outputs(t, c), outputs(t, d))
	}
}

// The gradients by logits, scales and shifts are those of finite differences.
func TestSearchGradients(t *testing.T) {
	for name, change := range map[string]func(*TAS){"resnet20-b": nil, "resnet8": nil, "cnn-8": nil} {
		c, h := hookOf(t, noisy(network(t, name, .5)), change)
		checked := 0
		check := &modeltest.Begun{F: func(r *train.Run) {
			h.tau = 2
			loss := func() float64 {
				h.write()
				x, err := r.GradientOf(h.other, 0, 0)
				if err != nil {
					t.Fatal(err)
				}
				return x
			}
			near := func(what string, got float64, change func(eps float64) (back func())) {
				const eps = 1e-2
				back := change(eps)
				up := loss()
				back()
				back = change(-eps)
				down := loss()
				back()
				checked++
				if want := (up - down) / (2 * eps); math.Abs(got-want) > 2e-3+.05*math.Abs(want) {
					t.Errorf("%s, %s: %v, want %v", name, what, got, want)
				}
			}
			h.draw(r, 0, 0)
			h.tau = 2
			loss()
			h.back()
			d, q := slices.Concat(h.dWidth), h.dDepth
			for w := range h.width {
				i := h.pairs[w][0]
				near("width", d[w][i], func(eps float64) func() {
					was := h.shares[w]
					x := math.Log(was[0]/was[1]) + eps/h.tau
					h.shares[w] = [2]float64{1 / (1 + math.Exp(-x)), 1 / (1 + math.Exp(x))}
					return func() { h.shares[w] = was }
				})
			}
			for s := range h.depth {
				near("depth", q[s][1], func(eps float64) func() {
					was := slices.Clone(h.q[s])
					x := make([]float64, len(was))
					for k := range x {
						x[k] = math.Log(was[k])
					}
					x[1] += eps / h.tau
					softmax(x, h.q[s])
					return func() { copy(h.q[s], was) }
				})
			}
			for m := range h.mixes {
				if h.mixes[m].norm == nil {
					continue
				}
				i := h.pairs[h.mixes[m].Width][1]
				for _, p := range []*train.Param{h.scales[m][i], h.shifts[m][i]} {
					loss()
					h.back()
					near("normalisation", float64(p.G[1]), func(eps float64) func() {
						was := p.W[1]
						p.W[1] += float32(eps)
						return func() { p.W[1] = was }
					})
				}
			}
		}}
		tr, _ := dataset.Glyph(2, .4, 80, 20, 1)
		j := &model.Job{Graph: c, Data: &dataset.Data{Train: tr, Norm: dataset.Raw}, Seed: 3, Engine: engine.Options{Threads: 1},
			Recipe: model.Recipe{Epochs: 1, Batch: 6, LR: .05, Schedule: "cosine", Optimizer: "sgd"}}
		if _, err := j.Fit(t.Context(), c, h, check); err != nil {
			t.Fatal(err)
		}
		if checked < 3 {
			t.Errorf("%s: %d numbers checked", name, checked)
		}
	}
}

// conv is a job on a small ResNet.
func conv(t *testing.T) *model.Job {
	j := modeltest.ConvJob(t, "resnet20-b")
	j.Recipe.Batch = 10
	return j
}

// A search that is stopped in either training goes on to the same network, and what is found
// is within the budget, near it, and trained from weights that are drawn.
func TestTASResumes(t *testing.T) {
	r := modeltest.Resumes(t, "tas", func() (model.Method, *model.Job) {
		s := NewTAS()
		s.Search, s.ArchLR = 2, .5
		return s, conv(t)
	}, 40, 7, 13, 31)
	if strings.Contains(modeltest.Said(r), "hardly told") {
		t.Errorf("with a large rate: %s", modeltest.Said(r))
	}
	g := conv(t).Graph
	f := r.Facts.(*TASFacts)
	share := float64(structure.CostOf(r.Graph).MACs) / float64(structure.CostOf(g).MACs)
	if share > .5 || share < .45 || math.Abs(share-f.Found) > 1e-9 || len(f.Stages) != 3 || len(f.Widths) != len(supernetOf(t, g).Widths) {
		t.Errorf("%v of the cost: %+v", share, f)
	}
}

// A budget of parameters is kept, and one of both; and the moves to it give up the least
// probable choices.
func TestTASBudgets(t *testing.T) {
	for _, c := range []model.ChannelTarget{{Params: .4, Round: 1}, {MACs: .6, Params: .3, Round: 1}, {MACs: 300000, Round: 4}} {
		j := conv(t)
		whole := structure.CostOf(j.Graph)
		macs, params := c.Shares(j.Graph)
		s := NewTAS()
		s.ChannelTarget, s.Search = c, 1
		r := modeltest.Run(t, s, j)
		got := structure.CostOf(r.Graph)
		a, b := float64(got.MACs)/float64(whole.MACs), float64(got.Params)/float64(whole.Params)
		if macs > 0 && a > macs || params > 0 && b > params {
			t.Errorf("%+v: %v of the multiply-accumulates and %v of the parameters", c, a, b)
		}
		if !strings.Contains(modeltest.Said(r), "hardly told") {
			t.Errorf("a short search says %q", modeltest.Said(r))
		}
		for _, w := range r.Facts.(*TASFacts).Widths {
			if c.Round == 4 && w.Kept%4 != 0 {
				t.Errorf("%d channels are no multiple of 4", w.Kept)
			}
		}
	}
	s := supernetOf(t, network(t, "cnn-8", 1))
	width, depth := s.zeros()
	for i := range width { // all but the third group lose much by every step
		for k := range width[i] {
			if width[i][k] = float64(k); i == 2 {
				width[i][k] *= 1e-3
			}
		}
	}
	a := s.Whole()
	a.Width[2] = 3
	most := s.At(a)
	most[1] = 0
	if b, moves := s.within(s.Whole(), width, depth, most, .05); moves != 4 || !slices.Equal(a.Width, b.Width) {
		t.Errorf("%v after %d moves, want %v", b, moves, a)
	}
	if b, moves := s.within(s.Least(), width, depth, [2]float64{.97}, .05); moves == 0 || s.At(b)[0] > .97 || s.At(b)[0] < .92 {
		t.Errorf("%v at %v after %d moves", b, s.At(b), moves)
	}
	if b, moves := s.within(a, width, depth, [2]float64{s.At(a)[0]}, .05); moves != 0 || !slices.Equal(a.Width, b.Width) {
		t.Errorf("%d moves of what is within", moves)
	}
}

// The weights that the last training begins with are drawn, or those of the first channels.
func TestTASWeights(t *testing.T) {
	for _, kept := range []bool{false, true} {
		j := conv(t)
		was, _ := j.Graph.Clone(true)
		s := NewTAS()
		s.Search, j.Recipe.LR = 1, 1e-12
		if kept {
			s.Weights = "kept"
		}
		r := modeltest.Run(t, s, j)
		x, w := r.Graph.Value("conv1.weight").Const.F32(), was.Value("conv1.weight").Const.F32()
		if same := math.Abs(float64(x[0]-w[0])) < 1e-6; same != kept {
			t.Errorf("kept %v: the first weight is %v, and was %v", kept, x[0], w[0])
		}
		if kept && j.Graph.Value("conv1.weight").Const.F32()[0] != w[0] {
			t.Error("the teacher was changed")
		}
	}
}

// A shape that is given is made without a search.
func TestTASShape(t *testing.T) {
	j := conv(t)
	s := NewTAS()
	var want Arch
	s.MACs, s.Shape = .99, func(n *Supernet) Arch {
		want = n.Whole()
		want.Width[0], want.Depth[1] = 3, 0
		s.Tolerance = 1 - n.At(want)[0]
		return want
	}
	steps := 0
	j.OnStep = func(step, all int, _ float64) { steps = all }
	r := modeltest.Run(t, s, j)
	f := r.Facts.(*TASFacts)
	if f.Moves != 0 || f.Stages[1].Kept != 1 || f.Widths[0].Kept != supernetOf(t, conv(t).Graph).Widths[0].Choices[3] || steps != 20 {
		t.Errorf("%+v, %d steps", f, steps)
	}
}

// What cannot be searched is refused before any training, with the way on.
func TestTASRefuses(t *testing.T) {
	for want, change := range map[string]func(*TAS, *model.Job){
		"reach from 0.0":         func(s *TAS, _ *model.Job) { s.MACs = .01 },
		"MACs: 1 of the network": func(s *TAS, _ *model.Job) { s.MACs = 1 },
		"Params: 1 of":           func(s *TAS, _ *model.Job) { s.MACs, s.Params = 0, 1e9 },
		"no budget":              func(s *TAS, _ *model.Job) { s.MACs = 0 },
		"Latency":                func(s *TAS, _ *model.Job) { s.Latency = .5 },
		"LatencyCmd":             func(s *TAS, _ *model.Job) { s.LatencyCmd = "true" },
		"Even cuts":              func(s *TAS, _ *model.Job) { s.Even = true },
		"to Cold 6":              func(s *TAS, _ *model.Job) { s.Cold = 6 },
		"fewer than one batch":   func(_ *TAS, j *model.Job) { j.Recipe.Batch = 120 },
		"nothing to search":      func(s *TAS, _ *model.Job) { s.Include = []string{"linear.weight"} },
		"give Data":              func(_ *TAS, j *model.Job) { j.Recipe.Epochs = 0 },
		"matches no weight":      func(s *TAS, _ *model.Job) { s.Include = []string{"nosuch*"} },
		"teacher: the train set has 10 classes, the network 7": func(_ *TAS, j *model.Job) { j.Loss = train.Loss{Teacher: network(t, "mlp:64-8-7", 1), Alpha: .5, T: 1} },
	} {
		j := conv(t)
		s := NewTAS()
		s.Search = 1
		change(s, j)
		j.OnStep = func(step, _ int, _ float64) { t.Fatalf("%s: step %d was made", want, step) }
		modeltest.Refused(t, s, j, want)
	}
}
