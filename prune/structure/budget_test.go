package structure_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/graph"
	"pare/graph/op"
	"pare/internal/randnet"
	"pare/onnx"
	"pare/prune/structure"
	"pare/tensor"
	"pare/zoo"
)

// takes is what a network has, counted of the network itself: multiply-accumulates,
// parameters, bytes of its file and of its activations.
func takes(t *testing.T, g *graph.Graph) [4]float64 {
	t.Helper()
	b, err := onnx.Encode(g, onnx.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c := structure.CostOf(g)
	return [4]float64{float64(c.MACs), float64(c.Params), float64(len(b)), float64(op.Activations(g))}
}

// budget is a target with random budgets, and what they come to as numbers; 0: not asked.
func budget(r *rand.Rand, whole [4]float64) (t structure.Target, most [4]float64) {
	for k, to := range []*float64{&t.MACs, &t.Params, &t.Bytes, &t.Activations} {
		if r.IntN(2) == 0 || whole[k] == 0 {
			continue
		}
		share := .1 + .9*r.Float64()
		if *to, most[k] = share, share*whole[k]; r.IntN(2) == 0 && most[k] >= 2 {
			most[k] = float64(int(most[k]))
			*to = most[k]
		}
	}
	return t, most
}

// near is what is taken as a share of what may be: of the budget that it is nearest to.
func nearestOf(x, most [4]float64) float64 {
	n := 0.0
	for k, m := range most {
		if m > 0 {
			n = max(n, x[k]/m)
		}
	}
	return n
}

// Of all cuts along the ranking, each made and counted, what is selected is the first that
// is within all budgets, or one that is nearer to them and within; where none is, the
// error says so.
func TestLargestWithinBudgets(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	some, none := 0, 0
	for _, widths := range [][]int{{4, 12, 9, 3}, {6, 16, 2}, {3, 5, 20, 7, 2}} {
		g := chain(t, widths...)
		groups, _ := structure.Groups(g)
		whole := takes(t, g)
		for range 40 {
			score := make([][]float64, len(groups))
			type at struct {
				g, c int
				s    float64
			}
			var order []at
			for i, grp := range groups {
				score[i] = make([]float64, len(grp.Channels))
				best := 0
				for c := range score[i] {
					if score[i][c] = r.Float64(); score[i][c] > score[i][best] {
						best = c
					}
				}
				for c, s := range score[i] {
					if c != best { // one channel stays
						order = append(order, at{i, c, s})
					}
				}
			}
			slices.SortFunc(order, func(a, b at) int {
				if a.s < b.s {
					return -1
				}
				return 1
			})
			target, most := budget(r, whole)
			sel := structure.All(groups)
			first := -1.0
			for k := 0; ; k++ {
				cut, err := structure.Cut(g, groups, sel)
				if err != nil {
					t.Fatal(err)
				}
				if n := nearestOf(takes(t, cut), most); n <= 1 {
					first = n
					break
				}
				if k == len(order) {
					break
				}
				sel[order[k].g].Set(order[k].c, false)
			}
			got, err := structure.Select(g, groups, score, target)
			if first < 0 {
				if none++; err == nil || !strings.Contains(err.Error(), "the least is") {
					t.Errorf("%+v: %v, and no cut is within", target, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%+v: %v", target, err)
				continue
			}
			some++
			cut, err := structure.Cut(g, groups, got)
			if err != nil {
				t.Fatal(err)
			}
			if n := nearestOf(takes(t, cut), most); n > 1 || n < first-1e-12 {
				t.Errorf("%+v: %.4f of the budget is taken, the first cut along the ranking takes %.4f", target, n, first)
			}
		}
	}
	if some < 60 || none < 5 {
		t.Errorf("%d targets were met and %d could not be", some, none)
	}
}

// What is selected of random networks is within all budgets once it is cut, or no cut of
// all that may go is.
func TestBudgetsOfRandomNetworks(t *testing.T) {
	met := 0
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 9))
		n := randnet.New(randnet.Seed(seed, 200), randnet.Options{})
		if n == nil {
			continue
		}
		groups, _ := structure.Groups(n.Graph)
		if len(groups) == 0 {
			continue
		}
		target, most := budget(r, takes(t, n.Graph))
		target.Round = []int{0, 2, structure.Auto}[r.IntN(3)]
		sel, err := structure.Select(n.Graph, groups, structure.Score(groups, structure.Squares), target)
		if err != nil {
			if !strings.Contains(err.Error(), "the least is") {
				t.Errorf("seed %d: %v", seed, err)
			}
			continue
		}
		cut, err := structure.Cut(n.Graph, groups, sel)
		if err != nil {
			t.Fatal(err)
		}
		if near := nearestOf(takes(t, cut), most); near > 1+1e-12 {
			t.Errorf("seed %d: %+v: %.4f of the budget is taken", seed, target, near)
		}
		met++
	}
	if met < 20 {
		t.Errorf("only %d targets were met", met)
	}
}

