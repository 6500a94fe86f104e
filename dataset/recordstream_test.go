package dataset

import (
	"archive/zip"
	"bytes"
	"fmt"
	"image/color"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
)

// content is all samples of a set, field by field, as a batch gets them.
func content(t *testing.T, s *Set, norm Norm, threads int) map[string]any {
	t.Helper()
	l := &Loader{Set: s, Size: s.Len(), Norm: norm, Threads: threads}
	out := map[string]any{}
	var to []Buffer
	for j, f := range s.Fields {
		b := Buffer{Field: j, X: make([]float32, s.Len()*f.Size())}
		if f.Classes > 0 {
			b.X, b.I = nil, make([]int64, s.Len()*f.Size())
		}
		to = append(to, b)
	}
	if _, err := l.Fill(0, 0, to); err != nil {
		t.Fatal(err)
	}
	for j, f := range s.Fields {
		out[f.Name] = []any{j, f.Shape, f.kind(), f.Classes, f.Names, to[j].X, to[j].I}
	}
	return out
}

// sameData compares data that is streamed with data that is held: the samples of each
// set in their order, and every sample once an epoch where they are shuffled, whatever
// the threads.
func sameData(t *testing.T, spec string, bound int64) *Data {
	t.Helper()
	h, d := open(t, spec), streamed(t, spec, bound)
	if len(d.sets()) != len(h.sets()) || !reflect.DeepEqual(d.Norm, h.Norm) || d.NormName != h.NormName {
		t.Fatalf("%d sets, %d held; norm %v, %v", len(d.sets()), len(h.sets()), d.Norm, h.Norm)
	}
	for i, s := range d.sets() {
		if s.Stream == nil || s.Len() != h.sets()[i].Len() {
			t.Fatalf("the %s set: %d samples, %d held", s.Name, s.Len(), h.sets()[i].Len())
		}
		want := content(t, h.sets()[i], h.Norm, 1)
		for _, threads := range []int{1, 4} {
			if got := content(t, s, d.Norm, threads); !reflect.DeepEqual(got, want) {
				for name := range want {
					if !reflect.DeepEqual(got[name], want[name]) {
						t.Errorf("the %s set, field %s, on %d threads:\n%.300v\nheld:\n%.300v", s.Name, name, threads, got[name], want[name])
					}
				}
				t.Fatalf("the %s set is another", s.Name)
			}
		}
		shuffled(t, s, d.Norm)
	}
	return d
}

// shuffled holds two loaders of different threads to the same batches, and their order
// to one of all samples.
func shuffled(t *testing.T, s *Set, norm Norm) {
	t.Helper()
	const batch = 7
	var last []int32
	for epoch := range 2 {
		var got [2][][]float32
		for k, threads := range []int{1, 3} {
			l := &Loader{Set: s, Size: batch, Norm: norm, Shuffle: true, Seed: 5, Threads: threads}
			for i := range l.Steps() {
				x := make([]float32, batch*s.X().Size())
				if _, err := l.Fill(epoch, i, []Buffer{{X: x}}); err != nil {
					t.Fatal(err)
				}
				got[k] = append(got[k], x)
			}
			sorted := slices.Sorted(slices.Values(l.order))
			for i, o := range sorted {
				if int(o) != i {
					t.Fatalf("epoch %d lacks sample %d", epoch, i)
				}
			}
			if k == 0 && len(sorted) > 2*batch && slices.Equal(last, l.order) {
				t.Error("two epochs have one order")
			}
			last = slices.Clone(l.order)
		}
		if !reflect.DeepEqual(got[0], got[1]) {
			t.Fatalf("epoch %d depends on threads", epoch)
		}
	}
}

