package dataset

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/internal/hostile"

	"github.com/parquet-go/parquet-go"
)

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b) //nolint:errcheck // a buffer takes all
	z.Close()  //nolint:errcheck // a buffer takes all
	return out.Bytes()
}

// npyBytes is an array as NumPy writes it.
func npyBytes(descr, shape string, data []byte) []byte {
	h := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }\n", descr, shape)
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(h)), byte(len(h)>>8))
	return append(append(b, h...), data...)
}

type entry struct {
	name string
	data []byte
}

func zipped(method uint16, entries ...entry) []byte {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, e := range entries {
		w, err := z.CreateHeader(&zip.FileHeader{Name: e.name, Method: method})
		if err != nil {
			panic(err)
		}
		w.Write(e.data) //nolint:errcheck // a buffer takes all
	}
	z.Close() //nolint:errcheck // a buffer takes all
	return out.Bytes()
}

func jpegOf(m image.Image) []byte {
	var b bytes.Buffer
	jpeg.Encode(&b, m, nil) //nolint:errcheck // a buffer takes all
	return b.Bytes()
}

// grow says in a PNG's header that it is of another size.
func grow(b []byte, w, h uint32) []byte {
	b = bytes.Clone(b)
	binary.BigEndian.PutUint32(b[16:], w)
	binary.BigEndian.PutUint32(b[20:], h)
	return mended(b)
}

// mended is a PNG whose checksums are right, as far as its chunks can be found.
func mended(b []byte) []byte {
	b = bytes.Clone(b)
	for at := 8; at+12 <= len(b); {
		n := int(binary.BigEndian.Uint32(b[at:]))
		if n < 0 || n > len(b)-at-12 {
			break
		}
		binary.BigEndian.PutUint32(b[at+8+n:], crc32.ChecksumIEEE(b[at+4:at+8+n]))
		at += 12 + n
	}
	return b
}

// doubled is a zip whose directory names its first file n times.
func doubled(b []byte, n int) []byte {
	end := bytes.LastIndex(b, []byte("PK\x05\x06"))
	at := int(binary.LittleEndian.Uint32(b[end+16:]))
	dir := b[at:end]
	out := append(bytes.Clone(b[:at]), bytes.Repeat(dir, n)...)
	tail := bytes.Clone(b[end:])
	binary.LittleEndian.PutUint16(tail[8:], uint16(n))
	binary.LittleEndian.PutUint16(tail[10:], uint16(n))
	binary.LittleEndian.PutUint32(tail[12:], uint32(n*len(dir)))
	return append(out, tail...)
}

