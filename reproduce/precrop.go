package reproduce

import (
	"context"
	"fmt"
	"time"

	"pare/evidence"
	"pare/graph"
	"pare/model"
	"pare/model/atinit"
	"pare/prune"
	"pare/prune/structure"
	"pare/train"
	"pare/zoo"
)

var precrop = &evidence.Experiment{
	ID: "22", Name: "precrop",
	About: "ResNet-8 of 8, 16 and 128 channels on Glyph(4, 0.6), sgd 0.1 cosine, 8 epochs: an eighth and a twentieth of the parameters, as channels cropped to the densities of synflow before training, as channels of one share everywhere, as masks of synflow, these shuffled within each layer, and masks of one density everywhere; what a training step holds and takes, as a share of the dense network's.",
	Seeds: 8,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed, put)
		g, err := lopsided(seed)
		if err != nil {
			return err
		}
		r := model.Recipe{Epochs: 8, Batch: 50, LR: .1, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}
		for _, x := range []float64{.125, .05} {
			at := fmt.Sprintf(" %.3f", x)
			crop, even, masked := atinit.NewPreCrop(), atinit.NewPreCrop(), atinit.NewSynFlow()
			crop.Params, even.Params, masked.Sparsity, even.Even = model.Count(x), model.Count(x), 1-x, true
			if err := b.arms(ctx, g, r, arm{"precrop" + at, crop}, arm{"one width" + at, even}, arm{"synflow" + at, masked},
				arm{"shuffled" + at, masksAtRandom(1-x, "synflow")}, arm{"one density" + at, masksAtRandom(1-x, "uniform")}); err != nil {
				return err
			}
			if err := b.steps(ctx, g, r, arm{"precrop" + at, crop}, arm{"synflow" + at, masked}); err != nil {
				return err
			}
		}
		return nil
	},
	Claims: []evidence.Claim{
		evidence.Beats("with an eighth of the parameters it beats one share of every layer's channels by 1 point", "precrop 0.125", "one width 0.125", 1, "one width 0.125"),
		evidence.Beats("with a twentieth by 2 points", "precrop 0.050", "one width 0.050", 2, "one width 0.050"),
		evidence.Near("with an eighth it is within 1.5 points of the masks whose densities it has", "precrop 0.125", "synflow 0.125", 1.5, "one width 0.125"),
		evidence.Near("these masks shuffled within each layer are within 2 points of them", "shuffled 0.125", "synflow 0.125", 2, "one density 0.125"),
		{Text: "a training step then holds at most half of the memory", Method: "precrop 0.125", Without: []string{"synflow 0.125"}, Side: evidence.AtMost, Bound: .5,
			Figure: evidence.Figure{Of: func(v evidence.Values, arm string) []float64 { return v["(memory of a step) "+arm] }}},
	},
	Asks: []evidence.Comparison{
		{Text: "which weights the masks keep, not how many of each layer, at an eighth", Method: "synflow 0.125", Without: "shuffled 0.125"},
		{Text: "how many of each layer masks keep, at a twentieth", Method: "shuffled 0.050", Without: "one density 0.050"},
	},
}

// lopsided is a ResNet-8 of 8, 16 and 32 channels whose last stage is four times as wide, as
// the last stages of networks are that channels are cut from.
func lopsided(seed uint64) (*graph.Graph, error) {
	g, err := zoo.New("resnet8-b", zoo.Options{In: []int{1, 8, 8}, Seed: seed, Width: .5})
	if err != nil {
		return nil, err
	}
	groups, _ := structure.Groups(g)
	var width []int
	for _, grp := range groups {
		n := len(grp.Channels)
		if n == 32 {
			n *= 4
		}
		width = append(width, n)
	}
	if g, err = structure.Widen(g, groups, width); err != nil {
		return nil, err
	}
	g.Usage.Drawn = true
	return g, prune.Init{Seed: seed}.Apply(g)
}

// steps puts what a training step of a method's network holds and takes, as shares of the
// dense network's. The time is the least of several, dense and pared by turns.
func (b *bench) steps(ctx context.Context, g *graph.Graph, r model.Recipe, arms ...arm) error {
	for _, a := range arms {
		still := r
		still.Epochs = 0
		res, err := model.Run(ctx, a.m, b.job(g, still))
		if err != nil {
			return err
		}
		nets := []*graph.Graph{g, res.Graph}
		least, held := make([]float64, 2), make([]float64, 2)
		for range 5 {
			for i, n := range nets {
				step, err := train.NewStep(n, r.Batch, train.Loss{}, b.job(g, r).Engine)
				if err != nil {
					return err
				}
				held[i] = float64(step.Bytes())
				for range 3 {
					begun := time.Now()
					if _, err := step.Run(); err != nil {
						return err
					}
					if t := time.Since(begun).Seconds(); least[i] == 0 || t < least[i] {
						least[i] = t
					}
				}
				step.Close()
			}
		}
		b.put("(memory of a step) "+a.name, held[1]/held[0])
		b.put("(time of a step) "+a.name, least[1]/least[0])
		b.put("(multiply-accumulates) "+a.name, float64(structure.CostOf(nets[1]).MACs)/float64(structure.CostOf(nets[0]).MACs))
	}
	return nil
}
