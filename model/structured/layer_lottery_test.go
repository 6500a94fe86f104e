package structured

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/internal/modeltest"
	"pare/model"
	"pare/prune"
	"pare/prune/block"
	"pare/tensor"
	"pare/train"
	"pare/zoo"
)

// layerJob is a small job on a network of the zoo.
func layerJob(t *testing.T, name string, epochs int) *model.Job {
	t.Helper()
	j := modeltest.ConvJob(t, name)
	j.Recipe.Epochs = epochs
	return j
}

func lottery(score string, blocks float64) *LayerLottery {
	s := NewLayerLottery()
	s.Score, s.Blocks, s.PerClass = score, blocks, 3
	return s
}

func removed(r *model.Result) (out []string) {
	for _, b := range r.Facts.(*LayerFacts).Blocks {
		if b.Removed {
			out = append(out, b.Name)
		}
	}
	return out
}

// ResNet-32: 13 blocks can go, 12 where the first stays, and no more than those.
func TestLayersOfResNet32(t *testing.T) {
	j := layerJob(t, "resnet32", 0)
	s := lottery("random", 13)
	if got := len(removed(modeltest.Run(t, s, layerJob(t, "resnet32", 0)))); got != 13 {
		t.Errorf("%d blocks are gone", got)
	}
	s.Blocks = 14
	modeltest.Refused(t, s, j, "13 blocks can go")
	s.Blocks, s.KeepFirst = 13, true
	modeltest.Refused(t, s, j, "12 blocks can go")
	s.Blocks, s.StageLeast = 12, 2
	modeltest.Refused(t, s, j, "StageLeast 2")
	s.Blocks = 6
	f := modeltest.Run(t, s, layerJob(t, "resnet32", 0)).Facts.(*LayerFacts)
	left := map[string]int{}
	for _, b := range f.Blocks {
		if stage, _, _ := strings.Cut(b.Name, "."); !b.Removed {
			left[stage]++
		}
	}
	if len(left) != 3 || left["layer1"] < 2 || left["layer2"] < 2 || left["layer3"] < 2 {
		t.Errorf("blocks left by stage: %v", left)
	}
}

// A quadratic loss with Hessian diag(1, 2) at (1, 1): g = (1, 2), Hg = (1, 4), so that
// w*g is (1, 2) and w*(Hg) is (1, 4).
func TestQuadraticScores(t *testing.T) {
	g := graph.New("quadratic", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(2)}}
	g.Inputs = []*graph.Value{x}
	b := op.NewBuilder(g, "n")
	w := g.Const("w", tensor.From([]float32{1, 1}, 2, 1), graph.Param)
	y := b.Op("MatMul", x, w)
	y.Name = "y"
	g.Outputs = []*graph.Value{y}
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	root := float32(math.Sqrt2)
	set := dataset.New("training", &dataset.Field{Name: "x", Shape: []int{2}, Floats: []float32{1, 0, 0, root}}, &dataset.Field{Name: "to", Shape: []int{1}, Floats: []float32{0, 0}})
	j := &model.Job{Graph: g, Data: &dataset.Data{Train: set, Norm: dataset.Raw}, Recipe: model.Recipe{Batch: 2, Loss: "mse(y,to)"}, Engine: engine.Options{Threads: 1}}
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	sampled := model.Sampled{PerClass: 1}
	for name, c := range map[string]struct {
		rate model.Score
		want []float32
	}{"snip": {sampled.Sensitivity, []float32{1, 2}}, "grasp": {sampled.GradientFlow(1), []float32{1, 4}}} {
		got, err := c.rate(context.Background(), j, ws)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range got[0] {
			if math.Abs(float64(x-c.want[i])) > 1e-5 {
				t.Errorf("%s: %v, want %v", name, got[0], c.want)
			}
		}
	}
}

