package reproduce

import (
	"context"
	"fmt"

	"pare/evidence"
	"pare/model"
	"pare/model/rewrite"
	"pare/zoo"
)

var trp = &evidence.Experiment{
	ID: "17", Name: "trp",
	About: "conv-4 of a quarter of its width on Glyph(4, 0.6), sgd 0.05 cosine, 12 epochs: kernels written as products (spatial) to half and to 35 % of the multiply-accumulates, without fine-tuning, after training with truncations every 20 steps and the nuclear norm, with one of them, and with neither; and the dense network.",
	Seeds: 8,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed, put)
		g, err := zoo.New("conv-4", zoo.Options{In: []int{1, 8, 8}, Seed: seed, Width: .25})
		if err != nil {
			return err
		}
		r := model.Recipe{Epochs: 12, Batch: 50, LR: .05, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 1e-4}
		for _, x := range []float64{.5, .35} {
			set := func(energy, nuclear float64) *rewrite.TRP {
				s := rewrite.NewTRP()
				s.Energy, s.Nuclear, s.Value, s.MACs = energy, nuclear, 0, model.Count(x)
				return s
			}
			at := fmt.Sprintf(" %.2f", x)
			if err := b.arms(ctx, g, r, arm{"trp+nuclear" + at, set(.9, 3e-4)}, arm{"trp" + at, set(.9, 0)}, arm{"nuclear" + at, set(1, 3e-4)}, arm{"plain" + at, set(1, 0)}); err != nil {
				return err
			}
		}
		full := rewrite.NewTRP()
		full.Energy, full.Nuclear, full.Value, full.Rank = 1, 0, 0, 1
		return b.arms(ctx, g, r, arm{"dense", full})
	},
	Claims: []evidence.Claim{
		evidence.Beats("at half the computation it beats plain training and one decomposition by 3 points", "trp+nuclear 0.50", "plain 0.50", 3, "plain 0.50", "nuclear 0.50"),
		evidence.Beats("at 35 % by 20 points", "trp+nuclear 0.35", "plain 0.35", 20, "plain 0.35", "nuclear 0.35"),
		evidence.Near("at half the computation it is within 4 points of the dense network", "trp+nuclear 0.50", "dense", 4, "plain 0.50"),
	},
	Asks: []evidence.Comparison{
		{Text: "the nuclear norm beside truncations, at 35 %", Method: "trp+nuclear 0.35", Without: "trp 0.35"},
		{Text: "the nuclear norm alone, at 35 %", Method: "nuclear 0.35", Without: "plain 0.35"},
	},
}
