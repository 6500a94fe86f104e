package structure_test

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/onnx"
	"pare/prune/structure"
	"pare/zoo"
)

// run evaluates a network on random input, the same for the same seed.
func run(t *testing.T, g *graph.Graph) []float32 {
	t.Helper()
	sizes := map[string]int{}
	if d := g.Inputs[0].Shape[0]; !d.Known() {
		sizes[d.Sym] = 2
	}
	p, err := engine.Compile(g, sizes, engine.Options{Threads: 1, Freeze: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	r := rand.New(rand.NewPCG(1, 1))
	in := p.Input(g.Inputs[0].Name)
	switch x := in.Data.(type) {
	case []float32:
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
	case []int64:
		for i := range x {
			x[i] = int64(r.IntN(10))
		}
	}
	if err := p.Run(); err != nil {
		t.Fatal(err)
	}
	return append([]float32{}, p.Output(p.OutputNames()[0]).F32()...)
}

func same(t *testing.T, what string, a, b []float32) {
	t.Helper()
	if len(a) != len(b) {
		t.Fatalf("%s: %d against %d outputs", what, len(a), len(b))
	}
	scale := 1.0
	for _, v := range a {
		scale = math.Max(scale, math.Abs(float64(v)))
	}
	for i := range a {
		if d := math.Abs(float64(a[i] - b[i])); !(d <= 1e-5*scale) {
			t.Fatalf("%s: output %d is %v zeroed and %v cut", what, i, a[i], b[i])
		}
	}
}

// zeroedIsCut checks every group: some of its channels at random, and then
// half of the channels of all groups at once.
func zeroedIsCut(t *testing.T, name string, g *graph.Graph) []*structure.Group {
	t.Helper()
	if _, err := op.Simplify(g); err != nil {
		t.Fatal(name, err)
	}
	r := rand.New(rand.NewPCG(7, 7))
	for _, v := range g.Consts() { // a fresh normalisation would hide a forgotten one
		if v.Role == graph.Stat {
			for i := range v.Const.F32() {
				v.Const.F32()[i] = .5 + r.Float32()
			}
		}
		if v.Role == graph.Param && len(v.Shape) == 1 {
			for i := range v.Const.F32() {
				v.Const.F32()[i] += .3 * r.Float32()
			}
		}
	}
	groups, _ := structure.Groups(g)
	check := func(what string, s structure.Selection) {
		c, err := structure.Cut(g, groups, s)
		if err != nil {
			t.Fatal(name, what, err)
		}
		same(t, name+" "+what, run(t, structure.Zero(g, groups, s)), run(t, c))
		if a, b := structure.CostOf(g), structure.CostOf(c); b.Params >= a.Params {
			t.Fatalf("%s %s: %d parameters after cutting, %d before", name, what, b.Params, a.Params)
		}
	}
	for i, grp := range groups {
		s := structure.All(groups)
		for c := range grp.Channels {
			if r.IntN(3) == 0 && s[i].Count() > 1 {
				s[i].Set(c, false)
			}
		}
		if s[i].Count() == len(grp.Channels) {
			s[i].Set(0, false)
		}
		check("group "+grp.Name, s)
	}
	s := structure.All(groups)
	for i, grp := range groups {
		for c := range grp.Channels {
			if r.IntN(2) == 0 && s[i].Count() > 1 {
				s[i].Set(c, false)
			}
		}
	}
	check("all groups", s)
	return groups
}

func TestZoo(t *testing.T) {
	for _, c := range []struct {
		name   string
		groups int
		o      zoo.Options
	}{
		{"mlp:64-100-50-10", 2, zoo.Options{}},
		{"lenet-300-100", 2, zoo.Options{}},
		{"lenet-5", 3, zoo.Options{}},
		{"conv-2", 4, zoo.Options{In: []int{3, 8, 8}}},
		{"conv-4", 6, zoo.Options{In: []int{3, 8, 8}, Width: .25}},
		{"conv-6", 8, zoo.Options{In: []int{3, 8, 8}, Width: .25}},
		{"resnet20", 12, zoo.Options{In: []int{3, 16, 16}}},
		{"resnet20-b", 12, zoo.Options{In: []int{3, 16, 16}}},
		{"resnet32", 18, zoo.Options{In: []int{3, 8, 8}}},
		{"resnet56", 30, zoo.Options{In: []int{3, 8, 8}}},
		{"resnet110", 57, zoo.Options{In: []int{3, 8, 8}, Width: .5}},
		{"vgg16-bn", 13, zoo.Options{In: []int{3, 16, 16}, Width: .125}},
		{"wrn-16-4", 9, zoo.Options{In: []int{3, 8, 8}, Width: .25}},
		{"mobilenetv2", 0, zoo.Options{In: []int{3, 16, 16}, Width: .25}},
		{"vit-tiny", 8, zoo.Options{In: []int{3, 8, 8}}},
		{"gpt-tiny", 8, zoo.Options{In: []int{6}, Classes: 11}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := zoo.New(c.name, c.o)
			if err != nil {
				t.Fatal(err)
			}
			groups := zeroedIsCut(t, c.name, g)
			if c.groups > 0 && len(groups) != c.groups || len(groups) == 0 {
				t.Errorf("%d groups, want %d", len(groups), c.groups)
				for _, g := range groups {
					t.Log(g)
				}
			}
		})
	}
}

// Networks that others trained, where PARE_DATA names the folder that holds
// models/*.onnx.
func TestTrained(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(os.Getenv("PARE_DATA"), "models", "cifar10-*.onnx"))
	if os.Getenv("PARE_DATA") == "" || len(files) == 0 {
		t.Skip("PARE_DATA does not name a folder with models/cifar10-*.onnx")
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			g, err := onnx.Load(f)
			if err != nil {
				t.Fatal(err)
			}
			zeroedIsCut(t, filepath.Base(f), g)
		})
	}
}

// A residual block's coupling spans both branches, and Flatten maps a channel
// to a run of columns.
func TestCoupling(t *testing.T) {
	g, err := zoo.New("lenet-5", zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	groups, _ := structure.Groups(g)
	c2 := groups[1]
	if c2.Name != "conv2.weight" || len(c2.Channels) != 50 {
		t.Fatalf("second group: %v", c2)
	}
	for k, a := range c2.Axes {
		if a.Value.Name != "fc1.weight" {
			continue
		}
		at := c2.Channels[3].At[k]
		if len(at) != 16 || at[0] != 48 || at[15] != 63 {
			t.Errorf("channel 3 of conv2 is columns %v of fc1, want 48..63", at)
		}
	}
}

func TestSelect(t *testing.T) {
	g, err := zoo.New("resnet20", zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	groups, _ := structure.Groups(g)
	score := structure.Score(groups, structure.Squares)
	whole := structure.CostOf(g)
	for _, even := range []bool{false, true} {
		s, err := structure.Select(g, groups, score, structure.Target{MACs: .5, Even: even})
		if err != nil {
			t.Fatal(err)
		}
		c, err := structure.Cut(g, groups, s)
		if err != nil {
			t.Fatal(err)
		}
		if f := float64(structure.CostOf(c).MACs) / float64(whole.MACs); f > .5 || f < .42 {
			t.Errorf("even %v: %.3f of the MACs are left, want just under .5", even, f)
		}
	}
	if _, err := structure.Select(g, groups, score, structure.Target{MACs: 1e-4}); err == nil {
		t.Error("an unreachable target was accepted")
	}
	if whole != (structure.Cost{MACs: 40551040, Params: 269722}) {
		t.Errorf("ResNet-20 costs %+v", whole)
	}
}
