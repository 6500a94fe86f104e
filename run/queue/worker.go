package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"pare/run"
	"pare/run/job"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Worker takes jobs from a queue and makes them as children of this process.
type Worker struct {
	Name    string   // of it, among the workers
	Program string   // path of the command
	Env     []string // of the children, beside the environment of this process
	Dir     string   // of what it fetches, which workers of a machine share, and of the runs under way
	Jobs    int      // at a time; 0: one
	Threads int      // of each; 0: as the job says

	Allow func(*job.Job) error // says which jobs are made: a queue is no shell

	Ack      time.Duration // silence after which its jobs are given to others, where it makes the queue; 0: DefaultAck
	Keep     time.Duration // between uploads of a checkpoint; 0: 15 s
	Grace    time.Duration // that a child may take to save what is done; 0: 30 s
	Replicas int
	Log      func(format string, a ...any)

	s     *store
	cache *Cache
	mu    sync.Mutex
	tally Tally
	work  string        // folder of this process's runs
	beat  time.Duration // between signs of life
}

const (
	keepEvery = 15 * time.Second
	farewell  = 20 * time.Second // that a worker which is stopped may take to give its jobs back
	mostLost  = 10               // workers, one after the other, that came no further with a job before they were gone
	retry     = 2 * time.Second  // before a job is given back that this worker could not begin
)

// Tally is what a worker has done.
type Tally struct {
	Jobs   int           // that it was at, to their end or not
	Busy   time.Duration // with them, all in all
	Making time.Duration // of it, while their processes ran
}

// Coordination is the share of its time that a worker was busy with jobs without their
// running: it fetched, sent, and wrote how they stand.
func (t Tally) Coordination() float64 { return 1 - float64(t.Making)/float64(max(1, t.Busy)) }

// Tally is what it has done so far.
func (w *Worker) Tally() Tally {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tally
}

// Run works until ctx ends. What its jobs have come to by then is given back, for others to go
// on with.
func (w *Worker) Run(ctx context.Context, nc *nats.Conn) error {
	if w.Allow == nil || w.Program == "" || w.Dir == "" {
		return errors.New("a worker needs a program, a folder, and to know what it may do")
	}
	var err error
	if w.s, err = open(ctx, nc, w.Replicas, cmp.Or(w.Ack, DefaultAck)); err != nil {
		return err
	}
	w.beat = w.s.queue.CachedInfo().Config.AckWait / 3
	w.cache = &Cache{Dir: filepath.Join(w.Dir, "files")}
	done, err := w.own()
	if err != nil {
		return err
	}
	defer done()
	var all sync.WaitGroup
	for range max(1, w.Jobs) {
		all.Go(func() { w.serve(ctx) })
	}
	all.Wait()
	return ctx.Err()
}

func (w *Worker) logf(format string, a ...any) {
	if w.Log != nil {
		w.Log(format, a...)
	}
}

// own makes a folder for the runs of this process, and removes those of processes that have
// died.
func (w *Worker) own() (done func(), err error) {
	all := filepath.Join(w.Dir, "work")
	if err := os.MkdirAll(all, 0o755); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(w.cache.Dir, 0o755); err != nil {
		return nil, err
	}
	es, err := os.ReadDir(all)
	if err != nil {
		return nil, err
	}
	for _, e := range es {
		name, isLock := strings.CutSuffix(e.Name(), ".lock")
		if !isLock {
			continue
		}
		f := flock.New(filepath.Join(all, e.Name()))
		if ok, err := f.TryLock(); err == nil && ok {
			os.RemoveAll(filepath.Join(all, name)) //nolint:errcheck // the next worker tries again
			os.Remove(f.Path())                    //nolint:errcheck // as well
			f.Unlock()                             //nolint:errcheck // it is closed
		}
	}
	if w.work, err = os.MkdirTemp(all, "worker-"); err != nil {
		return nil, err
	}
	f := flock.New(w.work + ".lock")
	if ok, err := f.TryLock(); err != nil || !ok {
		return nil, cmp.Or(err, fmt.Errorf("%s is somebody else's", w.work))
	}
	return func() {
		os.RemoveAll(w.work) //nolint:errcheck // the next worker does
		os.Remove(f.Path())  //nolint:errcheck // as well
		f.Unlock()           //nolint:errcheck // the end of the process does it too
	}, nil
}

// serve makes one job after the other.
func (w *Worker) serve(ctx context.Context) {
	for ctx.Err() == nil {
		waits, cancel := context.WithTimeout(ctx, 30*time.Second)
		b, err := w.s.queue.Fetch(1, jetstream.FetchContext(waits))
		if err == nil {
			for msg := range b.Messages() {
				w.one(ctx, msg)
			}
			err = b.Error()
		}
		cancel()
		if err != nil && ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, nats.ErrTimeout) {
			pause(ctx, time.Second) // the server is away
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// one makes the job of a message.
func (w *Worker) one(ctx context.Context, msg jetstream.Msg) {
	began := time.Now()
	key := strings.TrimPrefix(msg.Subject(), jobSubject)
	sweep, _, ok := strings.Cut(key, ".")
	x, err := w.claim(ctx, key)
	switch {
	case ctx.Err() != nil:
		msg.Nak() //nolint:errcheck // it is given to another after a while
		return
	case err != nil || !ok || x == nil || x.ended():
		w.ack(msg) // it is wanted no more
		return
	}
	h := &holding{w: w, key: key, sweep: sweep, msg: msg, x: x}
	w.logf("%s of %s: begun%s", x.Job.ID, sweep, triesOf(x.Try))
	h.make(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tally.Jobs, w.tally.Busy, w.tally.Making = w.tally.Jobs+1, w.tally.Busy+time.Since(began), w.tally.Making+h.making
}

func triesOf(n int) string {
	if n > 1 {
		return fmt.Sprintf(", try %d", n)
	}
	return ""
}

// ack takes a message out of the queue.
func (w *Worker) ack(msg jetstream.Msg) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	msg.DoubleAck(ctx) //nolint:errcheck // whoever is given it again sees that it has ended
}

// claim takes a job: nil, or one that has ended, where there is nothing to do.
func (w *Worker) claim(ctx context.Context, key string) (*state, error) {
	return w.s.change(ctx, key, func(now *state) (*state, error) {
		if now == nil || now.ended() || now.Job == nil {
			return nil, errLost
		}
		next := *now
		next.Status, next.Worker, next.Try, next.Barren = working, w.Name, now.Try+1, now.Barren+1
		done := func(status run.Status, why string) {
			next.Status, next.Done = status, &job.Done{Job: now.Job.ID, Status: status, Error: why, Worker: w.Name, Tries: now.Try}
		}
		switch {
		case now.Stop:
			done(run.Stopped, "")
		case now.Barren >= mostLost:
			done(run.Failed, fmt.Sprintf("%d workers, one after the other, were gone before they came further with it", now.Barren))
		}
		return &next, nil
	})
}
