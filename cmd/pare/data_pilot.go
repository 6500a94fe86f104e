package main

import (
	"context"
	"fmt"

	"pare/catalog"
	"pare/data"
	"pare/dataset"
	"pare/model"
	"pare/train"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// piloting is what flags say of short trainings that choose a setting.
type piloting struct {
	network string
	epochs  int
}

// pilotBatch is the samples of a step: few, for a pilot makes few steps.
const pilotBatch = 64

func (q *piloting) flags(f *pflag.FlagSet) {
	f.StringVar(&q.network, "pilot", "", "network of the zoo, or a file, that is trained on what each choice keeps, for --end auto and --cutoff auto; the data must have a validation set (?val=0.1), which judges it")
	f.IntVar(&q.epochs, "pilot-epochs", 5, "passes over what is kept in each training of the pilot")
}

// ready lets a job's method try what it keeps.
func (q *piloting) ready(c *cli, cmd *cobra.Command, by *fromFiles, j *data.Job, d *dataset.Data) error {
	if q.network == "" {
		if cmd.Flags().Changed("pilot-epochs") {
			return usage("--pilot-epochs says more of a pilot: give --pilot NET")
		}
		return nil
	}
	if err := atLeast(1, "pilot-epochs", q.epochs); err != nil {
		return err
	}
	if auto := catalog.Values(by.method); auto["end"] != "auto" && auto["cutoff"] != "auto" {
		return usage("--pilot chooses what is set to auto: give --method rank --end auto, or --method ccs --cutoff auto")
	}
	if d.Val == nil {
		return usage("--pilot is judged by a validation set, and --data %s has none: give it with ?val=0.1, when samples are scored too", by.spec)
	}
	if j.Score != nil {
		if n := j.Score.Among(d.Val); n > 0 {
			c.say("note: %d of the %d validation samples have a score, so the training that made it saw them: score with the same ?val, so that they judge fairly", n, d.Val.Len())
		}
	}
	r := model.Defaults()
	r.Epochs, r.Keep = q.epochs, "last"
	g, err := c.network(q.network, "", d.Val, j.Seed)
	if err != nil {
		return err
	}
	if err := c.fits(q.network, g, &dataset.Data{Train: d.Train, Val: d.Val, Norm: d.Norm}, &r); err != nil {
		return err
	}
	j.Pilot = func(ctx context.Context, s *data.Subset) (train.Score, error) {
		set, err := s.Select(d.Train)
		if err != nil {
			return train.Score{}, err
		}
		k, _ := g.Clone(true)
		of := r
		of.Batch = min(pilotBatch, set.Len())
		t := &model.Job{Graph: k, Data: &dataset.Data{Train: set, Val: d.Val, Norm: d.Norm}, Recipe: of, Seed: j.Seed, Engine: j.Engine}
		res, err := t.Train(ctx)
		if err != nil {
			return train.Score{}, fmt.Errorf("the pilot: %w", err)
		}
		return t.Score(ctx, res.Graph)
	}
	return nil
}
