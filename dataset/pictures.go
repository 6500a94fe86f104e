package dataset

import (
	"fmt"
	"image"
	"image/color"
	"strconv"
	"strings"
)

// pictureOptions say what images become; zero: as they are.
type pictureOptions struct {
	channels, height, width int
}

// pictureOptions reads channels= and size=.
func (o *options) pictures() pictureOptions {
	var p pictureOptions
	if c := o.str("channels", ""); c != "" {
		if p.channels = o.whole("channels", 0, 1); p.channels != 1 && p.channels != 3 {
			o.fail("option channels=%s: 1 for gray or 3 for colour", c)
		}
	}
	if s := o.str("size", ""); s != "" {
		h, w, two := strings.Cut(strings.ToLower(s), "x")
		if !two {
			w = h
		}
		var e1, e2 error
		p.height, e1 = strconv.Atoi(h)
		p.width, e2 = strconv.Atoi(w)
		if e1 != nil || e2 != nil || min(p.height, p.width) < 1 || max(p.height, p.width) > 1<<13 {
			o.fail("option size=%s is not HEIGHTxWIDTH of 1 to %d pixels", s, 1<<13)
		}
	}
	return p
}

// pictures collects images of one size, each with a label. What they become can
// be very much larger than their files: where it is, all are decoded once
// before the first is kept.
type pictures struct {
	pictureOptions
	set   *Set
	count int   // images to come
	file  int64 // bytes of their files
	first string

	gray, colour int // images seen
	clear        int // with transparency
	deep         int // of 16 bits
	resized      int
}

// adder takes an image with a name for messages.
type adder func(name string, b []byte, label int32) error

// read calls each, which adds the images one after another.
func (p *pictures) read(each func(add adder) error) (*Set, error) {
	p.set = classified(Field{})
	s := p.set
	check := false
	n := 0
	err := each(func(name string, b []byte, label int32) error {
		cfg, kind, err := imageSize(b)
		if err != nil {
			return err
		}
		if n == 0 {
			if check, err = p.begin(name, cfg); err != nil {
				return err
			}
		}
		n++
		if err := p.look(name, cfg, kind, b); err != nil {
			return err
		}
		img, err := decodeImage(b)
		if err != nil || check {
			return err
		}
		return p.keep(img, label)
	})
	if err != nil || !check {
		return s, err
	}
	s.X().Bytes = make([]uint8, 0, n*s.X().Size())
	return s, each(func(_ string, b []byte, label int32) error {
		img, err := decodeImage(b)
		if err == nil {
			err = p.keep(img, label)
		}
		return err
	})
}

// begin learns the size from the first image, and whether what all become is so
// much that they are checked first.
func (p *pictures) begin(name string, cfg image.Config) (check bool, err error) {
	s := p.set
	p.first = fmt.Sprintf("%s has %dx%d", name, cfg.Width, cfg.Height)
	s.X().Shape = []int{3, cfg.Height, cfg.Width}
	if p.height > 0 {
		s.X().Shape[1], s.X().Shape[2] = p.height, p.width
		if most := int64(4 * maxFile); int64(s.X().Size()) > most/int64(max(1, p.count)) {
			return false, fmt.Errorf("%d images of size=%dx%d take more than %d bytes", p.count, p.height, p.width, most)
		}
	}
	check = int64(s.X().Size()) > mostKept(p.file)/int64(max(1, p.count))
	if s.X().Shape[0] = 1; p.channels > 0 {
		s.X().Shape[0] = p.channels
	}
	if !check {
		s.X().Bytes = make([]uint8, 0, p.count*s.X().Size())
	}
	return check, nil
}

// look counts what an image is; the first with colour turns all into colour.
func (p *pictures) look(name string, cfg image.Config, kind string, b []byte) error {
	s := p.set
	if h, w := cfg.Height, cfg.Width; p.height > 0 && (h != p.height || w != p.width) {
		p.resized++
	} else if p.height == 0 && (h != s.X().Shape[1] || w != s.X().Shape[2]) {
		return fmt.Errorf("%s has %dx%d pixels, but %s: all must be of one size, or size=HxW resizes them", name, w, h, p.first)
	}
	gray := cfg.ColorModel == color.GrayModel || cfg.ColorModel == color.Gray16Model
	if kind == "png" && len(b) > 25 {
		gray = gray || b[25] == 4 // with transparency
		if b[24] == 16 {
			p.deep++
		}
		if b[25] == 4 || b[25] == 6 {
			p.clear++
		}
	}
	if pal, ok := cfg.ColorModel.(color.Palette); ok {
		gray = true
		for _, c := range pal {
			r, g, b, _ := c.RGBA()
			gray = gray && r == g && g == b
		}
	}
	if gray {
		p.gray++
		return nil
	}
	p.colour++
	if p.channels == 0 && s.X().Shape[0] == 1 {
		if len(s.X().Bytes) > 0 {
			wide := make([]uint8, 0, 3*max(p.count*s.X().Size(), len(s.X().Bytes)))
			s.X().Bytes = append(wide, threefold(s.X().Bytes, s.X().Size())...)
		}
		s.X().Shape[0] = 3
	}
	return nil
}

// keep appends an image.
func (p *pictures) keep(img image.Image, label int32) error {
	s := p.set
	at := len(s.X().Bytes)
	s.X().Bytes = append(s.X().Bytes, make([]uint8, s.X().Size())...)
	s.y().Ints = append(s.y().Ints, label)
	r := img.Bounds()
	if r.Dy() == s.X().Shape[1] && r.Dx() == s.X().Shape[2] {
		s.put(at/s.X().Size(), img, 0, 0)
		return nil
	}
	full := classified(Field{Shape: []int{s.X().Shape[0], r.Dy(), r.Dx()}})
	full.X().Bytes = make([]uint8, full.X().Size())
	full.put(0, img, 0, 0)
	for c := range s.X().Shape[0] {
		n, m := r.Dx()*r.Dy(), s.X().Shape[1]*s.X().Shape[2]
		resize(full.X().Bytes[c*n:(c+1)*n], r.Dy(), r.Dx(), s.X().Bytes[at+c*m:at+(c+1)*m], s.X().Shape[1], s.X().Shape[2])
	}
	return nil
}

// say notes what was done to images.
func (p *pictures) say(d *Data, what string) {
	switch {
	case p.channels == 1 && p.colour > 0:
		d.note("%s: %d images have colour and became gray (0.299 R + 0.587 G + 0.114 B)", what, p.colour)
	case p.channels == 3 && p.gray > 0:
		d.note("%s: %d images are gray and became three equal channels", what, p.gray)
	case p.channels == 0 && p.gray > 0 && p.colour > 0:
		d.note("%s: %d images are gray among %d with colour, and became three equal channels (channels=1: all gray)", what, p.gray, p.colour)
	case p.channels == 0 && p.colour == 0:
		d.note("%s: all images are gray: samples have one channel (channels=3: three equal ones)", what)
	}
	if p.resized > 0 {
		d.note("%s: %d of %d images were resized to %dx%d, bilinear, without keeping their proportions", what, p.resized, p.gray+p.colour, p.height, p.width)
	}
	if p.clear > 0 {
		d.note("%s: transparency of %d images is left out", what, p.clear)
	}
	if p.deep > 0 {
		d.note("%s: %d images have 16 bits a channel, of which the upper 8 are used", what, p.deep)
	}
}
