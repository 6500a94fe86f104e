package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// packRows: planes of n rows of x, ldx apart, to rows of y, ldy apart; planes are
// xplane and yplane apart. Rows of x start off bytes from x, which may be before it. A
// row of y is a vector of which mask m0 says what counts, mid whole vectors, one
// of mask m1 where that is not 0, and some of zeros; what does not count is zero
// and not read. Strides in bytes.
func packRows(v vec, isa string) {
	v.begin("packrows", isa, "func(planes int, n int, x *float32, off int, ldx int, xplane int, y *float32, ldy int, yplane int, m0 uintptr, mid int, m1 uintptr, zeros int)")
	g := &packWriter{vec: v, name: "packrows_" + isa}
	planes, x, ldx, y, ldy, m1 := gp("planes"), gp("x"), gp("ldx"), gp("y"), gp("ldy"), gp("m1")
	ADDQ(gp("off"), x)
	g.masks(gp("m0"), m1)
	g.t, g.none = v.reg(), v.reg()
	v.zero(g.none)
	g.p, g.q = GP64(), GP64()
	xr := GP64()
	g.i = GP64()
	n, yr := GP64(), GP64()
	down := func(loop string) {
		ADDQ(ldx, xr)
		ADDQ(ldy, yr)
		DECQ(n)
		JNZ(g.label(loop))
	}
	Label(g.name + "_p")
	MOVQ(gp("n"), n)
	MOVQ(y, yr)
	MOVQ(x, xr)
	MOVQ(gp("mid"), g.i)
	ORQ(m1, g.i)
	ORQ(gp("zeros"), g.i)
	JNZ(g.label("_r"))
	Label(g.name + "_one") // rows of one vector
	v.load(g.m[0], Mem{Base: xr}, g.t)
	VMOVUPS(g.t, Mem{Base: yr})
	down("_one")
	JMP(g.label("_plane"))
	Label(g.name + "_r")
	MOVQ(xr, g.p)
	MOVQ(yr, g.q)
	g.row(m1)
	down("_r")
	Label(g.name + "_plane")
	ADDQ(gp("xplane"), x)
	ADDQ(gp("yplane"), y)
	DECQ(planes)
	JNZ(g.label("_p"))
	end()
}

// packWriter holds what the parts of packRows share. Most arguments are read
// again where they are used: registers are few.
type packWriter struct {
	vec
	name    string
	m       [2]*tail
	t, none VecVirtual // a vector on its way, and zeros
	p, q, i GPVirtual  // places in a row of x and of y, and what is left of a loop
}

func (g *packWriter) label(s string) LabelRef { return LabelRef(g.name + s) }

// masks loads the masks of the first and the last vector of a row.
func (g *packWriter) masks(m0, m1 GPVirtual) {
	for i, r := range []GPVirtual{m0, m1} {
		g.m[i] = &tail{}
		if g.z512 {
			g.m[i].k = K()
			KMOVW(r.As32(), g.m[i].k)
			continue
		}
		g.m[i].m = YMM()
		g.zero(g.m[i].m)
		TESTQ(r, r)
		label := fmt.Sprintf("_mask%d", i)
		JZ(g.label(label))
		VMOVDQU(Mem{Base: r}, g.m[i].m)
		Label(g.name + label)
	}
}

// move copies a vector from p to q, which move on.
func (g *packWriter) move(t *tail) {
	g.load(t, Mem{Base: g.p}, g.t)
	VMOVUPS(g.t, Mem{Base: g.q})
	ADDQ(Imm(uint64(4*g.n)), g.p)
	ADDQ(Imm(uint64(4*g.n)), g.q)
}

// row writes a row of y: the first vector, the whole ones, the last and zeros.
func (g *packWriter) row(m1 GPVirtual) {
	g.move(g.m[0])
	MOVQ(gp("mid"), g.i)
	TESTQ(g.i, g.i)
	JZ(g.label("_last"))
	Label(g.name + "_v")
	g.move(nil)
	DECQ(g.i)
	JNZ(g.label("_v"))
	Label(g.name + "_last")
	TESTQ(m1, m1)
	JZ(g.label("_nolast"))
	g.move(g.m[1])
	Label(g.name + "_nolast")
	MOVQ(gp("zeros"), g.i)
	TESTQ(g.i, g.i)
	JZ(g.label("_done"))
	Label(g.name + "_z")
	VMOVUPS(g.none, Mem{Base: g.q})
	ADDQ(Imm(uint64(4*g.n)), g.q)
	DECQ(g.i)
	JNZ(g.label("_z"))
	Label(g.name + "_done")
}

// packEvens: planes of n rows: lo zeros, then every second number of a row of x,
// nv vectors of them, whose last is masked and filled with zeros; lo is at most a
// vector. Two vectors of x are read for each of y. Strides in bytes.
func packEvens(v vec, isa string) {
	name := "packevens_" + isa
	TEXT(name, NOSPLIT, "func(planes int, n int, x *float32, ldx int, xplane int, y *float32, lo int, ldy int, yplane int, nv int, mask uintptr)")
	Pragma("noescape")
	planes, x, ldx, y, lo, ldy, mask := gp("planes"), gp("x"), gp("ldx"), gp("y"), gp("lo"), gp("ldy"), gp("mask")
	arg := gp // read where it is used: registers are few
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
