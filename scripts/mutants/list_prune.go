package main

var allocateMutants = []Broken{
	{What: "scores and selection", File: "prune/select.go", Mutants: []Mutant{
		{Name: "magnitude-signed", Breaks: "the magnitude has a sign", File: "prune/score/score.go",
			Old: `out[l][i] = float32(math.Abs(float64(x)))`,
			New: `out[l][i] = x`},
		{Name: "within-nothing", Breaks: "what is cut already ranks with what is left", File: "prune/score/score.go",
			Old: `out[l][i] = float32(math.Inf(-1))`,
			New: `out[l][i] = x`},
		{Name: "select-floor-ignored", Breaks: "the global ranking keeps no floors",
			Old: `protect[l] = TopK(s, floor[l], CutFirst)`,
			New: `protect[l] = TopK(s, 0*floor[l], CutFirst)`},
		{Name: "select-ties", Breaks: "of equal scores the last is cut first where the first should be",
			Old: `if ties == KeepFirst {`,
			New: `if ties == CutFirst {`},
		{Name: "select-nm-lowest", Breaks: "N:M keeps the lowest of a group",
			Old: `order(score[i]) > order(score[best])`,
			New: `order(score[i]) < order(score[best])`},
		{Name: "select-nm-short-group", Breaks: "a shorter last group keeps the rounded-down share",
			Old: `(g*n+m-1)/m)`,
			New: `g*n/m)`},
		{Name: "select-blocks-transposed", Breaks: "tiles are numbered wrongly",
			Old: `sum[i/cols/bh*tc+i%cols/bw] += s`,
			New: `sum[i/cols/bh*tc+i%cols/bw] = s`},
		{Name: "project-norm", Breaks: "filters and channels are ranked by their sums, not by their squares", File: "prune/project.go", Tests: []string{"prune", "model/learned"},
			Old: `sum[s] += float64(score[i]) * float64(score[i])`,
			New: `sum[s] += math.Abs(float64(score[i]))`},
		{Name: "init-variance", Breaks: "initial weights have half of the variance", File: "prune/init.go",
			Old: `std = math.Sqrt(2 / math.Max(fan, 1))`,
			New: `std = math.Sqrt(1 / math.Max(fan, 1))`},
		{Name: "init-one-stream", Breaks: "all layers draw the same numbers", File: "prune/init.go",
			Old: `0x1417<<32|stream`,
			New: `0x1417<<32|0*stream`},
	}},
	{What: "allocations", File: "prune/allocate/erk.go", Mutants: []Mutant{
		{Name: "erk-as-er", Breaks: "the sizes of kernels never count",
			Old: `if !kernel && len(dims) > 2 {`,
			New: `if len(dims) > 2 {`},
		{Name: "er-as-erk", Breaks: "the sizes of kernels always count",
			Old: `if !kernel && len(dims) > 2 {`,
			New: `if false && len(dims) > 2 {`},
		{Name: "erk-overfull", Breaks: "what a full layer cannot hold is lost",
			Old: `dense[l], again = true, true`,
			New: `dense[l], share[l] = true, 1`},
		{Name: "uniform-plus-first", Breaks: "uniform+ cuts the first convolution", File: "prune/allocate/plus.go",
			Old: `if w.Kind == prune.Conv {
			share[l] = 1`,
			New: `if w.Kind == prune.Conv {
			share[l] = math.NaN()`},
		{Name: "uniform-plus-last", Breaks: "uniform+ cuts the last layer like the others", File: "prune/allocate/plus.go",
			Old: `share[c] = .2`,
			New: `share[c] = math.NaN()`},
		{Name: "erk-plus-density", Breaks: "erk+ keeps the last layer whole", File: "prune/allocate/plus.go",
			Old: `last := int(math.Round(fc * float64(ws[c].Len())))`,
			New: `last := ws[c].Len()`},
		{Name: "igq-half", Breaks: "the quotas forget the size of a layer", File: "prune/allocate/igq.go",
			Old: `share[l] = 1 / (force*n + 1)`,
			New: `share[l] = 1 / (force*math.Sqrt(n) + 1)`},
		{Name: "shuffle-by-size", Breaks: "a random mask of the same counts is the magnitude mask", File: "prune/allocate/plus.go",
			Old: `score.Random(m.Weights, seed)`,
			New: `score.Magnitude(m.Weights)`},
		{Name: "round-cut-comes-back", Breaks: "a round ranks what is cut already with what is left", File: "prune/allocate/round.go",
			Old: `prune.TopK(within(m.Mask[l], score[l]), n-cut, prune.CutFirst)`,
			New: `prune.TopK(score[l], n-cut, prune.CutFirst)`},
		{Name: "round-of-all", Breaks: "a round cuts a share of the whole layer, not of what is left", File: "prune/allocate/round.go",
			Old: `		cut, err := Cut(n, rate[l])
		if err != nil {`,
			New: `		cut, err := Cut(w.Len(), rate[l])
		if cut = min(cut, n-1); err != nil {`},
		{Name: "epsilon-no-root", Breaks: "epsilon multiplies inputs or outputs, not both", File: "prune/allocate/epsilon.go",
			Old: `math.Min(1, epsilon*(n+m)/(n*m))`,
			New: `math.Min(1, epsilon*n/(n*m))`},
		{Name: "blocks-of-all", Breaks: "blocks are cut to half of the sparsity", File: "prune/allocate/pattern.go",
			Old: `keep, err := Keep(tiles, sparsity)`,
			New: `keep, err := Keep(tiles, sparsity/2)`},
	}},
	{What: "schedules", File: "prune/schedule/schedule.go", Mutants: []Mutant{
		{Name: "schedule-power-inverse", Breaks: "the power of the polynomial is its inverse",
			Old: `math.Pow(1-x, g.Power)`,
			New: `math.Pow(1-x, 1/g.Power)`},
		{Name: "schedule-end-missed", Breaks: "there is no event at the end where its steps miss it",
			Old: `return t == g.End || t >= g.Begin`,
			New: `return t >= g.Begin`},
		{Name: "schedule-from-zero", Breaks: "events are counted from step 0, not from the begin",
			Old: `t < g.End && (t-g.Begin)%g.Every == 0`,
			New: `t < g.End && t%g.Every == 0`},
		{Name: "schedule-rounds-linear", Breaks: "rounds cut the same number of weights, not the same share of what is left",
			Old: `out[i] = 1 - math.Pow(1-final, float64(i+1)/float64(n))`,
			New: `out[i] = final * float64(i+1) / float64(n)`},
		{Name: "exchange-linear", Breaks: "the exchange falls linearly", File: "prune/schedule/exchange.go",
			Old: `(1+math.Cos(math.Pi*x))/2`,
			New: `(1-x+0*math.Pi)`},
		{Name: "exchange-at-zero", Breaks: "weights are exchanged at step 0, where nothing is trained", File: "prune/schedule/exchange.go",
			Old: `return t > 0 && t >= e.Begin`,
			New: `return t >= e.Begin`},
		{Name: "exchange-at-end", Breaks: "there is an exchange at the end too", File: "prune/schedule/exchange.go",
			Old: `t < e.End && (t-e.Begin)`,
			New: `t <= e.End && (t-e.Begin)`},
	}},
}

