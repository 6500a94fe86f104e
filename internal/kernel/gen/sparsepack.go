package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// packRows: planes of n rows of x, ldx apart, to rows of y, ldy apart; planes are
// xplane and yplane apart. Rows of x begin off from x, which may be before it. A
// row of y is a vector of which mask m0 says what counts, mid whole vectors, one
// of mask m1 where that is not 0, and some of zeros; what does not count is zero
// and not read. Strides in bytes.
func packRows(v vec, isa string) {
	name := "packrows_" + isa
	TEXT(name, NOSPLIT, "func(planes int, n int, x *float32, off int, ldx int, xplane int, y *float32, ldy int, yplane int, m0 uintptr, mid int, m1 uintptr, zeros int)")
	Pragma("noescape")
	planes, x, ldx, y, ldy, m1 := gp("planes"), gp("x"), gp("ldx"), gp("y"), gp("ldy"), gp("m1")
	arg := func(name string) GPVirtual { return Load(Param(name), GP64()).(GPVirtual) } // read anew: registers are few
	ADDQ(arg("off"), x)
	var k [2]OpmaskVirtual
	var m [2]VecVirtual
	for i, r := range []GPVirtual{arg("m0"), m1} {
		if v.z512 {
			k[i] = K()
			KMOVW(r.As32(), k[i])
			continue
		}
		m[i] = YMM()
		v.zero(m[i])
		TESTQ(r, r)
		label := fmt.Sprintf("%s_mask%d", name, i)
		JZ(LabelRef(label))
		VMOVDQU(Mem{Base: r}, m[i])
		Label(label)
	}
	t, zero := v.reg(), v.reg()
	v.zero(zero)
	p, q, xr, i, n := GP64(), GP64(), GP64(), GP64(), GP64()
	next := func() {
		ADDQ(Imm(uint64(4*v.n)), p)
		ADDQ(Imm(uint64(4*v.n)), q)
	}
	masked := func(j int) {
		if v.z512 {
			VMOVUPS_Z(Mem{Base: p}, k[j], t)
		} else {
			VMASKMOVPS(Mem{Base: p}, m[j], t)
		}
		VMOVUPS(t, Mem{Base: q})
		next()
	}
	yr := GP64()
	down := func(loop string) {
		ADDQ(ldx, xr)
		ADDQ(ldy, yr)
		DECQ(n)
		JNZ(LabelRef(loop))
	}
	Label(name + "_p")
	MOVQ(arg("n"), n)
	MOVQ(y, yr)
	MOVQ(x, xr)
	MOVQ(arg("mid"), i)
	ORQ(m1, i)
	ORQ(arg("zeros"), i)
	JNZ(LabelRef(name + "_r"))
	Label(name + "_one") // rows of one vector
	if v.z512 {
		VMOVUPS_Z(Mem{Base: xr}, k[0], t)
	} else {
		VMASKMOVPS(Mem{Base: xr}, m[0], t)
	}
	VMOVUPS(t, Mem{Base: yr})
	down(name + "_one")
	JMP(LabelRef(name + "_plane"))
	Label(name + "_r")
	MOVQ(xr, p)
	MOVQ(yr, q)
	masked(0)
	MOVQ(arg("mid"), i)
	TESTQ(i, i)
	JZ(LabelRef(name + "_last"))
	Label(name + "_v")
	VMOVUPS(Mem{Base: p}, t)
	VMOVUPS(t, Mem{Base: q})
	next()
	DECQ(i)
	JNZ(LabelRef(name + "_v"))
	Label(name + "_last")
	TESTQ(m1, m1)
	JZ(LabelRef(name + "_nolast"))
	masked(1)
	Label(name + "_nolast")
	MOVQ(arg("zeros"), i)
	TESTQ(i, i)
	JZ(LabelRef(name + "_done"))
	Label(name + "_z")
	VMOVUPS(zero, Mem{Base: q})
	ADDQ(Imm(uint64(4*v.n)), q)
	DECQ(i)
	JNZ(LabelRef(name + "_z"))
	Label(name + "_done")
	down(name + "_r")
	Label(name + "_plane")
	ADDQ(arg("xplane"), x)
	ADDQ(arg("yplane"), y)
	DECQ(planes)
	JNZ(LabelRef(name + "_p"))
	end()
}

// packEvens: planes of n rows: lo zeros, then every second number of a row of x,
// nv vectors of them, whose last is masked and filled with zeros; lo is at most a
// vector. Two vectors of x are read for each of y. Strides in bytes.
func packEvens(v vec, isa string) {
	name := "packevens_" + isa
	TEXT(name, NOSPLIT, "func(planes int, n int, x *float32, ldx int, xplane int, y *float32, lo int, ldy int, yplane int, nv int, mask uintptr)")
	Pragma("noescape")
	planes, x, ldx, y, lo, ldy, mask := gp("planes"), gp("x"), gp("ldx"), gp("y"), gp("lo"), gp("ldy"), gp("mask")
	arg := func(name string) GPVirtual { return Load(Param(name), GP64()).(GPVirtual) } // read anew: registers are few
	var km OpmaskVirtual
	var keep, even VecVirtual
	if v.z512 {
		km, even = K(), v.reg()
		KMOVW(mask.As32(), km)
		table := GLOBL("evens", RODATA|NOPTR)
		for i := range 16 {
			DATA(4*i, U32(2*i))
		}
		VMOVUPS(table, even)
	} else {
		keep = v.reg()
		VMOVDQU(Mem{Base: mask}, keep)
	}
	a, b, zero := v.reg(), v.reg(), v.reg()
	v.zero(zero)
	pair := func(p GPVirtual) {
		VMOVUPS(Mem{Base: p}, a)
		if v.z512 {
			VPERMT2PS(Mem{Base: p, Disp: 64}, even, a)
			return
		}
		VMOVUPS(Mem{Base: p, Disp: 32}, b)
		VSHUFPS(Imm(0x88), b, a, a)
		VPERMPD(Imm(0xd8), a, a)
	}
	p, q, xr, yr, i, n := GP64(), GP64(), GP64(), GP64(), GP64(), GP64()
	Label(name + "_p")
	MOVQ(arg("n"), n)
	MOVQ(x, xr)
	MOVQ(y, yr)
	Label(name + "_r")
	VMOVUPS(zero, Mem{Base: yr})
	MOVQ(xr, p)
	LEAQ(Mem{Base: yr, Index: lo, Scale: 1}, q)
	MOVQ(arg("nv"), i)
	DECQ(i)
	JZ(LabelRef(name + "_last"))
	Label(name + "_v")
	pair(p)
	VMOVUPS(a, Mem{Base: q})
	ADDQ(Imm(uint64(8*v.n)), p)
	ADDQ(Imm(uint64(4*v.n)), q)
	DECQ(i)
	JNZ(LabelRef(name + "_v"))
	Label(name + "_last")
	pair(p)
	if v.z512 {
		VMOVAPS_Z(a, km, a)
	} else {
		VANDPS(keep, a, a)
	}
	VMOVUPS(a, Mem{Base: q})
	ADDQ(ldx, xr)
	ADDQ(ldy, yr)
	DECQ(n)
	JNZ(LabelRef(name + "_r"))
	ADDQ(arg("xplane"), x)
	ADDQ(arg("yplane"), y)
	DECQ(planes)
	JNZ(LabelRef(name + "_p"))
	end()
}
