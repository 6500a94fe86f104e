package main

import "math"

// floats are numbers that are worked on at once: one or two vectors, or the first lane of one.
type floats struct {
	r     []*reg
	count int // 8, 4 or 1
}

// each applies an instruction to every vector of the operands, single vectors to all.
func each(op func(d, a, b *reg), a, b floats) floats {
	d := floats{vectorsOf(len(a.r)), a.count}
	for i := range d.r {
		op(d.r[i], a.r[i], b.r[i%len(b.r)])
	}
	return d
}

func each1(op func(d, a *reg), a floats) floats {
	d := floats{vectorsOf(len(a.r)), a.count}
	for i := range d.r {
		op(d.r[i], a.r[i])
	}
	return d
}

// addProduct is d + a*b, in the place of d.
func addProduct(d, a, b floats) floats {
	for i := range d.r {
		fmla(d.r[i], a.r[i%len(a.r)], b.r[i%len(b.r)])
	}
	return d
}

// takeProduct is d - a*b, in the place of d.
func takeProduct(d, a, b floats) floats {
	for i := range d.r {
		fmls(d.r[i], a.r[i%len(a.r)], b.r[i%len(b.r)])
	}
	return d
}

// one is a vector as an operand of any number of vectors.
func one(r *reg) floats { return floats{r: []*reg{r}} }

// twice is a copy.
func twice(a floats) floats {
	d := floats{count: a.count}
	for _, r := range a.r {
		d.r = append(d.r, copyOf(r))
	}
	return d
}

// filled is a constant in registers that may change, as many as like has.
func filled(like floats, r *reg) floats {
	d := floats{count: like.count}
	for range like.r {
		d.r = append(d.r, copyOf(r))
	}
	return d
}

// load loads so many numbers and moves the pointer on.
func load(p *reg, count int) floats {
	d := floats{vectorsOf((count + 3) / 4), count}
	switch count {
	case 8:
		loadq2After(d.r[0], d.r[1], p)
	case 4:
		loadqAfter(d.r[0], p)
	case 1:
		loadsAfter(d.r[0], p)
	}
	return d
}

// peek loads without moving the pointer.
func peek(p *reg, count int) floats {
	d := floats{vectorsOf((count + 3) / 4), count}
	loadColumns(d.r, p, map[int]int{8: 0, 4: 4, 1: 1}[count])
	return d
}

// store stores and moves the pointer on.
func store(x floats, p *reg) {
	switch x.count {
	case 8:
		storeq2After(x.r[0], x.r[1], p)
	case 4:
		storeqAfter(x.r[0], p)
	case 1:
		storesAfter(x.r[0], p)
	}
}

// only clears the lanes that do not count.
func only(x floats) floats {
	if x.count > 1 {
		return x
	}
	return each1(fmovs, x)
}

// pass writes the loop over n numbers: body for eight at once, then for four, then for each of
// those left.
func pass(n *reg, body func(count int)) {
	eight, rest, single, each, done := mark("eight"), mark("four"), mark("single"), mark("each"), mark("done")
	less(n, 8)
	branch("BLT", rest)
	label(eight)
	body(8)
	less(n, 8)
	branch("BGE", eight)
	label(rest)
	branchBit("TBZ", 2, n, single) // -8 has no bit 2: that of n is as it was
	body(4)
	label(single)
	andConst(n, n, 3)
	branchOn("CBZ", n, done)
	label(each)
	body(1)
	less(n, 1)
	branch("BNE", each)
	label(done)
}

// vectors are the elementwise loops over n floats.
func vectors() {
	for _, v := range []struct {
		name string
		op   func(d, a, b *reg)
	}{{"vaddneon", fadd}, {"vsubneon", fsub}, {"vmulneon", fmul}} {
		kernel(v.name, "n int, x, y, z *float32", func() {
			n, x, y, z := in("n"), in("x"), in("y"), in("z")
			pass(n, func(count int) { store(each(v.op, load(x, count), load(y, count)), z) })
			ret()
		})
	}
	kernel("vreluneon", "n int, x, z *float32", func() {
		n, x, z := in("n"), in("x"), in("z")
		nought := vector()
		zero(nought)
		pass(n, func(count int) { store(each(fmax, load(x, count), one(nought)), z) })
		ret()
	})
	kernel("vrelugradneon", "n int, d, y, z *float32", func() {
		n, d, y, z := in("n"), in("d"), in("y"), in("z")
		nought := vector()
		zero(nought)
		pass(n, func(count int) {
			above := each(fcmgt, load(y, count), one(nought))
			store(each(and, above, load(d, count)), z)
		})
		ret()
	})
	kernel("vaxpbyneon", "n int, s float32, x *float32, t float32, y, z *float32", func() {
		n, x, y, z := in("n"), in("x"), in("y"), in("z")
		s, t := inAll("s"), inAll("t")
		pass(n, func(count int) {
			r := each(fmul, load(x, count), one(s))
			store(addProduct(r, load(y, count), one(t)), z)
		})
		ret()
	})
}

