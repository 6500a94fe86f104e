package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/train/objective"
	"pare/zoo"
)

func TestRates(t *testing.T) {
	for _, c := range []struct {
		spec string
		step int
		want float64
	}{
		{"constant", 50, .1}, {"cosine", 0, .1}, {"cosine", 50, .05}, {"cosine", 100, 0}, {"cosine:0.01", 100, .01},
		{"linear", 25, .075}, {"step:0.5,0.75", 49, .1}, {"step:0.5,0.75", 50, .01}, {"step:0.5,0.75:0.5", 80, .025},
		{"constant+warmup:10", 0, .01}, {"constant+warmup:10", 9, .1}, {"wsd", 79, .1}, {"wsd", 90, .05},
	} {
		r, err := ParseRate(c.spec, .1, 100)
		if err != nil {
			t.Fatal(err)
		}
		if got := r(c.step); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s at %d is %v, want %v", c.spec, c.step, got, c.want)
		}
	}
	for _, s := range []string{"", "nosuch", "step", "step:2", "cosine+slow", "cosine:x"} {
		if _, err := ParseRate(s, .1, 100); err == nil {
			t.Errorf("schedule %q was accepted", s)
		}
	}
	if _, err := ParseRate("cosine", -1, 100); err == nil {
		t.Error("a negative rate was accepted")
	}
}

// Two steps by hand, in PyTorch's form.
func TestOptimizers(t *testing.T) {
	for _, c := range []struct {
		name string
		o    Optimizer
		want float64
	}{
		{"sgd", SGD{}, 1 - .1*.5 - .1*.5},
		{"momentum", SGD{Momentum: .9}, 1 - .1*.5 - .1*(.9*.5+.5)},
		{"nesterov", SGD{Momentum: .9, Nesterov: true}, 1 - .1*(.5+.9*.5) - .1*(.5+.9*(.9*.5+.5))},
		{"adam", Adam{.9, .999, 1e-8, 0, false}, 1 - .1 - .1},
		{"adamw", Adam{.9, .999, 1e-8, .1, true}, (1*.99-.1)*.99 - .1},
	} {
		p := &Param{W: []float32{1}, G: []float32{.5}, Decay: true}
		for range c.o.Buffers() {
			p.State = append(p.State, make([]float32, 1))
		}
		c.o.Step(p, .1, 0)
		c.o.Step(p, .1, 1)
		if math.Abs(float64(p.W[0])-c.want) > 1e-5 {
			t.Errorf("%s gives %v, want %v", c.name, p.W[0], c.want)
		}
	}
	p := &Param{W: []float32{2}, G: []float32{0}, Decay: true}
	SGD{Decay: .5}.Step(p, .1, 0)
	if p.W[0] != 1.9 {
		t.Errorf("decay gives %v", p.W[0])
	}
}

func config(t *testing.T, threads int) *Config {
	t.Helper()
	d, err := dataset.Open("digits?n=200")
	if err != nil {
		t.Fatal(err)
	}
	g, err := zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Seed: 1, Width: .25})
	if err != nil {
		t.Fatal(err)
	}
	return &Config{Graph: g, Epochs: 2, Optimizer: Adam{.9, .999, 1e-8, 1e-3, true}, Rate: Cosine(.01, 0, 24), Engine: engine.Options{Threads: threads},
		Train: NewData(&dataset.Loader{Set: d.Train, Size: 16, Norm: d.Norm, Shuffle: true, Seed: 2, Augment: dataset.Augment{Crop: 1, Flip: true}})}
}

func sum(g *graph.Graph) string {
	s := ""
	for _, v := range g.Consts() {
		if v.Role != graph.Frozen {
			for _, x := range v.Const.F32() {
				s += fmt.Sprintf("%08x", math.Float32bits(x))
			}
		}
	}
	return s
}

