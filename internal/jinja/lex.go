package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kinds of tokens.
const (
	tokText = iota
	tokName
	tokString
	tokInt
	tokFloat
	tokOp
	tokBlock    // {%
	tokBlockEnd // %}
	tokVar      // {{
	tokVarEnd   // }}
	tokEOF
)

type token struct {
	kind int
	text string // of a string: what it stands for
	line int
}

// lexer cuts a template into tokens, with the rules for blanks of trim_blocks and
// lstrip_blocks (https://jinja.palletsprojects.com/en/stable/templates/#whitespace-control).
type lexer struct {
	s     string
	at    int
	line  int
	start bool // a line begins here
	out   []token
}

// lex cuts a template into tokens.
func lex(s string) ([]token, error) {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	l := &lexer{s: strings.TrimSuffix(s, "\n"), line: 1, start: true}
	for l.at < len(l.s) {
		if err := l.step(); err != nil {
			return nil, fmt.Errorf("line %d: %w", l.line, err)
		}
	}
	l.add(tokEOF, "")
	return l.out, nil
}

func (l *lexer) add(kind int, text string) { l.out = append(l.out, token{kind, text, l.line}) }

// pass goes on, and counts lines.
func (l *lexer) pass(n int) {
	if n == 0 {
		return
	}
	part := l.s[l.at : l.at+n]
	l.line += strings.Count(part, "\n")
	l.start = strings.HasSuffix(part, "\n")
	l.at += n
}

// step takes the text up to the next tag, and the tag.
func (l *lexer) step() error {
	n := 0
	for ; l.at+n < len(l.s); n++ {
		if rest := l.s[l.at+n:]; strings.HasPrefix(rest, "{{") || strings.HasPrefix(rest, "{%") || strings.HasPrefix(rest, "{#") {
			break
		}
	}
	text := l.s[l.at : l.at+n]
	if l.at+n == len(l.s) {
		l.text(text)
		l.pass(n)
		return nil
	}
	kind := l.s[l.at+n+1]
	sign := byte(0)
	if k := l.at + n + 2; k < len(l.s) && (l.s[k] == '-' || l.s[k] == '+' && kind != '{') {
		sign = l.s[k]
	}
	shown := text
	switch {
	case sign == '-':
		shown = strings.TrimRightFunc(text, unicode.IsSpace)
	case sign != '+' && kind != '{':
		from := strings.LastIndexByte(text, '\n') + 1
		if (from > 0 || l.start) && strings.TrimSpace(text[from:]) == "" {
			shown = text[:from]
		}
	}
	l.text(shown)
	l.pass(n)
	open := 2
	if sign != 0 {
		open = 3
	}
	switch kind {
	case '#':
		end := strings.Index(l.s[l.at+open:], "#}")
		if end < 0 {
			return fmt.Errorf("a comment does not end")
		}
		l.pass(open + end)
		l.close("#}", l.s[l.at-1])
		return nil
	case '%':
		if done, err := l.raw(open); done || err != nil {
			return err
		}
		l.add(tokBlock, "")
		l.pass(open)
		return l.inside("%}", tokBlockEnd)
	}
	l.add(tokVar, "")
	l.pass(open)
	return l.inside("}}", tokVarEnd)
}

func (l *lexer) text(s string) {
	if s != "" {
		l.add(tokText, s)
	}
}

// close passes the end of a tag, and the blanks that go with it; before is what stands
// before the end.
func (l *lexer) close(end string, before byte) {
	l.pass(len(end))
	rest := l.s[l.at:]
	switch {
	case before == '-':
		l.pass(len(rest) - len(strings.TrimLeftFunc(rest, unicode.IsSpace)))
	case before != '+' && end != "}}" && strings.HasPrefix(rest, "\n"):
		l.pass(1)
	}
}

// raw takes a part in which nothing is a tag.
func (l *lexer) raw(open int) (bool, error) {
	rest := l.s[l.at+open:]
	body := strings.TrimLeftFunc(rest, unicode.IsSpace)
	if !strings.HasPrefix(body, "raw") {
		return false, nil
	}
	body = strings.TrimLeftFunc(body[3:], unicode.IsSpace)
	strip := strings.HasPrefix(body, "-%}")
	if !strip && !strings.HasPrefix(body, "%}") {
		return false, nil
	}
	body = body[strings.Index(body, "%}")+2:]
	if strip {
		body = strings.TrimLeftFunc(body, unicode.IsSpace)
	}
	for from := 0; ; {
		k := strings.Index(body[from:], "{%")
		if k < 0 {
			return true, fmt.Errorf("raw does not end")
		}
		from += k
		tag := body[from+2:]
		sign := byte(0)
		if tag != "" && (tag[0] == '-' || tag[0] == '+') {
			sign, tag = tag[0], tag[1:]
		}
		name, ok := strings.CutPrefix(strings.TrimLeftFunc(tag, unicode.IsSpace), "endraw")
		name = strings.TrimLeftFunc(name, unicode.IsSpace)
		before := byte(0)
		if name != "" && (name[0] == '-' || name[0] == '+') {
			before, name = name[0], name[1:]
		}
		if !ok || !strings.HasPrefix(name, "%}") {
			from += 2
			continue
		}
		text := body[:from]
		if sign == '-' {
			text = strings.TrimRightFunc(text, unicode.IsSpace)
		} else if at := strings.LastIndexByte(text, '\n') + 1; sign == 0 && at > 0 && strings.TrimSpace(text[at:]) == "" {
			text = text[:at]
		}
		l.text(text)
		l.pass(len(l.s) - len(name) - l.at)
		l.close("%}", before)
		return true, nil
	}
}

