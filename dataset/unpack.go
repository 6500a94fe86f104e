package dataset

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
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
	st, err := regular(path)
	if err != nil {
		return nil, err
	}
	s := &source{path: path, packed: st.Size(), size: st.Size()}
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
		if s.size, err = io.Copy(io.Discard, io.LimitReader(r, maxFile+1)); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if s.size > maxFile {
		return nil, fmt.Errorf("%s: more than %d bytes", path, int64(maxFile))
	}
	return s, nil
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
