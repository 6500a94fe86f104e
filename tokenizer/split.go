package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

type splitter = func([]piece) ([]piece, error)

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

// readSplitter reads how a text is divided before the model sees it.
func readSplitter(b json.RawMessage) ([]splitter, error) {
	if len(b) == 0 || string(b) == "null" {
		return nil, nil
	}
	var p splitting
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, fmt.Errorf("the pre-tokenizer of the tokenizer: %w", err)
	}
	switch p.Type {
	case "Sequence":
		var out []splitter
		for _, m := range p.PreTokenizers {
			fs, err := readSplitter(m)
			if err != nil {
				return nil, err
			}
			out = append(out, fs...)
		}
		return out, nil
	case "BertPreTokenizer":
		return []splitter{at(unicode.IsSpace, removed), at(isPunctuation, isolated)}, nil
	case "WhitespaceSplit":
		return []splitter{at(unicode.IsSpace, removed)}, nil
	case "Whitespace":
		return []splitter{each(func(q piece) ([]string, error) { return words(q.text), nil })}, nil
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
		return metaspace(p.Replacement, p.Scheme, p.Split == nil || *p.Split), nil
	}
	return nil, fmt.Errorf("the tokenizer's pre-tokenizer %q is not supported", p.Type)
}

// at divides texts at characters.
func at(f func(rune) bool, behavior string) splitter {
	return each(func(q piece) ([]string, error) {
		return divide(q.text, runs(q.text, f, behavior == contiguous), behavior)
	})
}

// pattern divides texts at what a pattern finds, or does not find.
func (p *splitting) pattern() ([]splitter, error) {
	re, err := p.Pattern.compile()
	if err != nil {
		return nil, err
	}
	return []splitter{each(func(q piece) ([]string, error) {
		at, err := re.find(q.text)
		if err != nil {
			return nil, err
		}
		if p.Invert {
			at = between(at, len(q.text))
		}
		return divide(q.text, at, p.Behavior)
	})}, nil
}

// each divides every piece that is no token yet.
func each(f func(piece) ([]string, error)) splitter {
	return func(in []piece) ([]piece, error) {
		var out []piece
		for _, p := range in {
			if p.token >= 0 {
				out = append(out, p)
				continue
			}
			parts, err := f(p)
			if err != nil {
				return nil, err
			}
			for i, s := range parts {
				if s != "" {
					out = append(out, piece{s, -1, p.first && i == 0})
				}
			}
		}
		return out, nil
	}
}

// What becomes of what a text is divided at.
const (
	isolated   = "Isolated"
	removed    = "Removed"
	contiguous = "Contiguous"
	previous   = "MergedWithPrevious"
	next       = "MergedWithNext"
)

// runs are the characters that f is true of, one by one or together.
func runs(s string, f func(rune) bool, together bool) (out [][2]int) {
	for at, r := range s {
		if !f(r) {
			continue
		}
		end := at + runeLen(s[at:])
		if k := len(out) - 1; together && k >= 0 && out[k][1] == at {
			out[k][1] = end
			continue
		}
		out = append(out, [2]int{at, end})
	}
	return out
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

// divide divides a text at matches.
func divide(s string, at [][2]int, behavior string) (out []string, err error) {
	last := 0
	switch behavior {
	case isolated, contiguous:
		for _, m := range at {
			if behavior == contiguous && len(out) > 0 && m[0] == last && last > 0 {
				out[len(out)-1] += s[m[0]:m[1]]
			} else {
				out = append(out, s[last:m[0]], s[m[0]:m[1]])
			}
			last = m[1]
		}
	case removed:
		for _, m := range at {
			out = append(out, s[last:m[0]])
			last = m[1]
		}
	case previous:
		for _, m := range at {
			out = append(out, s[last:m[1]])
			last = m[1]
		}
	case next:
		for _, m := range at {
			out = append(out, s[last:m[0]])
			last = m[0]
		}
	default:
		return nil, fmt.Errorf("the tokenizer divides texts by %q, which is not supported", behavior)
	}
	return append(out, s[last:]), nil
}

// isPunctuation is what BERT takes for it: signs of ASCII too.
func isPunctuation(r rune) bool {
	return r < 128 && r > 32 && !('0' <= r && r <= '9') && !('a' <= r && r <= 'z') && !('A' <= r && r <= 'Z') && r != 127 || unicode.IsPunct(r)
}

// words are runs of letters and digits, and runs of what is neither that nor space.
func words(s string) (out []string) {
	start, kind := 0, 0
	for at, r := range s {
		k := 2
		switch {
		case isWord(r) || unicode.In(r, unicode.Nl, unicode.Other_Alphabetic, unicode.Join_Control):
			k = 1
		case unicode.IsSpace(r):
			k = 0
		}
		if k != kind {
			if kind > 0 {
				out = append(out, s[start:at])
			}
			start, kind = at, k
		}
	}
	if kind > 0 {
		out = append(out, s[start:])
	}
	return out
}

// byteRunes are the characters that stand for bytes: those that can be seen for
// themselves, others from 256.
var byteRunes [256]rune

func init() {
	n := rune(256)
	for b := range rune(256) {
		if b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae {
			byteRunes[b] = b
		} else {
			byteRunes[b] = n
			n++
		}
	}
}

// byteLevel divides texts into words and writes their bytes as characters.
func byteLevel(prefix, split bool) ([]splitter, error) {
	regex := gpt2
	re, err := pattern{Regex: &regex}.compile()
	if err != nil {
		return nil, err
	}
	return []splitter{each(func(p piece) ([]string, error) {
		text := p.text
		if prefix && !strings.HasPrefix(text, " ") {
			text = " " + text
		}
		parts := []string{text}
		if split {
			at, err := re.find(text)
			if err == nil {
				parts, err = divide(text, at, isolated)
			}
			if err != nil {
				return nil, err
			}
		}
		for i, s := range parts {
			var b strings.Builder
			for k := range len(s) {
				b.WriteRune(byteRunes[s[k]])
			}
			parts[i] = b.String()
		}
		return parts, nil
	})}, nil
}

// metaspace writes spaces as a sign, and one before the text.
func metaspace(sign, scheme string, split bool) []splitter {
	f := &finder{text: sign}
	return []splitter{each(func(p piece) ([]string, error) {
		text := strings.ReplaceAll(p.text, " ", sign)
		if (scheme == "always" || scheme == "first" && p.first) && !strings.HasPrefix(text, sign) {
			text = sign + text
		}
		if !split {
			return []string{text}, nil
		}
		at, err := f.find(text)
		if err != nil {
			return nil, err
		}
		return divide(text, at, next)
	})}
}