// Files that mean harm are refused soon and without much memory, and nothing is
// written beside them.
func TestHostile(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, b []byte) string { return write(t, filepath.Join(dir, "in", name), b) }
	small := pngOf(picture(2, 2, color.White))
	zero := make([]byte, 100<<20) // a gzip of 100 kB
	lab := file("lab", idx([]int{2}, 0, 1))
	bomb := gzipped(zero)
	wide := append([]byte("1,2,a\n"), bytes.Repeat([]byte("1,"), 2<<20)...)
	for spec, want := range map[string]string{
		// an idx file that unpacks to a thousand times its size, and is none
		"idx:" + file("bomb.gz", bomb) + "," + lab:                                                                                  "idx type",
		"idx:" + file("bomb2.gz", gzipped(append(idx([]int{2, 1 << 28}), zero[:80<<20]...))) + "," + lab:                            "fit",
		"idx:" + file("i1", idx([]int{1 << 31, 1 << 31, 2, 1}, 1)) + "," + lab:                                                      "fit",
		"idx:" + file("i2", idx([]int{0, 1}, 1)) + "," + lab:                                                                        "fit",
		"cifar10:" + filepath.Dir(file("c/test_batch.bin", bomb)):                                                                   "unpack it",
		"text:" + file("bomb.txt.gz", bomb):                                                                                         "unpack it",
		"text:" + file("cut.txt.gz", gzipped([]byte(strings.Repeat("some text ", 99)))[:40]):                                        "unexpected EOF",
		"csv:" + file("line.csv", wide):                                                                                             "longer than",
		"csv:" + file("line.csv.gz", gzipped(append([]byte("1,2\n\""), bytes.Repeat([]byte("\n"), 4<<20)...))):                      "longer than",
		"csv:" + file("late.csv.gz", gzipped(append(bytes.Repeat(append(bytes.Repeat([]byte("0,"), 127), "0\n"...), 17<<13), 'x'))): "wrong number of fields",
		"csv:" + file("names.csv", numbered(1<<19)):                                                                                 "classes",
		// arrays
		"npz:" + file("huge.npz", zipped(zip.Deflate, entry{"x.npy", npyBytes("<f4", "1099511627776,2", nil)}, entry{"y.npy", npyBytes("<i8", "2", make([]byte, 16))})):               "fit",
		"npz:" + file("neg.npz", zipped(zip.Deflate, entry{"x.npy", npyBytes("<f4", "-1,-4", make([]byte, 16))}, entry{"y.npy", nil})):                                                "understood",
		"npz:" + file("empty.npz", zipped(zip.Deflate, entry{"x.npy", npyBytes("|u1", "0, 1099511627776, 1099511627776, 3", nil)}, entry{"y.npy", npyBytes("|u1", "0", nil)})):        "first axis",
		"npz:" + file("bomb.npz", zipped(zip.Deflate, entry{"x.npy", npyBytes("|u1", "2, 50331648", zero[:96<<20])}, entry{"y.npy", npyBytes("<i8", "3", make([]byte, 24))})):         "the first axis counts",
		"npz:" + file("sum.npz", spoiled(zipped(zip.Store, entry{"x.npy", npyBytes("|u1", "2, 3", make([]byte, 6))}, entry{"y.npy", npyBytes("|u1", "2", make([]byte, 2))}))):         "checksum",
		"npz:" + file("deep.npz", zipped(zip.Deflate, entry{"x.npy", npyBytes("|u1", strings.Repeat("1,", 9999)+"1", []byte{1})}, entry{"y.npy", npyBytes("|u1", "1", []byte{1})})):   "axes",
		"npz:" + file("late.npz", spoiled(zipped(zip.Deflate, entry{"u.npy", npyBytes("|u1", "2, 50331648", zero[:96<<20])}, entry{"v.npy", npyBytes("|u1", "2", make([]byte, 2))}))): "corrupt",
		// images
		"folder:" + filepath.Dir(filepath.Dir(file("f1/a/1.png", grow(small, 16000, 16000)))):                      "pixels",
		"folder:" + filepath.Dir(filepath.Dir(file("f2/a/1.jpg", scans(jpegOf(picture(64, 64, color.White)))))):    "passes",
		"zip:" + file("size.zip", zipped(zip.Store, entry{"a/1.png", small}, entry{"a/2.png", grow(small, 3, 2)})): "1 of 2 images cannot be read",
		"zip:" + file("bomb.zip", zipped(zip.Deflate, entry{"a/1.png", append(bytes.Clone(small), zero...)})):      "are refused",
		"zip:" + file("slip.zip", zipped(zip.Deflate, entry{"../../evil/1.png", small})):                           "no samples",
		"zip:" + file("twice.zip", doubled(zipped(zip.Store, entry{"a/1.png", small}), 500)):                       "overlap",
		"zip:" + file("late.zip", zipped(zip.Deflate, many(12, entry{"b/1.png", small})...)):                       "1.png",
		"zip:" + file("sum.zip", spoiled(zipped(zip.Store, entry{"a/1.png", small}))):                              "checksum",
		"tiles:" + file("t.png", grow(small, 32768, 32768)) + "," + lab + "?size=32":                               "pixels",
	} {
		path := spec[strings.Index(spec, ":")+1:]
		size := 0
		filepath.Walk(strings.Split(strings.Split(path, "?")[0], ",")[0], func(_ string, i os.FileInfo, err error) error { //nolint:errcheck // a size of 0 fails below
			if err == nil && !i.IsDir() {
				size += int(i.Size())
			}
			return nil
		})
		err := hostile.Read(t, size, func() error { _, err := Open(spec); return err })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something with %q", spec, err, want)
		}
	}
	if ents, err := os.ReadDir(dir); err != nil || len(ents) != 1 {
		t.Errorf("something was written: %v", ents)
	}
}

// numbered is a CSV with a class of its own for every row.
func numbered(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "1,c%d\n", i)
	}
	return b.Bytes()
}

