package model

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"pare/catalog"
	"pare/dataset"
	"pare/engine"
	"pare/graph"
	"pare/prune/calibrate"
	"pare/tensor"
	"pare/train"
	"pare/train/objective"
)

// calibrationSamples is the number of samples that run at once, at most.
const calibrationSamples = 64

// Calibration yields n of the job's samples (all, where there are fewer) without their
// labels, as the inputs of the job's network: those of the training set in an order by
// seed. What batches of one size leave over, fewer samples than batches, is left out. It
// returns an error where there is no data.
func (j *Job) Calibration(n int) (calibrate.Batches, error) {
	if j.Samples != nil {
		return upTo(n, j.Samples), nil
	}
	loader, parts, err := j.calibration(n)
	if err != nil {
		return nil, err
	}
	g := j.Graph
	v, err := train.NewView(g, loader.Set, loader.Size, objective.Objective{}) // nothing is compared with labels
	if err != nil {
		return nil, err
	}
	f, err := newFeeder(v, g, j.Engine)
	if err != nil {
		return nil, err
	}
	return func(yield func(map[string]*tensor.Tensor) error) error {
		l := *loader
		for i := range parts {
			if _, err := l.Fill(0, i, f.to); err != nil {
				return err
			}
			in, err := f.inputs()
			if err != nil {
				return err
			}
			if err := yield(in); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// calibration is what Calibration takes its samples from, and the number of batches.
func (j *Job) calibration(n int) (l *dataset.Loader, batches int, err error) {
	if j.Data == nil || j.Data.Train.Len() == 0 {
		return nil, 0, catalog.Errorf("what goes into the layers is measured on samples, which need no labels: give {Data}")
	}
	set := j.Data.Train
	n = min(n, set.Len())
	parts := max(1, (n+calibrationSamples-1)/calibrationSamples)
	_, batch := j.Graph.Batch(n / parts)
	if batch > set.Len() {
		return nil, 0, catalog.Errorf("the network's batch is fixed to %d, and there are %d samples: give more {Data}", batch, set.Len())
	}
	batches = max(1, n/batch)
	if j.Together > 0 && batch > j.Together { // the same samples in smaller batches
		whole := batch
		for batch = j.Together; whole%batch > 0; batch-- {
		}
		batches *= whole / batch
	}
	return &dataset.Loader{Set: set, Size: batch, Norm: j.Data.Norm, Shuffle: true, Seed: j.Seed}, batches, nil
}

// CalibrationClasses gives the classes of the samples that Calibration yields, in their
// order. It returns an error where samples have not one class each.
func (j *Job) CalibrationClasses(n int) (classes []int64, most int, err error) {
	l, batches, err := j.calibration(n)
	if err != nil {
		return nil, 0, err
	}
	y := l.Set.Class()
	if j.Samples != nil || y == nil || y.Size() != 1 {
		return nil, 0, catalog.Errorf("samples have not one class each: give {Data} whose labels are classes")
	}
	k, buf := slices.Index(l.Set.Fields, y), make([]int64, l.Size)
	for i := range batches {
		if _, err := l.Fill(0, i, []dataset.Buffer{{Field: k, I: buf}}); err != nil {
			return nil, 0, err
		}
		classes = append(classes, buf...)
	}
	return classes, y.Classes, nil
}

// feeder makes of samples, as a view of a network takes them, the inputs of the network
// itself.
type feeder struct {
	in     []*tensor.Tensor // of the view, by feed
	names  []string         // of these inputs
	to     []dataset.Buffer
	plain  map[string]*tensor.Tensor // inputs of the network that are given as they are
	change *engine.Program           // makes the others; nil: there are none
	of     map[string]string         // what they are called there
}

func newFeeder(v *train.View, g *graph.Graph, opt engine.Options) (*feeder, error) {
	f := &feeder{plain: map[string]*tensor.Tensor{}, of: map[string]string{}}
	c, m := v.Graph.Clone(false)
	c.Outputs = nil
	uses := g.Uses()
	for i, feed := range v.Feeds {
		shape, ok := feed.Input.Shape.Ints()
		if !ok {
			return nil, fmt.Errorf("input %q has shape %v, which samples do not decide", feed.Input.Name, feed.Input.Shape)
		}
		t := tensor.New(feed.Input.DType, shape...)
		f.in, f.names = append(f.in, t), append(f.names, feed.Input.Name)
		in := g.Inputs[i]
		if v.Of[in] == feed.Input || len(uses[in]) == 0 {
			f.plain[in.Name] = t
			continue
		}
		u := uses[in][0] // what stands in the place of the input there
		if u.Index < 0 {
			return nil, fmt.Errorf("input %q is read by a body of %s %q alone, and samples do not fit it as they are", in.Name, u.Node.Op, u.Node.Name)
		}
		fed := m[v.Of[u.Node.Outputs[0]].From.In(u.Index)]
		c.Outputs = append(c.Outputs, fed)
		f.of[in.Name] = fed.Name
	}
	f.to = v.Buffers(f.in)
	if len(c.Outputs) == 0 {
		return f, nil
	}
	c.Prune()
	read := c.Uses()
	c.Inputs = slices.DeleteFunc(c.Inputs, func(x *graph.Value) bool { return len(read[x]) == 0 })
	var err error
	f.change, err = engine.Compile(c, nil, opt)
	return f, err
}

// inputs are those of the batch that was filled in last.
func (f *feeder) inputs() (map[string]*tensor.Tensor, error) {
	out := maps.Clone(f.plain)
	if f.change == nil {
		return out, nil
	}
	for _, name := range f.change.InputNames() {
		if err := f.change.Input(name).Copy(f.in[slices.Index(f.names, name)]); err != nil {
			return nil, err
		}
	}
	if err := f.change.Run(); err != nil {
		return nil, err
	}
	for name, v := range f.of {
		out[name] = f.change.Output(v)
	}
	return out, nil
}

// errEnough ends the samples early.
var errEnough = errors.New("there are enough samples")

// upTo yields batches until they hold n samples.
func upTo(n int, batches calibrate.Batches) calibrate.Batches {
	return func(yield func(map[string]*tensor.Tensor) error) error {
		seen := 0
		err := batches(func(in map[string]*tensor.Tensor) error {
			if seen >= n {
				return errEnough
			}
			seen += calibrate.Samples(in)
			return yield(in)
		})
		if errors.Is(err, errEnough) {
			return nil
		}
		return err
	}
}
