package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// Offsets of the fields of kernel.sampled; all are eight bytes wide.
const (
	dOffs = 8 * iota
	dCounts
	dRows
	dX
	dXRow
	dD
	dDRow
	dDPlane
	dR
	dNV
	dMask
	dSum
)

var low = []VecPhysical{Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7}

// sampled: for each sparse row o of a matrix and each of its entries e, sum[e] +=
// sum over R rows r and NV vectors of places p of
// x[off[e]+r*xrow+p] * d[o*dplane+r*drow+p]. The last vector of d is masked.
// Rows have a multiple of four entries; eight or four share each vector of d.
func sampled(v vec, isa string) {
	name := "sampled_" + isa
	TEXT(name, NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	t := Load(Param("t"), GP64())
	f := func(off int) Mem { return Mem{Base: t, Disp: off} }
	bytes := v.n * 4
	// what moves on from group to group, out of sight of the garbage collector
	frame := AllocLocal(48)
	local := func(i int) Mem { return frame.Offset(8 * i) }
	offs, counts, sum, rows, d, left := local(0), local(1), local(2), local(3), local(4), local(5)
	tmp := GP64()
	for _, m := range []struct {
		off int
		to  Mem
	}{{dOffs, offs}, {dCounts, counts}, {dSum, sum}, {dRows, rows}, {dD, d}} {
		MOVQ(f(m.off), tmp)
		MOVQ(tmp, m.to)
	}
	last := &tail{v: v}
	if v.z512 {
		last.k = K()
		KMOVW(f(dMask), last.k)
	} else {
		m := GP64()
		MOVQ(f(dMask), m)
		last.m = YMM()
		VMOVDQU(Mem{Base: m}, last.m)
	}
	dv := v.reg()

	group := func(n int, label string) {
		acc, at := make([]VecVirtual, n), make([]GPVirtual, n)
		o := GP64()
		MOVQ(offs, o)
		for i := range n {
			at[i] = GP64()
			MOVLQSX(Mem{Base: o, Disp: 4 * i}, at[i])
			ADDQ(f(dX), at[i])
			acc[i] = v.reg()
			v.zero(acc[i])
		}
		ADDQ(Imm(uint64(4*n)), offs)
		row, idx, dd, r, j := GP64(), GP64(), GP64(), GP64(), GP64()
		XORQ(row, row)
		MOVQ(d, dd)
		MOVQ(f(dR), r)
		step := func(t *tail) {
			v.load(t, Mem{Base: dd, Index: idx, Scale: 1}, dv)
			for i := range n {
				VFMADD231PS(Mem{Base: at[i], Index: idx, Scale: 1}, dv, acc[i])
			}
		}
		Label(label + "_r")
		MOVQ(row, idx)
		MOVQ(f(dNV), j)
		DECQ(j)
		JZ(LabelRef(label + "_last"))
		Label(label + "_v")
		step(nil)
		ADDQ(Imm(uint64(bytes)), idx)
		DECQ(j)
		JNZ(LabelRef(label + "_v"))
		Label(label + "_last")
		step(last)
		ADDQ(f(dXRow), row)
		ADDQ(f(dDRow), dd)
		SUBQ(f(dXRow), dd)
		DECQ(r)
		JNZ(LabelRef(label + "_r"))

		y := low[:n] // sums of two lanes and of four need the lower registers
		for i := range acc {
			if v.z512 {
				hi := YMM()
				VEXTRACTF64X4(Imm(1), acc[i], hi)
				VADDPS(acc[i].AsY(), hi, y[i])
			} else {
				VMOVAPS(acc[i], y[i])
			}
		}
		for ; len(y) > 2; y = y[:len(y)/2] {
			for i := range len(y) / 2 {
				VHADDPS(y[2*i+1], y[2*i], y[i])
			}
		}
		q := GP64()
		MOVQ(sum, q)
		if n == 8 {
			VPERM2F128(Imm(0x20), y[1], y[0], low[2])
			VPERM2F128(Imm(0x31), y[1], y[0], low[3])
			VADDPS(low[2], low[3], low[2])
			VADDPS(Mem{Base: q}, low[2], low[2])
			VMOVUPS(low[2], Mem{Base: q})
		} else {
			VHADDPS(y[1], y[0], y[0])
			VEXTRACTF128(Imm(1), y[0], X1)
			VADDPS(X0, X1, X1)
			VADDPS(Mem{Base: q}, X1, X1)
			VMOVUPS(X1, Mem{Base: q})
		}
		ADDQ(Imm(uint64(4*n)), sum)
	}

	Label(name + "_o")
	MOVQ(counts, tmp)
	k := GP64()
	MOVLQSX(Mem{Base: tmp}, k)
	ADDQ(Imm(4), counts)
	SUBQ(Imm(8), k)
	MOVQ(k, left)
	JL(LabelRef(name + "_four"))
	Label(name + "_eight")
	group(8, name+"_8")
	SUBQ(Imm(8), left)
	JGE(LabelRef(name + "_eight"))
	Label(name + "_four")
	ADDQ(Imm(8), left)
	JZ(LabelRef(name + "_next"))
	group(4, name+"_4")
	Label(name + "_next")
	p := GP64()
	MOVQ(f(dDPlane), p)
	ADDQ(p, d)
	DECQ(rows)
	JNZ(LabelRef(name + "_o"))
	VZEROUPPER()
	RET()
}

// keep: zeroes the numbers of x whose bit is 0, 64 a word, for n words.
func keep(v vec, isa string) {
	TEXT("keep_"+isa, NOSPLIT, "func(n int, bits *uint64, x *float32)")
	Pragma("noescape")
	n, b, x := gp("n"), gp("bits"), gp("x")
	word := GP64()
	zero := v.reg()
	v.zero(zero)
	var pick VecVirtual
	if !v.z512 {
		pick = v.set(lanesOf())
	}
	Label("keep_l")
	MOVQ(Mem{Base: b}, word)
	CMPQ(word, I8(-1))
	JE(LabelRef("keep_next"))
	TESTQ(word, word)
	JZ(LabelRef("keep_none"))
	for i := range 64 / v.n {
		at := Mem{Base: x, Disp: 4 * v.n * i}
		if v.z512 {
			k, y := K(), v.reg()
			KMOVW(word.As32(), k)
			VMOVUPS_Z(at, k, y)
			VMOVUPS(y, at)
		} else {
			m, w := v.reg(), XMM()
			VMOVD(word.As32(), w)
			VPBROADCASTD(w, m)
			VPAND(pick, m, m)
			VPCMPEQD(pick, m, m)
			VANDPS(at, m, m)
			VMOVUPS(m, at)
		}
		SHRQ(Imm(uint64(v.n)), word)
	}
	JMP(LabelRef("keep_next"))
	Label("keep_none")
	for i := range 64 / v.n {
		VMOVUPS(zero, Mem{Base: x, Disp: 4 * v.n * i})
	}
	Label("keep_next")
	ADDQ(Imm(8), b)
	ADDQ(I32(256), x)
	DECQ(n)
	JNZ(LabelRef("keep_l"))
	end()
}

var lanesTable *Mem

// lanesOf is a vector of eight words: lane i has bit i.
func lanesOf() Mem {
	if lanesTable == nil {
		m := GLOBL("lanes8", RODATA|NOPTR)
		for i := range 8 {
			DATA(4*i, U32(1<<i))
		}
		lanesTable = &m
	}
	return *lanesTable
}
