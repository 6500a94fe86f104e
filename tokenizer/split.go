package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

func runeLen(s string) int {
	_, n := utf8.DecodeRuneInString(s)
	return n
}

// gpt2 divides texts into words with the space before them, numbers and the rest
// (Radford et al. 2019).
const gpt2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// splitting is a pre-tokenizer as the file has it.
type splitting struct {
	Type          string
	PreTokenizers []json.RawMessage `json:"pretokenizers"`
	Prefix        *bool             `json:"add_prefix_space"`
	Scheme        string            `json:"prepend_scheme"`
	Replacement   string
	Split         *bool
	UseRegex      *bool `json:"use_regex"`
	Individual    bool  `json:"individual_digits"`
	Behavior      string
	Invert        bool
	Delimiter     string
	Pattern       pattern
}

// maxSteps bounds the normalizers, and the pre-tokenizers, of a file.
const maxSteps = 64

// readSplitter reads how a text is divided before the model sees it.
func readSplitter(b json.RawMessage) ([]splitter, error) {
	if len(b) == 0 || string(b) == "null" {
		return nil, nil
	}
	var p splitting
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, fmt.Errorf("the pre-tokenizer of the tokenizer: %w", err)
	}
	if p.Behavior != "" && !slices.Contains([]string{isolated, removed, contiguous, previous, next}, p.Behavior) {
		return nil, fmt.Errorf("the tokenizer divides texts by %q, which is not supported", p.Behavior)
	}
	switch p.Type {
	case "Sequence":
		var out []splitter
		for _, m := range p.PreTokenizers {
			fs, err := readSplitter(m)
			if err != nil {
				return nil, err
			}
			if out = append(out, fs...); len(out) > maxSteps {
				return nil, fmt.Errorf("the tokenizer has more than %d pre-tokenizers", maxSteps)
			}
		}
		return out, nil
	case "BertPreTokenizer":
		return []splitter{at(unicode.IsSpace, removed), at(isPunctuation, isolated)}, nil
	case "WhitespaceSplit":
		return []splitter{at(unicode.IsSpace, removed)}, nil
	case "Whitespace":
		return []splitter{each(words)}, nil
	case "Punctuation":
		if p.Behavior == "" {
			p.Behavior = isolated
		}
		return []splitter{at(isPunctuation, p.Behavior)}, nil
	case "Digits":
		if p.Individual {
			return []splitter{at(unicode.IsNumber, isolated)}, nil
		}
		return []splitter{at(unicode.IsNumber, contiguous)}, nil
	case "CharDelimiterSplit":
		return []splitter{at(func(r rune) bool { return string(r) == p.Delimiter }, removed)}, nil
	case "Split":
		return p.pattern()
	case "ByteLevel":
		return byteLevel(p.Prefix == nil || *p.Prefix, p.UseRegex == nil || *p.UseRegex)
	case "Metaspace":
		if p.Scheme == "" {
			p.Scheme = "always"
			if p.Prefix != nil && !*p.Prefix {
				p.Scheme = "never"
			}
		}
		if p.Replacement == "" {
			p.Replacement = "▁"
		}
		return []splitter{metaspace(p.Replacement, p.Scheme, p.Split == nil || *p.Split)}, nil
	}
	return nil, fmt.Errorf("the tokenizer's pre-tokenizer %q is not supported", p.Type)
}

// splitter divides a piece that is no token, and appends its parts.
type splitter struct {
	divide func(w *work, p piece, out []piece) ([]piece, error)
	bytes  bool // and the bytes of the parts are to be written as characters
}

// at divides texts at characters.
func at(f func(rune) bool, behavior string) splitter {
	return each(func(w *work, p piece, out []piece) []piece {
		return divide(p, runs(w, p.text, f), behavior, out)
	})
}

// each divides pieces in a way that cannot fail.
func each(f func(w *work, p piece, out []piece) []piece) splitter {
	return splitter{divide: func(w *work, p piece, out []piece) ([]piece, error) { return f(w, p, out), nil }}
}

// pattern divides texts at what a pattern finds, or does not find.
func (p *splitting) pattern() ([]splitter, error) {
	re, err := p.Pattern.compile()
	if err != nil {
		return nil, err
	}
	if p.Behavior == "" {
		return nil, fmt.Errorf("the tokenizer divides texts by %q, which is not supported", p.Behavior)
	}
	return []splitter{split(re, p.Invert, p.Behavior)}, nil
}

// split divides texts at what is found.
func split(re *finder, invert bool, behavior string) splitter {
	return splitter{divide: func(w *work, q piece, out []piece) ([]piece, error) {
		at, err := re.find(w, q.text)
		if err != nil {
			return nil, err
		}
		if invert {
			at = between(at, len(q.text))
		}
		return divide(q, at, behavior, out), nil
	}}
}