// The same bytes for any number of threads, and for a run that was stopped
// twice and resumed.
func TestSameBytes(t *testing.T) {
	a := config(t, 1)
	if _, err := Fit(context.Background(), a); err != nil {
		t.Fatal(err)
	}
	b := config(t, 2)
	if _, err := Fit(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	if sum(a.Graph) != sum(b.Graph) {
		t.Error("1 and 2 threads differ")
	}
	save := filepath.Join(t.TempDir(), "ckpt")
	for _, stop := range []int{5, 17, 0} {
		c := config(t, 1)
		c.Save, c.Resume = save, true
		ctx, cancel := context.WithCancel(context.Background())
		c.OnStep = func(step int, _ float64) {
			if step == stop {
				cancel()
			}
		}
		_, err := Fit(ctx, c)
		cancel()
		if stop > 0 && !errors.Is(err, ErrInterrupted) || stop == 0 && err != nil {
			t.Fatal(stop, err)
		}
		if stop == 0 && sum(a.Graph) != sum(c.Graph) {
			t.Error("the resumed run differs")
		}
	}
	b2, _ := os.ReadFile(save)
	b2[len(b2)/2] ^= 1
	os.WriteFile(save, b2, 0o644) //nolint:errcheck // the next line fails then
	c := config(t, 1)
	c.Save, c.Resume = save, true
	if _, err := Fit(context.Background(), c); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged checkpoint: %v", err)
	}
}

// copier keeps the weights as they are after some step.
type copier struct {
	Base
	at   int
	kept *graph.Graph
}

func (c *copier) AfterStep(r *Run) error {
	if r.Step == c.at {
		c.kept, _ = r.Graph.Clone(true)
	}
	return nil
}

// A run that goes on at a step, from the weights of that step, ends as one that
// was not broken, where the optimiser has no state to lose.
func TestFrom(t *testing.T) {
	for _, k := range []int{5, 12, 17, 24} {
		a := config(t, 1)
		a.Optimizer = SGD{}
		c := &copier{at: k}
		a.Hooks = []Hook{c}
		if _, err := Fit(context.Background(), a); err != nil {
			t.Fatal(err)
		}
		b := config(t, 1)
		b.Optimizer, b.Graph, b.From = SGD{}, c.kept, k
		r, err := Fit(context.Background(), b)
		if err != nil {
			t.Fatal(err)
		}
		if sum(a.Graph) != sum(b.Graph) || r.Step != 24 {
			t.Errorf("from step %d: the weights differ, or %d steps are not 24", k, r.Step)
		}
	}
	c := config(t, 1)
	c.From = 25
	if _, err := Fit(context.Background(), c); err == nil {
		t.Error("a start after the last step was accepted")
	}
}

// Gradient of the step's own batch is the step's gradient, and that of another
// batch is another.
func TestGradient(t *testing.T) {
	c := config(t, 1)
	c.Hooks = []Hook{again{t: t}}
	if _, err := Fit(context.Background(), c); err != nil {
		t.Fatal(err)
	}
}

type again struct {
	Base
	t *testing.T
}

func (a again) AfterGrad(r *Run) error {
	was := append([]float32{}, r.Params[0].G...)
	if _, err := r.Gradient(r.Epoch+7, 0); err != nil || slices.Equal(was, r.Params[0].G) {
		a.t.Errorf("step %d: another batch has the same gradient (%v)", r.Step, err)
	}
	loss, err := r.Gradient(r.Epoch, r.Index)
	if err != nil || loss != r.Loss || !slices.Equal(was, r.Params[0].G) {
		a.t.Errorf("step %d: the same batch has another gradient (%v)", r.Step, err)
	}
	return nil
}

// A run that is stopped while it evaluates keeps the epoch's steps, and ends as
// one that was not.
func TestStopInEvaluation(t *testing.T) {
	d, _ := dataset.Open("digits?test_n=50")
	mk := func() *Config {
		c := config(t, 1)
		c.Val = NewEval(d.Test, d.Norm, 10, c.Engine)
		return c
	}
	whole, err := Fit(context.Background(), mk())
	if err != nil {
		t.Fatal(err)
	}
	c := mk()
	c.Save = filepath.Join(t.TempDir(), "ckpt")
	ctx, cancel := context.WithCancel(context.Background())
	c.OnStep = func(step int, _ float64) {
		if step == 12 { // the last of the first epoch
			cancel()
		}
	}
	r, err := Fit(ctx, c)
	if !errors.Is(err, ErrInterrupted) || r.Step != 12 || len(r.Past) != 0 {
		t.Fatalf("%v at step %d after %d epochs", err, r.Step, len(r.Past))
	}
	b := mk()
	b.Save, b.Resume = c.Save, true
	again, err := Fit(context.Background(), b)
	if err != nil {
		t.Fatal(err)
	}
	if sum(whole.Graph) != sum(again.Graph) || !slices.Equal(whole.Past, again.Past) {
		t.Errorf("the resumed run differs: %v, want %v", again.Past, whole.Past)
	}
}

