package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"pare/run"
	"pare/run/job"

	"github.com/nats-io/nats.go/jetstream"
)

// holding is a job that a worker is at.
type holding struct {
	w     *Worker
	key   string
	sweep string
	msg   jetstream.Msg
	x     *state // as this worker took it
	dir   string // of it alone

	mu     sync.Mutex
	points []*run.Point // that nobody was told of yet
	kept   *object      // the last upload
	sent   string       // what tells the checkpoint that was uploaded last
	puts   int
	making time.Duration // that its process ran
}

// errStopped ends a job that nobody wants any more.
var errStopped = errors.New("it is not wanted any more")

// make makes the job, and says how it ended.
func (h *holding) make(ctx context.Context) {
	var err error
	if h.dir, err = os.MkdirTemp(h.w.work, "job-"); err != nil {
		h.back(ctx, err)
		return
	}
	defer os.RemoveAll(h.dir) //nolint:errcheck // it goes with the worker's folder
	h.kept = h.x.Kept
	work, end := context.WithCancelCause(ctx)
	defer end(nil)
	live, dead := context.WithCancel(context.WithoutCancel(ctx)) // signs of life go on until all is written
	defer dead()
	sub, err := h.w.s.nc.SubscribeSync(stopPrefix + h.key)
	if err == nil {
		defer sub.Unsubscribe() //nolint:errcheck // the connection may be gone
		go func() {
			if _, err := sub.NextMsgWithContext(live); err == nil {
				h.look(live, end)
			}
		}()
	}
	go h.lives(live, end)
	d, err := h.run(work)
	cause := context.Cause(work)
	switch {
	case errors.Is(cause, errLost):
		h.lost()
	case errors.Is(cause, errStopped):
		h.end(ctx, &job.Done{Status: run.Stopped, Worker: h.w.Name})
	case ctx.Err() != nil:
		h.back(ctx, nil)
	case err != nil:
		var no *refused
		if errors.As(err, &no) || errors.Is(err, ErrDigest) {
			h.end(ctx, &job.Done{Status: run.Failed, Error: "a worker refuses it: " + err.Error(), Worker: h.w.Name})
			return
		}
		h.back(ctx, err)
	default:
		h.end(ctx, d)
	}
}

// lives tells the queue that the job is being worked on, and looks whether it still is wanted.
func (h *holding) lives(ctx context.Context, end context.CancelCauseFunc) {
	beat, tell := time.NewTicker(h.w.beat), time.NewTicker(time.Second)
	defer beat.Stop()
	defer tell.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tell.C:
			h.tell()
		case <-beat.C:
			h.msg.InProgress() //nolint:errcheck // the next may come through
			h.look(ctx, end)
		}
	}
}

// look ends the job where it is another's, or not wanted.
func (h *holding) look(ctx context.Context, end context.CancelCauseFunc) {
	one, cancel := context.WithTimeout(ctx, h.w.beat)
	defer cancel()
	x, _, err := h.w.s.get(one, h.key)
	switch {
	case err != nil: // not known
	case x == nil || x.Ask != h.x.Ask || x.Try != h.x.Try:
		end(errLost)
	case x.Stop:
		end(errStopped)
	}
}

// note keeps a point until it is told of.
func (h *holding) note(p *run.Point) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.points = append(h.points, p)
}

// tell tells who asked for the job of points.
func (h *holding) tell() {
	h.mu.Lock()
	ps := h.points
	h.points = nil
	h.mu.Unlock()
	const most = 1000 // in a message
	for ; len(ps) > 0; ps = ps[min(most, len(ps)):] {
		h.w.s.nc.Publish(pointPrefix+h.key, run.Lines(ps[:min(most, len(ps))])) //nolint:errcheck // they are with the run, too
	}
}

// refused is why a worker does not make a job.
type refused struct{ error }

func (r *refused) Unwrap() error { return r.error }