// spoiled changes the last byte of the first file of a zip.
func spoiled(b []byte) []byte {
	b = bytes.Clone(b)
	b[bytes.Index(b, []byte("PK\x07\x08"))-1] ^= 1 // before what follows a file
	return b
}

// scans makes a JPEG one of many passes.
func scans(b []byte) []byte {
	at := bytes.Index(b, []byte{0xff, 0xda})
	return append(bytes.Clone(b[:at]), bytes.Repeat(b[at:len(b)-2], 200)...)
}

// many are images that unpack to a thousand times their bytes, and a last file.
func many(n int, last entry) []entry {
	b := pngOf(image.NewGray(image.Rect(0, 0, 2000, 2000)))
	var out []entry
	for i := range n {
		out = append(out, entry{fmt.Sprintf("a/%d.png", i), b})
	}
	return append(out, last)
}

// What is packed well and is good is read.
func TestPacked(t *testing.T) {
	dir := t.TempDir()
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(idx([]int{60 << 10, 1024})) //nolint:errcheck // a buffer takes all
	for range 60 {
		w.Write(make([]byte, 1<<20)) //nolint:errcheck // a buffer takes all
	}
	w.Close() //nolint:errcheck // a buffer takes all
	x := write(t, filepath.Join(dir, "x.gz"), z.Bytes())
	y := write(t, filepath.Join(dir, "y"), idx([]int{60 << 10}, make([]byte, 60<<10)...))
	if d := open(t, "idx:"+x+","+y); d.Train.Len() != 60<<10 {
		t.Errorf("%d samples", d.Train.Len())
	}
	d := open(t, "zip:"+write(t, filepath.Join(dir, "a.zip"), zipped(zip.Deflate, many(5, entry{"b/1.png", pngOf(picture(2000, 2000, color.White))})...)))
	if d.Train.Len() != 6 || d.Train.X().Bytes[len(d.Train.X().Bytes)-1] != 255 || d.Train.X().Bytes[0] != 0 || d.Train.Label(5) != 1 {
		t.Errorf("%d images", d.Train.Len())
	}
	rows := bytes.Repeat([]byte("1,2,3,a\n4,5,6,b\n"), 3<<18)
	d = open(t, "csv:"+write(t, filepath.Join(dir, "a.csv.gz"), gzipped(rows)))
	if d.Train.Len() != 3<<19 || d.Train.X().Floats[5] != 6 || cap(d.Train.X().Floats) != 9<<19 {
		t.Errorf("%d rows, room for %d values", d.Train.Len(), cap(d.Train.X().Floats))
	}
}

// fuzz opens a specification over files of these contents.
func fuzz(t *testing.T, spec string, files ...[]byte) {
	dir := t.TempDir()
	size := 0
	for i, b := range files {
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		spec = strings.ReplaceAll(spec, fmt.Sprintf("{%d}", i), path)
		size += len(b)
	}
	hostile.Read(t, size, func() error { //nolint:errcheck // what it refuses does not matter here
		d, err := Open(spec)
		if err == nil {
			s := d.Eval()
			if err = s.Sound(); err != nil && !strings.Contains(err.Error(), "NaN") {
				t.Errorf("it opens, but %v", err)
			}
		}
		return err
	})
}

func FuzzIDX(f *testing.F) {
	f.Add(idx([]int{2, 2}, 1, 2, 3, 4), idx([]int{2}, 0, 1))
	f.Add(gzipped(idx([]int{2, 2, 1}, 1, 2, 3, 4)), idx([]int{2}, 0, 1))
	f.Fuzz(func(t *testing.T, x, y []byte) { fuzz(t, "idx:{0},{1}", x, y) })
}

func FuzzCIFAR(f *testing.F) {
	f.Add(append([]byte{3}, make([]byte, 3072)...), false)
	f.Add(gzipped(append([]byte{3, 99}, make([]byte, 3072)...)), true)
	f.Fuzz(func(t *testing.T, b []byte, hundred bool) {
		path := write(t, filepath.Join(t.TempDir(), "b"), b)
		hostile.Read(t, len(b), func() error {
			_, err := map[bool]records{true: fine100, false: cifar10}[hundred].read([]string{path})
			return err
		}) //nolint:errcheck // what it refuses does not matter here
	})
}

