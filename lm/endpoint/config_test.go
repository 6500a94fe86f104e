package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"pare/lm"
)

// Settings that cannot be meant are refused, by the field.
func TestNewRefuses(t *testing.T) {
	t.Setenv("PARE_TEST_KEY", "secret-key")
	for want, c := range map[string]Config{
		"URL is no address":            {Model: "m"},
		"URL is no address such":       {URL: "ftp://x", Model: "m"},
		"holds a user":                 {URL: "http://me:secret@x/v1", Model: "m"},
		"a query":                      {URL: "http://x/v1?key=secret", Model: "m"},
		"Model is needed":              {URL: "http://x/v1"},
		`Kind "tgi" is not known`:      {URL: "http://x/v1", Model: "m", Kind: "tgi"},
		"variable PARE_TEST_NONE":      {URL: "https://x/v1", Model: "m", KeyFrom: "PARE_TEST_NONE"},
		"for all to read":              {URL: "http://10.0.0.1/v1", Model: "m", KeyFrom: "PARE_TEST_KEY"},
		"are not negative":             {URL: "http://x/v1", Model: "m", Tries: -1},
		"More cannot be written as JS": {URL: "http://x/v1", Model: "m", More: map[string]any{"x": func() {}}},
	} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", want, err)
		}
	}
	for _, c := range []Config{
		{URL: "http://10.0.0.1/v1", Model: "m", KeyFrom: "PARE_TEST_KEY", PlainKey: true},
		{URL: "http://127.0.0.1:8000/v1", Model: "m", KeyFrom: "PARE_TEST_KEY"},
		{URL: "https://x/v1", Model: "m", KeyFrom: "PARE_TEST_KEY"},
	} {
		if _, err := New(c); err != nil {
			t.Error(err)
		}
	}
}

// The key is sent, and stands nowhere else: in no error, though the server repeats
// it, and in nothing that is printed or kept of a client.
func TestKeyIsKept(t *testing.T) {
	t.Setenv("PARE_TEST_KEY", "secret-key")
	var got string
	c, _ := client(t, Config{KeyFrom: "PARE_TEST_KEY"}, func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Get("Authorization")
		w.WriteHeader(401)
		fmt.Fprint(w, `{"error":{"message":"Incorrect key: secret-key\u001b[2J"}}`)
	})
	_, err := c.Generate(context.Background(), simple)
	if got != "Bearer secret-key" {
		t.Errorf("sent %q", got)
	}
	if !errors.Is(err, lm.Refused) || !strings.HasSuffix(err.Error(), `Incorrect key: [key]\x1b[2J`) {
		t.Errorf("%v", err)
	}
	b, err := json.Marshal(c.Info())
	if all := fmt.Sprintf("%s %+v %#v", b, c, c); err != nil || strings.Contains(all, "secret-key") || !strings.Contains(all, "PARE_TEST_KEY") {
		t.Errorf("%s, %v", all, err)
	}
}

// What decides the replies is the fingerprint; what does not is not.
func TestFingerprint(t *testing.T) {
	of := func(c Config) string {
		if c.URL == "" {
			c.URL = "http://a/v1"
		}
		c.Model += "m"
		m, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		return m.Info().Fingerprint
	}
	can := func(f func(*lm.Capabilities)) *lm.Capabilities {
		c := kinds[Compatible].can
		f(&c)
		return &c
	}
	base := of(Config{})
	for name, c := range map[string]Config{"URL": {URL: "http://b/v1"}, "model": {Model: "x"}, "kind": {Kind: VLLM}, "more": {More: map[string]any{"a": 1}}, "without": {Without: []string{"seed"}},
		"number of samples at once": {Can: can(func(c *lm.Capabilities) { c.Samples = 2 })}, "cut by rank": {Can: can(func(c *lm.Capabilities) { c.TopK = true })},
		"cut by share": {Can: can(func(c *lm.Capabilities) { c.MinP = true })}, "penalty": {Can: can(func(c *lm.Capabilities) { c.RepetitionPenalty = true })}} {
		if of(c) == base {
			t.Errorf("another %s has the same fingerprint", name)
		}
	}
	for name, c := range map[string]Config{"slash": {URL: "http://a/v1/"}, "tries": {Tries: 2}, "seed": {Seed: 3}, "scores": {Can: can(func(c *lm.Capabilities) { c.Score = true })}, "identity": {URL: "http://b/v1", Identity: "http://a/v1"}} {
		if of(c) != base {
			t.Errorf("the %s changes the fingerprint", name)
		}
	}
}

