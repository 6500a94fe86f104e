package language

import (
	_ "embed"

	"context"
	"fmt"
	"slices"
	"strings"

	"pare/catalog"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/hook"
)

// PERP is retraining few parameters of a pruned network.
type PERP struct {
	Way       string           `flag:"way" choice:"retrain,reconstruct,both" doc:"retrain (the recipe's epochs, by the loss), reconstruct (block after block, each to give what it gave before it was cut) or both, in turn"`
	Criterion string           `flag:"criterion" choice:"zeros,magnitude,random,wanda,sparsegpt" doc:"what is cut first: zeros (nothing: the zeros of a network that was pruned before are its mask), or weights by magnitude, at random, by wanda or by sparsegpt, the same share of every layer"`
	Sparsity  float64          `flag:"sparsity" range:"[0,1)" doc:"share of every weight that is cut; without a criterion nothing is"`
	Pattern   allocate.Pattern `flag:"pattern" doc:"what is cut: single weights (empty), N:M such as 2:4 (N of every M inputs stay), or block:HxW tiles"`
	Adapter   string           `flag:"adapter" choice:"masklora,scalelora,lora-prune,weights,none" doc:"what is trained of the weights that were cut: masklora (a thin product where the mask keeps the weight), scalelora (a thin product that multiplies it), lora-prune (a thin product, cut in the end), weights (all that stay, themselves) or none"`
	Rank      int              `flag:"lora-rank" range:"[1,)" doc:"of the thin products"`
	Alpha     float64          `flag:"lora-alpha" range:"(0,)" doc:"products are added lora-alpha/lora-rank times"`
	Parts     []string         `flag:"parts" kind:"biases,norms,head" doc:"what is trained as well: biases, norms (scales and shifts of normalisation), head (a thin product beside the last layer, which is not cut); none for nothing"`
	Rate      float64          `flag:"perp-lr" range:"(0,)" doc:"peak learning rate of these trainings, by AdamW without decay: a linear rise over the first tenth, then linear to 0; the recipe's rate, schedule and optimiser are not used"`
	Passes    int              `flag:"block-epochs" range:"[1,)" doc:"with reconstruct: passes over the samples for each block"`
	Samples   int              `flag:"samples" range:"[1,)" doc:"samples of the training set, without their labels, that wanda and sparsegpt look at and that blocks are reconstructed on"`
	Dense     bool             `flag:"dense-inputs" doc:"with reconstruct: blocks are to give what they gave in the network before, on its own values, not on those of the blocks before them that were cut"`
	model.Layers
}

//go:embed perp.md
var perpDoc string

var perpCard = &catalog.Card{
	ID: "24", Name: "perp", Noun: "model", Title: "Retraining few parameters of a pruned network (PERP)",
	Paper: "Zimmer, Andoni, Spiegel, Pokutta: PERP: Rethinking the Prune-Retrain Paradigm in the Era of LLMs (2023). arXiv 2312.15230",
	Cuts:  "weights, N:M groups, blocks", Needs: catalog.Samples, Doc: perpDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "after", How: "magnitude activation curvature random one-shot retrain reconstruct", Supervision: "labels unlabelled", Fusion: "low-rank"},
}

// NewPERP gives the method with its defaults.
func NewPERP() *PERP {
	return &PERP{Way: "retrain", Criterion: "magnitude", Sparsity: .5, Adapter: "masklora", Rank: 16, Alpha: 32, Parts: []string{"biases", "norms", "head"}, Rate: 5e-4, Passes: 2, Samples: 128}
}

// Card describes the method.
func (*PERP) Card() *catalog.Card { return perpCard }

// Drives says that the trainings are the method's own.
func (*PERP) Drives() bool { return true }

// PERPFacts are what was trained, and what it came to.
type PERPFacts struct {
	Trained int         `json:"trained"` // numbers
	Params  int         `json:"params"`  // of the network
	Blocks  []PERPBlock `json:"blocks,omitempty"`
}

// PERPBlock is a block that was reconstructed.
type PERPBlock struct {
	From   string  `json:"from"` // value that it reads
	To     string  `json:"to"`   // value that it makes
	Before float64 `json:"before"`
	After  float64 `json:"after"` // mean squared error of what it makes, over the mean square of what it is to make
}

