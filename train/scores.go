package train

import (
	"errors"
	"slices"

	"pare/dataset"
	"pare/graph"
	"pare/tensor"
	"pare/train/objective"
)

// ScoreReader is a Hook that looks at what the network gives for each sample of a batch:
// see Run.Scores.
type ScoreReader interface{ ReadsScores() }

func looksAtScores(hooks []Hook) bool {
	return slices.ContainsFunc(hooks, func(h Hook) bool { _, ok := h.(ScoreReader); return ok })
}

// scored is the value that gives each sample the scores of its classes.
func (v *View) scored() (*graph.Value, error) {
	if len(v.Terms) != 1 || v.Terms[0].Loss.Layout != objective.ByRows || v.Terms[0].Loss.Logits != "softmax" || len(v.Terms[0].Target) != 1 || v.Width < 2 {
		return nil, errors.New("what a network gives for each sample is looked at where the loss is one of classes by a softmax, as cross-entropy")
	}
	out := v.Terms[0].Out[0]
	if n, ok := out.Shape.Ints(); !ok || len(n) != 2 || n[0] != v.Batch {
		return nil, errors.New("what a network gives for each sample is looked at where a sample has one class: this one has many")
	}
	return out, nil
}

// Batch is what a network gave for the samples of a batch.
type Batch struct {
	Samples []int32   // their stored numbers in the set (see dataset.Set.Number)
	Labels  []int64   // their classes
	Scores  []float32 // [samples width], before a softmax
	Width   int
}

// Scores is what the network gave for the samples of the present batch, in training
// mode, before the weights are moved. It is there for a hook that is a ScoreReader, in
// AfterGrad, and holds until the next step.
func (r *Run) Scores() (Batch, error) {
	d, ok := r.Train.(*Data)
	if !ok || r.pass.scores == nil {
		return Batch{}, errors.New("this training keeps no scores of its samples")
	}
	x := r.pass.scores.F32()
	b := Batch{Samples: d.numbers(r.Epoch, r.Index), Scores: x, Width: len(x) / d.Batch()}
	if b.Labels = tensor.Of[int64](r.pass.Labels()); len(b.Labels) != len(b.Samples) {
		return Batch{}, errors.New("the labels of the samples are no class numbers")
	}
	return b, nil
}

// numbers are the stored numbers of the samples of a batch. The loader itself is busy
// with the next ones.
func (d *Data) numbers(epoch, i int) []int32 {
	if d.order == nil {
		d.order = &dataset.Loader{Set: d.Set, Size: d.Size, Shuffle: d.Shuffle, Seed: d.Seed, Sampler: d.Sampler}
	}
	d.at = d.order.Numbers(epoch, i, d.at[:0])
	return d.at
}
