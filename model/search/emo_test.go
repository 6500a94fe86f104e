package search

import (
	"bytes"
	"context"
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pare/dataset"
	"pare/graph"
	"pare/internal/modeltest"
	"pare/model"
	"pare/prune/evolve"
	"pare/prune/structure"
	"pare/train"
	"pare/zoo"
)

// small is the method with few solutions.
func small() *EMO {
	s := NewEMO()
	s.Population, s.Generations, s.Constrain, s.Samples, s.Round = 6, 3, 1, 60, 1
	return s
}

// begun is a search that has its features.
func begun(t *testing.T, s *EMO, j *model.Job) *emo {
	t.Helper()
	e, err := s.begin(t.Context(), j)
	if err == nil {
		err = e.observe()
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A residual network is divided where its resolution falls, every group is a gene of one
// sub-network, and channels that a sum ties are one group; a chain of layers is divided so
// that its parts take about as much.
func TestEMODivides(t *testing.T) {
	j := modeltest.ConvJob(t, "resnet14-b")
	e := begun(t, small(), j)
	var first []string
	genes := 0
	for _, p := range e.parts {
		first = append(first, p.first)
		genes += len(p.groups)
	}
	if want := []string{"conv1.weight", "layer2.0.conv1.weight", "layer3.0.conv1.weight"}; !slices.Equal(first, want) {
		t.Errorf("sub-networks begin at %v, want %v", first, want)
	}
	if genes != len(e.groups) || genes != 3+6 {
		t.Errorf("%d genes of %d groups", genes, len(e.groups))
	}
	for _, p := range e.parts[1:] {
		if len(p.from) != 1 || p.reads.N != e.judged.Len() {
			t.Errorf("%s reads %d values of %d samples", p.first, len(p.from), p.reads.N)
		}
	}
	c := begun(t, small(), modeltest.ConvJob(t, "conv-4"))
	if len(c.parts) < 2 || c.parts[0].first == c.parts[0].last {
		t.Errorf("%d sub-networks of a chain", len(c.parts))
	}
	ps := []*boundary{{macs: 10}, {macs: 20}, {macs: 50}, {macs: 90}}
	if got := even(ps, 100, 2); got[0] != ps[1] || got[1] != ps[2] { // 20² + 30² + 50²
		t.Errorf("divided at %d and %d", got[0].macs, got[1].macs)
	}
}

// The genome of ones is the dense network, to the bit, and no width less is.
func TestEMOOnes(t *testing.T) {
	for _, name := range []string{"resnet8", "conv-2"} {
		j := modeltest.ConvJob(t, name)
		want := modeltest.Bits(j.Graph)
		e := begun(t, small(), j)
		g, err := e.build(e.decode(e.parts[0], e.genes(e.parts[0], e.full())))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(modeltest.Bits(g), want) {
			t.Errorf("%s: ones are another network", name)
		}
		if c := e.cost(e.full()); math.Abs(c-2) > 1e-12 {
			t.Errorf("%s: all take %v of the half", name, c)
		}
		if g, err = e.build(e.least()); err != nil || len(modeltest.Bits(g)) >= len(want) {
			t.Errorf("%s: the least is no smaller: %v", name, err)
		}
	}
}

// What a sub-network is judged by its features is what comes of zeros in the place of the
// channels that are gone, in the whole network: without normalisation cut and zeroed agree.
func TestEMOFeatures(t *testing.T) {
	j := modeltest.ConvJob(t, "conv-4")
	e := begun(t, small(), j)
	if len(e.parts) < 2 {
		t.Fatalf("%d sub-networks", len(e.parts))
	}
	for k, p := range e.parts {
		x := &solution{widths: e.full()}
		for _, g := range p.groups {
			x.widths[g] = e.widths[g][len(e.widths[g])/2]
		}
		if err := e.judge(p, x); err != nil {
			t.Fatal(err)
		}
		z := structure.Zero(e.net, e.groups, e.selection(x.widths))
		zeroed, err := e.features(z, named(z, p.makes.Names), e.judged)
		if err != nil {
			t.Fatal(err)
		}
		want := 0.0
		for i := range p.makes.Names {
			off := 0.0
			for n, v := range p.makes.X[i] {
				off += math.Pow(float64(v)-float64(zeroed.X[i][n]), 2)
			}
			want += off / p.makes.Energy[i] / float64(len(p.makes.Names))
		}
		if math.Abs(x.error-want) > 1e-5*math.Max(1, want) || len(p.groups) > 0 && want == 0 {
			t.Errorf("sub-network %d: error %v, zeroed %v", k, x.error, want)
		}
		full := &solution{widths: e.full()}
		if err := e.judge(p, full); err != nil || full.error > 1e-10 {
			t.Errorf("sub-network %d whole: error %v, %v", k, full.error, err)
		}
	}
}

// Judged by the loss, a sub-network alone comes to what the whole network does, whether
// samples have labels or not: what the rest makes of its features is their loss.
func TestEMOLoss(t *testing.T) {
	for _, labels := range []bool{true, false} {
		j := modeltest.ConvJob(t, "conv-4")
		if !labels {
			j.Data.Train = dataset.New("unlabelled", j.Data.Train.Fields[0])
			j.Data.Test = nil
		}
		s := small()
		s.Judge, s.Rank = "loss", "norm"
		e := begun(t, s, j)
		if e.labelled != labels {
			t.Fatalf("labelled: %v", e.labelled)
		}
		for k, p := range e.parts {
			x := &solution{widths: e.full()}
			for _, g := range p.groups {
				x.widths[g] = e.widths[g][0]
			}
			whole, err := e.evaluate(x.widths)
			if err == nil {
				err = e.judge(p, x)
			}
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(x.error-whole.error) > 1e-5*whole.error || x.cost != whole.cost {
				t.Errorf("labels %v, sub-network %d: loss %v alone, %v whole", labels, k, x.error, whole.error)
			}
		}
	}
}

// The statistics of a network that is cut are estimated anew, on training samples; those of
// the others and the weights are as they were.
func TestEMOStatistics(t *testing.T) {
	j := modeltest.ConvJob(t, "resnet8")
	e := begun(t, small(), j)
	was, _ := e.net.Clone(true)
	is, err := e.build(e.least())
	if err != nil {
		t.Fatal(err)
	}
	want, err := structure.Cut(e.net, e.groups, e.selection(e.least()))
	if err != nil {
		t.Fatal(err)
	}
	moved := 0
	for _, v := range want.Consts() {
		if v.Role == graph.Stat && !slices.Equal(v.Const.F32(), is.Value(v.Name).Const.F32()) {
			moved++
		}
	}
	l := &dataset.Loader{Set: e.tuning, Size: evalBatch, Norm: e.job.Data.Norm, Shuffle: true, Seed: e.job.Seed}
	if err := train.Recalibrate(t.Context(), want, train.NewData(l), e.tuning.Len()/evalBatch, e.job.Engine); err != nil {
		t.Fatal(err)
	}
	for _, v := range want.Consts() {
		if v.DType.IsFloat() && !slices.Equal(v.Const.F32(), is.Value(v.Name).Const.F32()) {
			t.Errorf("%s is another", v.Name)
		}
	}
	if moved < 10 || !bytes.Equal(modeltest.Bits(was), modeltest.Bits(e.net)) {
		t.Errorf("%d statistics are other ones", moved)
	}
}

// No network of the joined front is dominated by another that was tried, the chosen one
// is within the target and the best of those, the smallest and the whole network were
// tried, and every network is made again as it was judged.
func TestEMOFront(t *testing.T) {
	for _, name := range []string{"resnet8", "conv-2"} {
		j := modeltest.ConvJob(t, name)
		s := small()
		ctx := t.Context()
		e, err := s.begin(ctx, j)
		if err != nil {
			t.Fatal(err)
		}
		f := &EMOFacts{}
		if err := e.search(f); err != nil {
			t.Fatal(err)
		}
		found, err := e.join(f)
		if err != nil {
			t.Fatal(err)
		}
		whole := false
		for _, x := range e.order {
			whole = whole || slices.Equal(x.widths, e.full())
			for _, y := range found.all {
				if evolve.Dominates([]float64{x.error, x.cost}, []float64{y.error, y.cost}) {
					t.Errorf("%s: %v with %v dominates %v with %v of the front", name, x.error, x.cost, y.error, y.cost)
				}
			}
			if x.cost <= 1 && x.error < found.chosen.error {
				t.Errorf("%s: %v is chosen, and %v was found", name, found.chosen.error, x.error)
			}
		}
		if !whole || found.chosen.cost > 1 || !slices.Contains(found.all, found.chosen) || len(found.all) < 2 {
			t.Errorf("%s: %d networks, chosen %+v", name, len(found.all), found.chosen)
		}
		front := found.front(e, f)
		for i, m := range front.Members {
			g, err := front.Make(ctx, i)
			if err != nil {
				t.Fatal(err)
			}
			ev := train.NewEval(e.judged, e.job.Data.Norm, 64, e.job.Engine)
			got, err := ev.Run(ctx, g)
			share := float64(structure.CostOf(g).MACs) / float64(e.whole.MACs)
			if err != nil || math.Abs(got.Loss-m.Loss) > 1e-6 || math.Abs(share-m.MACs) > 1e-12 || i > 0 && m.MACs >= front.Members[i-1].MACs {
				t.Errorf("%s, network %d: loss %v and %v of the multiply-accumulates, told %+v (%v)", name, i, got.Loss, share, m, err)
			}
		}
	}
}

// The ranking replaces first what costs least for what it saves.
func TestEMORanking(t *testing.T) {
	at := func(worse, cost float64) *solution { return &solution{worse: worse, cost: cost} }
	e := &emo{EMO: NewEMO(), job: &model.Job{Seed: 1}, parts: []*part{
		{front: []*solution{at(0, 2), at(.1, 1.9), at(.2, 1.5)}}, // prices 1 and .25
		{front: []*solution{at(0, 2), at(.3, 1.5)}},              // .6
		{front: []*solution{at(0, 2), at(-.1, 1.8), at(5, 1.7)}}, // below 0, and 51
		{front: []*solution{at(0, 2)}},
	}}
	want := [][]int{{0, 0, 1, 0}, {0, 1, 1, 0}, {1, 1, 1, 0}, {2, 1, 1, 0}, {2, 1, 2, 0}}
	if got := e.ranking(); !slices.EqualFunc(got, want, slices.Equal[[]int]) {
		t.Errorf("%v, want %v", got, want)
	}
	e.Shuffle = true
	if got := e.ranking(); len(got) != len(want) || slices.EqualFunc(got, want, slices.Equal[[]int]) {
		t.Errorf("shuffled: %v", got)
	}
}

// Not divided, the network is searched as a whole, every network once; a solution of a
// sub-network takes less than a whole one.
func TestEMOWhole(t *testing.T) {
	work := func(parts int) float64 {
		s := small()
		s.Subnetworks = parts
		e, err := s.begin(t.Context(), modeltest.ConvJob(t, "resnet8"))
		f := &EMOFacts{}
		if err == nil {
			err = e.search(f)
		}
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, p := range f.Subnetworks {
			n += p.Evaluated
		}
		if len(e.parts) != parts || n < 10 {
			t.Errorf("%d sub-networks, %d solutions", len(e.parts), n)
		}
		if parts == 1 && len(e.order) != n {
			t.Errorf("%d whole networks, %d solutions", len(e.order), n)
		}
		return e.work / float64(n)
	}
	if whole, parts := work(1), work(3); parts > whole/2 {
		t.Errorf("a solution takes %v, as a whole %v", parts, whole)
	}
	s := small()
	s.Subnetworks = 1
	if said := modeltest.Said(modeltest.Run(t, s, modeltest.ConvJob(t, "resnet8"))); !strings.Contains(said, "searched as a whole") {
		t.Error(said)
	}
}

// A convolutional network's exporter folds normalisation away: it is put back for the
// training, and the networks of the front are without it as the result is.
func TestEMOFolds(t *testing.T) {
	j := modeltest.ConvJob(t, "conv-2")
	j.Recipe.Renorm = "auto"
	res := modeltest.Run(t, small(), j)
	g, err := res.Front.Make(t.Context(), len(res.Front.Members)-1)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(modeltest.Said(res), "folded again") {
		t.Fatalf("nothing was folded: %s", modeltest.Said(res))
	}
	for _, g := range []*graph.Graph{g, res.Graph} {
		if slices.ContainsFunc(g.Nodes, func(n *graph.Node) bool { return n.Is("BatchNormalization") }) {
			t.Error("normalisation is left")
		}
	}
}

// What cannot be searched is refused before any work, with the way on.
func TestEMORefuses(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(s *EMO, j *model.Job)
	}{
		{"Subnetworks 9: the network has", func(s *EMO, _ *model.Job) { s.Subnetworks = 9 }},
		{"Population", func(s *EMO, _ *model.Job) { s.Population = 3 }},
		{"give Data", func(_ *EMO, j *model.Job) { j.Data, j.Recipe.Epochs = nil, 0 }},
		{"no validation set", func(_ *EMO, j *model.Job) { j.Data.Train = j.Data.Train.First(40); j.Data.Val = nil }},
		{"Even does not go", func(s *EMO, _ *model.Job) { s.Even = true }},
		{"no target", func(s *EMO, _ *model.Job) { s.MACs = 0 }},
		{"MACs and Params alone", func(s *EMO, _ *model.Job) { s.Bytes = .5 }},
		{"MACs and Params alone", func(s *EMO, _ *model.Job) { s.AtLeast = []string{"conv1=1"} }},
		{"no cut of channels reaches", func(s *EMO, _ *model.Job) { s.MACs = .001 }},
		{"stay whole", func(s *EMO, _ *model.Job) { s.Exclude = []string{"*conv*", "layer*"} }},
		{"match", func(s *EMO, _ *model.Job) { s.Include = []string{"nosuch"} }},
		{"Judge", func(s *EMO, _ *model.Job) { s.Judge = "x" }},
		{"fewer than one batch", func(s *EMO, j *model.Job) { j.Recipe.Batch = 190 }},
	} {
		s, j := small(), modeltest.ConvJob(t, "resnet8")
		c.change(s, j)
		j.OnStep = func(step, _ int, _ float64) { t.Errorf("%s: step %d was made", c.want, step) }
		modeltest.Refused(t, s, j, c.want)
	}
}

// Both targets are met, whatever the settings; without training and labels too.
func TestEMOTargets(t *testing.T) {
	for name, change := range map[string]func(s *EMO, j *model.Job){
		"both":      func(s *EMO, _ *model.Job) { s.MACs, s.Params = .6, .5 },
		"params":    func(s *EMO, _ *model.Job) { s.MACs, s.Params = 0, .3 },
		"number":    func(s *EMO, j *model.Job) { s.MACs = model.Count(structure.CostOf(j.Graph).MACs * 2 / 5) },
		"scales":    func(s *EMO, _ *model.Job) { s.Rank = "scales" },
		"loss":      func(s *EMO, _ *model.Job) { s.Judge = "loss" },
		"untrained": func(_ *EMO, j *model.Job) { j.Recipe.Epochs = 0 },
		"distil":    func(_ *EMO, j *model.Job) { j.Recipe.Recover = "distil" },
		"solve":     func(_ *EMO, j *model.Job) { j.Recipe.Recover = "solve,train" },
		"excluded":  func(s *EMO, _ *model.Job) { s.MACs, s.Exclude = .7, []string{"layer2*"} },
		"unlabelled": func(_ *EMO, j *model.Job) {
			j.Data.Train = dataset.New("unlabelled", j.Data.Train.Fields[0])
			j.Data.Test = nil
		},
	} {
		s, j := small(), modeltest.ConvJob(t, "resnet8")
		s.Population, s.Generations = 4, 1
		change(s, j)
		whole := structure.CostOf(j.Graph)
		macs, params := s.Shares(j.Graph)
		second := j.Graph.Value("layer2.0.conv1.weight").Const.Shape[0]
		res := modeltest.Run(t, s, j)
		is := structure.CostOf(res.Graph)
		if macs > 0 && float64(is.MACs) > macs*float64(whole.MACs) || params > 0 && float64(is.Params) > params*float64(whole.Params) || is.MACs == whole.MACs {
			t.Errorf("%s: %+v of %+v", name, is, whole)
		}
		if got := res.Graph.Value("layer2.0.conv1.weight").Const.Shape[0]; name == "excluded" && got != second {
			t.Errorf("%s: %d of %d channels", name, got, second)
		}
		if name == "untrained" && res.Epochs != nil || name == "both" && len(res.Epochs) != 3+1 {
			t.Errorf("%s: %d epochs", name, len(res.Epochs))
		}
		if !strings.Contains(modeltest.Said(res), "held out to judge") {
			t.Errorf("%s: %s", name, modeltest.Said(res))
		}
	}
}

// With a validation set nothing of the training set is held out, and the search ends with
// its context.
func TestEMOValidation(t *testing.T) {
	j := modeltest.ConvJob(t, "resnet8")
	j.Data.Val = j.Data.Test
	e := begun(t, small(), j)
	if e.job.Data.Train.Len() != 200 || e.judged.Len() != 60 || len(e.notes) != 0 {
		t.Errorf("%d to train on, %d to judge, %v", e.job.Data.Train.Len(), e.judged.Len(), e.notes)
	}
	ctx, cancel := context.WithCancel(t.Context())
	e.ctx = ctx
	cancel()
	if err := e.search(&EMOFacts{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Where features are too many to be kept there are fewer samples, which is said, and in the
// end the way on.
func TestEMOWithin(t *testing.T) {
	defer func(n int) { mostNumbers = n }(mostNumbers)
	j := modeltest.ConvJob(t, "conv-4")
	j.Data.Val = j.Data.Test
	mostNumbers = (32*4*4 + 10) * 20
	e := begun(t, small(), j)
	if e.judged.Len() != 20 || e.tuning.Len() != 20 || len(e.notes) != 1 || !strings.Contains(e.notes[0], "on 20 samples, not on 60") || len(e.parts) != 2 {
		t.Errorf("%d samples judge, %d tune, %d sub-networks, %v", e.judged.Len(), e.tuning.Len(), len(e.parts), e.notes)
	}
	mostNumbers = (32*4*4 + 10) * 9
	modeltest.Refused(t, small(), modeltest.ConvJob(t, "conv-4"), "give fewer Subnetworks, or 1")
}

// What was remembered of another network, or changed by hand, is not gone on with.
func TestEMOSound(t *testing.T) {
	e := begun(t, small(), modeltest.ConvJob(t, "conv-2"))
	ok := []EMOPoint{{Widths: e.full()}, {Widths: e.least()}}
	if !e.sound(ok) {
		t.Error("its own points are refused")
	}
	for name, x := range map[string][]EMOPoint{"none": nil, "no widths": {{}}, "a width that there is not": {{Widths: append(e.full()[1:], 1000)}}} {
		if e.sound(x) {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A chain of two layers can be divided at one place, behind the activation.
func TestEMOPlaces(t *testing.T) {
	g, err := zoo.New("mlp:12-8-4", zoo.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	ps, total := boundaries(g)
	if len(ps) != 1 || total != 12*8+8*4 || ps[0].macs != 96 || ps[0].size != 8 || !ps[0].live[0].From.Is("Relu") {
		t.Errorf("%+v of %d", ps, total)
	}
}

// A search that goes on from what was remembered comes to the same networks, whether it was
// divided or not.
func TestEMORemembers(t *testing.T) {
	for _, parts := range []int{1, 2} {
		at := ""
		ran := func(resume, joins bool) (*emo, *EMOFacts, *joined) {
			j := modeltest.ConvJob(t, "resnet8")
			j.Save, j.Resume = at, resume
			s := small()
			s.Subnetworks, s.Constrain = parts, 0
			e, err := s.begin(t.Context(), j)
			f := &EMOFacts{}
			if err == nil {
				err = e.search(f)
			}
			var found *joined
			if err == nil && joins {
				found, err = e.join(f)
			}
			if err != nil {
				t.Fatal(err)
			}
			return e, f, found
		}
		e, f, found := ran(false, true)
		at = filepath.Join(t.TempDir(), "run.ckpt")
		ran(false, false) // is stopped before it joins
		x, g, again := ran(true, true)
		if f.Evaluated != g.Evaluated || f.Work != g.Work || len(e.order) != len(x.order) || !reflect.DeepEqual(found, again) || !reflect.DeepEqual(f.Subnetworks, g.Subnetworks) {
			t.Errorf("%d sub-networks: %d whole networks, work %v, %+v; resumed %d, %v, %+v", parts, f.Evaluated, f.Work, found, g.Evaluated, g.Work, again)
		}
	}
}
