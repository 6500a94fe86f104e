package federated

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"pare/catalog"
	"pare/model"
)

// Caller is a client's side of a Gate.
type Caller struct {
	URL   string // of the server, such as http://127.0.0.1:7000
	Token string
	HTTP  *http.Client // nil: the usual one
}

// Serve joins a server with the network and the samples of a job, and answers until the
// server ends. Settings and recipe are the server's; of the job it takes the network, of
// which only the layout counts, the data and the engine. It returns an error where the
// server does not let it in, or cannot be reached.
func (c *Caller) Serve(ctx context.Context, j *model.Job) error {
	if j.Data == nil || j.Data.Train == nil {
		return catalog.Errorf("a client trains on samples of its own: give {Data}")
	}
	w, err := c.join(ctx, Joining{Samples: j.Data.Train.Len(), Layout: newNetwork(j.Graph, nil).Layout})
	if err != nil {
		return err
	}
	s, k := NewFedTiny(), *j
	k.Seed, k.Recipe = w.Seed, model.Recipe{}
	if err := given(s, w.Settings); err != nil {
		return err
	}
	if err := given(&k.Recipe, w.Recipe); err != nil {
		return err
	}
	ws, err := s.Weights(j.Graph)
	if err != nil {
		return err
	}
	client, err := newClient(&k, newNetwork(j.Graph, ws), j.Data.Train, w.Client, s)
	if err != nil {
		return err
	}
	j.Logf("joined as client %d of %d, with %d samples", w.Client+1, s.Clients, j.Data.Train.Len())
	return c.answer(ctx, client, w)
}

// given takes settings over.
func given(to any, values map[string]string) error {
	for name, v := range values {
		if v == "" { // nothing was said
			continue
		}
		if err := catalog.Set(to, name, v); err != nil {
			return fmt.Errorf("what the server says is not understood: %w", err)
		}
	}
	return nil
}

// post sends a request, and reads the answer.
func (c *Caller) post(ctx context.Context, path, secret string, body []byte) (status int, b []byte, message int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(c.URL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, 0, err
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	h := c.HTTP
	if h == nil {
		h = http.DefaultClient
	}
	res, err := h.Do(r)
	if err != nil {
		return 0, nil, 0, err
	}
	defer res.Body.Close()
	if b, err = io.ReadAll(res.Body); err != nil {
		return 0, nil, 0, err
	}
	message, _ = strconv.Atoi(res.Header.Get("Pare-Message")) // 0: none
	return res.StatusCode, b, message, nil
}

func (c *Caller) join(ctx context.Context, j Joining) (*Welcome, error) {
	body, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	for {
		status, b, _, err := c.post(ctx, "/join", c.Token, body)
		switch {
		case err != nil:
			return nil, fmt.Errorf("the server at %s cannot be reached: %w", c.URL, err)
		case status == http.StatusServiceUnavailable:
			if err := pause(ctx); err != nil {
				return nil, err
			}
			continue
		case status != http.StatusOK:
			return nil, fmt.Errorf("the server at %s says: %s", c.URL, strings.TrimSpace(string(b)))
		}
		w := &Welcome{}
		if err := json.Unmarshal(b, w); err != nil {
			return nil, fmt.Errorf("the server at %s: %w", c.URL, err)
		}
		return w, nil
	}
}

// answer asks for messages and answers them until the end.
func (c *Caller) answer(ctx context.Context, client *Client, w *Welcome) error {
	last, answer, lost := 0, []byte(nil), 0
	for {
		status, b, number, err := c.post(ctx, "/turn?"+url.Values{"client": {strconv.Itoa(w.Client)}, "last": {strconv.Itoa(last)}}.Encode(), w.Key, answer)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			if lost++; lost > 5 {
				return fmt.Errorf("the server at %s cannot be reached any more: %w", c.URL, err)
			}
			if err := pause(ctx); err != nil {
				return err
			}
			continue
		case status == http.StatusGone:
			return nil
		case status == http.StatusNoContent:
			last, answer, lost = 0, nil, 0
			continue
		case status != http.StatusOK:
			return fmt.Errorf("the server at %s says: %s", c.URL, strings.TrimSpace(string(b)))
		}
		lost = 0
		if answer, err = client.Answer(ctx, b); ctx.Err() != nil {
			return ctx.Err()
		}
		if last = number; err != nil {
			client.job.Logf("message %d cannot be answered: %v", number, err)
			answer = []byte{} // which the server leaves out, and sends masks again
		}
	}
}

// pause waits before what failed is tried again.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Second):
		return nil
	}
}
