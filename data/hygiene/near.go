package hygiene

import (
	"context"
	"math"

	"pare/catalog"
	"pare/neighbours"
)

// Alike is what embeddings say of samples: the nearest of each, and which are nearer
// than a threshold.
type Alike struct {
	*neighbours.Result
	Pairs []Pair // those within the threshold
}

// exactRows is up to how many rows all are compared with all.
const exactRows = 20000

// Near finds the nearest neighbours of each row, and the pairs that are not farther than
// within. Up to 20,000 rows it is exact; of more it finds the share o.Recall (see
// neighbours.Approximate; 0: 0.99).
func Near(ctx context.Context, rows neighbours.Source, within float64, o neighbours.Options) (*Alike, error) {
	if !(within >= 0) || math.IsInf(within, 0) {
		return nil, catalog.Errorf("{Within} %v: a distance of 0 or more is needed", within)
	}
	if o.Recall == 0 {
		o.Recall = .99
	}
	search := neighbours.Approximate
	if rows.Len() <= exactRows {
		search = neighbours.Exact
	}
	r, err := search(ctx, rows, nil, o)
	if err != nil {
		return nil, err
	}
	out := &Alike{Result: r}
	for i, j := range r.Index {
		if a := int32(i / r.K); j >= 0 && float64(r.Distance[i]) <= within {
			out.Pairs = append(out.Pairs, Pair{min(a, j), max(a, j), r.Distance[i]})
		}
	}
	out.Pairs = sorted(out.Pairs)
	return out, nil
}

// Outlier is a sample that is far from all others.
type Outlier struct {
	Sample   int     `json:"sample"`
	Distance float32 `json:"distance"` // to its k-th neighbour
}

// Outliers are the samples whose k-th neighbour (Ramaswamy, Rastogi and Shim, SIGMOD
// 2000) is farther than Tukey's outer fence of these distances, the upper quartile and
// three times the distance between the quartiles (Tukey: Exploratory Data Analysis, 1977); the
// farthest first. The fence is given beside them; infinite where there are fewer than k
// other samples.
func Outliers(r *neighbours.Result) ([]Outlier, float64) {
	last := make([]float64, r.N)
	for i := range last {
		last[i] = float64(r.Distance[(i+1)*r.K-1])
	}
	low, high := quartiles(last)
	fence := high + 3*(high-low)
	if math.IsNaN(fence) {
		fence = math.Inf(1)
	}
	var out []Outlier
	for i, d := range last {
		if d > fence && !math.IsInf(d, 0) {
			out = append(out, Outlier{i, float32(d)})
		}
	}
	farthestFirst(out)
	return out, fence
}

// Votes are the probabilities of classes that the neighbours of each row give it: the
// shares of those that have a class, counted by 1/k. A row does not vote for itself, so
// they are as held out. A row without neighbours that have a class gets equal ones.
func Votes(r *neighbours.Result, labels []int32, classes int) []float64 {
	out := make([]float64, r.N*classes)
	for i := range r.N {
		p, n := out[i*classes:(i+1)*classes], 0.
		for _, j := range r.Index[i*r.K : (i+1)*r.K] {
			if j >= 0 && labels[j] >= 0 && int(labels[j]) < classes {
				p[labels[j]]++
				n++
			}
		}
		for c := range p {
			if n == 0 {
				p[c] = 1 / float64(classes)
			} else {
				p[c] /= n
			}
		}
	}
	return out
}
