package main

var federatedMutants = []Broken{
	{What: "fedtiny", File: "model/federated/server.go", Claims: "fedtiny", Mutants: []Mutant{
		{Name: "fedtiny-dropped-grow-back", Breaks: "what drops in a step may grow in it, so that a layer loses weights",
			Old: `mask.Or(prune.TopK(score, a, prune.KeepFirst))`,
			New: `for k := range score {
			if !mask.Kept(k) && old.Kept(k) {
				score[k] = 1e9
			}
		}
		mask.Or(prune.TopK(score, a, prune.KeepFirst))`},
		{Name: "fedtiny-drops-another-count", Breaks: "one weight more drops than grows",
			Old: `hook.Weakest(w, old, float64(a)/float64(old.Count()))`,
			New: `hook.Weakest(w, old, float64(a+1)/float64(old.Count()))`},
		{Name: "fedtiny-forwards", Breaks: "blocks are adjusted from the input on",
			Old: `block := blocks - 1 - (round/s.rate.Every-1)%blocks`,
			New: `block := (round/s.rate.Every - 1) % blocks`},
		{Name: "fedtiny-rounded-up", Breaks: "counts of an adjustment are rounded up",
			Old: `a := int(s.rate.At(round)*float64(kept) + 1e-9)`,
			New: `a := int(s.rate.At(round)*float64(kept) + 1)`},
		{Name: "fedtiny-sent-alone", Breaks: "gradients of clients that sent one are averaged, those that did not count for nothing",
			Old: `x[k], any = float64(v), any || ok`,
			New: `if x[k], any = float64(v)/c.weight[k]/float64(len(of)), any || ok; !ok {
				x[k] = 0
			}`},
		{Name: "fedtiny-masks-always", Breaks: "masks are sent in every round, changed or not",
			Old: `if b.Model.Values != nil && s.held[k] != s.version {`,
			New: `if b.Model.Values != nil {`},
		{Name: "fedtiny-unchecked", Breaks: "what clients send is not checked",
			Old: `err = checkUpdate(&s.net.Layout, u, s.masks, grow)`,
			New: `_ = checkUpdate`},
		{Name: "fedtiny-clip-ignored", Breaks: "updates are not clipped",
			Old: `if s.set.Clip > 0 && clip(u.Model, s.model, s.set.Clip) {`,
			New: `if false {`},
		{Name: "fedtiny-all-each-round", Breaks: "all clients train in every round, whatever is asked for",
			Old: `if s.set.PerRound == 0 || s.set.PerRound == n {`,
			New: `if true {`},
	}},
	{What: "fedtiny, aggregation", File: "model/federated/aggregate.go", Claims: "fedtiny", Mutants: []Mutant{
		{Name: "fedtiny-variance-plain", Breaks: "variances are averaged without the spread of the means",
			Old: `x[k] = float64(m.Var[i]) + d*d`,
			New: `_ = d
			x[k] = float64(m.Var[i])`},
		{Name: "fedtiny-clients-alike", Breaks: "clients count alike, whatever their samples",
			Old: `c.weight = append(c.weight, float64(n)/float64(total))`,
			New: `_ = total
		c.weight = append(c.weight, 1/float64(len(samples)), float64(0*n))[:len(c.weight)+1]`},
		{Name: "fedtiny-not-trimmed", Breaks: "trimming leaves nothing out",
			Old: `x = x[out : len(x)-out]`,
			New: `_ = out`},
	}},
	{What: "fedtiny, choice", File: "model/federated/select.go", Claims: "fedtiny", Mutants: []Mutant{
		{Name: "fedtiny-worst", Breaks: "the last candidate is taken",
			Old: `if f.Loss < best {`,
			New: `if best = f.Loss; true {`},
		{Name: "fedtiny-pool-alike", Breaks: "all candidates have the allocation's shares",
			Old: `raw[l] *= 1 + s.set.Noise*(2*r.Float64()-1)`,
			New: `raw[l] *= 1 + 0*r.Float64()`},
		{Name: "fedtiny-own-statistics", Breaks: "candidates keep the statistics of the server",
			Old: `if c.model.Norms, who, err = s.norms(ctx, who, &f.Out); err != nil {`,
			New: `if _, who, err = s.norms(ctx, who, &f.Out); err != nil {`},
		{Name: "fedtiny-random-as-magnitude", Breaks: "the random mask is that of magnitude",
			Old: `if random {`,
			New: `if false {`},
	}},
	{What: "fedtiny, clients", File: "model/federated/client.go", Claims: "fedtiny", Mutants: []Mutant{
		{Name: "fedtiny-one-rate", Breaks: "each round goes through the whole schedule of rates",
			Old: `k.From, k.Until = (b.Round-1)*c.steps(), b.Round*c.steps()`,
			New: `k.Recipe.Epochs = c.local
	k.Until = c.steps()`},
		{Name: "fedtiny-batches-ignored", Breaks: "one batch says what grows, whatever is asked for",
			Old: `batches: s.Batches,`,
			New: `batches: 1,`},
		{Name: "fedtiny-masked-gradient", Breaks: "the gradient by cut weights is not computed",
			Old: `if err := r.Mask(params[i], nil); err != nil {`,
			New: `if params[i] == nil {
			var err error`},
		{Name: "fedtiny-mask-not-held", Breaks: "masks are not held in training",
			Old: `hold := &hook.Hold{Masks: &prune.Masks{Weights: c.net.ws, Mask: c.masks}}`,
			New: `hold := &hook.Hold{Masks: &prune.Masks{Weights: c.net.ws, Mask: prune.Dense(c.net.ws).Mask}}
	_ = c.masks`},
	}},
	{What: "fedtiny, gradients and shards", File: "model/federated/top.go", Tests: []string{"model/federated"}, Mutants: []Mutant{
		{Name: "fedtiny-top-last", Breaks: "of equal gradients the last is kept",
			Old: `x == y && a.index > b.index`,
			New: `x == y && a.index < b.index`},
		{Name: "fedtiny-top-kept", Breaks: "positions that are kept are sent",
			Old: `if kept.Kept(first + i) {`,
			New: `if false {`},
		{Name: "fedtiny-shards-alike", Breaks: "shards are alike, whatever the concentration", File: "model/federated/split.go",
			Old: `if concentration == 0 {`,
			New: `if true {`},
		{Name: "fedtiny-shards-small", Breaks: "a shard may be empty", File: "model/federated/split.go",
			Old: `fill(parts, min(leastShard, n/clients))`,
			New: `fill(parts, 0)`},
	}},
	{What: "fedtiny, counts", File: "model/federated/fedtiny.go", Tests: []string{"model/federated"}, Mutants: []Mutant{
		{Name: "fedtiny-density-of-weights", Breaks: "the sparsity is of the weights that are cut alone",
			Old: `kept := int(math.Floor((1-s.Sparsity)*float64(all)+1e-6)) - dense`,
			New: `kept := int(math.Floor((1 - s.Sparsity) * float64(all-dense)))`},
	}},
}
