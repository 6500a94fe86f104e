package dataset

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// csvFields say which columns of a CSV file become which fields.
type csvFields struct {
	label  string // the column of classes; none: there is none
	target []string
	ints   []string
	named  map[string][]string // columns by the field that they make
	order  []string            // of these
	each   bool                // every column is a field
}

// csvFields reads what makes records of a CSV file; nil: nothing does.
func (o *options) csvFields(label string) *csvFields {
	f := &csvFields{label: label, target: o.names("target"), ints: o.names("ints"), named: map[string][]string{}, each: o.oneOf("fields", "values", "columns") == "columns"}
	for k := range o.q {
		if name, ok := strings.CutPrefix(k, "field:"); ok {
			f.named[name] = o.names(k)
			f.order = append(f.order, name)
		}
	}
	sort.Strings(f.order)
	if f.target == nil && f.ints == nil && len(f.order) == 0 && !f.each && label != "none" && o.q.Get("tokenizer") == "" {
		return nil
	}
	if f.target != nil {
		f.named["target"] = f.target
		f.order = append(f.order, "target")
	}
	return f
}

// csvRows are the rows of a CSV file as records: each column is one, of numbers, or of
// texts where one of its values is no number.
type csvRows struct {
	*source
	csvOptions
	texts  map[string]bool
	mixed  map[string]string // the first text of columns that hold numbers but for a few
	notes  []string
	layout *csvReader // as it was when the file was looked at
	where  *marks
	cols   []csvColumn // that a scan has looked at; nil: it is no file for that
}

func (f *csvRows) places() *marks         { return f.where }
func (f *csvRows) file() (*source, int64) { return f.source, f.layout.takes() }

func (f *csvRows) some(t *table, from mark, n int, done func(at string) error) error {
	r, err := f.from(from.at)
	if err != nil {
		return err
	}
	defer r.Close()
	c := &csvReader{}
	if f.cols != nil {
		row, err := f.scanned(t, c, done)
		if err != nil {
			return err
		}
		return c.scanned(f.layout, r, n, row)
	}
	names := f.layout.columnNames()
	return c.some(f.layout, r, n, func(rec []string, line int) error {
		return f.row(c, names, rec, line, f.cells(t), func(c *csvReader) error { return done(fmt.Sprintf("row %d", c.count-1)) })
	})
}

// openCSVRows reads a file through to see which columns hold texts. Classes says which of
// n columns may be those of classes.
func (d *Data) openCSVRows(file string, o csvOptions, classes func(name string, i, n int) bool) (*csvRows, error) {
	s, err := d.openRecords(file)
	if err != nil {
		return nil, err
	}
	f := &csvRows{source: s, csvOptions: o, texts: map[string]bool{}, mixed: map[string]string{}}
	f.label, f.like = "last", nil
	if ok, err := f.learn(d, classes); ok || err != nil {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		f.notes = f.layout.notes
		return f, nil
	}
	clear(f.texts)
	clear(f.mixed)
	fractions, firsts := map[string]int{}, map[string]string{}
	c, err := f.rows(func(c *csvReader, name string, w string) error {
		switch {
		case missing[strings.ToLower(w)]:
		case isNumber(w):
			if c.fraction([]byte(w)) {
				fractions[name]++
			}
		case !f.texts[name]:
			f.texts[name], firsts[name] = true, fmt.Sprintf("row %d has %q", c.count-1, clip(w, 40))
		}
		return nil
	}, func(*csvReader) error { return nil })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for name, n := range fractions {
		if f.texts[name] && 2*n > c.count {
			f.mixed[name] = firsts[name]
		}
	}
	f.notes, f.layout, f.where = c.notes, c, d.marks(0)
	return f, nil
}

// rows calls cell for each value, and done after each row.
func (f *csvRows) rows(cell func(c *csvReader, name, w string) error, done func(c *csvReader) error) (*csvReader, error) {
	r, err := f.open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	c := &csvReader{csvOptions: f.csvOptions}
	if f.cols == nil {
		c.marks = f.where
	}
	if _, err := c.begin(r); err != nil {
		return nil, err
	}
	var names []string
	return c, c.each(func() { names = c.columnNames() }, func(rec []string, line int) error {
		if err := f.row(c, names, rec, line, cell, done); err != nil {
			return err
		}
		if c.marks != nil {
			c.marks.pass(c.end)
		}
		return nil
	})
}

