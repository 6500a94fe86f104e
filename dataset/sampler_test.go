package dataset

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// labelled has as many samples of each class.
func labelled(counts ...int) *Set {
	x, y := &Field{Name: "x", Shape: []int{1}}, &Field{Name: "label", Classes: len(counts)}
	for c, n := range counts {
		for range n {
			x.Floats = append(x.Floats, float32(len(x.Floats)))
			y.Ints = append(y.Ints, int32(c))
		}
	}
	return New("training", x, y)
}

// round lists the samples of an epoch.
func round(l *Loader, epoch int) (out []int32) {
	for i := range l.Steps() {
		out = l.Numbers(epoch, i, out)
	}
	return out
}

func sampler(t *testing.T, text string) Sampler {
	t.Helper()
	s, err := ParseSampler(text)
	if err != nil {
		t.Fatal(err)
	}
	if s.String() != text {
		t.Errorf("%s is written as %s", text, s)
	}
	return s
}

// Without replacement, m of N = 10: rounds of 3, the fourth of which shares two samples
// with the first; then a new permutation begins.
func TestRoundsOfThree(t *testing.T) {
	l := &Loader{Set: labelled(10), Size: 3, Shuffle: true, Seed: 4, Sampler: sampler(t, "rs2:0.3")}
	var first, all []int32
	for e := range 4 {
		r := round(l, e)
		if len(r) != 3 || len(slices.Compact(slices.Sorted(slices.Values(r)))) != 3 {
			t.Fatalf("round %d: %v", e, r)
		}
		if e == 0 {
			first = r
		}
		if all = append(all, r...); e == 3 && !(slices.Contains(first, r[1]) && slices.Contains(first, r[2]) && !slices.Contains(first, r[0])) {
			t.Errorf("round 3 is %v, the first %v", r, first)
		}
	}
	if len(slices.Compact(slices.Sorted(slices.Values(all)))) != 10 {
		t.Errorf("four rounds have %v", all)
	}
	if r := round(l, 4); slices.Equal(r, first) {
		t.Error("the fifth round begins the same permutation again")
	}
	if again := (&Loader{Set: l.Set, Size: 3, Shuffle: true, Seed: 4, Sampler: l.Sampler}); !slices.Equal(round(again, 6), round(l, 6)) {
		t.Error("a round depends on those before it")
	}
}

// Where m divides N, N/m rounds from a reshuffle on have every sample once.
func TestRoundsCoverAll(t *testing.T) {
	l := &Loader{Set: labelled(20), Size: 5, Shuffle: true, Seed: 1, Sampler: sampler(t, "rs2:0.25")}
	for begin := 0; begin < 12; begin += 4 {
		var all []int32
		for e := range 4 {
			all = append(all, round(l, begin+e)...)
		}
		slices.Sort(all)
		for i, k := range all {
			if int(k) != i {
				t.Fatalf("rounds from %d on have %v", begin, all)
			}
		}
	}
}

// With replacement no round repeats a sample, and a sample is in Binomial(X, m/N) of the
// rounds; without, in about as many as any other.
func TestReplacement(t *testing.T) {
	const n, m, rounds = 50, 10, 600
	for _, replace := range []bool{true, false} {
		l := &Loader{Set: labelled(n), Size: m, Shuffle: true, Seed: 7, Sampler: Sampler{Share: .2, Replace: replace}}
		var count [n]float64
		for e := range rounds {
			r := round(l, e)
			for _, k := range r {
				count[k]++
			}
			slices.Sort(r)
			if len(slices.Compact(r)) != m {
				t.Fatalf("round %d repeats a sample", e)
			}
		}
		const mean, variance = rounds * .2, rounds * .2 * .8
		spread := 0.0
		for _, c := range count {
			spread += (c - mean) * (c - mean)
		}
		chi := spread / variance // of 49 degrees of freedom, for the counts sum up
		if replace && (chi < 22 || chi > 86) {
			t.Errorf("chi-square %.1f of the counts", chi)
		}
		if !replace && spread != 0 {
			t.Errorf("spread %.1f without replacement, where m divides N", spread)
		}
	}
}

// All samples, in the order of a training without a sampler.
func TestShareOfOne(t *testing.T) {
	for _, text := range []string{"rs2:1", "rs2:1:replace"} {
		plain := &Loader{Set: labelled(23), Size: 4, Shuffle: true, Seed: 3}
		l := &Loader{Set: plain.Set, Size: 4, Shuffle: true, Seed: 3, Sampler: sampler(t, text)}
		for e := range 3 {
			if !slices.Equal(round(l, e), round(plain, e)) {
				t.Errorf("%s: epoch %d is another", text, e)
			}
		}
	}
}

