package neighbours

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// bent are rows that lie near a curved surface of few dimensions, as embeddings do.
func bent(n, dim, inner int, seed uint64) Matrix {
	r := rand.New(rand.NewPCG(seed, 7))
	w := make([]float64, inner*dim)
	for i := range w {
		w[i] = r.NormFloat64()
	}
	x := make([]float32, n*dim)
	z := make([]float64, inner)
	for i := range n {
		for j := range z {
			z[j] = r.NormFloat64()
		}
		for j := range dim {
			s := 0.0
			for l, v := range z {
				s += v * w[l*dim+j]
			}
			x[i*dim+j] = float32(math.Tanh(s) + .01*r.NormFloat64())
		}
	}
	return Matrix{x, dim}
}

// brute finds neighbours by looking at all pairs.
func brute(base, queries Matrix, alone bool, k int, m Metric) *Result {
	out := &Result{N: queries.Len(), K: k}
	row := func(m Matrix, i int) []float32 { return m.X[i*m.Width : (i+1)*m.Width] }
	for i := range queries.Len() {
		type pair struct {
			d  float32
			at int32
		}
		var all []pair
		for j := range base.Len() {
			if alone && i == j {
				continue
			}
			a, b := slices.Clone(row(queries, i)), slices.Clone(row(base, j))
			if m == Cosine {
				unit(a)
				unit(b)
			}
			d := 0.0
			for l := range a {
				d += (float64(a[l]) - float64(b[l])) * (float64(a[l]) - float64(b[l]))
			}
			if m == Cosine {
				d /= 2
			}
			all = append(all, pair{float32(d), int32(j)})
		}
		slices.SortStableFunc(all, func(a, b pair) int {
			switch {
			case a.d < b.d:
				return -1
			case a.d > b.d:
				return 1
			}
			return int(a.at - b.at)
		})
		for j := range k {
			if j < len(all) {
				out.Index, out.Distance = append(out.Index, all[j].at), append(out.Distance, all[j].d)
			} else {
				out.Index, out.Distance = append(out.Index, -1), append(out.Distance, float32(math.Inf(1)))
			}
		}
	}
	return out
}

func same(t *testing.T, what string, got, want *Result) {
	t.Helper()
	if got.N != want.N || got.K != want.K {
		t.Fatalf("%s: %d rows of %d, want %d of %d", what, got.N, got.K, want.N, want.K)
	}
	for i := range want.Index {
		// sums in another order may differ in the last place, and exchange equals
		if d := math.Abs(float64(got.Distance[i] - want.Distance[i])); d > 1e-6*float64(want.Distance[i]) {
			t.Fatalf("%s: neighbour %d of row %d is %d at %v, want %d at %v", what, i%want.K, i/want.K, got.Index[i], got.Distance[i], want.Index[i], want.Distance[i])
		}
	}
}

// What the products rule out changes nothing: blocked is as brute force, at any size
// beside those of blocks, with rows far from the origin, and close to each other.
func TestExactIsBruteForce(t *testing.T) {
	ctx := context.Background()
	far := bent(300, 24, 5, 2)
	for i := range far.X {
		far.X[i] = 1000 + far.X[i]/64
	}
	wide := bent(200, 700, 5, 2)
	for i := range wide.X {
		wide.X[i] = 1000 + wide.X[i]/64
	}
	twins := bent(257, 16, 4, 3)
	copy(twins.X[16*200:], twins.X[:16*50])
	for _, c := range []struct {
		what    string
		x       Matrix
		k       int
		memory  int64
		queries int
	}{
		{"small", bent(5, 3, 2, 1), 3, 0, 0}, {"fewer than k", bent(3, 3, 2, 1), 5, 0, 2}, {"one", bent(1, 1, 1, 1), 1, 0, 0},
		{"far", far, 7, 0, 40}, {"far and wide", wide, 7, 0, 0}, {"twins", twins, 4, 0, 0}, {"several blocks", bent(1500, 9, 3, 4), 10, 300 * 48, 130},
	} {
		for _, m := range []Metric{L2, Cosine} {
			got, err := Exact(ctx, c.x, nil, Options{K: c.k, Metric: m, Memory: c.memory})
			if err != nil {
				t.Fatal(err)
			}
			same(t, c.what+" "+string(m), got, brute(c.x, c.x, true, c.k, m))
			q := bent(c.queries, c.x.Width, 2, 9)
			if c.queries == 0 {
				continue
			}
			if got, err = Exact(ctx, c.x, q, Options{K: c.k, Metric: m, Memory: c.memory}); err != nil {
				t.Fatal(err)
			}
			same(t, c.what+" "+string(m)+" of others", got, brute(c.x, q, false, c.k, m))
		}
	}
}

