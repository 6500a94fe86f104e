package main

import (
	"fmt"

	"gen/fields"
)

// sparses writes the sparse micro-kernels, whose vectors are of eight floats: sixteen vectors
// of four hold the sums.
func sparses() {
	sparseDots()
	for r := 1; r <= 8; r++ {
		for nv := 1; r*nv <= 8; nv++ {
			kernel(fmt.Sprintf("sparseneon_%dx%d", r, nv), "t *byte", func() { sparse(1, r, nv) })
			if r*nv <= 2 {
				kernel(fmt.Sprintf("sparse4neon_%dx%d", r, nv), "t *byte", func() { sparse(4, r, nv) })
			}
		}
	}
}

// sparseWriter holds what the parts of a sparse micro-kernel share.
type sparseWriter struct {
	B, R, NV                                        int
	t, e, x, y, counts, bias, res, rows, last, xrow *reg
	left, yrow, plane                               *reg
	acc                                             []*reg    // of B rows, R rows of places, NV pairs of vectors
	sums                                            [4][]*reg // where entries are added, by their number modulo 4
	parts                                           [][]*reg  // those of sums that are not acc
}

// sparse: for each sparse row o of a matrix, R rows r of NV vectors of places p:
// y[o*yplane+r*yrow+p] = bias[o] + sum over the entries of o of value*x[offset+r*xrow+p], plus
// the residual, held in bounds (flag 2). With flag 1 the sum starts from what y holds. Of the
// last vector, the first mask places count. B rows o share their entries: an offset and a value
// for each. Where there are few accumulators, neighbouring entries have their own, so that none
// waits.
func sparse(B, R, NV int) {
	g := &sparseWriter{B: B, R: R, NV: NV, t: in("t")}
	t := g.t
	g.e, g.x, g.y, g.counts, g.bias, g.res = field(t, fields.SEntries), field(t, fields.SX), field(t, fields.SY), field(t, fields.SCounts), field(t, fields.SBias), field(t, fields.SRes)
	g.rows, g.last, g.xrow, g.yrow, g.plane = field(t, fields.SRows), field(t, fields.SMask), field(t, fields.SXRow), field(t, fields.SYRow), field(t, fields.SYPlane)
	g.left = general()
	per := 2 * R * NV
	g.acc = vectorsOf(B * per)
	g.sums = [4][]*reg{g.acc, g.acc, g.acc, g.acc}
	if B == 1 && per <= 8 {
		g.parts = append(g.parts, vectorsOf(per))
		g.sums[1], g.sums[3] = g.parts[0], g.parts[0]
		if per <= 4 {
			g.parts = append(g.parts, vectorsOf(per), vectorsOf(per))
			g.sums[2], g.sums[3] = g.parts[1], g.parts[2]
		}
	}
	label("row")
	g.start()
	if B > 1 {
		g.sharedEntries()
	} else {
		g.entries()
	}
	g.finish()
	for range B {
		plus(g.y, g.y, g.plane)
	}
	less(g.rows, 1)
	branch("BNE", "row")
	ret()
}

// walk visits the places of pairs of accumulators in y or the residual.
func (g *sparseWriter) walk(base *reg, do func(lo, hi, at *reg, off int, last bool)) {
	plane, p := general(), general()
	move(plane, base)
	for o := range g.B {
		move(p, plane)
		for r := range g.R {
			for j := range g.NV {
				i := 2 * ((o*g.R+r)*g.NV + j)
				do(g.acc[i], g.acc[i+1], p, 32*j, j == g.NV-1)
			}
			if r < g.R-1 {
				plus(p, p, g.yrow)
			}
		}
		if o < g.B-1 {
			plus(plane, plane, g.plane)
		}
	}
}

