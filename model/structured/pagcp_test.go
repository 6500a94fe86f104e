package structured

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/internal/modeltest"
	"pare/model"
	"pare/prune/structure"
	"pare/tensor"
)

// heads is a job on 10 inputs, a layer of 12 and one of 8 channels, and two outputs: one
// of 3 classes, and one of numbers. shared: the second output reads the layers of the first.
func heads(t *testing.T, shared bool, seed uint64) *model.Job {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 3))
	b := op.NewBuilder(graph.New("heads", 17), "v")
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(10)}}
	b.G.Inputs = []*graph.Value{x}
	linear := func(name string, x *graph.Value, in, out int) *graph.Value {
		w, c := tensor.New(tensor.Float32, out, in), tensor.New(tensor.Float32, out)
		for i := range w.F32() {
			w.F32()[i] = float32(r.NormFloat64() * math.Sqrt(2/float64(in)))
		}
		for i := range c.F32() {
			c.F32()[i] = float32(.1 * r.NormFloat64())
		}
		return b.Attr("Gemm", []graph.Attr{graph.MakeAttr("transB", 1)}, x, b.G.Const(name+".weight", w, graph.Param), b.G.Const(name+".bias", c, graph.Param))
	}
	h := b.Op("Relu", linear("fc1", x, 10, 12))
	h = b.Op("Relu", linear("fc2", h, 12, 8))
	kind := linear("kind", h, 8, 3)
	if !shared {
		h = b.Op("Relu", linear("fc3", x, 10, 8))
	}
	size := linear("size", h, 8, 2)
	kind.Name, size.Name = "kind", "size"
	b.G.Outputs = []*graph.Value{kind, size}
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	op.Classify(b.G)
	set := func(n int) *dataset.Set {
		x, c, z := &dataset.Field{Name: "x", Shape: []int{10}}, &dataset.Field{Name: "class", Classes: 3}, &dataset.Field{Name: "numbers", Shape: []int{2}}
		for range n {
			v := make([]float32, 10)
			for k := range v {
				v[k] = float32(r.NormFloat64())
			}
			k := int32(0)
			if v[0] > .4 {
				k = 1
			} else if v[1] > 0 {
				k = 2
			}
			x.Floats, c.Ints, z.Floats = append(x.Floats, v...), append(c.Ints, k), append(z.Floats, v[2]+v[3], v[4]*v[5])
		}
		return dataset.New("samples", x, c, z)
	}
	return &model.Job{Graph: b.G, Data: &dataset.Data{Train: set(200), Norm: dataset.Raw}, Seed: 3, Engine: engine.Options{Threads: 1},
		Recipe: model.Recipe{Epochs: 1, Batch: 20, LR: .02, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Loss: "cross-entropy(kind,class)+mse(size,numbers)"}}
}

// trainedHeads is heads with its layers shared, after 20 epochs.
func trainedHeads(t *testing.T, seed uint64) *model.Job {
	t.Helper()
	j := heads(t, true, seed)
	long := *j
	long.Recipe.Epochs = 20
	if _, err := long.Fit(t.Context(), j.Graph); err != nil {
		t.Fatal(err)
	}
	return j
}

// once is one round without training.
func once(j *model.Job) *PAGCP {
	s := NewPAGCP()
	s.Rounds, s.Relax, s.MACs, j.Recipe.Epochs = 1, 1, 0, 0
	return s
}

// byHand computes both outputs of heads in plain loops.
func byHand(g *graph.Graph, x []float32) (kind, size []float64) {
	layer := func(name string, x []float64, relu bool) []float64 {
		w, c := g.Value(name+".weight").Const, g.Value(name+".bias").Const.F32()
		y := make([]float64, len(c))
		for o := range y {
			y[o] = float64(c[o])
			for k := range x {
				y[o] += float64(w.F32()[o*len(x)+k]) * x[k]
			}
			if relu {
				y[o] = math.Max(0, y[o])
			}
		}
		return y
	}
	var v []float64
	for _, f := range x {
		v = append(v, float64(f))
	}
	h := layer("fc2", layer("fc1", v, true), true)
	return layer("kind", h, false), layer("size", h, false)
}

// lossesByHand are the cross-entropy of the classes and the mean square of the numbers.
func lossesByHand(g *graph.Graph, s *dataset.Set) []float64 {
	n := s.Len()
	var entropy, square float64
	for i := range n {
		kind, size := byHand(g, s.Fields[0].Floats[10*i:10*i+10])
		sum := 0.
		for _, z := range kind {
			sum += math.Exp(z)
		}
		entropy += (math.Log(sum) - kind[s.Fields[1].Ints[i]]) / float64(n)
		for k, z := range size {
			square += math.Pow(z-float64(s.Fields[2].Floats[2*i+k]), 2) / float64(2*n)
		}
	}
	return []float64{entropy, square}
}

