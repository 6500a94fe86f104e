package dataset

import (
	"image"
	"image/color"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/tiff"
)

// Values of masks are those that are stored, whatever colours they stand for.
func TestMask(t *testing.T) {
	pal := image.NewPaletted(image.Rect(0, 0, 3, 1), color.Palette{color.Black, color.Black, color.NRGBA{200, 1, 1, 0}})
	pal.Pix = []uint8{0, 2, 1}
	two := image.NewPaletted(image.Rect(0, 0, 3, 1), color.Palette{color.White, color.Black})
	two.Pix = []uint8{1, 0, 1}
	gray := image.NewGray(image.Rect(0, 0, 3, 1))
	gray.Pix = []uint8{0, 255, 7}
	deep := image.NewGray16(image.Rect(0, 0, 3, 1))
	deep.Pix = []uint8{0, 9, 1, 2, 255, 255}
	equal := image.NewNRGBA(image.Rect(0, 0, 3, 1))
	for i, v := range []uint8{4, 0, 30} {
		equal.SetNRGBA(i, 0, color.NRGBA{v, v, v, 255})
	}
	oneBit := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x03\x00\x00\x00\x01\x01\x00\x00\x00\x00....\x00\x00\x00\rIDATx\x01\x01\x02\x00\xfd\xff\x00\xa0\x00\xa2\x00\xa1....\x00\x00\x00\x00IEND....")
	for name, c := range map[string]struct {
		b    []byte
		want []int32
		bad  string
	}{
		"palette":      {b: pngOf(pal), want: []int32{0, 2, 1}},
		"two colours":  {b: pngOf(two), want: []int32{1, 0, 1}},
		"gray":         {b: pngOf(gray), want: []int32{0, 255, 7}},
		"16 bits":      {b: pngOf(deep), want: []int32{9, 258, 65535}},
		"tiff 16 bits": {b: tiffOf(deep, tiff.Deflate), want: []int32{9, 258, 65535}},
		"one bit":      {b: mended(oneBit), want: []int32{1, 0, 1}},
		"equal":        {b: pngOf(equal), want: []int32{4, 0, 30}},
		"colours":      {b: pngOf(six()), bad: "a mask of colours"},
		"jpeg":         {b: jpegOf(gray), bad: "lossy jpeg"},
		"webp":         {b: unbase(webpLossy), bad: "lossy webp"},
	} {
		m, err := readMask(c.b)
		if c.bad != "" {
			if err == nil || !strings.Contains(err.Error(), c.bad) {
				t.Errorf("%s: %v, want something with %q", name, err, c.bad)
			}
			continue
		}
		if err != nil || !slices.Equal(m.class, c.want) {
			t.Errorf("%s: %v %v", name, m, err)
		}
	}
	m := &mask{2, 3, []int32{1, 2, 3, 4, 5, 6}}
	if got := m.turned(6); got.height != 3 || !slices.Equal(got.class, []int32{4, 1, 5, 2, 6, 3}) {
		t.Errorf("turned: %v", got)
	}
	p := Pipeline{Height: 4, Width: 2}
	if got := p.prepareMask(m); !slices.Equal(got.class, []int32{1, 3, 1, 3, 4, 6, 4, 6}) {
		t.Errorf("resized: %v", got)
	}
	if err := m.of(2, 3); err != nil {
		t.Error(err)
	}
	if err := m.of(3, 2); err == nil || !strings.Contains(err.Error(), "3x2 pixels, its picture 2x3") {
		t.Error(err)
	}
}
