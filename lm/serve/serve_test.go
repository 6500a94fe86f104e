package serve_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pare/catalog"
	"pare/internal/lmtest"
	"pare/lm"
	"pare/lm/serve"
)

func start(t *testing.T, c serve.Config) *httptest.Server {
	t.Helper()
	h, err := serve.New(c)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// post sends a body and gives the status and what came.
func post(t *testing.T, url, body string) (int, http.Header, string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(b)
}

type failure struct {
	Error struct {
		Message, Type string
		Param, Code   *string
	}
}

func complaint(t *testing.T, body string) (f failure) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &f); err != nil || f.Error.Message == "" {
		t.Fatalf("%s: %v", body, err)
	}
	return f
}

// What is wrong or not understood is refused by the field; values that mean nothing
// pass.
func TestFields(t *testing.T) {
	s := start(t, serve.Config{Models: []lm.Model{lmtest.NewFake("fake")}})
	const chat, text = `"model":"fake","max_tokens":2,"messages":[{"role":"user","content":"a"}]`, `"model":"fake","max_tokens":2,"prompt":"a"`
	for _, c := range []struct{ path, body, code, param string }{
		{"chat/completions", chat + `,"tools":[{}]`, "unsupported", "tools"},
		{"chat/completions", chat + `,"response_format":{"type":"json_object"}`, "unsupported", "response_format"},
		{"chat/completions", chat + `,"frequency_penalty":0.1`, "unsupported", "frequency_penalty"},
		{"chat/completions", chat + `,"logit_bias":{"5":1}`, "unsupported", "logit_bias"},
		{"chat/completions", chat + `,"guided_json":{}`, "unsupported", "guided_json"},
		{"chat/completions", chat + `,"n":100000`, "invalid", "n"},
		{"chat/completions", chat + `,"temperature":-1`, "invalid", "temperature"},
		{"chat/completions", chat + `,"temperature":"hot"`, "invalid", "temperature"},
		{"chat/completions", chat + `,"top_logprobs":3`, "invalid", "top_logprobs"},
		{"chat/completions", chat + `,"logprobs":true,"top_logprobs":21`, "unsupported", "top_logprobs"},
		{"chat/completions", chat + `,"stop":[1,2]`, "invalid", ""},
		{"chat/completions", chat + `,"stop":["a","b","c","d","e"]`, "unsupported", "stop"},
		{"chat/completions", chat + `,"continue_final_message":true,"add_generation_prompt":false`, "invalid", "continue_final_message"},
		{"chat/completions", chat + `,"add_generation_prompt":false`, "invalid", "add_generation_prompt"},
		{"chat/completions", chat + `,"prompt_logprobs":0`, "invalid", "prompt_logprobs"},
		{"chat/completions", `"model":"fake","messages":[]`, "invalid", "messages"},
		{"chat/completions", `"model":"fake","max_tokens":0,"messages":[{"role":"user","content":"a"}]`, "invalid", "max_tokens"},
		{"chat/completions", `"messages":[{"role":"user","content":"a"}]`, "invalid", "model"},
		{"chat/completions", `"model":"fake","messages":[{"role":"tool","content":"a"}]`, "invalid", "messages"},
		{"chat/completions", `"model":"fake","messages":[{"role":"assistant","content":null,"tool_calls":[{}]}]`, "unsupported", "messages[0].tool_calls"},
		{"completions", text + `,"best_of":2`, "unsupported", "best_of"},
		{"completions", text + `,"suffix":"x"`, "unsupported", "suffix"},
		{"completions", `"model":"fake","max_tokens":0,"prompt":"a"`, "invalid", "max_tokens"},
		{"completions", `"model":"fake","prompt":[1,2]`, "invalid", ""},
		{"completions", `"model":"fake","prompt":""`, "invalid", "prompt"},
		{"completions", `"model":"fake"`, "invalid", "prompt"},
		{"completions", text + `,"prompt_logprobs":2`, "invalid", "prompt_logprobs"},
		{"embeddings", `"model":"fake","input":[]`, "invalid", "input"},
		{"embeddings", `"model":"fake","input":""`, "invalid", "input"},
	} {
		status, _, body := post(t, s.URL+"/v1/"+c.path, "{"+c.body+"}")
		f := complaint(t, body).Error
		param := ""
		if f.Param != nil {
			param = *f.Param
		}
		if status != 400 || f.Type != "invalid_request_error" || f.Code == nil || *f.Code != c.code || param != c.param {
			t.Errorf("%s: %d %s", c.body, status, body)
		}
	}
	for _, more := range []string{`"frequency_penalty":0,"presence_penalty":0,"logit_bias":{},"tools":[],"tool_choice":"none","response_format":{"type":"text"},"user":"me","metadata":{"a":"b"},"store":false`,
		`"temperature":null,"top_p":null,"n":null,"stop":null,"seed":null,"stream":null,"logprobs":null,"stream_options":null`, `"stop":"x","top_p":0,"top_k":-1`} {
		if status, _, body := post(t, s.URL+"/v1/chat/completions", "{"+chat+","+more+"}"); status != 200 {
			t.Errorf("%s: %d %s", more, status, body)
		}
	}
	for body, want := range map[string]string{"": "not understood", "{": "not understood", "[]": "not what belongs there", "{" + chat + "} {}": "more follows", `{"messages":"x"}`: "not what belongs"} {
		if status, _, got := post(t, s.URL+"/v1/chat/completions", body); status != 400 || !strings.Contains(got, want) {
			t.Errorf("%q: %d %s", body, status, got)
		}
	}
}

