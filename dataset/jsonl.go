package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// openJSONL reads records written as JSON objects, one after another or in one list:
// each name is a column, and what an object in an object has is called OUTER.INNER.
func openJSONL(d *Data, path string, o *options) error {
	d.Norm, d.NormName, d.scaled = Raw, "none", true
	r := o.records(d)
	if o.err != nil {
		return o.err
	}
	files, err := d.findFiles(path, ".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz")
	if err != nil {
		return err
	}
	return d.readRecords(files, r, func(file string) (recordFile, error) {
		s, err := d.openRecords(file)
		return &jsonFile{source: s, marks: d.marks(0)}, err
	})
}

// jsonFile is a file of JSON objects.
type jsonFile struct {
	*source
	marks  *marks
	inList bool // objects are in one list
	window int  // bytes of it that were in memory at a time
}

func (f *jsonFile) places() *marks { return f.marks }

func (f *jsonFile) file() (*source, int64) {
	if f.window <= leastWindow {
		return f.source, 0
	}
	return f.source, 2 * int64(f.window)
}

func (f *jsonFile) some(t *table, from mark, n int, done func(at string) error) error {
	r, err := f.from(from.at)
	if err != nil {
		return err
	}
	defer r.Close()
	return first(n, done, func(done func(at string) error) error {
		o := &jsonObjects{window: window{in: r, at: from.at}, t: t, inList: f.inList, begun: from.record > 0}
		return o.each(nil, done)
	})
}

func (f *jsonFile) each(t *table, done func(at string) error) error {
	r, err := f.open()
	if err != nil {
		return err
	}
	defer r.Close()
	o := &jsonObjects{window: window{in: r}, t: t}
	if o.fill(); o.err != nil && o.err != io.EOF {
		return o.err
	}
	if err := notText(o.b); err != nil {
		return err
	}
	if bytes.HasPrefix(o.b, []byte("\xef\xbb\xbf")) {
		o.lo = 3
	}
	if f.inList = o.next() == '['; f.inList {
		o.lo++
		o.inList = true
	}
	if f.marks != nil {
		f.marks.of[0].at = o.offset()
	}
	err = o.each(f.marks, done)
	f.window = max(f.window, cap(o.b))
	return err
}

// jsonObjects reads objects of a file one after another. An object that is larger than a
// window is read by tokens.
type jsonObjects struct {
	window
	t      *table
	inList bool
	begun  bool // an object of the list came before
	scan   jsonScan
	dec    jsontext.Decoder
}

// next is the next byte that is no space; 0: there is none.
func (o *jsonObjects) next() byte {
	for {
		for ; o.lo < len(o.b); o.lo++ {
			switch c := o.b[o.lo]; c {
			case ' ', '\t', '\r', '\n':
			default:
				return c
			}
		}
		if o.err != nil {
			return 0
		}
		o.fill()
	}
}

// each reads all objects that there are.
func (o *jsonObjects) each(m *marks, done func(at string) error) error {
	for i := 0; ; i++ {
		at := "record " + strconv.Itoa(i)
		c := o.next()
		if c == ',' && o.inList && (o.begun || i > 0) {
			o.lo++
			if c = o.next(); c == ']' {
				return fmt.Errorf("%s: there is none behind the comma", at)
			}
		} else if o.inList && c != ']' && i > 0 && c != 0 {
			return fmt.Errorf("%s: there is no comma before it", at)
		}
		switch {
		case c == ']' && o.inList:
			return nil
		case c == 0 && o.lo == len(o.b):
			if o.err == io.EOF && o.inList {
				return fmt.Errorf("%s: the file is cut short: %w: the list is not closed", at, io.ErrUnexpectedEOF)
			} else if o.err != io.EOF {
				return o.err
			}
			return nil
		case c != '{':
			return o.noObject(at)
		}
		if err := o.object(); err != nil {
			return fmt.Errorf("%s: %w", at, notJSON(err))
		}
		if err := done(at); err != nil {
			return err
		}
		if m != nil {
			m.pass(o.offset())
		}
	}
}

// object reads an object.
func (o *jsonObjects) object() error {
	for {
		s := &o.scan
		s.t, s.b, s.at, s.more = o.t, o.rest(), 0, false
		if s.object(0) {
			o.lo += s.at
			return nil
		}
		for _, c := range o.t.cols {
			c.cell.reset()
		}
		if !s.more || o.err != nil || o.full() {
			break
		}
		o.fill()
	}
	return o.tokens(func(f *jsonTokens) error { return f.object("") })
}

