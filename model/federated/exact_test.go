package federated

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"testing"

	"pare/dataset"
	"pare/engine"
	"pare/internal/modeltest"
	"pare/internal/oracle"
	"pare/model"
	"pare/prune"
	"pare/prune/schedule"
	"pare/train"
)

// small is a federation of a chain with normalisations, and its settings.
func small(t *testing.T) (*FedTiny, *model.Job) {
	t.Helper()
	j := oracle.Job(t, "mlp:10-12-8-4", 150, 10, 1, 5)
	oracle.Normalise(t, j)
	s := NewFedTiny()
	s.Sparsity, s.Clients, s.Rounds, s.Dirichlet, s.Pool, s.Develop, s.Rate, s.Every, s.Until, s.Blocks = .6, 3, 6, .7, 3, 30, .5, 1, train.Share(1), 2
	return s, j
}

// Every layer keeps as many weights in every round as the mask that was chosen, and all
// together as many as were asked for, to the weight; what clients sent is at least what
// moved, and at most that for every client.
func TestCountsStay(t *testing.T) {
	s, j := small(t)
	f, err := s.prepare(j)
	if err != nil {
		t.Fatal(err)
	}
	var counts [][]int
	f.server.link = linkFunc(func(ctx context.Context, k int, b []byte) ([]byte, error) {
		var c []int
		for _, m := range f.server.masks {
			c = append(c, m.Count())
		}
		counts = append(counts, c)
		return f.clients.Ask(ctx, k, b)
	})
	res, err := f.run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	facts := res.Facts.(*Facts)
	want := facts.Pool[facts.Chosen].Kept
	rounds := counts[len(counts)-s.Rounds*s.Clients:]
	for _, c := range rounds {
		if !slices.Equal(c, want) {
			t.Fatalf("layers keep %v, want %v", c, want)
		}
	}
	all := 120 + 96 + 32 + 12 + 8 + 4 + 2*(12+8)
	if total := int(.4 * float64(all)); res.Masks.Count()+facts.Dense != total || facts.Params != all {
		t.Errorf("%d of %d parameters stay, want %d of %d", res.Masks.Count()+facts.Dense, facts.Params, total, all)
	}
	moved := 0
	for _, r := range facts.Rounds {
		for _, m := range r.Adjusted {
			if moved++; m.Pairs < m.Count || m.Pairs > s.Clients*m.Count {
				t.Errorf("round %d: %+v", r.Round, m)
			}
		}
	}
	if moved < 4 {
		t.Errorf("%d adjustments of layers", moved)
	}
}

type linkFunc func(ctx context.Context, k int, b []byte) ([]byte, error)

func (f linkFunc) Ask(ctx context.Context, k int, b []byte) ([]byte, error) { return f(ctx, k, b) }

// What is kept of a stream is what sorting everything gives, whatever the tiles; memory is
// taken for what is kept alone.
func TestTop(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for trial := range 200 {
		n := 1 + r.IntN(60)
		x, kept := make([]float32, n), prune.NewMask(n, false)
		var open []int
		for i := range x {
			x[i] = float32(r.IntN(9)-4) / 2 // with many ties
			if r.IntN(20) == 0 {
				x[i] = float32(math.NaN())
			}
			if r.IntN(3) == 0 {
				kept.Set(i, true)
			} else {
				open = append(open, i)
			}
		}
		size := func(i int) float64 {
			if x[i] != x[i] {
				return 0
			}
			return math.Abs(float64(x[i]))
		}
		a := r.IntN(len(open) + 1)
		sort.SliceStable(open, func(p, q int) bool { return size(open[p]) > size(open[q]) })
		want := slices.Clone(open[:a])
		slices.Sort(want)
		top, step := NewTop(a), 1+r.IntN(n)
		for at := 0; at < n; at += step {
			top.Push(at, x[at:min(at+step, n)], kept)
		}
		index, value := top.Pairs()
		if !slices.Equal(index, want) {
			t.Fatalf("trial %d: %v, want %v", trial, index, want)
		}
		for i, k := range index {
			if float64(abs(value[i])) != size(k) {
				t.Fatalf("trial %d: value %v at %d, want %v", trial, value[i], k, x[k])
			}
		}
		if cap(top.heap) != a {
			t.Fatalf("room for %d entries, where %d are kept", cap(top.heap), a)
		}
	}
}

