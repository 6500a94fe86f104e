package dataset

import (
	"errors"
	"fmt"
	"image"
)

// mask is a class for each place of a picture.
type mask struct {
	height, width int
	class         []int32 // row by row
}

// legible returns an error where an image cannot be read.
func legible(b []byte) error {
	h, err := readHeader(b)
	if err == nil {
		_, err = h.image()
	}
	return err
}

// readMask reads an image of which the values are classes, not colours: numbers of
// a palette, or gray of up to 16 bits, as they are stored. Formats that lose
// something are refused, and so are colours.
func readMask(b []byte) (*mask, error) {
	h, err := readHeader(b)
	if err != nil {
		return nil, err
	}
	if h.kind == "jpeg" || h.kind == "webp" && string(h.data[12:16]) == "VP8 " {
		return nil, fmt.Errorf("a mask as lossy %s: its classes are blurred; masks are PNG images", h.kind)
	}
	m, err := h.image()
	if err != nil {
		return nil, err
	}
	if h.frame.Size() != image.Pt(h.width, h.height) {
		return nil, errors.New("a mask whose first frame is a part of it")
	}
	out := &mask{h.height, h.width, make([]int32, h.height*h.width)}
	switch m := m.(type) {
	case *image.Paletted:
		out.each(func(y, x int) (int32, bool) { return int32(m.Pix[y*m.Stride+x]), true })
	case *image.Gray:
		unit := int32(1)
		if h.kind == "png" { // the decoder spreads values of few bits over 0 to 255
			unit = 255 / (1<<h.depth - 1)
		}
		out.each(func(y, x int) (int32, bool) { return int32(m.Pix[y*m.Stride+x]) / unit, true })
	case *image.Gray16:
		out.each(func(y, x int) (int32, bool) {
			v := m.Pix[y*m.Stride+2*x:][:2]
			return int32(v[0])<<8 | int32(v[1]), true
		})
	default:
		p := fromImage(m, false, h.kind)
		n := len(out.class)
		if h.deep || !out.each(func(y, x int) (int32, bool) {
			i := y*p.Width + x
			return int32(p.Pix[i]), p.Pix[i] == p.Pix[i+n] && p.Pix[i] == p.Pix[i+2*n]
		}) {
			return nil, errors.New("a mask of colours: what class each stands for is not known; masks are PNG images whose values, or numbers of a palette, are classes")
		}
	}
	return out.turned(h.orientation), nil
}

// each sets every place, until one is refused.
func (m *mask) each(at func(y, x int) (int32, bool)) bool {
	for y := range m.height {
		for x := range m.width {
			v, ok := at(y, x)
			if !ok {
				return false
			}
			m.class[y*m.width+x] = v
		}
	}
	return true
}

// turned is a mask upright; see Picture.turned.
func (m *mask) turned(orientation int) *mask {
	at := turns(orientation, m.height, m.width)
	if at == nil {
		return m
	}
	out := &mask{m.height, m.width, make([]int32, len(m.class))}
	if orientation > 4 {
		out.height, out.width = m.width, m.height
	}
	out.each(func(y, x int) (int32, bool) { return m.class[at(y, x)], true })
	return out
}

// of refuses a mask that is not of a picture's size.
func (m *mask) of(height, width int) error {
	if m.height != height || m.width != width {
		return fmt.Errorf("the mask has %dx%d pixels, its picture %dx%d: they must be of one size", m.width, m.height, width, height)
	}
	return nil
}

// prepare resizes a mask as a pipeline resizes its picture, to the nearest values.
func (p *Pipeline) prepareMask(m *mask) *mask {
	h, w := p.resized(m.height, m.width)
	if h == m.height && w == m.width {
		return m
	}
	out := &mask{h, w, make([]int32, h*w)}
	down, across := nearest(nil, m.height, h), nearest(nil, m.width, w)
	out.each(func(y, x int) (int32, bool) { return m.class[int(down[y])*m.width+int(across[x])], true })
	return out
}