// An error of the model has its status, its kind as the code, and the wait.
func TestErrorsOfModels(t *testing.T) {
	for kind, want := range map[lm.Kind]struct {
		status int
		code   string
	}{
		lm.Unsupported: {400, "unsupported"}, lm.TooLong: {400, "context_length_exceeded"}, lm.Refused: {403, "refused"}, lm.Unrecorded: {404, "unrecorded"}, lm.RateLimited: {429, "rate-limited"},
		lm.OverBudget: {429, "over-budget"}, lm.Rubbish: {502, "rubbish"}, lm.Unavailable: {503, "unavailable"}, lm.TimedOut: {504, "timed-out"},
	} {
		fake := lmtest.NewFake("fake")
		fake.Before = func(context.Context) error {
			return &lm.Error{Kind: kind, Wait: 1500 * time.Millisecond, Err: catalog.Errorf("no {MaxTokens}\x1b")}
		}
		s := start(t, serve.Config{Models: []lm.Model{fake}})
		for _, path := range []string{"completions", "embeddings"} {
			in := map[string]string{"completions": `{"model":"fake","prompt":"a"}`, "embeddings": `{"model":"fake","input":"a"}`}[path]
			status, h, body := post(t, s.URL+"/v1/"+path, in)
			f := complaint(t, body).Error
			if status != want.status || *f.Code != want.code || *f.Param != "max_tokens" || !strings.HasSuffix(f.Message, `no max_tokens\x1b`) || h.Get("Retry-After") != "2" {
				t.Errorf("%s: %d %v %s", kind, status, h, body)
			}
		}
	}
	fake := lmtest.NewFake("fake")
	fake.Before = func(context.Context) error { panic("index out of range") }
	s := start(t, serve.Config{Models: []lm.Model{fake}})
	if status, _, body := post(t, s.URL+"/v1/completions", `{"model":"fake","prompt":"a"}`); status != 500 || *complaint(t, body).Error.Code != "broken" {
		t.Errorf("a panic: %d %s", status, body)
	}
}

