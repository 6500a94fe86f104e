package structure_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/prune/structure"
	"pare/tensor"
	"pare/zoo"
)

// odd gives a network numbers that no part of it has by chance.
func odd(g *graph.Graph, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 0xc0))
	for _, v := range g.Consts() {
		for i := range v.Const.F32() {
			switch {
			case v.Role == graph.Stat:
				v.Const.F32()[i] = float32(.5 + r.Float64())
			case v.Role == graph.Param && len(v.Shape) == 1:
				v.Const.F32()[i] += float32(.5 * r.NormFloat64())
			}
		}
	}
}

// noisily runs a network on noise, or on what f makes of it.
func noisily(t *testing.T, g *graph.Graph, seed uint64) []float32 {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0x1))
	in := map[string]*tensor.Tensor{}
	for _, v := range g.Inputs {
		shape := []int{2}
		for _, d := range v.Shape[1:] {
			shape = append(shape, d.Mul)
		}
		x := tensor.New(tensor.Float32, shape...)
		for i := range x.F32() {
			x.F32()[i] = float32(r.NormFloat64())
		}
		in[v.Name] = x
	}
	out, err := op.Run(g, in)
	if err != nil {
		t.Fatal(err)
	}
	return out[g.Outputs[0].Name].F32()
}

func apart(a, b []float32) (most float64) {
	for i := range a {
		most = math.Max(most, math.Abs(float64(a[i]-b[i])))
	}
	return most
}

// unpad takes the zeros around images out of convolutions.
func unpad(t *testing.T, g *graph.Graph) {
	t.Helper()
	for _, n := range g.Nodes {
		if n.Is("Conv") {
			n.Set("pads", []int{0, 0, 0, 0})
		}
	}
	for _, n := range g.Nodes {
		for _, o := range n.Outputs {
			o.Shape = nil
		}
	}
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
}

// some is a selection of the channels that a rule keeps.
func some(groups []*structure.Group, keep func(i, c int) bool) structure.Selection {
	s := structure.All(groups)
	for i, g := range groups {
		for c := range g.Channels {
			s[i].Set(c, c == 0 || keep(i, c))
		}
	}
	return s
}

// still writes zeros into what makes channels that go vary: the scales of their
// normalisations, or the filters of groups without any.
func still(g *graph.Graph, groups []*structure.Group, s structure.Selection) {
	for i, scales := range structure.Scales(g, groups) {
		if len(scales) == 0 {
			scales = groups[i].Makes()
		}
		for _, k := range scales {
			for c := range groups[i].Channels {
				for _, e := range groups[i].Entries(k, c) {
					if !s[i].Kept(c) {
						groups[i].Axes[k].Value.Const.F32()[e] = 0
					}
				}
			}
		}
	}
}

