package measure

import (
	"context"
	"slices"
	"testing"
	"time"

	"pare/engine"
	"pare/graph"
	"pare/zoo"
)

func TestSize(t *testing.T) {
	g, err := zoo.New("resnet20", zoo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, layers, err := Of(g)
	if err != nil {
		t.Fatal(err)
	}
	if s.Params != 269722 || s.MACs != 40551040 || len(layers) != 20 || s.Effective != s.MACs {
		t.Errorf("%+v, %d layers", s, len(layers))
	}
	w := layers[0]
	g.Value(w.Name).Const.F32()[0] = 0
	clear(g.Value(w.Name).Const.F32()[:len(g.Value(w.Name).Const.F32())/2])
	z, _, _ := Of(g)
	if z.NonZero != s.NonZero-w.Params/2 || z.Effective != s.Effective-w.MACs/2 {
		t.Errorf("half of %s zeroed: %+v", w.Name, z)
	}
}

func TestSpread(t *testing.T) {
	if s := SpreadOf([]float64{4, 1, 3, 2, 5}); s.Median != 3 || s.Half != 1 {
		t.Errorf("%+v", s)
	}
}

func TestPareto(t *testing.T) {
	if p := Pareto([]float64{3, 1, 2, 2}, []float64{9, 5, 7, 6}); !slices.Equal(p, []int{1, 2, 0}) {
		t.Errorf("front %v", p)
	}
}

func TestLatency(t *testing.T) {
	a, _ := zoo.New("mlp:512-512-10", zoo.Options{})
	b, _ := zoo.New("mlp:512-4-10", zoo.Options{})
	s, err := Latency(context.Background(), []*graph.Graph{a, b}, 64, 3, 5*time.Millisecond, engine.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if s[0].Peak < 4*512*512 || s[1].Peak >= s[0].Peak || s[0].Peak > 16<<20 {
		t.Errorf("they hold %d and %d bytes", s[0].Peak, s[1].Peak)
	}
	if s[0].Ratio.Median != 1 || s[1].Ratio.Median >= .5 {
		t.Errorf("ratios %+v", s)
	}
}
