package atinit

import (
	_ "embed"

	"context"
	"math"

	"pare/catalog"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/score"
)

// Random is random pruning at initialisation.
type Random struct {
	Sparsity  float64 `flag:"sparsity" range:"[0,1)" doc:"share of the prunable weights that is cut"`
	Allocate  string  `flag:"allocate" choice:"uniform,uniform+,er,erk,erk+,igq,snip,grasp,synflow,magnitude" doc:"how much of each layer: uniform, uniform+, er, erk, erk+, igq, or what snip, grasp, synflow or global magnitude keep of it"`
	FCDensity float64 `flag:"fc-density" range:"(0,1]" doc:"erk+: share of the last linear layer that stays"`
	Scale     string  `flag:"scale" choice:"none,overall,layer" doc:"initial weights for the smaller fan-in: none, overall (divided by the root of the network's density) or layer (of the layer's)"`
	model.Sampled
	model.Fresh
	model.Layers
}

//go:embed random.md
var randomDoc string

var randomCard = &catalog.Card{
	ID: "33", Name: "random", Noun: "model", Title: "Random pruning at initialisation",
	Paper: "Liu, Chen, Chen, Shen, Mocanu, Wang, Pechenizkiy: The Unreasonable Effectiveness of Random Pruning: Return of the Most Naive Baseline for Sparse Training (2022). arXiv 2202.02643",
	Cuts:  "weights", Needs: catalog.Trains, Doc: randomDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "before", How: "random one-shot retrain", Supervision: "labels", Fusion: "none"},
}

// NewRandom gives the method with its defaults.
func NewRandom() *Random {
	return &Random{Sparsity: .95, Allocate: "erk", FCDensity: 1, Scale: "none", Sampled: model.Sampled{PerClass: 10}}
}

// Card describes the method.
func (*Random) Card() *catalog.Card { return randomCard }

// StartsSparse says that weights are masked before training.
func (s *Random) StartsSparse() bool { return s.Sparsity > 0 && !s.Fresh.Fresh }

// Run draws masks and trains with them held.
func (s *Random) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	ws, err := model.Candidates(j, s.Fresh, s.Layers)
	if err != nil {
		return nil, err
	}
	keep, err := s.keep(ctx, j, ws)
	if err != nil {
		return nil, err
	}
	m := allocate.Select(ws, score.Random(ws, j.Seed), keep, prune.CutFirst)
	s.rescale(m)
	res, err := j.FitMasked(ctx, m)
	if res != nil {
		warnDead(res)
	}
	return res, err
}

// keep is how many weights of each layer stay.
func (s *Random) keep(ctx context.Context, j *model.Job, ws []*prune.Weight) ([]int, error) {
	rules := map[string]allocate.Rule{
		"uniform": allocate.UniformExact, "uniform+": allocate.UniformPlus, "er": allocate.ER, "erk": allocate.ERK, "igq": allocate.IGQ,
		"erk+": func(ws []*prune.Weight, sparsity float64) ([]int, error) {
			return allocate.ErdosRenyiPlus(ws, sparsity, s.FCDensity)
		},
	}
	if rule := rules[s.Allocate]; rule != nil {
		return rule(ws, s.Sparsity)
	}
	if s.Allocate == "synflow" {
		flow := NewSynFlow()
		flow.Sparsity = s.Sparsity
		m, err := flow.masks(ctx, j, ws)
		if err != nil {
			return nil, err
		}
		return allocate.Counts(m), nil
	}
	scores := map[string]model.Score{
		"snip": s.Sampled.Sensitivity, "grasp": s.Sampled.GradientFlow(temperature),
		"magnitude": func(_ context.Context, _ *model.Job, ws []*prune.Weight) ([][]float32, error) {
			return score.Magnitude(ws), nil
		},
	}
	rate := scores[s.Allocate]
	if rate == nil {
		return nil, catalog.Bad("Allocate", s.Allocate, "an allocation's name")
	}
	sc, err := rate(ctx, j, ws)
	if err != nil {
		return nil, err
	}
	m, err := allocate.Global(ws, sc, s.Sparsity, nil)
	if err != nil {
		return nil, err
	}
	return allocate.Counts(m), nil
}

// rescale gives initial weights the variance for the inputs that are left:
// 2/(fan-in * density) in place of 2/fan-in.
func (s *Random) rescale(m *prune.Masks) {
	for l, w := range m.Weights {
		d := 1.
		switch s.Scale {
		case "overall":
			d = 1 - m.Sparsity()
		case "layer":
			d = float64(m.Mask[l].Count()) / float64(w.Len())
		}
		if d == 0 || d == 1 {
			continue
		}
		by := float32(1 / math.Sqrt(d))
		for i := range w.Data() {
			w.Data()[i] *= by
		}
	}
}

// warnDead notes how many outputs of layers have no weight left: their values do
// not depend on the input.
func warnDead(res *model.Result) {
	m := res.Masks
	for l, w := range m.Weights {
		rows, cols, at := w.Matrix()
		n := 0
		for r := range rows {
			c := 0
			for c < cols && !m.Mask[l].Kept(at(r, c)) {
				c++
			}
			if c == cols {
				n++
			}
		}
		if n > 0 && m.Mask[l].Count() > 0 {
			res.Note("%d of %d outputs of %s have no weight left", n, rows, w.Name)
		}
	}
}
