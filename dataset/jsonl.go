package dataset

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
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
	t      *table
	dec    *jsontext.Decoder
	inList bool // objects are in one list
}

func (f *jsonFile) places() *marks         { return f.marks }
func (f *jsonFile) file() (*source, int64) { return f.source, 0 }

func (f *jsonFile) some(t *table, from mark, n int, done func(at string) error) error {
	r, err := f.from(from.at)
	if err != nil {
		return err
	}
	defer r.Close()
	in := bufio.NewReader(r)
	if f.inList { // what is left of the list is one, without the comma before it
		for {
			b, err := in.ReadByte()
			if err != nil {
				return err
			}
			if b == ',' {
				break
			}
			if !bytes.ContainsRune([]byte(" \t\r\n"), rune(b)) {
				if err := in.UnreadByte(); err != nil {
					return err
				}
				break
			}
		}
	}
	var all io.Reader = in
	if f.inList {
		all = io.MultiReader(strings.NewReader("["), in)
	}
	g := &jsonFile{source: f.source, t: t, dec: jsontext.NewDecoder(all, jsontext.AllowDuplicateNames(true))}
	return first(n, done, func(done func(at string) error) error { return g.objects(0, done) })
}

func (f *jsonFile) each(t *table, done func(at string) error) error {
	r, err := f.open()
	if err != nil {
		return err
	}
	defer r.Close()
	head := make([]byte, 4096)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return err
	}
	head = head[:n]
	if err := notText(head); err != nil {
		return err
	}
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	f.t, f.dec = t, jsontext.NewDecoder(io.MultiReader(bytes.NewReader(head), r), jsontext.AllowDuplicateNames(true))
	return f.objects(int64(n-len(head)), done)
}

// objects reads all objects; the decoder begins at a byte of the file.
func (f *jsonFile) objects(start int64, done func(at string) error) error {
	list := f.dec.PeekKind() == '['
	if f.inList = list; list {
		if _, err := f.dec.ReadToken(); err != nil {
			return err
		}
	}
	if f.marks != nil {
		f.marks.of[0].at = start + f.dec.InputOffset()
	}
	for i := 0; ; i++ {
		at := fmt.Sprintf("record %d", i)
		switch k := f.dec.PeekKind(); {
		case k == ']' && list:
			_, err := f.dec.ReadToken()
			return err
		case k == '{':
		default:
			tok, err := f.dec.ReadToken()
			if errors.Is(err, io.EOF) && !list {
				return nil
			}
			if err == nil {
				err = fmt.Errorf("%s is %s, not an object {\"NAME\": VALUE, …}", at, clip(tok.String(), 40))
			}
			return err
		}
		if err := f.object(""); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		if err := done(at); err != nil {
			return err
		}
		if f.marks != nil {
			f.marks.pass(start + f.dec.InputOffset())
		}
	}
}

// object reads an object's values into their columns.
func (f *jsonFile) object(around string) error {
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
func (f *jsonFile) value(c *cell, depth int) error {
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
			c.odd = "null in a list"
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
func (f *jsonFile) list(c *cell, depth int) error {
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
