package lm

import "math"

// An upper bound of the tokens of a prompt: a tokenizer that falls back on bytes makes
// no more tokens than bytes; beside them stand the tokens of the chat's template.
const (
	aroundCall    = 64 // tokens that a template may put around a chat, such as a date
	aroundMessage = 16 // tokens that it may put around a message
)

// bound is the most that a call takes, in calls of the home and in tokens; ok is
// false where the completion has no end.
func (c call) bound(i Info) (u Usage, ok bool) {
	switch {
	case c.Embed != nil:
		n := len(c.Embed.Texts)
		u.Calls = parts(n, i.Can.Texts)
		for _, t := range c.Embed.Texts {
			u.Prompt += len(t) + aroundCall
		}
		return u, true
	case c.Score != nil:
		s := c.Score
		return Usage{Calls: 1, Prompt: capped(before(s.Messages, s.Prompt)+len(s.Text), i), Completion: 1}, true
	}
	r := c.Generate
	u.Calls = parts(r.Samples(), i.Can.Samples)
	prompt := capped(before(r.Messages, r.Prompt), i)
	each := r.MaxTokens
	if i.Context > 0 && (each == 0 || each > i.Context) {
		each = i.Context
	}
	u.Prompt, u.Completion = u.Calls*prompt, r.Samples()*each
	return u, each > 0
}

// before bounds the tokens of what stands before.
func before(ms []Message, prompt string) int {
	n := len(prompt) + aroundCall
	for _, m := range ms {
		n += len(m.Text) + aroundMessage
	}
	return n
}

func capped(n int, i Info) int {
	if i.Context > 0 {
		return min(n, i.Context)
	}
	return n
}

// parts is how many calls of at most so many make n. 0: any number fits one.
func parts(n, most int) int {
	if most <= 0 {
		return 1
	}
	return int(math.Ceil(float64(n) / float64(most)))
}