// A block whose branch is zero already is worth nothing by kl, and goes.
func TestSilentBlockGoes(t *testing.T) {
	j := layerJob(t, "resnet20", 0)
	j.Graph.Usage.Drawn = false
	blocks, _ := block.Find(j.Graph, block.Options{})
	zeroed, err := block.Zero(j.Graph, blocks[3:4])
	if err != nil {
		t.Fatal(err)
	}
	j.Graph = zeroed
	r := modeltest.Run(t, lottery("kl", 1), j)
	f := r.Facts.(*LayerFacts)
	if s := *f.Blocks[3].Score; s != 0 || !f.Blocks[3].Removed {
		t.Errorf("a silent block is worth %v", s)
	}
	for i, b := range f.Blocks {
		if i != 3 && !(*b.Score > 0) {
			t.Errorf("block %s is worth %v", b.Name, *b.Score)
		}
	}
}

// Where nothing has to go, the training is that of the dense network, bit for bit.
func TestNothingGoes(t *testing.T) {
	s := lottery("snip", 0)
	s.MACs = 1
	r := modeltest.Run(t, s, layerJob(t, "resnet14", 1))
	j := layerJob(t, "resnet14", 1)
	if _, err := j.Fit(context.Background(), j.Graph); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(modeltest.Bits(r.Graph), modeltest.Bits(j.Graph)) {
		t.Error("with all blocks the training is another")
	}
	if got := removed(r); got != nil {
		t.Errorf("%v are gone", got)
	}
	// and the control, put back to the beginning, is too
	s.When = "trained"
	r = modeltest.Run(t, s, layerJob(t, "resnet14", 1))
	if !bytes.Equal(modeltest.Bits(r.Graph), modeltest.Bits(j.Graph)) {
		t.Error("rewound to the beginning with all blocks the training is another")
	}
	if f := r.Facts.(*LayerFacts); !f.Winning || f.Dense.Value != f.Ticket.Value || math.Abs(*f.Similar-1) > 1e-6 {
		t.Errorf("%+v", f)
	}
}

// Budgets are met by as few blocks as the ranking allows, and what is not needed comes
// back.
func TestLayerBudgets(t *testing.T) {
	rate := func(blocks []*block.Block) []float64 { // the last first
		out := make([]float64, len(blocks))
		for i := range out {
			out[i] = -float64(i)
		}
		return out
	}
	for _, c := range []struct {
		macs, params float64
		want         string
	}{
		{.9, 0, "layer3.2"}, {.78, 0, "layer3.1 layer3.2"}, {.7, 0, "layer2.2 layer3.1 layer3.2"},
		{0, .95, "layer3.2"}, {0, .5, "layer3.1 layer3.2"}, {.9, .5, "layer3.1 layer3.2"}, {.7, .95, "layer2.2 layer3.1 layer3.2"},
	} {
		s := lottery("random", 0)
		s.MACs, s.Params, s.Rate = model.Count(c.macs), model.Count(c.params), rate
		r := modeltest.Run(t, s, layerJob(t, "resnet20", 0))
		f := r.Facts.(*LayerFacts)
		m, p := float64(f.After.MACs)/float64(f.Before.MACs), float64(f.After.Params)/float64(f.Before.Params)
		if c.macs > 0 && m > c.macs || c.params > 0 && p > c.params {
			t.Errorf("%v and %v of the network stay, %+v", m, p, c)
		}
		if got := strings.Join(removed(r), " "); got != c.want {
			t.Errorf("%+v: %s are gone", c, got)
		}
	}
	s := lottery("random", 0)
	s.MACs = .1
	modeltest.Refused(t, s, layerJob(t, "resnet20", 0), "raise MACs or Params")
	// of two that are ranked lowest the first is not needed where the second is larger
	s = lottery("random", 0)
	s.Params, s.Rate = .85, func(blocks []*block.Block) []float64 {
		out := make([]float64, len(blocks))
		for i, b := range blocks {
			out[i] = map[string]float64{"layer3.1": -1, "layer1.0": -2}[b.Name]
		}
		return out
	}
	if got := strings.Join(removed(modeltest.Run(t, s, layerJob(t, "resnet20", 0))), " "); got != "layer3.1" {
		t.Errorf("%s are gone", got)
	}
}

