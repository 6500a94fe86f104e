package main

var trainMutants = []Broken{
	{What: "training", File: "train/match.go", Tests: []string{"train"}, Mutants: []Mutant{
		{Name: "match-square", Breaks: "classes are matched by the square, not by the divergence",
			Old: `Loss: objective.MatchKL, Params: objective.Params{"temperature": {l.T}}}`,
			New: `Loss: objective.MatchMSE}`},
		{Name: "match-temperature-ignored", Breaks: "classes are matched at temperature 1",
			Old: `Loss: objective.MatchKL, Params: objective.Params{"temperature": {l.T}}}`,
			New: `Loss: objective.MatchKL, Params: objective.Params{"temperature": {1}}}`},
		{Name: "match-unit-ignored", Breaks: "vectors of length 1 are matched by the square",
			Old: `if unitLength(o) {`,
			New: `if false {`},
		{Name: "match-inner-ignored", Breaks: "positions that are cut are not left out of the teacher's inner values",
			Old: `if l.gather && in.Kept != nil {`,
			New: `if false {`},
		{Name: "match-share-ignored", Breaks: "labels count in full beside a teacher", File: "train/loss.go",
			Old: `hard = b.Op("Mul", hard, b.Scalar(1-l.Alpha, hard))`,
			New: `hard = b.Op("Mul", hard, b.Scalar(1, hard))`},
		{Name: "best-first-epoch", Breaks: "the first epoch is kept", File: "train/best.go",
			Old: `e.Score.Good() >= least && (c.Score.Good() < least || e.ValLoss < c.ValLoss)`,
			New: `e.Score.Good() < least && e.ValLoss < c.ValLoss`},
		{Name: "best-no-error", Breaks: "the best score decides, however few samples it is by", File: "train/best.go",
			Old: `return math.Sqrt(s.Value * (1 - s.Value) / float64(n))`,
			New: `return 0 * math.Sqrt(s.Value)`},
		{Name: "best-before-settled", Breaks: "an epoch is kept before the masks are what they will be", File: "train/best.go",
			Old: `if !r.Best || r.Val == nil || !r.settled() {`,
			New: `if !r.Best || r.Val == nil {`},
		{Name: "clip-each", Breaks: "gradients are clipped twice as hard", File: "train/clip.go",
			Old: `f := float32(limit / norm)`,
			New: `f := float32(limit / norm / 2)`},
		{Name: "clip-nothing", Breaks: "gradients are not clipped", File: "train/clip.go",
			Old: `if norm > limit {`,
			New: `if false {`},
		{Name: "clip-mean-never-forgets", Breaks: "the mean norm is that of all steps", File: "train/clip.go",
			Old: `max(1-clipKeeps, 1/float64(n.seen))`,
			New: `(1/float64(n.seen) + 0*clipKeeps)`},
		{Name: "sam-downhill", Breaks: "the excursion goes downhill", File: "train/sam.go",
			Old: `p.W[k] += step * g`,
			New: `p.W[k] -= step * g`},
		{Name: "sam-stays", Breaks: "weights stay where the excursion led", File: "train/sam.go",
			Old: `		copy(p.W, s.w[i])
`,
			New: `		copy(s.w[i], p.W)
`},
		{Name: "recalibrate-one-batch", Breaks: "statistics are those of one batch", File: "train/norms.go",
			Old: `batches int, opt engine.Options) error {
`,
			New: `batches int, opt engine.Options) error {
	batches = min(batches, 1)
`},
		{Name: "gradients-sum", Breaks: "gradients are summed over batches, not averaged", File: "train/gradients.go", Tests: []string{"train", "model/atinit"},
			Old: `1/float64(d.Steps())
`,
			New: `1.
`},
		{Name: "rate-cosine", Breaks: "the rate falls linearly where a cosine is asked for", File: "train/lr.go",
			Old: `return min + (lr-min)*(1+math.Cos(math.Pi*float64(t)/float64(steps)))/2`,
			New: `return min + (lr-min)*(1-float64(t)/float64(steps)+0*math.Pi)`},
		{Name: "rate-drops-once", Breaks: "the rate drops once", File: "train/lr.go",
			Old: `				r *= gamma
`,
			New: `				r = lr * gamma
`},
		{Name: "explosion-unseen", Breaks: "a loss that explodes is not seen", File: "train/explode.go",
			Old: `return w.over >= farSteps || w.long >= longSteps`,
			New: `return w.long >= longSteps`},
		{Name: "explosion-same-rate", Breaks: "after an explosion the rate stays", File: "train/explode.go",
			Old: `r.factor /= backDivides`,
			New: `r.factor /= 1`},
		{Name: "accuracy-of-all", Breaks: "labels that are left out count", File: "train/metric/accuracy.go", Tests: []string{"train/metric", "train"},
			Old: `		a.n++
		if s.best(r, a.cut) == y {`,
			New: `		a.n++
		if s.best(r, a.cut) >= y {`},
		{Name: "top-k-off-by-one", Breaks: "one score more counts as among the best", File: "train/metric/accuracy.go", Tests: []string{"train/metric", "train"},
			Old: `if before < t.k {`,
			New: `if before <= t.k {`},
		{Name: "iou-union", Breaks: "the overlap of boxes is counted twice in their union", File: "train/metric/boxes.go", Tests: []string{"train/metric"},
			Old: `a.area()+b.area()-s)`,
			New: `a.area()+b.area())`},
	}},
}
