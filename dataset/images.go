package dataset

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // image folders hold them
	_ "image/png"  // and these
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

// put stores an image, or the part of it from x0, y0, as sample i.
func (s *Set) put(i int, img image.Image, x0, y0 int) {
	c, h, w := s.X().Shape[0], s.X().Shape[1], s.X().Shape[2]
	o := img.Bounds().Min
	for y := range h {
		for x := range w {
			r, g, b, a := img.At(o.X+x0+x, o.Y+y0+y).RGBA()
			if a != 0 && a != 0xffff { // undo the multiplication by alpha
				r, g, b = r*0xffff/a, g*0xffff/a, b*0xffff/a
			}
			at := i*c*h*w + y*w + x
			if c == 1 {
				s.X().Bytes[at] = uint8((299*(r>>8) + 587*(g>>8) + 114*(b>>8) + 500) / 1000)
				continue
			}
			s.X().Bytes[at], s.X().Bytes[at+h*w], s.X().Bytes[at+2*h*w] = uint8(r>>8), uint8(g>>8), uint8(b>>8)
		}
	}
}
