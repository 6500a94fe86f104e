package evidence

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// The half-width is Student's t times the deviation over the root of the number: of 1
// to 5, t(4) = 2.776 (tables), the deviation is sqrt(2.5).
func TestInterval(t *testing.T) {
	for _, c := range []struct {
		x []float64
		t float64 // of the table, at 97.5 %
	}{{[]float64{0, 1}, 12.706}, {[]float64{1, 2, 3}, 4.303}, {[]float64{1, 2, 3, 4, 5}, 2.776}, {[]float64{3, 1, 4, 1, 5, 9, 2, 6, 5, 3}, 2.262}} {
		mean, sq := 0.0, 0.0
		n := float64(len(c.x))
		for _, x := range c.x {
			mean += x / n
		}
		for _, x := range c.x {
			sq += (x - mean) * (x - mean) / (n - 1)
		}
		if got, want := Interval(c.x), c.t*math.Sqrt(sq/n); math.Abs(got/want-1) > 2e-4 {
			t.Errorf("%v: %v, want %v", c.x, got, want)
		}
	}
	if got := Interval([]float64{1, 2, 3, 4, 5}); math.Abs(got-1.963) > 5e-4 {
		t.Errorf("of 1 to 5: %v", got)
	}
	if Interval([]float64{7, 7, 7}) != 0 {
		t.Error("equal samples have an interval")
	}
	for _, x := range [][]float64{nil, {1}} {
		if !math.IsNaN(Interval(x)) {
			t.Errorf("%v has an interval", x)
		}
	}
}

