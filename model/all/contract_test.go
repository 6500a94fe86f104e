package all

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pare/catalog"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/model"
	"pare/model/rewrite"
	"pare/model/structured"
	"pare/prune"
	"pare/prune/structure"
	"pare/train"
	"pare/zoo"
)

// The demands that every method of the catalogue meets, on three small networks. A
// method that is listed is held to them without a line here, unless its defaults
// suit no training of 40 steps.

// short are the settings that make a method's defaults fit a training of 40 steps.
var short = map[string]string{
	"gmp": "every=4", "granet": "every=4", "rigl": "every=5", "rd": "points=20:samples=100", "sap": "rounds=2:gamma=2", "lottery": "rounds=2", "rewind": "rounds=2:rewind=5it:stability=2",
	"regimes": "grid=1:grid=2:densities=0.5:points=3:samples=100", "scratch": "arm=all:trainings=2:keep=0.5", "synflow": "iterations=20", "hydra": "tune=1", "jackpot": "tune=1", "channels": "flops=0.5",
	"snip": "per-class=5", "grasp": "per-class=5", "random": "sparsity=0.8", "masksparsity": "search=1:tune=1", "slimming": "tune=1", "layer-lottery": "blocks=0.7:per-class=5",
	"tas": "search=1", "flap": "params=0:macs=0.5:samples=100", "slicegpt": "sparsity=0:macs=0.5:round=1:samples=100", "adapt-pruner": "params=0:macs=0.5:stages=2:amplitude=0.005:samples=50", "pretrain": "every=2", "trp": "period=4:flops=0.6:value=0", "pagcp": "rounds=2:tolerance=0.2:relax=3:step=0.1", "precrop": "iterations=5:flops=0.5:params=0",
	"emo": "subnetworks=2:population=4:generations=2:constrain=1:samples=50", "adapters": "adapter=splora:4:steps=2",
	"fedtiny":   "sparsity=0.9:rounds=4:clients=3:every=1:until=100%:pool=2:develop=40",
	"compresso": "sparsity=0.6:gate-lr=0.4:lora-lr=0.001:constraint-warm=20%:tune=1",
}

