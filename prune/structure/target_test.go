package structure_test

import (
	"testing"

	"pare/prune/structure"
)

// Each part of a target is kept: the share of parameters, the least share of a group,
// and the same share of every group.
func TestTarget(t *testing.T) {
	g := chain(t, 4, 20, 40, 2)
	groups, _ := structure.Groups(g)
	if len(groups) != 2 {
		t.Fatalf("%d groups", len(groups))
	}
	score := make([][]float64, 2) // all channels of the first are worth less than any of the second
	for i, grp := range groups {
		score[i] = make([]float64, len(grp.Channels))
		for c := range score[i] {
			score[i][c] = float64(1000*i + c)
		}
	}
	left := func(target structure.Target) (first, second int) {
		s, err := structure.Select(g, groups, score, target)
		if err != nil {
			t.Fatal(err)
		}
		return s[0].Count(), s[1].Count()
	}
	if a, b := left(structure.Target{MACs: .5}); a >= 10 || b != 40 {
		t.Errorf("ranked together, %d and %d stay", a, b)
	}
	if a, b := left(structure.Target{MACs: .5, Least: .5}); a != 10 || b == 40 {
		t.Errorf("of at least a half, %d and %d stay", a, b)
	}
	if a, b := left(structure.Target{MACs: .5, Even: true}); b == 40 || 2*a-b > 2 || b-2*a > 2 {
		t.Errorf("evenly, %d and %d stay", a, b)
	}
	a, b := left(structure.Target{Params: .4})
	if n := 4*a + a*b + 2*b; n > (4*20+20*40+2*40)*4/10 {
		t.Errorf("%d and %d stay, with %d parameters", a, b, n)
	}
}
