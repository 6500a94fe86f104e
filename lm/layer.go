package lm

import (
	"context"
	"fmt"
)

// call is one question to a model, of one of three kinds.
type call struct {
	Generate *Request      `json:"generate,omitempty"`
	Score    *ScoreRequest `json:"score,omitempty"`
	Embed    *EmbedRequest `json:"embed,omitempty"`
}

// answer is what comes of a call.
type answer struct {
	Generate *Reply      `json:"generate,omitempty"`
	Score    *Scores     `json:"score,omitempty"`
	Embed    *Embeddings `json:"embed,omitempty"`
}

// ask puts a call to a model; pieces go to each where it is not nil.
func (c call) ask(ctx context.Context, m Model, each func(Delta) error) (a answer, err error) {
	switch {
	case c.Score != nil:
		a.Score, err = m.Score(ctx, *c.Score)
	case c.Embed != nil:
		a.Embed, err = m.Embed(ctx, *c.Embed)
	case each != nil:
		a.Generate, err = Stream(ctx, m, *c.Generate, each)
	default:
		a.Generate, err = m.Generate(ctx, *c.Generate)
	}
	return a, err
}

// check refuses a call that the model cannot answer.
func (c call) check(i Info) error {
	switch {
	case c.Score != nil:
		return c.Score.Check(i)
	case c.Embed != nil:
		return c.Embed.Check(i)
	}
	return c.Generate.Check(i)
}

// name is what a call is called.
func (c call) name() string {
	switch {
	case c.Score != nil:
		return "score"
	case c.Embed != nil:
		return "embed"
	}
	return "generate"
}

// normal writes calls of one meaning in one way.
func (c call) normal() call {
	if c.Generate == nil {
		return c
	}
	r := *c.Generate
	r.N = r.Samples()
	if r.TopP == 1 {
		r.TopP = 0
	}
	if r.RepetitionPenalty == 1 {
		r.RepetitionPenalty = 0
	}
	return call{Generate: &r}
}

// chance says whether the same call may be answered otherwise next time.
func (c call) chance() bool {
	return c.Generate != nil && c.Generate.Temperature > 0 && c.Generate.Seed == nil
}

// whole says whether an answer is what the call asked for: the kind, and as many
// parts.
func (a answer) whole(c call) bool {
	switch {
	case c.Score != nil:
		return a.Score != nil && len(a.Score.Tokens) > 0
	case c.Embed != nil:
		return a.Embed != nil && len(a.Embed.Vectors) == len(c.Embed.Texts)
	}
	return a.Generate != nil && len(a.Generate.Choices) == c.Generate.Samples()
}

// kept marks an answer as one that was not made now.
func (a answer) kept() answer {
	switch {
	case a.Score != nil:
		a.Score.Kept = true
	case a.Embed != nil:
		a.Embed.Kept = true
	case a.Generate != nil:
		a.Generate.Kept = true
	}
	return a
}

// usage is what an answer took, and whether it was made now.
func (a answer) usage() (u Usage, kept, ok bool) {
	switch {
	case a.Score != nil:
		return a.Score.Usage, a.Score.Kept, true
	case a.Embed != nil:
		return a.Embed.Usage, a.Embed.Kept, true
	case a.Generate != nil:
		return a.Generate.Usage, a.Generate.Kept, true
	}
	return Usage{}, false, false
}

// layer is a model around a model: all its calls go one way.
type layer struct {
	info func() Info
	do   func(ctx context.Context, c call, each func(Delta) error) (answer, error)
}

func (l layer) Info() Info { return l.info() }

func (l layer) Generate(ctx context.Context, r Request) (*Reply, error) {
	a, err := l.do(ctx, call{Generate: &r}, nil)
	return a.Generate, err
}

func (l layer) Stream(ctx context.Context, r Request, each func(Delta) error) (*Reply, error) {
	a, err := l.do(ctx, call{Generate: &r}, each)
	return a.Generate, err
}

func (l layer) Score(ctx context.Context, r ScoreRequest) (*Scores, error) {
	a, err := l.do(ctx, call{Score: &r}, nil)
	return a.Score, err
}

func (l layer) Embed(ctx context.Context, r EmbedRequest) (*Embeddings, error) {
	a, err := l.do(ctx, call{Embed: &r}, nil)
	return a.Embed, err
}

// one says whether a call is of one kind.
func (c call) one() bool {
	n := 0
	for _, is := range []bool{c.Generate != nil, c.Score != nil, c.Embed != nil} {
		if is {
			n++
		}
	}
	return n == 1
}

// title is a call as messages name it: its kind, and how its text ends.
func (c call) title() string {
	text := ""
	switch {
	case c.Score != nil:
		text = c.Score.Text
	case c.Embed != nil && len(c.Embed.Texts) > 0:
		text = c.Embed.Texts[0]
	case c.Generate != nil && len(c.Generate.Messages) > 0:
		text = c.Generate.Messages[len(c.Generate.Messages)-1].Text
	case c.Generate != nil:
		text = c.Generate.Prompt
	}
	if r := []rune(text); len(r) > 60 {
		text = "…" + string(r[len(r)-60:])
	}
	return fmt.Sprintf("%s %q", c.name(), text)
}

// copied is an answer whose top can be written to.
func (a answer) copied() answer {
	if a.Generate != nil {
		r := *a.Generate
		a.Generate = &r
	}
	if a.Score != nil {
		r := *a.Score
		a.Score = &r
	}
	if a.Embed != nil {
		r := *a.Embed
		a.Embed = &r
	}
	return a
}