// method gives a fresh method of the catalogue, its settings as short has them.
func method(t *testing.T, name string) model.Method {
	t.Helper()
	text := name
	if s := short[name]; s != "" {
		text += ":" + s
	}
	m, _, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// network is one of the zoo's; of width 0 it is that of two inputs and two outputs, which
// are compared with classes and with numbers.
type network struct {
	name  string
	width float64
}

// networks are the three kinds: one without normalisation, one with, and that of two inputs.
var networks = []network{{"mlp:64-20-10", 1}, {"resnet8", .25}, {"two inputs and outputs", 0}}

// suited are the networks, without normalisation and with, of methods that cut what those
// do not have.
var suited = map[string][]network{
	"layer-lottery": {{"residual-mlp-6-40", 1}, {"resnet14", .25}, networks[2]}, "heads": {{"vit-tiny", 1}, {"vit-tiny", 1}}, "compresso": {{"vit-tiny", 1}, {"vit-tiny", 1}}, "adapt-pruner": {{"vit-tiny", 1}, {"vit-tiny", 1}}, "flap": {{"vit-tiny", 1}, {"vit-tiny", 1}}, "slicegpt": {{"vit-tiny", 1}, {"vit-tiny", 1}},
	"experts": {{"experts-1-20-6", 1}, {"experts-2-20-4", 1}},
}

// plain are those without normalisation.
var plain = []int{0, 2}

func networksOf(method string) []network {
	if nets, ok := suited[method]; ok {
		return nets
	}
	return networks
}

func job(t *testing.T, method string, net int) *model.Job {
	t.Helper()
	n := networksOf(method)[net]
	if n.width == 0 {
		return twoByTwo(t, true)
	}
	g, err := zoo.New(n.name, zoo.Options{In: []int{1, 8, 8}, Seed: 1, Width: n.width})
	if err != nil {
		t.Fatal(err)
	}
	tr, te := dataset.Glyph(2, .4, 400, 100, 1)
	return &model.Job{Graph: g, Data: &dataset.Data{Train: tr, Test: te, Norm: dataset.Raw}, Seed: 3, Engine: engine.Options{Threads: 1},
		Recipe: model.Recipe{Epochs: 2, Batch: 20, LR: .05, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 1e-3}}
}

// each runs a test for every method, side by side.
func each(t *testing.T, f func(t *testing.T, name string)) {
	for _, m := range List() {
		name := m.Card().Name
		t.Run(name, func(t *testing.T) { t.Parallel(); f(t, name) })
	}
}

// eachOf is each on some of the networks, which the method's name comes with.
func eachOf(t *testing.T, nets []int, f func(t *testing.T, name string, net int)) {
	each(t, func(t *testing.T, name string) {
		of := networksOf(name)
		for _, net := range nets {
			if net >= len(of) {
				continue
			}
			t.Run(of[net].name, func(t *testing.T) { f(t, name, net) })
		}
	})
}

// bits are the numbers of a network.
func bits(g *graph.Graph) []uint32 {
	var out []uint32
	for _, v := range g.Consts() {
		for _, x := range v.Const.F32() {
			out = append(out, math.Float32bits(x))
		}
	}
	return out
}

// same compares two results in all that a user sees.
func same(a, b *model.Result) error {
	fa, _ := json.Marshal(a.Facts)
	fb, _ := json.Marshal(b.Facts)
	switch {
	case !slices.Equal(bits(a.Graph), bits(b.Graph)):
		return errors.New("the networks differ")
	case (a.Masks == nil) != (b.Masks == nil) || a.Masks != nil && a.Masks.Hash() != b.Masks.Hash():
		return errors.New("the masks differ")
	case !slices.Equal(a.Epochs, b.Epochs):
		return fmt.Errorf("epochs %v and %v", a.Epochs, b.Epochs)
	case !slices.Equal(a.Notes, b.Notes):
		return fmt.Errorf("notes %q and %q", a.Notes, b.Notes)
	case string(fa) != string(fb):
		return fmt.Errorf("facts %s and %s", fa, fb)
	}
	return nil
}

// No setting of a method has the name of one of the recipe, whose flags stand beside
// it; no two have the same field.
func TestNames(t *testing.T) {
	for _, m := range List() {
		flags, fields := map[string]bool{}, map[string]bool{}
		for _, r := range catalog.Settings(&model.Recipe{}) {
			flags[r.Name] = true
		}
		for _, s := range catalog.Settings(m) {
			if flags[s.Name] || fields[s.Field] {
				t.Errorf("%s: setting %s (%s) stands twice", m.Card().Name, s.Name, s.Field)
			}
			flags[s.Name], fields[s.Field] = true, true
		}
	}
}

// The same seed gives the same result, whatever the number of threads; the settings
// stay as they were.
func TestDeterministic(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		for net := range networksOf(name) {
			m := method(t, name)
			before := catalog.Values(m)
			one, err := model.Run(context.Background(), m, job(t, name, net))
			if err != nil {
				t.Fatal(err)
			}
			if after := catalog.Values(m); !reflect.DeepEqual(before, after) {
				t.Errorf("running it changed its settings from %v to %v", before, after)
			}
			for threads := 1; threads <= 3; threads++ {
				j := job(t, name, net)
				j.Engine.Threads = threads
				again, err := model.Run(context.Background(), m, j)
				if err != nil {
					t.Fatal(err)
				}
				if err := same(one, again); err != nil {
					t.Errorf("network %d, %d threads: %v", net, threads, err)
				}
			}
		}
	})
}

