package main

import (
	"fmt"

	"gen/fields"
)

// tiles writes the micro-kernels of dense products, by rows and columns. 24 vectors of sums
// leave room for 6 of A and 2 of B.
func tiles() {
	for _, s := range []struct{ rows, cols int }{{3, 32}, {6, 16}, {8, 8}, {8, 4}, {4, 3}, {4, 2}, {4, 1}} {
		for mr := 1; mr <= s.rows; mr++ {
			kernel(fmt.Sprintf("tileneon_%dx%d", mr, s.cols), "t *byte", func() { tile(mr, s.cols) })
		}
	}
}

// tileWriter holds what the parts of a tile share.
type tileWriter struct {
	MR, cols int
	t        *reg
	acc      [][]*reg // by row, vectors of columns
}

// tile: C[i*ldc+j] = sum over rows r and k<kc of A[r*ars+i*ais+k*aks]*B[(r*kc+k)*ldb+j],
// plus bias[j], row bias[i], C (flag 1) and residual; then held in bounds (flag 2). MR rows
// i, cols columns j; where A's values follow each other, four are loaded at once.
func tile(MR, cols int) {
	g := &tileWriter{MR: MR, cols: cols, t: in("t")}
	g.begin()
	g.products()
	g.finish()
	ret()
}

// begin sets the sums to the bias of their columns, or to 0.
func (g *tileWriter) begin() {
	for range g.MR {
		g.acc = append(g.acc, vectorsOf((g.cols+3)/4))
	}
	bias := field(g.t, fields.TBias)
	branchOn("CBZ", bias, "nobias")
	loadColumns(g.acc[0], bias, g.cols)
	for i := 1; i < g.MR; i++ {
		for j, r := range g.acc[i] {
			copyTo(r, g.acc[0][j])
		}
	}
	branch("B", "begin")
	label("nobias")
	for _, row := range g.acc {
		for _, r := range row {
			zero(r)
		}
	}
	label("begin")
}

// loadColumns loads so many floats into vectors, and no more.
func loadColumns(to []*reg, at *reg, n int) {
	for j := 0; j+1 < len(to); j += 2 {
		loadq2(to[j], to[j+1], at, 16*j)
	}
	switch last := to[len(to)-1]; n {
	case 1:
		loads(last, at, 0)
	case 2:
		loadd(last, at, 0)
	case 3:
		loadd(last, at, 0)
		third := general()
		plusConst(third, at, 8)
		loadLane(last, 2, third)
	case 4:
		loadq(last, at, 0)
	}
}

// storeColumns stores so many floats.
func storeColumns(from []*reg, at *reg, n int) {
	for j := 0; j+1 < len(from); j += 2 {
		storeq2(from[j], from[j+1], at, 16*j)
	}
	switch last := from[len(from)-1]; n {
	case 1:
		stores(last, at, 0)
	case 2:
		stored(last, at, 0)
	case 3:
		stored(last, at, 0)
		third := general()
		plusConst(third, at, 8)
		storeLane(last, 2, third)
	case 4:
		storeq(last, at, 0)
	}
}

// products adds up all products.
func (g *tileWriter) products() {
	a, b, ars, aks, ldb, rows, k := field(g.t, fields.TA), field(g.t, fields.TB), field(g.t, fields.TArs), field(g.t, fields.TAks), field(g.t, fields.TLdb), field(g.t, fields.TRows), field(g.t, fields.TK)
	offs := multiples(field(g.t, fields.TAis), g.MR)
	fours, ones, p, left := general(), general(), general(), general()
	set(fours, 0)
	move(ones, k)
	compare(aks, 4)
	branch("BNE", "row")
	shiftRight(fours, k, 2)
	andConst(ones, k, 3)
	label("row")
	move(p, a)
	branchOn("CBZ", fours, "rest")
	move(left, fours)
	label("four")
	x := vectorsOf(g.MR)
	for i := range x {
		loadRow('q', x[i], p, offs, i)
	}
	plusConst(p, p, 16)
	for lane := range 4 {
		g.multiply(x, b, lane)
		plus(b, b, ldb)
	}
	less(left, 1)
	branch("BNE", "four")
	label("rest")
	branchOn("CBZ", ones, "next")
	move(left, ones)
	label("one")
	x = vectorsOf(g.MR)
	for i := range x {
		loadRow('s', x[i], p, offs, i)
	}
	plus(p, p, aks)
	g.multiply(x, b, 0)
	plus(b, b, ldb)
	less(left, 1)
	branch("BNE", "one")
	label("next")
	plus(a, a, ars)
	less(rows, 1)
	branch("BNE", "row")
}

// multiples are 1 to n-1 times a distance; the first is none.
func multiples(step *reg, n int) []*reg {
	offs := []*reg{nil}
	for i := 1; i < n; i++ {
		if i == 1 {
			offs = append(offs, step)
			continue
		}
		r := general()
		plus(r, offs[i-1], step)
		offs = append(offs, r)
	}
	return offs
}

// loadRow loads from row i of those that are offs from p.
func loadRow(size byte, r, p *reg, offs []*reg, i int) {
	switch {
	case i > 0:
		loadAt(size, r, p, offs[i])
	case size == 'q':
		loadq(r, p, 0)
	default:
		loads(r, p, 0)
	}
}

