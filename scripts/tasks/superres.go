package main

import (
	"math/rand/v2"

	"pare/npy"
	"pare/tensor"
	"pare/zoo"
)

const superresSize = 16 // of the small side

var superresTask = task{"superres", "super-resolution: patches twice as large", func(s settings) (*made, error) {
	net, err := zoo.New("espcn-2", zoo.Options{In: []int{1, superresSize, superresSize}, Seed: s.seed})
	if err != nil {
		return nil, err
	}
	m := &made{
		nets:   []network{{"net.onnx", named(net, []string{"low"}, nil)}},
		about:  "Patches of edges and stripes. A small pixel is the mean of four large ones.",
		fields: []field{{"low", "gray in 0..1"}, {"high", "the same patch, twice as large"}},
	}
	m.split(s, 4000, 500, 500, func(part string, n int) []npy.Array {
		const a, b = superresSize, 2 * superresSize
		low, high := tensor.New(tensor.Float32, n, 1, a, a), tensor.New(tensor.Float32, n, 1, b, b)
		for i := range n {
			patch(s.rand("superres", part, i), high.F32()[i*b*b:(i+1)*b*b])
			halve(low.F32()[i*a*a:(i+1)*a*a], high.F32()[i*b*b:(i+1)*b*b], a)
		}
		return []npy.Array{{Name: "low", Tensor: low}, {Name: "high", Tensor: high}}
	})
	return m, nil
}}

// patch draws a few shapes with stripes, smooth at their borders.
func patch(r *rand.Rand, to []float32) {
	const size = 2 * superresSize
	c := newCanvas(1, size, size)
	c.fill(color{.2 + .6*r.Float64()})
	for range 2 + r.IntN(5) {
		d := newShape(r.IntN(shapes), r.Float64()*size, r.Float64()*size, 3+12*r.Float64(), r.Float64()*6).distance
		if r.IntN(3) == 0 {
			d = stroke(r.Float64()*size, r.Float64()*size, r.Float64()*size, r.Float64()*size, 1.2+2*r.Float64())
		}
		c.draw(d, color{r.Float64()}, nil)
	}
	c.waves(r, .1*r.Float64(), 3, 12)
	for i, v := range c.pix {
		to[i] = float32(max(0, min(1, v)))
	}
}

// halve takes the means of two by two pixels.
func halve(low, high []float32, size int) {
	for y := range size {
		for x := range size {
			at := 4*y*size + 2*x
			low[y*size+x] = (high[at] + high[at+1] + high[at+2*size] + high[at+2*size+1]) / 4
		}
	}
}
