package structured

import (
	_ "embed"

	"context"
	"slices"

	"pare/catalog"
	"pare/graph"
	"pare/model"
	"pare/prune"
	"pare/prune/block"
	"pare/prune/hook"
	"pare/train"
)

// LayerLottery removes whole blocks, before the training or after it.
type LayerLottery struct {
	Blocks float64 `flag:"blocks" range:"[0,)" doc:"number of blocks that go, or, below 1, their share of those that can (0: as the budgets want, or one)"`
	model.Counts
	Score       string   `flag:"score" choice:"grasp,snip,kl,hrank,expectabs,pls,l1,angle,influence,random" doc:"what a block is worth: by gradients on labelled samples (grasp, snip), by what the outputs lose (kl), by its features (hrank, expectabs, pls), by its weights (l1), by how little the values turn on the way through blocks in a row (angle) or through each one (influence), or random"`
	When        string   `flag:"when" choice:"init,trained" doc:"init: blocks are scored and go before the training; trained: the dense network is trained first, and what is left goes back to where it was (setting rewind) and is trained on"`
	Rewind      train.At `flag:"rewind" kind:"time" doc:"with trained: how much training the weights keep that they go back to: optimiser steps (500it), epochs (25ep) or percent (5%)"`
	Reinit      bool     `flag:"reinit" doc:"with trained: what is left begins at weights that are drawn anew"`
	Unit        string   `flag:"unit" choice:"block,sublayer" doc:"what goes of a transformer: whole blocks, or attention and feed-forward branches singly"`
	Plain       bool     `flag:"plain" doc:"layers without a shortcut, whose input and output have one shape, may go too"`
	KeepFirst   bool     `flag:"keep-first" doc:"the first block stays"`
	StageLeast  int      `flag:"stage-least" range:"[0,)" doc:"number of the blocks that can go which stays at least of each stage (blocks in a row whose values have one shape)"`
	Include     []string `flag:"include" kind:"patterns" doc:"only blocks whose names match one of these patterns"`
	Exclude     []string `flag:"exclude" kind:"patterns" doc:"not the blocks whose names match one of these patterns"`
	Mean        bool     `flag:"mean-score" doc:"scores of weights are averaged over a block, not summed"`
	Temperature float64  `flag:"grasp-temperature" range:"(0,)" doc:"for grasp the network's outputs are divided by it before the loss"`
	Samples     int      `flag:"samples" range:"[1,)" doc:"samples of the training set that the scores look at which need no gradients"`
	Token       string   `flag:"token" choice:"last,all" doc:"for angle, of texts: the last token alone, or the mean over all"`
	Dense       bool     `flag:"against-dense" doc:"with init: train the dense network too, by the same recipe, and say whether the ticket wins"`
	Margin      float64  `flag:"margin" range:"[0,)" doc:"by how much the ticket may be worse than the dense network and still win, in the units of the metric (points of per cent)"`
	model.Sampled
	model.Fresh

	Rate func(blocks []*block.Block) []float64 // in the place of Score, to compare with or of one's own: lowest goes first; nil: Score
}

//go:embed layer-lottery.md
var layerLotteryDoc string

var layerLotteryCard = &catalog.Card{
	ID: "02", Name: "layer-lottery", Noun: "model", Title: "Removing whole blocks, at initialisation or after training",
	Paper: "Jordao, de Araujo, Maia, Pedrini: When Layers Play the Lottery, all Tickets Win at Initialization (2023). arXiv 2301.10835; angle: Gromov, Tirumala, Shapourian, Glorioso, Roberts: The Unreasonable Ineffectiveness of the Deeper Layers (ICLR 2025). arXiv 2403.17887; influence: Men, Xu, Zhang, Wang, Lin, Lu, Han, Chen: ShortGPT: Layers in Large Language Models are More Redundant Than You Expect (2024). arXiv 2403.03853",
	Cuts:  "blocks", Needs: catalog.Labels, Doc: layerLotteryDoc,
	Axes: catalog.Axes{SpeedUp: "universal", When: "before after", How: "gradient sensitivity activation norm random one-shot retrain rewind", Supervision: "labels", Fusion: "none"},
}

// NewLayerLottery gives the method with its defaults.
func NewLayerLottery() *LayerLottery {
	return &LayerLottery{Score: "grasp", When: "init", Unit: "block", Temperature: 200, Samples: 512, Token: "last", Sampled: model.Sampled{PerClass: 25}}
}

// Card describes the method.
func (*LayerLottery) Card() *catalog.Card { return layerLotteryCard }

// Drives says that trainings are the method's own where it compares or repeats them.
func (s *LayerLottery) Drives() bool { return s.When == "trained" || s.Dense }

// Run scores the blocks, removes the least important at once, and trains what is left.
func (s *LayerLottery) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if err := s.check(j); err != nil {
		return nil, err
	}
	l := &layers{set: s, Job: j, facts: &LayerFacts{}}
	if err := l.find(); err != nil {
		return nil, err
	}
	if err := s.Redraw(j); err != nil {
		return nil, err
	}
	run := l.early
	if s.When == "trained" {
		run = l.late
	}
	res, err := run(ctx)
	if err != nil {
		return nil, err
	}
	res.Facts = l.facts
	l.note(res)
	return res, nil
}

