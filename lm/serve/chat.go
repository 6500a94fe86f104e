package serve

import (
	"context"
	"time"

	"pare/internal/openai"
	"pare/lm"
)

// chat answers chat/completions.
func (s *server) chat(w *writer, ctx context.Context, body []byte) error {
	var in chatting
	if err := decode(body, &in); err != nil {
		return err
	}
	m, err := s.model(in.Model)
	if err != nil {
		return err
	}
	r, err := in.asked()
	if err != nil {
		return err
	}
	if r.Samples() > s.MaxSamples {
		return bad("n", "n %d: at most %d samples are made here", r.Samples(), s.MaxSamples)
	}
	if in.PromptLogprobs != nil {
		return s.scoreChat(w, ctx, m, in, r)
	}
	frame := openai.Reply{ID: s.id("chatcmpl"), Object: "chat.completion", Created: time.Now().Unix(), Model: in.Model}
	if in.Stream {
		return s.streamChat(w, ctx, m, in, r, frame)
	}
	reply, err := m.Generate(ctx, r)
	if err != nil {
		return err
	}
	frame.Usage = usage(reply.Usage)
	for i, c := range reply.Choices {
		frame.Choices = append(frame.Choices, chosen(i, c, r.Logprobs))
	}
	write(w, frame)
	return nil
}

// asked is what a chat asks for.
func (in chatting) asked() (lm.Request, error) {
	r, err := in.request(0)
	if err != nil {
		return r, err
	}
	if in.MaxCompletionTokens != nil {
		r.MaxTokens = *in.MaxCompletionTokens
	}
	if r.MaxTokens == 0 && (in.MaxTokens != nil || in.MaxCompletionTokens != nil) {
		return r, bad("max_tokens", "max_tokens is 0, and at least one token is needed")
	}
	if r.Messages, err = in.turns(); err != nil {
		return r, err
	}
	r.Continue = in.ContinueFinal
	if in.AddPrompt != nil && *in.AddPrompt == in.ContinueFinal {
		return r, bad("add_generation_prompt", "add_generation_prompt and continue_final_message are both %v: an answer is begun, or the last message is gone on with", in.ContinueFinal)
	}
	r.Logprobs, r.Alternatives = in.Logprobs, in.TopLogprobs
	return r, nil
}

// chosen writes a sample of a chat.
func chosen(i int, c lm.Choice, logprobs bool) openai.Choice {
	out := openai.Choice{Index: &i, Message: &openai.Message{Role: lm.Assistant, Content: &c.Text}, FinishReason: &c.Finish}
	if c.Reasoning != "" {
		out.Message.ReasoningContent = &c.Reasoning
	}
	if c.Finish == lm.FinishRefusal {
		out.Message.Refusal, out.Message.Content, out.FinishReason = &c.Text, nil, new(lm.FinishStop)
	}
	if logprobs {
		out.Logprobs = content(c.Tokens)
	}
	return out
}

// scoreChat gives the log-probabilities of the last message, the assistant's, after
// those before it.
func (s *server) scoreChat(w *writer, ctx context.Context, m lm.Model, in chatting, r lm.Request) error {
	last := len(r.Messages) - 1
	if in.Stream || !r.Continue || r.Messages[last].Role != lm.Assistant {
		return bad("prompt_logprobs", "prompt_logprobs is understood with continue_final_message, a last message of the assistant, and no stream")
	}
	if last == 0 {
		return bad("messages", "nothing stands before the message that is scored")
	}
	scores, err := m.Score(ctx, lm.ScoreRequest{Messages: r.Messages[:last], Text: r.Messages[last].Text})
	if err != nil {
		return err
	}
	write(w, openai.Reply{
		ID: s.id("chatcmpl"), Object: "chat.completion", Created: time.Now().Unix(), Model: in.Model, Usage: usage(scores.Usage), PromptLogprobs: prompted(scores.Tokens),
		Choices: openai.List[openai.Choice]{{Index: new(0), Message: &openai.Message{Role: lm.Assistant, Content: new("")}, FinishReason: new(lm.FinishLength)}},
	})
	return nil
}

// streamChat gives the pieces of samples.
func (s *server) streamChat(w *writer, ctx context.Context, m lm.Model, in chatting, r lm.Request, frame openai.Reply) error {
	frame.Object = "chat.completion.chunk"
	named := make([]bool, r.Samples())
	reply, err := lm.Stream(ctx, m, r, func(d lm.Delta) error {
		c := openai.Choice{Index: &d.Index, Delta: &openai.Message{}}
		if d.Index < len(named) && !named[d.Index] {
			named[d.Index], c.Delta.Role = true, lm.Assistant
		}
		if d.Text != "" || c.Delta.Role != "" {
			c.Delta.Content = &d.Text
		}
		if d.Reasoning != "" {
			c.Delta.ReasoningContent = &d.Reasoning
		}
		if r.Logprobs && len(d.Tokens) > 0 {
			c.Logprobs = content(d.Tokens)
		}
		if d.Finish != "" {
			c.FinishReason = &d.Finish
		}
		if d.Finish == lm.FinishRefusal {
			c.Delta.Refusal, c.Delta.Content, c.FinishReason = &d.Text, nil, new(lm.FinishStop)
		}
		frame.Choices = openai.List[openai.Choice]{c}
		return w.event(frame)
	})
	if err != nil {
		return err
	}
	return s.ended(w, in.common, frame, reply.Usage)
}

// ended ends a stream.
func (s *server) ended(w *writer, in common, frame openai.Reply, u lm.Usage) error {
	if in.StreamOptions != nil && in.StreamOptions.IncludeUsage {
		frame.Choices, frame.Usage = openai.List[openai.Choice]{}, usage(u)
		if err := w.event(frame); err != nil {
			return err
		}
	}
	return w.event([]byte(openai.Done))
}