// Tables of text are the same samples, streamed or not.
func TestStreamedTables(t *testing.T) {
	var c, r, j, list, text strings.Builder
	const wide = 20 // columns more
	names := ""
	for k := range wide {
		names += fmt.Sprintf("p%d,", k)
	}
	c.WriteString("# a comment\na,b,c," + names + "kind\n")
	r.WriteString("x1;x2;when;" + strings.ReplaceAll(names, ",", ";") + "kind;word;y\r\n")
	list.WriteString("\xef\xbb\xbf[\n")
	const n = 200
	for i := range n {
		more := ""
		for k := range wide {
			more += fmt.Sprint((i+1)*k%97) + ","
		}
		fmt.Fprintf(&c, "%d,%g,%d,%s\"k%d\"\n", i, float64(i)/4, i*i, more, i*7%5)
		if i%50 == 49 {
			c.WriteString("# and another\n\n")
		}
		fmt.Fprintf(&r, "%d,5;%d;\"%d\";%s%s;w%d;%d\r\n", i, -i, i%9, strings.ReplaceAll(more, ",", ";"), []string{"red", "green", "blue"}[i%3], i%4, i%6)
		object := fmt.Sprintf(`{"a":%d,"b":[%s],"w":[%s0],"deep":{"c":[[%d,1],[2,%d]]},"label":"l%d"}`, i, strings.Trim(strings.Repeat("3,", 1+i%5), ","), more, i, i, i*11%7)
		j.WriteString(object + "\n")
		list.WriteString(map[bool]string{true: " ,\n"}[i > 0] + object)
		fmt.Fprintf(&text, "low lower %d newest\n\n", i)
	}
	list.WriteString("]")
	dir := t.TempDir()
	put := func(name, s string) string { return write(t, filepath.Join(dir, name), []byte(s)) }
	head, rest, _ := strings.Cut(c.String(), "kind\n")
	half := strings.Index(rest[len(rest)/2:], "\n") + len(rest)/2 + 1
	put("parts/train-1.csv", head+"kind\n"+rest[:half])
	put("parts/train-2.csv", head+"kind\n"+rest[half:])
	put("parts/test.csv", head+"kind\n"+rest[:half])
	write(t, filepath.Join(dir, "c.csv.gz"), gzipped([]byte(c.String())))
	write(t, filepath.Join(dir, "j.jsonl.gz"), gzipped([]byte(j.String())))
	csv, records := put("c.csv", c.String()), put("r.csv", r.String())
	for name, spec := range map[string]string{
		"classes":          "csv:" + csv,
		"split":            "csv:" + csv + "?val=.2&seed=3&n=120",
		"gzipped":          "csv:" + filepath.Join(dir, "c.csv.gz"),
		"several files":    "csv:" + filepath.Join(dir, "parts"),
		"cr":               "csv:" + put("cr.csv", strings.ReplaceAll("a,b,"+names+"k\n"+strings.Repeat("1,2,"+strings.Repeat("5,", wide)+"x\n3,4,"+strings.Repeat("6,", wide)+"y\n", 80), "\n", "\r")),
		"no header":        "csv:" + put("bare.csv", strings.Repeat("1.5,"+strings.Repeat("2,", wide)+"0\n3.5,"+strings.Repeat("4,", wide)+"1\n", 80)),
		"columns":          "csv:" + records + "?fields=columns&class=word",
		"targets":          "csv:" + records + "?target=y,x2&ints=when&drop=word,kind",
		"several, records": "csv:" + filepath.Join(dir, "parts") + "?target=c,kind",
		"regression":       "csv:" + csv + "?target=a&drop=kind",
		"a label":          "csv:" + records + "?label=y&drop=kind,word&field:pair=x1,x2",
		"json lines":       "jsonl:" + put("j.jsonl", j.String()) + "?pad=0&masks=b",
		"json, gzipped":    "jsonl:" + filepath.Join(dir, "j.jsonl.gz") + "?pad=-1&length=31",
		"a json list":      "jsonl:" + put("l.json", list.String()) + "?pad=0&drop=label",
		"class of lists":   "jsonl:" + put("j2.jsonl", j.String()) + "?pad=-1&class=b&ignore=3",
	} {
		t.Run(name, func(t *testing.T) { sameData(t, spec, 12<<10) })
	}
	d := streamed(t, "csv:"+filepath.Join(dir, "c.csv.gz"), 8<<10)
	if !noted(d, "temporary file") {
		t.Errorf("notes of a gzipped file: %q", d.Notes)
	}
	put("c.csv", c.String()+rest[:strings.Index(rest, "\n")+1])
	d = streamed(t, "csv:"+csv, 8<<10)
	put("c.csv", c.String()[:c.Len()/2])
	l := &Loader{Set: d.Train, Size: n, Norm: Raw}
	if _, err := l.Fill(0, 0, []Buffer{{X: make([]float32, n*(3+wide))}}); err == nil || !strings.Contains(err.Error(), "has changed since it was opened") {
		t.Errorf("a file that was cut short: %v", err)
	}
}

