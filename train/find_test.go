package train

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/train/objective"
	"pare/zoo"
)

// ones are samples that are all the number 1, with the targets 3 and -1.
func ones(n int) *dataset.Set {
	x, y := &dataset.Field{Name: "x", Shape: []int{1}}, &dataset.Field{Name: "y", Shape: []int{2}}
	for range n {
		x.Floats, y.Floats = append(x.Floats, 1), append(y.Floats, 3, -1)
	}
	return dataset.New("training", x, y)
}

// quadratic is a linear layer of a weight and a bias an output. The loss is the mean
// over the two outputs of (w+b-t)^2, so that a step of plain descent at rate r
// multiplies the error by 1-2r: it grows from r = 1 on.
func quadratic(t *testing.T) *Config {
	t.Helper()
	g, err := zoo.New("mlp:1-2", zoo.Options{In: []int{1}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	return &Config{Graph: g, Epochs: 2, Optimizer: SGD{}, Loss: By(objective.MSE), Engine: engine.Options{Threads: 1}, Train: NewData(&dataset.Loader{Set: ones(120), Size: 4, Norm: dataset.Raw}),
		Find: &RangeTest{Least: 1e-3, Most: 16, Steps: 60, Usual: .05, Rate: func(p float64) Rate { return Constant(p) }}}
}

// The range test of a quadratic is known in closed form, and leaves no trace.
func TestRangeTest(t *testing.T) {
	cfg := quadratic(t)
	before := sum(cfg.Graph)
	pass, err := newStep(cfg.Graph, samplesOf(cfg.Train), 4, cfg.Loss, cfg.Engine, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer pass.Close()
	r := &Run{Config: cfg, Params: pass.Params, pass: pass}
	rates, change, err := r.ramp(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if sum(cfg.Graph) != before {
		t.Error("the test has moved the weights")
	}
	if len(rates) < 20 || math.Abs(rates[0]-1e-3) > 1e-12 {
		t.Fatalf("rates %v", rates)
	}
	crossed, loss := 0.0, 1.0 // as a share of the first
	for k, x := range change {
		lr := rates[k]
		if k > 0 && math.Abs(lr/rates[k-1]-math.Pow(16e3, 1./29)) > 1e-9 {
			t.Errorf("rate %v comes after %v", lr, rates[k-1])
		}
		if lr > 1 && crossed == 0 {
			crossed = lr
		}
		if want := math.Min(testLost, (1-2*lr)*(1-2*lr)-1); loss > 2e-3 && math.Abs(x-want) > 1e-3 {
			t.Errorf("a step at rate %.4g has changed the loss by %v, want %v", lr, x, want)
		}
		loss *= (1 - 2*lr) * (1 - 2*lr)
	}
	if p := cfg.Find.pick(rates, change); p < .2 || p > crossed/testSafe {
		t.Errorf("rate %v, but descent is stable below 1", p)
	}
}

// Where nothing is lost a third of the largest rate is taken; where all is, the least.
func TestPick(t *testing.T) {
	f := &RangeTest{Least: 1, Most: 192, Usual: 7, Steps: 14}
	rates := []float64{3, 6, 12, 24, 48, 96, 192}
	for _, c := range []struct {
		change []float64
		want   float64
	}{
		{[]float64{0, -.1, -.2, -.3, -.4, -.5, -.6}, 64}, {[]float64{0, 0, 0, 0, 0, 0, 0}, 64},
		{[]float64{1}, 1}, {[]float64{0, -.2, -.2, -.1, .05, 1}, 16}, {[]float64{0, .05, -.5, -.5, -.5, 1, 1}, 32}, {[]float64{0, 0, -.1}, 7}, {[]float64{0, -.1}, 2}, {nil, 7}, {[]float64{0, 0, 1, 1}, 7}, {[]float64{0, 1, 1}, 2},
	} {
		if got := f.pick(rates[:len(c.change)], c.change); got != c.want {
			t.Errorf("%v: %v, want %v", c.change, got, c.want)
		}
	}
}

// The rate is the same for a run that is stopped during the test or after it; few
// steps are not tested at all.
func TestFind(t *testing.T) {
	var said []float64
	mk := func() *Config {
		c := quadratic(t)
		c.Find.Found = func(rate float64, _ int) { said = append(said, rate) }
		return c
	}
	whole := mk()
	r, err := Fit(context.Background(), whole)
	if err != nil || r.Tested != 60 || r.Rate(0) != r.Peak || r.Past[1].Loss > 1e-3 {
		t.Fatalf("%v, rate %v after %d steps of test, %+v", err, r.Peak, r.Tested, r.Past)
	}
	c := mk()
	c.Save = filepath.Join(t.TempDir(), "checkpoint")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Fit(ctx, c); !errors.Is(err, ErrInterrupted) {
		t.Fatal(err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	c = mk2(mk, c.Save)
	c.OnStep = func(step int, _ float64) {
		if step == 7 {
			cancel()
		}
	}
	if _, err := Fit(ctx, c); !errors.Is(err, ErrInterrupted) {
		t.Fatal(err)
	}
	c = mk2(mk, c.Save)
	if _, err := Fit(context.Background(), c); err != nil || sum(c.Graph) != sum(whole.Graph) {
		t.Errorf("the resumed run differs (%v)", err)
	}
	for _, x := range said {
		if x != said[0] {
			t.Errorf("rates %v", said)
		}
	}
	short := mk()
	short.Find.Steps = LeastTest - 1
	if r, err := Fit(context.Background(), short); err != nil || r.Tested != 0 || r.Peak != .05 {
		t.Errorf("%v, rate %v after %d steps of test", err, r.Peak, r.Tested)
	}
}

func mk2(mk func() *Config, save string) *Config {
	c := mk()
	c.Save, c.Resume = save, true
	return c
}

// digitsMLP is a training without normalisation, which a high rate blows up.
func digitsMLP(t *testing.T) *Config {
	t.Helper()
	d, err := dataset.Open("digits?n=800")
	if err != nil {
		t.Fatal(err)
	}
	g, err := zoo.New("mlp:64-30-10", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	o := engine.Options{Threads: 1}
	return &Config{Graph: g, Epochs: 5, Optimizer: SGD{Momentum: .9}, Guess: math.Log(10), Engine: o, Val: NewEval(d.Test, d.Norm, 100, o),
		Train: NewData(&dataset.Loader{Set: d.Train, Size: 16, Norm: d.Norm, Shuffle: true, Seed: 2})}
}

// A training whose rate is far too high from some step on goes back, and ends well;
// without a way back it is an error or lost.
func TestGoesBack(t *testing.T) {
	for name, rate := range map[string]Rate{
		"from the start": Constant(30), "in the third epoch": func(step int) float64 {
			if step < 130 {
				return .05
			}
			return 20
		}, "to infinity": func(step int) float64 {
			switch {
			case step < 130:
				return .05
			case step < 134:
				return 1e4
			}
			return 10
		},
	} {
		mk := func() *Config { c := digitsMLP(t); c.Rate = rate; return c }
		lost, err := Fit(context.Background(), mk())
		if err == nil && lost.Past[4].Score.Value > .15 {
			t.Errorf("%s: accuracy %v without going back: the test shows nothing", name, lost.Past[4].Score.Value)
		}
		c := mk()
		c.Returns = 8
		var said []string
		c.Say = func(format string, _ ...any) { said = append(said, format) }
		r, err := Fit(context.Background(), c)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n := len(r.Backs); n == 0 || n != len(said) || r.Rate(0) != rate(0)*math.Pow(4, -float64(n)) {
			t.Errorf("%s: %+v, said %q, rate %v", name, r.Backs, said, r.Rate(0))
		}
		for _, b := range r.Backs {
			if b.To > b.At || b.To%50 != 0 {
				t.Errorf("%s: back from step %d to %d", name, b.At, b.To)
			}
		}
		if e := r.Past[4]; e.Score.Value < .25 || len(r.Past) != 5 || r.Step != 250 {
			t.Errorf("%s: after %d steps %+v", name, r.Step, r.Past)
		}
		c = mk()
		c.Returns, c.Rate = 2, Constant(1e30)
		if _, err := Fit(context.Background(), c); !errors.Is(err, ErrDiverged) || !strings.Contains(err.Error(), "going back 2 times") {
			t.Errorf("%s: a rate that no return saves: %v", name, err)
		}
	}
}

// Weights that blow up in the last step of all are noticed too.
func TestLastStep(t *testing.T) {
	c := digitsMLP(t)
	c.Rate, c.Val = func(step int) float64 {
		if step == 249 {
			return math.Inf(1)
		}
		return .05
	}, nil
	if _, err := Fit(context.Background(), c); !errors.Is(err, ErrDiverged) {
		t.Errorf("infinite weights: %v", err)
	}
}

// The weights, statistics and masks that are kept are those of the best epoch, bit by
// bit; where masks change, of the best since.
func TestKeepsBest(t *testing.T) {
	for _, late := range []int{0, 2} {
		c := config(t, 1)
		d := c.Train.(*Data)
		c.Epochs, c.Best, c.Val = 5, true, NewEval(d.Set, d.Norm, 50, c.Engine)
		c.Optimizer, c.Rate = SGD{Momentum: .9}, func(step int) float64 { // the last epochs do harm
			if step < 24 {
				return .05
			}
			return 3
		}
		var after []string
		c.Hooks = []Hook{&changes{late: late, after: &after}}
		r, err := Fit(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		best, top := r.Past[late], 0.0
		for _, e := range r.Past[late:] {
			top = max(top, e.Score.Value)
		}
		least := top - math.Sqrt(top*(1-top)/200)
		for _, e := range r.Past[late:] {
			if e.Score.Value >= least && (best.Score.Value < least || e.ValLoss < best.ValLoss) {
				best = e
			}
		}
		if r.Kept != best.Epoch || late == 0 && r.Kept > 2 {
			t.Errorf("epoch %d is kept, the best is %d: %+v", r.Kept, best.Epoch, r.Past)
		}
		if sum(c.Graph) != after[r.Kept-1] || r.Kept < 5 && sum(c.Graph) == after[4] {
			t.Errorf("the weights are not those of epoch %d", r.Kept)
		}
		m, err := c.Val.Run(context.Background(), c.Graph)
		if err != nil || m.Value() != best.Score.Value || m.Loss != best.ValLoss {
			t.Errorf("%+v (%v), the epoch had %+v", m, err, best)
		}
	}
}

// changes says that masks change for some epochs, and keeps what each ends with.
type changes struct {
	Observer
	late  int
	after *[]string
}

func (c *changes) Settled(r *Run) bool { return r.Epoch > c.late }
func (c *changes) AfterEpoch(r *Run, _ Epoch) error {
	*c.after = append(*c.after, sum(r.Graph))
	return nil
}

// A run that tests rates, clips, goes back and keeps its best epoch ends with the same
// bytes, wherever it is stopped.
func TestResumesCareful(t *testing.T) {
	mk := func() *Config {
		c := digitsMLP(t)
		c.Find = &RangeTest{Least: 1e-4, Most: .4, Steps: 30, Usual: .05, Rate: func(peak float64) Rate {
			return func(step int) float64 {
				if step >= 127 && step < 150 {
					return 1000 * peak
				}
				return peak
			}
		}}
		c.Clip, c.Returns, c.Best, c.Every = Adaptive, 8, true, 20
		return c
	}
	whole := mk()
	a, err := Fit(context.Background(), whole)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Backs) == 0 || a.Kept == 0 || a.Tested == 0 {
		t.Fatalf("nothing is shown: %+v, epoch %d, %d steps of test", a.Backs, a.Kept, a.Tested)
	}
	save := filepath.Join(t.TempDir(), "checkpoint")
	for _, stop := range []int{3, 9, 126, 1, 2, 40, 0} { // in calls of OnStep, which come again after going back
		c := mk()
		c.Save, c.Resume = save, true
		ctx, cancel := context.WithCancel(context.Background())
		n := 0
		c.OnStep = func(int, float64) {
			if n++; n == stop {
				cancel()
			}
		}
		b, err := Fit(ctx, c)
		cancel()
		if stop > 0 {
			if !errors.Is(err, ErrInterrupted) {
				t.Fatalf("stopped after %d steps: %v", stop, err)
			}
			continue
		}
		if err != nil || sum(c.Graph) != sum(whole.Graph) || b.Kept != a.Kept || b.Peak != a.Peak || len(b.Backs) != len(a.Backs) || b.Past[4] != a.Past[4] {
			t.Errorf("the resumed run differs (%v): %+v and %+v", err, b.Past, a.Past)
		}
	}
}

// The adaptive limit leaves gradients of one size alone, and cuts one that towers above
// them to four times their norm; no step allocates.
func TestAdaptiveClip(t *testing.T) {
	for _, scale := range []float32{1e-6, 1, 1e6} {
		p := &Param{Value: &graph.Value{Name: "w"}, G: make([]float32, 2)}
		r := &Run{Config: &Config{Clip: Adaptive}, Params: []*Param{p}}
		norm := func(x float32) float64 {
			p.G[0], p.G[1] = 3*x*scale, 4*x*scale
			r.clip()
			return math.Hypot(float64(p.G[0]), float64(p.G[1])) / float64(scale)
		}
		for range 20 {
			if n := norm(1); math.Abs(n-5) > 1e-4 {
				t.Fatalf("a usual gradient has norm %v", n)
			}
		}
		if n := norm(1000); math.Abs(n-20) > 1e-3 {
			t.Errorf("a gradient that towers has norm %v, want 20", n)
		}
		if a := testing.AllocsPerRun(5, r.clip); a != 0 {
			t.Errorf("%v allocations", a)
		}
	}
}

// The mean of the norms follows gradients that shrink: of what it was, a share of .98 is
// left after each.
func TestAdaptiveClipForgets(t *testing.T) {
	var n norms
	for range 100 {
		n.see(5)
	}
	for range 200 {
		n.see(1)
	}
	if want := 4 * (1 + 4*math.Pow(.98, 200)); math.Abs(n.limit()-want) > 1e-9 {
		t.Errorf("the limit is %v, want %v", n.limit(), want)
	}
}
