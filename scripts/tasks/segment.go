package main

import (
	"context"
	"math/rand/v2"
	"path/filepath"

	"pare/npy"
	"pare/tensor"
	"pare/zoo"
)

const segmentSize = 48

var segmentTask = task{"segment", "segmentation: which pixels are of circles, squares and triangles", func(s settings) (*made, error) {
	net, err := zoo.New("unet-8", zoo.Options{In: []int{3, segmentSize, segmentSize}, Classes: shapes + 1, Seed: s.seed})
	if err != nil {
		return nil, err
	}
	m := &made{
		nets: []network{{"net.onnx", named(net, []string{"image"}, nil)}},
		about: "Shapes over stripes, the later over the earlier; color says nothing of the class. The same samples are\n" +
			"in train.npz and, as PNG files of the same names, in train/images and train/masks; so are the others.",
		fields: []field{
			{"image", "red, green, blue"},
			{"mask", "0 background, 1 circle, 2 square, 3 triangle"},
		},
		write: func(ctx context.Context, dir string, sp split) error {
			if err := writeNPZ(ctx, dir, sp); err != nil {
				return err
			}
			return writePictures(filepath.Join(dir, sp.name), sp.array("image"), sp.array("mask"))
		},
	}
	m.split(s, 2000, 300, 300, func(part string, n int) []npy.Array {
		x, y := tensor.New(tensor.Uint8, n, 3, segmentSize, segmentSize), tensor.New(tensor.Uint8, n, segmentSize, segmentSize)
		for i := range n {
			masked(s.rand("segment", part, i), bytesOf(x, i), bytesOf(y, i))
		}
		return []npy.Array{{Name: "image", Tensor: x}, {Name: "mask", Tensor: y}}
	})
	return m, nil
}}

// masked draws an image and the classes of its pixels.
func masked(r *rand.Rand, image, mask []uint8) {
	c := newCanvas(3, segmentSize, segmentSize)
	ground := randomColor(r)
	c.fill(ground)
	c.waves(r, .12, 4, 16)
	for range 1 + r.IntN(4) {
		kind, size := r.IntN(shapes), 6+8*r.Float64()
		at := func() float64 { return size/2 + r.Float64()*(segmentSize-size) }
		sh := newShape(kind, at(), at(), size, r.Float64()*6)
		c.draw(sh.distance, far(r, ground, .4), func(p int) { mask[p] = uint8(kind + 1) })
	}
	c.noise(r, .06)
	c.into(image)
}
