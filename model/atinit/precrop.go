package atinit

import (
	_ "embed"

	"context"
	"fmt"

	"pare/catalog"
	"pare/model"
	"pare/prune"
)

// PreCrop crops channels before training.
type PreCrop struct {
	model.ChannelTarget
	Densities   string  `flag:"densities" choice:"synflow,snip,grasp,erk,uniform" doc:"what says how much of each layer stays: what synflow, snip or grasp would keep of its weights, or the allocations erk and uniform"`
	Iterations  int     `flag:"iterations" range:"[1,)" doc:"of synflow: times that scores are computed anew down to the target"`
	Balance     float64 `flag:"balance" range:"[0,)" doc:"weight of cropping a layer's inputs and outputs alike, beside that of its density (0: the density alone, which may alternate from layer to layer)"`
	Density     float64 `flag:"density" range:"[0,1]" doc:"share of the network that densities are taken at, which the targets then scale (0: that of the targets)"`
	Grow        float64 `flag:"grow" range:"[1,)" doc:"PreConfig: widths may grow up to this factor where the targets have room for it (1: they are cropped alone)"`
	KeepWeights bool    `flag:"keep-weights" doc:"what stays keeps the weights that it has, instead of new ones drawn for its width"`
	model.Sampled
	model.Fresh
	model.Layers
}

//go:embed precrop.md
var preCropDoc string

var preCropCard = &catalog.Card{
	ID: "22", Name: "precrop", Noun: "model", Title: "Cropping channels before training (PreCrop)",
	Paper: "Cai, Hua, Chen, Suh, De Sa, Zhang: Structured Pruning is All You Need for Pruning CNNs at Initialization (2022). arXiv 2203.02549",
	Cuts:  "channels", Needs: catalog.Weights, Doc: preCropDoc,
	Axes: catalog.Axes{SpeedUp: "universal", When: "before", How: "gradient sensitivity one-shot retrain", Supervision: "none unlabelled labels", Fusion: "none"},
}

// NewPreCrop gives the method with its defaults.
func NewPreCrop() *PreCrop {
	return &PreCrop{ChannelTarget: model.ChannelTarget{Params: .25, Round: 1, Least: .05}, Densities: "synflow", Iterations: 100, Balance: 1, Grow: 1, Sampled: model.Sampled{PerClass: 10}}
}

// Card describes the method.
func (*PreCrop) Card() *catalog.Card { return preCropCard }

// PreCropFacts are the densities that were asked for, and the widths that came of them.
type PreCropFacts struct {
	Layers []CroppedLayer `json:"layers"`
	Groups []CroppedGroup `json:"groups"`
	MACs   float64        `json:"macs"`   // share that is left
	Params float64        `json:"params"` // likewise
	// Of one training step at the recipe's batch: bytes that its plan holds, before and
	// after; 0 where nothing is trained.
	MemoryBefore int `json:"memory_before"`
	MemoryAfter  int `json:"memory_after"`
}

// CroppedLayer is a weight: which share of its entries was to stay, and does.
type CroppedLayer struct {
	Name   string  `json:"name"`
	Wanted float64 `json:"wanted"`
	Is     float64 `json:"is"`
}

// CroppedGroup is the width of layers that are cropped together.
type CroppedGroup struct {
	Name   string  `json:"name"`
	Width  int     `json:"width"`  // before
	Wanted float64 `json:"wanted"` // by least squares, before the targets
	Is     int     `json:"is"`
}

// Run crops the network, draws new weights and trains them.
func (s *PreCrop) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	ws, err := model.Candidates(j, s.Fresh, s.Layers)
	if err != nil {
		return nil, err
	}
	if err := s.Check(); err != nil {
		return nil, err
	}
	if s.MACs == 0 && s.Params == 0 {
		return nil, catalog.Errorf("no target: give {MACs} or {Params}, which densities come from")
	}
	if s.Grow > 1 {
		if err := s.CountsAlone("{Grow} above 1"); err != nil {
			return nil, err
		}
	}
	d, err := s.densities(ctx, j, ws)
	if err != nil {
		return nil, err
	}
	c, err := s.wider(j.Graph)
	if err != nil {
		return nil, err
	}
	c.layers = d
	target := s.ChannelTarget
	c.scale(&target)
	cut, kept, err := target.Cut(ctx, j.On(c.wide), c.rates, s.Scope())
	if err != nil {
		return nil, err
	}
	if !s.KeepWeights {
		if err := (prune.Init{Seed: j.Seed}).Apply(cut); err != nil {
			return nil, err
		}
	}
	res := &model.Result{Graph: cut, Facts: c.facts(cut, kept)}
	if s.Grow == 1 {
		res.Kept = kept
	}
	f := res.Facts.(*PreCropFacts)
	if f.MemoryBefore, err = j.TrainingMemory(j.Graph); err != nil {
		return nil, err
	}
	if f.MemoryAfter, err = j.TrainingMemory(cut); err != nil {
		return nil, err
	}
	s.say(j, res, f, c.rigid)
	res.Epochs, err = j.Fit(ctx, cut)
	return res, err
}

// say notes what stays, how much less it takes, and what could not grow.
func (s *PreCrop) say(j *model.Job, res *model.Result, f *PreCropFacts, rigid []string) {
	was, is := 0, 0
	for _, g := range f.Groups {
		was, is = was+g.Width, is+g.Is
	}
	text := fmt.Sprintf("%d of %d channels stay, %.1f %% of the multiply-accumulates and %.1f %% of the parameters", is, was, 100*f.MACs, 100*f.Params)
	if f.MemoryBefore > 0 {
		text += fmt.Sprintf("; a training step holds %.1f %% of the memory", 100*float64(f.MemoryAfter)/float64(f.MemoryBefore))
	}
	res.Note("%s", text)
	for _, why := range rigid {
		res.Note("%s", why)
	}
	if !s.KeepWeights && !j.Graph.Usage.Drawn && !s.Fresh.Fresh {
		res.Note("the weights are drawn anew at the new widths: nothing of what the network has learnt is left ({KeepWeights} keeps the weights that stay)")
	}
}
