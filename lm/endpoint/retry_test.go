package endpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pare/lm"
)

// clock is a time that passes only by waiting.
type clock struct {
	at    time.Time
	waits []time.Duration
}

// client is a client of a handler, on a clock of its own.
func client(t *testing.T, c Config, h http.HandlerFunc) (*Client, *clock) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c.URL, c.Model = s.URL, "m"
	out, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	k := &clock{at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	out.now = func() time.Time { return k.at }
	out.sleep = func(ctx context.Context, d time.Duration) error {
		k.waits = append(k.waits, d)
		k.at = k.at.Add(d)
		return ctx.Err()
	}
	return out, k
}

const good = `{"choices":[{"index":0,"text":" cat","finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`

var simple = lm.Request{Prompt: "the", MaxTokens: 3}

// answers gives one reply after the other.
func answers(calls *atomic.Int64, replies ...func(http.ResponseWriter)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) //nolint:errcheck // the test fails otherwise
		n := calls.Add(1)
		replies[min(int(n), len(replies))-1](w)
	}
}

func status(code int, body string, headers ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

// What may succeed is tried again, after waits that double and jitter by seed, never
// shorter than the server asks; the rest is not.
func TestTriesAgain(t *testing.T) {
	for name, c := range map[string]struct {
		first func(http.ResponseWriter)
		kind  lm.Kind // where it is not tried again
		least time.Duration
	}{
		"busy":             {status(503, "busy"), "", 0},
		"failing":          {status(500, `{"error":{"message":"oh"}}`), "", 0},
		"limited":          {status(429, `{"error":{"message":"slow down"}}`, "Retry-After", "7"), "", 7 * time.Second},
		"limited to":       {status(429, "", "Retry-After", "Thu, 01 Jan 2026 00:00:09 GMT"), "", 9 * time.Second},
		"limited ms":       {status(429, "", "Retry-After-Ms", "2500"), "", 2500 * time.Millisecond},
		"limited nonsense": {status(429, "", "Retry-After", "soon"), "", 0},
		"half a reply":     {status(200, good[:40]), "", 0},
		"cut":              {status(200, good, "Content-Length", "500"), "", 0},
		"long limit":       {status(429, "", "Retry-After", "3600"), lm.RateLimited, 0},
		"no right":         {status(401, `{"error":{"message":"bad key"}}`), lm.Refused, 0},
		"no such":          {status(404, `not found`), lm.Refused, 0},
		"no money":         {status(429, `{"error":{"message":"x","code":"insufficient_quota"}}`), lm.Refused, 0},
		"too long":         {status(400, `{"error":{"message":"This model's maximum context length is 5 tokens"}}`), lm.TooLong, 0},
		"too long by code": {status(400, `{"error":{"message":"x","code":"context_length_exceeded"}}`), lm.TooLong, 0},
		"elsewhere":        {status(307, "", "Location", "http://127.0.0.1:1/"), lm.Refused, 0},
		"limited inside":   {status(200, `{"error":{"message":"slow down","code":429}}`), "", 0},
		"refused inside":   {status(200, `{"error":{"message":"no","code":403}}`), lm.Refused, 0},
		"nothing in it":    {status(200, `{}`), lm.Rubbish, 0},
	} {
		var calls atomic.Int64
		m, k := client(t, Config{Seed: 1}, answers(&calls, c.first, status(200, good)))
		reply, err := m.Generate(context.Background(), simple)
		if c.kind != "" {
			if !errors.Is(err, c.kind) || strings.Contains(err.Error(), "{") || calls.Load() != 1 || len(k.waits) != 0 {
				t.Errorf("%s: %v after %d calls", name, err, calls.Load())
			}
			continue
		}
		if err != nil || reply.Choices[0].Text != " cat" || calls.Load() != 2 || len(k.waits) != 1 || k.waits[0] < max(c.least, firstWait/2) || k.waits[0] > max(c.least, firstWait) {
			t.Errorf("%s: %v after %d calls and waits of %v", name, err, calls.Load(), k.waits)
		}
	}
}

// Tries and waits end, and the error says what was wrong last.
func TestGivesUp(t *testing.T) {
	waits := func(seed uint64, tries int) []time.Duration {
		var calls atomic.Int64
		m, k := client(t, Config{Seed: seed, Tries: tries}, answers(&calls, status(500, `{"error":{"message":"broken"}}`)))
		_, err := m.Generate(context.Background(), simple)
		if !errors.Is(err, lm.Unavailable) || !strings.Contains(err.Error(), "broken") || int(calls.Load()) != tries {
			t.Errorf("%v after %d calls", err, calls.Load())
		}
		return k.waits
	}
	one := waits(1, 10)
	for i, d := range one {
		most := min(firstWait<<i, mostWait)
		if d < most/2 || d > most {
			t.Errorf("wait %d is %v, not between %v and %v", i, d, most/2, most)
		}
	}
	if !reflect.DeepEqual(one, waits(1, 10)) || reflect.DeepEqual(one, waits(2, 10)) {
		t.Error("the jitter does not follow the seed")
	}
	var calls atomic.Int64
	m, k := client(t, Config{Call: 3 * time.Second, Tries: 100}, answers(&calls, status(500, "")))
	if _, err := m.Generate(context.Background(), simple); !errors.Is(err, lm.Unavailable) || k.at.Second() > 3 || calls.Load() < 3 {
		t.Errorf("%v after %v and %d calls", err, k.waits, calls.Load())
	}
}

// A server that does not answer is given up in time, one that cannot be reached at
// once; what had been sent may have cost something.
func TestNoAnswer(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	m, _ := client(t, Config{Tries: 2, Try: 20 * time.Millisecond}, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) //nolint:errcheck // the test fails otherwise
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	})
	_, err := m.Generate(context.Background(), simple)
	var e *lm.Error
	if !errors.As(err, &e) || e.Kind != lm.TimedOut || !e.Unsure {
		t.Errorf("no answer: %v", err)
	}
	m, _ = client(t, Config{Tries: 2}, func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) })
	if _, err := m.Generate(context.Background(), simple); !errors.As(err, &e) || e.Kind != lm.Unavailable || !e.Unsure {
		t.Errorf("hung up: %v", err)
	}
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	m, _ = client(t, Config{Tries: 2}, nil)
	m.URL = s.URL
	if _, err := m.Generate(context.Background(), simple); !errors.As(err, &e) || e.Kind != lm.Unavailable || e.Unsure {
		t.Errorf("nobody there: %v", err)
	}
}