// zeroed is a copy of the network without some channels of the two layers, as zeros.
func zeroed(g *graph.Graph, gone [2][]int) *graph.Graph {
	c, _ := g.Clone(true)
	for l, names := range [][]string{{"fc1", "fc2"}, {"fc2", "kind", "size"}} {
		w, b := c.Value(names[0]+".weight").Const, c.Value(names[0]+".bias").Const.F32()
		in := w.Shape[1]
		for _, o := range gone[l] {
			clear(w.F32()[o*in : (o+1)*in])
			b[o] = 0
			for _, next := range names[1:] {
				r := c.Value(next + ".weight").Const
				for k := range r.Shape[0] {
					r.F32()[k*r.Shape[1]+o] = 0
				}
			}
		}
	}
	return c
}

// Run is PAGCP by hand: its order, every cut that it tries with the losses of both tasks
// of the network with zeros in place of what is cut, what it accepts, and the network.
func TestPAGCPOracle(t *testing.T) {
	for _, c := range []struct {
		tolerance, growth float64
		from              string
	}{{.03, 1, "last"}, {.1, 1, "start"}, {.05, 1.5, "last"}, {0, 1, "last"}} {
		j := heads(t, true, 5)
		s := once(j)
		s.Tolerance, s.Growth, s.From, s.Step, s.Most, s.Least = c.tolerance, c.growth, c.from, .1, .7, .1
		set := j.Data.Train.Draw(s.Samples, j.Seed)
		was, _ := j.Graph.Clone(true)
		worst := [2][]int{}
		for l, names := range [][]string{{"fc1", "fc2"}, {"fc2", "kind", "size"}} {
			w := was.Value(names[0] + ".weight").Const
			norm := make([]float64, w.Shape[0])
			for o := range norm {
				for k := range w.Shape[1] {
					norm[o] += math.Pow(float64(w.F32()[o*w.Shape[1]+k]), 2)
				}
				for _, next := range names[1:] {
					r := was.Value(next + ".weight").Const
					for k := range r.Shape[0] {
						norm[o] += math.Pow(float64(r.F32()[k*r.Shape[1]+o]), 2)
					}
				}
				worst[l] = append(worst[l], o)
			}
			slices.SortStableFunc(worst[l], func(a, b int) int {
				if norm[a] < norm[b] {
					return -1
				}
				return 1
			})
		}
		order := []int{0, 1} // 3 of 12 save 3 (10 + 8), 2 of 8 save 2 (12 + 5)
		if c.growth > 1 {
			order = []int{1, 0}
		}
		gone := [2][]int{}
		start := lossesByHand(was, set)
		ref, tolerance := slices.Clone(start), c.tolerance
		var want []PAGCPStep
		for _, l := range order {
			var last []float64
			for k := 1; k <= 7; k++ {
				n := len(worst[l])
				cut := int(float64(k)*.1*float64(n) + 1e-9)
				if cut == len(gone[l]) {
					continue
				}
				try := gone
				try[l] = worst[l][:cut]
				now := lossesByHand(zeroed(was, try), set)
				ok := true
				for i := range now {
					ok = ok && now[i] <= ref[i]*(1+tolerance)+1e-6
				}
				want = append(want, PAGCPStep{Channels: n - cut, Of: n, Tolerance: tolerance, Reference: slices.Clone(ref), Loss: now, Accepted: ok})
				if !ok {
					break
				}
				gone, last = try, now
			}
			if last != nil {
				tolerance *= c.growth
				for i := range last {
					if c.from == "last" {
						ref[i] = math.Max(ref[i], last[i])
					}
				}
			}
		}
		r := modeltest.Run(t, s, j)
		got := r.Facts.(*PAGCPFacts).Rounds[0].Steps
		if len(got) != len(want) {
			t.Fatalf("%+v: %d cuts were tried, want %d: %+v", c, len(got), len(want), got)
		}
		for i, w := range want {
			g := got[i]
			if g.Channels != w.Channels || g.Of != w.Of || g.Accepted != w.Accepted || !near(g.Loss, w.Loss) || !near(g.Reference, w.Reference) || math.Abs(g.Tolerance-w.Tolerance) > 1e-12 {
				t.Fatalf("%+v: cut %d is %+v, want %+v", c, i, g, w)
			}
		}
		if !near(lossesByHand(r.Graph, set), lossesByHand(zeroed(was, gone), set)) {
			t.Errorf("%+v: the network is not the one with zeros", c)
		}
	}
}

