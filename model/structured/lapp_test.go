package structured

import (
	"bytes"
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
	"pare/train"
	"pare/zoo"
)

// lappByHand is LAPP in plain loops on a chain: one threshold for each hidden layer.
func lappByHand(t *testing.T, j *model.Job, s *LAPP, epochs int) *oracle.Training {
	var all oracle.Series
	n := oracle.Read(t, j.Graph)
	k := *j
	k.Recipe.Epochs, k.Recipe.Schedule = epochs, "constant"
	var theta [2][]float64
	var m, I [2][]float64
	T := [2]float64{}
	steps := 0.0
	mask := func() {
		for l := range 2 {
			layer, next := n.Layers[l], n.Layers[l+1]
			copy(theta[l], next.W.X)
			most := 0.0
			for c := range layer.Out {
				I[l][c] = 0
				for i := range layer.In {
					w := layer.W.X[c*layer.In+i]
					if l == 1 {
						w = theta[0][c*layer.In+i] // without the factors
					}
					I[l][c] += math.Abs(w)
				}
				most = math.Max(most, I[l][c])
			}
			for c := range layer.Out {
				if I[l][c] /= most; I[l][c] > T[l] {
					m[l][c] = 1
				} else {
					m[l][c] = 0
				}
				for q := range next.Out {
					next.W.X[q*next.In+c] = theta[l][q*next.In+c] * m[l][c]
				}
			}
		}
	}
	for l := range 2 {
		theta[l] = slices.Clone(n.Layers[l+1].W.X)
		m[l], I[l] = make([]float64, n.Layers[l].Out), make([]float64, n.Layers[l].Out)
	}
	mask()
	left := func() (a, b float64) {
		for _, x := range m[0] {
			a += x
		}
		for _, x := range m[1] {
			b += x
		}
		return a, b
	}
	all.Fit(t, &k, n, true, func(r *oracle.Training) {
		steps = float64(r.Steps)
		r.Graded = func(step int) {
			sharp := 2 * math.Pow(s.Sharpness/2, float64(step)/steps)
			a, b := left()
			lambda := 0.0
			if share := (10*a + a*b + 3*b) / 210; share > 1-.5*float64(step+1)/steps {
				lambda = s.Constraint / 210
			}
			byLayer := [2]float64{10 + b, a + 3} // multiply-accumulates that go with a channel
			for l := range 2 {
				next := n.Layers[l+1]
				d := 0.0
				for c := range m[l] {
					gate := 0.0
					for q := range next.Out {
						i := q*next.In + c
						gate += next.W.G[i] * theta[l][i]
						next.W.G[i] *= m[l][c]
					}
					sig := 1 / (1 + math.Exp(-sharp*(I[l][c]-T[l])))
					d -= sharp * sig * (1 - sig) * (gate + lambda*byLayer[l])
				}
				T[l] = math.Min(math.Max(T[l]-s.ThresholdLR*r.Rate(step)*d, 0), .999)
				copy(next.W.X, theta[l])
			}
		}
		r.After = func(int) { mask() }
	})
	for l := range 2 {
		copy(n.Layers[l+1].W.X, theta[l])
		for c := range I[l] {
			I[l][c] -= T[l]
		}
	}
	for l, keep := range ranked(t, [][]float64{I[0], I[1]}, s.Least, [2]int{1, 1}) {
		n.Narrow(l, keep)
	}
	rest := *j
	rest.From = int(steps)
	all.Fit(t, &rest, n, false, nil)
	return all.Ended(n)
}

// LAPP is LAPP by hand, after every step.
func TestLAPPOracle(t *testing.T) {
	for _, c := range []struct {
		lr, constraint, sharp float64
	}{{1, 20, 20}, {2, 5, 100}, {0, 10, 20}} {
		j := oracle.Job(t, sizes, 200, 20, 4, 4)
		s := NewLAPP()
		s.Round, s.ThresholdLR, s.Constraint, s.Sharpness, s.Until = 1, c.lr, c.constraint, c.sharp, train.Share(.5)
		r := lappByHand(t, j, s, 2).Follow(t, s, j)
		if f := r.Facts.(*LAPPFacts); c.lr > 0 != (f.Spread > .001) || c.lr > 0 != (f.Reached < 1) {
			t.Errorf("rate %v: %+v", c.lr, f)
		}
	}
}

// trained is a run that has a network's parameters alone.
func trained(g *graph.Graph) *train.Run {
	r := &train.Run{}
	for _, v := range g.Params() {
		r.Params = append(r.Params, &train.Param{Value: v, W: v.Const.F32(), G: make([]float32, v.Const.Len())})
	}
	return r
}

