package structured

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pare/graph"
	"pare/internal/modeltest"
	"pare/internal/oracle"
	"pare/measure"
	"pare/model"
	"pare/prune/hook"
	"pare/prune/structure"
	"pare/train"
)

// sizesOf are the scales of each hidden layer: of normalisations, or the norms of the
// filters over their mean.
func sizesOf(n *oracle.Net) (out [][]float64) {
	for _, l := range n.Layers[:len(n.Layers)-1] {
		s := make([]float64, l.Out)
		for o := range s {
			if l.Norm != nil {
				s[o] = math.Abs(l.Norm.Scale.X[o])
				continue
			}
			for k := range l.In {
				s[o] += l.W.X[o*l.In+k] * l.W.X[o*l.In+k]
			}
			s[o] = math.Sqrt(s[o])
		}
		if l.Norm == nil {
			s = relative(s)
		}
		out = append(out, s)
	}
	return out
}

// pull adds the penalty's sub-gradient for the channels that are chosen; nil: all.
func pull(n *oracle.Net, lambda, near float64, chosen [][]bool) {
	for i, l := range n.Layers[:len(n.Layers)-1] {
		for o := range l.Out {
			if chosen != nil && !chosen[i][o] {
				continue
			}
			if l.Norm != nil {
				w := l.Norm.Scale.X[o]
				switch {
				case math.Abs(w) < near:
					l.Norm.Scale.G[o] += lambda * w
				case w > 0:
					l.Norm.Scale.G[o] += lambda
				case w < 0:
					l.Norm.Scale.G[o] -= lambda
				}
				continue
			}
			norm := 0.0
			for k := range l.In {
				norm += l.W.X[o*l.In+k] * l.W.X[o*l.In+k]
			}
			for k := range l.In {
				l.W.G[o*l.In+k] += lambda * l.W.X[o*l.In+k] / math.Sqrt(norm)
			}
		}
	}
}

// narrowed cuts what is not kept, with the constants in the next layer's bias, or taken
// off its running mean where it has a normalisation (its bias is added before that).
func narrowed(n *oracle.Net, kept [][]bool, fold bool) {
	before := n.Clone()
	for i, keep := range kept {
		l, next := before.Layers[i], n.Layers[i+1]
		for o, stays := range keep {
			if stays || !fold {
				continue
			}
			sends := l.B.X[o] // of a filter of zeros
			if l.Norm != nil {
				sends = l.Norm.Shift.X[o]
			}
			for q := range next.Out {
				next.B.X[q] += next.W.X[q*next.In+o] * math.Max(0, sends)
			}
		}
	}
	for i, keep := range kept {
		l := n.Layers[i]
		n.Narrow(i, keep)
		if m := l.Norm; m != nil {
			of := func(x []float64) (out []float64) {
				for o, stays := range keep {
					if stays {
						out = append(out, x[o])
					}
				}
				return out
			}
			m.Scale, m.Shift = oracle.NewTensor(m.Scale.Name, of(m.Scale.X)), oracle.NewTensor(m.Shift.Name, of(m.Shift.X))
			m.Mean, m.Variance = of(m.Mean), of(m.Variance)
		}
	}
}

// not is the complement.
func not(kept [][]bool) [][]bool {
	out := make([][]bool, len(kept))
	for i, k := range kept {
		for _, x := range k {
			out[i] = append(out[i], !x)
		}
	}
	return out
}

// shrunkByHand is both methods in plain loops: search is the number of epochs of a copy's
// training that chooses what goes, 0 where the training itself does.
func shrunkByHand(t *testing.T, j *model.Job, search int, s Shrinking, tuned model.Tuned) *oracle.Training {
	var all oracle.Series
	near := func(r *oracle.Training, step int) float64 {
		if s.Smooth {
			return s.Lambda * r.Rate(step)
		}
		return 0
	}
	net := oracle.Read(t, j.Graph)
	var kept [][]bool
	if search > 0 {
		k := *j
		k.Recipe.Epochs = search
		c := net.Clone()
		all.Fit(t, &k, c, false, func(r *oracle.Training) {
			r.Graded = func(step int) { pull(c, s.Lambda, near(r, step), nil) }
		})
		kept = ranked(t, sizesOf(c), .1, [2]int{1, 1})
	}
	all.Fit(t, j, net, true, func(r *oracle.Training) {
		r.Graded = func(step int) {
			if kept == nil {
				pull(net, s.Lambda, near(r, step), nil)
				return
			}
			pull(net, s.Lambda, near(r, step), not(kept))
		}
	})
	if kept == nil {
		kept = ranked(t, sizesOf(net), .1, [2]int{1, 1})
	}
	narrowed(net, kept, s.Constants == "fold")
	if s.Statistics == "estimate" {
		oracle.Trained(t, j).Recalibrate(net, 50)
	}
	k := *j
	k.Recipe.Epochs, k.Recipe.LR = tuned.Tune, tuned.TuneLR
	if tuned.Tune > 0 {
		all.Fit(t, &k, net, false, nil)
	}
	return all.Ended(net)
}

