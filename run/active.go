package run

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Active is a run that this process works on: nobody else may meanwhile.
type Active struct {
	Name   string
	Dir    string
	Resume bool // it goes on from what an earlier process has done

	mu      sync.Mutex
	record  *Record
	before  *Record // as it was when it was taken up again; nil: it is new
	lock    *Lock
	metrics *Metrics
	made    bool // the store's folder is there for this run
	ended   bool
}

// Create begins a run: its directory, with its record on the disk, is there when it
// returns. The status, the times and the process of the record are filled in.
func (s *Store) Create(r *Record, p Program) (*Active, error) {
	_, none := os.Stat(s.Dir)
	now := time.Now()
	a := &Active{record: r, made: none != nil}
	if err := s.place(a, now, r.Command); err != nil {
		return nil, err
	}
	if err := a.first(p, now); err != nil {
		return nil, err
	}
	return a, nil
}

// first writes the first record of a run that is taken.
func (a *Active) first(p Program, now time.Time) error {
	a.record.Format, a.record.Began = RecordFormat, now
	err := os.MkdirAll(filepath.Join(a.Dir, CheckFolder), 0o755)
	if err == nil {
		err = errors.Join(a.begin(p, now), a.room())
	}
	if err != nil {
		a.Discard()
	}
	return err
}

// leastRoom is the bytes that a run must have room for when it begins: for its metrics,
// results and report. What its checkpoints take is not known yet.
const leastRoom = 256 << 10

// room says whether the disk has room for a run.
func (a *Active) room() error {
	path := filepath.Join(a.Dir, "."+RecordFile+"000000000") // it is rubbish where it is left
	defer os.Remove(path)                                    //nolint:errcheck // as well
	return os.WriteFile(path, make([]byte, leastRoom), 0o644)
}

// tries is how often a place for a run is looked for, where others take it, or the store
// away, at the same time.
const tries = 20

// place takes a name that nobody has, and makes the directory.
func (s *Store) place(a *Active, now time.Time, command string) (err error) {
	for range tries {
		a.Name = newName(now, command)
		a.Dir = filepath.Join(s.Dir, a.Name)
		if err = os.MkdirAll(s.Dir, 0o755); err != nil {
			return err
		}
		if a.lock, err = Take(s.lockPath(a.Name)); err != nil {
			if busy := (*BusyError)(nil); errors.As(err, &busy) || errors.Is(err, os.ErrNotExist) {
				continue
			}
			return err
		}
		if err = os.Mkdir(a.Dir, 0o755); err == nil {
			return nil
		}
		a.lock.Release()
		if !errors.Is(err, os.ErrExist) && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return err
}

// Reopen takes a run up again that has ended, or whose process has died.
func (s *Store) Reopen(name string, p Program) (*Active, error) {
	lock, err := Take(s.lockPath(name))
	if err != nil {
		return nil, err
	}
	e, err := s.Entry(name)
	if err != nil {
		lock.Release()
		return nil, err
	}
	was := *e.Record
	was.Sittings = slices.Clone(was.Sittings)
	a := &Active{Name: name, Dir: e.Dir, Resume: true, record: e.Record, before: &was, lock: lock}
	a.tidy()
	for i := range a.record.Sittings { // of a process that has died
		if x := &a.record.Sittings[i]; x.Status == Running {
			x.Status = Died
		}
	}
	err = os.MkdirAll(filepath.Join(a.Dir, CheckFolder), 0o755) // it was killed before it had one
	if err = errors.Join(err, a.begin(p, time.Now())); err != nil {
		a.Discard()
		return nil, err
	}
	return a, nil
}

// tidy removes what a process that was killed left of files that it was writing.
func (a *Active) tidy() {
	for _, f := range []string{RecordFile, MetricsFile, ResultsFile, ReportFile, TagsFile} {
		Tidy(filepath.Join(a.Dir, f))
	}
}

// begin writes down that a process works on the run.
func (a *Active) begin(p Program, now time.Time) error {
	host, _ := os.Hostname()
	r := a.record
	r.Status, r.Error, r.Ended = Running, "", time.Time{}
	r.Sittings = append(r.Sittings, Sitting{Program: p, Process: os.Getpid(), Host: host, Began: now, Status: Running})
	return r.write(a.Dir)
}

// Checkpoint is the path that the run's checkpoint has in its directory.
func (a *Active) Checkpoint() string { return filepath.Join(a.Dir, CheckFolder, "state") }

// Update changes the record and writes it.
func (a *Active) Update(change func(*Record)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(a.record)
	return a.record.write(a.Dir)
}

// Record is the record as it stands; it is not to be changed.
func (a *Active) Record() *Record { return a.record }

// Metrics is where the run's metrics go. The file is opened when it is first asked for.
func (a *Active) Metrics() (*Metrics, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.metrics == nil {
		m, err := OpenMetrics(filepath.Join(a.Dir, MetricsFile))
		if err != nil {
			return nil, err
		}
		a.metrics = m
	}
	return a.metrics, nil
}

// Write writes a file into the run's directory.
func (a *Active) Write(name string, b []byte) error { return writeFile(filepath.Join(a.Dir, name), b) }

// End writes how the run ended, and gives it back. Only the first call counts.
func (a *Active) End(status Status, why error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return nil
	}
	a.ended = true
	defer a.lock.Release()
	r := a.record
	r.Status, r.Ended = status, time.Now()
	if why != nil {
		r.Error = why.Error()
	}
	last := &r.Sittings[len(r.Sittings)-1]
	last.Ended, last.Status = r.Ended, status
	err := a.metrics.Close()
	if status == Done {
		os.Remove(filepath.Join(a.Dir, CheckFolder)) //nolint:errcheck // it is empty, or stays
	}
	return errors.Join(err, r.write(a.Dir))
}

// Discard takes back a run that came to no work: a new one is removed, one that was
// taken up again stays as it was.
func (a *Active) Discard() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return
	}
	a.ended = true
	defer a.lock.Release()
	a.metrics.Close() //nolint:errcheck // nothing was written
	if a.before != nil {
		if err := a.before.write(a.Dir); err != nil {
			return // it is seen as one that died
		}
		return
	}
	os.RemoveAll(a.Dir) //nolint:errcheck // an empty run is rubbish
	a.lock.Release()
	if a.made {
		os.Remove(filepath.Dir(a.Dir)) //nolint:errcheck // it stays where there is something in it
	}
}

// Unchanged returns an error where a file that the run has read is another one by now.
func (r *Record) Unchanged() error {
	for _, f := range r.Inputs {
		if f.SHA256 == "" {
			continue
		}
		_, sum, err := FileDigest(f.Path)
		if err != nil {
			return fmt.Errorf("the %s of the run: %w", f.Name, err)
		}
		if sum != f.SHA256 {
			return fmt.Errorf("the %s of the run, %s, has changed since it began", f.Name, f.Path)
		}
	}
	return nil
}
