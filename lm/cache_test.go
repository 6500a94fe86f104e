package lm_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"pare/internal/lmtest"
	"pare/lm"
)

func newCache(t *testing.T, m lm.Model, dir string) *lm.Cache {
	t.Helper()
	c, err := lm.WithCache(m, dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// files is the files of a cache, which holds no others.
func files(t *testing.T, dir string) []string {
	t.Helper()
	fs, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

// Whatever happened to a file, the reply is asked for anew, and kept in its place.
func TestDamagedEntries(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"cut":      func(b []byte) []byte { return b[:len(b)/2] },
		"empty":    func([]byte) []byte { return nil },
		"a bit":    func(b []byte) []byte { b[len(b)-20] ^= 1; return b },
		"longer":   func(b []byte) []byte { return append(b, ' ') },
		"no lines": func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("\n"), nil) },
	} {
		dir := t.TempDir()
		m := newCounted()
		want := ask(t, newCache(t, m, dir), seeded)
		fs := files(t, dir)
		if len(fs) != 1 {
			t.Fatalf("files %v", fs)
		}
		b, err := os.ReadFile(fs[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(fs[0], damage(b), 0o600); err != nil {
			t.Fatal(err)
		}
		c := newCache(t, m, dir)
		if got := ask(t, c, seeded); !reflect.DeepEqual(got, want) || m.calls != 2 || c.Stats() != (lm.CacheStats{Misses: 1, Remade: 1}) {
			t.Errorf("%s: %d calls, %+v", name, m.calls, c.Stats())
		}
		if got := ask(t, c, seeded); m.calls != 2 || !got.Kept || !reflect.DeepEqual(got.Choices, want.Choices) {
			t.Errorf("%s: it was not kept anew", name)
		}
	}
}

// Requests of one meaning are one; those of another, of another model, or of another
// call are others. What failed is not kept.
func TestWhatIsTheSame(t *testing.T) {
	dir := t.TempDir()
	m := newCounted()
	c := newCache(t, m, dir)
	calls := func(f func()) int { before := m.calls; f(); return m.calls - before }
	same := seeded
	same.TopP, same.RepetitionPenalty = 1, 1
	one := lm.Request{Prompt: "one", MaxTokens: 3}
	if n := calls(func() { ask(t, c, one); one.N = 1; ask(t, c, one) }); n != 1 {
		t.Errorf("%d calls for one sample", n)
	}
	if n := calls(func() { ask(t, c, seeded); ask(t, c, same) }); n != 1 {
		t.Errorf("%d calls for one meaning", n)
	}
	other := seeded
	other.Seed = new(int64(2))
	if n := calls(func() { ask(t, c, other) }); n != 1 {
		t.Error("another seed is the same")
	}
	elsewhere := newCounted()
	elsewhere.Fake = lmtest.NewFake("another")
	if c := newCache(t, elsewhere, dir); !reflect.DeepEqual(ask(t, c, seeded), ask(t, elsewhere, seeded)) {
		t.Error("another model is the same")
	}
	if n := calls(func() {
		for range 2 {
			if _, err := c.Score(ctx, lm.ScoreRequest{Prompt: "the", Text: " cat"}); err != nil {
				t.Error(err)
			}
			if _, err := c.Embed(ctx, lm.EmbedRequest{Texts: []string{"the"}}); err != nil {
				t.Error(err)
			}
		}
	}); n != 2 {
		t.Errorf("%d calls for a score and an embedding", n)
	}
	m.fail = func(int) error { return &lm.Error{Kind: lm.RateLimited} }
	failing := lm.Request{Prompt: "fails", MaxTokens: 3}
	if _, err := c.Generate(ctx, failing); !errors.Is(err, lm.RateLimited) {
		t.Error(err)
	}
	m.fail = nil
	if got := ask(t, c, failing); got.Kept {
		t.Error("an error was kept")
	}
}

// Samples left to chance are new each time, and come again in a new run. One that
// failed is no sample.
func TestChanceIsKeptInOrder(t *testing.T) {
	dir := t.TempDir()
	m := newCounted()
	m.fail = func(call int) error {
		if call == 2 {
			return &lm.Error{Kind: lm.TimedOut}
		}
		return nil
	}
	run := func() (out []string) {
		c := newCache(t, m, dir)
		for range 6 {
			if r, err := c.Generate(ctx, chance); err == nil {
				out = append(out, r.Choices[0].Text)
			}
		}
		return out
	}
	one := run()
	if len(one) != 5 || m.calls != 6 {
		t.Fatalf("%d samples, %d calls", len(one), m.calls)
	}
	if two := run(); !reflect.DeepEqual(two[:5], one) || len(two) != 6 || m.calls != 7 {
		t.Errorf("%q and %q after %d calls", one, two, m.calls)
	}
	distinct := map[string]bool{}
	for _, s := range one {
		distinct[s] = true
	}
	if len(distinct) < 2 {
		t.Errorf("samples %q", one)
	}
}

// short is a model that gives a sample too few.
type short struct{ *counted }

func (s short) Generate(ctx context.Context, r lm.Request) (*lm.Reply, error) {
	reply, err := s.counted.Generate(ctx, r)
	reply.Choices = reply.Choices[1:]
	return reply, err
}

// A reply of too few samples is not kept, and one that a file holds is none.
func TestTooFewSamples(t *testing.T) {
	dir := t.TempDir()
	m := short{newCounted()}
	c := newCache(t, m, dir)
	ask(t, c, seeded)
	if ask(t, c, seeded); m.calls != 2 || len(files(t, dir)) != 0 {
		t.Errorf("%d calls, files %v", m.calls, files(t, dir))
	}
	single := seeded
	single.N = 1
	whole := newCounted()
	c = newCache(t, whole, dir)
	ask(t, c, single)
	from := files(t, dir)
	ask(t, c, seeded)
	for _, to := range files(t, dir) {
		if b, err := os.ReadFile(from[0]); to != from[0] && (err != nil || os.WriteFile(to, b, 0o600) != nil) {
			t.Fatal(err)
		}
	}
	if got := ask(t, newCache(t, whole, dir), seeded); len(got.Choices) != 2 || whole.calls != 3 {
		t.Errorf("%d samples after %d calls", len(got.Choices), whole.calls)
	}
}

// One that fails after a later one has come does not make that come again.
func TestChanceFailsLate(t *testing.T) {
	fake := lmtest.NewFake("fake")
	c := newCache(t, fake, t.TempDir())
	fake.Before = func(context.Context) error {
		fake.Before = nil
		ask(t, c, chance)
		return &lm.Error{Kind: lm.TimedOut}
	}
	if _, err := c.Generate(ctx, chance); !errors.Is(err, lm.TimedOut) {
		t.Error(err)
	}
	ask(t, c, chance)
	if ask(t, c, chance); c.Stats() != (lm.CacheStats{Misses: 4}) {
		t.Errorf("%+v", c.Stats())
	}
}

// Many that ask for the same at once cause one call.
func TestOneCallForAll(t *testing.T) {
	m := newCounted()
	rs := make([]lm.Request, 50)
	for i := range rs {
		rs[i] = seeded
	}
	got, err := lm.All(ctx, newCache(t, m, t.TempDir()), rs)
	if err != nil || m.calls != 1 {
		t.Errorf("%d calls, %v", m.calls, err)
	}
	for _, r := range got {
		if !reflect.DeepEqual(r.Choices, got[0].Choices) {
			t.Error("replies differ")
		}
	}
}

// A stream is kept as a reply is.
func TestStreamIsKept(t *testing.T) {
	m := newCounted()
	c := newCache(t, m, t.TempDir())
	want := ask(t, c, seeded)
	var got lm.Reply
	if _, err := c.Stream(ctx, seeded, func(d lm.Delta) error { got.Add(d); return nil }); err != nil {
		t.Fatal(err)
	}
	if m.calls != 1 || !reflect.DeepEqual(got.Choices, want.Choices) {
		t.Errorf("%d calls, %+v", m.calls, got)
	}
}

// Several that use a folder at once, as processes do that know nothing of each other,
// leave whole files, one a request.
func TestSharedFolder(t *testing.T) {
	dir := t.TempDir()
	rs := make([]lm.Request, 20)
	for i := range rs {
		rs[i] = seeded
		rs[i].Seed = new(int64(i))
	}
	var wait sync.WaitGroup
	for range 4 {
		c := newCache(t, lmtest.NewFake("fake"), dir)
		wait.Go(func() {
			if _, err := lm.All(ctx, c, rs); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if fs := files(t, dir); len(fs) != len(rs) {
		t.Errorf("%d files", len(fs))
	}
	c := newCache(t, newCounted(), dir)
	if _, err := lm.All(ctx, c, rs); err != nil || c.Stats() != (lm.CacheStats{Hits: len(rs)}) {
		t.Errorf("%+v, %v", c.Stats(), err)
	}
}