// multiply adds the products of a lane of each row of A and a row of B, whose vectors are
// read as registers are free.
func (g *tileWriter) multiply(x []*reg, b *reg, lane int) {
	n := len(g.acc[0])
	group := min(n, 4)
	if g.MR*n+g.MR+group > 32 {
		group = 2
	}
	for j := 0; j < n; j += group {
		w := vectorsOf(group)
		if n == 1 {
			loadColumns(w, b, g.cols)
		}
		for k := 0; k+1 < group; k += 2 {
			loadq2(w[k], w[k+1], b, 16*(j+k))
		}
		for i := range g.acc {
			for k := range w {
				fmlaLane(g.acc[i][j+k], w[k], x[i], lane)
			}
		}
	}
}

// finish adds to the sums what the product is added to, holds them in bounds and stores them.
func (g *tileWriter) finish() {
	finishTile(g.t, g.acc, func(row []*reg, at *reg) { loadColumns(row, at, g.cols) }, func(row []*reg, at *reg) { storeColumns(row, at, g.cols) }, nil)
}

// finishTile is finish for rows that are loaded and stored so, at an offset; nil: none.
func finishTile(t *reg, acc [][]*reg, load, store func(row []*reg, at *reg), off *reg) {
	place := func(base *reg) *reg {
		if off != nil {
			plus(base, base, off)
		}
		return base
	}
	add := func(at, step *reg) {
		for i, row := range acc {
			x := vectorsOf(len(row))
			load(x, at)
			for j, r := range row {
				fadd(r, r, x[j])
			}
			if i < len(acc)-1 {
				plus(at, at, step)
			}
		}
	}
	noRow, noAcc, noRes, noClip := mark("norow"), mark("noacc"), mark("nores"), mark("noclip")
	rb, flags, ldc := field(t, fields.TRowBias), field(t, fields.TFlags), field(t, fields.TLdc)
	branchOn("CBZ", rb, noRow)
	for _, row := range acc {
		x := vector()
		loadAll(x, rb)
		plusConst(rb, rb, 4)
		for _, r := range row {
			fadd(r, r, x)
		}
	}
	label(noRow)
	branchBit("TBZ", 0, flags, noAcc)
	add(place(field(t, fields.TC)), ldc)
	label(noAcc)
	res := field(t, fields.TRes)
	branchOn("CBZ", res, noRes)
	add(place(res), field(t, fields.TLdr))
	label(noRes)
	branchBit("TBZ", 1, flags, noClip)
	at, lo, hi := general(), vector(), vector()
	plusConst(at, t, fields.TLo)
	loadAll(lo, at)
	plusConst(at, t, fields.THi)
	loadAll(hi, at)
	for _, row := range acc {
		for _, r := range row {
			fmax(r, r, lo)
			fmin(r, r, hi)
		}
	}
	label(noClip)
	c := place(field(t, fields.TC))
	for i, row := range acc {
		store(row, c)
		if i < len(acc)-1 {
			plus(c, c, ldc)
		}
	}
}

// channels writes the micro-kernels of depthwise convolution: A has a vector of channels in
// place of a number, C[i*ldc+j] = sum of A[r*ars+i*ais+k*aks+j]*B[(r*kc+k)*ldb+r*brs+j], for
// vecs channels j. Eight are taken at once, then four, then one by one.
func channels() {
	for mr := 1; mr <= 8; mr++ {
		kernel(fmt.Sprintf("channelsneon_%d", mr), "t *byte", func() {
			t := in("t")
			off, left := general(), field(t, fields.TVecs)
			set(off, 0)
			for _, cols := range []int{8, 4, 1} {
				loop, next := fmt.Sprintf("by%d", cols), fmt.Sprintf("end%d", cols)
				label(loop)
				compare(left, cols)
				branch("BLT", next)
				channelTile(t, off, mr, cols)
				plusConst(off, off, 4*cols)
				less(left, cols)
				branch("B", loop)
				label(next)
			}
			ret()
		})
	}
}

// channelTile works on MR rows of so many channels.
func channelTile(t, off *reg, MR, cols int) {
	g := &tileWriter{MR: MR, cols: cols}
	for range MR {
		g.acc = append(g.acc, vectorsOf((cols+3)/4))
	}
	noBias, begin, row, tap := mark("nobias"), mark("begin"), mark("row"), mark("tap")
	bias := field(t, fields.TBias)
	branchOn("CBZ", bias, noBias)
	plus(bias, bias, off)
	for _, r := range g.acc {
		loadColumns(r, bias, cols)
	}
	branch("B", begin)
	label(noBias)
	for _, row := range g.acc {
		for _, r := range row {
			zero(r)
		}
	}
	label(begin)
	a, b, ars, aks, ldb, rows, brs := field(t, fields.TA), field(t, fields.TB), field(t, fields.TArs), field(t, fields.TAks), field(t, fields.TLdb), field(t, fields.TRows), field(t, fields.TBrs)
	ais, k, p, q := field(t, fields.TAis), general(), general(), general()
	plus(a, a, off)
	plus(b, b, off)
	label(row)
	move(p, a)
	read(k, t, fields.TK)
	label(tap)
	w := vectorsOf((cols + 3) / 4)
	loadColumns(w, b, cols)
	at := p
	for i, r := range g.acc {
		x := vectorsOf(len(w))
		loadColumns(x, at, cols)
		if i < MR-1 {
			plus(q, at, ais)
			at = q
		}
		for j := range r {
			fmla(r[j], x[j], w[j])
		}
	}
	plus(p, p, aks)
	plus(b, b, ldb)
	less(k, 1)
	branch("BNE", tap)
	plus(a, a, ars)
	plus(b, b, brs)
	less(rows, 1)
	branch("BNE", row)
	finishTile(t, g.acc, func(row []*reg, at *reg) { loadColumns(row, at, cols) }, func(row []*reg, at *reg) { storeColumns(row, at, cols) }, off)
}
