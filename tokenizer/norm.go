package tokenizer

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// forms are Unicode's (https://unicode.org/reports/tr15).
var forms = map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}

// normal is a text in one of Unicode's forms. After 30 marks in a row the norm package
// puts U+034F between them, for texts that are streamed: the forms have none there, and
// are made here instead.
func normal(f norm.Form, s string) string {
	out := f.String(s)
	if strings.Count(out, "\u034f") == strings.Count(s, "\u034f") {
		return out
	}
	apart := norm.NFD
	if f == norm.NFKC || f == norm.NFKD {
		apart = norm.NFKD
	}
	runes, class := decomposed(apart, s)
	if f == norm.NFC || f == norm.NFKC {
		runes = composed(runes, class)
	}
	return string(runes)
}

// decomposed are the characters that a text is made of, marks in the order of their
// classes (tr15, canonical ordering).
func decomposed(f norm.Form, s string) (runes []rune, class []uint8) {
	start := 0 // of the marks in a row
	for _, r := range s {
		text := f.String(string(r))
		for _, d := range text {
			c := f.PropertiesString(string(d)).CCC()
			if c == 0 {
				runes, class = append(runes, d), append(class, 0)
				start = len(runes)
				continue
			}
			at := len(runes)
			for at > start && class[at-1] > c {
				at--
			}
			runes, class = append(runes, 0), append(class, 0)
			copy(runes[at+1:], runes[at:])
			copy(class[at+1:], class[at:])
			runes[at], class[at] = d, c
		}
	}
	return runes, class
}

// composed puts characters together with the marks behind them (tr15, canonical
// composition).
func composed(runes []rune, class []uint8) []rune {
	out := make([]rune, 0, len(runes))
	starter, last := -1, -1 // in out; the class of what came last behind the starter, -1: nothing
	for i, r := range runes {
		c := int(class[i])
		if starter >= 0 && last < c {
			if p, ok := pair(out[starter], r); ok {
				out[starter] = p
				continue
			}
		}
		if c == 0 {
			starter, last = len(out), -1
		} else {
			last = c
		}
		out = append(out, r)
	}
	return out
}

// pair is the character that two are together.
func pair(a, b rune) (rune, bool) {
	s := norm.NFC.String(string(a) + string(b))
	r, n := utf8.DecodeRuneInString(s)
	return r, n == len(s)
}