// start sets the accumulators to what y holds, the bias or 0, and left to the number of
// entries.
func (g *sparseWriter) start() {
	flags := field(g.t, fields.SFlags)
	branchBit("TBZ", 0, flags, "new")
	g.walk(g.y, func(lo, hi, at *reg, off int, last bool) {
		if last {
			loadPart(lo, hi, at, off, g.last)
		} else {
			loadq2(lo, hi, at, off)
		}
	})
	branch("B", "begin")
	label("new")
	branchOn("CBZ", g.bias, "nobias")
	for o := range g.B {
		per := len(g.acc) / g.B
		loadAll(g.acc[o*per], g.bias)
		plusConst(g.bias, g.bias, 4)
		for _, r := range g.acc[o*per+1 : (o+1)*per] {
			copyTo(r, g.acc[o*per])
		}
	}
	branch("B", "begin")
	label("nobias")
	for _, r := range g.acc {
		zero(r)
	}
	label("begin")
	readWord(g.left, g.counts, 0)
	plusConst(g.counts, g.counts, 4)
}

// add adds the values of lane times the places from p on to sums of R rows and NV vectors.
func (g *sparseWriter) add(p *reg, values *reg, lane int, acc []*reg) {
	for r := range g.R {
		for j := range g.NV {
			a, b, i := vector(), vector(), 2*(r*g.NV+j)
			loadq2(a, b, p, 32*j)
			fmlaLane(acc[i], a, values, lane)
			fmlaLane(acc[i+1], b, values, lane)
		}
		if r < g.R-1 {
			plus(p, p, g.xrow)
		}
	}
}

// sharedEntries adds up the entries that B rows share.
func (g *sparseWriter) sharedEntries() {
	branchOn("CBZ", g.left, "sum")
	label("entry")
	off, p, v := general(), general(), vector()
	readWord(off, g.e, 0)
	plusConst(p, g.e, 4)
	loadq(v, p, 0)
	plusWord(p, g.x, off, 0)
	plusConst(g.e, g.e, 20)
	for r := range g.R {
		for j := range g.NV {
			a, b := vector(), vector()
			loadq2(a, b, p, 32*j)
			for o := range g.B {
				i := 2 * ((o*g.R+r)*g.NV + j)
				fmlaLane(g.acc[i], a, v, o)
				fmlaLane(g.acc[i+1], b, v, o)
			}
		}
		if r < g.R-1 {
			plus(p, p, g.xrow)
		}
	}
	less(g.left, 1)
	branch("BNE", "entry")
}

// entries adds up the entries of one row, four at a time, then those left.
func (g *sparseWriter) entries() {
	for _, a := range g.parts {
		for _, r := range a {
			zero(r)
		}
	}
	less(g.left, 4)
	branch("BLT", "ones")
	label("four")
	offs, v := []*reg{general(), general(), general(), general()}, vector()
	readWords(offs[0], offs[1], g.e, 0)
	readWords(offs[2], offs[3], g.e, 8)
	loadq(v, g.e, 16)
	plusConst(g.e, g.e, 32)
	for i, off := range offs {
		p := general()
		plusWord(p, g.x, off, 0)
		g.add(p, v, i, g.sums[i])
	}
	less(g.left, 4)
	branch("BGE", "four")
	label("ones")
	plusConst(g.left, g.left, 4)
	branchOn("CBZ", g.left, "sum")
	label("one")
	off, p, w := general(), general(), vector()
	readWord(off, g.e, 0)
	loads(w, g.e, 4)
	plusConst(g.e, g.e, 8)
	plusWord(p, g.x, off, 0)
	g.add(p, w, 0, g.acc)
	less(g.left, 1)
	branch("BNE", "one")
}

// finish adds the partial sums and the residual, holds the sums in bounds and stores them.
func (g *sparseWriter) finish() {
	label("sum")
	for _, a := range g.parts {
		for i, r := range g.acc {
			fadd(r, r, a[i])
		}
	}
	branchOn("CBZ", g.res, "nores")
	g.walk(g.res, func(lo, hi, at *reg, off int, last bool) {
		a, b := vector(), vector()
		if last {
			loadPart(a, b, at, off, g.last)
		} else {
			loadq2(a, b, at, off)
		}
		fadd(lo, lo, a)
		fadd(hi, hi, b)
	})
	for range g.B {
		plus(g.res, g.res, g.plane)
	}
	label("nores")
	flags := field(g.t, fields.SFlags)
	branchBit("TBZ", 1, flags, "noclip")
	at := general()
	plusConst(at, g.t, fields.SLo)
	b := settings(at, 2)
	for _, r := range g.acc {
		fmax(r, r, b[0])
		fmin(r, r, b[1])
	}
	label("noclip")
	g.walk(g.y, func(lo, hi, at *reg, off int, last bool) {
		if last {
			storePart(lo, hi, at, off, g.last)
		} else {
			storeq2(lo, hi, at, off)
		}
	})
}

