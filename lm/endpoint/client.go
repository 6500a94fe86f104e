package endpoint

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"

	"pare/catalog"
	"pare/internal/openai"
	"pare/lm"
)

// Generate asks for samples: in one request, or in several at once where the endpoint
// makes no more samples a request. Then the i-th sample has the seed and i.
func (c *Client) Generate(ctx context.Context, r lm.Request) (*lm.Reply, error) {
	if err := r.Check(c.Info()); err != nil {
		return nil, err
	}
	parts := c.parts(r)
	replies, errs := make([]*lm.Reply, len(parts)), make([]error, len(parts))
	var wait sync.WaitGroup
	for i, p := range parts {
		wait.Go(func() {
			path, body := c.generation(p)
			errs[i] = c.call(ctx, path, body, func(b []byte) (err error) {
				replies[i], err = c.reply(b, p)
				return err
			})
		})
	}
	wait.Wait()
	return joined(replies), errors.Join(first(errs)...)
}

// parts splits a request for more samples than the endpoint makes at once.
func (c *Client) parts(r lm.Request) []lm.Request {
	n, most := r.Samples(), c.can.Samples
	if most <= 0 || n <= most {
		return []lm.Request{r}
	}
	var out []lm.Request
	for at := 0; at < n; at += most {
		p := r
		p.N = min(most, n-at)
		if r.Seed != nil {
			p.Seed = new(*r.Seed + int64(at))
		}
		out = append(out, p)
	}
	return out
}

// joined puts the replies of parts together; nil where there is none.
func joined(rs []*lm.Reply) *lm.Reply {
	var out *lm.Reply
	for _, r := range rs {
		switch {
		case r == nil:
		case out == nil:
			out = r
		default:
			out.Choices = append(out.Choices, r.Choices...)
			out.Usage.Add(r.Usage)
		}
	}
	return out
}

// first leaves the first error, with whether any of them may have cost something.
func first(errs []error) []error {
	var one error
	unsure := false
	for _, err := range errs {
		if one == nil {
			one = err
		}
		var e *lm.Error
		unsure = unsure || errors.As(err, &e) && e.Unsure
	}
	if one == nil {
		return nil
	}
	var e *lm.Error
	if unsure && errors.As(one, &e) {
		e.Unsure = true
	}
	return []error{one}
}

// Score asks for the log-probabilities of a prompt, and takes those of its end.
func (c *Client) Score(ctx context.Context, r lm.ScoreRequest) (*lm.Scores, error) {
	if err := r.Check(c.Info()); err != nil {
		return nil, err
	}
	if c.kind.score == never {
		return nil, &lm.Error{Kind: lm.Unsupported, Model: c.Model, Err: catalog.Errorf("servers of {Kind} %s give no log-probabilities of prompts: set {Kind} to what the server is, such as %s", c.Kind, VLLM)}
	}
	if len(r.Messages) > 0 && r.Alternatives > 0 {
		return nil, &lm.Error{Kind: lm.Unsupported, Model: c.Model, Err: catalog.Errorf("an endpoint gives no {Alternatives} to a text after messages: give {Prompt} with the whole chat written out")}
	}
	path, body := c.scoring(r)
	var out *lm.Scores
	err := c.call(ctx, path, body, func(b []byte) (err error) {
		out, err = c.scores(b, r)
		return err
	})
	return out, err
}

