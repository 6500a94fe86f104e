package schedule

import (
	"math"
	"slices"
	"testing"
)

func TestCubic(t *testing.T) {
	g := Gradual{Final: .9, End: 100, Every: 25, Power: 3}
	for i, want := range map[int]float64{0: 0, 25: .5203, 50: .7875, 75: .8859, 100: .9} {
		if got := g.At(i); math.Abs(got-want) > 5e-5 {
			t.Errorf("s_%d = %.4f, want %.4f", i, got, want)
		}
	}
	if g.At(100) != .9 || g.At(1000) != .9 || g.At(-5) != 0 {
		t.Error("outside the window")
	}
}

// Sparsity never falls, its steps shrink, and its mean tends to 3/4 of the end.
func TestCubicShape(t *testing.T) {
	g := Gradual{Final: .8, End: 1000, Every: 1, Power: 3}
	sum, last, step := 0.0, 0.0, math.Inf(1)
	for i := 1; i <= 1000; i++ {
		s := g.At(i)
		if s < last || s-last > step+1e-12 {
			t.Fatalf("step %d rises by %v after %v", i, s-last, step)
		}
		step, last = s-last, s
		sum += s
	}
	if math.Abs(sum/1000-.6) > .001 {
		t.Errorf("mean sparsity %v, want .6", sum/1000)
	}
}

func TestEvents(t *testing.T) {
	g := Gradual{Final: .5, Begin: 10, End: 55, Every: 20, Power: 3}
	if got := g.Events(); !slices.Equal(got, []int{10, 30, 50, 55}) {
		t.Errorf("events %v", got)
	}
	for i := range 70 {
		if g.Event(i) != slices.Contains(g.Events(), i) {
			t.Errorf("Event(%d) = %v", i, g.Event(i))
		}
	}
}

func TestCheck(t *testing.T) {
	ok := Gradual{Final: .5, End: 10, Every: 1, Power: 3}
	if err := ok.Check(10); err != nil {
		t.Error(err)
	}
	for name, f := range map[string]func(*Gradual){
		"final 1": func(g *Gradual) { g.Final = 1 }, "final NaN": func(g *Gradual) { g.Final = math.NaN() },
		"falls": func(g *Gradual) { g.Initial = .6 }, "before 0": func(g *Gradual) { g.Begin = -1 },
		"empty": func(g *Gradual) { g.Begin = 10 }, "every 0": func(g *Gradual) { g.Every = 0 },
		"too long": func(g *Gradual) { g.End = 11 }, "power": func(g *Gradual) { g.Power = 0 },
	} {
		g := ok
		f(&g)
		if g.Check(10) == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestIterative(t *testing.T) {
	s, err := Iterative(.936, 3)
	if err != nil || math.Abs(s[0]-.6) > 1e-12 || math.Abs(s[1]-.84) > 1e-12 || s[2] != .936 {
		t.Errorf("%v %v", s, err)
	}
}