// row calls cell for each value of a row, and then done.
func (f *csvRows) row(c *csvReader, names, rec []string, line int, cell func(c *csvReader, name, w string) error, done func(c *csvReader) error) error {
	if len(rec) != c.width {
		return fmt.Errorf("line %d: wrong number of fields: %d, the first line has %d", c.line(line), len(rec), c.width)
	}
	c.count++
	for i, w := range rec {
		if c.drop[i] {
			continue
		}
		if err := cell(c, names[i], strings.TrimSpace(w)); err != nil {
			return fmt.Errorf("line %d, column %s: %w", c.line(line), c.where(i), err)
		}
	}
	return done(c)
}

// columnNames are the names of the columns, or their numbers from 0 where they have
// none, or not all one of their own.
func (c *csvReader) columnNames() []string {
	out := make([]string, c.width)
	seen := map[string]bool{}
	for i := range out {
		out[i] = strconv.Itoa(i)
		if i < len(c.columns) && c.columns[i] != "" && !seen[c.columns[i]] {
			out[i] = c.columns[i]
		}
		seen[out[i]] = true
	}
	return out
}

func (f *csvRows) each(t *table, done func(at string) error) error {
	if f.cols != nil {
		c := &csvReader{csvOptions: f.csvOptions}
		row, err := f.scanned(t, c, done)
		if err != nil {
			return err
		}
		ok, err := c.scan(f.source, func() {}, func(s *csvScan) bool {
			c.count++
			err = row(s)
			return err == nil
		})
		if err == nil && (!ok || c.count != f.layout.count) {
			err = errors.New("the file changed while it was read")
		}
		return err
	}
	_, err := f.rows(f.cells(t), func(c *csvReader) error { return done(fmt.Sprintf("row %d", c.count-1)) })
	return err
}

// cells sets the cells of a row.
func (f *csvRows) cells(t *table) func(c *csvReader, name, w string) error {
	return func(c *csvReader, name, w string) error {
		col, err := t.column(name)
		if err != nil || col == nil {
			return err
		}
		v := &col.cell
		if f.texts[name] {
			v.kind, v.text = texts, append(v.text[:0], w...)
			return nil
		}
		if n, err := strconv.ParseInt(w, 10, 64); err == nil {
			v.int(n)
			return nil
		}
		x, err := c.value(w)
		v.num(float64(x))
		return err
	}
}

// csvRecords reads files whose columns become fields.
func (d *Data) csvRecords(files fileParts, o csvOptions, f *csvFields, r recordOptions) error {
	d.scaled = true
	first := true
	r.gather = f.gather
	ends := map[string]bool{}
	r.label = func(name string) bool { return name == f.label || ends[name] || slices.Contains(f.target, name) }
	classes := func(name string, i, n int) bool {
		if f.label == "first" && i == 0 || f.label == "last" && i == n-1 {
			ends[name] = true
		}
		return r.label(name) || isTarget(name) || slices.Contains(r.class, name)
	}
	target := slices.Concat(f.target, []string{f.label})
	return d.readRecords(files, r, func(file string) (recordFile, error) {
		rows, err := d.openCSVRows(file, o, classes)
		if err != nil {
			return nil, err
		}
		for _, n := range rows.notes {
			d.note("%s: %s", filepath.Base(file), n)
		}
		if first {
			first = false
			for _, name := range slices.Sorted(maps.Keys(rows.texts)) {
				switch {
				case rows.mixed[name] != "" && !slices.Contains(r.class, name) && r.wants(name):
					return nil, fmt.Errorf("column %q holds numbers, but %s: mend it, or leave the line out (drop=%[1]s leaves the column out, class=%[1]s takes all of it for names of classes)", name, rows.mixed[name])
				case slices.Contains(target, name) || f.each:
					r.texts[name] = true
				case !slices.Contains(r.class, name) && !isTarget(name) && r.token == nil && r.wants(name):
					return nil, fmt.Errorf("column %q holds text: drop=%[1]s leaves it out, class=%[1]s makes it a field of classes, target=%[1]s one to predict", name)
				}
			}
		}
		return rows, nil
	})
}
