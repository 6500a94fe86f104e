package structure_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/prune/structure"
	"pare/tensor"
	"pare/zoo"
)

// chain is a network of dense layers of these widths, w0, w1, ...
func chain(t *testing.T, widths ...int) *graph.Graph {
	t.Helper()
	g := graph.New("chain", 17)
	x := &graph.Value{Name: "x", DType: tensor.Float32, Shape: graph.Shape{graph.Sym("N"), graph.N(widths[0])}}
	g.Inputs = []*graph.Value{x}
	b := op.NewBuilder(g, "n")
	for i, n := range widths[1:] {
		w := tensor.New(tensor.Float32, widths[i], n)
		for k := range w.F32() {
			w.F32()[k] = float32(1 + k%n) // a column is worth more than those before
		}
		x = b.Op("MatMul", x, g.Const("w"+string(rune('0'+i)), w, graph.Param))
	}
	g.Outputs = []*graph.Value{x}
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	return g
}

// A group keeps a multiple of what suits its width, and what was rounded is told.
func TestWidth(t *testing.T) {
	for n, want := range map[int]int{1: 1, 7: 1, 8: 4, 15: 4, 16: 8, 512: 8} {
		if got := structure.Width(n); got != want {
			t.Errorf("of %d channels: %d, want %d", n, got, want)
		}
	}
	g := chain(t, 4, 64, 12, 6, 2)
	groups, _ := structure.Groups(g)
	score := structure.Score(groups, structure.Squares)
	multiple := []int{8, 4, 1}
	some := false
	for _, share := range []float64{.9, .7, .5, .3, .2} {
		_, none, err := structure.SelectRounded(g, groups, score, structure.Target{MACs: share})
		if err != nil || none != nil {
			t.Fatalf("%v: %v, rounded %v", share, err, none)
		}
		s, rounded, err := structure.SelectRounded(g, groups, score, structure.Target{MACs: share, Round: structure.Auto})
		if err != nil {
			t.Fatal(err)
		}
		for i, grp := range groups {
			if n := s[i].Count(); n%multiple[i] != 0 && n != len(grp.Channels) {
				t.Errorf("%v: %d channels of %s, no multiple of %d", share, n, grp.Name, multiple[i])
			}
		}
		for _, r := range rounded {
			some = true
			if r.Kept != s[r.Group].Count() || r.Kept <= r.Asked || r.Kept-r.Asked >= r.Multiple || r.Multiple != multiple[r.Group] {
				t.Errorf("%v: %+v, %d are kept", share, r, s[r.Group].Count())
			}
		}
	}
	if !some {
		t.Error("nothing was rounded")
	}
}

// A step of a group that would take the network far below the target is not taken where
// other channels, which are worth more, come nearer to it; where they do not, it is.
func TestOvershoot(t *testing.T) {
	g := chain(t, 4, 16, 64, 2) // 64 + 1024 + 128 multiply-accumulates
	groups, _ := structure.Groups(g)
	var score [][]float64
	for _, grp := range groups {
		s := make([]float64, len(grp.Channels))
		for c := range s {
			switch {
			case len(s) == 64 && c >= 8:
				s[c] = 3
			case len(s) == 16 && c < 8:
				s[c] = 2
			case len(s) == 16:
				s[c] = 4
			}
		}
		score = append(score, s)
	}
	for _, c := range []struct {
		share      float64
		few, many  int // channels that stay
		leastShare float64
	}{
		{.7, 16, 40, .64}, // 8 and 56 leave 0.49
		{.5, 8, 56, .48},  // all but met by the step itself
		{.9, 16, 56, .88},
	} {
		s, err := structure.Select(g, groups, score, structure.Target{MACs: c.share, Round: 8})
		if err != nil {
			t.Fatal(err)
		}
		for i, grp := range groups {
			want := c.few
			if len(grp.Channels) == 64 {
				want = c.many
			}
			if n := s[i].Count(); n != want {
				t.Errorf("%v: %d of %d channels stay, want %d", c.share, n, len(grp.Channels), want)
			}
		}
		cut, err := structure.Cut(g, groups, s)
		if err != nil {
			t.Fatal(err)
		}
		if got := float64(structure.CostOf(cut).MACs) / float64(structure.CostOf(g).MACs); got > c.share || got < c.leastShare {
			t.Errorf("%v: %.3f of the multiply-accumulates are left", c.share, got)
		}
	}
	if s, err := structure.Select(g, groups, score, structure.Target{}); err != nil || s[0].Count()+s[1].Count() != 80 {
		t.Errorf("nothing asked: %v", err)
	}
}