func FuzzNPY(f *testing.F) {
	f.Add(npyBytes("<f4", "2,1", make([]byte, 8)), npyBytes("<i8", "2", make([]byte, 16)))
	f.Add(npyBytes("|u1", "1,2,2,3", make([]byte, 12)), npyBytes("|i1", "1", make([]byte, 1)))
	f.Add(npyBytes("<f8", "1,2", make([]byte, 16)), npyBytes("<u2", "1", make([]byte, 2)))
	f.Fuzz(func(t *testing.T, x, y []byte) { fuzz(t, "npy:{0},{1}", x, y) })
}

func FuzzNPZ(f *testing.F) {
	x, y := entry{"x.npy", npyBytes("|u1", "2,3", make([]byte, 6))}, entry{"y.npy", npyBytes("|u1", "2", make([]byte, 2))}
	f.Add(zipped(zip.Store, x, y))
	f.Add(zipped(zip.Deflate, x, y, entry{"x_test.npy", x.data}, entry{"y_test.npy", y.data}))
	f.Fuzz(func(t *testing.T, b []byte) { fuzz(t, "npz:{0}", b) })
}

func FuzzZip(f *testing.F) {
	small := pngOf(picture(2, 2, color.White))
	f.Add(zipped(zip.Store, entry{"a/1.png", small}, entry{"b/2.png", small}))
	f.Add(zipped(zip.Deflate, entry{"x/train/a/1.png", small}, entry{"x/test/b/2.jpg", jpegOf(picture(2, 2, color.Black))}))
	f.Fuzz(func(t *testing.T, b []byte) { fuzz(t, "zip:{0}", b) })
}

// FuzzFolder gives the contents of two images.
func FuzzFolder(f *testing.F) {
	for _, m := range []image.Image{picture(3, 2, color.White), image.NewGray(image.Rect(0, 0, 3, 2)), image.NewPaletted(image.Rect(0, 0, 3, 2), color.Palette{color.White, color.Black}),
		image.NewNRGBA64(image.Rect(0, 0, 3, 2)), image.NewCMYK(image.Rect(0, 0, 3, 2))} {
		f.Add(pngOf(m), jpegOf(m))
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "a", "1.png"), mended(a))
		write(t, filepath.Join(dir, "b", "2.jpg"), mended(b))
		hostile.Read(t, len(a)+len(b), func() error { _, err := Open("folder:" + dir); return err }) //nolint:errcheck // what it refuses does not matter here
	})
}

func FuzzTiles(f *testing.F) {
	f.Add(pngOf(picture(4, 4, color.White)), []byte{1, 2, 3}, 2)
	f.Fuzz(func(t *testing.T, b, y []byte, size int) {
		hostile.Read(t, len(b)+len(y), func() error { _, _, err := decodeTiles(mended(b), y, size); return err }) //nolint:errcheck // what it refuses does not matter here
	})
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("a,b\n1,2\n"), "last")
	f.Add(gzipped([]byte("x,1,\"2\n\"\n")), "x")
	f.Add([]byte("1;2"), "0")
	f.Fuzz(func(t *testing.T, b []byte, label string) {
		path := write(t, filepath.Join(t.TempDir(), "b"), b)
		hostile.Read(t, len(b), func() error { //nolint:errcheck // what it refuses does not matter here
			c, err := readCSV(path, csvOptions{label: label})
			if err == nil {
				s := c.set()
				if err := number(false, 1, s); err != nil || s.Sound() != nil {
					t.Error(err, s.Sound())
				}
			}
			return err
		})
	})
}

func FuzzParquet(f *testing.F) {
	type row struct {
		Image struct {
			Bytes []byte `parquet:"bytes"`
		} `parquet:"image"`
		Label int32 `parquet:"label"`
	}
	type flat struct {
		Img   []byte `parquet:"img,snappy"`
		Label int64  `parquet:"label,delta"`
	}
	var a, b bytes.Buffer
	rows := make([]row, 3)
	flats := make([]flat, 2)
	for i := range rows {
		rows[i].Image.Bytes, rows[i].Label = pngOf(picture(1, 2, color.White)), int32(i)
	}
	for i := range flats {
		flats[i] = flat{pngOf(picture(1, 2, color.White)), 1}
	}
	for _, err := range []error{parquet.Write(&a, rows), parquet.Write(&b, flats)} {
		if err != nil {
			f.Fatal(err)
		}
	}
	f.Add(a.Bytes())
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) { fuzz(t, "parquet:{0}", b) })
}
