package main

import (
	"math/rand/v2"

	"pare/npy"
	"pare/tensor"
	"pare/zoo"
)

const (
	detectSize = 64
	detectMost = 4 // shapes of an image
)

var detectTask = task{"detect", "detection: where circles, squares and triangles are", func(s settings) (*made, error) {
	o := zoo.Options{In: []int{3, detectSize, detectSize}, Classes: shapes, Seed: s.seed}
	net, err := zoo.New("ssd-16", o)
	if err != nil {
		return nil, err
	}
	loss, err := zoo.SSDLoss(o, detectMost)
	if err != nil {
		return nil, err
	}
	m := &made{
		nets: []network{{"net.onnx", named(net, []string{"image"}, nil)}, {"loss.onnx", loss}},
		about: "Images of noise with up to four shapes. The network's scores are logits of none and of the classes;\n" +
			"its boxes are decoded from anchors inside it. loss.onnx is its training loss (SSD): it takes the\n" +
			"network's outputs and the data's fields by their names.",
		fields: []field{
			{"image", "red, green, blue"},
			{"true_boxes", "left, top, right, bottom in shares of the image; zeros behind the last"},
			{"true_labels", "0 circle, 1 square, 2 triangle; -1 behind the last"},
		},
	}
	m.split(s, 8000, 1000, 1000, func(part string, n int) []npy.Array {
		x, b, l := tensor.New(tensor.Uint8, n, 3, detectSize, detectSize), tensor.New(tensor.Float32, n, detectMost, 4), tensor.New(tensor.Int64, n, detectMost)
		for i := range n {
			scene(s.rand("detect", part, i), bytesOf(x, i), b.F32()[4*detectMost*i:][:4*detectMost], tensor.Of[int64](l)[detectMost*i:][:detectMost])
		}
		return []npy.Array{{Name: "image", Tensor: x}, {Name: "true_boxes", Tensor: b}, {Name: "true_labels", Tensor: l}}
	})
	return m, nil
}}

// scene draws an image of up to four shapes that hardly overlap.
func scene(r *rand.Rand, image []uint8, boxes []float32, labels []int64) {
	c := newCanvas(3, detectSize, detectSize)
	ground := randomColor(r)
	c.fill(ground)
	n := r.IntN(detectMost + 1)
	var done []shape
	for i := range labels {
		labels[i] = -1
	}
	for tries := 0; len(done) < n && tries < 50; tries++ {
		kind, size := r.IntN(shapes), 5+9*r.Float64()
		at := func() float64 { return size + r.Float64()*(detectSize-2*size) }
		sh := newShape(kind, at(), at(), size, (r.Float64()-.5)*.6)
		if crowded(sh, done) {
			continue
		}
		i := len(done)
		done = append(done, sh)
		c.draw(sh.distance, far(r, ground, .45), nil)
		labels[i] = int64(kind)
		for k, v := range sh.box {
			boxes[4*i+k] = float32(v / detectSize)
		}
	}
	c.noise(r, .08)
	c.into(image)
}

// crowded says whether a shape's box overlaps one of others by more than a tenth
// of it.
func crowded(s shape, others []shape) bool {
	for _, o := range others {
		w := min(s.box[2], o.box[2]) - max(s.box[0], o.box[0])
		h := min(s.box[3], o.box[3]) - max(s.box[1], o.box[1])
		if w > 0 && h > 0 && w*h > .1*min((s.box[2]-s.box[0])*(s.box[3]-s.box[1]), (o.box[2]-o.box[0])*(o.box[3]-o.box[1])) {
			return true
		}
	}
	return false
}
