package main

import (
	"os"
	"path/filepath"

	runs "pare/run"

	"github.com/spf13/cobra"
)

// checkpointOf is where a run without a directory has its checkpoint: beside its output. A
// run with one has a link there to its own.
func checkpointOf(out string) string { return out + ".checkpoint" }

// owned is the checkpoint of a command that makes an output.
type owned struct {
	*runs.Owned
	c      *cli
	path   string // of the checkpoint; parts of a series add a number
	beside string // the place beside the output
	resume bool   // what is there is gone on with
	kept   bool   // it is kept until the run is done, not only until its output is written
}

// own begins the run of a command that makes an output, or takes up what is to be gone on
// with, and takes its checkpoint. in are the files that it reads.
func (c *cli) own(cmd *cobra.Command, out string, resume, force bool, in ...input) (*owned, error) {
	if c.rec.job != nil {
		return c.ownJob(cmd, out, in...)
	}
	beside := checkpointOf(out)
	dir, linked := runs.Linked(beside)
	switch {
	case c.rec.again != nil:
		resume = true
	case linked:
		if err := c.linked(beside, dir, resume, force); err != nil {
			return nil, err
		}
	}
	path, err := filepath.Abs(out)
	if err != nil {
		return nil, err
	}
	if c.rec.active == nil {
		if err := c.begin(cmd, &runs.Record{Outputs: []runs.File{{Name: "output", Path: path}}}, in...); err != nil {
			return nil, err
		}
	}
	o := &owned{c: c, path: beside, beside: beside, kept: c.rec.active != nil}
	if a := c.rec.active; a != nil {
		if o.path, err = c.checkpointIn(a, beside); err != nil {
			return nil, err
		}
	} else if dir, linked := runs.Linked(beside); linked { // of a run that is gone on with by --no-run
		o.path = (&runs.Active{Dir: dir}).Checkpoint()
	}
	if o.Owned, err = runs.Own(o.path, resume, force); err != nil {
		return nil, err
	}
	c.held = append(c.held, o.Release)
	if a := c.rec.active; a != nil && o.path == a.Checkpoint() {
		if a.Link(beside); !a.Resume {
			c.rec.link = beside
		}
	}
	if o.resume = resume; !resume || o.Found {
		return o, nil
	}
	if c.rec.again != nil {
		c.say("note: %s has no checkpoint yet; it begins anew", c.rec.again.Name)
	} else {
		c.say("note: there is no checkpoint %s to go on from; the run begins anew", beside)
	}
	return o, nil
}

// linked is told that there is a link to the checkpoint of a run.
func (c *cli) linked(beside, dir string, resume, force bool) error {
	s, err := runs.NewStore(filepath.Dir(dir))
	if err != nil {
		return err
	}
	e, err := s.Entry(filepath.Base(dir))
	if err != nil || e.Record.Status == runs.Done { // it is gone, or was killed as it ended
		return os.Remove(beside)
	}
	switch {
	case resume && c.rec.none:
		return nil
	case resume:
		return c.reopen(e)
	case force:
		return os.Remove(beside)
	}
	return usage("%s is the checkpoint of a run that has not ended, %s: give --resume to go on with it, or --force to begin anew without it", beside, e.Name)
}

// checkpointIn is the checkpoint of a run with a directory: in it, unless one lies beside
// the output that a run without a directory has left.
func (c *cli) checkpointIn(a *runs.Active, beside string) (string, error) {
	if at := a.Record().Checkpoint; at != "" {
		return at, nil
	}
	if _, linked := runs.Linked(beside); linked || a.Resume {
		return a.Checkpoint(), nil
	}
	if saved, err := runs.Saved(beside); err != nil || !saved {
		return a.Checkpoint(), err
	}
	at, err := filepath.Abs(beside)
	if err != nil {
		return "", err
	}
	return beside, a.Update(func(r *runs.Record) { r.Checkpoint = at })
}

// written is told that the output is written. A run with a directory keeps its checkpoint
// until all is measured, so that it need not work again where it is killed meanwhile.
func (o *owned) written() {
	if !o.kept {
		o.Done()
		o.forget()
	}
}

// end removes the checkpoint of a run that has come to its end. Where a signal has stopped
// it, or the machine has failed, it is kept.
func (o *owned) end(err error) error {
	if o.kept && o.c.ctx.Err() == nil && !runs.IsFault(err) {
		o.Done()
		o.forget()
	}
	return err
}

// forget removes the link beside the output.
func (o *owned) forget() {
	if dir, linked := runs.Linked(o.beside); linked && dir == filepath.Dir(filepath.Dir(o.path)) {
		os.Remove(o.beside) //nolint:errcheck // it is one to nothing
	}
}
