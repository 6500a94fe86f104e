package atinit

import (
	"context"
	"math"

	"pare/catalog"
	"pare/graph"
	"pare/graph/op"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
)

// layer is a weight with the share of its entries that is to stay.
type layer struct {
	*prune.Weight
	cost    float64 // what a whole layer takes: multiply-accumulates where these are the target, else parameters
	density float64
}

// densities are those at which all layers together take the share that is asked for, of
// multiply-accumulates, or of parameters.
func (s *PreCrop) densities(ctx context.Context, j *model.Job, ws []*prune.Weight) ([]*layer, error) {
	var out []*layer
	for _, w := range ws {
		out = append(out, &layer{Weight: w, cost: float64(w.Len())})
	}
	macs, share := s.Shares(j.Graph)
	if macs > 0 {
		share = macs
		if err := weigh(j, out); err != nil {
			return nil, err
		}
	}
	if s.Density > 0 {
		share = s.Density
	}
	var err error
	if s.Densities == "synflow" {
		err = s.byFlow(ctx, j, ws, out, share)
	} else {
		err = s.bySparsity(ctx, j, ws, out, share)
	}
	if err != nil {
		return nil, err
	}
	for _, l := range out {
		if l.density == 0 {
			return nil, catalog.Errorf("%s keeps nothing of %s, and a layer without channels is none: leave the layer whole with {Exclude}, cut less, or take another of {Densities}", s.Densities, l.Name)
		}
	}
	return out, nil
}

// weigh sets the layers' costs to their multiply-accumulates.
func weigh(j *model.Job, layers []*layer) error {
	at := map[string]float64{}
	one, _ := op.OneSample(j.Graph)
	op.Each(one, func(n *graph.Node) {
		macs, ok := op.MACs(n)
		if !ok {
			return
		}
		for _, p := range op.Params(n) {
			if v, _, found := op.Source(n.In(p.In), 0); found && p.Part.Prunable() {
				at[v.Name] += float64(macs)
			}
		}
	})
	for _, l := range layers {
		if l.cost = at[l.Name]; l.cost == 0 {
			l.cost = float64(l.Len())
		}
	}
	return nil
}

// share is what layers of so many entries take of the whole.
func share(layers []*layer, keep []int) float64 {
	left, whole := 0., 0.
	for i, l := range layers {
		whole += l.cost
		left += l.cost * float64(keep[i]) / float64(l.Len())
	}
	return left / whole
}

// set takes the densities from numbers of entries.
func set(layers []*layer, keep []int) {
	for i, l := range layers {
		l.density = float64(keep[i]) / float64(l.Len())
	}
}

// byFlow prunes by synaptic flow, by the same factor in every iteration, until the share
// is reached: of parameters after as many iterations as are asked for.
func (s *PreCrop) byFlow(ctx context.Context, j *model.Job, ws []*prune.Weight, layers []*layer, target float64) error {
	f, err := j.Flow(ws)
	if err != nil {
		return catalog.Errorf("%v; {Densities} snip and erk take any layers", err)
	}
	defer f.Close()
	m := prune.Dense(ws)
	for k := 1; k <= mostIterations*s.Iterations; k++ {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		sc, err := f.Score(m)
		if err != nil {
			return err
		}
		if m, err = allocate.Global(ws, sc, 1-math.Pow(target, float64(k)/float64(s.Iterations)), nil); err != nil {
			return err
		}
		set(layers, allocate.Counts(m))
		if share(layers, allocate.Counts(m)) <= target*(1+1e-6)+.5/float64(prune.Total(ws)) {
			return nil
		}
	}
	return catalog.Errorf("synflow does not come down to {MACs} %v in %d iterations: ask for more of it, or give {Params}", target, mostIterations*s.Iterations)
}

// mostIterations bounds how often the flow is computed, in iterations that are asked for.
const mostIterations = 4

// bySparsity bisects the sparsity at which the share is reached.
func (s *PreCrop) bySparsity(ctx context.Context, j *model.Job, ws []*prune.Weight, layers []*layer, target float64) error {
	counts, err := s.counts(ctx, j, ws)
	if err != nil {
		return err
	}
	lo, hi := 0., 1-1/float64(prune.Total(ws)) // kept too much, too little
	for range 40 {
		mid := (lo + hi) / 2
		keep, err := counts(mid)
		if err != nil || share(layers, keep) <= target {
			hi = mid
		} else {
			lo = mid
		}
	}
	keep, err := counts(hi)
	if err == nil {
		set(layers, keep)
	}
	return err
}

// counts gives how many entries of each layer stay at a sparsity.
func (s *PreCrop) counts(ctx context.Context, j *model.Job, ws []*prune.Weight) (func(sparsity float64) ([]int, error), error) {
	var rate model.Score
	switch s.Densities {
	case "erk":
		return func(x float64) ([]int, error) { return allocate.ERK(ws, x) }, nil
	case "uniform":
		return func(x float64) ([]int, error) { return allocate.UniformExact(ws, x) }, nil
	case "snip":
		rate = s.Sampled.Sensitivity
	case "grasp":
		rate = s.Sampled.GradientFlow(temperature)
	default:
		return nil, catalog.Bad("Densities", s.Densities, "what says how much of each layer stays")
	}
	sc, err := rate(ctx, j, ws)
	if err != nil {
		return nil, err
	}
	return func(x float64) ([]int, error) {
		m, err := allocate.Global(ws, sc, x, nil)
		if err != nil {
			return nil, err
		}
		return allocate.Counts(m), nil
	}, nil
}
