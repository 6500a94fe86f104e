package run

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// NewName is a name that a run of a command may have.
func NewName(command string) string { return newName(time.Now(), command) }

// Under begins the run of a job under a name that was chosen before, or takes it up where it
// is there. Its files may lie elsewhere by then, on another machine too: the record's
// arguments, folder and paths become those of r, if what is read is the same still.
func (s *Store) Under(name string, r *Record, p Program) (*Active, error) {
	if !IsName(name) {
		return nil, fmt.Errorf("%.80q is no name of a run", name)
	}
	dir := filepath.Join(s.Dir, name)
	if _, err := os.Lstat(filepath.Join(dir, RecordFile)); errors.Is(err, os.ErrNotExist) {
		return s.beginUnder(name, r, p)
	}
	e, err := s.Entry(name)
	if err != nil {
		return nil, err
	}
	was := e.Record
	switch {
	case was.Job != r.Job:
		return nil, fmt.Errorf("%s is the run of job %q, not of %q", dir, was.Job, r.Job)
	case was.Command != r.Command:
		return nil, fmt.Errorf("%s is a run of pare %s, not of pare %s", dir, was.Command, r.Command)
	case was.Status == Done:
		return nil, fmt.Errorf("%s is done: there is nothing to go on with", dir)
	}
	if err := sameInputs(was.Inputs, r.Inputs); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	a, err := s.Reopen(name, p)
	if err != nil {
		return nil, err
	}
	err = a.Update(func(x *Record) {
		x.Args, x.Folder, x.Inputs, x.Outputs, x.Checkpoint = r.Args, r.Folder, r.Inputs, r.Outputs, ""
	})
	if err != nil {
		a.Discard()
		return nil, err
	}
	return a, nil
}

// beginUnder begins a run under a name. What a process that was killed as it began one left
// is removed.
func (s *Store) beginUnder(name string, r *Record, p Program) (*Active, error) {
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return nil, err
	}
	lock, err := Take(s.lockPath(name))
	if err != nil {
		return nil, err
	}
	a := &Active{Name: name, Dir: filepath.Join(s.Dir, name), record: r, lock: lock}
	if _, err := os.Lstat(a.Dir); err == nil {
		if !Unfinished(a.Dir) {
			lock.Release()
			return nil, fmt.Errorf("%s: %w", a.Dir, ErrNoRun)
		}
		if err := os.RemoveAll(a.Dir); err != nil {
			lock.Release()
			return nil, err
		}
	}
	if err := a.first(p, time.Now()); err != nil {
		return nil, err
	}
	return a, nil
}

// sameInputs returns an error where files that a run read are others by now.
func sameInputs(was, is []File) error {
	for _, f := range was {
		i := slices.IndexFunc(is, func(x File) bool { return x.Name == f.Name && x.SHA256 == f.SHA256 })
		if i < 0 && f.SHA256 != "" {
			return fmt.Errorf("the %s that the run was begun with, of SHA-256 %.16s…, is not what is given now", f.Name, f.SHA256)
		}
	}
	return nil
}

// Adopt takes a directory that another store had, or another machine, into this one, in the
// place of one of its name: it is moved. What changes its record, such as paths, is done before.
func (s *Store) Adopt(dir, name string, change func(*Record)) error {
	if !IsName(name) {
		return fmt.Errorf("%.80q is no name of a run", name)
	}
	r, err := ReadRecord(dir)
	if err != nil {
		return err
	}
	if r.Status == Running { // its process is elsewhere, if it lives
		r.Status = Stopped
		last := &r.Sittings[len(r.Sittings)-1]
		last.Status = Died
	}
	change(r)
	if err := r.write(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return err
	}
	lock, err := Take(s.lockPath(name))
	if err != nil {
		return err
	}
	defer lock.Release()
	at, gone := filepath.Join(s.Dir, name), filepath.Join(s.Dir, removing+name)
	if err := os.RemoveAll(gone); err != nil {
		return err
	}
	if err := os.Rename(at, gone); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(dir, at); err != nil {
		return err
	}
	return os.RemoveAll(gone)
}
