package diagnose

import (
	"bytes"
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"pare/dataset"
	"pare/graph"
	"pare/internal/modeltest"
	"pare/measure"
	"pare/model"
	"pare/prune"
	"pare/prune/structure"
	"pare/train"
	"pare/zoo"
)

func fromScratch(f func(s *Scratch)) *Scratch {
	s := NewScratch()
	if f != nil {
		f(s)
	}
	return s
}

// 160 epochs at a ratio of 2 are 320, with drops at 160 and 240; at 1.52 they are
// 243, with drops at 121 and 182. Of ImageNet's 90, at most doubled, 1.3 makes 117,
// with a drop every 39, and 2.4 makes 180, every 60.
func TestBudget(t *testing.T) {
	for _, c := range []struct {
		epochs      int
		ratio, most float64
		schedule    string
		want        int
		drops       []int
	}{
		{160, 2, 0, "step:0.5,0.75:0.1", 320, []int{160, 240}}, {160, 1.52, 0, "step:0.5,0.75", 243, []int{121, 182}},
		{90, 1.3, 2, "step:0.33333,0.66667:0.1", 117, []int{39, 78}}, {90, 2.4, 2, "step:0.33333,0.66667:0.1", 180, []int{60, 120}},
		{7, 1, 0, "step:0.5,0.75", 7, []int{3, 5}}, {10, .8, 0, "step:0.5", 10, []int{5}},
	} {
		n := budget(c.epochs, c.ratio, c.most)
		if n != c.want {
			t.Errorf("%d epochs at ratio %v are %d, want %d", c.epochs, c.ratio, n, c.want)
		}
		const steps = 13 // an epoch
		rate, err := train.ParseRate(whole(c.schedule, n), 1, n*steps)
		if err != nil {
			t.Fatal(err)
		}
		var drops []int
		for i := 1; i < n*steps; i++ {
			if rate(i) != rate(i-1) {
				if i%steps != 0 {
					t.Errorf("%s over %d epochs drops within an epoch", c.schedule, n)
				}
				drops = append(drops, i/steps)
			}
		}
		if !slices.Equal(drops, c.drops) {
			t.Errorf("%s over %d epochs drops at %v, want %v", c.schedule, n, drops, c.drops)
		}
	}
	for _, s := range []string{"cosine", "step", "step:x", "constant+warmup:3"} {
		if whole(s, 9) != s {
			t.Errorf("%s became %s", s, whole(s, 9))
		}
	}
}

