package dataset

import (
	"fmt"
	"io"
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
			counting := func() *csvReader {
				return &csvReader{csvOptions: o, rows: -1, labelled: true, marks: d.marks(0)}
			}
			c, err := readSamples(f, counting)
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
			o.marks, o.more = append(o.marks, c.marks), max(o.more, c.takes())
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
			if like.plain {
				err = c.scanned(like, r, p.n, c.taken)
			} else {
				err = c.some(like, r, p.n, c.row)
			}
			if err != nil {
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

// some reads n samples from a place in the file on, as another reader has found it to
// be laid out.
func (c *csvReader) some(like *csvReader, in io.Reader, n int, row func(rec []string, line int) error) error {
	c.follow(like)
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

// follow takes the layout that another reader has found.
func (c *csvReader) follow(like *csvReader) {
	c.csvOptions, c.dialect, c.width, c.values, c.col = like.csvOptions, like.dialect, like.width, like.values, like.col
	c.columns, c.drop, c.hollow, c.comma = like.columns, like.drop, like.hollow, like.comma
	c.classes, c.number = map[string]int32{}, map[string]int32{}
}

// taken takes a sample that a scan has read.
func (c *csvReader) taken(s *csvScan) error {
	floats, labels := len(c.floats), len(c.labels)
	if c.sample(s) {
		return nil
	}
	c.floats, c.labels = c.floats[:floats], c.labels[:labels]
	return c.wrong(s)
}

// readSamples reads a file to its end with a reader that fresh makes.
func readSamples(f *source, fresh func() *csvReader) (*csvReader, error) {
	c := fresh()
	ok, err := c.scan(f, c.room, c.sample)
	if err == nil && ok {
		return c, c.finish()
	}
	if err == nil {
		c = fresh()
		err = c.through(f)
	}
	return c, err
}
