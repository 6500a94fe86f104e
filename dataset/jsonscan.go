package dataset

import (
	"bytes"
	"math/bits"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonScan reads an object from the beginning of bytes into the columns of a table. It
// knows what files of records are made of. What it does not know, and what is wrong, it
// leaves to the library's tokens, which come to the same and say what is wrong.
type jsonScan struct {
	t    *table
	b    []byte
	at   int
	more bool   // the bytes end before the object does
	name []byte // of the value that is read, after the names of the objects around it
	text []byte // that was written with escapes
}

// object reads an object whose names begin with the first k bytes of name. False: it did
// not.
func (s *jsonScan) object(k int) bool {
	if bytes.Count(s.name[:k], []byte{'.'}) >= mostAxes {
		return false
	}
	if s.at++; s.next() == '}' {
		s.at++
		return true
	}
	for {
		name, ok := s.string()
		if !ok || s.next() != ':' {
			return false
		}
		s.at++
		if s.name = append(s.name[:k], name...); len(s.name) > maxLine {
			return false
		}
		if s.next() == '{' {
			s.name = append(s.name, '.')
			ok = s.object(len(s.name))
		} else {
			c, known := s.t.at[string(s.name)]
			if !known {
				var err error
				if c, err = s.t.column(string(s.name)); err != nil {
					return false
				}
			}
			if c == nil {
				ok = s.skip(0)
			} else {
				c.cell.reset() // of several values of one name the last holds
				ok = s.value(&c.cell, 0)
			}
		}
		if !ok {
			return false
		}
		switch s.next() {
		case ',':
			s.at++
		case '}':
			s.at++
			return true
		default:
			return false
		}
	}
}

// next is the next byte that is no space; 0: there is none.
func (s *jsonScan) next() byte {
	for ; s.at < len(s.b); s.at++ {
		switch c := s.b[s.at]; c {
		case ' ', '\t', '\r', '\n':
		default:
			return c
		}
	}
	s.more = true
	return 0
}

// string reads a string.
func (s *jsonScan) string() ([]byte, bool) {
	if s.next() != '"' {
		return nil, false
	}
	b, n, any := s.b[s.at+1:], 0, byte(0)
	escaped := false
	for ; n < len(b) && b[n] != '"'; n++ {
		if any |= b[n]; b[n] < ' ' {
			return nil, false
		}
		if b[n] == '\\' {
			escaped = true
			n++
		}
	}
	if n >= len(b) {
		s.more = true
		return nil, false
	}
	raw := s.b[s.at : s.at+n+2]
	s.at += n + 2
	if escaped {
		var err error
		s.text, err = jsontext.AppendUnquote(s.text[:0], raw)
		return s.text, err == nil
	}
	return b[:n], any < utf8.RuneSelf || utf8.Valid(b[:n])
}

// word reads a word that is known.
func (s *jsonScan) word(w string) bool {
	if len(s.b)-s.at < len(w) {
		s.more = true
		return false
	}
	s.at += len(w)
	return string(s.b[s.at-len(w):s.at]) == w
}

// value reads a value, or a list at a depth.
func (s *jsonScan) value(c *cell, depth int) bool {
	switch b := s.next(); b {
	case '"':
		v, ok := s.string()
		c.kind, c.text = texts, append(c.text[:0], v...)
		return ok
	case '[':
		return s.list(c, depth)
	case '{':
		c.odd = "lists of objects"
		return s.skip(0)
	case 't':
		c.int(1)
		return s.word("true")
	case 'f':
		c.int(0)
		return s.word("false")
	case 'n':
		if depth > 0 {
			c.hole = true
		}
		return s.word("null")
	}
	n, whole, x, ok := s.number()
	switch {
	case !ok:
		return false
	case whole:
		c.int(n)
	default:
		c.num(x)
	}
	return true
}

// list reads a list; where what is in it is not of one kind, it is passed over.
func (s *jsonScan) list(c *cell, depth int) bool {
	if depth+1 >= mostAxes {
		return false
	}
	n, leaf := 0, false
	for s.at++; s.next() != ']' || n > 0; n++ {
		inner, before := s.next() == '[', c.kind
		if !s.value(c, depth+1) {
			return false
		}
		if n > 0 && inner == leaf || before != absent && c.kind != before {
			c.odd = "lists of different things"
		}
		leaf = !inner
		if s.next() == ']' {
			n++
			break
		}
		if s.b[min(s.at, len(s.b)-1)] != ',' {
			return false
		}
		s.at++
	}
	s.at++
	if err := c.count(depth, n); err != nil {
		c.odd = err.Error()
	}
	return true
}

// skip passes over a value that lies in so many others.
func (s *jsonScan) skip(depth int) bool {
	if depth > 100 {
		return false
	}
	end := byte(']')
	switch s.next() {
	case '"':
		_, ok := s.string()
		return ok
	case 't':
		return s.word("true")
	case 'f':
		return s.word("false")
	case 'n':
		return s.word("null")
	case '{':
		end = '}'
	case '[':
	default:
		_, _, _, ok := s.number()
		return ok
	}
	if s.at++; s.next() == end {
		s.at++
		return true
	}
	for {
		if end == '}' {
			if _, ok := s.string(); !ok || s.next() != ':' {
				return false
			}
			s.at++
		}
		if !s.skip(depth + 1) {
			return false
		}
		switch s.next() {
		case ',':
			s.at++
		case end:
			s.at++
			return true
		default:
			return false
		}
	}
}

// number reads a number.
func (s *jsonScan) number() (n int64, whole bool, x float64, ok bool) {
	b, i := s.b, s.at
	negative := i < len(b) && b[i] == '-'
	if negative {
		i++
	}
	first := i
	d := decimal{}
	if i = d.digits(b, i); i == first || i > first+1 && b[first] == '0' {
		s.more = s.more || i >= len(b)
		return 0, false, 0, false
	}
	whole = true
	if i < len(b) && b[i] == '.' {
		whole = false
		point := i + 1
		if i = d.digits(b, point); i == point {
			s.more = s.more || i >= len(b)
			return 0, false, 0, false
		}
		d.after = i - point
	}
	plain := true
	if i < len(b) && b[i]|0x20 == 'e' {
		whole, plain = false, false
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		digit := i
		for i < len(b) && b[i]-'0' < 10 {
			i++
		}
		if i == digit {
			s.more = s.more || i >= len(b)
			return 0, false, 0, false
		}
	}
	if i == len(b) { // it may go on
		s.more = true
		return 0, false, 0, false
	}
	text := b[s.at:i]
	s.at = i
	if whole && d.read <= mostDigits {
		if n = int64(d.value); negative {
			n = -n
		}
		return n, true, 0, true
	}
	var err error
	if whole {
		if n, err = strconv.ParseInt(string(text), 10, 64); err == nil {
			return n, true, 0, true
		}
	}
	if x, ok = d.float(); whole || !plain || !ok {
		x, err = strconv.ParseFloat(string(text), 64)
		return 0, false, x, err == nil
	}
	if negative {
		x = -x
	}
	return 0, false, x, true
}

// decimal is a number as it is written: its digits as a whole number, and how many of
// them are after the point.
type decimal struct {
	value       uint64
	read, after int
}

// mostDigits are those that a whole number of 64 bits has at least.
const mostDigits = 18

// digits reads digits from i on, and gives where they end.
func (d *decimal) digits(b []byte, i int) int {
	first := i
	for i < len(b) && b[i]-'0' < 10 {
		d.value = d.value*10 + uint64(b[i]-'0')
		i++
	}
	d.read += i - first
	return i
}

// float is the nearest number of 64 bits, where that is the quotient of two that are
// exact (Clinger 1990, How to read floating point numbers accurately).
func (d *decimal) float() (float64, bool) {
	if d.read > mostDigits || bits.Len64(d.value) > 53 || d.after >= len(tens) {
		return 0, false
	}
	return float64(d.value) / tens[d.after], true
}

// tens are the powers of ten that numbers of 64 bits hold exactly.
var tens = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}
