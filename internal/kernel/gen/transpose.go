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
	rows := func(base, ld GPVirtual) func(i, disp int) Mem {
		s3, s5, s7 := GP64(), GP64(), GP64()
		LEAQ(Mem{Base: ld, Index: ld, Scale: 2}, s3)
		LEAQ(Mem{Base: ld, Index: ld, Scale: 4}, s5)
		LEAQ(Mem{Base: s3, Index: ld, Scale: 4}, s7)
		return func(i, disp int) Mem {
			m := Mem{Base: base, Disp: disp}
			switch i {
			case 1, 2, 4:
				m.Index, m.Scale = ld, uint8(i)
			case 3, 6:
				m.Index, m.Scale = s3, uint8(i/3)
			case 5:
				m.Index, m.Scale = s5, 1
			case 7:
				m.Index, m.Scale = s7, 1
			}
			return m
		}
	}
	src, dst := rows(x, ldx), rows(y, ldy)
	Label("trans8_l")
	for half := range 2 {
		var t [4]VecVirtual
		for i := range t {
			t[i] = YMM()
			VMOVUPS(src(i, 16*half), t[i].AsX())
			VINSERTF128(Imm(1), src(i+4, 16*half), t[i], t[i])
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
			VMOVUPS(lo, dst(4*half+2*i, 0))
			VMOVUPS(hi, dst(4*half+2*i+1, 0))
		}
	}
	ADDQ(Imm(32), x)
	LEAQ(Mem{Base: y, Index: ldy, Scale: 8}, y)
	DECQ(n)
	JNZ(LabelRef("trans8_l"))
	end()
}
