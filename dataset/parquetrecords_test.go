package dataset

import (
	"bytes"
	"fmt"
	"image/color"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"pare/internal/hostile"

	"github.com/parquet-go/parquet-go"
)

// Columns of numbers, lists and lists in lists are fields, whatever the encoding, the
// packing, and the version of the pages.
func TestParquetRows(t *testing.T) {
	const n = 500
	type inner struct {
		Deep float64 `parquet:"deep"`
	}
	type row struct {
		A     int32     `parquet:"a,delta"`
		B     int64     `parquet:"b,dict"`
		C     float32   `parquet:"c"`
		D     float64   `parquet:"d,dict,zstd"`
		E     bool      `parquet:"e"`
		F     *int32    `parquet:"f,optional"`
		G     []int64   `parquet:"g,list,snappy"`
		H     []float32 `parquet:"h,list,gzip"`
		I     [][]int32 `parquet:"i,list"`
		In    inner     `parquet:"in"`
		U     uint32    `parquet:"u"`
		V     int64     `parquet:"v,decimal(2:15)"`
		Label string    `parquet:"label,dict"`
		Text  string    `parquet:"text"`
	}
	names := []string{"b", "a", "c"}
	at := func(i int) (r row) {
		f := int32(-i)
		r = row{A: int32(i * i), B: int64(i % 7), C: float32(i) / 4, D: float64(i) / 8, E: i%3 == 0, F: &f, In: inner{float64(i) / 2}, U: 1 << 31, V: int64(i), Label: names[i%3], Text: fmt.Sprint("text ", i)}
		for k := range i % 4 {
			r.G = append(r.G, int64(10*i+k))
		}
		r.H = []float32{float32(i), float32(-i)}
		r.I = [][]int32{{int32(i), 1, 2}, {3, 4, int32(i)}}
		return r
	}
	dir := t.TempDir()
	for v := 1; v <= 2; v++ {
		b := parquetOf(t, n, at, parquet.DataPageVersion(v), parquet.PageBufferSize(500), parquet.MaxRowsPerRowGroup(170))
		d := open(t, "parquet:"+write(t, filepath.Join(dir, "a.parquet"), b)+"?pad=-1&masks=g")
		s := d.Train
		if s.Len() != n || s.Field("text") != nil || !noted(d, "text (text: class=text") {
			t.Fatalf("%d samples, %s, %q", s.Len(), s.fields(), d.Notes)
		}
		for i := range n {
			r := at(i)
			g, m := []float64{-1, -1, -1}, []float64{0, 0, 0}
			for k, x := range r.G {
				g[k], m[k] = float64(x), 1
			}
			e := 0.
			if r.E {
				e = 1
			}
			for name, want := range map[string][]float64{
				"a": {float64(r.A)}, "b": {float64(r.B)}, "c": {float64(r.C)}, "d": {r.D}, "e": {e}, "f": {float64(-i)}, "g": g, "g_mask": m,
				"h": {float64(i), float64(-i)}, "i": {float64(i), 1, 2, 3, 4, float64(i)}, "in.deep": {r.In.Deep}, "u": {1 << 31}, "v": {float64(float32(i) / 100)},
				"label": {[]float64{1, 0, 2}[i%3]},
			} {
				f := s.Field(name)
				if f == nil {
					t.Fatalf("version %d: no field %s: %s, %q", v, name, s.fields(), d.Notes)
				}
				for k, w := range want {
					if f.Size() != len(want) || f.number(i*len(want)+k) != w {
						t.Fatalf("version %d: field %s %v of sample %d: %v, want %v", v, name, f.Shape, i, f.number(i*f.Size()+k), want)
					}
				}
			}
		}
	}
}

// Parts of a data set are shards in a folder; images lie beside any columns.
func TestParquetFolder(t *testing.T) {
	type row struct {
		Image struct {
			Bytes []byte `parquet:"bytes"`
			Path  string `parquet:"path"`
		} `parquet:"image"`
		Label int64 `parquet:"label"`
	}
	type more struct {
		Image struct {
			Bytes []byte `parquet:"bytes"`
			Path  string `parquet:"path"`
		} `parquet:"image"`
		Age    float32 `parquet:"age"`
		Labels []int64 `parquet:"labels,list"`
	}
	shade := func(i int) []byte { return pngOf(picture(2, 1, color.NRGBA{byte(i), 0, 9, 255})) }
	dir := t.TempDir()
	for name, from := range map[string]int{"train-00000-of-00002": 0, "train-00001-of-00002": 2, "validation-00000-of-00001": 4, "test-00000-of-00001": 6} {
		write(t, filepath.Join(dir, "one", "data", name+".parquet"), parquetOf(t, 2, func(i int) (r row) {
			r.Image.Bytes, r.Label = shade(from+i), int64(from+i)
			return r
		}))
		write(t, filepath.Join(dir, "two", "data", name+".parquet"), parquetOf(t, 2, func(i int) (r more) {
			r.Image.Bytes, r.Age, r.Labels = shade(from+i), float32(from+i)/2, []int64{int64(i), 1}
			return r
		}))
	}
	reads{name: "classes", train: "x [3 1 2] bytes: 0 0 0 0 9 9; label [] of 8: 0 1 2 3", val: "x [3 1 2] bytes: 4 4 0 0 9 9; label [] of 8: 4 5", test: "x [3 1 2] bytes: 6 6 0 0 9 9; label [] of 8: 6 7"}.check(t, "parquet:"+filepath.Join(dir, "one"))
	reads{name: "columns", train: "image [3 1 2] bytes: 0 0 0 0 9 9; age [] floats: 0 0.5 1 1.5; labels [2] ints: 0 1 1 1 0 1", val: "image [3 1 2] bytes: 4 4 0 0 9 9; age [] floats: 2 2.5; labels [2] ints: 0 1 1 1"}.check(t, "parquet:"+filepath.Join(dir, "two"))
	reads{name: "gray", train: "image [1 1 2] bytes: 1 1 1 1 2 2; age [] floats: 0 0.5 1 1.5; labels [2] ints: 0 1 1 1 0 1"}.check(t, "parquet:"+filepath.Join(dir, "two", "data", "train-*.parquet")+"?channels=1")
	reads{name: "without images", train: "age [] floats: 0 0.5 1 1.5"}.check(t, "parquet:"+filepath.Join(dir, "two")+"?only=age")
	reads{name: "all", train: "image [3 1 2] bytes: 0 0 0 0 9 9; label [] of 8: 0 1 2 3"}.check(t, "parquet:"+filepath.Join(dir, "one")+"?fields=all")
	spoilt := parquetOf(t, 5, func(i int) (r more) {
		r.Image.Bytes, r.Age, r.Labels = shade(i), float32(i), []int64{int64(i)}
		if i == 1 {
			r.Image.Bytes = []byte("no image")
		}
		return r
	})
	reads{name: "spoilt", train: "image [3 1 2] bytes: 0 0 0 0 9 9; age [] floats: 0 2 3 4; labels [1] ints: 0 2 3 4"}.check(t, "parquet:"+write(t, filepath.Join(dir, "a.parquet"), spoilt)+"?corrupt=skip")
	reads{name: "refused", bad: "1 of 5 images cannot be read"}.check(t, "parquet:"+filepath.Join(dir, "a.parquet"))
}

