package gradual

import (
	_ "embed"

	"cmp"
	"context"
	"fmt"
	"math"

	"pare/catalog"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/hook"
	"pare/prune/schedule"
	"pare/prune/score"
	"pare/train"
)

// GraNet is gradual pruning with neuroregeneration.
type GraNet struct {
	Sparsity float64       `flag:"sparsity" range:"[0,1)" doc:"final sparsity"`
	Initial  float64       `flag:"initial" range:"[0,1)" doc:"sparsity at the start: 0 starts dense, 0.5 is the paper's sparse-to-sparse training"`
	Allocate allocate.Name `flag:"allocate" choice:"erk,er,uniform" doc:"how much of each layer a sparse start has: erk, er or uniform"`
	Rank     allocate.Name `flag:"rank" choice:"global,uniform" doc:"pruning by magnitude over all layers (global), or with the same sparsity in each (uniform; at 0.8 and above the last layer keeps a fifth)"`
	Begin    train.At      `flag:"begin" kind:"time" doc:"start of the window: 10%, 2ep or 500it"`
	End      train.At      `flag:"end" kind:"time" doc:"end of the window; the exchange goes on after it"`
	Every    int           `flag:"every" range:"[1,)" doc:"steps between changes of the masks"`
	Exchange float64       `flag:"exchange" range:"[0,1)" doc:"share of each layer's weights that is exchanged at first, in [0,1); it falls along a cosine to 0.005; 0 is gradual pruning alone"`
	Grow     string        `flag:"grow" choice:"gradient,random" doc:"what grows: gradient (the largest) or random"`
	Batches  int           `flag:"grow-batches" range:"[1,)" doc:"number of batches whose gradients say what grows"`
	model.Fresh
	model.Layers

	Power float64 // of the polynomial along which the sparsity rises, to compare with the paper's cubic; 0: 3
}

// least is the share that is exchanged at the end of the training.
const least = .005

//go:embed granet.md
var granetDoc string

var granetCard = &catalog.Card{
	ID: "14", Name: "granet", Noun: "model", Title: "GraNet: gradual pruning with zero-cost neuroregeneration",
	Paper: "Liu, Chen, Chen, Atashgahi, Yin, Kou, Shen, Pechenizkiy, Wang, Mocanu: Sparse Training via Boosting Pruning Plasticity with Neuroregeneration (NeurIPS 2021). arXiv 2106.10404",
	Cuts:  "weights", Needs: catalog.Trains, Doc: granetDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "during", How: "magnitude gradient iterative regrow retrain", Supervision: "labels", Fusion: "none"},
}

// NewGraNet gives the method with its defaults.
func NewGraNet() *GraNet {
	return &GraNet{Sparsity: .9, Initial: .5, Allocate: "erk", Rank: "global", End: train.Share(.5), Every: 200, Exchange: .5, Grow: "gradient", Batches: 1}
}

// Card describes the method.
func (*GraNet) Card() *catalog.Card { return granetCard }

// Drives says that the trainings are the method's own.
func (*GraNet) Drives() bool { return true }

// StartsSparse says that weights are masked before training, where it does not start dense.
func (s *GraNet) StartsSparse() bool { return s.Initial > 0 && !s.Fresh.Fresh }

// GraNetFacts are what a training came to beside its masks.
type GraNetFacts struct {
	Density float64 `json:"density"` // mean share of the weights that were there while training
	Rises   int     `json:"rises"`   // number of steps in which the sparsity rose
}

