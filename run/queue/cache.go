package queue

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"pare/run/job"

	"github.com/gofrs/flock"
)

// Cache is a folder of files by their digests, which all workers of a machine share: each is
// fetched once.
type Cache struct {
	Dir string

	mu    sync.Mutex
	known map[string]bool // those whose bytes this process has seen to be right
}

// lockWait is how long is between looks whether a file has been fetched by somebody else.
const lockWait = 20 * time.Millisecond

// sums are SHA-256s.
var sums = regexp.MustCompile(`^[0-9a-f]{64}$`)

// fileObject names a file of a sweep in the object store.
func fileObject(sweep, sum string) string { return sweep + "/files/" + sum }

// place gives the path of a job's file, which is fetched where it is not there. Its last part
// is the file's own.
func (c *Cache) place(ctx context.Context, s *store, sweep string, f *job.File) (string, error) {
	if !sums.MatchString(f.SHA256) {
		return "", fmt.Errorf("the file %s has no SHA-256", f.Name)
	}
	dir := filepath.Join(c.Dir, f.SHA256)
	at := filepath.Join(dir, f.Base)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	lock := flock.New(dir + ".lock")
	if _, err := lock.TryLockContext(ctx, lockWait); err != nil {
		return "", err
	}
	defer lock.Unlock() //nolint:errcheck // the end of the process does it too
	c.mu.Lock()
	known := c.known[at]
	c.mu.Unlock()
	if known {
		return at, nil
	}
	if is, err := job.FileOf(f.Name, at); err != nil || is.SHA256 != f.SHA256 {
		if err := os.RemoveAll(at); err != nil {
			return "", err
		}
		if err := c.fetch(ctx, s, sweep, f, dir, at); err != nil {
			return "", err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[string]bool{}
	}
	c.known[at] = true
	return at, nil
}

// fetch brings a file into its folder, beside first.
func (c *Cache) fetch(ctx context.Context, s *store, sweep string, f *job.File, dir, at string) error {
	beside := filepath.Join(dir, ".fetched")
	if err := os.RemoveAll(beside); err != nil {
		return err
	}
	defer os.RemoveAll(beside) //nolint:errcheck // it is gone, or rubbish
	if f.Folder {
		parts, err := s.parts(ctx, sweep, f)
		if err != nil {
			return err
		}
		for _, p := range parts {
			if err := s.fetchFile(ctx, sweep, p.SHA256, p.Bytes, filepath.Join(beside, filepath.FromSlash(p.Path))); err != nil {
				return err
			}
		}
	} else if err := s.fetchFile(ctx, sweep, f.SHA256, f.Bytes, beside); err != nil {
		return err
	}
	return os.Rename(beside, at)
}

// fetchFile brings one file.
func (s *store) fetchFile(ctx context.Context, sweep, sum string, bytes int64, at string) error {
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	w, err := os.OpenFile(at, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444)
	if err != nil {
		return err
	}
	err = s.fetch(ctx, &object{fileObject(sweep, sum), bytes, sum}, func(r io.Reader) error {
		_, err := io.Copy(w, r)
		return err
	})
	if closed := w.Close(); err == nil {
		err = closed
	}
	return err
}

// mostList is the most bytes of a folder's list.
const mostList = 1 << 28

// parts are the files of a folder, by its list.
func (s *store) parts(ctx context.Context, sweep string, f *job.File) (out []job.Part, err error) {
	var b []byte
	err = s.fetch(ctx, &object{fileObject(sweep, f.SHA256), -1, f.SHA256}, func(r io.Reader) (err error) {
		if b, err = io.ReadAll(io.LimitReader(r, mostList)); len(b) == mostList {
			err = fmt.Errorf("the list of the folder %s has %d bytes or more", f.Base, len(b))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(b)) {
		sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if !ok || !sums.MatchString(sum) || !filepath.IsLocal(filepath.FromSlash(name)) || path.Clean(name) != name {
			return nil, fmt.Errorf("the folder %s: %.200q has no place in its list", f.Base, line)
		}
		out = append(out, job.Part{Path: name, Bytes: -1, SHA256: sum})
	}
	return out, nil
}
