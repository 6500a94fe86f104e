package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"

	"github.com/parquet-go/parquet-go"
)

// firstFile is the first file that there is.
func firstFile(files fileParts) string {
	for _, part := range partOrder {
		if len(files[part]) > 0 {
			return files[part][0]
		}
	}
	return ""
}

// firstShape is what the first image of a column becomes that is one.
func firstShape(r *parquetRows, name string, o pictureOptions) (shape []int, err error) {
	err = r.pictures(name, func(_ int, b []byte) error {
		if h, err := o.header(b); err == nil {
			shape = o.becomes(h)
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	if shape == nil {
		shape = []int{0}
	}
	return shape, err
}

// streamClassic makes a stream of images that have a class each where they are too
// many. What it does not understand is left to those who read it.
func (d *Data) streamClassic(files fileParts, r recordOptions, o parquetOptions) (bool, error) {
	if d.bound <= 0 {
		return false, nil
	}
	said := d.Notes
	back := func(err error) (bool, error) {
		d.Notes = said
		return false, err
	}
	path := firstFile(files)
	rows, err := openRows(path, o)
	if err != nil {
		return back(nil)
	}
	image, target, err := d.classic(path, o)
	if err != nil {
		return back(nil)
	}
	shape, err := firstShape(rows, image, o.pictureOptions)
	if err != nil {
		return back(nil)
	}
	samples := int64(0)
	for _, part := range partOrder {
		for _, file := range files[part] {
			f, err := openRows(file, o)
			if err != nil {
				return back(nil)
			}
			for _, g := range f.groups {
				samples += g.NumRows
			}
		}
	}
	if samples*int64(size(shape)+4) <= d.bound {
		return back(nil)
	}
	only := *r.fieldOptions
	only.only, only.drop, only.left = []string{image, target}, nil, map[string]bool{}
	r.fieldOptions = &only
	if !isTarget(target) {
		only.class = append(only.class, target)
	}
	o.image = image
	if err := d.readColumns(files, r, o); err != nil {
		return true, err
	}
	for _, s := range d.sets() {
		s.X().Name, s.y().Name = "x", "label"
		if err := s.toClasses(s.y()); err != nil {
			return true, fmt.Errorf("column %q: %w", target, err)
		}
	}
	return true, nil
}

// classic finds the columns of images and of their classes in a file.
func (d *Data) classic(file string, o parquetOptions) (image, target string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", "", err
	}
	open, err := parquet.OpenFile(f, st.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return "", "", err
	}
	p := &parquetFile{d: d, name: filepath.Base(file), f: f, size: st.Size(), parquetOptions: o}
	if err := p.columns(open.Schema()); err != nil {
		return "", "", err
	}
	return p.from, p.target, nil
}

// imageRows are the images of a column of Parquet files that are streamed.
type imageRows struct {
	name  string
	files []*parquetRows
	begin []int   // the first row of each file, among all
	kept  []int32 // the row of each sample
	ends  []int   // of the parts, in samples
}

// streamRowImages adds a field of images that are streamed, packed as they are in the
// files and decoded when they are wanted, to a set whose other fields are held.
func (d *Data) streamRowImages(s *Set, part, name string, files []*parquetRows, o pictureOptions) error {
	p := &pictures{pictureOptions: o, train: part == "train", set: classified(Field{Bytes: []uint8{}})}
	v := &imageRows{name: name, files: files}
	var sizes []uint32
	row := 0
	for _, f := range files {
		v.begin = append(v.begin, row)
		err := f.pictures(name, func(i int, b []byte) error {
			row++
			show := fmt.Sprintf("the image of row %d of %s", i, filepath.Base(f.path))
			h, err := o.header(b)
			if err != nil {
				p.cannot(show, err)
				return nil
			}
			if len(v.kept) == 0 {
				p.shape(show, h)
				p.set.X().Shape[0] = max(1, p.Channels)
			}
			v.kept, sizes = append(v.kept, int32(row-1)), append(sizes, uint32(len(b)))
			return p.look(show, h)
		})
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(f.path), err)
		}
	}
	if err := p.verdict(row); err != nil {
		return err
	}
	var n []int
	most, more := 0, int64(0)
	for i := 0; i < len(v.kept); {
		k, bytes := i, 0
		for k < len(v.kept) && v.fileOf(int(v.kept[k])) == v.fileOf(int(v.kept[i])) && (k == i || int64(bytes)+int64(sizes[k]) <= d.partBytes()) {
			bytes += int(sizes[k])
			k++
		}
		n, most, i = append(n, k-i), max(most, bytes), k
	}
	for _, f := range files {
		_, takes := f.file()
		more = max(more, takes)
	}
	q := newParts(n, []*Field{nil}, most, more, d.cache, v.load)
	v.ends = q.ends
	if q.bytes > d.cache.most/2 {
		return fmt.Errorf("%s: what is read of it at a time takes %s, of which %s may be in memory: let samples take more, or write the file in smaller row groups and pages", files[0].path, amount(q.bytes), amount(d.cache.most/2))
	}
	a := &album{pictureOptions: o, shape: p.set.X().Shape}
	q.decode = func(b []byte, to []*Field) error {
		if to[0] == nil {
			return nil
		}
		return a.sample(b, to[0])
	}
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%q %d;", filepath.Base(f.path), f.size)
		if err := f.source.stamp.digest(h); err != nil {
			return err
		}
	}
	q.digest = hex.EncodeToString(h.Sum(nil))
	if p.train && p.Random() {
		p.set.X().Chance = &Chance{Pipeline: p.Pipeline}
	}
	p.set.Stream, p.set.y().Ints = q, v.kept
	d.besideImages(s, p.set, name)
	p.say(d, fmt.Sprintf("%s of the %s set", name, setNames[part]))
	d.sayWindow(q)
	return nil
}

