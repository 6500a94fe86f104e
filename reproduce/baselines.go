package reproduce

import (
	"context"
	"math"
	"math/rand/v2"

	"pare/dataset"
	"pare/evidence"
	"pare/graph"
	"pare/model"
	"pare/model/atinit"
	"pare/model/calibrated"
	"pare/model/gradual"
	"pare/model/learned"
	"pare/model/oneshot"
	"pare/model/structured"
	"pare/prune"
)

// Baselines have no specification: a claim of their papers each, in one small setting.

var magnitude = &evidence.Experiment{
	Name:  "magnitude",
	About: "MLP 64-100-50-10 on Glyph(4, 0.6), trained 15 epochs, 95 % cut in every layer: in three rounds of 5 epochs against one of 15, and against random masks.",
	Seeds: 16,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed, put)
		g, err := b.pretrainedMLP(ctx)
		if err != nil {
			return err
		}
		rounds, once := oneshot.NewMagnitude(), oneshot.NewMagnitude()
		rounds.Sparsity, rounds.Rounds, once.Sparsity = .95, 3, .95
		five, fifteen := tuning, tuning
		five.Epochs, fifteen.Epochs = 5, 15
		if err := b.arms(ctx, g, five, arm{"rounds", rounds}); err != nil {
			return err
		}
		return b.arms(ctx, g, fifteen, arm{"at once", once}, arm{"random", b.atRandom(.95, "uniform")})
	},
	Claims: []evidence.Claim{evidence.Beats("in rounds it beats one cut, with as many epochs, by 2 points", "rounds", "at once", 2, "at once", "random")},
}

var lamp = &evidence.Experiment{
	Name:  "lamp",
	About: "MLP 64-100-50-10 on Glyph(4, 0.6), trained 15 epochs, 95 % cut once, fine-tuned 10 epochs: layers by LAMP's score, the same share of every layer, one ranking by magnitude, and random masks.",
	Seeds: 32,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed, put)
		g, err := b.pretrainedMLP(ctx)
		if err != nil {
			return err
		}
		uniform, global := oneshot.NewMagnitude(), oneshot.NewMagnitude()
		uniform.Sparsity, global.Sparsity, global.Allocate = .95, .95, "global"
		return b.arms(ctx, g, tuning, arm{"lamp", &oneshot.LAMP{Sparsity: .95}}, arm{"uniform", uniform}, arm{"global", global}, arm{"random", b.atRandom(.95, "uniform")})
	},
	Claims: []evidence.Claim{evidence.Beats("it beats the same share of every layer by 3 points", "lamp", "uniform", 3, "uniform", "random")},
	Asks:   []evidence.Comparison{{Text: "its score, not the magnitude, in one ranking", Method: "lamp", Without: "global"}},
}

// sparseStart is the recipe of networks that are sparse from the start.
var sparseStart = model.Recipe{Epochs: 20, Batch: 50, LR: .05, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}

// atInit compares a method at initialisation with random masks.
func atInit(ctx context.Context, seed uint64, put func(string, float64), sparsity float64, arms ...arm) error {
	b := newBench(seed, put)
	g, err := b.glyphMLP()
	if err != nil {
		return err
	}
	return b.arms(ctx, g, sparseStart, append(arms, arm{"random", masksAtRandom(sparsity, "uniform")})...)
}

// masksAtRandom are masks at initialisation, spread over the layers as an allocation says.
func masksAtRandom(sparsity float64, a string) *atinit.Random {
	m := atinit.NewRandom()
	m.Sparsity, m.Allocate = sparsity, a
	return m
}

var snip = &evidence.Experiment{
	Name:  "snip",
	About: "MLP 64-100-50-10 on Glyph(4, 0.6), 95 % cut before 20 epochs of training: by connection sensitivity, at random with its layer counts, and at random with the same share of every layer.",
	Seeds: 16,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		m := atinit.NewSNIP()
		m.Sparsity = .95
		return atInit(ctx, seed, put, .95, arm{"snip", m}, arm{"its counts", masksAtRandom(.95, "snip")})
	},
	Claims: []evidence.Claim{evidence.Beats("it beats random masks by 9 points", "snip", "random", 9, "random", "its counts")},
}

var grasp = &evidence.Experiment{
	Name:  "grasp",
	About: "MLP 64-100-50-10 on Glyph(4, 0.6), 95 % cut before 20 epochs of training: by the preservation of gradient flow, at random with its layer counts, and at random with the same share of every layer.",
	Seeds: 16,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		m := atinit.NewGraSP()
		m.Sparsity = .95
		return atInit(ctx, seed, put, .95, arm{"grasp", m}, arm{"its counts", masksAtRandom(.95, "grasp")})
	},
	Claims: []evidence.Claim{evidence.Beats("it beats random masks by 13 points", "grasp", "random", 13, "random", "its counts")},
}