// What becomes of what a text is divided at.
const (
	isolated   = "Isolated"
	removed    = "Removed"
	contiguous = "Contiguous"
	previous   = "MergedWithPrevious"
	next       = "MergedWithNext"
)

// runs are the characters that f is true of.
func runs(w *work, s string, f func(rune) bool) [][2]int {
	w.at = w.at[:0]
	for at, r := range s {
		if f(r) {
			w.at = append(w.at, [2]int{at, at + runeLen(s[at:])})
		}
	}
	return w.at
}

// between is what is not matched.
func between(at [][2]int, n int) (out [][2]int) {
	last := 0
	for _, m := range at {
		if m[0] > last {
			out = append(out, [2]int{last, m[0]})
		}
		last = m[1]
	}
	if last < n {
		out = append(out, [2]int{last, n})
	}
	return out
}

// divide divides a piece at matches, and appends the parts that are not empty.
func divide(p piece, at [][2]int, behavior string, out []piece) []piece {
	s, last := p.text, 0
	add := func(lo, hi int) {
		if lo < hi {
			out = append(out, piece{s[lo:hi], -1, p.first && lo == 0})
		}
	}
	switch behavior {
	case isolated:
		for _, m := range at {
			add(last, m[0])
			add(m[0], m[1])
			last = m[1]
		}
	case contiguous:
		for i := 0; i < len(at); i++ {
			m := at[i]
			for ; i+1 < len(at) && at[i+1][0] == m[1]; i++ {
				m[1] = at[i+1][1]
			}
			add(last, m[0])
			add(m[0], m[1])
			last = m[1]
		}
	case removed:
		for _, m := range at {
			add(last, m[0])
			last = m[1]
		}
	case previous:
		for _, m := range at {
			add(last, m[1])
			last = m[1]
		}
	case next:
		for _, m := range at {
			add(last, m[0])
			last = m[0]
		}
	}
	add(last, len(s))
	return out
}

// isPunctuation is what BERT takes for it: signs of ASCII too.
func isPunctuation(r rune) bool {
	return r < 128 && r > 32 && !('0' <= r && r <= '9') && !('a' <= r && r <= 'z') && !('A' <= r && r <= 'Z') && r != 127 || unicode.IsPunct(r)
}

// words are runs of letters and digits, and runs of what is neither that nor space.
func words(_ *work, p piece, out []piece) []piece {
	s, start, kind := p.text, 0, 0
	add := func(end int) {
		if kind > 0 {
			out = append(out, piece{s[start:end], -1, p.first && start == 0})
		}
	}
	for at, r := range s {
		k := 2
		switch {
		case isWord(r) || unicode.In(r, unicode.Nl, unicode.Other_Alphabetic, unicode.Join_Control):
			k = 1
		case unicode.IsSpace(r):
			k = 0
		}
		if k != kind {
			add(at)
			start, kind = at, k
		}
	}
	add(len(s))
	return out
}

// byteRunes are the characters that stand for bytes: those that can be seen for
// themselves, others from 256.
var byteRunes [256]rune

// runeBytes are the bytes that those characters stand for.
var runeBytes = map[rune]byte{}

func init() {
	n := rune(256)
	for b := range rune(256) {
		if b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae {
			byteRunes[b] = b
		} else {
			byteRunes[b] = n
			n++
		}
		runeBytes[byteRunes[b]] = byte(b)
	}
}

// asRunes writes the bytes of a text as characters.
func asRunes(s string) string {
	var b strings.Builder
	b.Grow(2 * len(s))
	for k := range len(s) {
		b.WriteRune(byteRunes[s[k]])
	}
	return b.String()
}

// byteLevel divides texts into words, whose bytes are to be written as characters.
func byteLevel(prefix, words bool) ([]splitter, error) {
	regex := gpt2
	re, err := pattern{Regex: &regex}.compile()
	if err != nil {
		return nil, err
	}
	return []splitter{{bytes: true, divide: func(w *work, p piece, out []piece) ([]piece, error) {
		if prefix && !strings.HasPrefix(p.text, " ") {
			p.text = " " + p.text
		}
		if !words {
			return append(out, p), nil
		}
		at, err := re.find(w, p.text)
		if err != nil {
			return nil, err
		}
		return divide(p, at, isolated, out), nil
	}}}, nil
}

// metaspace writes spaces as a sign, and one before the text.
func metaspace(sign, scheme string, split bool) splitter {
	f := &finder{text: sign}
	return splitter{divide: func(w *work, p piece, out []piece) ([]piece, error) {
		text := strings.ReplaceAll(p.text, " ", sign)
		if (scheme == "always" || scheme == "first" && p.first) && !strings.HasPrefix(text, sign) {
			text = sign + text
		}
		p.text = text
		if !split {
			return append(out, p), nil
		}
		at, err := f.find(w, text)
		if err != nil {
			return nil, err
		}
		return divide(p, at, next, out), nil
	}}
}