// Groups that a weight makes which is to stay whole stay whole, and where nothing is
// left to cut the error says why.
func TestWhole(t *testing.T) {
	g := chain(t, 4, 20, 20, 2)
	groups, whole := structure.Groups(g)
	score := structure.Score(groups, structure.Squares)
	for _, out := range []string{"w0", "w1"} {
		s, err := structure.Select(g, groups, score, structure.Target{MACs: .6, Whole: func(name string) bool { return name == out }})
		if err != nil {
			t.Fatal(err)
		}
		for i, grp := range groups {
			if (s[i].Count() == len(grp.Channels)) != (grp.Name == out) {
				t.Errorf("without %s: %d of %s stay", out, s[i].Count(), grp.Name)
			}
		}
	}
	for what, c := range map[string]struct {
		t    structure.Target
		says []string
	}{
		"all whole": {structure.Target{MACs: .5, Whole: func(string) bool { return true }, Why: whole}, []string{"no channels may be cut", "w2 stays whole (output"}},
		"too much":  {structure.Target{MACs: .001, Why: whole}, []string{"the least is", "w2 stays whole (output"}},
	} {
		_, err := structure.Select(g, groups, score, c.t)
		for _, says := range c.says {
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v, want %q", what, err, says)
			}
		}
	}
	one := chain(t, 4, 2)
	groups, whole = structure.Groups(one)
	_, err := structure.Select(one, groups, nil, structure.Target{MACs: .5, Why: whole})
	if err == nil || !strings.Contains(err.Error(), "no channels can be cut from this network: w0 stays whole (output") {
		t.Errorf("nothing to cut: %v", err)
	}
}

// The cheapest cut is that of all cuts by whole widths, where costs add up; and a group
// whose next width would go far beyond the target keeps it.
func TestCheapest(t *testing.T) {
	g, err := zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Seed: 1, Width: .5})
	if err != nil {
		t.Fatal(err)
	}
	groups, _ := structure.Groups(g)
	worth := structure.Worth(g, groups)
	r := rand.New(rand.NewPCG(3, 3))
	for range 5 {
		score := make([][]float64, len(groups))
		for i, grp := range groups {
			score[i] = make([]float64, len(grp.Channels))
			for c := range score[i] {
				score[i][c] = r.Float64() * float64(c+1)
			}
		}
		sum := func(s structure.Selection) (x float64) {
			for i, m := range s {
				for c := range score[i] {
					if !m.Kept(c) {
						x += score[i][c] * float64(worth[i].MACs)
					}
				}
			}
			return x
		}
		target := structure.Target{MACs: .6, Round: 4}
		plain, _, err := structure.SelectRounded(g, groups, score, target)
		if err != nil {
			t.Fatal(err)
		}
		target.Costs = true
		best, _, err := structure.SelectRounded(g, groups, score, target)
		if err != nil {
			t.Fatal(err)
		}
		cut, err := structure.Cut(g, groups, best)
		if err != nil {
			t.Fatal(err)
		}
		if share := float64(structure.CostOf(cut).MACs) / float64(structure.CostOf(g).MACs); share > .6 {
			t.Errorf("%.3f of the MACs are left", share)
		}
		if a, b := sum(best), sum(plain); a > b*(1+1e-9) {
			t.Errorf("the cheapest cut costs %v, the plain one %v", a, b)
		}
		for i, m := range best {
			if n := len(groups[i].Channels); m.Count() != n && m.Count()%4 != 0 {
				t.Errorf("%d of %d channels stay", m.Count(), n)
			}
		}
	}
}

// What is kept of a value is what the cut network has of it.
func TestKept(t *testing.T) {
	g, err := zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Seed: 1, Width: .5})
	if err != nil {
		t.Fatal(err)
	}
	groups, _ := structure.Groups(g)
	sel := structure.Share(groups, structure.Score(groups, structure.Squares), .5)
	cut, err := structure.Cut(g, groups, sel)
	if err != nil {
		t.Fatal(err)
	}
	kept := structure.KeptBy(groups, sel)
	for _, v := range g.Consts() {
		w := cut.Value(v.Name)
		if w == nil || v.Const.F32() == nil {
			continue
		}
		if got := kept.Take(v.Name, v.Const); !slices.Equal(got.F32(), w.Const.F32()) || !slices.Equal(got.Shape, w.Const.Shape) {
			t.Errorf("%s: %v, want %v", v.Name, got, w.Const)
		}
	}
}
