package reproduce

import (
	"context"
	"fmt"

	"pare/evidence"
	"pare/graph"
	"pare/model"
	"pare/model/structured"
	"pare/zoo"
)

// glyphCNN is a network of five convolutions of 12 to 48 channels with batch
// normalisation, trained on Glyph(4, 0.6).
func glyphCNN(ctx context.Context, seed uint64, put func(string, float64)) (*bench, *graph.Graph, error) {
	b := newBench(seed, put)
	g, err := zoo.New("cnn-12", zoo.Options{In: []int{1, 8, 8}, Seed: seed})
	if err != nil {
		return nil, nil, err
	}
	return b, g, b.trained(ctx, g, model.Recipe{Epochs: 8, Batch: 50, LR: .1, Schedule: "step:0.5,0.75:0.1", Optimizer: "sgd", Momentum: .9, Decay: 5e-4})
}

// shrinks is the recipe of trainings with a penalty on scales.
var shrinks = model.Recipe{Epochs: 10, Batch: 50, LR: .05, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 1e-4}

// shrunk cuts half of the multiply-accumulates after a training with a penalty, and leaves
// the statistics of batch normalisation as they are: what the cut costs is to be seen.
func shrunk(t *model.ChannelTarget, s *structured.Shrinking, lambda float64) {
	t.MACs, t.Round = .5, 1
	s.Lambda, s.Statistics = lambda, "keep"
}

var maskSparsity = &evidence.Experiment{
	ID: "50", Name: "masksparsity",
	About: "A network of five convolutions (12 to 48 channels) with batch normalisation on Glyph(4, 0.6), trained 8 epochs. Half of the multiply-accumulates are cut after 10 epochs with the penalty on all scales, which choose the channels, and 10 from the dense weights with the penalty (0.01) on these channels alone; against 20 epochs with the penalty on all (network slimming), and 10 with none. Right after the cut, and after 5 epochs of fine-tuning.",
	Seeds: 8,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b, g, err := glyphCNN(ctx, seed, put)
		if err != nil {
			return err
		}
		if err := b.dense(ctx, "dense", g); err != nil {
			return err
		}
		long := shrinks
		long.Epochs *= 2
		for _, tune := range []int{0, 5} {
			some, none, all := structured.NewMaskSparsity(), structured.NewMaskSparsity(), structured.NewSlimming()
			shrunk(&some.ChannelTarget, &some.Shrinking, .01)
			shrunk(&none.ChannelTarget, &none.Shrinking, 0)
			shrunk(&all.ChannelTarget, &all.Shrinking, .01)
			some.Tune, none.Tune, all.Tune = tune, tune, tune
			at := fmt.Sprintf(" +%d", tune)
			if err := b.arms(ctx, g, shrinks, arm{"masksparsity" + at, some}, arm{"no penalty" + at, none}); err != nil {
				return err
			}
			if err := b.arms(ctx, g, long, arm{"slimming" + at, all}); err != nil {
				return err
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		evidence.Beats("right after the cut it beats the penalty on all scales by 10 points", "masksparsity +0", "slimming +0", 10, "slimming +0", "no penalty +0"),
		evidence.Near("and is within 15 points of the dense network", "masksparsity +0", "dense", 15, "slimming +0", "no penalty +0"),
	},
	Asks: []evidence.Comparison{
		{Text: "after fine-tuning, the penalty on some scales, not on all", Method: "masksparsity +5", Without: "slimming +5"},
		{Text: "after fine-tuning, the penalty on some scales, not on none", Method: "masksparsity +5", Without: "no penalty +5"},
	},
}

var slimming = &evidence.Experiment{
	Name:  "slimming",
	About: "The network of masksparsity's experiment: half of the multiply-accumulates are cut by the size of the scales after 20 epochs with a penalty of 0.02 on all of them, and after 20 with none, right after the cut.",
	Seeds: 8,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b, g, err := glyphCNN(ctx, seed, put)
		if err != nil {
			return err
		}
		m, none := structured.NewSlimming(), structured.NewSlimming()
		shrunk(&m.ChannelTarget, &m.Shrinking, .02)
		shrunk(&none.ChannelTarget, &none.Shrinking, 0)
		long := shrinks
		long.Epochs *= 2
		return b.arms(ctx, g, long, arm{"slimming", m}, arm{"no penalty", none})
	},
	Claims: []evidence.Claim{evidence.Beats("the penalty is worth 10 points right after the cut", "slimming", "no penalty", 10, "no penalty")},
}
