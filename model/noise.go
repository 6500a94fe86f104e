package model

import (
	"math/rand/v2"

	"pare/catalog"
	"pare/dataset"
	"pare/prune/calibrate"
	"pare/tensor"
)

// noiseBatch is how many samples of noise run at once.
const noiseBatch = 64

// Noise gives n samples of noise for every input of the job's network, by its seed, for
// calibration without data: "uniform" ones between 0 and 1, normalised as the data where
// there is any, or "normal" ones, which stand for normalised data as they are. It returns
// an error where an input is not of numbers, or its shape is not decided.
func (j *Job) Noise(kind string, n int) (calibrate.Batches, error) {
	g := j.Graph
	sizes, batch := g.Batch(min(n, noiseBatch))
	shapes := make([][]int, len(g.Inputs))
	for i, in := range g.Inputs {
		shape, ok := in.Shape.Bind(sizes).Ints()
		if !ok {
			return nil, catalog.Errorf("input %q has shape %v, which noise does not decide: give {Data}", in.Name, in.Shape)
		}
		if in.DType != tensor.Float32 {
			return nil, catalog.Errorf("input %q is %v: noise stands for numbers alone; give {Data}", in.Name, in.DType)
		}
		if entries, ok := tensor.Size(shape); !ok || entries > mostNoise {
			return nil, catalog.Errorf("input %q has shape %v, more than noise is made for", in.Name, shape)
		}
		shapes[i] = shape
	}
	return func(yield func(map[string]*tensor.Tensor) error) error {
		r := rand.New(rand.NewPCG(j.Seed, 0x2015e))
		for range (n + batch - 1) / batch {
			out := map[string]*tensor.Tensor{}
			for i, in := range g.Inputs {
				t := tensor.New(tensor.Float32, shapes[i]...)
				fill(r, t, kind, j.Data)
				out[in.Name] = t
			}
			if err := yield(out); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// mostNoise bounds the numbers of a batch of noise.
const mostNoise = 1 << 28

// fill draws numbers.
func fill(r *rand.Rand, t *tensor.Tensor, kind string, d *dataset.Data) {
	x := t.F32()
	if kind == "normal" {
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		return
	}
	mean, std := []float32{0}, []float32{1}
	if d != nil && len(d.Norm.Mean) > 0 && len(d.Norm.Mean) == len(d.Norm.Std) {
		mean, std = d.Norm.Mean, d.Norm.Std
	}
	channels, inner := 1, len(x)
	if len(t.Shape) > 1 {
		channels = t.Shape[1]
		inner = len(x) / max(1, t.Shape[0]*channels)
	}
	for i := range x {
		c := i / max(1, inner) % channels
		if len(mean) != channels {
			c = 0
		}
		x[i] = (float32(r.Float64()) - mean[c]) / std[c]
	}
}
