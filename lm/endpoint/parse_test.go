package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"pare/internal/hostile"
	"pare/lm"
)

var (
	asText  = lm.Request{Prompt: "a", MaxTokens: 3, Logprobs: true, Alternatives: 1}
	asChat  = lm.Request{Messages: []lm.Message{{Role: lm.User, Text: "a"}}, MaxTokens: 3, Logprobs: true, Alternatives: 1}
	asPair  = lm.Request{Prompt: "a", N: 2, MaxTokens: 3}
	aToken  = `"logprobs":{"content":[{"token":"x","logprob":-1,"bytes":[120],"top_logprobs":[{"token":"x","logprob":-1,"bytes":null}]}]}`
	aString = `"logprobs":{"tokens":["x"],"token_logprobs":[-1],"top_logprobs":[{"x":-1}],"text_offset":[0]}`
)

func parser(t testing.TB) *Client {
	t.Helper()
	c, err := New(Config{URL: "http://localhost", Model: "m", Kind: VLLM})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What is missing or wrong in a reply is an error that names it.
func TestWhatIsMissing(t *testing.T) {
	c := parser(t)
	for want, in := range map[string]struct {
		r    lm.Request
		body string
	}{
		"choices has 0 elements for 1 samples":                    {asText, `{}`},
		"choices has 2 elements for 1 samples":                    {asText, `{"choices":[{},{}]}`},
		"choices[0].index is missing":                             {asPair, `{"choices":[{"text":"x"},{"text":"x"}]}`},
		"choices[1].index is 0, twice or out of range":            {asPair, `{"choices":[{"index":0,"text":"x","finish_reason":"stop"},{"index":0}]}`},
		"choices[0].index is 7, twice or out of range":            {asText, `{"choices":[{"index":7}]}`},
		"choices[0].finish_reason is missing":                     {asText, `{"choices":[{"text":"x"}]}`},
		`choices[0].finish_reason is "tool_calls"`:                {asText, `{"choices":[{"text":"x","finish_reason":"tool_calls"}]}`},
		"choices[0].text is missing":                              {asText, `{"choices":[{"finish_reason":"stop"}]}`},
		"choices[0].logprobs is missing":                          {asText, `{"choices":[{"text":"x","finish_reason":"stop"}]}`},
		"choices[0].logprobs.content is missing":                  {asText, `{"choices":[{"text":"x","finish_reason":"stop","logprobs":{}}]}`},
		"token_logprobs has 1 elements for 2 tokens":              {asText, `{"choices":[{"text":"x","finish_reason":"stop","logprobs":{"tokens":["a","b"],"token_logprobs":[-1]}}]}`},
		"top_logprobs has 0 elements for 1 tokens":                {asText, `{"choices":[{"text":"x","finish_reason":"stop","logprobs":{"tokens":["a"],"token_logprobs":[-1]}}]}`},
		"token_logprobs[0] is 0.5, which is no":                   {asText, `{"choices":[{"text":"x","finish_reason":"stop","logprobs":{"tokens":["a"],"token_logprobs":[0.5],"top_logprobs":[{"a":-1}]}}]}`},
		"token_logprobs[1] is missing":                            {asText, `{"choices":[{"text":"x","finish_reason":"stop","logprobs":{"tokens":["a","b"],"token_logprobs":[-1,null],"top_logprobs":[{"a":-1},{"b":-1}]}}]}`},
		"choices[0].message is missing":                           {asChat, `{"choices":[{"finish_reason":"stop"}]}`},
		"choices[0].message.content is missing":                   {asChat, `{"choices":[{"finish_reason":"stop","message":{"role":"assistant"}}]}`},
		"content[0].logprob is missing":                           {asChat, `{"choices":[{"finish_reason":"stop","message":{"content":"x"},"logprobs":{"content":[{"token":"x"}]}}]}`},
		"content[0].bytes[0] is 256":                              {asChat, `{"choices":[{"finish_reason":"stop","message":{"content":"x"},"logprobs":{"content":[{"token":"x","logprob":-1,"bytes":[256]}]}}]}`},
		"content[0].top_logprobs has 0 elements":                  {asChat, `{"choices":[{"finish_reason":"stop","message":{"content":"x"},"logprobs":{"content":[{"token":"x","logprob":-1}]}}]}`},
		"content[0].top_logprobs[0].logprob is missing":           {asChat, `{"choices":[{"finish_reason":"stop","message":{"content":"x"},"logprobs":{"content":[{"token":"x","logprob":-1,"top_logprobs":[{"token":"x"}]}]}}]}`},
		"cannot unmarshal string into Go struct field":            {asChat, `{"choices":"none"}`},
		"a place of prompt_logprobs holds several tokens, and do": {asText, `{"prompt_logprobs":[{"1":{"logprob":-1,"decoded_token":"a"},"2":{"logprob":-1,"decoded_token":"b"}}]}`},
	} {
		reply, err := c.reply([]byte(in.body), in.r)
		var e *lm.Error
		if !errors.As(err, &e) || e.Kind != lm.Rubbish || !e.Unsure || !strings.Contains(err.Error(), want) {
			t.Errorf("%s:\n%+v, %v, not %q", in.body, reply, err, want)
		}
	}
}

// Forms of replies that servers give, read.
func TestForms(t *testing.T) {
	c := parser(t)
	token := []lm.Token{{Text: "x", Logprob: -1, Alternatives: []lm.Alternative{{Text: "x", Logprob: -1}}}}
	for name, in := range map[string]struct {
		r    lm.Request
		body string
		want lm.Reply
	}{
		"a completion": {asText, `{"choices":[{"index":0,"text":"x","finish_reason":"length",` + aString + `}],"usage":{"prompt_tokens":4,"completion_tokens":2,"total_tokens":6,"prompt_tokens_details":{"cached_tokens":3}}}`,
			lm.Reply{Choices: []lm.Choice{{Text: "x", Finish: lm.FinishLength, Tokens: token}}, Usage: lm.Usage{Prompt: 4, Cached: 3, Completion: 2}}},
		"tokens of llama.cpp": {asText, `{"choices":[{"text":"x","finish_reason":"stop",` + aToken + `}]}`,
			lm.Reply{Choices: []lm.Choice{{Text: "x", Finish: lm.FinishStop, Tokens: token}}, Usage: lm.Usage{Unknown: true}}},
		"thoughts": {asChat, `{"choices":[{"message":{"content":"x","reasoning_content":"hm"},"finish_reason":"eos",` + aToken + `}],"usage":{"prompt_tokens":4}}`,
			lm.Reply{Choices: []lm.Choice{{Text: "x", Reasoning: "hm", Finish: lm.FinishStop, Tokens: token}}, Usage: lm.Usage{Unknown: true}}},
		"a refusal": {asChat, `{"choices":[{"message":{"content":null,"refusal":"no"},"finish_reason":"stop",` + aToken + `}]}`,
			lm.Reply{Choices: []lm.Choice{{Text: "no", Finish: lm.FinishRefusal, Tokens: token}}, Usage: lm.Usage{Unknown: true}}},
		"a refusal without tokens": {asChat, `{"choices":[{"message":{"content":null,"refusal":"no"},"finish_reason":"stop","logprobs":{"content":null}}]}`,
			lm.Reply{Choices: []lm.Choice{{Text: "no", Finish: lm.FinishRefusal}}, Usage: lm.Usage{Unknown: true}}},
		"withheld": {asChat, `{"choices":[{"message":{"content":null},"finish_reason":"content_filter"}]}`,
			lm.Reply{Choices: []lm.Choice{{Finish: lm.FinishFilter}}, Usage: lm.Usage{Unknown: true}}},
		"in another order": {asPair, `{"choices":[{"index":1,"text":"b","finish_reason":"stop"},{"index":0,"text":"a","finish_reason":"stop"}],"usage":{"prompt_tokens":-4,"completion_tokens":1}}`,
			lm.Reply{Choices: []lm.Choice{{Text: "a", Finish: lm.FinishStop}, {Text: "b", Finish: lm.FinishStop}}, Usage: lm.Usage{Unknown: true}}},
	} {
		got, err := c.reply([]byte(in.body), in.r)
		if err != nil || !reflect.DeepEqual(*got, in.want) {
			t.Errorf("%s: %+v, %v, not %+v", name, got, err, in.want)
		}
	}
}

// The end of a prompt's tokens is the text, from a character on; a token that begins
// before it is a refusal with the way on.
func TestEnding(t *testing.T) {
	of := func(ts ...string) []lm.Token {
		out := make([]lm.Token, len(ts))
		for i, s := range ts {
			out[i].Text, out[i].Bytes = shown([]byte(s))
		}
		return out
	}
	for name, c := range map[string]struct {
		tokens  []lm.Token
		text    string
		offsets []int
	}{
		"plain":          {of("<s>", "the", " cat", " sat"), " cat sat", []int{0, 4}},
		"all":            {of("the", " cat"), "the cat", []int{0, 3}},
		"bytes":          {of("a", "\xc3", "\xa9", "b"), "éb", []int{0, 1, 2}},
		"odd":            {of("a", "\ufffd", "\ufffd", "b"), "éb", []int{0, 0, 2}},
		"odd, two":       {of("a", "\ufffd", "\ufffd", "\ufffd", "c"), "猫🙂c", []int{0, 0, 0, 7}},
		"odd before":     {of("\ufffd", "\ufffd", "b"), "b", []int{0}},
		"really \ufffd":  {of("a", "\ufffd"), "\ufffd", []int{0}},
		"odd at the end": {of("a", " x", "\ufffd"), " x猫", []int{0, 2}},
	} {
		got, err := ending(c.tokens, c.text)
		var offsets []int
		for _, k := range got {
			offsets = append(offsets, k.Offset)
		}
		if err != nil || !reflect.DeepEqual(offsets, c.offsets) {
			t.Errorf("%s: %v, %v, not %v", name, offsets, err, c.offsets)
		}
	}
	var s *straddle
	if _, err := ending(of("the", " cat"), "cat"); !errors.As(err, &s) || !strings.Contains(err.Error(), `" cat" begins before {Text}`) {
		t.Errorf("%v", err)
	}
	for name, c := range map[string]struct {
		tokens []lm.Token
		text   string
	}{"others": {of("a", "b"), "c"}, "too few": {of("b"), "ab"}, "none": {nil, "a"}, "odd ASCII": {of("a", "\ufffd"), "x"}, "odd and no neighbour": {of("b", "\ufffd"), "aé"}} {
		if got, err := ending(c.tokens, c.text); err == nil || errors.As(err, &s) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// vLLM's log-probabilities of a prompt, as its server writes them.
func TestScoreOfVLLM(t *testing.T) {
	body := `{"choices":[{"index":0,"text":" x","finish_reason":"length","logprobs":null,"prompt_logprobs":[null,{"262":{"logprob":-2.5,"rank":3,"decoded_token":" the"}},{"3797":{"logprob":-4.25,"rank":9,"decoded_token":" cat"}}]}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}`
	var sent map[string]any
	c, _ := client(t, Config{Kind: VLLM}, func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			t.Error(err)
		}
		fmt.Fprint(w, body)
	})
	got, err := c.Score(context.Background(), lm.ScoreRequest{Prompt: "On the", Text: " cat"})
	want := &lm.Scores{Tokens: []lm.Token{{Text: " cat", Logprob: -4.25}}, Usage: lm.Usage{Prompt: 3, Completion: 1}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if want := (map[string]any{"model": "m", "prompt": "On the cat", "max_tokens": 1.0, "temperature": 0.0, "prompt_logprobs": 0.0}); !reflect.DeepEqual(sent, want) {
		t.Errorf("sent %v, not %v", sent, want)
	}
	if _, err := c.Score(context.Background(), lm.ScoreRequest{Prompt: "On the ", Text: "cat"}); !errors.Is(err, lm.Unsupported) || !strings.Contains(err.Error(), "blank") {
		t.Errorf("a blank at the end: %v", err)
	}
	if _, err := c.Score(context.Background(), lm.ScoreRequest{Text: "On the cat"}); !errors.Is(err, lm.Unsupported) {
		t.Errorf("the beginning: %v", err)
	}
}

// A reply may mean harm: it is refused in time and without much memory.
func TestHostileReplies(t *testing.T) {
	c := parser(t)
	many := func(element string, n int) string { return strings.Repeat(element+",", n) + element }
	for name, body := range map[string]string{
		"choices":  `{"choices":[` + many(`{}`, 1<<20) + `]}`,
		"deep":     strings.Repeat(`[`, 1<<20),
		"deeper":   `{"choices":` + strings.Repeat(`[`, 9000) + strings.Repeat(`]`, 9000) + `}`,
		"tokens":   `{"choices":[{"text":"","finish_reason":"stop","logprobs":{"content":[` + many(`{}`, 1<<20) + `]}}]}`,
		"tops":     `{"choices":[{"text":"","finish_reason":"stop","logprobs":{"top_logprobs":[` + many(`{}`, 1<<20) + `]}}]}`,
		"prompted": `{"prompt_logprobs":[` + many(`null`, 1<<20) + `]}`,
	} {
		if hostile.Read(t, len(body), func() error { _, err := c.reply([]byte(body), asText); return err }) == nil {
			t.Errorf("%s: no error", name)
		}
	}
	body := `{"data":[{"index":0,"embedding":[` + many("null", 1<<20) + `]}]}`
	if hostile.Read(t, len(body), func() error { _, _, err := c.vectors([]byte(body), 1); return err }) == nil {
		t.Error("a vector of nothing")
	}
	endless, _ := client(t, Config{MaxReply: 1000}, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) //nolint:errcheck // the test fails otherwise
		for range 100 {
			fmt.Fprint(w, strings.Repeat(" ", 100))
		}
	})
	if _, err := endless.Generate(context.Background(), simple); !errors.Is(err, lm.Rubbish) || !strings.HasSuffix(err.Error(), "more than 1000 bytes: ask for less, or raise MaxReply") {
		t.Errorf("endless: %v", err)
	}
	if _, err := endless.Stream(context.Background(), simple, nil); !errors.Is(err, lm.Rubbish) || !strings.Contains(err.Error(), "the stream has more than 1000 bytes") {
		t.Errorf("endless stream: %v", err)
	}
}

