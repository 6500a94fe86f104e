package lm_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pare/internal/lmtest"
	"pare/lm"
)

// A replay gives what was recorded, whatever the order of requests, the n-th
// repetition of one its n-th reply, errors too, and nothing else.
func TestReplay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session.jsonl")
	m := newCounted()
	m.fail = func(call int) error {
		if call == 3 {
			return &lm.Error{Kind: lm.RateLimited, Status: 429, Err: errors.New("slow down")}
		}
		return nil
	}
	r, err := lm.Record(m, path)
	if err != nil {
		t.Fatal(err)
	}
	one := ask(t, r, chance)
	two := ask(t, r, chance)
	if _, err := r.Generate(ctx, chance); !errors.Is(err, lm.RateLimited) {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if r, err = lm.Record(m, path); err != nil { // the session goes on
		t.Fatal(err)
	}
	fixed := ask(t, r, seeded)
	score, err := r.Score(ctx, lm.ScoreRequest{Prompt: "the", Text: " é"})
	if err != nil {
		t.Fatal(err)
	}
	vectors, err := r.Embed(ctx, lm.EmbedRequest{Texts: []string{"the", "cat"}})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()

	p, err := lm.Replay(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(p.Info(), m.Info()) {
		t.Errorf("the model is %+v", p.Info())
	}
	again, err := p.Embed(ctx, lm.EmbedRequest{Texts: []string{"the", "cat"}})
	if err != nil || !again.Kept || !reflect.DeepEqual(again.Vectors, vectors.Vectors) {
		t.Errorf("vectors %v, %v", again, err)
	}
	if got := ask(t, p, seeded); !reflect.DeepEqual(got.Choices, fixed.Choices) || got.Usage != fixed.Usage {
		t.Error("the seeded reply is another")
	}
	if got := ask(t, p, chance); !reflect.DeepEqual(got.Choices, one.Choices) {
		t.Error("the first of a request is another")
	}
	if got := ask(t, p, chance); !reflect.DeepEqual(got.Choices, two.Choices) {
		t.Error("the second of a request is another")
	}
	_, err = p.Generate(ctx, chance)
	var e *lm.Error
	if !errors.As(err, &e) || e.Kind != lm.RateLimited || e.Status != 429 || err.Error() != "fake: rate-limited (status 429): slow down" {
		t.Errorf("the third: %v", err)
	}
	for range 2 {
		if _, err = p.Generate(ctx, chance); !errors.Is(err, lm.Unrecorded) || !strings.Contains(err.Error(), `generate "the" was recorded 3 times in `+path) {
			t.Errorf("the fourth: %v", err)
		}
	}
	if got, err := p.Score(ctx, lm.ScoreRequest{Prompt: "the", Text: " é"}); err != nil || !reflect.DeepEqual(got.Tokens, score.Tokens) {
		t.Errorf("score %v, %v", got, err)
	}
	if _, err := p.Score(ctx, lm.ScoreRequest{Prompt: "a", Text: " é"}); !errors.Is(err, lm.Unrecorded) {
		t.Errorf("another prefix: %v", err)
	}
	if _, err := lm.Record(lmtest.NewFake("another"), path); err == nil || !strings.Contains(err.Error(), "another model") {
		t.Errorf("another model adds to the file: %v", err)
	}
}

// elsewhere is a model of the same name at another place.
type elsewhere struct{ *lmtest.Fake }

func (e elsewhere) Info() lm.Info { i := e.Fake.Info(); i.Fingerprint = "elsewhere"; return i }

// A recording is of one model, whatever others are called; a call that its caller gave up
// is no part of it.
func TestWhatIsRecorded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session.jsonl")
	fake := lmtest.NewFake("fake")
	r, err := lm.Record(fake, path)
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(ctx)
	fake.Before = func(context.Context) error { cancel(); return nil }
	if _, err := r.Generate(gone, chance); !errors.Is(err, lm.Cancelled) {
		t.Error(err)
	}
	fake.Before = nil
	want := ask(t, r, chance)
	r.Close()
	if _, err := lm.Record(elsewhere{fake}, path); err == nil || !strings.Contains(err.Error(), "another model") {
		t.Errorf("another model of the same name adds to the file: %v", err)
	}
	p, err := lm.Replay(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := ask(t, p, chance); !reflect.DeepEqual(got.Choices, want.Choices) {
		t.Errorf("%+v, not %+v", got, want)
	}
}

// broken is a model whose streams break off.
type broken struct{ lm.Model }

func (broken) Stream(_ context.Context, _ lm.Request, each func(lm.Delta) error) (*lm.Reply, error) {
	if err := each(lm.Delta{Text: "one"}); err != nil {
		return nil, err
	}
	return &lm.Reply{Choices: []lm.Choice{{Text: "one"}}, Usage: lm.Usage{Unknown: true}}, &lm.Error{Kind: lm.Unavailable, Unsure: true, Err: errors.New("gone")}
}

// A stream that was broken off is replayed as far as it came.
func TestReplayOfBrokenStream(t *testing.T) {
	path := filepath.Join(t.TempDir(), "session.jsonl")
	r, err := lm.Record(broken{lmtest.NewFake("fake")}, path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text := func(m lm.Model) (s string) {
		reply, err := lm.Stream(ctx, m, chance, func(d lm.Delta) error { s += d.Text; return nil })
		if !errors.Is(err, lm.Unavailable) || reply == nil || reply.Choices[0].Text != "one" {
			t.Errorf("%+v, %v", reply, err)
		}
		return s
	}
	want := text(r)
	p, err := lm.Replay(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := text(p); got != want || want != "one" {
		t.Errorf("%q was recorded, %q comes back", want, got)
	}
}

// Files that are no recordings are refused, by the line.
func TestNoRecording(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r")
	info := `{"info":{"name":"m","fingerprint":"f"}}` + "\n"
	for text, want := range map[string]string{
		"":             "holds no recording",
		info + "{}\n":  "line 2",
		info + "[1]\n": "line 2",
		"{}\n":         "line 1",
		info + `{"call":{"generate":{"prompt":"a"}},"answer":{"generate":{"choices":[]}}}` + "\n":                                    "not what was asked for",
		info + `{"call":{"generate":{"prompt":"a"},"score":{"text":"b"}},"answer":{"score":{"tokens":[{"text":"b"}]}}}` + "\n":       "not what was asked for",
		info + `{"call":{},"error":{"kind":"refused"}}` + "\n":                                                                       "not what was asked for",
		info + `{"call":{"embed":{"texts":["a","b"]}},"answer":{"embed":{"vectors":[[1]]}}}` + "\n":                                  "not what was asked for",
		info + `{"call":{"generate":{"prompt":"a"}},"answer":{"embed":{"vectors":[[1]]}},"error":null}` + "\n" + info + "not JSON\n": "line 2",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := lm.Replay(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Whatever a file holds, it is refused or replays whole answers.
func FuzzReplay(f *testing.F) {
	const info = `{"info":{"name":"m","fingerprint":"f","can":{"text":true}}}` + "\n"
	f.Add([]byte(info + `{"call":{"generate":{"prompt":"a"}},"answer":{"generate":{"choices":[{"text":"b","finish":"stop"}],"usage":{"prompt":1,"completion":1}}}}` + "\n"))
	f.Add([]byte(info + `{"call":{"generate":{"prompt":"a"}},"error":{"kind":"refused","text":"no"}}` + "\n"))
	f.Add([]byte(info + `{"call":{"score":{"prompt":"a","text":"b"}},"answer":{"score":{"tokens":[{"text":"b"}]}}}` + "\n"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(dir, "r")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := lm.Replay(path)
		if err != nil {
			return
		}
		for range 3 {
			if r, err := m.Generate(ctx, lm.Request{Prompt: "a"}); err == nil && len(r.Choices) != 1 {
				t.Errorf("%+v", r)
			}
			if s, err := m.Score(ctx, lm.ScoreRequest{Prompt: "a", Text: "b"}); err == nil && len(s.Tokens) == 0 {
				t.Errorf("%+v", s)
			}
		}
	})
}