// Both methods are what they are by hand, after every step, with normalisation and
// without, with every setting of the penalty and of the cut.
func TestShrinkingOracle(t *testing.T) {
	for name, c := range map[string]struct {
		norms  bool
		search int
		f      func(s *Shrinking)
	}{
		"slimming":                      {true, 0, func(*Shrinking) {}},
		"slimming, smooth, dropped":     {true, 0, func(s *Shrinking) { s.Smooth, s.Lambda, s.Constants = true, 3, "drop" }},
		"slimming, lasso":               {false, 0, func(*Shrinking) {}},
		"masksparsity":                  {true, 2, func(*Shrinking) {}},
		"masksparsity, statistics kept": {true, 1, func(s *Shrinking) { s.Statistics = "keep" }},
		"masksparsity, lasso":           {false, 1, func(s *Shrinking) { s.Constants = "fold" }},
	} {
		t.Run(name, func(t *testing.T) {
			j := oracle.Job(t, sizes, 200, 20, 2, 4)
			if c.norms {
				oracle.Normalise(t, j)
			}
			s := shrinkingDefaults(.05)
			c.f(&s)
			target := model.ChannelTarget{MACs: .5, Least: .1, Round: 1}
			tuned := model.Tuned{Tune: 1, TuneLR: .02}
			hand := shrunkByHand(t, j, c.search, s, tuned)
			if c.search > 0 {
				hand.Follow(t, &MaskSparsity{ChannelTarget: target, Mask: "global", Search: c.search, Shrinking: s, Tuned: tuned}, j)
			} else {
				hand.Follow(t, &Slimming{ChannelTarget: target, Shrinking: s, Tuned: tuned}, j)
			}
		})
	}
}

// scalesOf are the sizes of the scales of a network, of what a selection keeps and of what
// it does not.
func scalesOf(g *graph.Graph, kept structure.Kept) (stay, go_ []float64) {
	groups, _ := structure.Groups(g)
	sel := kept.Selection(groups)
	for i, of := range structure.Scales(g, groups) {
		for _, k := range of {
			for c := range groups[i].Channels {
				for _, e := range groups[i].Entries(k, c) {
					x := math.Abs(float64(groups[i].Axes[k].Value.Const.F32()[e]))
					if sel[i].Kept(c) {
						stay = append(stay, x)
					} else {
						go_ = append(go_, x)
					}
				}
			}
		}
	}
	return stay, go_
}

// shrinkJob is a job on a network of convolutions with a penalty on what a mask takes.
func shrinkJob(t *testing.T, lambda, lr float64, epochs int) (*model.Job, *shrinking, structure.Kept) {
	t.Helper()
	j := modeltest.ConvJob(t, "resnet8")
	j.Recipe.LR, j.Recipe.Epochs, j.Recipe.Schedule, j.Recipe.Decay = lr, epochs, "constant", 0
	h := &shrinking{Shrinking: shrinkingDefaults(lambda), job: j}
	kept, err := h.choose(t.Context(), j.Graph, model.ChannelTarget{MACs: .5}, model.Squares)
	if err != nil {
		t.Fatal(err)
	}
	return j, h, kept
}

