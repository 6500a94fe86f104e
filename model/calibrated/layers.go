package calibrated

import (
	"context"
	"slices"

	"pare/catalog"
	"pare/graph"
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
	opt := calibrate.Options{Engine: j.Engine}
	layers, skips := layersOf(j.Graph, ws, opt, whole)
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
	done, err := cutLayers(ctx, &model.Part{Job: j, Weights: ws, Walk: walk, Count: samples, Calibrate: opt}, layers, whole, pick)
	if err != nil {
		return nil, err
	}
	done.Skips = skips
	res, err := j.CutAndTune(ctx, done.Masks)
	if err != nil {
		return nil, err
	}
	done.Tell(res)
	return res, nil
}

// byPart lets a method cut a network part by part: as each does, but for the fine-tuning.
func (s Samples) byPart(whole bool, pick func(ctx context.Context, c *cut) (*prune.Mask, error)) *model.PartCut {
	return &model.PartCut{Scope: s.Scope(), Samples: s.Samples, Moments: whole, Cut: func(ctx context.Context, p *model.Part) (*model.PartResult, error) {
		layers, skips := layersOf(p.Graph, p.Weights, p.Calibrate, whole)
		done, err := cutLayers(ctx, p, layers, whole, func(c *cut) (*prune.Mask, error) { return pick(ctx, c) })
		if err == nil {
			done.Skips = skips
		}
		return done, err
	}}
}

// layersOf lists the layers that can be looked into, and why others cannot.
func layersOf(g *graph.Graph, ws []*prune.Weight, opt calibrate.Options, whole bool) ([]*calibrate.Layer, []prune.Skip) {
	layers, skips := calibrate.Layers(g, ws)
	layers = slices.DeleteFunc(layers, func(l *calibrate.Layer) bool {
		why := opt.TooLarge(l)
		if !whole || why == "" {
			return false
		}
		skips = append(skips, prune.Skip{Name: l.Weight.Name, Len: l.Weight.Len(), Why: why})
		return true
	})
	return layers, skips
}

// cutLayers cuts layers in their order.
func cutLayers(ctx context.Context, p *model.Part, layers []*calibrate.Layer, whole bool, pick func(c *cut) (*prune.Mask, error)) (*model.PartResult, error) {
	masks := map[*prune.Weight]*prune.Mask{}
	done := &model.PartResult{Layers: len(layers), Masks: &prune.Masks{}}
	for _, l := range layers {
		c := &cut{Layer: l, samples: p.Count}
		var err error
		if c.of, err = l.Inputs(ctx, p.Walk, whole); err != nil {
			return nil, err
		}
		if m := c.of[0]; whole && m.Rows < m.Cols {
			done.Few++
		}
		k, err := pick(c)
		if err != nil {
			return nil, err
		}
		k.Apply(l.Weight.Data())
		masks[l.Weight] = k
		p.Logf("%s keeps %d of %d", l.Weight.Name, k.Count(), l.Weight.Len())
	}
	for _, w := range p.Weights {
		if k := masks[w]; k != nil {
			done.Masks.Weights, done.Masks.Mask = append(done.Masks.Weights, w), append(done.Masks.Mask, k)
		}
	}
	return done, nil
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
