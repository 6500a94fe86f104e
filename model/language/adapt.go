package language

import (
	_ "embed"

	"context"
	"math"

	"pare/catalog"
	"pare/model"
	"pare/prune/structure"
	"pare/train"
)

// AdaptPruner makes the layers of a transformer narrower little by little, each at a rate of
// its own, in turn with training.
type AdaptPruner struct {
	model.Counts
	Stages    int     `flag:"stages" range:"[0,)" doc:"stages in which pruning and training take turns; the targets are approached in equal differences (0: as many as take 5 % of the network each, and one where nothing is trained)"`
	Shares    string  `flag:"stage-shares" choice:"linear,constant,cosine" doc:"how the steps of the training are shared out: linear (stage k has 2k/(K(K+1)) of them), constant, or cosine (1-cos(pi k/2K) after stage k)"`
	Amplitude float64 `flag:"amplitude" range:"[0,)" doc:"by how much the share that a cut takes of a layer may differ from the mean (0: all layers lose the same share)"`
	Ratio     float64 `flag:"ratio" range:"(0,1]" doc:"share that all cuts of a stage would take of the layers: each takes ratio/cuts on average, and they end at the target"`
	Cuts      int     `flag:"cuts" range:"[1,)" doc:"cuts in a stage, at most"`
	Distance  string  `flag:"distance" choice:"cosine,euclidean,manhattan" doc:"how much a layer changes what goes into it, and so how important it is"`
	Score     string  `flag:"score" choice:"taylor,vector,second,mixed,l1,l2,random" doc:"what heads and neurons of a layer are worth, from the weights w that go with them and the gradients g of the loss: taylor (sum of |w g|), vector (|sum w g| of each row), second (w² E[g²]), mixed (|w g - w² E[g²]/2|), l1 (|w|), l2 (w²), or random"`
	Samples   int     `flag:"samples" range:"[1,)" doc:"samples of the training set that a cut looks at, drawn anew for each"`
	model.Layers
}

//go:embed adapt.md
var adaptDoc string

var adaptCard = &catalog.Card{
	ID: "21", Name: "adapt-pruner", Noun: "model", Title: "Layers made narrower at rates of their own, in turn with training (Adapt-Pruner)",
	Paper: "Pan, Wang, Diao, Pan, Zhang, Pi, Zhang: Adapt-Pruner: Adaptive Structural Pruning for Efficient Small Language Model Training (2025). arXiv 2502.03460; the group score: Ma, Fang, Wang: LLM-Pruner (NeurIPS 2023). arXiv 2305.11627",
	Cuts:  "heads, feed-forward neurons", Needs: catalog.Samples, Doc: adaptDoc,
	Axes: catalog.Axes{SpeedUp: "universal", When: "after", How: "gradient activation sensitivity curvature norm random iterative retrain", Supervision: "labels unlabelled", Fusion: "none"},
}

// NewAdaptPruner gives the method with its defaults.
func NewAdaptPruner() *AdaptPruner {
	return &AdaptPruner{Counts: model.Counts{Params: .7}, Shares: "linear", Amplitude: .02, Ratio: 1, Cuts: 50, Distance: "cosine", Score: "taylor", Samples: 512}
}

// Card describes the method.
func (*AdaptPruner) Card() *catalog.Card { return adaptCard }

// Drives says that trainings are the method's own where there may be several.
func (s *AdaptPruner) Drives() bool { return s.Stages != 1 }

// Size is what a network takes.
type Size struct {
	MACs   int64 `json:"macs"` // for one sample
	Params int64 `json:"params"`
}

func sizeOf(c structure.Cost) Size { return Size{c.MACs, c.Params} }

// AdaptFacts are what the layers lost, and when.
type AdaptFacts struct {
	Before Size         `json:"before"`
	After  Size         `json:"after"`
	Roots  []RootFact   `json:"roots"` // what may become narrower, in the network's order
	Stages []AdaptStage `json:"stages"`
}

// RootFact is what the heads or the neurons of a layer were and are.
type RootFact struct {
	Layer  string         `json:"layer"`
	Name   string         `json:"name"` // of the weight that makes them
	Kind   structure.Kind `json:"kind"`
	Before int            `json:"before"`
	After  int            `json:"after"`
}

// AdaptStage is a turn of pruning and training.
type AdaptStage struct {
	Target Size         `json:"target"` // 0: not asked for
	Cuts   []AdaptCut   `json:"cuts"`
	After  Size         `json:"after"`
	From   int          `json:"from"` // steps of the training
	Until  int          `json:"until"`
	Cut    *train.Score `json:"cut,omitempty"`     // before the training, on what is held out
	Tuned  *train.Score `json:"trained,omitempty"` // after it
}

// AdaptCut is a step of pruning.
type AdaptCut struct {
	Importance []float64 `json:"importance"` // of each layer: minus the cosine, or the distance
	Ratio      []float64 `json:"ratio"`      // of each root: the share that is to be gone since the stage began
	Params     int64     `json:"params"`     // that are left
	MACs       int64     `json:"macs"`
}

// Run prunes and trains by turns.
func (s *AdaptPruner) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	a, err := s.begin(j)
	if err != nil {
		return nil, err
	}
	k := len(a.targets)
	ends, err := stageEnds(s.Shares, j.Steps(), k)
	if err != nil {
		return nil, err
	}
	res := &model.Result{Graph: j.Graph, Facts: a.facts, Notes: a.notes}
	runs := j.NewSeries(k)
	runs.Steps = j.Steps()
	for i := range k {
		if err := a.prune(ctx, res, i); err != nil {
			return nil, j.Interrupted(ctx, err)
		}
		if k == 1 {
			a.facts.Stages[0].Until = j.Steps()
			if err := j.Tune(ctx, res); err != nil {
				return nil, err
			}
			break
		}
		from := 0
		if i > 0 {
			from = ends[i-1]
		}
		if err := a.train(ctx, res, runs, i, from, ends[i]); err != nil {
			return nil, err
		}
	}
	a.finish(res)
	return res, nil
}

// stageEnds are the steps at which the trainings of k stages end, of so many in all: stage i
// has a share of them, and one at least. nil where nothing is trained.
func stageEnds(shares string, steps, k int) ([]int, error) {
	if steps == 0 {
		return nil, nil
	}
	if steps < k {
		return nil, catalog.Errorf("{Stages} %d: the training has %d steps, fewer than one a stage: give more {Recipe.Epochs} or {Data}, or fewer {Stages}", k, steps)
	}
	ends := make([]int, k)
	last := 0
	for i := range ends {
		n := float64(i + 1)
		done := n / float64(k)
		switch shares {
		case "linear":
			done = n * (n + 1) / float64(k*(k+1))
		case "cosine":
			done = 1 - math.Cos(math.Pi*n/float64(2*k))
		}
		last = min(max(last+1, int(math.Round(done*float64(steps)))), steps-(k-1-i))
		ends[i] = last
	}
	ends[k-1] = steps
	return ends, nil
}
