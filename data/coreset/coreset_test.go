package coreset

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pare/catalog"
	"pare/data"
	"pare/dataset"
)

// labelled is samples with classes, in the order of the numbers given.
func labelled(class ...int32) *dataset.Set {
	x, y := &dataset.Field{Name: "x", Shape: []int{1}}, &dataset.Field{Name: "label", Ints: class}
	for i, c := range class {
		x.Floats = append(x.Floats, float32(i))
		y.Classes = max(y.Classes, int(c)+1)
	}
	return dataset.New("training", x, y)
}

// cyclic is n samples of k classes, one after the other.
func cyclic(n, k int) *dataset.Set {
	class := make([]int32, n)
	for i := range class {
		class[i] = int32(i % k)
	}
	return labelled(class...)
}

func scored(set *dataset.Set, hard data.End, f func(i int) float64) *data.Score {
	x := make([]float64, set.Len())
	for i := range x {
		x[i] = f(i)
	}
	s := data.NewScore(set, hard, x)
	s.Name = "test"
	return s
}

func run(t *testing.T, m data.Method, j *data.Job) (*data.Result, []int32) {
	t.Helper()
	res, err := data.Run(context.Background(), m, j)
	if err != nil {
		t.Fatal(err)
	}
	n := slices.Clone(res.Subset.Numbers)
	if len(slices.Compact(slices.Clone(n))) != len(n) || !slices.IsSorted(n) {
		t.Fatalf("%s keeps %v", m.Card().Name, n)
	}
	return res, n
}

func numbers(lo, hi int32) (out []int32) {
	for ; lo < hi; lo++ {
		out = append(out, lo)
	}
	return out
}

