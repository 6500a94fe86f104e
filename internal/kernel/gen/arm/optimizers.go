package main

// settings are the first n float32 at a place, each in all lanes.
func settings(a *reg, n int) (r []*reg) {
	at := general()
	for i := range n {
		plusConst(at, a, 4*i)
		v := vector()
		loadAll(v, at)
		r = append(r, v)
	}
	return r
}

// where a pointer is nil, code is left out.
func unlessNil(p *reg, write func()) {
	skip := mark("nil")
	branchOn("CBZ", p, skip)
	write()
	label(skip)
}

// loadInto loads over what a register holds.
func loadInto(x floats, p *reg) {
	switch x.count {
	case 8:
		loadq2After(x.r[0], x.r[1], p)
	case 4:
		loadqAfter(x.r[0], p)
	case 1:
		loadsAfter(x.r[0], p)
	}
}

func optimizers() {
	// gradient descent with momentum; the settings are lr, mu, wd, fromG, fromM; m and mask may
	// be nil
	kernel("osgdneon", "n int, w, d, m, mask *float32, a *byte", func() {
		n, w, d, m, mask := in("n"), in("w"), in("d"), in("m"), in("mask")
		k := settings(in("a"), 5)
		lr, mu, wd, fromG, fromM := one(k[0]), one(k[1]), one(k[2]), one(k[3]), one(k[4])
		pass(n, func(count int) {
			W, g := peek(w, count), load(d, count)
			g = addProduct(g, W, wd)
			keep := filled(W, c(1))
			unlessNil(mask, func() { loadInto(keep, mask) })
			g = each(fmul, g, keep)
			s := each(fmul, g, fromG)
			unlessNil(m, func() {
				q := addProduct(twice(g), peek(m, count), mu)
				q = each(fmul, q, keep)
				store(q, m)
				addProduct(s, q, fromM)
			})
			store(each(fmul, takeProduct(W, s, lr), keep), w)
		})
		ret()
	})
	// Adam; the settings are b1, c1, b2, c2, lr, isv, eps, wd, keep; mask may be nil
	kernel("oadamneon", "n int, w, d, m, v, mask *float32, a *byte", func() {
		n, w, d, m, v, mask := in("n"), in("w"), in("d"), in("m"), in("v"), in("mask")
		k := settings(in("a"), 9)
		pass(n, func(count int) {
			W, g := peek(w, count), load(d, count)
			g = addProduct(g, W, one(k[7]))
			keep := filled(W, c(1))
			unlessNil(mask, func() { loadInto(keep, mask) })
			g = each(fmul, g, keep)
			M := addProduct(each(fmul, peek(m, count), one(k[0])), g, one(k[1]))
			store(M, m)
			V := addProduct(each(fmul, peek(v, count), one(k[2])), each(fmul, g, g), one(k[3]))
			store(V, v)
			V = addProduct(filled(V, k[6]), each1(fsqrt, V), one(k[5]))
			M = each(fdiv, each(fmul, M, one(k[4])), V)
			W = each(fsub, each(fmul, W, one(k[8])), M)
			store(each(fmul, W, keep), w)
		})
		ret()
	})
}
