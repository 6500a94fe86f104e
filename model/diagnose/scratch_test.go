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
	"pare/measure"
	"pare/prune"
	"pare/prune/structure"
	"pare/train"
	"pare/zoo"
)

func scratchJob(t *testing.T, f func(s *Scratch)) *Job {
	t.Helper()
	s := scratchDefaults()
	if f != nil {
		f(s)
	}
	return job(t, s, 4)
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
	s := scratchDefaults()
	s.Pruner, s.Sparsity = "magnitude", .75
	p, err := s.prune(&Job{Graph: g})
	if err != nil {
		t.Fatal(err)
	}
	c, m, err := p.start(scratchArm{draw: true}, 5)
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
	if p.macs >= p.dense/3 || p.masks.Hash() != m.Hash() {
		t.Errorf("%d of %d multiply-accumulates, masks equal: %v", p.macs, p.dense, p.masks.Hash() == m.Hash())
	}
}

// Where nothing is cut, training from scratch is dense training of the same seed.
func TestScratchNothing(t *testing.T) {
	j := scratchJob(t, func(s *Scratch) { s.Keep = 1 })
	s := j.Settings.(*Scratch)
	p, err := s.prune(j)
	if err != nil {
		t.Fatal(err)
	}
	a := s.arms(j.Recipe, p.ratio())[0]
	g, _, err := p.start(a, 9)
	if err != nil {
		t.Fatal(err)
	}
	tr := &trials{Job: j, all: 1}
	if _, err := tr.fit(context.Background(), a.recipe, g, nil, 0); err != nil {
		t.Fatal(err)
	}
	dense := job(t, nil, 4)
	if err := (prune.Init{Seed: 9}).Apply(dense.Graph); err != nil {
		t.Fatal(err)
	}
	if _, err := dense.Fit(context.Background(), dense.Graph); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bits(g), bits(dense.Graph)) {
		t.Error("not the dense training")
	}
}

// Every pruner and arm by one call; all arms end in a table and a verdict.
func TestScratch(t *testing.T) {
	for _, c := range []struct {
		f     func(s *Scratch)
		notes []string
		macs  float64 // share that is left
	}{
		{func(s *Scratch) { s.Arm = "b" }, []string{"Scratch-B: accuracy"}, .5},
		{func(s *Scratch) { s.Arm, s.Keep, s.Pruner = "e", .5, "channels" }, []string{"Scratch-E: accuracy", "4 epochs"}, .5},
		{func(s *Scratch) { s.Arm, s.Params, s.MACs = "finetuned", .4, 0 }, []string{"fine-tuned: accuracy", "1 epochs at learning rate 0.0005, constant"}, .45},
		{func(s *Scratch) {
			s.Arm, s.Runs, s.Pruner, s.Sparsity, s.Fresh.Fresh, s.Tune, s.Plus = "all", 2, "magnitude", .5, true, 2, true
		}, []string{"dense: accuracy", "pruned, not trained", "over 2 runs, 2 epochs", "over 2 runs, 4 epochs", "over 2 runs, 10 epochs", "verdict"}, .5},
	} {
		j := scratchJob(t, c.f)
		before, _, _ := measure.Of(j.Graph)
		r, err := runScratch(context.Background(), j)
		if err != nil {
			t.Fatal(err)
		}
		all := strings.Join(r.Notes, "\n")
		for _, n := range c.notes {
			if !strings.Contains(all, n) {
				t.Errorf("no %q in\n%s", n, all)
			}
		}
		after, _, err := measure.Of(r.Graph)
		if err != nil {
			t.Fatal(err)
		}
		if share := float64(after.Effective) / float64(before.MACs); share > c.macs+.01 || share < c.macs-.1 || (r.Masks != nil) != (j.Settings.(*Scratch).Sparsity > 0) {
			t.Errorf("%.3f of the computation is left, masks %v", share, r.Masks != nil)
		}
	}
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		e, b []float64
		want string
	}{
		{[]float64{.86, .88}, []float64{.9, .9}, "above (Scratch-B)"}, {[]float64{.895, .895}, []float64{.95, .9}, "above (Scratch-E, Scratch-B)"},
		{[]float64{.8, .8}, []float64{.8, .8}, "inherited weights help"},
	} {
		if v := verdict([]float64{.89, .91}, c.e, c.b); !strings.Contains(v, c.want) {
			t.Errorf("%v and %v: %s", c.e, c.b, v)
		}
	}
}

