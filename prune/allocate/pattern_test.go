package allocate

import (
	"strings"
	"testing"

	"pare/prune"
	"pare/prune/score"
)

func TestPattern(t *testing.T) {
	for text, want := range map[string]Pattern{"": {}, "2:4": {N: 2, M: 4}, "4:4": {N: 4, M: 4}, "1:16": {N: 1, M: 16}, "block:4x4": {H: 4, W: 4}, "block:1x32": {H: 1, W: 32}} {
		p, err := ParsePattern(text)
		if err != nil || p != want {
			t.Errorf("%q: %+v, %v", text, p, err)
		}
		b, _ := p.MarshalText()
		q := Pattern{N: 9}
		if err := q.UnmarshalText(b); err != nil || string(b) != text || q != p {
			t.Errorf("%q is written as %q, and read as %+v (%v)", text, b, q, err)
		}
	}
	for text, want := range map[string]string{
		"x": "neither", "2": "neither", "2:": "neither", ":4": "neither", "0:4": "neither", "-1:4": "neither", "2:4:8": "neither", "2x4": "neither", "5:4": "no more than that",
		"block": "neither", "block:": "neither", "block:4": "neither", "block:0x3": "neither", "block:3x0": "neither", "block:2:4": "neither", "BLOCK:2x2": "neither", " 2:4": "neither",
	} {
		if p, err := ParsePattern(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v", text, p, err)
		}
	}
}

// A pattern that was made by hand and is none cuts nothing.
func TestPatternMasks(t *testing.T) {
	ws := layers([]int{2, 4}, []int{4, 4})
	for l, w := range ws {
		for i := range w.Data() {
			w.Data()[i] = float32(i + l + 1)
		}
	}
	for _, bad := range []Pattern{{}, {N: 2}, {M: 4}, {N: 5, M: 4}, {H: 2}, {W: 2}, {H: -1, W: 2}, {H: 2, W: -1}, {N: -2, M: 4}, {N: 2, M: 4, H: 2, W: 2}} {
		if _, err := bad.Masks(ws, score.Magnitude(ws), .5); err == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
	for p, want := range map[Pattern][]int{{N: 1, M: 4}: {2, 4}, {N: 4, M: 4}: {8, 16}, {H: 2, W: 2}: {4, 8}, {H: 4, W: 4}: {8, 16}} {
		m, err := p.Masks(ws, score.Magnitude(ws), .5)
		if err != nil || m.Mask[0].Count() != want[0] || m.Mask[1].Count() != want[1] {
			t.Errorf("%v keeps %v, want %v (%v)", p, m, want, err)
		}
	}
	if _, err := (Pattern{H: 2, W: 2}).Masks(ws, score.Magnitude(ws), 1); err == nil {
		t.Error("a sparsity of 1 was accepted")
	}
}

// Names are those of rules, and of the ranking over all layers.
func TestName(t *testing.T) {
	ws := weights([]float32{1, 2, 3, 4}, []float32{10, 20, 30, 40})
	sc := score.Magnitude(ws)
	for name, want := range map[Name][]int{"global": {0, 4}, "uniform": {2, 2}, "er": {2, 2}, "erk": {2, 2}} {
		m, err := name.Masks(ws, sc, .5, nil)
		if err != nil || m.Mask[0].Count() != want[0] || m.Mask[1].Count() != want[1] {
			t.Errorf("%s keeps %v (%v)", name, m, err)
		}
		rule, err := name.Rule()
		if name == Together {
			if err == nil {
				t.Error("global has a rule")
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		keep, err := rule(ws, .5)
		if err != nil || keep[0] != want[0] || keep[1] != want[1] {
			t.Errorf("%s: %v (%v)", name, keep, err)
		}
		if n, err := rule.Masks(ws, sc, .5); err != nil || n.Hash() != m.Hash() {
			t.Errorf("%s: the rule of the name keeps others (%v)", name, err)
		}
	}
	if m, err := Together.Masks(ws, sc, .5, One(ws)); err != nil || m.Mask[0].Count() != 1 || m.Mask[1].Count() != 3 || !m.Mask[0].Kept(3) {
		t.Errorf("with a floor of one: %v, %v", m, err)
	}
	for _, name := range []Name{"", "nosuch", "Global"} {
		if _, err := name.Masks(ws, sc, .5, nil); err == nil || !strings.Contains(err.Error(), "uniform, er and erk") {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []Name{"global", "uniform", "er", "erk"} {
		if _, err := name.Masks(ws, sc, 1, nil); err == nil {
			t.Errorf("%s: a sparsity of 1 was accepted", name)
		}
	}
	// of equal scores the first goes first
	same := weights([]float32{1, 1, 1, 1})
	if m, err := Name("uniform").Masks(same, score.Magnitude(same), .5, nil); err != nil || m.Mask[0].Kept(0) || !m.Mask[0].Kept(3) {
		t.Errorf("%v, %v", m, err)
	}
}

// A shuffle keeps the counts, and the places follow the seed.
func TestShuffle(t *testing.T) {
	ws := weights(make([]float32, 100), make([]float32, 50))
	m := prune.Dense(ws)
	m.Mask[0] = prune.NewMask(100, false)
	for i := range 30 {
		m.Mask[0].Set(i, true)
	}
	a, b := Shuffle(m, 1), Shuffle(m, 2)
	if c := Counts(a); c[0] != 30 || c[1] != 50 || a.Hash() != Shuffle(m, 1).Hash() || a.Hash() == b.Hash() || a.Hash() == m.Hash() {
		t.Errorf("%v of the first seed, %v of the second", Counts(a), Counts(b))
	}
}
