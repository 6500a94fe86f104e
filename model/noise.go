package model

import (
	"context"
	"math/rand/v2"

	"pare/catalog"
	"pare/dataset"
	"pare/measure"
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
	return j.noise(kind, n, noiseBatch)
}

// MatchedNoise is noise of n samples at most that was moved until it looks, inside the
// network, as its batch normalisation remembers the training set: see calibrate.Match.
// Where inputs are images it begins with the spectrum of natural ones, else it is normal.
// It returns an error where that cannot be.
func (j *Job) MatchedNoise(ctx context.Context, n int) (*calibrate.Matched, error) {
	size, _ := measure.Count(j.Graph)
	n = min(n, max(leastMatched, min(mostMatched, matchedWork/matchSteps/int(max(1, size.MACs)))))
	noise, err := j.noise("natural", n, noiseBatch)
	if err != nil {
		return nil, err
	}
	return calibrate.Match(ctx, j.Graph, noise, matchSteps, calibrate.Options{Engine: j.Engine})
}

// Noise is matched by so many steps, and is of so many samples at most: in a large network
// of as many as that many multiply-accumulates are enough for, forwards, but not fewer than
// the least.
const (
	matchSteps   = 60
	mostMatched  = 64
	leastMatched = 16
	matchedWork  = 960e9
)

// noise is Noise in batches of at most a number of samples.
func (j *Job) noise(kind string, n, most int) (calibrate.Batches, error) {
	g := j.Graph
	sizes, batch := g.Batch(min(n, most))
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
	switch {
	case kind == "natural" && len(t.Shape) == 4:
		natural(r, x, t.Shape[0], t.Shape[1], t.Shape[2], t.Shape[3])
		return
	case kind != "uniform":
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
