package dataset

import (
	"image"
	"image/color"
)

// fromYCbCr makes colours of luma and chroma. The chroma of a pixel is
// interpolated as libjpeg and libwebp do it by default ("fancy upsampling": a
// triangle over the two nearest samples of each axis that is subsampled by two),
// not repeated: at edges the two differ by tens of levels. JPEG has the full
// range of values (JFIF 1.02), WebP that of video (BT.601, 16 to 235).
func fromYCbCr(p *Picture, m *image.YCbCr, video bool) {
	h, w := p.Height, p.Width
	if h == 0 || w == 0 {
		return
	}
	across, down := 1, 1
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		across = 2
	case image.YCbCrSubsampleRatio420:
		across, down = 2, 2
	case image.YCbCrSubsampleRatio440:
		down = 2
	case image.YCbCrSubsampleRatio411:
		across = 4
	case image.YCbCrSubsampleRatio410:
		across, down = 4, 2
	}
	s := &chroma{h: (h + down - 1) / down, w: (w + across - 1) / across, across: across, down: down}
	s.smooth = s.w > 2 || across == 1 // libjpeg repeats in images that narrow
	cb, cr := make([]int32, s.w), make([]int32, s.w)
	u, v := make([]uint8, w), make([]uint8, w)
	yo, co := m.YOffset(m.Rect.Min.X, m.Rect.Min.Y), m.COffset(m.Rect.Min.X, m.Rect.Min.Y)
	for y := range h {
		if video {
			s.video(m.Cb[co:], m.CStride, y, u)
			s.video(m.Cr[co:], m.CStride, y, v)
		} else {
			s.line(m.Cb[co:], m.CStride, y, cb, u)
			s.line(m.Cr[co:], m.CStride, y, cr, v)
		}
		luma := m.Y[yo+y*m.YStride:][:w]
		r, g, b := p.plane(0)[y*w:][:w], p.plane(1)[y*w:][:w], p.plane(2)[y*w:][:w]
		for x, l := range luma {
			if video {
				r[x], g[x], b[x] = videoRGB(int32(l), int32(u[x]), int32(v[x]))
			} else {
				r[x], g[x], b[x] = color.YCbCrToRGB(l, u[x], v[x])
			}
		}
	}
}

// chroma is a plane of h x w samples, each for across x down pixels.
type chroma struct {
	h, w, across, down int
	smooth             bool
}

// line makes the samples of row y of the pixels; sums is room for a row of the
// plane.
func (s *chroma) line(plane []uint8, stride, y int, sums []int32, out []uint8) {
	row := plane[y/s.down*stride:][:s.w]
	smooth := s.smooth && s.across <= 2 // wider ones are repeated
	unit := int32(1)                    // what sums are multiples of
	for x, v := range row {
		sums[x] = int32(v)
	}
	if s.down == 2 && smooth {
		unit = 4
		near := max(0, y/2-1)
		if y%2 == 1 {
			near = min(s.h-1, y/2+1)
		}
		for x, v := range plane[near*stride:][:s.w] {
			sums[x] = 3*sums[x] + int32(v)
		}
	}
	if s.across == 1 || !smooth {
		half := unit / 2
		if unit > 1 && y%2 == 0 {
			half = unit/2 - 1
		}
		for x := range out {
			out[x] = uint8((sums[x/s.across] + half) / unit)
		}
		return
	}
	left, right := int32(1), int32(2) // halves are rounded down and up in turn, so that no bias is left
	if unit == 4 {
		left, right = 8, 7
	}
	for x := range out {
		at := x / 2
		near, half := max(0, at-1), left
		if x%2 == 1 {
			near, half = min(s.w-1, at+1), right
		}
		out[x] = uint8((3*sums[at] + sums[near] + half) / (4 * unit))
	}
}

// video makes the samples of row y as libwebp does, where a sample is for 2 x 2
// pixels: (9 near + 3 beside + 3 above + diagonal)/16, rounded in two steps.
func (s *chroma) video(plane []uint8, stride, y int, out []uint8) {
	other := max(0, y/2-1)
	if y%2 == 1 {
		other = min(s.h-1, y/2+1)
	}
	row, above := plane[y/2*stride:][:s.w], plane[other*stride:][:s.w]
	for x := range out {
		at := x / 2
		near, up := int32(row[at]), int32(above[at])
		beside := at - 1
		if x%2 == 1 {
			beside = at + 1
		}
		if beside < 0 || beside == s.w {
			out[x] = uint8((3*near + up + 2) / 4)
			continue
		}
		out[x] = uint8(((near+3*int32(row[beside])+3*up+int32(above[beside])+8)/8 + near) / 2)
	}
}

// videoRGB is BT.601 with luma of 16 to 235 and chroma of 16 to 240, in
// fixed-point numbers of 14 bits.
func videoRGB(y, u, v int32) (r, g, b uint8) {
	const one = 1 << 14
	l := (y-16)*(one*255/219) + one/2
	u, v = u-128, v-128
	return clip8((l + 26149*v) >> 14), clip8((l - 6419*u - 13320*v) >> 14), clip8((l + 33050*u) >> 14)
}

func clip8(v int32) uint8 { return uint8(min(max(v, 0), 255)) }
