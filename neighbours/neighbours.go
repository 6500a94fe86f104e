// Package neighbours finds which rows of float32 are nearest to each row: [Exact] by
// blocked products of matrices, [Approximate] by an inverted file, which looks only at
// the lists of rows whose centroids are near.
//
// Distances are those of the rows as they are given, computed in double precision and
// rounded once: products of matrices only rule out rows that cannot be near enough, by a
// bound on their rounding. So what [Exact] finds is exact, and neither function depends
// on the number of threads. Rows come from a [Source] block by block.
package neighbours

import (
	"context"
	"fmt"
	"runtime"

	"pare/catalog"
)

// Metric says how far apart two rows are.
type Metric string

// L2 is the squared Euclidean distance, |a-b|². Cosine is 1 - a·b/(|a||b|), computed as
// half the squared distance of the rows at length one, which is the same and loses nothing
// where they are close; it has no meaning for rows of zeros, which are refused.
const (
	L2     Metric = "l2"
	Cosine Metric = "cosine"
)

// Source gives rows of numbers.
type Source interface {
	Len() int // rows
	Dim() int // numbers of a row
	// Read reads rows from lo on, as many as there is room for. It may be called by
	// several goroutines.
	Read(lo int, to []float32) error
}

// Options say what is looked for.
type Options struct {
	K       int    // neighbours of each row
	Metric  Metric // "": L2
	Threads int    // 0: one for each processor
	Memory  int64  // bytes that rows may take beside the result; 0: 1 GiB

	// Of Approximate:
	Recall float64 // share of the true neighbours that is to be found; 0: 0.95
	Lists  int     // of the inverted file; 0: one for about 250 rows
	Probes int     // lists that are looked at for each row; 0: as many as Recall needs on a sample
	Seed   uint64  // of the sample and the centroids
	Dir    string  // where rows go that Memory does not hold, in a file that is removed; "": the system's folder for such files
}

// Result is the neighbours of each row, the nearest first: those of row i are
// Index[i*K:(i+1)*K]. Equally near ones come in the order of their numbers. Where there
// are fewer than K others, the rest has the index -1 and an infinite distance.
type Result struct {
	N, K     int
	Index    []int32
	Distance []float32

	// Of Approximate:
	Recall float64 // on a sample of rows: share of the true neighbours that was found; 1 for Exact
	Sample int     // rows of that sample
	Lists  int
	Probes int
}

const (
	defaultMemory = 1 << 30
	maxK          = 1 << 10
	maxDim        = 1 << 20
	maxRows       = 1<<31 - 1
)

// check refuses what cannot be done, and fills in what is left out.
func (o *Options) check(base, queries Source) error {
	if o.Metric == "" {
		o.Metric = L2
	}
	if o.Metric != L2 && o.Metric != Cosine {
		return catalog.Errorf("{Metric} %q: l2 or cosine is needed", o.Metric)
	}
	if o.K < 1 || o.K > maxK {
		return catalog.Errorf("{K} %d: from 1 to %d neighbours can be looked for", o.K, maxK)
	}
	if o.Threads < 0 || o.Memory < 0 || o.Lists < 0 || o.Probes < 0 {
		return catalog.Errorf("{Threads} %d, {Memory} %d, {Lists} %d, {Probes} %d: none may be negative", o.Threads, o.Memory, o.Lists, o.Probes)
	}
	if !(o.Recall >= 0 && o.Recall <= 1) {
		return catalog.Errorf("{Recall} %v: a share from 0 to 1 is needed", o.Recall)
	}
	if o.Threads == 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Memory == 0 {
		o.Memory = defaultMemory
	}
	if o.Recall == 0 {
		o.Recall = .95
	}
	for _, s := range []Source{base, queries} {
		if s == nil {
			continue
		}
		if d := s.Dim(); d < 1 || d > maxDim {
			return fmt.Errorf("rows of %d numbers: 1 to %d can be compared", d, maxDim)
		}
		if s.Len() < 1 || s.Len() > maxRows {
			return fmt.Errorf("%d rows: at least one is needed, and at most %d can be compared", s.Len(), maxRows)
		}
	}
	if queries != nil && queries.Dim() != base.Dim() {
		return fmt.Errorf("rows of %d numbers cannot be compared with rows of %d", queries.Dim(), base.Dim())
	}
	return nil
}

// newResult has room for n rows.
func newResult(n, k int) *Result {
	return &Result{N: n, K: k, Index: make([]int32, n*k), Distance: make([]float32, n*k), Recall: 1}
}

// finish makes squared distances those of the metric.
func (r *Result) finish(m Metric) *Result {
	if m == Cosine {
		for i := range r.Distance {
			r.Distance[i] *= .5
		}
	}
	return r
}

// stopped is why a context has ended.
func stopped(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("the search for neighbours was stopped: %w", err)
	}
	return nil
}
