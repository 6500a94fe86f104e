package endpoint

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"

	"pare/internal/openai"
	"pare/lm"
)

// reply reads what came of a request for samples. What is missing is an error that
// names it.
func (c *Client) reply(b []byte, r lm.Request) (*lm.Reply, error) {
	var in openai.Reply
	if err := json.Unmarshal(b, &in); err != nil {
		return nil, c.rubbish("%s", c.clean(err.Error()))
	}
	want := r.Samples()
	if in.Error != nil && len(in.Choices) == 0 {
		return nil, c.disguised(in.Error)
	}
	if len(in.Choices) != want {
		return nil, c.rubbish("choices has %d elements for %d samples", len(in.Choices), want)
	}
	out := &lm.Reply{Choices: make([]lm.Choice, want), Usage: usage(in.Usage)}
	seen := make([]bool, want)
	for n, ch := range in.Choices {
		at := n
		if ch.Index != nil {
			at = *ch.Index
		} else if want > 1 {
			return nil, c.rubbish("choices[%d].index is missing", n)
		}
		if at < 0 || at >= want || seen[at] {
			return nil, c.rubbish("choices[%d].index is %d, twice or out of range", n, at)
		}
		seen[at] = true
		choice, err := c.choice(ch, r)
		if err != nil {
			return nil, c.rubbish("choices[%d].%w", n, err)
		}
		out.Choices[at] = choice
	}
	return out, nil
}

// disguised is the error of a reply that says that all is well and holds an error, as
// some gateways give it, or of a stream that ends in one. The code may be a status.
func (c *Client) disguised(e *openai.Error) error {
	status := http.StatusBadGateway
	if code, ok := e.Code.(float64); ok && code >= 400 && code < 600 {
		status = int(code)
	}
	body, err := json.Marshal(openai.Failure{Error: e})
	if err != nil {
		return c.rubbish("%w", err)
	}
	return c.failure(&http.Response{StatusCode: status}, body)
}

// choice reads a sample.
func (c *Client) choice(in openai.Choice, r lm.Request) (out lm.Choice, err error) {
	if in.FinishReason == nil {
		return out, fmt.Errorf("finish_reason is missing")
	}
	if out.Finish, err = finish(*in.FinishReason); err != nil {
		return out, err
	}
	withheld := out.Finish == lm.FinishFilter
	if len(r.Messages) == 0 {
		if in.Text == nil && !withheld {
			return out, fmt.Errorf("text is missing")
		}
		out.Text = text(in.Text)
	} else {
		m := in.Message
		if m == nil {
			return out, fmt.Errorf("message is missing")
		}
		out.Reasoning = text(m.ReasoningContent) + text(m.Reasoning)
		if m.ReasoningContent != nil {
			out.Reasoning = *m.ReasoningContent
		}
		out.Text = text(m.Content)
		switch {
		case m.Content == nil && m.Refusal != nil:
			out.Text, out.Finish = *m.Refusal, lm.FinishRefusal
		case m.Content == nil && out.Reasoning == "" && !withheld:
			return out, fmt.Errorf("message.content is missing")
		}
	}
	bare := in.Logprobs == nil || in.Logprobs.Content == nil && in.Logprobs.Tokens == nil
	if r.Logprobs && !withheld && !(bare && out.Finish == lm.FinishRefusal) {
		if in.Logprobs == nil {
			return out, fmt.Errorf("logprobs is missing, though it was asked for")
		}
		if out.Tokens, err = tokens(in.Logprobs, r.Alternatives, 0); err != nil {
			return out, fmt.Errorf("logprobs.%w", err)
		}
	}
	return out, nil
}

// finish is a reason in our words. Servers have some of their own.
func finish(s string) (string, error) {
	switch s {
	case lm.FinishStop, lm.FinishLength, lm.FinishFilter:
		return s, nil
	case "eos", "eos_token", "stop_sequence", "stop_string":
		return lm.FinishStop, nil
	case "max_tokens":
		return lm.FinishLength, nil
	}
	return "", fmt.Errorf("finish_reason is %.40q, and not %s, %s or %s", s, lm.FinishStop, lm.FinishLength, lm.FinishFilter)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// usage reads what a reply took. Where a number is missing, nobody knows.
func usage(in *openai.Usage) lm.Usage {
	if in == nil || in.PromptTokens == nil || *in.PromptTokens < 0 || *in.PromptTokens > mostUsage {
		return lm.Usage{Unknown: true}
	}
	out := lm.Usage{Prompt: *in.PromptTokens}
	switch n := in.CompletionTokens; {
	case n != nil && *n >= 0 && *n <= mostUsage:
		out.Completion = *n
	case n != nil || in.TotalTokens == nil || *in.TotalTokens != out.Prompt:
		return lm.Usage{Unknown: true}
	}
	if d := in.PromptTokensDetails; d != nil {
		out.Cached = min(max(d.CachedTokens, 0), out.Prompt)
	}
	return out
}

// mostUsage is the most tokens that a reply can have taken; more is a mistake.
const mostUsage = 1 << 40

// logprob checks a log-probability. Sums of rounded numbers may be a little above 0.
func logprob(x *float64, what string) (float64, error) {
	switch {
	case x == nil:
		return 0, fmt.Errorf("%s is missing", what)
	case math.IsNaN(*x) || math.IsInf(*x, 0) || *x > 1e-3:
		return 0, fmt.Errorf("%s is %v, which is no log-probability", what, *x)
	}
	return math.Min(*x, 0), nil
}

// vectors reads embeddings of n texts, each of the width, where that is not 0.
func (c *Client) vectors(b []byte, n int) ([][]float32, lm.Usage, error) {
	var in openai.Embeddings
	if err := json.Unmarshal(b, &in); err != nil {
		return nil, lm.Usage{}, c.rubbish("%s", c.clean(err.Error()))
	}
	if len(in.Data) != n {
		return nil, lm.Usage{}, c.rubbish("data has %d elements for %d texts", len(in.Data), n)
	}
	out := make([][]float32, n)
	for i, v := range in.Data {
		at := i
		if v.Index != nil {
			at = *v.Index
		} else if n > 1 {
			return nil, lm.Usage{}, c.rubbish("data[%d].index is missing", i)
		}
		if at < 0 || at >= n || out[at] != nil {
			return nil, lm.Usage{}, c.rubbish("data[%d].index is %d, twice or out of range", i, at)
		}
		var x openai.List[*float32]
		if len(v.Embedding) == 0 || json.Unmarshal(v.Embedding, &x) != nil || len(x) == 0 {
			return nil, lm.Usage{}, c.rubbish("data[%d].embedding is missing, or no array of numbers", i)
		}
		out[at] = make([]float32, len(x))
		for j, f := range x {
			if f == nil {
				return nil, lm.Usage{}, c.rubbish("data[%d].embedding[%d] is no number", i, j)
			}
			out[at][j] = *f
		}
	}
	return out, usage(in.Usage), nil
}
