package dataset

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// openParquet reads images as Hugging Face stores them: a column image (or
// img) with the bytes of a PNG or JPEG, and a column label of whole numbers.
func openParquet(d *Data, files string, o *options) error {
	d.Norm, d.NormName = ImageNet, "imagenet"
	train, test, two := strings.Cut(files, ",")
	var err error
	if d.Train, err = readParquet(train); err != nil {
		return err
	}
	if two {
		d.Test, err = readParquet(test)
	}
	return err
}

// readParquet reads footer and schema by the library, and pages by itself: a
// page may say that it holds billions of values in a few bytes.
func readParquet(file string) (s *Set, err error) {
	defer func() { // the library panics on some damaged footers
		if r := recover(); r != nil {
			s, err = nil, fmt.Errorf("%s: damaged: %v", file, r)
		}
	}()
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if s, err = decodeParquet(f, st.Size()); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

func decodeParquet(f io.ReaderAt, size int64) (*Set, error) {
	if err := checkFooter(f, size); err != nil {
		return nil, err
	}
	p, err := parquet.OpenFile(f, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, err
	}
	var img, lab *parquet.LeafColumn
	var names []string
	for _, c := range p.Schema().Columns() {
		name := strings.Join(c, ".")
		names = append(names, name)
		leaf, ok := p.Schema().Lookup(c...)
		if !ok {
			continue
		}
		switch name {
		case "image.bytes", "img.bytes", "image", "img":
			img = &leaf
		case "label", "labels", "fine_label":
			lab = &leaf
		}
	}
	if img == nil || lab == nil {
		return nil, fmt.Errorf("the columns are %.300s: image (or img) with bytes and label are needed", strings.Join(names, ", "))
	}
	groups := p.Metadata().RowGroups
	pics := &pictures{file: size}
	for _, g := range groups {
		if g.NumRows < 0 || g.NumRows > size { // an image takes more than a byte
			return nil, fmt.Errorf("damaged: %d rows in %d bytes", g.NumRows, size)
		}
		pics.count += int(g.NumRows)
	}
	if pics.count == 0 || pics.count > int(size) {
		return nil, fmt.Errorf("damaged: %d rows in %d bytes", pics.count, size)
	}
	classes := 0
	s, err := pics.read(func(add func([]byte, int32) error) error {
		total := int64(0)
		for _, g := range groups {
			x, err := openColumn(f, size, &g, img)
			if err != nil {
				return err
			}
			y, err := openColumn(f, size, &g, lab)
			if err != nil {
				return err
			}
			for row := range g.NumRows {
				b, _, err := x.next()
				if err != nil {
					return err
				}
				_, label, err := y.next()
				if err != nil {
					return err
				}
				if label < 0 || label > 1<<20 {
					return fmt.Errorf("label %d is not a class", label)
				}
				classes = max(classes, int(label)+1)
				if total += int64(len(b)); total > mostKept(size) {
					return fmt.Errorf("its images are many times those of its %d bytes", size)
				}
				if err := add(b, int32(label)); err != nil {
					return fmt.Errorf("image of row %d of a group: %w", row, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.Classes = classes
	return s, nil
}