// Scores that see features rank the blocks of a convolutional network; runs that are
// stopped go on to the same.
func TestLayerScoresRun(t *testing.T) {
	for _, by := range []string{"hrank", "expectabs", "pls", "kl", "angle", "influence", "l1", "random", "snip", "grasp"} {
		j := layerJob(t, "resnet20", 0)
		j.Graph.Usage.Drawn = false
		f := modeltest.Run(t, lottery(by, 2), j).Facts.(*LayerFacts)
		distinct := map[float64]bool{}
		for _, b := range f.Blocks {
			if b.Score != nil {
				distinct[*b.Score] = true
			}
		}
		if len(distinct) < 3 {
			t.Errorf("%s: scores %v", by, distinct)
		}
	}
	for _, set := range []func(s *LayerLottery){
		func(s *LayerLottery) { s.When, s.Rewind = "trained", train.At{X: 1, Unit: train.Epochs} },
		func(s *LayerLottery) { s.When, s.Reinit = "trained", true },
		func(s *LayerLottery) { s.Dense = true },
		func(s *LayerLottery) { s.Fresh.Fresh = true },
	} {
		s := lottery("snip", 2)
		set(s)
		modeltest.Resumes(t, fmt.Sprintf("%+v", s), func() (model.Method, *model.Job) { return s, layerJob(t, "residual-mlp-4-16", 2) }, 0, 7, 13)
	}
}

// A network that has learnt something and loses all of its blocks with no training behind
// it is no winner, unless within a margin of everything.
func TestWinning(t *testing.T) {
	learnt := layerJob(t, "residual-mlp-4-16", 6)
	if _, err := learnt.Fit(context.Background(), learnt.Graph); err != nil {
		t.Fatal(err)
	}
	for _, margin := range []float64{0, 100} {
		j := learnt.On(learnt.Graph)
		j.Graph, _ = learnt.Graph.Clone(true)
		j.Recipe.Epochs, j.Recipe.LR = 1, 1e-9
		s := lottery("l1", 4)
		s.Dense, s.Margin = true, margin
		f := modeltest.Run(t, s, j).Facts.(*LayerFacts)
		if !(f.Ticket.Value < f.Dense.Value) || f.Winning != (margin == 100) || *f.Similar > .999 {
			t.Errorf("margin %v: dense %v, ticket %v, winning %v, similar %v", margin, f.Dense.Value, f.Ticket.Value, f.Winning, *f.Similar)
		}
	}
}

// Transformers lose blocks or their halves, and layers without a shortcut go where that is
// asked for, with a warning.
func TestLayersOfOthers(t *testing.T) {
	r := modeltest.Run(t, lottery("snip", 2), layerJob(t, "vit-tiny", 1))
	if left, _ := block.Find(r.Graph, block.Options{}); len(left) != 2 {
		t.Errorf("%d blocks are left", len(left))
	}
	s := lottery("snip", 3)
	s.Unit = "sublayer"
	r = modeltest.Run(t, s, layerJob(t, "vit-tiny", 0))
	if left, _ := block.Find(r.Graph, block.Options{Sublayers: true}); len(left) != 5 {
		t.Errorf("%d branches are left", len(left))
	}
	s = lottery("l1", 1)
	modeltest.Refused(t, s, layerJob(t, "mlp:64-20-20-10", 0), "Plain lets layers without one go (fc2)")
	modeltest.Refused(t, s, layerJob(t, "mlp:64-20-10", 0), "no block beside an identity shortcut; method channels")
	s.Plain = true
	r = modeltest.Run(t, s, layerJob(t, "mlp:64-20-20-10", 0))
	if !strings.Contains(modeltest.Said(r), "without a shortcut") {
		t.Errorf("no warning: %s", modeltest.Said(r))
	}
	bert, err := zoo.New("bert-3-16-2-classifier", zoo.Options{In: []int{8}, Seed: 1, Tables: []int{20}})
	if err != nil {
		t.Fatal(err)
	}
	r = modeltest.Run(t, lottery("random", 1), &model.Job{Graph: bert, Engine: engine.Options{Threads: 1}})
	if !strings.Contains(modeltest.Said(r), "normalisations behind the sums go") {
		t.Errorf("nothing is said of normalisations: %s", modeltest.Said(r))
	}
}

