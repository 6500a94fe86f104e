package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// formats are the kinds of images that are read.
const formats = "PNG, JPEG, WebP, GIF, BMP or TIFF"

// maxPasses and maxVisits bound the work of a JPEG: passes, each of which visits
// every pixel, and pixels times passes; encoders write about ten passes.
const (
	maxPasses = 100
	maxVisits = maxPasses << 22
)

// imageKind tells an image by its first bytes; empty: none of the formats.
func imageKind(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")):
		return "png"
	case bytes.HasPrefix(b, []byte("\xff\xd8\xff")):
		return "jpeg"
	case bytes.HasPrefix(b, []byte("GIF87a")), bytes.HasPrefix(b, []byte("GIF89a")):
		return "gif"
	case len(b) >= 12 && string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP":
		return "webp"
	case bytes.HasPrefix(b, []byte("II*\x00")), bytes.HasPrefix(b, []byte("MM\x00*")):
		return "tiff"
	case len(b) >= 10 && string(b[:2]) == "BM" && string(b[6:10]) == "\x00\x00\x00\x00":
		return "bmp"
	}
	return ""
}

// header is what the first bytes of an image, and those of its parts, say.
type header struct {
	kind          string
	height, width int  // as it is stored
	gray          bool // it has no colour
	deep          bool // it has 16 bits a channel
	clear         bool // it has transparency
	many          bool // it has more frames or pages than one
	depth         int  // bits a channel, of PNG
	orientation   int  // by EXIF, 1 to 8

	data  []byte          // what the decoder is given
	each  float64         // bytes of memory a pixel, while it decodes
	model color.Model     // of the decoder
	frame image.Rectangle // the first frame, where it is not all of the image
	back  uint8           // what is around it: a number of the palette
}

// readHeader reads what an image is and refuses it where decoding it would take
// too much: the memory of a decoder, before it knows that the image is good, is
// mostKept of its bytes.
func readHeader(b []byte) (*header, error) {
	h := &header{kind: imageKind(b), orientation: 1, data: b}
	var err error
	switch h.kind {
	case "png":
		err = h.png(b)
	case "jpeg":
		err = h.jpeg(b)
	case "gif":
		err = h.gif(b)
	case "webp":
		err = h.webp(b)
	case "tiff":
		err = h.tiff(b)
	case "bmp":
		h.each = 4
		err = h.config(bmp.DecodeConfig(bytes.NewReader(b)))
	default:
		err = errors.New("it is no " + formats + " image")
		if len(b) == 0 {
			err = errors.New("it is empty")
		}
	}
	if err != nil {
		return nil, err
	}
	most := int(float64(mostKept(int64(len(b)))) / h.each)
	if h.width < 1 || h.height < 1 || h.width > most/h.height {
		return nil, fmt.Errorf("an image of %dx%d pixels in %d bytes, more than %d pixels", h.width, h.height, len(b), most)
	}
	if pal, ok := h.model.(color.Palette); ok {
		h.gray = true
		for _, c := range pal {
			r, g, b := opaque(c)
			h.gray = h.gray && r == g && g == b
		}
	}
	switch h.model {
	case color.GrayModel:
		h.gray = true
	case color.Gray16Model:
		h.gray, h.deep = true, true
	case color.RGBA64Model, color.NRGBA64Model:
		h.deep = true
	}
	return h, nil
}

// config takes what a decoder says of an image.
func (h *header) config(c image.Config, err error) error {
	h.height, h.width, h.model = c.Height, c.Width, c.ColorModel
	return err
}

// upright is the size once the orientation is applied.
func (h *header) upright() (height, width int) {
	if h.orientation > 4 {
		return h.width, h.height
	}
	return h.height, h.width
}

func (h *header) png(b []byte) error {
	if err := h.config(png.DecodeConfig(bytes.NewReader(b))); err != nil {
		return err
	}
	if len(b) < 29 {
		return errors.New("a PNG that ends in its header")
	}
	depth, kind := b[24], b[25]
	h.depth, h.deep = int(depth), depth == 16
	h.clear = kind == 4 || kind == 6
	h.gray = kind == 0 || kind == 4
	pngChunks(b, func(name string, body []byte) {
		switch name {
		case "tRNS":
			h.clear = true
		case "eXIf":
			h.orientation = orientation(body)
		case "acTL":
			h.many = h.many || len(body) == 8 && binary.BigEndian.Uint32(body) > 1
		}
	})
	if h.each = 4; h.deep {
		h.each = 8
	}
	if !h.clear && (kind == 0 || kind == 3) {
		h.each /= 4
	}
	if b[28] != 0 { // an interlaced image is there twice
		h.each *= 2
	}
	return nil
}

