package dataset

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"image"
	"image/color"
	"image/gif"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pare/internal/hostile"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// Images of 3x2 pixels (200,10,30) (0,255,0) (9,8,7) / (1,2,3) (4,5,6)
// (250,251,252), and two of 16x16 pixels (204,98,50), as libwebp writes them, and
// one of 8x8 pixels CMYK (10,20,30,40), as libjpeg does.
const (
	webpLossless = "UklGRkYAAABXRUJQVlA4TDkAAAAvAkAAAC9AIEARBvi/0wA3FLKNAN3rb3YuZ0AmYLHRRP96/vmPg2HFlWq/bqAgbQMWd0/IIvofywsA"
	webpTurned   = "UklGRnoAAABXRUJQVlA4WAoAAAAIAAAAAgAAAQAAVlA4TDkAAAAvAkAAAC9AIEARBvi/0wA3FLKNAN3rb3YuZ0AmYLHRRP96/vmPg2HFlWq/bqAgbQMWd0/IIvofywsARVhJRhoAAABNTQAqAAAACAABARIAAwAAAAEABgAAAAAAAA=="
	webpFrames   = "UklGRrAAAABXRUJQVlA4WAoAAAASAAAAAgAAAQAAQU5JTQYAAAAAAAAAAABBTk1GUAAAAAAAAAAAAAIAAAEAAAAAAAJWUDhMNwAAAC8CQAAAL0AgQFH8H2uBGwrSNmB2Dc0/zBqBAEUxwv9jtsx/HCyrrlb5bAcFaRuwuHtCFtH/aD4AQU5NRiwAAAAAAAAAAAABAAABAAAAAAAAVlA4TBMAAAAvAUAAEA8wYjM2YfMf8BiBiP6HAA=="
	webpLossy    = "UklGRjgAAABXRUJQVlA4ICwAAACwAQCdASoQABAAAsBMJaACdLoAAAAAAOyPwrFP8W0joUyH/xDnEFtR1iAAAAA="
	webpClear    = "UklGRmAAAABXRUJQVlA4WAoAAAAQAAAADwAADwAAQUxQSA4AAAABB6AQQAAUNBERIyL6H1ZQOCAsAAAAsAEAnQEqEAAQAALATCWgAnS6AAAAAADsj8KxT/FtI6FMh/8Q5xBbUdYgAAA="
	jpegInks     = "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAIBgYHBgUIBwcHCQkICgwUDQwLCwwZEhMPFB0aHx4dGhwcICQuJyAiLCMcHCg3KSwwMTQ0NB8nOT04MjwuMzQy/8AAFAgACAAIBEMRAE0RAFkRAEsRAP/EAB8AAAEFAQEBAQEBAAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIBAwMCBAMFBQQEAAABfQECAwAEEQUSITFBBhNRYQcicRQygZGhCCNCscEVUtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV1tfY2drh4uPk5ebn6Onq8fLz9PX29/j5+v/aAA4EQwBNAFkASwAAPwD3Wva69hr1ev/Z"
)

