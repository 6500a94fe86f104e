package oracle

import (
	"testing"

	"pare/dataset"
	"pare/model"
)

// Batch is samples with their classes.
type Batch struct {
	X [][]float64
	Y []int
}

// Stream gives the batches of a training in the order of the loader. The samples have a
// field of numbers and one of classes.
type Stream struct {
	l       *dataset.Loader
	inputs  int
	t       testing.TB
	batches int
}

// NewStream gives samples of a set in an order by seed, or as they are stored.
func NewStream(t testing.TB, set *dataset.Set, norm dataset.Norm, size int, shuffle bool, seed uint64) *Stream {
	l := &dataset.Loader{Set: set, Size: size, Norm: norm, Shuffle: shuffle, Seed: seed}
	return &Stream{l, set.X().Size(), t, set.Len() / size}
}

// Trained gives the batches that a job trains on.
func Trained(t testing.TB, j *model.Job) *Stream {
	seed := j.Order
	if seed == 0 {
		seed = j.Seed
	}
	return NewStream(t, j.Data.Train, j.Data.Norm, j.Recipe.Batch, true, seed)
}

// Steps is the number of full batches of an epoch.
func (s *Stream) Steps() int { return s.batches }

// Batch is batch i of an epoch.
func (s *Stream) Batch(epoch, i int) Batch {
	s.t.Helper()
	x, y := make([]float32, s.l.Size*s.inputs), make([]int64, s.l.Size)
	n, err := s.l.Fill(epoch, i, []dataset.Buffer{{Field: 0, X: x}, {Field: 1, I: y}})
	if err != nil {
		s.t.Fatal(err)
	}
	var b Batch
	for k := range n {
		b.X = append(b.X, Wide(x[k*s.inputs:(k+1)*s.inputs]))
		b.Y = append(b.Y, int(y[k]))
	}
	return b
}

// All are the samples of an epoch in one batch: of full batches, at most as many as n
// (0: all).
func (s *Stream) All(n int) Batch {
	var out Batch
	for i := range s.batches {
		b := s.Batch(0, i)
		out.X, out.Y = append(out.X, b.X...), append(out.Y, b.Y...)
	}
	if n > 0 && n < len(out.X) {
		out.X, out.Y = out.X[:n], out.Y[:n]
	}
	return out
}
