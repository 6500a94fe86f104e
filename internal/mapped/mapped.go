// Package mapped reads files of weights piece by piece without reading all of them: by
// the memory's map where the system has one, else by reading what is asked for.
package mapped

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"time"
)

// File is a file that is open for reading. Any number of goroutines may read it at once;
// none may when it is closed.
type File struct {
	path     string
	file     *os.File // nil where it is closed
	memory   []byte   // all of the file; nil where it is not mapped
	size     int
	modified time.Time
}

// Open opens a regular file. The system may refuse to map it, as one that is larger than
// the memory where it does not hand out more than it has: then it is read in pieces.
func Open(path string) (*File, error) { return open(path, private) }

// Of is Open for a file that is open. It is closed with what Of gives, and where Of
// returns an error.
func Of(file *os.File) (*File, error) { return of(file, private) }

type mapping func(f *os.File, size int) ([]byte, error)

func open(path string, by mapping) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return of(file, by)
}

func of(file *os.File, by mapping) (*File, error) {
	path := file.Name()
	info, err := file.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	case info.Size() > math.MaxInt:
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("too large for this machine")}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	f := &File{path: path, file: file, size: int(info.Size()), modified: info.ModTime()}
	if f.size > 0 {
		if m, err := by(file, f.size); err == nil {
			f.memory = m
		}
	}
	return f, nil
}

// Mapped says whether the file is mapped.
func (f *File) Mapped() bool { return f.memory != nil }

// Path is the path by which the file was opened.
func (f *File) Path() string { return f.path }

// Size is the length of the file in bytes.
func (f *File) Size() int { return f.size }

// Bytes gives n bytes from an offset on. Where the file is mapped they are a view of it,
// good until Close: they are read from the disk when they are used, and what is written to
// them is seen by all views and never reaches the file. Else they are a copy. It returns
// an error where the file has no such bytes, and where it was changed since it was opened.
// Nothing guards a view that is in use when another program cuts the file short.
func (f *File) Bytes(at, n int) ([]byte, error) {
	if at < 0 || n < 0 || at > f.size || n > f.size-at {
		return nil, fmt.Errorf("%s: bytes %d to %d of %d: %w", f.path, at, at+n, f.size, io.ErrUnexpectedEOF)
	}
	if err := f.unchanged(); err != nil {
		return nil, err
	}
	if f.memory != nil {
		return f.memory[at : at+n : at+n], nil
	}
	b := make([]byte, n)
	_, err := f.file.ReadAt(b, int64(at))
	return b, err
}

// ReadAt copies bytes from an offset on, as io.ReaderAt.
func (f *File) ReadAt(b []byte, at int64) (int, error) {
	if f.file == nil {
		return 0, closed(f.path)
	}
	return f.file.ReadAt(b, at)
}

// unchanged returns an error where the file is not the one that was opened.
func (f *File) unchanged() error {
	if f.file == nil {
		return closed(f.path)
	}
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() != int64(f.size) || !info.ModTime().Equal(f.modified) {
		return fmt.Errorf("%s was changed since it was opened: open it again", f.path)
	}
	return nil
}

func closed(path string) error { return &fs.PathError{Op: "read", Path: path, Err: fs.ErrClosed} }

// Close ends the map: no view may be used any more. A second call does nothing.
func (f *File) Close() error {
	if f.file == nil {
		return nil
	}
	var err error
	if f.memory != nil {
		err = unmap(f.memory)
	}
	err = errors.Join(err, f.file.Close())
	f.file, f.memory = nil, nil
	return err
}
