package kernel

// planar is how a masked convolution lays out an image: a plane for each channel
// with borders of zeros, the columns of a strided one parted by phase, so that
// neighbouring places of a vector share each weight. It is made from and turned
// back into NHWC one image at a time, while it is in the cache.
type planar struct {
	c, h, w   int // of the image
	stride    int // phases of the columns
	top, left int // border before the first row and column
	hp, p     int // rows and pitch of a plane
	lead      int // place of the border's first column in a row
}

// newPlanar makes room for a border of a number of rows and columns on each side.
// Rows read up to a vector beyond their end.
func newPlanar(c, h, w, stride, top, left, bottom, right, vec int) planar {
	q := planar{c: c, h: h, w: w, stride: stride, top: top, left: left, hp: h + top + bottom}
	cols := (w + left + right + stride - 1) / stride
	switch {
	case top|left|bottom|right == 0 && stride == 1:
		q.p = cols
	case stride == 1 && w%vec == 0 && left <= vec && right <= vec:
		// whole vectors; the right border is the next row's left one
		q.lead, q.p = vec-left, w+vec
	default:
		q.p = cols
	}
	return q
}

// floats is the size of an image, with what is read beyond it.
func (q *planar) floats() int { return q.c*q.stride*q.hp*q.p + 2*Slack }

// plane is the distance of channels.
func (q *planar) plane() int { return q.stride * q.hp * q.p }

// at is the place of a row and column, counted from the borders' first.
func (q *planar) at(ch, y, x int) int {
	return ((ch*q.stride+x%q.stride)*q.hp+y)*q.p + q.lead + x/q.stride
}

// put lays out an image given as [h, w, c]; the borders stay as they are.
func (q *planar) put(img, dst []float32) {
	if q.stride == 1 && q.p == q.w {
		transpose(img, q.c, dst[q.at(0, q.top, q.left):], q.plane(), q.h*q.w, q.c)
		return
	}
	for y := range q.h {
		for ph := range min(q.stride, q.w) {
			n := (q.w - ph + q.stride - 1) / q.stride
			transpose(img[(y*q.w+ph)*q.c:], q.c*q.stride, dst[q.at(0, y+q.top, ph+q.left):], q.plane(), n, q.c)
		}
	}
}
