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
// value*x[offset+r*xrow+p], plus the residual, held in bounds (flag 2). The last
// vector is masked where it is stored. Few accumulators are kept twice, for the
// entries with even and with odd number.
func sparse(v vec, R, NV int) {
	isa := "avx2"
	if v.z512 {
		isa = "avx512"
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
	if v.z512 {
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
			src := Mem{Base: rp, Disp: bytes * j}
			switch {
			case j != NV-1:
				VMOVUPS(src, tmp)
			case v.z512:
				VMOVUPS_Z(src, km, tmp)
			default:
				VMASKMOVPS(src, vm, tmp)
			}
			VADDPS(tmp, acc[r*NV+j], acc[r*NV+j])
		}
		if r < R-1 {
			ADDQ(f(sYRow), rp)
		}
	}
	plane := ld(sYPlane)
	ADDQ(plane, res)
	Label(name + "_nores")
	flags := ld(sFlags)
	BTQ(Imm(1), flags)
	JCC(LabelRef(name + "_noclip"))
	VBROADCASTSS(f(sLo), tmp)
	VBROADCASTSS(f(sLo+4), w)
	for i := range acc {
		VMAXPS(acc[i], tmp, acc[i]) // the second operand wins for NaN, so NaN stays
		VMINPS(acc[i], w, acc[i])
	}
	Label(name + "_noclip")
	q := GP64()
	MOVQ(y, q)
	for r := range R {
		for j := range NV {
			d := Mem{Base: q, Disp: bytes * j}
			switch {
			case j != NV-1:
				VMOVUPS(acc[r*NV+j], d)
			case v.z512:
				VMOVUPS(acc[r*NV+j], km, d)
			default:
				VMASKMOVPS(acc[r*NV+j], vm, d)
			}
		}
		if r < R-1 {
			ADDQ(f(sYRow), q)
		}
	}
	ADDQ(f(sYPlane), y)
	DECQ(rows)
	JNZ(LabelRef(name + "_o"))
	VZEROUPPER()
	RET()
}

// padRows: planes of n rows of x, ldx apart, to rows of y, ldy apart; planes are
// xplane and yplane apart: nv vectors each, the last masked and filled with zeros.
// Strides in bytes.
func padRows(v vec, isa string) {
	name := "padrows_" + isa
	TEXT(name, NOSPLIT, "func(planes int, n int, x *float32, ldx int, xplane int, y *float32, ldy int, yplane int, nv int, mask uintptr)")
	Pragma("noescape")
	planes, x, ldx, y, ldy, mask := gp("planes"), gp("x"), gp("ldx"), gp("y"), gp("ldy"), gp("mask")
	arg := func(name string) GPVirtual { return Load(Param(name), GP64()).(GPVirtual) } // read anew: registers are few
	bytes := v.n * 4
	var km OpmaskVirtual
	var vm VecVirtual
	if v.z512 {
		km = K()
		KMOVW(mask.As32(), km)
	} else {
		vm = YMM()
		VMOVDQU(Mem{Base: mask}, vm)
	}
	t := v.reg()
	last := func(p, q GPVirtual) {
		if v.z512 {
			VMOVUPS_Z(Mem{Base: p}, km, t)
		} else {
			VMASKMOVPS(Mem{Base: p}, vm, t)
		}
		VMOVUPS(t, Mem{Base: q})
	}
	i, p, q, xr := GP64(), GP64(), GP64(), GP64()
	Label(name + "_p")
	k := arg("n")
	MOVQ(y, q)
	MOVQ(x, xr)
	Label(name + "_r")
	XORQ(p, p)
	MOVQ(arg("nv"), i)
	DECQ(i)
	JZ(LabelRef(name + "_last"))
	Label(name + "_v")
	VMOVUPS(Mem{Base: xr, Index: p, Scale: 1}, t)
	VMOVUPS(t, Mem{Base: q, Index: p, Scale: 1})
	ADDQ(Imm(uint64(bytes)), p)
	DECQ(i)
	JNZ(LabelRef(name + "_v"))
	Label(name + "_last")
	from, to := GP64(), GP64()
	LEAQ(Mem{Base: xr, Index: p, Scale: 1}, from)
	LEAQ(Mem{Base: q, Index: p, Scale: 1}, to)
	last(from, to)
	ADDQ(ldx, xr)
	ADDQ(ldy, q)
	DECQ(k)
	JNZ(LabelRef(name + "_r"))
	ADDQ(arg("xplane"), x)
	ADDQ(arg("yplane"), y)
	DECQ(planes)
	JNZ(LabelRef(name + "_p"))
	end()
}
