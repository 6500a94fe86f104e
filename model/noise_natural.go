package model

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/dsp/fourier"
)

// colours is the share of the variance that the channels of an image have in common: in
// natural scenes most of it is brightness (Ruderman, Cronin, Chiao 1998).
const colours = .9

// natural draws images of c channels, h by w, of mean 0 and variance 1 over all of them,
// whose amplitude falls with the spatial frequency f as 1/f, as in natural images (Field
// 1987, Relations between the statistics of natural images and the response properties of
// cortical cells). A frequency of 0 has the amplitude of the lowest other.
func natural(r *rand.Rand, x []float32, n, c, h, w int) {
	rows, columns := fourier.NewCmplxFFT(w), fourier.NewCmplxFFT(h)
	plane, column := make([]complex128, h*w), make([]complex128, h)
	power := 0.
	amplitude := make([]float64, h*w)
	for i := range amplitude {
		f := math.Hypot(columns.Freq(i/w), rows.Freq(i%w))
		amplitude[i] = 1 / math.Max(f, 1/float64(max(h, w)))
		power += amplitude[i] * amplitude[i]
	}
	draw := func(out []float64) {
		for i, a := range amplitude {
			plane[i] = complex(a*r.NormFloat64(), a*r.NormFloat64())
		}
		for y := range h {
			rows.Sequence(plane[y*w:(y+1)*w], plane[y*w:(y+1)*w])
		}
		for k := range w {
			for y := range h {
				column[y] = plane[y*w+k]
			}
			columns.Sequence(column, column)
			for y := range h {
				out[y*w+k] = real(column[y]) / math.Sqrt(power)
			}
		}
	}
	common, own := make([]float64, h*w), make([]float64, h*w)
	a, b := math.Sqrt(colours), math.Sqrt(1-colours)
	for s := range n {
		draw(common)
		for k := range c {
			draw(own)
			to := x[(s*c+k)*h*w : (s*c+k+1)*h*w]
			for i := range to {
				to[i] = float32(a*common[i] + b*own[i])
			}
		}
	}
}
