package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Offsets of the fields of kernel.sparseTile; all are eight bytes wide.
const (
	sEntries = 8 * iota
	sCounts
	sRows
	sX
	sXRow
	sY
	sYRow
	sYPlane
	sBias
	sRes
	sFlags
	sMask
	sLo
)

// sparse: for each sparse row o of a matrix, R rows r of NV vectors of places p:
// y[o*yplane+r*yrow+p] = bias[o] + sum over the entries of o of
// value*x[offset+r*xrow+p], plus the residual, held in bounds (flag 2). With flag
// 1 the sum goes on from what y holds. The last vector is masked where it is
// stored. Few accumulators are kept twice, for the
// entries with even and with odd number.
func sparse(v vec, R, NV int) {
	isa := "avx2"
	switch {
	case v.z512:
		isa = "avx512"
	case v.k:
		isa = "avx512y"
	}
	name := fmt.Sprintf("sparse%s_%dx%d", isa, R, NV)
	TEXT(name, NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	t := Load(Param("t"), GP64())
	f := func(off int) Mem { return Mem{Base: t, Disp: off} }
	ld := func(off int) GPVirtual { r := GP64(); MOVQ(f(off), r); return r }
	e, x, y := ld(sEntries), ld(sX), ld(sY)
	bytes := v.n * 4
	// what moves on from row to row, out of sight of the garbage collector
	frame := AllocLocal(32)
	local := func(i int) Mem { return frame.Offset(8 * i) }
	bias, counts, res, rows := local(0), local(1), local(2), local(3)
	for _, m := range []struct {
		off int
		to  Mem
	}{{sBias, bias}, {sCounts, counts}, {sRes, res}, {sRows, rows}} {
		MOVQ(ld(m.off), m.to)
	}
	get := func(m Mem) GPVirtual { r := GP64(); MOVQ(m, r); return r }

	var km OpmaskVirtual
	var vm VecVirtual
	if v.k {
		km = K()
		m := GP32()
		MOVL(f(sMask), m)
		KMOVW(m, km)
	} else {
		m := GP64()
		MOVQ(f(sMask), m)
		vm = YMM()
		VMOVDQU(Mem{Base: m}, vm)
	}
	n := R * NV
	acc := make([]VecVirtual, n)
	for i := range acc {
		acc[i] = v.reg()
	}
	var odd []VecVirtual
	if n <= 4 {
		odd = make([]VecVirtual, n)
		for i := range odd {
			odd[i] = v.reg()
		}
	} else {
		odd = acc
	}
	var xr, s3, s5, s7 GPVirtual
	if R > 1 {
		xr = ld(sXRow)
	}
	if R > 3 {
		s3 = GP64()
		LEAQ(Mem{Base: xr, Index: xr, Scale: 2}, s3)
	}
	if R > 5 {
		s5 = GP64()
		LEAQ(Mem{Base: xr, Index: xr, Scale: 4}, s5)
	}
	if R > 7 {
		s7 = GP64()
		LEAQ(Mem{Base: s3, Index: xr, Scale: 4}, s7)
	}
	at := func(base GPVirtual, r, j int) Mem {
		m := Mem{Base: base, Disp: bytes * j}
		switch r {
		case 1, 2, 4:
			m.Index, m.Scale = xr, uint8(r)
		case 3, 6:
			m.Index, m.Scale = s3, uint8(r/3)
		case 5:
			m.Index, m.Scale = s5, 1
		case 7:
			m.Index, m.Scale = s7, 1
		}
		return m
	}
	w, tmp := v.reg(), v.reg()
	k, p := GP64(), GP64()
	load := func(j int, src Mem, dst VecVirtual) {
		switch {
		case j != NV-1:
			VMOVUPS(src, dst)
		case v.k:
			VMOVUPS_Z(src, km, dst)
		default:
			VMASKMOVPS(src, vm, dst)
		}
	}
	entry := func(disp int, acc []VecVirtual) {
		MOVLQSX(Mem{Base: e, Disp: disp}, p)
		ADDQ(x, p)
		VBROADCASTSS(Mem{Base: e, Disp: disp + 4}, w)
		for r := range R {
			for j := range NV {
				VFMADD231PS(at(p, r, j), w, acc[r*NV+j])
			}
		}
	}
	Label(name + "_o")
	flags, q := ld(sFlags), GP64()
	BTQ(Imm(0), flags)
	JCC(LabelRef(name + "_new"))
	MOVQ(y, q)
	for r := range R {
		for j := range NV {
			load(j, Mem{Base: q, Disp: bytes * j}, acc[r*NV+j])
		}
		if r < R-1 {
			ADDQ(f(sYRow), q)
		}
	}
	JMP(LabelRef(name + "_begin"))
	Label(name + "_new")
	b := get(bias)
	TESTQ(b, b)
	JZ(LabelRef(name + "_nobias"))
	VBROADCASTSS(Mem{Base: b}, acc[0])
	for i := 1; i < n; i++ {
		VMOVAPS(acc[0], acc[i])
	}
	ADDQ(Imm(4), bias)
	JMP(LabelRef(name + "_begin"))
	Label(name + "_nobias")
	for i := range acc {
		v.zero(acc[i])
	}
	Label(name + "_begin")
	if n <= 4 {
		for i := range odd {
			v.zero(odd[i])
		}
	}
	MOVLQSX(Mem{Base: get(counts)}, k)
	ADDQ(Imm(4), counts)
	SUBQ(Imm(2), k)
	JL(LabelRef(name + "_one"))
	Label(name + "_k")
	entry(0, acc)
	entry(8, odd)
	ADDQ(Imm(16), e)
	SUBQ(Imm(2), k)
	JGE(LabelRef(name + "_k"))
	Label(name + "_one")
	ADDQ(Imm(2), k)
	JZ(LabelRef(name + "_sum"))
	entry(0, acc)
	ADDQ(Imm(8), e)
	Label(name + "_sum")
	if n <= 4 {
		for i := range acc {
			VADDPS(odd[i], acc[i], acc[i])
		}
	}
	rp := get(res)
	TESTQ(rp, rp)
	JZ(LabelRef(name + "_nores"))
	for r := range R {
		for j := range NV {
			load(j, Mem{Base: rp, Disp: bytes * j}, tmp)
			VADDPS(tmp, acc[r*NV+j], acc[r*NV+j])
		}
		if r < R-1 {
			ADDQ(f(sYRow), rp)
		}
	}
	plane := ld(sYPlane)
	ADDQ(plane, res)
	Label(name + "_nores")
	flags = ld(sFlags)
	BTQ(Imm(1), flags)
	JCC(LabelRef(name + "_noclip"))
	VBROADCASTSS(f(sLo), tmp)
	VBROADCASTSS(f(sLo+4), w)
	for i := range acc {
		VMAXPS(acc[i], tmp, acc[i]) // the second operand wins for NaN, so NaN stays
		VMINPS(acc[i], w, acc[i])
	}
	Label(name + "_noclip")
	store := func(masked bool) {
		MOVQ(y, q)
		for r := range R {
			for j := range NV {
				d := Mem{Base: q, Disp: bytes * j}
				switch {
				case j != NV-1 || !masked:
					VMOVUPS(acc[r*NV+j], d)
				case v.k:
					VMOVUPS(acc[r*NV+j], km, d)
				default:
					VMASKMOVPS(acc[r*NV+j], vm, d)
				}
			}
			if r < R-1 {
				ADDQ(f(sYRow), q)
			}
		}
	}
	if !v.k { // stores by the masks of AVX2 take long on some processors
		VMOVMSKPS(vm, flags.As32())
		CMPL(flags.As32(), Imm(0xff))
		JNE(LabelRef(name + "_part"))
		store(false)
		JMP(LabelRef(name + "_next"))
		Label(name + "_part")
	}
	store(true)
	Label(name + "_next")
	ADDQ(f(sYPlane), y)
	DECQ(rows)
	JNZ(LabelRef(name + "_o"))
	VZEROUPPER()
	RET()
}

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
