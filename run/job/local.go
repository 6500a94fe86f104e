package job

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"pare/run"

	"github.com/google/renameio/v2"
)

// Local makes jobs as children of this process. Its methods may be called from many
// goroutines, for different jobs.
type Local struct {
	Program string     // path of the command
	Store   *run.Store // of the runs' directories
	Dir     string     // in which each job has a folder, ID, for its output
	Tags    []string   // of the runs
	Env     []string   // variables, NAME=VALUE, beside those of this process

	Within bool // the children work in the jobs' folders, in which there is nothing else

	Worker string        // what Done says who ended it; "": "local"
	Grace  time.Duration // that a child may take to save what is done; 0: 30 s
}

const (
	grace    = 30 * time.Second
	lives    = 3                      // of a process that others kill without its having come further
	looks    = 100 * time.Millisecond // between looks at a run's metrics
	released = time.Minute            // that an orphan of an earlier process is waited for
)

var _ Maker = (*Local)(nil)

// Folder is that of a job.
func (l *Local) Folder(id string) string { return filepath.Join(l.Dir, id) }

// runFile is what has the name of a job's run in the job's folder.
const runFile = "run"

// Make makes a job; see Maker. A process that others kill is gone on with, three times
// in a row without an epoch more; then the job has failed.
func (l *Local) Make(ctx context.Context, j *Job, note func(*run.Point)) (*Done, error) {
	if err := j.Check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(l.Folder(j.ID), 0o755); err != nil {
		return nil, err
	}
	at := filepath.Join(l.Folder(j.ID), runFile)
	b, err := os.ReadFile(at)
	name := strings.TrimSpace(string(b))
	if errors.Is(err, os.ErrNotExist) || err == nil && !run.IsName(name) {
		name = run.NewName(j.Command())
		err = renameio.WriteFile(at, []byte(name+"\n"), 0o644)
	}
	if err != nil {
		return nil, err
	}
	return l.MakeAs(ctx, j, name, note)
}

// Command is the words of a job's command, such as "model prune".
func (j *Job) Command() string {
	n := 0
	for n < len(j.Args) && n < 2 && !strings.HasPrefix(j.Args[n], "-") {
		n++
	}
	return cmp.Or(strings.Join(j.Args[:n], " "), "run")
}

// MakeAs makes a job whose run has a name that was chosen before.
func (l *Local) MakeAs(ctx context.Context, j *Job, name string, note func(*run.Point)) (*Done, error) {
	if err := j.Check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(l.Folder(j.ID), 0o755); err != nil {
		return nil, err
	}
	follow := run.Follow(filepath.Join(l.Store.Dir, name, run.MetricsFile))
	defer follow.Close()
	if note == nil {
		note = func(*run.Point) {}
	}
	was, err := l.free(ctx, name)
	if err != nil {
		return nil, err
	}
	if was != nil && was.Status == run.Done { // whoever asked died before it knew
		tell(follow, note)
		return l.ended(j, name, was)
	}
	for killed, epoch := 0, -1; ; {
		x, err := l.child(ctx, j, name, func() { epoch = max(epoch, tell(follow, note)) })
		if err != nil || !x.killed {
			return x.done, err
		}
		if further := x.epoch > epoch; further {
			killed = 0
		}
		epoch = max(epoch, x.epoch)
		if killed++; killed == lives {
			return l.failed(j, name, fmt.Sprintf("its process was killed %d times (%s): there may be too little memory for it", lives, x.how)), nil
		}
	}
}

// free waits until no process has a run, and gives its record, nil where there is none yet.
func (l *Local) free(ctx context.Context, name string) (*run.Record, error) {
	for late := time.Now().Add(released); ; {
		e, err := l.Store.Entry(name)
		if err != nil { // there is none, or the next process says what is wrong with it
			return nil, ctx.Err()
		}
		if e.Status != run.Running {
			return e.Record, ctx.Err()
		}
		if time.Now().After(late) {
			return nil, fmt.Errorf("%s is worked on by process %d", e.Dir, last(e.Record).Process)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(looks):
		}
	}
}

// tell tells of points that have come, and gives the last epoch that has ended, -1 for none.
// What cannot be read now is read later.
func tell(f *run.Follower, note func(*run.Point)) int {
	ps, _ := f.Next()
	epoch := -1
	for _, p := range ps {
		note(p)
		if _, ends := p.Get(run.EpochLoss); ends {
			epoch = max(epoch, p.Epoch)
		}
	}
	return epoch
}

// sitting is what a child came to.
type sitting struct {
	done   *Done
	killed bool   // by a signal that it could not hear
	how    string // it ended
	epoch  int
}

