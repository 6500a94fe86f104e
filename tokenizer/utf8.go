package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// valid puts U+FFFD in the place of what is not UTF-8, one for each longest beginning
// of a character, as the Unicode standard recommends (chapter 3.9) and Rust's
// from_utf8_lossy and Python's errors="replace" do.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 8)
	for at := 0; at < len(s); {
		r, n := utf8.DecodeRuneInString(s[at:])
		if r == utf8.RuneError && n == 1 {
			n = max(1, begun(s[at:]))
		}
		b.WriteRune(r)
		at += n
	}
	return b.String()
}

// begun is how many bytes at the start of a text begin a character, but do not end
// it; 0: none do.
func begun(s string) int {
	if s == "" {
		return 0
	}
	lo, hi, want := byte(0x80), byte(0xbf), 0 // of the second byte; bytes after the first
	switch b := s[0]; {
	case b >= 0xc2 && b <= 0xdf:
		want = 1
	case b >= 0xe0 && b <= 0xef:
		want = 2
		if b == 0xe0 {
			lo = 0xa0
		} else if b == 0xed {
			hi = 0x9f
		}
	case b >= 0xf0 && b <= 0xf4:
		want = 3
		if b == 0xf0 {
			lo = 0x90
		} else if b == 0xf4 {
			hi = 0x8f
		}
	default:
		return 0
	}
	n := 1
	for n < len(s) && n <= want && s[n] >= lo && s[n] <= hi {
		lo, hi = 0x80, 0xbf
		n++
	}
	if n > want {
		return 0
	}
	return n
}

// unfinished is how many bytes at the end of a text are the beginning of a character.
func unfinished(s string) int {
	for n := 1; n <= min(3, len(s)); n++ {
		tail := s[len(s)-n:]
		if !utf8.RuneStart(tail[0]) {
			continue
		}
		if begun(tail) == n {
			return n
		}
		return 0
	}
	return 0
}