// What is sent to servers of each kind: cuts and penalties always where they are
// understood, and never elsewhere.
func TestBodies(t *testing.T) {
	text := lm.Request{Prompt: "a", N: 1, MaxTokens: 5, Temperature: 0.5, Seed: new(int64(0)), Stop: []string{"x"}, Logprobs: true}
	full := text
	full.TopP, full.TopK, full.MinP, full.RepetitionPenalty, full.Alternatives = 0.9, 4, 0.1, 1.1, 2
	chat := lm.Request{Messages: []lm.Message{{Role: lm.Assistant, Text: "b"}}, Continue: true, Logprobs: true}
	for _, c := range []struct {
		config Config
		r      lm.Request
		want   string
	}{
		{Config{}, text, `{"logprobs":1,"max_tokens":5,"model":"m","prompt":"a","seed":0,"stop":["x"],"temperature":0.5,"top_p":1}`},
		{Config{Kind: OpenAI}, lm.Request{Messages: []lm.Message{{Role: lm.User, Text: "b"}}, MaxTokens: 7, N: 3}, `{"max_completion_tokens":7,"messages":[{"role":"user","content":"b"}],"model":"m","n":3,"temperature":0,"top_p":1}`},
		{Config{Kind: VLLM}, text, `{"logprobs":1,"max_tokens":5,"min_p":0,"model":"m","prompt":"a","repetition_penalty":1,"seed":0,"stop":["x"],"temperature":0.5,"top_k":-1,"top_p":1}`},
		{Config{Kind: VLLM}, full, `{"logprobs":2,"max_tokens":5,"min_p":0.1,"model":"m","prompt":"a","repetition_penalty":1.1,"seed":0,"stop":["x"],"temperature":0.5,"top_k":4,"top_p":0.9}`},
		{Config{Kind: VLLM}, chat, `{"add_generation_prompt":false,"continue_final_message":true,"logprobs":true,"messages":[{"role":"assistant","content":"b"}],"min_p":0,"model":"m","repetition_penalty":1,"temperature":0,"top_k":-1,"top_logprobs":0,"top_p":1}`},
		{Config{Kind: LlamaCPP}, text, `{"logprobs":1,"max_tokens":5,"min_p":0,"model":"m","prompt":"a","repeat_penalty":1,"seed":0,"stop":["x"],"temperature":0.5,"top_k":0,"top_p":1}`},
		{Config{More: map[string]any{"reasoning_effort": "low"}, Without: []string{"temperature", "top_p"}}, text, `{"logprobs":1,"max_tokens":5,"model":"m","prompt":"a","reasoning_effort":"low","seed":0,"stop":["x"]}`},
	} {
		c.config.URL, c.config.Model = "http://localhost", "m"
		m, err := New(c.config)
		if err != nil {
			t.Fatal(err)
		}
		_, f := m.generation(c.r)
		b, err := json.Marshal(f)
		if err != nil || string(b) != c.want {
			t.Errorf("%s sends\n%s, %v, not\n%s", m.Kind, b, err, c.want)
		}
	}
}

