package measure

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"pare/graph"
	"pare/prune/structure"
	"pare/train"
	"pare/zoo"
)

// Each group is cut alone, its worst channels by a share, and what that costs is the
// difference from the whole network.
func TestSensitive(t *testing.T) {
	g, err := zoo.New("mlp:64-20-3-10", zoo.Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	groups, _ := structure.Groups(g)
	rates := structure.Score(groups, structure.Squares)
	params := func(g *graph.Graph) float64 { return float64(structure.CostOf(g).Params) }
	var kept []*graph.Graph
	judge := func(_ context.Context, g *graph.Graph) (train.Score, error) {
		kept = append(kept, g)
		return train.Score{Metric: "accuracy", Unit: "%", Higher: true, Value: params(g) / 1e4}, nil
	}
	told := 0
	s, err := Sensitive(context.Background(), g, groups, rates, []float64{.1, .25, .5}, judge, func(done, total int) {
		if told++; done != told || total != 6 {
			t.Errorf("told of %d of %d", done, total)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]int{{18, 15, 10}, {3, 2, 1}} {
		for k, c := range s.Groups[i].Cuts {
			n := params(g)
			for range s.Groups[i].Channels - c.Stay {
				n -= []float64{64 + 1 + 3, 20 + 1 + 10}[i]
			}
			if c.Stay != want[k] || math.Abs(c.Value-n/1e4) > 1e-12 || math.Abs(c.Worse-100*(params(g)-n)/1e4) > 1e-9 || (c.MACs > 0) != (c.Stay < s.Groups[i].Channels) {
				t.Errorf("group %d: %+v, want %d channels and %v", i+1, c, want[k], n/1e4)
			}
		}
	}
	if len(kept) != 6 { // the whole one, and all cuts but that of a tenth of three channels
		t.Errorf("%d networks were judged", len(kept))
	}
	worst := 0 // the channel of the first group that is worth least goes first
	for c, x := range rates[0] {
		if x < rates[0][worst] {
			worst = c
		}
	}
	before, after := g.Value("fc1.weight").Const, kept[1].Value("fc1.weight").Const
	row := len(before.F32()) / 20
	for k := range after.F32() {
		if after.F32()[k] == before.F32()[worst*row] {
			t.Errorf("the worst channel, %d, stays", worst)
			break
		}
	}
	x, err := Inspect(g)
	if err != nil {
		t.Fatal(err)
	}
	x.Sensitivity = s
	s.By, s.Set = "norm", "test"
	var b strings.Builder
	x.Report(3).Print(&b, 200)
	if o := b.String(); !strings.Contains(o, "alone is cut by norm and nothing is trained: accuracy is") || !strings.Contains(o, "6.80 points") {
		t.Error(o)
	}
	if d := x.diagram(); !strings.Contains(d.Groups[1].Text, "; cut alone it costs 0.31 points at 25 %, 0.62 points at 50 %") {
		t.Error(d.Groups[1].Text)
	}
	broken := errors.New("broken")
	if _, err := Sensitive(context.Background(), g, groups, rates, Shares, func(context.Context, *graph.Graph) (train.Score, error) { return train.Score{}, broken }, nil); !errors.Is(err, broken) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Sensitive(ctx, g, groups, rates, Shares, judge, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
