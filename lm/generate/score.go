package generate

import (
	"context"
	"fmt"

	"pare/internal/kernel"
	"pare/lm/decode"
)

// Scored is a continuation of a context, as the model sees it.
type Scored struct {
	LogProbs []float64 // natural, of each token behind all before it
	Sum      float64
	Greedy   bool // every token is the likeliest
}

// Score gives the log-probabilities of continuations of one context, which is computed
// once. It empties the sequences of the session that it uses. It returns an error where the
// context is empty, or a text is too long or has a token that the model has not.
func Score(ctx context.Context, s *decode.Session, before []int, continuations [][]int) ([]Scored, error) {
	if len(before) == 0 {
		return nil, fmt.Errorf("the context has no tokens: begin with the one that begins texts")
	}
	vocab := s.Model().Config().Vocab
	for i, c := range continuations {
		for _, t := range c {
			if t < 0 || t >= vocab {
				return nil, fmt.Errorf("continuation %d: token %d is not among the %d of the vocabulary", i, t, vocab)
			}
		}
	}
	for seq := range s.Sequences() {
		if err := s.Truncate(seq, 0); err != nil {
			return nil, err
		}
	}
	out, row := make([]Scored, len(continuations)), make([]float32, vocab)
	for i := range out {
		out[i].Greedy = true
	}
	see := func(i, at int, logits []float32) {
		token := continuations[i][at]
		kernel.LogSoftmax(logits, row, len(row))
		r := &out[i]
		r.LogProbs = append(r.LogProbs, float64(row[token]))
		r.Sum += float64(row[token])
		r.Greedy = r.Greedy && kernel.Argmax(logits) == token
	}
	err := s.Run([]decode.Input{{Tokens: before}}, func(_, _ int, logits []float32) error {
		for i, c := range continuations {
			if len(c) > 0 {
				see(i, 0, logits)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, follow(ctx, s, len(before), continuations, see)
}

// follow runs the continuations behind the context of n tokens that is in the first
// sequence, as many side by side as there are sequences. see is told of all logits but the
// first.
func follow(ctx context.Context, s *decode.Session, n int, continuations [][]int, see func(i, at int, logits []float32)) error {
	var in []decode.Input
	var of []int
	for i := 0; i < len(continuations); {
		if err := ctx.Err(); err != nil {
			return err
		}
		in, of = in[:0], of[:0]
		for ; i < len(continuations) && len(in) < s.Sequences(); i++ {
			c := continuations[i]
			if len(c) < 2 {
				continue
			}
			if err := s.Fork(len(in), 0); err != nil {
				return err
			}
			in, of = append(in, decode.Input{Seq: len(in), Tokens: c[:len(c)-1], All: true}), append(of, i)
		}
		err := s.Run(in, func(k, at int, logits []float32) error {
			see(of[k], at+1, logits)
			return nil
		})
		if err != nil {
			return err
		}
		if err := s.Truncate(0, n); err != nil {
			return err
		}
	}
	return nil
}
