package score

import (
	"context"
	_ "embed"
	"math"

	"pare/catalog"
	"pare/data"
	"pare/dataset"
	"pare/train"
)

// GraNd scores samples by the length of their gradients.
type GraNd struct{}

//go:embed grand.md
var grandDoc string

// NewGraNd is the method; it has no settings.
func NewGraNd() *GraNd { return &GraNd{} }

// Card describes the method.
func (*GraNd) Card() *catalog.Card {
	return &catalog.Card{Name: "grand", Title: "Length of the gradient of a sample's loss by all weights", Noun: "data", Doc: grandDoc, Cuts: "nothing: it scores samples", Needs: catalog.Labels,
		Paper: "Paul, Ganguli, Dziugaite: Deep Learning on a Data Diet: Finding Important Examples Early in Training (NeurIPS 2021), arXiv 2107.07075"}
}

// Run scores: the mean over the job's networks. Every sample is a batch of its own.
func (*GraNd) Run(ctx context.Context, j *data.Job) (*data.Result, error) {
	if err := j.NeedsNetworks(); err != nil {
		return nil, err
	}
	out := make([]float64, j.Set.Len())
	for _, g := range j.Networks {
		src := train.NewData(&dataset.Loader{Set: j.Set, Size: 1, Norm: j.Norm})
		at := 0
		err := train.EachGradient(ctx, g, g.Params(), src, j.Loss, j.Seed, j.Engine, func(grads [][]float32) error {
			square := 0.0
			for _, d := range grads {
				for _, v := range d {
					square += float64(v) * float64(v)
				}
			}
			out[at] += math.Sqrt(square) / float64(len(j.Networks))
			at++
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return &data.Result{Score: data.NewScore(j.Set, data.High, out)}, nil
}