func unbase(s string) []byte {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// tagged is a JPEG with an EXIF orientation.
func tagged(b []byte, orientation byte) []byte {
	exif := append([]byte("Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00"), orientation, 0, 0, 0, 0, 0, 0, 0)
	head := binary.BigEndian.AppendUint16([]byte{0xff, 0xd8, 0xff, 0xe1}, uint16(len(exif)+2))
	return append(append(head, exif...), b[2:]...)
}

// six is the picture of the WebP images.
func six() *image.NRGBA {
	m := image.NewNRGBA(image.Rect(0, 0, 3, 2))
	for i, c := range [][3]uint8{{200, 10, 30}, {0, 255, 0}, {9, 8, 7}, {1, 2, 3}, {4, 5, 6}, {250, 251, 252}} {
		m.SetNRGBA(i%3, i/3, color.NRGBA{c[0], c[1], c[2], 255})
	}
	return m
}

func bmpOf(m image.Image) []byte {
	var b bytes.Buffer
	if err := bmp.Encode(&b, m); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func tiffOf(m image.Image, c tiff.CompressionType) []byte {
	var b bytes.Buffer
	if err := tiff.Encode(&b, m, &tiff.Options{Compression: c}); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// gifOf is an animation of a screen with a second frame; the first is at a place
// of it, its colour 1 transparent.
func gifOf(frame *image.Paletted, w, h int) []byte {
	var b bytes.Buffer
	second := image.NewPaletted(image.Rect(0, 0, w, h), frame.Palette)
	err := gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{frame, second}, Delay: []int{1, 1}, Disposal: []byte{1, 1}, Config: image.Config{ColorModel: frame.Palette, Width: w, Height: h}})
	if err != nil {
		panic(err)
	}
	return b.Bytes()
}

func TestDecode(t *testing.T) {
	want := []uint8{200, 0, 9, 1, 4, 250, 10, 255, 8, 2, 5, 251, 30, 0, 7, 3, 6, 252}
	upright := []uint8{1, 200, 4, 0, 250, 9, 2, 10, 5, 255, 251, 8, 3, 30, 6, 0, 252, 7}
	half := six()
	for i := 3; i < len(half.Pix); i += 4 {
		half.Pix[i] = uint8(i) // transparency is dropped, nothing is multiplied, whatever is seen
	}
	half.Pix[3] = 0
	deep := image.NewNRGBA64(half.Rect)
	for i, v := range six().Pix {
		deep.Pix[2*i], deep.Pix[2*i+1] = v, 0x99
	}
	pal := image.NewPaletted(image.Rect(1, 0, 3, 1), color.Palette{color.NRGBA{1, 2, 3, 255}, color.NRGBA{40, 50, 60, 0}, color.NRGBA{7, 8, 9, 255}})
	pal.Pix[0], pal.Pix[1] = 2, 1
	moving := gifOf(pal, 3, 2)
	at := bytes.Index(moving, []byte{1, 2, 3}) // encoders write what is transparent as black
	copy(moving[at+3:], []byte{40, 50, 60})
	for name, c := range map[string]struct {
		b      []byte
		want   []uint8
		h, w   int
		header header
	}{
		"webp":            {unbase(webpLossless), want, 2, 3, header{orientation: 1}},
		"webp turned":     {unbase(webpTurned), upright, 3, 2, header{orientation: 6}},
		"webp frames":     {unbase(webpFrames), want, 2, 3, header{orientation: 1, many: true, clear: true}},
		"bmp":             {bmpOf(six()), want, 2, 3, header{orientation: 1}},
		"tiff":            {tiffOf(six(), tiff.Uncompressed), want, 2, 3, header{orientation: 1, clear: true}},
		"tiff deflate":    {tiffOf(six(), tiff.Deflate), want, 2, 3, header{orientation: 1, clear: true}},
		"png clear":       {pngOf(half), want, 2, 3, header{orientation: 1, clear: true}},
		"png 16 bit":      {pngOf(deep), want, 2, 3, header{orientation: 1, clear: true, deep: true}},
		"gif first frame": {moving, []uint8{40, 7, 40, 40, 40, 40, 50, 8, 50, 50, 50, 50, 60, 9, 60, 60, 60, 60}, 2, 3, header{orientation: 1, many: true, clear: true}},
	} {
		h, err := readHeader(c.b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p, err := h.decode(true)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.Height != c.h || p.Width != c.w || !slices.Equal(p.Pix, c.want) {
			t.Errorf("%s: %dx%d %v", name, p.Height, p.Width, p.Pix)
		}
		got := header{orientation: h.orientation, many: h.many, clear: h.clear, deep: h.deep, gray: h.gray}
		if got.orientation != c.header.orientation || got.many != c.header.many || got.clear != c.header.clear || got.deep != c.header.deep || got.gray {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for name, c := range map[string]struct {
		b    []byte
		want [3]uint8
	}{"webp": {unbase(webpLossy), [3]uint8{204, 98, 50}}, "webp with alpha": {unbase(webpClear), [3]uint8{204, 98, 50}}, "jpeg of inks": {unbase(jpegInks), [3]uint8{207, 198, 190}}} {
		h, err := readHeader(c.b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		p, err := h.decode(true)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, w := range c.want {
			if v := p.plane(i)[3*p.Width+3]; apart8(v, w) > 1 {
				t.Errorf("%s: %d, want %d", name, v, w)
			}
		}
	}
}

// Each orientation, as EXIF defines it by where the first row and the first
// column are: row 0 of what is stored is the top, the bottom, the left side …
func TestOrientation(t *testing.T) {
	p := &Picture{1, 2, 3, []uint8{1, 2, 3, 4, 5, 6}}
	for o, want := range map[int][]uint8{
		1: {1, 2, 3, 4, 5, 6}, 2: {3, 2, 1, 6, 5, 4}, 3: {6, 5, 4, 3, 2, 1}, 4: {4, 5, 6, 1, 2, 3},
		5: {1, 4, 2, 5, 3, 6}, 6: {4, 1, 5, 2, 6, 3}, 7: {6, 3, 5, 2, 4, 1}, 8: {3, 6, 2, 5, 1, 4},
	} {
		if got := p.turned(o); !slices.Equal(got.Pix, want) || o > 4 && got.Height != 3 {
			t.Errorf("orientation %d: %dx%d %v, want %v", o, got.Height, got.Width, got.Pix, want)
		}
	}
	for _, o := range []byte{0, 1, 6, 9} {
		h, err := readHeader(tagged(jpegOf(six()), o))
		if want := map[byte]int{6: 6}[o]; err != nil || h.orientation != max(want, 1) {
			t.Errorf("orientation %d: %+v %v", o, h, err)
		}
	}
}

// A folder of turned images says so, and leaves them where that is asked for.
func TestTurnedFolder(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a", "1.jpg"), tagged(jpegOf(picture(4, 2, color.White)), 6))
	write(t, filepath.Join(dir, "a", "2.webp"), unbase(webpTurned))
	write(t, filepath.Join(dir, "b", "3.gif"), gifOf(image.NewPaletted(image.Rect(0, 0, 2, 4), color.Palette{color.Black, color.White}), 2, 4))
	d := open(t, "folder:"+dir+"?resize=4x2")
	if !slices.Equal(d.Train.X().Shape, []int{3, 4, 2}) || !noted(d, "2 of 3 images were turned upright") || !noted(d, "1 of 3 images were resized") || !noted(d, "1 images have several frames") {
		t.Errorf("shape %v, notes %q", d.Train.X().Shape, d.Notes)
	}
	if d = open(t, "folder:"+dir+"?resize=2x4&exif=ignore"); noted(d, "turned") || !noted(d, "2 of 3 images were resized") {
		t.Errorf("notes %q", d.Notes)
	}
}

// What cannot be read is counted and named, and left out only where it is asked
// for and is not the most: in folders, zips and parquet files, and where images
// are looked at twice.
func TestCorrupt(t *testing.T) {
	good, cut := pngOf(grayPicture(2, 2, 9)), pngOf(grayPicture(2, 2, 9))[:50]
	var in []entry
	dir := t.TempDir()
	for i, b := range [][]byte{cut, good, good, nil, good, []byte("not an image"), good} {
		e := entry{string(rune('a'+i%2)) + "/" + string(rune('0'+i)) + ".png", b}
		in = append(in, e)
		write(t, filepath.Join(dir, "d", e.name), b)
	}
	type row struct {
		Image []byte `parquet:"image"`
		Label int64  `parquet:"label"`
	}
	slices.SortFunc(in, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	pq := write(t, filepath.Join(dir, "a.parquet"), parquetOf(t, len(in), func(i int) row { return row{in[i].data, int64(in[i].name[0] - 'a')} }))
	file := write(t, filepath.Join(dir, "a.zip"), zipped(8, in...))
	for _, spec := range []string{"folder:" + filepath.Join(dir, "d"), "zip:" + file, "parquet:" + pq} {
		if _, err := Open(spec); err == nil || !strings.Contains(err.Error(), "3 of 7 images cannot be read, the first ") || !strings.Contains(err.Error(), "corrupt=skip") {
			t.Errorf("%s: %v", spec, err)
		}
		for _, query := range []string{"?corrupt=skip", "?corrupt=skip&size=1500"} {
			d := open(t, spec+query)
			if !slices.Equal(labelsOf(d.Train), []int32{0, 0, 0, 1}) || !noted(d, "3 of 7 images cannot be read and are left out") || d.Train.X().Bytes[0] != 9 || slices.Min(d.Train.X().Bytes) != 9 {
				t.Errorf("%s: labels %v, notes %q", spec+query, labelsOf(d.Train), d.Notes)
			}
		}
	}
	write(t, filepath.Join(dir, "d", "b", "9.png"), cut)
	write(t, filepath.Join(dir, "d", "b", "8.png"), cut)
	if _, err := Open("folder:" + filepath.Join(dir, "d") + "?corrupt=skip"); err == nil || !strings.Contains(err.Error(), "5 of 9 images cannot be read") || !strings.Contains(err.Error(), "more than half") {
		t.Errorf("most cannot be read: %v", err)
	}
}

// Headers that promise much are refused before the memory is taken.
func TestHostileImages(t *testing.T) {
	wide := unbase(webpFrames)
	copy(wide[24:], []byte{0xff, 0xff, 0, 0xff, 0xff, 0}) // the canvas
	huge := bmpOf(six())
	binary.LittleEndian.PutUint32(huge[18:], 60000)
	binary.LittleEndian.PutUint32(huge[22:], 60000)
	screen := gifOf(image.NewPaletted(image.Rect(0, 0, 2, 2), color.Palette{color.Black, color.White}), 2, 2)
	copy(screen[6:], []byte{0xff, 0xff, 0xff, 0xff})
	strips := tiffOf(six(), tiff.Uncompressed)
	at := bytes.Index(strips, []byte{0x1b, 1, 5, 0}) // the resolution
	planar := append(append(bytes.Clone(strips[:at]), 0x1c, 1, 3, 0, 1, 0, 0, 0, 2, 0, 0, 0), strips[at+12:]...)
	frame := jpegOf(six())
	copy(frame[bytes.Index(frame, []byte{0xff, 0xc0})+5:], []byte{0xff, 0xff, 0xff, 0xff})
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"webp": {wide, "pixels"}, "bmp": {huge, "pixels"}, "gif": {screen, "pixels"}, "jpeg": {frame, "pixels"}, "png": {grow(pngOf(six()), 30000, 30000), "pixels"},
		"webp cut": {unbase(webpLossy)[:40], "without a picture"}, "gif cut": {screen[:20], "ends before"}, "tiff planar": {planar, "stored apart"}, "empty": {nil, "empty"}, "text": {[]byte("hello"), formats},
	} {
		err := hostile.Read(t, len(c.b), func() error {
			h, err := readHeader(c.b)
			if err == nil {
				_, err = h.decode(true)
			}
			return err
		})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want something with %q", name, err, c.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{webpLossless, webpTurned, webpFrames, webpLossy, webpClear, jpegInks} {
		f.Add(unbase(s))
	}
	f.Add(bmpOf(six()))
	f.Add(tiffOf(six(), tiff.Deflate))
	f.Add(tiffOf(image.NewGray16(image.Rect(0, 0, 9, 9)), tiff.Uncompressed))
	f.Add(gifOf(image.NewPaletted(image.Rect(0, 0, 2, 2), color.Palette{color.Black, color.White}), 3, 2))
	f.Add(tagged(jpegOf(six()), 6))
	f.Add(pngOf(six()))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = bytes.Clone(b)
		if imageKind(b) == "png" {
			b = mended(b)
		}
		hostile.Read(t, len(b), func() error { //nolint:errcheck // what it refuses does not matter here
			h, err := readHeader(b)
			if err != nil {
				return err
			}
			p, err := h.decode(true)
			if height, width := h.upright(); err == nil && (p.Height != height || p.Width != width || len(p.Pix) != p.Channels*height*width) {
				t.Errorf("%dx%d in %d bytes, said to be %dx%d", p.Height, p.Width, len(p.Pix), height, width)
			}
			return err
		})
	})
}