// Whatever the order in which rows come, the nearest stay, equal ones by number.
func TestNearest(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 1))
	for range 200 {
		n, k := 1+r.IntN(20), 1+r.IntN(6)
		dist := make([]float32, n)
		for i := range dist {
			dist[i] = float32(r.IntN(4))
		}
		best := &nearest{}
		best.reset(1, k)
		order := make([]int32, n)
		for i, at := range r.Perm(n) {
			best.offer(0, dist[at], int32(at))
			order[i] = int32(i)
		}
		slices.SortStableFunc(order, func(a, b int32) int { return int(dist[a] - dist[b]) })
		if m := min(n, k); !slices.Equal(best.id[:m], order[:m]) || m < k && best.id[m] != -1 {
			t.Fatalf("of %v the nearest are %v, want %v", dist, best.id, order[:m])
		}
	}
}

// Rows at whole places of a line, a closed form: ties go to the lower number.
func TestLine(t *testing.T) {
	x := Matrix{[]float32{0, 1, 2, 3, 4}, 1}
	got, err := Exact(context.Background(), x, nil, Options{K: 2})
	if err != nil {
		t.Fatal(err)
	}
	if want := []int32{1, 2, 0, 2, 1, 3, 2, 4, 3, 2}; !slices.Equal(got.Index, want) {
		t.Errorf("%v, want %v", got.Index, want)
	}
	if want := []float32{1, 4, 1, 1, 1, 1, 1, 1, 1, 4}; !slices.Equal(got.Distance, want) {
		t.Errorf("%v, want %v", got.Distance, want)
	}
	// by direction, lengths do not count: 1 - cos of 0, 45 and 90 degrees
	got, err = Exact(context.Background(), Matrix{[]float32{1, 0, 5, 5, 0, .1}, 2}, Matrix{[]float32{3, 0}, 2}, Options{K: 3, Metric: Cosine})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{0, 1 - math.Sqrt(.5), 1} {
		if got.Index[i] != int32(i) || math.Abs(float64(got.Distance[i])-want) > 1e-6 {
			t.Errorf("%v %v, want %v", got.Index, got.Distance, want)
		}
	}
}

// The result is the same bytes for any number of threads and any memory.
func TestThreads(t *testing.T) {
	x, q := bent(4000, 20, 5, 5), bent(700, 20, 5, 6)
	for _, queries := range []Source{nil, q} {
		var want, wantSome *Result
		for _, threads := range []int{1, 2, 8} {
			o := Options{K: 5, Threads: threads, Dir: t.TempDir()}
			if threads == 8 {
				o.Memory = 1 << 16
			}
			got, err := Exact(context.Background(), x, queries, o)
			if err != nil {
				t.Fatal(err)
			}
			some, err := Approximate(context.Background(), x, queries, o)
			if err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want, wantSome = got, some
			}
			if !slices.Equal(got.Index, want.Index) || !slices.Equal(got.Distance, want.Distance) {
				t.Errorf("exact with %d threads differs", threads)
			}
			if !slices.Equal(some.Index, wantSome.Index) || !slices.Equal(some.Distance, wantSome.Distance) || some.Recall != wantSome.Recall {
				t.Errorf("approximate with %d threads differs", threads)
			}
		}
	}
}

// recall is the share of the true neighbours that was found.
func recall(got, want *Result) float64 {
	found := 0
	for i := range got.N {
		for _, id := range got.Index[i*got.K : (i+1)*got.K] {
			if slices.Contains(want.Index[i*got.K:(i+1)*got.K], id) {
				found++
			}
		}
	}
	return float64(found) / float64(len(want.Index))
}

