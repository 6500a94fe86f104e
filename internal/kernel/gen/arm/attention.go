package main

import (
	"fmt"

	"gen/fields"
)

// attention writes what attention reads of a kernel.KVCache: the products of keys with 1 to 4
// queries, and the sums of values by 1 to 4 rows of weights, both for float32 and float16.
func attention() {
	toHalf()
	for _, half := range []bool{false, true} {
		name := map[bool]string{false: "float", true: "half"}[half]
		for R := 1; R <= 4; R++ {
			kernel(fmt.Sprintf("keys%s%dneon", name, R), "t *byte", func() { keys(half, R) })
			kernel(fmt.Sprintf("values%s%dneon", name, R), "t *byte", func() { values(half, R) })
		}
	}
}

// sixteen reads 16 numbers of the cache as floats and moves on.
func sixteen(half bool, at *reg) []*reg {
	w := vectorsOf(4)
	if !half {
		loadq2After(w[0], w[1], at)
		loadq2After(w[2], w[3], at)
		return w
	}
	a, b := vector(), vector()
	loadq2After(a, b, at)
	for i, h := range []*reg{a, b} {
		hcvtl(w[2*i], h)
		hcvtl2(w[2*i+1], h)
	}
	return w
}

// rowsFrom are R pointers that are a distance apart.
func rowsFrom(first, step *reg, R int) []*reg {
	p := []*reg{first}
	for r := 1; r < R; r++ {
		q := general()
		plus(q, p[r-1], step)
		p = append(p, q)
	}
	return p
}

// keys are, for each of Rows panels of 16 positions and of R rows of x, the inner products
// y[16*panel+i] = sum over Dim of data[panel][e][i]*x[e].
func keys(half bool, R int) {
	t := in("t")
	data, panels, stride, y, ldy := field(t, fields.AData), field(t, fields.ARows), field(t, fields.AXRow), field(t, fields.AY), field(t, fields.AYRow)
	turns := 1 // sums that take turns, so that none waits for the last
	if R == 1 {
		turns = 2
	}
	label("panel")
	sums := make([][]*reg, turns)
	for i := range sums {
		sums[i] = zeros(4 * R)
	}
	x, left := rowsFrom(field(t, fields.AX), stride, R), field(t, fields.ADim)
	add := func(turn int, q []*reg, lane int) {
		for i, w := range sixteen(half, data) {
			for r := range q {
				fmlaLane(sums[turn][4*r+i], w, q[r], lane)
			}
		}
	}
	less(left, 4)
	branch("BLT", "rest")
	label("four")
	q := vectorsOf(R)
	for r := range q {
		loadqAfter(q[r], x[r])
	}
	for lane := range 4 {
		add(lane%turns, q, lane)
	}
	less(left, 4)
	branch("BGE", "four")
	label("rest")
	plusConst(left, left, 4)
	branchOn("CBZ", left, "sum")
	label("one")
	q = vectorsOf(R)
	for r := range q {
		loadsAfter(q[r], x[r])
	}
	add(0, q, 0)
	less(left, 1)
	branch("BNE", "one")
	label("sum")
	if turns > 1 {
		for i, s := range sums[0] {
			fadd(s, s, sums[1][i])
		}
	}
	to := general()
	move(to, y)
	plusConst(y, y, 64)
	for r := range R {
		storeColumns(sums[0][4*r:4*r+4], to, 0)
		if r < R-1 {
			plus(to, to, ldy)
		}
	}
	less(panels, 1)
	branch("BNE", "panel")
	ret()
}

// values are, for R rows of x, the sums y[e] = sum over Rows rows of x[row]*data[row][e], for 16
// columns. Rows of data are Step bytes apart.
func values(half bool, R int) {
	t := in("t")
	data, step, left, y, ldy := field(t, fields.AData), field(t, fields.AStep), field(t, fields.ARows), field(t, fields.AY), field(t, fields.AYRow)
	x := rowsFrom(field(t, fields.AX), field(t, fields.AXRow), R)
	turns := 1
	if R == 1 {
		turns = 2
	}
	sums := make([][]*reg, turns)
	for i := range sums {
		sums[i] = zeros(4 * R)
	}
	label("row")
	for turn := range turns {
		p := general()
		move(p, data)
		plus(data, data, step)
		w := sixteen(half, p)
		for r := range R {
			a := vector()
			loadsAfter(a, x[r])
			for i := range w {
				fmlaLane(sums[turn][4*r+i], w[i], a, 0)
			}
		}
		less(left, 1)
		if turn < turns-1 {
			branch("BEQ", "sum")
		}
	}
	branch("BNE", "row")
	label("sum")
	for r := range R {
		if turns > 1 {
			for i := range 4 {
				fadd(sums[0][i], sums[0][i], sums[1][i])
			}
		}
		storeColumns(sums[0][4*r:4*r+4], y, 0)
		if r < R-1 {
			plus(y, y, ldy)
		}
	}
	ret()
}

// toHalf rounds to float16, n a multiple of eight; it gives the largest by size, of which what
// is no number is none.
func toHalf() {
	kernel("tohalfneon", "n int, x *float32, y *uint16 -> most float32", func() {
		n, x, y := in("n"), in("x"), in("y")
		most := zeros(2)
		label("eight")
		a := load(x, 8)
		h := vector()
		hcvtn(h, a.r[0])
		hcvtn2(h, a.r[1])
		storeqAfter(h, y)
		for i, r := range each1(fabs, a).r {
			larger := vector()
			fcmgt(larger, r, most[i])
			bit(most[i], r, larger)
		}
		less(n, 8)
		branch("BNE", "eight")
		fmax(most[0], most[0], most[1])
		fmaxv(most[0], most[0])
		outSingle("most", most[0])
		ret()
	})
}