// The scales of channels that stay get exactly the plain gradient, and so does all else.
func TestMaskedGradient(t *testing.T) {
	j, h, kept := shrinkJob(t, .5, .01, 1)
	shrink := h.hook(j.Graph, kept)
	taken := map[string][]int{}
	for _, b := range shrink.Blocks {
		taken[b[0].Name] = append(taken[b[0].Name], b[0].At...)
	}
	if len(taken) == 0 {
		t.Fatal("nothing shrinks")
	}
	var plain map[string][]float32
	seen := 0
	check := graded{f: func(r *train.Run) {
		if plain == nil {
			plain = map[string][]float32{}
		}
		for _, p := range r.Params {
			if plain[p.Name] == nil || seen%2 == 0 {
				plain[p.Name] = slices.Clone(p.G)
				continue
			}
			for i, g := range p.G {
				want := plain[p.Name][i]
				if slices.Contains(taken[p.Name], i) {
					want += float32(math.Copysign(.5, float64(p.W[i])))
				}
				if g != want {
					t.Fatalf("%s[%d]: gradient %v, want %v", p.Name, i, g, want)
				}
			}
		}
		seen++
	}}
	if _, err := j.Fit(t.Context(), j.Graph, check, shrink, check); err != nil {
		t.Fatal(err)
	}
	if seen != 20 {
		t.Errorf("%d gradients were looked at", seen)
	}
}

// graded looks at gradients.
type graded struct {
	train.Base
	f func(*train.Run)
}

// AfterGrad looks.
func (h graded) AfterGrad(r *train.Run) error { h.f(r); return nil }

// A strong penalty at a low rate brings the scales of channels that go below tau, and
// leaves those of the others where a plain training brings them.
func TestMaskedShrink(t *testing.T) {
	j, h, kept := shrinkJob(t, 20, .002, 6)
	plain, _ := j.Graph.Clone(true)
	if _, err := j.Fit(t.Context(), j.Graph, h.hook(j.Graph, kept)); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Fit(t.Context(), plain); err != nil {
		t.Fatal(err)
	}
	stay, gone := scalesOf(j.Graph, kept)
	as, _ := scalesOf(plain, kept)
	if m := slices.Max(gone); m > .5 {
		t.Errorf("a scale of %v is left", m)
	}
	a, b := 0.0, 0.0
	for i := range stay {
		a, b = a+stay[i]/float64(len(stay)), b+as[i]/float64(len(as))
	}
	if math.Abs(a-b) > .02 {
		t.Errorf("scales that stay are %v on average, and %v after a plain training", a, b)
	}
}

// With no penalty, and with none to shrink, the training is the plain one, byte for byte.
func TestMaskOfNothing(t *testing.T) {
	j, h, _ := shrinkJob(t, 1, .05, 1)
	plain, _ := j.Graph.Clone(true)
	none, _ := j.Graph.Clone(true)
	if _, err := j.Fit(t.Context(), plain); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Fit(t.Context(), j.Graph, h.hook(j.Graph, structure.Kept{})); err != nil {
		t.Fatal(err)
	}
	h.Lambda = 0
	if _, err := j.Fit(t.Context(), none, h.hook(none, nil)); err != nil {
		t.Fatal(err)
	}
	for _, g := range []*graph.Graph{j.Graph, none} {
		if !bytes.Equal(modeltest.Bits(plain), modeltest.Bits(g)) {
			t.Error("the training is not the plain one")
		}
	}
}

