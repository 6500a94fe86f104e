package train

import (
	"math"
	"testing"
)

// A cosine has lost a quarter of its height after a third of the steps, half of it at half
// of them, and is at its least from the last on.
func TestCosine(t *testing.T) {
	rate := Cosine(.5, .1, 60)
	for step, want := range map[int]float64{0: .5, 20: .4, 30: .3, 40: .2, 60: .1, 70: .1} {
		if got := rate(step); math.Abs(got-want) > 1e-12 {
			t.Errorf("step %d: %v, want %v", step, got, want)
		}
	}
}

// A schedule of warm-up, stable and decay is at its peak from the end of the warm-up to the
// beginning of the decay, and at its least after the last step; shares are of all steps.
func TestWSD(t *testing.T) {
	const steps = 200
	rate, err := ParseRate("wsd:0.1:2e-6+warmup:5%", 2e-5, steps)
	if err != nil {
		t.Fatal(err)
	}
	for step, want := range map[int]float64{0: 2e-6, 4: 1e-5, 9: 2e-5, 10: 2e-5, 100: 2e-5, 180: 2e-5, 190: 1.1e-5, 200: 2e-6, 300: 2e-6} {
		if got := rate(step); math.Abs(got-want) > 1e-15 {
			t.Errorf("step %d: %v, want %v", step, got, want)
		}
	}
	zero, err := ParseRate("wsd+warmup:10", 1, steps)
	if err != nil {
		t.Fatal(err)
	}
	for step, want := range map[int]float64{4: .5, 9: 1, 160: 1, 180: .5, 200: 0} {
		if got := zero(step); math.Abs(got-want) > 1e-15 {
			t.Errorf("to 0, step %d: %v, want %v", step, got, want)
		}
	}
	for _, bad := range []string{"wsd:-0.1", "wsd:NaN", "wsd:x", "wsd:0.1:x", "wsd+warmup:x%", "wsd+warmup:101%", "wsd+warmup:-1", "wsd+cooldown:5%"} {
		if _, err := ParseRate(bad, 1, steps); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
