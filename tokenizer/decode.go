package tokenizer

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decoder is a step from tokens to a text: it changes the texts of tokens, or joins
// them. Where more tokens follow (open), what is unfinished at the end stays bytes
// that are no UTF-8.
type decoder func(tokens []string, open bool) ([]string, error)

// decoders are the steps, one after the other.
type decoders struct {
	steps  []decoder
	apart  bool // there are none: tokens are put together with spaces
	single bool // bytes that are no UTF-8 become U+FFFD one by one
}

// Decode puts tokens together as a text. Numbers that are no tokens are passed over,
// and special tokens where skip says so. Bytes that are no UTF-8 become U+FFFD.
func (t *Tokenizer) Decode(ids []int32, skip bool) (string, error) {
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		if s, ok := t.shown(id, skip); ok {
			tokens = append(tokens, s)
		}
	}
	return t.join(tokens, false)
}

// shown is the text of a token that is part of a text.
func (t *Tokenizer) shown(id int32, skip bool) (string, bool) {
	s, ok := t.Token(id)
	return s, ok && !(skip && t.special[s])
}

func (t *Tokenizer) join(tokens []string, open bool) (string, error) {
	if t.decode.apart {
		return strings.Join(tokens, " "), nil
	}
	for _, f := range t.decode.steps {
		var err error
		if tokens, err = f(tokens, open); err != nil {
			return "", err
		}
	}
	return strings.Join(tokens, ""), nil
}

// read reads how texts are made of tokens.
func (all *decoders) read(b json.RawMessage) error {
	if len(b) == 0 || string(b) == "null" {
		all.apart = true
		return nil
	}
	var err error
	all.steps, err = all.readSteps(b)
	return err
}

func (all *decoders) readSteps(b json.RawMessage) ([]decoder, error) {
	var d struct {
		Type        string
		Decoders    []json.RawMessage
		Prefix      *string
		Cleanup     *bool
		Replacement string
		Scheme      string `json:"prepend_scheme"`
		AddPrefix   *bool  `json:"add_prefix_space"`
		Content     string
		Start, Stop int
		Pattern     pattern
		Suffix      *string
		PadToken    *string `json:"pad_token"`
		Delimiter   *string `json:"word_delimiter_token"`
	}
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("the decoder of the tokenizer: %w", err)
	}
	str := func(s *string, def string) string {
		if s == nil {
			return def
		}
		return *s
	}
	clean := d.Cleanup == nil || *d.Cleanup
	switch d.Type {
	case "Sequence":
		var out []decoder
		for _, m := range d.Decoders {
			fs, err := all.readSteps(m)
			if err != nil {
				return nil, err
			}
			if out = append(out, fs...); len(out) > maxSteps {
				return nil, fmt.Errorf("the tokenizer has more than %d decoders", maxSteps)
			}
		}
		return out, nil
	case "ByteLevel":
		return []decoder{bytesOf}, nil
	case "ByteFallback":
		all.single = true
		return []decoder{hexBytes}, nil
	case "Fuse":
		return []decoder{fuse}, nil
	case "WordPiece":
		prefix := str(d.Prefix, "##")
		return []decoder{wordPieces(prefix, clean)}, nil
	case "Metaspace":
		never := d.Scheme == "never" || d.Scheme == "" && d.AddPrefix != nil && !*d.AddPrefix
		if d.Replacement == "" {
			d.Replacement = "▁"
		}
		return []decoder{signs(d.Replacement, never)}, nil
	case "Strip":
		if r, n := utf8.DecodeRuneInString(d.Content); r == utf8.RuneError || n != len(d.Content) || d.Start < 0 || d.Stop < 0 {
			return nil, fmt.Errorf("the tokenizer's decoder Strip takes %d and %d of %q away, which is not understood", d.Start, d.Stop, d.Content)
		}
		return []decoder{strip(d.Content, d.Start, d.Stop)}, nil
	case "Replace":
		re, err := d.Pattern.compile()
		if err != nil {
			return nil, err
		}
		return []decoder{replaced(re, d.Content)}, nil
	case "BPEDecoder":
		return []decoder{suffixes(str(d.Suffix, "</w>"))}, nil
	case "CTC":
		return []decoder{ctc(str(d.PadToken, "<pad>"), str(d.Delimiter, "|"), clean)}, nil
	}
	return nil, fmt.Errorf("the tokenizer's decoder %q is not supported", d.Type)
}

