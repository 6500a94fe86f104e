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
	s = &Set{}
	for _, g := range p.RowGroups() {
		rows := g.Rows()
		buf := make([]parquet.Row, 64)
		for {
			n, err := rows.ReadRows(buf)
			for _, row := range buf[:n] {
				for _, v := range row {
					switch v.Column() {
					case img:
						if e := s.addImage(v.ByteArray()); e != nil {
							return nil, fmt.Errorf("%s: image of row %d: %w", file, len(s.Labels), e)
						}
					case lab:
						l := v.Int64()
						if v.Kind() == parquet.Int32 {
							l = int64(v.Int32())
						}
						if l < 0 || l > 1<<20 {
							return nil, fmt.Errorf("%s: label %d is not a class", file, l)
						}
						s.Labels = append(s.Labels, int32(l))
						s.Classes = max(s.Classes, int(l)+1)
					}
				}
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				rows.Close()
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
		rows.Close()
	}
	if len(s.Labels) == 0 || len(s.Bytes) != len(s.Labels)*s.Size() {
		return nil, fmt.Errorf("%s: images and labels do not pair up", file)
	}
	return s, nil
}
