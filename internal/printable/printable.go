// Package printable makes text of unknown origin safe to show: names of layers,
// paths, and what files say may hold escape sequences that move the cursor, ring the
// bell or turn the direction of writing. They are shown as what they are.
package printable

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// plain says whether a rune may be shown as it is.
func plain(r rune) bool { return unicode.IsPrint(r) || unicode.Is(unicode.Zs, r) }

// Text gives a text with what cannot be printed as Go writes it in a string: \x1b,
// \u202e, \xff for a byte that is no UTF-8. Ends of lines and tabs stay.
func Text(s string) string { return clean(s, "\n\t") }

// Line is Text in which ends of lines and tabs are written so too: the name of one
// thing stays on one line.
func Line(s string) string { return clean(s, "") }

// Few lists the first three names, and says that there are more.
func Few(names []string) string {
	if len(names) > 3 {
		return strings.Join(names[:3], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

func clean(s, keep string) string {
	odd := func(r rune) bool { return r == utf8.RuneError || !plain(r) && !strings.ContainsRune(keep, r) }
	if strings.IndexFunc(s, odd) < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteString(`\x`)
			b.WriteString(strconv.FormatUint(0x100|uint64(s[i]), 16)[1:])
		case r != utf8.RuneError && odd(r):
			q := strconv.QuoteRuneToASCII(r)
			b.WriteString(q[1 : len(q)-1])
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// Writer writes Text to a writer. A rune that is cut by the end of a Write is kept
// for the next.
func Writer(w io.Writer) io.Writer { return &writer{w: w} }

type writer struct {
	w    io.Writer
	rest []byte
}

func (w *writer) Write(p []byte) (int, error) {
	b := append(w.rest, p...)
	whole := len(b)
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				whole -= i
			}
			break
		}
	}
	text := Text(string(b[:whole]))
	w.rest = append([]byte(nil), b[whole:]...)
	if text == "" {
		return len(p), nil
	}
	if _, err := io.WriteString(w.w, text); err != nil {
		return 0, err
	}
	return len(p), nil
}

// JSON gives a JSON text in which strings have what cannot be printed as \uXXXX: it
// means the same.
func JSON(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if plain(r) || r < ' ' || r == utf8.RuneError {
			out = append(out, b[:n]...)
		} else {
			for _, u := range utf16.Encode([]rune{r}) {
				out = fmt.Appendf(out, `\u%04x`, u)
			}
		}
		b = b[n:]
	}
	return out
}
