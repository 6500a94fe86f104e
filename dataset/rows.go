package dataset

import (
	"archive/zip"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// stamp is what a file was when it was looked at.
type stamp struct {
	path     string
	size     int64
	modified time.Time
}

func stampOf(path string) (*stamp, error) {
	st, err := regular(path)
	if err != nil {
		return nil, err
	}
	return &stamp{path, st.Size(), st.ModTime()}, nil
}

// same refuses a file that is another than it was.
func (s *stamp) same(f *os.File) error {
	st, err := f.Stat()
	if err == nil && (st.Size() != s.size || !st.ModTime().Equal(s.modified)) {
		err = fmt.Errorf("%s has changed since it was opened: it had %d bytes and has %d", s.path, s.size, st.Size())
	}
	return err
}

// open opens the file again.
func (s *stamp) open() (*os.File, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	if err := s.same(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// member reads a file of an archive from its start.
func (s *stamp) member(name string) (io.ReadCloser, error) {
	f, err := s.open()
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(f, s.size)
	if err == nil {
		i := slices.IndexFunc(z.File, func(m *zip.File) bool { return m.Name == name })
		if i < 0 {
			err = fmt.Errorf("%s has lost %s", s.path, name)
		} else {
			var r io.ReadCloser
			if r, err = z.File[i].Open(); err == nil {
				return &sourceReader{r, f}, nil
			}
		}
	}
	f.Close()
	return nil, err
}

// extent is where a field of samples lies in a file: its bytes of one sample, and how
// many bytes later those of the next are.
type extent struct {
	name         string // for messages
	file         *stamp
	at           int64 // of the first sample
	size, stride int
	samples      int

	unpack func() (io.ReadCloser, error) // where bytes can only be read from the start
	plain  bool                          // bytes are samples as they are
	put    func(raw []byte, first int, to *Field, k int) error
}

// chunk is the bytes that are read at a time.
const chunk = 1 << 17

// chunks is room for them that is used again: a pool's would be made anew after every
// collection of garbage.
var chunks = make(chan []byte, 64)

func chunkOf(n int) (b []byte) {
	select {
	case b = <-chunks:
	default:
	}
	if len(b) < n {
		b = make([]byte, max(n, chunk))
	}
	return b
}

func giveChunk(b []byte) {
	if len(b) > chunk {
		return // of one large sample
	}
	select {
	case chunks <- b:
	default:
	}
}

// fails says of an error where it is.
func (c *extent) fails(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("cut short while it was read (%w)", io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("%s: %w", c.name, err)
}

// each reads the samples from lo to hi, some at a time, whose bytes f gets.
func (c *extent) each(lo, hi int, f func(raw []byte, first, n int) error) error {
	fail := c.fails
	var file *os.File
	var in io.ReadCloser
	var err error
	if c.unpack == nil {
		if file, err = c.file.open(); err != nil {
			return fail(err)
		}
		defer file.Close()
	} else {
		if in, err = c.unpack(); err != nil {
			return fail(err)
		}
		defer in.Close()
		if _, err := io.CopyN(io.Discard, in, c.at+int64(lo)*int64(c.stride)); err != nil {
			return fail(err)
		}
	}
	room := chunkOf(c.stride)
	defer giveChunk(room)
	for lo < hi {
		n := min(len(room)/c.stride, hi-lo)
		b := room[:(n-1)*c.stride+c.size]
		if in != nil {
			_, err = io.ReadFull(in, b)
		} else {
			_, err = file.ReadAt(b, c.at+int64(lo)*int64(c.stride))
		}
		if err != nil {
			return fail(err)
		}
		if c.stride > c.size {
			for i := 1; i < n; i++ {
				copy(b[i*c.size:(i+1)*c.size], b[i*c.stride:])
			}
		}
		if err := f(b[:n*c.size], lo, n); err != nil {
			return fail(err)
		}
		lo += n
	}
	if in != nil && hi == c.samples { // the end, where the checksum is compared
		if n, err := io.Copy(io.Discard, in); err != nil || n > 0 {
			return fail(cmp.Or(err, errors.New("it is longer than it says")))
		}
	}
	if file != nil {
		return c.file.same(file)
	}
	return nil
}

// read reads the samples from lo to hi into a field, from its start.
func (c *extent) read(lo, hi int, to *Field) error {
	if c.plain && c.unpack == nil && c.stride == c.size {
		f, err := c.file.open()
		if err == nil {
			if _, err = f.ReadAt(to.Bytes[:(hi-lo)*c.size], c.at+int64(lo)*int64(c.size)); err == nil {
				err = c.file.same(f)
			}
			f.Close()
		}
		if err != nil {
			return c.fails(err)
		}
		return nil
	}
	return c.each(lo, hi, func(raw []byte, first, n int) error { return c.put(raw, first, to, first-lo) })
}

// putBytes copies bytes.
func putBytes(raw []byte, _ int, to *Field, k int) error {
	copy(to.Bytes[k*to.Size():], raw)
	return nil
}
