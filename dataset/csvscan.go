package dataset

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
)

// csvScan divides lines of a file at separators and line ends. It knows what files of
// samples are made of: fields without quotes, and those that lie in quotes as a whole. A
// file that has anything else is odd, and read by the library, which comes to the same
// and says what is wrong.
type csvScan struct {
	window
	sep      byte
	fields   [][]byte // of the row that was read; they hold until the next is
	begin    int64    // where it begins in the file,
	line     int      // and in which of the lines that were read, from 1
	lines    int      // that were read
	comments int      // lines that begin with #
	odd      bool
	several  bool   // the row has quotes, and may be several lines
	text     []byte // of fields that have quotes in their quotes
}

// row reads the next row; false: there is none, or it is odd.
func (s *csvScan) row() bool {
	for {
		b := s.rest()
		n := -1
		s.several = false
		if s.fields = s.fields[:0]; len(b) > 0 {
			n = s.split(b)
		}
		if s.odd || n > maxLine {
			s.odd = true
			return false
		}
		if n < 0 {
			if s.err != nil {
				s.odd = s.odd || s.err != io.EOF || len(b) > 0
				return false
			}
			if s.odd = s.full(); s.odd {
				return false
			}
			s.fill()
			continue
		}
		s.begin, s.line = s.offset(), s.lines+1
		if s.lines++; len(s.fields) > 0 && s.several {
			s.lines += bytes.Count(b[:n-1], []byte{'\n'})
		}
		if s.lo += n; len(s.fields) > 0 {
			return true
		}
	}
}

// split divides the first line of b, and gives where it ends; -1: b ends before. No
// fields: it is empty, or a comment.
func (s *csvScan) split(b []byte) int {
	line, n := b, len(b)
	if k := bytes.IndexByte(b, '\n'); k >= 0 {
		line, n = b[:k], k+1
	} else if s.err != io.EOF {
		return -1
	}
	if s.odd = len(line) > maxLine; s.odd {
		return -1
	}
	if len(line) > 0 && line[len(line)-1] == '\r' {
		line = line[:len(line)-1]
	}
	switch {
	case len(line) == 0:
		return n
	case line[0] == '#':
		s.comments++
		return n
	case bytes.IndexByte(line, '"') >= 0:
		s.text, s.several = s.text[:0], true
		return s.quoted(b)
	}
	from := 0
	for i, c := range line {
		if c == s.sep {
			s.fields = append(s.fields, line[from:i])
			from = i + 1
		}
	}
	s.fields = append(s.fields, line[from:])
	return n
}

// quoted divides the first line of b, which has quotes, and may be several.
func (s *csvScan) quoted(b []byte) int {
	for i := 0; ; {
		for s.sep != '\t' && i < len(b) && (b[i] == ' ' || b[i] == '\t') {
			i++
		}
		first := i
		if i < len(b) && b[i] == '"' {
			if i = s.unquote(b, i+1); i < 0 {
				return -1
			}
		} else {
			for i < len(b) && b[i] != s.sep && b[i] != '\n' {
				if b[i] == '"' {
					s.odd = true
					return -1
				}
				i++
			}
			end := i
			if end > first && b[end-1] == '\r' && (end == len(b) || b[end] == '\n') {
				end--
			}
			s.fields = append(s.fields, b[first:end])
		}
		rest := b[i:]
		switch {
		case len(rest) == 0 && s.err == io.EOF, len(rest) == 1 && rest[0] == '\r' && s.err == io.EOF:
			return len(b)
		case len(rest) == 0, len(rest) == 1 && rest[0] == '\r':
			return -1
		case rest[0] == '\n':
			return i + 1
		case rest[0] == '\r' && rest[1] == '\n':
			return i + 2
		case rest[0] != s.sep:
			s.odd = true
			return -1
		}
		i++
	}
}

// unquote reads a field whose text begins at byte i of b, and gives where its quotes end;
// -1: b ends before.
func (s *csvScan) unquote(b []byte, i int) int {
	first, plain := i, true
	for {
		k := bytes.IndexByte(b[i:], '"')
		if k < 0 || i+k+1 == len(b) && s.err != io.EOF {
			return -1
		}
		if i += k + 1; i == len(b) || b[i] != '"' {
			break
		}
		i++
		plain = false
	}
	text := b[first : i-1]
	if plain && bytes.IndexByte(text, '\r') < 0 {
		s.fields = append(s.fields, text)
		return i
	}
	from := len(s.text)
	for k := 0; k < len(text); k++ {
		c := text[k]
		if c == '\r' && k+1 < len(text) && text[k+1] == '\n' {
			continue
		}
		if s.text = append(s.text, c); c == '"' {
			k++ // the second of two
		}
	}
	s.fields = append(s.fields, s.text[from:])
	return i
}

