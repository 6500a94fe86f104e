package dataset

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"
)

// maxLine and maxNames bound the bytes of a line and the names of classes.
const (
	maxLine  = 2 << 20
	maxNames = 1 << 18
)

// csvOptions say how a file is to be read; empty: as it looks.
type csvOptions struct {
	label  string // of the class: first, last, a number from 0 or a name
	sep    rune
	header string // yes, no
	skip   []string
	fields bool       // columns are fields by their names
	like   *csvReader // the training file, whose columns are those of the test file
}

func openCSV(d *Data, path string, o *options) error {
	d.Norm, d.NormName = Raw, "none"
	c := csvOptions{label: o.str("label", ""), header: o.oneOf("header", "auto", "yes", "no")}
	if s := o.str("skip", ""); s != "" {
		c.skip = strings.Split(s, ",")
	}
	var err error
	if c.sep, err = sepOf(o.str("sep", "")); err == nil {
		err = o.err
	}
	if err != nil {
		return err
	}
	fields := o.csvFields(c.label)
	d.columns = c
	r := recordOptions{}
	if fields != nil {
		r = o.records(d)
	}
	if o.err != nil {
		return o.err
	}
	files, err := d.findFiles(path, ".csv", ".tsv", ".csv.gz", ".tsv.gz")
	if err != nil {
		return err
	}
	if fields != nil {
		d.columns.label, d.columns.fields = "last", true
		return d.csvRecords(files, c, fields, r)
	}
	if large, err := d.streamCSV(files, c); large || err != nil {
		return err
	}
	return d.readParts(files, func(part, file string) (*Set, error) {
		r, err := readCSV(file, c)
		if err != nil {
			return nil, err
		}
		if c.like == nil {
			c.like = r
		}
		d.noteCSV(file, r)
		return r.set(), nil
	})
}

func (d *Data) noteCSV(path string, c *csvReader) {
	for _, n := range c.notes {
		d.note("%s: %s", filepath.Base(path), n)
	}
}

// readCSV reads numbers with the class in one column. A large file is read
// twice: once to see that all of it is good.
func readCSV(path string, o csvOptions) (*csvReader, error) {
	f, err := (&Data{}).openRecords(path)
	if err != nil {
		return nil, err
	}
	pass := func(rows int) (*csvReader, error) {
		c, err := readSamples(f, func() *csvReader { return &csvReader{csvOptions: o, rows: rows} })
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return c, nil
	}
	rows := 0
	if f.size > 8<<20 {
		c, err := pass(-1)
		if err != nil {
			return nil, err
		}
		rows = c.count
	}
	return pass(rows)
}

// csvReader reads samples.
type csvReader struct {
	csvOptions
	rows int // samples to come, -1: they are only counted; 0: not known

	labelled bool // their classes are kept even so
	count    int
	width    int      // columns
	values   int      // of a sample
	col      int      // of the class
	columns  []string // their names, where there is a header
	drop     []bool   // columns that are left out
	hollow   bool     // the last of them is empty
	comma    int8     // the decimal mark is a comma: 1, a point: -1, not known: 0
	counts   bool     // the first column counts the rows
	start    float32  // from this
	notes    []string
	floats   []float32
	labels   []int32
	classes  map[string]int32 // as spelled
	number   map[string]int32 // by name
	names    []string
	rec      *csv.Reader

	dialect dialect
	plain   bool   // the file can be scanned,
	window  int    // with so many bytes of it in memory
	first   int64  // where the first sample begins, in bytes of the file
	end     int64  // where the sample ends that is read, in bytes of the file
	marks   *marks // where samples begin; nil: that is not noted
}

func (c *csvReader) say(format string, a ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, a...))
}

func (c *csvReader) read(in io.Reader) error {
	l, err := c.begin(in)
	if err != nil {
		return err
	}
	if err := c.samples(); err != nil {
		return err
	}
	if l.comments > 0 {
		c.say("%d lines that begin with # are left out", l.comments)
	}
	return c.finish()
}

