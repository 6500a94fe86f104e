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
	Rounds  int  `flag:"rounds" range:"[1,)" doc:"times that channels are cut, each followed by the whole recipe of fine-tuning"`
	Samples int  `flag:"samples" range:"[1,)" doc:"samples of the training set that scores by gradients look at"`
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
}

// NewSPA gives the method with its defaults.
func NewSPA() *SPA {
	return &SPA{ChannelTarget: model.ChannelTarget{MACs: .5, Least: .1}, Score: "magnitude-l1", Members: "all",
		Coupled: Coupled{Aggregate: "sum", Normalise: "mean"}, Rounds: 1, Samples: 512}
}

// Card describes the method.
func (*SPA) Card() *catalog.Card { return spaCard }

// Run cuts to the target in rounds, the network of each fine-tuned.
func (s *SPA) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	switch {
	case s.Rounds > 1 && j.Recipe.Epochs == 0:
		return nil, catalog.Errorf("rounds of pruning have fine-tuning between them: give {Data} and {Recipe.Epochs}")
	case s.Score == "grasp" && s.Aggregate == "prod":
		return nil, catalog.Errorf("{Score} grasp has a sign, which {Aggregate} prod loses: use sum, mean or max, or {Score} crop")
	}
	if err := s.Redraw(j); err != nil {
		return nil, err
	}
	whole := structure.CostOf(j.Graph)
	res := &model.Result{Graph: j.Graph, Kept: structure.Kept{}}
	runs := j.NewSeries(s.Rounds)
	for r := range s.Rounds {
		k := j.On(res.Graph)
		cut, kept, err := s.target(r, whole, structure.CostOf(k.Graph)).Cut(k, func(g *graph.Graph, groups []*structure.Group) ([][]float64, bool, error) {
			rates, err := s.rate(ctx, k, g, groups)
			return rates, false, err
		}, s.Scope())
		if err != nil {
			return nil, err
		}
		res.Graph, res.Kept = cut, res.Kept.Then(kept)
		if err := recovered(ctx, j, res, runs, enough(j)); err != nil {
			return res, err
		}
	}
	return res, nil
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

// target is what a round leaves of the network that it begins with: the shares of the
// whole fall by the same factor in every round.
func (s *SPA) target(round int, whole, now structure.Cost) model.ChannelTarget {
	t := s.ChannelTarget
	power := 1 / float64(s.Rounds)
	share := func(target float64, whole, now int64) float64 {
		if target == 0 || now == 0 {
			return target
		}
		return math.Min(1, math.Pow(target, float64(round+1)*power)*float64(whole)/float64(now)*(1+rounding))
	}
	t.MACs, t.Params = share(t.MACs, whole.MACs, now.MACs), share(t.Params, whole.Params, now.Params)
	t.Least = math.Pow(t.Least, power)
	return t
}

// rounding is that of shares of shares, by which a target is not to be missed.
const rounding = 1e-12

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
