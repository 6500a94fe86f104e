package structured

import (
	_ "embed"

	"context"

	"pare/catalog"
	"pare/graph"
	"pare/model"
	"pare/prune/structure"
)

// Channels cuts coupled channels that are worth least.
type Channels struct {
	model.ChannelTarget
	Score   string `flag:"score" choice:"auto,taylor,taylor2,reconstruction,activations,hrank,norm,l1,l2,fpgm,slimming,random" doc:"what a channel is worth: taylor (what the loss, or the distillation, does without it, by gradients; taylor2: by the second order, weight by weight), reconstruction (what the layers that read it lose without it, when the other weights take over what they can), activations (what it brings to these layers), hrank (the rank of its feature maps), norm (of the weights that go with it), l1 or l2 (of the filters that make it alone), fpgm (how far these are from those of the others), slimming (the scale of its batch normalisation), random, or auto: reconstruction where there is data, else norm"`
	Samples int    `flag:"samples" range:"[1,)" doc:"samples of the training set that scores by gradients and by what goes into layers look at"`
	model.InSteps
	model.Layers

	Rate model.ChannelScore // in the place of Score, to compare with or of one's own; nil: Score
}

//go:embed channels.md
var channelsDoc string

var channelsCard = &catalog.Card{
	Name: "channels", Noun: "model", Title: "Coupled channels",
	Paper: "groups found on the graph: Fang, Ma, Song, Mi, Wang 2023, arXiv 2301.12900; taylor: Molchanov, Mallya, Tyree, Frosio, Kautz 2019, arXiv 1906.10771; taylor2: LeCun, Denker, Solla 1990; norms of filters: Li, Kadav, Durdanovic, Samet, Graf 2017, arXiv 1608.08710, and He, Kang, Dong, Fu, Yang 2018, arXiv 1808.06866; fpgm: He, Liu, Wang, Hu, Yang 2019, arXiv 1811.00250; slimming: Liu, Li, Shen, Huang, Yan, Zhang 2017, arXiv 1708.06519; hrank: Lin, Ji, Wang, Zhang, Zhang, Tian, Shao 2020, arXiv 2002.10179; activations: Sun, Liu, Bair, Kolter 2023, arXiv 2306.11695; reconstruction: He, Zhang, Sun 2017, arXiv 1707.06168",
	Cuts:  "channels", Needs: catalog.Weights, Doc: channelsDoc,
	Axes: catalog.Axes{SpeedUp: "universal", When: "after", How: "norm sensitivity gradient curvature activation one-shot iterative retrain reconstruct", Supervision: "none unlabelled labels", Fusion: "none"},
}

// NewChannels gives the method with its defaults.
func NewChannels() *Channels {
	return &Channels{ChannelTarget: model.ChannelTarget{MACs: .5, Least: .1}, Score: "auto", Samples: 512}
}

// Card describes the method.
func (*Channels) Card() *catalog.Card { return channelsCard }

// Run cuts to the target and fine-tunes the smaller network.
func (s *Channels) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	r := &rating{Channels: s}
	cutter := &model.Cutter{Target: s.ChannelTarget, InSteps: s.InSteps, Scope: s.Scope(),
		Rate: func(ctx context.Context, j *model.Job, g *graph.Graph, groups []*structure.Group) ([][]float64, bool, error) {
			r.job = j
			return r.rate(ctx, g, groups)
		}}
	res, err := cutter.Run(ctx, j)
	if err != nil {
		return nil, err
	}
	said := &model.Result{Notes: r.said}
	for _, k := range r.skips {
		said.Note("%s %s: it has no say in what channels are worth", k.Name, k.Why)
	}
	res.Notes = append(said.Notes, res.Notes...)
	return res, nil
}
