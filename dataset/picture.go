package dataset

import (
	"image"
	"image/color"
)

// Picture is a decoded image: its channels one after another, each row by row.
type Picture struct {
	Channels, Height, Width int // channels: 1, gray, or 3: red, green, blue

	Pix []uint8 // Channels x Height x Width
}

// newPicture is a black picture.
func newPicture(channels, height, width int) *Picture {
	return &Picture{channels, height, width, make([]uint8, channels*height*width)}
}

// plane is one channel.
func (p *Picture) plane(c int) []uint8 {
	n := p.Height * p.Width
	return p.Pix[c*n : (c+1)*n]
}

// luma is ITU-R 601-2 in the whole numbers of Pillow's convert("L").
func luma(r, g, b uint8) uint8 {
	return uint8((19595*uint32(r) + 38470*uint32(g) + 7471*uint32(b) + 1<<15) >> 16)
}

// channels is a picture with 1 or 3 channels; itself where it has them.
func (p *Picture) channels(n int) *Picture {
	switch {
	case n == p.Channels || n == 0:
		return p
	case n == 3:
		return &Picture{3, p.Height, p.Width, threefold(p.Pix, len(p.Pix))}
	}
	out := newPicture(1, p.Height, p.Width)
	r, g, b := p.plane(0), p.plane(1), p.plane(2)
	for i := range out.Pix {
		out.Pix[i] = luma(r[i], g[i], b[i])
	}
	return out
}

// fromImage takes the pixels of a decoded image, as Pillow's convert("RGB") does:
// transparency is dropped, and the colours beneath it stay; of 16 bits the upper
// 8 are used. Where the image is gray, so is the picture.
func fromImage(m image.Image, gray bool, kind string) *Picture {
	r := m.Bounds()
	p := newPicture(3, r.Dy(), r.Dx())
	if gray {
		p = newPicture(1, r.Dy(), r.Dx())
	}
	switch m := m.(type) {
	case *image.Gray:
		for y := range p.Height {
			copy(p.Pix[y*p.Width:], m.Pix[y*m.Stride:][:p.Width])
		}
	case *image.Gray16:
		p.each(func(y, x int) (uint8, uint8, uint8) { v := m.Pix[y*m.Stride+2*x]; return v, v, v })
	case *image.YCbCr:
		fromYCbCr(p, m, kind == "webp")
	case *image.NYCbCrA:
		fromYCbCr(p, &m.YCbCr, kind == "webp")
	case *image.CMYK:
		p.each(func(y, x int) (uint8, uint8, uint8) {
			v := m.Pix[y*m.Stride+4*x:][:4]
			return color.CMYKToRGB(v[0], v[1], v[2], v[3])
		})
	case *image.NRGBA:
		p.each(func(y, x int) (uint8, uint8, uint8) {
			v := m.Pix[y*m.Stride+4*x:][:3]
			return v[0], v[1], v[2]
		})
	case *image.NRGBA64:
		p.each(func(y, x int) (uint8, uint8, uint8) {
			v := m.Pix[y*m.Stride+8*x:][:6]
			return v[0], v[2], v[4]
		})
	case *image.Paletted:
		table := make([][3]uint8, 256)
		for i, c := range m.Palette[:min(256, len(m.Palette))] {
			table[i][0], table[i][1], table[i][2] = opaque(c)
		}
		p.each(func(y, x int) (uint8, uint8, uint8) {
			v := table[m.Pix[y*m.Stride+x]]
			return v[0], v[1], v[2]
		})
	default:
		p.each(func(y, x int) (uint8, uint8, uint8) { return opaque(m.At(r.Min.X+x, r.Min.Y+y)) })
	}
	return p
}

// each sets every pixel.
func (p *Picture) each(at func(y, x int) (r, g, b uint8)) {
	n := p.Height * p.Width
	for y := range p.Height {
		for x := range p.Width {
			r, g, b := at(y, x)
			i := y*p.Width + x
			p.Pix[i] = r
			if p.Channels == 3 {
				p.Pix[i+n], p.Pix[i+2*n] = g, b
			}
		}
	}
}

// opaque is a colour without its transparency.
func opaque(c color.Color) (r, g, b uint8) {
	if n, ok := c.(color.NRGBA); ok {
		return n.R, n.G, n.B
	}
	r32, g32, b32, a := c.RGBA()
	if a != 0 && a != 0xffff { // undo the multiplication by alpha
		r32, g32, b32 = r32*0xffff/a, g32*0xffff/a, b32*0xffff/a
	}
	return uint8(r32 >> 8), uint8(g32 >> 8), uint8(b32 >> 8)
}

// turns says where a place of an upright picture is stored, by its EXIF
// orientation (CIPA DC-008, 4.6.5.1): 2 and 4 are mirrored, 3 is upside down, 5 to 8
// lie on a side. Height and width are those that are stored; nil: it is upright.
func turns(orientation, h, w int) func(y, x int) int {
	if orientation < 2 || orientation > 8 {
		return nil
	}
	return func(y, x int) int {
		if orientation > 4 {
			y, x = x, y
		}
		switch orientation {
		case 2, 8:
			x = w - 1 - x
		case 4, 6:
			y = h - 1 - y
		case 3, 7:
			y, x = h-1-y, w-1-x
		}
		return y*w + x
	}
}

// turned is a picture stored with an orientation, upright.
func (p *Picture) turned(orientation int) *Picture {
	at := turns(orientation, p.Height, p.Width)
	if at == nil {
		return p
	}
	out := newPicture(p.Channels, p.Height, p.Width)
	if orientation > 4 {
		out.Height, out.Width = p.Width, p.Height
	}
	for c := range p.Channels {
		from, to := p.plane(c), out.plane(c)
		for y := range out.Height {
			for x := range out.Width {
				to[y*out.Width+x] = from[at(y, x)]
			}
		}
	}
	return out
}