func TestVectors(t *testing.T) {
	c := parser(t)
	for want, body := range map[string]string{
		"data has 0 elements for 2 texts":   `{}`,
		"data[0].index is missing":          `{"data":[{"embedding":[1]},{"embedding":[1]}]}`,
		"data[1].index is 0, twice":         `{"data":[{"index":0,"embedding":[1]},{"index":0,"embedding":[1]}]}`,
		"data[0].embedding is missing":      `{"data":[{"index":0},{"index":1}]}`,
		"data[1].embedding is missing":      `{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":"AAAA"}]}`,
		"data[0].embedding[1] is no number": `{"data":[{"index":0,"embedding":[1,null]},{"index":1}]}`,
	} {
		if _, _, err := c.vectors([]byte(body), 2); !errors.Is(err, lm.Rubbish) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %q", body, err, want)
		}
	}
}

// Whatever a server says, a reply has what was asked for or is an error.
func FuzzReply(f *testing.F) {
	f.Add([]byte(good), uint8(1))
	f.Add([]byte(`{"choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop",`+aToken+`}]}`), uint8(2))
	f.Add([]byte(`{"choices":[{"index":0,"text":"x","finish_reason":"stop",`+aString+`}],"usage":{"prompt_tokens":1,"total_tokens":1}}`), uint8(0))
	f.Add([]byte(`{"choices":[{"index":0,"prompt_logprobs":[null,{"1":{"logprob":-1,"decoded_token":"x"}}]}]}`), uint8(3))
	f.Add([]byte(`{"choices":[{"index":0,"text":"é","finish_reason":null,"logprobs":{"tokens":["bytes:\\xc3","�"],"token_logprobs":[null,-1]}}]}`), uint8(4))
	f.Add([]byte(`{"data":[{"index":0,"embedding":[1,2.5]}]}`), uint8(5))
	c := parser(f)
	f.Fuzz(func(t *testing.T, b []byte, form uint8) {
		var err error
		switch form % 6 {
		case 0, 1, 2:
			r := []lm.Request{asText, asPair, asChat}[form%3]
			var reply *lm.Reply
			if reply, err = c.reply(b, r); err == nil {
				if len(reply.Choices) != r.Samples() {
					t.Error("too few choices")
				}
				for _, ch := range reply.Choices {
					at := 0
					for _, k := range ch.Tokens {
						if k.Offset != at || k.Logprob > 0 || len(k.Alternatives) > r.Alternatives {
							t.Errorf("token %+v at %d", k, at)
						}
						at += len(k.Raw())
					}
				}
			}
		case 3:
			var s *lm.Scores
			if s, err = c.scores(b, lm.ScoreRequest{Prompt: "a", Text: "é x"}); err == nil && len(s.Tokens) == 0 {
				t.Error("no tokens")
			}
		case 4:
			err = c.pieces(context.Background(), strings.NewReader("data: "+string(b)+"\n\ndata: [DONE]\n\n"), asPair, &lm.Reply{Choices: make([]lm.Choice, 2)}, func(d lm.Delta) error {
				if d.Index < 0 || d.Index > 1 {
					t.Errorf("piece of choice %d", d.Index)
				}
				return nil
			})
		case 5:
			var vs [][]float32
			if vs, _, err = c.vectors(b, 1); err == nil && len(vs[0]) == 0 {
				t.Error("an empty vector")
			}
		}
		var e *lm.Error
		if err != nil && (!errors.As(err, &e) || e.Kind == "") {
			t.Errorf("an error of no kind: %v", err)
		}
	})
}
