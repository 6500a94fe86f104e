package model

import (
	"context"
	"fmt"

	"pare/dataset"
	"pare/graph"
	"pare/run"
	"pare/train"
)

// evalBatch is the number of samples that are evaluated at once.
const evalBatch = 128

// calibrationBatches is the number of batches that running statistics are
// estimated from anew.
const calibrationBatches = 50

// Held evaluates on the samples that are not trained on: the validation set,
// else the test set; nil where there is neither.
func (j *Job) Held() *train.Eval {
	s := j.held()
	if s == nil {
		return nil
	}
	e := train.NewEval(s, j.Data.Norm, evalBatch, j.Engine)
	e.Judge = j.Judge()
	return e
}

// Judge is how networks are judged: by the recipe's loss and metrics (Check says what is
// wrong with them), and against the dense network where there are no labels.
func (j *Job) Judge() train.Judge {
	by, _ := j.Recipe.Judge()
	by.Reference = j.Dense
	return by
}

func (j *Job) held() *dataset.Set {
	switch {
	case j.Data == nil:
		return nil
	case j.Data.Val != nil:
		return j.Data.Val
	}
	return j.Data.Test
}

// Score on what is held out, none where nothing is.
func (j *Job) Score(ctx context.Context, g *graph.Graph) (train.Score, error) {
	e := j.Held()
	if e == nil {
		return train.Score{}, nil
	}
	m, err := e.Run(ctx, g)
	return m.Main(), j.Interrupted(ctx, err)
}

// Interrupted turns the end of the context while measuring, between trainings whose
// checkpoints are saved, into the error of a training that is interrupted.
func (j *Job) Interrupted(ctx context.Context, err error) error {
	if saved, _ := run.Saved(j.Save); ctx.Err() != nil && saved {
		return fmt.Errorf("%w in %s", train.ErrInterrupted, j.Save)
	}
	return err
}

// LogUntuned says what the cut alone came to, where fine-tuning follows and anyone
// listens.
func (j *Job) LogUntuned(ctx context.Context, g *graph.Graph) error {
	e := j.Held()
	if j.Log == nil || j.Recipe.Epochs == 0 || e == nil {
		return nil
	}
	m, err := e.Run(ctx, g)
	if err == nil {
		j.Logf("before fine-tuning: loss %.4f, %s %s", m.Loss, m.Main().Metric, m.Main().Show())
	}
	return err
}

// TrainingMemory is how many bytes the plan of one step of the recipe's training holds for a
// network; 0 where nothing is trained.
func (j *Job) TrainingMemory(g *graph.Graph) (int, error) {
	if j.Steps() == 0 {
		return 0, nil
	}
	cfg, err := j.config()
	if err != nil {
		return 0, err
	}
	return train.StepBytes(g, j.Data.Train, j.Recipe.Batch, cfg.Loss, j.Engine)
}

// Recalibrate estimates the running statistics of batch normalisation anew, where
// there is any, from 50 batches of the training set.
func (j *Job) Recalibrate(ctx context.Context, g *graph.Graph, batch int) error {
	for _, n := range g.Nodes {
		if n.Is("BatchNormalization") {
			l := &dataset.Loader{Set: j.Data.Train, Size: batch, Norm: j.Data.Norm, Shuffle: true, Seed: j.Seed}
			return train.Recalibrate(ctx, g, train.NewData(l), calibrationBatches, j.Engine)
		}
	}
	return nil
}
