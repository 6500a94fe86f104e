package atinit

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pare/graph"
	"pare/internal/modeltest"
	"pare/internal/oracle"
	"pare/model"
	"pare/prune"
	"pare/prune/structure"
	"pare/train"
	"pare/zoo"
)

// wanted gives the widths' shares of a network whose layers all have a density, or those
// that are named another.
func wanted(t *testing.T, net string, balance, least, density float64, others map[string]float64) []float64 {
	t.Helper()
	g, err := zoo.New(net, zoo.Options{In: []int{1, 8, 8}, Width: 1})
	if err != nil {
		t.Fatal(err)
	}
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	w := &widths{balance: balance, least: least, whole: func(*structure.Group) bool { return false }}
	w.groups, _ = structure.Groups(g)
	for _, x := range ws {
		d := density
		if o, ok := others[x.Name]; ok {
			d = o
		}
		w.layers = append(w.layers, &layer{Weight: x, cost: float64(x.Len()), density: d})
	}
	return w.solve()
}

// In a chain whose layers all keep d, layers that may be cropped on both sides are cropped
// to the root of d on both; beside the fixed ends by the mean of what the two layers want.
// Without the balance the ends make widths alternate: d, 1, d, ..., and every density is met.
func TestWidthsOfChain(t *testing.T) {
	got := wanted(t, "mlp:64-64-64-64-64-64", 1, .001, .25, nil)
	ends := math.Pow(.25, (1+2*.5)/3) // a layer of one side has half the say
	if want := []float64{ends, .5, .5, ends}; !close(got, want, 1e-6) {
		t.Errorf("%v, want %v", got, want)
	}
	got = wanted(t, "mlp:64-64-64-64-64", 0, .001, .25, nil)
	if want := []float64{.25, 1, .25}; !close(got, want, 1e-3) {
		t.Errorf("without balance %v, want %v", got, want)
	}
	got = wanted(t, "mlp:64-64-64-64", 0, .001, .25, nil) // of an odd number the ends contradict each other
	if p := got[0] * got[1]; math.Abs(got[0]-got[1]) > 1e-6 || p > .25 || p < .0625 {
		t.Errorf("%v", got)
	}
	if got := wanted(t, "mlp:64-64-64-64", 1, .2, .001, nil); !close(got, []float64{.2, .2}, 1e-9) {
		t.Errorf("below the least: %v", got)
	}
	if got := wanted(t, "mlp:64-4-64", 1, .001, .001, nil); !close(got, []float64{.25}, 1e-9) {
		t.Errorf("less than a channel: %v", got)
	}
}

func close(a, b []float64, within float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Abs(a[i]-b[i]) > within {
			return false
		}
	}
	return true
}

// preCropByHand is PreCrop of a chain by synaptic flow in plain loops: the widths that it
// comes to.
func preCropByHand(t *testing.T, j *model.Job, s *PreCrop) []int {
	n := oracle.Read(t, j.Graph)
	var size, d []float64
	for _, mask := range synflow(t, n, 1-float64(s.Params), s.Iterations) {
		size = append(size, float64(len(mask)))
		d = append(d, math.Log(float64(oracle.Count(mask))/float64(len(mask))))
	}
	last := len(n.Layers) - 1
	share := make([]float64, last)
	for g := range share { // group g is made by layer g and read by layer g+1
		say, sum := 0., 0.
		for _, l := range []int{g, g + 1} {
			if l == 0 || l == last {
				say, sum = say+size[l], sum+size[l]*d[l]
			} else {
				say, sum = say+2*size[l], sum+2*size[l]*d[l]/2
			}
		}
		share[g] = math.Exp(math.Min(0, sum/say))
	}
	width := func(by float64) (out []int) {
		for g, r := range share {
			all := n.Layers[g].Out
			least := max(1, int(math.Ceil(s.Least*float64(all)-1e-9)))
			out = append(out, min(all, max(least, int(math.Floor(by*r*float64(all)+1e-12)))))
		}
		return out
	}
	params := func(w []int) (sum int) {
		in := n.Layers[0].In
		for _, out := range append(slices.Clone(w), n.Layers[last].Out) {
			sum += in*out + out
			in = out
		}
		return sum
	}
	var all []int
	for _, l := range n.Layers[:last] {
		all = append(all, l.Out)
	}
	best := width(0)
	for by := 0.; by < 20; by += 1e-4 {
		if w := width(by); float64(params(w)) <= float64(s.Params)*float64(params(all)) {
			best = w
		}
	}
	return best
}