func TestResumeScratch(t *testing.T) {
	mk := func() *Job {
		return scratchJob(t, func(s *Scratch) { s.Arm, s.Runs, s.Fresh.Fresh = "all", 2, true })
	}
	// 4 epochs of 20 steps dense, then twice 1, 4 and 8
	resumes(t, "scratch", runScratch, mk, 0, 30, 80, 95, 170, 300, 600)
}

func TestScratchBad(t *testing.T) {
	for want, f := range map[string]func(s *Scratch, j *Job){
		"no arm":             func(s *Scratch, _ *Job) { s.Arm = "c" },
		"no pruner":          func(s *Scratch, _ *Job) { s.Pruner = "nosuch" },
		"how long the dense": func(_ *Scratch, j *Job) { j.Recipe.Epochs = 0 },
		"outside (0,1)":      func(s *Scratch, _ *Job) { s.Pruner = "magnitude" },
		"masks leave every":  func(s *Scratch, _ *Job) { s.Pruner, s.Sparsity, s.Keep = "magnitude", .5, .5 },
		"is of masks":        func(s *Scratch, _ *Job) { s.Sparsity = .5 },
		"tied over layers":   func(s *Scratch, _ *Job) { s.Exclude = []string{"fc2*"} },
		"--keep 2":           func(s *Scratch, _ *Job) { s.Keep = 2 },
		"no target":          func(s *Scratch, _ *Job) { s.MACs = 0 },
		"--tune-epochs -1":   func(s *Scratch, _ *Job) { s.Tune = -1 },
		"--tune-lr NaN":      func(s *Scratch, _ *Job) { s.TuneLR = math.NaN() },
		"--most 0.5":         func(s *Scratch, _ *Job) { s.Most = .5 },
		"--runs -2":          func(s *Scratch, _ *Job) { s.Runs = -2 },
		"no verdict":         func(s *Scratch, _ *Job) { s.Arm, s.Runs = "all", 1 },
		"keep some out":      func(s *Scratch, j *Job) { s.Arm, j.Data = "all", &dataset.Data{Train: j.Data.Train} },
		"fixed size":         func(_ *Scratch, j *Job) { j.Graph.Inputs[0].Shape[2] = graph.Dim{Mul: 1, Sym: "H"} },
		"no allocation":      func(s *Scratch, _ *Job) { s.Pruner, s.Sparsity, s.Allocate = "magnitude", .5, "nosuch" },
		"left of fc": func(s *Scratch, j *Job) {
			s.Pruner, s.Sparsity, s.Allocate = "magnitude", .9, "global"
			clear(j.Graph.Value("fc2.weight").Const.F32())
		},
		"Scratch-B, run 1":   func(_ *Scratch, j *Job) { j.Recipe.LR, j.Recipe.Schedule = 1e30, "constant" },
		"no cut of channels": func(s *Scratch, _ *Job) { s.MACs = 1e-9 },
	} {
		j := scratchJob(t, nil)
		f(j.Settings.(*Scratch), j)
		if _, err := runScratch(context.Background(), j); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
}

// Where nothing is saved the user is told, and arm b has the epochs of arm e.
func TestScratchNoSaving(t *testing.T) {
	r, err := runScratch(context.Background(), scratchJob(t, func(s *Scratch) { s.Keep = 1 }))
	if err != nil || !strings.Contains(strings.Join(r.Notes, "\n"), "arm b has the epochs of arm e") || len(r.Epochs) != 4 {
		t.Errorf("%q, %d epochs, %v", r.Notes, len(r.Epochs), err)
	}
}
