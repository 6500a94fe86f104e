package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"pare/internal/openai"
	"pare/lm"
)

// Stream asks for samples and gives their pieces as they come. Only the beginning is
// tried again; what is broken off later is an error beside what had come.
func (c *Client) Stream(ctx context.Context, r lm.Request, each func(lm.Delta) error) (*lm.Reply, error) {
	if err := r.Check(c.Info()); err != nil {
		return nil, err
	}
	var replies []*lm.Reply
	at := 0
	for _, p := range c.parts(r) {
		reply, err := c.stream(ctx, p, func(d lm.Delta) error {
			d.Index += at
			return each(d)
		})
		replies = append(replies, reply)
		if err != nil {
			return joined(replies), err
		}
		at += p.Samples()
	}
	return joined(replies), nil
}

// stream is one request.
func (c *Client) stream(ctx context.Context, r lm.Request, each func(lm.Delta) error) (*lm.Reply, error) {
	path, body := c.generation(r)
	body["stream"], body["stream_options"] = true, map[string]bool{"include_usage": true}
	c.finish(body)
	reply := &lm.Reply{Choices: make([]lm.Choice, r.Samples()), Usage: lm.Usage{Unknown: true}}
	began := false
	err := c.retry(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeoutCause(ctx, c.Try, errTooLong)
		defer cancel()
		resp, err := c.open(ctx, http.MethodPost, path, body)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		began = true
		limit := &io.LimitedReader{R: resp.Body, N: c.MaxReply}
		err = c.pieces(ctx, limit, r, reply, each)
		if err != nil && limit.N == 0 {
			return c.large("stream")
		}
		return err
	})
	if !began {
		return nil, err
	}
	return reply, err
}

// listener is an error of the caller's own function.
type listener struct{ error }

func (l listener) Unwrap() error { return l.error }

// pieces reads a stream.
func (c *Client) pieces(ctx context.Context, body io.Reader, r lm.Request, reply *lm.Reply, each func(lm.Delta) error) error {
	choices := make([]begun, len(reply.Choices))
	err := openai.Events(body, func(data []byte) error {
		var in openai.Reply
		if err := json.Unmarshal(data, &in); err != nil {
			return c.rubbish("a piece is no reply: %s", c.quote(data))
		}
		if in.Error != nil {
			return final(c.disguised(in.Error))
		}
		if in.Usage != nil {
			reply.Usage = usage(in.Usage)
		}
		for i, ch := range in.Choices {
			d, err := piece(ch, r, choices)
			if err != nil {
				return c.rubbish("choices[%d].%w", i, err)
			}
			if d.Text == "" && d.Reasoning == "" && d.Finish == "" && len(d.Tokens) == 0 {
				continue
			}
			reply.Add(d)
			if err := each(d); err != nil {
				return listener{err}
			}
		}
		return nil
	})
	var said *lm.Error
	var l listener
	switch {
	case errors.As(err, &l):
		return &lm.Error{Kind: lm.Cancelled, Model: c.Model, Unsure: true, Err: l.error}
	case errors.As(err, &said):
		said.Unsure = true
		return said
	case ctx.Err() != nil:
		return final(c.network(ctx, err, true))
	case err != nil:
		return c.rubbish("the stream was broken off: %w", err)
	}
	for i, ch := range reply.Choices {
		if ch.Finish == "" {
			return c.rubbish("the stream ended without a finish_reason of choice %d", i)
		}
	}
	return nil
}

// begun is what is known of a choice whose pieces come.
type begun struct {
	end     int    // where the next token begins
	refusal string // so far; it is given at the end
}

// piece reads a piece of a choice.
func piece(in openai.Choice, r lm.Request, choices []begun) (d lm.Delta, err error) {
	if in.Index != nil {
		d.Index = *in.Index
	} else if len(choices) > 1 {
		return d, fmt.Errorf("index is missing")
	}
	if d.Index < 0 || d.Index >= len(choices) {
		return d, fmt.Errorf("index is %d, out of range", d.Index)
	}
	c := &choices[d.Index]
	if in.FinishReason != nil {
		if d.Finish, err = finish(*in.FinishReason); err != nil {
			return d, err
		}
	}
	if m := in.Delta; m != nil {
		d.Text, d.Reasoning = text(m.Content), text(m.ReasoningContent)
		if m.ReasoningContent == nil {
			d.Reasoning = text(m.Reasoning)
		}
		c.refusal += text(m.Refusal)
	}
	if in.Text != nil {
		d.Text = *in.Text
	}
	if c.refusal != "" && d.Finish != "" {
		d.Text, d.Finish, c.refusal = d.Text+c.refusal, lm.FinishRefusal, ""
	}
	if !r.Logprobs {
		return d, nil
	}
	if in.Logprobs == nil {
		if d.Text != "" && d.Finish != lm.FinishRefusal {
			return d, fmt.Errorf("logprobs is missing, though it was asked for")
		}
		return d, nil
	}
	if in.Logprobs.Content == nil && in.Logprobs.Tokens == nil {
		return d, nil
	}
	if d.Tokens, err = tokens(in.Logprobs, r.Alternatives, c.end); err != nil {
		return d, fmt.Errorf("logprobs.%w", err)
	}
	for _, t := range d.Tokens {
		c.end += len(t.Raw())
	}
	return d, nil
}