// local is what makes the job here.
func (h *holding) local() (*job.Local, error) {
	s, err := run.NewStore(filepath.Join(h.dir, "runs"))
	return &job.Local{Program: h.w.Program, Env: h.w.Env, Store: s, Dir: filepath.Join(h.dir, "jobs"), Within: true, Worker: h.w.Name, Grace: h.w.Grace}, err
}

// run fetches what the job needs, and makes it.
func (h *holding) run(ctx context.Context) (*job.Done, error) {
	j := *h.x.Job
	if err := check(&j); err != nil {
		return nil, &refused{err}
	}
	if keyOf(h.sweep, j.ID) != h.key || !run.IsName(h.x.Run) {
		return nil, &refused{fmt.Errorf("job %q is not that of its key", j.ID)}
	}
	if err := h.w.Allow(&j); err != nil {
		return nil, &refused{err}
	}
	j.Threads = cmp.Or(h.w.Threads, j.Threads)
	for i := range j.Files {
		var err error
		if j.Files[i].Path, err = h.w.cache.place(ctx, h.w.s, h.sweep, &j.Files[i]); err != nil {
			return nil, err
		}
	}
	l, err := h.local()
	if err != nil {
		return nil, err
	}
	if h.kept != nil { // another worker has had it
		if err := h.restore(ctx, l.Store); err != nil {
			return nil, err
		}
	}
	up, done := context.WithCancel(ctx)
	var sends sync.WaitGroup
	sends.Go(func() { h.keep(up, filepath.Join(l.Store.Dir, h.x.Run)) })
	began := time.Now()
	d, err := l.MakeAs(ctx, &j, h.x.Run, h.note)
	h.making = time.Since(began)
	done()
	sends.Wait()
	return d, err
}

// restore brings the run as the worker before has left it.
func (h *holding) restore(ctx context.Context, s *run.Store) error {
	beside := filepath.Join(h.dir, "restored")
	in := map[string]string{runPart: beside, outputPart: filepath.Join(h.dir, "before")}
	if err := h.w.s.fetch(ctx, h.kept, func(r io.Reader) error { return unpack(r, in, h.kept.Bytes) }); err != nil {
		return err
	}
	return s.Adopt(beside, h.x.Run, func(*run.Record) {})
}

// keep uploads the run now and then, where there is a new checkpoint.
func (h *holding) keep(ctx context.Context, dir string) {
	every := cmp.Or(h.w.Keep, keepEvery)
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		now := checkpointStamp(dir)
		if now == "" || now == h.sent {
			continue
		}
		o, err := h.upload(ctx, dir, "")
		if err != nil {
			continue
		}
		h.sent = now
		h.write(ctx, o, func(x *state) { x.Barren = 0 }) //nolint:errcheck // the next comes
	}
}

// checkpointStamp tells a state of a run's checkpoints from another; "": there are none.
func checkpointStamp(dir string) (out string) {
	es, _ := os.ReadDir(filepath.Join(dir, run.CheckFolder))
	for _, e := range es {
		if st, err := e.Info(); err == nil && !run.IsHalf(e.Name()) && filepath.Ext(e.Name()) != ".lock" {
			out += fmt.Sprint(e.Name(), " ", st.ModTime().UnixNano(), " ", st.Size(), "\n")
		}
	}
	return out
}

// upload stores the run's directory, with what it wrote where that is given.
func (h *holding) upload(ctx context.Context, dir, output string) (*object, error) {
	es, err := runEntries(dir)
	if err != nil {
		return nil, err
	}
	defer func() { closeAll(es) }()
	if output != "" {
		more, err := outputEntries(output)
		if err != nil {
			return nil, err
		}
		es = append(es, more...)
	}
	h.puts++
	return h.w.s.put(ctx, fmt.Sprintf("%s/runs/%s/%d-%d-%d", h.sweep, h.x.Job.ID, h.x.Ask, h.x.Try, h.puts), func(w io.Writer) error { return pack(w, es) })
}

