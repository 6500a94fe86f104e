package serve_test

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pare/internal/lmtest"
	"pare/lm"
	"pare/lm/serve"
)

// asked is a model that notes what it is asked for.
type asked struct {
	*lmtest.Fake
	r lm.Request
}

func (a *asked) Generate(ctx context.Context, r lm.Request) (*lm.Reply, error) {
	a.r = r
	return a.Fake.Generate(ctx, r)
}

// What a body leaves out is what OpenAI's API makes of it.
func TestDefaults(t *testing.T) {
	m := &asked{Fake: lmtest.NewFake("fake")}
	s := start(t, serve.Config{Models: []lm.Model{m}})
	for _, c := range []struct {
		path, body string
		want       lm.Request
	}{
		{"completions", `{"model":"fake","prompt":"a"}`, lm.Request{Prompt: "a", Temperature: 1, MaxTokens: 16}},
		{"chat/completions", `{"model":"fake","messages":[{"role":"user","content":"a"}]}`, lm.Request{Messages: []lm.Message{{Role: lm.User, Text: "a"}}, Temperature: 1}},
		{"completions", `{"model":"fake","prompt":"a","temperature":0,"top_p":0,"top_k":-1,"min_p":0.1,"repetition_penalty":1.5,"seed":0,"n":2,"max_tokens":3,"stop":"x"}`,
			lm.Request{Prompt: "a", TopP: 1e-12, MinP: 0.1, RepetitionPenalty: 1.5, Seed: new(int64(0)), N: 2, MaxTokens: 3, Stop: []string{"x"}}},
	} {
		if status, _, body := post(t, s.URL+"/v1/"+c.path, c.body); status != 200 || !reflect.DeepEqual(m.r, c.want) {
			t.Errorf("%s asks for %+v: %d %s", c.body, m.r, status, body)
		}
	}
}

// The samples of several prompts are those of each, one after the other, and usage is
// that of all.
func TestSeveralPrompts(t *testing.T) {
	s := start(t, serve.Config{Models: []lm.Model{lmtest.NewFake("fake")}})
	type reply struct {
		Choices []struct {
			Index int
			Text  string
		}
		Usage struct {
			Prompt     int `json:"prompt_tokens"`
			Completion int `json:"completion_tokens"`
		}
	}
	get := func(prompt string) (r reply) {
		status, _, body := post(t, s.URL+"/v1/completions", `{"model":"fake","n":2,"seed":3,"max_tokens":5,"prompt":`+prompt+`}`)
		if err := json.Unmarshal([]byte(body), &r); err != nil || status != 200 {
			t.Fatal(status, body, err)
		}
		return r
	}
	one, two, both := get(`"the"`), get(`"on the mat"`), get(`["the","on the mat"]`)
	want := one
	for _, c := range two.Choices {
		c.Index += 2
		want.Choices = append(want.Choices, c)
	}
	want.Usage.Prompt += two.Usage.Prompt
	want.Usage.Completion += two.Usage.Completion
	if !reflect.DeepEqual(both, want) {
		t.Errorf("%+v, not %+v", both, want)
	}
	for i, c := range both.Choices {
		if c.Index != i {
			t.Errorf("choice %d has the index %d", i, c.Index)
		}
	}
}

// Offsets of tokens that follow an echo in a stream go on where it ends.
func TestEchoInStream(t *testing.T) {
	s := start(t, serve.Config{Models: []lm.Model{lmtest.NewFake("fake")}})
	const body = `{"model":"fake","prompt":"the 猫","temperature":0,"max_tokens":3,"echo":true,"logprobs":0`
	offsets := func(body string) (out []int) {
		var r struct {
			Choices []struct {
				Logprobs *struct {
					Offsets []int `json:"text_offset"`
				}
			}
		}
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			t.Fatal(body, err)
		}
		for _, c := range r.Choices {
			if c.Logprobs != nil {
				out = append(out, c.Logprobs.Offsets...)
			}
		}
		return out
	}
	_, _, whole := post(t, s.URL+"/v1/completions", body+"}")
	_, _, stream := post(t, s.URL+"/v1/completions", body+`,"stream":true}`)
	var got []int
	for _, line := range strings.Split(stream, "\n") {
		if data, ok := strings.CutPrefix(line, "data: {"); ok {
			got = append(got, offsets("{"+data)...)
		}
	}
	if want := offsets(whole); len(want) < 5 || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
}

// An error that comes again whenever it is asked says so to clients that try again.
func TestShouldRetry(t *testing.T) {
	fake := lmtest.NewFake("fake")
	s := start(t, serve.Config{Models: []lm.Model{fake}})
	for kind, want := range map[lm.Kind]string{lm.OverBudget: "false", lm.Unrecorded: "false", lm.RateLimited: ""} {
		fake.Before = func(context.Context) error { return &lm.Error{Kind: kind, Err: errors.New("x")} }
		if _, h, body := post(t, s.URL+"/v1/completions", `{"model":"fake","prompt":"a"}`); h.Get("X-Should-Retry") != want {
			t.Errorf("%s: %q, %s", kind, h.Get("X-Should-Retry"), body)
		}
	}
}
