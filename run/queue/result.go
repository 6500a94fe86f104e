package queue

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"pare/run"
	"pare/run/job"
)

// mostRun is the most bytes of a run with what it wrote.
const mostRun = 1 << 40

// take brings home what a job has come to.
func (m *Maker) take(ctx context.Context, j *job.Job, x *state, note func([]*run.Point)) (*job.Done, error) {
	if x.Done == nil {
		return nil, fmt.Errorf("job %s has ended, and the queue does not know how", j.ID)
	}
	d := *x.Done
	d.Job, d.Run, d.Output, d.Tries = j.ID, "", nil, x.Try
	if x.Kept == nil {
		return &d, nil
	}
	beside := filepath.Join(m.Store.Dir, ".incoming-"+x.Run)
	if err := os.RemoveAll(beside); err != nil {
		return nil, err
	}
	defer os.RemoveAll(beside) //nolint:errcheck // it is rubbish by then
	in := map[string]string{runPart: filepath.Join(beside, runPart), outputPart: filepath.Join(beside, outputPart)}
	for _, dir := range in {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	if x.Kept.Bytes > mostRun {
		return nil, fmt.Errorf("job %s: its run has %d bytes, more than %d", j.ID, x.Kept.Bytes, int64(mostRun))
	}
	if err := m.s.fetch(ctx, x.Kept, func(r io.Reader) error { return unpack(r, in, x.Kept.Bytes) }); err != nil {
		return nil, fmt.Errorf("job %s: %w", j.ID, err)
	}
	ps, err := run.ReadMetrics(filepath.Join(in[runPart], run.MetricsFile))
	if err != nil {
		return nil, fmt.Errorf("job %s: %w", j.ID, err)
	}
	note(ps)
	at := filepath.Join(m.Dir, j.ID, j.Output)
	if j.Output != "" && d.Status == run.Done {
		if d.Output, err = m.output(j, in[outputPart], at); err != nil {
			return nil, err
		}
	}
	line, err := j.Line(func(f *job.File) string { return f.Path }, at)
	if err != nil {
		return nil, err
	}
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	var wrong error
	err = m.Store.Adopt(in[runPart], x.Run, func(r *run.Record) {
		wrong = m.rebase(r, j, d.Output)
		r.Args, r.Folder = line, here
		d.Values, d.Metric, d.Error = r.Values, r.Metric, r.Error
	})
	if wrong != nil {
		return nil, fmt.Errorf("job %s: %w", j.ID, wrong)
	}
	if err != nil {
		return nil, fmt.Errorf("job %s: %w", j.ID, err)
	}
	d.Run = x.Run
	if len(m.Tags) == 0 {
		return &d, nil
	}
	e, err := m.Store.Entry(x.Run)
	if err != nil {
		return nil, err
	}
	return &d, e.Tag(m.Tags, nil)
}

// output puts what a job wrote into its place here.
func (m *Maker) output(j *job.Job, from, at string) (*run.File, error) {
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return nil, err
	}
	if err := os.RemoveAll(at); err != nil {
		return nil, err
	}
	if err := os.Rename(filepath.Join(from, j.Output), at); err != nil {
		var err2 error
		if err2 = os.CopyFS(filepath.Dir(at), os.DirFS(from)); err2 != nil { // another disk
			return nil, fmt.Errorf("job %s: what it wrote did not come with it: %w", j.ID, err)
		}
	}
	o := &run.File{Name: "output", Path: at}
	var err error
	o.Bytes, o.SHA256, err = run.FileDigest(at)
	return o, err
}

// rebase gives the paths of a record those of this machine. What it says of its output has to
// be true of what came with it.
func (m *Maker) rebase(r *run.Record, j *job.Job, output *run.File) error {
	if r.Job != j.ID {
		return fmt.Errorf("what came is the run of job %q", r.Job)
	}
	for i := range r.Inputs {
		for k := range j.Files {
			if f := &j.Files[k]; filepath.Base(r.Inputs[i].Path) == f.Base && strings.Contains(r.Inputs[i].Path, f.SHA256) {
				r.Inputs[i].Path = f.Path
			}
		}
	}
	for i := range r.Outputs {
		r.Outputs[i].Path = filepath.Join(m.Dir, j.ID, j.Output)
	}
	if output != nil && (len(r.Outputs) == 0 || r.Outputs[0].SHA256 != output.SHA256) {
		return fmt.Errorf("what it wrote, of SHA-256 %.16s…, is not what its record says", output.SHA256)
	}
	return nil
}
