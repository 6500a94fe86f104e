package endpoint

import (
	"maps"

	"pare/lm"
)

// fields is the body of a request.
type fields map[string]any

// generation is the body that asks for samples, and where it goes.
func (c *Client) generation(r lm.Request) (path string, f fields) {
	f = fields{"model": c.Model, "temperature": r.Temperature, "top_p": 1.0}
	if r.TopP > 0 {
		f["top_p"] = r.TopP
	}
	if n := r.Samples(); n > 1 {
		f["n"] = n
	}
	if r.MaxTokens > 0 {
		f[c.kind.maxTokens] = r.MaxTokens
	}
	if c.can.TopK {
		if f["top_k"] = c.kind.all; r.TopK > 0 {
			f["top_k"] = r.TopK
		}
	}
	if c.can.MinP {
		f["min_p"] = r.MinP
	}
	if c.can.RepetitionPenalty {
		f[c.kind.penalty] = 1.0
		if r.RepetitionPenalty > 0 {
			f[c.kind.penalty] = r.RepetitionPenalty
		}
	}
	if r.Seed != nil {
		f["seed"] = *r.Seed
	}
	if len(r.Stop) > 0 {
		f["stop"] = r.Stop
	}
	if len(r.Messages) == 0 {
		path, f["prompt"] = "completions", r.Prompt
		if r.Logprobs {
			f["logprobs"] = max(r.Alternatives, 1) // some take 0 for none
		}
	} else {
		path, f["messages"] = "chat/completions", messages(r.Messages)
		if r.Logprobs {
			f["logprobs"], f["top_logprobs"] = true, r.Alternatives
		}
		if r.Continue {
			f["continue_final_message"], f["add_generation_prompt"] = true, false
		}
	}
	c.finish(f)
	return path, f
}

// finish adds and takes out what the Config says.
func (c *Client) finish(f fields) {
	maps.Copy(f, c.More)
	for _, name := range c.Without {
		delete(f, name)
	}
}

// message is a turn of a chat as it is sent.
type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

func messages(ms []lm.Message) []message {
	out := make([]message, len(ms))
	for i, m := range ms {
		out[i] = message{m.Role, m.Text}
	}
	return out
}

// scoring is the body that asks for the log-probabilities of a prompt that ends in
// the text.
func (c *Client) scoring(r lm.ScoreRequest) (path string, f fields) {
	f = fields{"model": c.Model, "temperature": 0.0, "max_tokens": 1}
	if len(r.Messages) > 0 {
		ms := messages(r.Messages)
		if r.Continue {
			ms[len(ms)-1].Content += r.Text
		} else {
			ms = append(ms, message{lm.Assistant, r.Text})
		}
		path, f["messages"] = "chat/completions", ms
		f["continue_final_message"], f["add_generation_prompt"], f["prompt_logprobs"] = true, false, 0
	} else {
		path, f["prompt"] = "completions", r.Prompt+r.Text
		if c.kind.score == echo {
			f["echo"], f["logprobs"], f["max_tokens"] = true, max(r.Alternatives, 1), 0
		} else {
			f["prompt_logprobs"] = 0
		}
	}
	c.finish(f)
	return path, f
}
