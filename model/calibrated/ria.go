package calibrated

import (
	_ "embed"

	"context"
	"math"

	"pare/catalog"
	"pare/model"
	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/calibrate"
)

// RIA is pruning by relative importance and activations.
type RIA struct {
	Sparsity float64          `flag:"sparsity" range:"[0,1)" doc:"share of the prunable weights that is cut"`
	Pattern  allocate.Pattern `flag:"pattern" doc:"what is cut: single weights (empty), N:M such as 2:4 (N of every M inputs stay), or block:HxW tiles"`
	Power    float64          `flag:"power" range:"[0,)" doc:"power of the norm of an input in the rates of its weights; 0: inputs do not count"`
	Rank     string           `flag:"rank" choice:"layer,row" doc:"single weights that are ranked together: those of a layer, or of each row of outputs"`
	Permute  string           `flag:"permute" choice:"none,heuristic,assignment" doc:"with N:M: put the inputs of layers that alone read them into an order in which more of the rates stay, together with what makes them: none, heuristic (dealt out by the sums of their rates), or assignment (and refined by linear sum assignment)"`
	Inputs
	Samples
}

//go:embed ria.md
var riaDoc string

var riaCard = &catalog.Card{
	Name: "ria", Noun: "model", Title: "Pruning by relative importance and activations (RIA)",
	Paper: "Zhang, Bai, Lin, Zhao, Hou, Cannistraci: Plug-and-Play: An Efficient Post-training Pruning Method for Large Language Models (2024). ICLR 2024",
	Cuts:  "weights, N:M groups, blocks", Needs: catalog.Samples, Doc: riaDoc,
	Axes: catalog.Axes{SpeedUp: "specific", When: "after", How: "magnitude activation one-shot none retrain", Supervision: "unlabelled labels", Fusion: "none"},
}

// NewRIA gives the method with its defaults.
func NewRIA() *RIA {
	return &RIA{Sparsity: .5, Power: .5, Rank: "layer", Permute: "none", Inputs: Inputs{"block"}, Samples: Samples{Samples: 128}}
}

// Card describes the method.
func (*RIA) Card() *catalog.Card { return riaCard }

// Run cuts block after block, or layer after layer, and fine-tunes.
func (s *RIA) Run(ctx context.Context, j *model.Job) (*model.Result, error) {
	if s.Permute == "none" {
		return s.each(ctx, j, s.looks(), func(c *cut) (*prune.Mask, error) { return s.pick(c, nil) })
	}
	if s.Pattern.M == 0 {
		return nil, catalog.Errorf("{Permute} %s: inputs are put into another order for an N:M {Pattern}, such as 2:4", s.Permute)
	}
	by := &orders{pattern: s.Pattern, assign: s.Permute == "assignment", readers: readers(j.Graph)}
	res, err := s.each(ctx, j, s.looks(), func(c *cut) (*prune.Mask, error) { return s.pick(c, by) })
	if err != nil {
		return nil, err
	}
	return res, by.apply(res)
}

// ByPart cuts a part of a network in the same way, with its inputs in their order.
func (s *RIA) ByPart() (*model.PartCut, error) {
	if s.Permute != "none" {
		return nil, catalog.Errorf("{Permute} %s puts the channels of the whole network into another order: give none", s.Permute)
	}
	return s.byPart(s.looks(), func(_ context.Context, c *cut) (*prune.Mask, error) { return s.pick(c, nil) }), nil
}

// pick keeps of a layer, or of each of its rows, the weights of the largest rates.
func (s *RIA) pick(c *cut, by *orders) (*prune.Mask, error) {
	sc := make([]float32, c.Weight.Len())
	for _, m := range c.of {
		s.rate(c.Weight.Data(), m, sc)
	}
	if by != nil {
		if k, err := by.pick(c, sc); k != nil || err != nil {
			return k, err
		}
	}
	switch {
	case s.Pattern != (allocate.Pattern{}):
		return c.patterned(sc, s.Pattern, s.Sparsity)
	case s.Rank == "row":
		return c.byRow(sc, s.Sparsity), nil
	}
	return prune.TopK(sc, len(sc)-share(len(sc), s.Sparsity), prune.CutFirst), nil
}

// rate writes to rates, in the order of the weight w, those of a matrix [outs, cols]:
//
//	(|W_ok| / Σ_o |W_ok| + |W_ok| / Σ_k |W_ok|) ‖X_k‖^power
//
// as in the authors' code (lib/prune.py). A weight of zero rates zero.
func (s *RIA) rate(w []float32, m *calibrate.Moments, rates []float32) {
	row, col := make([]float64, m.Outs), make([]float64, m.Cols)
	for o := range row {
		for k := range col {
			v := math.Abs(float64(w[m.At(o, k)]))
			row[o] += v
			col[k] += v
		}
	}
	for k, x := range m.Squares {
		loud := math.Pow(math.Sqrt(x), s.Power)
		for o := range row {
			i := m.At(o, k)
			if v := math.Abs(float64(w[i])); v > 0 {
				rates[i] = float32((v/col[k] + v/row[o]) * loud)
			}
		}
	}
}
