package transfer

import (
	"context"
	_ "embed"
	"math"

	"pare/catalog"
	"pare/data"
)

// FeatureMapping keeps the clusters, or the classes, of the source to whose means features
// of the target are nearest.
type FeatureMapping struct {
	Classes
	Clusters int `flag:"clusters" range:"[0,)" doc:"clusters of the source's features (0: its labelled classes)"`
	data.Clustering
}

//go:embed feature.md
var featureDoc string

// NewFeatureMapping is the method at half of the labelled classes.
func NewFeatureMapping() *FeatureMapping {
	return &FeatureMapping{Classes: Classes{Share: .5, Which: "top"}, Clustering: data.NewClustering()}
}

// Card describes the method.
func (*FeatureMapping) Card() *catalog.Card {
	return &catalog.Card{ID: "39", Name: "feature-mapping", Title: "Classes or clusters of a source that a target task's features are nearest to (DP4TL)", Noun: "data", Doc: featureDoc, Cuts: "classes, clusters", Needs: catalog.Samples, Paper: paper}
}

// Run chooses.
func (s *FeatureMapping) Run(ctx context.Context, j *data.Job) (*data.Result, error) {
	e, err := j.NeedsEmbeddings()
	if err != nil {
		return nil, err
	}
	targets, err := j.NeedsTargets()
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		if t.Embeddings == nil || t.Embeddings.N != t.Set.Len() || t.Embeddings.D != e.D {
			return nil, catalog.Errorf("{Target} %s: an embedding of %d numbers is needed for each of its %d samples, by the network that made those of the source: give {Surrogate}", t.Name, e.D, t.Set.Len())
		}
	}
	var group []int32
	drawn := 0
	n := s.Clusters
	if n == 0 {
		if data.Classes(j.Set) == nil {
			return nil, catalog.Errorf("{Clusters}: the source has no class for each sample; give a number of clusters")
		}
		if group, err = labels(j); err != nil {
			return nil, err
		}
		n = j.Set.Class().Classes
	} else {
		c, k, err := s.Find(ctx, j, e, n, false)
		if err != nil {
			return nil, err
		}
		group, drawn = c.Label, k
	}
	b := newBallot(n)
	near := means(e, group, n)
	for _, t := range targets {
		b.target()
		if err := b.nearest(ctx, t.Embeddings, near); err != nil {
			return nil, err
		}
	}
	what := "clusters"
	if s.Clusters == 0 {
		what = "classes"
	}
	res, err := s.choose(ctx, j, b, group, what)
	if err != nil {
		return nil, err
	}
	if s.Clusters == 0 {
		res.Subset.Classes = res.Facts.(*Facts).Kept
	} else if held(j.Held) {
		res.Note("clusters are of training samples: validation and test sets stay whole, and labels keep their numbers")
	}
	if drawn > 0 {
		res.Note("the clusters are those of %d samples, drawn by the seed", drawn)
	}
	return res, nil
}

// means are the mean vectors of groups; nil where one has no samples.
func means(e *data.Embeddings, group []int32, n int) [][]float64 {
	out, count := make([][]float64, n), make([]int, n)
	for _, g := range group {
		count[g]++
	}
	for i, g := range group {
		if out[g] == nil {
			out[g] = make([]float64, e.D)
		}
		for k, v := range e.At(i) {
			out[g][k] += float64(v) / float64(count[g])
		}
	}
	return out
}

// nearest lets each vector vote for the mean that it is nearest to, the first of several.
// Of equal votes the lower mean distance decides.
func (b *ballot) nearest(ctx context.Context, e *data.Embeddings, mean [][]float64) error {
	sum := make([]float64, len(mean))
	for i := range e.N {
		if err := ctx.Err(); err != nil {
			return err
		}
		best, least := 0, math.Inf(1)
		x := e.At(i)
		for c, m := range mean {
			if m == nil {
				continue
			}
			d := 0.0
			for k, v := range x {
				d += (float64(v) - m[k]) * (float64(v) - m[k])
			}
			if sum[c] += math.Sqrt(d); d < least {
				best, least = c, d
			}
		}
		b.vote(best)
	}
	for c, d := range sum {
		b.tie[c] -= d / float64(e.N)
	}
	return nil
}