// The caller may leave while a request is under way.
func TestCallerLeaves(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	m, _ := client(t, Config{}, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) //nolint:errcheck // the test fails otherwise
		cancel()
		<-r.Context().Done()
	})
	_, err := m.Generate(ctx, simple)
	var e *lm.Error
	if !errors.As(err, &e) || e.Kind != lm.Cancelled || !e.Unsure || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// slowly is a transport whose requests end when they are let go.
type slowly struct {
	now atomic.Int64
	let chan struct{}
}

func (s *slowly) RoundTrip(*http.Request) (*http.Response, error) {
	s.now.Add(1)
	defer s.now.Add(-1)
	<-s.let
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(good))}, nil
}

// As many requests are under way as the limit says, and no more, parts of one request
// among them.
func TestConcurrencyLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowly{let: make(chan struct{})}
		m, err := New(Config{URL: "http://localhost", Model: "m", Parallel: 3, Transport: s})
		if err != nil {
			t.Fatal(err)
		}
		r := simple
		r.N = 12
		done := make(chan error, 1)
		var reply *lm.Reply
		go func() {
			var err error
			reply, err = m.Generate(context.Background(), r)
			done <- err
		}()
		for left := 12; left > 0; left-- {
			synctest.Wait()
			if n := s.now.Load(); int(n) != min(3, left) {
				t.Errorf("%d requests at once, with %d to go", n, left)
			}
			s.let <- struct{}{}
		}
		if err := <-done; err != nil || len(reply.Choices) != 12 || reply.Usage != (lm.Usage{Calls: 12, Prompt: 12, Completion: 12}) {
			t.Errorf("%+v, %v", reply, err)
		}
	})
}

