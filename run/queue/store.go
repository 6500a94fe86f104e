// Package queue makes jobs by workers behind a queue: processes on this machine or on
// others, which take jobs from NATS JetStream, fetch what they read from its object store
// once for each machine, and write how they ended.
//
// A job is a message of a work queue, one at most for each job; a worker says every few
// seconds that it is at it, and the queue gives the job to another where that stays out. Beside it
// stands the job's state, a key that is changed only by who knows its last revision. Who takes a
// job raises the number of tries in it, and whoever finds another number there than its own has
// lost the job: what it has made is thrown away. So a job has one outcome, whoever dies, is cut
// off or comes back.
package queue

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"pare/run"
	"pare/run/job"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// What the queue is called in NATS.
const (
	jobStream   = "PARE_JOBS"
	jobSubject  = "pare.jobs."   // and a key
	pointPrefix = "pare.points." // as well
	stopPrefix  = "pare.stop."
	stateBucket = "pare_states"
	fileBucket  = "pare_files"
	consumer    = "workers"

	maxPayload = 1 << 20
)

// DefaultAck is how long a worker may be silent before its job is given to another.
const DefaultAck = 30 * time.Second

// sweepNames are those of sweeps.
var sweepNames = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// keyOf is the key of a job. Dots are marks of NATS.
func keyOf(sweep, id string) string { return sweep + "." + strings.ReplaceAll(id, ".", "=") }

// store is what asker and workers share.
type store struct {
	nc     *nats.Conn
	js     jetstream.JetStream
	states jetstream.KeyValue
	files  jetstream.ObjectStore
	queue  jetstream.Consumer
}

// open finds the queue, and makes what is not there.
func open(ctx context.Context, nc *nats.Conn, replicas int, ack time.Duration) (*store, error) {
	s := &store{nc: nc}
	var err error
	if s.js, err = jetstream.New(nc); err != nil {
		return nil, err
	}
	stream, err := s.js.Stream(ctx, jobStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = s.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: jobStream, Subjects: []string{jobSubject + ">"}, Retention: jetstream.WorkQueuePolicy,
			Discard: jetstream.DiscardNew, DiscardNewPerSubject: true, MaxMsgsPerSubject: 1, Storage: jetstream.FileStorage, Replicas: max(1, replicas)})
	}
	if err != nil {
		return nil, fmt.Errorf("the queue of jobs: %w", err)
	}
	if s.queue, err = stream.Consumer(ctx, consumer); errors.Is(err, jetstream.ErrConsumerNotFound) {
		s.queue, err = stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{Durable: consumer, AckPolicy: jetstream.AckExplicitPolicy, AckWait: ack, MaxAckPending: -1, MaxWaiting: 1 << 14, MaxDeliver: -1})
	}
	if err != nil {
		return nil, fmt.Errorf("the queue of jobs: %w", err)
	}
	if s.states, err = s.js.KeyValue(ctx, stateBucket); errors.Is(err, jetstream.ErrBucketNotFound) {
		s.states, err = s.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: stateBucket, History: 1, Storage: jetstream.FileStorage, Replicas: max(1, replicas)})
	}
	if err != nil {
		return nil, fmt.Errorf("the states of jobs: %w", err)
	}
	if s.files, err = s.js.ObjectStore(ctx, fileBucket); errors.Is(err, jetstream.ErrBucketNotFound) {
		s.files, err = s.js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: fileBucket, Storage: jetstream.FileStorage, Replicas: max(1, replicas)})
	}
	if err != nil {
		return nil, fmt.Errorf("the store of files: %w", err)
	}
	return s, nil
}

// How a job stands in the queue, beside the statuses of runs that have ended.
const (
	waiting run.Status = "waiting"
	working run.Status = "working"
)

// state is how a job stands.
type state struct {
	Ask    int        `json:"ask"`  // how often it was asked for: to go on, or once more
	Spec   string     `json:"spec"` // digest of what the job is
	Run    string     `json:"run"`  // name of its run
	Job    *job.Job   `json:"job"`
	Status run.Status `json:"status"`
	Stop   bool       `json:"stop,omitempty"` // who asked does not want it any more
	Try    int        `json:"try"`            // workers that have taken it
	Barren int        `json:"barren"`         // of them, one after the other, those that came no further
	Worker string     `json:"worker,omitempty"`
	Nonce  string     `json:"nonce"` // of who wrote it

	Kept *object   `json:"kept,omitempty"` // its run, and where it is done its output
	Done *job.Done `json:"done,omitempty"`
}

// object is something in the object store.
type object struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// ended says whether nobody works on it or is to.
func (s *state) ended() bool { return s.Status != waiting && s.Status != working }

// errLost is returned where a job is another's by now.
var errLost = errors.New("another worker has taken the job")

// get reads a job's state; nil where there is none.
func (s *store) get(ctx context.Context, key string) (*state, uint64, error) {
	e, err := s.states.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	x, err := stateOf(e.Value())
	return x, e.Revision(), err
}

// errState is wrapped by the error of a state that cannot be one: it does not become one by
// waiting.
var errState = errors.New("what the queue says of the job cannot be read; was it written by another version?")

// stateOf reads a state, which anybody who has joined the queue may have written. A run's name
// becomes one of folders.
func stateOf(b []byte) (*state, error) {
	x := &state{}
	if err := json.Unmarshal(b, x); err != nil {
		return nil, fmt.Errorf("%w: %w", errState, err)
	}
	if x.Job == nil || !run.IsName(x.Run) {
		return nil, fmt.Errorf("%w: it names no job, or no run", errState)
	}
	return x, nil
}

// change changes a state until nobody else has done so meanwhile: what makes of the present
// one, nil where there is none, the next, or returns an error. It tries again where the server
// does not answer, until ctx ends.
func (s *store) change(ctx context.Context, key string, what func(now *state) (*state, error)) (*state, error) {
	nonce := rand.Text()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		x, settled, err := s.try(ctx, key, nonce, what)
		switch {
		case settled:
			return x, err
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err == nil: // somebody else was quicker
			continue
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// try changes a state once. It is not settled where somebody else has changed it meanwhile, or,
// with an error, where the server was not reached. What is no state is settled: it stays.
func (s *store) try(ctx context.Context, key, nonce string, what func(now *state) (*state, error)) (x *state, settled bool, err error) {
	one, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	now, rev, err := s.get(one, key)
	if err != nil {
		return nil, errors.Is(err, errState), err
	}
	if now != nil && now.Nonce == nonce { // it is done, only the answer was lost
		return now, true, nil
	}
	if x, err = what(now); err != nil {
		return now, true, err
	}
	x.Nonce = nonce
	b, err := json.Marshal(x)
	if err != nil {
		return now, true, err
	}
	if now == nil {
		_, err = s.states.Create(one, key, b)
	} else {
		_, err = s.states.Update(one, key, b, rev)
	}
	if errors.Is(err, jetstream.ErrKeyExists) {
		return nil, false, nil
	}
	return x, err == nil, err
}
