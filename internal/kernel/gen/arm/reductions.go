package main

// reductions are sums and other numbers made of many, and layer normalisation.
func reductions() {
	doubleSums()
	dots()
	largest()
	expSum()
	layers()
}

// doubles widens so many floats.
func doubles(x floats) (d []*reg) {
	if x.count == 1 {
		d = vectorsOf(1)
		fcvtds(d[0], x.r[0])
		return d
	}
	for _, r := range x.r {
		lo, hi := vector(), vector()
		fcvtl(lo, r)
		fcvtl2(hi, r)
		d = append(d, lo, hi)
	}
	return d
}

// total adds vectors of doubles up and returns the sum.
func total(s []*reg) {
	for n := len(s) / 2; n > 0; n /= 2 {
		for i := range n {
			fadd2(s[i], s[i], s[i+n])
		}
	}
	faddpd(s[0], s[0])
	outDouble("sum", s[0])
	ret()
}

// sumOf adds the lanes of vectors up.
func sumOf(s []*reg) *reg {
	for n := len(s) / 2; n > 0; n /= 2 {
		for i := range n {
			fadd(s[i], s[i], s[i+n])
		}
	}
	faddp(s[0], s[0], s[0])
	faddps(s[0], s[0])
	return s[0]
}

func doubleSums() {
	kernel("rsumneon", "n int, x *float32 -> sum float64", func() {
		n, x, s := in("n"), in("x"), zeros(4)
		pass(n, func(count int) {
			for i, d := range doubles(load(x, count)) {
				fadd2(s[i], s[i], d)
			}
		})
		total(s)
	})
	kernel("rdotneon", "n int, x, y *float32 -> sum float64", func() {
		n, x, y, s := in("n"), in("x"), in("y"), zeros(4)
		pass(n, func(count int) {
			a, b := doubles(load(x, count)), doubles(load(y, count))
			for i := range a {
				fmla2(s[i], a[i], b[i])
			}
		})
		total(s)
	})
	kernel("rsqdevneon", "n int, x *float32, m float32 -> sum float64", func() {
		n, x, s := in("n"), in("x"), zeros(4)
		m := vector()
		fcvtl(m, inAll("m"))
		pass(n, func(count int) {
			for i, d := range doubles(load(x, count)) {
				fsub2(d, d, m)
				if count == 1 {
					fmovd(d, d)
				}
				fmla2(s[i], d, d)
			}
		})
		total(s)
	})
}

// dots are the inner products of x with four rows of y.
func dots() {
	kernel("rdotsneon", "n int, x, y *float32, ldy int, z *float32", func() {
		n, x, ldy := in("n"), in("x"), in("ldy")
		y := []*reg{in("y")}
		for i := 1; i < 4; i++ {
			r := general()
			plus(r, y[i-1], ldy)
			y = append(y, r)
		}
		s := make([][]*reg, 4)
		for i := range s {
			s[i] = zeros(2)
		}
		pass(n, func(count int) {
			a := load(x, count)
			for i := range s {
				b := load(y[i], count)
				for j := range b.r {
					fmla(s[i][j], b.r[j], a.r[j])
				}
			}
		})
		z := in("z")
		for i := range s {
			stores(sumOf(s[i]), z, 4*i)
		}
		ret()
	})
}

// largest is the largest value; NaN where one is.
func largest() {
	kernel("rmaxneon", "n int, x *float32 -> most float32", func() {
		n, x := in("n"), in("x")
		top := []*reg{copyOf(constant(0xff800000)), copyOf(constant(0xff800000))}
		pass(n, func(count int) {
			a := load(x, count)
			if count == 1 {
				dup(a.r[0], a.r[0], 0)
			}
			for i, r := range a.r {
				fmax(top[i], top[i], r)
			}
		})
		fmax(top[0], top[0], top[1])
		fmaxv(top[0], top[0])
		outSingle("most", top[0])
		ret()
	})
}

// expSum is the sum of e^(x-m), whose terms are kept.
func expSum() {
	kernel("rexpsumneon", "n int, x, z *float32, m float32 -> sum float32", func() {
		n, x, z := in("n"), in("x"), in("z")
		m, s := inAll("m"), zeros(2)
		pass(n, func(count int) {
			e := only(exp(each(fsub, load(x, count), one(m))))
			for i, r := range e.r {
				fadd(s[i], s[i], r)
			}
			store(e, z)
		})
		outSingle("sum", sumOf(s))
		ret()
	})
}

// layers are layer normalisation of one row; the sums over a row that its gradient needs, with
// what the row adds to the gradients of scale and bias; and the gradient by the row.
func layers() {
	kernel("rlayerneon", "n int, x, w, b, z *float32, m, is float32", func() {
		n, x, w, b, z := in("n"), in("x"), in("w"), in("b"), in("z")
		m, is := inAll("m"), inAll("is")
		pass(n, func(count int) {
			r := each(fmul, each(fsub, load(x, count), one(m)), one(is))
			u, q := load(b, count), load(w, count)
			store(addProduct(u, q, r), z)
		})
		ret()
	})
	kernel("rlayersumsneon", "n int, x, d, w, ds, db *float32, m, is float32 -> s, q float32", func() {
		n, x, d, w, ds, db := in("n"), in("x"), in("d"), in("w"), in("ds"), in("db")
		m, is := inAll("m"), inAll("is")
		s, q := zeros(2), zeros(2)
		pass(n, func(count int) {
			r := each(fmul, each(fsub, load(x, count), one(m)), one(is))
			g := load(d, count)
			store(addProduct(peek(ds, count), g, r), ds)
			store(each(fadd, peek(db, count), g), db)
			a := each(fmul, g, load(w, count))
			if count == 1 { // (0-m)*is is in the other lanes of r
				a = only(a)
			}
			for i := range a.r {
				fadd(s[i], s[i], a.r[i])
				fmla(q[i], a.r[i], r.r[i])
			}
		})
		outSingle("s", sumOf(s))
		outSingle("q", sumOf(q))
		ret()
	})
	kernel("rlayergradneon", "n int, x, d, w, z *float32, m, is, s, q float32", func() {
		n, x, d, w, z := in("n"), in("x"), in("d"), in("w"), in("z")
		m, is, s, q := inAll("m"), inAll("is"), inAll("s"), inAll("q")
		pass(n, func(count int) {
			r := each(fmul, each(fsub, load(x, count), one(m)), one(is))
			g := each(fmul, load(d, count), load(w, count))
			g = takeProduct(each(fsub, g, one(s)), r, one(q))
			store(each(fmul, g, one(is)), z)
		})
		ret()
	})
}
