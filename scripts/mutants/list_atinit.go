package main

var atinitMutants = []Broken{
	{What: "random", File: "model/atinit/random.go", Claims: "random", Mutants: []Mutant{
		{Name: "random-by-magnitude", Breaks: "the largest weights stay, not random ones",
			Old: `m := allocate.Select(ws, score.Random(ws, j.Seed), keep, prune.CutFirst)`,
			New: `m := allocate.Select(ws, score.Magnitude(ws), keep, prune.CutFirst)`},
		{Name: "random-one-seed", Breaks: "every seed draws the same masks",
			Old: `m := allocate.Select(ws, score.Random(ws, j.Seed), keep, prune.CutFirst)`,
			New: `m := allocate.Select(ws, score.Random(ws, 1), keep, prune.CutFirst)`},
		{Name: "random-erk-as-er", Breaks: "erk forgets the sizes of kernels",
			Old: `"er": allocate.ER, "erk": allocate.ERK,`,
			New: `"er": allocate.ER, "erk": allocate.ER,`},
		{Name: "random-erk-as-uniform", Breaks: "erk is the uniform allocation",
			Old: `"er": allocate.ER, "erk": allocate.ERK,`,
			New: `"er": allocate.ER, "erk": allocate.UniformExact,`},
		{Name: "random-snip-as-magnitude", Breaks: "what snip keeps of each layer is what magnitude keeps",
			Old: `"snip": s.Sampled.Sensitivity,`,
			New: `"snip": func(_ context.Context, _ *model.Job, ws []*prune.Weight) ([][]float32, error) { return score.Magnitude(ws), nil },`},
		{Name: "random-fc-density-ignored", Breaks: "erk+ keeps the last layer whole",
			Old: `allocate.ErdosRenyiPlus(ws, sparsity, s.FCDensity)`,
			New: `allocate.ErdosRenyiPlus(ws, sparsity, 1)`},
		{Name: "random-not-rescaled", Breaks: "initial weights are not scaled for the smaller fan-in",
			Old: `by := float32(1 / math.Sqrt(d))`,
			New: `by := float32(1 + 0*math.Sqrt(d))`},
		{Name: "random-scale-not-root", Breaks: "initial weights are divided by the density, not by its root",
			Old: `by := float32(1 / math.Sqrt(d))`,
			New: `by := float32(1 / (d + 0*math.Sqrt(d)))`},
		{Name: "random-scale-by-network", Breaks: "the scale of a layer is that of the network",
			Old: `d = float64(m.Mask[l].Count()) / float64(w.Len())`,
			New: `d = 1 - m.Sparsity() + 0*float64(l)`},
	}},
	{What: "snip", File: "model/atinit/snip.go", Mutants: []Mutant{
		{Name: "snip-magnitude", Breaks: "the score is the magnitude, whatever the gradient", File: "model/sampled.go", Tests: []string{"model/atinit"},
			Old: `return score.Sensitivity(ws, g), nil`,
			New: `_ = g
	return score.Magnitude(ws), nil`},
		{Name: "snip-random", Breaks: "what stays is drawn at random", File: "model/sampled.go", Tests: []string{"model/atinit"},
			Old: `return score.Sensitivity(ws, g), nil`,
			New: `_ = g
	return score.Random(ws, 1), nil`},
		{Name: "snip-gradient", Breaks: "the score is |g|, without the weight", File: "prune/score/score.go", Tests: []string{"prune/score", "model/atinit"},
			Old: `math.Abs(float64(x) * float64(grad[l][i]))`,
			New: `math.Abs(0*float64(x) + float64(grad[l][i]))`},
		{Name: "snip-signed", Breaks: "the score has a sign", File: "prune/score/score.go", Tests: []string{"prune/score", "model/atinit"},
			Old: `float32(math.Abs(float64(x) * float64(grad[l][i])))`,
			New: `float32(float64(x) * float64(grad[l][i]))`},
		{Name: "snip-one-a-class", Breaks: "one sample of each class scores, whatever is asked for", File: "model/sampled.go", Tests: []string{"model/atinit"},
			Old: `Balanced(s.PerClass, j.Seed)`,
			New: `Balanced(1, j.Seed)`},
		{Name: "snip-not-balanced", Breaks: "samples are drawn without regard to their class", File: "model/sampled.go", Tests: []string{"model/atinit"},
			Old: `return j.Data.Train.Balanced(s.PerClass, j.Seed)`,
			New: `return j.Data.Train.Draw(y.Classes*s.PerClass, j.Seed), nil`},
		{Name: "snip-by-layer", Breaks: "every layer keeps the same share", File: "model/atinit/once.go",
			Old: `m, err := allocate.Global(ws, sc, sparsity, nil)`,
			New: `m, err := allocate.Name("uniform").Masks(ws, sc, sparsity, nil)`},
	}},
	{What: "grasp", File: "model/atinit/grasp.go", Mutants: []Mutant{
		{Name: "grasp-sign", Breaks: "what preserves the gradient's flow is cut", File: "prune/score/grasp.go", Tests: []string{"prune/score", "model/atinit"},
			Old: `out[l][i] = float32(float64(x) * hg[l][i])`,
			New: `out[l][i] = float32(-float64(x) * hg[l][i])`},
		{Name: "grasp-absolute", Breaks: "the size of the product counts, not its sign", File: "prune/score/grasp.go", Tests: []string{"prune/score", "model/atinit"},
			Old: `out[l][i] = float32(float64(x) * hg[l][i])`,
			New: `out[l][i] = float32(max(float64(x)*hg[l][i], -float64(x)*hg[l][i]))`},
		{Name: "grasp-without-hessian", Breaks: "the gradient itself in place of the Hessian's product with it", File: "model/sampled.go", Tests: []string{"model/atinit"},
			Old: `return score.GraSP(ws, hg)`,
			New: `for l := range hg {
			for i := range hg[l] {
				hg[l][i] = float64(g[l][i])
			}
		}
		return score.GraSP(ws, hg)`},
		{Name: "grasp-temperature-ignored", Breaks: "outputs are not divided by the temperature", File: "model/sampled.go", Tests: []string{"model/atinit"},
			Old: `loss.Temper = temperature`,
			New: `loss.Temper = 1`},
		{Name: "grasp-temperature-multiplied", Breaks: "outputs are multiplied by the temperature", File: "train/loss.go", Tests: []string{"train", "model/atinit"},
			Old: `b.Scalar(1/l.Temper, o)`,
			New: `b.Scalar(l.Temper, o)`},
	}},
	{What: "synflow", File: "model/atinit/synflow.go", Mutants: []Mutant{
		{Name: "synflow-one-shot", Breaks: "all is cut in one iteration",
			Old: `for k := range s.Iterations {`,
			New: `for k := s.Iterations - 1; k < s.Iterations; k++ {`},
		{Name: "synflow-linear", Breaks: "the density falls by the same amount, not by the same factor",
			Old: `1 - math.Pow(1-s.Sparsity, float64(k+1)/float64(s.Iterations))`,
			New: `s.Sparsity*float64(k+1)/float64(s.Iterations) + 0*math.Pi`},
		{Name: "synflow-of-dense", Breaks: "scores are those of the dense network in every iteration",
			Old: `sc, err := f.Score(m)`,
			New: `sc, err := f.Score(prune.Dense(ws))`},
		{Name: "synflow-without-weight", Breaks: "the score is the flow's gradient, without the weight", File: "prune/score/synflow.go", Tests: []string{"prune/score", "model/atinit"},
			Old: `s := x[i] * f.grad[l][i]`,
			New: `s := f.grad[l][i] + 0*x[i]`},
		{Name: "synflow-signed", Breaks: "weights flow with their signs", File: "prune/score/synflow.go", Tests: []string{"prune/score", "model/atinit"},
			Old: `		x := w.Data()
		for i := range x {
			x[i] = float32(math.Abs(float64(x[i])))`,
			New: `		x := w.Data()
		for i := range x {
			x[i] += 0`},
		{Name: "synflow-branches-unbalanced", Breaks: "branches that meet keep the powers of two that their weights were divided by", File: "prune/score/synflow.go", Tests: []string{"prune/score", "model/atinit"},
			Old: `	f.balance()
	if err`,
			New: `	for v := range f.scale {
		f.prog.Input(f.scale[v].Name).F32()[0] = 1
	}
	if err`},
	}},
}