// Columns of Parquet files are the same samples, streamed or not: pages of any size, in
// row groups and files, of numbers, lists and words.
func TestStreamedParquet(t *testing.T) {
	type row struct {
		A     int32     `parquet:"a,delta"`
		B     int64     `parquet:"b,dict"`
		C     float32   `parquet:"c"`
		F     *int32    `parquet:"f,optional"`
		G     []int64   `parquet:"g,list,snappy"`
		I     [][]int32 `parquet:"i,list"`
		D     float64   `parquet:"d,dict,zstd"`
		E     bool      `parquet:"e"`
		Label string    `parquet:"label,dict"`
	}
	at := func(i int) (r row) {
		f := int32(-i)
		r = row{A: int32(i * i), B: int64(i % 7), C: float32(i) / 4, D: float64(i%13) / 8, E: i%3 == 0, F: &f, Label: fmt.Sprint("c", i*5%11)}
		for k := range 1 + i%4 {
			r.G = append(r.G, int64(10*i+k))
		}
		r.I = [][]int32{{int32(i), 1, 2}, {3, 4, int32(i)}}
		return r
	}
	const n = 200
	for v := 1; v <= 2; v++ {
		for _, page := range []int{100, 1 << 20} {
			dir := t.TempDir()
			o := []parquet.WriterOption{parquet.DataPageVersion(v), parquet.PageBufferSize(page), parquet.MaxRowsPerRowGroup(25)}
			write(t, filepath.Join(dir, "train-0.parquet"), parquetOf(t, n, at, o...))
			write(t, filepath.Join(dir, "train-1.parquet"), parquetOf(t, n, func(i int) row { return at(i + n) }, o...))
			write(t, filepath.Join(dir, "test-0.parquet"), parquetOf(t, 50, at, o...))
			sameData(t, "parquet:"+dir+"?pad=-1&masks=g", 30<<10)
		}
	}
}

// Images in Parquet files are the same samples, streamed or not, with or without
// columns beside them.
func TestStreamedParquetImages(t *testing.T) {
	type row struct {
		Image struct {
			Bytes []byte `parquet:"bytes"`
			Path  string `parquet:"path"`
		} `parquet:"image"`
		Label string  `parquet:"label,dict"`
		Age   float32 `parquet:"age"`
	}
	at := func(from int) func(i int) row {
		return func(i int) (r row) {
			i += from
			r.Image.Bytes = pngOf(picture(9+i%3, 8, color.NRGBA{byte(i), byte(3 * i), 9, 255}))
			if i%30 == 4 {
				r.Image.Bytes = []byte("no image")
			}
			r.Label, r.Age = fmt.Sprint("c", i*5%11), float32(i)/4
			return r
		}
	}
	for _, page := range []int{300, 2000} {
		dir := t.TempDir()
		o := []parquet.WriterOption{parquet.PageBufferSize(page), parquet.MaxRowsPerRowGroup(25)}
		write(t, filepath.Join(dir, "train-0.parquet"), parquetOf(t, 60, at(0), o...))
		write(t, filepath.Join(dir, "train-1.parquet"), parquetOf(t, 50, at(60), o...))
		write(t, filepath.Join(dir, "test-0.parquet"), parquetOf(t, 40, at(7), o...))
		for _, query := range []string{"?corrupt=skip&size=8x9", "?corrupt=skip&size=9&fields=all", "?corrupt=skip&resize=9&crop=8&train-crop=resized&val=.1"} {
			d := sameData(t, "parquet:"+dir+query, 25<<10)
			if d.Train.X().Held() {
				t.Error("images are held")
			}
			if strings.Contains(query, "train-crop") {
				h := open(t, "parquet:"+dir+query)
				n := d.Train.X().Size()
				var x [2][]float32
				for k, s := range []*Set{h.Train, d.Train} {
					x[k] = make([]float32, 30*n)
					l := &Loader{Set: s, Size: 30, Norm: d.Norm, Augment: Augment{Data: true}, Seed: 3}
					if _, err := l.Fill(2, 1, []Buffer{{X: x[k]}}); err != nil {
						t.Fatal(err)
					}
				}
				if !slices.Equal(x[0], x[1]) {
					t.Error("training sees other pictures")
				}
			}
		}
	}
}

// A row group that does not fit says so.
func TestStreamedTooLarge(t *testing.T) {
	type row struct {
		G []float32 `parquet:"g,list"`
	}
	b := parquetOf(t, 40, func(i int) row { return row{make([]float32, 1000)} })
	_, err := Options{Memory: 30 << 10}.Open("parquet:" + write(t, filepath.Join(t.TempDir(), "a.parquet"), b))
	if err == nil || !strings.Contains(err.Error(), "smaller row groups") || !strings.Contains(err.Error(), "let samples take more") {
		t.Error(err)
	}
}