var synflow = &evidence.Experiment{
	Name:  "synflow",
	About: "MLP 64-100-50-10 on Glyph(4, 0.6), 98 % cut before 20 epochs of training: by synaptic flow in 100 iterations and in one, and at random.",
	Seeds: 16,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		m, once := atinit.NewSynFlow(), atinit.NewSynFlow()
		m.Sparsity, once.Sparsity, once.Iterations = .98, .98, 1
		return atInit(ctx, seed, put, .98, arm{"synflow", m}, arm{"one iteration", once})
	},
	Claims: []evidence.Claim{evidence.Beats("it beats random masks by 12 points", "synflow", "random", 12, "random", "one iteration")},
}

// long is the recipe of masks that move while training.
var long = model.Recipe{Epochs: 40, Batch: 50, LR: .05, Schedule: "cosine", Optimizer: "sgd", Momentum: .9, Decay: 5e-4}

var rigl = &evidence.Experiment{
	Name:  "rigl",
	About: "MLP 64-100-50-10 on Glyph(4, 0.6) at 95 % sparsity (ERK), 40 epochs of 40 steps, masks every 50 steps: RigL, with nothing exchanged, and SET, which grows at random.",
	Seeds: 16,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed, put)
		g, err := b.glyphMLP()
		if err != nil {
			return err
		}
		m, still, set := gradual.NewRigL(), gradual.NewRigL(), gradual.NewSET()
		m.Sparsity, still.Sparsity, set.Sparsity, m.Every, still.Every, set.Every, still.Drop = .95, .95, .95, 50, 50, 50, 0
		return b.arms(ctx, g, long, arm{"rigl", m}, arm{"nothing exchanged", still}, arm{"set", set})
	},
	Claims: []evidence.Claim{evidence.Beats("exchange by gradient beats fixed masks by 13 points", "rigl", "nothing exchanged", 13, "nothing exchanged", "set")},
}

var set = &evidence.Experiment{
	Name:  "set",
	About: "MLP 64-100-50-10 on Glyph(4, 0.6) at 95 % sparsity, 40 epochs of 40 steps, masks every 50 steps: SET, and with nothing exchanged.",
	Seeds: 16,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed, put)
		g, err := b.glyphMLP()
		if err != nil {
			return err
		}
		m, still := gradual.NewSET(), gradual.NewSET()
		m.Sparsity, still.Sparsity, m.Every, still.Every, still.Zeta = .95, .95, 50, 50, 0
		return b.arms(ctx, g, long, arm{"set", m}, arm{"nothing exchanged", still})
	},
	Claims: []evidence.Claim{evidence.Beats("exchange at random beats fixed masks by 3 points", "set", "nothing exchanged", 3, "nothing exchanged")},
}

var hydra = &evidence.Experiment{
	Name:  "hydra",
	About: "MLP 64-100-50-10 on Glyph(4, 0.6), trained 15 epochs, 95 % cut: masks searched for 10 epochs, then 10 of fine-tuning, and with no search (none of its steps), against magnitude pruning and 20 epochs of fine-tuning.",
	Seeds: 16,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed, put)
		g, err := b.pretrainedMLP(ctx)
		if err != nil {
			return err
		}
		m, still, cut := learned.NewHydra(), learned.NewHydra(), oneshot.NewMagnitude()
		m.Sparsity, still.Sparsity, cut.Sparsity = .95, .95, .95
		m.TuneLR, still.TuneLR, still.ScoreLR = .05, .05, 1e-9
		search, tune := tuning, tuning
		search.Epochs, tune.Epochs = 10, 20
		if err := b.arms(ctx, g, search, arm{"hydra", m}, arm{"no search", still}); err != nil {
			return err
		}
		return b.arms(ctx, g, tune, arm{"magnitude", cut})
	},
	Claims: []evidence.Claim{evidence.Beats("the search is worth 12 points, with as many epochs", "hydra", "magnitude", 12, "magnitude", "no search")},
}

var movement = &evidence.Experiment{
	Name:  "movement",
	About: "MLP 64-100-50-10 trained 15 epochs on one Glyph(4, 0.6) and fine-tuned 20 epochs on another, 95 % cut in every layer on the way: by movement, and by magnitude along the same schedule.",
	Seeds: 16,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b := newBench(seed, put)
		g, err := b.pretrainedMLP(ctx)
		if err != nil {
			return err
		}
		tr, te := dataset.Glyph(4, .6, 2000, 2000, seed+1<<32)
		b.data = &dataset.Data{Train: tr, Test: te, Norm: dataset.Raw}
		m, size := learned.NewMovement(), gradual.NewGMP()
		m.Sparsity, size.Sparsity, size.Begin, size.End, size.Every = .95, .95, m.Begin, m.End, 1
		r := sparseStart
		r.LR = .02
		return b.arms(ctx, g, r, arm{"movement", m}, arm{"magnitude", size})
	},
	Claims: []evidence.Claim{evidence.Beats("on a new task it beats magnitude by 10 points", "movement", "magnitude", 10, "magnitude")},
}

