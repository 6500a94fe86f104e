package structure

import (
	"slices"
	"testing"

	"pare/graph"
	"pare/prune"
	"pare/zoo"
)

// Three filters of L1 norm 2, 0.7 and 3: of two, the first and the last stay, in
// order, whatever reads them.
func TestFilters(t *testing.T) {
	g, err := zoo.New("mlp:2-3-1", zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	copy(g.Value("fc1.weight").Const.F32(), []float32{1, -1, .5, .2, -3, 0}) // [out, in]
	copy(g.Value("fc2.weight").Const.F32(), []float32{1, 100, 1})
	groups, _ := Groups(g)
	score := Filters(g, groups)
	for i, want := range []float64{2, .7, 3} {
		if got := score[0][i] * 1.9; got < want-1e-6 || got > want+1e-6 {
			t.Errorf("filter %d: %v, want %v", i, got, want)
		}
	}
	c, err := Cut(g, groups, Share(groups, score, .67))
	if err != nil {
		t.Fatal(err)
	}
	if w := c.Value("fc1.weight").Const.F32(); !slices.Equal(w, []float32{1, -1, -3, 0}) {
		t.Errorf("kept %v", w)
	}
}

// A hidden unit that nothing reads may go: 2-3-1 with identity.
func TestUnread(t *testing.T) {
	g, _ := zoo.New("mlp:2-3-1", zoo.Options{Seed: 1})
	for i, n := range g.Nodes {
		if n.Is("Relu") { // identity activation
			g.Nodes[i].Op = "Identity"
		}
	}
	g.Value("fc2.weight").Const.F32()[1] = 0
	groups, _ := Groups(g)
	sel := All(groups)
	sel[0].Set(1, false)
	c, err := Cut(g, groups, sel)
	if err != nil {
		t.Fatal(err)
	}
	sum := func(g *graph.Graph) (out float32) {
		x := []float32{.3, -.8}
		w, b, v := g.Value("fc1.weight").Const.F32(), g.Value("fc1.bias").Const.F32(), g.Value("fc2.weight").Const.F32()
		for h := range b {
			out += (x[0]*w[2*h] + x[1]*w[2*h+1] + b[h]) * v[h]
		}
		return
	}
	if a, b := sum(g), sum(c); a-b > 1e-6 || b-a > 1e-6 {
		t.Errorf("%v, was %v", b, a)
	}
}

// What two cuts leave, one after the other, is positions of the first network.
func TestKeptThen(t *testing.T) {
	mask := func(keep ...bool) *prune.Mask {
		m := prune.NewMask(len(keep), false)
		for i, k := range keep {
			m.Set(i, k)
		}
		return m
	}
	first := Kept{"a": {mask(true, false, true, false, true), nil}, "b": {mask(true, false)}}
	next := Kept{"a": {mask(false, true, true), mask(false, true)}, "c": {mask(true, false)}}
	got := first.Then(next)
	for name, want := range (Kept{"a": {mask(false, false, true, false, true), mask(false, true)}, "b": {mask(true, false)}, "c": {mask(true, false)}}) {
		for d, m := range want {
			for i := range m.Len {
				if got[name][d].Kept(i) != m.Kept(i) {
					t.Errorf("%s, axis %d: position %d stays: %v", name, d, i, got[name][d].Kept(i))
				}
			}
		}
	}
	if first["a"][0].Count() != 3 || first["a"][1] != nil || len(got) != 3 {
		t.Errorf("the first is %v now", first)
	}
}
