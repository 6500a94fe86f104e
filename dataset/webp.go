package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"

	"golang.org/x/image/webp"
)

// webp reads the chunks of a WebP file (RFC 9649). The decoder is given the
// colours of the still image, or of the first frame, alone: transparency is
// dropped, and of what else the file holds it need not know.
func (h *header) webp(b []byte) error {
	var colours []byte
	found := func(name string, body []byte) {
		if colours == nil && (name == "VP8 " || name == "VP8L") {
			colours = append([]byte("RIFF\x00\x00\x00\x00WEBP"+name), binary.LittleEndian.AppendUint32(nil, uint32(len(body)))...)
			if colours = append(colours, body...); len(body)%2 == 1 {
				colours = append(colours, 0)
			}
			binary.LittleEndian.PutUint32(colours[4:], uint32(len(colours)-8))
			if h.each = 2; name == "VP8L" {
				h.each = 9 // four bytes a pixel, twice where colours are numbered
				h.clear = h.clear || len(body) > 4 && body[4]&0x10 != 0
			}
		}
	}
	frames := 0
	var err error
	riffChunks(b[12:], func(name string, body []byte) bool {
		switch {
		case name == "VP8X" && len(body) >= 10:
			h.clear = body[0]&0x10 != 0
			h.width, h.height = 1+uint24(body[4:]), 1+uint24(body[7:])
		case name == "EXIF":
			h.orientation = orientation(body)
		case name == "ANMF" && len(body) >= 16:
			if frames++; frames == 1 {
				x, y := 2*uint24(body), 2*uint24(body[3:])
				h.frame = image.Rect(x, y, x+1+uint24(body[6:]), y+1+uint24(body[9:]))
				if !h.frame.In(image.Rect(0, 0, h.width, h.height)) {
					err = errors.New("a WebP image whose first frame is outside of it")
				}
				riffChunks(body[16:], func(name string, body []byte) bool {
					found(name, body)
					return true
				})
			}
			h.many = frames > 1
		default:
			found(name, body)
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	if colours == nil {
		return errors.New("a WebP image without a picture, or that ends before it")
	}
	h.data = colours
	c, err := webp.DecodeConfig(bytes.NewReader(colours))
	if err != nil {
		return err
	}
	if h.width == 0 {
		h.width, h.height = c.Width, c.Height
	}
	if h.frame.Empty() {
		h.frame = image.Rect(0, 0, h.width, h.height)
	}
	if h.frame.Dx() != c.Width || h.frame.Dy() != c.Height {
		return errors.New("a WebP image of two sizes")
	}
	return nil
}

func uint24(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
