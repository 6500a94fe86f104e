package main

// Scores of samples by trainings and by language models, and the files that subsets go to.
var samplesMutants = []Broken{
	{What: "memorisation", File: "data/score/memorisation.go", Mutants: []Mutant{
		{Name: "memorisation-all-in", Breaks: "samples that were left out count as trained on",
			Old: `				member[place[half.Number(i)]] = true`,
			New: `				member[place[half.Number(i)]] = true
				member[(i+1)%len(member)] = true`},
		{Name: "memorisation-one-half", Breaks: "only the first half of each division is trained on",
			Old: `for h, half := range []*dataset.Set{a, b} {`,
			New: `for h, half := range []*dataset.Set{a, a} {
			_ = b`},
		{Name: "memorisation-same-division", Breaks: "every division is the same",
			Old: `seed := j.Seed + uint64(k)`,
			New: `seed := j.Seed + uint64(0*k)`},
		{Name: "memorisation-given-weights", Breaks: "trainings begin with the weights that were given",
			Old: `	if err := (prune.Init{Seed: seed}).Apply(g); err != nil {`,
			New: `	_ = prune.Init{}
	if err := ctx.Err(); err != nil {`},
		{Name: "memorisation-sum", Breaks: "what is right without a sample is added, not taken away",
			Old: `float64(in[i]-out[i])`,
			New: `float64(in[i]+out[i])`},
	}},
	{What: "perplexity", File: "data/score/perplexity.go", Mutants: []Mutant{
		{Name: "perplexity-of-sum", Breaks: "long texts have high perplexities: the loss is a sum",
			Old: `math.Exp(sum/float64(max(1, scored)))`,
			New: `math.Exp(sum + 0*float64(scored))`},
		{Name: "perplexity-fills", Breaks: "what fills texts up is scored",
			Old: `len(to) == 1 || to[1].I[p] != 0`,
			New: `len(to) == 1 || to[1].I[p] >= 0`},
		{Name: "perplexity-log", Breaks: "it is the loss",
			Old: `math.Exp(sum/float64(max(1, scored)))`,
			New: `sum/math.Max(1, float64(scored))`},
		{Name: "perplexity-first-window", Breaks: "of long texts only the first window is scored", Tests: []string{"lm/local"},
			File: "lm/local/scorer.go",
			Old: `		n += len(part) - 1
`,
			New: `		n += len(part) - 1
		break
`},
	}},
	{What: "quantile", File: "data/coreset/quantile.go", Mutants: []Mutant{
		{Name: "quantile-middle-low", Breaks: "the middle is the low part",
			Old: `"middle": (n - m) / 2,`,
			New: `"middle": 0,`},
		{Name: "quantile-hard", Breaks: "the direction of the score turns the parts round",
			Old: `values, err := j.Score.On(j.Set)`,
			New: `values, err := j.Score.Hardness(j.Set)`},
		{Name: "quantile-ends", Breaks: "the high part is the low one",
			Old: `"high": n - m}`,
			New: `"high": 0}`},
	}},
	{What: "aum-threshold", File: "data/score/aumthreshold.go", Mutants: []Mutant{
		{Name: "aum-threshold-once", Breaks: "samples that stood for the class are judged by that training",
			Old: `			decides = at[:few]`,
			New: `			decides = at[:0]`},
		{Name: "aum-threshold-mean", Breaks: "the threshold is the median of the areas",
			Old: `percentile(of, s.Percentile)`,
			New: `percentile(of, 50)`},
		{Name: "aum-threshold-no-class", Breaks: "threshold samples keep their labels",
			Old: `y.Ints[j.Set.Number(i)] = int32(y.Classes)`,
			New: `y.Ints[j.Set.Number(i)] += 0`},
		{Name: "aum-threshold-annealed", Breaks: "the learning rate falls along a cosine",
			Old: `"constant", "last"`,
			New: `"cosine", "last"`},
		{Name: "aum-threshold-last-epoch", Breaks: "the last epoch alone counts", Tests: []string{"data/hygiene", "data/score"},
			File: "data/hygiene/aum.go",
			Old: `		a.sum[i] += m
	}
	a.epochs++`,
			New: `		a.sum[i] = m
	}
	a.epochs = 1`},
	}},
	{What: "files of samples", File: "dataset/cut.go", Mutants: []Mutant{
		{Name: "cut-comments", Breaks: "rows of CSV begin where the row before ends but one",
			File: "dataset/cutrows.go",
			Old:  `		size := c.end - at`,
			New:  `		size := c.end - at - 1`},
		{Name: "cut-second-file", Breaks: "samples of a second file are numbered from 0",
			File: "dataset/cutrows.go",
			Old: `	k.first += n
	return w.Flush()
}

// lines writes`,
			New: `	k.first = n
	return w.Flush()
}

// lines writes`},
		{Name: "cut-fortran", Breaks: "arrays in Fortran order are cut as if they were not",
			File: "dataset/cutarrays.go",
			Old:  `if h.Fortran {`,
			New:  `if false {`},
		{Name: "cut-more-samples", Breaks: "files that have grown are cut all the same",
			Old: `k.first != len(k.keep)`,
			New: `k.first < len(k.keep)`},
		{Name: "cut-parquet-one-group", Breaks: "groups of rows become one",
			File: "dataset/cutparquet.go",
			Old:  `if err := w.Flush(); err != nil {`,
			New:  `if err := ctx.Err(); err != nil {`},
		{Name: "cut-empty-class", Breaks: "a class that has nothing left loses its folder",
			File: "dataset/cutfolder.go",
			Old:  `	for _, name := range k.folders {`,
			New:  `	for _, name := range k.folders[:0] {`},
		{Name: "cut-plain", Breaks: "what was gzipped is not again",
			Old: `	if s.gzip {`,
			New: `	if false {`},
	}},
}
