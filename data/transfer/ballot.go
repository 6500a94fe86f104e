package transfer

import (
	"cmp"
	"math/big"
	"slices"
)

// ballot counts the votes that samples of targets have for classes, or clusters.
type ballot struct {
	votes [][]int   // by target and class
	sizes []int     // samples of each target
	tie   []float64 // by class: of equal votes the higher comes first; a sum of means over each target
}

func newBallot(classes int) *ballot { return &ballot{tie: make([]float64, classes)} }

// target begins the votes of another target.
func (b *ballot) target() {
	b.votes, b.sizes = append(b.votes, make([]int, len(b.tie))), append(b.sizes, 0)
}

// vote is that of a sample of the last target.
func (b *ballot) vote(class int) {
	b.votes[len(b.votes)-1][class]++
	b.sizes[len(b.sizes)-1]++
}

// sum is the votes of all targets.
func (b *ballot) sum() []int {
	out := make([]int, len(b.tie))
	for _, v := range b.votes {
		for c, n := range v {
			out[c] += n
		}
	}
	return out
}

// share is the sum over targets of the shares of their votes that a class has. It is exact,
// so that ties of several targets are ties.
func (b *ballot) share(class int32) *big.Rat {
	out := new(big.Rat)
	for t, v := range b.votes {
		if b.sizes[t] > 0 {
			out.Add(out, big.NewRat(int64(v[class]), int64(b.sizes[t])))
		}
	}
	return out
}

// order lists the classes that are there: by votes, then by what decides ties, then by
// number.
func (b *ballot) order(there []bool) []int32 {
	shares := make([]*big.Rat, len(there))
	var out []int32
	for c, is := range there {
		if is {
			shares[c] = b.share(int32(c))
			out = append(out, int32(c))
		}
	}
	slices.SortStableFunc(out, func(x, y int32) int {
		return cmp.Or(shares[y].Cmp(shares[x]), cmp.Compare(b.tie[y], b.tie[x]), cmp.Compare(x, y))
	})
	return out
}