// digitsMLP is an MLP 64-100-50-10 trained on the digits, whose pixels differ in size.
func digitsMLP(ctx context.Context, seed uint64, put func(string, float64)) (*bench, *graph.Graph, error) {
	b, err := digits(seed, put)
	if err != nil {
		return nil, nil, err
	}
	g, err := b.glyphMLP()
	if err != nil {
		return nil, nil, err
	}
	return b, g, b.trained(ctx, g, pretrained)
}

// unequal is the MLP 64-100-50-10, trained on Glyph(4, 0.6), in other units: pixels are
// multiplied by numbers of log-normal size, and the weights that read them divided. It
// gives what it gave, with inputs of which some are many times as large as others, as
// inside large language models.
func unequal(ctx context.Context, seed uint64, put func(string, float64)) (*bench, *graph.Graph, error) {
	b := newBench(seed, put)
	g, err := b.pretrainedMLP(ctx)
	if err != nil {
		return nil, nil, err
	}
	ws, err := prune.Weights(g, prune.Scope{})
	if err != nil {
		return nil, nil, err
	}
	r := rand.New(rand.NewPCG(seed, 2))
	by := make([]float32, 64)
	for k := range by {
		by[k] = float32(math.Exp(r.NormFloat64()))
	}
	for _, s := range []*dataset.Set{b.data.Train, b.data.Test} {
		x := s.X().Floats
		for i := range x {
			x[i] *= by[i%len(by)]
		}
	}
	rows, cols, at := ws[0].Matrix()
	for o := range rows {
		for k := range cols {
			ws[0].Data()[at(o, k)] /= by[k]
		}
	}
	return b, g, nil
}

var wanda = &evidence.Experiment{
	Name:  "wanda",
	About: "MLP 64-100-50-10 on Glyph(4, 0.6), trained 15 epochs and brought to pixels of unequal size, 70 % cut once, not fine-tuned: by weights and activations, by magnitude in every layer, and at random.",
	Seeds: 24,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b, g, err := unequal(ctx, seed, put)
		if err != nil {
			return err
		}
		m, size := calibrated.NewWanda(), oneshot.NewMagnitude()
		m.Sparsity, size.Sparsity = .7, .7
		return b.arms(ctx, g, model.Recipe{}, arm{"wanda", m}, arm{"magnitude", size}, arm{"random", b.atRandom(.7, "uniform")})
	},
	Claims: []evidence.Claim{evidence.Beats("it beats magnitude by 2 points", "wanda", "magnitude", 2, "magnitude", "random")},
}

var sparseGPT = &evidence.Experiment{
	Name:  "sparsegpt",
	About: "MLP 64-100-50-10 on Glyph(4, 0.6), trained 15 epochs and brought to pixels of unequal size, 70 % cut once, not fine-tuned: with the weights that stay solved, by weights and activations alone (wanda), and by magnitude in every layer.",
	Seeds: 24,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b, g, err := unequal(ctx, seed, put)
		if err != nil {
			return err
		}
		m, w, size := calibrated.NewSparseGPT(), calibrated.NewWanda(), oneshot.NewMagnitude()
		m.Sparsity, w.Sparsity, size.Sparsity = .7, .7, .7
		return b.arms(ctx, g, model.Recipe{}, arm{"sparsegpt", m}, arm{"wanda", w}, arm{"magnitude", size})
	},
	Claims: []evidence.Claim{evidence.Beats("solving what stays is worth 2 points", "sparsegpt", "wanda", 2, "wanda", "magnitude")},
}

var channels = &evidence.Experiment{
	Name:  "channels",
	About: "MLP 64-100-50-10 on the digits, trained 15 epochs, half of the multiply-accumulates cut with its hidden units, not fine-tuned: units by norm, by what the layers behind them lose (reconstruction), and at random.",
	Seeds: 24,
	Run: func(ctx context.Context, seed uint64, put func(string, float64)) error {
		b, g, err := digitsMLP(ctx, seed, put)
		if err != nil {
			return err
		}
		norm, lost, chance := structured.NewChannels(), structured.NewChannels(), structured.NewChannels()
		norm.Round, lost.Round, chance.Round = 1, 1, 1
		norm.MACs, lost.MACs, chance.MACs = .5, .5, .5
		norm.Score, lost.Score = "norm", "reconstruction"
		chance.Rate = atChance(seed)
		return b.arms(ctx, g, model.Recipe{}, arm{"norm", norm}, arm{"reconstruction", lost}, arm{"random", chance})
	},
	Claims: []evidence.Claim{evidence.Beats("by norm it beats units at random by 10 points", "norm", "random", 10, "random")},
	Asks:   []evidence.Comparison{{Text: "reconstruction, not norm", Method: "reconstruction", Without: "norm"}},
}
