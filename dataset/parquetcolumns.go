package dataset

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// openColumns opens the files, and names the columns of images that are wanted.
func (d *Data) openColumns(files fileParts, o recordOptions, po parquetOptions) (map[string]*parquetRows, []string, error) {
	opened := map[string]*parquetRows{}
	var images []string
	values := int64(0)
	for _, part := range partOrder {
		for _, file := range files[part] {
			r, err := openRows(file, po)
			if err != nil {
				return nil, nil, err
			}
			opened[file] = r
			if r.marks = d.marks(0); r.marks != nil {
				if r.source, err = openLarge(file); err != nil {
					return nil, nil, err
				}
				r.marks.any, r.pages = true, map[[2]int]*pages{}
				end := 0
				for _, g := range r.groups {
					end += int(g.NumRows)
					r.marks.ends = append(r.marks.ends, end)
				}
			}
			values += r.values(&o)
			for _, l := range r.images {
				if !o.wants(l.name) {
					continue
				}
				if !slices.Contains(images, l.name) {
					images = append(images, l.name)
				}
			}
		}
	}
	for _, r := range opened {
		r.many = d.bound > 0 && len(r.groups) > 0 && 4*values > d.bound
	}
	return opened, images, nil
}

// readColumns reads files as records, and their images.
func (d *Data) readColumns(files fileParts, o recordOptions, po parquetOptions) error {
	d.Norm, d.NormName, d.scaled = Raw, "none", true
	opened, images, err := d.openColumns(files, o, po)
	if err != nil {
		return err
	}
	if d.bound > 0 && len(images) > 0 {
		shape, err := firstShape(opened[firstFile(files)], images[0], po.pictureOptions)
		if err != nil {
			return err
		}
		o.beside = int64(len(images) * size(shape))
	}
	if err := d.readRecords(files, o, func(file string) (recordFile, error) { return opened[file], nil }); err != nil {
		return err
	}
	if d.cache != nil && len(images) > 1 {
		return fmt.Errorf("columns of images are not streamed together: %s: let samples take more memory, or keep one of them by drop= or only=", few(images))
	}
	for _, part := range partOrder {
		s := *d.part(part)
		if s == nil {
			continue
		}
		for _, f := range s.Fields {
			for _, file := range files[part] {
				if names := opened[file].names[f.Name]; names != nil && f.Classes > 0 && f.Classes <= len(names) {
					f.Names, f.Classes = names, len(names)
				}
			}
		}
		if d.cache != nil && len(images) > 0 {
			var of []*parquetRows
			for _, file := range files[part] {
				of = append(of, opened[file])
			}
			if err := d.streamRowImages(s, part, images[0], of, po.pictureOptions); err != nil {
				return err
			}
			continue
		}
		for i, name := range images {
			size := int64(0)
			for _, file := range files[part] {
				size += opened[file].size
			}
			if err := d.rowImages(s, part, name, i, size, po.pictureOptions, func(add adder) error {
				row := int32(0)
				for _, file := range files[part] {
					err := opened[file].pictures(name, func(i int, b []byte) error {
						row++
						return add(fmt.Sprintf("the image of row %d of %s", i, filepath.Base(file)), b, row-1)
					})
					if err != nil {
						return fmt.Errorf("%s: %w", filepath.Base(file), err)
					}
				}
				return nil
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// rowImages adds a field of images to the set of a part: each adds one for each of its
// samples, by their number.
func (d *Data) rowImages(s *Set, part, name string, at int, size int64, o pictureOptions, each func(add adder) error) error {
	p := pictures{pictureOptions: o, train: part == "train", count: s.Len(), file: size}
	images, err := p.read(each)
	if err != nil {
		return err
	}
	if kept := images.y().Ints; len(kept) < s.stored() {
		if at > 0 {
			return errors.New("several columns of images, some of which cannot be read, and are not left out together: drop= leaves out a column")
		}
		for _, f := range s.Fields {
			f.pick(kept)
		}
	}
	f := images.X()
	f.Name = name
	s.Fields = slices.Insert(s.Fields, at, f)
	p.say(d, fmt.Sprintf("%s of the %s set", name, setNames[part]))
	d.scaled = false
	d.Norm, d.NormName = ImageNet, "imagenet"
	return nil
}

// pick keeps some of the samples that a field holds.
func (f *Field) pick(rows []int32) {
	n := f.Size()
	g := *f
	f.Bytes, f.Floats, f.Ints = nil, nil, nil
	for _, i := range rows {
		k := int(i)
		switch {
		case g.Bytes != nil:
			f.Bytes = append(f.Bytes, g.Bytes[k*n:(k+1)*n]...)
		case g.Floats != nil:
			f.Floats = append(f.Floats, g.Floats[k*n:(k+1)*n]...)
		default:
			f.Ints = append(f.Ints, g.Ints[k*n:(k+1)*n]...)
		}
	}
}

// pictures reads the bytes of the images of a column, row by row.
func (r *parquetRows) pictures(name string, add func(row int, b []byte) error) error {
	k := slices.IndexFunc(r.images, func(l *leafColumn) bool { return l.name == name })
	if k < 0 {
		return fmt.Errorf("there is no column %q of images", name)
	}
	f, err := os.Open(r.path)
	if err != nil {
		return err
	}
	defer f.Close()
	row, total := 0, int64(0)
	for group := range r.groups {
		c, err := r.open(f, group, r.images[k])
		if err != nil {
			return err
		}
		for range r.groups[group].NumRows {
			v, err := c.next()
			if err != nil {
				return fmt.Errorf("row %d: %w", row, err)
			}
			if total += int64(len(v.bytes)); total > mostKept(r.size) {
				return fmt.Errorf("its images are many times those of its %d bytes", r.size)
			}
			if err := add(row, v.bytes); err != nil {
				return fmt.Errorf("image of row %d: %w", row, err)
			}
			row++
		}
	}
	return nil
}