// A run that is stopped at random steps and resumed each time ends as one that was
// not; nothing is left behind.
func TestResumes(t *testing.T) {
	eachOf(t, plain, func(t *testing.T, name string, net int) {
		total := 0
		counting := job(t, name, net)
		counting.OnStep = func(_, all int, _ float64) { total = all }
		whole, err := model.Run(context.Background(), method(t, name), counting)
		if err != nil {
			t.Fatal(err)
		}
		if total == 0 {
			t.Fatal("nothing was trained")
		}
		r := rand.New(rand.NewPCG(7, uint64(len(name))))
		save := filepath.Join(t.TempDir(), "checkpoint")
		last := 0
		for range 3 {
			last += 1 + r.IntN(max(1, (total-last)/2))
			j := job(t, name, net)
			j.Save, j.Resume = save, true
			ctx, cancel := context.WithCancel(context.Background())
			j.OnStep = func(step, all int, _ float64) {
				if step > all {
					t.Errorf("step %d of %d", step, all)
				}
				if step >= last {
					cancel()
				}
			}
			_, err := model.Run(ctx, method(t, name), j)
			cancel()
			if !errors.Is(err, train.ErrInterrupted) {
				t.Fatalf("stopped at step %d of %d: %v", last, total, err)
			}
		}
		j := job(t, name, net)
		j.Save, j.Resume = save, true
		again, err := model.Run(context.Background(), method(t, name), j)
		if err != nil {
			t.Fatal(err)
		}
		if err := same(whole, again); err != nil {
			t.Errorf("resumed: %v", err)
		}
		j.Clean()
		if left, _ := filepath.Glob(save + "*"); left != nil {
			t.Errorf("left behind: %v", left)
		}
	})
}

// A context that has ended is heard before the first step.
func TestCancelled(t *testing.T) {
	eachOf(t, []int{1, 2}, func(t *testing.T, name string, net int) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		j := job(t, name, net)
		j.OnStep = func(step, _ int, _ float64) { t.Errorf("step %d was made", step) }
		if _, err := model.Run(ctx, method(t, name), j); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

// What is asked for is there: the sparsity to the weight, the share of the
// computation, the length of the array; and what is cut is zero.
func TestCounts(t *testing.T) {
	eachOf(t, plain, func(t *testing.T, name string, net int) {
		m := method(t, name)
		j := job(t, name, net)
		before := structure.CostOf(j.Graph).MACs
		r, err := model.Run(context.Background(), m, j)
		if err != nil {
			t.Fatal(err)
		}
		if r.Masks != nil {
			for l, w := range r.Masks.Weights {
				if r.Graph.Value(w.Name) != w.Value {
					t.Fatalf("the mask of %s is of another network", w.Name)
				}
				for i, x := range w.Data() {
					if x != 0 && !r.Masks.Mask[l].Kept(i) {
						t.Fatalf("%s[%d] is cut and %v", w.Name, i, x)
					}
				}
			}
		}
		set := catalog.Values(m)
		switch {
		case r.Masks != nil && name != "sap": // sap chooses its sparsity itself
			n := float64(prune.Total(r.Masks.Weights))
			want, err := catalog.Find(m, "sparsity")
			if err != nil {
				t.Fatal(err)
			}
			var s float64
			fmt.Sscan(want.String(), &s)
			if set["rounds"] == "2" && (name == "lottery" || name == "rewind") { // the rounds say how much: a fifth each, a tenth of output layers
				heads := []float64{200, 64 + 48}[net/2]
				s = 1 - ((n-heads)*.64+heads*.81)/n
			}
			if name == "fedtiny" { // of all parameters, biases among them
				all := []float64{1510, 1823}[net/2]
				s = 1 - (math.Floor((1-s)*all+1e-6)-(all-n))/n
			}
			if got := float64(n) - float64(r.Masks.Count()); math.Abs(got-s*n) > float64(len(r.Masks.Weights)) {
				t.Errorf("%v of %v weights are cut, at a sparsity of %v", got, n, s)
			}
		case r.Masks != nil:
			if s := r.Masks.Sparsity(); s < .3 || s > .95 {
				t.Errorf("sparsity %v", s)
			}
		case name == "share":
			f := r.Facts.(*rewrite.ShareFacts)
			if f.Array != int(.1*float64(f.Weights)) || f.Weights != []int{1480, 1736}[net/2] {
				t.Errorf("%+v", f)
			}
		case name == "heads":
			cut := 0
			for _, l := range r.Facts.(*structured.HeadFacts).Layers {
				cut += len(l.Removed)
			}
			if cut != 3 { // int(0.3 * 12)
				t.Errorf("%d heads are cut", cut)
			}
		case name == "experts":
			f := r.Facts.(*structured.ExpertFacts)
			if cut := len(f.Mixtures[0].Removed); cut != 3 && net == 0 { // half of six
				t.Errorf("%d experts are cut", cut)
			}
			if f.After.Params >= f.Before.Params*3/4 {
				t.Errorf("%d of %d parameters are left", f.After.Params, f.Before.Params)
			}
		default: // channels, scratch: half of the computation, or of the channels
			after, most := structure.CostOf(r.Graph).MACs, .5
			switch {
			case name == "trp": // of rank 1 there is more than half left
				most = .6
			case name == "layer-lottery" && net == 2: // one of two small blocks
				most = .95
			}
			if share := float64(after) / float64(before); share > most || share < .3 {
				t.Errorf("%.3f of the computation is left", share)
			}
		}
	})
}

// Every value outside the choices and the range of a setting is refused, by its
// field's name, before any work.
func TestRefuses(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		for _, s := range catalog.Settings(method(t, name)) {
			var bad []string
			if s.Choices != nil {
				bad = append(bad, "nosuch")
			}
			if s.Range != "" {
				in, err := catalog.ParseInterval(s.Range)
				if err != nil {
					t.Fatal(err)
				}
				for _, x := range []float64{in.Lo - 1, in.Hi + 1, math.NaN(), math.Inf(1)} {
					whole := s.Kind == "count" && (math.IsNaN(x) || math.IsInf(x, 0))
					if !whole && !slices.Contains(s.Also, fmt.Sprint(x)) && !(math.IsInf(in.Hi, 0) && x == in.Hi+1 && s.Kind == "count") {
						bad = append(bad, fmt.Sprint(x))
					}
				}
				if in.OpenLo && !math.IsInf(in.Lo, 0) {
					bad = append(bad, fmt.Sprint(in.Lo))
				}
				if in.OpenHi && !math.IsInf(in.Hi, 0) {
					bad = append(bad, fmt.Sprint(in.Hi))
				}
			}
			for _, x := range bad {
				m := method(t, name)
				err := catalog.Set(m, s.Name, x)
				if err == nil || !strings.Contains(err.Error(), s.Field) {
					t.Errorf("%s %s: %v", s.Name, x, err)
				}
				// Set leaves the value: whoever sets the field in code is refused by Run
				j := job(t, name, 0)
				j.OnStep = func(step, _ int, _ float64) { t.Fatalf("%s %s: step %d was made", s.Name, x, step) }
				if _, err := model.Run(context.Background(), m, j); err == nil || !strings.Contains(err.Error(), s.Field) {
					t.Errorf("run with %s %s: %v", s.Name, x, err)
				}
			}
		}
	})
}

