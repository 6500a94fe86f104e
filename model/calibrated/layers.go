package calibrated

import (
	"context"
	"slices"

	"pare/catalog"
	"pare/graph"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/block"
	"pare/prune/calibrate"
	"pare/tensor"
)

// Samples are the settings of methods that look at what goes into the layers.
type Samples struct {
	Samples int `flag:"samples" range:"[1,)" doc:"samples of the training set, without their labels, that run through the network"`
	model.Layers
}

// Inputs is the setting of methods that may look at all layers of a block at once.
type Inputs struct {
	Inputs string `flag:"inputs" choice:"block,layer" doc:"when it is measured what goes into the layers of a transformer's block: before any of them is cut, behind blocks that are (block), or of each behind the layers before it that are cut (layer). Other networks are always measured layer by layer"`
}

func (s Inputs) looks() looks { return looks{blocks: s.Inputs == "block"} }

// cut is a layer of which it is to be said what stays: the layer's weight is changed in
// place where the method solves it.
type cut struct {
	*calibrate.Layer
	of      []*calibrate.Moments // what goes into it, by its groups
	samples int                  // how many ran through the network
}

// looks is how a method looks at what goes into layers.
type looks struct {
	whole  bool // it wants all second moments
	blocks bool // of all layers of a block before one of them is cut
}

// each lets a method cut layer after layer: what goes into one comes from a network
// whose layers before it are cut, or whose blocks before its own are. Then the network is
// fine-tuned. Weights that cannot be looked into are left whole, and named.
func (s Samples) each(ctx context.Context, j *model.Job, look looks, pick func(c *cut) (*prune.Mask, error)) (*model.Result, error) {
	ws, err := s.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	batches, err := j.Calibration(s.Samples)
	if err != nil {
		return nil, err
	}
	opt := calibrate.Options{Engine: j.Engine}
	layers, skips := layersOf(j.Graph, ws, opt, look.whole)
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
	rows := alone(layers)
	if look.blocks {
		rows = together(j.Graph, layers)
	}
	done, err := cutLayers(ctx, &model.Part{Job: j, Weights: ws, Walk: walk, Count: samples, Calibrate: opt}, rows, look.whole, pick)
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

// byPart lets a method cut a network part by part: as each does, but for the fine-tuning. A
// part is a block.
func (s Samples) byPart(look looks, pick func(ctx context.Context, c *cut) (*prune.Mask, error)) *model.PartCut {
	return &model.PartCut{Scope: s.Scope(), Samples: s.Samples, Moments: look.whole, Cut: func(ctx context.Context, p *model.Part) (*model.PartResult, error) {
		layers, skips := layersOf(p.Graph, p.Weights, p.Calibrate, look.whole)
		rows := alone(layers)
		if look.blocks && len(layers) > 0 {
			rows = [][]*calibrate.Layer{layers}
		}
		done, err := cutLayers(ctx, p, rows, look.whole, func(c *cut) (*prune.Mask, error) { return pick(ctx, c) })
		if err == nil {
			done.Skips = skips
		}
		return done, err
	}}
}

// alone has every layer by itself.
func alone(layers []*calibrate.Layer) (out [][]*calibrate.Layer) {
	for _, l := range layers {
		out = append(out, []*calibrate.Layer{l})
	}
	return out
}

// together has the layers of each block of a transformer together, in their order: those of an
// attention and of the feed-forward layers behind it.
func together(g *graph.Graph, layers []*calibrate.Layer) (out [][]*calibrate.Layer) {
	of, n, halves := map[*graph.Value]int{}, 0, 0
	branches, _ := block.Find(g, block.Options{Sublayers: true})
	for _, b := range branches {
		switch {
		case b.Kind == block.FeedForward && halves == 1:
			halves = 2
		case b.Kind == block.Attention:
			n, halves = n+1, 1
		case b.Kind == block.FeedForward, b.Kind == block.Transformer: // of its own, or beside an attention
			n, halves = n+1, 2
		default:
			continue
		}
		for _, w := range b.Weights {
			of[w] = n
		}
	}
	last := 0
	for _, l := range layers {
		at := of[l.Weight.Value]
		if at == 0 || at != last {
			out = append(out, nil)
		}
		out[len(out)-1], last = append(out[len(out)-1], l), at
	}
	return out
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

// cutLayers cuts rows of layers in their order. What goes into all layers of a row is summed up
// before one of them is cut; then the samples run through the row once more.
func cutLayers(ctx context.Context, p *model.Part, rows [][]*calibrate.Layer, whole bool, pick func(c *cut) (*prune.Mask, error)) (*model.PartResult, error) {
	masks := map[*prune.Weight]*prune.Mask{}
	done := &model.PartResult{Masks: &prune.Masks{}}
	walk := p.Walk
	for _, row := range rows {
		ahead := walk
		var cuts []*cut
		for i, l := range row {
			if i == 1 { // the walk itself stays before the first of them, and goes on behind what is cut
				ahead = walk.Fork()
			}
			c := &cut{Layer: l, samples: p.Count}
			var err error
			if c.of, err = l.Inputs(ctx, ahead, whole); err != nil {
				return nil, err
			}
			if m := c.of[0]; whole && m.Rows < m.Cols {
				done.Few++
			}
			cuts = append(cuts, c)
		}
		for _, c := range cuts {
			k, err := pick(c)
			if err != nil {
				return nil, err
			}
			k.Apply(c.Weight.Data())
			masks[c.Weight] = k
			p.Logf("%s keeps %d of %d", c.Weight.Name, k.Count(), c.Weight.Len())
			c.of = nil // moments are large
			done.Layers++
		}
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
