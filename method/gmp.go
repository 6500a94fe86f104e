package method

import (
	"context"
	"fmt"
	"math"

	"pare/prune"
	"pare/prune/allocate"
	"pare/prune/schedule"
	"pare/prune/score"
)

// GMP are the settings of gradual magnitude pruning.
type GMP struct {
	Sparsity  float64 `flag:"sparsity" doc:"final sparsity of every layer, in [0,1)"`
	Initial   float64 `flag:"initial" doc:"sparsity at the begin of the window"`
	Begin     float64 `flag:"begin" doc:"begin of the window, as a share of the training"`
	End       float64 `flag:"end" doc:"end of the window, as a share of the training"`
	Every     int     `flag:"every" doc:"steps between changes of the masks"`
	Power     float64 `flag:"power" doc:"of the polynomial: 3 is the paper's cubic, 1 linear"`
	Variant   string  `flag:"variant" doc:"hard: cut weights are zero for ever; keep: they keep their value and may come back"`
	SkipFirst bool    `flag:"skip-first" doc:"leave the first convolution and depthwise convolutions whole"`
	Layers
}

var gmp = &Method{
	ID: "65", Name: "gmp", Title: "Gradual magnitude pruning",
	Paper: "Zhu, Gupta: To prune, or not to prune: exploring the efficacy of pruning for model compression (2017). arXiv 1710.01878",
	Cuts:  "weights", Needs: Trains,
	Doc: `Prunes while training: the sparsity of every layer rises along
s_t = s_f + (s_i - s_f)(1 - (t-t_0)/(n dt))^3, masks are recomputed by magnitude every few steps, and training goes on
with the final masks. Each layer keeps max(1, round(n(1-s))) weights, halves rounded up, ties by index.

Both published behaviours are there: hard (as in TensorFlow's model optimization toolkit) and keep (as in the
authors' first code). The last event is forced at the end of the window, so the final sparsity is exact. Masked
weights get no gradient, no momentum and no decay. Selection is exact where the authors used a histogram. An initial
sparsity above 0 is applied at the window's begin, not before; until then the network is dense.`,
	Settings: func() any { return gmpDefaults() },
	Run:      runGMP, Claims: gmpClaims,
}

func gmpDefaults() *GMP {
	return &GMP{Sparsity: .9, Begin: .1, End: .7, Every: 100, Power: 3, Variant: "hard"}
}

func runGMP(ctx context.Context, j *Job) (*Result, error) {
	s := j.Settings.(*GMP)
	for _, x := range []float64{s.Begin, s.End} {
		if !(x >= 0 && x <= 1) {
			return nil, fmt.Errorf("the window from %v to %v is not within [0,1] of the training", s.Begin, s.End)
		}
	}
	if s.Variant != "hard" && s.Variant != "keep" {
		return nil, fmt.Errorf("there is no variant %q: use hard or keep", s.Variant)
	}
	ws, err := s.weights(j.Graph)
	if err != nil {
		return nil, err
	}
	if s.SkipFirst {
		if ws = inner(ws); len(ws) == 0 {
			return nil, fmt.Errorf("only the first convolution is prunable, and it is to be skipped")
		}
	}
	n := float64(j.Steps())
	sch := schedule.Gradual{Initial: s.Initial, Final: s.Sparsity, Begin: int(math.Round(s.Begin * n)), End: int(math.Round(s.End * n)),
		Every: s.Every, Power: s.Power}
	return gradually(ctx, j, ws, sch, s.Variant == "keep", func(sparsity float64) (*prune.Masks, error) {
		keep, err := allocate.Uniform(ws, sparsity)
		if err != nil {
			return nil, err
		}
		return allocate.Select(ws, score.Magnitude(ws), keep, prune.KeepFirst), nil
	})
}

// inner leaves out the first convolution and depthwise ones.
func inner(ws []*prune.Weight) []*prune.Weight {
	var out []*prune.Weight
	first := true
	for _, w := range ws {
		if w.Kind == prune.Conv && first {
			first = false
			continue
		}
		if w.Kind != prune.Depthwise {
			out = append(out, w)
		}
	}
	return out
}
