package rewrite

import (
	_ "embed"

	"context"
	"math"

	"pare/catalog"
	"pare/model"
	"pare/prune"
	"pare/prune/hook"
	"pare/prune/lowrank"
)

// TRP is trained rank pruning.
type TRP struct {
	Period  int     `flag:"period" range:"[1,)" doc:"steps from one truncation to the next"`
	Energy  float64 `flag:"energy" range:"(0,1]" doc:"share of the squares of a weight's singular values that a truncation keeps (1: no truncation)"`
	Nuclear float64 `flag:"nuclear" range:"[0,)" doc:"weight of the sum of singular values in the loss, in the steps that begin with a truncation"`
	Of      string  `flag:"ranks-of" choice:"auto,kernels,linear,all" doc:"which weights: kernels (of convolutions with stride 1 and more than one position, but the first convolution), linear (matrices, and kernels of one position), all, or auto: kernels where there are any, else linear"`
	Ranks
	model.Layers
	model.Fresh
}

//go:embed trp.md
var trpDoc string

var trpCard = &catalog.Card{
	ID: "17", Name: "trp", Noun: "model", Title: "Trained rank pruning (TRP)",
	Paper: "Xu, Li, Zhang, Wen, Wang, Qi, Chen, Lin, Xiong: TRP: Trained Rank Pruning for Efficient Deep Neural Networks (IJCAI 2020). arXiv 2004.14566",
	Cuts:  "ranks", Needs: catalog.Trains, Doc: trpDoc,
	Axes: catalog.Axes{SpeedUp: "universal", When: "during", How: "norm regularisation iterative retrain", Supervision: "labels", Fusion: "low-rank"},
}

// NewTRP gives the method with its defaults.
func NewTRP() *TRP {
	return &TRP{Period: 20, Energy: .9, Nuclear: 3e-4, Of: "auto", Ranks: Ranks{Value: .05, Scheme: string(lowrank.Spatial)}}
}

// Card describes the method.
func (*TRP) Card() *catalog.Card { return trpCard }

// Run trains with truncations, and factors what has become of low rank.
func (s *TRP) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if err := j.NeedsTraining("weights become of low rank while they are trained"); err != nil {
		return nil, err
	}
	if err := s.asked(); err != nil {
		return nil, err
	}
	ws, err := model.Candidates(j, s.Fresh, s.Layers)
	if err != nil {
		return nil, err
	}
	layers, skips, err := s.layers(j, ws)
	if err != nil {
		return nil, err
	}
	of := map[*lowrank.Layer]*lowrank.Unfolding{}
	h := &hook.Truncate{Every: s.Period, Energy: s.Energy, Nuclear: s.Nuclear}
	for _, l := range layers {
		of[l] = s.way(l)
		h.Of = append(h.Of, of[l])
	}
	if err := s.reach(j.Graph, h.Of); err != nil {
		return nil, err
	}
	epochs, err := j.Fit(ctx, j.Graph, h)
	if err != nil {
		return nil, err
	}
	res, err := s.factor(ctx, j, layers, func(l *lowrank.Layer) []*lowrank.Unfolding { return []*lowrank.Unfolding{of[l]} })
	if err != nil {
		return nil, err
	}
	res.Epochs = epochs
	noteSkips(res, skips)
	return res, nil
}

// layers are the weights that are truncated.
func (s *TRP) layers(j *model.Job, ws []*prune.Weight) ([]*lowrank.Layer, []prune.Skip, error) {
	all, skips := lowrank.Layers(j.Graph, ws)
	if len(all) == 0 {
		return nil, nil, nothing(skips)
	}
	var kernels, linear []*lowrank.Layer
	first := true
	for _, l := range all {
		switch {
		case l.Taps() == 1:
			linear = append(linear, l)
		case !first && !l.Strided():
			kernels = append(kernels, l)
		}
		first = first && !l.Kernel()
	}
	for _, c := range []struct {
		name string
		of   []*lowrank.Layer
	}{{"kernels", kernels}, {"linear", linear}, {"all", all}} {
		if s.Of == c.name || s.Of == "auto" && len(c.of) > 0 {
			if len(c.of) == 0 {
				return nil, nil, catalog.Errorf("{Of} %s: the network has no such weight in scope; of the %d that could be products of two, %d are kernels of stride 1 behind the first convolution, and %d linear: give {Of} all", s.Of, len(all), len(kernels), len(linear))
			}
			return c.of, skips, nil
		}
	}
	return nil, nil, catalog.Bad("Of", s.Of, "which weights")
}

// way is how a layer is laid out: as the scheme says, or the cheapest at the rank that the
// energy asks for at the start.
func (s *TRP) way(l *lowrank.Layer) *lowrank.Unfolding {
	ways := s.ways(l)
	if len(ways) == 1 {
		return ways[0]
	}
	best, least := ways[0], int64(math.MaxInt64)
	for _, u := range ways {
		if d := u.Decompose(l.Data()); d != nil {
			if macs := u.At(d.Rank(s.Energy)).MACs; macs < least {
				best, least = u, macs
			}
		}
	}
	return best
}
