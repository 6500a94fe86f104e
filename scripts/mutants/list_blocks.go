package main

var blockMutants = []Broken{
	{What: "pruning block by block", File: "model/blockwise/prune.go", Mutants: []Mutant{
		{Name: "blocks-dense-outputs", Breaks: "the next block gets what the block gave before it was cut",
			Old: `	if len(p.Weights) > 0 {
		if err := r.cutPart(ctx, what, p); err != nil {
			return err
		}
	}
	if r.rows == nil || last {
		return nil
	}
	return r.forth(ctx, p.Walk, g.Outputs[0])`,
			New: `	whole, to := g.Clone(true)
	if len(p.Weights) > 0 {
		if err := r.cutPart(ctx, what, p); err != nil {
			return err
		}
	}
	if r.rows == nil || last {
		return nil
	}
	w, err := calibrate.NewWalkOver(whole, r.rows, p.Calibrate)
	if err != nil {
		return err
	}
	return r.forth(ctx, w, to[g.Outputs[0]])`},
		{Name: "blocks-last-batch", Breaks: "the last batch of samples does not go through the blocks",
			Old: `	for b := range w.Batches() {
		t, err := v.Run(ctx, b)`,
			New: `	for b := range max(1, w.Batches()-1) {
		t, err := v.Run(ctx, b)`},
		{Name: "blocks-written-whole", Breaks: "a block's weights are written as they were read", File: "model/blockwise/checkpoint.go",
			Old: `t, err := family.Laid(p.Graph, w.Value)`,
			New: `t, err := r.parts.Read(w.Name)`},
		{Name: "blocks-written-shifted", Breaks: "weights of a block that are not cut are written from those of another of their size",
			Old: `		t, err := r.parts.Read(w.Name)
		if err != nil {`,
			New: `		t, err := r.parts.Read(w.Name)
		for _, o := range r.parts.All {
			if len(o.Shape) == 1 && len(w.Shape) == 1 && o.Shape[0] == w.Shape[0] {
				t, err = r.parts.Read(o.Name)
				break
			}
		}
		if err != nil {`},
		{Name: "blocks-head-left", Breaks: "an output layer of its own is never cut",
			Old: `r.parts.Head() != "" && r.cuts(r.parts.Head())`,
			New: `r.parts.Head() != "" && r.cuts(r.parts.Head()) && r.job == nil`},
		{Name: "blocks-anew", Breaks: "a run that was killed does its blocks again", File: "model/blockwise/checkpoint.go",
			Old: `r.begin, r.cutParts, r.left`,
			New: `_, r.cutParts, r.left`},
		{Name: "blocks-old-rows", Breaks: "what goes into the next block is that of the first", File: "model/blockwise/checkpoint.go",
			Old: `err = r.rows.Put(i, t)`,
			New: `_ = t`},
		{Name: "blocks-any-run", Breaks: "the checkpoint of another run is taken", File: "model/blockwise/checkpoint.go",
			Old: `if !slices.Equal(p.Run, r.key) {`,
			New: `if false {`},
		{Name: "blocks-memory", Breaks: "activations may take the memory that a block takes", File: "model/blockwise/memory.go",
			Old: `int(slack*float64(r.opt.Memory)) - need
`,
			New: `int(slack * float64(r.opt.Memory))
`},
		{Name: "blocks-spilled", Breaks: "what did not fit into memory is written over what is there", File: "prune/calibrate/rows.go", Tests: []string{"prune/calibrate"},
			Old: `t.WriteRaw(io.NewOffsetWriter(r.file, x.at))`,
			New: `t.WriteRaw(io.NewOffsetWriter(r.file, 0*x.at))`},
		{Name: "blocks-positions", Breaks: "all tokens of a text have the first position", File: "lm/family/parts.go", Tests: []string{"lm/family"},
			Old: `i%length+e.Offset`,
			New: `i%1+e.Offset`},
		{Name: "blocks-smaller-batches", Breaks: "smaller batches are fewer samples", File: "model/calibration.go", Tests: []string{"model"},
			Old: `batches *= whole / batch`,
			New: `_ = whole / batch`},
		{Name: "blocks-unasked", Breaks: "a model that is too large for the memory is pruned as a whole", File: "cmd/pare/byblocks.go", Tests: []string{"cmd/pare"},
			Old: `wholes*x.bytes <= c.most()`,
			New: `wholes*x.bytes <= 1000*c.most()`},
	}},
}