// child runs a process that makes the job, or goes on with it.
func (l *Local) child(ctx context.Context, j *Job, name string, look func()) (x sitting, err error) {
	line, err := j.Line(func(f *File) string { return f.Path }, l.output(j))
	if err != nil {
		return x, err
	}
	told, err := (&Control{Job: j.ID, Store: l.Store.Dir, Run: name, Tags: l.Tags, Until: j.Until}).variable()
	if err != nil {
		return x, err
	}
	p := exec.Command(l.Program, line...)
	p.Env = append(append(os.Environ(), l.Env...), told)
	if apart(p); l.Within {
		p.Dir = l.Folder(j.ID)
	}
	said := &tail{}
	p.Stderr = said
	hold, err := p.StdinPipe() // it ends with this process
	if err != nil {
		return x, err
	}
	defer hold.Close()
	if err := p.Start(); err != nil {
		return x, fmt.Errorf("job %s: %w", j.ID, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Wait() }()
	tick := time.NewTicker(looks)
	defer tick.Stop()
	stop, late := ctx.Done(), (<-chan time.Time)(nil)
	for {
		select {
		case err = <-ended:
			look()
			return l.after(ctx, j, name, p.ProcessState, err, said)
		case <-tick.C:
			look()
		case <-stop:
			stop, late = nil, time.After(cmp.Or(l.Grace, grace))
			if p.Process.Signal(syscall.SIGTERM) != nil {
				hold.Close() // it is heard as well, where there are no signals
			}
		case <-late:
			p.Process.Kill() //nolint:errcheck // it may have ended
		}
	}
}

// after says what a process that has ended came to.
func (l *Local) after(ctx context.Context, j *Job, name string, how *os.ProcessState, err error, said *tail) (x sitting, _ error) {
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return x, err
	}
	e, wrong := l.Store.Entry(name)
	if wrong == nil && e.Record.Status == run.Done {
		x.done, err = l.ended(j, name, e.Record)
		return x, err
	}
	if ctx.Err() != nil {
		return x, ctx.Err()
	}
	switch code := how.ExitCode(); {
	case code < 0: // by a signal
		x.killed, x.how = true, how.String()
		return x, nil
	case code > 128:
		return x, fmt.Errorf("job %s: its process was stopped by somebody else (%s)", j.ID, said.last())
	case wrong != nil && code == 0:
		return x, fmt.Errorf("job %s: pare %s leaves no run", j.ID, j.Command())
	case wrong != nil || code != Paused && last(e.Record).Process != how.Pid():
		x.done = l.failed(j, name, said.last())
		return x, nil
	}
	x.done, err = l.ended(j, name, e.Record)
	return x, err
}

// last is the sitting of a run that was begun last.
func last(r *run.Record) *run.Sitting { return &r.Sittings[len(r.Sittings)-1] }

// output is the path of a job's output.
func (l *Local) output(j *Job) string { return filepath.Join(l.Folder(j.ID), cmp.Or(j.Output, "none")) }

// failed is a job whose process did not say so in a record.
func (l *Local) failed(j *Job, name, why string) *Done {
	d := &Done{Job: j.ID, Status: run.Failed, Error: why, Worker: cmp.Or(l.Worker, "local"), Tries: 1}
	if e, err := l.Store.Entry(name); err == nil {
		d.Run, d.Tries, d.Seconds = name, len(e.Record.Sittings), e.Record.Took().Seconds()
	}
	return d
}

// ended is what the record of a run that has ended says.
func (l *Local) ended(j *Job, name string, r *run.Record) (*Done, error) {
	d := &Done{Job: j.ID, Status: r.Status, Error: r.Error, Run: name, Values: r.Values, Metric: r.Metric, Worker: cmp.Or(l.Worker, "local"),
		Tries: len(r.Sittings), Seconds: r.Took().Seconds()}
	if j.Output == "" || d.Status != run.Done {
		return d, nil
	}
	at := l.output(j)
	bytes, sum, err := run.FileDigest(at)
	if err != nil {
		return nil, fmt.Errorf("job %s: %s is done, but what it wrote is not there: %w", j.ID, filepath.Join(l.Store.Dir, name), err)
	}
	for _, o := range r.Outputs { // its path may be that of another folder
		if o.SHA256 == sum {
			d.Output = &run.File{Name: o.Name, Path: at, Bytes: bytes, SHA256: sum}
			return d, nil
		}
	}
	return nil, fmt.Errorf("job %s: %s is not what %s has written", j.ID, at, filepath.Join(l.Store.Dir, name))
}

// tail keeps the end of what a process says.
type tail struct{ b []byte }

const mostTail = 16 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.b = append(t.b, b...)
	if n := len(t.b) - mostTail; n > 0 {
		t.b = append(t.b[:0], t.b[n:]...)
	}
	return len(b), nil
}

// last is what the command said when it ended.
func (t *tail) last() string {
	b := bytes.TrimSpace(t.b)
	if at := bytes.LastIndex(b, []byte("pare: ")); at >= 0 {
		return string(b[at+len("pare: "):])
	}
	at := bytes.LastIndexByte(b, '\n')
	return cmp.Or(string(b[at+1:]), "it said nothing")
}

var _ io.Writer = (*tail)(nil)