// The share that is said to be found is found; with all lists it is exact; distances
// are true ones.
func TestApproximate(t *testing.T) {
	ctx := context.Background()
	x := bent(6000, 32, 6, 8)
	for _, m := range []Metric{L2, Cosine} {
		want, err := Exact(ctx, x, nil, Options{K: 10, Metric: m})
		if err != nil {
			t.Fatal(err)
		}
		for _, target := range []float64{.8, .99} {
			got, err := Approximate(ctx, x, nil, Options{K: 10, Metric: m, Recall: target, Lists: 60})
			if err != nil {
				t.Fatal(err)
			}
			r := recall(got, want)
			if got.Recall < target || math.Abs(r-got.Recall) > .03 || got.Probes >= 60 {
				t.Errorf("%s: %.3f of the neighbours are found, %.3f are said to be, %v are wanted; %d of %d lists", m, r, got.Recall, target, got.Probes, got.Lists)
			}
			for i, id := range got.Index {
				if at := slices.Index(want.Index[i/10*10:i/10*10+10], id); at >= 0 && want.Distance[i/10*10+at] != got.Distance[i] {
					t.Fatalf("%s: distance %v of %d, want %v", m, got.Distance[i], i, want.Distance[i/10*10+at])
				}
			}
		}
		all, err := Approximate(ctx, x, nil, Options{K: 10, Metric: m, Lists: 20, Probes: 20})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(all.Index, want.Index) || !slices.Equal(all.Distance, want.Distance) || all.Recall != 1 {
			t.Errorf("%s: all lists are looked at, and the result is not exact (recall %v)", m, all.Recall)
		}
	}
}

// Rows that are all the same, and fewer rows than neighbours.
func TestOdd(t *testing.T) {
	x := Matrix{make([]float32, 3*700), 3}
	for i := range x.X {
		x.X[i] = 2
	}
	got, err := Approximate(context.Background(), x, nil, Options{K: 3})
	if err != nil {
		t.Fatal(err)
	}
	if want := []int32{1, 2, 3, 0, 2, 3, 0, 1, 3, 0, 1, 2, 0, 1, 2}; !slices.Equal(got.Index[:len(want)], want) {
		t.Errorf("%v, want %v", got.Index[:len(want)], want)
	}
	if got, err = Approximate(context.Background(), Matrix{[]float32{1, 2}, 1}, nil, Options{K: 3}); err != nil || !slices.Equal(got.Index, []int32{1, -1, -1, 0, -1, -1}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestRefused(t *testing.T) {
	nan := float32(math.NaN())
	good := Matrix{[]float32{1, 2, 3, 4}, 2}
	for _, c := range []struct {
		base, queries Source
		o             Options
		want          string
	}{
		{Matrix{[]float32{1, 2, nan, 4}, 2}, nil, Options{K: 1}, "row 1 has a NaN"},
		{good, Matrix{[]float32{1, 2, 1, float32(math.Inf(1))}, 2}, Options{K: 1}, "row 1 has a NaN"},
		{Matrix{[]float32{1, 2, 3e18, 4}, 2}, nil, Options{K: 1}, "row 1 has"},
		{Matrix{[]float32{1, 2, 0, 0}, 2}, nil, Options{K: 1, Metric: Cosine}, "row 1 is zeros"},
		{Matrix{[]float32{1, 2, nan, 0}, 2}, nil, Options{K: 1, Metric: Cosine}, "row 1 has a NaN"},
		{good, Matrix{[]float32{1, 2, 3}, 3}, Options{K: 1}, "rows of 3 numbers cannot be compared with rows of 2"},
		{good, nil, Options{}, "K 0"}, {good, nil, Options{K: 1, Metric: "far"}, "Metric"}, {good, nil, Options{K: 1, Recall: 2}, "Recall 2"},
		{Matrix{nil, 2}, nil, Options{K: 1}, "0 rows"}, {Matrix{nil, 0}, nil, Options{K: 1}, "rows of 0 numbers"}, {good, nil, Options{K: 1, Probes: -1}, "negative"},
	} {
		for _, f := range []func(context.Context, Source, Source, Options) (*Result, error){Exact, Approximate} {
			if _, err := f(context.Background(), c.base, c.queries, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, f := range []func(context.Context, Source, Source, Options) (*Result, error){Exact, Approximate} {
		if _, err := f(ctx, good, nil, Options{K: 1}); err == nil || !strings.Contains(err.Error(), "stopped") {
			t.Errorf("%v", err)
		}
	}
}
