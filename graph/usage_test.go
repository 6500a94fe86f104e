package graph

import (
	"fmt"
	"strings"
	"testing"
)

// Sizes are those of free axes, once; a shape fits what the file says, and gives an
// input of unknown rank its axes.
func TestSetSize(t *testing.T) {
	g := inputs(Shape{Sym("N"), N(3), Sym("H"), Sym("W")}, nil)
	g.Inputs[1].Name = "z"
	for _, c := range []struct {
		why string
		err error
	}{
		{`no free size "Q": the free sizes are N, H, W`, g.SetSize("Q", 3)},
		{"not positive", g.SetSize("H", 0)},
		{"", g.SetSize("H", 30)},
		{"H is to be 30 and 31", g.SetSize("H", 31)},
		{`no input "y": the inputs are x, z`, g.SetShape("y", []int{1})},
		{"has shape [N 3 H W], not [1 3]", g.SetShape("x", []int{1, 3})},
		{"has shape [N 3 H W], not [1 4 30 30]", g.SetShape("x", []int{1, 4, 30, 30})},
		{"H is to be 30 and 32", g.SetShape("x", []int{1, 3, 32, 32})},
		{"", g.SetShape("x", []int{1, 3, 30, 32})},
		{"", g.SetShape("z", []int{1, 7})},
	} {
		if c.err == nil && c.why != "" || c.err != nil && (c.why == "" || !strings.Contains(c.err.Error(), c.why)) {
			t.Errorf("%v, want %q", c.err, c.why)
		}
	}
	if got := fmt.Sprint(g.Usage.Sizes, g.Inputs[1].Shape, g.Open()); got != "map[H:30 N:1 W:32 z.0:1 z.1:7] [z.0 z.1] []" {
		t.Error(got)
	}
	if sizes, n := g.Batch(5); n != 5 || sizes["N"] != 5 || sizes["H"] != 30 {
		t.Errorf("%v, %d", sizes, n)
	}
	if err := inputs(Shape{N(1), N(3)}).SetSize("H", 3); err == nil || !strings.Contains(err.Error(), "fixes all sizes") {
		t.Error(err)
	}
}
