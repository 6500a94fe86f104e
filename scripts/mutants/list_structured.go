package main

var structuredMutants = []Broken{
	{What: "channels", File: "model/structured/channels.go", Mutants: []Mutant{
		{Name: "channels-strongest", Breaks: "the channels of the largest norm are cut", File: "model/structured/rating.go",
			Old: `case "norm":
		return model.Squares(g, groups)`,
			New: `case "norm":
		sc, costs, err := model.Squares(g, groups)
		for _, s := range sc {
			for c := range s {
				s[c] = -s[c]
			}
		}
		return sc, costs, err`},
		{Name: "channels-random", Breaks: "what is cut is drawn at random", File: "model/structured/rating.go",
			Old: `case "norm":
		return model.Squares(g, groups)`,
			New: `case "norm":
		sc, costs, err := model.Squares(g, groups)
		for i, s := range sc {
			for c := range s {
				s[c] = float64((7919*c + 104729*i) % 101)
			}
		}
		return sc, costs, err`},
		{Name: "channels-makers-alone", Breaks: "a channel's norm is that of the filters that make it, not of all that goes with it", File: "model/channels.go", Tests: []string{"model/structured", "model"},
			Old: `func Squares(_ *graph.Graph, groups []*structure.Group) ([][]float64, bool, error) {
	return structure.Score(groups, structure.Squares), false, nil`,
			New: `func Squares(g *graph.Graph, groups []*structure.Group) ([][]float64, bool, error) {
	return structure.Filters(g, groups), false, nil`},
		{Name: "channels-score-ignored", Breaks: "the norm counts, whatever the score", File: "model/structured/rating.go",
			Old: `switch r.Score {`,
			New: `switch "norm" {`},
		{Name: "channels-auto-by-norm", Breaks: "the norm counts where nothing is said, although there is data", File: "model/structured/rating.go",
			Old: `case len(groups) == 0:`,
			New: `case true:`},
		{Name: "channels-reconstruction-as-activations", Breaks: "the score reconstruction is that of activations", File: "model/structured/rating.go",
			Old: `case "activations":
		rates, r.skips`,
			New: `case "activations", "reconstruction":
		rates, r.skips`},
		{Name: "channels-taylor-not-per-mac", Breaks: "the score taylor is not for each multiply-accumulate", File: "model/structured/rating.go",
			Old: `rates[k][c] /= math.Max(1, float64(w.MACs))`,
			New: `rates[k][c] /= math.Max(1, 0*float64(w.MACs))`},
		{Name: "taylor-weights-ignored", Breaks: "gradients count without the weights", File: "prune/score/taylor.go", Tests: []string{"prune/score", "model/structured"},
			Old: `grads[i][k] * w`,
			New: `grads[i][k] * (1 + 0*w)`},
		{Name: "taylor-not-squared", Breaks: "gates of different batches cancel out", File: "prune/score/taylor.go", Tests: []string{"prune/score", "model/structured"},
			Old: `t.sum[k][c] += x * x`,
			New: `t.sum[k][c] += x`},
		{Name: "channels-statistics-kept", Breaks: "without training, statistics of batch normalisation stay those before the cut",
			Old: `return by.Recalibrate(ctx, res.Graph, min(calibrationBatch, by.Data.Train.Len()))`,
			New: `return nil`},
		{Name: "channels-not-relative", Breaks: "scores of different groups are compared as they are", File: "prune/structure/rank.go", Tests: []string{"prune/structure", "model/structured"},
			Old: `s[c] /= mean`,
			New: `s[c] /= 1`},
		{Name: "channels-least-ignored", Breaks: "groups keep no least share", File: "prune/structure/rank.go",
			Old: `math.Ceil(t.Least*float64(len(s))-1e-9)`,
			New: `math.Ceil(0*t.Least)`},
		{Name: "channels-even-ignored", Breaks: "groups are ranked together although all are to lose the same share", File: "prune/structure/rank.go",
			Old: `if t.Even {`,
			New: `if false {`},
		{Name: "channels-params-ignored", Breaks: "the target for parameters is not met", File: "prune/structure/rank.go",
			Old: `share(c.Params, m.whole.Params, t.Params))`,
			New: `0*share(c.Params, m.whole.Params, t.Params))`},
		{Name: "channels-activations-as-squares", Breaks: "the inputs of a layer do not count in the score activations", File: "prune/calibrate/activations.go", Tests: []string{"model/structured", "prune/calibrate"},
			Old: `float64(w.Data()[i]) * x`,
			New: `(float64(w.Data()[i]) + 0*x)`},
		{Name: "channels-activations-not-shared", Breaks: "layers of large activations outvote the others", File: "prune/calibrate/activations.go", Tests: []string{"model/structured", "prune/calibrate"},
			Old: `groups[k].Sum(out[k], a, energy, 1/whole)`,
			New: `groups[k].Sum(out[k], a, energy, 1)`},
	}},
	{What: "share", File: "model/rewrite/share.go", Claims: "share", Mutants: []Mutant{
		{Name: "share-scale", Breaks: "every weight has the array's own scale",
			Old: `Scale: float32(d / std)`,
			New: `Scale: float32(1 + 0*d*std)`},
		{Name: "share-scale-reference", Breaks: "scales are by the array's bound, not by its deviation",
			Old: `std := s.InitScale / math.Sqrt(3)`,
			New: `std := s.InitScale + 0*math.Pi`},
		{Name: "share-scaler-ignored", Breaks: "gradients of the array are not divided",
			Old: `Scaler: s.Scaler}`,
			New: `Scaler: "none"}`},
		{Name: "share-fit-as-random", Breaks: "the array begins at random although it is to fit the weights",
			Old: `	if s.Begin == "random" {
		r :=`,
			New: `	if true {
		r :=`},
		{Name: "share-half-budget", Breaks: "the array has half of the budget",
			Old: `l.Len = int(s.Budget*float64(n) + 1e-9)`,
			New: `l.Len = max(1, int(s.Budget*float64(n)+1e-9)/2)`},
		{Name: "share-mapper-ignored", Breaks: "every mapping is that by hash alone",
			Old: `Mapper: s.Mapper, Seed`,
			New: `Mapper: sharing.Hashed, Seed`},
		{Name: "share-small-too", Breaks: "weights of few entries are shared too",
			Old: `if w.Len() < s.MinSize || w.Role != graph.Param {`,
			New: `if w.Role != graph.Param {`},
		{Name: "share-fit-not-weighted", Breaks: "the fit is a plain mean of the weights on a slot",
			Old: `square[k.At()] += float64(scale) * float64(scale)`,
			New: `square[k.At()] += max(float64(scale), -float64(scale))`},
		{Name: "share-v1-as-v2", Breaks: "the scaler v1 does not square the sum of scales", File: "prune/hook/shared.go", Tests: []string{"prune/hook", "model/rewrite"},
			Old: `out[k] = sum[k] * sum[k] / (count[k] + 1e-3)`,
			New: `out[k] = sum[k] + 0*count[k]`},
		{Name: "share-adam-unscaled", Breaks: "with Adam the array moves by the learning rate, whatever the scale of a slot", File: "prune/hook/shared.go", Tests: []string{"prune/hook", "model/rewrite"},
			Old: `(s.Array[k]-was)/s.mean[k]`,
			New: `(s.Array[k] - was)`},
		{Name: "share-not-expanded", Breaks: "weights stay as the optimiser of the array left them", File: "prune/hook/shared.go", Tests: []string{"prune/hook", "model/rewrite"},
			Old: `				s.Array[k] = was - decay*was + (s.Array[k]-was)/s.mean[k]
			}
		}
	}
	s.expand()`,
			New: `				s.Array[k] = was - decay*was + (s.Array[k]-was)/s.mean[k]
			}
		}
	}`},
	}},
}
