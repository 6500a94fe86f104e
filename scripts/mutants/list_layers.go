package main

var layerMutants = []Broken{
	{What: "blocks", File: "prune/block/find.go", Mutants: []Mutant{
		{Name: "blocks-of-anything", Breaks: "a sum whose shortcut is another branch is a block",
			Old: `return out, from[r] && len(out) > 0 && f.seen <= mostSeen`,
			New: `return out, f.seen <= mostSeen`},
		{Name: "blocks-outermost", Breaks: "blocks that hold others are listed with them",
			Old: `if n == 0 {`,
			New: `if n >= 0 {`},
		{Name: "blocks-activation-again", Breaks: "an activation that repeats another stays",
			Old: `case n.Is("Relu"):
		return true`,
			New: `case n.Is("Relu"):
		return false`},
		{Name: "blocks-any-activation", Breaks: "an activation that changes its own output goes with the block",
			Old: `	case n.Is("Relu"):
		return true`,
			New: `	case n.Is("Relu", "Tanh"):
		return true`},
		{Name: "blocks-norm-kept", Breaks: "the normalisation behind the sum stays",
			Old: `return n.Int("axis", -1) == was.Int("axis", -1)`,
			New: `return n.Int("axis", -1) != was.Int("axis", -1)`},
		{Name: "blocks-read-elsewhere", Breaks: "a branch goes although something in it is read elsewhere",
			Old: `		if is[m] {
			continue
		}`,
			New: `		if is[m] || m != nil {
			continue
		}`},
		{Name: "blocks-two-branches", Breaks: "of two branches beside one shortcut the activation behind goes with one",
			Old: `alone && len(us) == 1`,
			New: `len(us) == 1`},
		{Name: "blocks-params-of-all", Breaks: "weights that other blocks read count as this one's", File: "prune/block/row.go",
			Old: `return !is[u.Node] }) {`,
			New: `return !is[u.Node] && u.Index > 9 }) {`},
		{Name: "blocks-halves", Breaks: "attention and feed-forward branches are blocks of their own", File: "prune/block/row.go",
			Old: `if len(row) == 1 {`,
			New: `if len(row) >= 1 {`},
		{Name: "blocks-shift-kept", Breaks: "shifts and biases of a silenced branch stay", File: "prune/block/zero.go",
			Old: `		case p.Part == op.Bias:
			zero(g, n, p.In)`,
			New: `		case p.Part == op.Bias:`},
	}},
	{What: "layer-lottery", File: "model/structured/layer_score.go", Claims: "layer-lottery", Mutants: []Mutant{
		{Name: "layers-grasp-sign", Breaks: "blocks that preserve the gradient's flow go", File: "prune/score/grasp.go", Tests: []string{"model/structured"},
			Old: `out[l][i] = float32(float64(x) * hg[l][i])`,
			New: `out[l][i] = float32(-float64(x) * hg[l][i])`},
		{Name: "layers-highest", Breaks: "the most important blocks go", File: "model/structured/layer_pick.go",
			Old: `case rate[a] < rate[b]:
			return -1
		case rate[a] > rate[b]:
			return 1`,
			New: `case rate[a] < rate[b]:
			return 1
		case rate[a] > rate[b]:
			return -1`},
		{Name: "layers-mean-ignored", Breaks: "scores are summed, whatever is asked for",
			Old: `if l.set.Mean && n > 0 {`,
			New: `if n < 0 {`},
		{Name: "layers-all-weights", Breaks: "a block is worth what the whole network is",
			Old: `if slices.Contains(b.Weights, w.Value) {`,
			New: `if slices.Contains(b.Weights, w.Value) || k == 0 {`},
		{Name: "layers-kl-reversed", Breaks: "the divergence is that of the outputs with the block from those without",
			Old: `score.Divergence(without[k*width:(k+1)*width], with[k*width:(k+1)*width])`,
			New: `score.Divergence(with[k*width:(k+1)*width], without[k*width:(k+1)*width])`},
		{Name: "layers-angle-of-one", Breaks: "of several blocks in a row the first one's angle counts",
			Old: `rows[at[l.blocks[k].Out]]`,
			New: `rows[at[l.blocks[i].Out]]`},
		{Name: "layers-first-token", Breaks: "the first token's angle counts in place of the last one's",
			Old: `x[((s+1)*d[1]-1)*d[2]:(s+1)*d[1]*d[2]]`,
			New: `x[s*d[1]*d[2]:(s*d[1]+1)*d[2]]`},
		{Name: "layers-without-relu", Breaks: "expectabs forgets the ReLU",
			Old: `sum += float64(max(0, x))`,
			New: `sum += float64(x)`},
		{Name: "layers-no-way-back", Breaks: "weights do not go back after the dense training", File: "model/structured/layer_lottery.go",
			Old: `	if err := start.Restore(l.Graph); err != nil {
		return nil, err
	}`,
			New: `	_ = start`},
		{Name: "layers-schedule-anew", Breaks: "the schedule begins at the beginning, wherever the weights do", File: "model/structured/layer_lottery.go",
			Old: `if k.From = at; l.set.Reinit {`,
			New: `if k.From = 0; l.set.Reinit {`},
		{Name: "layers-nothing-back", Breaks: "what the budgets do not need stays out", File: "model/structured/layer_pick.go",
			Old: `l.met(rest) {`,
			New: `l.met(rest) && len(rest) < 0 {`},
		{Name: "layers-stages-emptied", Breaks: "stages keep no least number", File: "model/structured/layer_pick.go",
			Old: `stay[b.Stage] > l.set.StageLeast {`,
			New: `stay[b.Stage] > 0*l.set.StageLeast {`},
		{Name: "layers-margin-ignored", Breaks: "a ticket wins only where it is as good", File: "model/structured/layer_facts.go",
			Old: `<= l.set.Margin`,
			New: `<= 0*l.set.Margin`},
		{Name: "vip-one-component", Breaks: "components of a regression explain the same", File: "prune/score/vip.go", Tests: []string{"prune/score"},
			Old: `explained := tt * mat.Dot(&qy, &qy)`,
			New: `explained := 1 + 0*tt`},
		{Name: "rank-of-noise", Breaks: "singular values that are rounding count", File: "prune/score/features.go", Tests: []string{"prune/score"},
			Old: `*0x1p-23, 0`,
			New: `*0, 0`},
	}},
	{What: "heads", File: "model/structured/heads.go", Claims: "heads", Mutants: []Mutant{
		{Name: "heads-not-normalised", Breaks: "importances are not divided by the norm of their layer's",
			Old: `layer[h] /= math.Sqrt(norm)`,
			New: `layer[h] /= 1 + 0*math.Sqrt(norm)`},
		{Name: "heads-squared", Breaks: "derivatives are squared",
			Old: `t.Absolute = true`,
			New: `t.Absolute = false`},
		{Name: "heads-batched", Breaks: "derivatives of several samples cancel out",
			Old: `j.EachSampleGradient(`,
			New: `j.EachGradient(`},
		{Name: "heads-layer-emptied", Breaks: "the worst head of each layer stays in place of the best",
			Old: `if x > layer[best] {`,
			New: `if x < layer[best] {`},
		{Name: "heads-most-important", Breaks: "the most important heads go",
			Old: `rates[out[a].layer][out[a].h] < rates[out[b].layer][out[b].h]`,
			New: `rates[out[a].layer][out[a].h] > rates[out[b].layer][out[b].h]`},
		{Name: "heads-widths-too", Breaks: "hidden units are taken for heads", File: "model/structured/heads.go",
			Old: `(kind == structure.Heads || kind == structure.GroupedHead)`,
			New: `kind != structure.Plain`},
	}},
}
