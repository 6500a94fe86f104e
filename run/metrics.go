package run

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"pare/train"
)

// Metrics is a file of points that is added to while a run works. Many goroutines may add
// at once. What cannot be written any more does not stop the run: see Err.
type Metrics struct {
	mu      sync.Mutex
	path    string
	f       *os.File
	buf     []byte
	flushed time.Time
	last    map[series]int // the last step of each
	err     error
}

// series are the points of one training.
type series struct {
	of       string
	training int
}

const (
	flushAfter = 200 * time.Millisecond // that a point waits at most for the next, or
	flushBytes = 64 << 10
	flushSteps = 200 // the steps between checkpoints, before which all is written
)

// OpenMetrics opens a file for adding, and makes it where there is none.
func OpenMetrics(path string) (*Metrics, error) {
	m := &Metrics{path: path, last: map[series]int{}, flushed: time.Now()}
	b, err := readBounded(path, mostMetrics)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	ps, whole, err := points(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, p := range ps {
		m.last[series{p.Of, p.Training}] = p.Step
	}
	if m.f, err = os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err != nil {
		return nil, err
	}
	if whole < len(b) {
		if err := m.f.Truncate(int64(whole)); err != nil {
			return nil, errors.Join(err, m.f.Close())
		}
	}
	return m, nil
}

// Add notes a point. It is in the file after a fifth of a second, if there is a next one,
// or when Flush returns. nil takes none.
func (m *Metrics) Add(p *Point) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.buf = p.append(m.buf)
	m.last[series{p.Of, p.Training}] = p.Step
	if len(m.buf) >= flushBytes || p.Time.Sub(m.flushed) >= flushAfter {
		m.flushed = p.Time
		m.write()
	}
}

// Flush writes what waits.
func (m *Metrics) Flush() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.write()
}

func (m *Metrics) write() {
	if len(m.buf) > 0 && m.err == nil {
		_, m.err = m.f.Write(m.buf)
	}
	m.buf = m.buf[:0]
}

// Err is what went wrong with the file first, if anything did.
func (m *Metrics) Err() error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

// Close writes what waits. Of nil it does nothing.
func (m *Metrics) Close() error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.write()
	if m.f == nil {
		return m.err
	}
	err := errors.Join(m.err, m.f.Close())
	m.f = nil
	return err
}

// Rewind takes the points of a training off that are past a step: they are made again.
func (m *Metrics) Rewind(of string, training, step int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := series{of, training}
	if m.last[k] <= step {
		return
	}
	if m.write(); m.err == nil {
		m.err = m.drop(func(p *Point) bool { return p.Of == of && p.Training == training && p.Step > step })
	}
	m.last[k] = step
}

// drop writes the file anew without some of its points.
func (m *Metrics) drop(gone func(*Point) bool) error {
	ps, err := ReadMetrics(m.path)
	if err != nil {
		return err
	}
	var b []byte
	for _, p := range ps {
		if !gone(p) {
			b = p.append(b)
		}
	}
	if err := writeFile(m.path, b); err != nil {
		return err
	}
	f, err := os.OpenFile(m.path, os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	err = m.f.Close()
	m.f = f
	return err
}

// Watcher gives what looks on in the trainings of a run, by their checkpoints, whose
// number in a series tells one from others (see model.Job's Record). A training is noted
// at a thousand of its steps at most, and at the end of every epoch. saved: one without a
// checkpoint is a trial on the way, and is not noted. That of nil is nil.
func (m *Metrics) Watcher(of string, saved bool) func(save string) []train.Hook {
	if m == nil {
		return nil
	}
	return func(save string) []train.Hook {
		if saved && save == "" {
			return nil
		}
		return []train.Hook{&watching{m: m, of: of, training: partOf(save)}}
	}
}

// watching looks on in a training.
type watching struct {
	train.Observer
	m        *Metrics
	of       string
	training int
	each     int // steps between points
	count    int // steps between counts of zeros
	point    Point
}

const (
	mostPoints = 1000 // of a training, beside those at the ends of epochs
	mostCounts = 50
)

// Start takes off what is past the state that the training goes on from.
func (w *watching) Start(r *train.Run) error {
	w.each, w.count = (r.Total+mostPoints-1)/mostPoints, (r.Total+mostCounts-1)/mostCounts
	w.each, w.count = max(1, w.each), max(1, w.count)
	w.m.Rewind(w.of, w.training, r.Step)
	return nil
}

// AfterStep notes a step.
func (w *watching) AfterStep(r *train.Run) error {
	if r.Step%w.each == 0 {
		w.point = Point{time.Now(), w.of, w.training, r.Step, r.Epoch + 1, append(w.point.Values[:0], Value{Loss, r.Loss}, Value{Rate, r.Rate(r.Step - 1)})}
		if r.Step/w.count != (r.Step-w.each)/w.count {
			w.point.Values = append(w.point.Values, Value{Sparsity, sparsity(r)})
		}
		w.m.Add(&w.point)
	}
	if r.Step%flushSteps == 0 {
		w.m.Flush()
	}
	return nil
}

// AfterEpoch notes what an epoch came to.
func (w *watching) AfterEpoch(r *train.Run, e train.Epoch) error {
	p := &Point{Time: time.Now(), Of: w.of, Training: w.training, Step: e.Step, Epoch: e.Epoch, Values: []Value{{EpochLoss, e.Loss}, {Rate, e.Rate}, {Sparsity, sparsity(r)}}}
	if e.Score.Metric != "" {
		p.Values = append(p.Values, Value{HeldLoss, e.ValLoss})
		if e.Score.Metric != Loss {
			p.Values = append(p.Values, Value{e.Score.Metric, e.Score.Value})
		}
	}
	w.m.Add(p)
	w.m.Flush()
	return nil
}

// sparsity is the share of zeros among the weights of two axes or more.
func sparsity(r *train.Run) float64 {
	zero, all := 0, 0
	for _, p := range r.Params {
		if len(p.Shape) < 2 {
			continue
		}
		all += len(p.W)
		for _, x := range p.W {
			if x == 0 {
				zero++
			}
		}
	}
	return float64(zero) / float64(max(1, all))
}
