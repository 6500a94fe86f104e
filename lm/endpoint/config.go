// Package endpoint speaks to a language model behind an endpoint of OpenAI's API:
// chat/completions, completions, embeddings. It tries again what may succeed, within
// limits of time, and holds what a server says to what was asked of it.
package endpoint

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"pare/catalog"
	"pare/lm"
)

// Config says where a model is. URL and Model are needed.
type Config struct {
	URL   string // with the version: https://api.openai.com/v1
	Model string
	// Kind is the kind of the server: Compatible (the default), OpenAI, VLLM,
	// LlamaCPP or Pare.
	Kind string
	// KeyFrom names the environment variable that holds the key. "": none is sent.
	// The key itself is never written anywhere.
	KeyFrom string
	// PlainKey allows a key to be sent without encryption to another machine.
	PlainKey bool
	// Can is what the endpoint can do where it is not what its kind can.
	Can *lm.Capabilities
	// Context is the most tokens of prompt and completion. 0: not known.
	Context int
	// Identity stands for the endpoint in the model's fingerprint, in the place of
	// its URL: for a server that moves.
	Identity string
	// More is fields that are put into every generation's body, as
	// {"reasoning_effort": "low"}.
	More map[string]any
	// Without is fields that the endpoint does not take and that are left out, as
	// "temperature" for models that fix it. It then does as it likes there.
	Without []string

	Parallel int           // most requests at once. 0: 8
	Tries    int           // most tries of a request. 0: 5
	Connect  time.Duration // most time to connect. 0: 10 s
	Try      time.Duration // most time of a try. 0: 5 min
	Call     time.Duration // most time of a call, with all tries and waits. 0: 15 min
	MaxReply int64         // most bytes of a reply. 0: 32 MiB
	Seed     uint64        // of the jitter of waits

	// Transport is used in the place of one of the client's own.
	Transport http.RoundTripper
}

// Client is a model behind an endpoint.
type Client struct {
	Config
	kind kind
	can  lm.Capabilities
	key  func() string // not a string: whoever prints a client prints an address
	hash string
	http *http.Client
	slot chan struct{}

	now   func() time.Time
	sleep func(context.Context, time.Duration) error
	mu    sync.Mutex
	rng   *rand.Rand
}

// New makes a client. It asks nobody.
func New(c Config) (*Client, error) {
	c.Kind = cmp.Or(c.Kind, Compatible)
	k, ok := kinds[c.Kind]
	if !ok {
		return nil, catalog.Errorf("{Kind} %q is not known: %s are", c.Kind, strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
	}
	k.maxTokens, k.penalty = cmp.Or(k.maxTokens, "max_tokens"), cmp.Or(k.penalty, "repetition_penalty")
	u, err := address(c.URL)
	if err != nil {
		return nil, err
	}
	c.URL = strings.TrimRight(c.URL, "/")
	if c.Model == "" {
		return nil, catalog.Errorf("{Model} is needed: the name by which the endpoint knows the model")
	}
	if c.Parallel < 0 || c.Tries < 0 || c.Connect < 0 || c.Try < 0 || c.Call < 0 || c.MaxReply < 0 || c.Context < 0 {
		return nil, catalog.Errorf("{Parallel}, {Tries}, {Connect}, {Try}, {Call}, {MaxReply} and {Context} are not negative")
	}
	c.Parallel, c.Tries = cmp.Or(c.Parallel, 8), cmp.Or(c.Tries, 5)
	c.Connect, c.Try, c.Call = cmp.Or(c.Connect, 10*time.Second), cmp.Or(c.Try, 5*time.Minute), cmp.Or(c.Call, 15*time.Minute)
	c.MaxReply = cmp.Or(c.MaxReply, 32<<20)
	client := &Client{Config: c, kind: k, can: k.can, slot: make(chan struct{}, c.Parallel), now: time.Now, sleep: sleep, rng: rand.New(rand.NewPCG(c.Seed, 0x6a69))}
	if c.Can != nil {
		client.can = *c.Can
	}
	key := ""
	if c.KeyFrom != "" {
		if key = os.Getenv(c.KeyFrom); key == "" {
			return nil, catalog.Errorf("the environment variable %s, which {KeyFrom} names, is empty: put the key there", c.KeyFrom)
		}
		if u.Scheme == "http" && !local(u.Hostname()) && !c.PlainKey {
			return nil, catalog.Errorf("the key would be sent to %s for all to read: use https, or set {PlainKey}", u.Hostname())
		}
	}
	client.key = func() string { return key }
	if client.hash, err = client.fingerprint(); err != nil {
		return nil, err
	}
	transport := c.Transport
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.DialContext = (&net.Dialer{Timeout: c.Connect, KeepAlive: 30 * time.Second}).DialContext
		t.TLSHandshakeTimeout = c.Connect
		t.MaxIdleConnsPerHost = c.Parallel
		t.MaxResponseHeaderBytes = 1 << 20
		transport = t
	}
	client.http = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return client, nil
}

// address checks an URL.
func address(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, catalog.Errorf("{URL} is no address such as https://api.openai.com/v1")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, catalog.Errorf("{URL} holds a user, a query or a fragment: an address alone is needed, and the key in the variable that {KeyFrom} names")
	}
	return u, nil
}

// local says whether a host is this machine.
func local(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// fingerprint is what decides the replies beside the request: of what the endpoint can
// do, what is sent of it.
func (c *Client) fingerprint() (string, error) {
	b, err := json.Marshal([]any{cmp.Or(c.Identity, c.URL), c.Kind, c.Model, c.More, c.Without, c.can.Samples, c.can.TopK, c.can.MinP, c.can.RepetitionPenalty})
	if err != nil {
		return "", catalog.Errorf("{More} cannot be written as JSON: %v", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// Info says what the model is, as far as the Config knows.
func (c *Client) Info() lm.Info {
	return lm.Info{Name: c.Model, Home: c.URL, Fingerprint: c.hash, Context: c.Context, Parallel: c.Parallel, Can: c.can}
}

// sleep waits, or returns when the context ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
