package main

import "gen/fields"

// sampledProducts: for each sparse row o of a matrix and each of its entries e, sum[e] += sum
// over R rows r and NV vectors of eight places p of x[off[e]+r*xrow+p] * d[o*dplane+r*drow+p]. Of
// the last vector of d the first mask places count. Rows have a multiple of four entries; four
// share each vector of d.
func sampledProducts() {
	kernel("sampledneon", "t *byte", func() {
		t := in("t")
		offs, counts, rows, x, d, nv, last, sum := field(t, fields.DOffs), field(t, fields.DCounts), field(t, fields.DRows), field(t, fields.DX), field(t, fields.DD), field(t, fields.DNV), field(t, fields.DMask), field(t, fields.DSum)
		left := general()
		xback, dback := field(t, fields.DXRow), field(t, fields.DDRow) // from the end of a row to the next
		back := general()
		shiftLeft(back, nv, 5)
		minus(xback, xback, back)
		minus(dback, dback, back)
		plusConst(dback, dback, 32) // the last vector does not move on
		label("row")
		readWord(left, counts, 0)
		plusConst(counts, counts, 4)
		branchOn("CBZ", left, "next")
		label("four")
		at := []*reg{general(), general(), general(), general()}
		readWords(at[0], at[1], offs, 0)
		readWords(at[2], at[3], offs, 8)
		plusConst(offs, offs, 16)
		for _, p := range at {
			plusWord(p, x, p, 0)
		}
		s, dd, r, j := zeros(8), general(), field(t, fields.DR), general()
		move(dd, d)
		step := func(a, b *reg) {
			for i, p := range at {
				u, v := vector(), vector()
				loadq2After(u, v, p)
				fmla(s[2*i], u, a)
				fmla(s[2*i+1], v, b)
			}
		}
		label("places")
		move(j, nv)
		less(j, 1)
		branch("BEQ", "last")
		label("vector")
		a, b := vector(), vector()
		loadq2After(a, b, dd)
		step(a, b)
		less(j, 1)
		branch("BNE", "vector")
		label("last")
		a, b = vector(), vector()
		loadPart(a, b, dd, 0, last)
		step(a, b)
		for _, p := range at {
			plus(p, p, xback)
		}
		plus(dd, dd, dback)
		less(r, 1)
		branch("BNE", "places")
		for i := range at {
			fadd(s[2*i], s[2*i], s[2*i+1])
		}
		faddp(s[0], s[0], s[2])
		faddp(s[4], s[4], s[6])
		faddp(s[0], s[0], s[4])
		old := vector()
		loadq(old, sum, 0)
		fadd(old, old, s[0])
		storeqAfter(old, sum)
		less(left, 4)
		branch("BNE", "four")
		label("next")
		step2 := field(t, fields.DDPlane)
		plus(d, d, step2)
		less(rows, 1)
		branch("BNE", "row")
		ret()
	})
}

// keeps zeroes the numbers of x whose bit is 0, 64 a word, for n words.
func keeps() {
	kernel("keepneon", "n int, bits *uint64, x *float32", func() {
		n, bits, x := in("n"), in("bits"), in("x")
		low, high := lanesOf(1, 2, 4, 8), lanesOf(16, 32, 64, 128)
		w, left := general(), general()
		label("word")
		read(w, bits, 0)
		plusConst(bits, bits, 8)
		compare(w, -1)
		branch("BEQ", "all")
		set(left, 8)
		label("eight")
		m, a, b := vector(), vector(), vector()
		dupWord(m, w)
		shiftRight(w, w, 8)
		loadq2(a, b, x, 0)
		p, q := vector(), vector()
		cmtst(p, m, low)
		cmtst(q, m, high)
		and(a, a, p)
		and(b, b, q)
		storeq2After(a, b, x)
		less(left, 1)
		branch("BNE", "eight")
		branch("B", "next")
		label("all")
		plusConst(x, x, 256)
		label("next")
		less(n, 1)
		branch("BNE", "word")
		ret()
	})
}