func TestStepAllocates(t *testing.T) {
	c := config(t, 1)
	s, err := newStep(c.Graph, samplesOf(c.Train), 16, Loss{}, c.Engine, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, p := range s.Params {
		p.State = [][]float32{make([]float32, len(p.W)), make([]float32, len(p.W))}
	}
	if a := testing.AllocsPerRun(5, func() {
		c.Train.Fill(0, 1, s) //nolint:errcheck // it cannot fail
		if _, err := s.Run(); err != nil {
			t.Fatal(err)
		}
		s.MoveStats()
		for _, p := range s.Params {
			c.Optimizer.Step(p, .01, 3)
			(SGD{Momentum: .9}).Step(p, .01, 3)
		}
	}); a != 0 {
		t.Errorf("%v allocations a step", a)
	}
}

func TestLearns(t *testing.T) {
	d, _ := dataset.Open("digits")
	for _, l := range []Loss{{}, {Smoothing: .1}, By(objective.MSE)} {
		c := config(t, 0)
		c.Train = NewData(&dataset.Loader{Set: d.Train, Size: 32, Norm: d.Norm, Shuffle: true})
		c.Loss, c.Epochs, c.Rate = l, 4, Constant(.005)
		c.Val = NewEval(d.Test, d.Norm, 64, c.Engine)
		var last Epoch
		c.OnEpoch = func(e Epoch) { last = e }
		if _, err := Fit(context.Background(), c); err != nil {
			t.Fatal(err)
		}
		if last.Score.Value < .8 {
			t.Errorf("%+v: accuracy %v after 4 epochs", l, last.Score.Value)
		}
	}
}

// Distillation by the network itself has a gradient of zero in its term.
func TestDistillation(t *testing.T) {
	g, _ := zoo.New("mlp:64-16-10", zoo.Options{In: []int{1, 8, 8}, Seed: 1})
	teacher, _ := g.Clone(true)
	for _, c := range []struct {
		alpha float64
		zero  bool
	}{{1, true}, {.5, false}} {
		s, err := NewStep(g, 8, Loss{Teacher: teacher, Alpha: c.alpha, T: 3}, engine.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		for i := range s.Input().F32() {
			s.Input().F32()[i] = float32(i%7) / 7
		}
		loss, err := s.Run()
		if err != nil {
			t.Fatal(err)
		}
		norm := 0.0
		for _, p := range s.Params {
			for _, x := range p.G {
				norm += float64(x) * float64(x)
			}
		}
		if c.zero && (math.Abs(loss) > 1e-6 || norm > 1e-10) || !c.zero && norm < 1e-6 {
			t.Errorf("alpha %v: loss %v, squared gradient %v", c.alpha, loss, norm)
		}
		s.Close()
	}
}

func TestBadTraining(t *testing.T) {
	for name, f := range map[string]func(c *Config){
		"no epochs":  func(c *Config) { c.Epochs = 0 },
		"no samples": func(c *Config) { c.Train.(*Data).Size = 5000 },
		"NaN weight": func(c *Config) { c.Graph.Params()[0].Const.F32()[0] = float32(math.NaN()) },
		"diverges":   func(c *Config) { c.Optimizer, c.Rate = SGD{}, Constant(1e20) },
		"smoothing":  func(c *Config) { c.Loss.Smoothing = 1 },
		"mse":        func(c *Config) { c.Loss = By(objective.CTC) },
	} {
		c := config(t, 1)
		f(c)
		if _, err := Fit(context.Background(), c); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// A step of ResNet-20 on batches of 128.
func BenchmarkStep(b *testing.B) {
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("%dT", threads), func(b *testing.B) {
			g, err := zoo.New("resnet20", zoo.Options{Seed: 1})
			if err != nil {
				b.Fatal(err)
			}
			s, err := NewStep(g, 128, Loss{}, engine.Options{Threads: threads})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			for b.Loop() {
				if _, err := s.Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The statistics are the mean of those of the batches that are looked at.
func TestRecalibrate(t *testing.T) {
	for _, batches := range []int{1, 3} {
		c := config(t, 1)
		if err := Recalibrate(context.Background(), c.Graph, c.Train, batches, c.Engine); err != nil {
			t.Fatal(err)
		}
		s, err := newStep(c.Graph, samplesOf(c.Train), 16, Loss{}, c.Engine, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		defer c.Train.Close()
		mean, vari := make([][]float64, len(s.norms)), make([][]float64, len(s.norms))
		for batch := range batches {
			if err := c.Train.Fill(0, batch, s); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Run(); err != nil {
				t.Fatal(err)
			}
			for i := range s.norms {
				if batch == 0 {
					mean[i], vari[i] = make([]float64, len(s.bm[i])), make([]float64, len(s.bm[i]))
				}
				for k, m := range s.bm[i] {
					mean[i][k] += float64(m) / float64(batches)
					vari[i][k] += float64(s.bv[i][k]) * float64(s.rows[i]) / float64(s.rows[i]-1) / float64(batches)
				}
			}
		}
		for i, n := range s.norms {
			for k, m := range n.mean.Const.F32() {
				if v := n.vari.Const.F32()[k]; math.Abs(float64(m)-mean[i][k]) > 1e-5 || math.Abs(float64(v)-vari[i][k]) > 1e-5 {
					t.Fatalf("%d batches, %s channel %d: %v, %v, want %v, %v", batches, n.name, k, m, v, mean[i][k], vari[i][k])
				}
			}
		}
	}
}

// Gradients, products and statistics end with the context.
func TestEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	c := config(t, 1)
	before := sum(c.Graph)
	of := c.Graph.Params()[:1]
	v := [][]float32{make([]float32, of[0].Const.Len())}
	for name, f := range map[string]func() error{
		"statistics": func() error { return Recalibrate(ctx, c.Graph, c.Train, 1, c.Engine) },
		"gradients":  func() error { _, err := Gradients(ctx, c.Graph, of, c.Train, Loss{}, c.Engine); return err },
		"products":   func() error { _, err := HessianProduct(ctx, c.Graph, of, v, c.Train, Loss{}, c.Engine); return err },
	} {
		if err := f(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if sum(c.Graph) != before {
		t.Error("the network was changed")
	}
}

// The gradient over several batches is the mean of theirs, for the parameters that are
// asked for, in their order; what is not trained has none.
func TestGradients(t *testing.T) {
	d, err := dataset.Open("digits?n=60")
	if err != nil {
		t.Fatal(err)
	}
	g, err := zoo.New("mlp:64-12-10", zoo.Options{In: []int{1, 8, 8}, Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	ps := g.Params()
	of := []*graph.Value{ps[2], ps[0]}
	grad := func(size int) [][]float32 {
		t.Helper()
		x, err := Gradients(context.Background(), g, of, NewData(&dataset.Loader{Set: d.Train, Size: size, Norm: d.Norm}), Loss{}, engine.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	whole, parts := grad(60), grad(20)
	for i, v := range of {
		if len(whole[i]) != v.Const.Len() {
			t.Fatalf("%d gradients of %q, which has %d entries", len(whole[i]), v.Name, v.Const.Len())
		}
		top := 0.0
		for _, x := range whole[i] {
			top = math.Max(top, math.Abs(float64(x)))
		}
		for k, x := range whole[i] {
			if math.Abs(float64(x-parts[i][k])) > 1e-4*top {
				t.Fatalf("%s[%d]: %v over one batch, %v over three", v.Name, k, x, parts[i][k])
			}
		}
	}
	other := &graph.Value{Name: "other"}
	if _, err := Gradients(context.Background(), g, []*graph.Value{other}, NewData(&dataset.Loader{Set: d.Train, Size: 20, Norm: d.Norm}), Loss{}, engine.Options{Threads: 1}); err == nil || !strings.Contains(err.Error(), `"other" is not trained`) {
		t.Error(err)
	}
	if _, err := Gradients(context.Background(), g, of, NewData(&dataset.Loader{Set: d.Train, Size: 61, Norm: d.Norm}), Loss{}, engine.Options{Threads: 1}); err == nil || !strings.Contains(err.Error(), "no batch of 61") {
		t.Error(err)
	}
}
