package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	runs "pare/run"
)

// keeping makes the commands of a test leave runs as those of a user do, in a folder of its own.
func keeping(t *testing.T) *runs.Store {
	t.Helper()
	t.Chdir(t.TempDir())
	t.Setenv(runsEnv, "")
	s, err := runs.NewStore(runsFolder)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// latest is the run that was begun last.
func latest(t *testing.T, s *runs.Store) *runs.Entry {
	t.Helper()
	e, err := s.Find(runs.Latest)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

const shortTrain = "model train mlp:64-16-10 --data digits?n=320 --batch 32 --epochs 3 --no-bench"

// What a run leaves: the record with all that is promised, metrics, results that are the JSON
// of the command, the report, and no checkpoint.
func TestRunLeaves(t *testing.T) {
	s := keeping(t)
	net(t, ".")
	out := ok(t, strings.Fields("model prune net.onnx -o p.pare --method gmp --sparsity 0.75 --seed 7 --data digits?n=640 --batch 32 --epochs 2 --no-bench --json")...)
	e := latest(t, s)
	r := e.Record
	if r.Command != "model prune" || !slices.Equal(r.Methods, []string{"gmp"}) || r.Settings["sparsity"] != "0.75" || r.Recipe["epochs"] != "2" || !slices.Equal(r.Seeds, []uint64{7}) ||
		r.Data != "digits?n=640" || r.Sets[0].Samples == 0 || len(r.Sets[0].SHA256) != 64 || e.Status != runs.Done || r.Ended.Before(r.Began) || r.Args[2] != "net.onnx" || r.Metric != "accuracy" {
		t.Errorf("%+v", r)
	}
	p := r.Sittings[0].Program
	if p.Go == "" || p.Processor == "" || p.Instructions == "" || p.Threads == 0 || !strings.Contains(p.System, "/") {
		t.Errorf("%+v", p)
	}
	for _, f := range append(slices.Clone(r.Inputs), r.Outputs...) {
		n, sum, err := runs.FileDigest(f.Path)
		if err != nil || n != f.Bytes || sum != f.SHA256 || n == 0 {
			t.Errorf("%+v: %v", f, err)
		}
	}
	if len(r.Inputs) != 1 || len(r.Outputs) != 1 {
		t.Errorf("%+v %+v", r.Inputs, r.Outputs)
	}
	var printed, kept any
	b, err := os.ReadFile(filepath.Join(e.Dir, runs.ResultsFile))
	if err != nil || json.Unmarshal(b, &kept) != nil || json.Unmarshal([]byte(out), &printed) != nil || fmt.Sprint(kept) != fmt.Sprint(printed) {
		t.Errorf("%v: what is kept is not what is printed", err)
	}
	if b, err := os.ReadFile(filepath.Join(e.Dir, runs.ReportFile)); err != nil || !bytes.Contains(b, []byte("<html")) {
		t.Error(err)
	}
	ps, err := runs.ReadMetrics(filepath.Join(e.Dir, runs.MetricsFile))
	if err != nil || len(ps) < 30 {
		t.Fatalf("%d points, %v", len(ps), err)
	}
	last := ps[len(ps)-1]
	for name, want := range map[string][2]float64{runs.EpochLoss: {1e-6, 10}, runs.Sparsity: {.74, .76}, runs.Rate: {1e-9, 1}, "accuracy": {0, 1}} {
		if x, ok := last.Get(name); !ok || x < want[0] || x > want[1] {
			t.Errorf("%s of the last epoch is %v", name, x)
		}
	}
	if x, _ := ps[0].Get(runs.Sparsity); x > .1 {
		t.Errorf("sparsity %v at the first step", x)
	}
	left := []string{}
	es, _ := os.ReadDir(e.Dir)
	for _, x := range es {
		left = append(left, x.Name())
	}
	if !slices.Equal(left, []string{runs.MetricsFile, runs.ReportFile, runs.ResultsFile, runs.RecordFile}) {
		t.Errorf("it leaves %v", left)
	}
}

// Comparisons and reproductions leave runs, too; a reproduction without a folder of its own
// keeps there what is done.
func TestRunsOfMany(t *testing.T) {
	s := keeping(t)
	ok(t, strings.Fields("model compare mlp:64-16-10 --methods gmp --sparsity 0.5 --seeds 2 --data digits?n=320 --epochs 2 --batch 32 -o c")...)
	e := latest(t, s)
	if !slices.Equal(e.Record.Methods, []string{"gmp"}) || !slices.Equal(e.Record.Seeds, []uint64{1, 2}) || e.Status != runs.Done {
		t.Errorf("%+v", e.Record)
	}
	ps, err := runs.ReadMetrics(filepath.Join(e.Dir, runs.MetricsFile))
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]int{}
	for _, p := range ps {
		if of[p.Of]++; p.Training == 0 {
			if x, ok := p.Get("final_accuracy"); !ok || x <= 0 || x > 1 {
				t.Errorf("%+v", p)
			}
		}
	}
	if len(of) != 4 || of["gmp 0.5 seed 2"] < 10 || of["dense seed 1"] < 10 {
		t.Errorf("metrics of %v", of)
	}
	if b, err := os.ReadFile(filepath.Join(e.Dir, runs.ResultsFile)); err != nil || !bytes.Contains(b, []byte(`"rows"`)) {
		t.Error(err)
	}
}

// So do comparisons of training sets.
func TestRunOfDataCompare(t *testing.T) {
	s := keeping(t)
	ok(t, strings.Fields("data compare mlp:64-16-10 --data digits --methods rs2 --keep 0.5 --seeds 1 --epochs 2 -o c")...)
	e := latest(t, s)
	if e.Record.Command != "data compare" || !slices.Equal(e.Record.Methods, []string{"rs2"}) || e.Status != runs.Done || e.Record.Outputs[0].Name != "output" {
		t.Errorf("%+v", e.Record)
	}
	ps, err := runs.ReadMetrics(filepath.Join(e.Dir, runs.MetricsFile))
	of := map[string]bool{}
	for _, p := range ps {
		of[p.Of] = true
	}
	if err != nil || len(of) < 3 { // all, random and rs2
		t.Errorf("metrics of %v, %v", of, err)
	}
}

// Where runs go, and where there are none.
func TestWhereRunsGo(t *testing.T) {
	keeping(t)
	net(t, ".")
	prune := "model prune net.onnx --sparsity 0.5 --no-bench -o "
	count := func(dir string) int {
		s, err := runs.NewStore(dir)
		if err != nil {
			t.Fatal(err)
		}
		ns, err := s.Names()
		if err != nil {
			t.Fatal(err)
		}
		return len(ns)
	}
	ok(t, strings.Fields(prune+"a.pare")...)
	ok(t, strings.Fields(prune+"b.pare --runs mine")...)
	ok(t, strings.Fields(prune+"c.pare --no-run")...)
	t.Setenv(runsEnv, "theirs")
	ok(t, strings.Fields(prune+"d.pare")...)
	t.Setenv(runsEnv, noRuns)
	ok(t, strings.Fields(prune+"e.pare")...)
	ok(t, strings.Fields(prune+"f.pare --runs mine")...)
	if a, b, c := count(runsFolder), count("mine"), count("theirs"); a != 1 || b != 2 || c != 1 {
		t.Errorf("%d, %d and %d runs", a, b, c)
	}
	// A folder that cannot be is an error where it was asked for, before any work, and a warning where not.
	if err := os.WriteFile("file", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if s, _, e := pare(t, strings.Fields(prune+"g.pare --runs file")...); s != 1 || !strings.Contains(e, "cannot be kept in --runs file") || there("g.pare")() {
		t.Errorf("status %d, %q", s, e)
	}
	t.Setenv(runsEnv, "file")
	if s, _, e := pare(t, strings.Fields(prune+"h.pare")...); s != 0 || !strings.Contains(e, "warning: this run leaves no directory") || !there("h.pare")() {
		t.Errorf("status %d, %q", s, e)
	}
}

// Wrong use is refused, and leaves no run.
func TestRunsWrongUse(t *testing.T) {
	s := keeping(t)
	net(t, ".")
	for _, c := range []struct {
		status     int
		args, want string
	}{
		{2, shortTrain + " -o t.onnx --runs x --no-run", "--runs and --no-run: give one"},
		{2, "model train mlp:64-16-10 --data digits -o t.onnx --runs=", "--runs is empty"},
		{1, "model train mlp:64-16-10 --data csv:none.csv -o t.onnx", "none.csv"},
		{2, "model prune net.onnx -o p.pare --method gmp", "give --data"},
		{2, "model prune net.onnx -o p.pare --sparsity 2", "--sparsity"},
		{2, "model train --resume=nothing", `there is no run "nothing"`},
		{2, "model train --resume latest", "there are no runs"},
		{2, "model train --resume 20260101-000000.000-train-000000", "there is no run"},
		{2, "model compare net.onnx --data digits --methods gmp -o c --resume", "--resume wants a run"},
		{2, "reproduce gmp --resume", "--resume wants a run"},
		{2, "runs list --status sleeping", "running, done, stopped, failed or died"},
		{2, "runs list --since yesterday", "how long ago"},
		{2, "runs list --newest -1", "--newest -1"},
		{2, "runs list more", "takes no arguments"},
		{2, "runs gc --status running", "is not removed"},
		{2, "runs gc --keep -2", "--keep -2"},
		{2, "runs gc --older never", "--older never"},
		{2, "runs rm", "one RUN or more"},
		{1, "runs rm .", "is no run"},
		{1, "runs rm ../x", "it is no directory of a run"},
		{1, "runs show none", "there is no run"},
		{2, "runs show", "takes RUN"},
		{2, "runs diff a", "takes RUN RUN"},
		{2, "runs tag latest", "give tags"},
		{2, "runs export latest x --to excel", "csv, tensorboard, mlflow"},
		{2, "runs export latest x --to csv --follow", "--follow is for"},
		{1, "runs export latest x --to csv", "there are no runs"},
		{2, "runs lst", "did you mean pare runs list?"},
		{2, "runs list --runs=", "--runs is empty"},
		{2, "model compare net.onnx --data digits --methods gmp -o c --jobs -1", "--jobs"},
	} {
		st, _, e := pare(t, strings.Fields(c.args)...)
		if c.want == "is no run" {
			c.want = "there is no run"
		}
		if st != c.status || !strings.Contains(e, c.want) {
			t.Errorf("%s: status %d, want %d; said %q, want %q", c.args, st, c.status, e, c.want)
		}
	}
	if ns, _ := s.Names(); len(ns) > 0 {
		t.Errorf("left behind: %v", ns)
	}
	if es, _ := os.ReadDir("."); len(es) != 1 {
		t.Errorf("left behind: %v", es)
	}
}

// A run that a signal has stopped is gone on with by its name, from another folder, with no
// flag of its own, to the same bytes; the same command without --resume is refused.
func TestResumeRun(t *testing.T) {
	s := keeping(t)
	dir, _ := os.Getwd()
	long := strings.Replace(shortTrain, "--epochs 3", "--epochs 40", 1)
	ok(t, append(strings.Fields(long), "-o", "want.onnx", "--no-run")...)
	p, said := program(t, dir, append(strings.Fields(long), "-o", "t.onnx")...)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "there is a checkpoint", func() bool {
		m, _ := filepath.Glob(filepath.Join(s.Dir, "*", runs.CheckFolder, "state"))
		return m != nil
	})
	p.Process.Signal(syscall.SIGTERM) //nolint:errcheck // the status tells
	if st := status(t, p); st != 143 {
		t.Fatalf("status %d: %s", st, said)
	}
	e := latest(t, s)
	if e.Status != runs.Stopped || !strings.Contains(said.String(), "pare model train --resume "+e.Name) {
		t.Fatalf("%s: %s", e.Status, said)
	}
	for _, c := range []struct{ args, want string }{
		{long + " -o t.onnx", e.Name + ": give --resume to go on with it"},
		{"model prune --resume " + e.Name, "is a run of pare model train, not of pare model prune"},
		{"model train --resume " + e.Name + " --epochs 3", "--epochs beside --resume RUN"},
	} {
		if st, _, said := pare(t, strings.Fields(c.args)...); st != 2 || !strings.Contains(said, c.want) {
			t.Errorf("%s: status %d, %q", c.args, st, said)
		}
	}
	other := t.TempDir()
	t.Chdir(other)
	_, _, text := pare(t, "model", "train", "--resume", e.Name[len(e.Name)-6:], "--runs", s.Dir, "--json", "--threads", "1")
	t.Chdir(dir)
	e = latest(t, s)
	if e.Status != runs.Done || len(e.Record.Sittings) != 2 || !strings.Contains(text, "it goes on in "+dir) {
		t.Errorf("%+v: %s", e.Record.Sittings, text)
	}
	want, _ := os.ReadFile("want.onnx")
	if got, err := os.ReadFile("t.onnx"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v: other bytes", err)
	}
	if ps, err := runs.ReadMetrics(filepath.Join(e.Dir, runs.MetricsFile)); err != nil || len(ps) == 0 || !ps[0].Time.Before(e.Record.Sittings[1].Began) {
		t.Errorf("it has begun anew: %v", err)
	}
	if st, _, said := pare(t, "model", "train", "--resume", "latest"); st != 2 || !strings.Contains(said, "is done") {
		t.Errorf("status %d, %q", st, said)
	}
	if there("t.onnx.checkpoint")() {
		t.Error("the link is still there")
	}
}

// A run is not gone on with where its input has changed; a checkpoint that a run without a
// directory has left is gone on with by one that has one.
func TestResumeOther(t *testing.T) {
	s := keeping(t)
	net(t, ".")
	args := strings.Fields("model train net.onnx --data digits?n=320 --batch 32 --epochs 400 --no-bench -o t.onnx")
	stop := func(p *exec.Cmd, ready string) {
		t.Helper()
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		until(t, ready, func() bool { m, _ := filepath.Glob(ready); return m != nil })
		p.Process.Signal(syscall.SIGTERM) //nolint:errcheck // the status tells
		if st := status(t, p); st != 143 {
			t.Fatalf("status %d", st)
		}
	}
	p, _ := program(t, ".", append(args, "--no-run")...)
	stop(p, "t.onnx.checkpoint")
	p, _ = program(t, ".", append(args, "--resume")...)
	stop(p, filepath.Join(s.Dir, "*", runs.MetricsFile))
	e := latest(t, s)
	if !strings.HasSuffix(e.Record.Checkpoint, "t.onnx.checkpoint") {
		t.Errorf("%q", e.Record.Checkpoint)
	}
	b, _ := os.ReadFile("net.onnx")
	if err := os.WriteFile("net.onnx", append(b, 0), 0o644); err != nil {
		t.Fatal(err)
	}
	if st, _, said := pare(t, "model", "train", "--resume", e.Name); st != 1 || !strings.Contains(said, "has changed since it began") {
		t.Errorf("status %d, %q", st, said)
	}
	if now := latest(t, s); now.Status != runs.Stopped {
		t.Errorf("it is %s", now.Status)
	}
}

// Several processes at once leave their runs in one folder.
func TestRunsTogether(t *testing.T) {
	s := keeping(t)
	dir, _ := os.Getwd()
	var ps []*exec.Cmd
	for i := range 4 {
		p, _ := program(t, dir, append(strings.Fields(shortTrain), "--threads", "1", "-o", fmt.Sprintf("t%d.onnx", i))...)
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
		ok(t, "runs", "list")
	}
	for _, p := range ps {
		if st := status(t, p); st != 0 {
			t.Errorf("status %d", st)
		}
	}
	es, bad, err := s.List()
	if err != nil || bad != nil || len(es) != 4 {
		t.Fatalf("%d runs, %v, %v", len(es), bad, err)
	}
	for _, e := range es {
		if e.Status != runs.Done || e.Record.Outputs[0].SHA256 != es[0].Record.Outputs[0].SHA256 {
			t.Errorf("%s: %s, %+v", e.Name, e.Status, e.Record.Outputs)
		}
	}
}

// The commands about runs, as a user has them.
func TestRunsCommands(t *testing.T) {
	s := keeping(t)
	for _, seed := range []string{"1", "2", "3"} {
		ok(t, append(strings.Fields(shortTrain), "-o", "t"+seed+".onnx", "--seed", seed)...)
	}
	ns, _ := s.Names()
	var listed []*runs.Entry
	if err := json.Unmarshal([]byte(ok(t, "runs", "list", "--json", "--newest", "2")), &listed); err != nil || len(listed) != 2 || listed[1].Name != ns[2] || listed[0].Bytes == 0 {
		t.Errorf("%v %v", listed, err)
	}
	for _, c := range [][2]string{
		{"runs list", "3 runs, "},
		{"runs list --command train", ns[1]},
		{"runs list --status done", ns[0]},
		{"runs tag latest paper", "paper"},
		{"runs show latest", "accuracy"},
		{"runs show latest --json", `"newest"`},
		{"runs diff latest " + ns[0], "seeds"},
		{"runs diff latest latest", "do not differ"},
		{"runs gc --dry-run --keep 0", "2 runs and 0 leftovers would be removed"},
		{"runs export latest x --to csv", filepath.Join("x", ns[2]+".csv")},
	} {
		if o := ok(t, strings.Fields(c[0])...); !strings.Contains(o, c[1]) {
			t.Errorf("%s: %q, want %q", c[0], o, c[1])
		}
	}
	if _, _, e := pare(t, "runs", "list", "--tag", "none"); !strings.Contains(e, "no runs in") {
		t.Error(e)
	}
	ok(t, "runs", "tag", "latest", "paper")
	if o := ok(t, "runs", "gc", "--keep", "0"); !strings.Contains(o, "2 runs and") {
		t.Error(o)
	}
	if now, _ := s.Names(); !slices.Equal(now, ns[2:]) {
		t.Errorf("left: %v", now)
	}
	ok(t, "runs", "rm", ns[2])
	if now, _ := s.Names(); len(now) > 0 || !there("t3.onnx")() {
		t.Errorf("left: %v", now)
	}
}

// However a command ends, its run says so: a run that was begun is never done where the
// command failed, and one that came to no work is gone.
func TestEndOfRun(t *testing.T) {
	s := keeping(t)
	for _, x := range []struct {
		status int
		err    error
		worked bool
		want   runs.Status
	}{
		{0, nil, true, runs.Done}, {1, errors.New("full"), true, runs.Failed}, {1, nil, true, runs.Failed}, {143, context.Canceled, true, runs.Stopped}, {130, nil, true, runs.Stopped},
		{2, errors.New("wrong"), true, ""}, {1, errors.New("no file"), false, ""}, {143, context.Canceled, false, ""},
	} {
		c := newCLI(nil, &bytes.Buffer{}, &bytes.Buffer{})
		a, err := s.Create(&runs.Record{Command: "model train"}, c.program())
		if err != nil {
			t.Fatal(err)
		}
		c.rec.active, c.rec.worked = a, x.worked
		c.endRun(x.status, x.err)
		e, err := s.Entry(a.Name)
		if x.want == "" && err == nil || x.want != "" && (err != nil || e.Status != x.want || (e.Record.Error != "") != (x.want == runs.Failed && x.err != nil)) {
			t.Errorf("%+v: %+v %v", x, e, err)
		}
	}
	// a panic
	c := newCLI([]string{"runs", "list"}, panicking{}, &bytes.Buffer{})
	a, err := s.Create(&runs.Record{Command: "model train"}, c.program())
	if err != nil {
		t.Fatal(err)
	}
	c.rec.active, c.rec.worked = a, true
	if st := c.run(); st != 1 {
		t.Errorf("status %d", st)
	}
	if e, err := s.Entry(a.Name); err != nil || e.Status != runs.Failed || !strings.Contains(e.Record.Error, "on purpose") {
		t.Errorf("%+v %v", e, err)
	}
}

// panicking is an output that panics.
type panicking struct{}

func (panicking) Write([]byte) (int, error) { panic("on purpose") }