// The table of the specification, and what always holds.
func TestBudgets(t *testing.T) {
	for _, c := range []struct {
		sizes []int
		m     int
		want  []int
	}{
		{[]int{10, 10, 100}, 60, []int{10, 10, 40}}, {[]int{100, 7, 30, 0, 50}, 61, []int{18, 7, 18, 0, 18}}, {[]int{3, 3, 3, 3}, 10, []int{2, 2, 3, 3}},
	} {
		if got := budgets(c.sizes, c.m); !slices.Equal(got, c.want) {
			t.Errorf("%v, %d: %v, not %v", c.sizes, c.m, got, c.want)
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		sizes, all := make([]int, 1+r.IntN(9)), 0
		for i := range sizes {
			sizes[i] = r.IntN(20)
			all += sizes[i]
		}
		m, sum := r.IntN(all+5), 0
		for i, b := range budgets(sizes, m) {
			if sum += b; b < 0 || b > sizes[i] {
				t.Fatalf("%v, %d: %d of stratum %d", sizes, m, b, i)
			}
		}
		if sum != min(m, all) {
			t.Fatalf("%v, %d: %d in all", sizes, m, sum)
		}
	}
}

// Of AUM 0..9 a cut-off of a fifth takes samples 0 and 1, whatever the strata go by.
func TestCutOffByAnother(t *testing.T) {
	set := cyclic(10, 2)
	s := NewCCS()
	s.Samples, s.Cutoff, s.Strata = 8, .2, 3
	aum := scored(set, data.Low, func(i int) float64 { return float64(i) })
	_, got := run(t, s, &data.Job{Set: set, Seed: 1, Cut: aum, Score: scored(set, data.High, func(i int) float64 { return float64(i * 7 % 10) })})
	if !slices.Equal(got, numbers(2, 10)) {
		t.Errorf("%v stay", got)
	}
	_, got = run(t, s, &data.Job{Set: set, Seed: 1, Score: scored(set, data.High, func(i int) float64 { return float64(i) })})
	if !slices.Equal(got, numbers(0, 8)) {
		t.Errorf("%v stay where high is hard", got)
	}
}

// Every sample drawn lies in its stratum; all scores negative lose none; everything kept is
// everything; constant scores are one stratum.
func TestCCS(t *testing.T) {
	set := cyclic(200, 4)
	score := scored(set, data.Low, func(i int) float64 { return -math.Pow(float64(i)/199, 3) })
	s := &CCS{Amount: data.Amount{Keep: .3}, Cutoff: .1, Strata: 10}
	res, got := run(t, s, &data.Job{Set: set, Seed: 4, Score: score})
	if len(got) != 60 {
		t.Errorf("%d stay", len(got))
	}
	// 180..199 are the lowest, and gone; strata of the rest by hand
	lo, hi := score.Values[179], score.Values[0]
	var sizes, kept [10]int
	stratum := func(v float64) int { return min(9, int((v-lo)/(hi-lo)*10)) }
	for i := range 180 {
		sizes[stratum(score.Values[i])]++
	}
	for _, k := range got {
		if k >= 180 {
			t.Fatalf("sample %d stays", k)
		}
		kept[stratum(score.Values[k])]++
	}
	f := res.Facts.(*CCSFacts)
	if f.CutOff != 20 || !slices.Equal(f.Sizes, sizes[:]) || !slices.Equal(f.Kept, kept[:]) || !slices.Equal(kept[:], budgets(sizes[:], 60)) || f.Filled != 10 {
		t.Errorf("%+v: sizes %v, kept %v", f, sizes, kept)
	}
	_, again := run(t, s, &data.Job{Set: set, Seed: 4, Score: score})
	_, other := run(t, s, &data.Job{Set: set, Seed: 5, Score: score})
	if !slices.Equal(got, again) || slices.Equal(got, other) {
		t.Error("the seed does not decide")
	}
	all := &CCS{Amount: data.Amount{Keep: 1}, Strata: 50}
	if _, got := run(t, all, &data.Job{Set: set, Score: score}); len(got) != 200 {
		t.Errorf("%d of all stay", len(got))
	}
	res, _ = run(t, s, &data.Job{Set: set, Score: scored(set, data.High, func(int) float64 { return -3 })})
	if res.Facts.(*CCSFacts).Filled != 1 || !strings.Contains(fmt.Sprint(res.Notes), "at random") {
		t.Errorf("%v, %+v", res.Notes, res.Facts)
	}
}

// The order of a score's lines changes nothing.
func TestPermuted(t *testing.T) {
	set := cyclic(60, 3)
	score := scored(set, data.High, func(i int) float64 { return math.Sin(float64(i)) })
	turned := *score
	turned.Numbers, turned.Values = slices.Clone(score.Numbers), slices.Clone(score.Values)
	slices.Reverse(turned.Numbers)
	slices.Reverse(turned.Values)
	for _, m := range []data.Method{&CCS{Amount: data.Amount{Keep: .3}, Cutoff: .1, Strata: 10}, NewRank()} {
		_, a := run(t, m, &data.Job{Set: set, Seed: 2, Score: score})
		if _, b := run(t, m, &data.Job{Set: set, Seed: 2, Score: &turned}); !slices.Equal(a, b) {
			t.Errorf("%s: %v and %v", m.Card().Name, a, b)
		}
	}
}

// Samples that were never learnt are the hardest: first cut off, and last of the strata.
func TestNeverLearnt(t *testing.T) {
	set := cyclic(40, 2)
	score := scored(set, data.High, func(i int) float64 { return float64(i % 5) })
	score.Never = make([]bool, 40)
	for _, i := range []int{3, 17} {
		score.Values[i], score.Never[i] = math.Inf(1), true
	}
	s := &CCS{Amount: data.Amount{Keep: .5}, Cutoff: .05, Strata: 5}
	if _, got := run(t, s, &data.Job{Set: set, Score: score}); slices.Contains(got, 3) || slices.Contains(got, 17) {
		t.Errorf("%v stay", got)
	}
	s.Cutoff = 0
	res, _ := run(t, s, &data.Job{Set: set, Score: score})
	if f := res.Facts.(*CCSFacts); f.Filled != 5 || f.Sizes[4] != 10 { // eight of value 4, and these two
		t.Errorf("%+v", f)
	}
	r := &Rank{Amount: data.Amount{Samples: 2}, End: "hard", Within: "all"}
	if _, got := run(t, r, &data.Job{Set: set, Score: score}); !slices.Equal(got, []int32{3, 17}) {
		t.Errorf("the hardest are %v", got)
	}
}

func TestRank(t *testing.T) {
	set := cyclic(20, 2)
	low := scored(set, data.Low, func(i int) float64 { return float64(i) })
	for _, c := range []struct {
		end  string
		want []int32
	}{{"hard", numbers(0, 5)}, {"easy", numbers(15, 20)}, {"auto", numbers(15, 20)}} {
		m := &Rank{Amount: data.Amount{Keep: .25}, End: c.end, Within: "all"}
		res, got := run(t, m, &data.Job{Set: set, Score: low})
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", c.end, got)
		}
		if end := res.Facts.(*RankFacts).End; (c.end == "hard") != (end == "hard") {
			t.Errorf("%s: %s", c.end, end)
		}
	}
	big := cyclic(1000, 2)
	auto := &Rank{Amount: data.Amount{Keep: .2}, End: "auto", Within: "all"}
	res, _ := run(t, auto, &data.Job{Set: big, Score: scored(big, data.High, func(i int) float64 { return float64(i) })})
	if res.Facts.(*RankFacts).End != "hard" {
		t.Errorf("of many samples the %s stay", res.Facts.(*RankFacts).End)
	}
	tie := scored(set, data.High, func(int) float64 { return 1 })
	if _, got := run(t, NewRank(), &data.Job{Set: set, Score: tie}); !slices.Equal(got, numbers(0, 10)) {
		t.Errorf("of equal samples %v stay", got)
	}
}