// operators, the longer ones first.
var operators = []string{"//", "**", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]", "{", "}", ".", ",", ":", "|", ";"}

// inside takes the tokens of a tag.
func (l *lexer) inside(end string, kind int) error {
	open := 0 // brackets
	for {
		rest := l.s[l.at:]
		if trimmed := strings.TrimLeftFunc(rest, unicode.IsSpace); len(trimmed) < len(rest) {
			l.pass(len(rest) - len(trimmed))
			continue
		}
		if rest == "" {
			return fmt.Errorf("a tag does not end with %s", end)
		}
		if open == 0 {
			if strings.HasPrefix(rest, end) {
				l.add(kind, "")
				l.close(end, 0)
				return nil
			}
			if (rest[0] == '-' || rest[0] == '+' && end != "}}") && strings.HasPrefix(rest[1:], end) {
				l.add(kind, "")
				l.pass(1)
				l.close(end, rest[0])
				return nil
			}
		}
		if err := l.one(rest, &open); err != nil {
			return err
		}
	}
}

// one takes a token of a tag.
func (l *lexer) one(rest string, open *int) error {
	c := rest[0]
	r, _ := utf8.DecodeRuneInString(rest)
	switch {
	case c == '"' || c == '\'':
		n := 1
		for n < len(rest) && rest[n] != c {
			if rest[n] == '\\' {
				n++
			}
			n++
		}
		if n >= len(rest) {
			return fmt.Errorf("a string does not end")
		}
		s, err := unescape(rest[1:n])
		if err != nil {
			return err
		}
		l.add(tokString, s)
		l.pass(n + 1)
		return nil
	case c >= '0' && c <= '9':
		n := 0
		digits := func() {
			for n < len(rest) && (rest[n] >= '0' && rest[n] <= '9' || rest[n] == '_') {
				n++
			}
		}
		digits()
		kind := tokInt
		if n+1 < len(rest) && rest[n] == '.' && rest[n+1] >= '0' && rest[n+1] <= '9' {
			kind = tokFloat
			n++
			digits()
		}
		if k := n + 1; k < len(rest) && (rest[n] == 'e' || rest[n] == 'E') {
			if rest[k] == '+' || rest[k] == '-' {
				k++
			}
			if k < len(rest) && rest[k] >= '0' && rest[k] <= '9' {
				kind, n = tokFloat, k
				digits()
			}
		}
		l.add(kind, strings.ReplaceAll(rest[:n], "_", ""))
		l.pass(n)
		return nil
	case r == '_' || unicode.IsLetter(r):
		n := strings.IndexFunc(rest, func(r rune) bool {
			return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.M, r)
		})
		if n < 0 {
			n = len(rest)
		}
		l.add(tokName, rest[:n])
		l.pass(n)
		return nil
	}
	for _, o := range operators {
		if strings.HasPrefix(rest, o) {
			switch o {
			case "(", "[", "{":
				*open++
			case ")", "]", "}":
				*open = max(0, *open-1)
			}
			l.add(tokOp, o)
			l.pass(len(o))
			return nil
		}
	}
	return fmt.Errorf("%q is not understood", r)
}

// unescape reads the escapes of Python's strings.
func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		if k := strings.IndexByte(`ntrabfv\'"`, s[i]); k >= 0 {
			b.WriteByte("\n\t\r\a\b\f\v\\'\""[k])
			continue
		}
		switch c := s[i]; {
		case c == '\n':
		case c == 'x' || c == 'u' || c == 'U':
			n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
			if i+n >= len(s) {
				return "", fmt.Errorf("the escape \\%c is cut off", c)
			}
			v, err := strconv.ParseUint(s[i+1:i+1+n], 16, 32)
			if err != nil || v > unicode.MaxRune {
				return "", fmt.Errorf("the escape \\%s is none", s[i:i+1+n])
			}
			b.WriteRune(rune(v))
			i += n
		case c >= '0' && c <= '7':
			v, n := 0, 0
			for n < 3 && i+n < len(s) && s[i+n] >= '0' && s[i+n] <= '7' {
				v, n = 8*v+int(s[i+n]-'0'), n+1
			}
			b.WriteRune(rune(v))
			i += n - 1
		case c == 'N':
			return "", fmt.Errorf("the escape \\N is not supported")
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}
