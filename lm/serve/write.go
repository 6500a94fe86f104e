package serve

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"pare/internal/openai"
	"pare/lm"
)

// slow is the most time that a client may take to read a piece of a stream.
const slow = 30 * time.Second

// writer writes a reply, whole or as events.
type writer struct {
	http.ResponseWriter
	control *http.ResponseController
	began   bool // a stream
}

// event writes a piece of a stream, at once.
func (w *writer) event(v any) error {
	if !w.began {
		w.began = true
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "no-cache")
	}
	b, ok := v.([]byte)
	if !ok {
		var err error
		if b, err = json.Marshal(v); err != nil {
			return err
		}
	}
	if err := w.control.SetWriteDeadline(time.Now().Add(slow)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if err := openai.Event(w, b); err != nil {
		return err
	}
	return w.control.Flush()
}

// fail answers with an error, or ends a stream with one.
func (w *writer) fail(err error) {
	if !w.began {
		fail(w, err)
		return
	}
	_, body, _ := explain(err)
	w.event(openai.Failure{Error: &body}) //nolint:errcheck // the client has gone
}

func write(w http.ResponseWriter, v any) { send(w, http.StatusOK, v) }

func send(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		b, status = []byte(`{"error":{"message":"the reply cannot be written as JSON","type":"server_error","param":null,"code":"rubbish"}}`), http.StatusBadGateway
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	w.Write(b) //nolint:errcheck // the client has gone
}

// read reads a body.
func read(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(r)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, &problem{status: http.StatusRequestEntityTooLarge, code: "too_large", text: "the request has more than " + strconv.FormatInt(large.Limit, 10) + " bytes"}
	case err != nil:
		return nil, bad("", "the request could not be read: %v", err)
	}
	return b, nil
}

// usage is what a reply took; nil where nobody knows.
func usage(u lm.Usage) *openai.Usage {
	if u.Unknown {
		return nil
	}
	out := &openai.Usage{PromptTokens: &u.Prompt, CompletionTokens: &u.Completion, TotalTokens: new(u.Prompt + u.Completion)}
	if u.Cached > 0 {
		out.PromptTokensDetails = &openai.Details{CachedTokens: u.Cached}
	}
	return out
}

// vector writes a vector as an array or in base64.
func vector(v []float32, format string) (json.RawMessage, error) {
	if format != "base64" {
		return json.Marshal(v)
	}
	b := make([]byte, 0, 4*len(v))
	b, err := binary.Append(b, binary.LittleEndian, v)
	if err != nil {
		return nil, err
	}
	return json.Marshal(base64.StdEncoding.EncodeToString(b))
}

// content writes tokens in the form of chats.
func content(ts []lm.Token) *openai.Logprobs {
	out := &openai.Logprobs{Content: openai.List[openai.Token]{}}
	for _, t := range ts {
		k := openai.Token{Token: t.Text, Logprob: &t.Logprob, Bytes: numbers(t.Raw()), TopLogprobs: openai.List[openai.Top]{}}
		for _, a := range t.Alternatives {
			raw := a.Bytes
			if raw == nil {
				raw = []byte(a.Text)
			}
			k.TopLogprobs = append(k.TopLogprobs, openai.Top{Token: a.Text, Logprob: &a.Logprob, Bytes: numbers(raw)})
		}
		out.Content = append(out.Content, k)
	}
	return out
}

func numbers(b []byte) openai.List[int] {
	out := make(openai.List[int], len(b))
	for i, x := range b {
		out[i] = int(x)
	}
	return out
}

// lists writes tokens in the form of completions; offsets count characters and begin
// where the text does, after so many.
func lists(ts []lm.Token, before int, alternatives bool) *openai.Logprobs {
	out := &openai.Logprobs{Tokens: openai.List[string]{}, TokenLogprobs: openai.List[*float64]{}, TextOffset: openai.List[int]{}}
	at := before
	for _, t := range ts {
		out.Tokens = append(out.Tokens, openai.Escape(t.Raw()))
		out.TextOffset = append(out.TextOffset, at)
		at += runes(t.Raw())
		if t.Unscored {
			out.TokenLogprobs = append(out.TokenLogprobs, nil)
		} else {
			out.TokenLogprobs = append(out.TokenLogprobs, &t.Logprob)
		}
		if !alternatives {
			continue
		}
		var top map[string]float64
		if !t.Unscored {
			top = map[string]float64{}
		}
		for _, a := range t.Alternatives {
			raw := a.Bytes
			if raw == nil {
				raw = []byte(a.Text)
			}
			if x, ok := top[openai.Escape(raw)]; !ok || a.Logprob > x {
				top[openai.Escape(raw)] = a.Logprob
			}
		}
		out.TopLogprobs = append(out.TopLogprobs, top)
	}
	return out
}

// runes is how many characters begin in bytes.
func runes(b []byte) int {
	n := 0
	for _, c := range b {
		if c&0xc0 != 0x80 {
			n++
		}
	}
	return n
}

// prompted writes tokens of a prompt as vLLM does; names stand in the place of
// numbers, which not every home has. Before them stands what they follow, of which no
// more is said.
func prompted(ts []lm.Token) openai.List[openai.PromptToken] {
	out := openai.List[openai.PromptToken]{{}}
	for _, t := range ts {
		k := openai.PromptToken{Name: openai.Escape(t.Raw()), DecodedToken: new(openai.Escape(t.Raw()))}
		if !t.Unscored {
			k.Logprob = &t.Logprob
		}
		out = append(out, k)
	}
	return out
}
