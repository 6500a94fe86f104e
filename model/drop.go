package model

import (
	"context"
	"fmt"

	"pare/catalog"
	"pare/train"
)

// drop is how much a cut may lose once it is trained, and against what.
type drop struct {
	most  float64
	whole train.Score // of the network before, on the validation set
}

// mostDrop checks the job's MaxDrop, and scores the network before; nil where it is not
// asked for.
func (j *Job) mostDrop(ctx context.Context, steps int) (*drop, error) {
	switch {
	case j.MaxDrop == nil:
		return nil, nil
	case *j.MaxDrop < 0:
		return nil, catalog.Errorf("{MaxDrop} %v: at least 0 may be lost", *j.MaxDrop)
	case steps < 2:
		return nil, catalog.Errorf("{MaxDrop}: what a cut loses after its training is asked between cuts: give several {Steps}")
	case j.Data == nil || j.Data.Val == nil:
		return nil, catalog.Errorf("{MaxDrop} between cuts is judged on samples that are not trained on, nor tested with: give the data a validation set, such as val=0.1")
	}
	s, err := j.Score(ctx, j.Graph)
	return &drop{*j.MaxDrop, s}, err
}

// lost says whether the last cut, after its training, is worse than may be.
func (d *drop) lost(ctx context.Context, j *Job, res *Result, facts *ChannelFacts) (bool, error) {
	if d == nil {
		return false, nil
	}
	f := &facts.Steps[len(facts.Steps)-1]
	if f.Trained == nil {
		s, err := j.Score(ctx, res.Graph)
		if err != nil {
			return false, err
		}
		f.Trained = &s
	}
	return !(d.whole.Worse(f.Trained.Value) <= d.most), nil
}

// lost says what a cut has lost.
func (f *StepFacts) lost(d *drop) string {
	return fmt.Sprintf("comes to %s %s on the validation set, %.3g worse than the network before, and at most %.3g is asked for",
		f.Trained.Metric, f.Trained.Show(), d.whole.Worse(f.Trained.Value), d.most)
}
