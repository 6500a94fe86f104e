package queue

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"pare/run"
	"pare/run/job"

	"github.com/nats-io/nats.go/jetstream"
)

// A run travels as a tar file: its directory below run/, and, where it is done, what it wrote
// below output/.
const (
	runPart    = "run"
	outputPart = "output"
)

// mostPacked is how many files a packed run may have.
const mostPacked = 1 << 16

// entry is a file that is packed. It is open before the first is read, so that it stays what it
// is where another takes its place.
type entry struct {
	name string
	f    *os.File // or
	b    []byte
	size int64
}

// runEntries are the files of a run's directory, in an order in which each knows at least as
// much as those before it: a process may be at work on them. A checkpoint comes first, of a
// series in the order of its trainings, then what was measured on the way, then metrics.
func runEntries(dir string) (out []entry, err error) {
	defer func() {
		if err != nil {
			closeAll(out)
		}
	}()
	var names []string
	err = filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) { // it was there a moment ago
				return nil
			}
			return err
		}
		if at != dir && strings.HasPrefix(d.Name(), ".") || strings.HasSuffix(d.Name(), ".lock") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.Type().IsRegular() {
			below, err := filepath.Rel(dir, at)
			names = append(names, filepath.ToSlash(below))
			return err
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(len(a), len(b)), strings.Compare(a, b))
	})
	for _, name := range names {
		e, err := openEntry(path.Join(runPart, name), filepath.Join(dir, filepath.FromSlash(name)), rank(name) > 1)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return out, err
		}
		out = append(out, e)
	}
	return out, nil
}

// rank orders the files of a run; see runEntries.
func rank(name string) int {
	switch {
	case !strings.HasPrefix(name, run.CheckFolder+"/"):
		return 2
	case strings.HasSuffix(name, ".memo"):
		return 1
	}
	return 0
}

// openEntry opens a file, or reads one that may be added to.
func openEntry(name, at string, grows bool) (entry, error) {
	if grows {
		b, err := os.ReadFile(at)
		return entry{name: name, b: b, size: int64(len(b))}, err
	}
	f, err := os.Open(at)
	if err != nil {
		return entry{}, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return entry{}, err
	}
	return entry{name: name, f: f, size: st.Size()}, nil
}

func closeAll(es []entry) {
	for _, e := range es {
		if e.f != nil {
			e.f.Close() //nolint:errcheck // it was read
		}
	}
}

// outputEntries are what a job wrote: a file, or those of a folder.
func outputEntries(at string) (out []entry, err error) {
	f, err := job.FileOf(outputPart, at)
	if err != nil {
		return nil, err
	}
	parts := f.Parts
	if parts == nil {
		parts = []job.Part{{}}
	}
	for _, p := range parts {
		e, err := openEntry(path.Join(outputPart, f.Base, p.Path), filepath.Join(at, filepath.FromSlash(p.Path)), false)
		if err != nil {
			closeAll(out)
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// pack writes entries as a tar file.
func pack(w io.Writer, es []entry) error {
	t := tar.NewWriter(w)
	for _, e := range es {
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: e.name, Size: e.size, Mode: 0o644}); err != nil {
			return err
		}
		var r io.Reader = bytes.NewReader(e.b)
		if e.f != nil {
			r = e.f
		}
		if _, err := io.CopyN(t, r, e.size); err != nil {
			return fmt.Errorf("%s: %w", e.name, err)
		}
	}
	return t.Close()
}

// unpack reads a tar file into folders, each for what is below its name; what is elsewhere is
// refused, and so is what has more bytes than most.
func unpack(r io.Reader, into map[string]string, most int64) error {
	t := tar.NewReader(io.LimitReader(r, most+1<<20))
	for n, left := 0, most; ; n++ {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("a packed run: %w", err)
		}
		part, below, _ := strings.Cut(h.Name, "/")
		dir := into[part]
		if n == mostPacked || h.Typeflag != tar.TypeReg || dir == "" || !filepath.IsLocal(filepath.FromSlash(below)) || path.Clean(below) != below || h.Size > left {
			return fmt.Errorf("a packed run: %.200q has no place in it", h.Name)
		}
		left -= h.Size // as it is read: holes of a sparse file are filled
		at := filepath.Join(dir, filepath.FromSlash(below))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		f, err := os.OpenFile(at, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, t)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
}

// put stores what a function writes.
func (s *store) put(ctx context.Context, name string, write func(io.Writer) error) (*object, error) {
	r, w := io.Pipe()
	go func() { w.CloseWithError(write(w)) }() //nolint:errcheck // it returns none
	h := sha256.New()
	info, err := s.files.Put(ctx, jetstream.ObjectMeta{Name: name}, io.TeeReader(r, h))
	r.CloseWithError(cmp.Or(err, io.ErrClosedPipe)) //nolint:errcheck // it returns none
	if err != nil {
		return nil, err
	}
	return &object{Name: name, Bytes: int64(info.Size), SHA256: hex.EncodeToString(h.Sum(nil))}, nil
}

// ErrDigest is wrapped by the error of a file that is not what it is said to be.
var ErrDigest = errors.New("its SHA-256 is not the one that it was asked for by")

// fetch gives what an object holds to a function, and refuses it where its digest is another
// one: what the function has done is thrown away then.
func (s *store) fetch(ctx context.Context, o *object, read func(io.Reader) error) error {
	r, err := s.files.Get(ctx, o.Name)
	if err != nil {
		return fmt.Errorf("%s: %w", o.Name, err)
	}
	defer r.Close()
	h := sha256.New()
	if o.Bytes >= 0 { // else it is not known before
		if info, err := r.Info(); err != nil || int64(info.Size) != o.Bytes {
			return fmt.Errorf("%s: %w: it has another size than %d bytes", o.Name, ErrDigest, o.Bytes)
		}
	}
	in := io.TeeReader(r, h)
	err = read(in)
	if err == nil {
		_, err = io.Copy(io.Discard, in) // what is behind the end of a tar file belongs to it
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != o.SHA256 && (err == nil || errors.Is(err, jetstream.ErrDigestMismatch)) {
		return fmt.Errorf("%s: %w: %.16s… in place of %.16s…", o.Name, ErrDigest, sum, o.SHA256)
	}
	return err
}
