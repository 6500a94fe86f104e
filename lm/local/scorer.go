package local

import (
	"context"
	"errors"
	"fmt"
	"math"

	"pare/catalog"
	"pare/lm"
	"pare/lm/decode"
)

// Scorer says how likely many short texts are, one after another, in the memory of one. It holds the
// model until it is closed.
type Scorer struct {
	m      *Model
	s      *decode.Session
	window int
	row    []float32
	done   func()
}

// Scorer is for texts of so many tokens; longer ones, and those that are longer than the
// model's context, are scored in windows of as many that do not overlap.
func (m *Model) Scorer(ctx context.Context, longest int) (*Scorer, error) {
	if m.encoder != nil {
		return nil, m.fail(lm.Unsupported, errors.New("it is an encoder, which sees a text at once and says nothing of the next token: a text has no perplexity under it"))
	}
	if longest < 2 {
		return nil, m.fail(lm.Invalid, catalog.Errorf("texts of %d tokens have none that could be scored", longest))
	}
	done, err := m.take(ctx)
	if err != nil {
		return nil, err
	}
	window := min(longest, m.opt.Context)
	s, err := m.decode.NewSession(decode.Options{Capacity: window, Threads: m.opt.Threads, Most: m.opt.Memory, Cache: m.opt.Cache})
	if err != nil {
		done()
		return nil, m.fail(lm.TooLong, err)
	}
	return &Scorer{m, s, window, make([]float32, m.Family.Vocab), done}, nil
}

// Loss is the sum of the negative natural log-probabilities of tokens, and how many were scored: the
// first of each window has nothing before it and is not.
func (s *Scorer) Loss(ctx context.Context, tokens []int) (sum float64, n int, err error) {
	for _, t := range tokens {
		if t < 0 || t >= s.m.Family.Vocab {
			return 0, 0, s.m.fail(lm.Invalid, fmt.Errorf("there is no token %d: the model has %d; the text was made of another tokenizer's", t, s.m.Family.Vocab))
		}
	}
	for lo := 0; lo < len(tokens); lo += s.window {
		part := tokens[lo:min(len(tokens), lo+s.window)]
		if len(part) < 2 {
			break
		}
		x, err := s.m.window(ctx, s.s, part, s.row)
		if err != nil {
			return 0, 0, s.m.failed(ctx, err)
		}
		sum += x
		n += len(part) - 1
	}
	if math.IsNaN(sum) || math.IsInf(sum, 0) {
		return 0, 0, s.m.fail(lm.Broken, errors.New("the model gives logits that are not numbers"))
	}
	return sum, n, nil
}

// Close gives the model free.
func (s *Scorer) Close() {
	s.s.Close()
	s.done()
}
