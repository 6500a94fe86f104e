package dataset

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// csvColumn is what the values of a column have in common, which are looked at once.
type csvColumn struct {
	cells
	text    bool // one is no number
	missing bool // one is missing

	fractions int    // numbers that are not whole
	word      string // the first that is no number, and where
}

// learn reads a file through by a scan; false: it is read by the library.
func (f *csvRows) learn(d *Data, classes func(name string, i, n int) bool) (bool, error) {
	c := &csvReader{csvOptions: f.csvOptions, marks: d.marks(0)}
	var cols []csvColumn
	room := d.bound / 4
	ok, err := c.scan(f.source, func() {
		cols = make([]csvColumn, c.width)
		for i, name := range c.columnNames() {
			if d.bound > 0 && !c.drop[i] && classes(name, i, c.width) {
				cols[i].held = &heldClasses{}
			}
		}
	}, func(s *csvScan) bool {
		c.count++
		for i, w := range s.fields {
			if !c.drop[i] && !cols[i].look(c, bytes.TrimSpace(w), &room) {
				return false
			}
		}
		return true
	})
	if !ok || err != nil {
		return false, err
	}
	for i, name := range c.columnNames() {
		k := &cols[i]
		switch {
		case c.drop[i]:
		case k.text:
			if f.texts[name], k.kind = true, texts; 2*k.fractions > c.count {
				f.mixed[name] = k.word
			}
		case k.missing: // the library says where
			return false, nil
		default:
			k.kind = numbers
		}
	}
	f.layout, f.where, f.cols = c, c.marks, cols
	return true, nil
}

// look learns from a value of a row.
func (k *csvColumn) look(c *csvReader, w []byte, room *int64) bool {
	if h := k.held; h != nil && !h.over {
		h.spell(w, room)
	}
	if c.fraction(w) {
		k.fractions++
	}
	if k.text {
		return true
	}
	n, whole, x, ok := c.numeric(w)
	switch {
	case !ok && missing[strings.ToLower(string(w))]:
		k.missing = true
	case !ok && !isNumber(string(w)):
		k.text, k.word = true, fmt.Sprintf("row %d has %q", c.count-1, clip(string(w), 40))
	case !ok:
		return false
	case !whole:
		if k.float = true; k.held != nil {
			k.held = nil // it holds no classes, unless it holds texts
		}
		k.tally(toward(float64(x)))
	case !k.tally(n) && k.inexact == "":
		k.inexact = fmt.Sprintf("%d of row %d", n, c.count-1)
	}
	return true
}

// fraction says whether a value is a number with a point that is not whole.
func (c *csvReader) fraction(w []byte) bool {
	if len(w) == 0 || strings.IndexByte("+-.0123456789", w[0]) < 0 || bytes.IndexByte(w, '.') < 0 {
		return false
	}
	_, whole, _, ok := c.numeric(w)
	return ok && !whole
}

// numeric reads a number, which is kept as one of 32 bits where it is not whole.
func (c *csvReader) numeric(w []byte) (n int64, whole bool, x float32, ok bool) {
	d, negative, plain := csvNumber(w)
	if plain && d.read <= mostDigits && d.after == 0 {
		if n = int64(d.value); negative {
			n = -n
		}
		return n, true, 0, true
	}
	if x, ok = c.quick(w); ok {
		return 0, false, x, true
	}
	if n, err := strconv.ParseInt(string(w), 10, 64); err == nil {
		return n, true, 0, true
	}
	if !isNumber(string(w)) { // it says nothing of decimal marks
		return 0, false, 0, false
	}
	x, err := c.value(string(w))
	return 0, false, x, err == nil
}

// sum tells what the records have in common, where a scan has found it.
func (f *csvRows) sum(t *table, done int) (int, bool, error) {
	if f.cols == nil || t.o.token != nil && t.o.token.length == 0 {
		return 0, false, nil
	}
	n := f.layout.count
	for i, name := range f.layout.columnNames() {
		if f.layout.drop[i] {
			continue
		}
		c, err := t.column(name)
		if err != nil {
			return 0, false, err
		}
		if c == nil {
			continue
		}
		t.absent(c, done)
		if err := c.join(&f.cols[i].cells, n); err != nil {
			return 0, false, err
		}
		c.held.join(f.cols[i].held, f.cols[i].text, &t.room)
		f.cols[i].held = nil
	}
	return n, true, nil
}

// scanned sets the cells of each row that a scan reads.
func (f *csvRows) scanned(t *table, c *csvReader, done func(at string) error) (func(s *csvScan) error, error) {
	of := make([]*cells, f.layout.width)
	text := make([]bool, len(of))
	for i, name := range f.layout.columnNames() {
		if f.layout.drop[i] {
			continue
		}
		var err error
		if of[i], err = t.column(name); err != nil {
			return nil, err
		}
		text[i] = f.texts[name]
	}
	row := 0
	return func(s *csvScan) error {
		for i, k := range of {
			if k == nil {
				continue
			}
			w := bytes.TrimSpace(s.fields[i])
			if text[i] {
				k.cell.kind, k.cell.text = texts, append(k.cell.text[:0], w...)
				continue
			}
			n, whole, x, ok := c.numeric(w)
			switch {
			case !ok:
				_, err := c.value(string(w))
				return fmt.Errorf("line %d, column %s: %w", s.line, f.layout.where(i), err)
			case whole:
				k.cell.int(n)
			default:
				k.cell.num(float64(x))
			}
		}
		row++
		return done(fmt.Sprintf("row %d", row-1))
	}, nil
}