// Only what patterns name goes.
func TestLayerPatterns(t *testing.T) {
	s := lottery("random", 2)
	s.Include, s.Exclude = []string{"layer1.*"}, []string{"layer1.1"}
	if got := strings.Join(removed(modeltest.Run(t, s, layerJob(t, "resnet20", 0))), " "); got != "layer1.0 layer1.2" {
		t.Errorf("%s are gone", got)
	}
	s.Include = []string{"layer9.*"}
	modeltest.Refused(t, s, layerJob(t, "resnet20", 0), "matches no block: there are layer1.0, layer1.1")
	s.Include = []string{"[["}
	modeltest.Refused(t, s, layerJob(t, "resnet20", 0), "no pattern")
	s.Include, s.Exclude = nil, []string{"*"}
	modeltest.Refused(t, s, layerJob(t, "resnet20", 0), "every block is to stay")
	// without the blocks between, those in a row are not in a row
	s = lottery("angle", 2)
	s.Exclude = []string{"layer1.1", "layer2.*", "layer3.*"}
	j := layerJob(t, "resnet20", 0)
	j.Graph.Usage.Drawn = false
	modeltest.Refused(t, s, j, "no 2 of those that can go follow each other")
}

// Of texts the last token's angle counts, or that of all.
func TestPlaces(t *testing.T) {
	v := tensor.From([]float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, 2, 3, 2)
	l := &layers{set: &LayerLottery{Token: "last"}}
	if got := l.places(v); len(got) != 2 || !slices.Equal(got[0], []float32{5, 6}) || !slices.Equal(got[1], []float32{11, 12}) {
		t.Errorf("last tokens %v", got)
	}
	l.set.Token = "all"
	if got := l.places(v); len(got) != 6 || !slices.Equal(got[1], []float32{3, 4}) {
		t.Errorf("all tokens %v", got)
	}
	v.Shape = []int{1, 3, 2, 2}
	if got := l.places(v); len(got) != 4 || !slices.Equal(got[1], []float32{2, 6, 10}) {
		t.Errorf("places of an image %v", got)
	}
	if got := pooled(v); !slices.Equal(got[0], []float64{2.5, 6.5, 10.5}) {
		t.Errorf("pooled %v", got)
	}
}

