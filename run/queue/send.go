package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"pare/run/job"

	"github.com/nats-io/nats.go/jetstream"
)

// send stores a file, and what is in it where it is a folder, once.
func (m *Maker) send(ctx context.Context, f *job.File) error {
	parts := f.Parts
	if !f.Folder && len(parts) == 0 {
		return m.sendOne(ctx, f.SHA256, f.Bytes, func() (io.ReadCloser, error) { return os.Open(f.Path) }, f.Path)
	}
	list := job.List(parts)
	for _, p := range parts {
		at := filepath.Join(f.Path, filepath.FromSlash(p.Path))
		if err := m.sendOne(ctx, p.SHA256, p.Bytes, func() (io.ReadCloser, error) { return os.Open(at) }, at); err != nil {
			return err
		}
	}
	return m.sendOne(ctx, f.SHA256, int64(len(list)), func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(list)), nil }, f.Path)
}

func (m *Maker) sendOne(ctx context.Context, sum string, bytes int64, open func() (io.ReadCloser, error), what string) error {
	m.mu.Lock()
	x := m.sent[sum]
	if x == nil {
		x = &sending{}
		m.sent[sum] = x
	}
	m.mu.Unlock()
	x.once.Do(func() { x.err = m.sendNow(ctx, sum, bytes, open, what) })
	if x.err != nil {
		m.mu.Lock()
		if m.sent[sum] == x { // the next tries again
			delete(m.sent, sum)
		}
		m.mu.Unlock()
	}
	return x.err
}

func (m *Maker) sendNow(ctx context.Context, sum string, bytes int64, open func() (io.ReadCloser, error), what string) error {
	name := fileObject(m.Sweep, sum)
	info, err := m.s.files.GetInfo(ctx, name)
	if err == nil && int64(info.Size) == bytes {
		return nil
	}
	if err != nil && !errors.Is(err, jetstream.ErrObjectNotFound) {
		return err
	}
	r, err := open()
	if err != nil {
		return err
	}
	defer r.Close()
	o, err := m.s.put(ctx, name, func(w io.Writer) error {
		_, err := io.Copy(w, r)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if o.SHA256 != sum {
		return errors.Join(fmt.Errorf("%s has changed since it was looked at: %w", what, ErrDigest), m.s.files.Delete(ctx, name))
	}
	return nil
}