// Ten classes, m = 100, a floor of half: each keeps five at least, the best of it.
func TestFloor(t *testing.T) {
	set := cyclic(1000, 10)
	score := scored(set, data.High, func(i int) float64 { return 1000*float64(i%10) + float64(i) }) // class 9 is the hardest
	m := &Rank{Amount: data.Amount{Samples: 100}, End: "hard", Within: "all", ByClass: ByClass{Floor: .5}}
	_, got := run(t, m, &data.Job{Set: set, Score: score})
	var count [10]int
	for _, k := range got {
		count[k%10]++
		if k%10 < 9 && k < 950 {
			t.Errorf("sample %d stays, and it is not among the best of its class", k)
		}
	}
	if count != [10]int{5, 5, 5, 5, 5, 5, 5, 5, 5, 55} {
		t.Errorf("classes keep %v", count)
	}
	m.Samples, m.Keep = 0, 1
	if _, got := run(t, m, &data.Job{Set: set, Score: score}); len(got) != 1000 {
		t.Errorf("%d of all stay", len(got))
	}
	m.Samples, m.Floor = 100, 0
	res, got := run(t, m, &data.Job{Set: set, Score: score})
	if got[0]%10 != 9 || !strings.Contains(fmt.Sprint(res.Notes), "nothing is left of classes [0 1 2 3 4 5 6 7 8]") {
		t.Errorf("without a floor: %v, %v", got[0], res.Notes)
	}
}

