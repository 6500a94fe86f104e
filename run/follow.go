package run

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// Follower reads a file of metrics while another process adds to it, and gives each
// point once: those that a run makes again, after it has gone back to its checkpoint,
// have been given.
type Follower struct {
	path string
	f    *os.File // as it was when it was read last; nil: it was not there
	at   int64    // bytes that were read
	told Told
}

// Told are points that somebody was told of.
type Told map[mark]bool

// New leaves those of some points that are not among them, and adds them. It changes ps.
func (t Told) New(ps []*Point) []*Point {
	return slices.DeleteFunc(ps, func(p *Point) bool {
		_, epoch := p.Get(EpochLoss)
		k := mark{series{p.Of, p.Training}, p.Step, epoch}
		was := t[k]
		t[k] = true
		return was
	})
}

// mark tells a point from others of a run.
type mark struct {
	series
	step  int
	epoch bool // it is what an epoch came to
}

// Follow is for the metrics of a path, which need not be there yet.
func Follow(path string) *Follower { return &Follower{path: path, told: Told{}} }

// Next gives the points that have come since it was called last, in their order.
func (f *Follower) Next() ([]*Point, error) {
	if err := f.open(); f.f == nil || err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.NewSectionReader(f.f, f.at, mostMetrics-f.at))
	if err != nil {
		return nil, err
	}
	ps, whole, err := points(b)
	if err != nil {
		return nil, fmt.Errorf("%s: after %d bytes: %w", f.path, f.at, err)
	}
	f.at += int64(whole)
	return f.told.New(ps), nil
}

// open opens the file anew where another has taken its place, or it was cut off.
func (f *Follower) open() error {
	st, err := os.Lstat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("%s is no file", f.path)
	}
	if f.f != nil {
		if was, err := f.f.Stat(); err == nil && os.SameFile(was, st) {
			if st.Size() < f.at { // half a line was taken off, or more
				f.at = 0
			}
			return nil
		}
		f.Close()
	}
	f.at = 0
	f.f, err = os.Open(f.path)
	return err
}

// Close lets go of the file.
func (f *Follower) Close() {
	if f.f != nil {
		f.f.Close() //nolint:errcheck // it was read
		f.f = nil
	}
}

// Points reads lines, whole ones, such as a part of a file of metrics.
func Points(b []byte) ([]*Point, error) {
	ps, _, err := points(b)
	return ps, err
}

// Lines writes points as a file of metrics has them.
func Lines(ps []*Point) []byte {
	var b bytes.Buffer
	for _, p := range ps {
		b.Write(p.append(nil))
	}
	return b.Bytes()
}