// Scales of zero stay at zero: their sub-gradient is 0.
func TestShrinkAtZero(t *testing.T) {
	h := &hook.Shrink{Lambda: 1, Blocks: []hook.Block{{{Name: "fc2.bias", At: []int{1}}}}}
	j := modeltest.Job(t, 1)
	clear(j.Graph.Value("fc2.bias").Const.F32())
	n := 0
	look := graded{f: func(r *train.Run) {
		p := r.Param("fc2.bias")
		p.W[1], p.G[1] = 0, 0
		n++
	}}
	after := graded{f: func(r *train.Run) {
		if g := r.Param("fc2.bias").G[1]; g != 0 {
			t.Fatalf("gradient %v at zero", g)
		}
	}}
	if _, err := j.Fit(t.Context(), j.Graph, look, h, after); err != nil || n == 0 {
		t.Fatal(err, n)
	}
	for want, b := range map[string]hook.Block{`"nosuch" is to shrink`: {{Name: "nosuch"}}, `no entry 10`: {{Name: "fc2.bias", At: []int{10}}}} {
		h.Blocks = []hook.Block{b}
		if _, err := j.Fit(t.Context(), j.Graph, h); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// Both methods cut to the target, tell what they did, and say where scales were not yet
// zero; every mask is one of its own.
func TestShrinking(t *testing.T) {
	cut := map[string]string{}
	for _, mask := range []string{"global", "scales", "norm", "slimming"} {
		j := modeltest.ConvJob(t, "resnet8")
		for _, n := range j.Graph.Nodes { // scales that differ
			if n.Is("BatchNormalization") {
				for c := range n.In(1).Const.F32() {
					n.In(1).Const.F32()[c] = .5 + .07*float32(c*5%7)
				}
			}
		}
		before, _ := measure.Count(j.Graph)
		var m model.Method
		some, all := NewMaskSparsity(), NewSlimming()
		some.Search, some.Round, all.Round = 1, 1, 1
		if m = all; mask != "slimming" {
			some.Mask, m = mask, some
		}
		r := modeltest.Run(t, m, j)
		after, _ := measure.Count(r.Graph)
		f := r.Facts.(*ShrunkFacts)
		if share := float64(after.MACs) / float64(before.MACs); share > .5 || share < .42 {
			t.Errorf("%s: %.3f of the computation is left", mask, share)
		}
		if f.Cut == 0 || f.Alive != f.Cut || f.Largest < .1 || !strings.Contains(modeltest.Said(r), "have a scale above Tau 0.01") || strings.Contains(modeltest.Said(r), "not known") {
			t.Errorf("%s: %+v, said %s", mask, f, modeltest.Said(r))
		}
		groups, _ := structure.Groups(j.Graph)
		for _, m := range r.Kept.Selection(groups) {
			cut[mask] += fmt.Sprint(m.Bits)
		}
	}
	if cut["scales"] == cut["norm"] || cut["global"] == cut["norm"] {
		t.Errorf("masks chosen in different ways are alike: %v", cut)
	}
}

// A channel is as large as the largest of its scales; without any, as the norm of its
// filters, over the group's mean.
func TestShrinkingRate(t *testing.T) {
	j := modeltest.ConvJob(t, "resnet8")
	groups, _ := structure.Groups(j.Graph)
	h := &shrinking{Shrinking: shrinkingDefaults(1), job: j}
	for i, of := range structure.Scales(j.Graph, groups) {
		if len(of) < 2 {
			continue
		}
		for n, k := range of {
			for _, e := range groups[i].Entries(k, 0) {
				groups[i].Axes[k].Value.Const.F32()[e] = -.25 * float32(n+1)
			}
		}
		rates, _, err := h.rate(j.Graph, groups)
		if err != nil || rates[i][0] != .25*float64(len(of)) {
			t.Errorf("%v with %d scales (%v)", rates[i][0], len(of), err)
		}
		break
	}
	k := modeltest.Job(t, 1)
	for i := range k.Graph.Value("fc1.weight").Const.F32() {
		k.Graph.Value("fc1.weight").Const.F32()[i] = 3
	}
	groups, _ = structure.Groups(k.Graph)
	if rates, _, err := h.rate(k.Graph, groups); err != nil || math.Abs(rates[0][0]-1) > 1e-6 {
		t.Errorf("%v (%v), want 1", rates[0][0], err)
	}
}

func TestShrinkingBadInput(t *testing.T) {
	for want, f := range map[string]func(*MaskSparsity){
		"Lambda -1: a number of at least 0": func(s *MaskSparsity) { s.Lambda = -1 },
		"no cut of channels":                func(s *MaskSparsity) { s.MACs = 1e-9 },
		"no target: give MACs, Params":      func(s *MaskSparsity) { s.MACs = 0 },
		"no batch normalisation scales":     func(s *MaskSparsity) { s.Unscaled = "leave" },
		"nosuch":                            func(s *MaskSparsity) { s.Include = []string{"nosuch*"} },
	} {
		s, all := NewMaskSparsity(), NewSlimming()
		f(s)
		all.ChannelTarget, all.Shrinking, all.Layers = s.ChannelTarget, s.Shrinking, s.Layers
		for _, m := range []model.Method{s, all} {
			j := modeltest.Job(t, 1)
			j.OnStep = func(step, _ int, _ float64) { t.Fatalf("%s: step %d was made", want, step) }
			modeltest.Refused(t, m, j, want)
		}
	}
	modeltest.Refused(t, NewSlimming(), modeltest.Job(t, 0), "scales are made small by training: give Data and Recipe.Epochs")
	modeltest.Refused(t, NewMaskSparsity(), modeltest.Job(t, 0), "scales are made small by training")
}