// A sample of a request in parts is that of a seed that is as much higher.
func TestPartsOfSeeds(t *testing.T) {
	c, err := New(Config{URL: "http://localhost", Model: "m", Can: &lm.Capabilities{Samples: 3}})
	if err != nil {
		t.Fatal(err)
	}
	var got [][2]int64
	for _, p := range c.parts(lm.Request{N: 8, Seed: new(int64(10))}) {
		got = append(got, [2]int64{int64(p.N), *p.Seed})
	}
	if want := [][2]int64{{3, 10}, {3, 13}, {2, 16}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
}

// A stream that is broken off, or ends in an error, is an error beside what had come;
// it is not tried again.
func TestBrokenStreams(t *testing.T) {
	first := `data: {"choices":[{"index":0,"text":" a"}]}` + "\n\n"
	end := "data: [DONE]\n\n"
	for name, c := range map[string]struct {
		body string
		kind lm.Kind
		want string
	}{
		"broken off":   {first, lm.Rubbish, "broken off"},
		"no reason":    {first + end, lm.Rubbish, "without a finish_reason of choice 0"},
		"an error":     {first + `data: {"error":{"message":"out of memory","code":500}}` + "\n\n", lm.Unavailable, "out of memory"},
		"our error":    {first + `data: {"error":{"message":"x","code":"timed-out"}}` + "\n\n", lm.TimedOut, "x"},
		"no JSON":      {first + "data: {\n\n", lm.Rubbish, "a piece is no reply"},
		"out of range": {first + `data: {"choices":[{"index":1,"text":" a"}]}` + "\n\n", lm.Rubbish, "index is 1, out of range"},
	} {
		calls := 0
		m, _ := client(t, Config{}, func(w http.ResponseWriter, _ *http.Request) {
			calls++
			fmt.Fprint(w, c.body)
		})
		text := ""
		reply, err := m.Stream(context.Background(), simple, func(d lm.Delta) error { text += d.Text; return nil })
		var e *lm.Error
		if !errors.As(err, &e) || e.Kind != c.kind || !e.Unsure || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if reply == nil || reply.Choices[0].Text != " a" || text != " a" || calls != 1 {
			t.Errorf("%s: %+v, %q after %d calls", name, reply, text, calls)
		}
	}
	calls := 0
	m, k := client(t, Config{}, func(w http.ResponseWriter, _ *http.Request) {
		if calls++; calls == 1 {
			w.WriteHeader(503)
			return
		}
		fmt.Fprint(w, first+`data: {"choices":[{"index":0,"text":"","finish_reason":"stop"}]}`+"\n\n"+end)
	})
	reply, err := m.Stream(context.Background(), simple, func(lm.Delta) error { return nil })
	if err != nil || !reflect.DeepEqual(reply.Choices, []lm.Choice{{Text: " a", Finish: lm.FinishStop}}) || len(k.waits) != 1 || !reply.Usage.Unknown {
		t.Errorf("the beginning is tried again: %+v, %v", reply, err)
	}
}

// A refusal is one in a stream too, in one piece, with tokens asked for or not.
func TestStreamedRefusal(t *testing.T) {
	m, _ := client(t, Config{}, func(w http.ResponseWriter, _ *http.Request) {
		for _, s := range []string{`"delta":{"role":"assistant","content":"","refusal":null}`, `"delta":{"refusal":"I "}`, `"delta":{"refusal":"will not."}`, `"delta":{},"finish_reason":"stop"`} {
			fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,%s}]}\n\n", s)
		}
		fmt.Fprint(w, "data: [DONE]\n\n")
	})
	for _, logprobs := range []bool{false, true} {
		var pieces []lm.Delta
		r := lm.Request{Messages: []lm.Message{{Role: lm.User, Text: "?"}}, Logprobs: logprobs}
		reply, err := m.Stream(context.Background(), r, func(d lm.Delta) error { pieces = append(pieces, d); return nil })
		if want := []lm.Choice{{Text: "I will not.", Finish: lm.FinishRefusal}}; err != nil || !reflect.DeepEqual(reply.Choices, want) {
			t.Errorf("%+v, %v, not %+v", reply, err, want)
		}
		if want := []lm.Delta{{Text: "I will not.", Finish: lm.FinishRefusal}}; !reflect.DeepEqual(pieces, want) {
			t.Errorf("pieces %+v", pieces)
		}
	}
}

// What an endpoint does not take is left out of a stream's body too.
func TestStreamWithout(t *testing.T) {
	m, _ := client(t, Config{Without: []string{"stream_options"}}, func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body["stream"] != true || body["stream_options"] != nil {
			t.Errorf("%v, %v", body, err)
		}
		fmt.Fprint(w, "data: {\"choices\":[{\"index\":0,\"text\":\"x\",\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
	})
	if reply, err := m.Stream(context.Background(), simple, func(lm.Delta) error { return nil }); err != nil || reply.Choices[0].Text != "x" {
		t.Errorf("%+v, %v", reply, err)
	}
}
