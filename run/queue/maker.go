package queue

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"pare/run"
	"pare/run/job"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Options say whose jobs a Maker makes, and where what comes of them goes.
type Options struct {
	Sweep string     // its name in the queue: letters, digits, _ and -
	Store *run.Store // of the runs' directories
	Dir   string     // in which each job has a folder, ID, for its output
	Tags  []string   // of the runs

	Ack      time.Duration // silence after which a worker's job is given to another; 0: DefaultAck
	Replicas int           // of what is stored, where the queue is a cluster; 0: 1
	Grace    time.Duration // that a worker may take to stop a job; 0: 30 s
}

// Maker makes jobs by workers. Its methods may be called from many goroutines, for different
// jobs.
type Maker struct {
	Options
	s     *store
	watch jetstream.KeyWatcher
	sub   *nats.Subscription

	mu     sync.Mutex
	asking map[string]*asking // by key
	sent   map[string]*sending
}

var _ job.Maker = (*Maker)(nil)

// asking is a job that somebody waits for.
type asking struct {
	mu     sync.Mutex
	now    *state
	points []*run.Point
	bell   chan struct{} // something has come
}

// sending is a file on its way into the store, by one of those who need it.
type sending struct {
	once sync.Once
	err  error
}

// New is a maker of a sweep's jobs over a connection.
func New(ctx context.Context, nc *nats.Conn, o Options) (*Maker, error) {
	if !sweepNames.MatchString(o.Sweep) {
		return nil, fmt.Errorf("a sweep's name in the queue is of letters, digits, _ and -, at most 64, not %.80q", o.Sweep)
	}
	s, err := open(ctx, nc, o.Replicas, cmp.Or(o.Ack, DefaultAck))
	if err != nil {
		return nil, err
	}
	m := &Maker{Options: o, s: s, asking: map[string]*asking{}, sent: map[string]*sending{}}
	if m.watch, err = s.states.Watch(context.WithoutCancel(ctx), o.Sweep+".*"); err != nil {
		return nil, err
	}
	go m.see()
	if m.sub, err = nc.Subscribe(pointPrefix+o.Sweep+".*", m.hear); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// Close ends what it waits for. The queue stays as it is.
func (m *Maker) Close() {
	if m.sub != nil {
		m.sub.Unsubscribe() //nolint:errcheck // the connection may be gone
	}
	m.watch.Stop() //nolint:errcheck // as well
}

// Clear takes a sweep out of the queue that nobody asks for any more: its jobs, how they stand,
// and its files.
func (m *Maker) Clear(ctx context.Context) error {
	stream, err := m.s.js.Stream(ctx, jobStream)
	if err != nil {
		return err
	}
	if err := stream.Purge(ctx, jetstream.WithPurgeSubject(jobSubject+m.Sweep+".>")); err != nil {
		return err
	}
	keys, err := m.s.states.ListKeysFiltered(ctx, m.Sweep+".*")
	if err != nil {
		return err
	}
	for key := range keys.Keys() {
		if err := m.s.states.Purge(ctx, key); err != nil {
			return err
		}
	}
	m.mu.Lock()
	m.sent = map[string]*sending{}
	m.mu.Unlock()
	files, err := m.s.files.List(ctx)
	if errors.Is(err, jetstream.ErrNoObjectsFound) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, f := range files {
		if strings.HasPrefix(f.Name, m.Sweep+"/") {
			if err := m.s.files.Delete(ctx, f.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// see takes the states of jobs as they change.
func (m *Maker) see() {
	for e := range m.watch.Updates() {
		if e == nil || e.Operation() != jetstream.KeyValuePut {
			continue
		}
		if x, err := stateOf(e.Value()); err == nil {
			m.tell(e.Key(), func(a *asking) { a.now = x })
		}
	}
}

// hear takes the points that workers tell of.
func (m *Maker) hear(msg *nats.Msg) {
	if ps, err := run.Points(msg.Data); err == nil {
		m.tell(strings.TrimPrefix(msg.Subject, pointPrefix), func(a *asking) { a.points = append(a.points, ps...) })
	}
}

// tell tells who waits for a job.
func (m *Maker) tell(key string, what func(*asking)) {
	m.mu.Lock()
	a := m.asking[key]
	m.mu.Unlock()
	if a == nil {
		return
	}
	a.mu.Lock()
	what(a)
	a.mu.Unlock()
	select {
	case a.bell <- struct{}{}:
	default:
	}
}

// Make makes a job by whichever worker takes it; see job.Maker. A job that was made before,
// for who has died since, is not made again.
func (m *Maker) Make(ctx context.Context, j *job.Job, note func(*run.Point)) (*job.Done, error) {
	if err := check(j); err != nil {
		return nil, err
	}
	for i := range j.Files {
		if err := m.send(ctx, &j.Files[i]); err != nil {
			return nil, err
		}
	}
	key := keyOf(m.Sweep, j.ID)
	a := &asking{bell: make(chan struct{}, 1)}
	m.mu.Lock()
	twice := m.asking[key] != nil
	if !twice {
		m.asking[key] = a
	}
	m.mu.Unlock()
	if twice {
		return nil, fmt.Errorf("job %s is being made already", j.ID)
	}
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.asking, key)
	}()
	x, err := m.ask(ctx, key, j)
	if err != nil {
		return nil, err
	}
	told := run.Told{}
	if note == nil {
		note = func(*run.Point) {}
	}
	if x, err = m.wait(ctx, key, a, x, func(ps []*run.Point) {
		for _, p := range told.New(ps) {
			note(p)
		}
	}); err != nil {
		return nil, err
	}
	return m.take(ctx, j, x, func(ps []*run.Point) {
		for _, p := range told.New(ps) {
			note(p)
		}
	})
}

// check returns an error where a job cannot be sent.
func check(j *job.Job) error {
	if err := j.Check(); err != nil {
		return err
	}
	for i := range j.Files {
		if f := &j.Files[i]; !job.IsBase(f.Base) || !sums.MatchString(f.SHA256) || f.Bytes < 0 {
			return fmt.Errorf("job %s: the file %s, %.200q, cannot be sent: its name has marks that mean something, or it has no SHA-256", j.ID, f.Name, f.Base)
		}
	}
	return nil
}

// spec is a digest of what a job is.
func spec(j *job.Job) (string, error) {
	b, err := json.Marshal(bare(j, 0, 0))
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16]), err
}

// bare is a job as it is written: what is in a folder stands in the folder's list.
func bare(j *job.Job, threads, until int) *job.Job {
	k := *j
	k.Threads, k.Until = threads, until
	k.Files = make([]job.File, len(j.Files))
	for i, f := range j.Files {
		f.Folder, f.Parts = f.Folder || len(f.Parts) > 0, nil
		k.Files[i] = f
	}
	return &k
}

// ask writes that a job is wanted, and lays it into the queue.
func (m *Maker) ask(ctx context.Context, key string, j *job.Job) (*state, error) {
	sum, err := spec(j)
	if err != nil {
		return nil, err
	}
	x, err := m.s.change(ctx, key, func(now *state) (*state, error) {
		next := &state{Ask: 1, Spec: sum, Run: run.NewName(j.Command()), Status: waiting, Job: bare(j, j.Threads, j.Until)}
		switch {
		case now == nil:
			return next, nil
		case now.Spec != sum:
			return nil, fmt.Errorf("job %s is another one in the queue, of the same sweep %s: give the sweep another name", j.ID, m.Sweep)
		case now.Status == run.Done || now.Status == run.Stopped && !now.Stop && j.Until > 0 && now.Job.Until == j.Until:
			return now, nil // it is what is asked for
		}
		*next = *now
		next.Job, next.Stop = bare(j, j.Threads, j.Until), false
		if now.ended() || now.Stop || now.Job.Until != j.Until {
			next.Ask, next.Status, next.Done, next.Barren = now.Ask+1, waiting, nil, 0
		}
		return next, nil
	})
	if err != nil {
		return nil, err
	}
	if !x.ended() {
		go m.lay(ctx, key, x.Ask)
	}
	return x, nil
}

// lay lays a job into the queue. Where it lies there already, for an earlier time that it was
// asked for, the message may be on its way out: that is seen by trying again until somebody has
// taken the job.
func (m *Maker) lay(ctx context.Context, key string, ask int) {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, cmp.Or(m.Ack, DefaultAck)) {
		one, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := m.s.js.Publish(one, jobSubject+key, nil)
		cancel()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if x, _, err := m.s.get(ctx, key); err == nil && (x == nil || x.Ask != ask || x.Status != waiting) {
			return
		}
	}
}

