package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// parquetOptions name columns; empty: by their usual names.
type parquetOptions struct {
	pictureOptions
	image, label string
}

// openParquet reads images as Hugging Face stores them: a column image (or
// img) with the bytes of an image file, and a column label of whole numbers or
// of names. Where there are not these two, or others are asked for, each column is a
// field.
func openParquet(d *Data, path string, o *options) error {
	d.Norm, d.NormName = ImageNet, "imagenet"
	po := parquetOptions{o.pictures(), o.str("image", ""), o.str("label", "")}
	r, all := o.records(d), o.oneOf("fields", "auto", "all") == "all"
	if o.err != nil {
		return o.err
	}
	files, err := d.findFiles(path, ".parquet", ".parq")
	if err != nil {
		return err
	}
	if !all && r.token == nil {
		if large, err := d.streamClassic(files, r, po); large || err != nil {
			return err
		}
		err := d.readParts(files, func(part, file string) (*Set, error) { return d.readParquet(file, po, part == "train") })
		var label errLabel
		if !errors.As(err, &label) {
			return err
		}
		d.Train, d.Val, d.Test, d.Notes, d.classes = nil, nil, nil, nil, ""
	}
	if po.label != "" {
		r.class = append(r.class, po.label)
	}
	return d.readColumns(files, r, po)
}

// readParquet reads footer and schema by the library, and pages by itself: a
// page may say that it holds billions of values in a few bytes.
func (d *Data) readParquet(file string, o parquetOptions, training bool) (*Set, error) {
	return withParquet(file, func(f *os.File, size int64) (*Set, error) {
		p := &parquetFile{d: d, name: filepath.Base(file), f: f, size: size, training: training, parquetOptions: o}
		s, err := p.decode()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		return s, nil
	})
}

// withParquet reads something of a file while it is open.
func withParquet[T any](file string, read func(f *os.File, size int64) (*T, error)) (x *T, err error) {
	defer func() { // the library panics on some damaged footers
		if r := recover(); r != nil {
			x, err = nil, fmt.Errorf("%s: damaged: %v", file, r)
		}
	}()
	st, err := regular(file)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return read(f, st.Size())
}

// parquetFile is a file that is being read.
type parquetFile struct {
	parquetOptions
	d        *Data
	name     string
	f        io.ReaderAt
	size     int64
	training bool
	img, lab *parquet.LeafColumn
	from     string // the name of the column of images,
	target   string // and of that of classes

	pics    *pictures
	groups  []format.RowGroup
	classes int
	names   []string // of classes, in the order of their numbers, or of their first samples
	number  map[string]int32
}

func (p *parquetFile) decode() (*Set, error) {
	if err := checkFooter(p.f, p.size); err != nil {
		return nil, err
	}
	file, err := parquet.OpenFile(p.f, p.size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, err
	}
	if err := p.columns(file.Schema()); err != nil {
		return nil, err
	}
	p.groups = file.Metadata().RowGroups
	p.pics = &pictures{pictureOptions: p.pictureOptions, train: p.training, file: p.size}
	for _, g := range p.groups {
		if g.NumRows < 0 || g.NumRows > p.size { // an image takes more than a byte
			return nil, fmt.Errorf("damaged: %d rows in %d bytes", g.NumRows, p.size)
		}
		p.pics.count += int(g.NumRows)
	}
	if p.pics.count == 0 || p.pics.count > int(p.size) {
		return nil, fmt.Errorf("damaged: %d rows in %d bytes", p.pics.count, p.size)
	}
	s, err := p.pics.read(p.rows)
	if err != nil {
		return nil, err
	}
	p.pics.say(p.d, p.name)
	s.y().Classes = p.classes
	if p.number != nil {
		s.y().spelled = p.names
		return s, nil
	}
	meta, _ := file.Lookup("huggingface")
	if names := classLabel(meta, p.target); names != nil {
		if p.classes > len(names) {
			return nil, fmt.Errorf("label %d, but the file names %d classes: %s", p.classes-1, len(names), few(names))
		}
		s.y().Names, s.y().Classes = names, len(names)
	}
	return s, nil
}

// classLabel are the names of a column's classes as Hugging Face notes them in
// a file.
func classLabel(meta, column string) []string {
	var m struct {
		Info struct {
			Features map[string]json.RawMessage
		}
	}
	var f struct {
		Type  string `json:"_type"`
		Names []string
	}
	if json.Unmarshal([]byte(meta), &m) != nil || json.Unmarshal(m.Info.Features[column], &f) != nil || f.Type != "ClassLabel" || len(f.Names) > maxClass {
		return nil
	}
	return f.Names
}

