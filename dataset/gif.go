package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
)

var errGIF = errors.New("a GIF image that ends before its first frame")

// gif reads a GIF up to its second frame: sizes, the first frame's palette, and
// whether it has transparency, of which the decoder is not told, so that the
// colour beneath stays (GIF89a, W3C).
func (h *header) gif(b []byte) error {
	if len(b) < 13 {
		return errGIF
	}
	h.width, h.height = int(binary.LittleEndian.Uint16(b[6:])), int(binary.LittleEndian.Uint16(b[8:]))
	h.each = 2
	at := 13
	table := func(flags byte) ([]byte, bool) {
		if flags&0x80 == 0 {
			return nil, true
		}
		n := 3 << (flags&7 + 1)
		if n > len(b)-at {
			return nil, false
		}
		at += n
		return b[at-n : at], true
	}
	colours, ok := table(b[10])
	if !ok {
		return errGIF
	}
	blocks := func() bool { // passes over the blocks of data that follow
		for at < len(b) && b[at] != 0 {
			at += 1 + int(b[at])
		}
		at++
		return at < len(b)
	}
	for frames := 0; at < len(b); {
		switch b[at] {
		case 0x21: // an extension
			if frames == 0 && at+8 <= len(b) && b[at+1] == 0xf9 && b[at+2] == 4 && b[at+3]&1 != 0 {
				if !h.clear {
					h.data = bytes.Clone(b)
				}
				h.clear, h.back = true, b[at+6]
				h.data[at+3] &^= 1
			}
			if at += 2; !blocks() {
				return h.ended(frames)
			}
		case 0x2c: // a frame
			if frames++; frames == 2 {
				h.many = true
				return nil
			}
			if len(b)-at < 11 {
				return errGIF
			}
			x, y := int(binary.LittleEndian.Uint16(b[at+1:])), int(binary.LittleEndian.Uint16(b[at+3:]))
			h.frame = image.Rect(x, y, x+int(binary.LittleEndian.Uint16(b[at+5:])), y+int(binary.LittleEndian.Uint16(b[at+7:])))
			if h.frame.Empty() || !h.frame.In(image.Rect(0, 0, h.width, h.height)) {
				return errors.New("a GIF image whose first frame is outside of it")
			}
			flags := b[at+9]
			at += 10
			own, ok := table(flags)
			if !ok {
				return errGIF
			}
			if own != nil {
				colours = own
			}
			h.palette(colours)
			if at++; !blocks() {
				return h.ended(frames)
			}
		default:
			return h.ended(frames)
		}
	}
	return h.ended(0)
}

// ended is an error where there was no frame.
func (h *header) ended(frames int) error {
	if frames == 0 {
		return errGIF
	}
	return nil
}

// palette is the model of an image with these colours.
func (h *header) palette(colours []byte) {
	var p color.Palette
	for ; len(colours) >= 3; colours = colours[3:] {
		p = append(p, color.RGBA{colours[0], colours[1], colours[2], 0xff})
	}
	h.model = p
}
