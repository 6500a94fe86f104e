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

// residual is the recipe of the small residual network of channel experiments.
var residual = model.Recipe{Epochs: 8, Batch: 50, LR: .1, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}

// digitsResNet is a ResNet-8 on the digits, untrained and trained.
func digitsResNet(ctx context.Context, seed uint64, put func(string, float64)) (b *bench, untrained, g *graph.Graph, err error) {
	if b, err = digits(seed, put); err != nil {
		return
	}
	if untrained, err = zoo.New("resnet8", zoo.Options{In: []int{1, 8, 8}, Seed: seed}); err != nil {
		return
	}
	g, _ = untrained.Clone(true)
	return b, untrained, g, b.trained(ctx, g, residual)
}

// spaOf cuts to a share of the multiply-accumulates by a score.
func spaOf(macs float64, score, normalise string) *structured.SPA {
	s := structured.NewSPA()
	s.MACs, s.Round, s.Score, s.Normalise = model.Count(macs), 1, score, normalise
	return s
}

// obspaOf cuts to a share of the multiply-accumulates by what runs through the network.
func obspaOf(macs float64, calibrate, move string) *structured.OBSPA {
	s := structured.NewOBSPA()
	s.MACs, s.Round, s.Calibrate, s.Move = model.Count(macs), 1, calibrate, move
	return s
}

// other is a data set of other pictures of the same size.
const other = "glyph?n=600&test=10"

// unseen runs methods where there is no data at all, and puts the test accuracies.
func (b *bench) unseen(ctx context.Context, g *graph.Graph, arms ...arm) error {
	for _, a := range arms {
		j := b.job(g, model.Recipe{})
		j.Data = nil
		res, err := model.Run(ctx, a.m, j)
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		if err := b.dense(ctx, a.name, res.Graph); err != nil {
			return err
		}
	}
	return nil
}

var spa = &evidence.Experiment{
	ID: "06", Name: "spa",
	About: "ResNet-8 on the digits, trained 8 epochs, cut to 40 % of the multiply-accumulates without fine-tuning: group scores from |w|, w² and synaptic flow, divided by the group's mean or as they are (whole), and channels at random; OBSPA on samples of the training set, on other pictures (Glyph; their statistics, or those of before kept) and on uniform noise, and without moving the weights that are left (unmoved). Statistics of normalisation are estimated anew on the samples, after noise not. Without any data: OBSPA on noise against |w|. And cut to a tenth before training, by SNIP and at random.",
	Seeds: 12,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b, untrained, g, err := digitsResNet(ctx, seed, put)
		if err != nil {
			return err
		}
		chance, early, kept := structured.NewChannels(), structured.NewChannels(), obspaOf(.4, other, "obs")
		kept.Statistics = "keep"
		chance.MACs, chance.Round, chance.Score = .4, 1, "random"
		early.MACs, early.Round, early.Score = .1, 1, "random"
		if err := b.arms(ctx, g, model.Recipe{}, arm{"l1", spaOf(.4, "magnitude-l1", "mean")}, arm{"l2", spaOf(.4, "magnitude-l2", "mean")}, arm{"l2 whole", spaOf(.4, "magnitude-l2", "none")},
			arm{"synflow", spaOf(.4, "synflow", "mean")}, arm{"synflow whole", spaOf(.4, "synflow", "none")}, arm{"random", chance},
			arm{"obspa data", obspaOf(.4, "data", "obs")}, arm{"obspa other", obspaOf(.4, other, "obs")}, arm{"obspa other, kept", kept}, arm{"obspa uniform", obspaOf(.4, "uniform", "obs")}, arm{"unmoved data", obspaOf(.4, "data", "none")}); err != nil {
			return err
		}
		if err := b.unseen(ctx, g, arm{"unseen obspa", obspaOf(.4, "uniform", "obs")}, arm{"unseen l1", spaOf(.4, "magnitude-l1", "mean")}, arm{"unseen unmoved", obspaOf(.4, "uniform", "none")}); err != nil {
			return err
		}
		return b.arms(ctx, untrained, residual, arm{"before snip", spaOf(.1, "snip", "mean")}, arm{"before random", early})
	},
	Claims: []evidence.Claim{
		evidence.Beats("OBSPA on samples beats the L1 norm by 5 points", "obspa data", "l1", 5, "unmoved data", "random"),
		evidence.Beats("without any data OBSPA beats the L1 norm by 25 points", "unseen obspa", "unseen l1", 25, "unseen unmoved"),
		evidence.Beats("samples beat noise by 3 points", "obspa data", "obspa uniform", 3, "unmoved data"),
		evidence.Beats("the L1 norm beats channels at random by 4 points", "l1", "random", 4, "random"),
		evidence.Beats("squares divided by their group's mean beat squares as they are by 5 points", "l2", "l2 whole", 5, "l2 whole"),
		evidence.Beats("synaptic flow divided by its group's mean beats that as it is by 10 points", "synflow", "synflow whole", 10, "synflow whole"),
	},
	Asks: []evidence.Comparison{
		{Text: "other pictures, not noise", Method: "obspa other, kept", Without: "obspa uniform"},
		{Text: "statistics of other pictures", Method: "obspa other", Without: "obspa other, kept"},
		{Text: "a score, not chance, before training", Method: "before snip", Without: "before random"},
	},
}

var obspa = &evidence.Experiment{
	Name:  "obspa",
	About: "ResNet-8 on the digits, trained 8 epochs, cut to 40 % of the multiply-accumulates by OBSPA without fine-tuning, on 512 samples or 32, on uniform noise and on normal noise, with the weights that are left moved, or unmoved.",
	Seeds: 12,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b, _, g, err := digitsResNet(ctx, seed, put)
		if err != nil {
			return err
		}
		few := obspaOf(.4, "data", "obs")
		few.Samples = 32
		return b.arms(ctx, g, model.Recipe{}, arm{"samples", obspaOf(.4, "data", "obs")}, arm{"samples, unmoved", obspaOf(.4, "data", "none")}, arm{"32 samples", few},
			arm{"uniform", obspaOf(.4, "uniform", "obs")}, arm{"uniform, unmoved", obspaOf(.4, "uniform", "none")}, arm{"normal", obspaOf(.4, "normal", "obs")})
	},
	Claims: []evidence.Claim{
		evidence.Beats("on samples, moving the weights that are left is worth 5 points", "samples", "samples, unmoved", 5, "samples, unmoved"),
		evidence.Beats("on noise it is worth 30 points", "uniform", "uniform, unmoved", 30, "uniform, unmoved"),
	},
	Asks: []evidence.Comparison{
		{Text: "512 samples, not 32", Method: "samples", Without: "32 samples"},
		{Text: "uniform noise, not normal", Method: "uniform", Without: "normal"},
	},
}