// columns finds the columns of images and classes.
func (p *parquetFile) columns(schema *parquet.Schema) error {
	images, labels := []string{"image", "img", "images", "picture"}, []string{"label", "labels", "fine_label", "class", "target", "category"}
	if p.image != "" {
		images = []string{p.image}
	}
	if p.label != "" {
		labels = []string{p.label}
	}
	leaves, bytes := map[string]*parquet.LeafColumn{}, map[string]*parquet.LeafColumn{}
	var names []string
	for _, c := range schema.Columns() {
		name := strings.Join(c, ".")
		names = append(names, name)
		leaf, ok := schema.Lookup(c...)
		if !ok {
			continue
		}
		leaves[name] = &leaf
		if top, ok := strings.CutSuffix(name, ".bytes"); ok {
			bytes[top] = &leaf
		}
	}
	var others []string
	image := ""
	for _, n := range images {
		l := bytes[n]
		if l == nil {
			l = leaves[n]
		}
		if l != nil && p.img == nil {
			p.img, image = l, n
		} else if l != nil {
			others = append(others, n)
		}
	}
	for _, n := range labels {
		if l := leaves[n]; l != nil && p.lab == nil {
			p.lab, p.target = l, n
		} else if l != nil {
			others = append(others, n)
		}
	}
	switch {
	case p.image != "" && p.img == nil || p.label != "" && p.lab == nil:
		return fmt.Errorf("image= and label= name columns, which are %s", few(names))
	case p.image != "" && p.img.Node.Type().Kind() != parquet.ByteArray:
		return fmt.Errorf("column %s holds no bytes of images: image= names another", p.image)
	}
	switch p.from = image; {
	case p.img == nil || p.lab == nil || !p.classic() || slices.ContainsFunc(names, func(n string) bool { return n != image && n != p.target && p.d.fields.names(n) }):
		return errLabel{fmt.Errorf("the columns are %s", few(names))}
	}
	p.d.classes = p.target
	if p.image == "" && p.label == "" {
		more := ""
		for _, n := range names {
			if n != p.target && strings.Contains(n, "label") && !slices.Contains(others, n) {
				others = append(others, n)
			}
		}
		if len(others) > 0 {
			more = fmt.Sprintf(", not %s (image= and label= name others)", few(others))
		}
		p.d.note("%s: images are those of column %s, classes those of column %s%s", p.name, image, p.target, more)
	}
	if k := p.lab.Node.Type().Kind(); k == parquet.ByteArray {
		p.number = map[string]int32{}
	}
	return nil
}

// classic says whether the columns hold images, and one class for each.
func (p *parquetFile) classic() bool {
	k := p.lab.Node.Type().Kind()
	return p.img.Node.Type().Kind() == parquet.ByteArray && p.img.MaxRepetitionLevel == 0 && p.lab.MaxRepetitionLevel == 0 &&
		(k == parquet.ByteArray || k == parquet.Int32 || k == parquet.Int64)
}

// rows reads all rows.
func (p *parquetFile) rows(add adder) error {
	total, at := int64(0), 0
	for _, g := range p.groups {
		x, err := openColumn(p.f, p.size, &g, p.img)
		if err != nil {
			return err
		}
		y, err := openColumn(p.f, p.size, &g, p.lab)
		if err != nil {
			return err
		}
		for range g.NumRows {
			img, err := x.next()
			if err != nil {
				return fmt.Errorf("row %d: %w", at, err)
			}
			v, err := y.next()
			if err != nil {
				return fmt.Errorf("row %d: %w", at, err)
			}
			b := img.bytes
			label, err := p.class(v.bytes, v.int)
			if err != nil {
				return fmt.Errorf("row %d: %w", at, err)
			}
			if total += int64(len(b)); total > mostKept(p.size) {
				return fmt.Errorf("its images are many times those of its %d bytes", p.size)
			}
			if err := add(fmt.Sprintf("the image of row %d", at), b, label); err != nil {
				return err
			}
			at++
		}
	}
	return nil
}

// class is the label of a row: a number, or a name.
func (p *parquetFile) class(name []byte, v int64) (int32, error) {
	if p.number != nil {
		k, ok := p.number[string(name)]
		if !ok {
			if k = int32(len(p.names)); k == maxNames {
				return 0, fmt.Errorf("more than %d classes: label= names another column", maxNames)
			}
			p.number[string(name)] = k
			p.names = append(p.names, string(name))
		}
		return k, nil
	}
	if v < 0 || v > maxClass {
		hint := ""
		if v == -1 {
			hint = " (-1 stands for samples without one: leave them out, or take another part of the data set)"
		}
		return 0, fmt.Errorf("label %d is not a class%s", v, hint)
	}
	p.classes = max(p.classes, int(v)+1)
	return int32(v), nil
}
