package structured

import (
	_ "embed"

	"context"
	"math"

	"pare/catalog"
	"pare/graph"
	"pare/model"
	"pare/prune/score"
	"pare/prune/structure"
)

// SPA makes any score of weights one of coupled channels, and cuts the weakest.
type SPA struct {
	model.ChannelTarget
	Score   string `flag:"score" choice:"magnitude-l1,magnitude-l2,snip,grasp,crop,synflow,obd" doc:"of every entry of a parameter: magnitude-l1 |w|, magnitude-l2 w², snip |g w|, grasp w Hg, crop |w Hg|, synflow, or obd F w²/2, with g, H and F gradient, Hessian and Fisher information of the loss"`
	Members string `flag:"members" choice:"all,factors,weights" doc:"parameters that have a say: all, factors (those that multiply: not biases and shifts), or weights (of products alone)"`
	Coupled
	PerMAC  bool `flag:"per-mac" doc:"rank channels by score for each multiply-accumulate that goes with them, not by score"`
	Samples int  `flag:"samples" range:"[1,)" doc:"samples of the training set that scores by gradients look at"`
	model.InSteps
	model.Fresh
	model.Layers
}

// Coupled are the settings of how scores of parameters become one of a channel.
type Coupled struct {
	Aggregate string `flag:"aggregate" choice:"sum,mean,max,prod" doc:"how a channel's scores in the parameters that it goes through become one"`
	Normalise string `flag:"normalise" choice:"mean,sum,max,none" doc:"what a channel's score is divided by, of its group, so that groups compare"`
}

func (s Coupled) coupling() score.Coupling { return score.Coupling(s) }

//go:embed spa.md
var spaDoc string

var spaCard = &catalog.Card{
	ID: "06", Name: "spa", Noun: "model", Title: "Structurally Prune Anything: group scores from any score of weights",
	Paper: "Wang, Rachwan, Günnemann, Charpentier: Structurally Prune Anything: Any Architecture, Any Framework, Any Time (2024). arXiv 2403.18955",
	Cuts:  "channels", Needs: catalog.Weights, Doc: spaDoc,
	Axes: catalog.Axes{SpeedUp: "universal", When: "before after", How: "norm magnitude gradient sensitivity curvature one-shot iterative retrain", Supervision: "none unlabelled labels", Fusion: "none"},
}

// NewSPA gives the method with its defaults.
func NewSPA() *SPA {
	return &SPA{ChannelTarget: model.ChannelTarget{MACs: .5, Least: .1}, Score: "magnitude-l1", Members: "all",
		Coupled: Coupled{Aggregate: "sum", Normalise: "mean"}, Samples: 512}
}

// Card describes the method.
func (*SPA) Card() *catalog.Card { return spaCard }

// Run cuts to the target, in steps if asked, and fine-tunes what each leaves.
func (s *SPA) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if s.Score == "grasp" && s.Aggregate == "prod" {
		return nil, catalog.Errorf("{Score} grasp has a sign, which {Aggregate} prod loses: use sum, mean or max, or {Score} crop")
	}
	if err := s.Redraw(j); err != nil {
		return nil, err
	}
	cutter := &model.Cutter{Target: s.ChannelTarget, InSteps: s.InSteps, Scope: s.Scope(),
		Rate: func(ctx context.Context, j *model.Job, g *graph.Graph, groups []*structure.Group) ([][]float64, bool, error) {
			rates, err := s.rate(ctx, j, g, groups)
			return rates, false, err
		}}
	return cutter.Run(ctx, j)
}

// Rates gives the coupled channels of a job's network and their scores, as Run ranks them
// in its first round. Nothing is changed; initial weights are not drawn.
func (s *SPA) Rates(ctx context.Context, j *model.Job) ([]*structure.Group, [][]float64, error) {
	if err := catalog.Validate(s); err != nil {
		return nil, nil, err
	}
	groups, _ := structure.Groups(j.Graph)
	rates, err := s.rate(ctx, j, j.Graph, groups)
	return groups, rates, err
}

// rate gives channels the scores of the parameters that they go through.
func (s *SPA) rate(ctx context.Context, j *model.Job, g *graph.Graph, groups []*structure.Group) ([][]float64, error) {
	if len(groups) == 0 { // the cut says why
		return nil, nil
	}
	of, err := s.members(g, groups)
	if err != nil {
		return nil, err
	}
	entries, err := s.entries(ctx, j, of)
	if err != nil {
		return nil, err
	}
	rates, err := s.coupling().Rates(groups, entries)
	if err != nil {
		return nil, catalog.Errorf("{Members} %s: %v", s.Members, err)
	}
	if s.PerMAC {
		for k, w := range structure.Worth(g, groups) {
			for c := range rates[k] {
				rates[k][c] /= math.Max(1, float64(w.MACs))
			}
		}
	}
	return rates, nil
}
