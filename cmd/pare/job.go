package main

import (
	"io"
	"os"

	runs "pare/run"
	"pare/run/job"
	"pare/train"

	"github.com/spf13/cobra"
)

// takeJob hears whether this process makes a job's run. It stops then, with what is done
// saved, when who started it has died: its standard input has ended.
func (c *cli) takeJob() (err error) {
	if c.rec.job, err = job.Controlled(); c.rec.job == nil {
		return err
	}
	go func() {
		io.Copy(io.Discard, os.Stdin) //nolint:errcheck // however it ends
		c.stop.leave()
	}()
	return nil
}

// beginJob begins the run of a job, or takes it up where it is there.
func (c *cli) beginJob(s *runs.Store, r *runs.Record) (err error) {
	r.Job = c.rec.job.Job
	if c.rec.active, err = s.Under(c.rec.job.Run, r, c.program()); err != nil || c.rec.job.Tags == nil {
		return err
	}
	e, err := s.Entry(c.rec.job.Run)
	if err != nil {
		return err
	}
	return e.Tag(c.rec.job.Tags, nil)
}

// ownJob is own for a job: the checkpoint is in the run's directory, and there is no link to
// it beside the output.
func (c *cli) ownJob(cmd *cobra.Command, out string, in ...input) (*owned, error) {
	r := outputFolder(out)
	if err := c.begin(cmd, r, in...); err != nil {
		return nil, err
	}
	a := c.rec.active
	o := &owned{c: c, path: a.Checkpoint(), beside: checkpointOf(out), kept: true, resume: true}
	var err error
	if o.Owned, err = runs.Own(o.path, true, false); err != nil {
		return nil, err
	}
	c.held = append(c.held, o.Release)
	return o, nil
}

// pausing adds to what looks on in trainings what ends them where the job is to pause.
func (c *cli) pausing(record func(save string) []train.Hook) func(save string) []train.Hook {
	if c.rec.job == nil || c.rec.job.Until == 0 {
		return record
	}
	p := &pause{until: c.rec.job.Until, stop: c.stop.pause}
	return func(save string) []train.Hook {
		if save == "" { // a trial on the way
			return record(save)
		}
		return append(record(save), p)
	}
}

// pause ends the trainings of a run after so many epochs of all of them.
type pause struct {
	train.Observer
	until  int
	before int        // epochs of the trainings before
	now    *train.Run // that is under way
	stop   func()
}

// Start begins to count those of another training, which may go on from a checkpoint, or
// of the same that has gone back.
func (p *pause) Start(r *train.Run) error {
	if p.now != nil && p.now != r {
		p.before += len(p.now.Past)
	}
	p.now = r
	return p.look()
}

// AfterEpoch looks whether the last epoch of a training was the last before the pause.
func (p *pause) AfterEpoch(r *train.Run, _ train.Epoch) error {
	if r.Step < r.Total {
		return nil // see BeforeStep
	}
	return p.look()
}

// BeforeStep looks whether the epoch before was the last before the pause. It is counted by
// now: a training whose loss has exploded has gone back to make it again.
func (p *pause) BeforeStep(*train.Run) error { return p.look() }

func (p *pause) look() error {
	if p.before+len(p.now.Past) >= p.until {
		p.stop()
	}
	return nil
}
