package measure

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"pare/engine"
	"pare/graph"
	"pare/graph/op"
	"pare/zoo"
)

// freed is a network of the zoo whose height and width are free, and the same of a
// fixed size.
func freed(t *testing.T, side int) (free, fixed *graph.Graph) {
	t.Helper()
	fixed, err := zoo.New("resnet20", zoo.Options{In: []int{3, side, side}, Seed: 1, Width: .5})
	if err != nil {
		t.Fatal(err)
	}
	free, _ = fixed.Clone(true)
	for k, s := range []string{"H", "W"} {
		free.Inputs[0].Shape[2+k] = graph.Sym(s)
	}
	if err := op.InferAll(free); err != nil {
		t.Fatal(err)
	}
	return free, fixed
}

// A network of free sizes counts at the sizes that are asked for what one of fixed
// sizes counts; without, at sizes that are said, not at those of one pixel.
func TestFreeSizes(t *testing.T) {
	g, fixed := freed(t, 40)
	for s := range 2 {
		if err := g.SetSize([]string{"H", "W"}[s], 40); err != nil {
			t.Fatal(err)
		}
	}
	got, layers := Count(g)
	want, as := Count(fixed)
	if got != want || fmt.Sprint(layers) != fmt.Sprint(as) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if notes, err := Settle(g); notes != nil || err != nil {
		t.Errorf("%v, %v", notes, err)
	}

	g, fixed = freed(t, 224)
	want, _ = Count(fixed)
	if got, _ := Count(g); got != want {
		t.Errorf("nothing said: %+v, want %+v", got, want)
	}
	notes, err := Settle(g)
	if err != nil || len(notes) != 1 || !strings.HasPrefix(notes[0].String(), "sizes H=224, W=224 were assumed") || g.Usage.Sizes["H"] != 224 {
		t.Errorf("%v, %v, %v", notes, err, g.Usage)
	}
	c, _ := g.Clone(true)
	if notes, err := Settle(c); notes != nil || err != nil {
		t.Errorf("a copy: %v, %v", notes, err)
	}
}

// Sizes are assumed at which the network's shapes agree.
func TestSettle(t *testing.T) {
	sym, n := graph.Sym, graph.N
	for want, x := range map[string]graph.Shape{
		"sizes x.1=128 were assumed":        {sym("N"), sym("x.1")},
		"sizes T=128 were assumed":          {sym("N"), sym("T"), n(64)},
		"sizes H=224, W=224 were assumed":   {sym("N"), sym("H"), sym("W"), n(3)},
		"sizes past=128 were assumed":       {sym("N"), n(12), sym("past"), n(64)},
		"sizes D=32, H=32, W=32":            {sym("N"), n(1), sym("D"), sym("H"), sym("W")},
		"sizes C=3, H=224, W=224":           {sym("N"), sym("C"), sym("H"), sym("W")},
		"sizes T=128, T + 1=129 were assum": {sym("N"), sym("T"), sym("T + 1")},
	} {
		g := graph.New("g", 17)
		g.Inputs = []*graph.Value{{Name: "x", DType: 1, Shape: x}}
		g.Outputs = g.Add("Relu", "", g.Inputs, []string{"y"}).Outputs
		notes, err := Settle(g)
		if err != nil || len(notes) != 1 || !strings.HasPrefix(notes[0].String(), want) || !strings.HasSuffix(string(notes[0]), "give {Sizes}") {
			t.Errorf("%v: %v, %v", x, notes, err)
		}
	}

	g, err := zoo.New("mlp:3072-20-10", zoo.Options{In: []int{3, 32, 32}, Seed: 1}) // flattened, so that only one side will do
	if err != nil {
		t.Fatal(err)
	}
	g.Inputs[0].Shape = graph.Shape{sym("N"), n(3), sym("H"), sym("W")}
	if notes, _ := Settle(g); len(notes) != 1 || !strings.HasPrefix(notes[0].String(), "sizes H=32, W=32") {
		t.Errorf("%v", notes)
	}
	g.Usage.Sizes = map[string]int{"H": 30, "W": 32}
	if _, err := Settle(g); err == nil || !strings.Contains(err.Error(), "at sizes H=30, W=32: ") || !strings.Contains(err.Error(), "give other Sizes") {
		t.Error(err)
	}
}

// A rate counts the samples that ran: those of the batch that the network fixes.
func TestFixedBatchRate(t *testing.T) {
	_, g := freed(t, 8)
	g.Inputs[0].Shape[0] = graph.N(4)
	if err := op.InferAll(g); err != nil {
		t.Fatal(err)
	}
	s, err := Latency(context.Background(), []*graph.Graph{g}, 32, 3, time.Millisecond, engine.Options{Threads: 1})
	if err != nil || s[0].Batch != 4 || s[0].Rate != 4/s[0].Seconds.Median {
		t.Errorf("%+v, %v", s, err)
	}
}

// Inputs that are not given take assumed sizes, and the notes say so.
func TestBindAssumes(t *testing.T) {
	g, _ := freed(t, 32)
	sizes, notes, err := Bind(g, nil, 3)
	if err != nil || fmt.Sprint(sizes) != "map[H:224 N:3 W:224]" || len(notes) != 1 {
		t.Errorf("%v, %v, %v", sizes, notes, err)
	}
	g.Usage.Sizes = map[string]int{"H": 9}
	if sizes, notes, err = Bind(g, nil, 3); err != nil || sizes["H"] != 9 || sizes["W"] == 0 || len(notes) != 1 {
		t.Errorf("%v, %v, %v", sizes, notes, err)
	}
	if len(g.Usage.Sizes) != 1 {
		t.Error("the network was changed")
	}
}
