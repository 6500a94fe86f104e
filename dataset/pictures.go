package dataset

import (
	"errors"
	"fmt"
	"image/color"
	"strings"
)

// pictures collects images that come to one size, each with a label. What they
// become can be very much larger than their files: where it is, all are decoded
// once before the first is kept.
type pictures struct {
	pictureOptions
	train bool // they are those of training
	set   *Set
	count int   // images to come
	file  int64 // bytes of their files
	first string

	scratch Scratch
	wide    []Picture // as prepared, where training cuts parts out of them
	again   bool      // they are read for the second time
	bad     []string  // those that cannot be read: the first few, and
	spoilt  int       // how many

	gray, colour int // images seen
	clear        int // with transparency
	deep         int // of 16 bits
	ink          int // of CMYK
	many         int // of several frames
	turned       int
	resized      int
	padded       int
}

// adder takes an image with a name for messages. What it refuses concerns all
// images; those that cannot be read are counted.
type adder func(name string, b []byte, label int32) error

// Chance is what training makes of pictures at random.
type Chance struct {
	Pipeline
	Pictures []Picture // as prepared, in the order in which samples are stored; nil: the samples are what it starts from
}

// read calls each, which adds the images one after another.
func (p *pictures) read(each func(add adder) error) (*Set, error) {
	p.set = classified(Field{})
	s := p.set
	check := false
	n := 0
	err := each(func(name string, b []byte, label int32) error {
		h, pic, err := p.decode(b)
		if err != nil {
			p.cannot(name, err)
			return nil
		}
		if n++; n == 1 {
			if check, err = p.begin(name, h); err != nil {
				return err
			}
		}
		if err := p.look(name, h); err != nil {
			return err
		}
		if check || p.spoilt > 0 && !p.skip {
			return nil
		}
		p.keep(pic, label)
		return nil
	})
	if err == nil {
		err = p.verdict(n + p.spoilt)
	}
	if err != nil {
		return nil, err
	}
	if check {
		p.again = true
		s.X().Bytes = make([]uint8, 0, n*s.X().Size())
		err = each(func(name string, b []byte, label int32) error {
			if _, pic, err := p.decode(b); err == nil {
				p.keep(pic, label)
			}
			return nil
		})
		if err == nil && len(s.y().Ints) != n {
			err = errors.New("the images changed while they were read")
		}
		if err != nil {
			return nil, err
		}
	}
	if p.train && p.Random() {
		s.X().Chance = &Chance{p.Pipeline, p.wide}
	}
	return s, nil
}

// header is what an image is, as it is to be used.
func (o *pictureOptions) header(b []byte) (*header, error) {
	h, err := readHeader(b)
	if err == nil && o.stored {
		h.orientation = 1
	}
	return h, err
}

// decode gives the picture of a file.
func (o *pictureOptions) decode(b []byte) (*header, *Picture, error) {
	h, err := o.header(b)
	if err != nil {
		return nil, nil, err
	}
	pic, err := h.decode(true)
	return h, pic, err
}

// named are how many images that cannot be read are named.
const named = 3

// cannot counts an image that cannot be read.
func (p *pictures) cannot(name string, err error) {
	if p.again {
		return
	}
	if !p.skip { // nothing is kept
		p.set.X().Bytes, p.wide = nil, nil
	}
	if p.spoilt++; p.spoilt <= named {
		p.bad = append(p.bad, fmt.Sprintf("%s (%v)", clip(name, 200), err))
	}
}

// verdict refuses images of which some cannot be read, unless they are to be left
// out and are not the most.
func (p *pictures) verdict(of int) error {
	switch {
	case p.spoilt == 0:
		return nil
	case !p.skip:
		return fmt.Errorf("%d of %d images cannot be read, the first %s; corrupt=skip leaves them out", p.spoilt, of, p.bad[0])
	case 2*p.spoilt > of:
		return fmt.Errorf("%d of %d images cannot be read, the first %s: more than half are not left out", p.spoilt, of, p.bad[0])
	}
	return nil
}

// begin learns the size from the first image, and whether what all become is so
// much that they are checked first.
func (p *pictures) begin(name string, h *header) (check bool, err error) {
	s := p.set
	p.shape(name, h)
	if p.Crop[0] > 0 || p.Height > 0 || p.Short > 0 {
		if most := int64(4 * maxFile); int64(s.X().Size()) > most/int64(max(1, p.count)) {
			return false, fmt.Errorf("%d images of %dx%d pixels take more than %d bytes", p.count, s.X().Shape[1], s.X().Shape[2], most)
		}
	}
	check = int64(s.X().Size()) > mostKept(p.file)/int64(max(1, p.count))
	if s.X().Shape[0] = 1; p.Channels > 0 {
		s.X().Shape[0] = p.Channels
	}
	if !check {
		s.X().Bytes = make([]uint8, 0, p.count*s.X().Size())
	}
	return check, nil
}