// With a rate of 0.2 that falls over 100 rounds, 0.2, 0.1 and nothing of a layer moves at
// rounds 0, 50 and 100; nothing moves between, and one block at a time.
func TestQuotas(t *testing.T) {
	rate := schedule.Exchange{Rate: .2, Over: 100, End: 100, Every: 10}
	for at, want := range map[int]float64{0: .2, 50: .1, 100: 0} {
		if got := rate.At(at); math.Abs(got-want) > 1e-12 {
			t.Errorf("round %d: %v, want %v", at, got, want)
		}
	}
	s := &Server{set: &FedTiny{Blocks: 2}, rate: rate}
	for range 4 {
		m := prune.NewMask(400, false)
		for i := range 100 {
			m.Set(i, true)
		}
		s.masks = append(s.masks, m)
	}
	a := int(.1 * (1 + math.Cos(math.Pi*.1)) * 100)
	for round, want := range map[int][]Quota{
		0: nil, 5: nil, 10: {{2, a}, {3, a}}, 20: {{0, 18}, {1, 18}}, 50: {{2, 10}, {3, 10}}, 100: nil, 110: nil,
	} {
		if got := s.quotas(round); !slices.Equal(got, want) {
			t.Errorf("round %d: %v, want %v", round, got, want)
		}
	}
}

