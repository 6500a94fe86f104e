package dataset

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // image folders hold them
	"image/png"
	"path/filepath"
	"strings"
)

// maxScans bounds the passes of a progressive JPEG, each of which visits every
// pixel; encoders write about ten.
const maxScans = 100

// decodeImage decodes a PNG or JPEG image of a size that its bytes can be
// expected to hold: the limit is mostKept of them.
func decodeImage(b []byte) (image.Image, error) {
	cfg, kind, err := imageSize(b)
	if err != nil {
		return nil, err
	}
	img, _, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	if r := img.Bounds(); r.Dx() != cfg.Width || r.Dy() != cfg.Height {
		return nil, fmt.Errorf("a %s image of two sizes", kind)
	}
	return img, nil
}

// imageSize reads an image's size and refuses it where decoding it would take
// too much.
func imageSize(b []byte) (image.Config, string, error) {
	cfg, kind, err := image.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return cfg, kind, err
	}
	each := int64(16) // bytes of a pixel: of a progressive JPEG, coefficients too
	if kind == "png" {
		switch cfg.ColorModel { // an interlaced image is there twice
		case color.GrayModel:
			each = 2
		case color.RGBA64Model, color.NRGBA64Model:
		default:
			each = 8
		}
	} else if bytes.Count(b, []byte{0xff, 0xda}) > maxScans {
		return cfg, kind, fmt.Errorf("a JPEG image of more than %d passes", maxScans)
	}
	most := mostKept(int64(len(b))) / each
	if cfg.Width < 1 || cfg.Height < 1 || int64(cfg.Width) > most/int64(cfg.Height) {
		return cfg, kind, fmt.Errorf("an image of %dx%d pixels in %d bytes, more than %d pixels", cfg.Width, cfg.Height, len(b), most)
	}
	return cfg, kind, nil
}

// pictures collects images of one size, each with a label. What they become can
// be very much larger than their files: where it is, all are decoded once
// before the first is kept.
type pictures struct {
	set   Set
	count int   // images to come
	file  int64 // bytes of their files
}

// read calls each, which adds the images one after another.
func (p *pictures) read(each func(add func(b []byte, label int32) error) error) (*Set, error) {
	s := &p.set
	check := false
	n := 0
	err := each(func(b []byte, label int32) error {
		cfg, _, err := imageSize(b)
		if err != nil {
			return err
		}
		if n == 0 {
			s.Shape = []int{3, cfg.Height, cfg.Width}
			if check = int64(s.Size()) > mostKept(p.file)/int64(max(1, p.count)); !check {
				s.Bytes = make([]uint8, 0, p.count*s.Size())
			}
		}
		n++
		if cfg.Height != s.Shape[1] || cfg.Width != s.Shape[2] {
			return fmt.Errorf("%dx%d pixels, the first image has %dx%d: all must be of one size", cfg.Width, cfg.Height, s.Shape[2], s.Shape[1])
		}
		img, err := decodeImage(b)
		if err != nil || check {
			return err
		}
		s.keep(img, label)
		return nil
	})
	if err != nil || !check {
		return s, err
	}
	s.Bytes = make([]uint8, 0, n*s.Size())
	return s, each(func(b []byte, label int32) error {
		img, err := decodeImage(b)
		if err == nil {
			s.keep(img, label)
		}
		return err
	})
}

// keep appends an image.
func (s *Set) keep(img image.Image, label int32) {
	at := len(s.Bytes)
	s.Bytes = append(s.Bytes, make([]uint8, s.Size())...)
	s.put(at/s.Size(), img, 0, 0)
	s.Labels = append(s.Labels, label)
}

// put stores an image, or the part of it from x0, y0, as sample i.
func (s *Set) put(i int, img image.Image, x0, y0 int) {
	c, h, w := s.Shape[0], s.Shape[1], s.Shape[2]
	o := img.Bounds().Min
	for y := range h {
		for x := range w {
			r, g, b, a := img.At(o.X+x0+x, o.Y+y0+y).RGBA()
			if a != 0 && a != 0xffff { // undo the multiplication by alpha
				r, g, b = r*0xffff/a, g*0xffff/a, b*0xffff/a
			}
			at := i*c*h*w + y*w + x
			if c == 1 {
				s.Bytes[at] = uint8((299*(r>>8) + 587*(g>>8) + 114*(b>>8) + 500) / 1000)
				continue
			}
			s.Bytes[at], s.Bytes[at+h*w], s.Bytes[at+2*h*w] = uint8(r>>8), uint8(g>>8), uint8(b>>8)
		}
	}
}

func isImage(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".png", ".jpg", ".jpeg":
		return true
	}
	return false
}

// readTiles reads a PNG of square RGB tiles, row by row, and a file of labels,
// one byte each.
func readTiles(path, labels string, size int) (*Set, error) {
	y, err := readAll(labels)
	if err != nil {
		return nil, err
	}
	b, err := readAll(path)
	if err != nil {
		return nil, err
	}
	s, err := decodeTiles(b, y, size)
	if err != nil {
		return nil, fmt.Errorf("%s with labels %s: %w", path, labels, err)
	}
	return s, nil
}

func decodeTiles(b, y []byte, size int) (*Set, error) {
	cfg, err := png.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	if size < 1 || cfg.Width%size != 0 || cfg.Height%size != 0 {
		return nil, fmt.Errorf("%dx%d pixels do not divide into tiles of %d", cfg.Width, cfg.Height, size)
	}
	cols := cfg.Width / size
	if n := cols * (cfg.Height / size); len(y) > n {
		return nil, fmt.Errorf("%d labels for %d tiles", len(y), n)
	}
	img, err := decodeImage(b)
	if err != nil {
		return nil, err
	}
	s := &Set{Shape: []int{3, size, size}, Bytes: make([]uint8, len(y)*3*size*size)}
	for i := range y {
		s.put(i, img, i%cols*size, i/cols*size)
	}
	return s, s.setLabels(y)
}