// Other paths, methods and types than those that are served are errors in JSON too. A
// page of elsewhere cannot send application/json without being asked.
func TestPaths(t *testing.T) {
	s := start(t, serve.Config{Models: []lm.Model{lmtest.NewFake("fake"), lmtest.NewFake("org/other")}})
	for _, c := range []struct {
		method, path, kind string
		status             int
		has                string
	}{
		{"GET", "/v1/models", "", 200, `"id":"org/other"`},
		{"GET", "/v1/models/org/other", "", 200, `"max_model_len":4096`},
		{"GET", "/v1/models/none", "", 404, `"model_not_found"`},
		{"GET", "/health", "", 200, "ok"},
		{"GET", "/v1/completions", "", 405, "GET is not"},
		{"POST", "/v1/models", "application/json", 405, "POST is not"},
		{"GET", "/v1/responses", "", 404, "unknown_path"},
		{"POST", "/v1/completions", "text/plain", 415, "application/json"},
		{"POST", "/v1/completions", "", 415, "application/json"},
		{"POST", "/v1/completions", "application/json; charset=utf-8", 200, "text_completion"},
	} {
		r, err := http.NewRequest(c.method, s.URL+c.path, strings.NewReader(`{"model":"fake","prompt":"a"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", c.kind)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != c.status || !strings.Contains(string(b), c.has) || !json.Valid(b) || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %d %s", c.method, c.path, resp.StatusCode, b)
		}
	}
	for _, c := range []serve.Config{{}, {Models: []lm.Model{lmtest.NewFake("a"), lmtest.NewFake("a")}}, {Models: []lm.Model{lmtest.NewFake("a")}, Parallel: -1}} {
		if _, err := serve.New(c); err == nil {
			t.Errorf("%+v is served", c)
		}
	}
}

// Limits of size, of requests at once, and of time.
func TestLimits(t *testing.T) {
	fake := lmtest.NewFake("fake")
	entered, leave := make(chan bool, 2), make(chan bool)
	fake.Before = func(ctx context.Context) error {
		entered <- true
		select {
		case <-leave:
			return nil
		case <-ctx.Done():
			return lm.Gone(ctx, "fake")
		}
	}
	s := start(t, serve.Config{Models: []lm.Model{fake}, MaxBody: 1000, Parallel: 1})
	const body = `{"model":"fake","prompt":"a"}`
	if status, _, got := post(t, s.URL+"/v1/completions", `{"model":"fake","prompt":"`+strings.Repeat("a", 1000)+`"}`); status != 413 || !strings.Contains(got, "1000 bytes") {
		t.Errorf("large: %d %s", status, got)
	}
	first := make(chan int)
	go func() {
		status, _, _ := post(t, s.URL+"/v1/completions", body)
		first <- status
	}()
	<-entered
	if status, h, got := post(t, s.URL+"/v1/completions", body); status != 429 || h.Get("Retry-After") != "1" || *complaint(t, got).Error.Code != "rate-limited" {
		t.Errorf("at once: %d %s", status, got)
	}
	leave <- true
	if status := <-first; status != 200 {
		t.Errorf("the first: %d", status)
	}
	s = start(t, serve.Config{Models: []lm.Model{fake}, Timeout: time.Millisecond})
	if status, _, got := post(t, s.URL+"/v1/completions", body); status != 504 || !strings.Contains(got, "1ms") {
		t.Errorf("slow: %d %s", status, got)
	}
}

// The work ends when the client goes, whole or as a stream, and its place is free.
func TestClientGoes(t *testing.T) {
	fake := lmtest.NewFake("fake")
	entered, ended := make(chan bool), make(chan error)
	var quick atomic.Bool
	fake.Before = func(ctx context.Context) error {
		if quick.Load() {
			return nil
		}
		entered <- true
		<-ctx.Done()
		ended <- ctx.Err()
		return lm.Gone(ctx, "fake")
	}
	s := start(t, serve.Config{Models: []lm.Model{fake}, Parallel: 1, Timeout: 10 * time.Second}) // were it not to end, it would end so
	for _, stream := range []bool{false, true} {
		quick.Store(false)
		ctx, cancel := context.WithCancel(context.Background())
		r, err := http.NewRequestWithContext(ctx, "POST", s.URL+"/v1/completions", strings.NewReader(fmt.Sprintf(`{"model":"fake","prompt":"a","stream":%v}`, stream)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		go func() {
			if resp, err := http.DefaultClient.Do(r); err == nil {
				resp.Body.Close()
			}
		}()
		<-entered
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		quick.Store(true)
		for status := 0; status != 200; { // until the place is free
			status, _, _ = post(t, s.URL+"/v1/completions", `{"model":"fake","prompt":"a"}`)
		}
	}
}

// Offsets of tokens count characters, as those of OpenAI's server do.
func TestOffsets(t *testing.T) {
	s := start(t, serve.Config{Models: []lm.Model{lmtest.NewFake("fake")}})
	_, _, body := post(t, s.URL+"/v1/completions", `{"model":"fake","prompt":" 猫 naïve é the","max_tokens":0,"echo":true,"logprobs":0}`)
	if want := `"tokens":[" 猫"," naïve"," ","bytes:\\xc3","bytes:\\xa9"," the"],`; !strings.Contains(body, want) {
		t.Errorf("%s has not %s", body, want)
	}
	if want := `"text_offset":[0,2,8,9,10,10]`; !strings.Contains(body, want) {
		t.Errorf("%s has not %s", body, want)
	}
}

// breaking is a stream that fails after its first piece.
type breaking struct{ *lmtest.Fake }

func (b breaking) Stream(_ context.Context, _ lm.Request, each func(lm.Delta) error) (*lm.Reply, error) {
	if err := each(lm.Delta{Text: "one"}); err != nil {
		return nil, err
	}
	return nil, &lm.Error{Kind: lm.Unavailable, Err: errors.New("out of memory")}
}

// The events of a stream, one after the other: usage where it is asked for, and an
// error in the place of an end.
func TestEvents(t *testing.T) {
	events := func(m lm.Model, path, body string) (out []string) {
		s := start(t, serve.Config{Models: []lm.Model{m}})
		resp, err := http.Post(s.URL+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
			t.Errorf("the type is %s", got)
		}
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				out = append(out, data)
			}
		}
		return out
	}
	fake := lmtest.NewFake("fake")
	const chat = `{"model":"fake","max_tokens":3,"messages":[{"role":"user","content":"a"}],"stream":true`
	got := events(fake, "/v1/chat/completions", chat+`,"stream_options":{"include_usage":true}}`)
	n := len(got)
	if n < 4 || !strings.Contains(got[0], `"delta":{"role":"assistant","content":`) || strings.Contains(got[1], "role") || !strings.Contains(got[n-3], `"finish_reason":"length"`) ||
		!strings.Contains(got[n-2], `"choices":[],"usage":{"prompt_tokens":`) || got[n-1] != "[DONE]" {
		t.Errorf("chat: %s", strings.Join(got, "\n"))
	}
	got = events(fake, "/v1/chat/completions", chat+`}`)
	if strings.Contains(strings.Join(got, ""), "usage") {
		t.Errorf("usage that was not asked for: %s", got)
	}
	got = events(fake, "/v1/completions", `{"model":"fake","max_tokens":0,"prompt":["a","the"],"stream":true,"echo":true,"logprobs":1}`)
	if len(got) != 5 || !strings.Contains(got[0], `"text":"a","logprobs":{"tokens":["a"],"token_logprobs":[null]`) || !strings.Contains(got[2], `"index":1,"text":"the"`) || got[4] != "[DONE]" {
		t.Errorf("echo: %s", strings.Join(got, "\n"))
	}
	got = events(breaking{fake}, "/v1/completions", `{"model":"fake","prompt":"a","stream":true}`)
	if len(got) != 2 || !strings.Contains(got[0], `"text":"one"`) || !strings.Contains(got[1], `{"error":{"message":"unavailable: out of memory"`) {
		t.Errorf("breaking: %s", strings.Join(got, "\n"))
	}
}

// Whatever a body holds, the answer is an error in JSON, of the client's or of the
// model's, and never one of the server's own.
func FuzzBody(f *testing.F) {
	fake := lmtest.NewFake("fake")
	fake.Before = func(context.Context) error { return &lm.Error{Kind: lm.Refused} }
	h, err := serve.New(serve.Config{Models: []lm.Model{fake}})
	if err != nil {
		f.Fatal(err)
	}
	for i, s := range []string{
		`{"model":"fake","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}],"n":2,"stop":["x"],"logprobs":true,"top_logprobs":2,"stream":true}`,
		`{"model":"fake","prompt":["a","b"],"echo":true,"max_tokens":0,"logprobs":1}`,
		`{"model":"fake","input":["a"],"dimensions":2,"encoding_format":"base64"}`,
	} {
		f.Add([]byte(s), uint8(i))
	}
	f.Fuzz(func(t *testing.T, body []byte, path uint8) {
		r := httptest.NewRequest("POST", []string{"/v1/chat/completions", "/v1/completions", "/v1/embeddings"}[path%3], strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		streamed := w.Code == 200 && strings.HasPrefix(w.Body.String(), "data: ")
		if echoed := w.Code == 200 && strings.Contains(string(body), "echo"); !streamed && !echoed && (w.Code < 400 || w.Code >= 500 || !json.Valid(w.Body.Bytes())) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func Example() {
	handler, err := serve.New(serve.Config{Models: []lm.Model{lmtest.NewFake("words")}}) // any lm.Model
	if err != nil {
		fmt.Println(err)
		return
	}
	s := httptest.NewServer(handler) // or http.ListenAndServe("127.0.0.1:8000", handler)
	defer s.Close()
	resp, err := http.Post(s.URL+"/v1/completions", "application/json", strings.NewReader(`{"model": "words", "prompt": "the", "max_tokens": 4}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}
