package tokenizer

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// addedToken is a text that is a token wherever it stands.
type addedToken struct {
	ID         int32
	Content    string
	SingleWord bool `json:"single_word"`
	LStrip     bool `json:"lstrip"`
	RStrip     bool `json:"rstrip"`
	Normalized bool
	Special    bool
	written    string // it, as the normalizers leave it where it is normalized
}

// maxAdded bounds the text of an added token.
const maxAdded = 1 << 10

// matcher finds added tokens: those that are looked for in the text as it is, or in
// the normalized one. The one that begins first is taken, of several the longest.
type matcher struct {
	added []addedToken
	trie  *trie
}

// name sets the added tokens, which are not looked for in texts.
func (t *Tokenizer) name(added []addedToken) {
	t.added, t.special = added, map[string]bool{}
	t.addedText, t.addedID = make(map[string]int32, len(added)), make(map[int32]int, len(added))
	for i, a := range added {
		if a.written == "" {
			added[i].written = a.Content
		}
		t.addedText[a.Content], t.addedID[a.ID] = a.ID, i
		t.Size = max(t.Size, int(a.ID)+1)
		if a.Special {
			t.special[a.Content] = true
		}
	}
}

// add sets the added tokens.
func (t *Tokenizer) add(added []addedToken) error {
	for i := range added {
		a := &added[i]
		if a.ID < 0 || a.ID >= maxTokens || a.Content == "" {
			return fmt.Errorf("the added token %q has number %d", a.Content, a.ID)
		}
		if len(a.Content) > maxAdded {
			return fmt.Errorf("the added token %d has %d bytes: at most %d are supported", a.ID, len(a.Content), maxAdded)
		}
		a.written = a.Content
		for _, f := range t.normalize {
			if !a.Normalized {
				break
			}
			var err error
			if a.written, err = f(a.written); err != nil {
				return err
			}
		}
	}
	t.name(added)
	for k, out := range []**matcher{&t.exact, &t.normal} {
		m := &matcher{added: added}
		var texts []string
		var values []int32
		for i, a := range added {
			if a.Normalized == (k == 1) && a.written != "" {
				texts, values = append(texts, a.written), append(values, int32(i))
			}
		}
		if len(texts) == 0 {
			continue
		}
		var err error
		if m.trie, err = newTrie(texts, values); err != nil {
			return err
		}
		*out = m
	}
	return nil
}

// cutOut divides a piece at added tokens; plain: those that are special are text.
func (m *matcher) cutOut(p piece, plain bool, out []piece) []piece {
	text, first := p.text, p.first
	from := 0 // of what is left
	for at := 0; at < len(text); {
		if m.trie.root[text[at]] < 0 {
			at++
			continue
		}
		hi, k := m.trie.longest(text, at)
		if k < 0 {
			at++
			continue
		}
		a, lo := &m.added[k], at
		at = hi
		if plain && a.Special || a.SingleWord && !alone(text, lo, hi) {
			continue
		}
		if a.LStrip {
			lo = max(from, len(strings.TrimRightFunc(text[:lo], unicode.IsSpace)))
		}
		if a.RStrip {
			hi = len(text) - len(strings.TrimLeftFunc(text[hi:], unicode.IsSpace))
			at = max(at, hi)
		}
		if lo > from {
			out = append(out, piece{text[from:lo], -1, first})
		}
		out = append(out, piece{text[lo:hi], a.ID, false})
		first, from = false, hi
	}
	if from < len(text) {
		out = append(out, piece{text[from:], -1, first})
	}
	return out
}

// alone says whether neither a letter nor a digit is beside a part of a text.
func alone(text string, lo, hi int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:lo])
	behind, _ := utf8.DecodeRuneInString(text[hi:])
	return !(lo > 0 && isWord(before)) && !(hi < len(text) && isWord(behind))
}

func isWord(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r) || unicode.Is(unicode.Pc, r)
}
