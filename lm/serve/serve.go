// Package serve puts language models behind an endpoint of OpenAI's API: models,
// chat/completions, completions and embeddings, whole or as a stream of server-sent
// events. What it does not understand it refuses, by the field.
package serve

import (
	"cmp"
	"context"
	"fmt"
	"mime"
	"net/http"
	"sync/atomic"
	"time"

	"pare/catalog"
	"pare/internal/openai"
	"pare/lm"
)

// Config says what is served, and within which limits.
type Config struct {
	Models []lm.Model // by their names, which differ

	MaxBody    int64         // most bytes of a request. 0: 8 MiB
	MaxSamples int           // most samples of a request, over all its prompts. 0: 1024
	Parallel   int           // most requests that are worked on at once; more are told to come again. 0: 16
	Timeout    time.Duration // most time of a request. 0: 10 min
}

// server is the handler.
type server struct {
	Config
	models map[string]lm.Model
	slot   chan struct{}
	begun  int64
	last   atomic.Int64
}

// New makes a handler of the paths /v1/… and /health. It asks nobody who they are:
// whoever reaches it may use the models, but for web pages of elsewhere, which cannot
// send what it takes.
func New(c Config) (http.Handler, error) {
	if len(c.Models) == 0 {
		return nil, catalog.Errorf("{Models} is empty: there is nothing to serve")
	}
	if c.MaxBody < 0 || c.MaxSamples < 0 || c.Parallel < 0 || c.Timeout < 0 {
		return nil, catalog.Errorf("{MaxBody}, {MaxSamples}, {Parallel} and {Timeout} are not negative")
	}
	c.MaxBody, c.MaxSamples = cmp.Or(c.MaxBody, 8<<20), cmp.Or(c.MaxSamples, 1024)
	c.Parallel, c.Timeout = cmp.Or(c.Parallel, 16), cmp.Or(c.Timeout, 10*time.Minute)
	s := &server{Config: c, models: map[string]lm.Model{}, slot: make(chan struct{}, c.Parallel), begun: time.Now().Unix()}
	for _, m := range c.Models {
		name := m.Info().Name
		if s.models[name] != nil {
			return nil, catalog.Errorf("two of {Models} are called %q", name)
		}
		s.models[name] = m
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { write(w, map[string]string{"status": "ok"}) })
	mux.HandleFunc("GET /v1/models", s.list)
	mux.HandleFunc("GET /v1/models/{name...}", s.show)
	mux.HandleFunc("POST /v1/chat/completions", s.post(s.chat))
	mux.HandleFunc("POST /v1/completions", s.post(s.complete))
	mux.HandleFunc("POST /v1/embeddings", s.post(s.embed))
	for _, path := range []string{"/v1/models", "/v1/chat/completions", "/v1/completions", "/v1/embeddings"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			fail(w, &problem{status: http.StatusMethodNotAllowed, code: "method_not_allowed", text: r.Method + " is not what this path takes"})
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, &problem{status: http.StatusNotFound, code: "unknown_path", text: "there is nothing here: /v1/models, /v1/chat/completions, /v1/completions and /v1/embeddings are served"})
	})
	return mux, nil
}

// post is a handler that works on a request: it reads the body, takes a place among
// those that are worked on, and ends when the client goes or the time is over.
func (s *server) post(work func(w *writer, ctx context.Context, body []byte) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		out := &writer{ResponseWriter: w, control: http.NewResponseController(w)}
		defer out.control.SetWriteDeadline(time.Time{}) //nolint:errcheck // what is not supported was not set
		defer func() {
			if p := recover(); p != nil {
				out.fail(&problem{status: http.StatusInternalServerError, code: string(lm.Broken), text: fmt.Sprintf("the model failed: %.200v", p)})
			}
		}()
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
			out.fail(&problem{status: http.StatusUnsupportedMediaType, code: "content_type", text: "the Content-Type has to be application/json"})
			return
		}
		body, err := read(http.MaxBytesReader(w, r.Body, s.MaxBody))
		if err != nil {
			out.fail(err)
			return
		}
		select {
		case s.slot <- struct{}{}:
			defer func() { <-s.slot }()
		default:
			w.Header().Set("Retry-After", "1")
			out.fail(&lm.Error{Kind: lm.RateLimited, Err: fmt.Errorf("%d requests are being worked on, which is the most: come again", s.Parallel)})
			return
		}
		ctx, cancel := context.WithTimeoutCause(r.Context(), s.Timeout, fmt.Errorf("the request has taken %v, which is the most", s.Timeout))
		defer cancel()
		if err := work(out, ctx, body); err != nil {
			out.fail(err)
		}
	}
}

// list names the models.
func (s *server) list(w http.ResponseWriter, _ *http.Request) {
	out := openai.Models{Object: "list", Data: openai.List[openai.Model]{}}
	for _, m := range s.Models {
		out.Data = append(out.Data, s.describe(m))
	}
	write(w, out)
}

// show describes a model.
func (s *server) show(w http.ResponseWriter, r *http.Request) {
	m, err := s.model(r.PathValue("name"))
	if err != nil {
		fail(w, err)
		return
	}
	write(w, s.describe(m))
}

func (s *server) describe(m lm.Model) openai.Model {
	i := m.Info()
	return openai.Model{ID: i.Name, Object: "model", Created: s.begun, OwnedBy: "pare", MaxModelLen: i.Context}
}

// model finds a model by its name.
func (s *server) model(name string) (lm.Model, error) {
	if name == "" {
		return nil, bad("model", "model is missing: it names which of the models of /v1/models is meant")
	}
	m := s.models[name]
	if m == nil {
		return nil, &problem{status: http.StatusNotFound, code: "model_not_found", param: "model", text: fmt.Sprintf("there is no model %.100q: /v1/models names those that there are", name)}
	}
	return m, nil
}

// id is a name of a reply.
func (s *server) id(kind string) string {
	return fmt.Sprintf("%s-%x-%x", kind, s.begun, s.last.Add(1))
}

// embed answers with vectors.
func (s *server) embed(w *writer, ctx context.Context, body []byte) error {
	var in embedding
	if err := decode(body, &in); err != nil {
		return err
	}
	m, err := s.model(in.Model)
	if err != nil {
		return err
	}
	e, err := m.Embed(ctx, lm.EmbedRequest{Texts: in.Input, Dimensions: in.Dimensions})
	if err != nil {
		return err
	}
	out := openai.Embeddings{Object: "list", Model: in.Model, Data: openai.List[openai.Vector]{}, Usage: usage(e.Usage)}
	if out.Usage != nil {
		out.Usage.CompletionTokens = nil
	}
	for i, v := range e.Vectors {
		b, err := vector(v, in.Format)
		if err != nil {
			return err
		}
		out.Data = append(out.Data, openai.Vector{Object: "embedding", Index: &i, Embedding: b})
	}
	write(w, out)
	return nil
}
