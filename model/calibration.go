package model

import (
	"errors"
	"slices"

	"pare/catalog"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/prune/calibrate"
	"pare/tensor"
	"pare/train"
)

// calibrationSamples is the number of samples that run at once.
const calibrationSamples = 64

// Calibration yields n of the job's samples (all, where there are fewer) without their
// labels, as the inputs of the job's network: those of the training set in an order by
// seed. It returns an error where there is no data.
func (j *Job) Calibration(n int) (calibrate.Batches, error) {
	if j.Samples != nil {
		return upTo(n, j.Samples), nil
	}
	if j.Data == nil || j.Data.Train.Len() == 0 {
		return nil, catalog.Errorf("what goes into the layers is measured on samples, which need no labels: give {Data}")
	}
	g, set := j.Graph, j.Data.Train
	_, batch := g.Batch(min(calibrationSamples, n, set.Len()))
	if batch > set.Len() {
		return nil, catalog.Errorf("the network's batch is fixed to %d, and there are %d samples: give more {Data}", batch, set.Len())
	}
	v, err := train.NewView(g, set, batch, false)
	if err != nil {
		return nil, err
	}
	l := &dataset.Loader{Set: set, Size: batch, Norm: j.Data.Norm, Shuffle: true, Seed: j.Seed}
	if v.Raw {
		l.Norm = dataset.Raw
	}
	adapt, err := adapter(v, g, j.Engine)
	if err != nil {
		return nil, err
	}
	y := make([]int64, batch*max(1, set.Size()))
	return func(yield func(map[string]*tensor.Tensor) error) error {
		in := v.Graph.Inputs[0]
		shape, _ := in.Shape.Ints()
		x := tensor.New(in.DType, shape...)
		for i := range max(1, min(n, set.Len())/batch) {
			l.Fill(0, i, x.F32(), tensor.Of[int64](x), y)
			t, err := adapt(x)
			if err != nil {
				return err
			}
			if err := yield(map[string]*tensor.Tensor{g.Inputs[0].Name: t}); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// adapter makes of a batch of samples, as a view takes them, the input of its network.
func adapter(v *train.View, g *graph.Graph, opt engine.Options) (func(*tensor.Tensor) (*tensor.Tensor, error), error) {
	in := g.Inputs[0]
	read := v.Of[in]
	if slices.Contains(v.Graph.Inputs, read) {
		return func(x *tensor.Tensor) (*tensor.Tensor, error) { return x, nil }, nil
	}
	use := g.Uses()[in][0] // what stands in the place of the input there
	fed := v.Of[use.Node.Outputs[0]].From.In(use.Index)
	c, m := v.Graph.Clone(false)
	c.Outputs = []*graph.Value{m[fed]}
	c.Prune()
	p, err := engine.Compile(c, nil, opt)
	if err != nil {
		return nil, err
	}
	return func(x *tensor.Tensor) (*tensor.Tensor, error) {
		if err := p.Input(c.Inputs[0].Name).Copy(x); err != nil {
			return nil, err
		}
		if err := p.Run(); err != nil {
			return nil, err
		}
		return p.Output(p.OutputNames()[0]).Clone(), nil
	}, nil
}

// enough ends the samples early.
var enough = errors.New("there are enough samples")

// upTo yields batches until they hold n samples.
func upTo(n int, batches calibrate.Batches) calibrate.Batches {
	return func(yield func(map[string]*tensor.Tensor) error) error {
		seen := 0
		err := batches(func(in map[string]*tensor.Tensor) error {
			if seen >= n {
				return enough
			}
			most := 1
			for _, t := range in {
				if len(t.Shape) > 0 {
					most = max(most, t.Shape[0])
				}
			}
			seen += most
			return yield(in)
		})
		if errors.Is(err, enough) {
			return nil
		}
		return err
	}
}
