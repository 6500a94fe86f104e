package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	runs "pare/run"
	"pare/run/job"
	"pare/run/queue"

	"github.com/nats-io/nats.go/jetstream"
)

// served is a queue on this machine, with who asks it for jobs.
type served struct {
	*queue.Server
	*queue.Maker
	dir string
}

func queueIn(t *testing.T, dir string, o queue.ServerOptions) *served {
	t.Helper()
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	o.Dir = filepath.Join(dir, "queue")
	s, err := queue.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	nc, err := s.Connect("asker")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	store, err := runs.NewStore(filepath.Join(dir, "runs"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := queue.New(t.Context(), nc, queue.Options{Sweep: "a", Store: store, Dir: filepath.Join(dir, "jobs"), Tags: []string{"sweep=a"}, Ack: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return &served{s, m, dir}
}

// work starts a worker.
func (s *served) work(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	p, said := program(t, t.TempDir(), append([]string{"worker", "--nats", s.URL(), "--cache", filepath.Join(s.dir, "cache"), "--threads", "1", "--checkpoint-every", "50ms"}, args...)...)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Process.Signal(syscall.SIGTERM) //nolint:errcheck // it may have ended
		status(t, p)
	})
	return p, said
}

// Jobs come to the bytes that they come to here, whoever makes them; what they read is fetched
// once; a job that was made is not made again; and what a worker makes has the paths of here.
func TestWorker(t *testing.T) {
	dir := t.TempDir()
	n := net(t, dir)
	s := queueIn(t, dir, queue.ServerOptions{Token: "secret"})
	t.Setenv("PARE_TOKEN", "secret")
	_, said := s.work(t)
	for _, x := range jobLines {
		j := jobOf(t, x.name, n, x.line, x.output)
		want := madeBy(t, j)
		var told []*runs.Point
		d, err := s.Make(t.Context(), j, func(p *runs.Point) { told = append(told, p) })
		sameBytes(t, x.name, d, err, want)
		e, err := s.Store.Entry(d.Run)
		if err != nil {
			t.Fatal(err)
		}
		if r := e.Record; r.Status != runs.Done || r.Job != x.name || d.Tries != 1 || len(d.Values) == 0 || strings.Join(e.Tags, " ") != "sweep=a" || d.Worker == "" {
			t.Errorf("%s: %+v, tags %v", x.name, d, e.Tags)
		}
		b, err := os.ReadFile(filepath.Join(e.Dir, runs.RecordFile))
		if err != nil || bytes.Contains(b, []byte(filepath.Join(dir, "cache"))) || !bytes.Contains(b, []byte(d.Output.Path)) {
			t.Errorf("%s: paths of another machine in %s, %v", x.name, b, err)
		}
		kept, err := runs.ReadMetrics(filepath.Join(e.Dir, runs.MetricsFile))
		if err != nil || len(told) != len(kept) {
			t.Errorf("%s: %d points were told of %d, %v", x.name, len(told), len(kept), err)
		}
		again, err := s.Make(t.Context(), j, nil)
		sameBytes(t, x.name+" again", again, err, want)
		if again.Run != d.Run || again.Tries != 1 {
			t.Errorf("%s was made again: %+v", x.name, again)
		}
	}
	d, err := s.Make(t.Context(), jobOf(t, "eval", n, "model eval {net} --data digits", ""), nil)
	if err != nil || d.Status != runs.Done || d.Values["accuracy"] <= 0 {
		t.Errorf("%+v, %v", d, err)
	}
	d, err = s.Make(t.Context(), jobOf(t, "bad", n, "model prune {net} -o {output} --data digits --batch 32 --lr 1e30 --epochs 1", "x.onnx"), nil)
	if err != nil || d.Status != runs.Failed || !strings.Contains(d.Error, "the loss became") {
		t.Errorf("%+v, %v", d, err)
	}
	if strings.Contains(said.String(), "given back") {
		t.Error(said)
	}
}

// A job that pauses goes on from there, whichever worker has it.
func TestWorkerPauses(t *testing.T) {
	dir := t.TempDir()
	n := net(t, dir)
	s := queueIn(t, dir, queue.ServerOptions{})
	s.work(t)
	s.work(t)
	x := jobLines[2]
	j := jobOf(t, x.name, n, x.line, x.output)
	want := madeBy(t, j)
	for until := 1; until <= 5; until += 2 {
		j.Until = until
		for range 2 { // who asked may have died before it knew
			d, err := s.Make(t.Context(), j, nil)
			if err != nil || d.Status != runs.Stopped || d.Tries != (until+1)/2 {
				t.Fatalf("until %d: %+v, %v", until, d, err)
			}
		}
	}
	j.Until = 0
	d, err := s.Make(t.Context(), j, nil)
	sameBytes(t, x.name, d, err, want)
}

// Workers are killed at random: no job is lost, none is there twice, and all come to the bytes
// that they come to here.
func TestWorkersKilled(t *testing.T) {
	dir := t.TempDir()
	n := net(t, dir)
	s := queueIn(t, dir, queue.ServerOptions{})
	const jobs = 30
	want, js := map[string][]byte{}, []*job.Job{}
	lines := []string{jobLines[1].line, strings.Replace(jobLines[0].line, "--epochs 5", "--epochs 8", 1), jobLines[3].line, jobLines[2].line}
	for i := range jobs {
		line := lines[i%len(lines)] + " --seed 2"
		j := jobOf(t, fmt.Sprintf("j%02d", i), n, line, "n.pare")
		if want[line] == nil {
			want[line] = madeBy(t, j)
		}
		js = append(js, j)
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var all sync.WaitGroup
	done := make([]*job.Done, jobs)
	for i, j := range js {
		all.Go(func() {
			d, err := s.Make(ctx, j, nil)
			if err != nil {
				t.Errorf("seed %d: %s: %v", seed, j.ID, err)
				return
			}
			done[i] = d
		})
	}
	ended := make(chan struct{})
	go func() { all.Wait(); close(ended) }()
	workers := []*exec.Cmd{}
	for range 3 {
		p, _ := s.work(t)
		workers = append(workers, p)
	}
	kills := 0
killing:
	for {
		select {
		case <-ended:
			break killing
		case <-time.After(time.Duration(r.Float64() * float64(500*time.Millisecond))):
		}
		if kills == 10 {
			continue
		}
		i, sig := r.IntN(len(workers)), syscall.SIGKILL
		if kills%4 == 3 {
			sig = syscall.SIGTERM
		}
		workers[i].Process.Signal(sig) //nolint:errcheck // it may have ended
		kills++
		workers[i], _ = s.work(t)
	}
	tries := 0
	seen := map[string]bool{}
	for i, d := range done {
		if d == nil {
			continue
		}
		sameBytes(t, d.Job, d, nil, want[lines[i%len(lines)]+" --seed 2"])
		if seen[d.Run] {
			t.Errorf("%s is there twice", d.Run)
		}
		seen[d.Run] = true
		tries += d.Tries
	}
	es, bad, err := s.Store.List()
	if err != nil || bad != nil || len(es) != jobs || len(seen) != jobs {
		t.Errorf("seed %d: %d runs, %d results of %d jobs, %v, %v", seed, len(es), len(seen), jobs, bad, err)
	}
	if kills < 3 || tries <= jobs {
		t.Errorf("seed %d: %d kills, %d tries: nothing was tested", seed, kills, tries)
	}
	t.Logf("%d kills, %d tries of %d jobs", kills, tries, jobs)
}

// Who asked stops: the job is stopped, kept, and gone on with when it is asked for again.
func TestWorkerStopped(t *testing.T) {
	dir := t.TempDir()
	s := queueIn(t, dir, queue.ServerOptions{})
	s.work(t)
	net(t, dir)
	j := jobOf(t, "long", "", strings.Replace(jobLines[0].line, "--epochs 5", "--epochs 60", 1), "t.onnx")
	want := madeBy(t, j)
	ctx, cancel := context.WithCancel(t.Context())
	d, err := s.Make(ctx, j, func(*runs.Point) { cancel() })
	if err == nil {
		t.Skipf("it was done before it could be stopped: %+v", d)
	}
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	d, err = s.Make(t.Context(), j, nil)
	sameBytes(t, "long", d, err, want)
	e, err := s.Store.Entry(d.Run)
	if err != nil || len(e.Record.Sittings) != 2 || d.Tries != 2 {
		t.Errorf("%+v, %+v, %v", d, e.Record.Sittings, err)
	}
}

// A queue that goes away and comes back, as one in a process that died and was begun again, has
// all that was in it: workers join it again, and what they have made meanwhile counts.
func TestWorkerQueueAgain(t *testing.T) {
	dir := t.TempDir()
	net(t, dir)
	first := queueIn(t, dir, queue.ServerOptions{})
	_, said := first.work(t)
	first.Grace = time.Millisecond // it is not heard
	addr := strings.TrimPrefix(first.URL(), "nats://")
	j := jobOf(t, "long", "", strings.Replace(jobLines[0].line, "--epochs 5", "--epochs 60", 1), "t.onnx")
	want := madeBy(t, j)
	ctx, cancel := context.WithCancel(t.Context())
	began := make(chan struct{})
	var once sync.Once
	left := make(chan error, 1)
	go func() {
		_, err := first.Make(ctx, j, func(*runs.Point) { once.Do(func() { close(began) }) })
		left <- err
	}()
	select {
	case <-began:
	case err := <-left:
		t.Fatalf("%v: %s", err, said)
	}
	first.Server.Close() // with all that it was told, as when its process is killed
	second := queueIn(t, dir, queue.ServerOptions{Listen: addr})
	d, err := second.Make(t.Context(), j, nil)
	sameBytes(t, "long", d, err, want)
	if d.Tries != 1 {
		t.Errorf("the worker had to begin anew: %+v", d)
	}
	cancel()
	<-left
}

// A worker in the process of who asks needs no address, gives up what it is at when the process
// is to end, and goes on with it in the next. A sweep that is cleared leaves nothing.
func TestWorkerWithin(t *testing.T) {
	dir := t.TempDir()
	n := net(t, dir)
	s := queueIn(t, dir, queue.ServerOptions{})
	nc, err := s.Connect("worker")
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	j := jobOf(t, "long", n, strings.Replace(jobLines[1].line, "--epochs 4", "--epochs 40", 1), "t.onnx")
	want := madeBy(t, j)
	here := func(ctx context.Context) func() {
		w := &queue.Worker{Name: "here", Program: os.Args[0], Env: []string{"PARE_TEST_COMMAND=1", "GOCOVERDIR=" + t.TempDir()}, Dir: filepath.Join(dir, "cache"), Jobs: 2, Allow: allowed}
		ended := make(chan struct{})
		go func() { w.Run(ctx, nc); close(ended) }() //nolint:errcheck // it ends with ctx
		return func() { <-ended }
	}
	ctx, cancel := context.WithCancel(t.Context())
	wait := here(ctx)
	began := time.Now()
	_, err = s.Make(ctx, j, func(*runs.Point) { cancel() })
	if !errors.Is(err, context.Canceled) || time.Since(began) > 25*time.Second {
		t.Fatalf("%v after %v", err, time.Since(began))
	}
	wait()
	if left, _ := filepath.Glob(filepath.Join(dir, "cache", "work", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	ctx, cancel = context.WithCancel(t.Context())
	wait = here(ctx)
	d, err := s.Make(t.Context(), j, nil)
	sameBytes(t, "long", d, err, want)
	if e, err := s.Store.Entry(d.Run); err != nil || len(e.Record.Sittings) != 2 {
		t.Errorf("%+v, %v", e, err)
	}
	cancel()
	wait()
	if err := s.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"PARE_JOBS", "KV_pare_states", "OBJ_pare_files"} {
		stream, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		i, err := stream.Info(t.Context(), jetstream.WithSubjectFilter(">"))
		if err != nil || i.State.Bytes > 4000 {
			t.Errorf("%s: %+v, %v", name, i.State, err)
		}
	}
}
