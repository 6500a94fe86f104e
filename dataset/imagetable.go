package dataset

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// openTable reads images that a CSV file names, with the other columns of their rows
// as fields.
func openTable(d *Data, path string, o *options) error {
	po, dir := o.pictures(), o.str("images", "")
	c := csvOptions{header: o.oneOf("header", "auto", "yes", "no")}
	fields := o.csvFields("none")
	r := o.records(d)
	var err error
	if c.sep, err = sepOf(o.str("sep", "")); err == nil {
		err = o.err
	}
	if err != nil {
		return err
	}
	if len(fields.order) == 0 && fields.ints == nil {
		fields.each = true
	}
	return d.imageTable(path, dir, c, fields, r, po)
}

// imageTable reads tables and the images that they name, which lie in a folder (empty:
// that of the table).
func (d *Data) imageTable(path, dir string, c csvOptions, fields *csvFields, r recordOptions, po pictureOptions) error {
	d.Norm, d.NormName = Raw, "none"
	files, err := d.findFiles(path, ".csv", ".tsv")
	if err != nil {
		return err
	}
	rows, err := d.tableImages(files, dir, c, &r)
	if err != nil {
		return err
	}
	parts := map[string]*part{}
	for _, name := range partOrder {
		p := &part{}
		for _, file := range files[name] {
			for _, f := range rows[file] {
				p.leaves, p.labels = append(p.leaves, f), append(p.labels, int32(len(p.labels)))
			}
		}
		parts[name] = p
	}
	shape, err := d.firstSize(parts, po)
	if err != nil {
		return err
	}
	if shape != nil {
		r.beside = int64(shape[0] * shape[1] * shape[2])
	}
	if err := d.csvRecords(files, c, fields, r); err != nil {
		return err
	}
	for _, part := range partOrder {
		s := *d.part(part)
		if s == nil {
			continue
		}
		for _, f := range s.Fields {
			if f.Name == "x" {
				f.Name = "values"
			}
		}
		if d.cache != nil {
			if err := d.streamImages(s, parts[part], part, po); err != nil {
				return err
			}
			continue
		}
		all, size := parts[part].leaves, int64(0)
		for _, f := range all {
			size += f.size
		}
		if err := d.rowImages(s, part, "x", 0, size, po, func(add adder) error {
			for i, f := range all {
				b, err := f.read()
				if err == nil {
					err = add(f.show, b, int32(i))
				}
				if err != nil {
					return fmt.Errorf("%s: %w", f.show, err)
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// tableImages finds the images of the rows of each table; the columns that name them are
// no fields.
func (d *Data) tableImages(files fileParts, dir string, c csvOptions, r *recordOptions) (map[string][]leaf, error) {
	rows := map[string][]leaf{} // of a table, the images of its rows
	for _, part := range partOrder {
		for _, file := range files[part] {
			from := dir
			if from == "" {
				from = filepath.Dir(file)
			}
			t := newTree(from)
			if err := t.walk(from, nil, nil); err != nil {
				return nil, err
			}
			column, images, err := t.rowImages(d, file, c)
			if err != nil {
				return nil, err
			}
			rows[file] = images
			if !slices.Contains(r.drop, column) {
				r.drop = append(r.drop, column)
			}
			d.note("%s: images are named by column %q", filepath.Base(file), column)
		}
	}
	return rows, nil
}

// rowImages finds the images that the rows of a table name, and the column that does.
func (t *tree) rowImages(d *Data, file string, c csvOptions) (string, []leaf, error) {
	f, err := d.openCSVRows(file, c, func(string, int, int) bool { return false })
	if err != nil {
		return "", nil, err
	}
	var names []string
	var rows [][]string
	var row []string
	total := int64(0)
	_, err = f.rows(func(_ *csvReader, name, w string) error {
		if len(f.texts) > 0 && !f.texts[name] {
			return nil
		}
		if len(rows) == 0 {
			names = append(names, name)
		}
		if total += int64(16 + len(w)); total > mostKept(f.size) {
			return fmt.Errorf("more names than its %d bytes hold", f.size)
		}
		row = append(row, strings.Clone(w))
		return nil
	}, func(*csvReader) error {
		rows, row = append(rows, row), nil
		return nil
	})
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", file, err)
	}
	k, images, err := t.rowFiles(rows)
	if err != nil {
		return "", nil, err
	}
	out := make([]leaf, len(images))
	for i, n := range images {
		out[i] = t.files[n]
	}
	return names[k], out, nil
}

// streamImages adds a field of pictures that are streamed to a set whose other fields
// are held.
func (d *Data) streamImages(s *Set, p *part, name string, o pictureOptions) error {
	p.pictureOptions, p.train = o, name == "train"
	images, err := p.stream(d.bound)
	if err != nil {
		return err
	}
	d.besideImages(s, images, "x")
	p.say(d, fmt.Sprintf("x of the %s set", setNames[name]))
	return nil
}

// besideImages puts streamed pictures in front of the fields that belong to them, of
// which those stay whose picture can be read.
func (d *Data) besideImages(s, images *Set, name string) {
	if kept := images.y().Ints; len(kept) < s.stored() {
		for _, f := range s.Fields {
			f.pick(kept)
		}
	}
	x := images.X()
	x.Name = name
	s.Fields = slices.Insert(s.Fields, 0, x)
	s.Stream, s.Bound = images.Stream, d.bound
	d.scaled = false
	d.Norm, d.NormName = ImageNet, "imagenet"
}
