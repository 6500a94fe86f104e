package advise

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pare/catalog"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/measure"
	"pare/model"
	"pare/model/all"
	"pare/model/oneshot"
	"pare/prune"
	"pare/zoo"
)

// fixture is a network, maybe with data, and what is asked of it.
func fixture(t *testing.T, name string, o zoo.Options, data bool, goal string, budget time.Duration) *Ask {
	t.Helper()
	g, err := zoo.New(name, o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := model.Prepare(g); err != nil {
		t.Fatal(err)
	}
	if _, err := measure.Settle(g); err != nil {
		t.Fatal(err)
	}
	to, err := ParseGoal(goal)
	if err != nil {
		t.Fatal(err)
	}
	a := &Ask{File: "dir/net.onnx", Graph: g, Goal: to, Budget: budget, Most: 60, Engine: engine.Options{Threads: 1}}
	if data {
		tr, te := dataset.Glyph(2, .4, 400, 100, 1)
		a.Data = &dataset.Data{Spec: "digits?n=400", Train: tr, Test: te, Norm: dataset.Raw}
		r := model.Defaults()
		if a.Judge, err = r.Judge(); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// The rules that hold do not depend on chance: of a network of convolutions with data, of
// a language model without, and of a perceptron that is to be small on disk.
func TestAdvice(t *testing.T) {
	for _, c := range []struct {
		name  string
		ask   func() *Ask
		first string // command
		rules string // those with a command
		not   string
		times int // that it is asked
	}{
		{"resnet with data", func() *Ask {
			return fixture(t, "resnet8", zoo.Options{In: []int{1, 8, 8}, Seed: 1, Width: .5}, true, "macs=0.5", time.Hour)
		}, "pare model prune dir/net.onnx -o net-channels-within-the-goal.onnx --method channels --macs 0.5 --data 'digits?n=400' --epochs ",
			"channels-within-the-goal solve-in-place-of-training gradual always-compare", "smallest-weights", 2},
		{"language model without data", func() *Ask {
			return fixture(t, "gpt-tiny", zoo.Options{Seed: 1, Classes: 32, Width: .25}, false, "bytes=0.6", 0)
		}, "pare model prune dir/net.onnx -o net-sparse-file.pare --method global-mp --sparsity 0.", "sparse-file small-file-for-any-runtime weights-of-attention smallest-weights", "always-compare", 1},
		{"perceptron on disk", func() *Ask {
			return fixture(t, "mlp:64-40-20-10", zoo.Options{In: []int{1, 8, 8}, Seed: 1}, true, "bytes=0.3", 0)
		}, "pare model prune dir/net.onnx -o net-sparse-file.pare --method global-mp --sparsity 0.", "sparse-file small-file-for-any-runtime solve-in-place-of-training always-compare", "reconstruct-attention", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before []string
			for range c.times {
				a := c.ask()
				digest := weightsOf(a.Graph)
				s, err := Measure(context.Background(), a)
				if err != nil {
					t.Fatal(err)
				}
				if digest != weightsOf(a.Graph) {
					t.Error("the network was changed")
				}
				as := s.Advise()
				var rules, said []string
				for _, x := range as {
					rules = append(rules, x.Rule)
					said = append(said, x.Rule+x.Command)
					if x.Cites == "" || x.Why == "" || x.Source == "" || strings.Contains(x.Cites+x.Command, "{") || !strings.ContainsAny(x.Cites, "0123456789") {
						t.Errorf("%+v", x)
					}
				}
				if as[0].Rank != 1 || !strings.HasPrefix(as[0].Command, c.first) {
					t.Errorf("first is %+v", as[0])
				}
				for _, r := range strings.Fields(c.rules) {
					if !slices.Contains(rules, r) {
						t.Errorf("%s is not in %v", r, rules)
					}
				}
				if slices.Contains(rules, c.not) {
					t.Errorf("%s is in %v", c.not, rules)
				}
				if a.Budget == 0 && before != nil && !slices.Equal(said, before) {
					t.Errorf("%v, before %v", said, before)
				}
				before = said
				total := 0.0
				for _, l := range s.Layers {
					total += l.Params
					if l.Time < 0 || l.Time > 1 || math.IsNaN(l.Worse) {
						t.Errorf("%+v", l)
					}
				}
				if total <= .5 || total > 1 {
					t.Errorf("layers have %v of the parameters", total)
				}
			}
		})
	}
}

func weightsOf(g *graph.Graph) (sum float64) {
	for _, v := range g.Consts() {
		for i, x := range v.Const.F32() {
			sum += float64(x) * float64(i%7+1)
		}
	}
	return sum
}

// Without the smaller half of a weight's entries a linear layer moves its output by what
// they bring: of weights 1 and 8 on equal inputs that is less than a seventh of it.
func TestHalved(t *testing.T) {
	a := fixture(t, "mlp:2-1", zoo.Options{In: []int{2}, Seed: 1, Classes: 1}, false, "macs=0.5", 0)
	ws, err := prune.Weights(a.Graph, prune.Scope{})
	if err != nil {
		t.Fatal(err)
	}
	copy(ws[0].Const.F32(), []float32{1, -8})
	s := &study{ask: a, Study: Study{Facts: Facts{}}}
	if err := s.setUp(context.Background()); err != nil {
		t.Fatal(err)
	}
	worse, err := s.halved(context.Background(), ws[0].Value)
	if err != nil || !(worse > 0 && worse < .5) {
		t.Errorf("%v, %v", worse, err)
	}
}

// The sparsity that is advised for a goal of bytes meets it when the network is trained,
// whose many biases were all zero before.
func TestTrainedBytes(t *testing.T) {
	a := fixture(t, "mlp:64-4-300-10", zoo.Options{In: []int{1, 8, 8}, Seed: 1}, true, "bytes=0.4", 0)
	s, err := Measure(context.Background(), a)
	if err != nil {
		t.Fatal(err)
	}
	m := oneshot.NewGlobalMP()
	m.Sparsity = s.Sparsity
	r := model.Recipe{Epochs: 1, Batch: 20, LR: .05, Schedule: "cosine", Optimizer: "sgd"}
	before, _, err := measure.Of(a.Graph)
	if err != nil {
		t.Fatal(err)
	}
	res, err := model.Run(context.Background(), m, &model.Job{Graph: a.Graph, Data: a.Data, Recipe: r, Seed: 1, Engine: a.Engine})
	if err != nil {
		t.Fatal(err)
	}
	after, _, err := measure.Of(res.Graph)
	if err != nil || float64(after.SparseBytes) > .4*float64(before.Bytes) || s.Sparsity > .9 {
		t.Errorf("a sparsity of %v takes %d of %d bytes: %v", s.Sparsity, after.SparseBytes, before.Bytes, err)
	}
}

// Every rule names facts that are measured, cites a number, gives reason and source, and
// its command names a method that there is, with settings that it has.
func TestRules(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range Rules {
		if seen[r.Name] || r.Why == "" || r.Source == "" || !strings.Contains(r.Cites, "{") || len(r.If) == 0 {
			t.Errorf("rule %+v", r)
		}
		seen[r.Name] = true
		for _, g := range r.Goals {
			if !slices.Contains(Goals, g) {
				t.Errorf("%s is for a goal %q", r.Name, g)
			}
		}
		at := slices.Index(r.Do, "--method")
		if at < 0 {
			continue
		}
		m, err := all.New(r.Do[at+1])
		if err != nil {
			t.Error(err)
			continue
		}
		for _, w := range r.Do[at+2:] {
			name, flag := strings.CutPrefix(w, "--")
			if _, err := catalog.Find(m, name); flag && err != nil && !slices.Contains([]string{"data", "epochs", "recover"}, name) {
				t.Errorf("%s: %v", r.Name, err)
			}
		}
	}
}

// What holds for a study of these facts and does not for others.
func TestConditions(t *testing.T) {
	s := &Study{Facts: Facts{"a": {Value: 2}, "nan": {Value: math.NaN()}}}
	for _, c := range []struct {
		c    Condition
		want bool
	}{{Condition{"a", 2, 0}, true}, {Condition{"a", 2.1, 0}, false}, {Condition{"a", 0, 2}, false}, {Condition{"a", 0, 2.1}, true}, {Condition{"b", 0, 0}, false}, {Condition{"nan", 0, 0}, false}} {
		if s.holds([]Condition{c.c}) != c.want {
			t.Errorf("%+v", c)
		}
	}
	if _, ok := s.cite("{a} and {b}"); ok {
		t.Error("a fact that was not measured is cited")
	}
	if got, ok := s.cite("{a} of them"); !ok || got != "2 of them" {
		t.Errorf("%q, %v", got, ok)
	}
}

// A layer of 3 by 2 with a bias: 6 multiply-accumulates, and words of 8 parameters and of
// the activations that lie in memory at once, written and read.
func TestEnergy(t *testing.T) {
	g, err := zoo.New("mlp:3-2", zoo.Options{In: []int{3}, Seed: 1, Classes: 2})
	if err != nil {
		t.Fatal(err)
	}
	size, _, err := measure.Of(g)
	if err != nil {
		t.Fatal(err)
	}
	words := float64(op.Activations(g)) / 4
	if got, want := Energy(g, size), 4.6*6+640*(8+2*words); words < 5 || math.Abs(got-want) > 1e-9 {
		t.Errorf("%v pJ with %v words of activations, want %v", got, words, want)
	}
}

func TestGoal(t *testing.T) {
	for text, want := range map[string]float64{"latency=0.5": .5, "latency=8ms": 8e6, "bytes=1.2MB": 1.2e6, "macs=50%": .5, "energy=0.3": .3, "drop=1.5": 1.5} {
		if g, err := ParseGoal(text); err != nil || math.Abs(g.Most/want-1) > 1e-12 {
			t.Errorf("%s: %+v, %v", text, g, err)
		}
	}
	for text, want := range map[string]string{"latency": "NAME=AMOUNT", "latncy=0.5": "did you mean latency?", "power=1": "latency, bytes, macs, energy, drop", "macs=x": "neither a share", "macs=0": "above 0",
		"energy=5": "in (0,1]", "drop=-1": "at least 0", "bytes=NaN": "above 0"} {
		if _, err := ParseGoal(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	a := fixture(t, "mlp:64-10-10", zoo.Options{In: []int{1, 8, 8}, Seed: 1}, false, "drop=1", 0)
	if _, err := Measure(context.Background(), a); err == nil || !strings.Contains(err.Error(), "give Data") {
		t.Errorf("%v", err)
	}
}

// The search finds the least that is within, to a hundredth.
func TestSearch(t *testing.T) {
	for most, want := range map[float64]float64{.5: .5, .495: .51, 1.0: .01, 0: 0, .01: .99} {
		x, at, err := search(func(x float64) (float64, error) { return 1 - x, nil }, most+1e-9)
		if err != nil || x != want || x > 0 && at != 1-x {
			t.Errorf("%v: %v at %v, want %v", most, x, at, want)
		}
	}
}
