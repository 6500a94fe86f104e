package dataset

import (
	"bytes"
	"fmt"
	"image/color"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// parquetOf is a file of n rows.
func parquetOf[T any](t *testing.T, n int, row func(i int) T, o ...parquet.WriterOption) []byte {
	t.Helper()
	rows := make([]T, n)
	for i := range rows {
		rows[i] = row(i)
	}
	var b bytes.Buffer
	if err := parquet.Write(&b, rows, o...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Every packing, encoding and version of a page gives the same samples.
func TestParquet(t *testing.T) {
	const n = 700
	img := func(i int) []byte { return pngOf(picture(1, 2, color.NRGBA{byte(i), byte(i / 256), 9, 255})) }
	lab := func(i int) int64 { return int64(i*i%37 + i/100) }
	type plain struct {
		Img   []byte `parquet:"img,plain"`
		Label int64  `parquet:"label,plain"`
	}
	type deltas struct {
		Img   []byte `parquet:"img,snappy"` // the library's choice: lengths as differences
		Label int32  `parquet:"label,delta,gzip"`
	}
	type dicts struct {
		Img   []byte `parquet:"img,dict,zstd"`
		Label int64  `parquet:"label,dict,snappy"`
	}
	type optional struct {
		Image *struct {
			Bytes []byte `parquet:"bytes,optional,plain"`
			Path  string `parquet:"path"`
		} `parquet:"image,optional"`
		Label *int64 `parquet:"label,optional,dict"`
	}
	for v := 1; v <= 2; v++ {
		o := []parquet.WriterOption{parquet.DataPageVersion(v), parquet.PageBufferSize(4000), parquet.MaxRowsPerRowGroup(300)}
		for name, b := range map[string][]byte{
			"plain":  parquetOf(t, n, func(i int) plain { return plain{img(i), lab(i)} }, o...),
			"deltas": parquetOf(t, n, func(i int) deltas { return deltas{img(i), int32(lab(i))} }, o...),
			"dicts":  parquetOf(t, n, func(i int) dicts { return dicts{img(i), lab(i)} }, o...),
			"optional": parquetOf(t, n, func(i int) (r optional) {
				l := lab(i)
				r.Label = &l
				r.Image = &struct {
					Bytes []byte `parquet:"bytes,optional,plain"`
					Path  string `parquet:"path"`
				}{Bytes: img(i)}
				return r
			}, o...),
		} {
			what := fmt.Sprintf("%s, pages of version %d", name, v)
			s, err := (&parquetFile{d: &Data{fields: &fieldOptions{}}, f: bytes.NewReader(b), size: int64(len(b))}).decode()
			if err != nil {
				t.Errorf("%s: %v", what, err)
				continue
			}
			if s.Len() != n {
				t.Errorf("%s: %d samples", what, s.Len())
			}
			for i := range s.Len() {
				if s.Label(i) != int32(lab(i)) || s.X().Bytes[6*i] != byte(i) || s.X().Bytes[6*i+2] != byte(i/256) {
					t.Errorf("%s: sample %d has label %d, pixels %v", what, i, s.Label(i), s.X().Bytes[6*i:6*i+6])
					break
				}
			}
		}
	}
}