// Parts that came are not lost with those that failed.
func TestPartsThatCame(t *testing.T) {
	var calls atomic.Int64
	m, _ := client(t, Config{Parallel: 1}, answers(&calls, status(200, good), status(400, `{"error":{"message":"no"}}`), status(200, good)))
	r := simple
	r.N = 3
	reply, err := m.Generate(context.Background(), r)
	if !errors.Is(err, lm.Refused) || reply == nil || len(reply.Choices) != 2 {
		t.Errorf("%+v, %v", reply, err)
	}
	calls.Store(0)
	vectors := `{"data":[{"index":0,"embedding":[1,2]}],"usage":{"prompt_tokens":1,"total_tokens":1}}`
	m, _ = client(t, Config{Parallel: 1, Can: &lm.Capabilities{Embed: true, Texts: 1}}, answers(&calls, status(200, vectors), status(400, "no"), status(200, vectors)))
	e, err := m.Embed(context.Background(), lm.EmbedRequest{Texts: []string{"a", "b", "c"}})
	lost := 0
	if e != nil {
		for _, v := range e.Vectors {
			if v == nil {
				lost++
			}
		}
	}
	if !errors.Is(err, lm.Refused) || lost != 1 {
		t.Errorf("%+v, %v", e, err)
	}
}

// Parts that were refused are calls too, beside those that came and alone.
func TestBudgetSeesParts(t *testing.T) {
	for _, ok := range []bool{true, false} {
		refused := status(400, `{"error":{"message":"no"}}`)
		came := refused
		if ok {
			came = status(200, good)
		}
		var calls atomic.Int64
		m, _ := client(t, Config{Parallel: 1}, answers(&calls, refused, came, refused))
		b, err := lm.NewBudget(lm.Limits{Calls: 4})
		if err != nil {
			t.Fatal(err)
		}
		w, err := lm.WithBudget(m, b, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := simple
		r.N = 3
		_, err = w.Generate(context.Background(), r)
		want := lm.Spent{Calls: 3}
		if ok {
			want.Prompt, want.Completion = 1, 1
		}
		if got := b.Spent(); !errors.Is(err, lm.Refused) || got != want || calls.Load() != 3 {
			t.Errorf("%+v, not %+v, after %d calls: %v", got, want, calls.Load(), err)
		}
	}
}

// Of two parts that fail the first is told; that another may have cost something is not
// forgotten with it, though the budget has no room for another try.
func TestBudgetSeesPartsOfUnknownCost(t *testing.T) {
	m, _ := client(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		if b, _ := io.ReadAll(r.Body); strings.Contains(string(b), `"seed":0`) {
			w.WriteHeader(400)
			return
		}
		w.WriteHeader(500)
	})
	b, err := lm.NewBudget(lm.Limits{Calls: 2, Tokens: 2*67 + 2*3})
	if err != nil {
		t.Fatal(err)
	}
	w, err := lm.WithBudget(m, b, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := simple
	r.N, r.Seed = 2, new(int64(0))
	_, err = w.Generate(context.Background(), r)
	if got := b.Spent(); got.Unsure != 1 || got.Prompt+got.Completion != 2*67+2*3 {
		t.Errorf("%+v: %v", got, err)
	}
}

// A budget sees every try: a lost one that may have cost something counts in full,
// and when there is no room for another try there is none.
func TestBudgetSeesTries(t *testing.T) {
	var calls atomic.Int64
	m, _ := client(t, Config{Tries: 9}, answers(&calls, status(503, ""), status(200, "{"), status(200, "{"), status(200, good)))
	b, err := lm.NewBudget(lm.Limits{Tokens: 2 * (3 + 64 + 3)})
	if err != nil {
		t.Fatal(err)
	}
	w, err := lm.WithBudget(m, b, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Generate(context.Background(), simple)
	if !errors.Is(err, lm.OverBudget) || !errors.Is(err, lm.Rubbish) || calls.Load() != 3 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
	if s := b.Spent(); s.Calls != 3 || s.Unsure != 2 || s.Prompt+s.Completion != 2*70 {
		t.Errorf("%+v", s)
	}
}