// shape learns from the first image what all become, taken to be in colour.
func (p *pictures) shape(name string, h *header) {
	height, width := h.upright()
	p.first = fmt.Sprintf("%s has %dx%d", name, width, height)
	x := p.set.X()
	x.Shape = []int{3, 0, 0}
	x.Shape[1], x.Shape[2] = p.Size(height, width)
}

// look counts what an image is; the first with colour turns all into colour.
func (p *pictures) look(name string, h *header) error {
	s := p.set
	height, width := h.upright()
	ph, pw := p.Pipeline.resized(height, width)
	if ph != height || pw != width {
		p.resized++
	}
	if p.Crop[0] > ph || p.Crop[1] > pw {
		p.padded++
	}
	if eh, ew := p.Size(height, width); eh != s.X().Shape[1] || ew != s.X().Shape[2] {
		if p.Short > 0 {
			return fmt.Errorf("%s has %dx%d pixels, but %s: with the shorter side of resize=%d they are not of one size; crop=%d cuts all to one, resize=HxW does not keep proportions", name, width, height, p.first, p.Short, p.Short)
		}
		return fmt.Errorf("%s has %dx%d pixels, but %s: all must be of one size; resize=N&crop=N resizes the shorter side and cuts out the centre, resize=HxW does not keep proportions", name, width, height, p.first)
	}
	for _, c := range []struct {
		is bool
		n  *int
	}{{h.clear, &p.clear}, {h.deep, &p.deep}, {h.model == color.CMYKModel, &p.ink}, {h.many, &p.many}, {h.orientation > 1, &p.turned}} {
		if c.is {
			*c.n++
		}
	}
	if h.gray {
		p.gray++
		return nil
	}
	p.colour++
	if p.Channels == 0 && s.X().Shape[0] == 1 {
		if len(s.X().Bytes) > 0 {
			wide := make([]uint8, 0, 3*max(p.count*s.X().Size(), len(s.X().Bytes)))
			s.X().Bytes = append(wide, threefold(s.X().Bytes, s.X().Size())...)
		}
		for i := range p.wide {
			p.wide[i] = *p.wide[i].channels(3)
		}
		s.X().Shape[0] = 3
	}
	return nil
}

// keep appends an image.
func (p *pictures) keep(pic *Picture, label int32) {
	s := p.set
	pic = p.Prepare(pic.channels(s.X().Shape[0]), &p.scratch)
	at := len(s.X().Bytes)
	s.X().Bytes = append(s.X().Bytes, make([]uint8, s.X().Size())...)
	s.y().Ints = append(s.y().Ints, label)
	p.Fill(pic, 0, false, s.X().Bytes[at:], &p.scratch)
	if p.train && p.cutsAnew() {
		p.wide = append(p.wide, *pic)
	}
}

// say notes what was done to images.
func (p *pictures) say(d *Data, what string) {
	d.bgr = d.bgr || p.BGR && p.set.X().Shape[0] == 3
	all := p.gray + p.colour
	note := func(n int, format string, a ...any) {
		if n > 0 {
			d.note("%s: "+format, append([]any{what}, a...)...)
		}
	}
	note(p.spoilt, "%d of %d images cannot be read and are left out: %s%s", p.spoilt, p.spoilt+all, strings.Join(p.bad, ", "), map[bool]string{true: " and others"}[p.spoilt > len(p.bad)])
	switch {
	case p.Channels == 1:
		note(p.colour, "%d images have colour and became gray (0.299 R + 0.587 G + 0.114 B)", p.colour)
	case p.Channels == 3:
		note(p.gray, "%d images are gray and became three equal channels", p.gray)
	case p.colour > 0:
		note(p.gray, "%d images are gray among %d with colour, and became three equal channels (channels=1: all gray)", p.gray, p.colour)
	default:
		note(p.gray, "all images are gray: samples have one channel (channels=3: three equal ones)")
	}
	note(p.turned, "%d of %d images were turned upright, as their EXIF orientation says (exif=ignore leaves them as they are stored)", p.turned, all)
	filter := string(p.Filter) + map[bool]string{true: " with antialias"}[p.Filter != Nearest]
	if p.Height > 0 {
		note(p.resized, "%d of %d images were resized to %dx%d, %s, without keeping their proportions", p.resized, all, p.Height, p.Width, filter)
	} else {
		note(p.resized, "%d of %d images were resized to %d pixels on the shorter side, %s", p.resized, all, p.Short, filter)
	}
	note(p.padded, "%d of %d images are smaller than the crop of %dx%d: what they lack is black", p.padded, all, p.Crop[0], p.Crop[1])
	note(p.clear, "transparency of %d images is left out: the colours beneath it are used", p.clear)
	note(p.deep, "%d images have 16 bits a channel, of which the upper 8 are used", p.deep)
	note(p.ink, "%d images are of printing inks (CMYK) and became colours without a profile", p.ink)
	if p.set.X().Chance != nil {
		d.note("%s: in training, %s: drawn anew for each sample in each epoch", what, p.Pipeline.String())
	}
	note(p.many, "%d images have several frames or pages, of which the first is used", p.many)
}
