package prune

import (
	"math/rand/v2"
	"slices"
	"sort"
	"testing"
)

func kept(m *Mask) []int {
	var out []int
	for i := range m.Len {
		if m.Kept(i) {
			out = append(out, i)
		}
	}
	return out
}

func TestTopK(t *testing.T) {
	for _, c := range []struct {
		score []float32
		k     int
		ties  Ties
		want  []int
	}{
		{[]float32{3, 1, 2}, 2, CutFirst, []int{0, 2}},
		{[]float32{1, 1, 1, 1}, 2, CutFirst, []int{2, 3}},
		{[]float32{1, 1, 1, 1}, 2, KeepFirst, []int{0, 1}},
		{[]float32{-2, -1, 0}, 1, CutFirst, []int{2}},
		{[]float32{1, 2}, 0, CutFirst, nil},
		{[]float32{1, 2}, 9, CutFirst, []int{0, 1}},
		{[]float32{5, 1, 1, 0}, 2, KeepFirst, []int{0, 1}},
		{[]float32{5, 1, 1, 0}, 2, CutFirst, []int{0, 2}},
	} {
		if got := kept(TopK(c.score, c.k, c.ties)); !slices.Equal(got, c.want) {
			t.Errorf("TopK(%v,%d,%d) keeps %v, want %v", c.score, c.k, c.ties, got, c.want)
		}
	}
}

// The radix selection against a sort, with many ties.
func TestGlobalSorted(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		type e struct {
			s    float32
			l, i int
		}
		var all []e
		var score [][]float32
		for l := range 1 + r.IntN(4) {
			s := make([]float32, 1+r.IntN(90))
			for i := range s {
				s[i] = float32(r.IntN(7)-2) / 4
				all = append(all, e{s[i], l, i})
			}
			score = append(score, s)
		}
		keep := r.IntN(len(all) + 1)
		got, err := Global(score, keep, nil)
		if err != nil {
			t.Fatal(err)
		}
		sort.SliceStable(all, func(a, b int) bool { return all[a].s < all[b].s })
		for j, x := range all {
			if got[x.l].Kept(x.i) != (j >= len(all)-keep) {
				t.Fatalf("keep %d of %d: entry %v is wrong", keep, len(all), x)
			}
		}
	}
}

func TestGlobalFloor(t *testing.T) {
	a, b := []float32{5, 4, 3, 2}, []float32{1, .9, .8, .7}
	m, err := Global([][]float32{a, b}, 4, []int{1, 1})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(kept(m[0]), []int{0, 1, 2}) || !slices.Equal(kept(m[1]), []int{0}) {
		t.Errorf("kept %v and %v", kept(m[0]), kept(m[1]))
	}
	if _, err := Global([][]float32{a, b, a}, 6, []int{3, 3, 3}); err == nil {
		t.Error("floors of 9 in 6 were accepted")
	}
	m, _ = Global([][]float32{a, b}, 4, nil)
	if m[1].Count() != 0 {
		t.Error("without a floor the weak layer should be empty")
	}
}

func TestPatterns(t *testing.T) {
	m, err := Nm([]float32{1, 2, 3, 4, 9, 8, 1, 1, 5, 6}, 2, 5, 2, 4)
	if err != nil || !slices.Equal(kept(m), []int{2, 3, 4, 5, 8, 9}) {
		t.Errorf("2:4 keeps %v (%v)", kept(m), err)
	}
	if _, err := Nm([]float32{1}, 1, 1, 5, 4); err == nil {
		t.Error("5:4 was accepted")
	}
	b, err := Blocks([]float32{1, 1, 9, 1, 1, 0, 0, 0, 7}, 3, 3, 2, 2, 2)
	if err != nil || !slices.Equal(kept(b), []int{2, 5, 8}) {
		t.Errorf("2x2 blocks keep %v (%v)", kept(b), err)
	}
}

func TestMask(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 63, 64, 65, 200} {
		m, x, want := NewMask(n, true), make([]float32, n), make([]float32, n)
		if m.Count() != n {
			t.Fatalf("full mask of %d counts %d", n, m.Count())
		}
		for i := range x {
			x[i] = r.Float32() + 1
			want[i] = x[i]
			if r.IntN(3) > 0 {
				m.Set(i, false)
				want[i] = 0
			}
		}
		m.Apply(x)
		if !slices.Equal(x, want) {
			t.Errorf("mask of %d applied wrongly", n)
		}
		c := m.Clone()
		if !m.Within(c) || m.Overlap(c) != m.Count() || NewMask(n, false).Overlap(m) != 0 {
			t.Errorf("mask of %d: nesting", n)
		}
	}
}