// Run is PreCrop by hand: the widths, and the training of a network that is built so, with
// the weights that it is drawn with.
func TestPreCropOracle(t *testing.T) {
	for _, params := range []float64{.3, .5, .75} {
		s := NewPreCrop()
		s.Params, s.Iterations = model.Count(params), 20
		j := oracle.Job(t, "mlp:10-24-16-12-4", 400, 20, 2, 8)
		w := preCropByHand(t, j, s)
		name := "mlp:10"
		for _, n := range append(w, 4) {
			name += "-" + itoa(n)
		}
		g, err := zoo.New(name, zoo.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := (prune.Init{Seed: j.Seed}).Apply(g); err != nil {
			t.Fatal(err)
		}
		r := oracle.NewTraining(t, j.On(g)).Run()
		for _, f := range r.Frames {
			f.Values = nil // the job's network is not trained
		}
		res := r.Follow(t, s, j)
		f := res.Facts.(*PreCropFacts)
		if f.Params > params || structure.CostOf(res.Graph) != structure.CostOf(g) {
			t.Errorf("%v of the parameters are left", f.Params)
		}
		for i, grp := range f.Groups {
			if grp.Is != w[i] {
				t.Errorf("facts %+v, want widths %v", f.Groups, w)
			}
		}
	}
}

func itoa(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return itoa(n/10) + itoa(n%10)
}

// All that says how much of a layer stays meets targets and never exceeds them; layers that
// a sum ties have one width; and a training step of the cropped network takes what one that
// is built so takes: memory of the plan, multiply-accumulates, parameters.
func TestPreCropTargets(t *testing.T) {
	both := []model.ChannelTarget{{MACs: .6, Params: .4, Round: 1, Least: .05}}
	for from, targets := range map[string][]model.ChannelTarget{
		"synflow": {{Params: .3, Round: 1, Least: .05}, {MACs: .4, Round: 1, Least: .05}, {MACs: .6, Params: .4, Round: 1, Least: .05}},
		"snip":    both, "grasp": both, "erk": both, "uniform": both,
	} {
		for _, target := range targets {
			s := NewPreCrop()
			s.ChannelTarget, s.Densities, s.Iterations = target, from, 5
			j := modeltest.ConvJob(t, "resnet8-b")
			r := modeltest.Run(t, s, j)
			f := r.Facts.(*PreCropFacts)
			is, was := structure.CostOf(r.Graph), structure.CostOf(j.Graph)
			macs, params := float64(is.MACs)/float64(was.MACs), float64(is.Params)/float64(was.Params)
			near := math.Max(macs/float64(target.MACs), params/float64(target.Params))
			if target.MACs > 0 && macs > float64(target.MACs) || target.Params > 0 && params > float64(target.Params) || near < .85 || macs != f.MACs || params != f.Params {
				t.Errorf("%s, %+v: %v of the multiply-accumulates and %v of the parameters are left (%+v)", from, target, macs, params, f)
			}
			for i, l := range f.Layers {
				want := 1.
				for d, n := range r.Graph.Value(l.Name).Const.Shape {
					want *= float64(n) / float64(j.Graph.Value(l.Name).Const.Shape[d])
				}
				if l.Is != want || l.Wanted <= 0 || l.Wanted > 1 {
					t.Errorf("%s: layer %d: %+v, want %v", from, i, l, want)
				}
			}
			loss, err := j.Objective()
			if err != nil {
				t.Fatal(err)
			}
			for g, want := range map[*graph.Graph]int{j.Graph: f.MemoryBefore, r.Graph: f.MemoryAfter} {
				step, err := train.NewStep(g, j.Recipe.Batch, loss, j.Engine)
				if err != nil {
					t.Fatal(err)
				}
				if step.Bytes() != want {
					t.Errorf("a step holds %d bytes, foretold were %d", step.Bytes(), want)
				}
				step.Close()
			}
			if f.MemoryAfter >= f.MemoryBefore {
				t.Errorf("%d bytes before, %d after", f.MemoryBefore, f.MemoryAfter)
			}
		}
	}
}

// Synaptic flow has no say where the densities are uniform, and the densities have one: the
// widths are others.
func TestPreCropDensities(t *testing.T) {
	of := func(from string) []int {
		s := NewPreCrop()
		s.Densities, s.Iterations = from, 10
		j := modeltest.ConvJob(t, "resnet8-b")
		j.Recipe.Epochs = 0
		var out []int
		for _, g := range modeltest.Run(t, s, j).Facts.(*PreCropFacts).Groups {
			out = append(out, g.Is)
		}
		return out
	}
	all := [][]int{of("synflow"), of("snip"), of("grasp"), of("erk"), of("uniform")}
	for i := range all {
		for k := range i {
			if slices.Equal(all[i], all[k]) {
				t.Errorf("two densities give the widths %v", all[i])
			}
		}
	}
}

// Where widths may grow some do, the targets are met, and what cannot grow is named.
func TestPreConfig(t *testing.T) {
	s := NewPreCrop()
	s.MACs, s.Params, s.Density, s.Grow, s.Iterations = 1, 0, .3, 3, 5
	j := modeltest.ConvJob(t, "resnet8-b")
	r := modeltest.Run(t, s, j)
	f := r.Facts.(*PreCropFacts)
	more, less := 0, 0
	for _, g := range f.Groups {
		if g.Is > g.Width {
			more++
		}
		if g.Is < g.Width {
			less++
		}
		if g.Is > 3*g.Width {
			t.Errorf("%+v", g)
		}
	}
	if more == 0 || less == 0 || f.MACs > 1 || f.MACs < .9 {
		t.Errorf("%+v", f)
	}
	of := *s
	of.MACs, of.Params = 0, .8 // of the network, not of the wider one
	if f := modeltest.Run(t, &of, modeltest.ConvJob(t, "resnet8-b")).Facts.(*PreCropFacts); f.Params > .8 || f.Params < .7 {
		t.Errorf("%+v", f)
	}
	s.Density = .5
	r = modeltest.Run(t, s, modeltest.ConvJob(t, "resnet8"))
	if said := modeltest.Said(r); !strings.Contains(said, "does not grow: its channels lie apart") {
		t.Errorf("%s", said)
	}
}

// The weights that stay are kept where that is asked for, and drawn for their width else.
func TestPreCropWeights(t *testing.T) {
	for _, keep := range []bool{true, false} {
		s := NewPreCrop()
		s.KeepWeights = keep
		j := modeltest.Job(t, 1)
		j.Recipe.Epochs = 0
		j.Graph.Usage.Drawn = false
		was := slices.Clone(j.Graph.Value("fc1.weight").Const.F32())
		r := modeltest.Run(t, s, j)
		is := r.Graph.Value("fc1.weight").Const.F32()
		if slices.Equal(is, was[:len(is)]) != keep {
			t.Errorf("keep %v: %v of %v", keep, is[:4], was[:4])
		}
		if strings.Contains(modeltest.Said(r), "nothing of what the network has learnt") == keep {
			t.Errorf("keep %v: %q", keep, r.Notes)
		}
	}
}

func TestPreCropResume(t *testing.T) {
	for _, from := range []string{"synflow", "snip"} {
		modeltest.Resumes(t, from, func() (model.Method, *model.Job) {
			s := NewPreCrop()
			s.Densities, s.Iterations = from, 5
			return s, modeltest.Job(t, 2)
		}, 40, 6, 23)
	}
}

func TestPreCropBad(t *testing.T) {
	for want, f := range map[string]func(j *model.Job, s *PreCrop){
		"no target: give MACs, Params":          func(_ *model.Job, s *PreCrop) { s.Params = 0 },
		"Params 1.5: a share is at most":        func(_ *model.Job, s *PreCrop) { s.Params = 1.5 },
		`Densities "nosuch"`:                    func(_ *model.Job, s *PreCrop) { s.Densities = "nosuch" },
		"Iterations 0":                          func(_ *model.Job, s *PreCrop) { s.Iterations = 0 },
		"Grow 0.5":                              func(_ *model.Job, s *PreCrop) { s.Grow = .5 },
		"no cut of channels reaches the target": func(_ *model.Job, s *PreCrop) { s.Params, s.Densities = .002, "erk" },
		"Densities synflow does not suit the network": func(j *model.Job, _ *PreCrop) {
			j.Graph, _ = zoo.New("bert-1-8-1-classifier", zoo.Options{})
			j.Data, j.Recipe.Epochs = nil, 0
		},
		"no prunable weight": func(j *model.Job, _ *PreCrop) { j.Graph = nothing(t) },
		"snip keeps nothing of fc1.weight": func(j *model.Job, s *PreCrop) {
			s.Densities, s.Density = "snip", .1
			clear(j.Graph.Value("fc1.weight").Const.F32())
			b := j.Graph.Value("fc1.bias").Const.F32()
			for i := range b {
				b[i] = 1
			}
		},
		"scored by the gradients of labelled sample": func(j *model.Job, s *PreCrop) { s.Densities, j.Data, j.Recipe.Epochs = "snip", nil, 0 },
	} {
		s := NewPreCrop()
		j := modeltest.Job(t, 1)
		j.OnStep = func(int, int, float64) { t.Fatalf("%s: a step was made", want) }
		f(j, s)
		modeltest.Refused(t, s, j, want)
	}
}

// nothing is a network without weights.
func nothing(t *testing.T) *graph.Graph {
	g, err := zoo.New("mlp:64-10", zoo.Options{In: []int{1, 8, 8}})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range g.Consts() {
		v.Role = graph.Frozen
	}
	n := g.Nodes[len(g.Nodes)-1]
	n.Op, n.Inputs = "Relu", n.Inputs[:1]
	n.Attrs = nil
	g.Outputs[0].Shape = n.In(0).Shape
	return g
}
