package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// transpose8 turns n blocks of 8 by 8 along 8 rows of x: y[8b+j][i] = x[i][8b+j].
// Strides in bytes.
func transpose8() {
	TEXT("trans8_avx2", NOSPLIT, "func(n int, x *float32, ldx int, y *float32, ldy int)")
	Pragma("noescape")
	n, x, ldx, y, ldy := gp("n"), gp("x"), gp("ldx"), gp("y"), gp("ldy")
	src, dst := rowsOf(8, ldx), rowsOf(8, ldy)
	Label("trans8_l")
	for half := range 2 {
		var t [4]VecVirtual
		for i := range t {
			t[i] = YMM()
			VMOVUPS(src(x, i, 16*half), t[i].AsX())
			VINSERTF128(Imm(1), src(x, i+4, 16*half), t[i], t[i])
		}
		a, b, c, d := YMM(), YMM(), YMM(), YMM()
		VUNPCKLPS(t[1], t[0], a)
		VUNPCKHPS(t[1], t[0], b)
		VUNPCKLPS(t[3], t[2], c)
		VUNPCKHPS(t[3], t[2], d)
		for i, p := range [][2]VecVirtual{{a, c}, {b, d}} {
			lo, hi := YMM(), YMM()
			VUNPCKLPD(p[1], p[0], lo)
			VUNPCKHPD(p[1], p[0], hi)
			VMOVUPS(lo, dst(y, 4*half+2*i, 0))
			VMOVUPS(hi, dst(y, 4*half+2*i+1, 0))
		}
	}
	ADDQ(Imm(32), x)
	LEAQ(Mem{Base: y, Index: ldy, Scale: 8}, y)
	DECQ(n)
	JNZ(LabelRef("trans8_l"))
	end()
}
