package main

import (
	"fmt"
	"math"

	"gen/fields"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// A record of kernel.WholeRows: 32 bytes, their scale, and -128 times their sum.
const (
	recordScale = 32
	recordSum   = 36
	recordSize  = 40
)

// wholeMatrices writes the products of panels of 16 rows of whole numbers with R rows of
// whole numbers, and what makes such rows of floats.
func wholeMatrices(v vec, isa string) {
	most := 8
	if !v.z512 {
		most = 2
		wholeRow(v)
	}
	for R := 1; R <= most; R *= 2 {
		for _, sparse := range []bool{false, true} {
			name := "whole"
			if sparse {
				name = "wholesparse"
			}
			g := &wholeWriter{vec: v, sparse: sparse, R: R}
			g.write(fmt.Sprintf("%s%d", name, R), isa)
		}
	}
}

// wholeWriter holds what the parts of a kernel share. A panel's vectors of 64 bytes are four
// columns of each of its rows.
type wholeWriter struct {
	vec
	sparse                             bool
	R                                  int
	t, values, masks, scales, x, table GPVirtual
	mask, count                        GPVirtual
	ones                               VecVirtual // words (AVX2)
	flip                               VecVirtual // 128 in every byte (AVX-512)
}

func (g *wholeWriter) get(off int) GPVirtual {
	r := GP64()
	MOVQ(Mem{Base: g.t, Disp: off}, r)
	return r
}

func (g *wholeWriter) write(name, isa string) {
	g.begin(name, isa, "func(t *byte)")
	g.t = gp("t")
	g.values, g.scales = g.get(fields.WValues), g.get(fields.WScales)
	g.mask, g.count = GP64(), GP64()
	if g.sparse {
		g.masks = g.get(fields.WMasks)
		if !g.z512 {
			g.table = g.get(fields.WTable)
		}
	}
	panels, y, stride, left, q := g.get(fields.WPanels), g.get(fields.WY), g.get(fields.WYRow), GP64(), GP64()
	if g.z512 {
		g.flip = ZMM()
		MOVL(U32(0x80808080), left.As32())
		VPBROADCASTD(left.As32(), g.flip)
	} else {
		g.ones = YMM()
		VPCMPEQW(g.ones, g.ones, g.ones)
		VPABSW(g.ones, g.ones)
	}
	halves := 16 / g.n
	Label(name + "_panel")
	sums := g.zeros(g.R * halves)
	MOVQ(Mem{Base: g.t, Disp: fields.WGroups}, left)
	g.x = g.get(fields.WX)
	Label(name + "_group")
	if g.z512 {
		g.wide(sums)
	} else {
		g.narrow(sums)
	}
	if g.sparse {
		ADDQ(Imm(64), g.masks)
	} else {
		ADDQ(I32(512), g.values)
	}
	ADDQ(Imm(32), g.scales)
	ADDQ(I32(recordSize*g.R), g.x)
	DECQ(left)
	JNZ(LabelRef(name + "_group"))
	MOVQ(y, q)
	for r := range g.R {
		for h := range halves {
			VMOVUPS(sums[r*halves+h], Mem{Base: q, Disp: 4 * g.n * h})
		}
		if r < g.R-1 {
			ADDQ(stride, q)
		}
	}
	ADDQ(Imm(64), y)
	DECQ(panels)
	JNZ(LabelRef(name + "_panel"))
	end()
}

// record is a place in the group's record of row r.
func (g *wholeWriter) record(r, at int) Mem { return Mem{Base: g.x, Disp: r*recordSize + at} }

// wide adds the products of a group by the dot product of bytes of AVX-512, one of which has
// no sign: 128 is added to the weights, and -128 times the sum of the rows is where the sums
// begin.
func (g *wholeWriter) wide(sums []VecVirtual) {
	if g.R == 1 {
		g.ahead()
	}
	acc := make([]VecVirtual, g.R)
	for r := range acc {
		acc[r] = ZMM()
		VPBROADCASTD(g.record(r, recordSum), acc[r])
	}
	for j := range 8 {
		w := ZMM()
		if g.sparse {
			k := K()
			MOVQ(Mem{Base: g.masks, Disp: 8 * j}, g.mask)
			KMOVQ(g.mask, k)
			VMOVDQU64(Mem{Base: g.values}, w)
			expand("VPEXPANDB", w, k, w)
			POPCNTQ(g.mask, g.count)
			ADDQ(g.count, g.values)
			VPXORD(g.flip, w, w)
		} else {
			VPXORD(Mem{Base: g.values, Disp: 64 * j}, g.flip, w)
		}
		for r := range acc {
			x := g.record(r, 4*j)
			Instruction(&ir.Instruction{Opcode: "VPDPBUSD", Suffixes: []string{"BCST"}, Operands: []Op{x, w, acc[r]}, Inputs: []Op{x, w, acc[r]}, Outputs: []Op{acc[r]}})
		}
	}
	scale := ZMM()
	VCVTPH2PS(Mem{Base: g.scales}, scale)
	for r := range acc {
		VCVTDQ2PS(acc[r], acc[r])
		VMULPS(scale, acc[r], acc[r])
		VFMADD231PS_BCST(g.record(r, recordScale), acc[r], sums[r])
	}
}

// ahead asks for what comes next: a matrix without its zeros lies in three streams, and what a
// group takes of them is no whole number of lines.
func (g *wholeWriter) ahead() {
	lines := 8
	if g.sparse {
		lines = 3
		PREFETCHT0(Mem{Base: g.masks, Disp: 512})
	}
	for i := range lines {
		PREFETCHT0(Mem{Base: g.values, Disp: 2048 + 64*i})
	}
	PREFETCHT0(Mem{Base: g.scales, Disp: 256})
}

// narrow does the same by products of pairs, with the signs of the weights put on the rows.
func (g *wholeWriter) narrow(sums []VecVirtual) {
	acc := g.zeros(len(sums))
	p, w, size, high := YMM(), YMM(), YMM(), XMM()
	xs := make([]VecVirtual, g.R)
	for r := range xs {
		xs[r] = YMM()
	}
	for j := range 8 {
		for r := range xs {
			VPBROADCASTD(g.record(r, 4*j), xs[r])
		}
		for h := range 2 {
			if g.sparse {
				g.gather(8*j+4*h, w, size, p, high)
			} else {
				VMOVDQU(Mem{Base: g.values, Disp: 64*j + 32*h}, w)
			}
			VPABSB(w, size)
			for r := range xs {
				VPSIGNB(w, xs[r], p)
				VPMADDUBSW(p, size, p)
				VPMADDWD(g.ones, p, p)
				VPADDD(p, acc[2*r+h], acc[2*r+h])
			}
		}
	}
	scale := YMM()
	for h := range 2 {
		VCVTPH2PS(Mem{Base: g.scales, Disp: 16 * h}, scale)
		for r := range g.R {
			a := acc[2*r+h]
			VCVTDQ2PS(a, a)
			VMULPS(scale, a, a)
			VBROADCASTSS(g.record(r, recordScale), p)
			VFMADD231PS(p, a, sums[2*r+h])
		}
	}
}

// gather puts the values of four bytes of the mask in their places, by kernel.places.
func (g *wholeWriter) gather(at int, w, to, x, high VecVirtual) {
	eight := func(i int, x VecVirtual) {
		MOVBLZX(Mem{Base: g.masks, Disp: at + i}, g.mask.As32())
		POPCNTL(g.mask.As32(), g.count.As32())
		VMOVQ(Mem{Base: g.values}, x.AsX())
		VMOVQ(Mem{Base: g.table, Index: g.mask, Scale: 8}, to.AsX())
		VPSHUFB(to.AsX(), x.AsX(), x.AsX())
		ADDQ(g.count, g.values)
	}
	eight(0, w)
	eight(1, x)
	VPUNPCKLQDQ(x.AsX(), w.AsX(), w.AsX())
	eight(2, high)
	eight(3, x)
	VPUNPCKLQDQ(x.AsX(), high, high)
	VINSERTI128(Imm(1), high, w, w)
}

// wholeRow writes the records of a row of floats, step bytes apart: the scale is the largest
// of the group, by size, over 127; what is not a number is the largest.
func wholeRow(v vec) {
	v.begin("wholerow", "avx2", "func(groups int, x *float32, to *byte, step int)")
	groups, x, to, step := gp("groups"), gp("x"), gp("to"), gp("step")
	sign, order := YMM(), YMM()
	VPCMPEQD(sign, sign, sign)
	VPSRLD(Imm(1), sign, sign)
	table := GLOBL("wholeorder", RODATA|NOPTR)
	for i, w := range []uint32{0, 4, 1, 5, 2, 6, 3, 7} {
		DATA(4*i, U32(w))
	}
	VMOVDQU(table, order)
	Label("wholerow_group")
	var w [4]VecVirtual
	most, t := YMM(), YMM()
	for i := range w {
		w[i] = YMM()
		VMOVUPS(Mem{Base: x, Disp: 32 * i}, w[i])
		if i == 0 {
			VANDPS(sign, w[i], most)
			continue
		}
		VANDPS(sign, w[i], t)
		VPMAXUD(t, most, most)
	}
	fold := func(y VecVirtual, op func(a, b, d Op)) VecVirtual {
		h, r := XMM(), XMM()
		VEXTRACTI128(Imm(1), y, h)
		op(h, y.AsX(), r)
		VPSHUFD(Imm(0x4e), r, h)
		op(h, r, r)
		VPSHUFD(Imm(0xb1), r, h)
		op(h, r, r)
		return r
	}
	m := fold(most, func(a, b, d Op) { VPMAXUD(a, b, d) })
	VMULSS(c(1./127), m, t.AsX())
	VMOVSS(t.AsX(), Mem{Base: to, Disp: recordScale})
	VMOVSS(c(127), t.AsX())
	VDIVSS(m, t.AsX(), t.AsX())
	VMINSS(c(math.MaxFloat32), t.AsX(), t.AsX())
	VBROADCASTSS(t.AsX(), t)
	for i := range w {
		VMULPS(t, w[i], w[i])
		VCVTPS2DQ(w[i], w[i])
	}
	a, b := YMM(), YMM()
	VPADDD(w[0], w[1], a)
	VPADDD(w[2], w[3], b)
	VPADDD(a, b, a)
	s := fold(a, func(a, b, d Op) { VPADDD(a, b, d) })
	VPSLLD(Imm(7), s, s)
	VPXOR(b, b, b)
	VPSUBD(s, b.AsX(), s)
	VMOVD(s, Mem{Base: to, Disp: recordSum})
	VPACKSSDW(w[1], w[0], w[0])
	VPACKSSDW(w[3], w[2], w[2])
	VPACKSSWB(w[2], w[0], w[0])
	VPERMD(w[0], order, w[0])
	VMOVDQU(w[0], Mem{Base: to})
	ADDQ(Imm(128), x)
	ADDQ(step, to)
	DECQ(groups)
	JNZ(LabelRef("wholerow_group"))
	end()
}
