package main

import (
	"fmt"

	"pare/model"
	"pare/train/objective"

	"github.com/spf13/cobra"
)

// distillation are the flags of training by a teacher.
type distillation struct {
	Teacher string  `flag:"teacher" kind:"file" doc:"distil from this network, such as the dense one: its softened outputs are matched too"`
	Alpha   float64 `flag:"alpha" range:"[0,1]" doc:"share of the distillation term in the loss"`
	Match   string  `flag:"match" doc:"how outputs are matched, such as 'match-kl(logits)+match-mse(boxes)': match-kl, match-bce, match-mse, match-cosine; auto: by what each output is"`
	T       float64 `flag:"temperature" range:"(0,)" doc:"temperature that softens the outputs"`
}

// distillationFlags is the heading of these flags.
const distillationFlags = "distillation"

// softly is a distillation with the usual constants.
func softly() distillation { return distillation{Alpha: .5, T: 4, Match: "auto"} }

// apply reads the teacher and puts it into the job's loss.
func (t *distillation) apply(c *cli, cmd *cobra.Command, j *model.Job) error {
	if t.Match != "auto" {
		o, err := objective.Parse(t.Match)
		if err != nil {
			return usage("--match %s: %v", t.Match, err)
		}
		j.Loss.Match = o
	}
	j.Loss.T = t.T
	if t.Teacher == "" {
		for _, name := range []string{"alpha"} {
			if cmd.Flags().Changed(name) {
				return usage("--%s is for distillation: give --teacher", name)
			}
		}
		return nil
	}
	if j.Data == nil {
		return usage("--teacher %s teaches on data: give --data", t.Teacher)
	}
	g, err := c.beside(t.Teacher)
	if err == nil {
		err = c.fits("teacher "+t.Teacher, g, j.Data, &j.Recipe)
	}
	if err != nil {
		return fmt.Errorf("teacher: %w", err)
	}
	j.Loss.Teacher, j.Loss.Alpha = g, t.Alpha
	return nil
}
