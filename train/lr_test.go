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