// begin finds how lines are divided.
func (c *csvReader) begin(in io.Reader) (*lines, error) {
	head := make([]byte, 1<<16)
	n, err := io.ReadFull(in, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	d, err := sniff(head[:n], c.sep)
	if err != nil {
		return nil, err
	}
	if c.sep == 0 && d.sep != ',' {
		c.say("columns are divided at %q", d.sep)
	}
	c.sep, c.dialect = d.sep, d
	return c.divide(io.MultiReader(strings.NewReader(string(head[d.skip:n])), in)), nil
}

// divide begins to read lines of the dialect.
func (c *csvReader) divide(in io.Reader) *lines {
	l := &lines{r: in, cr: c.dialect.cr}
	r := csv.NewReader(l)
	r.ReuseRecord, r.FieldsPerRecord, r.Comma, r.Comment, r.TrimLeadingSpace = true, -1, c.sep, '#', c.sep != '\t'
	c.rec, c.classes, c.number = r, map[string]int32{}, map[string]int32{}
	return l
}

// samples reads all lines; the first two tell what they are.
func (c *csvReader) samples() error {
	return c.each(c.room, c.row)
}

// room makes room for the samples, where their number is known.
func (c *csvReader) room() {
	if n := max(0, c.rows); n > 0 {
		c.floats, c.labels = make([]float32, 0, n*c.values), make([]int32, 0, n)
	}
}

// each reads all lines: it looks at the first two, calls ready, and row for each that
// is a sample.
func (c *csvReader) each(ready func(), row func(rec []string, line int) error) error {
	first, err := c.rec.Read()
	if err == io.EOF {
		return errors.New("there are no samples")
	}
	if err != nil {
		return err
	}
	a := trimmed(first)
	line, _ := c.rec.FieldPos(0)
	start := int64(c.dialect.skip)
	ends := start + c.rec.InputOffset()
	second, err := c.rec.Read()
	if err != nil && err != io.EOF {
		return err
	}
	var b []string
	if err == nil {
		b = trimmed(second)
	}
	header, e := c.layout(a, b)
	if e != nil {
		return e
	}
	ready()
	if c.first = start; header {
		c.first = ends
	}
	if c.marks != nil {
		c.marks.of[0].at = c.first
	}
	if c.end = ends; !header {
		if err := row(a, line); err != nil {
			return err
		}
	}
	for err == nil {
		c.end = start + c.rec.InputOffset()
		if err := row(second, 0); err != nil {
			return err
		}
		second, err = c.rec.Read()
	}
	if err != io.EOF {
		return err
	}
	if c.count == 0 {
		return errors.New("there are no samples")
	}
	return nil
}

// line is the number of the line of the last record.
func (c *csvReader) line(known int) int {
	if known == 0 {
		known, _ = c.rec.FieldPos(0)
	}
	return known
}

// row takes a sample. The number of its line is only looked up where something
// is wrong.
func (c *csvReader) row(rec []string, line int) error {
	if len(rec) != c.width {
		return fmt.Errorf("line %d: wrong number of fields: %d, the first line has %d", c.line(line), len(rec), c.width)
	}
	c.count++
	for i, w := range rec {
		if i == c.col {
			if err := c.class(strings.TrimSpace(w), i, line); err != nil {
				return err
			}
			continue
		}
		if c.drop[i] {
			if c.hollow && i == c.width-1 && strings.TrimSpace(w) != "" {
				return fmt.Errorf("line %d: column %s is empty in the first lines, not here", c.line(line), c.where(i))
			}
			continue
		}
		v, ok := small(w)
		if !ok {
			var err error
			if v, err = c.value(strings.TrimSpace(w)); err != nil {
				return fmt.Errorf("line %d, column %s: %w", c.line(line), c.where(i), err)
			}
		}
		if i == 0 {
			c.counted(v)
		}
		if c.rows >= 0 {
			c.floats = append(c.floats, v)
		}
	}
	if c.marks != nil {
		c.marks.pass(c.end)
	}
	return nil
}

// counted looks whether the first column counts the samples.
func (c *csvReader) counted(v float32) {
	if c.count == 1 {
		c.start, c.counts = v, v == 0 || v == 1
	}
	c.counts = c.counts && v == c.start+float32(c.count-1)
}

// class takes the class of a sample.
func (c *csvReader) class(w string, i, line int) error {
	k, ok := c.classes[w]
	if !ok {
		if l := strings.ToLower(w); missing[l] && l != "none" {
			return fmt.Errorf("line %d, column %s: the class is missing (%q); leave out the line, or name another column with label=", c.line(line), c.where(i), w)
		}
		name := strings.Clone(w)
		if v, err := strconv.ParseFloat(w, 64); err == nil && v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			name = strconv.FormatInt(int64(v), 10) // 1, 01 and 1.0 are one class
		}
		if k, ok = c.number[name]; !ok {
			if k = int32(len(c.names)); k == maxNames {
				return fmt.Errorf("line %d: more than %d classes in column %s: label= names another column", c.line(line), maxNames, c.where(i))
			}
			c.number[name] = k
			c.names = append(c.names, name)
		}
		if len(c.classes) < 2*maxNames {
			c.classes[strings.Clone(w)] = k
		}
	}
	if c.rows >= 0 || c.labelled {
		c.labels = append(c.labels, k)
	}
	return nil
}

// finish looks at what was read as a whole.
func (c *csvReader) finish() error {
	broken := ""
	for _, n := range c.names {
		v, err := strconv.ParseFloat(n, 64)
		if err != nil {
			broken = ""
			break
		}
		if v != math.Trunc(v) {
			broken = n
		}
	}
	if broken != "" {
		return fmt.Errorf("the class column %s holds numbers that are not whole, such as %s: label= names another column", c.where(c.col), clip(broken, 40))
	}
	if len(c.names) == 1 && c.count > 1 {
		c.say("all samples have class %s in column %s: if another column is the class, label= names it", clip(c.names[0], 40), c.where(c.col))
	}
	if c.counts && c.count > 2 && !c.drop[0] && c.values > 1 {
		c.say("column %s counts the samples and is used as a value: skip=0 leaves it out", c.where(0))
	}
	if c.comma > 0 {
		c.say("numbers have a decimal comma")
	}
	return nil
}

func (c *csvReader) set() *Set {
	s := classified(Field{Shape: []int{c.values}, Floats: c.floats})
	s.y().Ints, s.y().spelled = c.labels, c.names
	return s
}
