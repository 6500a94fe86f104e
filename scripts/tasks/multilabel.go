package main

import (
	"math/rand/v2"

	"pare/npy"
	"pare/tensor"
	"pare/zoo"
)

const multilabelSize = 32

// attributes of the images of multilabel, in the order of the labels.
var attributes = []string{"circle", "square", "triangle", "red shape", "striped ground", "dark ground"}

var multilabelTask = task{"multilabel", "several labels: which of six attributes an image has", func(s settings) (*made, error) {
	net, err := zoo.New("cnn-16-sigmoid", zoo.Options{In: []int{3, multilabelSize, multilabelSize}, Classes: len(attributes), Seed: s.seed})
	if err != nil {
		return nil, err
	}
	m := &made{
		nets:  []network{{"net.onnx", named(net, []string{"image"}, nil)}},
		about: "Each attribute is present or not, whatever the others are. The network ends in a Sigmoid.",
		fields: []field{
			{"image", "red, green, blue"},
			{"labels", "1 where there is a circle, a square, a triangle, a red shape, a striped ground, a dark ground"},
		},
	}
	m.split(s, 8000, 1000, 1000, func(part string, n int) []npy.Array {
		x, y := tensor.New(tensor.Uint8, n, 3, multilabelSize, multilabelSize), tensor.New(tensor.Uint8, n, len(attributes))
		for i := range n {
			attributed(s.rand("multilabel", part, i), bytesOf(x, i), bytesOf(y, i))
		}
		return []npy.Array{{Name: "image", Tensor: x}, {Name: "labels", Tensor: y}}
	})
	return m, nil
}}

// attributed draws an image and notes what it has.
func attributed(r *rand.Rand, image, has []uint8) {
	c := newCanvas(3, multilabelSize, multilabelSize)
	yes := func(i int, p float64) bool {
		if r.Float64() < p {
			has[i] = 1
		}
		return has[i] == 1
	}
	light := .55 + .35*r.Float64()
	if yes(5, .4) {
		light -= .45
	}
	ground := color{}
	for k := range ground {
		ground[k] = light + .1*r.NormFloat64()
	}
	c.fill(ground)
	if yes(4, .4) {
		c.waves(r, .15, 4, 8)
	}
	var kinds []int
	for k := range shapes {
		if yes(k, .45) {
			kinds = append(kinds, k)
		}
	}
	r.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	red := -1
	if len(kinds) > 0 && yes(3, .5) {
		red = r.IntN(len(kinds))
	}
	for i, k := range kinds {
		size := 5.5 + 3*r.Float64()
		at := func() float64 { return size + r.Float64()*(multilabelSize-2*size) }
		with := color{.85 + .15*r.Float64(), .15 * r.Float64(), .15 * r.Float64()}
		for i != red && (with[0] > .5 && with[1] < .4 && with[2] < .4) {
			with = far(r, ground, .5)
		}
		c.draw(newShape(k, at(), at(), size, (r.Float64()-.5)*.6).distance, with, nil)
	}
	c.noise(r, .04)
	c.into(image)
}
