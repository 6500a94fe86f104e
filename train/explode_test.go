package train

import "testing"

// A smoothed loss above four times its best for five steps has exploded, also where the
// loss of who knows nothing is not known; one above it for fewer has not.
func TestExplodes(t *testing.T) {
	for _, c := range []struct {
		loss float64
		want int // the step that says so; 0: none of eight
	}{{100, 5}, {2, 0}} {
		w, got := watch{}, 0
		for range 20 {
			if w.see(1, 0) {
				t.Fatal("a steady loss explodes")
			}
		}
		for step := 1; step <= 8 && got == 0; step++ {
			if w.see(c.loss, 0) {
				got = step
			}
		}
		if got != c.want {
			t.Errorf("a loss of %v after 1 explodes at step %d, want %d", c.loss, got, c.want)
		}
	}
}
