package reproduce

import (
	"context"
	"fmt"
	"math/rand/v2"

	"pare/evidence"
	"pare/graph"
	"pare/model"
	"pare/model/structured"
	"pare/prune/block"
	"pare/prune/structure"
	"pare/zoo"
)

// deep is the recipe of the residual MLP.
var deep = model.Recipe{Epochs: 15, Batch: 50, LR: .02, Schedule: "step:0.5,0.75:0.1", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}

// withoutBlocks removes p blocks by a score.
func withoutBlocks(p int, score string) *structured.LayerLottery {
	s := structured.NewLayerLottery()
	s.Blocks, s.Score = float64(p), score
	return s
}

// narrower leaves a share of the parameters by channels at random, before training.
func narrower(seed uint64, share float64) *structured.Channels {
	s := structured.NewChannels()
	s.MACs, s.Params, s.Round, s.Least = 0, model.Count(share), 1, 0
	s.Rate = atChance(seed)
	return s
}

// atChance rates channels at random.
func atChance(seed uint64) model.ChannelScore {
	return func(_ *graph.Graph, groups []*structure.Group) ([][]float64, bool, error) {
		r := rand.New(rand.NewPCG(seed, 1))
		out := make([][]float64, len(groups))
		for i, c := range groups {
			for range c.Channels {
				out[i] = append(out[i], r.Float64())
			}
		}
		return out, false, nil
	}
}

var layerLottery = &evidence.Experiment{
	ID: "02", Name: "layer-lottery",
	About: "residual MLP 64-48, ten blocks h + relu(W h + b), 48-10 on Glyph(2, 0.8), SGD 0.02 with drops at 50 and 75 %, 15 epochs: 1, 3, 5, 7 and 9 blocks removed before training by GraSP, SNIP and at random, or after training by KL with the weights back at the beginning; a network as small that is narrower instead; and blocks removed from the trained network with no training after it. That the choice of blocks matters is not shown here: chance is as good.",
	Seeds: 24,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := glyphs(2, .8, 2000, seed, put)
		g, err := zoo.New("residual-mlp-10-48", zoo.Options{In: []int{1, 8, 8}, Seed: seed})
		if err != nil {
			return err
		}
		dense, _ := g.Clone(true)
		if err := b.trained(ctx, dense, deep); err != nil {
			return err
		}
		if err := b.dense(ctx, "dense", dense); err != nil {
			return err
		}
		blocks, _ := block.Find(g, block.Options{})
		all := structure.CostOf(g).Params
		for _, p := range []int{1, 3, 5, 7, 9} {
			late := withoutBlocks(p, "kl")
			late.When = "trained"
			share := 1 - float64(p)*float64(blocks[0].Cost.Params)/float64(all)
			at := fmt.Sprintf(" %d", p)
			if err := b.arms(ctx, g, deep, arm{"grasp" + at, withoutBlocks(p, "grasp")}, arm{"snip" + at, withoutBlocks(p, "snip")}, arm{"random" + at, withoutBlocks(p, "random")},
				arm{"kl trained" + at, late}, arm{"narrower" + at, narrower(seed, share)}); err != nil {
				return err
			}
		}
		for _, p := range []int{5, 7} {
			at := fmt.Sprintf("no training after %d", p)
			if err := b.arms(ctx, dense, model.Recipe{}, arm{at, withoutBlocks(p, "kl")}); err != nil {
				return err
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		{Text: "without 5 of 10 blocks the ticket is at most a point below the dense network", Method: "grasp 5", Without: []string{"no training after 5"}, Side: evidence.AtLeast, Bound: -1, Figure: evidence.Over("dense")},
		{Text: "without 7 too", Method: "grasp 7", Without: []string{"no training after 7"}, Side: evidence.AtLeast, Bound: -1, Figure: evidence.Over("dense")},
		evidence.Beats("without 7 it beats a narrower network of as many parameters by 0.3 points", "grasp 7", "narrower 7", .3, "narrower 7"),
		evidence.Beats("without 9 by three quarters", "grasp 9", "narrower 9", .75, "narrower 9"),
	},
	Asks: []evidence.Comparison{
		{Text: "GraSP, not chance, 3 blocks", Method: "grasp 3", Without: "random 3"},
		{Text: "GraSP, not chance, 7 blocks", Method: "grasp 7", Without: "random 7"},
		{Text: "before the training, not after it, 5 blocks", Method: "grasp 5", Without: "kl trained 5"},
	},
}