// Strata keep the share of each class; of small classes each gives one sample at least.
func TestStrata(t *testing.T) {
	set := labelled(42, 7, 20)
	l := &Loader{Set: set, Size: 1, Shuffle: true, Seed: 3, Sampler: sampler(t, "rs2:0.25:replace:stratified")}
	few := &Loader{Set: set, Size: 1, Shuffle: true, Seed: 3, Sampler: sampler(t, "rs2:0.06:replace:stratified")}
	seen := map[int32]bool{}
	for e := range 30 {
		var count, small [3]int
		for _, k := range round(l, e) {
			count[set.Label(int(k))]++
			seen[k] = true
		}
		if count != [3]int{11, 2, 5} {
			t.Errorf("round %d has %v", e, count)
		}
		for _, k := range round(few, e) {
			small[set.Label(int(k))]++
		}
		if small[0]+small[1]+small[2] != 4 || min(small[0], small[1], small[2]) < 1 {
			t.Errorf("round %d has %v", e, small)
		}
	}
	if len(seen) < 65 {
		t.Errorf("30 rounds have seen %d samples", len(seen))
	}
}

// What is left over at the end of a round is dropped, or filled up from its beginning.
func TestLastBatch(t *testing.T) {
	set := labelled(100)
	drop := &Loader{Set: set, Size: 4, Shuffle: true, Seed: 3, Sampler: sampler(t, "rs2:0.1")}
	fill := &Loader{Set: set, Size: 4, Shuffle: true, Seed: 3, Sampler: sampler(t, "rs2:0.1:fill")}
	a, b := round(drop, 2), round(fill, 2)
	if len(a) != 8 || len(b) != 12 || !slices.Equal(a, b[:8]) || !slices.Equal(b[10:], b[:2]) {
		t.Errorf("%v and %v", a, b)
	}
	x := make([]float32, 4)
	if n, err := fill.Fill(2, 2, []Buffer{{Field: 0, X: x, Raw: true}}); n != 4 || err != nil || x[0] != float32(b[8]) || x[3] != float32(b[1]) {
		t.Errorf("%d samples %v: %v", n, x, err)
	}
}

func TestSamplerRefuses(t *testing.T) {
	for _, text := range []string{"rs2", "rs2:", "rs2:0", "rs2:1.1", "rs2:NaN", "rs2:0.1:stratified", "rs2:0.1:replace:replace", "rs3:0.1", "rs2:0.1:x"} {
		if s, err := ParseSampler(text); err == nil {
			t.Errorf("%s is read as %v", text, s)
		}
	}
	strata := Sampler{Share: .1, Replace: true, Stratified: true}
	for name, c := range map[string]struct {
		s     Sampler
		set   *Set
		batch int
		says  string
	}{
		"share": {Sampler{Share: 2}, labelled(10), 1, "(0,1]"}, "NaN": {Sampler{Share: math.NaN()}, labelled(10), 1, ""}, "no sample": {Sampler{Share: .01}, labelled(10), 1, "0.05"},
		"batch": {Sampler{Share: .1}, labelled(100), 11, "11"}, "empty class": {strata, labelled(10, 0, 10), 1, "class 1"},
		"too few": {Sampler{Share: .05, Replace: true, Stratified: true}, labelled(5, 5, 5), 1, "3 classes"}, "no classes": {strata, New("", &Field{Name: "x", Shape: []int{1}, Floats: make([]float32, 30)}), 1, "strata"},
	} {
		if err := c.s.Check(c.set, c.batch); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := (Sampler{Share: .1, Fill: true}).Check(labelled(100), 11); err != nil {
		t.Error(err)
	}
}

func TestPick(t *testing.T) {
	a, b, err := labelled(10, 10).Split(.5, 1)
	if err != nil {
		t.Fatal(err)
	}
	var numbers []int32
	for i := range 4 {
		numbers = append(numbers, int32(a.Number(7-i)))
	}
	p, err := a.Pick(numbers)
	if err != nil || p.Len() != 4 || p.Number(0) != a.Number(4) || p.Stored().Len() != 20 || p.Stored().Digest() != b.Stored().Digest() {
		t.Errorf("%v: %v", p, err)
	}
	for _, bad := range [][]int32{{-1}, {20}, {int32(b.Number(0))}, {numbers[0], numbers[0]}} {
		if _, err := a.Pick(bad); err == nil {
			t.Errorf("%v are picked", bad)
		}
	}
}
