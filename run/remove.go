package run

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// removing is how the name of a run's directory begins that is being removed: it is
// renamed first, so that there is no half of a run.
const removing = ".removed-"

// Remove removes a run and says how many bytes it took. Nothing but the directory of a run
// is removed, and none that a process works on: that is a BusyError. The link beside its
// output goes with it.
func (s *Store) Remove(name string) (int64, error) {
	if !IsName(name) {
		return 0, fmt.Errorf("%s: %w", filepath.Join(s.Dir, name), ErrNoRun)
	}
	lock, err := Take(s.lockPath(name))
	if err != nil {
		return 0, err
	}
	defer lock.Release()
	e, err := s.Entry(name)
	if err != nil {
		return 0, err
	}
	gone := filepath.Join(s.Dir, removing+name)
	if err := os.Rename(e.Dir, gone); err != nil {
		return 0, err
	}
	for _, o := range e.Record.Outputs {
		(&Active{Dir: e.Dir}).Unlink(o.Path + ".checkpoint")
	}
	return e.Bytes, os.RemoveAll(gone)
}

// Rubbish is what processes that were killed have left in a store.
type Rubbish struct {
	Path  string `json:"path"`
	What  string `json:"what"`
	Bytes int64  `json:"bytes"`

	run string // whose it is
}

// removed are directories that a process was killed while it removed.
var removed = regexp.MustCompile(`^` + regexp.QuoteMeta(removing))

// Rubbish lists what Clear may remove: directories of runs that never came to a record,
// those half removed, locks that nobody has, half-written files, and checkpoints of runs
// that are done. What a running process has, and what is not known, is not listed.
func (s *Store) Rubbish() (out []Rubbish, err error) {
	es, err := os.ReadDir(s.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for _, e := range es {
		name := removed.ReplaceAllString(strings.TrimSuffix(e.Name(), ".lock"), "")
		if IsName(name) && !held(s.lockPath(name)+".lock") {
			out = append(out, s.rubbish(e, name)...)
		}
	}
	return out, err
}

// rubbish is that of an entry of the store's folder which belongs to a run of a name.
func (s *Store) rubbish(e os.DirEntry, name string) (out []Rubbish) {
	path := filepath.Join(s.Dir, e.Name())
	add := func(path, what string) { out = append(out, Rubbish{path, what, SizeOf(path), name}) }
	switch {
	case e.Type().IsRegular() && e.Name() == name+".lock":
		add(path, "lock that nobody has")
	case e.IsDir() && e.Name() == removing+name:
		add(path, "run that was being removed")
	case e.IsDir() && e.Name() == name && Unfinished(path):
		add(path, "run that never began")
	case e.IsDir() && e.Name() == name:
		for _, x := range within(path) {
			add(x[0], x[1])
		}
	}
	return out
}

// within is the rubbish in the directory of a run: paths, and what they are.
func within(dir string) (out [][2]string) {
	r, err := ReadRecord(dir)
	if err != nil {
		return nil
	}
	if check := filepath.Join(dir, CheckFolder); r.Status == Done {
		if st, err := os.Lstat(check); err == nil && st.IsDir() {
			out = append(out, [2]string{check, "checkpoint of a run that is done"})
		}
	}
	es, _ := os.ReadDir(dir)
	for _, e := range es {
		if e.Type().IsRegular() && halfWritten.MatchString(e.Name()) {
			out = append(out, [2]string{filepath.Join(dir, e.Name()), "half-written file"})
		}
	}
	return out
}

// halfWritten are what a process that was killed left of files that it was writing.
var halfWritten = regexp.MustCompile(`^\.(` + strings.Join([]string{regexp.QuoteMeta(RecordFile), regexp.QuoteMeta(MetricsFile), regexp.QuoteMeta(ResultsFile), regexp.QuoteMeta(ReportFile), regexp.QuoteMeta(TagsFile)}, "|") + `)` + temporary)

// Clear removes rubbish, if it still is that, and says how many bytes it took.
func (s *Store) Clear(rs []Rubbish) (n int64, err error) {
	for _, r := range rs {
		if !IsName(r.run) {
			continue
		}
		lock, e := Take(s.lockPath(r.run))
		if e != nil { // it is somebody's by now, or there is no right to it
			if busy := (*BusyError)(nil); !errors.As(e, &busy) {
				err = errors.Join(err, e)
			}
			continue
		}
		if s.still(r) {
			err = errors.Join(err, os.RemoveAll(r.Path))
			n += r.Bytes
		}
		lock.Release() // the lock itself goes with it
	}
	return n, err
}

// still says whether a thing is rubbish yet, now that its run is taken.
func (s *Store) still(r Rubbish) bool {
	es, err := os.ReadDir(s.Dir)
	if err != nil || strings.HasSuffix(r.Path, ".lock") {
		return false
	}
	for _, e := range es {
		if n := e.Name(); n == r.run || n == removing+r.run {
			for _, x := range s.rubbish(e, r.run) {
				if x.Path == r.Path && x.What == r.What {
					return true
				}
			}
		}
	}
	return false
}