// Run cuts, and trains few parameters.
func (s *PERP) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if err := s.check(j); err != nil {
		return nil, err
	}
	dense, _ := j.Graph.Clone(true)
	res, err := s.cut(ctx, j)
	if err != nil {
		return nil, err
	}
	masks := res.Masks
	res.Note("trained by AdamW at a peak rate of %v ({Rate}), without decay; the recipe's rate, schedule and optimiser are not used", s.Rate)
	f := &PERPFacts{}
	res.Facts = f
	for _, v := range j.Graph.Params() {
		f.Params += v.Const.Len()
	}
	var blocks []*part
	if s.Way != "retrain" {
		if blocks, err = s.blocks(j, masks, res); err != nil {
			return nil, err
		}
	}
	runs := j.NewSeries(len(blocks) + 1)
	runs.Steps = 0
	left, err := s.reconstruct(ctx, j, runs, dense, masks, blocks, res)
	if err != nil {
		return nil, err
	}
	if s.Way != "reconstruct" {
		t, err := s.trained(j.Graph, masks, j.Seed, nil, true)
		if err != nil {
			return nil, err
		}
		left = t.left
		for _, n := range t.notes {
			res.Note("%s", n)
		}
		f.Trained = t.count // with what the blocks trained
		if f.Trained == 0 {
			return nil, s.nothing()
		}
		if err := j.LogUntuned(ctx, j.Graph); err != nil {
			return nil, err
		}
		epochs, err := runs.Fit(ctx, s.recipe(j, j.Recipe.Epochs), j.Graph, t.hooks...)
		if err != nil {
			return nil, err
		}
		res.Add(epochs)
		masks.Apply() // with lora-prune; of the others zeros are zeros already
	}
	if f.Trained == 0 {
		return nil, s.nothing()
	}
	if len(left) > 0 {
		res.Note("no {Adapter} can be laid over %s: such a weight is trained by {Adapter} weights alone", strings.Join(left, ", "))
	}
	res.Note("%d numbers were trained, %.3g %% of the network's %d", f.Trained, 100*float64(f.Trained)/float64(max(1, f.Params)), f.Params)
	return res, nil
}

// check says which settings do not go together, before any work.
func (s *PERP) check(j *model.Job) error {
	known := []string{"biases", "norms", "head", "none"}
	for _, p := range s.Parts {
		if !slices.Contains(known, p) {
			return catalog.Errorf("{Parts} %s: some of %s are known", p, strings.Join(known, ", "))
		}
	}
	switch {
	case slices.Contains(s.Parts, "none") && len(s.Parts) > 1:
		return catalog.Errorf("{Parts} %s: none stands alone", strings.Join(s.Parts, ","))
	case s.Adapter == "none" && !s.with("biases") && !s.with("norms") && (!s.with("head") || s.Way == "reconstruct"):
		return catalog.Errorf("{Adapter} none and {Parts} %s: nothing would be trained", strings.Join(s.Parts, ","))
	case s.Way != "reconstruct":
		if err := j.NeedsTraining("a pruned network is retrained; {Way} reconstruct needs samples alone"); err != nil {
			return err
		}
	}
	if j.Data == nil || j.Data.Train == nil || j.Data.Train.Len() == 0 {
		return catalog.Errorf("blocks are reconstructed on samples, which need no labels: give {Data}")
	}
	return nil
}

// with says whether a part is trained.
func (s *PERP) with(part string) bool { return slices.Contains(s.Parts, part) }

// recipe is a job's training by AdamW.
func (s *PERP) recipe(j *model.Job, epochs int) *model.Job {
	k := *j
	k.Recipe.Epochs = epochs
	k.Recipe.Optimizer, k.Recipe.Decay, k.Recipe.LR, k.Recipe.Keep = "adamw", 0, s.Rate, "last"
	steps, warm := k.Steps(), k.Steps()/10
	k.Recipe.Schedule = fmt.Sprintf("wsd:%v+warmup:%d", (float64(steps-warm)+.5)/float64(max(1, steps)), warm) // falls from the peak on
	return &k
}

// hold keeps what masks cut at zero, where the weights themselves are trained.
func hold(masks *prune.Masks) *hook.Hold { return &hook.Hold{Masks: masks} }
