package dataset

import "math"

// Filter is how pictures are resized.
type Filter string

// The filters, as Pillow and torchvision name them. Bilinear and Bicubic widen
// where a picture shrinks, so that all of its pixels count (antialias).
const (
	Bilinear Filter = "bilinear"
	Bicubic  Filter = "bicubic"
	Nearest  Filter = "nearest"
)

// kernel is a filter's weight at a distance, and how far it reaches.
func (f Filter) kernel() (weight func(x float64) float64, reach float64) {
	if f == Bicubic { // Keys 1981, with a = -1/2
		return func(x float64) float64 {
			const a = -.5
			switch x = math.Abs(x); {
			case x < 1:
				return ((a+2)*x-(a+3))*x*x + 1
			case x < 2:
				return (((x-5)*x+8)*x - 4) * a
			}
			return 0
		}, 2
	}
	return func(x float64) float64 { return max(0, 1-math.Abs(x)) }, 1
}

// taps say which values of a line make each of a resized line, with weights in
// fixed-point numbers of tapBits, as Pillow has them.
type taps struct {
	filter   Filter
	from, to int
	at       []int32 // the first value, and
	n        []int32 // how many, of each
	w        []int32 // their weights, stride apart
	stride   int
	line     []float64
}

const tapBits = 22

// set makes the taps of a size, unless they are there.
func (t *taps) set(filter Filter, from, to int) {
	if t.filter == filter && t.from == from && t.to == to {
		return
	}
	weight, reach := filter.kernel()
	scale := float64(from) / float64(to)
	wide := max(1, scale)
	reach *= wide
	t.filter, t.from, t.to, t.stride = filter, from, to, 2*int(math.Ceil(reach))+1
	t.at, t.n, t.w, t.line = room(t.at, to), room(t.n, to), room(t.w, to*t.stride), room(t.line, t.stride)
	for i := range to {
		centre := (float64(i) + .5) * scale
		lo, hi := max(0, int(centre-reach+.5)), min(from, int(centre+reach+.5))
		sum := 0.0
		for k := range hi - lo {
			t.line[k] = weight((float64(lo+k) - centre + .5) / wide)
			sum += t.line[k]
		}
		t.at[i], t.n[i] = int32(lo), int32(hi-lo)
		for k := range hi - lo {
			t.w[i*t.stride+k] = int32(math.Round(t.line[k] / sum * (1 << tapBits)))
		}
	}
}

// room is a slice of n values, the same one where it is long enough.
func room[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// resizer resizes planes; what it needs for that is kept from one to the next.
type resizer struct {
	across, down taps
	mid          []uint8
	sums         []int32
	near         []int32
}

// nearest are the values of a line that are nearest to those of a resized one,
// found by adding, with what that rounds, as Pillow does.
func nearest(out []int32, from, to int) []int32 {
	out = room(out, to)
	step := float64(from) / float64(to)
	at := step / 2
	for i := range out {
		out[i] = int32(at)
		at += step
	}
	return out
}

// plane resizes a plane of h x w bytes, with rows stride apart, to another size:
// first its lines, then its columns, each rounded.
func (r *resizer) plane(f Filter, src []uint8, stride, h, w int, dst []uint8, height, width int) {
	if f == Nearest {
		r.near = nearest(r.near, w, width)
		down := float64(h) / float64(height)
		at := down / 2
		for y := range height {
			from := src[int(at)*stride:][:w]
			for x, k := range r.near {
				dst[y*width+x] = from[k]
			}
			at += down
		}
		return
	}
	mid, midStride := src, stride
	if w != width {
		r.across.set(f, w, width)
		r.mid = room(r.mid, h*width)
		mid, midStride = r.mid, width
		t := &r.across
		for y := range h {
			line, out := src[y*stride:][:w], mid[y*width:][:width]
			for x := range out {
				sum := int32(1 << (tapBits - 1))
				from := line[t.at[x]:][:t.n[x]]
				for k, c := range t.w[x*t.stride:][:len(from)] {
					sum += c * int32(from[k])
				}
				out[x] = clip8(sum >> tapBits)
			}
		}
	}
	if h == height {
		for y := range h {
			copy(dst[y*width:][:width], mid[y*midStride:])
		}
		return
	}
	r.down.set(f, h, height)
	r.sums = room(r.sums, width)
	t := &r.down
	for y := range height {
		for x := range r.sums {
			r.sums[x] = 1 << (tapBits - 1)
		}
		for k := range int(t.n[y]) {
			c := t.w[y*t.stride+k]
			for x, v := range mid[(int(t.at[y])+k)*midStride:][:width] {
				r.sums[x] += c * int32(v)
			}
		}
		for x, v := range r.sums {
			dst[y*width+x] = clip8(v >> tapBits)
		}
	}
}

// picture resizes the part of a picture from y, x of h x w pixels.
func (r *resizer) picture(f Filter, p *Picture, y, x, h, w int, dst []uint8, height, width int) {
	for c := range p.Channels {
		r.plane(f, p.plane(c)[y*p.Width+x:], p.Width, h, w, dst[c*height*width:][:height*width], height, width)
	}
}
