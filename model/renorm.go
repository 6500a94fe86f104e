package model

import (
	"context"
	"fmt"

	"pare/catalog"
	"pare/dataset"
	"pare/graph/op"
	"pare/measure"
	"pare/train"
)

// renormalised lets work train the job's network with the batch normalisation that an
// exporter had folded away, where the recipe says so, and folds it again. A cut that
// is only tried, before a training that follows it, is made of the same network.
func (j *Job) renormalised(ctx context.Context, work func() (*Result, error)) (*Result, error) {
	if j.Recipe.Renorm != "auto" || j.Steps() == 0 && !j.tried || train.Unnormalised(j.Graph) == nil {
		return work()
	}
	src := train.NewData(&dataset.Loader{Set: j.Data.Train, Size: j.batch(), Norm: j.Data.Norm, Shuffle: true, Seed: j.Seed})
	l, err := j.Objective()
	if err != nil {
		return nil, err
	}
	r, err := train.Renormalise(ctx, j.Graph, src, calibrationBatches, l, j.Engine)
	if err != nil {
		return nil, err
	}
	j.Logf("batch normalisation is put back behind %d convolutions, from statistics of the training set", len(r.Names))
	j.fold = r.Fold
	res, err := work()
	if err != nil {
		return res, err
	}
	if err := r.Fold(res.Graph); err != nil {
		return nil, err
	}
	res.Front = res.Front.folded(r.Fold)
	norms := "filters of the norms that training with weight decay gives them"
	if r.Unbalanced != nil {
		norms = fmt.Sprintf("filters of one norm (that of training is not known: %v)", r.Unbalanced)
	}
	res.Note("%d convolutions have a bias and no normalisation, as exporters fold it away: it was put back for the training, with %s, which is also how they are ranked, and folded again ({Recipe.Renorm} off leaves that out)", len(r.Names), norms)
	return res, op.InferAll(res.Graph)
}

// Train trains the job's network by the recipe, with the normalisation put back that an
// exporter had folded away (see Recipe.Renorm).
func (j *Job) Train(ctx context.Context) (*Result, error) {
	if j.Loss.Teacher == nil && j.Dense == nil {
		if distils, err := j.distils(); err != nil {
			return nil, err
		} else if distils && j.Steps() > 0 {
			return nil, catalog.Errorf("there is nothing to learn from: every field of the samples is an input, and there is no teacher: give {Data} with labels, or a {Teacher}")
		}
	}
	k := *j
	k.sizeBatch()
	k.course = &measure.Course{}
	if err := k.holdOut(); err != nil {
		return nil, err
	}
	res, err := k.renormalised(ctx, func() (*Result, error) {
		epochs, err := k.Fit(ctx, k.Graph, k.Watch...)
		return &Result{Graph: k.Graph, Epochs: epochs}, err
	})
	if res != nil {
		res.took(k.course)
	}
	return res, err
}
