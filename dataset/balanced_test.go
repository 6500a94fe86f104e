package dataset

import (
	"fmt"
	"testing"
)

// The same seed draws the same samples, as many of each class.
func TestBalanced(t *testing.T) {
	tr, _ := Glyph(2, .4, 60, 10, 1)
	a, err := tr.Balanced(3, 5)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := tr.Balanced(3, 5)
	c, _ := tr.Balanced(3, 6)
	if a.Digest() != b.Digest() || a.Digest() == c.Digest() {
		t.Error("samples are not drawn by seed")
	}
	have := map[int32]int{}
	for i := range a.Len() {
		have[a.Label(i)]++
	}
	if fmt.Sprint(have) != fmt.Sprint(map[int32]int{0: 3, 1: 3, 2: 3, 3: 3, 4: 3, 5: 3, 6: 3, 7: 3, 8: 3, 9: 3}) {
		t.Errorf("samples of each class: %v", have)
	}
	for _, n := range []int{0, 7} {
		if _, err := tr.Balanced(n, 1); err == nil {
			t.Errorf("%d samples of each class were accepted", n)
		}
	}
}
