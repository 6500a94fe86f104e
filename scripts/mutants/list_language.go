package main

var languageMutants = []Broken{
	{What: "perp", File: "model/language/perp_reconstruct.go", Tests: []string{"model/language"}, Mutants: []Mutant{
		{Name: "perp-zeros-move", Breaks: "thin products move weights that are cut", File: "prune/hook/product.go",
			Old: `if p.Mask != nil {
		p.Mask.Apply(d)
	}`,
			New: ``},
		{Name: "perp-gradient-of-all", Breaks: "thin products follow the gradients of weights that are cut too", File: "prune/hook/product.go",
			Old: `if p.Mask != nil {
		p.Mask.Apply(p.masked)
	}`,
			New: ``},
		{Name: "perp-scale-forward-alone", Breaks: "the gradient of B lacks the scale", File: "prune/hook/product.go",
			Old: `blas32.Gemm(blas.NoTrans, blas.Trans, p.Scale, m, a, 0,`,
			New: `blas32.Gemm(blas.NoTrans, blas.Trans, 1, m, a, 0,`},
		{Name: "perp-nothing-frozen", Breaks: "what is to be frozen is trained", File: "model/language/perp_parts.go",
			Old: `if !free[name] && !adapted[name] {`,
			New: `if false {`},
		{Name: "perp-head-cut", Breaks: "the last layer is cut too", File: "model/language/perp_cut.go",
			Old: `if last[w.Value] {`,
			New: `if last[w.Value] && false {`},
		{Name: "perp-target-of-cut", Breaks: "blocks are to give what they give cut",
			Old: `y, err := s.advance(ctx, j, dense, also, own, b.from, b.to)`,
			New: `y, err := s.advance(ctx, j, j.Graph, also, own, b.from, b.to)`},
		{Name: "perp-dense-inputs-always", Breaks: "targets are of what the network before makes in front of a block",
			Old: `if !s.Dense {
			own = x
		}`,
			New: `_ = 0`},
		{Name: "perp-worse-kept", Breaks: "a block that training took farther away is kept",
			Old: `if !(out.After <= out.Before) {`,
			New: `if false {`},
		{Name: "perp-prune-masked", Breaks: "the products of lora-prune are masked while they train", File: "model/language/perp_parts.go",
			Old: `if mask != nil && s.Adapter != "lora-prune" {`,
			New: `if mask != nil {`},
		{Name: "perp-mask-of-others", Breaks: "what a block reads besides is of other samples than those that were drawn", File: "model/features.go",
			Old: `l := &dataset.Loader{Set: set, Size: 1,`,
			New: `l := &dataset.Loader{Set: &dataset.Set{Fields: set.Fields}, Size: 1,`},
		{Name: "perp-statistics-kept", Breaks: "running statistics of a block that is put back stay moved",
			Old: `for _, v := range c.Consts() { // running`,
			New: `for _, v := range c.Params() { // running`},
		{Name: "perp-shared-trained-twice", Breaks: "a weight that several blocks read is trained for each",
			Old: `done[v.Name] = true
	}
	out :=`,
			New: `_ = v
	}
	out :=`},
		{Name: "perp-no-warm-up", Breaks: "the rate begins at its peak", File: "model/language/perp.go",
			Old: `steps, warm := k.Steps(), k.Steps()/10`,
			New: `steps, warm := k.Steps(), 0`},
		{Name: "perp-norms-frozen", Breaks: "scales and shifts of normalisation are not trained", File: "model/language/perp_parts.go",
			Old: `}{{"biases", biases}, {"norms", norms}} {`,
			New: `}{{"biases", biases}, {"norms", norms[:0]}} {`},
	}},
}
