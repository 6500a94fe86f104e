package dataset

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

// streamCSV makes a stream of samples with a class in one column where they are too
// many. All files are read once to know where samples begin and what their classes are.
func (d *Data) streamCSV(files fileParts, o csvOptions) (bool, error) {
	if d.bound <= 0 {
		return false, nil
	}
	readers := map[string][]*csvReader{}
	sources := map[string][]*source{}
	samples, bytes := 0, int64(0)
	for _, part := range partOrder {
		for _, file := range files[part] {
			f, err := d.openRecords(file)
			if err != nil {
				return true, err
			}
			c := &csvReader{csvOptions: o, marks: d.marks(0)}
			quick, err := c.scan(f)
			if err == nil && !quick {
				c = &csvReader{csvOptions: o, rows: -1, labelled: true, marks: d.marks(0)}
				err = c.through(f)
			}
			if err != nil {
				return true, fmt.Errorf("%s: %w", file, err)
			}
			if o.like == nil {
				o.like = c
			}
			readers[part], sources[part] = append(readers[part], c), append(sources[part], f)
			samples += c.count
			bytes += int64(c.count) * int64(4*c.values+4)
		}
	}
	if large, err := d.over(samples, bytes); !large || err != nil {
		return large, err
	}
	for _, part := range partOrder {
		if len(files[part]) == 0 {
			continue
		}
		o := pieced{files: sources[part]}
		for k, c := range readers[part] {
			o.marks = append(o.marks, c.marks)
			d.noteCSV(files[part][k], c)
			if err := o.files[k].unpack(d); err != nil {
				return true, err
			}
		}
		o.read = func(p piece) (*Set, error) {
			r, err := o.files[p.file].from(p.at.at)
			if err != nil {
				return nil, err
			}
			defer r.Close()
			like := readers[part][p.file]
			c := &csvReader{rows: p.n, floats: make([]float32, 0, p.n*like.values), labels: make([]int32, 0, p.n)}
			if err := c.some(like, r, p.n, c.row); err != nil {
				return nil, fmt.Errorf("of these, %w", err)
			}
			return c.set(), nil
		}
		o.classes = func(p piece) (*Set, error) {
			c := readers[part][p.file]
			y := classified(Field{}).y()
			y.Ints, y.spelled = c.labels[p.at.record:p.at.record+p.n], c.names
			return New("", y), nil
		}
		s, err := d.streamPieces(o)
		if err != nil {
			return true, err
		}
		*d.part(part) = s
	}
	return true, nil
}

// through reads a file to its end.
func (c *csvReader) through(f *source) error {
	r, err := f.open()
	if err != nil {
		return err
	}
	defer r.Close()
	return c.read(r)
}

// scan finds where samples begin and their classes, but does not read their numbers, of
// a file that is divided at commas and line ends alone. False: it is not, or it has an
// error that reading it through will tell.
func (c *csvReader) scan(f *source) (ok bool, err error) {
	if f.gzip {
		return false, nil
	}
	r, err := f.open()
	if err != nil {
		return false, err
	}
	defer r.Close()
	if _, err := c.begin(r); err != nil || c.sep != ',' || c.dialect.cr {
		return false, nil
	}
	if err := c.each(func() {}, func([]string, int) error { return errEnough }); !errors.Is(err, errEnough) {
		return false, nil
	}
	in, err := f.from(int64(c.dialect.skip))
	if err != nil {
		return false, err
	}
	defer in.Close()
	b, at, comments := bufio.NewReaderSize(in, maxLine), int64(c.dialect.skip), 0
	for err == nil {
		var line []byte
		if line, err = b.ReadSlice('\n'); err != nil && err != io.EOF {
			return false, nil
		}
		begin := at
		at += int64(len(line))
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte{'\n'}), []byte{'\r'})
		switch {
		case bytes.IndexByte(line, '"') >= 0:
			return false, nil
		case len(line) > 0 && line[0] == '#':
			comments++
		case len(line) > 0 && begin >= c.marks.of[0].at && !c.scanned(line):
			return false, nil
		case len(line) > 0 && begin >= c.marks.of[0].at:
			c.marks.pass(at)
		}
	}
	if c.count == 0 {
		return false, nil
	}
	if comments > 0 {
		c.say("%d lines that begin with # are left out", comments)
	}
	return true, c.finish()
}

// scanned takes the class of a line that is a sample.
func (c *csvReader) scanned(line []byte) bool {
	if bytes.Count(line, []byte{','}) != c.width-1 {
		return false
	}
	c.count++
	last := line[bytes.LastIndexByte(line, ',')+1:]
	if c.hollow && len(bytes.TrimSpace(last)) > 0 {
		return false
	}
	if !c.drop[0] && c.col != 0 {
		w := string(line[:bytes.IndexByte(line, ',')])
		v, ok := small(w)
		if !ok {
			var err error
			if v, err = c.value(strings.TrimSpace(w)); err != nil {
				return false
			}
		}
		c.counted(v)
	}
	w := last
	if c.col < c.width-1 {
		w = line
		for range c.col {
			w = w[bytes.IndexByte(w, ',')+1:]
		}
		w = w[:bytes.IndexByte(w, ',')]
	}
	return c.class(strings.TrimSpace(string(w)), c.col, 1) == nil
}

// some reads n samples from a place in the file on, as another reader has found it to
// be laid out.
func (c *csvReader) some(like *csvReader, in io.Reader, n int, row func(rec []string, line int) error) error {
	c.csvOptions, c.dialect, c.width, c.values, c.col = like.csvOptions, like.dialect, like.width, like.values, like.col
	c.columns, c.drop, c.hollow, c.comma = like.columns, like.drop, like.hollow, like.comma
	c.divide(in)
	for range n {
		rec, err := c.rec.Read()
		if err == nil {
			err = row(rec, 0)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
