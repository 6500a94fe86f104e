package endpoint

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"pare/lm"
)

// Waits between tries: twice as long each time, and of that at random between a half
// and the whole, so that those who were refused together do not come together again.
const (
	firstWait = 500 * time.Millisecond
	mostWait  = 30 * time.Second
)

// wait is how long to wait after so many tries.
func (c *Client) wait(tries int) time.Duration {
	d := float64(firstWait) * math.Pow(2, float64(tries-1))
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(math.Min(d, float64(mostWait)) * (0.5 + c.rng.Float64()/2))
}

// again is an error after which another try may succeed.
type again struct{ e *lm.Error }

func (a again) Error() string { return a.e.Error() }

// Unwrap gives the error that callers see.
func (a again) Unwrap() error { return a.e }

// final is an error after which there is no other try.
func final(err error) error {
	var a again
	if errors.As(err, &a) {
		return a.e
	}
	return err
}

// retry tries until it succeeds, fails for good, or the time or tries are used up.
func (c *Client) retry(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.Call, errTooLong)
	defer cancel()
	begin := c.now()
	for n := 1; ; n++ {
		err := c.one(ctx, try)
		var a again
		if !errors.As(err, &a) {
			return err
		}
		if n == c.Tries || ctx.Err() != nil {
			return a.e
		}
		wait := max(c.wait(n), a.e.Wait)
		if c.now().Add(wait).Sub(begin) > c.Call { // it would not end in time
			return a.e
		}
		if err := lm.Lost(ctx, a.e.Unsure); err != nil {
			if over := new(lm.Error); errors.As(err, &over) {
				over.Unsure = a.e.Unsure
			}
			return errors.Join(err, a.e)
		}
		if c.sleep(ctx, wait) != nil {
			return c.gone(ctx, a.e)
		}
	}
}

var errTooLong = errors.New("the call has taken the time that it may take")

// one tries once, when there is room among the requests under way.
func (c *Client) one(ctx context.Context, try func(context.Context) error) error {
	select {
	case c.slot <- struct{}{}:
		defer func() { <-c.slot }()
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return c.gone(ctx, nil)
	}
	return try(ctx)
}

// gone is the error of a call whose time is over or whose caller has left; last is
// what went wrong before.
func (c *Client) gone(ctx context.Context, last *lm.Error) error {
	e := &lm.Error{Kind: lm.Cancelled, Model: c.Model, Err: context.Cause(ctx)}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		e.Kind = lm.TimedOut
	}
	if last != nil {
		e.Err = errors.Join(e.Err, last)
	}
	return e
}

// retryAfter is how long a server asks to wait (RFC 9110, 10.2.3); 0 where it does
// not say, or says nonsense.
func (c *Client) retryAfter(h http.Header) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms > 0 && ms < 1e9 {
		return time.Duration(ms * float64(time.Millisecond))
	}
	v := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(v, 64); err == nil && s > 0 && s < 1e6 {
		return time.Duration(s * float64(time.Second))
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(0, min(at.Sub(c.now()), 1e6*time.Second))
	}
	return 0
}
