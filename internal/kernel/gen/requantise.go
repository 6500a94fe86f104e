package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Offsets of the fields of kernel.requantTile; all are eight bytes wide, the last three
// hold pairs of four bytes.
const (
	rqSums = 8 * iota
	rqRows
	rqBias
	rqScale
	rqAdd
	rqRow
	rqRowStep
	rqOut
	rqLdo
	rqWidth
	rqLo
	rqZero
)

const rqHi = rqLo + 4

// requantise writes what becomes of 16 columns of int32 sums, dotPitch bytes a row:
// x = float(sum + bias[j] + row[i])*scale[j] + add[j], which is stored as it is, or held in
// bounds, rounded to even, raised by the zero point and stored as a byte. width columns
// of the 16 are stored; with AVX2 all of them.
func requantise(v vec, isa string) {
	for _, bytes := range []bool{true, false} {
		name := "sumstofloats"
		if bytes {
			name = "sumstobytes"
		}
		v.begin(name, isa, "func(t *byte)")
		t := gp("t")
		get := func(off int) GPVirtual { r := GP64(); MOVQ(Mem{Base: t, Disp: off}, r); return r }
		parts := 16 / v.n
		col := func(off int) []VecVirtual {
			p, xs := get(off), make([]VecVirtual, parts)
			for i := range xs {
				xs[i] = v.reg()
				VMOVUPS(Mem{Base: p, Disp: 4 * v.n * i}, xs[i])
			}
			return xs
		}
		bias, scale, add := col(rqBias), col(rqScale), col(rqAdd)
		sums, rows, row, step, out, ldo := get(rqSums), get(rqRows), get(rqRow), get(rqRowStep), get(rqOut), get(rqLdo)
		var k OpmaskVirtual
		if v.z512 {
			k = v.tailOf(get(rqWidth)).k
		}
		var lo, hi, zero VecVirtual
		if bytes {
			lo, hi, zero = v.reg(), v.reg(), v.reg()
			VBROADCASTSS(Mem{Base: t, Disp: rqLo}, lo)
			VBROADCASTSS(Mem{Base: t, Disp: rqHi}, hi)
			VPBROADCASTD(Mem{Base: t, Disp: rqZero}, zero)
		}
		label := fmt.Sprintf("%s_%s", name, isa)
		Label(label)
		more := v.reg()
		VPBROADCASTD(Mem{Base: row}, more)
		x := make([]VecVirtual, parts)
		for i := range x {
			x[i] = v.reg()
			VPADDD(Mem{Base: sums, Disp: 4 * v.n * i}, bias[i], x[i])
			VPADDD(more, x[i], x[i])
			VCVTDQ2PS(x[i], x[i])
			VMULPS(scale[i], x[i], x[i])
			VADDPS(add[i], x[i], x[i])
			switch {
			case bytes:
				VMAXPS(lo, x[i], x[i])
				VMINPS(hi, x[i], x[i])
				VCVTPS2DQ(x[i], x[i])
				VPADDD(zero, x[i], x[i])
			case v.z512:
				VMOVUPS(x[i], k, Mem{Base: out})
			default:
				VMOVUPS(x[i], Mem{Base: out, Disp: 4 * v.n * i})
			}
		}
		if bytes && v.z512 {
			VPMOVUSDB(x[0], k, Mem{Base: out})
		} else if bytes {
			narrow16(x[0], x[1], Mem{Base: out})
		}
		ADDQ(Imm(dotPitch), sums)
		ADDQ(step, row)
		ADDQ(ldo, out)
		DECQ(rows)
		JNZ(LabelRef(label))
		end()
	}
}

