package main

import (
	"fmt"

	"gen/fields"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

var low = []VecPhysical{Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7}

// sampled: for each sparse row o of a matrix and each of its entries e, sum[e] +=
// sum over R rows r and NV vectors of places p of
// x[off[e]+r*xrow+p] * d[o*dplane+r*drow+p]. The last vector of d is masked.
// Rows have a multiple of four entries; eight or four share each vector of d.
func sampled(v vec, isa string) {
	g := newSampled(v, isa)
	Label(g.name + "_o")
	MOVQ(g.counts, g.tmp)
	k := GP64()
	MOVLQSX(Mem{Base: g.tmp}, k)
	ADDQ(Imm(4), g.counts)
	SUBQ(Imm(8), k)
	MOVQ(k, g.left)
	JL(LabelRef(g.name + "_four"))
	Label(g.name + "_eight")
	g.entries(8)
	SUBQ(Imm(8), g.left)
	JGE(LabelRef(g.name + "_eight"))
	Label(g.name + "_four")
	ADDQ(Imm(8), g.left)
	JZ(LabelRef(g.name + "_next"))
	g.entries(4)
	Label(g.name + "_next")
	p := GP64()
	MOVQ(g.field(fields.DDPlane), p)
	ADDQ(p, g.d)
	DECQ(g.rows)
	JNZ(LabelRef(g.name + "_o"))
	end()
}

// sampledWriter holds what the parts of sampled share.
type sampledWriter struct {
	vec
	name string
	t    GPVirtual // *kernel.sampled
	// what moves on from group to group, out of sight of the garbage collector
	offs, counts, sum, rows, d, left Mem
	tmp                              GPVirtual
	last                             *tail
	dv                               VecVirtual
}

func (g *sampledWriter) field(off int) Mem { return Mem{Base: g.t, Disp: off} }

func newSampled(v vec, isa string) *sampledWriter {
	g := &sampledWriter{vec: v, name: "sampled_" + isa, last: &tail{}}
	TEXT(g.name, NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	g.t = Load(Param("t"), GP64()).(GPVirtual)
	frame := AllocLocal(48)
	g.left = frame.Offset(40)
	g.tmp = GP64()
	for i, m := range []struct {
		off int
		to  *Mem
	}{{fields.DOffs, &g.offs}, {fields.DCounts, &g.counts}, {fields.DSum, &g.sum}, {fields.DRows, &g.rows}, {fields.DD, &g.d}} {
		*m.to = frame.Offset(8 * i)
		MOVQ(g.field(m.off), g.tmp)
		MOVQ(g.tmp, *m.to)
	}
	if v.z512 {
		g.last.k = K()
		KMOVW(g.field(fields.DMask), g.last.k)
	} else {
		g.last.m = YMM()
		m := GP64()
		MOVQ(g.field(fields.DMask), m)
		VMOVDQU(Mem{Base: m}, g.last.m)
	}
	g.dv = v.reg()
	return g
}

// entries adds to the sums of the next n entries, eight or four.
func (g *sampledWriter) entries(n int) {
	label := fmt.Sprintf("%s_%d", g.name, n)
	acc, at := make([]VecVirtual, n), make([]GPVirtual, n)
	o := GP64()
	MOVQ(g.offs, o)
	for i := range n {
		at[i] = GP64()
		MOVLQSX(Mem{Base: o, Disp: 4 * i}, at[i])
		ADDQ(g.field(fields.DX), at[i])
		acc[i] = g.reg()
		g.zero(acc[i])
	}
	ADDQ(Imm(uint64(4*n)), g.offs)
	row, idx, dd, r, j := GP64(), GP64(), GP64(), GP64(), GP64()
	XORQ(row, row)
	MOVQ(g.d, dd)
	MOVQ(g.field(fields.DR), r)
	step := func(t *tail) {
		g.load(t, Mem{Base: dd, Index: idx, Scale: 1}, g.dv)
		for i := range n {
			VFMADD231PS(Mem{Base: at[i], Index: idx, Scale: 1}, g.dv, acc[i])
		}
	}
	Label(label + "_r")
	MOVQ(row, idx)
	MOVQ(g.field(fields.DNV), j)
	DECQ(j)
	JZ(LabelRef(label + "_last"))
	Label(label + "_v")
	step(nil)
	ADDQ(Imm(uint64(4*g.n)), idx)
	DECQ(j)
	JNZ(LabelRef(label + "_v"))
	Label(label + "_last")
	step(g.last)
	ADDQ(g.field(fields.DXRow), row)
	ADDQ(g.field(fields.DDRow), dd)
	SUBQ(g.field(fields.DXRow), dd)
	DECQ(r)
	JNZ(LabelRef(label + "_r"))
	g.addLanes(acc)
	ADDQ(Imm(uint64(4*n)), g.sum)
}

// addLanes adds the sum of each register's lanes to the numbers at sum.
func (g *sampledWriter) addLanes(acc []VecVirtual) {
	y := low[:len(acc)] // sums of two lanes and of four need the lower registers
	for i := range acc {
		if g.z512 {
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
	MOVQ(g.sum, q)
	if len(acc) == 8 {
		VPERM2F128(Imm(0x20), y[1], y[0], low[2])
		VPERM2F128(Imm(0x31), y[1], y[0], low[3])
		VADDPS(low[2], low[3], low[2])
		VADDPS(Mem{Base: q}, low[2], low[2])
		VMOVUPS(low[2], Mem{Base: q})
		return
	}
	VHADDPS(y[1], y[0], y[0])
	VEXTRACTF128(Imm(1), y[0], X1)
	VADDPS(X0, X1, X1)
	VADDPS(Mem{Base: q}, X1, X1)
	VMOVUPS(X1, Mem{Base: q})
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