func (h *header) jpeg(b []byte) error {
	var frame []byte
	progressive, adobe := false, false
	jpegSegments(b, func(marker byte, body []byte) {
		switch {
		case marker == 0xe1 && bytes.HasPrefix(body, []byte("Exif\x00\x00")):
			h.orientation = orientation(body)
		case marker == 0xee && bytes.HasPrefix(body, []byte("Adobe")):
			adobe = true
		case marker >= 0xc0 && marker <= 0xc2:
			frame, progressive = body, marker == 0xc2
		}
	})
	if err := h.config(jpeg.DecodeConfig(bytes.NewReader(b))); err != nil {
		return err
	}
	if len(frame) < 6 || len(frame) < 6+3*int(frame[5]) {
		return errors.New("a JPEG image without a frame before its first scan")
	}
	area, across, down := 0., byte(1), byte(1)
	for c := range int(frame[5]) { // of the planes, in 1/64 of the image at most
		s := frame[6+3*c+1]
		across, down = max(across, s>>4), max(down, s&15)
		area += float64(s>>4) * float64(s&15)
	}
	if h.each = area / float64(across) / float64(down); progressive {
		h.each *= 5 // with coefficients of four bytes
	}
	passes := bytes.Count(b, []byte{0xff, 0xda})
	if passes > maxPasses || passes > 1 && int64(passes)*int64(h.width)*int64(h.height) > maxVisits {
		return fmt.Errorf("a JPEG image of %d passes over %dx%d pixels", passes, h.width, h.height)
	}
	h.each = max(h.each, 1)
	if frame[5] == 4 && !adobe { // as libjpeg takes it: CMYK, which the decoder wants to be told
		h.data = append(append(bytes.Clone(b[:2]), "\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"...), b[2:]...)
	}
	return nil
}

// tiff reads the tags that the decoder passes over.
func (h *header) tiff(b []byte) error {
	tags, more := shorts(b, tagOrientation, tagPlanar, tagSamples)
	h.many, h.each = more, 16 // the image, and a strip of all of it
	if v := tags[tagOrientation]; v >= 1 && v <= 8 {
		h.orientation = v
	}
	if tags[tagPlanar] == 2 && tags[tagSamples] > 1 {
		return errors.New("a TIFF image whose channels are stored apart")
	}
	if err := h.config(tiff.DecodeConfig(bytes.NewReader(b))); err != nil {
		return err
	}
	h.clear = tags[tagSamples] == 4
	return nil
}

// decode gives the picture of a header: upright where upright says so.
func (h *header) decode(upright bool) (*Picture, error) {
	m, err := h.image()
	if err != nil {
		return nil, err
	}
	p := fromImage(m, h.gray, h.kind)
	if h.frame.Size() != image.Pt(h.width, h.height) {
		p = h.onScreen(p, m)
	}
	if upright {
		p = p.turned(h.orientation)
	}
	return p, nil
}

// image decodes the first frame.
func (h *header) image() (m image.Image, err error) {
	r := bytes.NewReader(h.data)
	switch h.kind {
	case "png":
		m, err = png.Decode(r)
	case "jpeg":
		m, err = jpeg.Decode(r)
	case "gif":
		m, err = gif.Decode(r)
	case "webp":
		m, err = webp.Decode(r)
	case "tiff":
		m, err = tiff.Decode(r)
	case "bmp":
		m, err = bmp.Decode(r)
	}
	if err != nil {
		return nil, err
	}
	if h.frame.Empty() {
		h.frame = image.Rect(0, 0, h.width, h.height)
	}
	if m.Bounds().Size() != h.frame.Size() {
		return nil, fmt.Errorf("a %s image of two sizes", h.kind)
	}
	return m, nil
}

// onScreen puts a first frame where it belongs in the image.
func (h *header) onScreen(frame *Picture, m image.Image) *Picture {
	p := newPicture(frame.Channels, h.height, h.width)
	if pal, ok := m.(*image.Paletted); ok && int(h.back) < len(pal.Palette) {
		r, g, b := opaque(pal.Palette[h.back])
		p.each(func(_, _ int) (uint8, uint8, uint8) { return r, g, b })
	}
	for c := range p.Channels {
		for y := range frame.Height {
			copy(p.plane(c)[(h.frame.Min.Y+y)*h.width+h.frame.Min.X:], frame.plane(c)[y*frame.Width:][:frame.Width])
		}
	}
	return p
}