// requantiseRows is requantise to bytes of four rows at a time where the numbers are small:
// they are raised by the zero point and held in bounds once they are bytes. rqRow is the
// order in which packing leaves fours of columns.
func requantiseRows() {
	name := "sumstobytesrows_avx512"
	TEXT(name, NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	t := gp("t")
	get := func(off int) GPVirtual { r := GP64(); MOVQ(Mem{Base: t, Disp: off}, r); return r }
	sums, rows, out, ldo, order := get(rqSums), get(rqRows), get(rqOut), get(rqLdo), GP64()
	k := vec{z512: true, n: 16}.tailOf(get(rqWidth)).k
	MOVQ(Mem{Base: t, Disp: rqRow}, order)
	bias, scale, turn, zero, lo, hi := ZMM(), ZMM(), ZMM(), ZMM(), ZMM(), ZMM()
	p := GP64()
	MOVQ(Mem{Base: t, Disp: rqBias}, p)
	VMOVDQU64(Mem{Base: p}, bias)
	MOVQ(Mem{Base: t, Disp: rqScale}, p)
	VMOVUPS(Mem{Base: p}, scale)
	VMOVDQU64(Mem{Base: order}, turn)
	VPBROADCASTB(Mem{Base: t, Disp: rqLo}, lo)
	VPBROADCASTB(Mem{Base: t, Disp: rqHi}, hi)
	VPBROADCASTW(Mem{Base: t, Disp: rqZero}, zero)
	l3 := GP64()
	LEAQ(Mem{Base: ldo, Index: ldo, Scale: 2}, l3)
	Label(name)
	x := []VecVirtual{ZMM(), ZMM(), ZMM(), ZMM()}
	for i := range x {
		VPADDD(Mem{Base: sums, Disp: dotPitch * i}, bias, x[i])
		VCVTDQ2PS(x[i], x[i])
		VMULPS(scale, x[i], x[i])
		VCVTPS2DQ(x[i], x[i])
	}
	VPACKSSDW(x[1], x[0], x[0])
	VPACKSSDW(x[3], x[2], x[2])
	VPADDSW(zero, x[0], x[0])
	VPADDSW(zero, x[2], x[2])
	VPACKUSWB(x[2], x[0], x[0])
	VPMAXUB(lo, x[0], x[0])
	VPMINUB(hi, x[0], x[0])
	VPERMD(x[0], turn, x[0])
	to := []Mem{{Base: out}, {Base: out, Index: ldo, Scale: 1}, {Base: out, Index: ldo, Scale: 2}, {Base: out, Index: l3, Scale: 1}}
	full := GP64()
	MOVQ(Mem{Base: t, Disp: rqWidth}, full)
	CMPQ(full, Imm(16))
	JNE(LabelRef(name + "_part"))
	VMOVDQU(x[0].AsX(), to[0])
	for i := 1; i < 4; i++ {
		VEXTRACTI32X4(Imm(uint64(i)), x[0], to[i])
	}
	JMP(LabelRef(name + "_next"))
	Label(name + "_part")
	VMOVDQU8(x[0].AsX(), k, to[0])
	for i := 1; i < 4; i++ {
		VEXTRACTI32X4(Imm(uint64(i)), x[0], x[1].AsX())
		VMOVDQU8(x[1].AsX(), k, to[i])
	}
	Label(name + "_next")
	ADDQ(U32(4*dotPitch), sums)
	LEAQ(Mem{Base: out, Index: ldo, Scale: 4}, out)
	SUBQ(Imm(4), rows)
	JNZ(LabelRef(name))
	end()
}

// narrow16 stores 16 numbers, each within the bounds of a byte, with AVX2.
func narrow16(x, y VecVirtual, to Mem) {
	VPACKSSDW(y, x, x) // words 0-3 8-11 4-7 12-15
	VPERMQ(Imm(0xd8), x, x)
	h := XMM()
	VEXTRACTI128(Imm(1), x, h)
	VPACKUSWB(h, x.AsX(), x.AsX())
	VMOVDQU(x.AsX(), to)
}

// Offsets of the fields of kernel.bytesTile; all are eight bytes wide, the last hold numbers
// of four bytes.
const (
	bX = 8 * iota
	bY
	bOut
	bN
	bFloats // 8 of them
)

// widen reads bytes as floats.
func (v vec) widen(m Mem, k OpmaskVirtual, x VecVirtual) {
	if v.z512 {
		VPMOVZXBD_Z(m, k, x)
	} else {
		VPMOVZXBD(m, x)
	}
	VCVTDQ2PS(x, x)
}

// narrow rounds floats, adds the zero point, and stores them as bytes within bounds.
func (v vec) narrow(x, lo, hi, zero VecVirtual, k OpmaskVirtual, to Mem) {
	VMAXPS(lo, x, x)
	VMINPS(hi, x, x)
	VCVTPS2DQ(x, x)
	VPADDD(zero, x, x)
	if v.z512 {
		VPMOVUSDB(x, k, to)
		return
	}
	h := XMM()
	VEXTRACTI128(Imm(1), x, h)
	VPACKSSDW(h, x.AsX(), x.AsX())
	VPACKUSWB(x.AsX(), x.AsX(), x.AsX())
	VMOVQ(x.AsX(), to)
}

// overBytes writes a loop over bytes; AVX2 does whole vectors only.
func (v vec) overBytes(name, isa string, x, y, out int, body func(k OpmaskVirtual, x, y, out GPVirtual, num func(i int) VecVirtual) func()) {
	v.begin(name, isa, "func(t *byte)")
	t := gp("t")
	get := func(off int) GPVirtual { r := GP64(); MOVQ(Mem{Base: t, Disp: off}, r); return r }
	px, py, po, n := get(bX), get(bY), get(bOut), get(bN)
	num := func(i int) VecVirtual {
		r := v.reg()
		VPBROADCASTD(Mem{Base: t, Disp: bFloats + 4*i}, r)
		return r
	}
	k := K()
	if v.z512 {
		m := GP32()
		MOVL(U32(0xffff), m)
		KMOVW(m, k)
	}
	run := body(k, px, py, po, num)
	label := fmt.Sprintf("%s_%s", name, isa)
	Label(label)
	if v.z512 {
		CMPQ(n, Imm(16))
		JGE(LabelRef(label + "_whole"))
		m := GP32()
		MOVL(U32(0xffff), m)
		BZHIL(n.As32(), m, m)
		KMOVW(m, k)
		Label(label + "_whole")
	}
	run()
	for i, p := range []GPVirtual{px, py, po} {
		if []int{x, y, out}[i] == 0 {
			continue
		}
		ADDQ(Imm(uint64(v.n*[]int{x, y, out}[i])), p)
	}
	SUBQ(Imm(uint64(v.n)), n)
	JG(LabelRef(label))
	end()
}

// byteLoops are elementwise passes over bytes: quantise, dequantise and add.
func byteLoops(v vec, isa string) {
	// out = round(x/f0 held between f1 and f2) + f3
	v.overBytes("floatstobytes", isa, 4, 0, 1, func(k OpmaskVirtual, x, _, out GPVirtual, num func(i int) VecVirtual) func() {
		scale, lo, hi, zero := num(0), num(1), num(2), num(3)
		return func() {
			r := v.reg()
			if v.z512 {
				VMOVUPS_Z(Mem{Base: x}, k, r)
			} else {
				VMOVUPS(Mem{Base: x}, r)
			}
			VDIVPS(scale, r, r)
			v.narrow(r, lo, hi, zero, k, Mem{Base: out})
		}
	})
	// out = (x - f1)*f0
	v.overBytes("bytestofloats", isa, 1, 0, 4, func(k OpmaskVirtual, x, _, out GPVirtual, num func(i int) VecVirtual) func() {
		scale, zero := num(0), num(1)
		return func() {
			r := v.reg()
			v.widen(Mem{Base: x}, k, r)
			VSUBPS(zero, r, r)
			VMULPS(scale, r, r)
			if v.z512 {
				VMOVUPS(r, k, Mem{Base: out})
			} else {
				VMOVUPS(r, Mem{Base: out})
			}
		}
	})
	// out = round((x-f4)*f0 + (y-f5)*f6 held between f1 and f2) + f3
	v.overBytes("addbytes", isa, 1, 1, 1, func(k OpmaskVirtual, x, y, out GPVirtual, num func(i int) VecVirtual) func() {
		sx, lo, hi, zero, zx, zy, sy := num(0), num(1), num(2), num(3), num(4), num(5), num(6)
		return func() {
			r, s := v.reg(), v.reg()
			v.widen(Mem{Base: x}, k, r)
			v.widen(Mem{Base: y}, k, s)
			VSUBPS(zx, r, r)
			VSUBPS(zy, s, s)
			VMULPS(sx, r, r)
			VMULPS(sy, s, s)
			VADDPS(s, r, r)
			v.narrow(r, lo, hi, zero, k, Mem{Base: out})
		}
	})
	// out = round((x-f4)*(y-f5)*f0 held between f1 and f2) + f3
	v.overBytes("mulbytes", isa, 1, 1, 1, func(k OpmaskVirtual, x, y, out GPVirtual, num func(i int) VecVirtual) func() {
		scale, lo, hi, zero, zx, zy := num(0), num(1), num(2), num(3), num(4), num(5)
		return func() {
			r, s := v.reg(), v.reg()
			v.widen(Mem{Base: x}, k, r)
			v.widen(Mem{Base: y}, k, s)
			VSUBPS(zx, r, r)
			VSUBPS(zy, s, s)
			VMULPS(s, r, r)
			VMULPS(scale, r, r)
			v.narrow(r, lo, hi, zero, k, Mem{Base: out})
		}
	})
}
