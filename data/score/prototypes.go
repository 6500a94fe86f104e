package score

import (
	"context"
	_ "embed"
	"fmt"
	"math"

	"pare/catalog"
	"pare/data"
)

// Prototypes scores samples by their distance to the nearest prototype: a centroid of
// k-means, or the mean of their class.
type Prototypes struct {
	By       string `flag:"by" choice:"kmeans,class" doc:"what the prototypes are: centroids of kmeans, without labels, or the mean of each class"`
	Clusters int    `flag:"clusters" range:"[0,)" doc:"centroids of kmeans (0: as many as there are classes)"`
	Distance string `flag:"distance" choice:"cosine,euclidean" doc:"between embeddings"`
	data.Clustering
}

//go:embed prototypes.md
var prototypesDoc string

// NewPrototypes is the method with as many centroids as classes.
func NewPrototypes() *Prototypes {
	return &Prototypes{By: "kmeans", Distance: "cosine", Clustering: data.NewClustering()}
}

// Card describes the method.
func (*Prototypes) Card() *catalog.Card {
	return &catalog.Card{ID: "32", Name: "prototypes", Title: "Distance of a sample from its prototype among embeddings", Noun: "data", Doc: prototypesDoc, Cuts: "nothing: it scores samples", Needs: catalog.Samples,
		Paper: "Sorscher, Geirhos, Shekhar, Ganguli, Morcos: Beyond neural scaling laws: beating power law scaling via data pruning (NeurIPS 2022), arXiv 2206.14486"}
}

// PrototypeFacts are what clustering came to.
type PrototypeFacts struct {
	Clusters int     `json:"clusters"`
	Inertia  float64 `json:"inertia"` // sum of squared distances, or of 1 - cosine
	Smallest int     `json:"smallest"`
	Largest  int     `json:"largest"` // samples of a cluster
}

// Run scores.
func (s *Prototypes) Run(ctx context.Context, j *data.Job) (*data.Result, error) {
	e, err := j.NeedsEmbeddings()
	if err != nil {
		return nil, err
	}
	if s.Distance == "cosine" {
		if err := e.Directed(); err != nil {
			return nil, err
		}
		e = e.Unit()
	}
	if s.By == "class" {
		return s.byClass(j, e)
	}
	k := s.Clusters
	if k == 0 {
		if k = len(count(data.Classes(j.Set))); k == 0 {
			return nil, catalog.Errorf("{Clusters}: the samples have no classes that say how many; give a number")
		}
	}
	c, drawn, err := s.Find(ctx, j, e, k, s.Distance == "cosine")
	if err != nil {
		return nil, err
	}
	res := &data.Result{Score: data.NewScore(j.Set, data.High, c.Distance)}
	res.Score.Cluster = c.Label
	sizes := count(c.Label)
	facts := &PrototypeFacts{Clusters: k, Inertia: c.Inertia, Smallest: e.N}
	alone := 0
	for _, n := range sizes {
		facts.Smallest, facts.Largest = min(facts.Smallest, n), max(facts.Largest, n)
		if n == 1 {
			alone++
		}
	}
	res.Facts = facts
	if drawn > 0 {
		res.Note("the centroids are those of %d samples, drawn by the seed", drawn)
	}
	if k > e.N/5 {
		res.Note("{Clusters} %d of %d samples: samples are their own prototypes, and their distance says nothing", k, e.N)
	} else if alone > 0 {
		res.Note("%d clusters have one sample, whose distance of 0 says nothing: it may be an outlier", alone)
	}
	return res, nil
}

// byClass takes the mean of each class for its prototype.
func (s *Prototypes) byClass(j *data.Job, e *data.Embeddings) (*data.Result, error) {
	class, err := j.NeedsClasses("the prototypes are the means of classes")
	if err != nil {
		return nil, err
	}
	mean, n := map[int32][]float64{}, count(class)
	for c := range n {
		mean[c] = make([]float64, e.D)
	}
	for i, c := range class {
		for k, v := range e.At(i) {
			mean[c][k] += float64(v) / float64(n[c])
		}
	}
	if s.Distance == "cosine" {
		for c, m := range mean {
			l := 0.0
			for _, v := range m {
				l += v * v
			}
			if l < 1e-24 {
				return nil, fmt.Errorf("the mean of class %d has no direction: give {Distance} euclidean", c)
			}
			for k := range m {
				m[k] /= math.Sqrt(l)
			}
		}
	}
	out := make([]float64, e.N)
	for i, c := range class {
		for k, v := range e.At(i) {
			if s.Distance == "cosine" {
				out[i] += float64(v) * mean[c][k]
			} else {
				d := float64(v) - mean[c][k]
				out[i] += d * d
			}
		}
		if s.Distance == "cosine" {
			out[i] = max(0, 1-out[i])
		} else {
			out[i] = math.Sqrt(out[i])
		}
	}
	return &data.Result{Score: data.NewScore(j.Set, data.High, out)}, nil
}

// count says how often each number is there.
func count(x []int32) map[int32]int {
	out := map[int32]int{}
	for _, c := range x {
		out[c]++
	}
	return out
}
