package coreset

import (
	"context"
	_ "embed"

	"pare/catalog"
	"pare/data"
	"pare/dataset"
)

// RS2 trains each epoch on another random subset. As a choice of samples it is the subset
// of one round.
type RS2 struct {
	Keep       float64 `flag:"keep" range:"(0,1]" doc:"share of the samples that a round has"`
	Replace    bool    `flag:"replace" doc:"each round draws from all samples, not from what those before it have left"`
	Stratified bool    `flag:"stratified" doc:"with replace: the same share of every class"`
	Round      int     `flag:"round" range:"[0,)" doc:"round whose samples are given, from 0"`
}

//go:embed rs2.md
var rs2Doc string

// NewRS2 is the method at a tenth of the samples, without replacement.
func NewRS2() *RS2 { return &RS2{Keep: .1} }

// Card describes the method.
func (*RS2) Card() *catalog.Card {
	return &catalog.Card{ID: "13", Name: "rs2", Title: "Repeated sampling of random subsets, one for each epoch", Noun: "data", Doc: rs2Doc, Cuts: "samples", Needs: catalog.Samples,
		Paper: "Okanovic, Waleffe, Mageirakos, Nikolakakis, Karbasi, Kalogerias, Gürel, Rekatsinas: Repeated Random Sampling for Minimizing the Time-to-Accuracy of Learning (ICLR 2024), arXiv 2305.18424"}
}

// Sampler is what a recipe of training takes (see model.Recipe).
func (s *RS2) Sampler() dataset.Sampler {
	return dataset.Sampler{Share: s.Keep, Replace: s.Replace, Stratified: s.Stratified}
}

// Run gives the samples that a training with this sampler and the job's seed has in the
// epoch of the round.
func (s *RS2) Run(_ context.Context, j *data.Job) (*data.Result, error) {
	if s.Stratified && !s.Replace {
		return nil, catalog.Errorf("{Stratified}: without replacement the samples of a round are what is left, whatever their class: it goes with {Replace}")
	}
	by := s.Sampler()
	if err := by.Check(j.Set, 1); err != nil {
		return nil, catalog.Errorf("{Keep}: %v", err)
	}
	l := &dataset.Loader{Set: j.Set, Size: 1, Shuffle: true, Seed: j.Seed, Sampler: by}
	out := &data.Subset{}
	for i := range l.Steps() {
		out.Numbers = l.Numbers(s.Round, i, out.Numbers)
	}
	out.Sort()
	res := &data.Result{Subset: out}
	res.Note("the method is a training: this is what its round %d has; {Recipe.Sampler} %s trains on another subset in each epoch", s.Round, by)
	return res, nil
}
