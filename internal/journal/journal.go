// Package journal keeps a file of JSON values, one a line, that is only added to. A
// process that is killed leaves half a line at most, which is taken off when the file
// is opened again. One process at a time may have a file open: a file beside it,
// PATH.lock, is what they lock, and stays.
package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

// mostLine is the most bytes of a line.
const mostLine = 256 << 20

// File is an open journal. It may be used by many goroutines at once.
type File struct {
	mu   sync.Mutex
	f    *os.File
	lock *flock.Flock
	err  error
}

// Open opens a journal for adding, makes it where there is none, and gives read every
// line that it has. A second process is refused.
func Open(path string, read func(line []byte) error) (*File, error) {
	lock := flock.New(path + ".lock")
	ok, err := lock.TryLock()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%s is in use by another process: wait until it has ended, or choose another place", path)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	j := &File{f: f, lock: lock}
	whole, err := lines(f, path, read)
	if err == nil {
		err = f.Truncate(whole)
	}
	if err == nil {
		_, err = f.Seek(whole, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

// Read gives read every whole line of a journal that nobody adds to.
func Read(path string, read func(line []byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_, err = lines(f, path, read)
	return errors.Join(err, f.Close())
}

// lines reads whole lines, and says where they end.
func lines(f io.Reader, path string, read func([]byte) error) (end int64, err error) {
	b := bufio.NewReaderSize(f, 64<<10)
	for n := 1; ; n++ {
		line, err := whole(b)
		if errors.Is(err, io.EOF) {
			return end, nil
		}
		if err == nil && len(bytes.TrimSpace(line)) > 0 {
			err = read(line)
		}
		if err != nil {
			return end, fmt.Errorf("%s: line %d: %w", path, n, err)
		}
		end += int64(len(line))
	}
}

// whole reads a line with its end.
func whole(b *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := b.ReadSlice('\n')
		line = append(line, part...)
		if err == nil || !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
		if len(line) > mostLine {
			return nil, fmt.Errorf("it has more than %d bytes", mostLine)
		}
	}
}

// Add appends a value. When it returns, the death of this process loses nothing.
func (j *File) Add(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	at, err := j.f.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if _, err := j.f.Write(append(b, '\n')); err != nil { // half a line would spoil the next
		_, back := j.f.Seek(at, io.SeekStart)
		j.err = errors.Join(j.f.Truncate(at), back)
		return errors.Join(err, j.err)
	}
	return nil
}

// Close writes what the system still holds, and lets another process have the file.
func (j *File) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.f == nil {
		return nil
	}
	err := errors.Join(j.f.Sync(), j.f.Close(), j.lock.Unlock())
	j.f, j.err = nil, os.ErrClosed
	return err
}

// Replace puts one value in the place of all that the journal holds, at once: a
// process that dies meanwhile leaves the one or the other.
func (j *File) Replace(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err != nil {
		return j.err
	}
	path := j.f.Name()
	if err := renameio.WriteFile(path, append(b, '\n'), 0o600, renameio.WithTempDir(filepath.Dir(path))); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekEnd); err != nil {
		return errors.Join(err, f.Close())
	}
	old := j.f
	j.f = f
	return old.Close()
}
