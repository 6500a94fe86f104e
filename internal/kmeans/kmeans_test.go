package kmeans

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func points(n, d int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n*d)
	for i := range x {
		x[i] = float32(r.NormFloat64() + 4*float64((i/d)%3)*float64(i%d%2))
	}
	return x
}

func find(t *testing.T, x []float32, d int, o Options) *Clusters {
	t.Helper()
	c, err := Find(context.Background(), x, d, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Two far clusters: the distance of a point is that to the mean of its cluster.
func TestTwoClusters(t *testing.T) {
	x := []float32{0, 0, 0, 2, 2, 0, 100, 100, 100, 104}
	c := find(t, x, 2, Options{K: 2})
	means := [][2]float64{{2. / 3, 2. / 3}, {100, 102}}
	for i, got := range c.Distance {
		m := means[i/3]
		want := math.Hypot(float64(x[2*i])-m[0], float64(x[2*i+1])-m[1])
		if math.Abs(got-want) > 1e-5 || (c.Label[i] == c.Label[0]) != (i < 3) {
			t.Errorf("point %d: %v, not %v", i, got, want)
		}
	}
}

func TestCosineOfTwoDirections(t *testing.T) {
	c := find(t, []float32{1, 0, 7, 0, 0, 1, 0, 3}, 2, Options{K: 2, Spherical: true})
	for i, d := range c.Distance {
		if d > 1e-7 {
			t.Errorf("point %d: %v", i, d)
		}
	}
}

// The inertia never rises, and threads change nothing.
func TestCourse(t *testing.T) {
	for _, spherical := range []bool{false, true} {
		x := points(500, 6, 3)
		one := find(t, x, 6, Options{K: 12, Spherical: spherical, Seed: 5, Threads: 1})
		if len(one.Course) < 3 {
			t.Errorf("%d iterations", len(one.Course))
		}
		for i := 1; i < len(one.Course); i++ {
			if one.Course[i] > one.Course[i-1]*(1+1e-6) {
				t.Errorf("inertia rises from %v to %v", one.Course[i-1], one.Course[i])
			}
		}
		for _, threads := range []int{2, 8} {
			c := find(t, x, 6, Options{K: 12, Spherical: spherical, Seed: 5, Threads: threads})
			if !slices.Equal(c.Label, one.Label) || !slices.Equal(c.Centroids, one.Centroids) || !slices.Equal(c.Distance, one.Distance) {
				t.Errorf("%d threads give other clusters", threads)
			}
		}
		if other := find(t, x, 6, Options{K: 12, Spherical: spherical, Seed: 6}); slices.Equal(other.Centroids, one.Centroids) {
			t.Error("another seed gives the same")
		}
	}
}

// Each point is at its nearest centroid, and each centroid is the mean of its points:
// plain loops over all pairs.
func TestFixedPoint(t *testing.T) {
	const n, d, k = 300, 5, 7
	x := points(n, d, 9)
	c := find(t, x, d, Options{K: k})
	var mean [k][d]float64
	var count [k]float64
	inertia := 0.0
	for i := range n {
		best, at := math.Inf(1), 0
		for j := range k {
			s := 0.0
			for e := range d {
				v := float64(x[i*d+e]) - float64(c.Centroids[j*d+e])
				s += v * v
			}
			if s < best {
				best, at = s, j
			}
		}
		if at != int(c.Label[i]) || math.Abs(math.Sqrt(best)-c.Distance[i]) > 1e-6 {
			t.Fatalf("point %d: cluster %d at %v, not %d at %v", i, c.Label[i], c.Distance[i], at, math.Sqrt(best))
		}
		inertia += best
		count[at]++
		for e := range d {
			mean[at][e] += float64(x[i*d+e])
		}
	}
	for j := range k {
		for e := range d {
			if math.Abs(mean[j][e]/count[j]-float64(c.Centroids[j*d+e])) > 1e-5 {
				t.Errorf("centroid %d is not the mean of its points", j)
			}
		}
	}
	if math.Abs(inertia-c.Inertia) > 1e-6*inertia {
		t.Errorf("inertia %v, not %v", c.Inertia, inertia)
	}
}

// The best of several restarts is kept.
func TestRestarts(t *testing.T) {
	x := points(300, 3, 2)
	better := 0
	for seed := range uint64(6) {
		one := find(t, x, 3, Options{K: 25, Restarts: 1, Seed: seed})
		many := find(t, x, 3, Options{K: 25, Restarts: 12, Seed: seed})
		if many.Inertia > one.Inertia {
			t.Errorf("12 restarts: %v, one: %v", many.Inertia, one.Inertia)
		}
		if many.Inertia < .995*one.Inertia {
			better++
		}
	}
	if better == 0 {
		t.Error("no restart found what the first had missed")
	}
}

// A cluster that loses its points starts anew at the farthest one.
func TestEmptyCluster(t *testing.T) {
	x := []float32{0, 1, 2, 50, -40}
	w := newRun(x, 1, Options{K: 3, Threads: 1})
	w.c = []float32{1, 1e6, 1e7}
	w.assign()
	if err := w.lloyd().Move(context.Background()); err != nil {
		t.Fatal(err)
	}
	if w.c[1] != 50 || w.c[2] != -40 {
		t.Errorf("the empty clusters are at %v", w.c[1:])
	}
	if c := find(t, []float32{3, 3, 3, 3}, 1, Options{K: 3}); c.Inertia != 0 {
		t.Errorf("points of one place: %v", c.Inertia)
	}
}

func TestSample(t *testing.T) {
	x := points(3000, 4, 8)
	all := find(t, x, 4, Options{K: 3})
	some := find(t, x, 4, Options{K: 3, Sample: 600})
	if len(some.Label) != 3000 || some.Inertia < all.Inertia*(1-1e-6) || some.Inertia > 1.05*all.Inertia {
		t.Errorf("inertia %v by a sample, %v by all", some.Inertia, all.Inertia)
	}
}

func TestRefuses(t *testing.T) {
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		x []float32
		o Options
	}{
		"no cluster": {[]float32{1, 2}, Options{}}, "more clusters than points": {[]float32{1, 2}, Options{K: 3}}, "NaN": {[]float32{1, nan}, Options{K: 1}},
		"no direction": {[]float32{1, 0}, Options{K: 1, Spherical: true}}, "sample": {[]float32{1, 2, 3}, Options{K: 2, Sample: 1}},
	} {
		if _, err := Find(context.Background(), c.x, 1, c.o); err == nil {
			t.Errorf("%s is not refused", name)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Find(ctx, points(50, 2, 1), 2, Options{K: 3}); err == nil {
		t.Error("it does not stop")
	}
}
