package local

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"pare/internal/lmtest"
	"pare/lm"
	"pare/lm/decode"
	"pare/lm/generate"
)

func opened(t *testing.T, path string, o Options) *Model {
	t.Helper()
	o.Threads = 1
	m, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func said(t *testing.T, m *Model, r lm.Request) *lm.Reply {
	t.Helper()
	reply, err := m.Generate(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// What is streamed is the reply; the same seed says the same; samples differ.
func TestGenerate(t *testing.T) {
	m := opened(t, lmtest.Llama2C(t), Options{})
	seed := int64(5)
	r := lm.Request{Prompt: "once", N: 3, MaxTokens: 20, Temperature: 1, Seed: &seed}
	text := make([]string, 3)
	finish := make([]string, 3)
	reply, err := m.Stream(context.Background(), r, func(d lm.Delta) error {
		text[d.Index] += d.Text
		finish[d.Index] += d.Finish
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	again := said(t, m, r)
	for i, c := range reply.Choices {
		if c.Text != text[i] || c.Finish != finish[i] || again.Choices[i].Text != c.Text {
			t.Errorf("%q, streamed %q (%s), again %q", c.Text, text[i], finish[i], again.Choices[i].Text)
		}
	}
	if reply.Choices[0].Text == reply.Choices[1].Text {
		t.Error("two samples are the same")
	}
	if u := reply.Usage; u.Prompt != 6 || u.Completion < 3 || u.Completion > 60 { // <s>, a blank, four letters
		t.Errorf("%+v", u)
	}
}

// A text ends before a stop string, of which no piece shows the beginning.
func TestStop(t *testing.T) {
	m := opened(t, lmtest.Llama2C(t), Options{})
	whole := said(t, m, lm.Request{Prompt: "a", MaxTokens: 30}).Choices[0].Text
	runes := []rune(whole)
	for _, cut := range []struct{ from, to int }{{2, 4}, {5, 6}, {len(runes) - 1, len(runes)}} {
		stop := string(runes[cut.from:cut.to])
		at := strings.Index(whole, stop)
		got := ""
		reply, err := m.Stream(context.Background(), lm.Request{Prompt: "a", MaxTokens: 30, Stop: []string{"never there", stop}}, func(d lm.Delta) error {
			got += d.Text
			if !strings.HasPrefix(whole[:at], got) {
				t.Errorf("stop %q: %q was given", stop, got)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if c := reply.Choices[0]; c.Text != whole[:at] || c.Finish != lm.FinishStop || got != c.Text {
			t.Errorf("stop %q: %q (%s), not %q", stop, c.Text, c.Finish, whole[:at])
		}
	}
}

// What is written has the log-probabilities that scoring it gives, token for token, and one
// window's perplexity is their mean's.
func TestScore(t *testing.T) {
	m := opened(t, lmtest.Llama2C(t), Options{})
	reply := said(t, m, lm.Request{Prompt: "b", MaxTokens: 12, Logprobs: true, Alternatives: 3})
	c := reply.Choices[0]
	scores, err := m.Score(context.Background(), lm.ScoreRequest{Prompt: "b", Text: c.Text, Alternatives: 3})
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for _, k := range scores.Tokens {
		if k.Offset != len(text) {
			t.Errorf("%q begins at %d, not %d", k.Text, k.Offset, len(text))
		}
		text += k.Text
		if len(k.Alternatives) != 3 || k.Alternatives[0].Logprob < k.Logprob-1e-6 || k.Alternatives[0].Logprob < k.Alternatives[2].Logprob {
			t.Errorf("%+v", k)
		}
	}
	if text != c.Text {
		t.Errorf("tokens of %q, not %q", text, c.Text)
	}
	if len(scores.Tokens) == len(c.Tokens) { // the text may have other tokens than it was written with
		for i, k := range scores.Tokens {
			if math.Abs(k.Logprob-c.Tokens[i].Logprob) > 1e-4 {
				t.Errorf("token %d: %v written, %v scored", i, c.Tokens[i].Logprob, k.Logprob)
			}
		}
	}
	whole, err := m.Score(context.Background(), lm.ScoreRequest{Text: "a text of words"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.TextPerplexity(context.Background(), "a text of words", 0, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := -lm.Mean(whole.Tokens); math.Abs(p.Loss-want) > 1e-5 || math.Abs(p.Value-math.Exp(want)) > 1e-3*p.Value {
		t.Errorf("%+v, and the tokens' mean is %v", p, want)
	}
	two, err := m.TextPerplexity(context.Background(), "a text of words", 5, 2, nil)
	if err != nil || two.Tokens != 8 || two.Error == 0 {
		t.Errorf("%+v %v", two, err)
	}
}

// The same model says the same from a GGUF file as from llama2.c's, and answers chats.
func TestGGUF(t *testing.T) {
	path := lmtest.Llama2C(t)
	m, g := opened(t, path, Options{}), opened(t, lmtest.GGUF(t, path), Options{})
	r := lm.Request{Prompt: "some words", MaxTokens: 20, Logprobs: true}
	a, b := said(t, m, r).Choices[0], said(t, g, r).Choices[0]
	if a.Text != b.Text || len(a.Tokens) != len(b.Tokens) {
		t.Fatalf("%q and %q", a.Text, b.Text)
	}
	for i := range a.Tokens {
		if math.Abs(a.Tokens[i].Logprob-b.Tokens[i].Logprob) > 1e-5 {
			t.Errorf("token %d: %v and %v", i, a.Tokens[i].Logprob, b.Tokens[i].Logprob)
		}
	}
	if m.Info().Fingerprint == g.Info().Fingerprint {
		t.Error("two files have one fingerprint")
	}
	ask := []lm.Message{{Role: lm.User, Text: "hi"}}
	chat := said(t, g, lm.Request{Messages: ask, MaxTokens: 6, Logprobs: true}).Choices[0]
	plain, err := g.Tokenizer.Tokens("user: hi\nassistant:")
	if err != nil {
		t.Fatal(err)
	}
	if got := said(t, g, lm.Request{Messages: ask, MaxTokens: 1}).Usage.Prompt; got != len(plain) {
		t.Errorf("a prompt of %d tokens, and the template's text has %d", got, len(plain))
	}
	if !utf8.ValidString(chat.Text) {
		t.Errorf("%q is no text", chat.Text)
	}
	s, err := g.Score(context.Background(), lm.ScoreRequest{Messages: ask, Text: chat.Text})
	if err != nil || len(s.Tokens) == 0 {
		t.Errorf("%v %v", s, err)
	}
	if _, err := m.Generate(context.Background(), lm.Request{Messages: ask}); !errors.Is(err, lm.Unsupported) {
		t.Errorf("%v of a model without a template", err)
	}
}

func TestRefused(t *testing.T) {
	path := lmtest.Llama2C(t)
	m := opened(t, path, Options{Context: 16})
	for _, c := range []struct {
		r    lm.Request
		kind lm.Kind
	}{
		{lm.Request{Prompt: "a text that is longer than sixteen tokens"}, lm.TooLong},
		{lm.Request{}, lm.Invalid},
		{lm.Request{Prompt: "a", Alternatives: 1000, Logprobs: true}, lm.Unsupported},
	} {
		if _, err := m.Generate(context.Background(), c.r); !errors.Is(err, c.kind) {
			t.Errorf("%+v: %v, not %s", c.r, err, c.kind)
		}
	}
	if _, err := m.Score(context.Background(), lm.ScoreRequest{Prompt: "a", Text: "\xc3"}); !errors.Is(err, lm.Invalid) {
		t.Errorf("%v", err)
	}
	for kind, r := range map[lm.Kind]lm.EmbedRequest{
		lm.Unsupported: {Texts: []string{"a"}, Dimensions: 3},
		lm.TooLong:     {Texts: []string{"a", "a text that is longer than sixteen tokens"}},
		lm.Invalid:     {Texts: []string{""}},
	} {
		if _, err := m.Embed(context.Background(), r); !errors.Is(err, kind) {
			t.Errorf("%+v: %v, not %s", r, err, kind)
		}
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := m.Generate(gone, lm.Request{Prompt: "a"}); !errors.Is(err, lm.Cancelled) {
		t.Errorf("%v", err)
	}
	if _, err := m.TextPerplexity(context.Background(), "a", 40, 0, nil); err != nil {
		t.Errorf("%v", err)
	}
	if _, err := m.TextPerplexity(context.Background(), strings.Repeat("a ", 30), 40, 0, nil); !errors.Is(err, lm.TooLong) {
		t.Errorf("%v", err)
	}

	folder := lmtest.Folder(t, path)
	alone := t.TempDir()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(alone, "model.bin"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	small := filepath.Join(t.TempDir(), "tok.bin")
	v, err := os.ReadFile(filepath.Join(filepath.Dir(path), "tokenizer.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(small, append(v, 0, 0, 0, 0, 1, 0, 0, 0, 'q'), 0o644); err != nil { // one token more
		t.Fatal(err)
	}
	for want, open := range map[string]func() (*Model, error){
		"no such file":            func() (*Model, error) { return Open(filepath.Join(alone, "none.gguf"), Options{}) },
		"no config.json":          func() (*Model, error) { return Open(alone, Options{}) },
		"no tokenizer.json":       func() (*Model, error) { return Open(folder, Options{}) },
		"Tokenizer":               func() (*Model, error) { return Open(filepath.Join(alone, "model.bin"), Options{}) },
		"do not belong together":  func() (*Model, error) { return Open(path, Options{Tokenizer: small}) },
		"neither a folder":        func() (*Model, error) { return Open(small[:len(small)-4], Options{}) },
		"are not negative":        func() (*Model, error) { return Open(path, Options{Context: -1}) },
		"not a model of llama2.c": func() (*Model, error) { return Open(small, Options{}) },
	} {
		if strings.HasPrefix(want, "neither") {
			if err := os.WriteFile(small[:len(small)-4], nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if m, err := open(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v %v, want something with %q", m, err, want)
		}
	}
}

// It is a home like others.
func TestContract(t *testing.T) {
	lmtest.Contract(t, opened(t, lmtest.GGUF(t, lmtest.Llama2C(t)), Options{}))
}

// A folder's name is the model's, point and all; a tokenizer that is given is read whatever
// the weights lie in; no text is longer than the model was made for.
func TestOptions(t *testing.T) {
	path := lmtest.Llama2C(t)
	folder := filepath.Join(t.TempDir(), "Small-1.7B")
	if err := os.Rename(lmtest.Folder(t, path), folder); err != nil {
		t.Fatal(err)
	}
	file := lmtest.GGUF(t, path)
	bad := filepath.Join(t.TempDir(), "tokenizer.json")
	if err := os.WriteFile(bad, []byte(`{"model":{"type":"Nothing"}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{folder, file} {
		if _, err := Open(p, Options{Tokenizer: bad}); err == nil || !strings.Contains(err.Error(), "the vocabulary") {
			t.Errorf("%s: %v, though the tokenizer that is given is none", p, err)
		}
	}
	good := filepath.Join(t.TempDir(), "tokenizer.json")
	if err := os.WriteFile(good, []byte(`{"model":{"type":"WordLevel","vocab":{"<unk>":0,"a":1},"unk_token":"<unk>"}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if m := opened(t, folder, Options{Tokenizer: good}); m.Info().Name != "Small-1.7B" {
		t.Errorf("it is called %s", m.Info().Name)
	}
	if _, err := Open(t.TempDir(), Options{}); err == nil || strings.Count(err.Error(), t.TempDir()[:8]) > 1 {
		t.Errorf("%v", err)
	}
	if _, err := Open(file, Options{Context: 1000}); err == nil || !strings.Contains(err.Error(), "was made for") {
		t.Errorf("%v", err)
	}
}

// The stop string that begins first ends a text, wherever it stands in the list; the longest
// beginning of any is held back.
func TestFirst(t *testing.T) {
	for _, stop := range [][]string{{"three", "two", "none"}, {"two", "three"}} {
		if at := first("one two three", stop); at != 4 {
			t.Errorf("of %q one begins at %d", stop, at)
		}
	}
	if at := first("one", []string{"two"}); at != -1 {
		t.Errorf("it begins at %d", at)
	}
	if n := begun("one tw", []string{"w", "wo", "two"}); n != 2 {
		t.Errorf("%d bytes are held back", n)
	}
}

// Each window is scored by itself.
func TestWindows(t *testing.T) {
	m := opened(t, lmtest.Llama2C(t), Options{})
	const text, window = "a text of many words", 6
	p, err := m.TextPerplexity(context.Background(), text, window, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	ids, _, err := m.before(context.Background(), nil, text, false)
	if err != nil {
		t.Fatal(err)
	}
	sum, n := 0., 0
	for lo := 0; lo+window <= len(ids); lo += window {
		s, err := m.decode.NewSession(decode.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		x, err := generate.Score(context.Background(), s, ids[lo:lo+1], [][]int{ids[lo+1 : lo+window]})
		s.Close()
		if err != nil {
			t.Fatal(err)
		}
		sum, n = sum-x[0].Sum, n+window-1
	}
	if n < 2*(window-1) || p.Tokens != n || math.Abs(p.Loss-sum/float64(n)) > 1e-5 || p.Left != len(ids)%window {
		t.Errorf("%+v, window by window %v of %d tokens", p, sum/float64(n), n)
	}
}

// A text whose first token begins in what stands before it is refused.
func TestTorn(t *testing.T) {
	m := opened(t, lmtest.Llama2C(t), Options{})
	if _, err := m.Score(context.Background(), lm.ScoreRequest{Prompt: "some ", Text: "apples"}); !errors.Is(err, lm.Invalid) || !strings.Contains(err.Error(), "begins in what stands before") {
		t.Errorf("%v", err)
	}
	if _, err := m.Score(context.Background(), lm.ScoreRequest{Prompt: "some", Text: " apples"}); err != nil {
		t.Error(err)
	}
}

func TestEnds(t *testing.T) {
	for text, want := range map[string]string{`{"eos_token_id":7}`: "[7]", `{"eos_token_id":[5,7]}`: "[5 7]", `{"eos_token_id":null}`: "[]", `{}`: "[]", `{"eos_token_id":"a"}`: "neither a token"} {
		m := &Model{}
		if err := m.endsOf("generation_config.json", []byte(text)); err != nil && strings.Contains(err.Error(), want) {
			continue
		}
		if got := fmt.Sprint(m.ends); got != want {
			t.Errorf("%s: %s, not %s", text, got, want)
		}
	}
}

// The losses of short texts are those of a text by itself, in windows where it is longer than the
// room, one after another.
func TestScorer(t *testing.T) {
	m := opened(t, lmtest.Llama2C(t), Options{})
	ctx := context.Background()
	for _, window := range []int{0, 5} {
		text := "a text of words"
		want, err := m.TextPerplexity(ctx, text, window, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		ids, _, err := m.before(ctx, nil, text, false)
		if err != nil {
			t.Fatal(err)
		}
		if window > 0 {
			ids = ids[:len(ids)/window*window] // TextPerplexity leaves out what is less than a window
		}
		s, err := m.Scorer(ctx, max(window, 2, len(ids)*(1-min(1, window))))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			sum, n, err := s.Loss(ctx, ids)
			if err != nil || n != want.Tokens || math.Abs(sum/float64(n)-want.Loss) > 1e-6 {
				t.Errorf("window %d: %v of %d, not %+v (%v)", window, sum, n, want, err)
			}
		}
		if sum, n, err := s.Loss(ctx, ids[:1]); sum != 0 || n != 0 || err != nil {
			t.Errorf("one token: %v of %d, %v", sum, n, err)
		}
		if _, _, err := s.Loss(ctx, []int{0, 1 << 20}); !errors.Is(err, lm.Invalid) {
			t.Errorf("a token that is not there: %v", err)
		}
		s.Close()
	}
	if _, err := m.Scorer(ctx, 1); !errors.Is(err, lm.Invalid) {
		t.Errorf("%v", err)
	}
}
