package main

import (
	"math/rand/v2"

	"pare/npy"
	"pare/tensor"
	"pare/zoo"
)

const (
	twoinSize    = 24
	twoinColumns = 8
)

var twoinTask = task{"twoin", "two inputs: a class from an image and a row of a table", func(s settings) (*made, error) {
	net, err := zoo.New("image-table-16-8", zoo.Options{In: []int{3, twoinSize, twoinSize}, Classes: 2 * shapes, Seed: s.seed})
	if err != nil {
		return nil, err
	}
	m := &made{
		nets: []network{{"net.onnx", net}},
		bind: map[string]string{"image": "photo", "table": "vitals"},
		about: "The image says which of three shapes it is, the table which of two states: neither alone gives the class.\n" +
			"The fields are called otherwise than the inputs.",
		fields: []field{{"photo", "red, green, blue"}, {"vitals", "eight readings"}, {"label", "twice the shape (0 circle, 1 square, 2 triangle) plus the state"}},
	}
	m.split(s, 12000, 1500, 1500, func(part string, n int) []npy.Array {
		x, t, y := tensor.New(tensor.Uint8, n, 3, twoinSize, twoinSize), tensor.New(tensor.Float32, n, twoinColumns), tensor.New(tensor.Int64, n)
		for i := range n {
			r := s.rand("twoin", part, i)
			kind := r.IntN(shapes)
			photo(r, bytesOf(x, i), kind)
			tensor.Of[int64](y)[i] = int64(2*kind + vitals(r, t.F32()[twoinColumns*i:twoinColumns*(i+1)]))
		}
		return []npy.Array{{Name: "photo", Tensor: x}, {Name: "vitals", Tensor: t}, {Name: "label", Tensor: y}}
	})
	return m, nil
}}

// photo draws one shape.
func photo(r *rand.Rand, image []uint8, kind int) {
	c := newCanvas(3, twoinSize, twoinSize)
	ground := randomColor(r)
	c.fill(ground)
	c.waves(r, .08, 4, 12)
	size := 6 + 4*r.Float64()
	at := func() float64 { return size + r.Float64()*(twoinSize-2*size) }
	c.draw(newShape(kind, at(), at(), size, r.Float64()*6).distance, far(r, ground, .4), nil)
	c.noise(r, .05)
	c.into(image)
}

// vitals draws readings and gives the state that they speak for: a slope, a bend
// and a product of two decide.
func vitals(r *rand.Rand, x []float32) int {
	v := make([]float64, len(x))
	for i := range v {
		v[i] = r.NormFloat64()
		x[i] = float32(v[i] + .05*r.NormFloat64())
	}
	if .8*v[0]+.7*(v[1]*v[1]-1)+v[2]*v[3]-.5*v[4] > 0 {
		return 1
	}
	return 0
}
