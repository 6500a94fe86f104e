package main

var dataMutants = []Broken{
	{What: "rs2", File: "dataset/sampler.go", Tests: []string{"dataset"}, Mutants: []Mutant{
		{Name: "rs2-fixed", Breaks: "every epoch has the same subset",
			Old: `	lo := epoch % rounds * m
	return epoch / rounds, func`,
			New: `	lo := 0
	return epoch / (1 << 40 * rounds), func`},
		{Name: "rs2-reference-wrap", Breaks: "the completing round has a sample less, as in the reference",
			Old: `order[:lo+m-n]...)`,
			New: `order[:max(0, lo+m-n-1)]...)`},
		{Name: "rs2-shuffles-each-round", Breaks: "without replacement every round shuffles anew",
			Old: `	return epoch / rounds, func`,
			New: `	return epoch, func`},
		{Name: "rs2-replace-ignored", Breaks: "with replacement is without",
			Old: `	if s.Replace {
		return epoch,`,
			New: `	if false {
		return epoch,`},
		{Name: "rs2-strata-first", Breaks: "strata are not shuffled: the first samples of each class are always there",
			Old: `		r.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
		for _, k := range of[:quota[c]] {`,
			New: `		for _, k := range of[:quota[c]] {`},
		{Name: "rs2-strata-rounded-down", Breaks: "the share of a class is rounded down",
			Old: `			quota[c] = s.round(len(of))`,
			New: `			quota[c] = int(s.Share * float64(len(of)))`},
		{Name: "rs2-fill-other", Breaks: "the last batch is filled up with one sample",
			File: "dataset/order.go",
			Old:  `l.order = append(l.order, l.order[i%m])`,
			New:  `l.order = append(l.order, l.order[0*i*m])`},
	}},
	{What: "ccs", File: "data/coreset/ccs.go", Mutants: []Mutant{
		{Name: "ccs-cuts-easiest", Breaks: "the easiest are cut off, not the hardest",
			Old: `rest := data.Order(c.by)[off:]`,
			New: `rest := data.Order(c.by)[:len(c.by)-off]`},
		{Name: "ccs-cuts-by-score", Breaks: "the score itself cuts off, whatever other is given",
			Old: `	if j.Cut != nil {
		if c.by,`,
			New: `	if false {
		if c.by,`},
		{Name: "ccs-largest-first", Breaks: "the largest strata get their budget first",
			Old: `return cmp.Compare(sizes[a], sizes[b])`,
			New: `return cmp.Compare(sizes[b], sizes[a])`},
		{Name: "ccs-no-surplus", Breaks: "what small strata have not is for nobody",
			Old: `		out[at] = min(sizes[at], m/(len(sizes)-q))
		m -= out[at]`,
			New: `		out[at] = min(sizes[at], m/len(sizes))
		_ = q`},
		{Name: "ccs-reference-top", Breaks: "the last stratum is not closed: the top samples are lost",
			Old: `q = min(k-1, int((v-lo)/(hi-lo)*float64(k)))`,
			New: `if q = int((v - lo) / (hi - lo) * float64(k)); q == k {
				continue
			}`},
		{Name: "ccs-first-of-stratum", Breaks: "strata give their first samples, whatever the seed",
			Old: `		r.Shuffle(len(of), func(a, b int) { of[a], of[b] = of[b], of[a] })
`,
			New: `		_ = r
`},
		{Name: "ccs-range-of-all", Breaks: "the strata span what was cut off too",
			Old: `	for _, i := range places {
		if v := value[i]; !math.IsInf(v, 0) {
			lo, hi`,
			New: `	for i := range value {
		if v := value[i]; !math.IsInf(v, 0) {
			lo, hi`},
		{Name: "ccs-never-learnt-easy", Breaks: "samples that were never learnt are in the first stratum",
			Old: `			q = k - 1
`,
			New: `			q = 0
`},
	}},
	{What: "prototypes", File: "data/score/prototypes.go", Mutants: []Mutant{
		{Name: "prototypes-not-normalised", Breaks: "with cosine the vectors keep their lengths",
			Old: `		e = e.Unit()
`,
			New: `		e = e.Only(make([]int, 0))
`},
		{Name: "prototypes-near-is-hard", Breaks: "samples near their prototype are called hard",
			Old: `	return &data.Result{Score: data.NewScore(j.Set, data.High, out)}, nil`,
			New: `	return &data.Result{Score: data.NewScore(j.Set, data.Low, out)}, nil`},
		{Name: "prototypes-square", Breaks: "Euclidean distances are squared",
			Old: `			out[i] = math.Sqrt(out[i])`,
			New: `			out[i] *= 1`},
		{Name: "prototypes-mean-length", Breaks: "means of classes keep their lengths with cosine",
			Old: `				m[k] /= math.Sqrt(l)`,
			New: `				m[k] *= 1`},
		{Name: "prototypes-no-restarts-of-clusters", Breaks: "an empty cluster stays where it is", Tests: []string{"internal/kmeans"},
			File: "internal/kmeans/lloyd.go",
			Old:  `		copy(l.C[j*l.D:(j+1)*l.D], l.X[at*l.D:(at+1)*l.D])`,
			New:  `		_ = j`},
		{Name: "prototypes-worst-restart", Breaks: "the worst restart is kept", Tests: []string{"internal/kmeans"},
			File: "internal/kmeans/kmeans.go",
			Old:  `last < best.Inertia`,
			New:  `last > best.Inertia`},
		{Name: "prototypes-centroid-length", Breaks: "spherical centroids are means, not of length 1", Tests: []string{"internal/kmeans"},
			File: "internal/kmeans/lloyd.go",
			Old:  `		by = 1 / math.Sqrt(s)`,
			New:  `		by *= 1`},
		{Name: "prototypes-same-empty", Breaks: "all empty clusters go to one point", Tests: []string{"internal/kmeans"},
			File: "internal/kmeans/lloyd.go",
			Old:  `		l.Far[at] = T(math.Inf(-1))`,
			New:  `		_ = math.Inf(-1)`},
	}},
	{What: "label-mapping", File: "data/transfer/label.go", Mutants: []Mutant{
		{Name: "label-mapping-votes-for-last", Breaks: "of equal outputs the last class has the vote, not the highest",
			Old: `best := kernel.Argmax(x)`,
			New: `best := kernel.Argmax(x[len(x)-1:]) + len(x) - 1`},
		{Name: "label-mapping-not-normalised", Breaks: "target samples are shown as they are, not normalised as the source is",
			Old: `train.NewEval(t.Set, j.Norm, batch, j.Engine)`,
			New: `train.NewEval(t.Set, dataset.Raw, batch, j.Engine)`},
		{Name: "label-mapping-ties-by-scores", Breaks: "ties go by the mean of the scores before a softmax",
			Old: `	if probabilities {
		soft = given`,
			New: `	if probabilities = true; probabilities {
		soft = given`},
		{Name: "label-mapping-softmax-of-probabilities", Breaks: "probabilities have a softmax taken of them again",
			Old: `	if probabilities {
		soft = given`,
			New: `	if probabilities && false {
		soft = given`},
		{Name: "label-mapping-keeps-labels", Breaks: "the classes that stay keep their numbers, and held-out sets stay whole",
			Old: `		res.Subset.Classes = res.Facts.(*Facts).Kept
	}
	return res, err`,
			New: `		_ = res
	}
	return res, err`},
		{Name: "label-mapping-sum-of-votes", Breaks: "a target counts by its samples, not by its shares of votes",
			File: "data/transfer/ballot.go",
			Old:  `big.NewRat(int64(v[class]), int64(b.sizes[t]))`,
			New:  `big.NewRat(int64(v[class]), int64(max(1, min(1, b.sizes[t]))))`},
		{Name: "label-mapping-ties-by-number", Breaks: "ties go by number alone",
			File: "data/transfer/ballot.go",
			Old:  `cmp.Compare(b.tie[y], b.tie[x])`,
			New:  `0*cmp.Compare(b.tie[y], b.tie[x])`},
		{Name: "label-mapping-bottom-is-top", Breaks: "the classes with the fewest votes are those with the most",
			File: "data/transfer/classes.go",
			Old:  `		slices.Reverse(order)`,
			New:  `		_ = order`},
		{Name: "label-mapping-random-unseeded", Breaks: "random classes are the same for every seed",
			File: "data/transfer/classes.go",
			Old:  `rand.NewPCG(j.Seed, randomSeed)`,
			New:  `rand.NewPCG(1, randomSeed)`},
		{Name: "label-mapping-copies-of-the-target", Breaks: "samples that are twice in the target count as the source's",
			File: "data/transfer/classes.go",
			Old:  `int(p.A) < j.Set.Len() && int(p.B) >= j.Set.Len()`,
			New:  `int(p.B) >= j.Set.Len()`},
		{Name: "subset-test-set-whole", Breaks: "classes that go stay in the test set",
			File: "data/subset.go", Tests: []string{"data/transfer"},
			Old: `[]**dataset.Set{&out.Val, &out.Test}`,
			New: `[]**dataset.Set{&out.Val}`},
		{Name: "only-numbers-stay", Breaks: "the classes that stay are not numbered anew",
			File: "dataset/only.go", Tests: []string{"dataset", "data/transfer"},
			Old: `		to[c] = int32(k)
`,
			New: `		to[c] = c + 0*int32(k)
`},
	}},
	{What: "feature-mapping", File: "data/transfer/feature.go", Mutants: []Mutant{
		{Name: "feature-mapping-reference-slot", Breaks: "a vote is for the place of the sample, as in the reference",
			Old: `		b.vote(best)`,
			New: `		b.vote((best + i) % len(mean))`},
		{Name: "feature-mapping-farthest", Breaks: "a vote is for the farthest mean",
			Old: `best, least := 0, math.Inf(1)`,
			New: `best, least := 0, math.Inf(-1)`},
		{Name: "feature-mapping-sums", Breaks: "groups are at the sum of their features, not the mean",
			Old: `float64(v) / float64(count[g])`,
			New: `float64(v) * min(1, float64(count[g]))`},
		{Name: "feature-mapping-far-ties", Breaks: "of equal votes the farther group comes first",
			Old: `		b.tie[c] -= d / float64(e.N)`,
			New: `		b.tie[c] += d / float64(e.N)`},
		{Name: "feature-mapping-clusters-renumber", Breaks: "clusters are taken for classes that are numbered anew",
			Old: `	if s.Clusters == 0 {
		res.Subset.Classes`,
			New: `	if s.Clusters >= 0 {
		res.Subset.Classes`},
	}},
	{What: "pilots", File: "data/coreset/pilot.go", Mutants: []Mutant{
		{Name: "pilot-keeps-worst", Breaks: "what a pilot learns least from stays",
			Old: `x.Beats(p.tried[p.best].Score.Value)`,
			New: `!x.Beats(p.tried[p.best].Score.Value)`},
		{Name: "pilot-last-cutoff", Breaks: "the last cut-off that was tried stays",
			File: "data/coreset/ccs.go",
			Old: `		if better {
			best = res`,
			New: `		if better || true {
			best = res`},
		{Name: "pilot-one-end", Breaks: "only the hard end is tried",
			File: "data/coreset/rank.go",
			Old:  `range []string{"hard", "easy"}`,
			New:  `range []string{"hard"}`},
	}},
	{What: "training sets compared", File: "data/sweep/sweep.go", Mutants: []Mutant{
		{Name: "sweep-equal-ignored", Breaks: "trainings have as many epochs where as many steps are asked for",
			Old: `if s.Equal == Steps && c.Method != nil {`,
			New: `if s.Equal == Steps && c.Method != nil && false {`},
		{Name: "sweep-rs2-fixed", Breaks: "rs2 trains on all samples in each epoch",
			Old: `		j.Recipe.Sampler = r.Sampler().String()`,
			New: `		_ = r`},
		{Name: "sweep-rate-found-again", Breaks: "every training finds a rate of its own",
			Old: `if j.Recipe.LR == 0 && c.Method != nil {`,
			New: `if j.Recipe.LR == 0 && c.Method != nil && false {`},
		{Name: "sweep-selection-free", Breaks: "the training on all samples costs nothing where methods choose by it",
			File: "data/sweep/choose.go",
			Old:  `	o.Before = k.outcome.last().Seconds`,
			New:  `	o.Before = 0`},
		{Name: "sweep-clock-judges", Breaks: "the time of judging counts",
			File: "data/sweep/clock.go",
			Old: `	c.mark = c.now()
	return nil
}

// MarshalBinary`,
			New: `	return nil
}

// MarshalBinary`},
		{Name: "sweep-reach-of-mean", Breaks: "a share is of a score of 1, not of what all samples come to",
			File: "data/sweep/summary.go",
			Old:  `want := share * f.Score.Value`,
			New:  `want := share`},
		{Name: "sweep-reach-without-selection", Breaks: "times to a score leave out what was spent before",
			File: "data/sweep/summary.go",
			Old:  `seconds = append(steps, float64(p.Step)), append(seconds, o.clock(p))`,
			New:  `seconds = append(steps, float64(p.Step)), append(seconds, p.Seconds)`},
		{Name: "sweep-key-without-score", Breaks: "the score that samples are chosen by is no part of what a run is",
			File: "data/sweep/outcome.go",
			Old:  `	f.Score, f.Scored = named(c.Scorer)`,
			New:  `	_ = c.Scorer`},
	}},
	{What: "scores of samples", File: "train/dynamics/scores.go", Tests: []string{"train/dynamics"}, Mutants: []Mutant{
		{Name: "aum-sum-of-seen", Breaks: "an epoch without the sample counts as a margin of 0",
			Old: `		out[i] /= float64(n)
`,
			New: `		out[i] /= float64(epochs)
`},
		{Name: "forgetting-never-is-easy", Breaks: "samples that were never learnt were never forgotten",
			Old: `		if !learnt {`,
			New: `		if false {`},
		{Name: "forgetting-counts-learning", Breaks: "it counts how often a sample is learnt",
			Old: `if before && !right {`,
			New: `if !before && right {`},
		{Name: "dynamics-after-update", Breaks: "the margin is to the class that is highest, whether it is the label or not",
			File: "train/dynamics/record.go",
			Old:  `if c != label && (other < 0`,
			New:  `if other < 0 || (c == label || c != label) && (other < 0`},
		{Name: "dynamics-not-resumed", Breaks: "a training that goes on forgets the epoch under way",
			File: "train/dynamics/record.go",
			Old: `int(binary.LittleEndian.Uint32(b)), e
`,
			New: `int(binary.LittleEndian.Uint32(b)), newEpoch(len(e.Label))
`},
		{Name: "grand-of-sum", Breaks: "the sum of absolute values is taken for the length", Tests: []string{"data/score"},
			File: "data/score/grand.go",
			Old:  `square += float64(v) * float64(v)`,
			New:  `square += math.Abs(float64(v))`},
		{Name: "el2n-all-epochs", Breaks: "the window has no effect", Tests: []string{"data/score"},
			File: "data/score/dynamics.go",
			Old:  `return l.EL2N(s.Window)`,
			New:  `return l.EL2N(len(l.Epochs))`},
		{Name: "margin-high", Breaks: "a wide margin is called hard", Tests: []string{"data/score"},
			File: "data/score/confidence.go",
			Old:  `less that of the next", data.Low`,
			New:  `less that of the next", data.High`},
	}},
	{What: "subsets", File: "data/coreset/rank.go", Mutants: []Mutant{
		{Name: "rank-easy-is-hard", Breaks: "the end has no effect",
			Old: `	if end == "easy" {
		for i`,
			New: `	if false {
		for i`},
		{Name: "rank-floor-of-set", Breaks: "the least of a class is a share of all samples, not of those that stay",
			File: "data/coreset/random.go",
			Old:  `floor := int(b.Floor * float64(m) / float64(there))`,
			New:  `floor := int(b.Floor * float64(j.Set.Len()) / float64(there) / 100)`},
		{Name: "herding-without-memory", Breaks: "what was taken has no effect on what is taken next",
			File: "data/coreset/greedy.go",
			Old:  `			want[k] -= float64(v)`,
			New:  `			_, _ = k, v`},
		{Name: "k-centre-of-last", Breaks: "the distance is that to the last sample taken, not to the nearest",
			File: "data/coreset/greedy.go",
			Old:  `near[i] = min(had, square(e.At(i), e.At(at)))`,
			New:  `near[i] = min(had, 1) * square(e.At(i), e.At(at))`},
		{Name: "scores-of-other-data", Breaks: "scores of other data are taken", Tests: []string{"data"},
			File: "data/score.go",
			Old:  `s.Data != "" && s.Data != d {`,
			New:  `false && s.Data != d {`},
		{Name: "coverage-of-itself", Breaks: "the distance is that to the first of the subset", Tests: []string{"data"},
			File: "data/embeddings.go",
			Old: `				best = k
`,
			New: `				best *= k
`},
	}},
}