// VGG-16-A of Li et al.: 14.71 M weights of convolutions fall to 5.25 M (64 % fewer), and its
// computation pays for 243 epochs in place of 160.
func TestVGG16A(t *testing.T) {
	g, err := zoo.New("vgg16-bn", zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	groups, _ := structure.Groups(g)
	sel := structure.All(groups)
	for l, keep := range []int{32, 64, 128, 128, 256, 256, 256, 256, 256, 256, 256, 256, 256} {
		for c := keep; c < sel[l].Len; c++ {
			sel[l].Set(c, false)
		}
	}
	c, err := structure.Cut(g, groups, sel)
	if err != nil {
		t.Fatal(err)
	}
	conv := func(g *graph.Graph) (n float64) {
		for _, v := range g.Params() {
			if len(v.Const.Shape) == 4 {
				n += float64(v.Const.Len()) / 1e6
			}
		}
		return
	}
	if a, b := conv(g), conv(c); math.Abs(a-14.71) > .01 || math.Abs(b-5.254) > .01 {
		t.Errorf("%.3f M weights of convolutions, %.3f M before", b, a)
	}
	before, after := structure.CostOf(g).MACs, structure.CostOf(c).MACs
	if n := budget(160, float64(before)/float64(after), 0); n < 242 || n > 244 {
		t.Errorf("%d epochs at %d and %d multiply-accumulates", n, before, after)
	}
}

// A convolution of 64 inputs whose mask has 9,216 ones is drawn with deviation
// sqrt(2/144) = 0.1179.
func TestSparseDraw(t *testing.T) {
	g, err := zoo.New("conv-2", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	s := NewScratch()
	s.Pruner, s.Sparsity = "magnitude", .75
	p, err := s.Prune(t.Context(), &model.Job{Graph: g})
	if err != nil {
		t.Fatal(err)
	}
	c, m, err := p.Start(Arm{Draw: true}, 5)
	if err != nil {
		t.Fatal(err)
	}
	w, sq := c.Value("conv2.weight").Const.F32(), 0.0
	i := slices.IndexFunc(m.Weights, func(w *prune.Weight) bool { return w.Name == "conv2.weight" })
	for k, x := range w {
		if !m.Mask[i].Kept(k) && x != 0 {
			t.Fatal("a cut weight is drawn")
		}
		sq += float64(x) * float64(x)
	}
	if n := m.Mask[i].Count(); n != 9216 || math.Abs(math.Sqrt(sq/float64(n))/.1179-1) > .03 {
		t.Errorf("%d ones, deviation %.4f", n, math.Sqrt(sq/float64(n)))
	}
	if p.MACs >= p.Dense/3 || p.Masks.Hash() != m.Hash() {
		t.Errorf("%d of %d multiply-accumulates, masks equal: %v", p.MACs, p.Dense, p.Masks.Hash() == m.Hash())
	}
}

// Where nothing is cut, training from scratch is dense training of the same seed.
func TestScratchNothing(t *testing.T) {
	j, s := modeltest.Job(t, 4), fromScratch(func(s *Scratch) { s.Keep = 1 })
	p, err := s.Prune(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	a := s.Arms(j.Recipe, p.Ratio())[0]
	g, _, err := p.Start(a, 9)
	if err != nil {
		t.Fatal(err)
	}
	tr := &trials{Job: j, series: j.NewSeries(1)}
	if _, err := tr.fit(context.Background(), a.Recipe, g, nil, 0); err != nil {
		t.Fatal(err)
	}
	dense := modeltest.Job(t, 4)
	if err := (prune.Init{Seed: 9}).Apply(dense.Graph); err != nil {
		t.Fatal(err)
	}
	if _, err := dense.Fit(context.Background(), dense.Graph); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(modeltest.Bits(g), modeltest.Bits(dense.Graph)) {
		t.Error("not the dense training")
	}
}

// Every pruner and arm by one call; all arms end in a table and a verdict.
func TestScratch(t *testing.T) {
	for _, c := range []struct {
		f     func(s *Scratch)
		notes []string
		macs  float64 // share that is left
		arms  []ArmFacts
	}{
		{func(s *Scratch) { s.Arm = "b" }, []string{"Scratch-B: accuracy"}, .5, []ArmFacts{{Name: "Scratch-B", Epochs: 8}}},
		{func(s *Scratch) { s.Arm, s.Keep, s.Pruner = "e", .5, "channels" }, []string{"Scratch-E: accuracy", "4 epochs"}, .5, []ArmFacts{{Name: "Scratch-E", Epochs: 4}}},
		{func(s *Scratch) { s.Arm, s.Params, s.MACs = "finetuned", .4, 0 }, []string{"fine-tuned: accuracy", "1 epochs at learning rate 0.0005, constant"}, .45, []ArmFacts{{Name: "fine-tuned", Epochs: 1}}},
		{func(s *Scratch) {
			s.Arm, s.Runs, s.Pruner, s.Sparsity, s.Fresh.Fresh, s.Tune, s.Plus = "all", 2, "magnitude", .5, true, 2, true
		}, []string{"dense: accuracy", "pruned, not trained", "over 2 runs, 2 epochs", "over 2 runs, 4 epochs", "over 2 runs, 10 epochs", "verdict"}, .5,
			[]ArmFacts{{Name: "fine-tuned", Epochs: 2}, {Name: "Scratch-E", Epochs: 4}, {Name: "Scratch-B", Epochs: 10}}},
	} {
		s, j := fromScratch(c.f), modeltest.Job(t, 4)
		before, _, _ := measure.Of(j.Graph)
		r := modeltest.Run(t, s, j)
		all := modeltest.Said(r)
		for _, n := range c.notes {
			if !strings.Contains(all, n) {
				t.Errorf("no %q in\n%s", n, all)
			}
		}
		after, _, err := measure.Of(r.Graph)
		if err != nil {
			t.Fatal(err)
		}
		if share := float64(after.Effective) / float64(before.MACs); share > c.macs+.01 || share < c.macs-.1 || (r.Masks != nil) != (s.Sparsity > 0) {
			t.Errorf("%.3f of the computation is left, masks %v", share, r.Masks != nil)
		}
		f := r.Facts.(*ScratchFacts)
		if f.MACs != after.Effective || f.DenseMACs != before.MACs || len(f.Arms) != len(c.arms) || !(f.Dense.Value > 0 && f.NotTrained.Value > 0) {
			t.Fatalf("%+v", f)
		}
		best := 0.0
		for i, a := range f.Arms {
			if want := c.arms[i]; a.Name != want.Name || a.Epochs != want.Epochs || len(a.Values) != max(1, s.Runs) {
				t.Errorf("arm %+v, want %+v", a, want)
			}
			best = max(best, slices.Max(a.Values))
		}
		if x, err := j.Score(context.Background(), r.Graph); err != nil || x.Value != best {
			t.Errorf("accuracy %v (%v), the best of all is %v", x, err, best)
		}
		if len(f.Arms) == 3 && !slices.Equal(f.Enough, enough(f.Arms, true)) || len(f.Arms) < 3 && f.Enough != nil {
			t.Errorf("%+v", f)
		}
	}
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		e, b []float64
		want string
		arms []string
	}{
		{[]float64{.86, .88}, []float64{.9, .9}, "better (Scratch-B)", []string{"Scratch-B"}},
		{[]float64{.895, .895}, []float64{.95, .9}, "better (Scratch-E, Scratch-B)", []string{"Scratch-E", "Scratch-B"}},
		{[]float64{.8, .8}, []float64{.8, .8}, "inherited weights help", nil},
	} {
		arms := enough([]ArmFacts{{Name: "fine-tuned", Values: []float64{.89, .91}}, {Name: "Scratch-E", Values: c.e}, {Name: "Scratch-B", Values: c.b}}, true)
		if v := verdict(arms); !strings.Contains(v, c.want) || !slices.Equal(arms, c.arms) {
			t.Errorf("%v and %v: %v, %s", c.e, c.b, arms, v)
		}
	}
}

func TestResumeScratch(t *testing.T) {
	mk := func() (model.Method, *model.Job) {
		return fromScratch(func(s *Scratch) { s.Arm, s.Runs, s.Fresh.Fresh = "all", 2, true }), modeltest.Job(t, 4)
	}
	// 4 epochs of 20 steps dense, then twice 1, 4 and 8
	modeltest.Resumes(t, "scratch", mk, 0, 30, 80, 95, 170, 300, 600)
}

func TestScratchBad(t *testing.T) {
	for want, f := range map[string]func(s *Scratch, j *model.Job){
		`Arm "c": e, b, finetuned or all`: func(s *Scratch, _ *model.Job) { s.Arm = "c" },
		`Pruner "nosuch": l1, channels`:   func(s *Scratch, _ *model.Job) { s.Pruner = "nosuch" },
		"how long the dense":              func(_ *Scratch, j *model.Job) { j.Recipe.Epochs = 0 },
		"give a number in (0,1)":          func(s *Scratch, _ *model.Job) { s.Pruner = "magnitude" },
		"masks leave every":               func(s *Scratch, _ *model.Job) { s.Pruner, s.Sparsity, s.Keep = "magnitude", .5, .5 },
		"is of masks":                     func(s *Scratch, _ *model.Job) { s.Sparsity = .5 },
		"tied over layers":                func(s *Scratch, _ *model.Job) { s.Exclude = []string{"fc2*"} },
		"Keep 2: a number in [0,1]":       func(s *Scratch, _ *model.Job) { s.Keep = 2 },
		"no target: give MACs, Params":    func(s *Scratch, _ *model.Job) { s.MACs = 0 },
		"Tune -1: a number of at least 0": func(s *Scratch, _ *model.Job) { s.Tune = -1 },
		"TuneLR NaN: a number of at":      func(s *Scratch, _ *model.Job) { s.TuneLR = math.NaN() },
		"Most 0.5: a number of at least":  func(s *Scratch, _ *model.Job) { s.Most = .5 },
		"Runs -2: a number of at least 0": func(s *Scratch, _ *model.Job) { s.Runs = -2 },
		"no verdict":                      func(s *Scratch, _ *model.Job) { s.Arm, s.Runs = "all", 1 },
		"keep some out":                   func(s *Scratch, j *model.Job) { s.Arm, j.Data = "all", &dataset.Data{Train: j.Data.Train} },
		"fixed size":                      func(_ *Scratch, j *model.Job) { j.Graph.Inputs[0].Shape[2] = graph.Dim{Mul: 1, Sym: "H"} },
		`Allocate "nosuch": global`:       func(s *Scratch, _ *model.Job) { s.Pruner, s.Sparsity, s.Allocate = "magnitude", .5, "nosuch" },
		"left of fc": func(s *Scratch, j *model.Job) {
			s.Pruner, s.Sparsity, s.Allocate = "magnitude", .9, "global"
			clear(j.Graph.Value("fc2.weight").Const.F32())
		},
		"Scratch-B, run 1":   func(_ *Scratch, j *model.Job) { j.Recipe.LR, j.Recipe.Schedule = 1e30, "constant" },
		"no cut of channels": func(s *Scratch, _ *model.Job) { s.MACs = 1e-9 },
	} {
		s, j := NewScratch(), modeltest.Job(t, 4)
		f(s, j)
		modeltest.Refused(t, s, j, want)
	}
}

// Where nothing is saved the user is told, and arm b has the epochs of arm e.
func TestScratchNoSaving(t *testing.T) {
	r := modeltest.Run(t, fromScratch(func(s *Scratch) { s.Keep = 1 }), modeltest.Job(t, 4))
	if f := r.Facts.(*ScratchFacts); !strings.Contains(modeltest.Said(r), "arm b has the epochs of arm e") || len(r.Epochs) != 4 || f.MACs != f.DenseMACs || f.Arms[0].Epochs != 4 {
		t.Errorf("%q, %d epochs, %+v", r.Notes, len(r.Epochs), f)
	}
}