func FuzzParquetColumns(f *testing.F) {
	type row struct {
		A     int32     `parquet:"a,delta"`
		B     []float32 `parquet:"b,list"`
		C     [][]int64 `parquet:"c,list"`
		Label string    `parquet:"label,dict"`
		E     *bool     `parquet:"e,optional"`
	}
	var a bytes.Buffer
	yes := true
	if err := parquet.Write(&a, []row{{1, []float32{1, 2}, [][]int64{{1}}, "x", &yes}, {2, nil, [][]int64{{2}, {3}}, "y", &yes}}); err != nil {
		f.Fatal(err)
	}
	f.Add(a.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) { fuzz(t, "parquet:{0}?pad=0&length=2&masks=b", b) })
}

// Bytes changed at random are read or refused, at once and without much memory.
func TestParquetDamaged(t *testing.T) {
	type row struct {
		A     int32     `parquet:"a,delta"`
		B     []float32 `parquet:"b,list"`
		C     [][]int64 `parquet:"c,list"`
		Label string    `parquet:"label,dict"`
		E     *bool     `parquet:"e,optional"`
	}
	yes := true
	good := parquetOf(t, 2, func(i int) row {
		return row{int32(i), make([]float32, i), [][]int64{{1}, {2}}, "x", &yes}
	})
	path := filepath.Join(t.TempDir(), "a.parquet")
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		b := bytes.Clone(good)
		for range 1 + r.IntN(4) {
			b[r.IntN(len(b))] = byte(r.IntN(256))
		}
		write(t, path, b)
		hostile.Read(t, len(b), func() error { _, err := Open("parquet:" + path + "?pad=0&length=2&masks=b"); return err }) //nolint:errcheck // what it refuses does not matter here
	}
}

// So are those of a file that is streamed, when it is opened or when it is read.
func TestParquetDamagedStream(t *testing.T) {
	type row struct {
		A     int32     `parquet:"a,delta"`
		B     []float32 `parquet:"b,list,snappy"`
		C     [][]int64 `parquet:"c,list"`
		D     int64     `parquet:"d,dict,zstd"`
		Label string    `parquet:"label,dict"`
		E     *float32  `parquet:"e,optional"`
	}
	good := parquetOf(t, 96, func(i int) row {
		e := float32(i)
		return row{int32(i), make([]float32, i%64), [][]int64{{1}, {int64(i)}}, int64(i % 3), "x", &e}
	}, parquet.PageBufferSize(40), parquet.MaxRowsPerRowGroup(12))
	read := func(path string) error {
		d, err := Options{Memory: 30 << 10}.Open("parquet:" + path + "?pad=0&length=64&masks=b")
		if err != nil || d.Train.Stream == nil {
			return err
		}
		l := &Loader{Set: d.Train, Size: 4, Norm: d.Norm, Threads: 1}
		var to []Buffer
		for j, f := range d.Train.Fields {
			to = append(to, Buffer{Field: j, X: make([]float32, 4*f.Size())})
		}
		for i := 0; i < l.Steps() && err == nil; i++ {
			_, err = l.Fill(0, i, to)
		}
		return err
	}
	path := write(t, filepath.Join(t.TempDir(), "a.parquet"), good)
	if d := streamed(t, "parquet:"+path+"?pad=0&length=64&masks=b", 30<<10); d.Train.Stream == nil {
		t.Fatal("it is held")
	}
	if err := read(path); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		b := bytes.Clone(good)
		for range 1 + r.IntN(3) {
			b[r.IntN(len(b))] = byte(r.IntN(256))
		}
		write(t, path, b)
		hostile.Read(t, len(b), func() error { return read(path) }) //nolint:errcheck // what it refuses does not matter here
	}
}
