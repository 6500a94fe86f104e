package reproduce

import (
	"context"

	"pare/evidence"
	"pare/model/oneshot"
	"pare/model/structured"
)

// survey is of no method: it is two of the survey's contrasts (see sweep.Contrasts), with
// random masks beside them.
var survey = &evidence.Experiment{
	ID: "12", Name: surveyed,
	About: "MLP 64-100-10 on Glyph(2, 0.5), trained 15 epochs, pruned to 95 %, fine-tuned 40 epochs: little by little against at once, and single weights against channels with the same number of parameters.",
	Seeds: 12,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := glyphs(2, .5, 2000, seed, put)
		g, err := b.mlp(64, 100, 10)
		if err == nil {
			err = b.trained(ctx, g, pretrained)
		}
		if err != nil {
			return err
		}
		if err := b.dense(ctx, "dense", g); err != nil {
			return err
		}
		const sparsity = .95
		once, slowly := oneshot.NewMagnitude(), oneshot.NewMagnitude()
		once.Sparsity, once.Allocate = sparsity, "global"
		slowly.Sparsity, slowly.Allocate, slowly.Gradual = sparsity, "global", true
		small := structured.NewChannels()
		small.MACs, small.Params, small.Least, small.Round = 0, 1-sparsity, 0, 1
		r := tuning
		r.Epochs = 40
		return b.arms(ctx, g, r, arm{"one-shot", once}, arm{"iterative", slowly}, arm{"channels", small}, arm{"random", b.atRandom(sparsity, "global")})
	},
	Claims: []evidence.Claim{
		evidence.Beats("iterative pruning beats one-shot pruning by 8 points, in as many epochs", "iterative", "one-shot", 8, "one-shot", "random"),
		{Text: "it does so in every seed", Method: "iterative", Without: []string{"one-shot", "random"}, Figure: everySeed("one-shot"), Side: evidence.AtLeast, Bound: 1},
		evidence.Beats("unstructured pruning beats structured pruning with the same number of parameters by 4 points", "one-shot", "channels", 4, "channels"),
		{Text: "it does so in every seed", Method: "one-shot", Without: []string{"channels"}, Figure: everySeed("channels"), Side: evidence.AtLeast, Bound: 1},
	},
}

// surveyed is the name of the experiment that belongs to no method.
const surveyed = "survey"

// everySeed is the share of the seeds in which an arm is above another.
func everySeed(other string) evidence.Figure {
	return evidence.Figure{Of: func(v evidence.Values, arm string) []float64 {
		d := v.Diff(arm, other)
		for i := range d {
			if d[i] > 0 {
				d[i] = 1
			} else {
				d[i] = 0
			}
		}
		return d
	}, Unit: "of the seeds"}
}
