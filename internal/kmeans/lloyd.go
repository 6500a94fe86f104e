package kmeans

import (
	"context"
	"math"
	"slices"
)

// Lloyd is Lloyd's algorithm (Lloyd 1982) over points in memory: each belongs to its nearest centroid,
// and each centroid moves to the mean of its points, in turn.
type Lloyd[T float32 | float64] struct {
	X         []float32 // points [n D]
	D         int
	C         []float32 // centroids [k D]
	Label     []int32   // of each point its nearest centroid
	Far       []T       // how far it is
	Spherical bool      // centroids have length 1

	// Assign sets Label and Far, and gives the sum of what is made small.
	Assign func(ctx context.Context) (float64, error)
	// Each does n pieces of work, in any order.
	Each func(ctx context.Context, n int, do func(i int)) error
}

// Run assigns the points and moves the centroids until no point changes its own, or so many times.
// It gives what Assign gave each time.
func (l *Lloyd[T]) Run(ctx context.Context, rounds int) (course []float64, err error) {
	was := make([]int32, len(l.Label))
	for {
		sum, err := l.Assign(ctx)
		if err != nil {
			return nil, err
		}
		if course = append(course, sum); len(course) >= max(1, rounds) || len(course) > 1 && slices.Equal(was, l.Label) {
			return course, nil
		}
		copy(was, l.Label)
		if err := l.Move(ctx); err != nil {
			return nil, err
		}
	}
}

// Move puts each centroid into the middle of its points, which are summed in their order; one without points
// goes where a point is farthest from its own, each to another.
func (l *Lloyd[T]) Move(ctx context.Context) error {
	k := len(l.C) / l.D
	starts, order := ByOwner(l.Label, k)
	err := l.Each(ctx, k, func(j int) {
		if of := order[starts[j]:starts[j+1]]; len(of) > 0 {
			l.middle(l.C[j*l.D:(j+1)*l.D], of)
		}
	})
	if err != nil {
		return err
	}
	for j := range k {
		if starts[j] < starts[j+1] {
			continue
		}
		at := 0
		for i, v := range l.Far {
			if v > l.Far[at] {
				at = i
			}
		}
		l.Far[at] = T(math.Inf(-1))
		copy(l.C[j*l.D:(j+1)*l.D], l.X[at*l.D:(at+1)*l.D])
	}
	return nil
}

// middle writes the mean of points, at length 1 where that is wanted.
func (l *Lloyd[T]) middle(c []float32, of []int32) {
	sum := make([]float64, l.D)
	for _, i := range of {
		for k, v := range l.X[int(i)*l.D : (int(i)+1)*l.D] {
			sum[k] += float64(v)
		}
	}
	by := 1 / float64(len(of))
	if l.Spherical {
		s := 0.0
		for _, v := range sum {
			s += v * v
		}
		if s < 1e-24*float64(len(of)) { // the points lie all around: no direction is theirs
			return
		}
		by = 1 / math.Sqrt(s)
	}
	for k, v := range sum {
		c[k] = float32(v * by)
	}
}

// ByOwner lists what belongs to each of n owners: those of owner k are
// order[starts[k]:starts[k+1]], in their order.
func ByOwner(own []int32, n int) (starts, order []int32) {
	starts = make([]int32, n+1)
	for _, k := range own {
		starts[k+1]++
	}
	for k := range n {
		starts[k+1] += starts[k]
	}
	order = make([]int32, len(own))
	next := slices.Clone(starts)
	for i, k := range own {
		order[next[k]] = int32(i)
		next[k]++
	}
	return starts, order
}
