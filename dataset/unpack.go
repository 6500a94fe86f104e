package dataset

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// maxFile bounds what is read of one file once it is unpacked.
const maxFile = 4 << 30

// mostKept is how much may be kept of what a file of a given size unpacks to
// before all of it is known to be good.
func mostKept(file int64) int64 { return 48<<20 + 3*file }

// source is a file that is read, perhaps more than once, unpacked where it is
// gzipped.
type source struct {
	path   string
	packed int64 // bytes of the file
	size   int64 // once unpacked
	gzip   bool
	stamp  *stamp
	plain  *os.File // of a gzipped file, unpacked where it is read in parts
}

// regular is what a file is, refused where reading it may never end.
func regular(path string) (os.FileInfo, error) {
	st, err := os.Stat(path)
	if err == nil && !st.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	return st, err
}

// openSource looks at a file. One that is gzipped is read through, its checksum
// with it, to learn its size.
func openSource(path string) (*source, error) {
	s, err := openLarge(path)
	if err == nil && s.size > maxFile {
		err = fmt.Errorf("%s: more than %d bytes", path, int64(maxFile))
	}
	return s, err
}

// openLarge is openSource of a file that is not kept whole.
func openLarge(path string) (*source, error) {
	st, err := stampOf(path)
	if err != nil {
		return nil, err
	}
	s := &source{path: path, packed: st.size, size: st.size, stamp: st}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s.gzip, err = startsAsGzip(f)
	f.Close()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if s.gzip {
		r, err := s.open()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		most := mostKept(16 * s.packed)
		if s.size, err = io.Copy(io.Discard, io.LimitReader(r, max(most, maxFile)+1)); err != nil {
			return nil, fmt.Errorf("%s: %w", path, packed(err))
		}
	}
	return s, nil
}

// packed says what it means that a gzipped file cannot be unpacked.
func packed(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the gzipped file is cut short: %w", err)
	case errors.Is(err, gzip.ErrChecksum):
		return fmt.Errorf("the gzipped file is damaged: %w", err)
	}
	return err
}

// openRecords looks at a file of records. It may be of any size where it can be
// streamed.
func (d *Data) openRecords(path string) (*source, error) {
	open := openSource
	if d.bound > 0 {
		open = openLarge
	}
	s, err := open(path)
	if err == nil && s.gzip && s.size > mostKept(16*s.packed) {
		err = fmt.Errorf("%s: %d bytes are packed into %d: unpack it with gunzip first", path, s.size, s.packed)
	}
	return s, err
}

// unpack unpacks a gzipped file, of which no part can be read by itself, into one that
// goes when nobody reads it any more.
func (s *source) unpack(d *Data) error {
	if !s.gzip || s.plain != nil {
		return nil
	}
	r, err := s.open()
	if err != nil {
		return err
	}
	defer r.Close()
	f, err := os.CreateTemp("", "pare-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // a system that keeps open files keeps it
	if n, err := io.Copy(f, r); err != nil || n != s.size {
		f.Close()
		return fmt.Errorf("%s: it is unpacked into %s, which needs %s there (gunzip unpacks it for good): %w", s.path, f.Name(), amount(s.size), cmp.Or(err, io.ErrUnexpectedEOF))
	}
	s.plain = f
	d.note("%s is gzipped: it is unpacked into a temporary file of %s while it is read", filepath.Base(s.path), amount(s.size))
	return nil
}

// from reads the file, as unpacked, from a place on.
func (s *source) from(at int64) (io.ReadCloser, error) {
	if s.plain != nil {
		return io.NopCloser(io.NewSectionReader(s.plain, at, s.size-at)), nil
	}
	f, err := s.stamp.open()
	if err != nil {
		return nil, err
	}
	return &sourceReader{io.NewSectionReader(f, at, s.size-at), f}, nil
}

// startsAsGzip tells a gzipped file; one that can be read by offsets is where it was.
func startsAsGzip(f *os.File) (bool, error) {
	var magic [2]byte
	n, err := f.ReadAt(magic[:], 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n == 2 && magic == [2]byte{0x1f, 0x8b}, err
}

type sourceReader struct {
	io.Reader
	f *os.File
}

// Close closes the file.
func (r *sourceReader) Close() error { return r.f.Close() }

// open reads the file from its start.
func (s *source) open() (io.ReadCloser, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	b := bufio.NewReaderSize(f, 1<<16)
	if !s.gzip {
		return &sourceReader{b, f}, nil
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	return &sourceReader{z, f}, nil
}

// bytes reads all of the file.
func (s *source) bytes() ([]byte, error) {
	r, err := s.open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := make([]byte, s.size)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	return b, nil
}

// readAll reads a file whole. One that unpacks to very much is refused: only
// its contents could show whether it is worth the memory.
func readAll(path string) ([]byte, error) {
	s, err := openSource(path)
	if err != nil {
		return nil, err
	}
	if s.size > mostKept(s.packed) && s.gzip {
		return nil, fmt.Errorf("%s: %d bytes are packed into %d: unpack it with gunzip first", path, s.size, s.packed)
	}
	return s.bytes()
}
