package serve

import (
	"context"
	"slices"
	"time"

	"pare/internal/openai"
	"pare/lm"
)

// mostPrompts is the most prompts of a request.
const mostPrompts = 2048

// complete answers completions: the samples of the first prompt, then those of the
// second.
func (s *server) complete(w *writer, ctx context.Context, body []byte) error {
	var in completing
	if err := decode(body, &in); err != nil {
		return err
	}
	m, err := s.model(in.Model)
	if err != nil {
		return err
	}
	r, err := s.asked(in)
	if err != nil {
		return err
	}
	frame := openai.Reply{ID: s.id("cmpl"), Object: "text_completion", Created: time.Now().Unix(), Model: in.Model, Choices: openai.List[openai.Choice]{}}
	var total lm.Usage
	for i, prompt := range in.Prompt {
		r.Prompt = prompt
		p := &completion{completing: in, model: m, request: r, first: i * r.Samples()}
		if in.Stream {
			err = p.stream(ctx, w, frame)
		} else {
			err = p.whole(ctx, &frame)
		}
		if err != nil {
			return err
		}
		if i == 0 {
			total = p.usage
		} else {
			total.Add(p.usage)
		}
	}
	if in.Stream {
		return s.ended(w, in.common, frame, total)
	}
	frame.Usage = usage(total)
	write(w, frame)
	return nil
}

// asked is what a completion asks for, but for the prompt.
func (s *server) asked(in completing) (lm.Request, error) {
	r, err := in.request(16)
	if err != nil {
		return r, err
	}
	switch {
	case len(in.Prompt) == 0:
		return r, bad("prompt", "prompt is missing")
	case slices.Contains(in.Prompt, ""):
		return r, bad("prompt", "prompt is empty: there is nothing to go on from")
	case len(in.Prompt) > mostPrompts || len(in.Prompt)*r.Samples() > s.MaxSamples:
		return r, bad("n", "%d samples of %d prompts: at most %d are made here", r.Samples(), len(in.Prompt), s.MaxSamples)
	case in.BestOf > r.Samples():
		return r, unsupported("best_of")
	case in.Suffix != "":
		return r, unsupported("suffix")
	case r.MaxTokens == 0 && !in.Echo:
		return r, bad("max_tokens", "max_tokens is 0, and at least one token is needed where echo is not set")
	case in.PromptLogprobs != nil && in.Stream:
		return r, bad("prompt_logprobs", "prompt_logprobs is not understood in a stream")
	}
	if in.Logprobs != nil {
		r.Logprobs, r.Alternatives = true, *in.Logprobs
	}
	return r, nil
}

// completion is the work on one prompt.
type completion struct {
	completing
	model   lm.Model
	request lm.Request
	first   int // index of its first choice
	usage   lm.Usage
	prompt  []lm.Token // with their log-probabilities, where they are asked for
}

// read scores the prompt, where that is asked for.
func (p *completion) read(ctx context.Context) error {
	logprobs := p.Echo && p.request.Logprobs
	if !logprobs && p.PromptLogprobs == nil {
		return nil
	}
	q := lm.ScoreRequest{Text: p.request.Prompt}
	if logprobs {
		q.Alternatives = p.request.Alternatives
	}
	s, err := p.model.Score(ctx, q)
	if err != nil {
		return err
	}
	p.prompt, p.usage = s.Tokens, s.Usage
	return nil
}

// silent says that nothing is generated: the prompt alone is given back.
func (p *completion) silent() bool { return p.Echo && p.request.MaxTokens == 0 }

// nothing is a reply of empty samples.
func (p *completion) nothing() *lm.Reply {
	out := &lm.Reply{}
	for range p.request.Samples() {
		out.Choices = append(out.Choices, lm.Choice{Finish: lm.FinishLength})
	}
	return out
}

// whole puts all choices into a reply.
func (p *completion) whole(ctx context.Context, frame *openai.Reply) error {
	if err := p.request.Check(p.model.Info()); err != nil {
		return err
	}
	if err := p.read(ctx); err != nil {
		return err
	}
	reply := p.nothing()
	if !p.silent() {
		var err error
		if reply, err = p.model.Generate(ctx, p.request); err != nil {
			return err
		}
		p.usage = reply.Usage
	}
	for i, c := range reply.Choices {
		text, tokens := c.Text, c.Tokens
		if p.Echo {
			text = p.request.Prompt + text
			tokens = append(p.prompt[:len(p.prompt):len(p.prompt)], tokens...)
		}
		out := openai.Choice{Index: new(p.first + i), Text: &text, FinishReason: &c.Finish}
		if p.request.Logprobs {
			out.Logprobs = lists(tokens, 0, p.request.Alternatives > 0)
		}
		if p.PromptLogprobs != nil {
			if out.PromptLogprobs = prompted(p.prompt); len(p.prompt) > 0 && p.prompt[0].Unscored {
				out.PromptLogprobs = out.PromptLogprobs[1:]
				out.PromptLogprobs[0] = openai.PromptToken{}
			}
		}
		frame.Choices = append(frame.Choices, out)
	}
	return nil
}

// stream gives the pieces.
func (p *completion) stream(ctx context.Context, w *writer, frame openai.Reply) error {
	if err := p.request.Check(p.model.Info()); err != nil {
		return err
	}
	if err := p.read(ctx); err != nil {
		return err
	}
	ends := make([]int, p.request.Samples()) // characters so far
	give := func(d lm.Delta) error {
		at := p.first + d.Index
		c := openai.Choice{Index: &at, Text: &d.Text}
		if p.request.Logprobs && len(d.Tokens) > 0 {
			c.Logprobs = lists(d.Tokens, ends[d.Index], p.request.Alternatives > 0)
			for _, t := range d.Tokens {
				ends[d.Index] += runes(t.Raw())
			}
		}
		if d.Finish != "" {
			c.FinishReason = &d.Finish
		}
		frame.Choices = openai.List[openai.Choice]{c}
		return w.event(frame)
	}
	if p.Echo {
		for i := range p.request.Samples() {
			if err := give(lm.Delta{Index: i, Text: p.request.Prompt, Tokens: p.prompt}); err != nil {
				return err
			}
		}
	}
	if p.silent() {
		return lm.Play(p.nothing(), give)
	}
	reply, err := lm.Stream(ctx, p.model, p.request, give)
	if err == nil {
		p.usage = reply.Usage
	}
	return err
}