func near(a, b []float64) bool {
	for i := range a {
		if math.Abs(a[i]-b[i]) > 1e-5*math.Max(1, math.Abs(b[i])) {
			return false
		}
	}
	return len(a) == len(b)
}

// With no tolerance a channel without weights goes, and nothing else: it is put beside those
// of networks that lose something with any of them.
func TestPAGCPUseless(t *testing.T) {
	left := func(j *model.Job, g *graph.Graph) int64 {
		k := j.On(g)
		s := once(k)
		s.Tolerance, s.Step = 0, 1./24
		return structure.CostOf(modeltest.Run(t, s, k).Graph).Params
	}
	found := 0
	for seed := range uint64(6) {
		j := trainedHeads(t, seed)
		whole := structure.CostOf(j.Graph).Params
		if left(j, j.Graph) < whole {
			continue
		}
		found++
		groups, _ := structure.Groups(j.Graph)
		more, err := structure.Widen(j.Graph, groups, []int{13, 9})
		if err != nil {
			t.Fatal(err)
		}
		if is := left(j, zeroed(more, [2][]int{{12}, {8}})); is != whole {
			t.Errorf("seed %d: %d parameters are left, want %d", seed, is, whole)
		}
	}
	if found == 0 {
		t.Error("no network needs all its channels: the test says nothing")
	}
}

// Every accepted cut of every round is within the tolerance of each task, and the targets
// are met, by rounds with training between.
func TestPAGCPTrace(t *testing.T) {
	for _, relax := range []float64{1.5, 3} {
		j := trainedHeads(t, 6)
		s := NewPAGCP()
		s.Tolerance = .01
		s.MACs, s.Params, s.Relax, s.Rounds = .4, .45, relax, 2
		was := structure.CostOf(j.Graph)
		r := modeltest.Run(t, s, j)
		f := r.Facts.(*PAGCPFacts)
		is := structure.CostOf(r.Graph)
		macs, params := float64(is.MACs)/float64(was.MACs), float64(is.Params)/float64(was.Params)
		if macs > .4 || params > .45 || math.Max(macs/.4, params/.45) < .9 || f.MACs != macs || f.Params != params {
			t.Errorf("%v of the multiply-accumulates and %v of the parameters are left", macs, params)
		}
		accepted, refused := 0, 0
		for _, round := range f.Rounds {
			for _, x := range round.Steps {
				worst := 0.
				for i := range x.Loss {
					worst = math.Max(worst, x.Loss[i]/x.Reference[i]-1)
				}
				if x.Accepted != (worst <= x.Tolerance+2e-6) {
					t.Errorf("%+v: a task lost %v", x, worst)
				}
				if x.Accepted {
					accepted++
				} else {
					refused++
				}
			}
		}
		if len(f.Rounds) != 2 || accepted == 0 || refused == 0 || len(f.Tasks) != 2 || !strings.Contains(f.Tasks[0], "cross-entropy(kind,class)") {
			t.Errorf("%d rounds, %d cuts accepted and %d refused, tasks %q", len(f.Rounds), accepted, refused, f.Tasks)
		}
		for name, masks := range r.Kept { // over the network before all rounds
			v := j.Graph.Value(name)
			for d, m := range masks {
				if m != nil && (v == nil || graph.N(m.Len) != v.Shape[d] || graph.N(m.Count()) != r.Graph.Value(name).Shape[d]) {
					t.Errorf("%s: %d of %d stay along axis %d", name, m.Count(), m.Len, d)
				}
			}
		}
	}
}

// The task that is left out of the judgement loses more.
func TestPAGCPProtects(t *testing.T) {
	square := func(judges func(string) bool) float64 {
		j := trainedHeads(t, 5)
		s := once(j)
		s.Judges = judges
		s.MACs, s.Relax = .5, 1.2
		return lossesByHand(modeltest.Run(t, s, j).Graph, j.Data.Train)[1]
	}
	both, one := square(nil), square(func(output string) bool { return output == "kind" })
	if both >= one {
		t.Errorf("the numbers' loss is %v where it is judged, and %v where it is not", both, one)
	}
}

