package interop

import (
	"context"
	"math"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"pare/internal/lmtest"
	"pare/lm"
	"pare/lm/serve"
)

// told is what OpenAI's client was told.
type told struct {
	Models []string
	Model  string
	Chat   struct {
		Choices []sampled
		Usage   []int
		Tokens  [][]any
		Bytes   string
	}
	Text struct {
		Choices []sampled
		Usage   []int
		Tokens  []string
		Tops    []int
	}
	Echo []struct {
		Text     string
		Tokens   []string
		Logprobs []*float64
		Offsets  []int
	}
	Stream struct {
		Pieces []string
		Usage  []int
	}
	Helper     string
	TextStream string `json:"text stream"`
	Embeddings struct {
		Base64, Float [][]float32
		Usage         int
	}
	Errors map[string]struct {
		Class   string
		Status  int
		Code    string
		Param   string
		Message string
	}
}

type sampled struct{ Text, Finish string }

// OpenAI's own client uses a model that is served, unchanged, and is told what the
// model says.
func TestOpenAIClient(t *testing.T) {
	py := python(t, "openai")
	fake := lmtest.NewFake("fake")
	budget, err := lm.NewBudget(lm.Limits{Tokens: 100000})
	if err != nil {
		t.Fatal(err)
	}
	m, err := lm.WithBudget(lmtest.NewFake("fake"), budget, nil)
	if err != nil {
		t.Fatal(err)
	}
	h, err := serve.New(serve.Config{Models: []lm.Model{m}})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	defer s.Close()
	type job struct {
		URL   string `json:"url"`
		Model string `json:"model"`
	}
	got := ask[job, told](t, py, "endpoint.py", t.TempDir(), []job{{s.URL + "/v1", "fake"}})[0]

	if !reflect.DeepEqual(got.Models, []string{"fake"}) || got.Model != "fake" {
		t.Errorf("models %v, %q", got.Models, got.Model)
	}
	chats(t, fake, got)
	texts(t, fake, got)
	e, err := fake.Embed(context.Background(), lm.EmbedRequest{Texts: []string{"the cat", "on 42"}})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Embeddings.Base64, e.Vectors) || !reflect.DeepEqual(got.Embeddings.Float, e.Vectors) || got.Embeddings.Usage != e.Usage.Prompt {
		t.Errorf("embeddings %+v, not %+v", got.Embeddings, e)
	}
	for name, want := range map[string][3]string{
		"temperature":   {"BadRequestError", "invalid", "temperature"},
		"tools":         {"BadRequestError", "unsupported", "tools"},
		"image":         {"BadRequestError", "invalid", ""},
		"unknown field": {"BadRequestError", "unsupported", "guided_choice"},
		"no such model": {"NotFoundError", "model_not_found", "model"},
		"too long":      {"BadRequestError", "context_length_exceeded", ""},
		"over budget":   {"RateLimitError", "over-budget", ""},
		"a number":      {"BadRequestError", "invalid", "n"},
	} {
		e := got.Errors[name]
		if [3]string{e.Class, e.Code, e.Param} != want || e.Message == "" {
			t.Errorf("%s: %+v, not %v", name, e, want)
		}
	}
}

func chats(t *testing.T, fake lm.Model, got told) {
	t.Helper()
	r := lm.Request{Messages: []lm.Message{{Role: lm.System, Text: "Be brief."}, {Role: lm.User, Text: "Where is the 猫?"}}, N: 3, Temperature: 1, Seed: new(int64(5)), MaxTokens: 8, Logprobs: true, Alternatives: 2}
	want, err := fake.Generate(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range want.Choices {
		if got.Chat.Choices[i] != (sampled{c.Text, c.Finish}) {
			t.Errorf("chat %d: %+v, not %+v", i, got.Chat.Choices[i], c)
		}
	}
	u := want.Usage
	if !reflect.DeepEqual(got.Chat.Usage, []int{u.Prompt, u.Completion, u.Prompt + u.Completion}) {
		t.Errorf("chat: usage %v, not %+v", got.Chat.Usage, u)
	}
	for i, k := range want.Choices[1].Tokens {
		if !reflect.DeepEqual(got.Chat.Tokens[i], []any{k.Text, k.Logprob, 2.0}) {
			t.Errorf("chat: token %v, not %+v", got.Chat.Tokens[i], k)
		}
	}
	if got.Chat.Bytes != want.Choices[1].Text {
		t.Errorf("chat: bytes %q", got.Chat.Bytes)
	}
	if got.Stream.Pieces[0] != want.Choices[0].Text || got.Stream.Pieces[1] != want.Choices[1].Text || got.Helper != want.Choices[0].Text || got.Stream.Usage[0] != u.Prompt {
		t.Errorf("streams %+v, %q, not %+v", got.Stream, got.Helper, want)
	}
}

func texts(t *testing.T, fake lm.Model, got told) {
	t.Helper()
	want, err := fake.Generate(context.Background(), lm.Request{Prompt: "the", MaxTokens: 10, Stop: []string{" sat", "\n"}, Logprobs: true})
	if err != nil {
		t.Fatal(err)
	}
	c := want.Choices[0]
	if got.Text.Choices[0] != (sampled{c.Text, c.Finish}) || !strings.HasPrefix(strings.Join(got.Text.Tokens, ""), c.Text) || len(got.Text.Tops) != len(c.Tokens) || got.Text.Tops[0] != 2 {
		t.Errorf("text %+v, not %+v", got.Text, c)
	}
	all, err := fake.Generate(context.Background(), lm.Request{Prompt: "the", MaxTokens: 10})
	if err != nil {
		t.Fatal(err)
	}
	if got.TextStream != all.Choices[0].Text {
		t.Errorf("text stream %q, not %q", got.TextStream, all.Choices[0].Text)
	}
	for i, prompt := range []string{"the 猫 sat", "on"} {
		s, err := fake.Score(context.Background(), lm.ScoreRequest{Text: prompt})
		if err != nil {
			t.Fatal(err)
		}
		e := got.Echo[i]
		if e.Text != prompt || strings.Join(e.Tokens, "") != prompt || len(e.Logprobs) != len(s.Tokens) || e.Logprobs[0] != nil || e.Offsets[0] != 0 {
			t.Errorf("echo %+v, not %+v", e, s)
			continue
		}
		for j, k := range s.Tokens[1:] {
			if math.Abs(*e.Logprobs[j+1]-k.Logprob) > 0 || e.Offsets[j+1] != len([]rune(prompt[:k.Offset])) {
				t.Errorf("echo %q: token %d is %v at %d, not %+v", prompt, j+1, *e.Logprobs[j+1], e.Offsets[j+1], k)
			}
		}
	}
}