// bytesOf reads tokens whose characters stand for bytes; one that has others is a text.
func bytesOf(tokens []string, open bool) ([]string, error) {
	var b []byte
	for _, s := range tokens {
		was := len(b)
		for _, r := range s {
			c, ok := runeBytes[r]
			if !ok {
				b = append(b[:was], s...)
				break
			}
			b = append(b, c)
		}
	}
	text := string(b)
	if !open {
		return []string{valid(text)}, nil
	}
	n := len(text) - unfinished(text)
	return []string{valid(text[:n]) + text[n:]}, nil
}

// hexBytes reads tokens like <0x61>, which stand for bytes: those that are no UTF-8
// together become U+FFFD, each of them.
func hexBytes(tokens []string, open bool) ([]string, error) {
	var out []string
	var run []byte
	flush := func(open bool) {
		switch s := string(run); {
		case s == "":
		case open:
			out = append(out, eachValid(s))
		case utf8.ValidString(s):
			out = append(out, s)
		default:
			out = append(out, strings.Repeat("\ufffd", len(s)))
		}
		run = run[:0]
	}
	for _, s := range tokens {
		if b, ok := hexByte(s); ok {
			run = append(run, b)
			continue
		}
		flush(open)
		out = append(out, s)
	}
	flush(open)
	return out, nil
}

// hexByte is the byte that a token like <0x61> stands for.
func hexByte(s string) (byte, bool) {
	if len(s) != 6 || s[:3] != "<0x" || s[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(s[3:5], 16, 8)
	return byte(b), err == nil && s[3] != '+' && s[3] != '-'
}

func fuse(tokens []string, _ bool) ([]string, error) { return []string{strings.Join(tokens, "")}, nil }

// wordPieces puts spaces before tokens that do not go on with a word.
func wordPieces(prefix string, clean bool) decoder {
	return func(tokens []string, _ bool) ([]string, error) {
		for i, s := range tokens {
			if i > 0 {
				if rest, ok := strings.CutPrefix(s, prefix); ok {
					s = rest
				} else {
					s = " " + s
				}
			}
			if clean {
				s = cleanup(s)
			}
			tokens[i] = s
		}
		return tokens, nil
	}
}

// cleanups are spaces that do not stand in English texts, in the order in which they
// are taken away.
var cleanups = [][2]string{{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
	{" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}}

func cleanup(s string) string {
	for _, c := range cleanups {
		s = strings.ReplaceAll(s, c[0], c[1])
	}
	return s
}

// signs writes spaces for the sign that stands for them; that of the first token goes.
func signs(sign string, never bool) decoder {
	return func(tokens []string, _ bool) ([]string, error) {
		for i, s := range tokens {
			by := " "
			if i == 0 && !never {
				by = ""
			}
			tokens[i] = strings.ReplaceAll(s, sign, by)
		}
		return tokens, nil
	}
}

// strip takes a character away at both ends of tokens, some times at most.
func strip(c string, start, stop int) decoder {
	return func(tokens []string, _ bool) ([]string, error) {
		for i, s := range tokens {
			for k := 0; k < start && strings.HasPrefix(s, c); k++ {
				s = s[len(c):]
			}
			for k := 0; k < stop && strings.HasSuffix(s, c); k++ {
				s = s[:len(s)-len(c)]
			}
			tokens[i] = s
		}
		return tokens, nil
	}
}

func replaced(re *finder, by string) decoder {
	f := re.replace(by)
	return func(tokens []string, _ bool) ([]string, error) {
		for i, s := range tokens {
			var err error
			if tokens[i], err = f(s); err != nil {
				return nil, err
			}
		}
		return tokens, nil
	}
}

// suffixes writes spaces for what ends words, but for the last.
func suffixes(suffix string) decoder {
	return func(tokens []string, _ bool) ([]string, error) {
		for i, s := range tokens {
			by := " "
			if i == len(tokens)-1 {
				by = ""
			}
			tokens[i] = strings.ReplaceAll(s, suffix, by)
		}
		return tokens, nil
	}
}

// ctc leaves out tokens that come again at once, and the one that stands between those
// that do (Graves et al. 2006, "Connectionist temporal classification").
func ctc(pad, delimiter string, clean bool) decoder {
	return func(tokens []string, _ bool) ([]string, error) {
		var out []string
		for i, s := range tokens {
			if i > 0 && s == tokens[i-1] {
				continue
			}
			if s = strings.ReplaceAll(s, pad, ""); clean {
				s = strings.ReplaceAll(cleanup(s), delimiter, " ")
			}
			if s != "" {
				out = append(out, s)
			}
		}
		return out, nil
	}
}
