package transfer

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pare/catalog"
	"pare/data"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/zoo"
)

// vectors is samples of d numbers with classes; nil: none.
func vectors(name string, d, classes int, class []int32, x ...float32) *dataset.Set {
	fields := []*dataset.Field{{Name: "x", Shape: []int{d}, Floats: x}}
	if class != nil {
		fields = append(fields, &dataset.Field{Name: "label", Classes: classes, Ints: class})
	}
	return dataset.New(name, fields...)
}

// linear is a network that gives w x + b.
func linear(t *testing.T, w [][]float32, b []float32) *graph.Graph {
	t.Helper()
	in, out := len(w[0]), len(w)
	g, err := zoo.New(fmt.Sprintf("mlp:%d-%d", in, out), zoo.Options{In: []int{in}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range g.Params() {
		x := p.Const.F32()
		if len(p.Const.Shape) == 1 {
			copy(x, b)
			continue
		}
		for o := range out {
			for i := range in {
				if at := o*in + i; p.Const.Shape[0] == out {
					x[at] = w[o][i]
				} else {
					x[i*out+o] = w[o][i]
				}
			}
		}
	}
	return g
}

// identity gives a sample of n numbers as it is, times a factor.
func identity(t *testing.T, n int, by float32) *graph.Graph {
	w := make([][]float32, n)
	for i := range w {
		w[i] = make([]float32, n)
		w[i][i] = by
	}
	return linear(t, w, make([]float32, n))
}

// hot is samples of the classes that are given, as vectors with a one.
func hot(name string, classes int, class ...int32) *dataset.Set {
	x := make([]float32, len(class)*classes)
	for i, c := range class {
		x[i*classes+int(c)] = 1
	}
	return vectors(name, classes, classes, class, x...)
}

func job(set *dataset.Set, g *graph.Graph, targets ...*dataset.Set) *data.Job {
	j := &data.Job{Set: set, Norm: dataset.Raw, Seed: 1, Surrogate: g, Engine: engine.Options{Threads: 1}}
	for i, t := range targets {
		j.Targets = append(j.Targets, &data.Target{Name: fmt.Sprint("t", i), Set: t})
	}
	return j
}

func run(t *testing.T, m data.Method, j *data.Job) (*data.Result, *Facts) {
	t.Helper()
	res, err := data.Run(context.Background(), m, j)
	if err != nil {
		t.Fatal(err)
	}
	return res, res.Facts.(*Facts)
}

func mapping(count int, which string) *LabelMapping {
	m := NewLabelMapping()
	m.Count, m.Which = count, which
	return m
}

// The votes of predictions 2, 2, 0, 1, 2, 0 keep classes 2 and 0, in training and held-out
// sets, under new numbers.
func TestVotes(t *testing.T) {
	source, test := hot("training", 3, 0, 1, 2, 2, 1, 0), hot("test", 3, 1, 2, 0, 1)
	res, f := run(t, mapping(2, "top"), job(source, identity(t, 3, 1), hot("target", 3, 2, 2, 0, 1, 2, 0)))
	if !slices.Equal(f.Votes, []int{2, 1, 3}) || f.Voters != 6 || !slices.Equal(f.Kept, []int32{0, 2}) || f.NoVote != 0 {
		t.Fatalf("%+v", f)
	}
	if s := res.Subset; !slices.Equal(s.Numbers, []int32{0, 2, 3, 5}) || !slices.Equal(s.Classes, []int32{0, 2}) {
		t.Fatalf("%+v", s)
	}
	d, err := res.Subset.Apply(&dataset.Data{Train: source, Test: test})
	if err != nil {
		t.Fatal(err)
	}
	if got := data.Classes(d.Train); !slices.Equal(got, []int32{0, 1, 1, 0}) || d.Train.Class().Classes != 2 {
		t.Errorf("training classes %v", got)
	}
	if got := data.Classes(d.Test); !slices.Equal(got, []int32{1, 0}) || d.Test.Class().Classes != 2 {
		t.Errorf("test classes %v", got)
	}
}

// Copies of samples of some classes vote for exactly these, and are said to be there twice.
// All classes are the source, byte for byte.
func TestCopies(t *testing.T) {
	source := hot("training", 5, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4)
	j := job(source, identity(t, 5, 1), hot("target", 5, 4, 1, 1, 4))
	res, f := run(t, mapping(2, "top"), j)
	if !slices.Equal(f.Kept, []int32{1, 4}) || f.Targets[0].Shared != 4 || !strings.Contains(fmt.Sprint(res.Notes), "4 of the 4 samples") {
		t.Errorf("%+v, %v", f, res.Notes)
	}
	own := vectors("target", 5, 0, nil, .5, 0, 0, 0, 0 /**/, .5, 0, 0, 0, 0 /**/, 0, 0, 1, 0, 0)
	if _, f = run(t, mapping(2, "top"), job(source, identity(t, 5, 1), own)); f.Targets[0].Shared != 1 {
		t.Errorf("%d samples are in the source", f.Targets[0].Shared)
	}
	res, f = run(t, mapping(5, "top"), j)
	set, err := res.Subset.Select(source)
	if err != nil || set.Digest() != source.Digest() || f.NoVote != 3 {
		t.Errorf("all classes are other samples: %v, %+v", err, f)
	}
}

// What stays of M classes stays of M + 1; the top and the bottom are what the other is not;
// all votes are counted.
func TestNested(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var class, votes []int32
	for range 60 {
		class = append(class, int32(r.IntN(9)))
	}
	for range 25 {
		votes = append(votes, int32(r.IntN(4)*2))
	}
	j := job(hot("training", 9, class...), identity(t, 9, 1), hot("target", 9, votes...))
	var last []int32
	for m := 1; m <= 9; m++ {
		res, f := run(t, mapping(m, "top"), j)
		again, _ := run(t, mapping(m, "top"), j)
		if f.Voters != 25 || !slices.Equal(res.Subset.Numbers, again.Subset.Numbers) {
			t.Fatalf("%d classes: %+v", m, f)
		}
		for _, k := range last {
			if !slices.Contains(res.Subset.Numbers, k) {
				t.Fatalf("sample %d stays of %d classes and not of %d", k, m-1, m)
			}
		}
		last = res.Subset.Numbers
		if m < 9 {
			rest, _ := run(t, mapping(9-m, "bottom"), j)
			both := append(slices.Clone(last), rest.Subset.Numbers...)
			slices.Sort(both)
			if both = slices.Compact(both); len(both) != 60 || len(last)+len(rest.Subset.Numbers) != 60 {
				t.Fatalf("%d at the top and %d at the bottom are not all", m, 9-m)
			}
		}
	}
	any, _ := run(t, mapping(4, "random"), j)
	j.Seed = 2
	other, _ := run(t, mapping(4, "random"), j)
	if slices.Equal(any.Subset.Classes, other.Subset.Classes) {
		t.Error("seeds draw the same classes")
	}
}

// Of classes without votes that with the higher mean probability comes first, then the
// lower number: of scores by their softmax, of probabilities as they are.
func TestTies(t *testing.T) {
	source := hot("training", 4, 0, 1, 2, 3)
	for _, c := range []struct {
		target []float32
		want   []int32
	}{
		{[]float32{5, 0, 1, 0}, []int32{0, 2}},
		{[]float32{5, 1, 1, 1}, []int32{0, 1}},
		// Softmax: class 1 has e^4/(e^5+..) once, class 3 e^3 twice; sums of scores are 4 and 6.
		{[]float32{5, 4, -9, 0 /**/, 5, -9, -9, 3 /**/, 5, -9, -9, 3}, []int32{0, 1}},
		// Probabilities: class 2 has 0.36 in all, class 1 0.35; of a softmax of them class 1 would
		// have more, 0.455 and 0.448.
		{[]float32{.47, .35, .18, 0 /**/, .82, 0, .18, 0}, []int32{0, 2}},
	} {
		_, f := run(t, mapping(2, "top"), job(source, identity(t, 4, 1), vectors("target", 4, 0, nil, c.target...)))
		if !slices.Equal(f.Kept, c.want) || f.NoVote != 1 {
			t.Errorf("%v keep %v, want %v", c.target, f.Kept, c.want)
		}
	}
}

// Targets count alike, however many samples they have; equal sums of shares are ties.
func TestSeveralTargets(t *testing.T) {
	source := hot("training", 4, 0, 1, 2, 3)
	big, small := make([]int32, 30), []int32{1, 1, 3}
	for i := range big {
		big[i] = int32(i % 3 / 2 * 2) // two thirds 0, a third 2
	}
	_, f := run(t, mapping(2, "top"), job(source, identity(t, 4, 1), hot("big", 4, big...), hot("small", 4, small...)))
	if !slices.Equal(f.Kept, []int32{0, 1}) || !slices.Equal(f.Votes, []int{20, 2, 10, 1}) || !slices.Equal(f.Targets[1].Votes, []int{0, 2, 0, 1}) {
		t.Errorf("%+v", f)
	}
	b := newBallot(3)
	for _, votes := range [][]int32{{0, 0, 2}, {0, 2, 2, 2, 2, 1}, {1, 2, 1, 1, 1, 0}} { // 2/3+1/6+1/6, 1/6+4/6, 1/3+4/6+1/6
		b.target()
		for _, c := range votes {
			b.vote(int(c))
		}
	}
	b.tie = []float64{0, 0, 1}
	if got := b.order([]bool{true, true, true}); !slices.Equal(got, []int32{2, 0, 1}) {
		t.Errorf("order %v", got)
	}
	b.votes[2][2], b.votes[2][1] = 0, 5 // 2: 1/3+4/6 = 1 as 0's
	if got := b.order([]bool{true, true, true}); got[0] != 2 || got[1] != 0 {
		t.Errorf("1 and 2/3+1/6+1/6 are no tie: %v", got)
	}
}

// The whole of label mapping once more in plain loops: an MLP over pixels, votes, order.
func TestLabelOracle(t *testing.T) {
	source, _ := dataset.Glyph(2, .4, 200, 10, 1)
	target, _ := dataset.Glyph(2, .9, 70, 10, 7)
	g, err := zoo.New("mlp:64-12-10", zoo.Options{In: []int{1, 8, 8}, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	norm := dataset.Norm{Scale: 1, Mean: []float32{.25}, Std: []float32{2}}
	j := job(source, g, target)
	j.Norm = norm
	m := NewLabelMapping()
	m.Share = .4
	_, f := run(t, m, j)

	votes, chance := make([]int, 10), make([]float64, 10)
	for i := range target.Len() {
		x := make([]float64, 64)
		for k := range x {
			x[k] = (float64(target.X().Floats[i*64+k]) - .25) / 2
		}
		p := g.Params()
		for l := 0; l < len(p); l += 2 {
			w, b := p[l], p[l+1]
			if len(w.Const.Shape) == 1 {
				w, b = b, w
			}
			y := make([]float64, b.Const.Len())
			for o := range y {
				y[o] = float64(b.Const.F32()[o])
				for k, v := range x {
					at := o*len(x) + k
					if w.Const.Shape[0] == len(x) && len(x) != len(y) {
						at = k*len(y) + o
					}
					y[o] += v * float64(w.Const.F32()[at])
				}
				if l+2 < len(p) {
					y[o] = max(0, y[o])
				}
			}
			x = y
		}
		best, sum := 0, 0.
		for c, v := range x {
			if sum += math.Exp(v); v > x[best] {
				best = c
			}
		}
		votes[best]++
		for c, v := range x {
			chance[c] += math.Exp(v) / sum / float64(target.Len())
		}
	}
	want := []int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	slices.SortFunc(want, func(a, b int32) int {
		if votes[a] != votes[b] {
			return votes[b] - votes[a]
		}
		if chance[a] > chance[b] {
			return -1
		}
		return 1
	})
	kept := slices.Clone(want[:4])
	slices.Sort(kept)
	if !slices.Equal(f.Votes, votes) || !slices.Equal(f.Kept, kept) {
		t.Errorf("votes %v, kept %v; by hand %v and %v", f.Votes, f.Kept, votes, kept)
	}
}

// features gives a job embeddings: the numbers of the samples themselves.
func features(t *testing.T, j *data.Job) *data.Job {
	t.Helper()
	of := func(s *dataset.Set) *data.Embeddings {
		e, err := data.NewEmbeddings(s.X().Floats, s.X().Size())
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	j.Embeddings = of(j.Set)
	for _, x := range j.Targets {
		x.Embeddings = of(x.Set)
	}
	return j
}

// cloud is n samples around each of the classes' places.
func cloud(name string, seed uint64, n int, by float64, at ...[2]float64) *dataset.Set {
	r := rand.New(rand.NewPCG(seed, 5))
	var x []float32
	var class []int32
	for range n {
		for c, p := range at {
			x = append(x, float32(p[0]+by*r.NormFloat64()), float32(p[1]+by*r.NormFloat64()))
			class = append(class, int32(c))
		}
	}
	return vectors(name, 2, len(at), class, x...)
}

// With a cluster for each sample the votes are those of nearest neighbours.
func TestNearestNeighbours(t *testing.T) {
	source := cloud("training", 1, 4, 1, [2]float64{0, 0}, [2]float64{3, 1}, [2]float64{-2, 4})
	target := cloud("target", 2, 30, 1.5, [2]float64{0, 0}, [2]float64{3, 1})
	m := NewFeatureMapping()
	m.Clusters, m.Count = source.Len(), source.Len()
	_, f := run(t, m, features(t, job(source, nil, target)))
	want := map[int]int{}
	for i := range target.Len() {
		best, least := 0, math.Inf(1)
		for k := range source.Len() {
			d := 0.
			for q := range 2 {
				e := float64(target.X().Floats[2*i+q]) - float64(source.X().Floats[2*k+q])
				d += e * e
			}
			if d < least {
				best, least = k, d
			}
		}
		want[best]++
	}
	var a, b []int
	for _, n := range want {
		a = append(a, n)
	}
	for _, n := range f.Votes {
		if n > 0 {
			b = append(b, n)
		}
	}
	slices.Sort(a)
	slices.Sort(b)
	if !slices.Equal(a, b) || f.Voters != target.Len() {
		t.Errorf("votes %v, of nearest neighbours %v", b, a)
	}
}

// By the means of classes it is label mapping by a network that knows the nearest mean, and
// a constant that is added to all features changes nothing.
func TestClassMeans(t *testing.T) {
	at := [][2]float64{{0, 0}, {8, 0}, {0, 8}, {8, 8}, {4, 20}}
	source := cloud("training", 1, 20, .5, at...)
	target := cloud("target", 2, 9, 1, at[1], at[3], at[3], at[4])
	mean := make([][]float64, 5)
	for i, c := range source.Class().Ints {
		if mean[c] == nil {
			mean[c] = make([]float64, 2)
		}
		for q := range 2 {
			mean[c][q] += float64(source.X().Floats[2*i+q]) / 20
		}
	}
	w, b := make([][]float32, 5), make([]float32, 5)
	for c, m := range mean { // -|x-m|^2/2, without what all have in common
		w[c] = []float32{float32(m[0]), float32(m[1])}
		b[c] = float32(-(m[0]*m[0] + m[1]*m[1]) / 2)
	}
	j := features(t, job(source, linear(t, w, b), target))
	lm, lf := run(t, mapping(3, "top"), j)
	m := NewFeatureMapping()
	m.Count = 3
	fm, ff := run(t, m, j)
	if !slices.Equal(lf.Votes, ff.Votes) || !slices.Equal(lm.Subset.Classes, fm.Subset.Classes) || !slices.Equal(lm.Subset.Numbers, fm.Subset.Numbers) || !slices.Equal(ff.Kept, []int32{1, 3, 4}) {
		t.Errorf("features %+v, labels %+v", ff, lf)
	}
	for _, e := range []*data.Embeddings{j.Embeddings, j.Targets[0].Embeddings} {
		e.X = slices.Clone(e.X)
		for i := range e.X {
			e.X[i] += 32
		}
	}
	for _, clusters := range []int{0, 5} {
		m.Clusters = clusters
		moved, mf := run(t, m, j)
		if !slices.Equal(moved.Subset.Numbers, fm.Subset.Numbers) || mf.Voters != 36 {
			t.Errorf("%d clusters, moved: %+v", clusters, mf)
		}
		if (moved.Subset.Classes == nil) != (clusters > 0) {
			t.Errorf("%d clusters have classes %v", clusters, moved.Subset.Classes)
		}
	}
}

// Of groups without votes the one that is nearer in the mean comes first.
func TestNearTies(t *testing.T) {
	source := vectors("training", 1, 4, []int32{0, 1, 2, 3}, 100, 0, 10, -12)
	m := NewFeatureMapping()
	m.Count = 2
	_, f := run(t, m, features(t, job(source, nil, vectors("target", 1, 0, nil, 1, -1))))
	if !slices.Equal(f.Kept, []int32{1, 2}) || f.NoVote != 1 {
		t.Errorf("%+v", f)
	}
}

func TestRefused(t *testing.T) {
	source, target := hot("training", 3, 0, 1, 2), hot("target", 3, 2)
	ok := func() *data.Job { return features(t, job(source, identity(t, 3, 1), target)) }
	fm := NewFeatureMapping()
	clusters := func(k int) *FeatureMapping { m := NewFeatureMapping(); m.Clusters = k; return m }
	few := mapping(0, "top")
	few.Share = .3
	bare := vectors("training", 3, 0, nil, 1, 2, 3)
	for _, c := range []struct {
		m    data.Method
		j    *data.Job
		says string
	}{
		{mapping(1, "top"), &data.Job{Set: source}, "{Target}"},
		{mapping(1, "top"), job(source, nil, target), "{Surrogate}"},
		{mapping(1, "top"), job(source, identity(t, 2, 1), vectors("target", 2, 0, nil, 1, 2)), "{Surrogate} gives 2 numbers"},
		{mapping(1, "top"), job(source, identity(t, 3, 1), vectors("target", 2, 0, nil, 1, 2)), "{Target} t0 cannot be shown"},
		{mapping(1, "top"), job(source, identity(t, 3, 1), vectors("target", 3, 0, nil)), "no training samples"},
		{mapping(1, "top"), job(bare, identity(t, 3, 1), target), "feature-mapping"},
		{mapping(1, "top"), job(vectors("training", 1, 2, []int32{0, -1}, 1, 2), identity(t, 3, 1), target), "has no class"},
		{mapping(4, "top"), ok(), "{Count} 4"},
		{few, ok(), "{Share}"},
		{fm, job(source, nil, target), "{Embeddings}"},
		{clusters(4), ok(), "{Clusters} 4"},
		{fm, features(t, job(bare, nil, target)), "{Clusters}"},
		{fm, features(t, job(source, nil, vectors("target", 2, 0, nil, 1, 2))), "{Target} t0"},
	} {
		_, err := data.Run(context.Background(), c.m, c.j)
		if err == nil || !strings.Contains(raw(err), c.says) {
			t.Errorf("want %q, got %v", c.says, err)
		}
	}
	j := ok()
	j.Held = []*dataset.Set{hot("test", 4, 3)}
	if _, err := data.Run(context.Background(), mapping(1, "top"), j); err == nil || !strings.Contains(err.Error(), "test set has samples of class 3") {
		t.Error(err)
	}
	if _, err := data.NewEmbeddings([]float32{1, float32(math.NaN())}, 1); err == nil {
		t.Error("NaN is taken for a feature")
	}
	j = job(source, identity(t, 3, float32(math.Inf(1))), target)
	if _, err := data.Run(context.Background(), mapping(1, "top"), j); err == nil || !strings.Contains(err.Error(), "NaN") {
		t.Error(err)
	}
}

// raw is an error with its fields as the library writes them.
func raw(err error) string {
	return catalog.Rename(err, func(field string) string { return "{" + field + "}" })
}

// What a subset says of its classes is read back from every file that can hold it.
func TestFiles(t *testing.T) {
	source := hot("training", 3, 0, 1, 2, 2)
	res, _ := run(t, mapping(2, "top"), job(source, identity(t, 3, 1), hot("target", 3, 2, 1)))
	for _, ext := range []string{".txt", ".csv", ".jsonl"} {
		b, err := res.Subset.Encode(ext)
		if err != nil {
			t.Fatal(err)
		}
		path := t.TempDir() + "/s" + ext
		write(t, path, b)
		s, err := data.ReadSubset(path)
		if err != nil || !reflect.DeepEqual(s, res.Subset) {
			t.Errorf("%s: %+v, %v", ext, s, err)
		}
		write(t, path, []byte(strings.Replace(string(b), `"classes":[1,2]`, `"classes":[2,1]`, 1)))
		if _, err := data.ReadSubset(path); err == nil {
			t.Errorf("%s: falling classes are taken", ext)
		}
	}
	s := *res.Subset
	for _, bad := range [][]int32{{2}, {1, 9}} {
		s.Classes = bad
		if _, err := s.Select(source); err == nil {
			t.Errorf("classes %v are taken", bad)
		}
	}
	s.Classes = []int32{1, 2}
	if _, err := s.Apply(&dataset.Data{Train: source, Test: hot("test", 3, 0)}); err == nil {
		t.Error("an empty test set is taken")
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}
