package calibrated

import (
	_ "embed"

	"context"
	"math"

	"pare/catalog"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
)

// Wanda is pruning by weights and activations.
type Wanda struct {
	Sparsity float64          `flag:"sparsity" range:"[0,1)" doc:"share of the prunable weights that is cut"`
	Pattern  allocate.Pattern `flag:"pattern" doc:"what is cut: single weights (empty), N:M such as 2:4 (N of every M inputs stay), or block:HxW tiles"`
	Inputs
	Samples
}

//go:embed wanda.md
var wandaDoc string

var wandaCard = &catalog.Card{
	Name: "wanda", Noun: "model", Title: "Pruning by weights and activations (Wanda)",
	Paper: "Sun, Liu, Bair, Kolter: A Simple and Effective Pruning Approach for Large Language Models (2023). arXiv 2306.11695",
	Cuts:  "weights, N:M groups, blocks", Needs: catalog.Samples, Doc: wandaDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "after", How: "magnitude activation one-shot none retrain", Supervision: "unlabelled labels", Fusion: "none"},
}

// NewWanda gives the method with its defaults.
func NewWanda() *Wanda {
	return &Wanda{Sparsity: .5, Inputs: Inputs{"block"}, Samples: Samples{Samples: 128}}
}

// Card describes the method.
func (*Wanda) Card() *catalog.Card { return wandaCard }

// Run cuts block after block, or layer after layer, and fine-tunes.
func (s *Wanda) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	return s.each(ctx, j, s.looks(), s.pick)
}

// ByPart cuts a part of a network in the same way.
func (s *Wanda) ByPart() (*model.PartCut, error) {
	return s.byPart(s.looks(), func(_ context.Context, c *cut) (*prune.Mask, error) { return s.pick(c) }), nil
}

// pick keeps in every row of a layer's matrix the weights of the largest |w| |x|.
func (s *Wanda) pick(c *cut) (*prune.Mask, error) {
	w := c.Weight
	sc := make([]float32, w.Len())
	for _, m := range c.of {
		for k, x := range m.Squares {
			norm := math.Sqrt(x)
			for o := range m.Outs {
				i := m.At(o, k)
				sc[i] = float32(math.Abs(float64(w.Data()[i])) * norm)
			}
		}
	}
	if s.Pattern != (allocate.Pattern{}) {
		return c.patterned(sc, s.Pattern, s.Sparsity)
	}
	return c.byRow(sc, s.Sparsity), nil
}
