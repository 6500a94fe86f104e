package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	runs "pare/run"
	"pare/run/job"
)

// localJobs makes jobs by the test's binary, in a folder.
func localJobs(t *testing.T, dir string) *job.Local {
	t.Helper()
	s, err := runs.NewStore(filepath.Join(dir, "runs"))
	if err != nil {
		t.Fatal(err)
	}
	return &job.Local{Program: os.Args[0], Store: s, Dir: filepath.Join(dir, "jobs"), Tags: []string{"sweep=a"}, Env: []string{"PARE_TEST_COMMAND=1", "GOCOVERDIR=" + t.TempDir()}}
}

// jobOf is a command line as a job: NET in it is the network.
func jobOf(t *testing.T, id, net, line, output string) *job.Job {
	t.Helper()
	j := &job.Job{ID: id, Args: strings.Fields(line), Output: output, Threads: 1}
	if strings.Contains(line, "{net}") {
		f, err := job.FileOf("net", net)
		if err != nil {
			t.Fatal(err)
		}
		j.Files = append(j.Files, *f)
	}
	return j
}

// madeBy is what the command of a job writes by itself.
func madeBy(t *testing.T, j *job.Job) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), j.Output)
	line, err := j.Line(func(f *job.File) string { return f.Path }, out)
	if err != nil {
		t.Fatal(err)
	}
	p, said := program(t, t.TempDir(), append(line, "--no-run")...)
	if p.Start(); status(t, p) != 0 {
		t.Fatalf("%v: %s", line, said)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// sameBytes checks that a job is done, and has written these bytes.
func sameBytes(t *testing.T, what string, d *job.Done, err error, want []byte) {
	t.Helper()
	if err != nil || d.Status != runs.Done || d.Output == nil {
		t.Fatalf("%s: %+v, %v", what, d, err)
	}
	if b, err := os.ReadFile(d.Output.Path); err != nil || string(b) != string(want) {
		t.Errorf("%s: other bytes, %v", what, err)
	}
}

// jobLines are what jobs are: a training, one whose sparsity rises, several trainings, and a
// cut without one.
var jobLines = []struct{ name, line, output string }{
	{"train", "model train mlp:64-32-10 --data digits --epochs 5 --batch 32 --no-bench -o {output}", "t.onnx"},
	{"gmp", "model prune {net} --method gmp --sparsity 0.8 --data digits?n=640 --epochs 4 --batch 32 --no-bench -o {output}", "g.pare"},
	{"rounds", "model prune {net} --method magnitude --rounds 3 --sparsity 0.8 --data digits?n=320 --epochs 2 --batch 32 --no-bench -o {output}", "r.pare"},
	{"cut", "model prune {net} --sparsity 0.8 --no-bench -o {output}", "c.pare"},
}

// A job is made to the bytes of its command, its points are told in their order and each once,
// and it is not made again.
func TestJob(t *testing.T) {
	dir := t.TempDir()
	n := net(t, dir)
	l := localJobs(t, dir)
	for _, x := range jobLines {
		j := jobOf(t, x.name, n, x.line, x.output)
		want := madeBy(t, j)
		var told []*runs.Point
		d, err := l.Make(t.Context(), j, func(p *runs.Point) { told = append(told, p) })
		sameBytes(t, x.name, d, err, want)
		e, err := l.Store.Entry(d.Run)
		if err != nil {
			t.Fatal(err)
		}
		if r := e.Record; r.Job != x.name || d.Tries != 1 || len(d.Values) == 0 || !slices.Equal(e.Tags, l.Tags) || x.name != "cut" && (d.Metric != "accuracy" || d.Seconds <= 0) {
			t.Errorf("%s: %+v, tags %v", x.name, d, e.Tags)
		}
		kept, err := runs.ReadMetrics(filepath.Join(e.Dir, runs.MetricsFile))
		if err != nil || string(runs.Lines(told)) != string(runs.Lines(kept)) {
			t.Errorf("%s: %d points were told of %d, %v", x.name, len(told), len(kept), err)
		}
		again, err := l.Make(t.Context(), j, nil)
		sameBytes(t, x.name+" again", again, err, want)
		if again.Run != d.Run || again.Tries != 1 {
			t.Errorf("%s was made again: %+v", x.name, again)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "jobs", "*", "*.checkpoint")); left != nil {
		t.Errorf("left behind: %v", left)
	}
	d, err := l.Make(t.Context(), jobOf(t, "eval", n, "model eval {net} --data digits", ""), nil)
	if err != nil || d.Status != runs.Done || d.Values["accuracy"] <= 0 || d.Values["parameters"] == 0 || d.Metric != "accuracy" {
		t.Errorf("%+v, %v", d, err)
	}
}

// What is wrong with a job is a Done, what is wrong with all of them is an error.
func TestJobFails(t *testing.T) {
	dir := t.TempDir()
	n := net(t, dir)
	l := localJobs(t, dir)
	for want, line := range map[string]string{
		"there is no flag --nosuch": "model prune {net} -o {output} --nosuch",
		"the loss became":           "model prune {net} -o {output} --data digits --batch 32 --lr 1e30 --epochs 1",
		"no such file":              "model prune absent.onnx -o {output}",
	} {
		d, err := l.Make(t.Context(), jobOf(t, "bad"+strconv.Itoa(len(line)), n, line, "x.onnx"), nil)
		if err != nil || d.Status != runs.Failed || !strings.Contains(d.Error, want) {
			t.Errorf("%s: %+v, %v", line, d, err)
		}
	}
	if _, err := l.Make(t.Context(), &job.Job{ID: "../x", Args: []string{"methods"}}, nil); err == nil {
		t.Error("an ID that leads out of the folder is taken")
	}
	if _, err := l.Make(t.Context(), &job.Job{ID: "a", Args: []string{"methods"}}, nil); err == nil || !strings.Contains(err.Error(), "leaves no run") {
		t.Errorf("%v", err)
	}
	l.Program = filepath.Join(dir, "absent")
	if _, err := l.Make(t.Context(), jobOf(t, "b", n, "model eval {net} --data digits", ""), nil); err == nil {
		t.Error("a program that is not there makes jobs")
	}
}

// A job pauses after exactly so many epochs of all its trainings, and goes on to the bytes of
// one that never did, wherever its run and its files lie by then.
func TestJobPauses(t *testing.T) {
	dir := t.TempDir()
	n := net(t, dir)
	for _, x := range jobLines[:3] {
		j := jobOf(t, x.name, n, x.line, x.output)
		want := madeBy(t, j)
		at := filepath.Join(dir, x.name, "0")
		all := map[string]int{"train": 5, "gmp": 4, "rounds": 6}[x.name]
		for until := 1; until <= all; until++ {
			l := localJobs(t, at)
			epochs := 0
			j.Until = until
			d, err := l.Make(t.Context(), j, func(p *runs.Point) {
				if _, ends := p.Get(runs.EpochLoss); ends {
					epochs++
				}
			})
			if err != nil || d.Status != runs.Stopped || epochs != until || d.Tries != until {
				t.Fatalf("%s until %d: %d epochs, %+v, %v", x.name, until, epochs, d, err)
			}
			to := filepath.Join(dir, x.name, string(rune('0'+until)))
			moved(t, at, to, j)
			at = to
		}
		j.Until = 0
		d, err := localJobs(t, at).Make(t.Context(), j, nil)
		sameBytes(t, x.name, d, err, want)
		e, err := localJobs(t, at).Store.Entry(d.Run)
		if err != nil || len(e.Record.Sittings) != all+1 || strings.Contains(strings.Join(e.Record.Args, " "), x.name+"/0") {
			t.Errorf("%s: %+v, %v", x.name, e, err)
		}
	}
}

// moved moves runs, jobs and the network to another folder.
func moved(t *testing.T, from, to string, j *job.Job) {
	t.Helper()
	for i := range j.Files {
		f := &j.Files[i]
		b, err := os.ReadFile(f.Path)
		if err == nil {
			f.Path = filepath.Join(from, f.Base)
			err = os.WriteFile(f.Path, b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Path = filepath.Join(to, f.Base)
	}
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// A job whose process is killed is gone on with; stopped, moved to another folder and gone on
// with there, it comes to the same bytes.
func TestJobKilled(t *testing.T) {
	dir := t.TempDir()
	n := net(t, dir)
	for _, x := range jobLines[:3] {
		j := jobOf(t, x.name, n, strings.NewReplacer("--epochs 5", "--epochs 15", "--epochs 2", "--epochs 5").Replace(x.line), x.output)
		want := madeBy(t, j)
		from, to := filepath.Join(dir, x.name, "a"), filepath.Join(dir, x.name, "b")
		l := localJobs(t, from)
		ctx, cancel := context.WithCancel(t.Context())
		killed := false
		_, err := l.Make(ctx, j, func(p *runs.Point) {
			if _, ends := p.Get(runs.EpochLoss); !ends {
				return
			}
			es, _, err := l.Store.List()
			switch {
			case err != nil || len(es) != 1:
				t.Errorf("%v, %v", es, err)
			case !killed:
				kill(t, l, syscall.SIGKILL)
				killed = true
			case len(es[0].Record.Sittings) > 1:
				cancel()
			}
		})
		cancel()
		if !errors.Is(err, context.Canceled) {
			if err == nil { // it was done before it could be stopped
				continue
			}
			t.Fatalf("%s: %v", x.name, err)
		}
		es, _, err := l.Store.List()
		if err != nil || len(es) != 1 || es[0].Status != runs.Stopped {
			t.Fatalf("%s: %v, %v", x.name, es, err)
		}
		moved(t, from, to, j)
		d, err := localJobs(t, to).Make(t.Context(), j, nil)
		sameBytes(t, x.name, d, err, want)
		if d.Tries != 3 {
			t.Errorf("%s: %+v", x.name, d)
		}
	}
}

// kill sends a signal to the process of the only run.
func kill(t *testing.T, l *job.Local, sig syscall.Signal) {
	es, _, err := l.Store.List()
	if err != nil || len(es) != 1 {
		t.Errorf("%v, %v", es, err)
		return
	}
	ss := es[0].Record.Sittings
	if p, err := os.FindProcess(ss[len(ss)-1].Process); err == nil {
		p.Signal(sig) //nolint:errcheck // it may have ended
	}
}

// A process that is killed again and again without having come further has failed.
func TestJobDoomed(t *testing.T) {
	dir := t.TempDir()
	net(t, dir)
	l := localJobs(t, dir)
	j := jobOf(t, "doomed", "", "model train mlp:64-32-10 --data digits --epochs 100000 --batch 32 --no-bench -o {output}", "t.onnx")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			if es, _, err := l.Store.List(); err == nil && len(es) == 1 && es[0].Status == runs.Running {
				kill(t, l, syscall.SIGKILL)
			}
			time.Sleep(time.Millisecond)
		}
	}()
	d, err := l.Make(ctx, j, nil)
	if err != nil || d.Status != runs.Failed || !strings.Contains(d.Error, "killed 3 times") {
		t.Errorf("%+v, %v", d, err)
	}
}

// A process whose parent has died saves what is done, and ends.
func TestJobOrphan(t *testing.T) {
	dir := t.TempDir()
	s, err := runs.NewStore(filepath.Join(dir, "runs"))
	if err != nil {
		t.Fatal(err)
	}
	name := runs.NewName("model train")
	told, err := json.Marshal(&job.Control{Job: "orphan", Store: s.Dir, Run: name})
	if err != nil {
		t.Fatal(err)
	}
	p, said := program(t, dir, strings.Fields("model train mlp:64-32-10 --data digits --epochs 100000 --batch 32 -o t.onnx")...)
	p.Env = append(p.Env, "PARE_JOB="+string(told))
	in, err := p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "a checkpoint was written", there(filepath.Join(s.Dir, name, runs.CheckFolder, "state")))
	in.(io.Closer).Close()
	if got := status(t, p); got != 128+int(syscall.SIGTERM) || !strings.Contains(said.String(), "its state is saved") {
		t.Errorf("status %d: %s", got, said)
	}
	if e, err := s.Entry(name); err != nil || e.Status != runs.Stopped {
		t.Errorf("%+v, %v", e, err)
	}
}

// A run of other files, another job or another command is not taken for a job's.
func TestJobOfAnother(t *testing.T) {
	dir := t.TempDir()
	n := net(t, dir)
	l := localJobs(t, dir)
	j := jobOf(t, "a", n, jobLines[1].line, "g.pare")
	j.Until = 1
	if d, err := l.Make(t.Context(), j, nil); err != nil || d.Status != runs.Stopped {
		t.Fatalf("%+v, %v", d, err)
	}
	b, err := os.ReadFile(n)
	if err != nil {
		t.Fatal(err)
	}
	ok(t, "model", "prune", n, "-o", filepath.Join(dir, "other.onnx"), "--sparsity", "0.1", "--epochs", "0", "--no-bench")
	other, err := os.ReadFile(filepath.Join(dir, "other.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(){
		"is not what is given now": func() { os.WriteFile(n, other, 0o644) }, //nolint:errcheck // the case fails then
		"not of pare model train":  func() { j.Args = strings.Fields(jobLines[0].line) },
		"it was begun with":        func() { j.Args = strings.Fields(strings.Replace(jobLines[1].line, "0.8", "0.7", 1)) },
	} {
		args := j.Args
		change()
		if d, err := l.Make(t.Context(), j, nil); err != nil || d.Status != runs.Failed || !strings.Contains(d.Error, want) {
			t.Errorf("%q: %+v, %v", want, d, err)
		}
		j.Args = args
		if err := os.WriteFile(n, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d, err := l.Make(t.Context(), j, nil)
	if err != nil || d.Status != runs.Stopped {
		t.Errorf("%+v, %v", d, err)
	}
}

// asked is a context that says when it is first asked for its channel.
type asked struct {
	context.Context
	once sync.Once
	told chan bool
}

func (a *asked) Done() <-chan struct{} {
	a.once.Do(func() { close(a.told) })
	return a.Context.Done()
}

// A job waits for what the process that made it before still has; others do not.
func TestJobWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "net.onnx")
	lock, err := runs.Take(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	c := newCLI(nil, io.Discard, io.Discard)
	c.ctx = ctx
	if busy := (*runs.BusyError)(nil); !errors.As(c.take(path), &busy) {
		t.Error("a path that is taken is taken")
	}
	a := &asked{Context: ctx, told: make(chan bool)}
	c.ctx, c.rec.job = a, &job.Control{}
	done := make(chan error)
	go func() { done <- c.take(path) }()
	<-a.told
	lock.Release()
	if err := <-done; err != nil {
		t.Error(err)
	}
	c.release()
}