// Run trains while the sparsity rises and each rise is followed by an exchange.
func (s *GraNet) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	sch, rate, err := s.schedules(j)
	if err != nil {
		return nil, err
	}
	ws, err := model.Candidates(j, s.Fresh, s.Layers)
	if err != nil {
		return nil, err
	}
	masks, err := Random(ws, s.Initial, s.Allocate, j.Seed)
	if err != nil {
		return nil, err
	}
	hold := &hook.Hold{Masks: masks}
	r, err := exchange(ctx, j, &hook.Exchange{Hold: hold, Rate: rate, Grow: growths[s.Grow], Batches: s.Batches, Seed: j.Seed},
		&hook.Raise{Hold: hold, Schedule: sch, Pick: s.pick(ws, masks)})
	if r == nil {
		return r, err
	}
	facts := &GraNetFacts{Density: density(sch, j.Steps()), Rises: len(sch.Events()) - 1}
	r.Facts = facts
	r.Note("on average %.1f %% of the weights were there while training", 100*facts.Density)
	if facts.Rises < 5 {
		r.Note("the sparsity rose in %d steps only: train longer, or let {Every} be smaller", facts.Rises)
	}
	if s.Exchange > 0 && s.Every < 200 && s.Exchange > .3 {
		r.Note("what grew began at zero and had %d steps before the next exchange: where that does harm, lower {Exchange}", s.Every)
	}
	return r, err
}

// schedules are those of the sparsity and of the exchange.
func (s *GraNet) schedules(j *model.Job) (schedule.Gradual, schedule.Exchange, error) {
	n := j.Steps()
	sch, err := j.Window(schedule.Gradual{Initial: s.Initial, Final: s.Sparsity, Every: s.Every, Power: cmp.Or(s.Power, 3)}, s.Begin, s.End)
	if err != nil {
		return sch, schedule.Exchange{}, err
	}
	if s.Every > sch.End-sch.Begin {
		return sch, schedule.Exchange{}, catalog.Errorf("{Every} %d: more steps between changes of the masks than the window from step %d to %d has; let it be smaller, or train longer", s.Every, sch.Begin, sch.End)
	}
	rate := schedule.Exchange{Rate: s.Exchange, Least: math.Min(least, s.Exchange), Over: n, Begin: sch.Begin, End: n, Every: s.Every}
	return sch, rate, rate.Check(n)
}

// density is the mean share of weights that are left over a training of n steps.
func density(sch schedule.Gradual, n int) float64 {
	sum, now := 0.0, sch.Initial
	for t := range n {
		if sch.Event(t) {
			now = sch.At(t)
		}
		sum += 1 - now
	}
	return sum / float64(n)
}

// pick chooses, among what is left, what stays at a sparsity.
func (s *GraNet) pick(ws []*prune.Weight, left *prune.Masks) func(float64) (*prune.Masks, error) {
	return func(sparsity float64) (*prune.Masks, error) {
		rank := score.Within(left, score.Magnitude(ws))
		if s.Rank == allocate.Together {
			return allocate.Global(ws, rank, sparsity, allocate.One(ws))
		}
		return allocate.Rule(alike).Masks(ws, rank, sparsity)
	}
}

// alike keeps the same share of each layer; from a sparsity of 0.8 on a fifth of
// the last linear layer, and of the others what makes up for it.
func alike(ws []*prune.Weight, sparsity float64) ([]int, error) {
	keep, err := allocate.Uniform(ws, sparsity)
	last := len(ws) - 1
	for last >= 0 && ws[last].Kind != prune.Linear {
		last--
	}
	if err != nil || sparsity < .8 || last < 0 || len(ws) == 1 {
		return keep, err
	}
	n, m := prune.Total(ws), ws[last].Len()
	keep[last] = max(1, int(math.Round(.2*float64(m))))
	rest := (1-sparsity)*float64(n) - float64(keep[last])
	if rest < 1 {
		return nil, fmt.Errorf("sparsity %v leaves %.0f weights, of which the last layer, %q, keeps a fifth of its own, %d: lower the sparsity or use the global rank", sparsity, (1-sparsity)*float64(n), ws[last].Name, keep[last])
	}
	for l, w := range ws {
		if l != last {
			keep[l] = max(1, int(math.Round(rest/float64(n-m)*float64(w.Len()))))
		}
	}
	return keep, nil
}
