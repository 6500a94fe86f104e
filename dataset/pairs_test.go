package dataset

import (
	"image"
	"image/color"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// grayOf is a gray image of these values.
func grayOf(w int, v ...byte) []byte {
	m := image.NewGray(image.Rect(0, 0, w, len(v)/w))
	copy(m.Pix, v)
	return pngOf(m)
}

// Pictures and masks of the same names become a field of bytes and one of classes.
func TestPairsOfFolders(t *testing.T) {
	red := pngOf(picture(2, 1, color.NRGBA{200, 0, 0, 255}))
	palette := image.NewPaletted(image.Rect(0, 0, 2, 1), color.Palette{color.Black, color.White, color.White})
	palette.Pix = []byte{2, 0}
	x := "x [3 1 2] bytes: 200 200 0 0 0 0"
	for _, c := range []struct {
		reads
		files map[string][]byte
		query string
	}{
		{reads{name: "gray", train: x + "; mask [1 2] of 4: 3 0"}, map[string][]byte{"images/a.png": red, "masks/a.png": grayOf(2, 3, 0)}, ""},
		{reads{name: "palette", train: x + "; mask [1 2] of 3: 2 0"}, map[string][]byte{"JPEGImages/a.png": red, "SegmentationClass/a.png": pngOf(palette)}, ""},
		{reads{name: "ignored", train: x + "; mask [1 2] of 2: 1 -1"}, map[string][]byte{"images/a.png": red, "labels/a.png": grayOf(2, 1, 255)}, "ignore=255"},
		{reads{name: "values", train: x + "; mask [1 2] of 2: 1 0"}, map[string][]byte{"images/a.png": red, "masks/a_mask.png": grayOf(2, 255, 0)}, "values=0,255"},
		{reads{name: "hint", train: x + "; mask [1 2] of 256: 255 0", note: "values=LIST"}, map[string][]byte{"images/a.png": red, "masks/a.png": grayOf(2, 255, 0)}, ""},
		{reads{name: "parts above", train: x + "; mask [1 2] of 2: 0 0", val: "nil", test: x + "; mask [1 2] of 2: 1 0"},
			map[string][]byte{"train/images/a.png": red, "train/masks/a.png": grayOf(2, 0, 0), "test/images/b.png": red, "test/masks/b.png": grayOf(2, 1, 0)}, ""},
		{reads{name: "parts below", train: x + "; mask [1 2] of 2: 0 0", val: x + "; mask [1 2] of 2: 1 0", test: "nil"},
			map[string][]byte{"images/train/a.png": red, "masks/train/a.png": grayOf(2, 0, 0), "images/valid/b.png": red, "masks/valid/b.png": grayOf(2, 1, 0)}, ""},
		{reads{name: "named", train: x + "; mask [1 2] of 2: 1 0"}, map[string][]byte{"rgb/a.png": red, "truth/a.png": grayOf(2, 1, 0), "masks/b.png": grayOf(2, 1, 0)}, "image=rgb&mask=truth"},
		{reads{name: "another picture", train: "x [1 1 1] bytes: 7; target [1 1 2] bytes: 1 9"}, map[string][]byte{"images/a.png": grayOf(1, 7), "targets/a.png": grayOf(2, 1, 9)}, "target=image"},
		{reads{name: "spoilt", train: "x [1 1 1] bytes: 7 8; target [1 1 1] bytes: 1 2"}, map[string][]byte{
			"images/a.png": grayOf(1, 7), "targets/a.png": grayOf(1, 1), "images/b.png": []byte("x"), "targets/b.png": grayOf(1, 5),
			"images/c.png": grayOf(1, 8), "targets/c.png": grayOf(1, 2), "images/d.png": grayOf(1, 8), "targets/d.png": []byte("x")}, "target=image&corrupt=skip"},
		{reads{name: "spoilt masks", train: "x [1 1 1] bytes: 7 8; mask [1 1] of 4: 1 3", note: "1 of 3 images cannot be read"}, map[string][]byte{
			"images/a.png": grayOf(1, 7), "masks/a.png": grayOf(1, 1), "images/b.png": grayOf(1, 9), "masks/b.png": []byte("x"),
			"images/c.png": grayOf(1, 8), "masks/c.png": grayOf(1, 3)}, "corrupt=skip"},
		{reads{name: "a spoilt mask", bad: "corrupt=skip leaves such pairs out"}, map[string][]byte{"images/a.png": grayOf(1, 7), "masks/a.png": []byte("x")}, ""},
		{reads{name: "resized", train: "x [1 1 1] bytes: 7; mask [1 1] of 1: 0"}, map[string][]byte{"images/a.png": grayOf(2, 7, 7), "masks/a.png": grayOf(2, 0, 0)}, "resize=1x1"},
		{reads{name: "cropped", train: "x [1 1 2] bytes: 8 9; mask [1 2] of 5: 2 4"}, map[string][]byte{"images/a.png": grayOf(4, 7, 8, 9, 7), "masks/a.png": grayOf(4, 1, 2, 4, 3)}, "crop=1x2"},
		{reads{name: "sizes", bad: "the mask has 1x1 pixels, its picture 2x1"}, map[string][]byte{"images/a.png": red, "masks/a.png": grayOf(1, 0)}, ""},
		{reads{name: "colours", bad: "a mask of colours"}, map[string][]byte{"images/a.png": red, "masks/a.png": red}, ""},
		{reads{name: "alone", bad: "have no other of their name"}, map[string][]byte{"images/a.png": red, "images/b.png": red, "masks/a.png": grayOf(2, 0, 0)}, ""},
		{reads{name: "no masks", bad: "1 pictures and 0 masks"}, map[string][]byte{"images/a.png": red}, ""},
		{reads{name: "random targets", bad: "changed at random"}, map[string][]byte{"images/a.png": grayOf(1, 7), "targets/a.png": grayOf(1, 1)}, "target=image&flip=.5"},
	} {
		dir := t.TempDir()
		for name, b := range c.files {
			write(t, filepath.Join(dir, name), b)
		}
		c.check(t, "pairs:"+dir+"?"+c.query)
		if c.name == "gray" {
			if _, err := Open("folder:" + dir); err == nil || !strings.Contains(err.Error(), "pairs:DIR") {
				t.Errorf("as folders of classes: %v", err)
			}
		}
	}
}

// Training moves a mask as it moves its picture: each pixel's value is its class.
func TestPairsMove(t *testing.T) {
	dir := t.TempDir()
	v := make([]byte, 6*8)
	for i := range v {
		v[i] = byte(i)
	}
	for _, n := range []string{"a", "b", "c", "d"} {
		write(t, filepath.Join(dir, "images", n+".png"), grayOf(8, v...))
		write(t, filepath.Join(dir, "masks", n+".png"), grayOf(8, v...))
	}
	for _, query := range []string{"flip=.5", "crop=4x5&train-crop=random&flip=.5", "crop=8x8"} {
		d := open(t, "pairs:"+dir+"?norm=raw&"+query)
		l := &Loader{Set: d.Train, Size: 4, Norm: d.Norm, Augment: Augment{Data: true, Crop: 1, Flip: true}, Seed: 3}
		n := d.Train.X().Size()
		x, y, z := make([]float32, 4*n), make([]int64, 4*n), make([]float32, 4*n)
		different := map[string]bool{}
		for epoch := range 5 {
			if _, err := l.Fill(epoch, 0, []Buffer{{Field: 0, X: x}, {Field: 1, I: y}, {Field: 1, X: z}}); err != nil {
				t.Fatal(err)
			}
			for i := range x {
				if int64(x[i]) != max(0, y[i]) || float32(y[i]) != z[i] {
					t.Fatalf("%s: place %d of epoch %d has value %v, class %d, %v as a number", query, i, epoch, x[i], y[i], z[i])
				}
			}
			for k := range 4 {
				different[string(slices.Collect(func(yield func(rune) bool) {
					for _, c := range y[k*n : (k+1)*n] {
						if !yield(rune(c + 2)) {
							return
						}
					}
				}))] = true
			}
		}
		if len(different) < 5 {
			t.Errorf("%s: only %d views of 20", query, len(different))
		}
	}
}

// Images that lie in no folders of classes are samples without labels.
func TestUnlabelled(t *testing.T) {
	dir := t.TempDir()
	for name, v := range map[string]byte{"one/b.png": 2, "one/a.png": 1, "two/a/x.png": 3, "two/b/y.png": 4, "three/train/a.png": 5, "three/test/deep/b.png": 6} {
		write(t, filepath.Join(dir, name), grayOf(1, v))
	}
	reads{name: "direct", train: "x [1 1 1] bytes: 1 2", note: "without labels"}.check(t, "folder:"+filepath.Join(dir, "one"))
	reads{name: "folders", train: "x [1 1 1] bytes: 3 4"}.check(t, "folder:"+filepath.Join(dir, "two")+"?labels=none")
	reads{name: "parts", train: "x [1 1 1] bytes: 5", test: "x [1 1 1] bytes: 6"}.check(t, "folder:"+filepath.Join(dir, "three")+"?labels=none")
	reads{name: "split", val: "x [1 1 1] bytes: 1"}.check(t, "folder:"+filepath.Join(dir, "one")+"?val=.5&seed=1")
}
