package method

import (
	"bytes"
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/schedule"
	"pare/prune/score"
	"pare/tensor"
	"pare/train"
	"pare/zoo"
)

func job(t *testing.T, settings any, epochs int) *Job {
	t.Helper()
	g, err := zoo.New("mlp:64-20-10", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	tr, te := dataset.Glyph(2, .4, 400, 200, 1)
	return &Job{Graph: g, Data: &dataset.Data{Train: tr, Test: te, Norm: dataset.Raw}, Settings: settings, Seed: 3, Engine: engine.Options{Threads: 1},
		Recipe: Recipe{Epochs: epochs, Batch: 20, LR: .05, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 1e-3}}
}

// After any number of steps cut weights are exactly zero, kept ones have moved.
func TestHeld(t *testing.T) {
	j := job(t, &GlobalMP{Sparsity: .8}, 2)
	before, _ := j.Graph.Clone(true)
	r, err := globalMP.Run(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	if n := prune.Total(r.Masks.Weights); r.Masks.Count() != n-int(math.Round(.8*float64(n))) {
		t.Errorf("%d of %d weights are left", r.Masks.Count(), n)
	}
	for i, w := range r.Masks.Weights {
		old, moved := before.Value(w.Name).Const.F32(), 0
		for k, x := range w.Data() {
			if !r.Masks.Mask[i].Kept(k) && x != 0 {
				t.Fatalf("%s[%d] is cut and %v", w.Name, k, x)
			}
			if r.Masks.Mask[i].Kept(k) && x != old[k] {
				moved++
			}
		}
		if moved == 0 {
			t.Errorf("no kept weight of %s moved", w.Name)
		}
	}
}

// N = 12,000 and mt = 0.05 percent keep 6 of each layer; floors that do not
// fit are refused.
func TestMinimum(t *testing.T) {
	w := func(n int) *prune.Weight {
		return &prune.Weight{Value: &graph.Value{Name: "w", Const: tensor.New(tensor.Float32, 1, n)}}
	}
	f, err := minimum([]*prune.Weight{w(11000), w(996), w(4)}, .05)
	if err != nil || !slices.Equal(f, []int{6, 6, 4}) {
		t.Errorf("floors %v, %v", f, err)
	}
	ws := []*prune.Weight{w(4), w(4), w(4)}
	if _, err := allocate.Global(ws, score.Magnitude(ws), .5, []int{3, 3, 3}); err == nil {
		t.Error("floors of 9 in 6 were accepted")
	}
}

// Hard masks are nested and reach the final sparsity exactly; after the window
// they do not change.
func TestGradual(t *testing.T) {
	for _, variant := range []string{"hard", "keep"} {
		s := gmpDefaults()
		s.Sparsity, s.Every, s.Variant = .9, 3, variant
		j := job(t, s, 3)
		var last *prune.Masks
		var final string
		ws, _ := prune.Weights(j.Graph, prune.Scope{})
		h := &prune.Gradual{Hold: prune.Hold{Masks: prune.Dense(ws)}, Keep: variant == "keep",
			Schedule: schedule.Gradual{Final: .9, Begin: 6, End: 42, Every: 5, Power: 3},
			Pick: func(x float64) (*prune.Masks, error) {
				k, err := allocate.Uniform(ws, x)
				return allocate.Select(ws, score.Magnitude(ws), k, prune.KeepFirst), err
			}}
		watch := &watcher{f: func(r *train.Run) {
			if variant == "hard" && last != nil && !h.Masks.Within(last) {
				t.Errorf("step %d: masks are not nested", r.Step)
			}
			last = h.Masks.Clone()
			if r.Step > 42 {
				if final == "" {
					final = h.Hash()
				}
				if h.Hash() != final {
					t.Errorf("step %d: masks change after the window", r.Step)
				}
			}
		}}
		if _, err := j.Fit(context.Background(), j.Graph, h, watch); err != nil {
			t.Fatal(err)
		}
		for i, w := range ws {
			want := max(1, int(math.Floor(float64(w.Len())*.1+.5)))
			if got := h.Mask[i].Count(); got != want {
				t.Errorf("%s %s keeps %d, want %d", variant, w.Name, got, want)
			}
		}
	}
}

type watcher struct {
	train.Base
	f func(*train.Run)
}

func (w *watcher) AfterStep(r *train.Run) error { w.f(r); return nil }

// keep: w = (.5, .4), one stays; when the first shrinks to .3 the second returns.
func TestKeepReturns(t *testing.T) {
	g, _ := zoo.New("mlp:2-1", zoo.Options{})
	ws, _ := prune.Weights(g, prune.Scope{})
	copy(ws[0].Data(), []float32{.5, .4})
	h := &prune.Gradual{Hold: prune.Hold{Masks: prune.Dense(ws)}, Keep: true, Schedule: schedule.Gradual{Final: .5, Initial: .5, Begin: 0, End: 4, Every: 1, Power: 3},
		Pick: func(s float64) (*prune.Masks, error) {
			return allocate.Select(ws, score.Magnitude(ws), []int{1}, prune.KeepFirst), nil
		}}
	r := &train.Run{Config: &train.Config{}, Total: 4, Params: []*train.Param{{Value: ws[0].Value, W: ws[0].Data()}}}
	if err := h.Start(r); err != nil {
		t.Fatal(err)
	}
	if err := h.BeforeStep(r); err != nil || ws[0].Data()[1] != 0 {
		t.Fatalf("after the first event: %v, %v", ws[0].Data(), err)
	}
	ws[0].Data()[0] = .3
	r.Step = 1
	if err := h.BeforeStep(r); err != nil || !slices.Equal(ws[0].Data(), []float32{0, .4}) {
		t.Errorf("after the second event: %v, %v", ws[0].Data(), err)
	}
}

// A final sparsity of 0 is dense training, bit for bit.
func TestNoSparsity(t *testing.T) {
	s := gmpDefaults()
	s.Sparsity, s.Every = 0, 3
	a, b := job(t, s, 2), job(t, nil, 2)
	if _, err := runGMP(context.Background(), a); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Fit(context.Background(), b.Graph); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bits(a.Graph), bits(b.Graph)) {
		t.Error("weights differ from dense training")
	}
}

func bits(g *graph.Graph) []byte {
	var out []byte
	for _, p := range g.Params() {
		for _, x := range p.Const.F32() {
			u := math.Float32bits(x)
			out = append(out, byte(u), byte(u>>8), byte(u>>16), byte(u>>24))
		}
	}
	return out
}

// A run that is stopped and resumed ends with the same bytes.
func TestResume(t *testing.T) {
	for _, variant := range []string{"hard", "keep"} {
		mk := func() *Job {
			s := gmpDefaults()
			s.Every, s.Variant = 3, variant
			return job(t, s, 3)
		}
		resumes(t, variant, runGMP, mk, 0, 7, 31)
	}
}

// So does one that prunes in rounds, wherever it was stopped; it knows what its
// epochs came to.
func TestResumeRounds(t *testing.T) {
	mk := func() *Job { return job(t, &Magnitude{Sparsity: .8, Allocate: "global", Rounds: 3}, 2) }
	resumes(t, "magnitude", runMagnitude, mk, 120, 25, 40, 90) // 40 steps a round
}

// A checkpoint of another seed, recipe, target, data or network is refused.
func TestResumeOther(t *testing.T) {
	for name, f := range map[string]func(j *Job){
		"seed=":          func(j *Job) { j.Seed = 4 },
		"lr=":            func(j *Job) { j.Recipe.LR = .01 },
		"sparsity=":      func(j *Job) { j.Settings = &GlobalMP{Sparsity: .6} },
		"training data=": func(j *Job) { j.Data.Train = j.Data.Test },
		"teacher=":       func(j *Job) { j.Loss = train.Loss{Teacher: j.Graph, Alpha: .5, T: 2} },
		"network=":       func(j *Job) { j.Graph.Params()[0].Const.F32()[0]++ },
	} {
		j := job(t, &GlobalMP{Sparsity: .5}, 1)
		j.Save = filepath.Join(t.TempDir(), "checkpoint")
		if _, err := globalMP.Run(context.Background(), j); err != nil {
			t.Fatal(err)
		}
		k := job(t, &GlobalMP{Sparsity: .5}, 1)
		k.Save, k.Resume = j.Save, true
		f(k)
		if _, err := globalMP.Run(context.Background(), k); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

// What the recipe cannot do is said before any work.
func TestCheck(t *testing.T) {
	for want, f := range map[string]func(j *Job){
		"fewer than one batch": func(j *Job) { j.Recipe.Batch = 401 },
		"no training set":      func(j *Job) { j.Data.Train = nil },
		"neither may":          func(j *Job) { j.Recipe.Epochs = -1 },
		"crop":                 func(j *Job) { j.Recipe.Crop = -1 },
		"no images": func(j *Job) {
			j.Recipe.Flip = true
			s := *j.Data.Train
			s.Shape = []int{64}
			j.Data.Train = &s
		},
		"learning rate":     func(j *Job) { j.Recipe.LR = math.NaN() },
		"unknown optimiser": func(j *Job) { j.Recipe.Optimizer = "nosuch" },
		"unknown loss":      func(j *Job) { j.Recipe.Loss = "nosuch" },
		"not with mse":      func(j *Job) { j.Recipe.Loss, j.Recipe.Smoothing = "mse", .1 },
	} {
		j := job(t, nil, 1)
		f(j)
		if err := j.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want something with %q", err, want)
		}
	}
	if err := job(t, nil, 1).Check(); err != nil {
		t.Error(err)
	}
}

func TestBadInput(t *testing.T) {
	ctx := context.Background()
	for name, f := range map[string]func() error{
		"sparsity 1":   func() error { _, err := globalMP.Run(ctx, job(t, &GlobalMP{Sparsity: 1}, 0)); return err },
		"sparsity -1":  func() error { _, err := globalMP.Run(ctx, job(t, &GlobalMP{Sparsity: -1}, 0)); return err },
		"sparsity NaN": func() error { _, err := globalMP.Run(ctx, job(t, &GlobalMP{Sparsity: math.NaN()}, 0)); return err },
		"mt":           func() error { _, err := globalMP.Run(ctx, job(t, &GlobalMP{Sparsity: .5, MT: 40}, 0)); return err },
		"no such weight": func() error {
			_, err := globalMP.Run(ctx, job(t, &GlobalMP{Layers: Layers{Exclude: []string{"*"}}}, 0))
			return err
		},
		"no data": func() error {
			j := job(t, &GlobalMP{Sparsity: .5}, 1)
			j.Data = nil
			_, err := globalMP.Run(ctx, j)
			return err
		},
		"window":      func() error { s := gmpDefaults(); s.End = 0; _, err := runGMP(ctx, job(t, s, 1)); return err },
		"falls":       func() error { s := gmpDefaults(); s.Initial = .95; _, err := runGMP(ctx, job(t, s, 1)); return err },
		"no training": func() error { _, err := runGMP(ctx, job(t, gmpDefaults(), 0)); return err },
		"NaN weight": func() error {
			j := job(t, &GlobalMP{Sparsity: .5}, 0)
			j.Graph.Params()[0].Const.F32()[3] = float32(math.NaN())
			_, err := globalMP.Run(ctx, j)
			return err
		},
		"macs": func() error { _, err := runChannels(ctx, job(t, &Channels{MACs: 1e-9}, 0)); return err },
	} {
		if err := f(); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestMagnitude(t *testing.T) {
	for _, c := range []struct {
		s    Magnitude
		want float64 // sparsity
	}{
		{Magnitude{Sparsity: .8, Allocate: "global", Rounds: 1}, .8}, {Magnitude{Sparsity: .8, Allocate: "uniform", Rounds: 3}, .8},
		{Magnitude{Sparsity: .8, Allocate: "erk", Rounds: 1}, .8}, {Magnitude{Pattern: "2:4", Rounds: 1}, .5},
		{Magnitude{Pattern: "1:4", Rounds: 1}, .75}, {Magnitude{Sparsity: .75, Pattern: "block:2x4", Rounds: 1}, .75},
		{Magnitude{Sparsity: .8, Allocate: "global", Rounds: 1, Gradual: true}, .8},
	} {
		j := job(t, &c.s, 1)
		r, err := runMagnitude(context.Background(), j)
		if err != nil {
			t.Fatalf("%+v: %v", c.s, err)
		}
		if got := r.Masks.Sparsity(); math.Abs(got-c.want) > .005 {
			t.Errorf("%+v: sparsity %v", c.s, got)
		}
		if c.s.Pattern == "2:4" {
			for _, w := range r.Masks.Weights {
				rows, cols, at := w.Matrix()
				for i := range rows * cols / 4 {
					n := 0
					for k := range 4 {
						if w.Data()[at(i*4/cols, i*4%cols+k)] != 0 {
							n++
						}
					}
					if n > 2 {
						t.Fatalf("%s: %d of 4 stay", w.Name, n)
					}
				}
			}
		}
	}
	for _, s := range []Magnitude{{Sparsity: .5, Allocate: "nosuch", Rounds: 1}, {Sparsity: .5, Pattern: "x", Rounds: 1}, {Sparsity: .5, Pattern: "5:4", Rounds: 1},
		{Sparsity: .5, Pattern: "block:0x3", Rounds: 1}, {Sparsity: .5, Rounds: 0}} {
		if _, err := runMagnitude(context.Background(), job(t, &s, 0)); err == nil {
			t.Errorf("%+v was accepted", s)
		}
	}
}

// The strongest good cut is found, and the weakest.
func TestSeek(t *testing.T) {
	zeros := func(g *graph.Graph) float64 {
		ws, err := prune.Weights(g, prune.Scope{})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, w := range ws {
			for _, x := range w.Data() {
				if x == 0 {
					n++
				}
			}
		}
		return float64(n) / float64(prune.Total(ws))
	}
	j := job(t, &GlobalMP{}, 0)
	for _, w := range []Wish{
		{Good: func(g *graph.Graph) (bool, error) { return zeros(g) <= .7, nil }},
		{Good: func(g *graph.Graph) (bool, error) { return zeros(g) >= .7, nil }, Weakest: true},
	} {
		if _, err := Seek(context.Background(), globalMP, j, w); err != nil {
			t.Fatal(err)
		}
		if s := j.Settings.(*GlobalMP).Sparsity; math.Abs(s-.7) > .005 || (s > .7) != w.Weakest {
			t.Errorf("weakest %v: sparsity %v", w.Weakest, s)
		}
	}
	never := Wish{Good: func(*graph.Graph) (bool, error) { return false, nil }}
	if _, err := Seek(context.Background(), globalMP, j, never); err == nil {
		t.Error("an impossible wish was granted")
	}
	never.Weakest = true // cuts too strong to be made grant nothing
	if at, err := Seek(context.Background(), channels, job(t, channels.Settings(), 0), never); err == nil {
		t.Error("an impossible wish was granted:", at)
	}
	if _, err := Seek(context.Background(), gmp, job(t, gmpDefaults(), 1), never); err == nil {
		t.Error("a method that trains was sought")
	}
}
