// Package serve shows the runs of a store in a browser: a table with filters, curves as
// they come, what runs cost and are worth, layers, drawings, two runs side by side, and
// their files. It reads and never writes, asks nothing of a network, and trusts nothing
// that lies in a run's directory.
package serve

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"sync"
	"time"

	"pare/catalog"
	"pare/run"
)

// Config says what is served, and to whom.
type Config struct {
	Store *run.Store
	Token string   // "": whoever reaches the address may look; else at least LeastToken characters
	Local bool     // the address is one of this machine alone
	Hosts []string // names beside addresses and localhost that the page is reached by
	Log   func(format string, a ...any)

	// Poll is how often a run that is looked at is asked for what is new; 0: half a second.
	Poll time.Duration
}

// LeastToken is how many characters a token has at least: fewer could be guessed.
const LeastToken = 16

// Server is a handler of the page and of what it asks for.
type Server struct {
	Config
	session  string // what the browser shows instead of the token
	mux      *http.ServeMux
	index    sync.Mutex    // one request at a time brings the index up to date
	streams  chan struct{} // those that follow a run
	heavy    chan struct{} // those that read a whole network or output
	drawings drawings
	most     int             // points that a browser is given of a run
	done     context.Context // its end ends what follows a run
	close    context.CancelFunc
}

// Bounds of what is done at once.
const (
	mostStreams = 64
	mostHeavy   = 2
)

// New makes a server. An error names the field.
func New(c Config) (*Server, error) {
	switch {
	case c.Store == nil:
		return nil, catalog.Errorf("{Store}: a store of runs is needed")
	case c.Token == "" && !c.Local:
		return nil, catalog.Errorf("{Local}: an address that others reach wants a {Token}: without one anybody could look at the runs")
	case c.Token != "" && len(c.Token) < LeastToken:
		return nil, catalog.Errorf("{Token}: it has %d characters, and one of fewer than %d can be guessed", len(c.Token), LeastToken)
	}
	if c.Poll <= 0 {
		c.Poll = time.Second / 2
	}
	s := &Server{Config: c, session: rand.Text(), mux: http.NewServeMux(), streams: make(chan struct{}, mostStreams), heavy: make(chan struct{}, mostHeavy), most: mostPoints}
	s.done, s.close = context.WithCancel(context.Background())
	for pattern, h := range map[string]func(http.ResponseWriter, *http.Request) error{
		"GET /{$}":                        s.front,
		"GET /page/{path...}":             s.asset,
		"GET /api/runs":                   s.list,
		"GET /api/runs/{run}":             s.show,
		"GET /api/runs/{run}/layers":      s.layers,
		"GET /api/runs/{run}/points":      s.points,
		"GET /api/diff":                   s.diff,
		"GET /runs/{run}/report":          s.report,
		"GET /runs/{run}/drawing/{n}":     s.drawing,
		"GET /runs/{run}/files/{path...}": s.file,
		"GET /runs/{run}/outputs/{n}":     s.output,
	} {
		s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, h(w, r)) })
	}
	return s, nil
}

// Close ends what follows runs, so that the program that serves can end.
func (s *Server) Close() { s.close() }

// refusal is an error with the status that it is answered with.
type refusal struct {
	status int
	error
}

func refuse(status int, text string) error { return refusal{status, errors.New(text)} }

// answer tells of an error, if there is one and nothing has been written.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, err error) {
	if err == nil || r.Context().Err() != nil {
		return
	}
	status := http.StatusInternalServerError
	var no refusal
	switch {
	case errors.As(err, &no):
		status = no.status
	case errors.Is(err, run.ErrNoRun), errors.Is(err, fs.ErrNotExist):
		status = http.StatusNotFound
	}
	if status >= 500 && s.Log != nil {
		s.Log("%s: %v", r.URL.Path, err)
	}
	h := w.Header()
	for _, k := range []string{"Content-Disposition", "Content-Length", "Etag", "Cache-Control"} {
		h.Del(k)
	}
	b, _ := json.Marshal(map[string]string{"error": err.Error()})
	h.Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(b) //nolint:errcheck // nobody is left to tell
}

// give writes a value as JSON, with a tag by which the browser sees that nothing has changed.
func give(w http.ResponseWriter, r *http.Request, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	if err := e.Encode(v); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Etag", etag(b.Bytes()))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b.Bytes()))
	return nil
}

// entry is the run that a request names: by its whole name alone.
func (s *Server) entry(name string) (*run.Entry, error) {
	if !run.IsName(name) {
		return nil, refuse(http.StatusNotFound, "there is no such run")
	}
	return s.Store.Entry(name)
}

// alone waits until few enough others read as much.
func (s *Server) alone(ctx context.Context) (release func(), err error) {
	select {
	case s.heavy <- struct{}{}:
		return func() { <-s.heavy }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