// Statistics that are pooled over clients are those of all their samples together, not
// the mean of their variances.
func TestPooledStatistics(t *testing.T) {
	_, j := small(t)
	shards, err := Split(j.Data.Train, 4, .2, 3)
	if err != nil {
		t.Fatal(err)
	}
	of := func(s *dataset.Set) []train.Moments {
		m, err := train.BatchMoments(context.Background(), j.Graph, train.NewData(&dataset.Loader{Set: s, Size: s.Len(), Norm: j.Data.Norm}), 1, engine.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	var parts [][]train.Moments
	var samples []int
	for _, s := range shards {
		parts, samples = append(parts, of(s)), append(samples, s.Len())
	}
	all, got := of(j.Data.Train)[0], newCombiner("mean", samples).allNorms(parts)[0]
	apart := 0.0
	for c := range all.Mean {
		if math.Abs(float64(all.Mean[c]-got.Mean[c])) > 1e-5 || math.Abs(float64(all.Var[c]-got.Var[c])) > 1e-5*float64(1+all.Var[c]) {
			t.Errorf("channel %d: mean %v, variance %v, want %v, %v", c, got.Mean[c], got.Var[c], all.Mean[c], all.Var[c])
		}
		plain := 0.0
		for k, n := range samples {
			plain += float64(n) / 150 * float64(parts[k][0].Var[c])
		}
		apart = max(apart, float64(all.Var[c])/plain)
	}
	if apart < 1.2 {
		t.Errorf("clients hardly differ: the test shows nothing (%v)", apart)
	}
}

// The mean of models that are one is that one, to the bit; trimmed too.
func TestSameModels(t *testing.T) {
	s, j := small(t)
	f, err := s.prepare(j)
	if err != nil {
		t.Fatal(err)
	}
	one := f.server.net.read(prune.Dense(f.server.net.ws).Mask)
	for _, a := range []Aggregate{"mean", "trimmed:0.2"} {
		got := newCombiner(a, []int{7, 1, 23, 5, 11}).model([]*Model{one, one, one, one, one})
		for i := range one.Values {
			if !slices.Equal(got.Values[i], one.Values[i]) {
				t.Errorf("%s: sparse tensor %d differs", a, i)
			}
		}
		for i := range one.Dense {
			if !slices.Equal(got.Dense[i], one.Dense[i]) {
				t.Errorf("%s: dense tensor %d differs", a, i)
			}
		}
		for i := range one.Norms {
			if !slices.Equal(got.Norms[i].Mean, one.Norms[i].Mean) || !slices.Equal(got.Norms[i].Var, one.Norms[i].Var) {
				t.Errorf("%s: normalisation %d differs", a, i)
			}
		}
	}
}

// Clients with shards of one size that make one step each on all of it make together one
// step on all samples.
func TestOneStep(t *testing.T) {
	j := oracle.Job(t, "mlp:10-12-4", 120, 40, 1, 5)
	whole, _ := j.Graph.Clone(true)
	s := NewFedTiny()
	s.Sparsity, s.Clients, s.Rounds, s.Dirichlet, s.Mask, s.Rate = 0, 3, 1, 0, "magnitude", 0
	res := modeltest.Run(t, s, j)
	k := *j
	k.Graph, k.Recipe.Batch = whole, 120
	if _, err := k.Fit(context.Background(), whole); err != nil {
		t.Fatal(err)
	}
	for _, v := range whole.Params() {
		got := res.Graph.Value(v.Name).Const.F32()
		for i, x := range v.Const.F32() {
			if math.Abs(float64(x-got[i])) > 1e-6 {
				t.Fatalf("%s[%d] is %v, want %v", v.Name, i, got[i], x)
			}
		}
	}
}

// Trimming leaves out the extremes of every number, and weighs clients alike.
func TestTrimmed(t *testing.T) {
	c := newCombiner("trimmed:0.2", []int{1, 1, 1, 1, 1000})
	if got := c.tensors([][]float32{{1, 5}, {2, 1e30}, {3, 6}, {-1e30, 7}, {4, 6}}); got[0] != 2 || math.Abs(float64(got[1])-19./3) > 1e-6 {
		t.Errorf("%v", got)
	}
	if got := newCombiner("trimmed:0.4", []int{1, 1}).tensors([][]float32{{1}, {3}}); got[0] != 2 {
		t.Errorf("of two clients: %v", got)
	}
	for _, text := range []string{"", "median", "trimmed", "trimmed:", "trimmed:0", "trimmed:0.5", "trimmed:-1", "trimmed:NaN", "trimmed:x"} {
		if _, err := Aggregate(text).trim(); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// A client's change is no larger than is allowed, and keeps its direction.
func TestClip(t *testing.T) {
	from := &Model{Values: [][]float32{{1, 2}}, Dense: [][]float32{{3}}}
	m := &Model{Values: [][]float32{{1, 5}}, Dense: [][]float32{{7}}} // 5 away
	if clip(m, from, 5) {
		t.Error("what is allowed was clipped")
	}
	if !clip(m, from, 1) || fmt.Sprint(m.Values, m.Dense) != fmt.Sprint([][]float32{{1, 2.6}}, [][]float32{{3.8}}) {
		t.Errorf("%v %v", m.Values, m.Dense)
	}
}

// Shards have every sample once and none is too small; the smaller the concentration, the
// more they differ; the same seed gives the same.
func TestSplit(t *testing.T) {
	tr, _ := dataset.Glyph(2, .4, 1000, 10, 1)
	uneven := func(concentration float64) float64 {
		shards, err := Split(tr, 10, concentration, 4)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := Split(tr, 10, concentration, 4)
		seen := map[int]bool{}
		sum := 0.0 // of the largest class's share
		for k, s := range shards {
			if s.Len() < leastShard || s.Digest() != again[k].Digest() {
				t.Errorf("concentration %v: client %d has %d samples, or others at the second time", concentration, k, s.Len())
			}
			count, most := map[int32]int{}, 0
			for i := range s.Len() {
				if seen[s.Number(i)] {
					t.Fatalf("sample %d stands twice", s.Number(i))
				}
				seen[s.Number(i)] = true
				count[s.Label(i)]++
				most = max(most, count[s.Label(i)])
			}
			sum += float64(most) / float64(s.Len()) / 10
		}
		if len(seen) != 1000 {
			t.Errorf("concentration %v: %d samples", concentration, len(seen))
		}
		return sum
	}
	iid, half, tenth := uneven(0), uneven(.5), uneven(.05)
	if !(iid < .25 && half > .25 && tenth > .6) || math.Abs(uneven(1000)-iid) > .08 {
		t.Errorf("the largest class has a share of %v, %v, %v, %v", iid, half, tenth, uneven(1000))
	}
	if _, err := Split(tr, 600, .5, 1); err == nil {
		t.Error("600 clients share 1000 samples")
	}
	if shards, err := Split(tr, 500, .01, 1); err != nil || slices.ContainsFunc(shards, func(s *dataset.Set) bool { return s.Len() != 2 }) {
		t.Errorf("500 clients: %v", err)
	}
}
