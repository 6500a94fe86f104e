package queue

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pare/run"
	"pare/run/job"

	"github.com/nats-io/nats.go"
)

// started is a queue, joined by as many as are asked for.
func startedFor(t *testing.T, o ServerOptions, n int) (*Server, []*nats.Conn) {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	var ncs []*nats.Conn
	for range n {
		nc, err := s.Connect("test")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		ncs = append(ncs, nc)
	}
	return s, ncs
}

func opened(t *testing.T, nc *nats.Conn) *store {
	t.Helper()
	s, err := open(t.Context(), nc, 1, DefaultAck)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func makerOf(t *testing.T, nc *nats.Conn, sweep string) *Maker {
	t.Helper()
	dir := t.TempDir()
	m, err := New(t.Context(), nc, Options{Sweep: sweep, Store: &run.Store{Dir: filepath.Join(dir, "runs")}, Dir: filepath.Join(dir, "jobs")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// A server that others reach wants a credential of them, and so does who joins one elsewhere.
func TestAnonymous(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:4222", "example.org:4222"} {
		if _, err := Start(ServerOptions{Dir: t.TempDir(), Listen: addr}); !errors.Is(err, ErrAnonymous) {
			t.Errorf("%s: %v", addr, err)
		}
		if err := (&ServerOptions{Listen: addr, Token: "x"}).Check(); err != nil {
			t.Errorf("%s with a token: %v", addr, err)
		}
	}
	for url, ok := range map[string]bool{"nats://127.0.0.1:4222": true, "nats://localhost": true, "tls://[::1]:4222": true, "nats://10.0.0.1:4222": false,
		"nats://127.0.0.1:1,nats://queue:2": false, "nats://me:word@queue:2": true, "nats://127.0.0.1.example.org": false} {
		if err := (&Access{URL: url}).Check(); (err == nil) != ok || err != nil && !errors.Is(err, ErrAnonymous) {
			t.Errorf("%s: %v", url, err)
		}
		if err := (&Access{URL: url, Token: "x"}).Check(); err != nil {
			t.Errorf("%s with a token: %v", url, err)
		}
	}
	for _, url := range []string{"", "http://127.0.0.1", "127.0.0.1:4222", "nats://"} {
		if err := (&Access{URL: url, Token: "x"}).Check(); err == nil {
			t.Errorf("%q is taken", url)
		}
	}
	for _, url := range []string{"nats://me:word@queue:2", "nats://word@queue:2", "nats://queue:1, nats://word@queue:2"} {
		if s := (&Access{URL: url}).shown(); strings.Contains(s, "word") || !strings.Contains(s, "queue:2") {
			t.Error(s)
		}
	}
}

// A file is fetched once for a machine, however many of it want it, and is what it is said to be.
func TestCache(t *testing.T) {
	_, ncs := startedFor(t, ServerOptions{}, 5)
	m := makerOf(t, ncs[0], "a")
	dir := t.TempDir()
	b := make([]byte, 3<<20)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	write := func(name string, b []byte) string {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return at
	}
	file := write("big.npz", b)
	write("folder/a/x.bin", b[:1<<20])
	write("folder/b.bin", b[1<<20:])
	write("folder/.hidden", b)
	var fs []*job.File
	for name, at := range map[string]string{"file": file, "folder": filepath.Join(dir, "folder")} {
		f, err := job.FileOf(name, at)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.send(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		f.Parts = nil // as they travel
		fs = append(fs, f)
	}
	shared := t.TempDir()
	var all sync.WaitGroup
	for _, nc := range ncs[1:] {
		c, s := &Cache{Dir: shared}, opened(t, nc)
		for _, f := range fs {
			all.Go(func() {
				at, err := c.place(t.Context(), s, "a", f)
				if err != nil {
					t.Error(err)
					return
				}
				if is, err := job.FileOf(f.Name, at); err != nil || is.SHA256 != f.SHA256 || is.Bytes != f.Bytes || filepath.Base(at) != f.Base {
					t.Errorf("%s: %+v, %v", at, is, err)
				}
			})
		}
	}
	all.Wait()
	var in uint64
	for _, nc := range ncs[1:] {
		in += nc.Stats().InBytes
	}
	if all := uint64(2 * len(b)); in < all || in > all*11/10 {
		t.Errorf("%d bytes were fetched of %d", in, all)
	}
	// what is damaged in the cache is fetched again, what is damaged in the store is refused
	at := filepath.Join(shared, fs[0].SHA256, fs[0].Base)
	if err := os.RemoveAll(at); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at, b[:100], 0o644); err != nil {
		t.Fatal(err)
	}
	s := opened(t, ncs[1])
	if _, err := (&Cache{Dir: shared}).place(t.Context(), s, "a", fs[0]); err != nil {
		t.Error(err)
	}
	if is, err := job.FileOf("x", at); err != nil || is.SHA256 != fs[0].SHA256 {
		t.Errorf("%+v, %v", is, err)
	}
	for _, f := range fs {
		bad := bytes.Clone(b)
		bad[7]++
		if f.Folder {
			bad = []byte("0000000000000000000000000000000000000000000000000000000000000000  ../../x\n")
		}
		if _, err := s.put(t.Context(), fileObject("a", f.SHA256), func(w io.Writer) error { _, err := w.Write(bad); return err }); err != nil {
			t.Fatal(err)
		}
		if _, err := (&Cache{Dir: t.TempDir()}).place(t.Context(), s, "a", f); !errors.Is(err, ErrDigest) {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}

// A list of a folder that leads out of it is refused, though its digest is right.
func TestHostileList(t *testing.T) {
	_, ncs := startedFor(t, ServerOptions{}, 1)
	s := opened(t, ncs[0])
	sum := hex.EncodeToString(make([]byte, 32))
	for _, list := range []string{sum + "  ../x\n", sum + "  /etc/x\n", sum + "  a/../../x\n", sum + "  \n", "x  y\n", sum + " y\n"} {
		h := sha256.Sum256([]byte(list))
		f := &job.File{Name: "f", Base: "f", Folder: true, SHA256: hex.EncodeToString(h[:])}
		if _, err := s.put(t.Context(), fileObject("a", f.SHA256), func(w io.Writer) error { _, err := io.WriteString(w, list); return err }); err != nil {
			t.Fatal(err)
		}
		if _, err := (&Cache{Dir: t.TempDir()}).place(t.Context(), s, "a", f); err == nil || !strings.Contains(err.Error(), "no place in its list") {
			t.Errorf("%q: %v", list, err)
		}
	}
}

// A file that has changed since it was looked at is not sent.
func TestSendChanged(t *testing.T) {
	_, ncs := startedFor(t, ServerOptions{}, 1)
	m := makerOf(t, ncs[0], "a")
	at := filepath.Join(t.TempDir(), "f")
	os.WriteFile(at, []byte("before"), 0o644) //nolint:errcheck // the next fails then
	f, err := job.FileOf("f", at)
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(at, []byte("after!"), 0o644) //nolint:errcheck // the next fails then
	if err := m.send(t.Context(), f); !errors.Is(err, ErrDigest) {
		t.Error(err)
	}
	os.WriteFile(at, []byte("before"), 0o644) //nolint:errcheck // the next fails then
	if err := m.send(t.Context(), f); err != nil {
		t.Error(err)
	}
}

// What a packed run holds stays in its folders.
func TestUnpack(t *testing.T) {
	packed := func(hs ...tar.Header) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range hs {
			body := bytes.Repeat([]byte{1}, int(h.Size))
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
			w.Write(body) //nolint:errcheck // it is read then
		}
		w.Close()
		return b.Bytes()
	}
	reg := func(name string, size int64) tar.Header {
		return tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644}
	}
	for what, b := range map[string][]byte{
		"up":        packed(reg("run/../../x", 1)),
		"absolute":  packed(reg("/run/x", 1)),
		"elsewhere": packed(reg("other/x", 1)),
		"itself":    packed(reg("run", 1)),
		"link":      packed(tar.Header{Typeflag: tar.TypeSymlink, Name: "run/x", Linkname: "/etc/passwd"}),
		"hard link": packed(tar.Header{Typeflag: tar.TypeLink, Name: "run/x", Linkname: "/etc/passwd"}),
		"twice":     packed(reg("run/x", 1), reg("run/x", 1)),
		"device":    packed(tar.Header{Typeflag: tar.TypeChar, Name: "run/x"}),
		"too large": packed(reg("run/x", 4096)),
		"too many":  packed(reg("run/x", 1000), reg("run/y", 1000)),
		"cut off":   packed(reg("run/x", 100))[:520],
		"no tar":    bytes.Repeat([]byte{9}, 2048),
	} {
		dir := t.TempDir()
		in := filepath.Join(dir, "in")
		if err := unpack(bytes.NewReader(b), map[string]string{"run": in}, 1024); err == nil {
			t.Errorf("%s is taken", what)
		}
		if es, _ := os.ReadDir(dir); len(es) > 1 {
			t.Errorf("%s: %v", what, es)
		}
	}
	in := t.TempDir()
	if err := unpack(bytes.NewReader(packed(reg("run/a/b", 5), reg("run/c", 0))), map[string]string{"run": in}, 1024); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(filepath.Join(in, "a", "b")); err != nil || len(b) != 5 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// A job lies in the queue once, however often it is asked for, and its state is changed by
// nobody who knows an old one.
func TestOnce(t *testing.T) {
	_, ncs := startedFor(t, ServerOptions{}, 2)
	m, s := makerOf(t, ncs[0], "a"), opened(t, ncs[1])
	j := &job.Job{ID: "x.1", Args: []string{"model", "eval", "x"}}
	key := keyOf("a", j.ID)
	for range 5 {
		x, err := m.ask(t.Context(), key, j)
		if err != nil || x.Ask != 1 || x.Try != 0 {
			t.Fatalf("%+v, %v", x, err)
		}
	}
	stream, err := s.js.Stream(t.Context(), jobStream)
	if err != nil {
		t.Fatal(err)
	}
	until(t, func() bool { i, err := stream.Info(t.Context()); return err == nil && i.State.Msgs > 0 })
	w := &Worker{Name: "one", s: s}
	mine, err := w.claim(t.Context(), key)
	if err != nil || mine.Try != 1 {
		t.Fatalf("%+v, %v", mine, err)
	}
	theirs, err := (&Worker{Name: "two", s: s}).claim(t.Context(), key)
	if err != nil || theirs.Try != 2 {
		t.Fatalf("%+v, %v", theirs, err)
	}
	late, now := &holding{w: w, key: key, x: mine}, &holding{w: w, key: key, x: theirs}
	done := func(value float64) func(*state) {
		return func(x *state) {
			x.Status, x.Done = run.Done, &job.Done{Status: run.Done, Values: map[string]float64{"v": value}}
		}
	}
	if err := late.write(t.Context(), nil, done(1)); !errors.Is(err, errLost) {
		t.Errorf("a worker that was thought dead: %v", err)
	}
	if err := now.write(t.Context(), nil, done(2)); err != nil {
		t.Error(err)
	}
	if err := now.write(t.Context(), nil, done(3)); !errors.Is(err, errLost) {
		t.Errorf("an outcome is written over: %v", err)
	}
	d, err := m.Make(t.Context(), j, nil)
	if err != nil || d.Values["v"] != 2 || d.Tries != 2 {
		t.Errorf("%+v, %v", d, err)
	}
	other := *j
	other.Args = []string{"model", "eval", "y"}
	if _, err := m.Make(t.Context(), &other, nil); err == nil || !strings.Contains(err.Error(), "another one") {
		t.Errorf("%v", err)
	}
	if i, err := stream.Info(t.Context()); err != nil || i.State.Msgs != 1 {
		t.Errorf("%+v, %v", i, err)
	}
}

// Changes at the same time are made one after the other.
func TestChange(t *testing.T) {
	_, ncs := startedFor(t, ServerOptions{}, 4)
	var all sync.WaitGroup
	for _, nc := range ncs {
		s := opened(t, nc)
		for range 3 {
			all.Go(func() {
				for range 5 {
					if _, err := s.change(t.Context(), "a.b", func(now *state) (*state, error) {
						next := &state{Run: run.NewName("x"), Job: &job.Job{}, Try: 1}
						if now != nil {
							next.Try += now.Try
						}
						return next, nil
					}); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	all.Wait()
	if x, _, err := opened(t, ncs[0]).get(t.Context(), "a.b"); err != nil || x.Try != 60 {
		t.Errorf("%+v, %v", x, err)
	}
}

// What stands in the place of a state and is none is told of at once, and leads nobody out of
// the folders.
func TestHostileState(t *testing.T) {
	_, ncs := startedFor(t, ServerOptions{}, 2)
	m, s := makerOf(t, ncs[0], "a"), opened(t, ncs[1])
	outside := filepath.Join(filepath.Dir(m.Dir), "outside")
	if err := os.MkdirAll(outside, 0o755); err != nil {
		t.Fatal(err)
	}
	j := &job.Job{ID: "j", Args: []string{"model", "eval"}}
	sum, err := spec(j)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"nothing", "{}", `{"run":"20260102-101112.131-eval-0a0b0c"}`,
		`{"run":"x/../../outside","spec":"` + sum + `","status":"done","job":{"id":"j"},"done":{"status":"done"},"kept":{"name":"x","bytes":1,"sha256":""}}`} {
		if _, err := s.states.Put(t.Context(), keyOf("a", j.ID), []byte(text)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30e9)
		if _, err := m.Make(ctx, j, nil); !errors.Is(err, errState) {
			t.Errorf("%s: %v", text, err)
		}
		if x, err := (&Worker{s: s}).claim(ctx, keyOf("a", j.ID)); !errors.Is(err, errState) {
			t.Errorf("%s: a worker claims %+v, %v", text, x, err)
		}
		cancel()
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error(err)
	}
}

func until(t *testing.T, f func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30e9)
	defer cancel()
	for !f() {
		if pause(ctx, 5e6); ctx.Err() != nil {
			t.Fatal("in vain")
		}
	}
}
