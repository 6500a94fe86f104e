package structure

import (
	"slices"
	"testing"

	"pare/graph"
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
