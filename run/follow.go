package run

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Follower reads the points of a file as they come.
type Follower struct {
	path string
	was  fs.FileInfo // the file that was read last; nil: none
	at   int64       // where the lines begin that have not been read
	line int         // how many have
}

// Follow follows a file of points, which need not be there yet.
func Follow(path string) *Follower { return &Follower{path: path} }

// mostChunk is the most bytes that Next reads at once; a line has room in it.
const mostChunk = 2 * mostLine

// Next gives whole lines that have come since the last call, of at most 2 MiB: none where
// there are no more for now. again says that the file was written anew, as it is when a run
// goes on from a checkpoint: the points from before count no longer. Where a line is no
// point the error names it, beside the points before it, and following is at its end.
func (f *Follower) Next() (ps []*Point, again bool, err error) {
	file, st, err := OpenPlain(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, f.forget(), nil
	}
	if err != nil {
		return nil, false, err
	}
	defer file.Close()
	if f.was != nil && (!os.SameFile(f.was, st) || st.Size() < f.at) {
		again = f.forget()
	}
	f.was = st
	b := make([]byte, min(st.Size()-f.at, mostChunk))
	n, err := file.ReadAt(b, f.at)
	if err != nil && err != io.EOF {
		return nil, again, err
	}
	b = b[:n]
	whole := bytes.LastIndexByte(b, '\n') + 1
	if whole == 0 && len(b) > mostLine {
		return nil, again, fmt.Errorf("line %d has more than %d bytes", f.line+1, mostLine)
	}
	for line := range bytes.Lines(b[:whole]) {
		f.line++
		f.at += int64(len(line))
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		p, err := DecodePoint(line)
		if err != nil {
			return ps, again, fmt.Errorf("line %d: %w", f.line, err)
		}
		ps = append(ps, p)
	}
	return ps, again, nil
}

// forget begins anew, and says whether anything had been read.
func (f *Follower) forget() bool {
	some := f.at > 0
	f.was, f.at, f.line = nil, 0, 0
	return some
}

// More says whether whole lines may be left to read at once: Next had not room for all.
func (f *Follower) More() bool { return f.was != nil && f.was.Size()-f.at > mostLine }

// OpenPlain opens a plain file for reading: no link, and nothing whose opening waits for
// another process.
func OpenPlain(path string) (*os.File, fs.FileInfo, error) {
	st, err := os.Lstat(path)
	if err != nil {
		return nil, nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s is no plain file", path)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	now, err := f.Stat()
	if err == nil && !os.SameFile(st, now) {
		err = fmt.Errorf("%s is another file by now", path)
	}
	if err != nil {
		f.Close() //nolint:errcheck // nothing was written
		return nil, nil, err
	}
	return f, now, nil
}
