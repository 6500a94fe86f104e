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

func TestPoints(t *testing.T) {
	for want, x := range map[string][]float64{"+1.0 pp": {.01}, "-2.5 pp": {-.025}, "+2.0 ± 2.5 pp": {.01, .02, .03}} {
		if got := Points(x); got != want {
			t.Errorf("%v: %s, want %s", x, got, want)
		}
	}
}

// Claims hold at their limit, and fail beside it, in one seed of several, the wrong way
// round, and where there is nothing to judge.
func TestClaims(t *testing.T) {
	v := Values{"a": {.90, .92, .94}, "b": {.89, .90, .91}, "c": {.93, .90, .90}, "nan": {math.NaN(), math.NaN(), math.NaN()}}
	if d := v.Diff("a", "b"); len(d) != 3 || math.Abs(d[2]-.03) > 1e-12 || math.Abs(v.Mean("a")-.92) > 1e-12 {
		t.Errorf("differences %v, mean %v", d, v.Mean("a"))
	}
	const eps = 1e-6
	for _, c := range []struct {
		name  string
		c     Claim
		holds bool
	}{
		{"2 points in the mean", AtLeast("", "a", "b", 2-eps, false), true},
		{"more", AtLeast("", "a", "b", 2+eps, false), false},
		{"in every seed", AtLeast("", "a", "b", 2-eps, true), true},
		{"the wrong way round", AtLeast("", "b", "a", 0, false), false},
		{"in the mean", AtLeast("", "a", "c", 1-eps, false), true},
		{"in the mean, but not in every seed", AtLeast("", "a", "c", 1-eps, true), false},
		{"at most so much worse", AtLeast("", "b", "a", -2-eps, false), true},
		{"1 point in every seed", EveryAtLeast("", "a", "b", 1-eps), true},
		{"one seed has less", EveryAtLeast("", "a", "b", 1+eps), false},
		{"every seed the wrong way round", EveryAtLeast("", "b", "a", 0), false},
		{"within 2 points", Within("", "a", "b", 2+eps), true},
		{"within less", Within("", "a", "b", 2-eps), false},
		{"within, either way round", Within("", "b", "a", 2+eps), true},
		{"less, either way round", Within("", "b", "a", 2-eps), false},
		{"nothing to judge", AtLeast("", "none", "b", -100, false), false},
		{"nothing to judge in every seed", EveryAtLeast("", "none", "b", -100), false},
		{"nothing to be within", Within("", "none", "b", 100), false},
		{"no number", AtLeast("", "nan", "b", -100, false), false},
		{"no number in every seed", EveryAtLeast("", "nan", "b", -100), false},
		{"no number within", Within("", "nan", "b", 100), false},
	} {
		measured, holds := c.c.Check(v)
		if holds != c.holds || measured == "" {
			t.Errorf("%s: holds %v (%s)", c.name, holds, measured)
		}
	}
	if m, _ := EveryAtLeast("", "a", "b", 0).Check(v); !strings.HasSuffix(m, ", at least +1.0") {
		t.Error(m)
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
	v, err := e.Values(context.Background(), 6, func(n int) {
		told.Add(1)
		if int64(n) > most.Load() {
			most.Store(int64(n))
		}
	})
	if err != nil || !slices.Equal(v["seed"], []float64{1, 2, 3, 4, 5, 6}) || !slices.Equal(v["twice"], []float64{2, 4, 6, 8, 10, 12}) {
		t.Errorf("%v, %v", v, err)
	}
	if told.Load() != 6 || most.Load() != 6 {
		t.Errorf("told %d times, at most %d", told.Load(), most.Load())
	}
}

func TestTry(t *testing.T) {
	var seeds atomic.Int64
	broken := errors.New("broken")
	e := &Experiment{ID: "07", Name: "x", About: "y", Seeds: 3, Claims: []Claim{AtLeast("a beats b", "a", "b", 1, true), Within("they differ by little", "a", "b", 1)},
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
	r, err := e.Try(context.Background(), 0, quiet)
	if err != nil || r.Seeds != 3 || seeds.Load() != 3 || r.ID != "07" || r.Name != "x" || r.About != "y" || len(r.Values["a"]) != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	if want := []Verdict{{"a beats b", "+10.0 ± 0.0 pp", true}, {"they differ by little", "+10.0 ± 0.0 pp", false}}; !slices.Equal(r.Claims, want) {
		t.Errorf("%+v, want %+v", r.Claims, want)
	}
	if r, err := e.Try(context.Background(), 2, quiet); err != nil || r.Seeds != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := e.Try(context.Background(), -1, quiet); err == nil || !strings.Contains(err.Error(), "at least 1") {
		t.Error(err)
	}
	if _, err := e.Try(context.Background(), 4, quiet); !errors.Is(err, broken) || !strings.Contains(err.Error(), "x: seed 4: ") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	wait := &Experiment{Name: "x", Seeds: 2 * runtime.GOMAXPROCS(0), Run: func(ctx context.Context, _ uint64, _ func(string, float64)) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	if _, err := wait.Try(ctx, 0, quiet); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
