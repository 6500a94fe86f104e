// Package kmeans puts points into clusters: Lloyd's algorithm from k-means++ seeds
// (Arthur, Vassilvitskii 2007), restarted, Euclidean or spherical (Dhillon, Modha 2001).
// The same seed gives the same clusters for any number of threads.
package kmeans

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"pare/internal/kernel"
)

// Options say how points are clustered.
type Options struct {
	K          int
	Restarts   int  // from other seeds, the lowest inertia is kept; 0: 4
	Iterations int  // at most, of each; 0: 100
	Spherical  bool // distance 1 - cosine: points and centroids have length 1
	Seed       uint64
	Threads    int // 0: as many as there are processors
	Sample     int // the centroids are those of as many points, drawn; 0: of all
}

// Clusters are what points came to.
type Clusters struct {
	Centroids []float32 // [k d]
	Label     []int32   // of each point its nearest centroid, the first of several
	Distance  []float64 // to it: Euclidean, or 1 - cosine
	Inertia   float64   // the sum of squared distances, or of 1 - cosine
	Course    []float64 // the inertia by iteration, of the restart that was kept
}

// parts is the fixed number of parts that points are summed in.
const parts = 64

// run is one restart.
type run struct {
	x       []float32 // [n d]
	n, d, k int
	o       Options
	c       []float32 // [k d]
	label   []int32
	far     []float64 // squared distance to the centroid, or 1 - cosine
}

