package main

// Offsets of the fields of kernel.rows.
const (
	rN = 8 * iota
	rC
	rX
	rY
	rR
	rD
	rS
	rQ
	rB
	rM
	rLo
	rHi = rLo + 4
)

// rowsPass writes the loop over rows: begin sets what begins anew with each, body works on the
// numbers of a row.
func rowsPass(t *reg, begin func(), body func(count int)) {
	row, left, n := mark("row"), field(t, rN), general()
	label(row)
	read(n, t, rC)
	begin()
	pass(n, body)
	less(left, 1)
	branch("BNE", row)
	ret()
}

// columns are pointers to what belongs to columns, set anew for each row.
func columns(t *reg, offs ...int) (p []*reg, begin func()) {
	for range offs {
		p = append(p, general())
	}
	return p, func() {
		for i, off := range offs {
			read(p[i], t, off)
		}
	}
}

// bounds are the bounds of the results.
func bounds(t *reg) (lo, hi *reg) {
	at := general()
	plusConst(at, t, rLo)
	b := settings(at, 2)
	return b[0], b[1]
}

// norms are passes over a matrix [N, C] in the order of memory: batch normalisation forward
// and backward.
func norms() {
	// S += X-B, Q += (X-B)^2
	kernel("bnstatsneon", "r *byte", func() {
		t := in("r")
		x := field(t, rX)
		p, begin := columns(t, rS, rQ, rB)
		rowsPass(t, begin, func(count int) {
			w := each(fsub, load(x, count), load(p[2], count))
			store(each(fadd, peek(p[0], count), w), p[0])
			store(addProduct(peek(p[1], count), w, w), p[1])
		})
	})
	// Y = X*S + B (+ R), held between Lo and Hi
	kernel("bnapplyneon", "r *byte", func() {
		t := in("r")
		x, y, r := field(t, rX), field(t, rY), field(t, rR)
		lo, hi := bounds(t)
		p, begin := columns(t, rS, rB)
		rowsPass(t, begin, func(count int) {
			w := load(x, count)
			w = addProduct(load(p[1], count), w, load(p[0], count))
			unlessNil(r, func() {
				u := load(r, count)
				for i := range w.r {
					fadd(w.r[i], w.r[i], u.r[i])
				}
			})
			store(each(fmin, each(fmax, w, one(lo)), one(hi)), y)
		})
	})
	// S += g, Q += g*(X-B); g is what counts of D
	kernel("bnsumsneon", "r *byte", func() {
		t := in("r")
		x, y, d := field(t, rX), field(t, rY), field(t, rD)
		lo, hi := bounds(t)
		p, begin := columns(t, rS, rQ, rB)
		rowsPass(t, begin, func(count int) {
			g := counted(d, y, lo, hi, count)
			u := each(fsub, load(x, count), load(p[2], count))
			store(each(fadd, peek(p[0], count), g), p[0])
			store(addProduct(peek(p[1], count), g, u), p[1])
		})
	})
	// R = g*S + (X-M)*Q + B; g is what counts of D
	kernel("bngradneon", "r *byte", func() {
		t := in("r")
		x, y, d, r := field(t, rX), field(t, rY), field(t, rD), field(t, rR)
		lo, hi := bounds(t)
		p, begin := columns(t, rS, rQ, rB, rM)
		rowsPass(t, begin, func(count int) {
			g := counted(d, y, lo, hi, count)
			u := each(fsub, load(x, count), load(p[3], count))
			w := addProduct(load(p[2], count), g, load(p[0], count))
			store(addProduct(w, u, load(p[1], count)), r)
		})
	})
}

// counted loads D, 0 where Y is given and not between the bounds.
func counted(d, y, lo, hi *reg, count int) floats {
	g := load(d, count)
	unlessNil(y, func() {
		m := between(g, load(y, count), lo, hi)
		for i := range g.r {
			copyTo(g.r[i], m.r[i])
		}
	})
	return g
}