func TestQuota(t *testing.T) {
	set := cyclic(60, 3)
	set.Class().Names = []string{"a", "b", "c"}
	m := &Random{Amount: data.Amount{Samples: 20}, ByClass: ByClass{Quota: []string{"0=3", "c=10-12"}}}
	_, got := run(t, m, &data.Job{Set: set, Seed: 3})
	var count [3]int
	for _, k := range got {
		count[k%3]++
	}
	if count[0] != 3 || count[2] < 10 || count[2] > 12 || len(got) != 20 {
		t.Errorf("%v", count)
	}
	for _, bad := range []string{"0", "7=3", "x=3", "0=-1", "0=5-3", "0=21", "0=x"} {
		m.Quota = []string{bad}
		if _, err := data.Run(context.Background(), m, &data.Job{Set: set}); err == nil || !strings.Contains(err.Error(), "Quota") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	m.Quota = []string{"0=20", "1=20"}
	if _, err := data.Run(context.Background(), m, &data.Job{Set: set}); err == nil {
		t.Error("quotas of more than stay")
	}
}

func TestRandom(t *testing.T) {
	set := cyclic(100, 4)
	_, a := run(t, NewRandom(), &data.Job{Set: set, Seed: 1})
	_, b := run(t, NewRandom(), &data.Job{Set: set, Seed: 1})
	_, c := run(t, NewRandom(), &data.Job{Set: set, Seed: 2})
	if len(a) != 50 || !slices.Equal(a, b) || slices.Equal(a, c) {
		t.Errorf("%v, %v, %v", a, b, c)
	}
	s := &Random{Amount: data.Amount{Keep: .2}, Stratified: true}
	_, d := run(t, s, &data.Job{Set: set, Seed: 1})
	var count [4]int
	for _, k := range d {
		count[k%4]++
	}
	if count != [4]int{5, 5, 5, 5} {
		t.Errorf("%v", count)
	}
	if slices.Equal(d, numbers(0, 20)) {
		t.Error("the first of each class stay")
	}
}

// A round of the method is what a training's epoch has.
func TestRS2(t *testing.T) {
	set := cyclic(40, 4)
	for _, m := range []*RS2{{Keep: .25}, {Keep: .25, Replace: true, Stratified: true}} {
		var all []int32
		for round := range 4 {
			m.Round = round
			_, got := run(t, m, &data.Job{Set: set, Seed: 6})
			l := &dataset.Loader{Set: set, Size: 5, Shuffle: true, Seed: 6, Sampler: m.Sampler()}
			want := l.Numbers(round, 1, l.Numbers(round, 0, nil))
			if slices.Sort(want); m.Stratified { // round(2.5) is 3 of each class
				want = l.Numbers(round, 1, l.Numbers(round, 0, nil))
				want = l.Numbers(round, 2, want)
				slices.Sort(want)
			}
			if !slices.Equal(got, want) {
				t.Errorf("round %d: %v, not %v", round, got, want)
			}
			all = append(all, got...)
		}
		slices.Sort(all)
		if !m.Replace && !slices.Equal(all, numbers(0, 40)) {
			t.Errorf("four rounds: %v", all)
		}
	}
}

func vectors(n, d int) *data.Embeddings {
	r := rand.New(rand.NewPCG(9, 9))
	e := &data.Embeddings{N: n, D: d, X: make([]float32, n*d)}
	for i := range e.X {
		e.X[i] = float32(r.NormFloat64())
	}
	return e
}

// Herding beside the definition: each time all sums are made anew.
func TestHerding(t *testing.T) {
	set, e := cyclic(30, 2), vectors(30, 3)
	m := &Herding{Amount: data.Amount{Samples: 9}, Stratified: true}
	_, got := run(t, m, &data.Job{Set: set, Embeddings: e})
	var want []int32
	for class := range 2 {
		var mean [3]float64
		for i := class; i < 30; i += 2 {
			for k, v := range e.At(i) {
				mean[k] += float64(v) / 15
			}
		}
		taken := map[int]bool{}
		for step := 1; step <= 5-class; step++ {
			best, least := -1, math.Inf(1)
			for i := class; i < 30; i += 2 {
				if taken[i] {
					continue
				}
				d := 0.0
				for k := range 3 {
					sum := float64(e.At(i)[k])
					for q := range taken {
						sum += float64(e.At(q)[k])
					}
					d += (mean[k] - sum/float64(step)) * (mean[k] - sum/float64(step))
				}
				if d < least-1e-12 {
					best, least = i, d
				}
			}
			taken[best] = true
			want = append(want, int32(best))
		}
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%v stay, not %v", got, want)
	}
}

// k-centre beside the definition.
func TestKCentre(t *testing.T) {
	set, e := cyclic(40, 2), vectors(40, 2)
	m := &KCentre{data.Amount{Samples: 7}}
	res, got := run(t, m, &data.Job{Set: set, Embeddings: e})
	distance := func(i, q int) float64 {
		return math.Hypot(float64(e.At(i)[0])-float64(e.At(q)[0]), float64(e.At(i)[1])-float64(e.At(q)[1]))
	}
	nearest := func(i int, of []int32) float64 {
		d := math.Inf(1)
		for _, q := range of {
			d = min(d, distance(i, int(q)))
		}
		return d
	}
	var mean [2]float64
	for i := range 40 {
		mean[0] += float64(e.At(i)[0]) / 40
		mean[1] += float64(e.At(i)[1]) / 40
	}
	first, least := 0, math.Inf(1)
	for i := range 40 {
		if d := math.Hypot(float64(e.At(i)[0])-mean[0], float64(e.At(i)[1])-mean[1]); d < least {
			first, least = i, d
		}
	}
	want := []int32{int32(first)}
	radius := 0.0
	for len(want) <= 7 {
		best := 0
		for i := range 40 {
			if nearest(i, want) > nearest(best, want) {
				best = i
			}
		}
		if len(want) == 7 {
			radius = nearest(best, want)
			break
		}
		want = append(want, int32(best))
	}
	slices.Sort(want)
	if f := res.Facts.(*KCentreFacts); !slices.Equal(got, want) || math.Abs(f.Radius-radius) > 1e-6 {
		t.Errorf("%v stay, not %v; radius %v, not %v", got, want, f.Radius, radius)
	}
	same := &data.Embeddings{N: 40, D: 1, X: make([]float32, 40)}
	if _, got := run(t, m, &data.Job{Set: set, Embeddings: same}); len(got) != 7 {
		t.Errorf("of samples at one place %v stay", got)
	}
}

func TestRefuses(t *testing.T) {
	set := cyclic(20, 2)
	score := scored(set, data.High, func(i int) float64 { return float64(i) })
	for name, c := range map[string]struct {
		m    data.Method
		j    *data.Job
		says string
	}{
		"no samples":     {&Random{Amount: data.Amount{Keep: .01}}, &data.Job{Set: set}, "0.05"},
		"too many":       {&Random{Amount: data.Amount{Samples: 21}}, &data.Job{Set: set}, "Samples"},
		"behind cut-off": {&CCS{Amount: data.Amount{Keep: .8}, Cutoff: .3, Strata: 5}, &data.Job{Set: set, Score: score}, "0.7"},
		"cut-off":        {&CCS{Amount: data.Amount{Keep: .1}, Cutoff: 1, Strata: 5}, &data.Job{Set: set, Score: score}, "Cutoff"},
		"no score":       {NewRank(), &data.Job{Set: set}, "Score"},
		"no clusters":    {&Rank{Amount: data.Amount{Keep: .5}, End: "hard", Within: "cluster"}, &data.Job{Set: set, Score: score}, "cluster"},
		"no embeddings":  {NewHerding(), &data.Job{Set: set}, "Embeddings"},
		"no centres":     {NewKCentre(), &data.Job{Set: set}, "Embeddings"},
		"strata":         {&RS2{Keep: .5, Stratified: true}, &data.Job{Set: set}, "Replace"},
		"no set":         {NewRandom(), &data.Job{}, "Data"},
		"floor":          {&Random{Amount: data.Amount{Keep: .5}, ByClass: ByClass{Floor: 1.5}}, &data.Job{Set: set}, "Floor"},
		"no class":       {&Random{Amount: data.Amount{Keep: .5}, Stratified: true}, &data.Job{Set: dataset.New("", set.X())}, "Data"},
	} {
		_, err := data.Run(context.Background(), c.m, c.j)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, m := range []data.Method{NewRS2(), NewCCS(), NewRandom(), NewRank(), NewHerding(), NewKCentre()} {
		if err := catalog.Validate(m); err != nil || m.Card().Doc == "" {
			t.Errorf("%s: %v", m.Card().Name, err)
		}
	}
}