// Of the cuts along the ranking, what is selected by a measurement is the largest that is
// within it, beside the budgets that are counted.
func TestLargestWithinMeasured(t *testing.T) {
	g := chain(t, 4, 12, 9, 3)
	groups, _ := structure.Groups(g)
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		score := make([][]float64, len(groups))
		for i, grp := range groups {
			score[i] = make([]float64, len(grp.Channels))
			for c := range score[i] {
				score[i][c] = r.Float64()
			}
		}
		most := 40 + 200*r.Float64()
		calls := map[int64]int{}
		target := structure.Target{Params: .8, Within: func(cut *graph.Graph) (float64, error) {
			c := structure.CostOf(cut)
			calls[c.MACs]++
			return float64(c.MACs) / most, nil
		}}
		got, err := structure.Select(g, groups, score, target)
		if err != nil {
			t.Fatal(err)
		}
		want, err := structure.Select(g, groups, score, structure.Target{Params: .8, MACs: most})
		if err != nil {
			t.Fatal(err)
		}
		var macs [2]float64
		for i, sel := range []structure.Selection{got, want} {
			cut, err := structure.Cut(g, groups, sel)
			if err != nil {
				t.Fatal(err)
			}
			macs[i] = takes(t, cut)[0]
		}
		if macs[0] > most || macs[0] < macs[1] {
			t.Errorf("%v multiply-accumulates of at most %.1f, and %v where they are counted", macs[0], most, macs[1])
		}
		for macs, n := range calls {
			if n > 1 {
				t.Errorf("a network of %d multiply-accumulates was measured %d times", macs, n)
			}
		}
	}
	_, err := structure.Select(g, groups, structure.Score(groups, structure.Squares), structure.Target{Within: func(*graph.Graph) (float64, error) { return 1.5, nil }})
	if e := (*structure.NotWithin)(nil); !errors.As(err, &e) || !strings.Contains(err.Error(), "takes 1.5 of what it may") {
		t.Error(err)
	}
	broken := errors.New("broken")
	if _, err := structure.Select(g, groups, structure.Score(groups, structure.Squares), structure.Target{Within: func(*graph.Graph) (float64, error) { return 0, broken }}); !errors.Is(err, broken) {
		t.Error(err)
	}
	// a runtime in which only one middle size is fast
	slow := func(cut *graph.Graph) (float64, error) {
		if p := structure.CostOf(cut).Params; p > 60 && p < 120 {
			return .9, nil
		}
		return 1.1, nil
	}
	sel, err := structure.Select(g, groups, structure.Score(groups, structure.Squares), structure.Target{Within: slow})
	if err != nil {
		t.Fatal(err)
	}
	cut, err := structure.Cut(g, groups, sel)
	if err != nil {
		t.Fatal(err)
	}
	if x, _ := slow(cut); x > 1 {
		t.Errorf("a network of %d parameters was selected", structure.CostOf(cut).Params)
	}
}

// Groups keep what they are to, exactly or at least, whatever the target; and the error
// names them where that is why it is not met.
func TestWidths(t *testing.T) {
	g := chain(t, 4, 20, 12, 16, 2)
	groups, _ := structure.Groups(g)
	score := structure.Score(groups, structure.Squares)
	for _, costs := range []bool{false, true} {
		target := structure.Target{Costs: costs, MACs: .4, Widths: []structure.Widths{{Exactly: 15}, {Least: 8}, {}}}
		s, err := structure.Select(g, groups, score, target)
		if err != nil {
			t.Fatal(err)
		}
		if s[0].Count() != 15 || s[1].Count() < 8 || s[2].Count() == 16 {
			t.Errorf("costs %v: %d, %d and %d stay", costs, s[0].Count(), s[1].Count(), s[2].Count())
		}
		for c := range 5 { // the best stay: a column is worth more than those before
			if s[0].Kept(c) {
				t.Errorf("channel %d stays", c)
			}
		}
		target.MACs = .05
		_, err = structure.Select(g, groups, score, target)
		if err == nil || !strings.Contains(err.Error(), "asked to stay as they are: the groups of w0; asked to keep a part at least: the groups of w1") {
			t.Error(err)
		}
	}
	slices.Reverse(score[1]) // now a column is worth less than those before
	s, err := structure.Select(g, groups, score, structure.Target{Widths: []structure.Widths{{}, {Exactly: 3}, {}}})
	if err != nil || s[0].Count() != 20 || s[1].Count() != 3 || s[2].Count() != 16 {
		t.Errorf("widths alone: %v, %v", s, err)
	}
	for c := range 3 {
		if !s[1].Kept(c) {
			t.Errorf("channel %d goes", c)
		}
	}
}

// What normalisation is folded to in the end is what is counted.
func TestFinal(t *testing.T) {
	g := chain(t, 4, 20, 12, 2)
	groups, _ := structure.Groups(g)
	score := structure.Score(groups, structure.Squares)
	for _, more := range []int{64, 10} { // numbers by which a file is larger in the end, whatever was cut
		final := func(g *graph.Graph) (*graph.Graph, error) {
			c, _ := g.Clone(true)
			c.Outputs = append(c.Outputs, c.Const("more", tensor.New(tensor.Float32, more), graph.Frozen))
			return c, nil
		}
		for _, most := range []float64{1200, 1000, 800} {
			s, err := structure.Select(g, groups, score, structure.Target{Bytes: most, Final: final})
			if err != nil {
				t.Fatal(err)
			}
			cut, err := structure.Cut(g, groups, s)
			if err != nil {
				t.Fatal(err)
			}
			end, _ := final(cut)
			if n := takes(t, end)[2]; n > most || n < most-200 {
				t.Errorf("%v bytes, %v are asked for", n, most)
			}
		}
	}
}

// The peak of activations of a chain is that of its two widest neighbours, and what is
// only reshaped takes no memory of its own.
func TestActivations(t *testing.T) {
	if n := op.Activations(chain(t, 4, 20, 12, 2)); n != 4*(20+12) {
		t.Errorf("%d bytes, want 128", n)
	}
	g, err := zoo.New("lenet-5", zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	plain := op.Activations(g)
	x := g.Outputs[0]
	y := g.Add("Identity", "", []*graph.Value{x}, []string{"again"}).Outputs[0]
	y.Shape, y.DType = x.Shape, x.DType
	g.Outputs = []*graph.Value{y}
	if again := op.Activations(g); again != plain || plain == 0 {
		t.Errorf("%d bytes with another name for the output, %d without", again, plain)
	}
}
