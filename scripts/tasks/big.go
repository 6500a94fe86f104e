package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"pare/npy"
	"pare/tensor"
	"pare/zoo"
)

const (
	bigSize    = 32
	bigClasses = 10
	bigShard   = 4096 // samples of a file, 12.6 MB
)

var bigTask = task{"big", "more data than memory: image classification in many files (-bytes)", func(s settings) (*made, error) {
	net, err := zoo.New("cnn-8", zoo.Options{In: []int{3, bigSize, bigSize}, Classes: bigClasses, Seed: s.seed})
	if err != nil {
		return nil, err
	}
	const sample = 3*bigSize*bigSize + 8
	count := int(math.Ceil(s.bytes / sample))
	protos := prototypes(s)
	of := func(part string, first, n int) []npy.Array {
		x, y := tensor.New(tensor.Uint8, n, 3, bigSize, bigSize), tensor.New(tensor.Int64, n)
		for i := range n {
			r := s.rand("big", part, first+i)
			k := r.IntN(bigClasses)
			noisy(r, bytesOf(x, i), protos[k])
			tensor.Of[int64](y)[i] = int64(k)
		}
		return []npy.Array{{Name: "image", Tensor: x}, {Name: "label", Tensor: y}}
	}
	m := &made{
		nets:   []network{{"net.onnx", named(net, []string{"image"}, nil)}},
		about:  fmt.Sprintf("Ten patterns under noise, %d training samples in shards of %d: train/shard-00000.npz and so on.", count, bigShard),
		fields: []field{{"image", "red, green, blue"}, {"label", "the pattern"}},
	}
	m.splits = []split{{"train", of("train", 0, min(count, bigShard))}, {"valid", of("valid", 0, s.count(1000))}, {"test", of("test", 0, s.count(1000))}}
	m.write = func(ctx context.Context, dir string, sp split) error {
		if sp.name != "train" {
			return writeNPZ(ctx, dir, sp)
		}
		dir = filepath.Join(dir, sp.name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		for k, first := 0, 0; first < count; k, first = k+1, first+bigShard {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			arrays := sp.arrays
			if k > 0 {
				arrays = of("train", first, min(bigShard, count-first))
			}
			if err := writeStored(filepath.Join(dir, fmt.Sprintf("shard-%05d.npz", k)), arrays); err != nil {
				return err
			}
		}
		return nil
	}
	return m, nil
}}

// prototypes are the patterns of the classes.
func prototypes(s settings) [bigClasses][]uint8 {
	var out [bigClasses][]uint8
	for k := range out {
		r := s.rand("big", "prototype", k)
		c := newCanvas(3, bigSize, bigSize)
		c.fill(color{.5, .5, .5})
		for range 4 {
			c.draw(newShape(r.IntN(shapes), r.Float64()*bigSize, r.Float64()*bigSize, 4+8*r.Float64(), r.Float64()*6).distance, randomColor(r), nil)
		}
		out[k] = make([]uint8, len(c.pix))
		c.into(out[k])
	}
	return out
}

// noisy is a pattern, moved a little, whose every value is mixed with noise of
// one byte: no more is drawn a sample than it has bytes.
func noisy(r *rand.Rand, image, proto []uint8) {
	dx, dy, strong := r.IntN(9)-4, r.IntN(9)-4, 20+r.IntN(60) // of 256
	for c := range 3 {
		for y := range bigSize {
			row := (y + dy + bigSize) % bigSize
			var bits uint64
			for x := range bigSize {
				if x%8 == 0 {
					bits = r.Uint64()
				}
				v := int(proto[(c*bigSize+row)*bigSize+(x+dx+bigSize)%bigSize])
				image[(c*bigSize+y)*bigSize+x] = uint8((v*strong + int(bits&255)*(256-strong)) >> 8)
				bits >>= 8
			}
		}
	}
}
