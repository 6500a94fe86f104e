package federated

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Gate is a Link over HTTP. Clients call, and are never called: they join with a token,
// and then ask again and again what is wanted of them, which they are told as soon as it
// is known. What joins must have the server's network.
//
//	POST /join  Joining as JSON, the token as bearer: Welcome as JSON
//	POST /turn  ?client=K&last=N, the client's key as bearer, the answer to message N as body:
//	            200 the next message, its number in the header Pare-Message; 204 nothing yet; 410 the end
type Gate struct {
	Token string        // whoever has it may join; "" lets nobody in
	Wait  time.Duration // for an answer; 0: a minute
	Log   func(format string, a ...any)

	mu      sync.Mutex
	layout  *Layout // of all parameters, none of them sparse
	welcome Welcome
	room    int // clients that may join
	guests  []*guest
	full    chan struct{} // closed when all have joined
	over    bool
}

// Joining is what a client says at first.
type Joining struct {
	Samples int    `json:"samples"`
	Layout  Layout `json:"layout"`
}

// Welcome is what it is told: which client it is, its key, and how to train.
type Welcome struct {
	Client   int               `json:"client"` // from 0
	Key      string            `json:"key"`
	Seed     uint64            `json:"seed"`
	Settings map[string]string `json:"settings"` // of the method
	Recipe   map[string]string `json:"recipe"`
}

// guest is a client that has joined.
type guest struct {
	samples int
	key     string
	news    chan struct{} // closed and made anew when there is a message, or the end
	number  int           // of the message that waits for its answer
	message []byte        // nil: none waits
	answer  chan []byte
}

const (
	// poll is how long a client's question stays open where there is nothing to say.
	poll = 15 * time.Second
	// most is the largest answer that is read, beside the numbers of the network.
	most = 1 << 20
	// mostSamples is the largest number of samples that a client may say it has.
	mostSamples = 1 << 31
)

// open lets clients with a network join, and waits until all have.
func (g *Gate) open(ctx context.Context, l *Layout, clients int, w Welcome) ([]int, error) {
	g.mu.Lock()
	g.layout, g.welcome, g.room, g.full = l, w, clients, make(chan struct{})
	full := g.full
	g.mu.Unlock()
	select {
	case <-full:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var samples []int
	for _, c := range g.guests {
		samples = append(samples, c.samples)
	}
	return samples, nil
}

// Close tells clients that it is over.
func (g *Gate) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	for _, c := range g.guests {
		c.wake()
	}
}

// wake lets a client look again.
func (c *guest) wake() {
	close(c.news)
	c.news = make(chan struct{})
}

// Ask leaves a message for a client and waits for the answer.
func (g *Gate) Ask(ctx context.Context, client int, message []byte) ([]byte, error) {
	g.mu.Lock()
	c := g.guests[client]
	c.number++
	c.message, c.answer = message, make(chan []byte, 1)
	answer := c.answer
	c.wake()
	g.mu.Unlock()
	wait := g.Wait
	if wait == 0 {
		wait = time.Minute
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	var err error
	select {
	case b := <-answer:
		return b, nil
	case <-t.C:
		err = fmt.Errorf("there was no answer for %v", wait)
	case <-ctx.Done():
		err = ctx.Err()
	}
	g.mu.Lock()
	c.message, c.answer = nil, nil
	g.mu.Unlock()
	return nil, err
}

// ServeHTTP speaks with clients.
func (g *Gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodPost:
		http.Error(w, "POST is needed", http.StatusMethodNotAllowed)
	case r.URL.Path == "/join":
		g.join(w, r)
	case r.URL.Path == "/turn":
		g.turn(w, r)
	default:
		http.NotFound(w, r)
	}
}

// bears says whether a request has a secret, in a time that does not tell how much of it.
func bears(r *http.Request, secret string) bool {
	got, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return ok && secret != "" && subtle.ConstantTimeCompare([]byte(got), []byte(secret)) == 1
}

func (g *Gate) join(w http.ResponseWriter, r *http.Request) {
	if !bears(r, g.Token) {
		http.Error(w, "the token is not the server's", http.StatusUnauthorized)
		return
	}
	var j Joining
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, most)).Decode(&j); err != nil {
		http.Error(w, "what joins is not understood", http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.layout == nil:
		http.Error(w, "the server is not ready", http.StatusServiceUnavailable)
		return
	case !reflect.DeepEqual(j.Layout, *g.layout):
		http.Error(w, "the network is not the server's: its weights have other names or sizes", http.StatusConflict)
		return
	case j.Samples < 2 || j.Samples > mostSamples:
		http.Error(w, fmt.Sprintf("a client of %d samples cannot train: 2 at least are needed", j.Samples), http.StatusBadRequest)
		return
	case g.over || len(g.guests) == g.room:
		http.Error(w, "all clients that are wanted have joined", http.StatusConflict)
		return
	}
	c := &guest{samples: j.Samples, key: rand.Text(), news: make(chan struct{})}
	hello := g.welcome
	hello.Client, hello.Key = len(g.guests), c.key
	if g.guests = append(g.guests, c); g.Log != nil {
		g.Log("client %d of %d has joined: %d samples", len(g.guests), g.room, c.samples)
	}
	if len(g.guests) == g.room {
		close(g.full)
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(hello) //nolint:errcheck // the client has gone
}

// guestOf is the client that a request is of, or nil.
func (g *Gate) guestOf(r *http.Request) *guest {
	g.mu.Lock()
	defer g.mu.Unlock()
	k, err := strconv.Atoi(r.URL.Query().Get("client"))
	if err != nil || k < 0 || k >= len(g.guests) || !bears(r, g.guests[k].key) {
		return nil
	}
	return g.guests[k]
}

func (g *Gate) turn(w http.ResponseWriter, r *http.Request) {
	c := g.guestOf(r)
	if c == nil {
		http.Error(w, "no such client", http.StatusUnauthorized)
		return
	}
	last, err := strconv.Atoi(r.URL.Query().Get("last"))
	if err != nil {
		http.Error(w, "last is no number", http.StatusBadRequest)
		return
	}
	limit := int64(most + 16*g.layout.Params())
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		body = []byte{} // no answer that could be read
	}
	g.mu.Lock()
	if last > 0 && last == c.number && c.message != nil {
		c.answer <- body
		c.message, c.answer = nil, nil
	}
	g.mu.Unlock()
	if err != nil {
		http.Error(w, "the answer is too large", http.StatusRequestEntityTooLarge)
		return
	}
	g.next(w, r, c)
}

// next waits for a message, and sends it.
func (g *Gate) next(w http.ResponseWriter, r *http.Request, c *guest) {
	t := time.NewTimer(poll)
	defer t.Stop()
	for {
		g.mu.Lock()
		number, message, news, over := c.number, c.message, c.news, g.over
		g.mu.Unlock()
		switch {
		case over:
			w.WriteHeader(http.StatusGone)
			return
		case message != nil:
			w.Header().Set("Pare-Message", strconv.Itoa(number))
			w.Write(message) //nolint:errcheck // the client has gone
			return
		}
		select {
		case <-news:
		case <-t.C:
			w.WriteHeader(http.StatusNoContent)
			return
		case <-r.Context().Done():
			return
		}
	}
}
