package federated

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"pare/dataset"
	"pare/internal/modeltest"
	"pare/model"
)

// The test binary is a client where the environment says of which server, and which.
func TestMain(m *testing.M) {
	server, k := os.Getenv("FEDERATED_SERVER"), os.Getenv("FEDERATED_CLIENT")
	if server == "" {
		os.Exit(m.Run())
	}
	n, _ := strconv.Atoi(k)
	j, err := clientJob(n)
	if err == nil {
		err = (&Caller{URL: server, Token: "secret"}).Serve(context.Background(), j)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// clientJob is that of the client which would have shard k of the small federation.
func clientJob(k int) (*model.Job, error) {
	s, j := small(&testing.T{})
	shards, err := Split(j.Data.Train, s.Clients, s.Dirichlet, j.Seed)
	if err != nil {
		return nil, err
	}
	for _, p := range j.Graph.Params() {
		clear(p.Const.F32()) // only the server's numbers count
	}
	j.Data = &dataset.Data{Train: shards[k], Norm: j.Data.Norm}
	return j, nil
}

// joined opens a gate, and calls start for each of some clients when those before it have
// joined.
func joined(t *testing.T, s *FedTiny, start []func(url string)) (*Hosted, *model.Job) {
	t.Helper()
	_, j := small(t)
	in := make(chan struct{}, len(start))
	g := &Gate{Token: "secret", Wait: 20 * time.Second, Log: func(string, ...any) { in <- struct{}{} }}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	go func() {
		for _, f := range start {
			f(server.URL)
			<-in
		}
	}()
	return &Hosted{FedTiny: *s, Gate: g}, j
}

// Clients in processes of their own come to the same bytes as in one.
func TestProcesses(t *testing.T) {
	s, j := small(t)
	want := modeltest.Run(t, s, j)
	var ended []*exec.Cmd
	var start []func(string)
	for k := range s.Clients {
		start = append(start, func(url string) {
			c := exec.Command(os.Args[0])
			c.Env = append(os.Environ(), "FEDERATED_SERVER="+url, "FEDERATED_CLIENT="+strconv.Itoa(k))
			c.Stderr = os.Stderr
			if err := c.Start(); err != nil {
				t.Error(err)
			}
			ended = append(ended, c)
		})
	}
	h, j := joined(t, s, start)
	got := modeltest.Run(t, h, j)
	if !bytes.Equal(modeltest.Bits(got.Graph), modeltest.Bits(want.Graph)) || got.Masks.Hash() != want.Masks.Hash() {
		t.Error("it comes to another network than in one process")
	}
	a, b := got.Facts.(*Facts), want.Facts.(*Facts)
	for k := range a.Of {
		if a.Of[k] != b.Of[k] {
			t.Errorf("client %d: %+v, in one process %+v", k, a.Of[k], b.Of[k])
		}
	}
	for _, c := range ended {
		if err := c.Wait(); err != nil {
			t.Errorf("a client ended with %v", err)
		}
	}
}

// A client that sends rubbish, and one that is killed in the middle, do no harm.
func TestBadGuests(t *testing.T) {
	s, _ := small(t)
	s.Clients = 4
	ctx, kill := context.WithCancel(context.Background())
	honest := func(ctx context.Context, k int, hurt func(n int)) func(string) {
		return func(url string) {
			j, err := clientJob(k)
			if err != nil {
				t.Error(err)
				return
			}
			n := 0
			j.OnStep = nil
			h := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				if n++; hurt != nil {
					hurt(n)
				}
				return http.DefaultTransport.RoundTrip(r)
			})}
			go (&Caller{URL: url, Token: "secret", HTTP: h}).Serve(ctx, j) //nolint:errcheck // it ends with the server, or is killed
		}
	}
	rubbish := func(url string) {
		j, _ := clientJob(2)
		c := &Caller{URL: url, Token: "secret"}
		w, err := c.join(ctx, Joining{Samples: 1000, Layout: newNetwork(j.Graph, nil).Layout})
		if err != nil {
			t.Error(err)
			return
		}
		go func() {
			last := 0
			for {
				status, _, n, err := c.post(context.Background(), fmt.Sprintf("/turn?client=%d&last=%d", w.Client, last), w.Key, []byte("rubbish"))
				if err != nil || status == http.StatusGone {
					return
				}
				last = n
			}
		}()
	}
	h, j := joined(t, s, []func(string){honest(context.Background(), 0, nil), honest(context.Background(), 1, nil), rubbish,
		honest(ctx, 2, func(n int) {
			if n == 12 {
				kill()
			}
		})})
	h.Gate.Wait = 2 * time.Second
	h.Rounds = 4
	res := modeltest.Run(t, h, j)
	f := res.Facts.(*Facts)
	gone := 0
	for _, r := range f.Rounds {
		if r.Clients < 2 || len(r.Out) < 1 || r.Out[0].Client != 3 {
			t.Errorf("%+v", r)
		}
		gone += len(r.Out) - 1
	}
	if f.Of[2].Rounds != 0 || f.Of[0].Rounds != 4 || f.Of[1].Rounds != 4 || gone == 0 {
		t.Errorf("%+v, %d answers of who was killed are missing", f.Of, gone)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Who has no token, another network, no samples, or another's number is not let in.
func TestTurnedAway(t *testing.T) {
	_, j := small(t)
	g := &Gate{Token: "secret"}
	server := httptest.NewServer(g)
	defer server.Close()
	all := newNetwork(j.Graph, nil).Layout
	ctx, end := context.WithCancel(context.Background())
	defer end()
	opened := make(chan error)
	go func() { _, err := g.open(ctx, &all, 1, Welcome{}); opened <- err }()
	for { // until it is open
		g.mu.Lock()
		ready := g.layout != nil
		g.mu.Unlock()
		if ready {
			break
		}
	}
	other := all
	other.Dense = other.Dense[1:]
	for want, c := range map[string]struct {
		token string
		j     Joining
	}{
		"the token":     {"guess", Joining{10, all}},
		"the token is":  {"", Joining{10, all}},
		"other names":   {"secret", Joining{10, other}},
		"of 1 samples":  {"secret", Joining{1, all}},
		"of -5 samples": {"secret", Joining{-5, all}},
	} {
		if _, err := (&Caller{URL: server.URL, Token: c.token}).join(ctx, c.j); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	c := &Caller{URL: server.URL, Token: "secret"}
	w, err := c.join(ctx, Joining{10, all})
	if err != nil || <-opened != nil {
		t.Fatal(err)
	}
	if _, err := c.join(ctx, Joining{10, all}); err == nil || !strings.Contains(err.Error(), "have joined") {
		t.Errorf("one too many: %v", err)
	}
	for _, path := range []string{"/turn?client=0&last=0", "/turn?client=1&last=0", "/turn?client=x", "/turn"} {
		if status, _, _, err := c.post(ctx, path, "secret", nil); err != nil || status != http.StatusUnauthorized {
			t.Errorf("%s: %d, %v", path, status, err)
		}
	}
	answers := make(chan []byte, 1)
	go func() { b, _ := g.Ask(ctx, 0, []byte("what")); answers <- b }()
	status, b, n, err := c.post(ctx, "/turn?client=0&last=0", w.Key, nil)
	if err != nil || status != 200 || string(b) != "what" {
		t.Fatalf("%d %q %v", status, b, err)
	}
	c.post(ctx, fmt.Sprintf("/turn?client=0&last=%d", n), w.Key, bytes.Repeat([]byte("x"), 4<<20)) //nolint:errcheck // too large
	if got := <-answers; len(got) != 0 {
		t.Errorf("an answer of %d bytes was taken", len(got))
	}
	g.Close()
	if status, _, _, err := c.post(ctx, "/turn?client=0&last=0", w.Key, nil); err != nil || status != http.StatusGone {
		t.Errorf("at the end: %d, %v", status, err)
	}
}
