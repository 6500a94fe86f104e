package dataset

import "math"

// weight says which values of a line make one of a resized line.
type weight struct {
	at int
	w  []float64
}

// weights are those of a triangle as wide as two values of the coarser line:
// bilinear, and smoothed where it shrinks.
func weights(from, to int) []weight {
	scale := float64(from) / float64(to)
	reach := max(1, scale)
	out := make([]weight, to)
	for i := range out {
		centre := (float64(i) + .5) * scale
		lo, hi := max(0, int(centre-reach+.5)), min(from, int(centre+reach+.5))
		w, sum := make([]float64, hi-lo), 0.0
		for k := range w {
			w[k] = max(0, 1-math.Abs((float64(lo+k)-centre+.5)/reach))
			sum += w[k]
		}
		for k := range w {
			w[k] /= sum
		}
		out[i] = weight{lo, w}
	}
	return out
}

// resize scales a plane of h x w bytes to another size, first its lines, then
// its columns, each rounded, as Pillow and torchvision do.
func resize(src []uint8, h, w int, dst []uint8, height, width int) {
	mid := make([]uint8, h*width)
	for x, c := range weights(w, width) {
		for y := range h {
			sum := 0.0
			for k, v := range c.w {
				sum += v * float64(src[y*w+c.at+k])
			}
			mid[y*width+x] = uint8(math.Round(sum))
		}
	}
	for y, c := range weights(h, height) {
		for x := range width {
			sum := 0.0
			for k, v := range c.w {
				sum += v * float64(mid[(c.at+k)*width+x])
			}
			dst[y*width+x] = uint8(math.Round(sum))
		}
	}
}