// The share top of the groups stays cut: those that lost least for what they saved.
func TestPAGCPTop(t *testing.T) {
	j := heads(t, true, 5)
	s := once(j)
	s.Tolerance, s.Top = .3, .5
	r := modeltest.Run(t, s, j)
	round := r.Facts.(*PAGCPFacts).Rounds[0]
	if len(round.Kept) != 1 {
		t.Fatalf("taken back: %q", round.Kept)
	}
	if w := r.Graph.Value(round.Kept[0]); w.Const.Shape[0] != j.Graph.Value(round.Kept[0]).Const.Shape[0] {
		t.Errorf("%s has %v", round.Kept[0], w.Const.Shape)
	}
	width, price, start := map[string]int{"fc1.weight": 12, "fc2.weight": 8}, map[string]float64{}, round.Steps[0].Reference
	for _, x := range round.Steps {
		if x.Accepted {
			width[x.Group] = x.Channels
			rose := 0.
			for i := range start {
				rose += x.Loss[i]/start[i] - 1
			}
			price[x.Group] = rose / float64(multiplies(12, 8)-multiplies(width["fc1.weight"], width["fc2.weight"]))
		}
	}
	for name, p := range price {
		if p > price[round.Kept[0]] {
			t.Errorf("%s was taken back at a price of %v, and %s cost %v", round.Kept[0], price[round.Kept[0]], name, p)
		}
	}
}

// multiplies counts the multiply-accumulates of heads with layers of so many channels.
func multiplies(a, b int) int { return 10*a + a*b + 5*b }

// Of the group that is cut last no more goes than the target asks for, however coarse the
// shares are that are tried.
func TestPAGCPFewest(t *testing.T) {
	j := heads(t, true, 5)
	s := once(j)
	s.MACs, s.Tolerance, s.Step, s.Relax = .62, 5, .35, 2
	r := modeltest.Run(t, s, j)
	a, b := r.Graph.Value("fc1.weight").Const.Shape[0], r.Graph.Value("fc2.weight").Const.Shape[0]
	most := .62 * float64(multiplies(12, 8))
	if float64(multiplies(a, b)) > most || float64(multiplies(a+1, b)) <= most && float64(multiplies(a, b+1)) <= most {
		t.Errorf("%d and %d channels are left", a, b)
	}
}

// What stays at least is a share of what there was before the first round.
func TestPAGCPLeast(t *testing.T) {
	j := heads(t, true, 5)
	s := NewPAGCP()
	s.Rounds, s.MACs, s.Least, s.Tolerance, s.Most = 3, .05, .5, 100, .4
	r := modeltest.Run(t, s, j)
	if a, b := r.Graph.Value("fc1.weight").Const.Shape[0], r.Graph.Value("fc2.weight").Const.Shape[0]; a != 6 || b != 4 {
		t.Errorf("%d of 12 and %d of 8 channels are left", a, b)
	}
	if !strings.Contains(modeltest.Said(r), "the targets are missed") {
		t.Error(modeltest.Said(r))
	}
}

func TestPAGCPResume(t *testing.T) {
	modeltest.Resumes(t, "pagcp", func() (model.Method, *model.Job) {
		s := NewPAGCP()
		s.Rounds = 2
		return s, heads(t, true, 7)
	}, 20, 4, 13)
}

func TestPAGCPBad(t *testing.T) {
	for want, f := range map[string]func(j *model.Job, s *PAGCP){
		"Tolerance -0.1: a number of at least 0": func(_ *model.Job, s *PAGCP) { s.Tolerance = -.1 },
		"Rounds 0":                               func(_ *model.Job, s *PAGCP) { s.Rounds = 0 },
		"Relax 0.5":                              func(_ *model.Job, s *PAGCP) { s.Relax = .5 },
		"Step 0":                                 func(_ *model.Job, s *PAGCP) { s.Step = 0 },
		"Even does not go with":                  func(_ *model.Job, s *PAGCP) { s.Even = true },
		"LatencyCmd, Widths and AtLeast do not":  func(_ *model.Job, s *PAGCP) { s.LatencyCmd = "true {}" },
		"have fine-tuning between them":          func(j *model.Job, _ *PAGCP) { j.Recipe.Epochs = 0 },
		`no output "nosuch"`:                     func(j *model.Job, _ *PAGCP) { j.Recipe.Loss = "cross-entropy(nosuch,class)" },
		`no field "nosuch"`:                      func(j *model.Job, _ *PAGCP) { j.Recipe.Loss = "cross-entropy(kind,nosuch)" },
		"it is a network of its own":             func(j *model.Job, _ *PAGCP) { j.Graph = heads(t, false, 5).Graph },
		"pattern \"nosuch*\" matches no weight":  func(_ *model.Job, s *PAGCP) { s.Include = []string{"nosuch*"} },
		"judged by its loss on labelled samples": func(j *model.Job, _ *PAGCP) {
			j.Data.Train = dataset.New("unlabelled", j.Data.Train.Fields[0])
			j.Recipe.Loss = "none"
		},
	} {
		s := NewPAGCP()
		j := heads(t, true, 5)
		j.OnStep = func(int, int, float64) { t.Fatalf("%s: a step was made", want) }
		f(j, s)
		modeltest.Refused(t, s, j, want)
	}
}