// What a method found out reads back from JSON as it was.
func TestFacts(t *testing.T) {
	eachOf(t, plain, func(t *testing.T, name string, net int) {
		r, err := model.Run(context.Background(), method(t, name), job(t, name, net))
		if err != nil {
			t.Fatal(err)
		}
		if r.Facts == nil {
			return
		}
		b, err := json.Marshal(r.Facts)
		if err != nil {
			t.Fatal(err)
		}
		back := reflect.New(reflect.TypeOf(r.Facts).Elem())
		if err := json.Unmarshal(b, back.Interface()); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(back.Interface())
		if err != nil || string(again) != string(b) {
			t.Errorf("%s reads back as %s (%v)", b, again, err)
		}
		if string(b) == "{}" || string(b) == "null" {
			t.Errorf("facts %s", b)
		}
	})
}

// Without data a method that needs weights alone prunes; every other says what it
// needs.
func TestNeeds(t *testing.T) {
	each(t, func(t *testing.T, name string) {
		m := method(t, name)
		j := job(t, name, 0)
		j.Data, j.Recipe.Epochs = nil, 0
		_, err := model.Run(context.Background(), m, j)
		switch needs := m.Card().Needs; {
		case needs == catalog.Weights && name != "rd": // rd: data, or noise, see its setting
			if err != nil {
				t.Errorf("it needs %v: %v", needs, err)
			}
		case name == "random": // with no epochs it only cuts
		case err == nil || !strings.Contains(err.Error(), "Data"):
			t.Errorf("it needs %v: %v", needs, err)
		}
	})
}