// scan finds how a file is laid out, and calls row for each of its samples; false: it is
// odd, or row says so.
func (c *csvReader) scan(f *source, ready func(), row func(s *csvScan) bool) (bool, error) {
	r, err := f.open()
	if err != nil {
		return false, err
	}
	defer r.Close()
	if _, err := c.begin(r); err != nil || c.dialect.cr {
		return false, nil
	}
	if err := c.each(ready, func([]string, int) error { return errEnough }); !errors.Is(err, errEnough) {
		return false, nil
	}
	in, err := f.open()
	if err != nil {
		return false, err
	}
	defer in.Close()
	if _, err := io.CopyN(io.Discard, in, int64(c.dialect.skip)); err != nil {
		return false, nil
	}
	s := &csvScan{window: window{in: in, at: int64(c.dialect.skip)}, sep: byte(c.sep)}
	for s.row() {
		if s.begin < c.first {
			continue
		}
		if len(s.fields) != c.width || !row(s) {
			return false, nil
		}
		if c.marks != nil {
			c.marks.pass(s.offset())
		}
	}
	if s.odd || c.count == 0 {
		return false, nil
	}
	if s.comments > 0 {
		c.say("%d lines that begin with # are left out", s.comments)
	}
	c.plain, c.window = true, cap(s.b)
	return true, nil
}

// takes is what a scan needs besides what it gives.
func (c *csvReader) takes() int64 {
	if c.window <= leastWindow {
		return 0
	}
	return 2 * int64(c.window)
}

// sample takes a sample, of which the numbers are only read where they are kept; false: it
// is wrong.
func (c *csvReader) sample(s *csvScan) bool {
	c.count++
	drop := c.drop[:len(s.fields)]
	for i, w := range s.fields {
		switch {
		case i == c.col:
			k, ok := c.classes[string(w)]
			if !ok {
				if c.class(string(bytes.TrimSpace(w)), i, 1) != nil {
					return false
				}
			} else if c.rows >= 0 || c.labelled {
				c.labels = append(c.labels, k)
			}
		case drop[i]:
			if c.hollow && i == c.width-1 && len(bytes.TrimSpace(w)) > 0 {
				return false
			}
		case c.rows >= 0 || i == 0:
			v, ok := small(w)
			if !ok {
				v, ok = c.quick(w)
			}
			if !ok {
				var err error
				if v, err = c.value(string(bytes.TrimSpace(w))); err != nil {
					return false
				}
			}
			if i == 0 {
				c.counted(v)
			}
			if c.rows >= 0 {
				c.floats = append(c.floats, v)
			}
		}
	}
	return true
}

// quick reads a number that is written plainly.
func (c *csvReader) quick(w []byte) (float32, bool) {
	d, negative, ok := csvNumber(w)
	if !ok || d.after > 0 && c.sep != ',' && c.comma >= 0 {
		return 0, false
	}
	v, ok := d.float32()
	if negative {
		v = -v
	}
	return v, ok
}

// csvNumber reads digits with one point among them at most, and a sign before.
func csvNumber(w []byte) (d decimal, negative, ok bool) {
	i := 0
	if len(w) > 0 && (w[0] == '-' || w[0] == '+') {
		negative = w[0] == '-'
		i++
	}
	i = d.digits(w, i)
	if i < len(w) && w[i] == '.' {
		point := i + 1
		i = d.digits(w, point)
		if d.after = i - point; d.after == 0 {
			return d, negative, false
		}
	}
	return d, negative, i == len(w) && d.read > 0
}

// float32 is the nearest number of 32 bits, where that of 64 bits tells it: it is exact or
// does not lie between two, and is not among the smallest.
func (d *decimal) float32() (float32, bool) {
	x, ok := d.float()
	if !ok || math.Float64bits(x)&(1<<29-1) == 1<<28 || x != 0 && x < 0x1p-126 {
		return 0, false
	}
	return float32(x), true
}

// scanned reads n samples from a place in the file on, as another reader has found it to
// be laid out.
func (c *csvReader) scanned(like *csvReader, in io.Reader, n int, row func(s *csvScan) error) error {
	c.follow(like)
	s := &csvScan{window: window{in: in}, sep: byte(c.sep)}
	for range n {
		if !s.row() || len(s.fields) != c.width {
			return errors.New("the file changed while it was read")
		}
		if err := row(s); err != nil {
			return err
		}
	}
	return nil
}

// wrong says what is wrong with a sample.
func (c *csvReader) wrong(s *csvScan) error {
	rec := make([]string, len(s.fields))
	for i, w := range s.fields {
		rec[i] = strings.TrimSpace(string(w))
	}
	c.count--
	return c.row(rec, s.line)
}