// The influence of a block of a transformer is over all tokens of texts.
func TestInfluenceOfAllTokens(t *testing.T) {
	j := attentionJob(t, 3, 4)
	s := lottery("influence", 1)
	s.Samples = 24
	var want []*graph.Value
	blocks, _ := block.Find(j.Graph, block.Options{})
	for _, b := range blocks {
		want = append(want, b.In, b.Out)
	}
	by := make([]float64, len(blocks))
	if err := j.Look(context.Background(), 24, want, func(vs []*tensor.Tensor) error {
		for i := range by {
			a, b := vs[2*i].F32(), vs[2*i+1].F32()
			for p := range len(a) / wide {
				ab, aa, bb := 0., 0., 0.
				for k := p * wide; k < (p+1)*wide; k++ {
					x, y := float64(a[k]), float64(b[k])
					ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
				}
				by[i] += (1 - ab/math.Sqrt(aa*bb)) / (24 * tokens)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	f := modeltest.Run(t, s, j).Facts.(*LayerFacts)
	if len(f.Blocks) != 2 {
		t.Fatalf("%+v", f.Blocks)
	}
	for i, b := range f.Blocks {
		if math.Abs(*b.Score-by[i]) > 1e-9 || b.Removed != (by[i] < by[1-i]) {
			t.Errorf("block %d: %+v, by hand %v", i, *b.Score, by)
		}
	}
}

// Features count behind a ReLU: what is below zero has neither size nor rank.
func TestFeaturesBehindReLU(t *testing.T) {
	v := tensor.From([]float32{1, -5, -5, 3 /* */, -1, -2, -4, -8}, 1, 2, 2, 2) // maps of rank 2 and 0, behind the ReLU
	if got, err := activeOf(v); err != nil || got != .5 {
		t.Errorf("mean %v, %v", got, err)
	}
	if got, err := rankOf(v); err != nil || got != .5 { // (2+0)/2 over 2
		t.Errorf("rank %v, %v", got, err)
	}
}

// Bad input is refused before any step, with the way on.
func TestLayerBadInput(t *testing.T) {
	for _, c := range []struct {
		want string
		s    func(s *LayerLottery)
		j    func(j *model.Job)
	}{
		{"Blocks -1", func(s *LayerLottery) { s.Blocks = -1 }, nil},
		{"give one or the others", func(s *LayerLottery) { s.MACs = .5 }, nil},
		{"above 1 it is a whole number", func(s *LayerLottery) { s.Blocks = 1.5 }, nil},
		{"less than one", func(s *LayerLottery) { s.Blocks = .01 }, nil},
		{"7 blocks can go", func(s *LayerLottery) { s.Blocks = 8 }, nil},
		{"with labels", nil, func(j *model.Job) {
			j.Data = &dataset.Data{Train: dataset.New("training", j.Data.Train.X()), Norm: dataset.Raw}
			j.Recipe.Epochs = 0
		}},
		{"give Data", nil, func(j *model.Job) { j.Data, j.Recipe.Epochs = nil, 0 }},
		{"PerClass", func(s *LayerLottery) { s.PerClass = 1000 }, nil},
		{"untrained: give When trained", func(s *LayerLottery) { s.Score = "kl" }, nil},
		{"untrained", func(s *LayerLottery) { s.Score, s.Fresh.Fresh = "hrank", true }, func(j *model.Job) { j.Graph.Usage.Drawn = false }},
		{"give Data and Recipe.Epochs", func(s *LayerLottery) { s.When = "trained" }, func(j *model.Job) { j.Recipe.Epochs = 0 }},
		{"Rewind 9ep", func(s *LayerLottery) { s.When, s.Rewind = "trained", train.At{X: 9, Unit: train.Epochs} }, nil},
		{"give When trained", func(s *LayerLottery) { s.Rewind = train.At{X: 1, Unit: train.Epochs} }, nil},
		{"go back to no step", func(s *LayerLottery) {
			s.When, s.Reinit, s.Rewind = "trained", true, train.At{X: 1, Unit: train.Epochs}
		}, nil},
		{"control of When trained", func(s *LayerLottery) { s.Reinit = true }, nil},
		{"leave Dense out", func(s *LayerLottery) { s.When, s.Dense = "trained", true }, nil},
		{"to compare with", func(s *LayerLottery) { s.Dense = true }, func(j *model.Job) { j.Recipe.Epochs = 0 }},
		{"rated NaN", func(s *LayerLottery) {
			s.Rate = func(b []*block.Block) []float64 { return append(make([]float64, len(b)-1), math.NaN()) }
		}, nil},
		{"choose another Score", func(s *LayerLottery) { s.Score = "hrank" }, func(j *model.Job) {
			g, err := zoo.New("residual-mlp-8-16", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			g.Usage.Drawn = false
			j.Graph = g
		}},
	} {
		s, j := lottery("grasp", 1), layerJob(t, "resnet20", 1)
		if c.s != nil {
			c.s(s)
		}
		if c.j != nil {
			c.j(j)
		}
		j.OnStep = func(int, int, float64) { t.Errorf("%s: a step was made", c.want) }
		modeltest.Refused(t, s, j, c.want)
	}
}

// What a trained network loses with its blocks is won back without labels: by least
// squares, and by what the network before gives.
func TestLayersRecovered(t *testing.T) {
	for _, c := range []struct {
		recover string
		epochs  int
		want    string
	}{{"solve", 0, "solved by least squares"}, {"distil", 1, "1 of 4 blocks are removed, by angle"}, {"solve,distil", 1, "solved by least squares"}} {
		j := layerJob(t, "resnet14", c.epochs)
		j.Graph.Usage.Drawn = false
		j.Data.Train = dataset.New("training", j.Data.Train.X())
		j.Data.Test = nil
		j.Recipe.Recover, j.Recipe.Inner = c.recover, "auto"
		r := modeltest.Run(t, lottery("angle", 1), j)
		if said := modeltest.Said(r); !strings.Contains(said, c.want) || len(r.Epochs) != c.epochs {
			t.Errorf("%s: %d epochs, %s", c.recover, len(r.Epochs), said)
		}
	}
}
