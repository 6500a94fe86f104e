package data

import (
	"context"

	"pare/catalog"
	"pare/internal/kmeans"
)

// Clustering is the setting of how clusters of embeddings are found.
type Clustering struct {
	Restarts int `flag:"restarts" range:"[1,)" doc:"of kmeans from other seeds, of which the best is kept"`
	Most     int `flag:"iterations" range:"[1,)" doc:"of kmeans at most, in each restart"`
	Sample   int `flag:"sample" range:"[0,)" doc:"samples on which the centroids are found (0: all, of more than 100,000 samples that many)"`
}

// NewClustering has four restarts of 100 iterations.
func NewClustering() Clustering { return Clustering{Restarts: 4, Most: 100} }

// mostClustered is the number of embeddings above which centroids are found on some.
const mostClustered = 100_000

// Find puts embeddings into k clusters, by the job's seed: by 1 - cosine where spherical,
// else by Euclidean distance. drawn is the number of those that the centroids were found
// on; 0: all. It returns an error where there are fewer embeddings than clusters.
func (c Clustering) Find(ctx context.Context, j *Job, e *Embeddings, k int, spherical bool) (found *kmeans.Clusters, drawn int, err error) {
	if k > e.N {
		return nil, 0, catalog.Errorf("{Clusters} %d: there are %d samples", k, e.N)
	}
	o := kmeans.Options{K: k, Restarts: c.Restarts, Iterations: c.Most, Spherical: spherical, Seed: j.Seed, Threads: j.Engine.Threads, Sample: c.Sample}
	if o.Sample == 0 && e.N > mostClustered {
		o.Sample = mostClustered
	}
	if o.Sample > 0 && o.Sample < e.N {
		drawn = o.Sample
	}
	found, err = kmeans.Find(ctx, e.X, e.D, o)
	return found, drawn, err
}
