// Package generate writes texts with a language model, and says how likely texts are to it.
//
// [Run] chooses token after token by a [Sampling], for several prompts and several samples
// of each at once. [Score] gives the log-probabilities of texts that are given.
package generate

import (
	"context"
	"fmt"
	"math"
	"slices"

	"pare/catalog"
	"pare/internal/kernel"
	"pare/lm/decode"
)

// Options of Run.
type Options struct {
	Sampling
	Samples int    // of each prompt; 0: 1
	Tokens  int    // new ones of each text at most; 0: as many as there is room for
	Stop    []int  // tokens after which a text ends; they are part of it
	Seed    uint64 // of all draws
	Top     int    // how many of the likeliest tokens are listed at each place

	// Each, if it is set, is called for every token as soon as it is chosen. Its error ends
	// the run.
	Each func(t *Text) error
}

// End says why a text ends.
type End string

// The ends.
const (
	Stopped End = "stop"   // by a token of Stop
	Full    End = "length" // it has as many tokens as it may have, or there is room for
)

// Text is what follows a prompt.
type Text struct {
	Prompt, Sample int
	Tokens         []int
	LogProbs       []float64  // natural, of each token, as the model gives them before any Sampling
	Top            [][]Choice // at each place the likeliest tokens and their probabilities by the model
	End            End

	sampler *Sampler
	seq     int
	text    []int // with the prompt
}

// Run writes Samples texts for each prompt, in the order of the prompts. They are decoded
// side by side in the session's first sequences, which are emptied before; what the prompts
// have in common is computed once. The same seed gives the same texts for any number of
// threads.
//
// It returns an error where an option is out of range, a prompt is empty, too long or has a
// token that the model has not, or there are more texts than the session has sequences;
// and where the context ends.
func Run(ctx context.Context, s *decode.Session, prompts [][]int, o Options) ([]*Text, error) {
	if err := o.check(s, prompts); err != nil {
		return nil, err
	}
	texts, err := o.texts(s, prompts)
	if err != nil {
		return nil, err
	}
	k, err := shared(s, prompts, len(texts))
	if err != nil {
		return nil, err
	}
	open := slices.Clone(texts)
	in := make([]decode.Input, 0, len(texts))
	for _, t := range open {
		in = append(in, decode.Input{Seq: t.seq, Tokens: prompts[t.Prompt][k:]})
	}
	row := make([]float32, s.Model().Config().Vocab)
	for len(open) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		err := s.Run(in, func(i, _ int, logits []float32) error { return o.next(open[i], logits, row) })
		if err != nil {
			return nil, err
		}
		open = slices.DeleteFunc(open, func(t *Text) bool {
			if t.End == "" && (s.Left(t.seq) == 0 || o.Tokens > 0 && len(t.Tokens) == o.Tokens) {
				t.End = Full
			}
			return t.End != ""
		})
		in = in[:0]
		for _, t := range open {
			in = append(in, decode.Input{Seq: t.seq, Tokens: t.Tokens[len(t.Tokens)-1:]})
		}
	}
	return texts, nil
}

func (o *Options) check(s *decode.Session, prompts [][]int) error {
	switch {
	case o.Samples < 0:
		return catalog.Bad("Samples", o.Samples, "a number of texts, or 0 for one")
	case o.Tokens < 0:
		return catalog.Bad("Tokens", o.Tokens, "a number of tokens, or 0 for all that there is room for")
	case o.Top < 0:
		return catalog.Bad("Top", o.Top, "a number of tokens")
	}
	o.Samples = max(o.Samples, 1)
	if have := s.Sequences(); len(prompts) > have/o.Samples {
		return fmt.Errorf("%d texts for each of %d prompts: the session has %d sequences", o.Samples, len(prompts), have)
	}
	for i, p := range prompts {
		if len(p) == 0 {
			return fmt.Errorf("prompt %d has no tokens: begin with the one that begins texts", i)
		}
	}
	return o.Check()
}

// texts are those to be written.
func (o *Options) texts(s *decode.Session, prompts [][]int) (out []*Text, err error) {
	for p, prompt := range prompts {
		for k := range o.Samples {
			t := &Text{Prompt: p, Sample: k, seq: len(out), text: slices.Clone(prompt)}
			if t.sampler, err = NewSampler(o.Sampling, o.Seed, uint64(len(out))); err != nil {
				return nil, err
			}
			if err := s.Truncate(t.seq, 0); err != nil {
				return nil, err
			}
			out = append(out, t)
		}
	}
	return out, nil
}

// shared computes what all prompts begin with, all but the last token of any, in the first
// of n sequences, and copies it to the others. k is the number of tokens.
func shared(s *decode.Session, prompts [][]int, n int) (k int, err error) {
	if len(prompts) == 0 {
		return 0, nil
	}
	first := prompts[0]
	k = len(first) - 1
	for _, p := range prompts {
		k = min(k, len(p)-1)
		for i := range k {
			if p[i] != first[i] {
				k = i
				break
			}
		}
	}
	if k == 0 || n == 1 {
		return 0, nil
	}
	if err := s.Run([]decode.Input{{Tokens: first[:k]}}, nil); err != nil {
		return 0, err
	}
	for seq := 1; seq < n; seq++ {
		if err := s.Fork(seq, 0); err != nil {
			return 0, err
		}
	}
	return k, nil
}

// next chooses the next token of a text.
func (o *Options) next(t *Text, logits, row []float32) error {
	token := t.sampler.Next(logits, t.text)
	if token < 0 {
		return fmt.Errorf("the model gives logits that are not numbers after %d tokens", len(t.text))
	}
	most, sum := kernel.ExpSum(logits, row)
	t.Tokens, t.text = append(t.Tokens, token), append(t.text, token)
	t.LogProbs = append(t.LogProbs, float64(logits[token]-most-float32(math.Log(float64(sum)))))
	if o.Top > 0 {
		kernel.LogSoftmax(logits, row, len(row))
		t.Top = append(t.Top, Likeliest(row, o.Top))
	}
	if slices.Contains(o.Stop, token) {
		t.End = Stopped
	}
	if o.Each != nil {
		return o.Each(t)
	}
	return nil
}

// Likeliest lists k tokens by their log-probabilities.
func Likeliest(row []float32, k int) []Choice {
	out := make([]Choice, 0, k+1)
	for t, x := range row {
		if len(out) == k && float64(x) <= out[k-1].P {
			continue
		}
		i, _ := slices.BinarySearchFunc(out, float64(x), func(c Choice, x float64) int {
			if c.P >= x {
				return -1
			}
			return 1
		})
		out = slices.Insert(out, i, Choice{t, float64(x)})
		out = out[:min(len(out), k)]
	}
	for i := range out {
		out[i].P = math.Exp(out[i].P)
	}
	return out
}
