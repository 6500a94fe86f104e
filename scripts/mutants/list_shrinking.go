package main

// shrinkingMutants are those of methods that train channels towards zero before they are
// cut, and of what they share.
var shrinkingMutants = []Broken{
	{What: "masksparsity", File: "model/structured/masksparsity.go", Claims: "masksparsity", Mutants: []Mutant{
		{Name: "masksparsity-all", Breaks: "the penalty is on all channels, as in network slimming",
			Old: `h.hook(j.Graph, kept)`,
			New: `h.hook(j.Graph, nil)`},
		{Name: "masksparsity-from-sparse", Breaks: "the training goes on from the weights of the search",
			Old: `c, _ := g.Clone(true)`,
			New: `c := g`},
		{Name: "masksparsity-mask-ignored", Breaks: "channels are chosen by the scales as they are, whatever the mask",
			Old: `case s.Mask == "norm":`,
			New: `case s.Mask == "":`},
		{Name: "masksparsity-search-unpenalised", Breaks: "the search for the mask has no penalty",
			Old: `h.hook(c, nil)`,
			New: `h.hook(c, structure.Kept{})`},
	}},
	{What: "slimming", File: "model/structured/slimming.go", Claims: "slimming", Mutants: []Mutant{
		{Name: "slimming-unpenalised", Breaks: "there is no penalty",
			Old: `h := &shrinking{s.Shrinking, j, s.Scope()}`,
			New: `free := s.Shrinking
	free.Lambda = 0
	h := &shrinking{free, j, s.Scope()}`},
		{Name: "slimming-by-norm", Breaks: "channels are ranked by the norm of their weights, not by their scales",
			Old: `s.ChannelTarget, h.rate)`,
			New: `s.ChannelTarget, model.Squares)`},
		{Name: "slimming-untuned", Breaks: "what is left is not fine-tuned",
			Old: `runs.Fit(ctx, tune, res.Graph)`,
			New: `runs.Fit(ctx, tune, j.Graph)`},
	}},
	{What: "shrinking", File: "model/structured/shrinking.go", Mutants: []Mutant{
		{Name: "shrinking-sum-of-scales", Breaks: "tied channels are rated by the sum of their scales, not the largest",
			Old: `out[i][c] = math.Max(out[i][c], math.Abs(w))`,
			New: `out[i][c] = out[i][c] + math.Abs(w)`},
		{Name: "shrinking-lasso-not-relative", Breaks: "norms of filters of different groups are compared as they are",
			Old: `structure.Relative(out[i])`,
			New: `_ = out`},
		{Name: "shrinking-constants-dropped", Breaks: "what channels still send is dropped",
			Old: `if s.Constants == "fold" {`,
			New: `if s.Constants == "" {`},
		{Name: "shrinking-statistics-kept", Breaks: "statistics stay those before the cut",
			Old: `if s.Statistics == "estimate" {`,
			New: `if s.Statistics == "" {`},
		{Name: "shrink-sign-reversed", Breaks: "the penalty makes numbers large", File: "prune/hook/shrink.go", Tests: []string{"model/structured"},
			Old: `p.G[i] += float32(by * float64(p.W[i]))`,
			New: `p.G[i] -= float32(by * float64(p.W[i]))`},
		{Name: "shrink-as-decay", Breaks: "the sub-gradient is in proportion to the number, as weight decay", File: "prune/hook/shrink.go", Tests: []string{"model/structured"},
			Old: `by := h.Lambda / norm`,
			New: `by := h.Lambda`},
		{Name: "shrink-smooth-ignored", Breaks: "numbers near zero jump over it although they are not to", File: "prune/hook/shrink.go", Tests: []string{"model/structured"},
			Old: `case h.Smooth && norm < near:`,
			New: `case h.Smooth && norm < 0*near:`},
		{Name: "fold-shift-without-relu", Breaks: "the shift of a normalisation is folded as if no activation followed", File: "prune/structure/constant.go", Tests: []string{"prune/structure"},
			Old: `out[p] = float64(x)
	}
}

// read`,
			New: `out[p] = float64(in[0].F32()[p%in[0].Len()]) + 0*float64(x)
	}
}

// read`},
		{Name: "fold-mean-wrong-way", Breaks: "what is folded into a running mean is added to it", File: "prune/structure/constant.go", Tests: []string{"prune/structure"},
			Old: `shift(us[0].Node.In(3), delta, -1)`,
			New: `shift(us[0].Node.In(3), delta, 1)`},
		{Name: "fold-one-tap", Breaks: "of a kernel one place counts", File: "prune/structure/constant.go", Tests: []string{"prune/structure"},
			Old: `delta[i/inner%shape[out]] += float64(v) * k[p]`,
			New: `delta[i/inner%shape[out]] = float64(v) * k[p]`},
	}},
}