// What is held never takes more than it may, however many ask at once; it is counted
// while parts are read.
func TestCacheKeepsItsBound(t *testing.T) {
	const each, rows = 100, 10
	c := newCache(5*4*rows + 7)
	most := int64(0)
	var n []int
	for range each {
		n = append(n, rows)
	}
	p := newParts(n, []*Field{{Name: "x", Ints: []int32{}}}, 0, 0, c, func(k int, to *partRoom) error {
		c.mu.Lock()
		most = max(most, c.taken)
		c.mu.Unlock()
		time.Sleep(10 * time.Microsecond)
		for i := range rows {
			to.fields[0].Ints[i] = int32(k*rows + i)
		}
		return nil
	})
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			to := []*Field{{Name: "x", Ints: make([]int32, 1)}}
			for i := range 500 {
				s := (i*37 + g*611) % (each * rows)
				if err := p.Read(s, to); err != nil || to[0].Ints[0] != int32(s) {
					t.Errorf("sample %d: %v, %v", s, to[0].Ints[0], err)
				}
			}
		})
	}
	wg.Wait()
	if most > c.most || most < c.most-int64(4*rows) {
		t.Errorf("%d bytes were held, of %d that may be", most, c.most)
	}
}

func FuzzStreamedRecords(f *testing.F) {
	f.Add([]byte("a,b,c\n1,2,x\n3,4.5,y\n5,6,x\n"))
	f.Add([]byte("{\"a\":1,\"label\":2}\n{\"a\":2,\"label\":0}\n"))
	f.Add([]byte("[{\"a\":[1,2]} , {\"a\":[3]}]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := write(t, filepath.Join(t.TempDir(), "a"), b)
		for _, spec := range []string{"csv:" + path, "csv:" + path + "?fields=columns", "jsonl:" + path + "?pad=0"} {
			h, err := Open(spec)
			if err != nil || h.Train.Sound() != nil {
				continue
			}
			d, err := Options{Memory: 600}.Open(spec)
			if err != nil || d.Train.Stream == nil {
				continue
			}
			if got, want := content(t, d.Train, d.Norm, 2), content(t, h.Train, h.Norm, 1); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: %v, held %v", bytes.Clone(b), got, want)
			}
		}
	})
}

// Pictures with masks, with other pictures, and with what a table says are the same
// samples, streamed or not.
func TestStreamedPairs(t *testing.T) {
	dir := t.TempDir()
	var rows strings.Builder
	rows.WriteString("file,kind,age\n")
	for i := range 60 {
		v := make([]byte, 9*7)
		for k := range v {
			v[k] = byte((i*k + i) % 5 * 50)
		}
		v[0] = 255
		name := fmt.Sprintf("%02d.png", i)
		write(t, filepath.Join(dir, "pairs", "images", name), grayOf(9, bytes.Repeat([]byte{byte(i)}, 63)...))
		write(t, filepath.Join(dir, "pairs", "masks", name), grayOf(9, v...))
		write(t, filepath.Join(dir, "both", "images", name), grayOf(9, bytes.Repeat([]byte{byte(i)}, 63)...))
		write(t, filepath.Join(dir, "both", "targets", name), grayOf(7, v...))
		if i%20 == 7 {
			write(t, filepath.Join(dir, "both", "images", name), []byte("x"))
		}
		if i%20 == 9 {
			write(t, filepath.Join(dir, "both", "targets", name), []byte("x"))
		}
		fmt.Fprintf(&rows, "%s,k%d,%d\n", name, i%3, i)
	}
	table := write(t, filepath.Join(dir, "both", "images", "labels.csv"), []byte(rows.String()))
	p, b := "pairs:"+filepath.Join(dir, "pairs"), "pairs:"+filepath.Join(dir, "both")
	for name, spec := range map[string]string{
		"masks":   p,
		"values":  p + "?values=0,50,100,150,200&ignore=255",
		"ignored": p + "?ignore=255&crop=4x5",
		"resized": p + "?resize=5&crop=6x5&val=.3",
		"moved":   p + "?crop=5x4&train-crop=random&flip=.5&values=0,50,100,150,200&ignore=255",
		"picture": b + "?target=image&corrupt=skip",
		"table":   "table:" + table + "?corrupt=skip",
		"folder":  "folder:" + filepath.Join(dir, "both", "images") + "?corrupt=skip&resize=7x8",
	} {
		t.Run(name, func(t *testing.T) {
			d := sameData(t, spec, 2500)
			if name != "moved" {
				return
			}
			h := open(t, spec)
			n := d.Train.X().Size()
			for _, epoch := range []int{0, 3} {
				var x [2][]float32
				var y [2][]int64
				for k, s := range []*Set{h.Train, d.Train} {
					x[k], y[k] = make([]float32, 20*n), make([]int64, 20*n)
					l := &Loader{Set: s, Size: 20, Norm: d.Norm, Augment: Augment{Data: true, Crop: 1, Flip: true}, Seed: 3, Shuffle: true, Threads: 3}
					if _, err := l.Fill(epoch, 1, []Buffer{{X: x[k]}, {Field: 1, I: y[k]}}); err != nil {
						t.Fatal(err)
					}
				}
				if !slices.Equal(x[0], x[1]) || !slices.Equal(y[0], y[1]) {
					t.Error("training sees other pictures or masks")
				}
			}
		})
	}
	if _, err := (Options{Memory: 2500}).Open(p + "?values=0,50,100,150,200"); err == nil || !strings.Contains(err.Error(), "the value 255, which is not among") {
		t.Errorf("a value that is none of a class: %v", err)
	}
	write(t, filepath.Join(dir, "pairs", "masks", "07.png"), grayOf(3, 0, 0, 0))
	if _, err := (Options{Memory: 2500}).Open(p); err == nil || !strings.Contains(err.Error(), "07.png: the mask has 3x1 pixels, its picture 9x7") {
		t.Errorf("a mask of another size: %v", err)
	}
}