// loadPart loads the first n floats of eight, n in a register; the others are 0.
func loadPart(lo, hi, base *reg, off int, n *reg) {
	part, low, done := mark("part"), mark("low"), mark("done")
	branchBit("TBZ", 3, n, part)
	loadq2(lo, hi, base, off)
	branch("B", done)
	label(part)
	at := general()
	plusConst(at, base, off)
	zero(lo)
	zero(hi)
	few := func(r *reg) {
		single := mark("single")
		branchBit("TBZ", 1, n, single)
		loadd(r, at, 0)
		branchBit("TBZ", 0, n, done)
		plusConst(at, at, 8)
		loadLane(r, 2, at)
		branch("B", done)
		label(single)
		branchBit("TBZ", 0, n, done)
		loads(r, at, 0)
	}
	branchBit("TBZ", 2, n, low)
	loadqAfter(lo, at)
	few(hi)
	branch("B", done)
	label(low)
	few(lo)
	label(done)
}

// storePart stores the first n floats of eight, n in a register.
func storePart(lo, hi, base *reg, off int, n *reg) {
	part, low, pair, single, done := mark("part"), mark("low"), mark("pair"), mark("single"), mark("done")
	branchBit("TBZ", 3, n, part)
	storeq2(lo, hi, base, off)
	branch("B", done)
	label(part)
	at, r := general(), vector()
	plusConst(at, base, off)
	branchBit("TBZ", 2, n, low)
	storeqAfter(lo, at)
	copyTo(r, hi)
	branch("B", pair)
	label(low)
	copyTo(r, lo)
	label(pair)
	branchBit("TBZ", 1, n, single)
	storedAfter(r, at)
	ext(r, r, r, 8)
	label(single)
	branchBit("TBZ", 0, n, done)
	stores(r, at, 0)
	label(done)
}

// sparseDots is the product of each sparse row with one place: y[o*yplane] = sum of value *
// x[offset].
func sparseDots() {
	kernel("sparsedotsneon", "t *byte", func() {
		t := in("t")
		e, x, y, counts, rows, plane := field(t, fields.SEntries), field(t, fields.SX), field(t, fields.SY), field(t, fields.SCounts), field(t, fields.SRows), field(t, fields.SYPlane)
		left := general()
		label("row")
		s := zeros(4)
		readWord(left, counts, 0)
		plusConst(counts, counts, 4)
		less(left, 4)
		branch("BLT", "ones")
		label("four")
		offs, v := []*reg{general(), general(), general(), general()}, vector()
		readWords(offs[0], offs[1], e, 0)
		readWords(offs[2], offs[3], e, 8)
		loadq(v, e, 16)
		plusConst(e, e, 32)
		for i, off := range offs {
			a := vector()
			loadAt('s', a, x, off)
			fmlaOne(s[i], a, v, i)
		}
		less(left, 4)
		branch("BGE", "four")
		label("ones")
		plusConst(left, left, 4)
		branchOn("CBZ", left, "sum")
		label("one")
		off, w, a := general(), vector(), vector()
		readWord(off, e, 0)
		loads(w, e, 4)
		plusConst(e, e, 8)
		loadAt('s', a, x, off)
		fmlaOne(s[0], a, w, 0)
		less(left, 1)
		branch("BNE", "one")
		label("sum")
		fadd(s[0], s[0], s[1])
		fadd(s[2], s[2], s[3])
		fadd(s[0], s[0], s[2])
		stores(s[0], y, 0)
		plus(y, y, plane)
		less(rows, 1)
		branch("BNE", "row")
		ret()
	})
}
