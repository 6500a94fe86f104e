package dataset

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// recordOptions say how columns become fields.
type recordOptions struct {
	filling
	pads  map[string]float64 // by column
	masks []string           // columns of which a field says what is not filled up
	token *tokenizing        // nil: texts are classes, or left out
	texts map[string]bool    // columns of texts that are classes
	*fieldOptions

	gather func(*Data, *Set) error // makes other fields of those of columns; nil: they stay
	label  func(name string) bool  // says whether a column may be that of classes; nil: by name
	beside int64                   // bytes of images that belong to each record
}

// records reads the options of files of records.
func (o *options) records(d *Data) recordOptions {
	d.fields = o.fields()
	r := recordOptions{filling: filling{pad: math.NaN()}, pads: map[string]float64{}, texts: map[string]bool{}, masks: o.names("masks"), fieldOptions: d.fields}
	if o.str("length", "") != "" {
		r.length = o.whole("length", 0, 1)
	}
	for _, w := range o.names("pad") {
		name, number, named := strings.Cut(w, ":")
		if !named {
			number = w
		}
		v, err := strconv.ParseFloat(number, 32)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			o.fail("option pad=%s is not NUMBER or COLUMN:NUMBER", o.q.Get("pad"))
		}
		if named {
			r.pads[name] = v
		} else {
			r.pad = v
		}
	}
	if r.length > 1<<24 {
		o.fail("option length=%d is more than %d", r.length, 1<<24)
	}
	r.token = o.tokenizing(r.length, d.speaks)
	d.speak(r.token, true)
	return r
}

// fill says how lists of a column are filled up.
func (o *recordOptions) fill(name string) filling {
	f := o.filling
	if v, ok := o.pads[name]; ok {
		f.pad = v
	}
	return f
}

// recordFile is a file of records.
type recordFile interface {
	// each reads all records: it sets the cells of one, and calls done.
	each(t *table, done func(at string) error) error
	// some reads n records from a place on, as each does.
	some(t *table, from mark, n int, done func(at string) error) error
	// places are where records begin, once each has read them.
	places() *marks
	// file is where they are read from, and the most bytes that this takes at a time.
	file() (s *source, takes int64)
}

// summed is a file of records that can tell what they have in common without reading
// all of them, unless it says false.
type summed interface {
	sum(t *table, done int) (records int, ok bool, err error)
}

// table is columns of records of several files.
type table struct {
	d     *Data
	o     recordOptions
	cols  []*cells
	at    map[string]*cells
	plans map[*cells]*columnPlan
	count map[string]int     // records of each part
	first map[recordFile]int // of each file, among the records of all
	room  int64              // bytes that classes may take yet
}

// maxColumns bounds what a record may have.
const maxColumns = 1 << 13

// column finds a column by its name; new ones are added. nil: it is left out.
func (t *table) column(name string) (*cells, error) {
	if c, ok := t.at[name]; ok {
		return c, nil
	}
	if len(t.at) == maxColumns {
		return nil, fmt.Errorf("more than %d columns", maxColumns)
	}
	name = strings.Clone(name)
	var c *cells
	if t.o.wants(name) {
		if c = (&cells{name: name}); t.d.bound > 0 && (t.isClass(name) || t.o.label != nil && t.o.label(name)) {
			c.held = &heldClasses{}
		}
		t.cols = append(t.cols, c)
	}
	t.at[name] = c
	return c, nil
}

// absent notes that a column is missing in the records that it has not been seen in, of n.
func (t *table) absent(c *cells, n int) {
	if c.count < n && c.missing == 0 {
		c.lacking = fmt.Sprintf("record %d", c.count)
	}
	c.missing += max(0, n-c.count)
	c.count = max(c.count, n)
}

// learn learns what the records of a file of a part have in common, and gives their number.
func (t *table) learn(f recordFile, part string) (int, error) {
	before, done := t.count[part], 0
	for _, k := range t.count {
		done += k
	}
	if g, ok := f.(summed); ok {
		n, ok, err := g.sum(t, done)
		if err != nil || ok {
			t.count[part] += n
			return n, err
		}
	}
	err := f.each(t, func(at string) error {
		if err := t.o.token.look(t); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		for _, c := range t.cols {
			t.absent(c, done) // in records before the first that has the column
			if err := c.look(at); err != nil {
				return err
			}
			c.held.take(&c.cell, &t.room)
			c.cell.reset()
		}
		t.count[part]++
		done++
		return nil
	})
	return t.count[part] - before, err
}

// readRecords reads files twice: once to learn what all records have in common, and
// once to keep them.
func (d *Data) readRecords(files fileParts, o recordOptions, open func(file string) (recordFile, error)) error {
	t := &table{d: d, o: o, at: map[string]*cells{}, count: map[string]int{}, first: map[recordFile]int{}, room: d.bound / 4}
	opened := map[string]recordFile{}
	for _, part := range partOrder {
		for _, file := range files[part] {
			f, err := open(file)
			if err != nil {
				return err
			}
			opened[file] = f
			for _, n := range t.count {
				t.first[f] += n
			}
			n, err := t.learn(f, part)
			if err == nil && n == 0 {
				err = fmt.Errorf("there are no records")
			}
			if err != nil {
				return fmt.Errorf("%s: %w", filepath.Base(file), err)
			}
		}
	}
	if err := t.plan(); err != nil {
		return err
	}
	if streamed, err := t.stream(files, opened); streamed || err != nil {
		return err
	}
	for _, part := range partOrder {
		if len(files[part]) == 0 {
			continue
		}
		if err := t.allocate(t.count[part]); err != nil {
			return err
		}
		for _, file := range files[part] {
			if err := opened[file].each(t, t.keep); err != nil {
				return fmt.Errorf("%s: %w", filepath.Base(file), err)
			}
		}
		s, err := t.set(part)
		if err != nil {
			return err
		}
		if o.gather != nil {
			if err := o.gather(d, s); err != nil {
				return err
			}
		}
		*d.part(part) = s
	}
	return nil
}