// Arrays that are fields each are the same samples, streamed or not.
func TestStreamedArrayFields(t *testing.T) {
	const n = 120
	var a, b []float32
	var u, m, p []byte
	var l, w []int64
	for i := range n {
		for k := range 12 {
			a, u = append(a, float32(i*k)/4), append(u, byte(i+k))
		}
		for k := range 48 {
			m, p = append(m, byte((i+k)%3)), append(p, byte(i*k))
		}
		b, l, w = append(b, float32(i)), append(l, int64(i*7%5)), append(w, int64(-i), int64(i))
	}
	entries := func(lo, hi int) []entry {
		k := hi - lo
		return []entry{
			{"image.npy", u1(fmt.Sprintf("%d, 2, 2, 3", k), u[12*lo:12*hi]...)}, {"table.npy", f4(fmt.Sprintf("%d, 12", k), a[12*lo:12*hi]...)},
			{"label.npy", i8(fmt.Sprintf("%d,", k), l[lo:hi]...)}, {"words.npy", i8(fmt.Sprintf("%d, 2", k), w[2*lo:2*hi]...)}, {"y2.npy", f4(fmt.Sprintf("%d,", k), b[lo:hi]...)},
		}
	}
	masks := func(lo, hi int) []entry {
		return []entry{{"mask.npy", u1(fmt.Sprintf("%d, 6, 8", hi-lo), m[48*lo:48*hi]...)}, {"photo.npy", u1(fmt.Sprintf("%d, 1, 6, 8", hi-lo), p[48*lo:48*hi]...)}}
	}
	dir := t.TempDir()
	for name, e := range map[string][]entry{"a/train-0": entries(0, 50), "a/train-1": entries(50, n), "a/test": entries(20, 60), "m/train-0": masks(0, 50), "m/train-1": masks(50, n)} {
		write(t, filepath.Join(dir, name+".npz"), zipped(zip.Store, e...))
	}
	for _, e := range entries(0, n) {
		write(t, filepath.Join(dir, "folder", e.name), e.data)
	}
	a1 := "npz:" + filepath.Join(dir, "a")
	for spec, bound := range map[string]int64{a1 + "?fields=all": 5500, a1 + "?fields=all&drop=y2&layout=nchw": 5500, a1 + "/train-1.npz?fields=all": 4000, "npy:" + filepath.Join(dir, "folder") + "?val=.2": 5000} {
		sameData(t, spec, bound)
	}
	d := sameData(t, "npz:"+filepath.Join(dir, "m")+"?fields=all", 6500)
	if f := d.Train.y(); f.Name != "mask" || f.Classes != 3 {
		t.Errorf("masks: %s of %d classes", f.Name, f.Classes)
	}
}
