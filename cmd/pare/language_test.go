package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pare/internal/lmtest"
	"pare/lm"
	"pare/lm/local"
)

// What is written is what the model gives, as text and as JSON; a text is scored as the
// package scores it.
func TestGenerate(t *testing.T) {
	path := lmtest.Llama2C(t)
	m, err := local.Open(path, local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	seed := int64(7)
	want, err := m.Generate(context.Background(), lm.Request{Prompt: "some", MaxTokens: 9, Temperature: 1, TopK: 5, Seed: &seed, N: 2})
	if err != nil {
		t.Fatal(err)
	}
	flags := []string{"model", "generate", path, "--prompt", "some", "--max-tokens", "9", "--temperature", "1", "--top-k", "5", "--seed", "7"}
	if o := ok(t, flags...); o != want.Choices[0].Text+"\n" {
		t.Errorf("%q, not %q", o, want.Choices[0].Text)
	}
	var said struct {
		Choices []lm.Choice
		Usage   lm.Usage
		Seconds float64
		First   float64 `json:"seconds_to_first"`
	}
	if err := json.Unmarshal([]byte(ok(t, append(flags, "--n", "2", "--json", "--logprobs")...)), &said); err != nil || len(said.Choices) != 2 || said.Choices[1].Text != want.Choices[1].Text || len(said.Choices[1].Tokens) == 0 || said.Usage != want.Usage {
		t.Errorf("%+v, not %+v: %v", said, want, err)
	}
	if !(said.First > 0 && said.First < said.Seconds) {
		t.Errorf("the first token came after %v s of %v", said.First, said.Seconds)
	}
	text := filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(text, []byte("some words and other words"), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := m.TextPerplexity(context.Background(), "some words and other words", 8, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Perplexity local.Perplexity }
	if err := json.Unmarshal([]byte(ok(t, "model", "perplexity", path, "--text", text, "--window", "8", "--json")), &got); err != nil || math.Abs(got.Perplexity.Value-p.Value) > 1e-9 || got.Perplexity.Left != p.Left || p.Left == 0 {
		t.Errorf("%+v, not %+v: %v", got, p, err)
	}
	if _, _, said := pare(t, "model", "perplexity", path, "--text", text, "--window", "8"); !strings.Contains(said, "are not scored") {
		t.Errorf("what is left out is not said: %s", said)
	}
	if _, _, said := pare(t, "model", "generate", path, "--prompt", "a", "--top-p", ".5", "--n", "2", "--max-tokens", "2"); !strings.Contains(said, "do nothing") || !strings.Contains(said, "are the same") {
		t.Errorf("flags that do nothing: %s", said)
	}
}

// A chat remembers what was said, until an empty line.
func TestChat(t *testing.T) {
	path := lmtest.GGUF(t, lmtest.Llama2C(t))
	talk := func(lines string) string {
		var out, errs bytes.Buffer
		c := newCLI(nil, &out, &errs)
		q := &speaking{}
		q.r.MaxTokens = 5
		if err := c.runChat(context.Background(), path, q, strings.NewReader(lines)); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	m, err := local.Open(path, local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ask := func(ms ...lm.Message) string {
		r, err := m.Generate(context.Background(), lm.Request{Messages: ms, MaxTokens: 5})
		if err != nil {
			t.Fatal(err)
		}
		return r.Choices[0].Text
	}
	one := ask(lm.Message{Role: lm.User, Text: "hi"})
	two := ask(lm.Message{Role: lm.User, Text: "hi"}, lm.Message{Role: lm.Assistant, Text: one}, lm.Message{Role: lm.User, Text: "and"})
	alone := ask(lm.Message{Role: lm.User, Text: "and"})
	if got, want := talk("hi\nand\n\nand\n"), one+"\n"+two+"\n"+alone+"\n"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
}

// What is served answers as the model does, until the context ends.
func TestServeLM(t *testing.T) {
	path := lmtest.Llama2C(t)
	ctx, stop := context.WithCancel(context.Background())
	r, w := io.Pipe()
	c := newCLI(nil, io.Discard, w)
	ended := make(chan error, 1)
	go func() {
		ended <- c.runServeLM(ctx, path, "127.0.0.1:0", &speaking{open: local.Options{Name: "small"}})
		w.Close()
	}()
	line := make([]byte, 200)
	n, err := r.Read(line)
	if err != nil {
		t.Fatal(err, <-ended)
	}
	go io.Copy(io.Discard, r) //nolint:errcheck // it ends with the command
	_, url, _ := strings.Cut(string(line[:n]), " at ")
	url, _, _ = strings.Cut(url, " ")
	client := &http.Client{Timeout: 20 * time.Second}
	got, err := client.Post(url+"/completions", "application/json", strings.NewReader(`{"model":"small","prompt":"some","max_tokens":6,"temperature":0}`))
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	var said struct{ Choices []struct{ Text string } }
	if err := json.NewDecoder(got.Body).Decode(&said); err != nil || len(said.Choices) != 1 {
		t.Fatalf("%+v %v", said, err)
	}
	if want := ok(t, "model", "generate", path, "--prompt", "some", "--max-tokens", "6"); said.Choices[0].Text+"\n" != want {
		t.Errorf("%q is served, and %q written", said.Choices[0].Text, want)
	}
	stop()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "nothing is served any more") {
		t.Errorf("it ends with %v", err)
	}
}

// What makes no sense is refused by its flag, with status 2.
func TestLanguageRefused(t *testing.T) {
	path := lmtest.Llama2C(t)
	for want, a := range map[string][]string{
		"give --prompt":               {"model", "generate", path},
		"--temperature -1":            {"model", "generate", path, "--prompt", "a", "--temperature", "-1"},
		"--system goes with --chat":   {"model", "generate", path, "--prompt", "a", "--system", "b"},
		"cannot answer chats":         {"model", "generate", path, "--prompt", "a", "--chat"},
		"--context 9999":              {"model", "generate", path, "--prompt", "a", "--context", "9999"},
		"--logprobs goes with --json": {"model", "generate", path, "--prompt", "a", "--logprobs"},
		"give --text":                 {"model", "perplexity", path},
		"has no template of chats":    {"model", "chat", path},
		"of this machine alone":       {"serve-lm", path, "--address", "0.0.0.0:1"},
		"--final":                     {"model", "scaling", "predict", path, "--tokens", "1"},
		"--tokens many":               {"model", "scaling", "predict", lawOf(t), "--n", "1M", "--tokens", "many"},
		"--sparsity 1":                {"model", "scaling", "predict", lawOf(t), "--final", "1M", "--sparsity", "1", "--tokens", "1B"},
	} {
		if status, _, said := pare(t, a...); status != 2 || !strings.Contains(said, want) {
			t.Errorf("%v: %d %s, want status 2 and something with %q", a, status, said, want)
		}
	}
}

// runsCSV are runs of L = 1.7 + 400/N^.34 + 400/D^.28.
func runsCSV(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("n0,sparsity,begin,end,tokens,loss\n")
	for _, n0 := range []float64{1e7, 4e7, 2e8} {
		for _, d := range []float64{1e9, 4e9, 2e10} {
			for _, s := range []float64{0, .5} {
				n := n0 * (1 - s*.625)
				json.NewEncoder(&b).Encode(n0) //nolint:errcheck // a builder takes all
				line := strings.TrimSuffix(b.String(), "\n")
				b.Reset()
				b.WriteString(line)
				for _, x := range []float64{s, .25, .75, d, 1.7 + 400/math.Pow(n, .34) + 400/math.Pow(d, .28)} {
					v, _ := json.Marshal(x)
					b.WriteString("," + string(v))
				}
				b.WriteString("\n")
			}
		}
	}
	path := filepath.Join(t.TempDir(), "runs.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func lawOf(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "law.json")
	ok(t, "model", "scaling", "fit", runsCSV(t), "-o", out, "--resample", "20", "--plot", filepath.Join(t.TempDir(), "law.svg"))
	return out
}

// A law is fitted to runs, dense and sparse, and foretells others; how many tokens a loss
// takes is its inverse.
func TestScaling(t *testing.T) {
	law := lawOf(t)
	predict := func(a ...string) (said struct {
		N, Tokens, Loss, Compute, Final, First float64
		Low                                    float64 `json:"loss_low"`
		High                                   float64 `json:"loss_high"`
	}) {
		t.Helper()
		if err := json.Unmarshal([]byte(ok(t, append([]string{"model", "scaling", "predict", law, "--json"}, a...)...)), &said); err != nil {
			t.Fatal(err)
		}
		return said
	}
	loss := func(n, d float64) float64 { return 1.7 + 400/math.Pow(n, .34) + 400/math.Pow(d, .28) }
	d := predict("--n", "100M", "--tokens", "3B")
	if math.Abs(d.Loss-loss(1e8, 3e9)) > .003*d.Loss || d.Compute != 6*1e8*3e9 || !(d.Low <= d.Loss && d.Loss <= d.High) {
		t.Errorf("%+v, the law says %v", d, loss(1e8, 3e9))
	}
	s := predict("--final", "50M", "--unit", "tokens", "--tokens", "3B")
	if s.N != 68.75e6 || s.First != 1e8 || math.Abs(s.Loss-loss(68.75e6, 3e9)) > .003*s.Loss {
		t.Errorf("%+v", s)
	}
	if back := predict("--final", "50M", "--unit", "tokens", "--loss", "3.2"); math.Abs(back.Loss-3.2) > 1e-6 {
		t.Errorf("%+v", back)
	}
}
