package main

var ticketMutants = []Broken{
	{What: "lottery", File: "model/tickets/imp.go", Claims: "lottery", Mutants: []Mutant{
		{Name: "lottery-random", Breaks: "a round cuts at random",
			Old: `sc := score.Magnitude(p.ws)`,
			New: `sc := score.Random(p.ws, uint64(p.Masks.Count()))`},
		{Name: "lottery-not-rewound", Breaks: "weights stay as they are trained",
			Old: `if err == nil && !p.keep {`,
			New: `if false {`},
		{Name: "lottery-drawn-anew", Breaks: "weights go back to other initial ones",
			Old: `err = p.start.Restore(p.Graph)`,
			New: `err = prune.Init{Seed: p.OtherSeed(7)}.Apply(p.Graph)`},
		{Name: "lottery-output-rate", Breaks: "the output layer is cut like the others",
			Old: `if output = rate / 2; s.Global {`,
			New: `if output = rate; s.Global {`},
		{Name: "lottery-rounds", Breaks: "there is a round too few",
			Old: `rounds = int(math.Ceil(left/math.Log(1-s.Rate) - 1e-9))`,
			New: `rounds = max(1, int(math.Ceil(left/math.Log(1-s.Rate)-1e-9))-1)`},
		{Name: "lottery-global-by-layer", Breaks: "every layer is ranked by itself, whatever is asked for",
			Old: `if p.set.Global {`,
			New: `if false {`},
		{Name: "lottery-rates-ignored", Breaks: "rates of layers by name are not taken",
			Old: `out[l], used[i] = v, true`,
			New: `used[i] = v >= 0`},
		{Name: "lottery-reinit-keeps-weights", Breaks: "the control reinit has the ticket's own weights",
			Old: `case "reinit", "sign":`,
			New: `case "sign":`},
		{Name: "lottery-random-keeps-mask", Breaks: "the control random has the ticket's own mask",
			Old: `	if kind == "random" {
		m = allocate`,
			New: `	if kind == "" {
		m = allocate`},
		{Name: "lottery-sign-without", Breaks: "the control sign has signs of its own",
			Old: `prune.Signed(w, p.start.Of(w))`,
			New: `_ = prune.Signed`},
		{Name: "lottery-winning", Breaks: "a ticket that is later than the dense network wins", File: "model/tickets/report.go",
			Old: `facts.Ticket.Early <= facts.Dense.Early`,
			New: `facts.Ticket.Early >= facts.Dense.Early`},
		{Name: "lottery-early-last", Breaks: "the step of the least validation loss is the last one", File: "model/tickets/report.go",
			Old: `if e.ValLoss < best.ValLoss {`,
			New: `if e.Step > best.Step {`},
		{Name: "lottery-trained-ticket", Breaks: "the ticket itself is given as it was trained, not rewound", File: "model/tickets/report.go",
			Old: `if p.set.Untrained {`,
			New: `if false {`},
	}},
	{What: "rewind", File: "model/tickets/rewind.go", Claims: "rewind", Mutants: []Mutant{
		{Name: "rewind-half-way", Breaks: "weights go back to half of the step",
			Old: `NewIMP(j, &s.Tickets, at, 2*s.Stability)`,
			New: `NewIMP(j, &s.Tickets, at/2, 2*s.Stability)`},
		{Name: "rewind-to-start", Breaks: "weights go back to the initial ones",
			Old: `NewIMP(j, &s.Tickets, at, 2*s.Stability)`,
			New: `NewIMP(j, &s.Tickets, 0*at, 2*s.Stability)`},
		{Name: "rewind-keep-ignored", Breaks: "weights go back although they are to stay",
			Old: `p.keep = s.Keep`,
			New: `p.keep = false`},
		{Name: "rewind-schedule-from-start", Breaks: "the schedule begins anew, although the weights are those of a later step", File: "model/tickets/imp.go",
			Old: `from := p.at
		var hooks`,
			New: `from := 0
		var hooks`},
		{Name: "rewind-one-order", Breaks: "stability is measured between trainings in one order", File: "model/tickets/stability.go",
			Old: `p.fit(ctx, c, on, p.at, p.OtherSeed(i))`,
			New: `p.fit(ctx, c, on, p.at, 0)`},
		{Name: "rewind-distance-unmasked", Breaks: "distances are of all weights, cut ones too", File: "model/tickets/stability.go",
			Old: `m.Mask[l].Apply(x)`,
			New: `_ = m.Mask[l]`},
		{Name: "rewind-one-step-early", Breaks: "the snapshot is of a step before", File: "prune/hook/snapshot.go", Tests: []string{"prune/hook", "model/tickets"},
			Old: `if r.Step != s.At || s.kept != nil {`,
			New: `if r.Step != max(0, s.At-1) || s.kept != nil {`},
		{Name: "rewind-statistics-kept", Breaks: "running statistics do not go back", File: "prune/hook/snapshot.go", Tests: []string{"prune/hook", "model/tickets"},
			Old: `(v.Role == graph.Param || v.Role == graph.Stat)`,
			New: `v.Role == graph.Param`},
	}},
	{What: "sap", File: "model/tickets/sap.go", Claims: "sap", Mutants: []Mutant{
		{Name: "sap-index-of-all", Breaks: "the index is that of all weights, cut ones too",
			Old: `return prune.TopK(score, len(x)-s.cut(len(x), s.index(x)), prune.CutFirst)`,
			New: `all := make([]float32, len(score))
	for i, v := range score {
		all[i] = max(v, 0)
	}
	return prune.TopK(score, len(x)-s.cut(len(x), s.index(all)), prune.CutFirst)`},
		{Name: "sap-not-reset", Breaks: "weights are not reset between rounds",
			Old: `if err := train.CopyWeights(j.Graph, initial); err != nil {`,
			New: `_, _ = train.CopyWeights, initial
		if err := ctx.Err(); err != nil {`},
		{Name: "sap-largest", Breaks: "the largest of what is left are cut",
			Old: `return prune.TopK(score, len(x)-s.cut(len(x), s.index(x)), prune.CutFirst)`,
			New: `inverse := make([]float32, len(score))
	for i, v := range score {
		if inverse[i] = v; v >= 0 {
			inverse[i] = 1 / (1 + v)
		}
	}
	return prune.TopK(inverse, len(x)-s.cut(len(x), s.index(x)), prune.CutFirst)`},
		{Name: "sap-fixed-share", Breaks: "every round cuts 35 %, whatever the index",
			Old: `return int(math.Floor(n*share + eps))`,
			New: `return int(math.Floor(n*.35 + eps))`},
		{Name: "sap-eta-ignored", Breaks: "the tolerance has no effect",
			Old: `math.Pow(1+s.Eta,`,
			New: `math.Pow(1+0*s.Eta,`},
		{Name: "sap-beta-ignored", Breaks: "a round may cut any share",
			Old: `min(s.Gamma*(1-math.Ceil(r*(1-eps))/n), s.Beta)`,
			New: `min(s.Gamma*(1-math.Ceil(r*(1-eps))/n), 1)`},
		{Name: "sap-gamma-ignored", Breaks: "all that the index allows is cut",
			Old: `min(s.Gamma*(1-math.Ceil`,
			New: `min(1*(1-math.Ceil`},
		{Name: "sap-exponent", Breaks: "the exponent of the index lacks the factor p",
			Old: `s.P*s.Q/(s.Q-s.P))`,
			New: `s.Q/(s.Q-s.P))`},
		{Name: "sap-neuron-as-layer", Breaks: "the scope neuron is a whole layer",
			Old: `switch s.Scope {`,
			New: `scope := s.Scope
	if scope == "neuron" {
		scope = "layer"
	}
	switch scope {`},
		{Name: "sap-index-of-order-1", Breaks: "the index takes means without their roots", File: "measure/sparsity.go", Tests: []string{"measure", "model/tickets"},
			Old: `math.Pow(sp/d, 1/p)/math.Pow(sq/d, 1/q)`,
			New: `(sp/d)/math.Pow(sq/d, 1/q)`},
	}},
}
