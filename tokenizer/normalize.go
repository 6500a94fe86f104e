package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/dlclark/regexp2"
	"golang.org/x/text/unicode/norm"
)

type normalizer = func(string) (string, error)

// readNormalizer reads what is done to a text first.
func readNormalizer(b json.RawMessage) ([]normalizer, error) {
	if len(b) == 0 || string(b) == "null" {
		return nil, nil
	}
	var n struct {
		Type        string
		Normalizers []json.RawMessage
		CleanText   *bool `json:"clean_text"`
		Chinese     *bool `json:"handle_chinese_chars"`
		Accents     *bool `json:"strip_accents"`
		Lowercase   *bool
		Left        bool `json:"strip_left"`
		Right       bool `json:"strip_right"`
		Prepend     string
		Content     string
		Pattern     pattern
	}
	if err := json.Unmarshal(b, &n); err != nil {
		return nil, fmt.Errorf("the normalizer of the tokenizer: %w", err)
	}
	plain := func(f func(string) string) ([]normalizer, error) {
		return []normalizer{func(s string) (string, error) { return f(s), nil }}, nil
	}
	is := func(v *bool, def bool) bool {
		if v == nil {
			return def
		}
		return *v
	}
	if form, ok := forms[n.Type]; ok {
		return plain(form.String)
	}
	switch n.Type {
	case "Sequence":
		var out []normalizer
		for _, m := range n.Normalizers {
			fs, err := readNormalizer(m)
			if err != nil {
				return nil, err
			}
			out = append(out, fs...)
		}
		return out, nil
	case "BertNormalizer":
		lower := is(n.Lowercase, true)
		clean, chinese, accents := is(n.CleanText, true), is(n.Chinese, true), is(n.Accents, lower)
		return plain(func(s string) string { return bertNormal(s, clean, chinese, accents, lower) })
	case "Lowercase":
		return plain(lowercase)
	case "StripAccents":
		return plain(func(s string) string { return without(s, unicode.M) })
	case "Strip":
		return plain(func(s string) string {
			if n.Left {
				s = strings.TrimLeftFunc(s, unicode.IsSpace)
			}
			if n.Right {
				s = strings.TrimRightFunc(s, unicode.IsSpace)
			}
			return s
		})
	case "Prepend":
		return plain(func(s string) string {
			if s == "" {
				return s
			}
			return n.Prepend + s
		})
	case "Replace":
		re, err := n.Pattern.compile()
		if err != nil {
			return nil, err
		}
		return []normalizer{re.replace(n.Content)}, nil
	}
	return nil, fmt.Errorf("the tokenizer's normalizer %q is not supported", n.Type)
}

// forms are Unicode's (https://unicode.org/reports/tr15).
var forms = map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}

// replace writes a text in the place of what is found.
func (f *finder) replace(by string) normalizer {
	return func(s string) (string, error) {
		at, err := f.find(s)
		if err != nil {
			return "", err
		}
		var b strings.Builder
		last := 0
		for _, m := range at {
			b.WriteString(s[last:m[0]])
			b.WriteString(by)
			last = m[1]
		}
		b.WriteString(s[last:])
		return b.String(), nil
	}
}

// bertNormal is what BERT's tokenizer does first.
func bertNormal(s string, clean, chinese, accents, lower bool) string {
	if clean {
		s = strings.Map(func(r rune) rune {
			switch {
			case r == '\t' || r == '\n' || r == '\r':
				return ' '
			case r == 0 || r == 0xfffd || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co):
				return -1
			case unicode.IsSpace(r):
				return ' '
			}
			return r
		}, s)
	}
	if chinese && strings.ContainsFunc(s, isChinese) {
		var b strings.Builder
		for _, r := range s {
			if isChinese(r) {
				b.WriteString(" " + string(r) + " ")
			} else {
				b.WriteRune(r)
			}
		}
		s = b.String()
	}
	if accents {
		s = without(norm.NFD.String(s), unicode.Mn)
	}
	if lower {
		s = lowercase(s)
	}
	return s
}

func without(s string, table *unicode.RangeTable) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(table, r) {
			return -1
		}
		return r
	}, s)
}

// lowercase changes each character by itself.
func lowercase(s string) string {
	if strings.ContainsRune(s, 'İ') { // the only one that becomes two
		s = strings.ReplaceAll(s, "İ", "i\u0307")
	}
	return strings.Map(unicode.ToLower, s)
}

func isChinese(r rune) bool {
	for _, k := range [][2]rune{{0x4e00, 0x9fff}, {0x3400, 0x4dbf}, {0x20000, 0x2a6df}, {0x2a700, 0x2b73f}, {0x2b740, 0x2b81f}, {0x2b920, 0x2ceaf}, {0xf900, 0xfaff}, {0x2f800, 0x2fa1f}} {
		if r >= k[0] && r <= k[1] {
			return true
		}
	}
	return false
}

// pattern is a text to look for, or a regular expression.
type pattern struct {
	String *string
	Regex  *string
}

// finder finds parts of texts.
type finder struct {
	text string
	re   *regexp2.Regexp
}

// slowest bounds a search: an expression can take time without end.
const slowest = time.Second

func (p pattern) compile() (*finder, error) {
	switch {
	case p.String != nil && *p.String != "":
		return &finder{text: *p.String}, nil
	case p.Regex != nil:
		re, err := regexp2.Compile(*p.Regex, 0)
		if err != nil {
			return nil, fmt.Errorf("the tokenizer's pattern %q: %w", *p.Regex, err)
		}
		re.MatchTimeout = slowest
		return &finder{re: re}, nil
	}
	return nil, fmt.Errorf("a pattern of the tokenizer is neither a text nor an expression")
}

// find gives where the matches begin and end, in bytes.
func (f *finder) find(s string) (out [][2]int, err error) {
	if f.re == nil {
		for at := 0; ; {
			k := strings.Index(s[at:], f.text)
			if k < 0 {
				return out, nil
			}
			out = append(out, [2]int{at + k, at + k + len(f.text)})
			at += k + len(f.text)
		}
	}
	runes, at := 0, 0 // of what has been passed
	advance := func(to int) int {
		for ; runes < to && at < len(s); runes++ {
			at += runeLen(s[at:])
		}
		return at
	}
	m, err := f.re.FindStringMatch(s)
	for ; m != nil && err == nil; m, err = f.re.FindNextMatch(m) {
		if m.Length > 0 {
			lo := advance(m.Index)
			out = append(out, [2]int{lo, advance(m.Index + m.Length)})
		}
	}
	return out, err
}