// A claim holds where the method keeps its bound and no arm without an ingredient does.
func TestClaims(t *testing.T) {
	v := Values{"a": {.90, .92, .94}, "b": {.89, .90, .91}, "c": {.93, .90, .90}, "nan": {math.NaN(), math.NaN(), math.NaN()}, "short": {.9}}
	if d := v.Diff("a", "b"); len(d) != 3 || math.Abs(d[2]-.03) > 1e-12 || math.Abs(v.Mean("a")-.92) > 1e-12 {
		t.Errorf("differences %v, mean %v", d, v.Mean("a"))
	}
	const eps = 1e-6
	for _, c := range []struct {
		name  string
		c     Claim
		holds bool
	}{
		{"2 points in the mean", Beats("", "a", "b", 2-eps, "b"), true},
		{"more", Beats("", "a", "b", 2+eps, "b"), false},
		{"without the ingredient too", Beats("", "a", "b", 1-eps, "c"), false},
		{"one of two without it", Beats("", "a", "b", 1-eps, "b", "c"), false},
		{"the wrong way round", Beats("", "b", "a", 0, "none"), false},
		{"at most so much worse", Beats("", "b", "a", -2-eps, "nothing"), false},
		{"within 2 points", Near("", "a", "b", 2+eps, "nan"), false},
		{"within 1.5 points, and not without", Near("", "c", "b", 1.5, "a"), true},
		{"within less", Near("", "a", "b", 2-eps, "b"), false},
		{"a claim that nothing can refute", Beats("", "a", "b", 1), false},
		{"an arm that was not measured", Beats("", "a", "b", 1, "none"), false},
		{"an arm of fewer seeds", Beats("", "a", "b", 1, "short"), false},
		{"no number", Beats("", "nan", "b", -100, "b"), false},
		{"a ratio at most", Claim{Method: "b", Without: []string{"a"}, Figure: Ratio("", "a"), Side: AtMost, Bound: .99}, true},
		{"less", Claim{Method: "b", Without: []string{"a"}, Figure: Ratio("", "a"), Side: AtMost, Bound: .9}, false},
	} {
		if got := c.c.Judge(v); got.Holds != c.holds || got.Measured == "" || len(got.Without) != len(c.c.Without) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

// There are enough seeds where the interval is at most half of the distance to the bound.
func TestSure(t *testing.T) {
	v := Values{"a": {.01, .02, .03, .04, .05}, "b": {0, 0, 0, 0, 0}} // +3.0 ± 1.963
	for bound, sure := range map[float64]bool{-1: true, -.9: false} {
		c := Beats("", "a", "b", bound, "c")
		v["c"] = []float64{-.5, -.5, -.5, -.5, -.5}
		if got := c.Judge(v); !got.Holds || got.Sure() != sure || got.Measured != "+3.0 ± 2.0 pp" {
			t.Errorf("from %v: %+v", bound, got)
		}
	}
	c := Beats("", "a", "b", 1, "c")
	if got := c.Judge(Values{"a": {.5}, "b": {0}, "c": {0}}); !got.Holds || got.Sure() {
		t.Errorf("one seed: %+v", got)
	}
}

func TestAnswer(t *testing.T) {
	v := Values{"a": {.5, .52, .51}, "b": {.4, .41, .42}, "c": {.5, .6, .4}}
	for _, c := range []struct{ method, without, says string }{{"a", "b", "helps"}, {"b", "a", "did not help"}, {"a", "c", "not shown at this scale"}, {"a", "none", "not shown at this scale"}} {
		q := Comparison{"x", c.method, c.without}
		if got := q.Answer(v); got.Says != c.says || got.Measured == "" {
			t.Errorf("%+v", got)
		}
	}
}

// Values come in the order of the seeds, whichever ends first, and how many are done
// is told.
func TestValues(t *testing.T) {
	e := &Experiment{Name: "x", Run: func(_ context.Context, seed uint64, put func(string, float64)) error {
		time.Sleep(time.Duration(10-seed) * time.Millisecond)
		put("seed", float64(seed))
		put("twice", 2*float64(seed))
		return nil
	}}
	var told, most atomic.Int64
	v, err := e.Values(context.Background(), 4, 6, func(n int) {
		told.Add(1)
		if int64(n) > most.Load() {
			most.Store(int64(n))
		}
	})
	if err != nil || !slices.Equal(v["seed"], []float64{4, 5, 6, 7, 8, 9}) || !slices.Equal(v["twice"], []float64{8, 10, 12, 14, 16, 18}) {
		t.Errorf("%v, %v", v, err)
	}
	if told.Load() != 6 || most.Load() != 6 {
		t.Errorf("told %d times, at most %d", told.Load(), most.Load())
	}
}

func TestTry(t *testing.T) {
	var seeds atomic.Int64
	broken := errors.New("broken")
	e := &Experiment{ID: "07", Name: "x", About: "y", Seeds: 3, Claims: []Claim{Beats("a beats b", "a", "b", 1, "b"), Near("they differ by little", "a", "b", 1, "b")},
		Run: func(_ context.Context, seed uint64, put func(string, float64)) error {
			seeds.Add(1)
			put("a", .9)
			put("b", .8)
			if seed > 3 {
				return broken
			}
			return nil
		}}
	quiet := func(int) {}
	r, err := e.Try(context.Background(), 1, 0, quiet)
	if err != nil || r.Seeds != 3 || seeds.Load() != 3 || r.ID != "07" || r.Name != "x" || r.About != "y" || len(r.Values["a"]) != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	if c := r.Claims; len(c) != 2 || !c[0].Holds || c[0].Measured != "+10.0 ± 0.0 pp" || c[0].Needed != "≥ 1 pp" || c[1].Holds || c[0].Without[0] != (Without{"b", "+0.0 ± 0.0 pp", false}) {
		t.Errorf("%+v", c)
	}
	if r, err := e.Try(context.Background(), 1, 2, quiet); err != nil || r.Seeds != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := e.Try(context.Background(), 1, -1, quiet); err == nil || !strings.Contains(err.Error(), "at least 1") {
		t.Error(err)
	}
	if _, err := e.Try(context.Background(), 1, 4, quiet); !errors.Is(err, broken) || !strings.Contains(err.Error(), "x: seed 4: ") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	wait := &Experiment{Name: "x", Seeds: 2 * runtime.GOMAXPROCS(0), Run: func(ctx context.Context, _ uint64, _ func(string, float64)) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	if _, err := wait.Try(ctx, 1, 0, quiet); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