// lappNet is a network with odd numbers, and thresholds on it, with branches or without.
func lappNet(t *testing.T, name string, branches bool) (*graph.Graph, *thresholds, *besides) {
	t.Helper()
	g, err := zoo.New(name, zoo.Options{In: []int{1, 8, 8}, Seed: 1, Width: .5})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := op.Simplify(g); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	for _, v := range g.Consts() {
		for i := range v.Const.F32() {
			if v.Role == graph.Stat || v.Role == graph.Param && len(v.Shape) == 1 {
				v.Const.F32()[i] = float32(.5 + r.Float64())
			}
		}
	}
	s := NewLAPP()
	s.MACs, s.Params = .45, .6
	h := &thresholds{Targets: [2]float64{float64(s.MACs), float64(s.Params)}, Lambda: 3, Rate: .1, Sharp: 20, Steps: 10}
	if !branches {
		groups, _ := structure.Groups(g)
		if err := s.thresholds(h, g, groups); err != nil {
			t.Fatal(err)
		}
		return g, h, nil
	}
	want := answer(t, g)
	b, err := putBeside(g, prune.Scope{}, s.ChannelTarget, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(want, answer(t, g)) || len(b.convs) < 2 {
		t.Fatalf("%d branches were put beside convolutions, and the network is another", len(b.convs))
	}
	for _, c := range b.convs { // branches that do something
		bn := c.sum.In(1).From
		for _, v := range bn.Inputs[1:3] {
			for i := range v.Const.F32() {
				v.Const.F32()[i] = float32(r.NormFloat64())
			}
		}
	}
	h.Costs = b
	b.thresholds(h, false)
	return g, h, b
}

// answer runs a network on noise.
func answer(t *testing.T, g *graph.Graph) []float32 {
	t.Helper()
	r := rand.New(rand.NewPCG(9, 9))
	x := tensor.New(tensor.Float32, 2, 1, 8, 8)
	for i := range x.F32() {
		x.F32()[i] = float32(r.NormFloat64())
	}
	out, err := op.Run(g, map[string]*tensor.Tensor{g.Inputs[0].Name: x})
	if err != nil {
		t.Fatal(err)
	}
	return out[g.Outputs[0].Name].F32()
}

// With thresholds of 0 nothing is masked, and the network costs what it does; the slopes of
// the cost by the thresholds are never positive, and those of finite differences of the soft
// masks.
func TestLAPPSlopes(t *testing.T) {
	for _, branches := range []bool{false, true} {
		g, h, b := lappNet(t, "resnet8", branches)
		if err := h.Start(trained(g)); err != nil {
			t.Fatal(err)
		}
		want := 1.
		if branches {
			want = float64(b.whole.MACs) / float64(b.dense.MACs)
		}
		if share := h.cost(h.M); slices.Min(h.M) != 1 || math.Abs(share[0]-want) > 1e-12 {
			t.Errorf("with thresholds of 0 the shares are %v, want %v", share, want)
		}
		const k, eps = 7, 1e-5
		for l := range h.T {
			h.T[l] = .3 + .1*float64(l%4)
		}
		soft := func() []float64 {
			m := make([]float64, len(h.M))
			for l, of := range h.Layers {
				for c := of.First; c < of.First+of.N; c++ {
					m[c] = 1 / (1 + math.Exp(-k*(h.importance[c]-h.T[l])))
				}
			}
			return m
		}
		cost := func() float64 { s := h.cost(soft()); return 2*s[0] + 3*s[1] }
		d := make([]float64, len(h.T))
		h.cost(soft())
		h.slopes(k, make([]float64, len(h.M)), [2]float64{2, 3}, d)
		for l := range h.T {
			was := h.T[l]
			h.T[l] = was + eps
			up := cost()
			h.T[l] = was - eps
			want := (up - cost()) / (2 * eps)
			h.T[l] = was
			if d[l] > 0 || math.Abs(d[l]-want) > 1e-5*math.Abs(want) {
				t.Errorf("branches %v: the slope by threshold %d is %v, want %v", branches, l, d[l], want)
			}
		}
	}
}

// A masked network computes what the cut one does, and costs what was counted.
func TestLAPPMaskedIsCut(t *testing.T) {
	for _, name := range []string{"resnet8", "cnn-8"} {
		for _, branches := range []bool{false, true} {
			g, h, b := lappNet(t, name, branches)
			r := trained(g)
			if err := h.Start(r); err != nil {
				t.Fatal(err)
			}
			for c := range h.M {
				h.M[c] = float64(min(1, c%3))
			}
			for _, of := range h.Layers {
				h.M[of.First] = 1
			}
			h.Forward()
			want, share := answer(t, g), h.cost(h.M)
			h.Unmask()
			masks := make([]*prune.Mask, len(h.Layers))
			for l, of := range h.Layers {
				masks[l] = prune.NewMask(of.N, true)
				for c := range of.N {
					masks[l].Set(c, h.M[of.First+c] == 1)
				}
			}
			before, cut := structure.CostOf(g), g
			if branches {
				before = b.dense
				if _, err := b.cut(g, masks); err != nil {
					t.Fatal(err)
				}
			} else {
				groups, _ := structure.Groups(g)
				sel := structure.All(groups)
				for l, of := range h.Layers {
					sel[of.Group] = masks[l]
				}
				var err error
				if cut, err = structure.Cut(g, groups, sel); err != nil {
					t.Fatal(err)
				}
			}
			for i, x := range answer(t, cut) {
				if math.Abs(float64(x-want[i])) > 1e-5*math.Max(1, math.Abs(float64(want[i]))) {
					t.Fatalf("%s, branches %v: output %d is %v, masked %v", name, branches, i, x, want[i])
				}
			}
			after := structure.CostOf(cut)
			got := [2]float64{float64(after.MACs) / float64(before.MACs), float64(after.Params) / float64(before.Params)}
			if math.Abs(got[0]-share[0]) > 1e-12 || math.Abs(got[1]-share[1]) > 1e-12 {
				t.Errorf("%s, branches %v: the shares are %v, counted were %v", name, branches, got, share)
			}
		}
	}
}

// What is cut first is what lies furthest below the threshold of its layer, whatever its
// importance; a group without a threshold goes last.
func TestMargins(t *testing.T) {
	h := &thresholds{Layers: []layerOf{{Group: 2, First: 0, N: 2}, {Group: 0, First: 2, N: 1}}, T: []float64{.5, .1}, importance: []float64{.75, 1, .5}}
	groups := []*structure.Group{{Channels: make([]structure.Channel, 1)}, {Channels: make([]structure.Channel, 1)}, {Channels: make([]structure.Channel, 2)}}
	rates, _, err := h.rates(nil, groups)
	if err != nil || !slices.Equal(rates[2], []float64{.25, .5}) || !slices.Equal(rates[0], []float64{.4}) || !math.IsInf(rates[1][0], 1) {
		t.Errorf("%v (%v)", rates, err)
	}
}

// Without branches, and with nothing that moves thresholds, the training is the plain one,
// byte for byte.
func TestLAPPPlain(t *testing.T) {
	j := modeltest.ConvJob(t, "resnet8")
	plain, _ := j.Graph.Clone(true)
	if _, err := j.Fit(t.Context(), plain); err != nil {
		t.Fatal(err)
	}
	s := NewLAPP()
	groups, _ := structure.Groups(j.Graph)
	h := &thresholds{Targets: [2]float64{.5, 0}, Rate: 1, Sharp: 20, Steps: 10}
	if err := s.thresholds(h, j.Graph, groups); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Fit(t.Context(), j.Graph, h); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(modeltest.Bits(plain), modeltest.Bits(j.Graph)) {
		t.Error("the training is not the plain one")
	}
}

// The target is met within one per cent, with branches and without.
func TestLAPP(t *testing.T) {
	for by, of := range map[string]string{"none": "filters", "beside": "scales"} {
		j := modeltest.ConvJob(t, "cnn-64")
		j.Recipe.Epochs, j.Data.Train = 2, j.Data.Train.First(60)
		s := NewLAPP()
		s.MACs, s.Round, s.Bypass, s.Importance, s.Until = .45, 1, by, of, train.Share(.5)
		s.Fresh.Fresh = by == "beside"
		before := structure.CostOf(j.Graph).MACs
		r := modeltest.Run(t, s, j)
		share := float64(structure.CostOf(r.Graph).MACs) / float64(before)
		if share > .45 || share < .4455 || len(r.Epochs) != 2 || r.Epochs[1].Epoch != 2 {
			t.Errorf("bypass %s, importance %s: %.4f of the computation is left after %d epochs", by, of, share, len(r.Epochs))
		}
		for _, l := range r.Facts.(*LAPPFacts).Layers {
			if l.Kept < 1 || l.Kept > l.Channels || l.Name == "" {
				t.Errorf("%+v", l)
			}
		}
	}
}

// Importances are of what the settings say, and the most important channel is 1.
func TestImportance(t *testing.T) {
	for _, of := range []string{"filters", "scales"} {
		g, err := zoo.New("cnn-8", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		s := NewLAPP()
		s.Importance = of
		h := &thresholds{Steps: 1}
		groups, _ := structure.Groups(g)
		if err := s.thresholds(h, g, groups); err != nil {
			t.Fatal(err)
		}
		if w := g.Value("features.0.0.weight").Const; of == "filters" {
			for i := range 9 {
				w.F32()[3*9+i] = 10
			}
		}
		bn := g.Uses()[g.Value("features.0.0.weight")][0].Node.Out(0)
		g.Uses()[bn][0].Node.In(1).Const.F32()[5] = -7
		if err := h.Start(trained(g)); err != nil {
			t.Fatal(err)
		}
		want := map[string]int{"filters": 3, "scales": 5}[of]
		for c, x := range h.importance[:8] {
			if (x == 1) != (c == want) || x > 1 {
				t.Errorf("%s: the importance of channel %d is %v", of, c, x)
			}
		}
	}
}

// Beside branches too, every convolution keeps the share that stays at least, and even cuts
// take the same of each.
func TestLAPPBypassShares(t *testing.T) {
	for _, c := range []struct {
		even         bool
		least, below float64
	}{{false, .7, .7}, {true, .05, .6}} {
		j := modeltest.ConvJob(t, "resnet8")
		s := NewLAPP()
		s.Bypass, s.MACs, s.Even, s.Least, s.Round, j.Recipe.Epochs = "beside", .88, c.even, c.least, 1, 4
		f := modeltest.Run(t, s, j).Facts.(*LAPPFacts)
		low, high := 1., 0.
		for _, l := range f.Layers {
			share := float64(l.Kept) / float64(l.Channels)
			low, high = math.Min(low, share), math.Max(high, share)
		}
		if low < c.below || c.even && high-low > .13 || !c.even && high-low < .15 {
			t.Errorf("even %v, least %v: shares from %.3f to %.3f stay", c.even, c.least, low, high)
		}
	}
}

func TestLAPPBadInput(t *testing.T) {
	for want, f := range map[string]func(*LAPP, *model.Job){
		"no cut of channels":             func(s *LAPP, _ *model.Job) { s.MACs = 1e-9 },
		"no target: give MACs or Params": func(s *LAPP, _ *model.Job) { s.MACs = 0 },
		"MACs 1.5: a share is at most":   func(s *LAPP, _ *model.Job) { s.MACs = 1.5 },
		"in 0 of 4 epochs":               func(s *LAPP, _ *model.Job) { s.Until = train.At{} },
		"in 4 of 4 epochs":               func(s *LAPP, _ *model.Job) { s.Until = train.Share(1) },
		"choose one within it":           func(s *LAPP, _ *model.Job) { s.Until = train.At{X: 5, Unit: train.Epochs} },
		"thresholds are learned by":      func(_ *LAPP, j *model.Job) { j.Recipe.Epochs = 0 },
		"no batch normalisation scales":  func(s *LAPP, _ *model.Job) { s.Importance = "scales" },
		"nosuch":                         func(s *LAPP, _ *model.Job) { s.Include = []string{"nosuch*"} },
	} {
		s, j := NewLAPP(), modeltest.Job(t, 4)
		f(s, j)
		j.OnStep = func(step, _ int, _ float64) { t.Fatalf("%s: step %d was made", want, step) }
		modeltest.Refused(t, s, j, want)
	}
	for want, f := range map[string]func(*LAPP, *model.Job){
		"beside branches reaches the target: the least is": func(s *LAPP, _ *model.Job) { s.MACs = .01 },
		"MACs 1.5: a share is at most":                     func(s *LAPP, _ *model.Job) { s.MACs = 1.5 },
		"goes by MACs and Params alone":                    func(s *LAPP, _ *model.Job) { s.LatencyCmd = "true {}" },
		"no batch normalisation scales":                    func(s *LAPP, j *model.Job) { s.Importance, j.Graph = "scales", modeltest.ConvJob(t, "conv-2").Graph },
	} {
		s, j := NewLAPP(), modeltest.ConvJob(t, "resnet8")
		s.Bypass, s.MACs, j.Recipe.Epochs = "beside", .9, 4
		f(s, j)
		modeltest.Refused(t, s, j, want)
	}
	s := NewLAPP()
	s.Bypass = "beside"
	r := modeltest.Run(t, s, modeltest.Job(t, 4)) // no convolution: hidden units are cut
	if strings.Contains(modeltest.Said(r), "bypass") || r.Kept == nil {
		t.Error(modeltest.Said(r))
	}
}
