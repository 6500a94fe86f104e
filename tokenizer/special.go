package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// cutOut divides a piece at added tokens, of which longer ones come first.
func cutOut(p piece, added []addedToken) (out []piece) {
	text, first := p.text, p.first
	next := make([]int, len(added)) // where each stands; -1: nowhere any more
	for i := range next {
		next[i] = strings.Index(text, added[i].Content)
	}
	from := 0 // of what is left
	for {
		best := -1
		for i, at := range next {
			for at >= 0 && (at < from || !added[i].fits(text, at)) {
				at = after(text, added[i].Content, at+1)
			}
			if next[i] = at; at >= 0 && (best < 0 || at < next[best]) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		a, lo := added[best], next[best]
		hi := lo + len(a.Content)
		if a.LStrip {
			lo = from + len(strings.TrimRightFunc(text[from:lo], unicode.IsSpace))
		}
		if a.RStrip {
			hi = len(text) - len(strings.TrimLeftFunc(text[hi:], unicode.IsSpace))
		}
		if lo > from {
			out = append(out, piece{text[from:lo], -1, first})
			first = false
		}
		out = append(out, piece{text[lo:hi], a.ID, false})
		first, from = false, hi
	}
	if from < len(text) {
		out = append(out, piece{text[from:], -1, first})
	}
	return out
}

func after(text, word string, from int) int {
	if from > len(text) {
		return -1
	}
	if at := strings.Index(text[from:], word); at >= 0 {
		return from + at
	}
	return -1
}

// fits says whether a token may stand there: one that is a single word, between what
// is no letter and no digit.
func (a *addedToken) fits(text string, at int) bool {
	if !a.SingleWord {
		return true
	}
	before, _ := utf8.DecodeLastRuneInString(text[:at])
	behind, _ := utf8.DecodeRuneInString(text[at+len(a.Content):])
	return !(at > 0 && isWord(before)) && !(at+len(a.Content) < len(text) && isWord(behind))
}

func isWord(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r) || unicode.Is(unicode.Pc, r)
}
