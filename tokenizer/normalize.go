package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// is is a flag, or def where it is not said.
func is(v *bool, def bool) bool {
	if v == nil {
		return def
	}
	return *v
}

type normalizer = func(string) (string, error)

// normalizing is a normalizer as the file has it.
type normalizing struct {
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
	Charsmap    []byte `json:"precompiled_charsmap"`
}

// readNormalizer reads what is done to a text first.
func readNormalizer(b json.RawMessage) ([]normalizer, error) {
	if len(b) == 0 || string(b) == "null" {
		return nil, nil
	}
	var n normalizing
	if err := json.Unmarshal(b, &n); err != nil {
		return nil, fmt.Errorf("the normalizer of the tokenizer: %w", err)
	}
	plain := func(f func(string) string) ([]normalizer, error) {
		return []normalizer{func(s string) (string, error) { return f(s), nil }}, nil
	}
	if form, ok := forms[n.Type]; ok {
		return plain(func(s string) string { return normal(form, s) })
	}
	switch n.Type {
	case "Sequence":
		var out []normalizer
		for _, m := range n.Normalizers {
			fs, err := readNormalizer(m)
			if err != nil {
				return nil, err
			}
			if out = append(out, fs...); len(out) > maxSteps {
				return nil, fmt.Errorf("the tokenizer has more than %d normalizers", maxSteps)
			}
		}
		return out, nil
	case "Nmt":
		return plain(nmt)
	case "Precompiled":
		if n.Charsmap == nil {
			return nil, nil
		}
		p, err := readPrecompiled(n.Charsmap)
		if err != nil {
			return nil, err
		}
		return plain(p.normalize)
	case "ByteLevel":
		return plain(asRunes)
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

// replace writes a text in the place of what is found.
func (f *finder) replace(by string) normalizer {
	return func(s string) (string, error) {
		var w work
		at, err := f.find(&w, s)
		if err != nil || len(at) == 0 {
			return s, err
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
		s = without(normal(norm.NFD, s), unicode.Mn)
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