// judges are the scores of networks that have learnt something.
var judges = []string{"kl", "hrank", "expectabs", "pls", "angle", "influence"}

// check says which settings do not go together.
func (s *LayerLottery) check(j *model.Job) error {
	if err := s.Counts.Check(); err != nil {
		return err
	}
	switch {
	case s.Blocks > 0 && (s.MACs > 0 || s.Params > 0):
		return catalog.Errorf("{Blocks} says how many go, {MACs} and {Params} what may stay: give one or the others")
	case s.Blocks > 1 && s.Blocks != float64(int(s.Blocks)):
		return catalog.Errorf("{Blocks} %v: above 1 it is a whole number of blocks, below 1 a share", s.Blocks)
	case s.When == "trained":
		if s.Dense {
			return catalog.Errorf("with {When} trained the dense network is trained anyway: leave {Dense} out")
		}
		if s.Reinit && s.Rewind.X != 0 {
			return catalog.Errorf("weights that are drawn anew ({Reinit}) go back to no step: leave {Rewind} out")
		}
		if err := j.NeedsTraining("{When} trained scores a network that was trained here"); err != nil {
			return err
		}
		_, err := j.StepAt("Rewind", s.Rewind)
		return err
	case s.Rewind.X != 0:
		return catalog.Errorf("{Rewind} goes back to a step of the dense network's training, of which {When} init has none: give {When} trained")
	case s.Reinit:
		return catalog.Errorf("{Reinit} is a control of {When} trained; {Fresh} draws initial weights")
	case s.Rate == nil && slices.Contains(judges, s.Score) && (s.Fresh.Fresh || j.Graph.Usage.Drawn):
		return catalog.Errorf("{Score} %s judges what a network has learnt, and this one is untrained: give {When} trained, a trained network, or {Score} grasp", s.Score)
	case s.Dense:
		return j.NeedsTraining("the dense network is trained to compare with")
	}
	return nil
}

// layers is a run of the method.
type layers struct {
	set *LayerLottery
	*model.Job
	blocks  []*block.Block
	whole   []block.Whole
	facts   *LayerFacts
	trained *graph.Graph // the dense network, once it is
}

// early removes blocks and trains what is left.
func (l *layers) early(ctx context.Context) (*model.Result, error) {
	c, err := l.cut(ctx)
	if err != nil {
		return nil, err
	}
	res := &model.Result{Graph: c}
	switch {
	case !l.set.Dense && l.Recipe.Epochs == 0 && l.Graph.Usage.Drawn: // the ticket itself
		return res, nil
	case !l.set.Dense:
		return res, l.Tune(ctx, res)
	}
	if _, err := l.Repair(ctx, res); err != nil {
		return nil, err
	}
	runs := l.NewSeries(2)
	if _, err := runs.Fit(ctx, l.Job, l.Graph); err != nil {
		return nil, err
	}
	if err := l.judge(ctx, &l.facts.Dense, l.Graph); err != nil {
		return nil, err
	}
	if res.Epochs, err = runs.Fit(ctx, l.Job, c); err != nil {
		return nil, err
	}
	return res, l.judge(ctx, &l.facts.Ticket, c)
}

// late trains the dense network, removes blocks by what it has learnt, and trains what is
// left from an earlier step on.
func (l *layers) late(ctx context.Context) (*model.Result, error) {
	at, err := l.StepAt("Rewind", l.set.Rewind)
	if err != nil {
		return nil, err
	}
	start := hook.NewSnapshot(l.Graph, at)
	runs := l.NewSeries(2)
	if _, err := runs.Fit(ctx, l.Job, l.Graph, start); err != nil {
		return nil, err
	}
	if err := l.judge(ctx, &l.facts.Dense, l.Graph); err != nil {
		return nil, err
	}
	gone, err := l.pick(ctx)
	if err != nil {
		return nil, err
	}
	if err := start.Restore(l.Graph); err != nil {
		return nil, err
	}
	c, err := l.remove(gone)
	if err != nil {
		return nil, err
	}
	k := *l.Job
	if k.From = at; l.set.Reinit {
		k.From = 0
		if err := (prune.Init{Seed: l.OtherSeed(1)}).Apply(c); err != nil {
			return nil, err
		}
	}
	res := &model.Result{Graph: c}
	if res.Epochs, err = runs.Fit(ctx, &k, c); err != nil {
		return nil, err
	}
	return res, l.judge(ctx, &l.facts.Ticket, c)
}

// cut scores, chooses and removes blocks of the job's network.
func (l *layers) cut(ctx context.Context) (*graph.Graph, error) {
	gone, err := l.pick(ctx)
	if err != nil {
		return nil, err
	}
	return l.remove(gone)
}