// unaryOf and binaryOf write functions of one and of two values with two settings.
func unaryOf(name string, fn func(x floats, a, b *reg) floats) {
	kernel(name+"neon", "n int, x, z *float32, a, b float32", func() {
		n, x, z := in("n"), in("x"), in("z")
		a, b := inAll("a"), inAll("b")
		pass(n, func(count int) { store(fn(load(x, count), a, b), z) })
		ret()
	})
}

func binaryOf(name string, fn func(x, y floats, a, b *reg) floats) {
	kernel(name+"neon", "n int, x, y, z *float32, a, b float32", func() {
		n, x, y, z := in("n"), in("x"), in("y"), in("z")
		a, b := inAll("a"), inAll("b")
		pass(n, func(count int) { store(fn(load(x, count), load(y, count), a, b), z) })
		ret()
	})
}

// functions are the elementwise functions of one and of two values.
func functions() {
	plain := func(name string, fn func(x floats) floats) {
		unaryOf(name, func(x floats, _, _ *reg) floats { return fn(x) })
	}
	plain("fexp", exp)
	plain("flog", log)
	plain("fsigmoid", sigmoid)
	plain("ftanh", tanh)
	plain("ferf", erf)
	plain("fgelu", func(x floats) floats {
		h := each(fmul, x, one(c(.5)))
		e := erf(each(fmul, x, one(c(1/math.Sqrt2))))
		return addProduct(twice(h), h, e)
	})
	plain("fgelutanh", func(x floats) floats {
		const arg, cubic = 1.5957691216057307, 1.5957691216057307 * 0.044715
		u := each(fmul, x, x)
		m := addProduct(filled(x, c(arg)), u, one(c(cubic)))
		return each(fmul, x, sigmoid(each(fmul, x, m)))
	})
	plain("fsqrt", func(x floats) floats { return each1(fsqrt, x) })
	plain("freciprocal", func(x floats) floats { return each(fdiv, filled(x, c(1)), x) })
	plain("fabs", func(x floats) floats { return each1(fabs, x) })
	unaryOf("fscale", func(x floats, a, _ *reg) floats { return each(fmul, x, one(a)) })
	unaryOf("faffine", func(x floats, a, b *reg) floats { return addProduct(filled(x, b), x, one(a)) })
	unaryOf("fclip", func(x floats, a, b *reg) floats { return each(fmin, each(fmax, x, one(a)), one(b)) })
	unaryOf("fhardswish", func(x floats, a, b *reg) floats {
		u := addProduct(filled(x, b), x, one(a))
		return each(fmul, clamp(u, 0, 1), x)
	})
	binaryOf("fdiv", func(x, y floats, _, _ *reg) floats { return each(fdiv, x, y) })
	binaryOf("fmax", func(x, y floats, _, _ *reg) floats { return each(fmax, x, y) })
	binaryOf("fgelugrad", func(d, x floats, _, _ *reg) floats {
		u := each(fmul, x, one(c(1/math.Sqrt2)))
		e := each(fmul, each(fadd, erf(u), one(c(1))), one(c(.5)))
		p := exp(each1(fneg, each(fmul, u, u)))
		p = each(fmul, p, one(c(1/math.Sqrt(2*math.Pi))))
		return each(fmul, d, addProduct(e, p, x))
	})
	binaryOf("fclipgrad", func(d, x floats, a, b *reg) floats { return between(d, x, a, b) })
}

// between is d where x is between a and b, 0 elsewhere.
func between(d, x floats, a, b *reg) floats {
	above := each(fcmgt, x, one(a))
	below := each(func(d, x, b *reg) { fcmgt(d, b, x) }, x, one(b))
	return each(and, each(and, above, below), d)
}
