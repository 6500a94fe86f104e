package endpoint

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"pare/internal/openai"
	"pare/lm"
)

// tokens reads the tokens of a choice, of which the first begins at an offset: in the
// form of chats, or in that of completions.
func tokens(in *openai.Logprobs, alternatives, offset int) ([]lm.Token, error) {
	if in.Content == nil && in.Tokens != nil {
		return old(in, alternatives, offset)
	}
	if in.Content == nil {
		return nil, errors.New("content is missing")
	}
	out := make([]lm.Token, 0, len(in.Content))
	for i, t := range in.Content {
		lp, err := logprob(t.Logprob, fmt.Sprintf("content[%d].logprob", i))
		if err != nil {
			return nil, err
		}
		raw, err := bytesOf(t.Token, t.Bytes)
		if err != nil {
			return nil, fmt.Errorf("content[%d].%w", i, err)
		}
		k := lm.Token{Offset: offset, Logprob: lp}
		k.Text, k.Bytes = shown(raw)
		if len(t.TopLogprobs) < alternatives {
			return nil, fmt.Errorf("content[%d].top_logprobs has %d elements, and %d were asked for", i, len(t.TopLogprobs), alternatives)
		}
		for j, a := range t.TopLogprobs {
			lp, err := logprob(a.Logprob, fmt.Sprintf("content[%d].top_logprobs[%d].logprob", i, j))
			if err != nil {
				return nil, err
			}
			b, err := bytesOf(a.Token, a.Bytes)
			if err != nil {
				return nil, fmt.Errorf("content[%d].top_logprobs[%d].%w", i, j, err)
			}
			alt := lm.Alternative{Logprob: lp}
			alt.Text, alt.Bytes = shown(b)
			k.Alternatives = append(k.Alternatives, alt)
		}
		k.Alternatives = best(k.Alternatives, alternatives)
		out = append(out, k)
		offset += len(raw)
	}
	return out, nil
}

// old reads the form of completions.
func old(in *openai.Logprobs, alternatives, offset int) ([]lm.Token, error) {
	if len(in.TokenLogprobs) != len(in.Tokens) {
		return nil, fmt.Errorf("token_logprobs has %d elements for %d tokens", len(in.TokenLogprobs), len(in.Tokens))
	}
	if alternatives > 0 && len(in.TopLogprobs) != len(in.Tokens) {
		return nil, fmt.Errorf("top_logprobs has %d elements for %d tokens", len(in.TopLogprobs), len(in.Tokens))
	}
	out := make([]lm.Token, 0, len(in.Tokens))
	for i, s := range in.Tokens {
		raw := openai.Unescape(s)
		k := lm.Token{Offset: offset}
		k.Text, k.Bytes = shown(raw)
		if in.TokenLogprobs[i] == nil && i == 0 { // nothing stands before it
			k.Unscored = true
		} else {
			lp, err := logprob(in.TokenLogprobs[i], fmt.Sprintf("token_logprobs[%d]", i))
			if err != nil {
				return nil, err
			}
			k.Logprob = lp
		}
		if alternatives > 0 {
			for s, x := range in.TopLogprobs[i] {
				lp, err := logprob(&x, fmt.Sprintf("top_logprobs[%d]", i))
				if err != nil {
					return nil, err
				}
				alt := lm.Alternative{Logprob: lp}
				alt.Text, alt.Bytes = shown(openai.Unescape(s))
				k.Alternatives = append(k.Alternatives, alt)
			}
		}
		k.Alternatives = best(k.Alternatives, alternatives)
		out = append(out, k)
		offset += len(raw)
	}
	return out, nil
}

// best is the likeliest alternatives, ties by their text.
func best(as []lm.Alternative, n int) []lm.Alternative {
	slices.SortStableFunc(as, func(a, b lm.Alternative) int {
		return cmp.Or(cmp.Compare(b.Logprob, a.Logprob), strings.Compare(a.Text, b.Text))
	})
	if n == 0 {
		return nil
	}
	return as[:min(n, len(as))]
}

// bytesOf is a token's bytes, which are what its text is made of where they are
// missing.
func bytesOf(text string, bytes []int) ([]byte, error) {
	if bytes == nil {
		return openai.Unescape(text), nil
	}
	out := make([]byte, len(bytes))
	for i, x := range bytes {
		if x < 0 || x > math.MaxUint8 {
			return nil, fmt.Errorf("bytes[%d] is %d", i, x)
		}
		out[i] = byte(x)
	}
	return out, nil
}

// shown is a token as text, and as bytes where it is no whole characters.
func shown(raw []byte) (string, []byte) {
	if utf8.Valid(raw) {
		return string(raw), nil
	}
	return strings.ToValidUTF8(string(raw), "\ufffd"), raw
}

// ending takes the tokens of a text off the end of those of a prompt that ends in it.
// A token that is no whole character, and of which a server shows only that, stands
// for the characters beside ASCII that are left between its neighbours.
func ending(all []lm.Token, text string) ([]lm.Token, error) {
	left := len(text)
	at := len(all)
	for left > 0 {
		at--
		if at < 0 {
			return nil, fmt.Errorf("the tokens of the prompt do not end in the text")
		}
		t := all[at]
		switch raw := string(t.Raw()); {
		case t.Bytes == nil && strings.Contains(t.Text, "\ufffd") && !strings.HasSuffix(text[:left], t.Text):
			first := odd(all, at)
			n := characters(all, first, text[:left], at-first+1)
			if n == 0 {
				return nil, fmt.Errorf("token %d, %.40q, is no part of the text", at, t.Text)
			}
			left -= n
			for i := first; i <= at; i++ {
				all[i].Offset = left
			}
			at = first
		case strings.HasSuffix(text[:left], raw):
			left -= len(raw)
			all[at].Offset = left
		case strings.HasSuffix(raw, text[:left]):
			return nil, &straddle{raw}
		default:
			return nil, fmt.Errorf("token %d, %.40q, is no part of the text", at, t.Text)
		}
	}
	return all[at:], nil
}

// straddle says that a token begins before the text and ends in it.
type straddle struct{ token string }

func (s *straddle) Error() string {
	return fmt.Sprintf("the token %.40q begins before {Text} and ends in it: let {Text} begin a character earlier or later; often a blank at the end of what stands before has to move", s.token)
}

// odd is where a row of tokens that are no whole characters begins.
func odd(all []lm.Token, at int) int {
	for at > 0 && all[at-1].Bytes == nil && strings.Contains(all[at-1].Text, "\ufffd") {
		at--
	}
	return at
}

// characters is how many bytes at the end of a text the odd tokens from first on
// stand for: the fewest characters, at most one a token, before which the token before
// them ends.
func characters(all []lm.Token, first int, text string, most int) int {
	n := 0
	for range most {
		r, size := utf8.DecodeLastRuneInString(text[:len(text)-n])
		if r < utf8.RuneSelf {
			return 0
		}
		n += size
		rest := text[:len(text)-n]
		if rest == "" || first > 0 && (strings.HasSuffix(rest, string(all[first-1].Raw())) || strings.HasSuffix(string(all[first-1].Raw()), rest)) {
			return n
		}
	}
	return 0
}