var hookMutants = []Broken{
	{What: "hooks", File: "prune/hook/exchange.go", Tests: []string{"prune/hook", "model/gradual"}, Mutants: []Mutant{
		{Name: "exchange-grows-smallest", Breaks: "the smallest gradients grow",
			Old: `		magnitudes(s)
`,
			New: `		magnitudes(s)
		for i := range s {
			s[i] = 1 / (1 + s[i])
		}
`},
		{Name: "exchange-signed-gradient", Breaks: "negative gradients do not grow",
			Old: `if x[i] = float32(math.Abs(float64(v))); v != v {`,
			New: `if x[i] = max(v, 0); v != v {`},
		{Name: "exchange-drops-largest", Breaks: "the largest weights are exchanged",
			Old: `return without(w, kept, rate, func(x float32) float32 { return float32(math.Abs(float64(x))) })`,
			New: `return without(w, kept, rate, func(x float32) float32 { return float32(1 / (1 + math.Abs(float64(x)))) })`},
		{Name: "exchange-one-sign", Breaks: "a weight counts by its value, not by its sign and size",
			Old: `			return sign * x
`,
			New: `			if x*sign < 0 {
				return -1
			}
			return 1 / (1 + sign*x)
`},
		{Name: "exchange-masked-gradient", Breaks: "gradients of cut weights are not computed",
			Old: `	r.DenseGradients(true)
`,
			New: `	r.DenseGradients(false)
`},
		{Name: "exchange-first-batch-alone", Breaks: "one batch gives the gradient, whatever is asked for",
			Old: `for b := max(1, x.Batches) - 1; b >= 0; b-- {`,
			New: `for b := 0; b >= 0; b-- {`},
		{Name: "exchange-one-draw", Breaks: "random growth is the same at every event",
			Old: `0xe7c4<<48|uint64(r.Step)<<16|uint64(i)`,
			New: `0xe7c4<<48|uint64(i)`},
		{Name: "exchange-value-kept", Breaks: "what grows anew keeps the value that it had",
			Old: `		if x.Anew {
			x.Hold.Mask[i] = kept
			x.Hold.applyTo(i)
		}`,
			New: ``},
		{Name: "hold-state-kept", Breaks: "the optimiser's state of cut weights stays", File: "prune/hook/hold.go",
			Old: `		h.Mask[i].Apply(s)
`,
			New: `		_ = s
`},
		{Name: "hold-not-held", Breaks: "cut weights are moved by the optimiser", File: "prune/hook/hold.go",
			Old: `	if !r.Held() {
		h.apply()`,
			New: `	if r == nil {
		h.apply()`},
		{Name: "hold-masks-not-told", Breaks: "training is not told of masks that change", File: "prune/hook/hold.go",
			Old: `if slices.Equal(h.told[i], h.Mask[i].Bits) {`,
			New: `if h.told[i] != nil || slices.Equal(h.told[i], h.Mask[i].Bits) {`},
		{Name: "raise-values-lost", Breaks: "cut weights do not keep their value", File: "prune/hook/raise.go",
			Old: `copy(g.stash[i], p.W)`,
			New: `copy(g.stash[i], p.W[:0])`},
		{Name: "raise-not-nested", Breaks: "a cut weight may come back", File: "prune/hook/raise.go",
			Old: `m.Mask[i].And(g.Hold.Mask[i])`,
			New: `_ = m.Mask[i].And`},
		{Name: "raise-last-event-missed", Breaks: "a window that ends with the training never reaches its end", File: "prune/hook/raise.go",
			Old: `if r.Step == r.Total && g.Schedule.End == r.Total {`,
			New: `if r == nil {`},
		{Name: "best-last", Breaks: "the last masks are kept, not the best", File: "prune/hook/best.go", Tests: []string{"prune/hook", "model/learned"},
			Old: `if b.masks != nil && !e.Score.Beats(b.score) {`,
			New: `if false {`},
		{Name: "best-first", Breaks: "the first masks are kept, not the best", File: "prune/hook/best.go", Tests: []string{"prune/hook", "model/learned"},
			Old: `if b.masks != nil && !e.Score.Beats(b.score) {`,
			New: `if b.masks != nil {`},
		{Name: "latent-cut-trained", Breaks: "cut weights are trained by the gradient of the product", File: "prune/hook/latent.go", Tests: []string{"prune/hook", "model/learned"},
			Old: `		h.Mask[l].Apply(p.G)
`,
			New: ``},
		{Name: "latent-other-at-old-weights", Breaks: "the other batch sees the weights before they moved", File: "prune/hook/latent.go", Tests: []string{"prune/hook", "model/learned"},
			Old: `	if h.Other != nil {
		h.product()
		if`,
			New: `	if h.Other != nil {
		if`},
		{Name: "latent-momentum-ignored", Breaks: "scores have no momentum", File: "prune/hook/latent.go", Tests: []string{"prune/hook", "model/learned"},
			Old: `Momentum: s.Momentum, WeightDecay: s.Decay}`,
			New: `Momentum: 0, WeightDecay: s.Decay}`},
		{Name: "latent-decay-ignored", Breaks: "scores do not decay", File: "prune/hook/latent.go", Tests: []string{"prune/hook", "model/learned"},
			Old: `WeightDecay: s.Decay}`,
			New: `WeightDecay: 0}`},
		{Name: "silence-nothing", Breaks: "what is added behind a cut filter stays", File: "prune/hook/silence.go", Tests: []string{"prune/hook", "model/learned"},
			Old: `					p.W[r] = 0
`,
			New: `					_ = p.W[r]
`},
	}},
}
