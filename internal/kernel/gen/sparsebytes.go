package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Offsets of the fields of kernel.sparseByteTile; all are eight bytes wide.
const (
	sbA = 8 * iota
	sbOffsets
	sbWeights
	sbPairs
	sbC
	sbColumns
	sbAdd
)

// sparseBytes writes the products of 64 rows of bytes by columns of which only the fours of
// weights are stored that are not all 0: of each its place in A, where four bytes of each row
// lie side by side, and the weights. Columns have even numbers of them, and two take turns.
func sparseBytes() {
	name := "sparsebytes"
	TEXT(name, NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	t := gp("t")
	get := func(off int) GPVirtual { r := GP64(); MOVQ(Mem{Base: t, Disp: off}, r); return r }
	a, offsets, weights, pairs, c, columns, add := get(sbA), get(sbOffsets), get(sbWeights), get(sbPairs), get(sbC), get(sbColumns), get(sbAdd)
	acc := make([]VecVirtual, 8)
	for i := range acc {
		acc[i] = ZMM()
	}
	Label(name + "_column")
	for i := 4; i < 8; i++ {
		VPXORQ(acc[i], acc[i], acc[i])
	}
	TESTQ(add, add)
	JNZ(LabelRef(name + "_add"))
	for i := range 4 {
		VPXORQ(acc[i], acc[i], acc[i])
	}
	JMP(LabelRef(name + "_sums"))
	Label(name + "_add")
	for i := range 4 {
		VMOVDQU64(Mem{Base: c, Disp: 64 * i}, acc[i])
	}
	Label(name + "_sums")
	n := GP64()
	MOVL(Mem{Base: pairs}, n.As32())
	TESTQ(n, n)
	JZ(LabelRef(name + "_done"))
	x := []VecVirtual{ZMM(), ZMM(), ZMM(), ZMM()}
	w := []VecVirtual{ZMM(), ZMM()}
	at := []GPVirtual{GP64(), GP64()}
	Label(name + "_pair")
	for turn := range 2 {
		MOVL(Mem{Base: offsets, Disp: 4 * turn}, at[turn].As32())
		VPBROADCASTD(Mem{Base: weights, Disp: 4 * turn}, w[turn])
	}
	for turn := range 2 {
		for i := range 4 {
			VMOVDQU64(Mem{Base: a, Index: at[turn], Scale: 1, Disp: 64 * i}, x[i])
			dpbusd(w[turn], x[i], acc[4*turn+i])
		}
	}
	ADDQ(Imm(8), offsets)
	ADDQ(Imm(8), weights)
	DECQ(n)
	JNZ(LabelRef(name + "_pair"))
	Label(name + "_done")
	for i := range 4 {
		VPADDD(acc[i+4], acc[i], acc[i])
		VMOVDQU64(acc[i], Mem{Base: c, Disp: 64 * i})
	}
	ADDQ(Imm(4), pairs)
	ADDQ(U32(256), c)
	DECQ(columns)
	JNZ(LabelRef(name + "_column"))
	end()
}
