package measure

import (
	"math"
	"testing"
)

// (3, 4) and (4, 3) are sqrt(2) and arccos(24/25) apart.
func TestDistance(t *testing.T) {
	d, a, err := Distance([][]float32{{3}, {4}}, [][]float32{{4}, {3}})
	if err != nil || math.Abs(d-1.4142) > 1e-4 || math.Abs(a-.2838) > 1e-4 {
		t.Errorf("%v, %v, %v", d, a, err)
	}
	x := [][]float32{{.1, .2}, {.3}}
	if d, a, err = Distance(x, x); err != nil || d != 0 || a > 1e-7 {
		t.Errorf("of itself: %v, %v, %v", d, a, err)
	}
	if _, a, _ = Distance(x, [][]float32{{0, 0}, {0}}); a != 0 {
		t.Errorf("angle with nothing: %v", a)
	}
	for _, y := range [][][]float32{{{1, 2}}, {{1}, {2}}} {
		if _, _, err := Distance(x, y); err == nil {
			t.Errorf("%v has a distance", y)
		}
	}
}
