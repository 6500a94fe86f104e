package dataset

import (
	"archive/zip"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func grayPicture(w, h int, v byte) image.Image {
	m := image.NewGray(image.Rect(0, 0, w, h))
	for i := range m.Pix {
		m.Pix[i] = v
	}
	return m
}

// Folders and zips of images by the same rules.
func TestTree(t *testing.T) {
	red, gray := pngOf(picture(2, 2, color.NRGBA{200, 0, 0, 255})), pngOf(grayPicture(2, 2, 9))
	wide := pngOf(picture(4, 2, color.White))
	for name, c := range map[string]struct {
		files   map[string][]byte
		query   string
		train   []int32
		test    []int32
		shape   []int
		classes int
		note    string
		bad     string
	}{
		"numbers": {files: map[string][]byte{"1/a.png": red, "3/b.png": red, "10/c.png": red}, train: []int32{1, 10, 3}, classes: 11, shape: []int{3, 2, 2}, note: "no sample has class 0, 2"},
		"padded":  {files: map[string][]byte{"001/a.png": red, "003/b.png": red}, train: []int32{1, 3}, classes: 4, shape: []int{3, 2, 2}},
		"letters": {files: map[string][]byte{"1/a.png": red, "3/b.png": red, "10/c.png": red}, query: "classes=letters", train: []int32{0, 1, 2}, classes: 3, shape: []int{3, 2, 2}, note: "0 1, 1 10, 2 3"},
		"part without a class": {files: map[string][]byte{"train/0/a.png": red, "train/1/a.png": red, "train/2/a.png": red, "test/1/a.png": red}, train: []int32{0, 1, 2}, test: []int32{1}, classes: 3,
			shape: []int{3, 2, 2}},
		"part with more":     {files: map[string][]byte{"train/b/a.png": red, "train/c/a.png": red, "test/a/a.png": red}, bad: `lacks: "a"`},
		"one level down":     {files: map[string][]byte{"x/y/train/b/a.png": red, "x/y/Test/b/a.png": red, "x/y/readme.txt": []byte("hi")}, train: []int32{0}, test: []int32{0}, classes: 1, shape: []int{3, 2, 2}, note: "lie in x/y/"},
		"nested":             {files: map[string][]byte{"cat/siamese/1.png": red, "cat/2.png": red, "dog/x/y/1.png": red}, train: []int32{0, 0, 1}, classes: 2, shape: []int{3, 2, 2}, note: "0 cat, 1 dog"},
		"tiny imagenet":      {files: map[string][]byte{"train/n1/images/1.png": red, "train/n2/images/1.png": red, "val/images/1.png": red}, bad: "what their images are for"},
		"masks":              {files: map[string][]byte{"images/1.png": red, "masks/1.png": gray}, bad: "pairs:DIR"},
		"masks and more":     {files: map[string][]byte{"images/1.png": red, "masks/1.png": gray, "other/1.png": red}, bad: "pairs:DIR"},
		"a table":            {files: map[string][]byte{"images/1.png": red, "labels.csv": []byte("1.png,2")}, bad: "table:FILE"},
		"a class of data":    {files: map[string][]byte{"data/1.png": red, "dog/1.png": red}, train: []int32{0, 1}, classes: 2, shape: []int{3, 2, 2}, note: "0 data, 1 dog"},
		"masks of parts":     {files: map[string][]byte{"train/images/1.png": red, "train/Masks/1.png": gray, "test/images/1.png": red}, bad: "what their images are for"},
		"parts in classes":   {files: map[string][]byte{"a/train/1.png": red, "a/test/1.png": red, "b/train/1.png": red}, bad: "outermost"},
		"yolo":               {files: map[string][]byte{"images/train/1.png": red, "images/val/1.png": red, "labels/train/1.txt": []byte("0 0 0 1 1")}, bad: "no folder for each class"},
		"trains and cars":    {files: map[string][]byte{"car/1.png": red, "train/1.png": red}, train: []int32{0, 1}, classes: 2, shape: []int{3, 2, 2}, note: "0 car, 1 train"},
		"mac":                {files: map[string][]byte{"pics/0/1.png": red, "pics/1/1.png": red, "__MACOSX/pics/0/._1.png": []byte("x"), "pics/0/._1.png": []byte("x"), "pics/.DS_Store": []byte("x"), "pics/1/Thumbs.db": []byte("x")}, train: []int32{0, 1}, classes: 2, shape: []int{3, 2, 2}, note: "4 hidden"},
		"other files":        {files: map[string][]byte{"a/1.png": red, "b/1.png": red, "b/1.xml": []byte("x"), "c/notes.txt": []byte("x")}, train: []int32{0, 1}, classes: 2, shape: []int{3, 2, 2}, note: "2 that are no PNG"},
		"no class of texts":  {files: map[string][]byte{"a/1.png": red, "b/1.png": red, "c/notes.txt": []byte("x")}, train: []int32{0, 1}, classes: 2, shape: []int{3, 2, 2}, note: "it is no class"},
		"no endings":         {files: map[string][]byte{"a/f00": red, "b/f01": red}, train: []int32{0, 1}, classes: 2, shape: []int{3, 2, 2}},
		"gray":               {files: map[string][]byte{"a/1.png": gray, "b/1.png": gray}, train: []int32{0, 1}, classes: 2, shape: []int{1, 2, 2}, note: "all images are gray"},
		"gray for three":     {files: map[string][]byte{"a/1.png": gray, "b/1.png": gray}, query: "channels=3", train: []int32{0, 1}, classes: 2, shape: []int{3, 2, 2}, note: "2 images are gray"},
		"mixed":              {files: map[string][]byte{"a/1.png": gray, "b/1.png": red}, train: []int32{0, 1}, classes: 2, shape: []int{3, 2, 2}, note: "1 images are gray among 1"},
		"colour to gray":     {files: map[string][]byte{"a/1.png": gray, "b/1.png": red}, query: "channels=1", train: []int32{0, 1}, classes: 2, shape: []int{1, 2, 2}, note: "0.299 R"},
		"gray and colour":    {files: map[string][]byte{"train/a/1.png": gray, "test/a/1.png": red}, bad: "channels=3"},
		"sizes":              {files: map[string][]byte{"a/1.png": red, "b/2.png": wide}, bad: "all must be of one size"},
		"resized":            {files: map[string][]byte{"a/1.png": red, "b/2.png": wide}, query: "size=2", train: []int32{0, 1}, classes: 2, shape: []int{3, 2, 2}, note: "1 of 2 images were resized"},
		"huge":               {files: map[string][]byte{"a/1.png": red}, query: "size=9999", bad: "8192"},
		"four channels":      {files: map[string][]byte{"a/1.png": red}, query: "channels=4", bad: "1 for gray or 3"},
		"means of gray":      {files: map[string][]byte{"a/1.png": gray}, query: "mean=.5,.5,.5&std=1,1,1", bad: "channels=3"},
		"means":              {files: map[string][]byte{"a/1.png": gray}, query: "mean=.5,.5,.5&std=1,1,1&channels=3", train: []int32{0}, classes: 1, shape: []int{3, 2, 2}},
		"only words":         {files: map[string][]byte{"a/1.txt": red}, bad: "no samples were found"},
		"another part apart": {files: map[string][]byte{"train/a/1.png": red, "test/a/1.png": red, "more/a/1.png": red}, train: []int32{0}, test: []int32{0}, classes: 1, shape: []int{3, 2, 2}, note: "1 images outside"},
	} {
		dir := filepath.Join(t.TempDir(), "d")
		var in []entry
		for f, b := range c.files {
			write(t, filepath.Join(dir, filepath.FromSlash(f)), b)
			in = append(in, entry{f, b})
		}
		file := write(t, filepath.Join(t.TempDir(), "a.zip"), zipped(zip.Deflate, in...))
		for _, spec := range []string{"folder:" + dir + "?" + c.query, "zip:" + file + "?" + c.query} {
			kind, _, _ := strings.Cut(spec, ":")
			d, err := Open(spec)
			if c.bad != "" {
				if err == nil || !strings.Contains(err.Error(), c.bad) {
					t.Errorf("%s as %s: %v, want something with %q", name, kind, err, c.bad)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s as %s: %v", name, kind, err)
				continue
			}
			if !slices.Equal(labelsOf(d.Train), c.train) || !slices.Equal(labelsOf(d.Test), c.test) || d.Train.Class().Classes != c.classes || !slices.Equal(d.Train.X().Shape, c.shape) {
				t.Errorf("%s as %s: labels %v and %v of %d classes, shape %v", name, kind, labelsOf(d.Train), labelsOf(d.Test), d.Train.Class().Classes, d.Train.X().Shape)
			}
			if !noted(d, c.note) {
				t.Errorf("%s as %s: no note with %q: %q", name, kind, c.note, d.Notes)
			}
			if c.shape[0] == 3 && c.files["a/1.png"] != nil && string(c.files["a/1.png"]) == string(gray) && !slices.Equal(d.Train.X().Bytes[:12], slices.Repeat([]byte{9}, 12)) {
				t.Errorf("%s as %s: gray became %v", name, kind, d.Train.X().Bytes[:12])
			}
		}
	}
}

// A snapshot of a hub is made of links to files without endings; links of
// folders are followed, and circles found.
func TestLinks(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "blobs", "0a1b"), pngOf(picture(2, 2, color.White)))
	write(t, filepath.Join(dir, "blobs", "cls", "5.png"), pngOf(picture(2, 2, color.Black)))
	snap := filepath.Join(dir, "snapshots", "abc")
	if err := os.MkdirAll(filepath.Join(snap, "cat"), 0o755); err != nil {
		t.Fatal(err)
	}
	for to, from := range map[string]string{"cat/1.png": "../../../blobs/0a1b", "dog": "../../blobs/cls", "cat/lost.png": "../../../blobs/none"} {
		if err := os.Symlink(from, filepath.Join(snap, to)); err != nil {
			t.Skip(err)
		}
	}
	d := open(t, snap)
	if !slices.Equal(labelsOf(d.Train), []int32{0, 1}) || !noted(d, "1 links that lead nowhere") || d.Train.X().Bytes[0] != 255 {
		t.Errorf("labels %v, notes %q", labelsOf(d.Train), d.Notes)
	}
	if err := os.Symlink("..", filepath.Join(snap, "cat", "up")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open("folder:" + snap); err == nil || !strings.Contains(err.Error(), "leads back") {
		t.Errorf("a circle: %v", err)
	}
}

// An empty folder is a class without samples, which is said.
func TestEmptyClass(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a", "1.png"), pngOf(picture(2, 2, color.White)))
	write(t, filepath.Join(dir, "c", "1.png"), pngOf(picture(2, 2, color.White)))
	if err := os.Mkdir(filepath.Join(dir, "b"), 0o755); err != nil {
		t.Fatal(err)
	}
	d := open(t, "folder:"+dir)
	if !slices.Equal(labelsOf(d.Train), []int32{0, 2}) || d.Train.Class().Classes != 3 || !noted(d, "folder b is empty") {
		t.Errorf("labels %v of %d, notes %q", labelsOf(d.Train), d.Train.Class().Classes, d.Notes)
	}
}

// Few of many are of every class.
func TestFewOfFolder(t *testing.T) {
	dir := t.TempDir()
	var in []entry
	for i := range 40 {
		e := entry{filepath.Join(string(rune('a'+i/10)), string(rune('a'+i%10))+".png"), pngOf(grayPicture(1, 1, byte(i)))}
		write(t, filepath.Join(dir, e.name), e.data)
		in = append(in, e)
	}
	file := write(t, filepath.Join(t.TempDir(), "a.zip"), zipped(zip.Store, in...))
	for _, spec := range []string{"folder:" + dir + "?n=8", "zip:" + file + "?n=8"} {
		d := open(t, spec)
		if !slices.Equal(labelsOf(d.Train), []int32{0, 0, 1, 1, 2, 2, 3, 3}) || !noted(d, "drawn by seed") {
			t.Errorf("%s: labels %v, notes %q", spec, labelsOf(d.Train), d.Notes)
		}
	}
}

// The values by hand, by the formula of Pillow's BILINEAR: a line, and the same
// as a column.
func TestResize(t *testing.T) {
	for _, c := range []struct {
		from []byte
		to   []byte
	}{
		{[]byte{0, 255}, []byte{0, 64, 191, 255}},
		{[]byte{0, 0, 255, 255}, []byte{36, 219}},
		{[]byte{7, 7, 7}, []byte{7, 7, 7, 7, 7}},
	} {
		got := make([]byte, len(c.to))
		var r resizer
		r.plane(Bilinear, c.from, len(c.from), 1, len(c.from), got, 1, len(got))
		col := make([]byte, len(c.to))
		r.plane(Bilinear, c.from, 1, len(c.from), 1, col, len(got), 1)
		if !slices.Equal(got, c.to) || !slices.Equal(col, c.to) {
			t.Errorf("%v became %v and %v, want %v", c.from, got, col, c.to)
		}
	}
}

// A 16-bit and a transparent image say what they lose; a gray one with
// transparency, or of a gray palette, is gray.
func TestPixels(t *testing.T) {
	deep := image.NewGray16(image.Rect(0, 0, 1, 1))
	deep.SetGray16(0, 0, color.Gray16{0x1234})
	half := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	half.SetNRGBA(0, 0, color.NRGBA{10, 20, 30, 128})
	pal := image.NewPaletted(image.Rect(0, 0, 1, 1), color.Palette{color.Gray{7}, color.White})
	for _, c := range []struct {
		m    image.Image
		want []byte
		note string
	}{
		{deep, []byte{0x12}, "16 bits"}, {half, []byte{10, 20, 30}, "transparency"}, {pal, []byte{7}, "gray"},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "a", "1.png"), pngOf(c.m))
		d := open(t, "folder:"+dir)
		if !slices.Equal(d.Train.X().Bytes, c.want) || !noted(d, c.note) {
			t.Errorf("%v, want %v, notes %q", d.Train.X().Bytes, c.want, d.Notes)
		}
	}
}
