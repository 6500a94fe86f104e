package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// panels copies k rows of n pieces of two vectors each, row by row: piece p of
// row r goes to y + p*step + r*2 vectors. Distances in bytes.
func panels(v vec, isa string) {
	v.begin("panels", isa, "func(k, n int, x *float32, ldx int, y *float32, step int)")
	k, n, x, ldx, y, step := gp("k"), gp("n"), gp("x"), gp("ldx"), gp("y"), gp("step")
	src, dst, left := GP64(), GP64(), GP64()
	a, b := v.reg(), v.reg()
	Label("panels_row")
	MOVQ(x, src)
	MOVQ(y, dst)
	MOVQ(n, left)
	Label("panels_piece")
	VMOVUPS(Mem{Base: src}, a)
	VMOVUPS(Mem{Base: src, Disp: 4 * v.n}, b)
	VMOVUPS(a, Mem{Base: dst})
	VMOVUPS(b, Mem{Base: dst, Disp: 4 * v.n})
	ADDQ(Imm(uint64(8*v.n)), src)
	ADDQ(step, dst)
	DECQ(left)
	JNZ(LabelRef("panels_piece"))
	ADDQ(ldx, x)
	ADDQ(Imm(uint64(8*v.n)), y)
	DECQ(k)
	JNZ(LabelRef("panels_row"))
	end()
}