// Find clusters points, [n d], which it does not change. It returns an error where k is
// outside [1,n], or a point is not finite, or has no direction in spherical clustering.
func Find(ctx context.Context, x []float32, d int, o Options) (*Clusters, error) {
	if d < 1 || len(x)%d != 0 {
		return nil, fmt.Errorf("%d numbers are no points of %d", len(x), d)
	}
	n := len(x) / d
	if o.K < 1 || o.K > n {
		return nil, fmt.Errorf("%d clusters of %d points: from 1 to %d are possible", o.K, n, n)
	}
	if o.Restarts == 0 {
		o.Restarts = 4
	}
	if o.Iterations == 0 {
		o.Iterations = 100
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	x = slices.Clone(x)
	for i := range n {
		p := x[i*d : (i+1)*d]
		s := length(p)
		if math.IsNaN(s) || math.IsInf(s, 0) || o.Spherical && s == 0 {
			return nil, fmt.Errorf("point %d has length %v", i, s)
		}
		if o.Spherical {
			scale(p, 1/s)
		}
	}
	r := rand.New(rand.NewPCG(o.Seed, 0x6b6d))
	of := x
	if o.Sample > 0 && o.Sample < n {
		if o.Sample < o.K {
			return nil, fmt.Errorf("%d clusters of a sample of %d points: a sample of at least as many is needed", o.K, o.Sample)
		}
		at := r.Perm(n)[:o.Sample]
		slices.Sort(at)
		of = make([]float32, 0, o.Sample*d)
		for _, i := range at {
			of = append(of, x[i*d:(i+1)*d]...)
		}
	}
	var best *Clusters
	var found []float32
	w := newRun(of, d, o)
	for range o.Restarts {
		w.seed(r)
		course, err := w.settle(ctx)
		if err != nil {
			return nil, err
		}
		if last := course[len(course)-1]; best == nil || last < best.Inertia {
			best = &Clusters{Inertia: last, Course: course}
			found = append(found[:0], w.c...)
		}
	}
	all := newRun(x, d, o)
	all.c = found
	best.Inertia = all.assign()
	best.Centroids, best.Label, best.Distance = found, all.label, all.far
	if !o.Spherical {
		for i, v := range best.Distance {
			best.Distance[i] = math.Sqrt(v)
		}
	}
	return best, nil
}

func newRun(x []float32, d int, o Options) *run {
	n := len(x) / d
	return &run{x: x, n: n, d: d, k: o.K, o: o, c: make([]float32, o.K*d), label: make([]int32, n), far: make([]float64, n)}
}

func (w *run) point(i int) []float32    { return w.x[i*w.d : (i+1)*w.d] }
func (w *run) centroid(j int) []float32 { return w.c[j*w.d : (j+1)*w.d] }

// seed draws the first centroids: each with a chance in proportion to the squared
// distance from those that there are.
func (w *run) seed(r *rand.Rand) {
	copy(w.c, w.point(r.IntN(w.n)))
	near := make([]float64, w.n)
	for i := range near {
		near[i] = math.Inf(1)
	}
	for j := 1; j < w.k; j++ {
		last := w.centroid(j - 1)
		w.each(func(_, lo, hi int) {
			for i := lo; i < hi; i++ {
				near[i] = min(near[i], w.between(i, last))
			}
		})
		sum := 0.0
		for _, v := range near {
			sum += v
		}
		at, u := -1, r.Float64()*sum
		for i, v := range near {
			if v > 0 {
				at = i
				if u -= v; u < 0 {
					break
				}
			}
		}
		if at < 0 { // there are fewer places than centroids
			at = r.IntN(w.n)
		}
		copy(w.centroid(j), w.point(at))
	}
}

// between is the distance of a point from a centroid, squared or 1 - cosine.
func (w *run) between(i int, c []float32) float64 {
	if w.o.Spherical {
		return max(0, 1-dot(w.point(i), c))
	}
	s := 0.0
	for k, v := range w.point(i) {
		e := float64(v) - float64(c[k])
		s += e * e
	}
	return s
}

// settle moves the centroids until no point changes its own.
func (w *run) settle(ctx context.Context) (course []float64, err error) {
	return w.lloyd().Run(ctx, w.o.Iterations)
}

func (w *run) lloyd() *Lloyd[float64] {
	return &Lloyd[float64]{X: w.x, D: w.d, C: w.c, Label: w.label, Far: w.far, Spherical: w.o.Spherical,
		Assign: func(ctx context.Context) (float64, error) { return w.assign(), ctx.Err() },
		Each: func(ctx context.Context, n int, do func(i int)) error {
			w.pieces(n, do)
			return ctx.Err()
		}}
}

// assign finds the nearest centroid of each point, and gives the inertia.
func (w *run) assign() float64 {
	half := make([]float32, w.k) // of the squared lengths
	if !w.o.Spherical {
		for j := range half {
			l := length(w.centroid(j))
			half[j] = float32(l * l / 2)
		}
	}
	sums := make([]float64, parts)
	w.each(func(part, lo, hi int) {
		near := make([]float32, w.k)
		for i := lo; i < hi; i++ {
			kernel.Dots(w.point(i), w.c, w.d, near)
			best := 0
			for j := range near {
				if near[j] -= half[j]; near[j] > near[best] {
					best = j
				}
			}
			w.label[i] = int32(best)
			w.far[i] = w.between(i, w.centroid(best))
			sums[part] += w.far[i]
		}
	})
	total := 0.0
	for _, s := range sums {
		total += s
	}
	return total
}

// each gives f the points in a fixed number of parts, by threads.
func (w *run) each(f func(part, lo, hi int)) {
	w.pieces(parts, func(p int) { f(p, w.n*p/parts, w.n*(p+1)/parts) })
}

// pieces does pieces of work by threads.
func (w *run) pieces(n int, do func(i int)) {
	var group sync.WaitGroup
	var next atomic.Int64
	for range min(w.o.Threads, n) {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				do(int(i))
			}
		})
	}
	group.Wait()
}

func dot(x, y []float32) float64 {
	s := 0.0
	for k, v := range x {
		s += float64(v) * float64(y[k])
	}
	return s
}

func length(x []float32) float64 { return math.Sqrt(dot(x, x)) }

func scale(x []float32, by float64) {
	for k, v := range x {
		x[k] = float32(float64(v) * by)
	}
}
