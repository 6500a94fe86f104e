package main

// panels copies k rows of n pieces of 16 floats, row by row: piece p of row r goes to y +
// p*step + r*64. Distances in bytes.
func panels() {
	kernel("panelsneon", "k, n int, x *float32, ldx int, y *float32, step int", func() {
		k, n, x, ldx, y, step := in("k"), in("n"), in("x"), in("ldx"), in("y"), in("step")
		from, to, left := general(), general(), general()
		label("row")
		move(from, x)
		move(to, y)
		move(left, n)
		label("piece")
		v := vectorsOf(4)
		loadq2(v[0], v[1], from, 0)
		loadq2(v[2], v[3], from, 32)
		plusConst(from, from, 64)
		storeq2(v[0], v[1], to, 0)
		storeq2(v[2], v[3], to, 32)
		plus(to, to, step)
		less(left, 1)
		branch("BNE", "piece")
		plus(x, x, ldx)
		plusConst(y, y, 64)
		less(k, 1)
		branch("BNE", "row")
		ret()
	})
}

// transposes turns n blocks of 8 by 8 along 8 rows of x: y[8b+j][i] = x[i][8b+j]. Strides in
// bytes.
func transposes() {
	kernel("trans8neon", "n int, x *float32, ldx int, y *float32, ldy int", func() {
		n, x, ldx, y, ldy := in("n"), in("x"), in("ldx"), in("y"), in("ldy")
		from := general()
		label("block")
		move(from, x)
		var v [8][2]*reg
		for i := range v {
			v[i] = [2]*reg{vector(), vector()}
			loadq2(v[i][0], v[i][1], from, 0)
			if i < 7 {
				plus(from, from, ldx)
			}
		}
		plusConst(x, x, 32)
		for half := range 2 {
			top := four(v[0][half], v[1][half], v[2][half], v[3][half])
			low := four(v[4][half], v[5][half], v[6][half], v[7][half])
			for j := range 4 {
				storeq2(top[j], low[j], y, 0)
				plus(y, y, ldy)
			}
		}
		less(n, 1)
		branch("BNE", "block")
		ret()
	})
}

// four transposes four by four.
func four(a, b, c, d *reg) [4]*reg {
	t, r := vectorsOf(4), [4]*reg{vector(), vector(), vector(), vector()}
	zip1(t[0], a, c)
	zip2(t[1], a, c)
	zip1(t[2], b, d)
	zip2(t[3], b, d)
	zip1(r[0], t[0], t[2])
	zip2(r[1], t[0], t[2])
	zip1(r[2], t[1], t[3])
	zip2(r[3], t[1], t[3])
	return r
}
