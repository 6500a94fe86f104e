package schedule

import (
	"math"
	"testing"
)

// The check values of GraNet: .5 at first, .2525 half way, .005 at the end; a cosine
// between, which at a quarter has fallen by less than a quarter.
func TestExchangeRate(t *testing.T) {
	e := Exchange{Rate: .5, Least: .005, Over: 1000, End: 1000, Every: 10}
	for at, want := range map[int]float64{0: .5, 250: .005 + .495*(1+math.Sqrt2/2)/2, 500: .2525, 1000: .005, 2000: .005} {
		if got := e.At(at); math.Abs(got-want) > 1e-12 {
			t.Errorf("r_%d = %v, want %v", at, got, want)
		}
	}
	e.Over = 0
	if e.At(700) != .5 {
		t.Error("without a fall the share changes")
	}
}

func TestExchangeEvents(t *testing.T) {
	for _, c := range []struct {
		e    Exchange
		want []int
	}{
		{Exchange{End: 40, Every: 10}, []int{10, 20, 30}},
		{Exchange{Begin: 5, End: 26, Every: 10}, []int{5, 15, 25}},
		{Exchange{End: 10, Every: 10}, nil},
	} {
		var got []int
		for s := range 60 {
			if c.e.Event(s) {
				got = append(got, s)
			}
		}
		if len(got) != len(c.want) || c.e.Count() != len(c.want) {
			t.Errorf("%+v: events %v, count %d, want %v", c.e, got, c.e.Count(), c.want)
			continue
		}
		for i, s := range c.want {
			if got[i] != s {
				t.Errorf("%+v: events %v, want %v", c.e, got, c.want)
			}
		}
	}
}

func TestExchangeCheck(t *testing.T) {
	ok := Exchange{Rate: .3, Over: 75, End: 75, Every: 10}
	if err := ok.Check(100); err != nil {
		t.Error(err)
	}
	for name, f := range map[string]func(*Exchange){
		"rate 1": func(e *Exchange) { e.Rate = 1 }, "rate NaN": func(e *Exchange) { e.Rate = math.NaN() }, "rate below 0": func(e *Exchange) { e.Rate = -.1 },
		"least": func(e *Exchange) { e.Least = .4 }, "over": func(e *Exchange) { e.Over = -1 }, "begin": func(e *Exchange) { e.Begin = -1 },
		"every 0": func(e *Exchange) { e.Every = 0 }, "too long": func(e *Exchange) { e.End = 101 }, "never": func(e *Exchange) { e.Every = 75 },
	} {
		e := ok
		f(&e)
		if e.Check(100) == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
