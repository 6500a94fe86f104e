package structured

import (
	_ "embed"

	"context"
	"math"
	"slices"
	"strings"

	"pare/catalog"
	"pare/graph"
	"pare/model"
	"pare/prune"
	"pare/prune/score"
	"pare/prune/structure"
	"pare/train"
)

// Adapters is structured pruning adapters.
type Adapters struct {
	model.ChannelTarget
	Adapter string   `flag:"adapter" kind:"KIND:SIZE" doc:"what is trained in the place of a weight: splora:RANK (a product of two thin matrices; a rank below 1 is a share of the outputs), sppara (a matrix) or splopa:PROTOTYPES:PxQ (blocks of rank 1 that all weights have in common); of kernels, at the tap in the middle"`
	Init    float64  `flag:"adapter-init" range:"(0,)" doc:"the part of an adapter that makes it small begins with uniform numbers within plus and minus this"`
	Score   string   `flag:"score" choice:"norm,taylor" doc:"what a channel is worth: norm (of the filters that make it, source and adapter together) or taylor (what the loss does without it, by gradients); of every group as shares of its length"`
	Samples int      `flag:"samples" range:"[1,)" doc:"samples of the training set that the score taylor looks at"`
	Warm    int      `flag:"warm" range:"[0,)" doc:"epochs in which adapters are trained before the first cut"`
	Trained []string `flag:"train-whole" kind:"patterns" doc:"weights by pattern that are trained themselves, without adapters, such as a classifier that is new to the task"`
	model.InSteps
	model.Layers

	Whole bool // the weights themselves are trained, without adapters, to compare with
	Still bool // adapters stay as they are drawn, to compare with
}

//go:embed adapters.md
var adaptersDoc string

var adaptersCard = &catalog.Card{
	ID: "53", Name: "adapters", Noun: "model", Title: "Structured pruning adapters",
	Paper: "Hedegaard: Efficient Online Processing with Deep Neural Networks (dissertation, Aarhus 2023), arXiv 2306.13474; adapters: Hedegaard, Alok, Jose, Iosifidis 2022, arXiv 2211.10155",
	Cuts:  "channels", Needs: catalog.Trains, Doc: adaptersDoc,
	Axes: catalog.Axes{SpeedUp: "universal", When: "during", How: "norm gradient iterative retrain", Supervision: "labels", Fusion: "low-rank"},
}

// NewAdapters gives the method with its defaults.
func NewAdapters() *Adapters {
	return &Adapters{ChannelTarget: model.ChannelTarget{MACs: .5, Least: .05}, Adapter: "splora:16", Init: 1e-4, Score: "norm", Samples: 512, Warm: 1}
}

// Card describes the method.
func (*Adapters) Card() *catalog.Card { return adaptersCard }

// Drives says that the trainings are the method's own.
func (*Adapters) Drives() bool { return true }

// AdaptersFacts are what a task has learned beside its source.
type AdaptersFacts struct {
	Learned int                `json:"learned"` // numbers that the adapters need, with what else is trained
	Tuned   int                `json:"tuned"`   // parameters of the network that is left: all that fine-tuning would have learned
	Layers  []AdaptersLayer    `json:"layers"`
	Cuts    model.ChannelFacts `json:"cuts"`
}

// AdaptersLayer is one adapter.
type AdaptersLayer struct {
	Name    string `json:"name"`
	Outputs int    `json:"outputs"` // that stay
	Inputs  int    `json:"inputs"`
	Numbers int    `json:"numbers"` // of the adapter, for these
}

// Run trains adapters, and cuts the channels of source and adapters in steps.
func (s *Adapters) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if err := j.NeedsTraining("adapters are trained"); err != nil {
		return nil, err
	}
	if strings.Contains(j.Recipe.Recover, "solve") && !s.Whole {
		return nil, catalog.Errorf("{Recipe.Recover} %s: a weight is its source and an adapter, which training alone moves; give auto, train or distil", j.Recipe.Recover)
	}
	ws, err := s.Weights(j.Graph)
	if err != nil {
		return nil, err
	}
	a, err := s.adapters(j, ws)
	if err != nil {
		return nil, err
	}
	cutter := &model.Cutter{Target: s.ChannelTarget, InSteps: s.InSteps, Scope: s.Scope(), Rate: s.rate, Warm: s.Warm}
	if !s.Whole {
		cutter.Hooks = func(g *graph.Graph, kept structure.Kept) []train.Hook {
			h := a.hook(kept)
			h.Still = s.Still
			return []train.Hook{h}
		}
	}
	res, err := cutter.Run(ctx, j)
	if err != nil {
		return nil, err
	}
	facts := a.facts(res)
	res.Facts = facts
	if s.Whole {
		return res, nil
	}
	for _, k := range a.skips {
		res.Note("%s %s: it stays as in the source", k.Name, k.Why)
	}
	res.Note("the task has learned %d numbers, %.1f %% of the %d that fine-tuning of what is left would have learned", facts.Learned, 100*float64(facts.Learned)/float64(max(1, facts.Tuned)), facts.Tuned)
	return res, nil
}

// rate rates channels by the network as it is, source and adapters together, each group's
// as shares of its Euclidean length.
func (s *Adapters) rate(ctx context.Context, j *model.Job, g *graph.Graph, groups []*structure.Group) ([][]float64, bool, error) {
	var rates [][]float64
	if s.Score == "taylor" {
		if err := quantised(groups); err != nil {
			return nil, false, err
		}
		ws, err := prune.Weights(g, prune.Scope{})
		if err != nil {
			return nil, false, err
		}
		t := score.NewTaylor(groups, ws)
		if _, _, err := j.EachGradient(ctx, t.Weights, s.Samples, t.Add); err != nil {
			return nil, false, err
		}
		rates = t.Rates()
	} else {
		rates = madeBy(groups)
	}
	for _, of := range rates {
		length := 0.
		for c, x := range of {
			of[c] = math.Sqrt(x)
			length += x
		}
		if length = math.Sqrt(length); length > 0 {
			for c := range of {
				of[c] /= length
			}
		}
	}
	return rates, false, nil
}

// madeBy is the squared norm of the filters that make each channel.
func madeBy(groups []*structure.Group) [][]float64 {
	out := make([][]float64, len(groups))
	for i, grp := range groups {
		out[i] = make([]float64, len(grp.Channels))
		for _, k := range grp.Makes() {
			x := grp.Axes[k].Value.Const.F32()
			for c := range out[i] {
				for _, e := range grp.Entries(k, c) {
					w := float64(at(x, e))
					out[i][c] += w * w
				}
			}
		}
	}
	return out
}

// facts counts what the task has learned.
func (a *adapterSet) facts(res *model.Result) *AdaptersFacts {
	f := &AdaptersFacts{}
	if c, ok := res.Facts.(*model.ChannelFacts); ok {
		f.Cuts = *c
	}
	h := a.hook(res.Kept)
	adapted := map[string]bool{}
	for _, x := range h.Of {
		n := x.Change.Count(x.Rows, x.Cols)
		f.Layers = append(f.Layers, AdaptersLayer{x.Name, len(x.Rows), len(x.Cols), n})
		f.Learned += n
		adapted[x.Name] = true
	}
	f.Learned += a.shared
	for _, v := range res.Graph.Params() {
		f.Tuned += v.Const.Len()
		if !adapted[v.Name] && !slices.Contains(h.Frozen, v.Name) {
			f.Learned += v.Const.Len()
		}
	}
	return f
}
