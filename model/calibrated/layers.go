package calibrated

import (
	"context"
	"slices"

	"pare/catalog"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/calibrate"
	"pare/tensor"
)

// Samples are the settings of methods that look at what goes into the layers.
type Samples struct {
	Samples int `flag:"samples" range:"[1,)" doc:"samples of the training set, without their labels, that run through the network"`
	model.Layers
}

// cut is a layer of which it is to be said what stays: the layer's weight is changed in
// place where the method solves it.
type cut struct {
	*calibrate.Layer
	of      []*calibrate.Moments // what goes into it, by its groups
	samples int                  // how many ran through the network
}

// each lets a method cut layer after layer: what goes into one comes from a network
// whose layers before it are cut. whole: it wants all second moments of the inputs. Then
// the network is fine-tuned. Weights that cannot be looked into are left whole, and
// named.
func (s Samples) each(ctx context.Context, j *model.Job, whole bool, pick func(c *cut) (*prune.Mask, error)) (*model.Result, error) {
	ws, err := s.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	batches, err := j.Calibration(s.Samples)
	if err != nil {
		return nil, err
	}
	layers, skips := calibrate.Layers(j.Graph, ws)
	opt := calibrate.Options{Engine: j.Engine}
	layers = slices.DeleteFunc(layers, func(l *calibrate.Layer) bool {
		why := opt.TooLarge(l)
		if !whole || why == "" {
			return false
		}
		skips = append(skips, prune.Skip{Name: l.Weight.Name, Len: l.Weight.Len(), Why: why})
		return true
	})
	if len(layers) == 0 {
		return nil, catalog.Errorf("no weight in scope can be calibrated: %s %s; method magnitude needs no samples", skips[0].Name, skips[0].Why)
	}
	samples := 0
	walk, err := calibrate.NewWalk(j.Graph, func(yield func(map[string]*tensor.Tensor) error) error {
		return batches(func(in map[string]*tensor.Tensor) error {
			samples += calibrate.Samples(in)
			return yield(in)
		})
	}, opt)
	if err != nil {
		return nil, err
	}
	masks := map[*prune.Weight]*prune.Mask{}
	few := 0
	for _, l := range layers {
		c := &cut{Layer: l, samples: samples}
		if c.of, err = l.Inputs(ctx, walk, whole); err != nil {
			return nil, err
		}
		if m := c.of[0]; whole && m.Rows < m.Cols {
			few++
		}
		k, err := pick(c)
		if err != nil {
			return nil, err
		}
		k.Apply(l.Weight.Data())
		masks[l.Weight] = k
		j.Logf("%s keeps %d of %d", l.Weight.Name, k.Count(), l.Weight.Len())
	}
	out := &prune.Masks{}
	for _, w := range ws {
		if k := masks[w]; k != nil {
			out.Weights, out.Mask = append(out.Weights, w), append(out.Mask, k)
		}
	}
	res, err := j.CutAndTune(ctx, out)
	if err != nil {
		return nil, err
	}
	for _, k := range skips {
		res.Note("%d weights are left whole: %s %s", k.Len, k.Name, k.Why)
	}
	if few > 0 {
		res.Note("%d of %d layers have more inputs than the samples have rows for: what the samples do not decide, the damping does; more {Samples} help", few, len(layers))
	}
	return res, nil
}

// share is how many of the first n entries of a layer are cut at a sparsity: counts that
// are made of it for one part after the other add up to those of the layer.
func share(n int, sparsity float64) int { return int(float64(n)*sparsity + .5) }

// byRow keeps in every row of a layer's matrices the weights of the largest scores, by
// counts that add up to the sparsity of the layer.
func (c *cut) byRow(score []float32, sparsity float64) *prune.Mask {
	out := prune.NewMask(c.Weight.Len(), false)
	before := 0
	for _, m := range c.of {
		row := make([]float32, m.Cols)
		for o := range m.Outs {
			for k := range row {
				row[k] = score[m.At(o, k)]
			}
			cut := share(before+m.Cols, sparsity) - share(before, sparsity)
			before += m.Cols
			kept := prune.TopK(row, m.Cols-cut, prune.CutFirst)
			for k := range row {
				out.Set(m.At(o, k), kept.Kept(k))
			}
		}
	}
	return out
}

// patterned keeps what a pattern does of the largest scores.
func (c *cut) patterned(score []float32, p allocate.Pattern, sparsity float64) (*prune.Mask, error) {
	k, err := p.Masks([]*prune.Weight{c.Weight}, [][]float32{score}, sparsity)
	if err != nil {
		return nil, err
	}
	return k.Mask[0], nil
}
