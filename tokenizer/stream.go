package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// Stream puts tokens together as a text while they come. What it gives, one after the
// other, is the text of all of them; the bytes of a character that has not ended are
// held back. One departure from [Tokenizer.Decode]: a run of byte tokens that is no
// UTF-8 as a whole keeps what is, for that was given before.
type Stream struct {
	t      *Tokenizer
	skip   bool
	tokens []string // the last ones
	sent   int      // bytes of their text that were given
}

// Stream begins a text; special tokens are left out where skip says so.
func (t *Tokenizer) Stream(skip bool) *Stream { return &Stream{t: t, skip: skip} }

// window is how many tokens are kept, of which a part is dropped when there are twice
// as many. What a token looks like depends on the one before it alone, and four hold
// the bytes of a character.
const window = 8

// Next takes a token and gives what it adds to the text, which may be nothing yet.
func (s *Stream) Next(id int32) (string, error) {
	token, ok := s.t.shown(id, s.skip)
	if !ok {
		return "", nil
	}
	s.tokens = append(s.tokens, token)
	text, err := s.text(s.tokens, true)
	if err != nil {
		return "", err
	}
	end := len(text) - unfinished(text)
	out := ""
	if end > s.sent {
		out, s.sent = text[s.sent:end], end
	}
	if len(s.tokens) >= 2*window {
		kept := s.tokens[len(s.tokens)-window:]
		before, err := s.text(kept, true)
		if err != nil {
			return out, err
		}
		s.tokens = append(s.tokens[:0], kept...)
		s.sent = len(before) - unfinished(before)
	}
	return out, nil
}

// End gives what was held back, and begins anew.
func (s *Stream) End() (string, error) {
	text, err := s.text(s.tokens, true)
	out := ""
	if err == nil && len(text) > s.sent {
		out = eachInvalid(text[s.sent:], !s.t.decode.single)
	}
	s.tokens, s.sent = s.tokens[:0], 0
	return out, err
}

func (s *Stream) text(tokens []string, open bool) (string, error) {
	return s.t.join(append([]string(nil), tokens...), open)
}

// eachValid puts U+FFFD in the place of each byte that is no UTF-8, but for the
// beginning of a character at the end.
func eachValid(s string) string {
	n := len(s) - unfinished(s)
	return eachInvalid(s[:n], false) + s[n:]
}

// eachInvalid puts U+FFFD in the place of what is no UTF-8: of each byte, or once for
// the beginning of a character.
func eachInvalid(s string, together bool) string {
	if together {
		return valid(s)
	}
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s { // a byte that is none is U+FFFD
		b.WriteRune(r)
	}
	return b.String()
}