// fileOf is the file that a row lies in.
func (v *imageRows) fileOf(row int) int {
	return sort.SearchInts(v.begin, row+1) - 1
}

// load reads the images of a part.
func (v *imageRows) load(k int, to *partRoom) error {
	lo := 0
	if k > 0 {
		lo = v.ends[k-1]
	}
	rows := v.kept[lo:v.ends[k]]
	n := v.fileOf(int(rows[0]))
	r := v.files[n]
	to.packed, to.ends = to.packed[:0], to.ends[:0]
	err := r.imagesOf(v.name, int(rows[0])-v.begin[n], int(rows[len(rows)-1])+1-v.begin[n], func(row int, b []byte) error {
		if _, kept := slices.BinarySearch(rows, int32(row+v.begin[n])); kept {
			to.packed = append(to.packed, b...)
			to.ends = append(to.ends, len(to.packed))
		}
		return nil
	})
	if err == nil && len(to.ends) != len(rows) {
		err = errors.New("it has fewer images than it had when it was opened")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(r.path), err)
	}
	return nil
}

// imagesOf reads the images of the rows from lo to hi.
func (r *parquetRows) imagesOf(name string, lo, hi int, add func(row int, b []byte) error) error {
	k := slices.IndexFunc(r.images, func(l *leafColumn) bool { return l.name == name })
	f, err := r.source.stamp.open()
	if err != nil {
		return err
	}
	defer f.Close()
	begin := 0
	for group := range r.groups {
		end := begin + int(r.groups[group].NumRows)
		a, b := max(lo, begin), min(hi, end)
		if a < b {
			c, err := r.open(f, group, r.images[k])
			if err != nil {
				return err
			}
			before := 0
			if a > begin {
				if before, err = c.seek(r.pages[[2]int{group, r.images[k].ColumnIndex}], a-begin); err != nil {
					return err
				}
			}
			for row := a - before; row < b; row++ {
				v, err := c.next()
				if err == nil && row >= a {
					err = add(row, v.bytes)
				}
				if err != nil {
					return fmt.Errorf("row %d: %w", row, err)
				}
			}
		}
		begin = end
	}
	return r.source.stamp.same(f)
}