// A network whose channels send constants computes the same once they are cut and the
// constants folded, wherever no zeros are padded; without the fold it does not.
func TestFoldConstants(t *testing.T) {
	for _, c := range []struct {
		name string
		o    zoo.Options
		pads bool
	}{
		{"cnn-8", zoo.Options{In: []int{1, 35, 35}}, false},
		{"vgg11-bn", zoo.Options{In: []int{3, 32, 32}, Width: .125}, true},
		{"lenet-5", zoo.Options{}, false},
		{"mlp:10-12-8-4", zoo.Options{}, false},
		{"regressor-2-16", zoo.Options{In: []int{6}}, false},
	} {
		c.o.Seed = 1
		g, err := zoo.New(c.name, c.o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := op.Simplify(g); err != nil {
			t.Fatal(err)
		}
		odd(g, 2)
		if c.name == "cnn-8" {
			unpad(t, g)
		}
		groups, _ := structure.Groups(g)
		sel := some(groups, func(i, c int) bool { return (c+i)%3 > 0 })
		still(g, groups, sel)
		if c.pads { // what a channel sends is zero behind its ReLU: edges do not matter
			for _, n := range g.Nodes {
				if n.Is("BatchNormalization") {
					for k, x := range n.In(2).Const.F32() {
						if n.In(1).Const.F32()[k] == 0 {
							n.In(2).Const.F32()[k] = -float32(math.Abs(float64(x)))
						}
					}
				}
			}
		}
		want := noisily(t, g, 3)
		before, _ := g.Clone(true)
		folded, f, err := structure.FoldConstants(g, groups, sel)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range before.Consts() {
			if !slices.Equal(v.Const.F32(), g.Consts()[i].Const.F32()) {
				t.Fatalf("%s: %s was changed", c.name, v.Name)
			}
		}
		again, _ := structure.Groups(folded)
		cut, err := structure.Cut(folded, again, structure.KeptBy(groups, sel).Selection(again))
		if err != nil {
			t.Fatal(err)
		}
		if d := apart(want, noisily(t, cut, 3)); d > 1e-5 || len(f.Unknown) > 0 || (len(f.Edges) > 0) != false {
			t.Errorf("%s: cut it differs by %v; %+v", c.name, d, f)
		}
		plain, err := structure.Cut(g, groups, sel)
		if err != nil {
			t.Fatal(err)
		}
		if d := apart(want, noisily(t, plain, 3)); (d < 1e-3) != c.pads {
			t.Errorf("%s: cut without the fold it differs by %v", c.name, d)
		}
		if (f.Readers == 0) != c.pads {
			t.Errorf("%s: %d layers took a constant", c.name, f.Readers)
		}
	}
}

// At a zero-padded edge the fold is not exact, which is told; away from it, it is.
func TestFoldConstantsEdge(t *testing.T) {
	g, err := zoo.New("cnn-4", zoo.Options{In: []int{1, 24, 24}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	odd(g, 2)
	var relus []*graph.Node
	for _, n := range g.Nodes {
		if n.Is("Relu") {
			relus = append(relus, n)
		}
	}
	g.Outputs = []*graph.Value{relus[1].Out(0)}
	g.Prune()
	groups, _ := structure.Groups(g)
	if len(groups) != 1 {
		t.Fatalf("%d groups", len(groups))
	}
	sel := some(groups, func(_, c int) bool { return c != 2 })
	still(g, groups, sel)
	for _, k := range structure.Scales(g, groups)[0] {
		bn := g.Uses()[groups[0].Axes[k].Value][0].Node
		bn.In(2).Const.F32()[2] = .7
	}
	folded, f, err := structure.FoldConstants(g, groups, sel)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := structure.Groups(folded)
	cut, err := structure.Cut(folded, again, structure.KeptBy(groups, sel).Selection(again))
	if err != nil {
		t.Fatal(err)
	}
	if f.Readers != 1 || len(f.Edges) != 1 {
		t.Errorf("%+v", f)
	}
	a, b := noisily(t, g, 3), noisily(t, cut, 3)
	inside, edge := 0.0, 0.0
	for i := range a { // [2 8 12 12]: stride 2, so that the first row and column read padding
		y, x := i/12%12, i%12
		d := math.Abs(float64(a[i] - b[i]))
		if y > 0 && x > 0 && y < 11 && x < 11 {
			inside = math.Max(inside, d)
		} else {
			edge = math.Max(edge, d)
		}
	}
	if inside > 1e-5 || edge < 1e-3 {
		t.Errorf("differs by %v inside and %v at the edge", inside, edge)
	}
}

// Scales are those of batch normalisation, for every normalisation that is tied; a
// network without any has none; and what is kept leads back to the selection.
func TestScales(t *testing.T) {
	for name, want := range map[string][]int{"resnet8": nil, "mlp:10-12-8-4": {0, 0}} {
		g, err := zoo.New(name, zoo.Options{Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		groups, _ := structure.Groups(g)
		var got []int
		for _, s := range structure.Scales(g, groups) {
			got = append(got, len(s))
		}
		if want != nil && !slices.Equal(got, want) {
			t.Errorf("%s: %v", name, got)
		}
		scales := map[*graph.Value]bool{} // one may be that of two groups
		for i, of := range structure.Scales(g, groups) {
			for _, k := range of {
				scales[groups[i].Axes[k].Value] = true
			}
		}
		norms := 0
		for _, n := range g.Nodes {
			if n.Is("BatchNormalization") {
				norms++
			}
		}
		if len(scales) != norms {
			t.Errorf("%s: %v scales for %d normalisations", name, got, norms)
		}
		sel := some(groups, func(i, c int) bool { return (c+i)%3 > 0 })
		for i, m := range structure.KeptBy(groups, sel).Selection(groups) {
			if fmt.Sprint(m.Bits) != fmt.Sprint(sel[i].Bits) {
				t.Errorf("%s: selection %d is not the one that was kept", name, i)
			}
		}
	}
}
