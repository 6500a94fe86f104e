package dataset

import (
	"errors"
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

func readParquet(file string) (s *Set, err error) {
	defer func() { // the library panics on some damaged files
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
	p, err := parquet.OpenFile(f, st.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	img, lab := -1, -1
	var names []string
	for i, c := range p.Schema().Columns() {
		name := strings.Join(c, ".")
		names = append(names, name)
		switch name {
		case "image.bytes", "img.bytes", "image", "img":
			img = i
		case "label", "labels", "fine_label":
			lab = i
		}
	}
	if img < 0 || lab < 0 {
		return nil, fmt.Errorf("%s: the columns are %s: image (or img) with bytes and label are needed", file, strings.Join(names, ", "))
	}
	pics := &pictures{count: int(min(p.NumRows(), 1<<30)), file: st.Size()}
	classes := 0
	s, err = pics.read(func(add func([]byte, int32) error) error {
		row := 0
		for _, g := range p.RowGroups() {
			if err := eachRow(g, img, lab, func(b []byte, label int64) error {
				if label < 0 || label > 1<<20 {
					return fmt.Errorf("label %d is not a class", label)
				}
				classes = max(classes, int(label)+1)
				if err := add(b, int32(label)); err != nil {
					return fmt.Errorf("image of row %d: %w", row, err)
				}
				row++
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if len(s.Labels) == 0 {
		return nil, fmt.Errorf("%s: it has no rows", file)
	}
	s.Classes = classes
	return s, nil
}

// eachRow gives image and label of every row of a group.
func eachRow(g parquet.RowGroup, img, lab int, f func(b []byte, label int64) error) error {
	rows := g.Rows()
	defer rows.Close()
	buf := make([]parquet.Row, 64)
	for {
		n, err := rows.ReadRows(buf)
		for _, row := range buf[:n] {
			var b []byte
			label, have := int64(0), 0
			for _, v := range row {
				switch v.Column() {
				case img:
					b, have = v.ByteArray(), have|1
				case lab:
					if label, have = v.Int64(), have|2; v.Kind() == parquet.Int32 {
						label = int64(v.Int32())
					}
				}
			}
			if have != 3 {
				return errors.New("a row has no image or no label")
			}
			if err := f(b, label); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if n == 0 {
			return errors.New("damaged: its rows do not end")
		}
	}
}