// write changes the job's state, if it still is this worker's, and removes the upload that a
// newer one, if there is one, takes the place of.
func (h *holding) write(ctx context.Context, o *object, what func(*state)) error {
	_, err := h.w.s.change(ctx, h.key, func(now *state) (*state, error) {
		if now == nil || now.Ask != h.x.Ask || now.Try != h.x.Try || now.Status != working {
			return nil, errLost
		}
		next := *now
		if o != nil {
			next.Kept = o
		}
		what(&next)
		return &next, nil
	})
	old := h.kept
	if errors.Is(err, errLost) {
		old = o
	} else if err == nil && o != nil {
		h.kept = o
	} else {
		old = nil
	}
	if old != nil && o != nil {
		h.w.s.files.Delete(context.WithoutCancel(ctx), old.Name) //nolint:errcheck // it goes with the sweep
	}
	return err
}

// persist stores the run as it stands now and changes the state, again and again where the
// server is away, but not for long once the worker is to stop.
func (h *holding) persist(ctx context.Context, output string, what func(*state)) error {
	long, cancel := late(ctx, farewell)
	defer cancel()
	l, err := h.local()
	if err != nil {
		return err
	}
	dir := filepath.Join(l.Store.Dir, h.x.Run)
	var o *object
	if _, err := os.Stat(filepath.Join(dir, run.RecordFile)); err == nil {
		for {
			if o, err = h.upload(long, dir, output); err == nil || long.Err() != nil {
				break
			}
			pause(long, time.Second)
			if x, _, err := h.w.s.get(long, h.key); err == nil && (x == nil || x.Ask != h.x.Ask || x.Try != h.x.Try) {
				return errLost
			}
		}
		if err != nil {
			return err
		}
	}
	return h.write(long, o, what)
}

// late gives a context that ends a while after another.
func late(ctx context.Context, after time.Duration) (context.Context, func()) {
	l, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(after, end) })
	return l, func() { stop(); end() }
}

// end writes how the job ended, and takes it out of the queue.
func (h *holding) end(ctx context.Context, d *job.Done) {
	d.Job, d.Worker, d.Tries = h.x.Job.ID, h.w.Name, h.x.Try
	output := ""
	if d.Output != nil {
		output = d.Output.Path
	}
	h.tell()
	err := h.persist(ctx, output, func(x *state) { x.Status, x.Done = d.Status, d })
	if errors.Is(err, errLost) {
		h.lost()
		return
	}
	if err != nil {
		h.w.logf("%s of %s: its outcome is not in the queue: %v", h.x.Job.ID, h.sweep, err)
		return
	}
	h.w.ack(h.msg)
	text := string(d.Status)
	if d.Error != "" {
		text += ": " + d.Error
	}
	h.w.logf("%s of %s: %s", h.x.Job.ID, h.sweep, text)
}

// back gives the job back, as far as it has come. why is what keeps this worker from it; nil:
// it is to stop.
func (h *holding) back(ctx context.Context, why error) {
	err := h.persist(ctx, "", func(x *state) {
		if x.Status, x.Worker = waiting, ""; why == nil {
			x.Barren = 0
		}
		if x.Stop { // nobody is to go on with it
			x.Status, x.Done = run.Stopped, &job.Done{Job: x.Job.ID, Status: run.Stopped, Worker: h.w.Name, Tries: x.Try}
		}
	})
	if errors.Is(err, errLost) {
		h.lost()
		return
	}
	if why == nil {
		h.msg.Nak() //nolint:errcheck // it is given to another after a while
		h.w.logf("%s of %s: given back", h.x.Job.ID, h.sweep)
		return
	}
	h.w.logf("%s of %s: given back: %v", h.x.Job.ID, h.sweep, why)
	h.msg.NakWithDelay(retry) //nolint:errcheck // as well
}

// lost leaves the job to who has it.
func (h *holding) lost() {
	h.w.logf("%s of %s: another worker has it by now", h.x.Job.ID, h.sweep)
}