// tokens has the library read what comes, from the bytes in memory and the rest.
func (o *jsonObjects) tokens(read func(f *jsonTokens) error) error {
	here := bytes.NewReader(o.rest())
	o.dec.Reset(io.MultiReader(here, o.in), jsontext.AllowDuplicateNames(true))
	err := read(&jsonTokens{o.t, &o.dec})
	var wrong *jsontext.SyntacticError
	if errors.As(err, &wrong) {
		return fmt.Errorf("from byte %d on: %w", o.offset(), err)
	}
	if err != nil {
		return err
	}
	o.at += int64(o.lo) + o.dec.InputOffset()
	rest := o.b[len(o.b)-here.Len():]
	o.b = slices.Concat(o.dec.UnreadBuffer(), rest)
	o.lo = 0
	return nil
}

// noObject says what is there in the place of an object.
func (o *jsonObjects) noObject(at string) error {
	return o.tokens(func(f *jsonTokens) error {
		tok, err := f.dec.ReadToken()
		if err != nil {
			err = fmt.Errorf("%s: %w", at, notJSON(err))
		} else {
			err = fmt.Errorf("%s is %s, not an object {\"NAME\": VALUE, …}", at, clip(tok.String(), 40))
		}
		return err
	})
}

// notJSON says what the two usual mistakes mean: a file of which the end is missing, and
// numbers that are none, which other programs write.
func notJSON(err error) error {
	var bad *jsontext.SyntacticError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the file is cut short: %w", err)
	case errors.As(err, &bad) && (strings.Contains(bad.Err.Error(), "'N'") || strings.Contains(bad.Err.Error(), "'I'")):
		return fmt.Errorf("NaN and Infinity are no numbers in JSON: fill them, or leave the record out: %w", err)
	}
	return err
}

// jsonTokens reads an object token by token.
type jsonTokens struct {
	t   *table
	dec *jsontext.Decoder
}

// object reads an object's values into their columns.
func (f *jsonTokens) object(around string) error {
	if strings.Count(around, ".") >= mostAxes {
		return fmt.Errorf("objects in each other, more than %d deep", mostAxes)
	}
	if _, err := f.dec.ReadToken(); err != nil {
		return err
	}
	for {
		tok, err := f.dec.ReadToken()
		if err != nil || tok.Kind() == '}' {
			return err
		}
		name := around + tok.String()
		if len(name) > maxLine {
			return errors.New("a name is too long")
		}
		if f.dec.PeekKind() == '{' {
			if err := f.object(name + "."); err != nil {
				return err
			}
			continue
		}
		c, err := f.t.column(name)
		if err != nil {
			return err
		}
		if c == nil {
			err = f.dec.SkipValue()
		} else {
			c.cell.reset() // of several values of one name the last holds
			err = f.value(&c.cell, 0)
		}
		if err != nil {
			return fmt.Errorf("%q: %w", clip(name, 40), err)
		}
	}
}

// value reads a value, or a list at a depth.
func (f *jsonTokens) value(c *cell, depth int) error {
	if f.dec.PeekKind() == '{' {
		c.odd = "lists of objects"
		return f.dec.SkipValue()
	}
	tok, err := f.dec.ReadToken()
	if err != nil {
		return err
	}
	switch tok.Kind() {
	case 'n':
		if depth > 0 {
			c.hole = true
		}
	case 't', 'f':
		v := int64(0)
		if tok.Bool() {
			v = 1
		}
		c.int(v)
	case '0':
		if v, err := tok.Int(); err == nil {
			c.int(v)
			return nil
		}
		v, err := tok.Float()
		if err != nil {
			return err
		}
		c.num(v)
	case '"':
		c.kind, c.text = texts, append(c.text[:0], tok.String()...)
	case '[':
		return f.list(c, depth)
	}
	return nil
}

// list reads a list; where what is in it is not of one kind, it is passed over.
func (f *jsonTokens) list(c *cell, depth int) error {
	n, leaf := 0, false
	for f.dec.PeekKind() != ']' {
		inner := f.dec.PeekKind() == '['
		if f.dec.PeekKind() == 0 {
			_, err := f.dec.ReadToken()
			return err
		}
		if depth+1 >= mostAxes {
			return fmt.Errorf("lists in each other, more than %d deep", mostAxes)
		}
		before := c.kind
		if err := f.value(c, depth+1); err != nil {
			return err
		}
		if n > 0 && inner == leaf || before != absent && c.kind != before {
			c.odd = "lists of different things"
		}
		leaf = !inner
		n++
	}
	if _, err := f.dec.ReadToken(); err != nil {
		return err
	}
	if err := c.count(depth, n); err != nil {
		c.odd = err.Error()
	}
	return nil
}
