package endpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"

	"pare/catalog"
	"pare/internal/openai"
	"pare/internal/printable"
	"pare/lm"
)

// mostComplaint is the most bytes of an error's text that are kept.
const mostComplaint = 2000

// call asks for a whole reply, and reads it into v.
func (c *Client) call(ctx context.Context, path string, body any, read func([]byte) error) error {
	return c.retry(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeoutCause(ctx, c.Try, errTooLong)
		defer cancel()
		resp, err := c.open(ctx, http.MethodPost, path, body)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(io.LimitReader(resp.Body, c.MaxReply+1))
		if err != nil {
			return c.network(ctx, err, true)
		}
		if int64(len(b)) > c.MaxReply {
			return c.large("reply")
		}
		if !json.Valid(b) {
			return again{c.rubbish("the reply is no JSON: %s", c.quote(b))}
		}
		return read(b)
	})
}

// open sends a request, and gives the response where it is a good one.
func (c *Client) open(ctx context.Context, method, path string, body any) (*http.Response, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, &lm.Error{Kind: lm.Invalid, Model: c.Model, Err: err}
	}
	var sent atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }}
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), method, c.URL+"/"+path, bytes.NewReader(b))
	if err != nil {
		return nil, &lm.Error{Kind: lm.Invalid, Model: c.Model, Err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "pare")
	if key := c.key(); key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.network(ctx, err, sent.Load())
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil && len(text) == 0 {
		text = []byte(resp.Status)
	}
	return nil, c.failure(resp, text)
}

// network is the error of a request that got no whole reply. What had been sent may
// have been worked on.
func (c *Client) network(ctx context.Context, err error, sent bool) error {
	e := &lm.Error{Kind: lm.Unavailable, Model: c.Model, Unsure: sent, Err: err}
	var timeout net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		e.Kind, e.Err = lm.Cancelled, context.Cause(ctx)
		return e
	case ctx.Err() != nil:
		e.Kind, e.Err = lm.TimedOut, context.Cause(ctx)
	case errors.As(err, &timeout) && timeout.Timeout():
		e.Kind = lm.TimedOut
	}
	return again{e}
}

// failure is the error that a status and a body stand for.
func (c *Client) failure(resp *http.Response, body []byte) error {
	e := &lm.Error{Model: c.Model, Status: resp.StatusCode, Wait: c.retryAfter(resp.Header)}
	var f openai.Failure
	said := &openai.Error{Message: c.quote(body)}
	if json.Unmarshal(body, &f) == nil && f.Error != nil && f.Error.Message != "" {
		said = f.Error
	}
	e.Err = errors.New(c.clean(said.Message))
	word, text := said.Word(), strings.ToLower(said.Message)
	retry := false
	switch s := resp.StatusCode; {
	case ours[lm.Kind(word)]:
		e.Kind = lm.Kind(word)
		retry = e.Kind == lm.RateLimited
		e.Unsure = e.Kind == lm.TimedOut || e.Kind == lm.Rubbish
	case word == "context_length_exceeded" || said.Type == "exceed_context_size_error" || strings.Contains(text, "maximum context length") || strings.Contains(text, "context length exceeded"):
		e.Kind = lm.TooLong
	case word == "insufficient_quota":
		e.Kind = lm.Refused
	case s == http.StatusTooManyRequests:
		e.Kind, retry = lm.RateLimited, true
	case s == http.StatusRequestTimeout || s == http.StatusGatewayTimeout:
		e.Kind, e.Unsure, retry = lm.TimedOut, s == http.StatusGatewayTimeout, true
	case s == http.StatusNotImplemented:
		e.Kind = lm.Unsupported
	case s >= 500:
		e.Kind, e.Unsure, retry = lm.Unavailable, s != http.StatusServiceUnavailable, true
	case s >= 300 && s < 400:
		e.Kind, e.Err = lm.Refused, catalog.Errorf("it sends to another address, %.200s: give that as {URL}", printable.Line(resp.Header.Get("Location")))
	default:
		e.Kind = lm.Refused
	}
	if retry {
		return again{e}
	}
	return e
}

// ours is the kinds that Pare's own server names as the code of an error.
var ours = map[lm.Kind]bool{lm.Invalid: true, lm.Unsupported: true, lm.Refused: true, lm.RateLimited: true, lm.TimedOut: true, lm.Unavailable: true, lm.Rubbish: true, lm.TooLong: true, lm.OverBudget: true, lm.Unrecorded: true}

// rubbish is the error of a reply that is not what was asked for.
func (c *Client) rubbish(format string, a ...any) *lm.Error {
	return &lm.Error{Kind: lm.Rubbish, Model: c.Model, Unsure: true, Err: fmt.Errorf(format, a...)}
}

// large is the error of what has more bytes than it may have.
func (c *Client) large(what string) error {
	return &lm.Error{Kind: lm.Rubbish, Model: c.Model, Unsure: true, Err: catalog.Errorf("the %s has more than %d bytes: ask for less, or raise {MaxReply}", what, c.MaxReply)}
}

// quote shows the beginning of what a server said.
func (c *Client) quote(b []byte) string { return fmt.Sprintf("%.200q", c.clean(string(b))) }

// clean makes a server's text safe to show: short, printable, and without the key,
// which some servers repeat.
func (c *Client) clean(s string) string {
	if key := c.key(); key != "" {
		s = strings.ReplaceAll(s, key, "[key]")
	}
	if len(s) > mostComplaint {
		s = s[:mostComplaint] + "…"
	}
	return printable.Line(s)
}