// asks is how often a state is read that nobody has told of.
const asks = 30 * time.Second

// wait waits until a job has ended, and tells of points.
func (m *Maker) wait(ctx context.Context, key string, a *asking, x *state, note func([]*run.Point)) (*state, error) {
	ask := x.Ask
	tick := time.NewTicker(asks)
	defer tick.Stop()
	for !x.ended() {
		select {
		case <-ctx.Done():
			m.stop(context.WithoutCancel(ctx), key, ask, a)
			return nil, ctx.Err()
		case <-a.bell:
		case <-tick.C:
			now, _, err := m.s.get(ctx, key)
			switch {
			case errors.Is(err, errState):
				return nil, err
			case err == nil && now == nil:
				return nil, errors.New("the queue knows nothing of the job any more: somebody has cleared it, or its server has lost its files")
			case err == nil:
				a.mu.Lock()
				a.now = now
				a.mu.Unlock()
			}
		}
		a.mu.Lock()
		ps := a.points
		a.points = nil
		if a.now != nil && a.now.Ask >= ask {
			x = a.now
		}
		a.mu.Unlock()
		note(ps)
	}
	return x, nil
}

// stop says that a job is not wanted any more, and waits until its worker has stopped it.
func (m *Maker) stop(ctx context.Context, key string, ask int, a *asking) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(m.Grace, 30*time.Second))
	defer cancel()
	x, err := m.s.change(ctx, key, func(now *state) (*state, error) {
		if now == nil || now.ended() || now.Ask != ask {
			return nil, errLost
		}
		next := *now
		if next.Stop = true; now.Status == waiting {
			next.Status = run.Stopped
		}
		return &next, nil
	})
	if err != nil || x.ended() {
		return
	}
	m.s.nc.Publish(stopPrefix+key, nil) //nolint:errcheck // the worker looks at the state now and then
	for {
		a.mu.Lock()
		ended := a.now != nil && a.now.Ask >= ask && a.now.ended()
		a.mu.Unlock()
		if ended {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-a.bell:
		}
	}
}