// columnPlan is what a column becomes.
type columnPlan struct {
	filling
	shape []int
	spell bool // classes by name
	token bool // tokens of a text
	mask  bool // and a field that says what is not filled up
}

// plan decides what becomes of each column.
func (t *table) plan() error {
	t.plans = map[*cells]*columnPlan{}
	var text []*cells
	var left []string
	leave := func(c *cells, why string) {
		t.o.left[c.name] = true
		left = append(left, fmt.Sprintf("%s (%s)", clip(c.name, 40), why))
	}
	for _, c := range t.cols {
		isClass := t.isClass(c.name)
		switch {
		case c.odd != "":
			leave(c, c.odd)
		case !c.seen && c.hole:
			leave(c, "null in a list")
		case !c.seen:
			leave(c, "no record has a value")
		case c.kind == texts && len(c.shape) > 0:
			leave(c, "lists of texts")
		case c.kind == texts && t.o.token.wants(c.name, isClass):
			text = append(text, c)
		case c.kind == texts && isClass:
			if _, err := c.plan(filling{}); err != nil {
				return err
			}
			t.plans[c] = &columnPlan{spell: true}
		case c.kind == texts:
			leave(c, fmt.Sprintf("text: class=%s makes it a class, tokenizer=FILE tokens", clip(c.name, 40)))
		default:
			f := t.o.fill(c.name)
			shape, err := c.plan(f)
			if err != nil {
				return err
			}
			t.plans[c] = &columnPlan{filling: f, shape: shape, mask: slices.Contains(t.o.masks, c.name) && len(shape) > 0}
		}
	}
	if len(left) > 0 {
		t.d.note("columns that are left out: %s", few(left))
	}
	if err := t.o.token.choose(t, text); err != nil {
		return err
	}
	for _, n := range t.o.masks {
		if p := t.plans[t.at[n]]; t.at[n] == nil || p == nil || !p.mask {
			return fmt.Errorf("masks=%s: there is no column %q of lists", n, n)
		}
	}
	if len(t.plans) == 0 {
		return fmt.Errorf("no column can be a field")
	}
	return nil
}

// isClass says whether a column is one of classes, by what is asked for and its name.
func (t *table) isClass(name string) bool {
	return t.o.texts[name] || slices.Contains(t.o.class, name) || isTarget(name) && !slices.Contains(t.o.plain, name)
}

// allocate makes room for the records of a part.
func (t *table) allocate(n int) error {
	total := 0
	for _, c := range t.cols {
		p := t.plans[c]
		if p == nil {
			continue
		}
		values := size(p.shape)
		if p.token {
			values = t.o.token.values()
		}
		if total += values; total > 4*maxFile/max(1, n) {
			return fmt.Errorf("%d records of %d numbers take more than %d bytes", n, total, int64(16*maxFile))
		}
		c.part = &partCells{number: map[string]int32{}}
		switch {
		case p.token:
			c.part.ids = t.o.token.room(n)
		case p.spell || c.isInt():
			c.part.ints = make([]int32, 0, n*values)
		default:
			c.part.floats = make([]float32, 0, n*values)
		}
		if p.mask {
			c.part.mask = make([]int32, 0, n*p.shape[0])
		}
	}
	return nil
}

// keep keeps the record that is being read.
func (t *table) keep(at string) error {
	for _, c := range t.cols {
		p := t.plans[c]
		var err error
		switch {
		case p == nil:
		case p.token:
			err = t.o.token.keep(c)
		case p.spell:
			err = c.spellCell(at)
		default:
			c.keep(p.shape, p.filling, c.isInt())
		}
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
	}
	for _, c := range t.cols {
		c.cell.reset()
	}
	return nil
}

// set makes the fields of a part.
func (t *table) set(part string) (*Set, error) {
	s := New("")
	var classes []*Field
	for _, c := range t.cols {
		p := t.plans[c]
		if p == nil {
			continue
		}
		v := c.part
		if p.token {
			if err := t.o.token.heard(t, part); err != nil {
				return nil, err
			}
			s.Fields = append(s.Fields, t.o.token.fields(t, c, part)...)
			continue
		}
		if v.records != t.count[part] {
			return nil, fmt.Errorf("the files changed while they were read")
		}
		f := &Field{Name: c.name, Shape: p.shape, Ints: v.ints, Floats: v.floats}
		if p.spell {
			f.spelled = v.names
			classes = append(classes, f)
			continue
		}
		if v.cut > 0 {
			t.d.note("column %q: %d of %d lists of the %s set are longer than %d and are cut off", c.name, v.cut, v.records, setNames[part], p.shape[0])
		}
		s.Fields = append(s.Fields, f)
		if p.mask {
			s.Fields = append(s.Fields, &Field{Name: c.name + "_mask", Shape: p.shape[:1:1], Ints: v.mask, Aside: true})
		}
		if isTarget(c.name) && c.isInt() && !c.negative && len(p.shape) == 0 && c.most <= maxClass && !slices.Contains(t.o.plain, c.name) {
			f.Classes = int(c.most) + 1
		}
	}
	s.Fields = append(s.Fields, classes...)
	slices.SortStableFunc(s.Fields, func(a, b *Field) int { return min(1, a.Classes) - min(1, b.Classes) })
	return s, nil
}