// scores reads a prompt's log-probabilities.
func (c *Client) scores(b []byte, r lm.ScoreRequest) (*lm.Scores, error) {
	var in openai.Reply
	if err := json.Unmarshal(b, &in); err != nil {
		return nil, c.rubbish("%s", c.clean(err.Error()))
	}
	if len(in.Choices) != 1 {
		return nil, c.rubbish("choices has %d elements for one text", len(in.Choices))
	}
	ch := in.Choices[0]
	var all []lm.Token
	var err error
	if c.kind.score == echo && len(r.Messages) == 0 {
		if ch.Logprobs == nil {
			return nil, c.rubbish("choices[0].logprobs is missing: the endpoint does not score prompts")
		}
		all, err = tokens(ch.Logprobs, r.Alternatives, 0)
	} else {
		all, err = prompted(append(in.PromptLogprobs, ch.PromptLogprobs...))
	}
	if err != nil {
		return nil, c.rubbish("%w", err)
	}
	ts, err := ending(all, r.Text)
	var s *straddle
	if errors.As(err, &s) {
		return nil, &lm.Error{Kind: lm.Unsupported, Model: c.Model, Unsure: true, Err: catalog.Errorf("%s", s.Error())}
	}
	if err != nil && r.Prompt == "" && len(r.Messages) == 0 {
		return nil, &lm.Error{Kind: lm.Unsupported, Model: c.Model, Unsure: true, Err: catalog.Errorf("an endpoint does not score the beginning of a text: give a {Prompt} that stands before it")}
	}
	if err != nil {
		return nil, c.rubbish("%s", c.clean(err.Error()))
	}
	if ts[0].Unscored && (r.Prompt != "" || len(r.Messages) > 0) {
		return nil, c.rubbish("the first token of the text has no log-probability, though something stands before it")
	}
	return &lm.Scores{Tokens: ts, Usage: usage(in.Usage)}, nil
}

// prompted reads vLLM's log-probabilities of a prompt.
func prompted(in []openai.PromptToken) ([]lm.Token, error) {
	if len(in) == 0 {
		return nil, errors.New("prompt_logprobs is missing: the endpoint does not score prompts")
	}
	var out []lm.Token
	for i, t := range in {
		if t.DecodedToken == nil {
			if i > 0 {
				return nil, errors.New("prompt_logprobs lacks a token")
			}
			continue // the first, before which nothing stands
		}
		k := lm.Token{}
		k.Text, k.Bytes = shown(openai.Unescape(*t.DecodedToken))
		var err error
		if k.Unscored = t.Logprob == nil && i == 0; !k.Unscored {
			if k.Logprob, err = logprob(t.Logprob, "prompt_logprobs.logprob"); err != nil {
				return nil, err
			}
		}
		out = append(out, k)
	}
	return out, nil
}

// Embed asks for vectors, in several requests where there are many texts. Where some
// fail, the vectors of the others are there.
func (c *Client) Embed(ctx context.Context, r lm.EmbedRequest) (*lm.Embeddings, error) {
	if err := r.Check(c.Info()); err != nil {
		return nil, err
	}
	most := c.can.Texts
	if most <= 0 {
		most = len(r.Texts)
	}
	n := (len(r.Texts) + most - 1) / most
	usages, errs := make([]*lm.Reply, n), make([]error, n)
	out := &lm.Embeddings{Vectors: make([][]float32, len(r.Texts))}
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() {
			texts := r.Texts[i*most : min(len(r.Texts), (i+1)*most)]
			f := fields{"model": c.Model, "input": texts, "encoding_format": "float"}
			if r.Dimensions > 0 {
				f["dimensions"] = r.Dimensions
			}
			errs[i] = c.call(ctx, "embeddings", f, func(b []byte) error {
				vs, u, err := c.vectors(b, len(texts))
				if err == nil {
					copy(out.Vectors[i*most:], vs)
					usages[i] = &lm.Reply{Usage: u}
				}
				return err
			})
		})
	}
	wait.Wait()
	err := errors.Join(first(errs)...)
	total := joined(usages)
	if total == nil {
		return nil, err
	}
	out.Usage = total.Usage
	width := 0
	for i, v := range out.Vectors {
		if width == 0 {
			width = len(v)
		}
		if v != nil && len(v) != width && err == nil {
			return nil, c.rubbish("the vector of text %d has %d numbers, and others have %d", i, len(v), width)
		}
	}
	return out, err
}

// Models asks for the names of the models that the endpoint has.
func (c *Client) Models(ctx context.Context) ([]string, error) {
	var names []string
	err := c.retry(ctx, func(ctx context.Context) error {
		resp, err := c.open(ctx, http.MethodGet, "models", nil)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(io.LimitReader(resp.Body, c.MaxReply))
		if err != nil {
			return c.network(ctx, err, true)
		}
		var in openai.Models
		if err := json.Unmarshal(b, &in); err != nil {
			return c.rubbish("%s", c.quote(b))
		}
		for _, m := range in.Data {
			names = append(names, m.ID)
		}
		return nil
	})
	return names, err
}
